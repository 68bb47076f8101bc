//! The native form: an event as a Greffier server and a ledger take it, one object per line, its contents as parts.
//!
//! A leaf has rules that a producer need not know (`greffier_event::limits`): what does not keep them is made to fit,
//! and stands in the metadata as it was given, under [`AS_GIVEN`]. So nothing is refused for a long name.

use std::borrow::Cow;
use std::io::Write as _;

use greffier_event::limits::{self, Grammar, Text};
use greffier_event::{
    ActionKind, DecisionKind, Effect, EventId, EventType, InvalidEvent, OutcomeStatus, Timestamp, Trace,
    Usage,
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize as Derive};
use serde_json::{Map, Value};

use crate::clean::{Clean, CleanMap, members};
use crate::event::{AuditEvent, Origin};

/// Where in the metadata stands what a leaf could not hold as it was given.
const AS_GIVEN: &str = "greffier.as_given";
/// A name that the server keeps for itself there.
const RESERVED: &str = "greffier.given";
/// What stands in its place.
const INSTEAD: &str = "greffier.given_";
/// The software that an event names as its sender.
const CLIENT: &str = concat!("greffier-client/", env!("CARGO_PKG_VERSION"));
/// How a line ends whose event has number 0.
const UNNUMBERED: &str = "0}}";
/// Longest duration, in microseconds: what a leaf's integers hold.
const MAX_MICROS: f64 = limits::INTEGER as f64;

impl AuditEvent {
    /// The event in native form, sanitised, without a line's end.
    pub fn to_native(&self) -> String {
        let mut line = Vec::with_capacity(512);
        self.write_native(&mut line);
        String::from_utf8(line).unwrap_or_default()
    }

    /// Appends the event in native form.
    pub(crate) fn write_native(&self, line: &mut Vec<u8>) {
        // It cannot fail: keys are strings, and memory takes whatever is written.
        let origin = self.origin.as_ref().map(|origin| (&*origin.producer, origin.sequence));
        let _ = serde_json::to_writer(line, &Native::of(self, origin));
    }

    /// Appends the event in native form up to its number among those of a producer, which
    /// [`AuditEvent::finish_numbered`] adds.
    pub(crate) fn write_numbered(&self, line: &mut Vec<u8>, producer: &str) {
        let _ = serde_json::to_writer(&mut *line, &Native::of(self, Some((producer, 0))));
        line.truncate(line.len().saturating_sub(UNNUMBERED.len()));
    }

    /// Ends what [`AuditEvent::write_numbered`] began.
    pub(crate) fn finish_numbered(line: &mut Vec<u8>, sequence: u64) {
        let _ = write!(line, "{sequence}}}}}");
    }

    /// Reads a line of the native form, as far as this crate's events can hold it.
    ///
    /// # Errors
    /// It is no event in native form; the error names the field.
    pub fn from_native(line: &str) -> Result<AuditEvent, InvalidEvent> {
        let read: Line = serde_json::from_str(line).map_err(|error| {
            InvalidEvent::new(
                "document",
                format!("is not an event in native form (near byte {})", error.column()),
            )
        })?;
        Ok(read.event())
    }
}

/// What a leaf could not hold: the field, and what was given for it.
type Given<'a> = Vec<(&'static str, &'a str)>;

#[derive(Derive)]
struct Native<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Agent<'a>>,
    id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome<'a>>,
    #[serde(skip_serializing_if = "Parts::is_empty")]
    parts: Parts<'a>,
    /// What the type says was decided, so that a denial is found as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a Trace>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    /// At the end, so that a number can be put in when the rest is written.
    source: Source<'a>,
}

#[derive(Derive)]
struct Action<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ActionKind>,
    name: Cow<'a, str>,
}

#[derive(Derive)]
struct Agent<'a> {
    id: Cow<'a, str>,
}

#[derive(Derive)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    status: OutcomeStatus,
}

#[derive(Derive)]
struct Policy {
    decision: DecisionKind,
}

#[derive(Derive)]
struct Resource<'a> {
    uri: Cow<'a, str>,
}

#[derive(Derive)]
struct User<'a> {
    sub: Cow<'a, str>,
}

#[derive(Derive)]
struct Source<'a> {
    client: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
}

