//! What happened in a period: the first document's `generate_compliance_report`.

use std::collections::BTreeMap;

use greffier_event::{Event, EventType, Timestamp, is_reserved_agent};
use serde::{Deserialize, Serialize};

use crate::calls::Calls;
use crate::channels::{ChannelCounts, Channels};
use crate::counter::{Counter, Name, add};
use crate::fact::Fact;
use crate::meaning::{Decisions, is_denial, is_error};
use crate::top::{Tally, Top};

/// Actions and resources listed: the first document's ten.
const TOP: usize = 10;
/// An event recorded longer than this after the time it claims counts as late: an hour is beyond any buffer
/// of a producer that works.
const LATE_MICROS: i64 = 3_600_000_000;

/// From `start` on and before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First instant of the period.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

/// What happened in a period, over all agents of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The period; events belong to it by the time at which they happened.
    pub period: Period,
    /// Events.
    pub total_events: u64,
    /// Things done or tried; the events of one request count once.
    pub calls: u64,
    /// Different agents; Greffier itself is none.
    pub unique_agents: u64,
    /// Different users.
    pub unique_users: u64,
    /// Events of type `data.access` and `data.modify`.
    pub data_access_events: u64,
    /// All denials: events of type `permission.denied` and `action.denied`.
    pub security_events: u64,
    /// Errors; see [`crate::meaning::is_error`].
    pub errors: u64,
    /// Events recorded more than an hour after the time they claim.
    pub late: u64,
    /// Events by type.
    #[serde(default)]
    pub by_type: BTreeMap<EventType, u64>,
    /// The ten most active agents, by events, ties by name; Greffier itself is none.
    #[serde(default)]
    pub top_agents: Vec<Top>,
    /// The ten most common actions, by events, ties by name.
    pub top_actions: Vec<Top>,
    /// The ten most common resources, by events, ties by name.
    pub top_resources: Vec<Top>,
    /// Calls by decision.
    pub by_decision: Decisions,
    /// Enforced (`gateway`) apart from claims.
    pub by_channel: BTreeMap<String, ChannelCounts>,
    /// Sensitive values found, by type.
    pub redactions: BTreeMap<String, u64>,
    /// There were more names than are kept: counts of different ones are lower bounds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// Counts a report.
pub struct ReportCounter {
    period: Period,
    total: u64,
    by_type: BTreeMap<EventType, u64>,
    calls: Calls,
    agents: Tally,
    users: Tally,
    data_access: u64,
    denials: u64,
    errors: u64,
    late: u64,
    actions: Tally,
    resources: Tally,
    channels: Channels,
    redactions: Tally,
}

impl ReportCounter {
    /// Counts from `since` on and before `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> ReportCounter {
        ReportCounter {
            period: Period { start: since, end: until },
            total: 0,
            by_type: BTreeMap::new(),
            calls: Calls::new(),
            agents: Tally::new(),
            users: Tally::new(),
            data_access: 0,
            denials: 0,
            errors: 0,
            late: 0,
            actions: Tally::new(),
            resources: Tally::new(),
            channels: Channels::default(),
            redactions: Tally::new(),
        }
    }

    /// Takes in one event; those outside the period are left out.
    pub fn add(&mut self, event: &Event) {
        add(self, event);
    }

    /// The report.
    pub fn finish(self) -> Report {
        let calls = self.calls.finish();
        let tallies = [&self.agents, &self.users, &self.actions, &self.resources, &self.redactions];
        Report {
            incomplete: tallies.iter().any(|tally| tally.is_full()),
            period: self.period,
            total_events: self.total,
            calls: calls.calls,
            unique_agents: self.agents.distinct(),
            unique_users: self.users.distinct(),
            data_access_events: self.data_access,
            security_events: self.denials,
            errors: self.errors,
            late: self.late,
            by_type: self.by_type,
            top_agents: self.agents.top(TOP),
            top_actions: self.actions.top(TOP),
            top_resources: self.resources.top(TOP),
            by_decision: calls.decisions,
            by_channel: own(self.channels.finish(&calls.by_channel)),
            redactions: self.redactions.all(),
        }
    }
}

impl Counter for ReportCounter {
    fn add_fact(&mut self, fact: &Fact<'_>) -> bool {
        if fact.time < self.period.start || fact.time >= self.period.end {
            return false;
        }
        self.total += 1;
        *self.by_type.entry(fact.kind).or_default() += 1;
        self.calls.add(fact);
        self.channels.add(fact);
        self.data_access += u64::from(matches!(fact.kind, EventType::DataAccess | EventType::DataModify));
        self.denials += u64::from(is_denial(fact));
        self.errors += u64::from(is_error(fact));
        self.late += u64::from(is_late(fact));
        true
    }

    fn add_name(&mut self, of: Name, name: &str, times: u64) {
        match of {
            Name::Action => self.actions.add_times(name, times),
            Name::Resource => self.resources.add_times(name, times),
            Name::User => self.users.add_times(name, times),
            // Greffier itself is none.
            Name::Agent if is_reserved_agent(name) => {}
            Name::Agent => self.agents.add_times(name, times),
            Name::Redaction => self.redactions.add_times(name, times),
        }
    }

    fn merge(&mut self, other: ReportCounter) {
        self.total += other.total;
        for (kind, count) in other.by_type {
            *self.by_type.entry(kind).or_default() += count;
        }
        self.calls.merge(other.calls);
        self.channels.merge(&other.channels);
        self.data_access += other.data_access;
        self.denials += other.denials;
        self.errors += other.errors;
        self.late += other.late;
        self.agents.merge(other.agents);
        self.users.merge(other.users);
        self.actions.merge(other.actions);
        self.resources.merge(other.resources);
        self.redactions.merge(other.redactions);
    }
}

fn own(counts: BTreeMap<&'static str, ChannelCounts>) -> BTreeMap<String, ChannelCounts> {
    counts.into_iter().map(|(channel, counts)| (channel.to_owned(), counts)).collect()
}

fn is_late(fact: &Fact<'_>) -> bool {
    let late = |recorded: Timestamp| recorded.as_micros().saturating_sub(fact.time.as_micros()) > LATE_MICROS;
    fact.recorded_at.is_some_and(late)
}

#[cfg(test)]
mod tests;
