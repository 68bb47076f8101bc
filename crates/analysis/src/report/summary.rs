//! What happened in a period: the first document's `generate_compliance_report`.

use std::collections::BTreeMap;

use greffier_event::{Event, EventType, Timestamp};
use serde::Serialize;

use crate::calls::Calls;
use crate::channels::{ChannelCounts, Channels};
use crate::meaning::{Decisions, is_denial, is_error, is_own};
use crate::top::{Tally, Top};

/// Actions and resources listed: the first document's ten.
const TOP: usize = 10;
/// An event recorded longer than this after the time it claims counts as late: an hour is beyond any buffer
/// of a producer that works.
const LATE_MICROS: i64 = 3_600_000_000;

/// From `start` on and before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// First instant of the period.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

/// What happened in a period, over all agents of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// The ten most common actions, by events, ties by name.
    pub top_actions: Vec<Top>,
    /// The ten most common resources, by events, ties by name.
    pub top_resources: Vec<Top>,
    /// Calls by decision.
    pub by_decision: Decisions,
    /// Enforced (`gateway`) apart from claims.
    pub by_channel: BTreeMap<&'static str, ChannelCounts>,
    /// Sensitive values found, by type.
    pub redactions: BTreeMap<String, u64>,
    /// There were more names than are kept: counts of different ones are lower bounds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// Counts a report.
pub struct ReportCounter {
    period: Period,
    total: u64,
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
        if event.time < self.period.start || event.time >= self.period.end {
            return;
        }
        self.total += 1;
        self.calls.add(event);
        self.channels.add(event);
        if let Some(agent) = event.agent.as_ref().filter(|_| !is_own(event)) {
            self.agents.add(&agent.id);
        }
        if let Some(user) = &event.user {
            self.users.add(&user.sub);
        }
        self.data_access += u64::from(matches!(event.kind, EventType::DataAccess | EventType::DataModify));
        self.denials += u64::from(is_denial(event));
        self.errors += u64::from(is_error(event));
        self.late += u64::from(is_late(event));
        if let Some(action) = &event.action {
            self.actions.add(&action.name);
        }
        if let Some(uri) = event.resource.as_ref().and_then(|resource| resource.uri.as_deref()) {
            self.resources.add(uri);
        }
        for redaction in event.content_safety.iter().flat_map(|safety| &safety.redactions) {
            self.redactions.add_times(&redaction.entity, redaction.count);
        }
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
            top_actions: self.actions.top(TOP),
            top_resources: self.resources.top(TOP),
            by_decision: calls.decisions,
            by_channel: self.channels.finish(&calls.by_channel),
            redactions: self.redactions.all(),
        }
    }
}

fn is_late(event: &Event) -> bool {
    event
        .recorded_at
        .is_some_and(|recorded| recorded.as_micros().saturating_sub(event.time.as_micros()) > LATE_MICROS)
}

#[cfg(test)]
mod tests;
