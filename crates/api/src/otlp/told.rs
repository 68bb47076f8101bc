//! Looking things up in what was told, and what all dialects tell alike: who, in which session, how long.

use greffier_event::{Action, ActionKind, Effect, OutcomeStatus, Usage, limits};
use serde_json::{Map, Value, json};

use super::claim::{Claim, Content, Deed, Seed, json_text};
use super::model::{Attributes, Log, Origin, Span};

/// Longest resource kept beside each event, in bytes of JSON: thousands of events may share one.
const MAX_RESOURCE: usize = 8 * 1024;

/// Attributes of one item, and behind them those of its process.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) origin: &'a Origin,
}

impl<'a> Told<'a> {
    /// The first of these attributes that is there.
    pub(super) fn value(self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.attributes.get(*name).filter(|value| !is_empty(value)))
    }

    pub(super) fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| {
            self.attributes.get(*name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
        })
    }

    /// As [`Told::text`], or of the process.
    pub(super) fn text_here_or_there(self, names: &[&str]) -> Option<&'a str> {
        let process = Told { attributes: &self.origin.resource, origin: self.origin };
        self.text(names).or_else(|| process.text(names))
    }

    /// A whole number that is not negative, however it is written.
    pub(super) fn count(self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| count(self.attributes.get(*name)?))
    }

    /// A code of some protocol, which may be negative.
    pub(super) fn code(self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| match self.attributes.get(*name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// A number of some unit in millionths of it.
    pub(super) fn millionths(self, names: &[&str]) -> Option<u64> {
        let number = |value: &Value| match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let given: f64 = names.iter().find_map(|name| number(self.attributes.get(*name)?))?;
        let micros = (given * 1e6).round();
        // Past 2^53 no event could hold it.
        ((0.0..9e15).contains(&micros)).then(|| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "just checked")]
            let whole = micros as u64;
            whole
        })
    }

    /// A truth, also as a word.
    pub(super) fn flag(self, names: &[&str]) -> Option<bool> {
        names.iter().find_map(|name| match self.attributes.get(*name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// Which of these attributes are there, each under its name.
    pub(super) fn contents(self, names: &[&str]) -> Vec<(String, String)> {
        let given = names.iter().filter_map(|name| Some((*name, self.value(&[name])?)));
        given.map(|(name, value)| (name.to_owned(), json_text(value))).collect()
    }
}

/// A part of several attributes, if any of them is there.
pub(super) fn named(part: &'static str, contents: Vec<(String, String)>) -> Option<(&'static str, Content)> {
    (!contents.is_empty()).then_some((part, Content::Named(contents)))
}

/// A part that one attribute is.
pub(super) fn whole(part: &'static str, value: Option<&Value>) -> Option<(&'static str, Content)> {
    Some((part, Content::of(value?)))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn count(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{whole:.0}").parse().ok()
        })?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (number <= limits::INTEGER).then_some(number)
}

/// An action of this name.
pub(super) fn action(kind: ActionKind, name: &str) -> Action {
    Action { kind: Some(kind), name: name.to_owned(), ..Action::default() }
}

/// A use of a model, as the gateway names it too.
pub(super) fn model_call(name: &str, response: Option<&str>) -> Action {
    let call_id = response.map(str::to_owned);
    Action { call_id, effect: Some(Effect::Execute), ..action(ActionKind::Llm, name) }
}

/// Where a model is, as the gateway names it too.
pub(super) fn model_uri(model: Option<&str>) -> Option<String> {
    model.map(|model| format!("model://{model}"))
}

/// The provider's name as the gateway's adapters have it.
pub(super) fn provider(name: &str) -> String {
    match name {
        "gcp.gemini" | "gcp.gen_ai" | "gcp.vertex_ai" | "google" => "gemini".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

/// Usage fit for an event.
pub(super) fn usage(mut usage: Usage) -> Option<Usage> {
    usage.model = usage.model.and_then(|model| super::claim::fit(&limits::USAGE_MODEL, &model));
    usage.provider = usage.provider.and_then(|name| super::claim::fit(&limits::USAGE_PROVIDER, &name));
    Some(usage)
}

/// What a span tells whatever its dialect: the claim that a dialect goes on to fill.
pub(super) fn of_span(span: &Span, origin: &Origin, protocol: &'static str) -> Claim {
    let told = Told { attributes: &span.attributes, origin };
    let id = format!("{}-{}", span.trace_id, span.span_id);
    let exception = span.events.iter().find(|event| event.name == "exception");
    let of_exception =
        |name: &str| exception.and_then(|event| event.attributes.get(name)).and_then(Value::as_str);
    let error = told.text(&["error.type", "exception.type"]).or_else(|| of_exception("exception.type"));
    let failed = span.failed || error.is_some();
    let mut claim = blank(told, protocol, Seed::Open(id.clone()));
    claim.end = span.end.max(span.start);
    claim.start = if span.start == 0 { claim.end } else { span.start };
    claim.duration_us = Some(claim.end.saturating_sub(claim.start) / 1_000);
    claim.request = format!("otlp-{id}");
    claim.trace_id.clone_from(&span.trace_id);
    claim.span_id.clone_from(&span.span_id);
    claim.session.get_or_insert_with(|| span.trace_id.clone());
    if failed {
        claim.status = OutcomeStatus::Failure;
        claim.error = Some(error.unwrap_or("error").to_owned());
        let told = [span.message.as_str(), of_exception("exception.message").unwrap_or_default()];
        claim.error_text = told.into_iter().find(|text| !text.is_empty()).map(str::to_owned);
    }
    claim.metadata = metadata(origin);
    let mut tell = |name: &str, value: Value| {
        if let Some(members) = claim.metadata.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    tell("name", span.name.as_str().into());
    if !span.parent_id.is_empty() {
        tell("parent_span_id", span.parent_id.as_str().into());
    }
    tell("attributes", Value::Object(span.attributes.clone()));
    if !span.events.is_empty() {
        let events = span.events.iter().map(|event| {
            json!({ "name": event.name, "time_unix_nano": event.time, "attributes": event.attributes })
        });
        tell("events", events.collect());
    }
    if !span.links.is_empty() {
        let links = span.links.iter().map(|l| json!({ "trace_id": l.trace_id, "span_id": l.span_id }));
        tell("links", links.collect());
    }
    claim
}

/// What a log record tells whatever its dialect. `name` is what it calls itself.
pub(super) fn of_log(log: &Log, origin: &Origin, name: &str, protocol: &'static str) -> Claim {
    let told = Told { attributes: &log.attributes, origin };
    // A record has no id. The same one sent again is the same to the last attribute.
    let whole = json!([
        origin.resource,
        origin.scope,
        log.time,
        name,
        log.body,
        log.attributes,
        log.trace_id,
        log.span_id
    ]);
    let mut claim = blank(told, protocol, Seed::Keyed(whole.to_string()));
    (claim.start, claim.end) = (log.time, log.time);
    claim.trace_id.clone_from(&log.trace_id);
    claim.span_id.clone_from(&log.span_id);
    if claim.session.is_none() && !log.trace_id.is_empty() {
        claim.session = Some(log.trace_id.clone());
    }
    claim.metadata = metadata(origin);
    if let Some(members) = claim.metadata.as_object_mut() {
        members.insert("name".to_owned(), name.into());
        if !log.body.is_null() && log.body != name {
            members.insert("body".to_owned(), log.body.clone());
        }
        members.insert("attributes".to_owned(), Value::Object(log.attributes.clone()));
    }
    claim
}

/// The claim of nothing yet, by somebody in some session.
pub(super) fn blank(told: Told<'_>, protocol: &'static str, seed: Seed) -> Claim {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let service = |name: &str| {
        let told = told.origin.resource.get(name).and_then(Value::as_str);
        // What SDKs say when nobody has named the service.
        told.filter(|text| !text.is_empty() && !text.starts_with("unknown_service"))
    };
    let user = told.text_here_or_there(&["enduser.id", "user.id", "enduser.pseudo.id", "user.name"]);
    let email = told.text_here_or_there(&["user.email"]);
    let agent = told.text(&["gen_ai.agent.id", "gen_ai.agent.name", "agent.name"]);
    let version = told.text(&["gen_ai.agent.version"]);
    let roles = told.attributes.get("user.roles").and_then(Value::as_array);
    let client = match (told.origin.scope.as_str(), told.origin.scope_version.as_str()) {
        ("", _) => None,
        (scope, "") => Some(scope.to_owned()),
        (scope, version) => Some(format!("{scope}/{version}")),
    };
    Claim {
        deed: Deed::Act,
        seed,
        protocol,
        start: 0,
        end: 0,
        request: String::new(),
        trace_id: String::new(),
        span_id: String::new(),
        session: owned(told.text_here_or_there(&[
            "gen_ai.conversation.id",
            "session.id",
            "conversation.id",
            "mcp.session.id",
        ])),
        user: owned(user),
        roles: roles.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        // Where an address is all that is told of a user, it is the user, and kept as one.
        email: owned(email.filter(|email| user.is_some_and(|user| user != *email))),
        agent: owned(agent.or_else(|| service("service.name"))),
        agent_version: owned(version.or_else(|| service("service.version"))),
        tier: None,
        client,
        action: Action::default(),
        uri: None,
        policy: None,
        usage: None,
        status: OutcomeStatus::Success,
        code: None,
        error: None,
        error_text: None,
        duration_us: None,
        input: None,
        output: None,
        metadata: Value::Null,
    }
    .with_user(email)
}

impl Claim {
    fn with_user(mut self, email: Option<&str>) -> Claim {
        if self.user.is_none() {
            self.user = email.map(str::to_owned);
        }
        self
    }

    /// Takes out of the metadata what stands in a part of its own.
    pub(super) fn move_out(&mut self) {
        let Value::Object(mut members) = std::mem::take(&mut self.metadata) else { return };
        if let Some(Value::Object(attributes)) = members.get_mut("attributes") {
            attributes.retain(|name, value| !self.tells(name, value));
        }
        if members.get("body").is_some_and(|body| self.tells("body", body)) {
            members.remove("body");
        }
        self.metadata = Value::Object(members);
    }

    /// Whether an attribute is in one of the parts.
    fn tells(&self, name: &str, value: &Value) -> bool {
        let within = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        let told = |content: &Content| match content {
            Content::Whole(_) => *content == Content::of(value),
            Content::Named(members) => members.iter().any(|(key, _)| key == name || within(key)),
        };
        let parts = [&self.input, &self.output];
        name == "user.email"
            || parts.into_iter().flatten().any(|(_, content)| told(content))
            || (self.error_text.is_some() && self.error_text.as_deref() == value.as_str())
    }
}

/// What is told of the process and the library.
fn metadata(origin: &Origin) -> Value {
    let mut kept = Map::new();
    let mut room = MAX_RESOURCE;
    for (name, value) in origin.resource.iter().filter(|(name, _)| *name != "user.email") {
        let size = name.len() + value.to_string().len();
        if size <= room {
            room -= size;
            kept.insert(name.clone(), value.clone());
        }
    }
    json!({ "resource": kept, "scope": origin.scope, "scope_version": origin.scope_version })
}