impl<'a> Native<'a> {
    fn of(event: &'a AuditEvent, origin: Option<(&'a str, u64)>) -> Native<'a> {
        let mut given = Given::new();
        let mut fit = |rule: &Text, value: &'a str| fitted(rule, value, &mut given);
        let mut some = |rule: &Text, value: &'a Option<String>| fit(rule, value.as_deref()?);
        let call_id = some(&limits::ACTION_CALL_ID, &event.call_id);
        let error = some(&limits::OUTCOME_ERROR, &event.error_code);
        let request_id = some(&limits::REQUEST_ID, &event.request_id);
        let uri = some(&limits::RESOURCE_URI, &event.resource);
        let sub = some(&limits::USER_SUB, &event.user_id);
        let name = fit(&limits::ACTION_NAME, &event.action);
        let id = fit(&limits::AGENT_ID, &event.agent_id);
        let session_id = fit(&limits::SESSION_ID, &event.session_id);
        let trace = event.trace.as_ref().filter(|trace| {
            let span = limits::SPAN_ID.check_some(trace.span_id.as_deref());
            limits::TRACE_ID.check(&trace.trace_id).and(span).is_ok()
        });
        // An action has a name; where it has only an id or a kind, its type stands for one.
        let named = call_id.is_some() || event.kind.is_some() || event.effect.is_some();
        let name = name.or_else(|| named.then(|| Cow::Borrowed(event.event_type.as_str())));
        let action = name.map(|name| Action { call_id, effect: event.effect, kind: event.kind, name });
        let outcome =
            event.ended().map(|status| Outcome { duration_us: micros(event.duration_ms), error, status });
        Native {
            action,
            agent: id.map(|id| Agent { id }),
            id: event.event_id,
            outcome,
            parts: Parts { event, given },
            policy: event.event_type.decision().map(|decision| Policy { decision }),
            request_id,
            resource: uri.map(|uri| Resource { uri }),
            session_id,
            time: event.timestamp,
            trace,
            r#type: event.event_type.as_str(),
            usage: event.usage.as_deref(),
            user: sub.map(|sub| User { sub }),
            source: Source {
                client: CLIENT,
                producer: origin.map(|(producer, _)| producer),
                sequence: origin.map(|(_, sequence)| sequence),
            },
        }
    }
}

/// A duration as a leaf holds it; none if it is no time.
fn micros(milliseconds: Option<f64>) -> Option<u64> {
    let micros = (milliseconds? * 1_000.0).round();
    // In this range nothing is cut.
    (0.0..=MAX_MICROS).contains(&micros).then_some(micros as u64)
}

/// A value as its field takes it: absent when empty, made to fit where it breaks the field's rule.
fn fitted<'a>(rule: &Text, value: &'a str, given: &mut Given<'a>) -> Option<Cow<'a, str>> {
    if value.is_empty() {
        return None;
    }
    if rule.check(value).is_ok() {
        return Some(Cow::Borrowed(value));
    }
    given.push((rule.field, value));
    let fit: String = match rule.grammar {
        Grammar::Uri => {
            let bare = value.split(['?', '#']).next().unwrap_or_default();
            let bad = |c: char| c.is_whitespace() || c.is_control();
            bare.chars().map(|c| if bad(c) { '_' } else { c }).take(rule.max).collect()
        }
        Grammar::Word => {
            let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
            let letters = value.chars().skip_while(|c| !c.is_ascii_alphabetic());
            letters.map(|c| if word(c) { c } else { '_' }).take(rule.max).collect()
        }
        _ => value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(rule.max).collect(),
    };
    (!fit.is_empty()).then_some(Cow::Owned(fit))
}

/// The contents.
struct Parts<'a> {
    event: &'a AuditEvent,
    given: Given<'a>,
}

impl Parts<'_> {
    fn is_empty(&self) -> bool {
        let AuditEvent { parameters, result, error, metadata, .. } = self.event;
        let nothing = result.is_none() && error.is_none() && self.given.is_empty();
        nothing && parameters.is_empty() && metadata.is_empty()
    }
}

/// A part of JSON, or of text.
#[derive(Derive)]
struct Part<T> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<T>,
}

fn json<T>(name: &'static str, json: T) -> Part<T> {
    Part { name, json: Some(json), text: None }
}

fn text<'a>(name: &'static str, text: &'a str) -> Part<&'a str> {
    Part { name, json: None, text: Some(text) }
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut parts = serializer.serialize_seq(None)?;
        if !event.parameters.is_empty() {
            parts.serialize_element(&json("parameters", CleanMap(&event.parameters)))?;
        }
        match &event.result {
            None => {}
            Some(Value::String(result)) => parts.serialize_element(&text("result", result))?,
            Some(result) => parts.serialize_element(&json("result", Clean(result)))?,
        }
        if let Some(error) = &event.error {
            parts.serialize_element(&text("error", error))?;
        }
        if !event.metadata.is_empty() || !self.given.is_empty() {
            let metadata = Metadata { metadata: &event.metadata, given: &self.given };
            parts.serialize_element(&json("metadata", metadata))?;
        }
        parts.end()
    }
}

