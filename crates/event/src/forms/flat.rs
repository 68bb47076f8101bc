//! The flat form: the first document's `to_dict`, thirteen fields in its order.

use uuid::Uuid;

use super::fields::{self, Fields, time_json};
use super::given::{self, Given, part_value, value_part};
use super::join::{Half, joined};
use super::{Form, Reading};
use crate::json::Json;
use crate::redact::redact_json;
use crate::{
    Action, Agent, Draft, Event, EventId, EventType, InvalidEvent, Outcome, OutcomeStatus, Part,
    PolicyRecord, Resource, User, decimal,
};

/// Our names and this form's, for errors.
const NAMES: [(&str, &str); 6] = [
    ("agent.id", "agent_id"),
    ("user.sub", "user_id"),
    ("action.name", "action"),
    ("resource.uri", "resource"),
    ("outcome.duration_us", "duration_ms"),
    ("source.channel", "channel"),
];

/// Reads one flat document.
pub fn read(text: &str, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    take(fields::document(text)?, reading)
}

/// Reads one that is parsed already.
pub(super) fn take(mut document: Json, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    redact_json(&mut document);
    fields::refuse_server_only(&document, reading)?;
    let fields = Fields::of(&document);
    let event = event(&fields, reading)?;
    let (mut parts, metadata) = parts(&fields)?;
    let given = Given::between(&render(&event, &parts, metadata.as_ref()), &document);
    given::pack(&mut parts, metadata, Form::Flat, &given)?;
    event.validate().map_err(|error| error.spelled(&NAMES))?;
    Ok(Draft { event, parts })
}

/// Writes an event in flat form, with those of its parts that may be shown.
pub fn write(event: &Event, parts: &[Part]) -> Result<String, InvalidEvent> {
    let (metadata, given) = given::unpack(parts, Form::Flat);
    let mut document = render(event, parts, metadata.as_ref());
    given.apply(&mut document);
    Ok(document.to_string())
}

/// Writes the two events of one call as one document: it has the first one's id and time.
pub fn join(decision: Half<'_>, outcome: Half<'_>) -> Result<String, InvalidEvent> {
    let (event, parts) = joined(decision, outcome)?;
    let (metadata, _) = given::unpack(&parts, Form::Flat);
    Ok(render(&event, &parts, metadata.as_ref()).to_string())
}

fn event(fields: &Fields<'_>, reading: &Reading<'_>) -> Result<Event, InvalidEvent> {
    let kind = fields.text("event_type")?.ok_or_else(|| InvalidEvent::new("event_type", "is missing"))?;
    let kind = EventType::parse(kind).ok_or_else(|| {
        InvalidEvent::new("event_type", "must be one of the 14 types, as in action.executed")
    })?;
    let id = match fields.filled("event_id")? {
        Some(id) => {
            EventId(Uuid::parse_str(&id).map_err(|_| InvalidEvent::new("event_id", "must be a UUID"))?)
        }
        None => reading.id,
    };
    let mut event = Event::new(id, kind, reading.tenant.clone(), fields.time("timestamp")?);
    event.agent = fields.filled("agent_id")?.map(|id| Agent { id, ..Agent::default() });
    event.session_id = fields.filled("session_id")?;
    event.user = fields.filled("user_id")?.map(|sub| User { sub, ..User::default() });
    event.action = fields.filled("action")?.map(|name| Action { name, ..Action::default() });
    event.resource = fields
        .text("resource")?
        .and_then(fields::uri)
        .map(|uri| Resource { uri: Some(uri), ..Resource::default() });
    event.policy = decided(kind);
    event.outcome = outcome(fields, kind)?;
    event.source = Some(fields::source(fields, reading)?);
    Ok(event)
}

/// The form has no decision: the type tells it, so that a denial is found as one, whatever form it came in.
fn decided(kind: EventType) -> Option<PolicyRecord> {
    let decision = kind.decision()?;
    Some(PolicyRecord { decision, reason: None, rule: None, scopes: Vec::new(), version: None })
}

/// The form has no status: the type tells it, else whether there was an error. An empty text is none.
fn outcome(fields: &Fields<'_>, kind: EventType) -> Result<Option<Outcome>, InvalidEvent> {
    use EventType::{
        ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, Error, PermissionDenied,
    };
    let duration_us = fields.count("duration_ms", 3)?;
    let failed = fields.any("error").is_some_and(|error| error.as_text() != Some(""));
    let status = match kind {
        ActionExecuted => OutcomeStatus::Success,
        ActionFailed | Error => OutcomeStatus::Failure,
        ActionDenied | PermissionDenied => OutcomeStatus::Denied,
        ActionRequest | ActionApproved => OutcomeStatus::Pending,
        _ if failed => OutcomeStatus::Failure,
        _ => OutcomeStatus::Success,
    };
    let told = duration_us.is_some() || failed || fields.any("result").is_some();
    let ended = matches!(kind, ActionExecuted | ActionFailed | ActionDenied | PermissionDenied | Error);
    Ok((told || ended).then_some(Outcome {
        attempts: Vec::new(),
        code: None,
        duration_us,
        error: None,
        status,
    }))
}

fn parts(fields: &Fields<'_>) -> Result<(Vec<Part>, Option<Json>), InvalidEvent> {
    let object = |name| match fields.any(name) {
        None => Ok(None),
        Some(json @ Json::Object(members)) => Ok((!members.is_empty()).then_some(json)),
        Some(_) => Err(InvalidEvent::new(name, "must be an object")),
    };
    let contents = [
        ("parameters", object("parameters")?),
        ("result", fields.any("result")),
        ("error", fields.any("error")),
    ];
    let parts = contents.iter().filter_map(|(name, json)| json.map(|json| value_part(name, json))).collect();
    Ok((parts, object("metadata")?.cloned()))
}

fn render(event: &Event, parts: &[Part], metadata: Option<&Json>) -> Json {
    // The first document's defaults: empty strings for names, null for what may be missing.
    let name = |text: Option<&String>| Json::text(text.cloned().unwrap_or_default());
    let optional = |text: Option<&String>| text.cloned().map_or(Json::Null, Json::String);
    let empty = || Json::Object(Vec::new());
    let content = |name: &str| given::part(parts, name).map(part_value);
    let uri = event.resource.as_ref().and_then(|resource| resource.uri.as_ref());
    let duration = event.outcome.as_ref().and_then(|outcome| outcome.duration_us);
    let members = [
        ("event_id", Json::text(event.id.to_string())),
        ("timestamp", time_json(event.time, false)),
        ("event_type", Json::text(event.kind.as_str())),
        ("agent_id", name(event.agent.as_ref().map(|agent| &agent.id))),
        ("session_id", name(event.session_id.as_ref())),
        ("user_id", optional(event.user.as_ref().map(|user| &user.sub))),
        ("action", name(event.action.as_ref().map(|action| &action.name))),
        ("resource", optional(uri)),
        ("parameters", content("parameters").or_else(|| content("prompt")).unwrap_or_else(empty)),
        ("result", content("result").or_else(|| content("completion")).unwrap_or(Json::Null)),
        ("error", content("error").or_else(|| error_code(event)).unwrap_or(Json::Null)),
        ("duration_ms", duration.map_or(Json::Null, |us| Json::Number(decimal::text(us, 3)))),
        ("metadata", metadata.cloned().unwrap_or_else(empty)),
    ];
    Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The short reason of a failure, where no text of it may be shown.
fn error_code(event: &Event) -> Option<Json> {
    event.outcome.as_ref()?.error.clone().map(Json::String)
}
