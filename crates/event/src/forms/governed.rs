//! The governed form: the second document's entry, one for a whole call.
//!
//! An entry says what was asked, what was decided and how it ended. Greffier records a call in two events;
//! [`join`] makes the entry of both.

use super::fields::{self, Fields, is_entity, time_json};
use super::given::{self, Given, part_value, value_part};
use super::join::{Half, joined};
use super::{Form, Reading};
use crate::json::Json;
use crate::redact::redact_json;
use crate::{
    Action, ActionKind, ContentSafety, DecisionKind, Draft, Event, EventType, InvalidEvent, Outcome,
    OutcomeStatus, Part, PolicyRecord, Redaction, RedactionAction, Stage, Usage, User, decimal,
};

/// Our names and this form's, for errors.
const NAMES: [(&str, &str); 9] = [
    ("request_id", "requestId"),
    ("action.name", "action.tool"),
    ("content_safety.pii_detected", "contentSafety.piiDetected"),
    ("content_safety.redactions", "contentSafety.redactions"),
    ("outcome.code", "outcome.status"),
    ("outcome.duration_us", "outcome.durationMs"),
    ("usage.cost_micros", "usage.estimatedCost"),
    ("user.roles.0", "user.role"),
    ("source.channel", "channel"),
];

/// Reads one governed entry.
pub fn read(text: &str, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    take(fields::document(text)?, reading)
}

/// Reads one that is parsed already.
pub(super) fn take(mut document: Json, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    redact_json(&mut document);
    fields::refuse_server_only(&document, reading)?;
    let fields = Fields::of(&document);
    let event = event(&fields, reading)?;
    let mut parts = parts(&fields)?;
    let given = Given::between(&render(&event, &parts), &document);
    given::pack(&mut parts, None, Form::Governed, &given)?;
    event.validate().map_err(|error| error.spelled(&NAMES))?;
    Ok(Draft { event, parts })
}

/// Writes one event in governed form, with those of its parts that may be shown.
pub fn write(event: &Event, parts: &[Part]) -> Result<String, InvalidEvent> {
    let (_, given) = given::unpack(parts, Form::Governed);
    let mut document = render(event, parts);
    given.apply(&mut document);
    Ok(document.to_string())
}

/// Writes the two events of one call as one entry: what was asked and decided from the first, how it ended from
/// the second.
pub fn join(decision: Half<'_>, outcome: Half<'_>) -> Result<String, InvalidEvent> {
    let (event, parts) = joined(decision, outcome)?;
    Ok(render(&event, &parts).to_string())
}

fn event(fields: &Fields<'_>, reading: &Reading<'_>) -> Result<Event, InvalidEvent> {
    let policy = policy(&fields.object("policy")?)?;
    let outcome = outcome(&fields.object("outcome")?, policy.as_ref())?;
    let kind = kind(policy.as_ref(), outcome.as_ref());
    let mut event = Event::new(reading.id, kind, reading.tenant.clone(), fields.time("timestamp")?);
    event.request_id = fields.filled("requestId")?;
    event.user = user(&fields.object("user")?, reading)?;
    event.action = action(&fields.object("action")?)?;
    event.content_safety = content_safety(&fields.object("contentSafety")?)?;
    event.usage = usage(&fields.object("usage")?)?;
    event.policy = policy;
    event.outcome = outcome;
    event.source = Some(fields::source(fields, reading)?);
    Ok(event)
}

/// The form has no type: decision and outcome tell it.
fn kind(policy: Option<&PolicyRecord>, outcome: Option<&Outcome>) -> EventType {
    match (policy.map(|policy| policy.decision), outcome.map(|outcome| outcome.status)) {
        (Some(DecisionKind::Deny), _) => EventType::ActionDenied,
        (Some(DecisionKind::Pending), _) => EventType::ActionRequest,
        (_, Some(OutcomeStatus::Success)) => EventType::ActionExecuted,
        (_, Some(_)) => EventType::ActionFailed,
        (Some(_), None) => EventType::ActionApproved,
        (None, None) => EventType::ActionRequest,
    }
}

fn user(user: &Fields<'_>, reading: &Reading<'_>) -> Result<Option<User>, InvalidEvent> {
    if user.text("org")?.is_some_and(|org| org != reading.tenant.as_str()) {
        return Err(InvalidEvent::new("user.org", "must be the tenant that the event is recorded for"));
    }
    let mut roles: Vec<String> = user.filled("role")?.into_iter().collect();
    if roles.is_empty() {
        roles = user.texts("roles")?;
    }
    user.text("email")?;
    Ok(user.filled("sub")?.map(|sub| User { sub, roles, ..User::default() }))
}

