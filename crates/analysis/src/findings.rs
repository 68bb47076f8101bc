//! What is unusual. One engine ([`Detector`]) takes the entries of a trail in their order, in stretches of any length
//! ([`Stretch`]): as they are recorded, or again over what is sealed. What it finds follows from the entries up to there alone, so both find the same.
//!
//! The three rules of the first document's `detect_anomalies`, per agent:
//!
//! - `rapid_actions`: ten actions or more in less than one second; one finding per burst (`burst.rs`);
//! - `high_failure_rate`: on one day (UTC) more than 30 % of the actions that ended failed, ten having ended;
//! - `permission_issues`: more than five denials on one day (UTC) (`days.rs`).
//!
//! And ours, held against what the same agent or user did before (`habits.rs`): `unusual_rate`, `unusual_volume`,
//! `unusual_cost`, `unusual_denials`, `bulk_reads`, `unusual_hours`, `first_use`, and per agent `unusual_sequence`.
//!
//! The decision and the outcome of a call are one action (`recent.rs`). What Greffier itself does is no behaviour of
//! an agent; its events about findings say what was recorded, acknowledged and muted (`standing.rs`).

mod burst;
mod days;
mod detector;
mod habits;
mod hours;
mod known;
mod recent;
mod sequence;
mod standing;
mod stretch;

use greffier_event::{EventId, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use detector::Detector;
pub use standing::{ACKNOWLEDGE, MUTE, RAISED, UNMUTE, place};
pub use stretch::{Code, Coded, SessionKey, Stretch, place_of};

/// Events named as evidence: enough to begin with; `since` and `until` find the rest.
pub(crate) const MAX_EVIDENCE: usize = 20;

/// From when on something is unusual. The first five are the first document's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// So many actions are rapid…
    pub rapid_actions: usize,
    /// …when the first and the last lie less than this apart, in microseconds.
    pub rapid_window_us: i64,
    /// A failure rate above so many per cent is high…
    pub failure_percent: u64,
    /// …when at least so many actions ended on that day: one failure of one says nothing.
    pub failure_actions: u64,
    /// More denials than this on one day are an issue.
    pub denials: u64,
    /// Deviations from the median beyond which an hour is unusual; see `hours.rs`.
    pub deviations: u64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            rapid_actions: 10,
            rapid_window_us: 1_000_000,
            failure_percent: 30,
            failure_actions: 10,
            denials: 5,
            deviations: 8,
        }
    }
}

/// The rules; the first three by the first document's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum FindingKind {
    RapidActions,
    HighFailureRate,
    PermissionIssues,
    UnusualRate,
    UnusualVolume,
    UnusualCost,
    UnusualDenials,
    UnusualHours,
    BulkReads,
    FirstUse,
    UnusualSequence,
}

impl FindingKind {
    /// All of them.
    pub const ALL: [FindingKind; 11] = [
        FindingKind::RapidActions,
        FindingKind::HighFailureRate,
        FindingKind::PermissionIssues,
        FindingKind::UnusualRate,
        FindingKind::UnusualVolume,
        FindingKind::UnusualCost,
        FindingKind::UnusualDenials,
        FindingKind::UnusualHours,
        FindingKind::BulkReads,
        FindingKind::FirstUse,
        FindingKind::UnusualSequence,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::RapidActions => "rapid_actions",
            FindingKind::HighFailureRate => "high_failure_rate",
            FindingKind::PermissionIssues => "permission_issues",
            FindingKind::UnusualRate => "unusual_rate",
            FindingKind::UnusualVolume => "unusual_volume",
            FindingKind::UnusualCost => "unusual_cost",
            FindingKind::UnusualDenials => "unusual_denials",
            FindingKind::UnusualHours => "unusual_hours",
            FindingKind::BulkReads => "bulk_reads",
            FindingKind::FirstUse => "first_use",
            FindingKind::UnusualSequence => "unusual_sequence",
        }
    }

    /// How much a finding of this rule matters.
    pub fn severity(self) -> Severity {
        match self {
            FindingKind::UnusualHours | FindingKind::FirstUse => Severity::Low,
            FindingKind::PermissionIssues | FindingKind::UnusualDenials | FindingKind::BulkReads => {
                Severity::High
            }
            _ => Severity::Medium,
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// New rather than wrong: worth knowing.
    Low,
    /// Worth a look: something may be broken or out of hand.
    Medium,
    /// Worth a look now: somebody keeps trying what they may not do, or takes what is classified.
    High,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Severity; 3] = [Severity::Low, Severity::Medium, Severity::High];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// The threshold that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// Of `rapid_actions`.
    Rapid {
        /// So many actions or more…
        actions: usize,
        /// …in less than this.
        window_us: i64,
    },
    /// Of `high_failure_rate`.
    Failures {
        /// More than so many per cent…
        percent: u64,
        /// …of so many actions or more.
        actions: u64,
    },
    /// Of `permission_issues`.
    Denials {
        /// More than so many.
        denials: u64,
    },
    /// Of what is held against the hours before.
    Hour {
        /// More than so many in one hour.
        above: u64,
        /// The median of such hours; none where there are too few.
        #[serde(skip_serializing_if = "Option::is_none")]
        median: Option<u64>,
    },
}

