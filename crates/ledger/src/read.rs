//! Reading a data directory: entries, their parts, and proofs. Needs no running ledger and disturbs none.
//!
//! A trail's older entries are in segments, the younger ones in the log. A reader knows the newest manifest and
//! follows the log behind it ([`view`]); each call catches up first, so that it sees everything that was
//! acknowledged before. Beneath: [`tail`] follows the log, [`hot`] keeps what is not sealed, [`sealed`] reads
//! segments.
//!
//! Files may go away under a reader: what was sealed leaves the log, small segments are merged. Then the call
//! catches up and reads again from where the entries are now.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greffier_event::{EventId, Tenant};

use crate::ngrams::Opened as Ngrams;
use crate::peek::Peek;
use crate::segment::{EntriesFile, Offered};
use crate::snapshot::{Segment, Snapshot};
use crate::store::{Disk, Files};
use crate::wal::frame::{self, Read, SealedPart};
use crate::wal::{self, replay::Listing};

mod error;
mod filters;
mod found;
mod hot;
mod orders;
mod prove;
mod sealed;
mod tail;
mod view;
mod vouched;

pub use error::ReadError;
pub(crate) use error::damaged;
use error::{corrupt, io_error};
use filters::Filters;
pub(crate) use found::part_states;
pub use found::{Found, PartState};
use hot::HotEntry;
use sealed::{Sealed, Segments};
pub(crate) use tail::Acknowledged;
use tail::Place;
use view::{TRIES, Trail, View};

/// Events of one call that are returned: a call leaves two, and one per attempt or approval at most.
pub const MAX_CALL_EVENTS: usize = 1_024;
/// Entries that a scan holds in memory at once, with their parts.
const SCAN_ROWS: u64 = 1_024;

/// A data directory, for reading. Clones share what was read of it: the entries that are not sealed yet, at most
/// as many as the log holds (1 GiB), and filters of segments.
#[derive(Clone)]
pub struct Reader {
    disk: Disk,
    view: Arc<Mutex<View>>,
    filters: Arc<Filters>,
    offered: Offered,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// Where an entry is.
enum Whereabouts {
    Hot(HotEntry),
    Sealed(Arc<Sealed>),
}

impl Reader {
    /// Opens a directory that holds a log, beside a running server or not, of any format that was ever released.
    /// Reads nothing of it yet.
    pub fn open(dir: &Path) -> Result<Reader, ReadError> {
        let disk = Disk::new(Arc::new(Files::new(dir)));
        let listing = Listing::read(&disk).map_err(io_error(wal::DIR))?;
        if listing.sequences.is_empty() {
            return Err(ReadError::NotALedger(dir.display().to_string()));
        }
        Ok(Reader::new(disk))
    }

    /// Reads whatever whole frames the log has.
    pub(crate) fn new(disk: Disk) -> Reader {
        Reader::of(disk, None)
    }

    /// Reads what a running ledger writes, up to what it acknowledged.
    pub(crate) fn bounded(disk: Disk, acknowledged: Acknowledged) -> Reader {
        Reader::of(disk, Some(acknowledged))
    }

    /// Offers the rows that it makes to a sealer.
    pub(crate) fn offering(self, offered: Offered) -> Reader {
        Reader { offered, ..self }
    }

    /// Where it reads.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    fn of(disk: Disk, acknowledged: Option<Acknowledged>) -> Reader {
        let view = Arc::new(Mutex::new(View::new(disk.clone(), acknowledged)));
        Reader { disk, view, filters: Arc::default(), offered: Offered::default() }
    }

    /// One trail as it stands now. A trail that nobody has written to is empty. Blocks.
    pub fn snapshot(&self, trail: &Tenant) -> Result<Snapshot, ReadError> {
        let mut view = self.now()?;
        let Some(found) = view.trail_mut(trail.as_str()) else {
            let (segments, hot) = (Vec::new(), Vec::new());
            return Ok(Snapshot { trail: trail.clone(), first: 0, segments, hot, size: 0 });
        };
        let first = found.first();
        let segments = found.sealed.iter().map(|sealed| Arc::clone(sealed.segment())).collect();
        let hot = found.hot.batches().map_err(|error| damaged(trail.as_str(), &error.to_string()))?;
        self.offered.offer(trail.as_str(), found.hot.start(), &hot);
        Ok(Snapshot { trail: trail.clone(), first, segments, hot, size: found.hot.end() })
    }

