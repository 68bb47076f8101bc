//! A call in one line: who, through what, did what to what, by which rule, and how it ended.

use std::collections::HashMap;

use greffier_event::{
    DecisionKind, Event, EventType, OutcomeStatus, Redaction, SessionLink, Tenant, Timestamp,
};
use serde::Serialize;

/// What one call, or one event that belongs to none, comes to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Its entries.
    indexes: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    /// `gateway` is enforced, everything else is a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// How it is known to belong to its session: `declared:…` or `inferred:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_link: Option<SessionLink>,
    types: Vec<EventType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    /// For whom the agent acts, latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) via: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<OutcomeStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<u64>,
    /// Findings of inspection, on the way in and out.
    redactions: u64,
    #[serde(skip)]
    found: Vec<Redaction>,
}

/// One line per call, in the order of their first events.
///
/// Events belong together by request id and channel: a claim never joins what the gateway enforced. A session's
/// own reads are left to the list of events.
pub(crate) fn summaries(events: &[(u64, Event)]) -> Vec<Summary> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut all: Vec<Summary> = Vec::new();
    for (index, event) in events {
        if event.agent.as_ref().is_some_and(|agent| agent.id == Tenant::NODE) {
            continue;
        }
        let channel = event.source.as_ref().map(|source| source.channel.as_str()).unwrap_or_default();
        let next = all.len();
        let place = match event.request_id.as_deref() {
            Some(request) => *places.entry((request, channel)).or_insert(next),
            None => next,
        };
        if place == next {
            all.push(Summary::default());
        }
        if let Some(summary) = all.get_mut(place) {
            summary.add(*index, event);
        }
    }
    all
}

impl Summary {
    /// Whether nobody declared which session it is of.
    pub(crate) fn is_inferred(&self) -> bool {
        self.session_link.is_some_and(SessionLink::is_inferred)
    }

    /// The family of its action.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    pub(crate) fn session_link(&self) -> Option<SessionLink> {
        self.session_link
    }

    pub(crate) fn decision(&self) -> Option<DecisionKind> {
        self.decision
    }

    pub(crate) fn status(&self) -> Option<OutcomeStatus> {
        self.status
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> usize {
        self.indexes.len()
    }

    pub(crate) fn redactions(&self) -> u64 {
        self.redactions
    }

    /// Tokens in, tokens out, and the cost in millionths.
    pub(crate) fn usage(&self) -> (u64, u64, u64) {
        let known = |number: Option<u64>| number.unwrap_or_default();
        (known(self.input_tokens), known(self.output_tokens), known(self.cost_micros))
    }

    fn add(&mut self, index: u64, event: &Event) {
        self.indexes.push(index);
        self.types.push(event.kind);
        self.time.get_or_insert(event.time);
        first(&mut self.request_id, event.request_id.as_ref());
        first(&mut self.channel, event.source.as_ref().map(|source| &source.channel));
        self.session_link = self.session_link.or(event.session_link);
        first(&mut self.user, event.user.as_ref().map(|user| &user.sub));
        first(&mut self.agent, event.agent.as_ref().map(|agent| &agent.id));
        if self.via.is_empty() {
            self.via =
                event.agent.iter().flat_map(|agent| &agent.via).map(|actor| actor.sub.clone()).collect();
        }
        if let Some(action) = &event.action {
            first(&mut self.action, Some(&action.name));
            self.kind = self.kind.or(action.kind.map(|kind| kind.as_str()));
        }
        first(&mut self.resource, event.resource.as_ref().and_then(|resource| resource.uri.as_ref()));
        if let Some(policy) = &event.policy {
            self.decision.get_or_insert(policy.decision);
            first(&mut self.rule, policy.rule.as_ref());
            first(&mut self.reason, policy.reason.as_ref());
        }
        // How it ended is what its last event says.
        if let Some(outcome) = &event.outcome {
            self.status = Some(outcome.status);
            self.code = outcome.code.or(self.code);
            self.error = outcome.error.clone().or(self.error.take());
            self.duration_us = outcome.duration_us.or(self.duration_us);
        }
        if let Some(usage) = &event.usage {
            self.model = usage.model.clone().or(self.model.take());
            self.input_tokens = usage.input_tokens.or(self.input_tokens);
            self.output_tokens = usage.output_tokens.or(self.output_tokens);
            self.cost_micros = usage.cost_micros.or(self.cost_micros);
        }
        for redaction in event.content_safety.iter().flat_map(|safety| &safety.redactions) {
            // The outcome repeats what the decision found.
            if !self.found.contains(redaction) {
                self.redactions += redaction.count;
                self.found.push(redaction.clone());
            }
        }
    }
}

fn first(place: &mut Option<String>, value: Option<&String>) {
    if place.is_none() {
        *place = value.cloned();
    }
}
