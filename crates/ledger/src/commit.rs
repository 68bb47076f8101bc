//! The committer: groups of entries become durable, in one order, and only then are they acknowledged.
//!
//! A state machine without threads or clocks; `ledger.rs` drives it. It is the only place that gives out
//! indexes, and the state it goes on from is always the acknowledged one: a group that fails leaves no trace in
//! it, whatever the disk kept.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use greffier_event::{EventId, Tenant, Timestamp};
use greffier_merkle::Hash;

use crate::backlog::Backlog;
use crate::ids::{Ids, Known, Seen};
use crate::read::Acknowledged;
use crate::store::Disk;
use crate::wal::frame::Unplaced;
use crate::wal::{End, ROTATE_BYTES, Writer};

/// Trails of one node: each keeps its right edge in memory, some 20 KiB, and has a line in the trust file.
pub(crate) const MAX_TRAILS: usize = 4_096;

/// An entry, hashed and encoded by its producer, waiting for its place.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) trail: Tenant,
    pub(crate) leaf: Hash,
    pub(crate) frame: Unplaced,
    pub(crate) id: EventId,
    pub(crate) recorded_at: Timestamp,
    /// Of a submission: what was sent, and how much a look-up of its id has seen. It is written only if its id
    /// is not on the trail.
    pub(crate) submitted: Option<(String, Seen)>,
}

/// Why one entry of a group has no place, while the others do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A trail of that name exists in another case.
    Case(String),
    TooManyTrails,
    /// The id is on the trail.
    Known(Known),
    /// What a look-up of the id has seen is out of date.
    Again,
}

/// Next index of a trail, under the name that it was first written with.
#[derive(Debug, Clone)]
struct Next {
    name: String,
    index: u64,
}

/// The state behind the last acknowledged group.
pub(crate) struct Committer {
    disk: Disk,
    /// Absent after a failure, until [`Committer::reopen`] succeeds.
    writer: Option<Writer>,
    /// Where the acknowledged log ends.
    end: End,
    /// By lowercase name: directories may not tell `Acme` from `acme`.
    next: BTreeMap<String, Next>,
    backlog: Arc<Mutex<Backlog>>,
    ids: Arc<Ids>,
    acknowledged: Acknowledged,
}

impl Committer {
    /// Goes on behind `end` with trails of the given sizes. Nothing is written before [`Committer::reopen`].
    pub(crate) fn new<'a>(
        disk: Disk,
        end: End,
        sizes: impl Iterator<Item = (&'a str, u64)>,
        backlog: Arc<Mutex<Backlog>>,
        ids: Arc<Ids>,
        acknowledged: Acknowledged,
    ) -> Committer {
        let next = sizes
            .map(|(name, index)| (name.to_ascii_lowercase(), Next { name: name.to_owned(), index }))
            .collect();
        acknowledged.set(end);
        Committer { disk, writer: None, end, next, backlog, ids, acknowledged }
    }

    /// Whether the log is open.
    pub(crate) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Where the acknowledged log ends.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// Opens a new file of the log, which says how much of the one before it counts. Never goes back to an old
    /// file: what a failed write or sync left in it is unknown.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.writer = None;
        let writer = Writer::create(&self.disk, self.end)?;
        self.end = writer.end();
        self.acknowledged.set(self.end);
        self.writer = Some(writer);
        Ok(())
    }

    /// Begins a new file of the log and says which; those before it grow no more.
    pub(crate) fn rotate(&mut self) -> io::Result<u64> {
        self.reopen()?;
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        backlog.opened(self.end.sequence);
        Ok(self.end.sequence)
    }

    /// Makes one group durable and returns each entry's index. On an error none of the group is acknowledged,
    /// and the log is closed until it is reopened.
    pub(crate) fn commit(&mut self, group: &[Entry]) -> io::Result<Vec<Result<u64, Refusal>>> {
        if self.end.len >= ROTATE_BYTES && self.is_open() {
            self.reopen()?;
        }
        let writer = self.writer.take().ok_or_else(|| io::Error::other("the log is closed"))?;
        // Indexes are given on a copy of the state: only a durable group may change it.
        let mut next = Changes { current: &self.next, changed: BTreeMap::new() };
        let mut bytes = Vec::with_capacity(group.iter().map(|entry| entry.frame.len()).sum());
        let mut places = Vec::with_capacity(group.len());
        let mut submitted = HashSet::new();
        for entry in group {
            let place = match self.repeats(entry, &mut submitted) {
                Some(refusal) => Err(refusal),
                None => next.take(entry.trail.as_str()),
            };
            if let Ok(index) = place {
                entry.frame.place(&mut bytes, self.end.len, index);
            }
            places.push(place);
        }
        // If this fails, the writer is gone. What reached the disk lies behind `self.end` and is disowned by
        // the next file's header; if we die before there is one, it may come back as entries that nobody was
        // promised, which is allowed: it never takes a place that somebody was promised.
        let writer = if bytes.is_empty() { writer } else { writer.commit(&bytes)? };
        // Durable. From here on the entries exist.
        let changed = next.changed;
        self.next.extend(changed);
        self.end = writer.end();
        self.writer = Some(writer);
        self.note(group, &places);
        Ok(places)
    }

    /// Whether a submission's id is on the trail, or was submitted twice in one group.
    fn repeats<'a>(&self, entry: &'a Entry, submitted: &mut HashSet<(&'a str, EventId)>) -> Option<Refusal> {
        let (_, seen) = entry.submitted.as_ref()?;
        match self.ids.hot(entry.trail.as_str(), entry.id, *seen) {
            Ok(Some(known)) => Some(Refusal::Known(known)),
            Ok(None) if submitted.insert((entry.trail.as_str(), entry.id)) => None,
            Ok(None) | Err(_) => Some(Refusal::Again),
        }
    }

    /// Tells the others what is durable now, before anybody gets a receipt.
    fn note(&self, group: &[Entry], places: &[Result<u64, Refusal>]) {
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, place) in group.iter().zip(places) {
            let Ok(index) = *place else { continue };
            let trail = entry.trail.as_str();
            let bytes = entry.frame.len() as u64;
            backlog.committed(self.end.sequence, trail, index, bytes, entry.recorded_at);
            let digest = entry.submitted.as_ref().map(|(digest, _)| digest.clone());
            self.ids.note(trail, entry.id, Known { index, leaf: entry.leaf, digest });
        }
        self.acknowledged.set(self.end);
    }
}

/// The next indexes as a group changes them.
struct Changes<'a> {
    current: &'a BTreeMap<String, Next>,
    changed: BTreeMap<String, Next>,
}

impl Changes<'_> {
    fn take(&mut self, trail: &str) -> Result<u64, Refusal> {
        let key = trail.to_ascii_lowercase();
        let known = self.changed.get(&key).or_else(|| self.current.get(&key));
        let index = match known {
            Some(next) if next.name != trail => return Err(Refusal::Case(next.name.clone())),
            Some(next) => next.index,
            None if self.current.len() + self.changed.len() >= MAX_TRAILS => {
                return Err(Refusal::TooManyTrails);
            }
            None => 0,
        };
        self.changed.insert(key, Next { name: trail.to_owned(), index: index + 1 });
        Ok(index)
    }
}
