//! The sealer: entries that are durable and signed for leave the log and become segments.
//!
//! One segment at a time, in steps of which a crash may follow any: its files are written and read back, a
//! manifest makes them count, and only then do the files of the log go that nobody needs any more. What a crash
//! leaves over, the next start removes.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use greffier_event::{Tenant, Timestamp};
use greffier_merkle::hash;
use greffier_merkle::tile::TileBuilder;

use crate::backlog::{Backlog, Due, SealPolicy};
use crate::erase::Notice;
use crate::ids::Ids;
use crate::keys::KeyRing;
use crate::manifest::{Chain, FileRecord, Holds, PartsRecord, Place, SegmentRecord, TrailRecord};
use crate::ngrams;
use crate::open_decisions::OpenDecisions;
use crate::peek::Peek;
use crate::publish::{TRAILS, read_tile};
use crate::segment::{EntriesFile, EntriesWriter, Offered, PartsWriter, SegmentError, Written};
use crate::store::{Disk, UNFINISHED, parent};
use crate::wal;
use crate::wal::replay::{Corruption, Listing, LogFile};

mod cut;
mod drain;
mod rewrite;

pub(crate) use rewrite::Wanted;

/// A file of entries or parts that is larger was not written by us: the log seals a trail at 256 MiB.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;
/// How long a superseded file stays: readers open what their snapshot names, and a query ends well before.
const GRACE: Duration = Duration::from_secs(15 * 60);
/// Small segments of one block are written anew together while they have fewer bytes than this in all.
const MAX_MERGE_BYTES: u64 = 64 * 1024 * 1024;
/// And while the oldest of their entries was recorded no longer before the youngest: a month, in microseconds.
const MERGE_SPAN: i64 = 31 * 86_400_000_000;

/// Why a segment could not be sealed; nothing is lost, its entries stay in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Log(Corruption),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("the entries {first} to {end} of trail `{trail}` in the log are not those that were signed")]
    NotSigned { trail: String, first: u64, end: u64 },
    #[error("the log does not hold the entries {first} to {end} of trail `{trail}`")]
    Missing { trail: String, first: u64, end: u64 },
}

/// The directory of a trail's files of entries.
pub(crate) fn entries_path(trail: &str, first: u64, end: u64) -> String {
    format!("{TRAILS}/{trail}/segments/{first:020}-{end:020}.parquet")
}

/// The directory of a trail's files of parts.
pub(crate) fn parts_path(trail: &str, first: u64, end: u64) -> String {
    format!("{TRAILS}/{trail}/parts/{first:020}-{end:020}.parquet")
}

/// The place of a file of parts that takes the place of another.
pub(crate) fn rewritten_path(trail: &str, first: u64, end: u64, manifest: u64) -> String {
    format!("{TRAILS}/{trail}/parts/{first:020}-{end:020}.{manifest:020}.parquet")
}

/// Whether a file of these parts may lie there.
pub(crate) fn is_parts_path(path: &str, trail: &str, first: u64, end: u64) -> bool {
    let manifest = path.strip_suffix(".parquet").and_then(|path| path.rsplit_once('.')?.1.parse().ok());
    path == parts_path(trail, first, end)
        || manifest.is_some_and(|manifest| path == rewritten_path(trail, first, end, manifest))
}

/// Holds the chain of manifests, and with it the word on what counts.
pub(crate) struct Sealer {
    disk: Disk,
    keys: Arc<KeyRing>,
    node_origin: String,
    policy: SealPolicy,
    chain: Chain,
    holds: Holds,
    /// What was open where the log begins.
    open: OpenDecisions,
    backlog: Arc<Mutex<Backlog>>,
    ids: Arc<Ids>,
    /// Rows that readers of this process made.
    offered: Offered,
    /// Files of the log that are sealed and may still be there.
    spent: BTreeSet<u64>,
    /// Files that no manifest names any more, and since when.
    superseded: Vec<(Instant, String)>,
    /// Files that hold what was erased, and could not be removed yet.
    erased: BTreeSet<String>,
    /// Files that were begun and may be named by a manifest of which we do not know whether it counts.
    unsure: BTreeSet<String>,
}

