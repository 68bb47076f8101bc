//! The desk between the witnesses' threads: which checkpoint of each trail is being cosigned, who has, who is to be
//! asked next. Pure bookkeeping: it is told the time and what witnesses said.
//!
//! A trail has one candidate at a time, so that all witnesses cosign the same checkpoint however fast it grows. Once
//! enough have, it is filed, and after a pause the newest checkpoint is the next candidate; those who come late may
//! still add their line to it until then.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greffier_event::Tenant;
use greffier_merkle::Hash;
use greffier_merkle::note::{Signature, SignedNote};

use super::cosigned::quorum_time;
use crate::heads::Heads;

/// Trails that one witness is asked about at the same time.
const MAX_AT_ONCE: usize = 16;
/// A failure doubles the pause before the next try, so often: with a pace of one second up to a minute.
const MAX_DOUBLINGS: u32 = 6;
/// A candidate that nobody has cosigned for so long makes way for a newer one: longer than an answer may take, so that
/// slow witnesses do not always come too late.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something to ask a witness.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) trail: String,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) note: Arc<str>,
    /// The size that this witness confirmed last, as far as we know.
    pub(super) old: u64,
}

/// A checkpoint that enough witnesses cosigned, to be written down.
#[derive(Debug)]
pub(super) struct Filing {
    pub(super) note: String,
    pub(super) size: u64,
    /// When the last of as many as it takes had cosigned, in seconds since 1970.
    pub(super) time: u64,
    /// How many lines it has.
    lines: usize,
}

/// When to try again what failed.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    failures: u32,
    until: Option<Instant>,
}

#[derive(Debug)]
struct Candidate {
    size: u64,
    root: Hash,
    note: Arc<str>,
    since: Instant,
    /// By witness: its line and its time.
    lines: Vec<Option<(Signature, u64)>>,
    /// With how many lines it was written down.
    filed: usize,
}

/// One trail.
#[derive(Debug)]
struct Case {
    candidate: Option<Candidate>,
    /// Size of what was filed last.
    filed: u64,
    /// By witness: the size that it confirmed last.
    confirmed: Vec<Option<u64>>,
    /// By witness: when it may be asked about this trail again.
    pauses: Vec<Pause>,
}

#[derive(Debug)]
pub(super) struct Desk {
    witnesses: usize,
    quorum: usize,
    /// The pause between candidates of one trail.
    every: Duration,
    /// After so long the node's own trail is offered again, even if it did not grow.
    refresh: Duration,
    /// The first pause after a failure.
    pace: Duration,
    cases: BTreeMap<String, Case>,
    /// By witness: the trail after which it goes on, so that none is left out.
    cursors: Vec<String>,
    /// By witness: when it may be asked at all.
    pauses: Vec<Pause>,
    hurry: bool,
    stopped: bool,
}

impl Pause {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn failed(&mut self, now: Instant, pace: Duration) {
        self.until = Some(now + pace * 2u32.pow(self.failures.min(MAX_DOUBLINGS)));
        self.failures = self.failures.saturating_add(1);
    }
}

impl Candidate {
    fn count(&self) -> usize {
        self.lines.iter().flatten().count()
    }
}

impl Desk {
    pub(super) fn new(
        witnesses: usize,
        quorum: usize,
        every: Duration,
        refresh: Duration,
        pace: Duration,
    ) -> Desk {
        Desk {
            witnesses,
            quorum,
            every,
            refresh,
            pace,
            cases: BTreeMap::new(),
            cursors: vec![String::new(); witnesses],
            pauses: vec![Pause::default(); witnesses],
            hurry: false,
            stopped: false,
        }
    }

    /// What to ask a witness now. The trails take turns.
    pub(super) fn jobs(&mut self, witness: usize, heads: &Heads, now: Instant) -> Vec<Job> {
        for (trail, size) in heads.sizes() {
            self.propose(&trail, size, heads, now);
        }
        if !self.pauses.get(witness).is_some_and(|pause| pause.is_over(now)) {
            return Vec::new();
        }
        let from = self.cursors.get(witness).cloned().unwrap_or_default();
        let behind = self.cases.range::<str, _>((Bound::Excluded(from.as_str()), Bound::Unbounded));
        let before = self.cases.range::<str, _>((Bound::Unbounded, Bound::Included(from.as_str())));
        let job = |(trail, case): (&String, &Case)| {
            let candidate = case.candidate.as_ref()?;
            let open = candidate.lines.get(witness)?.is_none() && case.pauses.get(witness)?.is_over(now);
            let Candidate { size, root, note, .. } = candidate;
            open.then(|| Job {
                trail: trail.clone(),
                size: *size,
                root: *root,
                note: Arc::clone(note),
                old: case.confirmed.get(witness).copied().flatten().unwrap_or(case.filed.min(*size)),
            })
        };
        let jobs: Vec<Job> = behind.chain(before).filter_map(job).take(MAX_AT_ONCE).collect();
        if let (Some(cursor), Some(last)) = (self.cursors.get_mut(witness), jobs.last()) {
            cursor.clone_from(&last.trail);
        }
        jobs
    }

