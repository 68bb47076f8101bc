//! What one agent did, one user, one tool, or all of a tenant: the first document's `get_agent_activity`.

use std::collections::BTreeMap;

use greffier_event::{Event, EventId, EventType, OutcomeStatus, Timestamp};
use serde::Serialize;

use crate::calls::Calls;
use crate::channels::{ChannelCounts, Channels};
use crate::counter::{Counter, Name, add};
use crate::durations::Durations;
use crate::fact::Fact;
use crate::meaning::{Decisions, is_error};
use crate::top::{Tally, Top};

/// Errors listed: enough to see what is wrong; the rest is a search.
const MAX_ERRORS: usize = 100;
/// Actions and resources listed.
const TOP: usize = 10;
/// Users and agents listed: who works with whom is asked by name.
const TOP_USERS: usize = 100;

/// Whose activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Of an agent, by its id.
    #[serde(rename = "agent_id")]
    Agent(String),
    /// For a user, by `sub`.
    User(String),
    /// With a tool or a model: an action, by its name.
    Tool(String),
    /// All of a tenant.
    Tenant(String),
}

impl Subject {
    fn holds(&self, fact: &Fact<'_>) -> bool {
        match self {
            Subject::Agent(id) => fact.agent == Some(id),
            Subject::User(sub) => fact.user == Some(sub),
            Subject::Tool(name) => fact.action == Some(name),
            Subject::Tenant(_) => true,
        }
    }
}

/// What was done in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// Whose, under the name of what it is.
    #[serde(flatten)]
    pub subject: Subject,
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
    /// Different agents.
    pub unique_agents: u64,
    /// The most common agents, by events, 100 at most.
    pub agents: Vec<Top>,
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
    fn of(fact: &Fact<'_>) -> ErrorEntry {
        ErrorEntry {
            event_id: fact.id,
            time: fact.time,
            kind: fact.kind,
            action: fact.action.map(str::to_owned),
            resource: fact.resource.map(str::to_owned),
            status: fact.status,
            error: fact.error.map(str::to_owned),
        }
    }
}

impl Counter for ActivityCounter {
    fn add_fact(&mut self, fact: &Fact<'_>) -> bool {
        let early = self.since.is_some_and(|since| fact.time < since);
        let late = self.until.is_some_and(|until| fact.time >= until);
        if !self.subject.holds(fact) || early || late {
            return false;
        }
        self.total += 1;
        self.calls.add(fact);
        self.channels.add(fact);
        if let Some(count) = self.by_type.get_mut(fact.kind as usize) {
            *count += 1;
        }
        if is_error(fact) {
            self.errors_total += 1;
            self.error((fact.time, fact.id), || ErrorEntry::of(fact));
        }
        if let Some(micros) = fact.duration_us {
            self.durations.add(micros);
        }
        self.see(fact.time, fact.time);
        true
    }

    fn add_name(&mut self, of: Name, name: &str, times: u64) {
        match of {
            Name::Action => self.actions.add_times(name, times),
            Name::Resource => self.resources.add_times(name, times),
            Name::User => self.users.add_times(name, times),
            Name::Agent => self.agents.add_times(name, times),
            Name::Redaction => self.redactions.add_times(name, times),
        }
    }

    fn merge(&mut self, other: ActivityCounter) {
        self.total += other.total;
        self.calls.merge(other.calls);
        self.channels.merge(&other.channels);
        for (count, more) in self.by_type.iter_mut().zip(other.by_type) {
            *count += more;
        }
        self.errors_total += other.errors_total;
        for (key, entry) in other.errors {
            self.error(key, || entry);
        }
        self.durations.merge(other.durations);
        self.actions.merge(other.actions);
        self.resources.merge(other.resources);
        self.users.merge(other.users);
        self.agents.merge(other.agents);
        self.redactions.merge(other.redactions);
        if let Some((first, last)) = other.seen {
            self.see(first, last);
        }
    }
}

/// Counts the activity of one subject.
pub struct ActivityCounter {
    subject: Subject,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    total: u64,
    calls: Calls,
    by_type: [u64; EventType::ALL.len()],
    errors: BTreeMap<(Timestamp, EventId), ErrorEntry>,
    errors_total: u64,
    durations: Durations,
    actions: Tally,
    resources: Tally,
    users: Tally,
    agents: Tally,
    redactions: Tally,
    channels: Channels,
    seen: Option<(Timestamp, Timestamp)>,
}

impl ActivityCounter {
    /// Counts from `since` on and before `until`.
    pub fn new(subject: Subject, since: Option<Timestamp>, until: Option<Timestamp>) -> ActivityCounter {
        ActivityCounter {
            subject,
            since,
            until,
            total: 0,
            calls: Calls::new(),
            by_type: [0; EventType::ALL.len()],
            errors: BTreeMap::new(),
            errors_total: 0,
            durations: Durations::default(),
            actions: Tally::new(),
            resources: Tally::new(),
            users: Tally::new(),
            agents: Tally::new(),
            redactions: Tally::new(),
            channels: Channels::default(),
            seen: None,
        }
    }

    /// Takes in one event; those of others and outside the period are left out.
    pub fn add(&mut self, event: &Event) {
        add(self, event);
    }

    fn see(&mut self, first: Timestamp, last: Timestamp) {
        let (earliest, latest) = self.seen.unwrap_or((first, last));
        self.seen = Some((earliest.min(first), latest.max(last)));
    }

    fn error(&mut self, key: (Timestamp, EventId), entry: impl FnOnce() -> ErrorEntry) {
        let full = self.errors.len() >= MAX_ERRORS;
        if full && self.errors.first_key_value().is_some_and(|(oldest, _)| key < *oldest) {
            return;
        }
        self.errors.insert(key, entry());
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
        let tallies = [&self.actions, &self.resources, &self.users, &self.agents, &self.redactions];
        let by_type = EventType::ALL.into_iter().zip(self.by_type).filter(|(_, count)| *count > 0);
        Activity {
            incomplete: tallies.iter().any(|tally| tally.is_full()),
            by_type: by_type.collect(),
            subject: self.subject,
            since: self.since,
            until: self.until,
            total_events: self.total,
            calls: calls.calls,
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
            unique_agents: self.agents.distinct(),
            agents: self.agents.top(TOP_USERS),
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