    /// Whether a segment may hold an entry of which a column of [`crate::segment::FILTERED`] has this value. Its filter is
    /// read once and then held in memory. Of a segment that has no filter, cannot be read or has gone since, nothing is ruled
    /// out: whoever reads it then says what is wrong with it. Blocks.
    pub fn may_hold(&self, segment: &Segment, column: &str, value: &str) -> bool {
        let load = || {
            let source = self.disk.store().open(&segment.key).map_err(drop)?;
            EntriesFile::open(source).and_then(|file| file.filter(column)).map_err(drop)
        };
        let filter = self.filters.get(&segment.key, column, load);
        filter.map_or(true, |filter| filter.may_hold(value))
    }

    /// The index of a segment, which says where in it a text may stand; none where none was made, or it is damaged or of
    /// another file. Blocks.
    pub fn ngrams(&self, segment: &Segment) -> Option<Ngrams> {
        Ngrams::of(&self.disk, &segment.into())
    }

    /// The segments of all trails.
    pub(crate) fn segments(&self) -> Result<Vec<Arc<Segment>>, ReadError> {
        let view = self.now()?;
        let sealed = view.trails().flat_map(|(_, trail)| trail.sealed.iter());
        Ok(sealed.map(|sealed| Arc::clone(sealed.segment())).collect())
    }

    /// Every trail that has entries, and how many, by name.
    pub fn trails(&self) -> Result<Vec<(Tenant, u64)>, ReadError> {
        let view = self.now()?;
        let sizes = view.trails().map(|(name, trail)| (name, trail.hot.end()));
        Ok(sizes.filter_map(|(name, size)| Some((Tenant::new(name).ok()?, size))).collect())
    }

    /// The first entry that there is of a trail: those before it have expired.
    pub fn first(&self, trail: &Tenant) -> Result<u64, ReadError> {
        Ok(self.now()?.trail(trail.as_str()).map_or(0, Trail::first))
    }

