//! The flat form: the first document's `to_dict`, its thirteen fields in its order, one object per line.
//!
//! What the first document does not know follows behind, under the native form's names, and only where there is
//! something to say: its own reader passes over it.

use greffier_event::{
    ActionKind, Effect, EventId, EventType, InvalidEvent, OutcomeStatus, Timestamp, Trace, Usage,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::clean::{Clean, CleanMap};
use crate::event::{AuditEvent, Origin};

/// An event on its way to a line.
struct Flat<'a> {
    event: &'a AuditEvent,
    numbered: bool,
}

/// An event's place among those of its producer, as it is written.
#[derive(serde::Serialize)]
struct Place<'a> {
    producer: &'a str,
    sequence: u64,
}

/// And as it is read.
#[derive(Deserialize)]
struct ReadPlace {
    producer: String,
    sequence: u64,
}

impl AuditEvent {
    /// The event in flat form (the first document's `to_dict`), sanitised, as one line of JSON without its end.
    pub fn to_flat(&self) -> String {
        let mut line = Vec::with_capacity(512);
        self.write_flat(&mut line, true);
        String::from_utf8(line).unwrap_or_default()
    }

    /// Appends the event in flat form; its place among those of its producer only if it is `numbered`.
    pub(crate) fn write_flat(&self, line: &mut Vec<u8>, numbered: bool) {
        // It cannot fail: keys are strings, and memory takes whatever is written.
        let _ = serde_json::to_writer(line, &Flat { event: self, numbered });
    }

    /// Reads a line of the flat form, whoever wrote it.
    ///
    /// # Errors
    /// It is no event in flat form; the error names the field.
    pub fn from_flat(line: &str) -> Result<AuditEvent, InvalidEvent> {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            InvalidEvent::new(
                "document",
                format!("is not an event in flat form (near byte {})", error.column()),
            )
        })?;
        let kind = EventType::parse(&line.event_type)
            .ok_or_else(|| InvalidEvent::new("event_type", "must be one of the 14 types"))?;
        let timestamp = line
            .timestamp
            .parse()
            .map_err(|_| InvalidEvent::new("timestamp", "must be RFC 3339, to the microsecond"))?;
        Ok(AuditEvent {
            event_id: line.event_id,
            timestamp,
            event_type: kind,
            agent_id: line.agent_id,
            session_id: line.session_id,
            user_id: line.user_id,
            action: line.action,
            resource: line.resource,
            parameters: line.parameters,
            result: line.result,
            error: line.error,
            duration_ms: line.duration_ms.and_then(|number| number.get().parse().ok()),
            metadata: line.metadata,
            request_id: line.request_id,
            call_id: line.call_id,
            kind: line.kind,
            effect: line.effect,
            status: line.status,
            error_code: line.error_code,
            trace: line.trace,
            usage: line.usage,
            origin: line
                .source
                .map(|place| Origin { producer: place.producer.into(), sequence: place.sequence }),
        })
    }
}

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event_id", &event.event_id)?;
        map.serialize_entry("timestamp", &event.timestamp)?;
        map.serialize_entry("event_type", event.event_type.as_str())?;
        map.serialize_entry("agent_id", &event.agent_id)?;
        map.serialize_entry("session_id", &event.session_id)?;
        map.serialize_entry("user_id", &event.user_id)?;
        map.serialize_entry("action", &event.action)?;
        map.serialize_entry("resource", &event.resource)?;
        map.serialize_entry("parameters", &CleanMap(&event.parameters))?;
        map.serialize_entry("result", &event.result.as_ref().map(Clean))?;
        map.serialize_entry("error", &event.error)?;
        map.serialize_entry("duration_ms", &event.duration_ms)?;
        map.serialize_entry("metadata", &CleanMap(&event.metadata))?;
        some(&mut map, "request_id", event.request_id.as_ref())?;
        some(&mut map, "call_id", event.call_id.as_ref())?;
        some(&mut map, "kind", event.kind.as_ref())?;
        some(&mut map, "effect", event.effect.as_ref())?;
        some(&mut map, "status", event.status.as_ref())?;
        some(&mut map, "error_code", event.error_code.as_ref())?;
        some(&mut map, "trace", event.trace.as_ref())?;
        some(&mut map, "usage", event.usage.as_ref())?;
        let origin = event.origin.as_ref().filter(|_| self.numbered);
        let place = origin.map(|origin| Place { producer: &origin.producer, sequence: origin.sequence });
        some(&mut map, "source", place.as_ref())?;
        map.end()
    }
}

