//! Which action follows which within a session: somebody else at the controls does known things in an order that was
//! never seen.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use greffier_event::{EventId, Timestamp};

use super::detector::Out;
use super::known::Came;
use super::stretch::{Look, SessionKey};
use super::{FindingKind, MAX_EVIDENCE, Said, count};
use crate::keyed::{ByKey, Hashed, Key};

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
    /// Their numbers, in the order in which they began.
    open: ByKey<u64>,
    order: VecDeque<Key>,
    begun: u64,
    /// What is known of them, up to the one that began last.
    states: VecDeque<Session>,
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
    /// The number of a session, which begins if it is not known.
    pub(crate) fn number(&mut self, session: SessionKey) -> u64 {
        let key = session.key();
        if let Some(number) = self.open.get(&key) {
            return *number;
        }
        if self.order.len() >= MAX_SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.order.push_back(key);
        self.open.insert(key, self.begun);
        self.states.push_back(Session::default());
        self.begun += 1;
        self.begun - 1
    }

    /// Forgets what is known of sessions that are followed no more.
    pub(crate) fn settle(&mut self) {
        let over = self.states.len().saturating_sub(MAX_SESSIONS);
        self.states.drain(..over);
    }

    /// Takes in an action of an agent's session.
    pub(crate) fn add(
        &mut self,
        number: u64,
        look: &Look<'_>,
        came: Came,
        steps: &mut Steps,
        out: &mut Out<'_>,
    ) {
        let back = usize::try_from(self.begun - number).unwrap_or(usize::MAX);
        let at = self.states.len().checked_sub(back);
        let Some(session) = at.and_then(|at| self.states.get_mut(at)) else { return };
        let before = session.last.replace(came);
        let Some(before) = before.filter(|before| before.number != came.number) else { return };
        let Some((from, to)) = before.number.zip(came.number) else { return };
        let step = steps.known.entry(spread(u64::from(from) << 8 | u64::from(to))).or_default();
        *step += 1;
        steps.total += 1;
        let familiar = before.before >= TOOL_USES && came.before >= TOOL_USES;
        if *step > 1 || !familiar || steps.total < LEARNT {
            return;
        }
        session.step(look, out);
    }
}

/// Another number for each, with all bits in use, as maps of what is hashed expect: an odd factor.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Session {
    fn step(&mut self, look: &Look<'_>, out: &mut Out<'_>) {
        self.strange_steps += 1;
        let since = *self.since.get_or_insert(look.time);
        let steps = count(self.strange_steps);
        if let Some(finding) = self.finding {
            out.update(finding, |finding| {
                (finding.until, finding.count) = (finding.until.max(look.time), steps);
                if finding.event_ids.len() < MAX_EVIDENCE {
                    finding.event_ids.push(look.id);
                }
                sentence(steps)
            });
            return;
        }
        self.strange.push(look.id);
        if self.strange_steps >= STRANGE_STEPS {
            self.finding = Some(out.raise(Said {
                kind: FindingKind::UnusualSequence,
                span: (since.min(look.time), since.max(look.time)),
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
