//! The account of what was done unrecorded: in memory, bounded, until it stands on the trail as a gap.
//!
//! It keeps the entries that the calls would have left, without their parts: who, what, decided how, ended how. Past
//! its bounds calls are only counted. A trail owes its gap from the first call on ([`Gaps`]), and nothing leaves the
//! account before it is durable. A process that dies takes the account with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use greffier_event::{Event, InvalidEvent, Tenant, Timestamp};
use greffier_ledger::Gaps;

/// How much an account holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls told one by one.
    pub(crate) calls: usize,
    /// Bytes of them. A call takes some 1.5 KiB, decision and outcome; the longest entries take 64 KiB each.
    pub(crate) bytes: usize,
    /// Actions of a trail counted apart, past the other bounds: their names are the callers' to choose.
    pub(crate) actions: usize,
}

impl Bounds {
    /// Minutes of a busy node, in memory that it can spare.
    pub(crate) const DEFAULT: Bounds = Bounds { calls: 10_000, bytes: 32 * 1024 * 1024, actions: 256 };
}

/// Where a call stands in the account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    trail: Tenant,
    /// `None` past the bound.
    number: Option<u64>,
}

impl Ticket {
    /// Whether the call was past the bound: how it ends is not kept either.
    pub(crate) fn is_only_counted(&self) -> bool {
        self.number.is_none()
    }
}

/// The account of a node.
pub(crate) struct Account {
    bounds: Bounds,
    gaps: Gaps,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trails: BTreeMap<Tenant, Owed>,
    /// Calls kept, and outcomes that wait to be entries.
    kept: usize,
    bytes: usize,
    next: u64,
}

/// What one trail owes.
struct Owed {
    reason: String,
    /// Since when.
    since: Timestamp,
    calls: BTreeMap<u64, Kept>,
    /// Outcomes of decisions that are on the trail: they follow the gap as entries of their own.
    late: BTreeMap<u64, Vec<u8>>,
    counted: Counted,
}

/// A call that was made: the canonical bytes of its events.
struct Kept {
    time: Timestamp,
    decision: Vec<u8>,
    outcome: Option<Vec<u8>>,
}

/// What was only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// First and last.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    /// Calls by action.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Calls of actions that are not counted apart.
    pub(crate) other_calls: u64,
    /// Outcomes of calls that are told, for which there was no room.
    pub(crate) outcomes: u64,
    /// Outcomes that could not be recorded before their replies ended, and follow the gap as entries of their own.
    pub(crate) late: u64,
}

/// How much is in the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Calls told one by one.
    pub(crate) accounted: u64,
    /// Calls only counted.
    pub(crate) counted: u64,
    /// Outcomes that wait to be entries.
    pub(crate) late: u64,
}

/// As much of what a trail owes as one event says.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) reason: String,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Calls told here.
    pub(crate) calls: u64,
    /// Their events, one a line.
    pub(crate) lines: Vec<u8>,
    /// Of the last page: what was only counted.
    pub(crate) counted: Counted,
    /// Whether more of the trail's calls follow.
    pub(crate) more: bool,
    /// Which they are, and whether their outcome is told.
    told: Vec<(u64, bool)>,
}

/// An outcome whose decision is on the trail.
pub(crate) struct Late {
    pub(crate) event: Event,
    number: u64,
}

impl Account {
    pub(crate) fn new(gaps: Gaps, bounds: Bounds) -> Account {
        Account { bounds, gaps, state: Mutex::default() }
    }

    /// Enters a call that is about to be made. An event that could not be an entry cannot be accounted for either.
    pub(crate) fn enter(&self, decision: &Event, reason: &str) -> Result<Ticket, InvalidEvent> {
        let bytes = decision.canonical()?;
        let trail = decision.tenant.clone();
        let mut state = self.lock();
        let number = state.room(&self.bounds, bytes.len());
        let owed = state.owed(&trail, reason, decision.time);
        match number {
            Some(number) => {
                let kept = Kept { time: decision.time, decision: bytes, outcome: None };
                owed.calls.insert(number, kept);
            }
            None => {
                let action = decision.action.as_ref().map(|action| action.name.as_str()).unwrap_or_default();
                owed.counted.count(action, decision.time, self.bounds.actions);
            }
        }
        self.gaps.owe(&trail);
        Ok(Ticket { trail, number })
    }

