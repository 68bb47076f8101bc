//! The committer: groups of entries become durable, in one order, and only then are they acknowledged.
//!
//! A state machine without threads or clocks; `ledger.rs` drives it. It is the only place that gives out
//! indexes, and the state it goes on from is always the acknowledged one: a group that fails leaves no trace in
//! it, whatever the disk kept.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use greffier_event::{EventId, Tenant, Timestamp};
use greffier_merkle::Hash;

use crate::backlog::{Backlog, SealPolicy};
use crate::ids::{Ids, Known, Seen};
use crate::read::Acknowledged;
use crate::store::Disk;
use crate::wal::frame::Unplaced;
use crate::wal::{End, Spare, Writer};

/// Trails of one node: each keeps its right edge in memory, some 20 KiB, and has a line in the trust file.
pub(crate) const MAX_TRAILS: usize = 4_096;

/// Longest group whose memory is kept: several of small events.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// An entry, hashed and encoded by its producer, waiting for its place.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) trail: Tenant,
    pub(crate) leaf: Hash,
    pub(crate) frame: Unplaced,
    pub(crate) id: EventId,
    pub(crate) recorded_at: Timestamp,
    pub(crate) submitted: Option<Submitted>,
}

/// What an entry says that came from outside. It is written only if its id is not on the trail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Submitted {
    /// What was sent, as a keyed digest.
    pub(crate) digest: Hash,
    /// How much a look-up of its id has seen.
    pub(crate) seen: Seen,
    pub(crate) order: Order,
}

/// The order of one caller's submissions, shared by them: once one of them must be looked up again, so must all
/// behind it, or they would overtake it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order(Arc<AtomicBool>);

impl Order {
    fn is_broken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn broken(&self) {
        // Only the committer asks.
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Entry {
    fn known_at(&self, index: u64) -> Known {
        let digest = self.submitted.as_ref().map(|submitted| submitted.digest);
        Known { index, leaf: self.leaf, digest }
    }
}

/// Why one entry of a group has no place, while the others do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A trail of that name exists in another case.
    Case(String),
    TooManyTrails,
    /// The id is on the trail.
    Known(Known),
    /// The group has the id twice: what becomes of this one is what became of the other, at this place.
    Repeats(usize),
    /// What a look-up of the id has seen is out of date, or that of one before it.
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
    spare: Spare,
    /// The bytes of a group, kept for the next: memory that is asked for anew must be cleared anew.
    bytes: Vec<u8>,
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
        let spare = Spare::default();
        Committer { disk, writer: None, end, next, backlog, ids, acknowledged, spare, bytes: Vec::new() }
    }