fn some<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

/// A line as it is read: what the first document takes for granted may be missing or null.
#[derive(Deserialize)]
struct Line {
    event_id: EventId,
    timestamp: String,
    event_type: String,
    #[serde(default, deserialize_with = "or_empty")]
    agent_id: String,
    #[serde(default, deserialize_with = "or_empty")]
    session_id: String,
    user_id: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    action: String,
    resource: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    parameters: Map<String, Value>,
    result: Option<Value>,
    error: Option<String>,
    /// As it is written: `serde_json` itself reads the last digit of a long one only nearly.
    duration_ms: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "or_empty")]
    metadata: Map<String, Value>,
    request_id: Option<String>,
    call_id: Option<String>,
    kind: Option<ActionKind>,
    effect: Option<Effect>,
    status: Option<OutcomeStatus>,
    error_code: Option<String>,
    trace: Option<Trace>,
    usage: Option<Box<Usage>>,
    source: Option<ReadPlace>,
}

fn or_empty<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(reader)?.unwrap_or_default())
}

/// The time that a line claims, without the rest of it.
pub(crate) fn time_of(value: &Value) -> Option<Timestamp> {
    value.get("timestamp")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, fixed};

    #[test]
    fn thirteen_fields_in_their_order() {
        insta::assert_snapshot!(fixed(EventType::ToolCall).to_flat(), @r#"{"event_id":"00000000-0000-0000-0000-000000000007","timestamp":"2026-03-06T14:32:07.891000Z","event_type":"tool.call","agent_id":"","session_id":"","user_id":null,"action":"","resource":null,"parameters":{},"result":null,"error":null,"duration_ms":null,"metadata":{}}"#);
    }

    #[test]
    fn what_is_ours_follows() {
        let mut event = fixed(EventType::ActionExecuted)
            .agent("agent-001")
            .action("process_request")
            .parameter("items", json!([{"token": "t", "max_tokens": 5}]))
            .result("success")
            .duration_ms(0.5)
            .with("secret_note", "s")
            .request("req_1");
        event.origin = Some(Origin { producer: "p".into(), sequence: 3 });
        insta::assert_snapshot!(event.to_flat(), @r#"{"event_id":"00000000-0000-0000-0000-000000000007","timestamp":"2026-03-06T14:32:07.891000Z","event_type":"action.executed","agent_id":"agent-001","session_id":"","user_id":null,"action":"process_request","resource":null,"parameters":{"items":[{"token":"[REDACTED]","max_tokens":5}]},"result":"success","error":null,"duration_ms":0.5,"metadata":{"secret_note":"[REDACTED]"},"request_id":"req_1","source":{"producer":"p","sequence":3}}"#);
    }

    #[test]
    fn the_first_documents_own_lines_are_read() {
        let line = r#"{"event_id": "3f0e9c9a-1111-4222-8333-444455556666", "timestamp": "2026-03-06T14:32:07.891123", "event_type": "action.executed", "agent_id": "a", "session_id": "s", "user_id": null, "action": "x", "resource": null, "parameters": {"q": 1}, "result": "success", "error": null, "duration_ms": 12.34567, "metadata": {}}"#;
        let event = AuditEvent::from_flat(line).unwrap();
        assert_eq!(event.timestamp.to_string(), "2026-03-06T14:32:07.891123Z");
        assert_eq!(event.duration_ms, Some(12.34567));
        assert_eq!(event.parameters, *json!({"q": 1}).as_object().unwrap());
    }

    proptest! {
        #[test]
        fn round_trip(event in event()) {
            let line = event.to_flat();
            prop_assert!(!line.contains('\n'));
            let read = AuditEvent::from_flat(&line).unwrap();
            // A second way changes nothing: what had to give way is gone.
            prop_assert_eq!(read.to_flat(), line);
            prop_assert_eq!(read.event_id, event.event_id);
            prop_assert_eq!(read.origin, event.origin);
        }

        #[test]
        fn any_text_is_read_or_refused(line in r#"\{("event_id"|"timestamp"|:|,|null|"a"|1|\{|\}){0,12}\}?"#) {
            drop(AuditEvent::from_flat(&line));
        }
    }
}
