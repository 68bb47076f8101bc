//! Events joined into calls: what belongs to one request counts once.
//!
//! Events of one call share a `request_id` and a channel: a claim about a governed call is a call of its own, so
//! that nobody can add an ending to what the gateway recorded. An event without a `request_id` stands alone.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use greffier_event::{DecisionKind, Event};

use crate::channels::Channel;
use crate::fact::Fact;
use crate::meaning::{self, Decisions};

/// Calls that are told apart; a call takes some 50 bytes, so this is some 50 MB. Past it, see [`Calls::add`].
pub(crate) const MAX_CALLS: usize = 900_000;

/// Which call an event belongs to: 128 bits of a keyed hash, so that long ids cost no memory and nobody can choose
/// where theirs fall.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey(u64, u64);

impl CallKey {
    /// That of a request; an event without one stands alone and has none.
    pub(crate) fn of(fact: &Fact<'_>) -> Option<CallKey> {
        Some(CallKey::hashed((fact.channel, fact.request_id?)))
    }

    /// That of an agent's session.
    pub(crate) fn of_session(fact: &Fact<'_>) -> Option<CallKey> {
        Some(CallKey::hashed((fact.agent, fact.session_id?)))
    }

    fn hashed(of: impl Hash) -> CallKey {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        let [first, second] = &*KEYS;
        CallKey(first.hash_one(&of), second.hash_one(&of))
    }
}

impl Hash for CallKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// For keys that are hashes already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map by calls.
pub(crate) type ByCall<T> = HashMap<CallKey, T, BuildHasherDefault<Hashed>>;

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
    pub(crate) by_channel: HashMap<Channel, u64>,
}

impl Totals {
    fn merge(&mut self, other: Totals) {
        self.calls += other.calls;
        self.denied += other.denied;
        self.decisions.merge(other.decisions);
        for (channel, calls) in other.by_channel {
            *self.by_channel.entry(channel).or_default() += calls;
        }
    }

    fn add(&mut self, call: &Call) {
        if !call.acted {
            return;
        }
        self.calls += 1;
        *self.by_channel.entry(call.channel).or_default() += 1;
        self.denied += u64::from(call.denied);
        if let Some(decision) = call.decision {
            self.decisions.add(decision);
        }
    }
}

/// Counts calls.
pub(crate) struct Calls {
    seen: ByCall<Call>,
    bound: usize,
    /// What stands alone, and what there is no room for.
    alone: Totals,
}

impl Calls {
    pub(crate) fn new() -> Calls {
        Calls::bounded(MAX_CALLS)
    }

    fn bounded(bound: usize) -> Calls {
        Calls { seen: ByCall::default(), bound, alone: Totals::default() }
    }

    pub(crate) fn add(&mut self, event: &Event) {
        self.add_fact(&Fact::of(event));
    }

    /// Adds an event. Past the bound an event that belongs to no known call is one by itself, unless it tells the
    /// end of a request: then its decision was counted.
    pub(crate) fn add_fact(&mut self, fact: &Fact<'_>) {
        let call = Call::of(fact);
        match CallKey::of(fact) {
            Some(key) => self.place(key, &call),
            None => self.alone.add(&call),
        }
    }

    fn place(&mut self, key: CallKey, call: &Call) {
        if let Some(known) = self.seen.get_mut(&key) {
            known.merge(call);
        } else if self.seen.len() < self.bound {
            self.seen.insert(key, *call);
        } else if !call.ended {
            self.alone.add(call);
        }
    }

    /// Takes in the calls of another count; what both know of is one call.
    pub(crate) fn merge(&mut self, other: Calls) {
        self.alone.merge(other.alone);
        for (key, call) in other.seen {
            self.place(key, &call);
        }
    }

    pub(crate) fn finish(self) -> Totals {
        let mut totals = self.alone;
        self.seen.values().for_each(|call| totals.add(call));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::events;

    fn check(bound: usize, lines: &str) -> String {
        let mut calls = Calls::bounded(bound);
        events(lines).iter().for_each(|event| calls.add(event));
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
