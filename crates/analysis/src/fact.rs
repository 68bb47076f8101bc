//! What the analyses look at of one event: borrowed from an event, or from the columns of a segment.

use greffier_event::{DecisionKind, Effect, Event, EventId, EventType, OutcomeStatus, Timestamp};

use crate::channels::Channel;

/// The fields of one event that are counted; every one has a column of its own, so that no entry need be parsed.
/// Absent text is `None`, never empty.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names are the event's")]
pub struct Fact<'a> {
    pub id: EventId,
    pub time: Timestamp,
    pub recorded_at: Option<Timestamp>,
    pub kind: EventType,
    pub request_id: Option<&'a str>,
    pub session_id: Option<&'a str>,
    pub agent: Option<&'a str>,
    pub user: Option<&'a str>,
    /// The action's name: a tool, a model, what was done.
    pub action: Option<&'a str>,
    /// Whether its effect is `read`.
    pub is_read: bool,
    pub resource: Option<&'a str>,
    /// Whether the resource has any classification.
    pub classified: bool,
    pub decision: Option<DecisionKind>,
    pub status: Option<OutcomeStatus>,
    pub error: Option<&'a str>,
    pub duration_us: Option<u64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost_micros: Option<u64>,
    pub channel: Channel,
}

impl<'a> Fact<'a> {
    /// Those of an event.
    pub fn of(event: &'a Event) -> Fact<'a> {
        let (action, resource) = (event.action.as_ref(), event.resource.as_ref());
        let (outcome, usage) = (event.outcome.as_ref(), event.usage.as_ref());
        Fact {
            id: event.id,
            time: event.time,
            recorded_at: event.recorded_at,
            kind: event.kind,
            request_id: event.request_id.as_deref(),
            session_id: event.session_id.as_deref(),
            agent: event.agent.as_ref().map(|agent| agent.id.as_str()),
            user: event.user.as_ref().map(|user| user.sub.as_str()),
            action: action.map(|action| action.name.as_str()),
            is_read: action.is_some_and(|action| action.effect == Some(Effect::Read)),
            resource: resource.and_then(|resource| resource.uri.as_deref()),
            classified: resource.is_some_and(|resource| !resource.classification.is_empty()),
            decision: event.policy.as_ref().map(|policy| policy.decision),
            status: outcome.map(|outcome| outcome.status),
            error: outcome.and_then(|outcome| outcome.error.as_deref()),
            duration_us: outcome.and_then(|outcome| outcome.duration_us),
            input_tokens: usage.and_then(|usage| usage.input_tokens),
            output_tokens: usage.and_then(|usage| usage.output_tokens),
            cost_micros: usage.and_then(|usage| usage.cost_micros),
            channel: Channel::of(event),
        }
    }
}
