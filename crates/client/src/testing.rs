//! Events for tests: one that is always the same, and any.

use std::sync::{Arc, Mutex};

use greffier_event::{EventId, EventType, Timestamp, Trace};
use proptest::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::backend::{AuditBackend, BackendError, Rejected};
use crate::event::{AuditEvent, Origin};
use crate::filter::Filter;

/// An event whose id and time are known.
pub(crate) fn fixed(kind: EventType) -> AuditEvent {
    let mut event = AuditEvent::new(kind);
    event.event_id = EventId(Uuid::from_u128(7));
    event.timestamp = Timestamp::from_micros(1_772_807_527_891_000);
    event
}

/// Any JSON, with telling keys in it.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: serde_json reads all digits of a number only by a feature that costs everybody.
        (-1e9..1e9_f64).prop_map(|number| ((number * 8.0).round() / 8.0).into()),
        "\\PC{0,12}|\\[REDACTED\\]|\\n\"".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    "[a-z]{1,6}|max_tokens|apiKey|PASSWORD|monkey|client_secret|é\"\\n|greffier\\.given"
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((key(), json()), 0..4).prop_map(|members| members.into_iter().collect())
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = AuditEvent> {
    let text = || "\\PC{0,20}|[a-z.]{1,300}|a\\tb";
    let maybe = || prop::option::of("\\PC{0,20}|https://a\\.example/x y\\?q=1#z");
    let names = (text(), text(), text(), maybe(), maybe(), maybe(), maybe());
    let contents = (members(), members(), prop::option::of(json()), prop::option::of(0.0..1e9));
    let kind = prop::sample::select(EventType::ALL.to_vec());
    let origin = prop::option::of(0..u64::from(u32::MAX));
    let trace = prop::option::of(("[1-9a-f]{32}", prop::option::of("[1-9a-f]{16}")));
    (any::<u128>(), any::<i64>(), kind, names, contents, origin, trace).prop_map(
        |(id, time, kind, names, contents, origin, trace)| {
            let (agent_id, session_id, action, user_id, resource, error, request_id) = names;
            let (parameters, metadata, result, duration_ms) = contents;
            AuditEvent {
                event_id: EventId(Uuid::from_u128(id)),
                timestamp: Timestamp::from_micros(time),
                agent_id,
                session_id,
                action,
                user_id,
                resource,
                error,
                request_id,
                parameters,
                metadata,
                result: result.filter(|value| !value.is_null()),
                duration_ms,
                origin: origin.map(|sequence| Origin { producer: "p-1".into(), sequence }),
                trace: trace.map(|(trace_id, span_id)| Trace { trace_id, span_id }),
                ..AuditEvent::new(kind)
            }
        },
    )
}

/// Keeps what it is given, and fails as long as it is told to.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    events: Vec<AuditEvent>,
    batches: usize,
    failing: bool,
    rejecting: Option<String>,
}

impl Memory {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.kept().events.clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.kept().events.iter().map(|event| event.action.clone()).collect()
    }

    /// One line per event: its type, what it says of the action and how it ended.
    pub(crate) fn told(&self) -> String {
        let line = |event: &AuditEvent| {
            let ended = event.ended().map_or("-", |status| status.as_str());
            let word = event.error_code.as_deref().or(event.error.as_deref()).unwrap_or("-");
            format!("{} {} {ended} {word}", event.event_type, event.action)
        };
        self.kept().events.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn batches(&self) -> usize {
        self.kept().batches
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.kept().failing = failing;
    }

    /// Events of this action are refused for good.
    pub(crate) fn reject(&self, action: &str) {
        self.kept().rejecting = Some(action.to_owned());
    }
}

impl AuditBackend for Memory {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        let mut kept = self.kept();
        if kept.failing {
            return Err(BackendError::Unavailable("told to fail".to_owned()));
        }
        kept.batches += 1;
        let rejecting = kept.rejecting.clone();
        let mut rejected = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if rejecting.as_ref() == Some(&event.action) {
                rejected.push(Rejected { index, reason: "told to".to_owned() });
            } else {
                kept.events.push(event.clone());
            }
        }
        Ok(rejected)
    }

    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        let fits = |event: &&AuditEvent| filter.matches_event(event);
        Ok(self.kept().events.iter().filter(fits).cloned().collect())
    }
}