/// What a sealer starts from.
pub(crate) struct Start {
    pub(crate) disk: Disk,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) node_origin: String,
    pub(crate) policy: SealPolicy,
    pub(crate) chain: Chain,
    pub(crate) holds: Holds,
    pub(crate) open: OpenDecisions,
    pub(crate) backlog: Arc<Mutex<Backlog>>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) offered: Offered,
}

/// A segment in memory, not yet on disk.
struct Made {
    written: Written,
    parts: Option<Vec<u8>>,
    /// The small segments that it takes the place of.
    merged: Vec<SegmentRecord>,
    tree: TileBuilder,
}

impl Sealer {
    pub(crate) fn new(start: Start) -> Sealer {
        let Start { disk, keys, node_origin, policy, chain, holds, open, backlog, ids, offered } = start;
        let (superseded, spent) = (Vec::new(), BTreeSet::new());
        let (erased, unsure) = (BTreeSet::new(), BTreeSet::new());
        Sealer {
            disk,
            keys,
            node_origin,
            policy,
            chain,
            holds,
            open,
            backlog,
            ids,
            offered,
            spent,
            superseded,
            erased,
            unsure,
        }
    }

    /// Seals one segment, if one is due, and says whether there was. `now` is the wall clock.
    pub(crate) fn step(&mut self, now: Timestamp) -> Result<bool, SealError> {
        self.remove_superseded();
        if let Err(error) = self.remove_spent() {
            tracing::warn!(%error, "a file of the log that is sealed cannot be removed yet");
        }
        self.settle_doubt()?;
        if !self.keys.manifest_is_current() {
            // Other keys sign now: they vouch for what is there before the old ones are forgotten.
            self.chain.commit(&self.disk, &self.keys, &self.node_origin, &self.holds, false)?;
        }
        let due = self.backlog().due(now, &self.policy);
        let Some(due) = due else { return Ok(false) };
        self.seal(&due)?;
        Ok(true)
    }

    /// Seals one segment.
    fn seal(&mut self, due: &Due) -> Result<(), SealError> {
        let made = self.make(due)?;
        self.unsure.insert(entries_path(&due.trail, made.written.first, due.end));
        self.unsure.insert(parts_path(&due.trail, due.first, due.end));
        // The files first: durable under their names, and the same when read back.
        let record = self.write(due, &made)?;
        // Then the word that they count, together with the word on which log files still do.
        let (holds, open) = self.next_holds(due, record, &made)?;
        self.chain.commit(&self.disk, &self.keys, &self.node_origin, &holds, false)?;
        self.unsure.clear();
        // Sealed. What follows is only tidying up.
        self.spent.extend(self.holds.floor..holds.floor);
        self.settle(due, &made, holds, open);
        Ok(self.remove_spent()?)
    }

    /// The first entry that there is of a trail.
    pub(crate) fn first(&self, trail: &str) -> u64 {
        self.holds.first(trail)
    }

    /// The newest manifest.
    pub(crate) fn manifest(&self) -> u64 {
        self.chain.newest()
    }

    /// Ends sealing: what a clean stop may not leave behind goes, and the rest is handed over.
    pub(crate) fn finish(mut self) -> io::Result<(Chain, Holds)> {
        self.settle_doubt()?;
        self.remove_erased()?;
        for (_, path) in &self.superseded {
            remove(&self.disk, path)?;
        }
        // Files of the log that could not be removed when they were spent.
        let listed = Listing::read(&self.disk)?.sequences;
        for sequence in listed.into_iter().filter(|sequence| *sequence < self.holds.floor) {
            self.disk.remove(&wal::path(sequence))?;
        }
        Ok((self.chain, self.holds))
    }

    /// After a seal that failed: says once more what counts, so that it is known, and removes what does not.
    fn settle_doubt(&mut self) -> io::Result<()> {
        if self.unsure.is_empty() {
            return Ok(());
        }
        self.chain.commit(&self.disk, &self.keys, &self.node_origin, &self.holds, false)?;
        for path in &self.unsure {
            remove(&self.disk, &format!("{path}{UNFINISHED}"))?;
            remove(&self.disk, path)?;
        }
        self.unsure.clear();
        Ok(())
    }