    /// Makes the newest signed checkpoint of a trail its candidate, when it is time.
    fn propose(&mut self, trail: &str, size: u64, heads: &Heads, now: Instant) {
        let case = self.cases.entry(trail.to_owned()).or_insert_with(|| Case {
            candidate: None,
            filed: heads.cosigned_size(trail).unwrap_or(0),
            confirmed: vec![None; self.witnesses],
            pauses: vec![Pause::default(); self.witnesses],
        });
        let is_node = trail == Tenant::NODE;
        let due = match &case.candidate {
            None => size > case.filed || is_node,
            // Nobody has cosigned it: no work is lost with it.
            Some(candidate) if candidate.count() == 0 => {
                let age = now.saturating_duration_since(candidate.since);
                size > candidate.size && age >= PATIENCE
            }
            Some(candidate) if candidate.filed > 0 => {
                let age = now.saturating_duration_since(candidate.since);
                let grown = size > candidate.size && (age >= self.every || self.hurry);
                grown || (is_node && age >= self.refresh)
            }
            Some(_) => false,
        };
        if due && let Some((size, root, note)) = heads.newest(trail) {
            let lines = vec![None; self.witnesses];
            case.candidate = Some(Candidate { size, root, note, since: now, lines, filed: 0 });
        }
    }

    /// A witness cosigned what it was asked for.
    pub(super) fn cosigned(&mut self, witness: usize, job: &Job, line: Signature, time: u64) {
        if let Some(pause) = self.pauses.get_mut(witness) {
            *pause = Pause::default();
        }
        let Some(case) = self.cases.get_mut(&job.trail) else { return };
        if let Some(pause) = case.pauses.get_mut(witness) {
            *pause = Pause::default();
        }
        if let Some(confirmed) = case.confirmed.get_mut(witness) {
            *confirmed = Some(job.size);
        }
        // The same size is the same checkpoint: we never sign two.
        if let Some(candidate) = case.candidate.as_mut().filter(|candidate| candidate.size == job.size)
            && let Some(place) = candidate.lines.get_mut(witness)
        {
            *place = Some((line, time));
        }
    }

    /// A witness named the size that it confirmed last. One that is past the candidate gets a newer one.
    pub(super) fn confirmed(&mut self, witness: usize, job: &Job, size: u64) {
        let Some(case) = self.cases.get_mut(&job.trail) else { return };
        if let Some(confirmed) = case.confirmed.get_mut(witness) {
            *confirmed = Some(size);
        }
        if case.candidate.as_ref().is_some_and(|candidate| candidate.size < size) {
            case.candidate = None;
        }
    }

    /// A witness did not cosign this one: it is asked about this trail again after a pause.
    pub(super) fn refused(&mut self, witness: usize, job: &Job, now: Instant) {
        let pace = self.pace;
        let case = self.cases.get_mut(&job.trail);
        if let Some(pause) = case.and_then(|case| case.pauses.get_mut(witness)) {
            pause.failed(now, pace);
        }
    }

    /// A witness cannot be reached: it is left alone for a while.
    pub(super) fn unreachable(&mut self, witness: usize, now: Instant) {
        let pace = self.pace;
        if let Some(pause) = self.pauses.get_mut(witness) {
            pause.failed(now, pace);
        }
    }

    /// Trails whose candidate has lines enough, and more than were written down.
    pub(super) fn to_file(&self) -> Vec<String> {
        let ready = |candidate: &Candidate| candidate.count() >= self.quorum.max(candidate.filed + 1);
        let ready = |case: &Case| case.candidate.as_ref().is_some_and(ready);
        self.cases.iter().filter(|(_, case)| ready(case)).map(|(trail, _)| trail.clone()).collect()
    }

    /// The candidate of a trail with the lines that it has now.
    pub(super) fn filing(&self, trail: &str) -> Option<Filing> {
        let candidate = self.cases.get(trail)?.candidate.as_ref()?;
        let times = candidate.lines.iter().flatten().map(|(_, time)| *time).collect();
        let time = quorum_time(times, self.quorum)?;
        let signed = SignedNote::parse(&candidate.note).ok()?;
        let lines = candidate.lines.iter().flatten().map(|(line, _)| line.clone());
        let signatures = signed.signatures().iter().cloned().chain(lines).collect();
        let note = SignedNote::new(signed.text(), signatures).ok()?.to_string();
        Some(Filing { note, size: candidate.size, time, lines: candidate.count() })
    }

    /// It is written down.
    pub(super) fn filed(&mut self, trail: &str, filing: &Filing) {
        let Some(case) = self.cases.get_mut(trail) else { return };
        case.filed = filing.size;
        if let Some(candidate) = case.candidate.as_mut().filter(|candidate| candidate.size == filing.size) {
            candidate.filed = filing.lines;
        }
    }

    /// From now on there are no pauses between candidates.
    pub(super) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Whether everything signed is cosigned, or too few witnesses answer for it to be.
    pub(super) fn is_settled(&self, sizes: &[(String, u64)]) -> bool {
        let answering = self.pauses.iter().filter(|pause| pause.failures == 0).count();
        let filed = |trail: &String| self.cases.get(trail).map_or(0, |case| case.filed);
        answering < self.quorum || sizes.iter().all(|(trail, size)| filed(trail) >= *size)
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(test)]
mod tests;
