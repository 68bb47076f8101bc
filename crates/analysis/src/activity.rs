//! What one agent did: the first document's `get_agent_activity`.

use std::collections::BTreeMap;

use greffier_event::{Event, EventId, EventType, OutcomeStatus, Timestamp};
use serde::Serialize;

use crate::calls::Calls;
use crate::channels::{ChannelCounts, Channels};
use crate::durations::Durations;
use crate::meaning::{Decisions, is_error};
use crate::top::{Tally, Top};

/// Errors listed: enough to see what is wrong; the rest is a search.
const MAX_ERRORS: usize = 100;
/// Actions and resources listed.
const TOP: usize = 10;
/// Users listed: who works with an agent is asked by name.
const TOP_USERS: usize = 100;

/// What one agent did in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// The agent.
    pub agent_id: String,
    /// First instant of the period; absent when it has no beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// First instant after the period; absent when it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Events.
    pub total_events: u64,
    /// Things done or tried; the events of one request count once.
    pub calls: u64,
    /// Events by type.
    pub by_type: BTreeMap<EventType, u64>,
    /// Calls by decision.
    pub decisions: Decisions,
    /// Calls that were denied.
    pub denied: u64,
    /// The newest errors, newest first, 100 at most.
    pub errors: Vec<ErrorEntry>,
    /// All errors.
    pub errors_total: u64,
    /// Mean duration in milliseconds; absent when nothing told its duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_duration_ms: Option<f64>,
    /// Median duration; absent also where more came than are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_duration_ms: Option<f64>,
    /// 95th percentile of the durations; absent also where more came than are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_duration_ms: Option<f64>,
    /// Longest duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_ms: Option<f64>,
    /// Different actions.
    pub unique_actions: u64,
    /// The most common actions, by events.
    pub top_actions: Vec<Top>,
    /// The most common resources, by events.
    pub top_resources: Vec<Top>,
    /// Different users.
    pub unique_users: u64,
    /// The most common users, by events, 100 at most.
    pub users: Vec<Top>,
    /// Sensitive values found, by type.
    pub redactions: BTreeMap<String, u64>,
    /// Input tokens of all channels, cached ones included.
    pub input_tokens: u64,
    /// Output tokens of all channels.
    pub output_tokens: u64,
    /// Cost in millionths of a US dollar, as far as prices are known.
    pub cost_micros: u64,
    /// Enforced (`gateway`) apart from claims.
    pub by_channel: BTreeMap<&'static str, ChannelCounts>,
    /// Time of the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// Time of the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// There were more names than are kept: counts of different ones are lower bounds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorEntry {
    /// The event.
    pub event_id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OutcomeStatus>,
    /// The short reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ErrorEntry {
    fn of(event: &Event) -> ErrorEntry {
        ErrorEntry {
            event_id: event.id,
            time: event.time,
            kind: event.kind,
            action: event.action.as_ref().map(|action| action.name.clone()),
            resource: event.resource.as_ref().and_then(|resource| resource.uri.clone()),
            status: event.outcome.as_ref().map(|outcome| outcome.status),
            error: event.outcome.as_ref().and_then(|outcome| outcome.error.clone()),
        }
    }
}

/// Counts the activity of one agent.
pub struct ActivityCounter {
    agent: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    total: u64,
    calls: Calls,
    by_type: BTreeMap<EventType, u64>,
    errors: BTreeMap<(Timestamp, EventId), ErrorEntry>,
    errors_total: u64,
    durations: Durations,
    actions: Tally,
    resources: Tally,
    users: Tally,
    redactions: Tally,
    channels: Channels,
    seen: Option<(Timestamp, Timestamp)>,
}

impl ActivityCounter {
    /// Counts from `since` on and before `until`.
    pub fn new(agent: &str, since: Option<Timestamp>, until: Option<Timestamp>) -> ActivityCounter {
        ActivityCounter {
            agent: agent.to_owned(),
            since,
            until,
            total: 0,
            calls: Calls::new(),
            by_type: BTreeMap::new(),
            errors: BTreeMap::new(),
            errors_total: 0,
            durations: Durations::default(),
            actions: Tally::new(),
            resources: Tally::new(),
            users: Tally::new(),
            redactions: Tally::new(),
            channels: Channels::default(),
            seen: None,
        }
    }

    /// Takes in one event; those of other agents and outside the period are left out.
    pub fn add(&mut self, event: &Event) {
        let own = event.agent.as_ref().is_some_and(|agent| agent.id == self.agent);
        let early = self.since.is_some_and(|since| event.time < since);
        let late = self.until.is_some_and(|until| event.time >= until);
        if !own || early || late {
            return;
        }
        self.total += 1;
        self.calls.add(event);
        self.channels.add(event);
        *self.by_type.entry(event.kind).or_default() += 1;
        if is_error(event) {
            self.error(event);
        }
        if let Some(micros) = event.outcome.as_ref().and_then(|outcome| outcome.duration_us) {
            self.durations.add(micros);
        }
        if let Some(action) = &event.action {
            self.actions.add(&action.name);
        }
        if let Some(uri) = event.resource.as_ref().and_then(|resource| resource.uri.as_deref()) {
            self.resources.add(uri);
        }
        if let Some(user) = &event.user {
            self.users.add(&user.sub);
        }
        for redaction in event.content_safety.iter().flat_map(|safety| &safety.redactions) {
            self.redactions.add_times(&redaction.entity, redaction.count);
        }
        let (first, last) = self.seen.unwrap_or((event.time, event.time));
        self.seen = Some((first.min(event.time), last.max(event.time)));
    }

    fn error(&mut self, event: &Event) {
        self.errors_total += 1;
        self.errors.insert((event.time, event.id), ErrorEntry::of(event));
        if self.errors.len() > MAX_ERRORS {
            self.errors.pop_first();
        }
    }

    /// The summary.
    pub fn finish(self) -> Activity {
        let calls = self.calls.finish();
        let spread = self.durations.finish();
        let by_channel = self.channels.finish(&calls.by_channel);
        let sum =
            |count: fn(&ChannelCounts) -> u64| by_channel.values().map(count).fold(0, u64::saturating_add);
        let tallies = [&self.actions, &self.resources, &self.users, &self.redactions];
        Activity {
            incomplete: tallies.iter().any(|tally| tally.is_full()),
            agent_id: self.agent,
            since: self.since,
            until: self.until,
            total_events: self.total,
            calls: calls.calls,
            by_type: self.by_type,
            decisions: calls.decisions,
            denied: calls.denied,
            errors: self.errors.into_values().rev().collect(),
            errors_total: self.errors_total,
            avg_duration_ms: spread.mean,
            p50_duration_ms: spread.p50,
            p95_duration_ms: spread.p95,
            max_duration_ms: spread.longest,
            unique_actions: self.actions.distinct(),
            top_actions: self.actions.top(TOP),
            top_resources: self.resources.top(TOP),
            unique_users: self.users.distinct(),
            users: self.users.top(TOP_USERS),
            redactions: self.redactions.all(),
            input_tokens: sum(|counts| counts.input_tokens),
            output_tokens: sum(|counts| counts.output_tokens),
            cost_micros: sum(|counts| counts.cost_micros),
            by_channel,
            first_seen: self.seen.map(|(first, _)| first),
            last_seen: self.seen.map(|(_, last)| last),
        }
    }
}

#[cfg(test)]
mod tests;