/// What people made of a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody looked at it.
    #[default]
    New,
    /// Somebody has seen it, and said why it may stand.
    Acknowledged,
    /// Somebody said that this rule says nothing of this agent or user.
    Muted,
}

/// Whose behaviour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Whose {
    /// An agent's; `None` for events that name none.
    Agent(Option<String>),
    /// A user's.
    User(String),
}

impl Whose {
    /// At the beginning of a sentence.
    fn name(&self) -> &str {
        match self {
            Whose::Agent(Some(name)) | Whose::User(name) => name,
            Whose::Agent(None) => "What names no agent",
        }
    }
}

/// Something unusual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The same wherever and whenever the trail is looked at: made of the rule, whose it is, what is new and the first event.
    pub id: EventId,
    /// The rule.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// Whose behaviour, where it is an agent's; absent for events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Whose behaviour, where it is a user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// What people made of it.
    pub state: State,
    /// Time of the first event counted.
    pub since: Timestamp,
    /// Time of the last event counted.
    pub until: Timestamp,
    /// How many actions, failures, denials, tokens, millionths of a dollar, reads.
    pub count: u64,
    /// Of how many that ended, for a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// `count` over `total`, rounded to four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The tool or the resource that is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What it is, in a sentence.
    pub description: String,
    /// The threshold passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// The first events counted, 20 at most.
    pub event_ids: Vec<EventId>,
    /// The entry that records it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
    /// The entry that acknowledged or muted it: it holds who, and the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
}

/// What a rule says, before it is told whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) kind: FindingKind,
    pub(crate) span: (Timestamp, Timestamp),
    pub(crate) count: u64,
    pub(crate) total: Option<u64>,
    pub(crate) what: Option<String>,
    /// What follows the name.
    pub(crate) says: String,
    pub(crate) threshold: Option<Threshold>,
    pub(crate) evidence: Vec<EventId>,
}

impl Said {
    pub(crate) fn of(self, whose: &Whose) -> Finding {
        let (agent_id, user) = match whose {
            Whose::Agent(agent) => (agent.clone(), None),
            Whose::User(user) => (None, Some(user.clone())),
        };
        Finding {
            id: id(self.kind, whose, self.what.as_deref(), self.evidence.first()),
            description: format!("{} {}", whose.name(), self.says),
            agent_id,
            user,
            kind: self.kind,
            severity: self.kind.severity(),
            state: State::New,
            since: self.span.0,
            until: self.span.1,
            count: self.count,
            total: self.total,
            rate: self.total.map(|total| rate(self.count, total)),
            what: self.what,
            threshold: self.threshold,
            event_ids: self.evidence,
            recorded: None,
            by: None,
        }
    }
}

/// A UUID of version 8 (RFC 9562): the first bits of a hash.
fn id(kind: FindingKind, whose: &Whose, what: Option<&str>, first: Option<&EventId>) -> EventId {
    let mut hash = Sha256::new();
    let (tag, name) = match whose {
        Whose::Agent(None) => (0_u8, ""),
        Whose::Agent(Some(name)) => (1, name.as_str()),
        Whose::User(name) => (2, name.as_str()),
    };
    hash.update(kind.as_str());
    hash.update([0, tag]);
    for text in [name, what.unwrap_or_default()] {
        hash.update(count(text.len()).to_be_bytes());
        hash.update(text);
    }
    hash.update(first.map_or([0; 16], |first| *first.as_bytes()));
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, hashed)| *byte = hashed);
    EventId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// A part of a whole, rounded to four digits.
pub(crate) fn rate(part: u64, whole: u64) -> f64 {
    let whole = u128::from(whole.max(1));
    let rounded = (u128::from(part) * 10_000 + whole / 2) / whole;
    u32::try_from(rounded).map_or(f64::INFINITY, f64::from) / 10_000.0
}

pub(crate) fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;