fn action(action: &Fields<'_>) -> Result<Option<Action>, InvalidEvent> {
    let (name, method) = (action.filled("tool")?, action.filled("method")?);
    Ok(name.map(|name| Action { kind: Some(ActionKind::Tool), method, name, ..Action::default() }))
}

fn policy(policy: &Fields<'_>) -> Result<Option<PolicyRecord>, InvalidEvent> {
    let (rule, reason) = (policy.filled("rule")?, policy.filled("reason")?);
    let (scopes, version) = (policy.texts("scopes")?, policy.filled("version")?);
    let Some(word) = policy.text("decision")? else { return Ok(None) };
    let decision = DecisionKind::ALL.into_iter().find(|decision| decision.as_str() == word);
    let decision = decision
        .ok_or_else(|| InvalidEvent::new("policy.decision", "must be allow, deny, redact or pending"))?;
    Ok(Some(PolicyRecord { decision, reason, rule, scopes, version }))
}

fn content_safety(safety: &Fields<'_>) -> Result<Option<ContentSafety>, InvalidEvent> {
    let detected = safety.truth("piiDetected")?;
    let redactions: Vec<Redaction> = match safety.any("redactions") {
        None => Vec::new(),
        Some(Json::Array(items)) => items.iter().filter_map(redaction).collect(),
        Some(_) => return Err(InvalidEvent::new("contentSafety.redactions", "must be a list")),
    };
    let pii_detected = detected.unwrap_or_default() || !redactions.is_empty();
    let told = detected.is_some() || safety.any("redactions").is_some();
    Ok(told.then_some(ContentSafety { pii_detected, redactions }))
}

/// A finding, if the entry says its type: as an object like ours, or as the bare name. Others are kept as given.
fn redaction(item: &Json) -> Option<Redaction> {
    let text = |name| item.get(name).and_then(Json::as_text);
    let entity = item.as_text().or_else(|| text("type")).filter(|entity| is_entity(entity))?;
    let count = match item.get("count") {
        Some(Json::Number(count)) => {
            decimal::scaled(count, 0).and_then(|count| u64::try_from(count).ok()).unwrap_or(1)
        }
        _ => 1,
    };
    let named = |name| RedactionAction::ALL.into_iter().find(|action| action.as_str() == name);
    let action = text("action").and_then(named).unwrap_or(RedactionAction::Redact);
    let stage = if text("stage") == Some("output") { Stage::Output } else { Stage::Input };
    let path =
        text("path").filter(|path| crate::limits::REDACTION_PATH.check(path).is_ok()).map(str::to_owned);
    Some(Redaction { action, count: count.max(1), path, stage, entity: entity.to_owned() })
}

fn usage(usage: &Fields<'_>) -> Result<Option<Usage>, InvalidEvent> {
    let read = Usage {
        model: usage.filled("model")?,
        provider: usage.filled("provider")?,
        input_tokens: usage.count("inputTokens", 0)?,
        output_tokens: usage.count("outputTokens", 0)?,
        cost_micros: usage.count("estimatedCost", 6)?,
        ..Usage::default()
    };
    Ok((read != Usage::default()).then_some(read))
}

fn outcome(outcome: &Fields<'_>, policy: Option<&PolicyRecord>) -> Result<Option<Outcome>, InvalidEvent> {
    if !outcome.exists() {
        return Ok(None);
    }
    let (code, word) = match outcome.any("status") {
        Some(Json::String(word)) => (None, Some(word.as_str())),
        _ => (outcome.number("status", 0)?, None),
    };
    let told = match word {
        Some(word) => {
            let status = OutcomeStatus::ALL.into_iter().find(|status| status.as_str() == word);
            let problem = "must be an HTTP status, or success, failure, timeout or the like";
            Some(status.ok_or_else(|| InvalidEvent::new("outcome.status", problem))?)
        }
        None => {
            code.map(|code| if succeeded(code) { OutcomeStatus::Success } else { OutcomeStatus::Failure })
        }
    };
    let status = match policy.map(|policy| policy.decision) {
        Some(DecisionKind::Deny) => OutcomeStatus::Denied,
        Some(DecisionKind::Pending) => OutcomeStatus::Pending,
        _ => told.unwrap_or(OutcomeStatus::Unknown),
    };
    Ok(Some(Outcome {
        attempts: Vec::new(),
        code,
        duration_us: outcome.count("durationMs", 3)?,
        error: None,
        status,
    }))
}

fn succeeded(code: i64) -> bool {
    (0..400).contains(&code)
}

fn parts(fields: &Fields<'_>) -> Result<Vec<Part>, InvalidEvent> {
    let (action, outcome) = (fields.object("action")?, fields.object("outcome")?);
    let contents = [
        ("parameters", action.any("parameters")),
        ("result", outcome.any("result")),
        ("error", outcome.any("error")),
        ("email", fields.object("user")?.any("email")),
    ];
    Ok(contents.iter().filter_map(|(name, json)| json.map(|json| value_part(name, json))).collect())
}