/// The producer's own metadata, and what the leaf could not hold.
struct Metadata<'a> {
    metadata: &'a Map<String, Value>,
    given: &'a [(&'static str, &'a str)],
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // One name twice would make the document invalid.
        if [RESERVED, AS_GIVEN].iter().any(|name| self.metadata.contains_key(*name)) {
            let mut renamed = self.metadata.clone();
            for (name, instead) in [(RESERVED, INSTEAD), (AS_GIVEN, "greffier.as_given_")] {
                if let Some(value) = renamed.remove(name) {
                    renamed.insert(instead.to_owned(), value);
                }
            }
            members(&mut map, &renamed)?;
        } else {
            members(&mut map, self.metadata)?;
        }
        if !self.given.is_empty() {
            let given = self.given.iter().map(|(field, value)| ((*field).to_owned(), Value::from(*value)));
            map.serialize_entry(AS_GIVEN, &given.collect::<Map<String, Value>>())?;
        }
        map.end()
    }
}

/// A line as it is read. What else a native document may say is passed over.
#[derive(Deserialize)]
struct Line {
    id: EventId,
    time: Timestamp,
    r#type: EventType,
    action: Option<ReadAction>,
    agent: Option<ReadAgent>,
    outcome: Option<ReadOutcome>,
    #[serde(default)]
    parts: Vec<ReadPart>,
    request_id: Option<String>,
    resource: Option<ReadResource>,
    session_id: Option<String>,
    source: Option<ReadSource>,
    trace: Option<Trace>,
    usage: Option<Box<Usage>>,
    user: Option<ReadUser>,
}

