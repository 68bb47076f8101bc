//! Once a minute, on the node's own trail: that the node lives and records, how its clock goes, and what is in force.
//!
//! Evidence is for a period, not for a moment: a minute without a heartbeat is a minute of which the trail says nothing.
//! What reports look for stands in the leaf, so that nobody needs keys for it: the digests in the resource, and whether all
//! is well in the outcome. The figures are a part.

use std::time::Instant;

use greffier_event::{Event, EventType, Outcome, OutcomeStatus, Timestamp};
use serde_json::{Value, json};

use crate::account::Totals;

/// Its name on the trail.
pub(crate) const ACTION: &str = "node:heartbeat";
const MINUTE: i64 = 60_000_000;
/// How far the wall clock may move against the steady one within a minute. Discipline by NTP moves it by 30 ms at most.
const CLOCK_MOVED: u64 = 1_000_000;

/// What was told last.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    minute: Option<i64>,
    recorded: u64,
    failed: u64,
    start: (Instant, Timestamp),
    offset: i64,
}

/// What is to be told.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// Events recorded since the node's start, and those that could not be.
    pub(crate) recorded: u64,
    pub(crate) failed: u64,
    /// What is in memory only.
    pub(crate) owed: Totals,
    /// Steady and wall clock.
    pub(crate) clocks: (Instant, Timestamp),
    /// Digests of what is in force.
    pub(crate) policies: String,
    pub(crate) configuration: String,
}

impl Heartbeat {
    pub(crate) fn new(clocks: (Instant, Timestamp)) -> Heartbeat {
        Heartbeat { minute: None, recorded: 0, failed: 0, start: clocks, offset: 0 }
    }

    /// Whether a minute of the clock has begun that has none yet.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        let minute = now.as_micros().div_euclid(MINUTE);
        self.minute.replace(minute) != Some(minute)
    }

    /// Puts it on an event, and the figures beside it.
    pub(crate) fn tell(&mut self, event: &mut Event, pulse: &Pulse) -> Value {
        let steady = i64::try_from((pulse.clocks.0 - self.start.0).as_micros()).unwrap_or(i64::MAX);
        let offset = pulse.clocks.1.as_micros() - self.start.1.as_micros() - steady;
        let (recorded, failed) =
            (pulse.recorded.saturating_sub(self.recorded), pulse.failed.saturating_sub(self.failed));
        let moved = offset - self.offset;
        let Totals { accounted, counted, late } = pulse.owed;
        let error = match () {
            () if failed > 0 => Some("recording_failed"),
            () if accounted + counted + late > 0 => Some("unrecorded_calls"),
            () if moved.unsigned_abs() > CLOCK_MOVED => Some("clock_moved"),
            () => None,
        };
        (self.recorded, self.failed, self.offset) = (pulse.recorded, pulse.failed, offset);
        // An event of this kind joins others by it; a heartbeat stands alone.
        event.request_id = Some(event.id.to_string());
        event.kind = if error.is_some() { EventType::ActionFailed } else { EventType::ActionExecuted };
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: None,
            error: error.map(str::to_owned),
            status: if error.is_some() { OutcomeStatus::Failure } else { OutcomeStatus::Success },
        });
        json!({
            "recorded": recorded,
            "recording_failed": failed,
            "unrecorded": { "accounted": accounted, "counted": counted, "late": late },
            "clock_offset_us": offset,
            "clock_moved_us": moved,
            "up_seconds": steady / 1_000_000,
            "policies": pulse.policies,
            "configuration": pulse.configuration,
        })
    }
}

/// The resource of a heartbeat: what is in force, by digest.
pub(crate) fn uri(policies: &str, configuration: &str) -> String {
    format!("audit://node/heartbeat/policies/{policies}/configuration/{configuration}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greffier_event::{EventId, Tenant};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_772_800_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn one_in_each_minute_of_the_clock_even_where_it_jumps() {
        let mut beat = Heartbeat::new((Instant::now(), at(0)));
        let due: Vec<i64> = [0, 1, 19, 20, 21, 80, 140, 7_000, 7_001, 3, 4]
            .into_iter()
            .filter(|second| beat.is_due(at(*second)))
            .collect();
        assert_eq!(due, [0, 20, 80, 140, 7_000, 3]);
    }

    #[test]
    fn what_is_not_well_stands_in_the_leaf() {
        let start = Instant::now();
        let mut beat = Heartbeat::new((start, at(0)));
        let mut tell = |minute: i64, recorded: u64, failed: u64, late: u64, ahead: i64| {
            let steady = start + Duration::from_secs(minute.unsigned_abs() * 60);
            let pulse = Pulse {
                recorded,
                failed,
                owed: Totals { late, ..Totals::default() },
                clocks: (steady, at(minute * 60 + ahead)),
                policies: "sha256:a".to_owned(),
                configuration: "sha256:b".to_owned(),
            };
            let id = EventId("00000000-0000-7000-8000-000000000001".parse().unwrap());
            let mut event = Event::new(id, EventType::ActionExecuted, Tenant::node(), at(0));
            let told = beat.tell(&mut event, &pulse);
            let outcome = event.outcome.unwrap();
            let error = outcome.error.as_deref().unwrap_or("-");
            format!(
                "{} {} {error} {} {}",
                event.kind,
                outcome.status.as_str(),
                told["recorded"],
                told["clock_moved_us"]
            )
        };
        let told = [
            tell(1, 40, 0, 0, 0),
            tell(2, 90, 2, 0, 0),
            tell(3, 91, 2, 1, 0),
            tell(4, 92, 2, 0, 3),
            tell(5, 92, 2, 0, 3),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        action.executed success - 40 0
        action.failed failure recording_failed 50 0
        action.failed failure unrecorded_calls 1 0
        action.failed failure clock_moved 1 3000000
        action.executed success - 0 0
        ");
    }
}