/// An object under construction: what is absent is left out.
#[derive(Default)]
struct Object(Vec<(String, Json)>);

impl Object {
    fn put(&mut self, name: &str, value: Option<Json>) -> &mut Object {
        self.0.extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    fn filled(&mut self) -> Option<Json> {
        (!self.0.is_empty()).then(|| Json::Object(std::mem::take(&mut self.0)))
    }
}

fn render(event: &Event, parts: &[Part]) -> Json {
    let text = |text: Option<&String>| text.cloned().map(Json::String);
    let content = |name: &str| given::part(parts, name).map(part_value);
    let parameters = content("parameters").or_else(|| content("prompt"));
    let mut entry = Object::default();
    entry
        .put("timestamp", Some(time_json(event.time, true)))
        .put("requestId", text(event.request_id.as_ref()));

    let mut user = Object::default();
    let roles = event.user.as_ref().map(|user| user.roles.as_slice()).unwrap_or_default();
    user.put("sub", event.user.as_ref().map(|user| Json::text(&user.sub)))
        .put("org", Some(Json::text(event.tenant.as_str())));
    match roles {
        [] => {}
        [role] => drop(user.put("role", Some(Json::text(role)))),
        roles => drop(user.put("roles", Some(texts(roles)))),
    }
    user.put("email", content("email"));
    entry.put("user", user.filled());

    let mut action = Object::default();
    action
        .put("tool", event.action.as_ref().map(|action| Json::text(&action.name)))
        .put("method", text(event.action.as_ref().and_then(|action| action.method.as_ref())))
        .put("parameters", parameters);
    entry.put("action", action.filled());

    entry.put("policy", event.policy.as_ref().map(policy_json));
    entry.put("contentSafety", event.content_safety.as_ref().map(safety_json));
    entry.put("usage", event.usage.as_ref().and_then(usage_json));

    let mut ending = Object::default();
    if let Some(outcome) = &event.outcome {
        ending
            .put("status", Some(status_json(outcome)))
            .put("durationMs", outcome.duration_us.map(|us| Json::Number(decimal::text(us, 3))));
    }
    let code = event.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
    ending
        .put("error", content("error").or_else(|| text(code)))
        .put("result", content("result").or_else(|| content("completion")));
    entry.put("outcome", ending.filled());
    Json::Object(entry.0)
}

fn texts(texts: &[String]) -> Json {
    Json::Array(texts.iter().map(Json::text).collect())
}

fn policy_json(policy: &PolicyRecord) -> Json {
    let text = |text: Option<&String>| text.cloned().map(Json::String);
    let mut json = Object::default();
    json.put("decision", Some(Json::text(policy.decision.as_str())))
        .put("rule", text(policy.rule.as_ref()))
        .put("scopes", Some(texts(&policy.scopes)))
        .put("reason", text(policy.reason.as_ref()))
        .put("version", text(policy.version.as_ref()));
    Json::Object(json.0)
}

fn safety_json(safety: &ContentSafety) -> Json {
    let redaction = |redaction: &Redaction| {
        let stage = match redaction.stage {
            Stage::Input => "input",
            Stage::Output => "output",
        };
        let mut json = Object::default();
        json.put("type", Some(Json::text(&redaction.entity)))
            .put("count", Some(Json::integer(redaction.count)))
            .put("path", redaction.path.clone().map(Json::String))
            .put("stage", Some(Json::text(stage)))
            .put("action", Some(Json::text(redaction.action.as_str())));
        Json::Object(json.0)
    };
    let mut json = Object::default();
    json.put("piiDetected", Some(Json::Bool(safety.pii_detected)))
        .put("redactions", Some(Json::Array(safety.redactions.iter().map(redaction).collect())));
    Json::Object(json.0)
}

fn usage_json(usage: &Usage) -> Option<Json> {
    let mut json = Object::default();
    json.put("model", usage.model.clone().map(Json::String))
        .put("inputTokens", usage.input_tokens.map(Json::integer))
        .put("outputTokens", usage.output_tokens.map(Json::integer))
        .put("estimatedCost", usage.cost_micros.map(|micros| Json::Number(decimal::text(micros, 6))))
        .put("provider", usage.provider.clone().map(Json::String));
    json.filled()
}

/// The HTTP status, unless it would hide how the call ended (a stream cut after its 200).
fn status_json(outcome: &Outcome) -> Json {
    match outcome.code {
        Some(code) if succeeded(code) == (outcome.status == OutcomeStatus::Success) => Json::integer(code),
        _ => Json::text(outcome.status.as_str()),
    }
}