#[derive(Deserialize)]
struct ReadAction {
    call_id: Option<String>,
    effect: Option<Effect>,
    kind: Option<ActionKind>,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct ReadAgent {
    id: String,
}

#[derive(Deserialize)]
struct ReadOutcome {
    duration_us: Option<u64>,
    error: Option<String>,
    status: OutcomeStatus,
}

#[derive(Deserialize)]
struct ReadResource {
    uri: Option<String>,
}

#[derive(Deserialize)]
struct ReadSource {
    producer: Option<String>,
    sequence: Option<u64>,
}

#[derive(Deserialize)]
struct ReadUser {
    sub: String,
}

#[derive(Deserialize)]
struct ReadPart {
    name: String,
    json: Option<Value>,
    text: Option<String>,
}

impl Line {
    fn event(mut self) -> AuditEvent {
        let mut part = |name: &str| {
            let part = self.parts.iter_mut().find(|part| part.name == name)?;
            part.json.take().or_else(|| part.text.take().map(Value::String))
        };
        let object = |value: Option<Value>| match value {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let mut metadata = object(part("metadata"));
        let given = object(metadata.remove(AS_GIVEN));
        let (parameters, result) = (object(part("parameters")), part("result"));
        let error = part("error").map(|error| match error {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let as_given = |rule: &Text, value: Option<String>| {
            given.get(rule.field).and_then(Value::as_str).map(str::to_owned).or(value)
        };
        let (action, outcome) = (self.action, self.outcome);
        let source = self.source;
        AuditEvent {
            event_id: self.id,
            timestamp: self.time,
            event_type: self.r#type,
            agent_id: as_given(&limits::AGENT_ID, self.agent.map(|agent| agent.id)).unwrap_or_default(),
            session_id: as_given(&limits::SESSION_ID, self.session_id).unwrap_or_default(),
            user_id: as_given(&limits::USER_SUB, self.user.map(|user| user.sub)),
            action: as_given(&limits::ACTION_NAME, action.as_ref().map(|action| action.name.clone()))
                .unwrap_or_default(),
            resource: as_given(&limits::RESOURCE_URI, self.resource.and_then(|resource| resource.uri)),
            parameters,
            result,
            error,
            duration_ms: outcome
                .as_ref()
                .and_then(|outcome| outcome.duration_us)
                .map(|micros| micros as f64 / 1_000.0),
            metadata,
            request_id: as_given(&limits::REQUEST_ID, self.request_id),
            call_id: as_given(
                &limits::ACTION_CALL_ID,
                action.as_ref().and_then(|action| action.call_id.clone()),
            ),
            kind: action.as_ref().and_then(|action| action.kind),
            effect: action.as_ref().and_then(|action| action.effect),
            status: outcome.as_ref().map(|outcome| outcome.status),
            error_code: as_given(&limits::OUTCOME_ERROR, outcome.and_then(|outcome| outcome.error)),
            trace: self.trace,
            usage: self.usage,
            origin: source.and_then(|source| {
                Some(Origin { producer: source.producer?.into(), sequence: source.sequence? })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use greffier_event::{Form, Reading, Tenant, Trust};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, fixed};

    /// What a server would make of it.
    fn taken(line: &str) -> Result<greffier_event::Draft, InvalidEvent> {
        let tenant = Tenant::new("acme").unwrap();
        let id = EventId(uuid::Uuid::nil());
        Form::Native.read(line, &Reading { tenant: &tenant, id, channel: "sdk", trust: Trust::Outside })
    }

    #[test]
    fn an_event() {
        let mut event = fixed(EventType::ToolCall)
            .agent("agent-001")
            .session("s")
            .user("alice")
            .action("tool.search")
            .resource("crm://contacts")
            .parameter("q", "x")
            .parameter("password", "p")
            .result(json!({"n": 3, "secret": 1}))
            .duration_ms(12.3456)
            .with("note", "n")
            .request("req_1");
        event.origin = Some(Origin { producer: "p".into(), sequence: 0 });
        event.kind = Some(ActionKind::Tool);
        insta::assert_snapshot!(event.to_native().replace(CLIENT, "<us>"), @r#"{"action":{"kind":"tool","name":"tool.search"},"agent":{"id":"agent-001"},"id":"00000000-0000-0000-0000-000000000007","outcome":{"duration_us":12346,"status":"success"},"parts":[{"name":"parameters","json":{"q":"x","password":"[REDACTED]"}},{"name":"result","json":{"n":3,"secret":"[REDACTED]"}},{"name":"metadata","json":{"note":"n"}}],"request_id":"req_1","resource":{"uri":"crm://contacts"},"session_id":"s","time":"2026-03-06T14:32:07.891000Z","type":"tool.call","user":{"sub":"alice"},"source":{"client":"<us>","producer":"p","sequence":0}}"#);
    }

    /// Searches for denials find it, like those of the gateway.
    #[test]
    fn a_denial_says_its_decision() {
        let line = fixed(EventType::PermissionDenied).action("x").to_native();
        insta::assert_snapshot!(line.replace(CLIENT, "<us>"), @r#"{"action":{"name":"x"},"id":"00000000-0000-0000-0000-000000000007","outcome":{"status":"denied"},"policy":{"decision":"deny"},"time":"2026-03-06T14:32:07.891000Z","type":"permission.denied","source":{"client":"<us>"}}"#);
        assert_eq!(
            taken(&line).unwrap().event.policy.map(|policy| policy.decision),
            Some(DecisionKind::Deny)
        );
    }

    #[test]
    fn what_does_not_fit_is_kept_as_given() {
        let mut event = fixed(EventType::Error)
            .action("two\nlines")
            .resource("https://a.example/x y?q=1")
            .with(RESERVED, 1);
        event.error_code = Some("9 lives!".to_owned());
        insta::assert_snapshot!(event.to_native().replace(CLIENT, "<us>"), @r#"{"action":{"name":"two lines"},"id":"00000000-0000-0000-0000-000000000007","outcome":{"error":"lives_","status":"failure"},"parts":[{"name":"metadata","json":{"greffier.given_":1,"greffier.as_given":{"outcome.error":"9 lives!","resource.uri":"https://a.example/x y?q=1","action.name":"two\nlines"}}}],"resource":{"uri":"https://a.example/x_y"},"time":"2026-03-06T14:32:07.891000Z","type":"error","source":{"client":"<us>"}}"#);
    }

    proptest! {
        /// A number that is put in later makes the same line.
        #[test]
        fn numbered_later(event in event(), sequence: u64) {
            let mut line = Vec::new();
            event.write_numbered(&mut line, "p-1");
            AuditEvent::finish_numbered(&mut line, sequence);
            let at_once = AuditEvent { origin: Some(Origin { producer: "p-1".into(), sequence }), ..event };
            prop_assert_eq!(String::from_utf8(line).unwrap(), at_once.to_native());
        }

        /// Whatever a producer says, a server takes it.
        #[test]
        fn nothing_is_refused(event in event()) {
            let line = event.to_native();
            prop_assert!(!line.contains('\n'));
            let draft = taken(&line).unwrap();
            prop_assert_eq!(draft.event.id, event.event_id);
            prop_assert_eq!(draft.event.kind, event.event_type);
        }

        #[test]
        fn round_trip(event in event()) {
            let line = event.to_native();
            let read = AuditEvent::from_native(&line).unwrap();
            prop_assert_eq!(&read.action, &event.action);
            prop_assert_eq!(&read.agent_id, &event.agent_id);
            prop_assert_eq!(&read.session_id, &event.session_id);
            prop_assert_eq!(&read.origin, &event.origin);
            // A second way changes nothing: what had to give way is gone.
            prop_assert_eq!(read.to_native(), line);
        }
    }
}
