//! Which events a query wants.

use greffier_event::{EventType, Timestamp};
use serde_json::Value;

use crate::flat::time_of;

/// Events of one answer, unless a filter says otherwise: some 100 MiB of them.
const LIMIT: usize = 100_000;

/// Events whose fields in flat form have these values, from a time on and before another; the newest so many.
///
/// ```
/// use greffier_client::Filter;
///
/// let failures = Filter::new().agent("agent-001").equal("event_type", "action.failed").newest(50);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) equal: Vec<(String, Value)>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) limit: usize,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::new()
    }
}

impl Filter {
    /// Every event; the newest 100,000 of them.
    pub fn new() -> Filter {
        Filter { equal: Vec::new(), since: None, until: None, limit: LIMIT }
    }

    /// Only events whose field of that name, in flat form, has that value.
    pub fn equal(mut self, field: impl Into<String>, value: impl Into<Value>) -> Filter {
        self.equal.push((field.into(), value.into()));
        self
    }

    /// Only events of this agent.
    pub fn agent(self, id: impl Into<String>) -> Filter {
        self.equal("agent_id", id.into())
    }

    /// Only events of this session.
    pub fn session(self, id: impl Into<String>) -> Filter {
        self.equal("session_id", id.into())
    }

    /// Only events of this type.
    pub fn kind(self, kind: EventType) -> Filter {
        self.equal("event_type", kind.as_str())
    }

    /// Only events from this time on.
    pub fn since(mut self, time: Timestamp) -> Filter {
        self.since = Some(time);
        self
    }

    /// Only events before this time.
    pub fn until(mut self, time: Timestamp) -> Filter {
        self.until = Some(time);
        self
    }

    /// At most so many: those recorded last.
    pub fn newest(mut self, limit: usize) -> Filter {
        self.limit = limit;
        self
    }

    /// Whether an event in flat form is wanted.
    pub(crate) fn matches(&self, flat: &Value) -> bool {
        let there = |name: &str| flat.get(name).unwrap_or(&Value::Null);
        let same = self.equal.iter().all(|(name, value)| there(name) == value);
        let timed = self.since.is_some() || self.until.is_some();
        same && (!timed || time_of(flat).is_some_and(|time| self.holds(time)))
    }

    /// Whether an event is wanted.
    #[cfg(any(test, feature = "http", feature = "ledger"))]
    pub(crate) fn matches_event(&self, event: &crate::event::AuditEvent) -> bool {
        serde_json::from_str(&event.to_flat()).is_ok_and(|flat| self.matches(&flat))
    }

    fn holds(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}