    /// Whether the log is open.
    pub(crate) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Where the acknowledged log ends.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// Whether nothing may be added to the log before more of it is sealed.
    pub(crate) fn is_behind(&self, policy: &SealPolicy) -> bool {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner).is_behind(policy)
    }

    /// The space for the next file of the log, for whoever fills it ahead of time.
    pub(crate) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// Opens a new file of the log, which says how much of the one before it counts. Never goes back to an old
    /// file: what a failed write or sync left in it is unknown.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.writer = None;
        let writer = Writer::create(&self.disk, self.end, &self.spare)?;
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
        if self.writer.as_ref().is_some_and(|writer| writer.is_full(&self.spare)) {
            self.reopen()?;
        }
        let writer = self.writer.take().ok_or_else(|| io::Error::other("the log is closed"))?;
        // Indexes are given on a copy of the state: only a durable group may change it.
        let mut next = Changes::of(&self.next);
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.reserve(group.iter().map(|entry| entry.frame.len()).sum());
        let mut places = Vec::with_capacity(group.len());
        let mut submitted = HashMap::new();
        for (at, entry) in group.iter().enumerate() {
            let place = match self.known(at, entry, &mut submitted) {
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
        if bytes.capacity() <= MAX_KEPT_BYTES {
            self.bytes = bytes;
        }
        // Durable. From here on the entries exist.
        let changed = next.into_changed();
        self.next.extend(changed);
        self.end = writer.end();
        self.writer = Some(writer);
        self.note(group, &places);
        let settled = places.iter().map(|place| match place {
            Err(Refusal::Repeats(first)) => settle(group.get(*first), places.get(*first)),
            place => place.clone(),
        });
        Ok(settled.collect())
    }

    /// Whether a submission's id is on the trail, or stands in the group before it.
    fn known<'a>(
        &self,
        at: usize,
        entry: &'a Entry,
        submitted: &mut HashMap<(&'a str, EventId), usize>,
    ) -> Option<Refusal> {
        let Submitted { seen, order, .. } = entry.submitted.as_ref()?;
        if order.is_broken() {
            return Some(Refusal::Again);
        }
        match self.ids.hot(entry.trail.as_str(), entry.id, *seen) {
            Some(Some(known)) => Some(Refusal::Known(known)),
            Some(None) => {
                let first = *submitted.entry((entry.trail.as_str(), entry.id)).or_insert(at);
                (first != at).then_some(Refusal::Repeats(first))
            }
            None => {
                order.broken();
                Some(Refusal::Again)
            }
        }
    }

    /// Tells the others what is durable now, before anybody gets a receipt.
    fn note(&self, group: &[Entry], places: &[Result<u64, Refusal>]) {
        let written =
            || group.iter().zip(places).filter_map(|(entry, place)| Some((entry, *place.as_ref().ok()?)));
        // A trail's entries of one group stand one behind the other.
        let mut runs: BTreeMap<&str, (Range<u64>, u64, Timestamp)> = BTreeMap::new();
        for (entry, index) in written() {
            let new = (index..index, 0, entry.recorded_at);
            let (indexes, bytes, _) = runs.entry(entry.trail.as_str()).or_insert(new);
            indexes.end = index + 1;
            *bytes += entry.frame.len() as u64;
        }
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        for (trail, (indexes, bytes, recorded_at)) in runs {
            backlog.committed(self.end.sequence, trail, indexes, bytes, recorded_at);
        }
        drop(backlog);
        self.ids.note_all(
            written().map(|(entry, index)| (entry.trail.as_str(), entry.id, entry.known_at(index))),
        );
        self.acknowledged.set(self.end);
    }
}

/// What is said of an entry whose id came before in its group, at the place of `first`.
fn settle(first: Option<&Entry>, place: Option<&Result<u64, Refusal>>) -> Result<u64, Refusal> {
    match (first, place) {
        (Some(first), Some(Ok(index))) => Err(Refusal::Known(first.known_at(*index))),
        (_, Some(Err(refusal))) => Err(refusal.clone()),
        _ => Err(Refusal::Again),
    }
}

/// The next indexes as a group changes them.
struct Changes<'a> {
    current: &'a BTreeMap<String, Next>,
    /// By the name as the entries spell it.
    changed: BTreeMap<&'a str, u64>,
    /// The trails that this group begins, by lowercase name.
    begun: BTreeMap<String, &'a str>,
}

impl<'a> Changes<'a> {
    fn of(current: &'a BTreeMap<String, Next>) -> Changes<'a> {
        Changes { current, changed: BTreeMap::new(), begun: BTreeMap::new() }
    }

    /// Gives out the next index of a trail.
    fn take(&mut self, trail: &'a str) -> Result<u64, Refusal> {
        let index = match self.changed.get(trail) {
            Some(index) => *index,
            None => self.first(trail)?,
        };
        self.changed.insert(trail, index + 1);
        Ok(index)
    }

    /// The index that the first of a group's entries of this trail takes.
    fn first(&mut self, trail: &'a str) -> Result<u64, Refusal> {
        let key = trail.to_ascii_lowercase();
        match (self.current.get(&key), self.begun.get(&key)) {
            (Some(next), _) if next.name == trail => Ok(next.index),
            (Some(next), _) => Err(Refusal::Case(next.name.clone())),
            (None, Some(begun)) => Err(Refusal::Case((*begun).to_owned())),
            (None, None) if self.current.len() + self.begun.len() >= MAX_TRAILS => {
                Err(Refusal::TooManyTrails)
            }
            (None, None) => {
                self.begun.insert(key, trail);
                Ok(0)
            }
        }
    }

    fn into_changed(self) -> Vec<(String, Next)> {
        let next = |(trail, index): (&str, u64)| {
            (trail.to_ascii_lowercase(), Next { name: trail.to_owned(), index })
        };
        self.changed.into_iter().map(next).collect()
    }
}
