//! The steps of charts over time: hours, days, weeks or months of the zone in which the period was named.
//!
//! Where they begin is given, because only whoever knows the zones' rules can tell.

use greffier_event::Timestamp;

use super::control::{Row, text};

/// How long a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the units")]
pub enum Step {
    Hour,
    #[default]
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// The steps of a period, as far as it has passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// How long each is.
    pub step: Step,
    /// The zone by whose clocks they begin, by its name in the IANA database.
    pub zone: String,
    /// Where each begins, and what people call it, in order. The first may begin before the period.
    pub starts: Vec<(Timestamp, String)>,
}

impl Steps {
    /// What follows the name of what is counted: `per day (UTC)`.
    pub(crate) fn per(&self) -> String {
        let step = match self.step {
            Step::Hour => "hour",
            Step::Day => "day",
            Step::Week => "week from Monday on",
            Step::Month => "month",
        };
        format!("per {step} ({})", self.zone)
    }

    /// The beginning of an event's step, as an expression.
    pub(crate) fn sql(&self) -> String {
        let unit = match self.step {
            Step::Hour => {
                // Hours are counted from the first one on: by the clock one comes twice when clocks go back.
                let first = self.starts.first().map(|(start, _)| start.to_string()).unwrap_or_default();
                return format!("date_bin(INTERVAL '1 hour', time, TIMESTAMP '{first}')");
            }
            Step::Day => "day",
            Step::Week => "week",
            Step::Month => "month",
        };
        match self.zone.as_str() {
            "UTC" => format!("date_trunc('{unit}', time)"),
            zone => format!("date_trunc('{unit}', time AT TIME ZONE '{zone}')"),
        }
    }

    /// The row of each step, of an answer whose column `step` says where one begins.
    pub(crate) fn rows<'a>(&self, rows: &'a [Row]) -> Vec<Option<&'a Row>> {
        let mut placed = vec![None; self.starts.len()];
        for row in rows {
            let Ok(time) = text(row, "step").parse::<Timestamp>() else { continue };
            let place = self.starts.partition_point(|(start, _)| *start <= time).checked_sub(1);
            if let Some(slot) = place.and_then(|place| placed.get_mut(place)) {
                *slot = Some(row);
            }
        }
        placed
    }
}
