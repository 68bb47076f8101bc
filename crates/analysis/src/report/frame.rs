//! What a report is about: whose trail, as of which signed tree, in which period.

use greffier_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::person::Person;
use super::steps::Steps;
use super::summary::Period;

/// What a signed checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The trail's origin.
    pub origin: String,
    /// Entries it covers.
    pub size: u64,
    /// Root hash, base64.
    pub root: String,
}

/// A trail as a report sees it: the entries that its checkpoint covers, and no others. What is recorded later changes
/// no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailState {
    /// Its name.
    pub name: String,
    /// Its checkpoint.
    pub head: Head,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// From its first instant on and before its last; events belong to it by the time at which they happened.
    pub period: Period,
    /// The time zone in which the period was named.
    pub zone: String,
    /// The steps of charts over time.
    pub steps: Steps,
    /// When the report is made.
    pub made: Timestamp,
    /// The trail.
    pub trail: TrailState,
    /// The node's own trail, where the reader may read it.
    pub node: Option<TrailState>,
    /// Whether witnesses vouch for the trails; `Err` says why nobody does.
    pub anchored: Result<(), String>,
    /// Whom it is about besides, where somebody asks about one person.
    pub person: Option<Person>,
}

impl Frame {
    /// The end of what has happened yet of the period.
    pub(crate) fn until(&self) -> Timestamp {
        self.period.end.min(self.made)
    }

    /// The condition of the period on a trail of so many entries.
    pub(crate) fn within(&self, size: u64) -> String {
        between(size, self.period.start, self.period.end)
    }
}

/// The condition of a span of time on a trail of so many entries.
pub(crate) fn between(size: u64, from: Timestamp, until: Timestamp) -> String {
    format!("index < {size} AND time >= '{from}' AND time < '{until}'")
}