    /// Adds how a call ended, if the call still stands in the account: otherwise its gap is on the trail, or it was
    /// only counted, and the outcome may be an entry of its own.
    pub(crate) fn end(&self, ticket: &Ticket, outcome: &Event) -> Result<bool, InvalidEvent> {
        let Some(number) = ticket.number else { return Ok(false) };
        let bytes = outcome.canonical()?;
        let mut state = self.lock();
        if !state.trails.get(&ticket.trail).is_some_and(|owed| owed.calls.contains_key(&number)) {
            return Ok(false);
        }
        let fits = state.bytes + bytes.len() <= self.bounds.bytes;
        state.bytes += if fits { bytes.len() } else { 0 };
        let Some(owed) = state.trails.get_mut(&ticket.trail) else { return Ok(false) };
        match owed.calls.get_mut(&number) {
            Some(kept) if fits => kept.outcome = Some(bytes),
            _ => owed.counted.outcomes += 1,
        }
        Ok(true)
    }

    /// Keeps the outcome of a decision that is on the trail. `false`: there is no room for it.
    pub(crate) fn keep_late(&self, outcome: &Event, reason: &str) -> Result<bool, InvalidEvent> {
        let bytes = outcome.canonical()?;
        let mut state = self.lock();
        let Some(number) = state.room(&self.bounds, bytes.len()) else { return Ok(false) };
        let owed = state.owed(&outcome.tenant, reason, outcome.time);
        owed.late.insert(number, bytes);
        owed.counted.late += 1;
        self.gaps.owe(&outcome.tenant);
        Ok(true)
    }

    /// The trails that owe a gap.
    pub(crate) fn trails(&self) -> Vec<Tenant> {
        self.lock().trails.keys().cloned().collect()
    }

    pub(crate) fn owes(&self, trail: &Tenant) -> bool {
        self.gaps.owes(trail)
    }

    pub(crate) fn totals(&self) -> Totals {
        let state = self.lock();
        let sum = |of: fn(&Owed) -> u64| state.trails.values().map(of).sum();
        Totals {
            accounted: sum(|owed| owed.calls.len() as u64),
            counted: sum(|owed| owed.counted.total()),
            late: sum(|owed| owed.late.len() as u64),
        }
    }

    /// The next page of a trail's gap, of at most about `most` bytes. It stays in the account until it is
    /// [`Account::told`].
    pub(crate) fn page(&self, trail: &Tenant, most: usize) -> Option<Page> {
        let state = self.lock();
        let owed = state.trails.get(trail)?;
        if owed.calls.is_empty() && owed.counted == Counted::default() {
            return None;
        }
        let (mut lines, mut told) = (Vec::new(), Vec::new());
        let mut times: Option<(Timestamp, Timestamp)> = None;
        for (number, kept) in &owed.calls {
            let bytes = kept.bytes();
            if !told.is_empty() && lines.len() + bytes > most {
                break;
            }
            for line in [Some(&kept.decision), kept.outcome.as_ref()].into_iter().flatten() {
                lines.extend_from_slice(line);
                lines.push(b'\n');
            }
            times = Some(widened(times, kept.time));
            told.push((*number, kept.outcome.is_some()));
        }
        let more = told.len() < owed.calls.len();
        let counted = if more { Counted::default() } else { owed.counted.clone() };
        for time in counted.times.iter().flat_map(|(first, last)| [*first, *last]) {
            times = Some(widened(times, time));
        }
        if counted.late > 0 {
            times = Some(widened(times, owed.since));
        }
        let (first, last) = times.unwrap_or((owed.since, owed.since));
        Some(Page {
            reason: owed.reason.clone(),
            first,
            last,
            calls: told.len() as u64,
            lines,
            counted,
            more,
            told,
        })
    }

