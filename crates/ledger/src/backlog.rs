//! The backlog: what lies in the log and is not sealed yet, by file and trail.
//!
//! Pure bookkeeping, shared by the three threads: the committer adds what it made durable, the publisher says how
//! far each trail is signed, the sealer asks what is due and takes away what it sealed. It answers which files
//! of the log a trail's entries lie in, and which file is the first that anybody still needs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use greffier_event::Timestamp;

/// When entries are sealed into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealPolicy {
    /// Entries of a full segment: segments end at multiples of it. 65,536 and no more: one level-1 tile, and one
    /// row group; fewer in tests.
    pub entries: u64,
    /// Longest time that an entry stays in the log.
    pub age: Duration,
    /// Largest log, in bytes: beyond it the trail with the oldest entry is sealed.
    pub wal_bytes: u64,
}

impl SealPolicy {
    /// The log grows no further than this, and the file that is written to. Twice what it should be: sealing may
    /// fall behind for as long as that takes, and the ids of all that is in the log still fit into memory.
    pub fn most_bytes(&self) -> u64 {
        self.wal_bytes.saturating_mul(2)
    }
}

impl Default for SealPolicy {
    fn default() -> SealPolicy {
        SealPolicy {
            entries: 65_536,
            age: Duration::from_secs(24 * 3600),
            // What recovery reads at start, and what readers keep in memory.
            wal_bytes: 1024 * 1024 * 1024,
        }
    }
}

/// A segment is made in memory: beyond so many bytes in the log a trail is sealed early.
const MAX_TRAIL_BYTES: u64 = 256 * 1024 * 1024;

/// Entries of one trail that are to be sealed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) trail: String,
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// Files of the log that hold them, in order.
    pub(crate) files: Vec<u64>,
}

/// The entries of one trail in one file of the log.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    end: u64,
    bytes: u64,
}

/// One trail, as far as it concerns sealing.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    sealed: u64,
    signed: u64,
    /// When the oldest entry that waits was recorded; after a seal, when the youngest sealed one was.
    since: Option<Timestamp>,
}

/// What is not sealed yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// By file, then trail: at most 1 GiB of log at 32 MiB a file, times the trails of a node.
    files: BTreeMap<u64, BTreeMap<String, Run>>,
    /// Bytes of entries in each of them.
    bytes: BTreeMap<u64, u64>,
    trails: BTreeMap<String, Extent>,
}

impl Backlog {
    /// Takes note of entries that are durable in a file of the log, in the order of the log; `recorded_at` is
    /// the first one's.
    pub(crate) fn committed(
        &mut self,
        file: u64,
        trail: &str,
        entries: Range<u64>,
        bytes: u64,
        recorded_at: Timestamp,
    ) {
        let runs = self.files.entry(file).or_default();
        let new = Run { first: entries.start, end: entries.start, bytes: 0 };
        let run = runs.entry(trail.to_owned()).or_insert(new);
        run.end = entries.end;
        run.bytes += bytes;
        *self.bytes.entry(file).or_default() += bytes;
        let extent = self.trails.entry(trail.to_owned()).or_default();
        if entries.end > extent.sealed {
            extent.since.get_or_insert(recorded_at);
        }
    }

    /// Takes note of a trail's checkpoint: only what is signed for is sealed.
    pub(crate) fn signed(&mut self, trail: &str, size: u64) {
        self.trails.entry(trail.to_owned()).or_default().signed = size;
    }

    /// Takes note that a trail is sealed up to `end`, whose youngest entry was recorded at `until`.
    pub(crate) fn sealed(&mut self, trail: &str, end: u64, until: Timestamp) {
        let waiting = self.files.values().filter_map(|runs| runs.get(trail)).any(|run| run.end > end);
        let extent = self.trails.entry(trail.to_owned()).or_default();
        extent.sealed = end;
        extent.since = waiting.then_some(until);
    }

