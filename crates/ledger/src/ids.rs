//! Which ids are on a trail: what makes a repeated submission harmless.
//!
//! Ids of entries in the log are in memory, at most as many as the log holds. Those of sealed entries are looked
//! up in their segments, behind a filter per segment that nearly always says no. All of it is made again from log
//! and segments at start.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greffier_event::{EventId, Tenant};
use greffier_merkle::{Hash, Receipt, hash};

use crate::manifest::{Holds, SegmentRecord};
use crate::peek::Peek;
use crate::sealer::SealError;
use crate::segment::{EntriesFile, IdFilter};
use crate::store::Disk;

/// Filters in memory, some 256 KiB each: those of 64 million entries. Beyond, all are dropped and read again.
const MAX_FILTERS: usize = 1_024;

/// An id that is on its trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) index: u64,
    pub(crate) leaf: Hash,
    /// What its producer sent, as a keyed digest; absent for what Greffier itself said.
    pub(crate) digest: Option<Hash>,
}

impl Known {
    pub(crate) fn receipt(&self, trail: &Tenant) -> Receipt {
        Receipt { trail: trail.as_str().to_owned(), index: self.index, leaf_hash: self.leaf }
    }
}

/// The state of a trail's segments that a look-up has seen: how often it was sealed since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(u64);

/// All ids of all trails.
pub(crate) struct Ids {
    disk: Disk,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hot: HashMap<String, HashMap<EventId, Known>>,
    sealed: BTreeMap<String, Sealed>,
    filters: HashMap<String, Arc<IdFilter>>,
}

/// What is sealed of one trail.
#[derive(Clone, Default)]
struct Sealed {
    segments: Arc<[SegmentRecord]>,
    /// Counts the seals since the start.
    seen: Seen,
}

impl Ids {
    /// Of a directory whose segments are these; the log's entries follow by [`Ids::note`].
    pub(crate) fn new(disk: Disk, holds: &Holds) -> Ids {
        let mut sealed: BTreeMap<String, Vec<SegmentRecord>> = BTreeMap::new();
        for segment in &holds.segments {
            sealed.entry(segment.trail.clone()).or_default().push(segment.clone());
        }
        let since = |segments: Vec<_>| Sealed { segments: segments.into(), seen: Seen::default() };
        let sealed = sealed.into_iter().map(|(trail, segments)| (trail, since(segments))).collect();
        Ids { disk, state: Mutex::new(State { sealed, ..State::default() }) }
    }

    /// Takes note of an entry that is durable in the log.
    pub(crate) fn note(&self, trail: &str, id: EventId, known: Known) {
        self.note_all(std::iter::once((trail, id, known)));
    }

    /// Takes note of a group.
    pub(crate) fn note_all<'a>(&self, group: impl Iterator<Item = (&'a str, EventId, Known)>) {
        let mut state = self.lock();
        for (trail, id, known) in group {
            match state.hot.get_mut(trail) {
                Some(ids) => drop(ids.insert(id, known)),
                None => drop(state.hot.insert(trail.to_owned(), HashMap::from([(id, known)]))),
            }
        }
    }

    /// The entry with this id in the log; for the committer, which may not wait for a disk. `None` when segments
    /// of the trail were sealed since `seen`: then what a look-up has seen is out of date.
    pub(crate) fn hot(&self, trail: &str, id: EventId, seen: Seen) -> Option<Option<Known>> {
        let state = self.lock();
        let known = state.hot.get(trail).and_then(|ids| ids.get(&id)).cloned();
        let now = state.sealed.get(trail).map_or(Seen::default(), |sealed| sealed.seen);
        (known.is_some() || now == seen).then_some(known)
    }

    /// The entry with this id, wherever it is. Blocks when a segment must be read.
    pub(crate) fn look_up(&self, trail: &str, id: EventId) -> Result<(Option<Known>, Seen), SealError> {
        match self.look(trail, id) {
            // Its segment expired meanwhile: it is not among those that there are now.
            Err(SealError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => self.look(trail, id),
            found => found,
        }
    }

    /// [`Ids::look_up`] for many at once: the answers in their order.
    pub(crate) fn look_up_all(
        &self,
        trail: &str,
        ids: &[EventId],
    ) -> Vec<Result<(Option<Known>, Seen), SealError>> {
        let (seen, segments, hot) = {
            let state = self.lock();
            let Sealed { segments, seen } = state.sealed.get(trail).cloned().unwrap_or_default();
            let known = state.hot.get(trail);
            let hot: Vec<Option<Known>> =
                ids.iter().map(|id| known.and_then(|known| known.get(id)).cloned()).collect();
            (seen, segments, hot)
        };
        let filters: Result<Vec<_>, _> = segments.iter().map(|segment| self.filter(segment)).collect();
        let answer = |(id, known): (&EventId, Option<Known>)| match (known, &filters) {
            (Some(known), _) => Ok((Some(known), seen)),
            (None, Ok(filters)) if !filters.iter().any(|filter| filter.may_contain(id)) => Ok((None, seen)),
            // A filter says that it may be there, or cannot be read.
            (None, _) => self.look_up(trail, *id),
        };
        ids.iter().zip(hot).map(answer).collect()
    }

    fn look(&self, trail: &str, id: EventId) -> Result<(Option<Known>, Seen), SealError> {
        let (seen, segments) = {
            let state = self.lock();
            let Sealed { segments, seen } = state.sealed.get(trail).cloned().unwrap_or_default();
            if let Some(known) = state.hot.get(trail).and_then(|ids| ids.get(&id)) {
                return Ok((Some(known.clone()), seen));
            }
            (seen, segments)
        };
        for segment in segments.iter() {
            if !self.filter(segment)?.may_contain(&id) {
                continue;
            }
            let file = EntriesFile::open(self.disk.store().open(&segment.entries.path)?)?;
            let Some(index) = file.find_id(&id)? else { continue };
            let Some(entry) = file.get(index)? else { continue };
            let digest = Peek::of(&entry).and_then(|peek| peek.digest());
            return Ok((Some(Known { index, leaf: hash::leaf(&entry), digest }), seen));
        }
        Ok((None, seen))
    }

    /// Takes note that a trail is sealed up to `end`, in the segments that `holds` names.
    pub(crate) fn sealed(&self, trail: &str, end: u64, holds: &Holds) {
        let mut state = self.lock();
        if let Some(ids) = state.hot.get_mut(trail) {
            ids.retain(|_, known| known.index >= end);
        }
        let sealed = state.sealed.entry(trail.to_owned()).or_default();
        sealed.segments = holds.segments_of(trail).cloned().collect();
        sealed.seen.0 += 1;
    }

    /// Takes note that the start of a trail is gone: an id that was there is as good as new.
    pub(crate) fn cut(&self, trail: &str, holds: &Holds) {
        // What a look-up did not find before, it does not find now: `seen` stays.
        self.lock().sealed.entry(trail.to_owned()).or_default().segments =
            holds.segments_of(trail).cloned().collect();
    }

    fn filter(&self, segment: &SegmentRecord) -> Result<Arc<IdFilter>, SealError> {
        let path = &segment.entries.path;
        if let Some(filter) = self.lock().filters.get(path) {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(EntriesFile::open(self.disk.store().open(path)?)?.id_filter()?);
        let mut state = self.lock();
        if state.filters.len() >= MAX_FILTERS {
            state.filters.clear();
        }
        state.filters.insert(path.clone(), Arc::clone(&filter));
        Ok(filter)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
