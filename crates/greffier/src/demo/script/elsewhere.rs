//! An agent that does not go through the gateway, and reports what it did: events in the flat form of the first
//! document. They are on the trail like everything else, but as claims, and count apart.

use serde_json::{Value, json};

use super::{Ask, End, Step};
use crate::demo::people::{Caller, LAB_ROBOT};
use crate::demo::week::Weekday;

const DAY: Weekday = Weekday::Saturday;

/// One event as the agent would log it.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Reported {
    second: i64,
    event_type: &'static str,
    action: &'static str,
    resource: Option<&'static str>,
    duration_ms: Option<u32>,
    error: Option<&'static str>,
}

impl Reported {
    /// The flat form; `time` turns a day and a second of it into a time stamp.
    pub(super) fn flat(&self, time: impl Fn(Weekday, i64) -> String) -> Value {
        let mut event = json!({
            "timestamp": time(DAY, self.second),
            "event_type": self.event_type,
            "agent_id": LAB_ROBOT.id,
            "session_id": "analyser-2",
            "action": self.action,
            "parameters": {},
            "metadata": {"firmware": "4.2"},
        });
        let optional = [
            ("resource", self.resource.map(|resource| json!(resource))),
            ("duration_ms", self.duration_ms.map(|duration| json!(duration))),
            ("error", self.error.map(|error| json!(error))),
        ];
        for (name, value) in optional {
            if let (Some(value), Some(event)) = (value, event.as_object_mut()) {
                event.insert(name.to_owned(), value);
            }
        }
        event
    }
}

/// The report, sent at the end of the shift.
pub(super) fn steps() -> Vec<Step> {
    let event = |minute: i64, event_type, action| Reported {
        second: 8 * 3_600 + minute * 60,
        event_type,
        action,
        resource: None,
        duration_ms: None,
        error: None,
    };
    let events = vec![
        event(0, "agent.start", "shift"),
        Reported { resource: Some("lab://samples/88213"), ..event(4, "data.access", "read") },
        Reported { duration_ms: Some(412), ..event(5, "tool.call", "analyser:run") },
        Reported { error: Some("reagent low"), ..event(31, "error", "analyser:run") },
        Reported { resource: Some("lab://samples/88213"), ..event(47, "data.modify", "write") },
        event(240, "agent.stop", "shift"),
    ];
    vec![Step::new(Caller::Alone(&LAB_ROBOT), Ask::Report(events), End::Recorded).at(DAY, 12, 5, 0)]
}