    /// What should be sealed next, most urgent first: a full segment, a trail with an entry that is too old, one
    /// that is too large, or, when the log is, the trail with the oldest entry.
    pub(crate) fn due(&self, now: Timestamp, policy: &SealPolicy) -> Option<Due> {
        let old = |since: Timestamp| {
            u128::try_from(now.as_micros() - since.as_micros()).is_ok_and(|age| age >= policy.age.as_micros())
        };
        let mut oldest: Option<(Timestamp, &str, Extent)> = None;
        for (trail, extent) in &self.trails {
            // Segments end where the next one is aligned.
            let full = (extent.sealed / policy.entries + 1) * policy.entries;
            if extent.signed >= full {
                return Some(self.range(trail, extent.sealed, full));
            }
            let Some(since) = extent.since.filter(|_| extent.signed > extent.sealed) else { continue };
            if old(since) || self.waiting_bytes(trail, extent.sealed) >= MAX_TRAIL_BYTES {
                return Some(self.range(trail, extent.sealed, extent.signed));
            }
            if oldest.is_none_or(|(time, ..)| since < time) {
                oldest = Some((since, trail, *extent));
            }
        }
        let (_, trail, extent) = oldest.filter(|_| self.log_bytes() > policy.wal_bytes)?;
        Some(self.range(trail, extent.sealed, extent.signed))
    }

    /// Takes note that the log goes on in this file: those before it grow no more.
    pub(crate) fn opened(&mut self, file: u64) {
        self.files.entry(file).or_default();
    }

    /// What is next to be sealed so that the files before `file` hold nothing that is not; `Err` names a trail
    /// of which they hold entries that are not signed.
    pub(crate) fn due_before(&self, file: u64, policy: &SealPolicy) -> Result<Option<Due>, String> {
        let waiting = self.files.range(..file).flat_map(|(_, runs)| runs);
        let Some((trail, _)) = waiting.into_iter().find(|(trail, run)| run.end > self.sealed_of(trail))
        else {
            return Ok(None);
        };
        let extent = self.trails.get(trail).copied().unwrap_or_default();
        let full = (extent.sealed / policy.entries + 1) * policy.entries;
        let end = full.min(extent.signed);
        if end > extent.sealed { Ok(Some(self.range(trail, extent.sealed, end))) } else { Err(trail.clone()) }
    }

    /// Bytes of entries in the log, sealed ones in files that are still needed included.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.bytes.values().sum()
    }

    /// Whether sealing is so far behind that nothing may be added: files of the log that could be gone make up
    /// more than [`SealPolicy::most_bytes`]. The newest does not count, for it stays whatever is sealed; so there
    /// is always something to seal, and the log shrinks again.
    pub(crate) fn is_behind(&self, policy: &SealPolicy) -> bool {
        let newest = self.files.last_key_value().map_or(0, |(file, _)| *file);
        self.bytes.range(..newest).map(|(_, bytes)| bytes).sum::<u64>() > policy.most_bytes()
    }

    /// The files that nobody needs any more once `trail` is sealed up to `end`: everything in them, and in all
    /// before them, is sealed. Never the newest: it may still grow.
    pub(crate) fn spent_with(&self, trail: &str, end: u64) -> Vec<u64> {
        let sealed = |name: &str| if name == trail { end } else { self.sealed_of(name) };
        let newest = self.files.last_key_value().map_or(0, |(file, _)| *file);
        self.files
            .iter()
            .take_while(|(file, runs)| {
                **file < newest && runs.iter().all(|(trail, run)| run.end <= sealed(trail))
            })
            .map(|(file, _)| *file)
            .collect()
    }

    /// Forgets the files before `floor`.
    pub(crate) fn forget(&mut self, floor: u64) {
        self.files = self.files.split_off(&floor);
        self.bytes = self.bytes.split_off(&floor);
    }

    /// How far a trail is sealed.
    fn sealed_of(&self, trail: &str) -> u64 {
        self.trails.get(trail).map_or(0, |extent| extent.sealed)
    }

    /// Bytes of a trail's entries that wait, by file: of a file sealed in part all of them.
    fn waiting_bytes(&self, trail: &str, sealed: u64) -> u64 {
        let runs = self.files.values().filter_map(|runs| runs.get(trail)).filter(|run| run.end > sealed);
        runs.map(|run| run.bytes).sum()
    }

    fn range(&self, trail: &str, first: u64, end: u64) -> Due {
        let holds = |runs: &BTreeMap<String, Run>| {
            runs.get(trail).is_some_and(|run| run.first < end && run.end > first)
        };
        let files = self.files.iter().filter(|(_, runs)| holds(runs)).map(|(file, _)| *file).collect();
        Due { trail: trail.to_owned(), first, end, files }
    }
}

#[cfg(test)]
mod tests;
