//! Events joined into calls: what belongs to one request counts once.
//!
//! Events of one call share a `request_id` and a channel: a claim about a governed call is a call of its own, so
//! that nobody can add an ending to what the gateway recorded. An event without a `request_id` stands alone.

use greffier_event::DecisionKind;

use crate::channels::{ByChannel, Channel};
use crate::fact::Fact;
use crate::keyed::{ByKey, Key};
use crate::meaning::{self, Decisions};

/// Calls that are told apart; a call takes some 30 bytes, so this is some 50 MB. Past it, see [`Calls::settle`].
pub(crate) const MAX_CALLS: usize = 1_800_000;
/// Maps that calls are kept in, so that each fits into a processor's cache.
const SHARDS: usize = 64;
/// What is told of calls before it is put in its place, map by map: the events of two segments, 4 MB.
const MAX_WAITING: usize = 131_072;

/// Which call an event belongs to; an event without a request stands alone and has none.
pub(crate) fn call_of(fact: &Fact<'_>) -> Option<Key> {
    Some(Key::of((fact.channel, fact.request_id?)))
}

/// What the events of one call say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) channel: Channel,
    pub(crate) decision: Option<DecisionKind>,
    /// Whether the agent did something, or tried to.
    pub(crate) acted: bool,
    pub(crate) ended: bool,
    pub(crate) failed: bool,
    pub(crate) denied: bool,
}

impl Call {
    pub(crate) fn of(fact: &Fact<'_>) -> Call {
        Call {
            channel: fact.channel,
            decision: meaning::decision(fact),
            acted: meaning::is_action(fact),
            ended: meaning::is_end(fact),
            failed: meaning::is_failure(fact),
            denied: meaning::is_denial(fact),
        }
    }

    /// Takes in another event of the same call, in any order.
    pub(crate) fn merge(&mut self, other: &Call) {
        // A decision that waited is followed by the one that was waited for; where two differ, the stricter holds.
        let strict = |decision: &DecisionKind| match decision {
            DecisionKind::Pending => 0,
            DecisionKind::Allow => 1,
            DecisionKind::Redact => 2,
            DecisionKind::Deny => 3,
        };
        self.decision = self.decision.into_iter().chain(other.decision).max_by_key(strict);
        self.acted |= other.acted;
        self.ended |= other.ended;
        self.failed |= other.failed;
        self.denied |= other.denied;
    }
}

/// Totals over calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) denied: u64,
    pub(crate) decisions: Decisions,
    pub(crate) by_channel: ByChannel<u64>,
}

impl Totals {
    fn merge(&mut self, other: &Totals) {
        self.calls += other.calls;
        self.denied += other.denied;
        self.decisions.merge(other.decisions);
        self.by_channel.merge(&other.by_channel, |calls, more| *calls += more);
    }

    fn add(&mut self, call: &Call) {
        if !call.acted {
            return;
        }
        self.calls += 1;
        if let Some(calls) = self.by_channel.of_mut(call.channel) {
            *calls += 1;
        }
        self.denied += u64::from(call.denied);
        if let Some(decision) = call.decision {
            self.decisions.add(decision);
        }
    }
}

/// Counts calls.
pub(crate) struct Calls {
    shards: Vec<Shard>,
    waiting: usize,
    known: usize,
    bound: usize,
    /// What stands alone, and what there is no room for.
    alone: Totals,
}

/// Some of the calls.
#[derive(Default)]
struct Shard {
    /// What was told and is not in its place yet, in the order in which it was.
    waiting: Vec<(Key, Call)>,
    seen: ByKey<Call>,
}

impl Calls {
    pub(crate) fn new() -> Calls {
        Calls::bounded(MAX_CALLS)
    }

    fn bounded(bound: usize) -> Calls {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Calls { shards, waiting: 0, known: 0, bound, alone: Totals::default() }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, fact: &Fact<'_>) {
        let call = Call::of(fact);
        let Some(key) = call_of(fact) else { return self.alone.add(&call) };
        if let Some(shard) = self.shards.get_mut(key.share(SHARDS)) {
            shard.waiting.push((key, call));
            self.wait(1);
        }
    }

    /// Takes in the calls of another count; what both know of is one call.
    pub(crate) fn merge(&mut self, other: Calls) {
        self.alone.merge(&other.alone);
        for (shard, more) in self.shards.iter_mut().zip(other.shards) {
            shard.waiting.extend(more.seen);
            shard.waiting.extend(more.waiting);
        }
        self.wait(other.known + other.waiting);
    }

    pub(crate) fn finish(mut self) -> Totals {
        self.settle();
        let mut totals = self.alone;
        self.shards.iter().flat_map(|shard| shard.seen.values()).for_each(|call| totals.add(call));
        totals
    }

    fn wait(&mut self, more: usize) {
        self.waiting += more;
        if self.waiting >= MAX_WAITING {
            self.settle();
        }
    }

    /// Puts what waits in its place. Past the bound an event that belongs to no known call is one by itself, unless it
    /// tells the end of a request: then its decision was counted.
    fn settle(&mut self) {
        self.waiting = 0;
        for Shard { waiting, seen } in &mut self.shards {
            for (key, call) in waiting.drain(..) {
                if let Some(known) = seen.get_mut(&key) {
                    known.merge(&call);
                } else if self.known < self.bound {
                    seen.insert(key, call);
                    self.known += 1;
                } else if !call.ended {
                    self.alone.add(&call);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::events;

    fn check(bound: usize, lines: &str) -> String {
        let mut calls = Calls::bounded(bound);
        events(lines).iter().for_each(|event| calls.add(&Fact::of(event)));
        let Totals { calls, denied, decisions, .. } = calls.finish();
        let Decisions { allow, deny, redact, pending } = decisions;
        format!("{calls} calls, {allow} allow {deny} deny {redact} redact {pending} pending, {denied} denied")
    }

    #[test]
    fn decision_and_outcome_are_one_call() {
        let lines = "
            0 action.approved request=a
            1 action.executed request=a decision=allow
            2 action.denied   request=b
            3 action.request  request=c
            4 action.approved request=c decision=redact
            5 action.failed   request=c decision=redact";
        insta::assert_snapshot!(check(9, lines), @"3 calls, 1 allow 1 deny 1 redact 0 pending, 1 denied");
    }

    #[test]
    fn a_claim_never_joins_a_governed_call() {
        let lines = "
            0 action.approved request=a
            1 action.failed   request=a channel=sdk
            2 action.executed request=a channel=sdk";
        insta::assert_snapshot!(check(9, lines), @"2 calls, 1 allow 0 deny 0 redact 0 pending, 0 denied");
    }

    #[test]
    fn without_a_request_each_event_stands_alone() {
        let lines = "
            0 tool.call     channel=sdk status=success
            1 tool.call     channel=sdk status=success
            2 tool.response channel=sdk
            3 agent.start   channel=sdk";
        insta::assert_snapshot!(check(9, lines), @"2 calls, 0 allow 0 deny 0 redact 0 pending, 0 denied");
    }

    #[test]
    fn past_the_bound_decisions_are_counted() {
        let lines = "
            0 action.approved request=a
            1 action.approved request=b
            2 action.executed request=b decision=allow
            3 action.denied   request=c
            4 tool.call
            5 action.executed request=a decision=allow";
        insta::assert_snapshot!(check(1, lines), @"4 calls, 2 allow 1 deny 0 redact 0 pending, 1 denied");
    }
}
