//! What is read of OTLP, whichever encoding it came in.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Malformed;

/// Spans or log records of one request. SDKs send 512 at a time, collectors 8,192.
pub(crate) const MAX_ITEMS: usize = 10_000;
/// Groups of them: one per process and library. More is no batch.
pub(super) const MAX_GROUPS: usize = 1_000;
/// Values within one span or record, whatever their depth. SDKs keep 128 attributes; a long conversation spelt out
/// message by message has some thousands.
pub(super) const MAX_VALUES: usize = 8_192;
/// Nesting of one value. Messages with tool calls go five deep.
pub(super) const MAX_DEPTH: usize = 32;

/// Attributes by name. Of two with one name the later counts.
pub(super) type Attributes = Map<String, Value>;

/// Who reports: a process, and the library within it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Origin {
    pub(super) resource: Arc<Attributes>,
    pub(super) scope: String,
    pub(super) scope_version: String,
}

/// One span or log record, or why it cannot be read.
pub(super) struct Found {
    pub(super) origin: Arc<Origin>,
    pub(super) item: Result<Item, Malformed>,
}

pub(super) enum Item {
    Span(Span),
    Log(Log),
}

/// A piece of work with a beginning and an end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Span {
    /// Lowercase hex; empty where there is none.
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: String,
    pub(super) name: String,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attributes: Attributes,
    pub(super) events: Vec<SpanEvent>,
    pub(super) links: Vec<Link>,
    pub(super) failed: bool,
    /// What its status says in words.
    pub(super) message: String,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SpanEvent {
    pub(super) time: u64,
    pub(super) name: String,
    pub(super) attributes: Attributes,
}

/// Another span that has to do with this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Link {
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Log {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) time: u64,
    pub(super) event_name: String,
    pub(super) body: Value,
    pub(super) attributes: Attributes,
}

/// Counts the values of one item.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(MAX_VALUES)
    }

    /// Takes one value into account.
    pub(super) fn spend(&mut self) -> Result<(), Malformed> {
        self.0 = self.0.checked_sub(1).ok_or(Malformed("more than 8192 values stand in it"))?;
        Ok(())
    }
}

/// Checks how deep a value lies.
pub(super) fn check_depth(depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DEPTH { Err(Malformed("a value is nested more than 32 deep")) } else { Ok(()) }
}

/// A number as JSON: what is no number there is spelt out.
pub(super) fn double(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(|| Value::from(number.to_string()), Value::Number)
}