    /// Whether nothing may be added to the log before more of it is sealed.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog().is_behind(&self.policy)
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gathers the entries and parts, and holds them against the tree that was signed.
    fn make(&self, due: &Due) -> Result<Made, SealError> {
        let trail = &due.trail;
        let tenant = Tenant::new(trail.as_str()).map_err(io::Error::other)?;
        let merged = self.mergeable(due);
        let first = merged.first().map_or(due.first, |segment| segment.first);
        let mut entries = EntriesWriter::with(&tenant, first, self.offered.clone())?;
        for segment in &merged {
            let file = EntriesFile::open(self.disk.store().open(&segment.entries.path)?)?;
            let mut failed = None;
            file.scan(|index, entry| match entries.push(index, entry) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })?;
            failed.map_or(Ok(()), Err)?;
        }
        let mut parts = PartsWriter::new(&tenant);
        let tiles =
            |size| TileBuilder::resume(size, |tile| read_tile(&self.disk, trail, &tile).ok().flatten());
        let not_signed = || SealError::NotSigned { trail: trail.clone(), first: due.first, end: due.end };
        let mut tree = tiles(due.first).ok_or_else(not_signed)?;
        let last = due.files.last().copied();
        'files: for &sequence in &due.files {
            let file =
                LogFile::read(&self.disk, sequence, Some(sequence) != last)?.map_err(SealError::Log)?;
            for frame in file.frames() {
                let (_, frame) = frame.map_err(SealError::Log)?;
                if frame.trail != trail.as_str() || frame.index < due.first {
                    continue;
                }
                if frame.index >= due.end {
                    break 'files;
                }
                if frame.index != tree.size() {
                    break 'files;
                }
                tree.push(hash::leaf(frame.entry));
                entries.push(frame.index, frame.entry)?;
                parts.push(frame.index, &frame.parts)?;
            }
        }
        if tree.size() != due.end {
            return Err(SealError::Missing { trail: trail.clone(), first: due.first, end: due.end });
        }
        if tiles(due.end).is_none_or(|signed| signed.root() != tree.root()) {
            return Err(not_signed());
        }
        Ok(Made { written: entries.finish()?, parts: parts.finish()?, merged, tree })
    }

    /// The small segments at the beginning of the block that is sealed further.
    fn mergeable(&self, due: &Due) -> Vec<SegmentRecord> {
        let block = due.first / self.policy.entries * self.policy.entries;
        let mut small: Vec<SegmentRecord> =
            self.holds.segments_of(&due.trail).filter(|segment| segment.first >= block).cloned().collect();
        // Those that are much older stay by themselves: entries expire by whole segments.
        let until = small.last().map_or(0, |segment| segment.recorded_at.1);
        let young = |segment: &SegmentRecord| until.saturating_sub(segment.recorded_at.0) <= MERGE_SPAN;
        let old = small.iter().rposition(|segment| !young(segment)).map_or(0, |at| at + 1);
        let small = small.split_off(old);
        let bytes: u64 = small.iter().map(|segment| segment.entries.bytes).sum();
        if bytes <= MAX_MERGE_BYTES { small } else { Vec::new() }
    }

    /// Puts the files in place and reads them back.
    fn write(&self, due: &Due, made: &Made) -> Result<SegmentRecord, SealError> {
        let Made { written, parts, merged, tree } = made;
        let path = entries_path(&due.trail, written.first, due.end);
        let mut files = vec![(path.clone(), written.bytes.as_slice())];
        let mut records: Vec<PartsRecord> = merged.iter().flat_map(|segment| segment.parts.clone()).collect();
        if let Some(bytes) = parts {
            let path = parts_path(&due.trail, due.first, due.end);
            records.push(PartsRecord { first: due.first, end: due.end, file: FileRecord::of(&path, bytes) });
            files.push((path, bytes.as_slice()));
        }
        self.disk.replace_all(&files)?;
        for (path, bytes) in &files {
            if self.disk.store().read(path, MAX_SEGMENT_BYTES)? != *bytes {
                return Err(io::Error::other(format!("`{path}` is not what was written")).into());
            }
        }
        EntriesFile::open(self.disk.store().open(&path)?)?.check_written(written)?;
        Ok(SegmentRecord {
            trail: due.trail.clone(),
            first: written.first,
            end: due.end,
            root: hex::encode(tree.root()),
            time: (written.time.0.as_micros(), written.time.1.as_micros()),
            recorded_at: (written.recorded_at.0.as_micros(), written.recorded_at.1.as_micros()),
            entries: FileRecord::of(&path, &written.bytes),
            parts: records,
        })
    }

    /// What the directory holds with the new segment, and which log files it then needs no more.
    fn next_holds(
        &self,
        due: &Due,
        record: SegmentRecord,
        made: &Made,
    ) -> Result<(Holds, OpenDecisions), SealError> {
        let mut holds = self.holds.clone();
        let head = TrailRecord::new(&due.trail, due.end, &made.tree.root());
        match holds.trails.iter_mut().find(|trail| trail.name == due.trail) {
            Some(trail) if trail.size >= due.end => {}
            Some(trail) => *trail = head,
            None => holds.trails.push(head),
        }
        holds.segments.retain(|segment| !made.merged.contains(segment));
        let at = holds
            .segments
            .partition_point(|segment| (&segment.trail, segment.first) < (&record.trail, record.first));
        holds.segments.insert(at, record);
        let spent = self.backlog().spent_with(&due.trail, due.end);
        let open = self.spend(&mut holds, &spent)?;
        Ok((holds, open))
    }

    /// Raises the floor above files of the log that nobody needs any more, and keeps what they said that must
    /// not be forgotten: which decisions are open, and what was ordered about keeping and erasing.
    fn spend(&self, holds: &mut Holds, spent: &[u64]) -> Result<OpenDecisions, SealError> {
        let mut open = self.open.clone();
        for &sequence in spent {
            let file = LogFile::read(&self.disk, sequence, true)?.map_err(SealError::Log)?;
            for frame in file.frames() {
                let (_, frame) = frame.map_err(SealError::Log)?;
                if open.may_change(frame.entry)
                    && let Some(peek) = Peek::of(frame.entry)
                {
                    open.note(frame.trail, frame.index, frame.entry, &peek);
                }
                if Notice::read(frame.trail, frame.index, frame.entry).is_some() {
                    holds.orders.push(Place { trail: frame.trail.to_owned(), index: frame.index });
                }
            }
        }
        if let Some(last) = spent.last() {
            holds.floor = last + 1;
            let kept = wal::path(holds.floor);
            holds.wal.retain(|record| record.name >= kept);
            holds.open = open.places().into_iter().map(|(trail, index)| Place { trail, index }).collect();
        }
        Ok(open)
    }

    /// Takes over the new state once it counts.
    fn settle(&mut self, due: &Due, made: &Made, holds: Holds, open: OpenDecisions) {
        let now = Instant::now();
        self.superseded.extend(made.merged.iter().map(|segment| (now, segment.entries.path.clone())));
        let mut backlog = self.backlog();
        backlog.sealed(&due.trail, due.end, made.written.recorded_at.1);
        backlog.forget(holds.floor);
        drop(backlog);
        self.ids.sealed(&due.trail, due.end, &holds);
        self.offered.withdraw(&due.trail, due.end);
        self.holds = holds;
        self.open = open;
    }

    /// Removes files of the log that are sealed, for good. What cannot be removed now is tried again.
    fn remove_spent(&mut self) -> io::Result<()> {
        if self.spent.is_empty() {
            return Ok(());
        }
        for sequence in &self.spent {
            self.disk.remove(&wal::path(*sequence))?;
        }
        self.disk.store().sync_dir(wal::DIR)?;
        self.spent.clear();
        Ok(())
    }

    /// Removes files that have been superseded for long enough. One that cannot be removed now is tried again.
    fn remove_superseded(&mut self) {
        let disk = &self.disk;
        self.superseded.retain(|(since, path)| since.elapsed() < GRACE || remove(disk, path).is_err());
    }
}

/// Removes a file with its index, and its folder with the last of them; one that is gone already is fine.
fn remove(disk: &Disk, path: &str) -> io::Result<()> {
    for path in ngrams::path_of(path).iter().map(String::as_str).chain([path]) {
        disk.remove(path)?;
        disk.remove_empty(parent(path));
    }
    Ok(())
}