    /// Shows every entry of every trail, until `visit` breaks: trail after trail by name, each by index. Entries
    /// that are added meanwhile may be shown or not.
    pub fn scan(&self, mut visit: impl FnMut(Found) -> ControlFlow<()>) -> Result<(), ReadError> {
        for (trail, size) in self.trails()? {
            for first in (self.first(&trail)?..size).step_by(SCAN_ROWS as usize) {
                let indexes: Vec<u64> = (first..size.min(first + SCAN_ROWS)).collect();
                for found in self.entries(&trail, &indexes)? {
                    if visit(found).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The event with this id, on whichever trail.
    pub fn find(&self, id: EventId) -> Result<Option<Found>, ReadError> {
        self.find_among(None, id)
    }

    /// The event with this id on one trail.
    pub fn find_in(&self, trail: &Tenant, id: EventId) -> Result<Option<Found>, ReadError> {
        self.find_among(Some(trail), id)
    }

    /// The events of one call: trail after trail by name, each by index. Reads every entry there is.
    pub fn call(&self, request_id: &str) -> Result<Vec<Found>, ReadError> {
        let of_call = |peek: &Peek| peek.request_id.as_deref() == Some(request_id);
        let places = steadily(|| {
            let mut places = Vec::new();
            for (trail, sealed, hot) in
                self.search(None, |trail| trail.hot.select(of_call, MAX_CALL_EVENTS))?
            {
                let mut indexes = Vec::new();
                for segment in sealed.iter() {
                    indexes.extend(segment.select(&self.disk, of_call, MAX_CALL_EVENTS)?);
                }
                places.extend(indexes.into_iter().chain(hot).map(|index| (trail.clone(), index)));
            }
            places.truncate(MAX_CALL_EVENTS);
            Ok(places)
        })?;
        let found = places.iter().map(|(trail, index)| self.entry(trail, *index));
        found.filter_map(Result::transpose).collect()
    }

    /// One entry by its place.
    pub fn entry(&self, trail: &Tenant, index: u64) -> Result<Option<Found>, ReadError> {
        Ok(self.entries(trail, &[index])?.pop())
    }

    /// Entries by their places, each once, in the order that was asked for; what is not there is left out. All of
    /// them are in memory together, with their parts.
    pub fn entries(&self, trail: &Tenant, indexes: &[u64]) -> Result<Vec<Found>, ReadError> {
        steadily(|| {
            let (places, orders) = {
                let mut view = self.now()?;
                let Some(found) = view.trail_mut(trail.as_str()) else { return Ok(Vec::new()) };
                let places = indexes.iter().filter_map(|index| Some((*index, found.locate(*index)?)));
                (places.collect::<BTreeMap<_, _>>(), found.orders(&self.disk, trail.as_str())?)
            };
            let mut found = self.fetch(trail, &places)?;
            found.values_mut().for_each(|found| found.orders = Arc::clone(&orders));
            Ok(indexes.iter().filter_map(|index| found.remove(index)).collect())
        })
    }

    /// Looks where entries are now; what is sealed, segment by segment.
    fn fetch(
        &self,
        trail: &Tenant,
        places: &BTreeMap<u64, Whereabouts>,
    ) -> Result<BTreeMap<u64, Found>, ReadError> {
        let mut all = BTreeMap::new();
        let mut sealed: BTreeMap<u64, (&Sealed, Vec<u64>)> = BTreeMap::new();
        for (&index, place) in places {
            match place {
                Whereabouts::Hot(HotEntry { entry, parts }) => {
                    let parts = parts.map(|place| self.parts_of(trail, entry, place)).transpose()?;
                    let (tenant, entry) = (trail.clone(), entry.clone());
                    let parts = parts.unwrap_or_default();
                    all.insert(index, Found { tenant, index, entry, parts, orders: Arc::default() });
                }
                Whereabouts::Sealed(segment) => {
                    sealed.entry(segment.segment().first).or_insert((segment, Vec::new())).1.push(index);
                }
            }
        }
        for (segment, indexes) in sealed.into_values() {
            let entries = segment.entries(&self.disk, trail, &indexes)?;
            all.extend(entries.into_iter().map(|found| (found.index, found)));
        }
        Ok(all)
    }

    /// The parts of an entry in the log.
    fn parts_of(
        &self,
        trail: &Tenant,
        entry: &[u8],
        place: Place,
    ) -> Result<Vec<SealedPart<'static>>, ReadError> {
        let path = wal::path(place.file);
        let bytes =
            self.disk.store().read_from(&path, place.offset, place.len.into()).map_err(io_error(&path))?;
        match frame::read(&bytes, 0) {
            Read::Frame(frame, _) if (frame.trail, frame.entry) == (trail.as_str(), entry) => {
                Ok(frame.parts.into_iter().map(SealedPart::into_owned).collect())
            }
            // Disowned since, and gone or others; or damaged, and then it stays so.
            _ => Err(io_error(&format!("{path}, byte {}", place.offset))(io::ErrorKind::NotFound.into())),
        }
    }

    fn find_among(&self, trail: Option<&Tenant>, id: EventId) -> Result<Option<Found>, ReadError> {
        let place = steadily(|| {
            let trails = self.search(trail, |trail| trail.hot.find(id))?;
            if let Some((trail, index)) = trails.iter().find_map(|(trail, _, hot)| Some((trail, (*hot)?))) {
                return Ok(Some((trail.clone(), index)));
            }
            for (trail, sealed, _) in &trails {
                // Events are looked up while they are young.
                for sealed in sealed.iter().rev() {
                    if let Some(index) = sealed.find(&self.disk, &self.filters, id)? {
                        return Ok(Some((trail.clone(), index)));
                    }
                }
            }
            Ok(None)
        })?;
        match place {
            Some((trail, index)) => self.entry(&trail, index),
            None => Ok(None),
        }
    }

    /// One trail or all, at one moment: the segments, and what `hot` finds behind them.
    fn search<T>(
        &self,
        only: Option<&Tenant>,
        hot: impl Fn(&mut Trail) -> T,
    ) -> Result<Vec<(Tenant, Segments, T)>, ReadError> {
        let mut view = self.now()?;
        let wanted = view.trails_mut().filter(|(name, _)| only.is_none_or(|only| only.as_str() == *name));
        let found = wanted.filter_map(|(name, trail)| {
            Some((Tenant::new(name).ok()?, Arc::clone(&trail.sealed), hot(trail)))
        });
        Ok(found.collect())
    }

    /// What is known, caught up.
    fn now(&self) -> Result<MutexGuard<'_, View>, ReadError> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.catch_up()?;
        Ok(view)
    }
}

/// Reads again while files go away under it: each time from where the entries are by then.
fn steadily<T>(read: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
    let mut gone = String::new();
    for _ in 0..TRIES {
        match read() {
            Err(ReadError::Io { place, source }) if source.kind() == io::ErrorKind::NotFound => gone = place,
            result => return result,
        }
    }
    Err(damaged(&gone, "what was written there is missing or damaged"))
}

#[cfg(test)]
mod tests;
