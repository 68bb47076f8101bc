//! Which action follows which within a session: somebody else at the controls does known things in an order that was
//! never seen.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use greffier_event::{EventId, Timestamp};

use super::detector::Out;
use super::known::Came;
use super::{FindingKind, MAX_EVIDENCE, Said, count};
use crate::calls::{ByCall, CallKey, Hashed};
use crate::fact::Fact;

/// Sessions that are followed, the last to begin.
const MAX_SESSIONS: usize = 16_384;
/// Steps of an agent before a new one is strange: until then too few of those it takes are known.
const LEARNT: u64 = 1_000;
/// Uses of a tool before a step from or to it can be strange; before, it is the tool that is new.
const TOOL_USES: u64 = 20;
/// Strange steps in one session that are a finding: one or two happen.
const STRANGE_STEPS: usize = 3;

/// The steps of one agent.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    known: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
    total: u64,
}

/// The sessions of all agents.
#[derive(Default)]
pub(crate) struct Sessions {
    open: ByCall<Session>,
    order: VecDeque<CallKey>,
}

#[derive(Debug, Default)]
struct Session {
    last: Option<Came>,
    strange: Vec<EventId>,
    strange_steps: usize,
    since: Option<Timestamp>,
    finding: Option<u64>,
}

impl Sessions {
    /// Takes in an action of an agent's session.
    pub(crate) fn add(&mut self, fact: &Fact<'_>, came: Came, steps: &mut Steps, out: &mut Out<'_>) {
        let Some(key) = CallKey::of_session(fact) else { return };
        if !self.open.contains_key(&key) {
            if self.order.len() >= MAX_SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.open.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let session = self.open.entry(key).or_default();
        let before = session.last.replace(came);
        let Some(before) = before.filter(|before| before.number != came.number) else { return };
        let Some((from, to)) = before.number.zip(came.number) else { return };
        let step = steps.known.entry(u64::from(from) << 8 | u64::from(to)).or_default();
        *step += 1;
        steps.total += 1;
        let familiar = before.before >= TOOL_USES && came.before >= TOOL_USES;
        if *step > 1 || !familiar || steps.total < LEARNT {
            return;
        }
        session.step(fact, out);
    }
}

impl Session {
    fn step(&mut self, fact: &Fact<'_>, out: &mut Out<'_>) {
        self.strange_steps += 1;
        let since = *self.since.get_or_insert(fact.time);
        let steps = count(self.strange_steps);
        if let Some(finding) = self.finding {
            out.update(finding, |finding| {
                (finding.until, finding.count) = (finding.until.max(fact.time), steps);
                if finding.event_ids.len() < MAX_EVIDENCE {
                    finding.event_ids.push(fact.id);
                }
                sentence(steps)
            });
            return;
        }
        self.strange.push(fact.id);
        if self.strange_steps >= STRANGE_STEPS {
            self.finding = Some(out.raise(Said {
                kind: FindingKind::UnusualSequence,
                span: (since.min(fact.time), since.max(fact.time)),
                count: steps,
                total: None,
                what: None,
                says: sentence(steps),
                threshold: None,
                evidence: std::mem::take(&mut self.strange),
            }));
        }
    }
}

fn sentence(steps: u64) -> String {
    format!(
        "took {steps} steps in one session, from one tool it knows to another, that it never took before."
    )
}