    /// A page is durable: what it tells leaves the account. An outcome that came in the meantime stays, for after
    /// the gap.
    pub(crate) fn told(&self, trail: &Tenant, page: &Page) {
        self.change(trail, |owed| {
            let mut left = (0, 0);
            for (number, ended) in &page.told {
                let Some(kept) = owed.calls.remove(number) else { continue };
                match kept.outcome {
                    Some(outcome) if !ended => {
                        left.1 += kept.decision.len();
                        owed.late.insert(*number, outcome);
                    }
                    outcome => {
                        left.0 += 1;
                        left.1 += kept.decision.len() + outcome.map_or(0, |outcome| outcome.len());
                    }
                }
            }
            owed.counted.less(&page.counted);
            left
        });
    }

    /// The next outcome that follows the gap.
    pub(crate) fn late(&self, trail: &Tenant) -> Option<Result<Late, InvalidEvent>> {
        let state = self.lock();
        let (number, bytes) = state.trails.get(trail)?.late.first_key_value()?;
        Some(Event::from_canonical(bytes).map(|event| Late { event, number: *number }))
    }

    /// It is durable.
    pub(crate) fn late_told(&self, trail: &Tenant, late: &Late) {
        self.change(trail, |owed| owed.late.remove(&late.number).map_or((0, 0), |bytes| (1, bytes.len())));
    }

    /// Lets go of `(calls, bytes)`; a trail that owes nothing more takes other events again. Both under one lock, so
    /// that no call comes in between.
    fn change(&self, trail: &Tenant, change: impl FnOnce(&mut Owed) -> (usize, usize)) {
        let mut state = self.lock();
        let Some(owed) = state.trails.get_mut(trail) else { return };
        let (calls, bytes) = change(owed);
        let paid = owed.calls.is_empty() && owed.late.is_empty() && owed.counted == Counted::default();
        state.kept = state.kept.saturating_sub(calls);
        state.bytes = state.bytes.saturating_sub(bytes);
        if paid {
            state.trails.remove(trail);
            self.gaps.paid(trail);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A place for so many bytes, if there is room.
    fn room(&mut self, bounds: &Bounds, bytes: usize) -> Option<u64> {
        if self.kept >= bounds.calls || self.bytes + bytes > bounds.bytes {
            return None;
        }
        self.kept += 1;
        self.bytes += bytes;
        self.next += 1;
        Some(self.next)
    }

    fn owed(&mut self, trail: &Tenant, reason: &str, now: Timestamp) -> &mut Owed {
        self.trails.entry(trail.clone()).or_insert_with(|| Owed {
            reason: reason.to_owned(),
            since: now,
            calls: BTreeMap::new(),
            late: BTreeMap::new(),
            counted: Counted::default(),
        })
    }
}

impl Kept {
    /// As lines.
    fn bytes(&self) -> usize {
        self.decision.len() + 1 + self.outcome.as_ref().map_or(0, |outcome| outcome.len() + 1)
    }
}

impl Counted {
    /// Calls only counted.
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().sum::<u64>() + self.other_calls
    }

    fn count(&mut self, action: &str, time: Timestamp, most: usize) {
        self.times = Some(widened(self.times, time));
        let apart = self.calls.len() < most || self.calls.contains_key(action);
        let count =
            if apart { self.calls.entry(action.to_owned()).or_default() } else { &mut self.other_calls };
        *count += 1;
    }

    /// Takes off what was told.
    fn less(&mut self, told: &Counted) {
        for (action, count) in &told.calls {
            if let Some(left) = self.calls.get_mut(action) {
                *left = left.saturating_sub(*count);
            }
        }
        self.calls.retain(|_, count| *count > 0);
        self.other_calls = self.other_calls.saturating_sub(told.other_calls);
        self.outcomes = self.outcomes.saturating_sub(told.outcomes);
        self.late = self.late.saturating_sub(told.late);
        if self.total() == 0 {
            self.times = None;
        }
    }
}

fn widened(times: Option<(Timestamp, Timestamp)>, time: Timestamp) -> (Timestamp, Timestamp) {
    times.map_or((time, time), |(first, last)| (first.min(time), last.max(time)))
}

#[cfg(test)]
mod tests;
