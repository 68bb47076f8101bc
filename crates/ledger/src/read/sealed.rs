//! One sealed segment, as a reader uses it: entries and parts by index, ids behind their filter.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use greffier_event::{EventId, Tenant};

use super::filters::Filters;
use super::{Found, ReadError, damaged, io_error};
use crate::manifest::{self, PartsRecord, SegmentRecord};
use crate::peek::Peek;
use crate::sealer::{entries_path, is_parts_path};
use crate::segment::{EntriesFile, ID, PartsFile, SegmentError};
use crate::snapshot::Segment;
use crate::store::{Disk, Source};
use crate::wal::frame::SealedPart;

/// The segments of one trail, by index.
pub(super) type Segments = Arc<[Arc<Sealed>]>;

/// A segment that the manifest names.
#[derive(Debug)]
pub(super) struct Sealed {
    trail: String,
    segment: Arc<Segment>,
    parts: Vec<PartsRecord>,
}

impl Sealed {
    /// A segment as the manifest names it. The names of its files must be those of its own trail and range:
    /// readers that hold no key do not check who signed the manifest.
    pub(super) fn of(disk: &Disk, record: SegmentRecord) -> Result<Arc<Sealed>, ReadError> {
        let SegmentRecord { trail, first, end, entries, parts, .. } = record;
        let named = |parts: &PartsRecord| is_parts_path(&parts.file.path, &trail, parts.first, parts.end);
        let ours = Tenant::new(trail.as_str()).is_ok() && entries.path == entries_path(&trail, first, end);
        if !ours || !parts.iter().all(named) {
            let what =
                format!("the files of the entries {first} to {end} of trail `{trail}` have other names");
            return Err(damaged(manifest::DIR, &what));
        }
        let segment = Segment {
            path: disk.store().location(&entries.path).unwrap_or_else(|| PathBuf::from(&entries.path)),
            key: entries.path,
            first,
            end,
            bytes: entries.bytes,
            sha256: entries.sha256,
            time: SegmentRecord::range(record.time),
            recorded_at: SegmentRecord::range(record.recorded_at),
        };
        Ok(Arc::new(Sealed { trail, segment: Arc::new(segment), parts }))
    }

    /// What a snapshot says of it.
    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Entries by index, with their parts, in order. Every index must be one of this segment.
    pub(super) fn entries(
        &self,
        disk: &Disk,
        tenant: &Tenant,
        indexes: &[u64],
    ) -> Result<Vec<Found>, ReadError> {
        let mut parts = self.parts(disk, indexes)?;
        let entries = self.open(disk)?.get_many(indexes).map_err(self.unreadable())?;
        let found = |(index, entry)| {
            let parts = parts.remove(&index).unwrap_or_default();
            Found { tenant: tenant.clone(), index, entry, parts, orders: Arc::default() }
        };
        Ok(entries.into_iter().map(found).collect())
    }

    /// The bytes of one entry, without its parts.
    pub(super) fn entry(&self, disk: &Disk, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.open(disk)?.get(index).map_err(self.unreadable())
    }

    /// Shows the bytes of every entry, until `visit` breaks.
    pub(super) fn scan(
        &self,
        disk: &Disk,
        visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.open(disk)?.scan(visit).map_err(self.unreadable())
    }

    /// Where the entry with this id stands, if it is here.
    pub(super) fn find(&self, disk: &Disk, filters: &Filters, id: EventId) -> Result<Option<u64>, ReadError> {
        let load = || self.open(disk)?.id_filter().map_err(self.unreadable());
        if !filters.get(&self.segment.key, ID, load)?.may_contain(&id) {
            return Ok(None);
        }
        self.open(disk)?.find_id(&id).map_err(self.unreadable())
    }

    /// The entries that `wanted` wants, `most` at most. Reads every entry.
    pub(super) fn select(
        &self,
        disk: &Disk,
        wanted: impl Fn(&Peek) -> bool,
        most: usize,
    ) -> Result<Vec<u64>, ReadError> {
        let mut found = Vec::new();
        let visit = |index, entry: &[u8]| {
            found.extend(Peek::of(entry).is_some_and(|peek| wanted(&peek)).then_some(index));
            if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.open(disk)?.scan(visit).map_err(self.unreadable())?;
        Ok(found)
    }

    fn open(&self, disk: &Disk) -> Result<EntriesFile<Source>, ReadError> {
        let source = disk.store().open(&self.segment.key).map_err(io_error(&self.segment.key))?;
        let file = EntriesFile::open(source).map_err(self.unreadable())?;
        if (file.trail().as_str(), file.first(), file.end())
            == (&self.trail, self.segment.first, self.segment.end)
        {
            Ok(file)
        } else {
            Err(damaged(&self.segment.key, "the file holds other entries than its name says"))
        }
    }

    fn parts(
        &self,
        disk: &Disk,
        indexes: &[u64],
    ) -> Result<BTreeMap<u64, Vec<SealedPart<'static>>>, ReadError> {
        let mut found = BTreeMap::new();
        for record in &self.parts {
            let inside = indexes.iter().copied().filter(|index| (record.first..record.end).contains(index));
            let inside: Vec<u64> = inside.collect();
            if inside.is_empty() {
                continue;
            }
            let path = &record.file.path;
            let unreadable = |error: SegmentError| damaged(path, &error.to_string());
            let file =
                PartsFile::open(disk.store().open(path).map_err(io_error(path))?).map_err(unreadable)?;
            if file.trail().as_str() != self.trail {
                return Err(damaged(path, "the file holds the parts of another trail"));
            }
            found.extend(file.get_many(&inside).map_err(unreadable)?);
        }
        Ok(found)
    }

    fn unreadable(&self) -> impl Fn(SegmentError) -> ReadError {
        let key = self.segment.key.clone();
        move |error| damaged(&key, &error.to_string())
    }
}
