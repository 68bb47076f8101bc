//! Sealed files: the bytes that were signed for, every entry of them in the tree, and all their parts there.
//!
//! By default an entry's typed columns are not made again: they were compared with its bytes when it was sealed, and
//! the file's digest in the signed manifest binds them since. A deep check, and a file whose digest is another,
//! make every column anew.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;

use greffier_event::Event;
use greffier_merkle::Hash;
use greffier_merkle::hash::{self, Sha256};
use greffier_merkle::tile::{TileId, WIDTH};
use parquet::file::reader::{ChunkReader, Length};

use super::{Report, World, tiles};
use crate::manifest::{FileRecord, SegmentRecord};
use crate::ngrams::{Built, Opened};
use crate::sealer::MAX_SEGMENT_BYTES;
use crate::segment::{EntriesFile, PartsFile, SegmentError};
use crate::store::Source;
use crate::wal::frame::SealedPart;

/// Entries of one job: two jobs a segment, so that a single one keeps two cores busy, and whole pages of it.
const ENTRIES_PER_JOB: u64 = 32_768;
/// Entries whose parts are looked at together: memory holds those of so many.
const OPENED_AT_ONCE: usize = 32;
/// Bytes that are hashed at a time.
const CHUNK: usize = 256 * 1024;

/// One piece of work on a segment.
pub(super) enum Job<'a> {
    /// The bytes of one of its files.
    Digest(&'a SegmentRecord, &'a FileRecord),
    /// Some of its entries, and whether they are its last.
    Entries(&'a SegmentRecord, Range<u64>),
}

/// All the work on a segment, files before entries.
pub(super) fn jobs(segment: &SegmentRecord) -> impl Iterator<Item = Job<'_>> + Send {
    let files = std::iter::once(&segment.entries).chain(segment.parts.iter().map(|parts| &parts.file));
    let digests = files.map(move |file| Job::Digest(segment, file));
    let mut first = segment.first;
    let ranges = std::iter::from_fn(move || {
        let from = first;
        // On multiples, so that no tile is cut in two.
        first = ((from / ENTRIES_PER_JOB + 1) * ENTRIES_PER_JOB).min(segment.end);
        (from < segment.end).then_some(Job::Entries(segment, from..first))
    });
    digests.chain(ranges)
}

/// Leaves of consecutive entries.
pub(super) enum Piece {
    /// A full level-0 tile by its root; with its leaves where something is signed for in the midst of it.
    Tile { first: u64, root: Hash, leaves: Vec<Hash> },
    /// Fewer.
    Leaves { first: u64, leaves: Vec<Hash> },
}

/// What became of a job.
#[derive(Default)]
pub(super) struct Done {
    pub(super) report: Report,
    pub(super) pieces: Vec<Piece>,
    pub(super) entries: u64,
    /// The trail cannot be followed any further.
    pub(super) broken: bool,
}

impl Job<'_> {
    /// The segment that it is about.
    pub(super) fn segment(&self) -> &SegmentRecord {
        let (Job::Digest(segment, _) | Job::Entries(segment, _)) = self;
        segment
    }

    /// Whether it is the segment's last.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Job::Entries(segment, range) if range.end == segment.end)
    }

    pub(super) fn run(&self, world: &World<'_>) -> Done {
        let mut done = Done::default();
        match self {
            Job::Digest(segment, file) => {
                let sound = digest(world, file, &mut done.report);
                if file.path == segment.entries.path {
                    if world.deep || sound == Some(false) {
                        columns(world, segment, &mut done.report);
                    }
                    index(world, segment, &mut done.report);
                }
            }
            Job::Entries(segment, range) => {
                let walk = Walk::new(world, segment, range.clone());
                done.broken = match open_entries(world, segment, &mut done.report) {
                    Some(file) => !walk.over(&file, &mut done),
                    None => true,
                };
            }
        }
        done
    }
}

/// Holds a file's bytes against what was signed for; `None` where it cannot be read.
fn digest(world: &World<'_>, told: &FileRecord, report: &mut Report) -> Option<bool> {
    let read = || -> io::Result<(u64, String)> {
        let source = world.disk.store().open(&told.path)?;
        let (length, mut reader) = (source.len(), source.get_read(0).map_err(io::Error::other)?);
        if length > MAX_SEGMENT_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "file is larger than greffier writes it",
            ));
        }
        let (mut sha256, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok((length, hex::encode(sha256.finish()))),
                read => sha256.update(chunk.get(..read).unwrap_or_default()),
            }
        }
    };
    match read() {
        Ok((bytes, sha256)) => {
            let found = FileRecord { path: told.path.clone(), bytes, sha256 };
            super::files::compare_records(told, &found, report);
            Some(*told == found)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.problem(&told.path, "the file is missing");
            None
        }
        Err(error) => {
            report.problem(&told.path, format!("cannot be read: {error}"));
            None
        }
    }
}

/// Makes every column anew and names the first that lies.
fn columns(world: &World<'_>, segment: &SegmentRecord, report: &mut Report) {
    let Some(file) = open_entries(world, segment, report) else { return };
    if let Err(error) = file.check(|_, _| ()) {
        report.problem(&segment.entries.path, error.to_string());
    }
}

/// Makes the index of a segment again, if there is one that searches would use: nobody signed it.
fn index(world: &World<'_>, segment: &SegmentRecord, report: &mut Report) {
    let Some(found) = Opened::of(world.disk, &segment.into()) else { return };
    let Some(file) = open_entries(world, segment, report) else { return };
    if found.unpacked().is_some_and(|found| Built::of(&file).is_ok_and(|made| made != found)) {
        let what = "the index is not the one of these entries, searches may miss some: remove it, and `greffier index` makes it again";
        report.problem(found.path(), what);
    }
}

/// Opens the entries of a segment. That the file is missing, its digest says already.
fn open_entries(
    world: &World<'_>,
    segment: &SegmentRecord,
    report: &mut Report,
) -> Option<EntriesFile<Source>> {
    let path = &segment.entries.path;
    let source = world.disk.store().open(path).ok()?;
    let file = EntriesFile::open(source).map_err(|error| report.problem(path, error.to_string())).ok()?;
    if (file.trail().as_str(), file.first(), file.end()) == (&*segment.trail, segment.first, segment.end) {
        Some(file)
    } else {
        report.problem(path, "the file says that it holds other entries than were signed for");
        None
    }
}

/// One way through some entries of a segment.
struct Walk<'a> {
    world: &'a World<'a>,
    segment: &'a SegmentRecord,
    range: Range<u64>,
    /// Leaves of the level-0 tile that is not full.
    open: Vec<Hash>,
    /// Entries whose parts are looked at next.
    waiting: Vec<(u64, Vec<u8>)>,
}

impl<'a> Walk<'a> {
    fn new(world: &'a World<'a>, segment: &'a SegmentRecord, range: Range<u64>) -> Walk<'a> {
        let open = Vec::with_capacity(WIDTH as usize);
        Walk { world, segment, range, open, waiting: Vec::new() }
    }

    /// Returns false where the trail cannot be followed any further.
    fn over(mut self, file: &EntriesFile<Source>, done: &mut Done) -> bool {
        let path = &self.segment.entries.path;
        let parts = self.parts(&mut done.report);
        let counts = parts.as_ref().and_then(|parts| self.counts(parts, &mut done.report));
        let wanted = self.world.outside.leaves(&self.segment.trail, &self.range);
        let walked = file.walk(self.range.clone(), |index, entry, bound| {
            let leaf = hash::leaf(entry);
            for (_, due) in wanted.iter().filter(|(at, due)| *at == index && *due != leaf) {
                done.report.problem(self.place(index), super::outside::other_leaf(due));
            }
            let at = (index - self.range.start) as usize;
            if let Some(stored) = counts.as_ref().and_then(|counts| counts.get(at)) {
                self.count(index, entry, bound, usize::from(*stored), parts.as_deref(), &mut done.report);
            }
            self.push(index, leaf, done);
        });
        self.open_waiting(parts.as_deref().unwrap_or_default(), &mut done.report);
        self.close(self.range.end, done);
        if let Err(error) = &walked {
            done.report.problem(path, error.to_string());
        }
        walked.is_ok()
    }

    fn place(&self, index: u64) -> String {
        format!("{}, trail {} entry {index}", self.segment.entries.path, self.segment.trail)
    }

    fn push(&mut self, index: u64, leaf: Hash, done: &mut Done) {
        self.open.push(leaf);
        done.entries += 1;
        if (index + 1).is_multiple_of(WIDTH) {
            self.close(index + 1, done);
        }
    }

    /// Ends the leaves before `end`.
    fn close(&mut self, end: u64, done: &mut Done) {
        let first = end.saturating_sub(self.open.len() as u64);
        if self.open.len() as u64 == WIDTH {
            let trail = &self.segment.trail;
            let tile = TileId { level: 0, index: first / WIDTH, width: WIDTH as u16 };
            let covered = self.world.signed.covered(trail);
            tiles::check_full(self.world.disk, trail, covered, &tile, &self.open.concat(), &mut done.report);
            let root = hash::root(&self.open);
            let within = self.world.signed.is_due_within(trail, first + 1..end);
            let leaves = if within { self.open.clone() } else { Vec::new() };
            done.pieces.push(Piece::Tile { first, root, leaves });
            self.open.clear();
        } else if !self.open.is_empty() {
            done.pieces.push(Piece::Leaves { first, leaves: std::mem::take(&mut self.open) });
        }
    }

    /// The files of its parts; `None` where one cannot be read, which is said then.
    fn parts(&self, report: &mut Report) -> Option<Vec<(Range<u64>, PartsFile<Source>)>> {
        let ours = |first, end| first < self.range.end && self.range.start < end;
        let records = self.segment.parts.iter().filter(|record| ours(record.first, record.end));
        let mut open = |path: &str| {
            let source = self.world.disk.store().open(path).ok()?;
            PartsFile::open(source).map_err(|error| report.problem(path, error.to_string())).ok()
        };
        records.map(|record| Some((record.first..record.end, open(&record.file.path)?))).collect()
    }

    fn counts(&self, parts: &[(Range<u64>, PartsFile<Source>)], report: &mut Report) -> Option<Vec<u8>> {
        let mut counts = vec![0; (self.range.end - self.range.start) as usize];
        let counted = parts.iter().try_for_each(|(_, file)| file.count(self.range.start, &mut counts));
        counted.map_err(|error| self.unreadable_parts(&error, report)).ok()?;
        Some(counts)
    }

    fn unreadable_parts(&self, error: &SegmentError, report: &mut Report) {
        report.problem(&self.segment.entries.path, format!("its parts cannot be read: {error}"));
    }

    /// As many parts must be stored as the entry binds, but for those that were ordered to go.
    fn count(
        &mut self,
        index: u64,
        entry: &[u8],
        bound: usize,
        stored: usize,
        parts: Option<&[(Range<u64>, PartsFile<Source>)]>,
        report: &mut Report,
    ) {
        let concerned = self.world.absence.concerns(&self.segment.trail);
        if bound != stored && !concerned {
            report.problem(self.place(index), super::other_count(stored, bound));
        } else if self.world.keys.is_none() && !concerned {
            report.parts_unopened += stored as u64;
        } else if stored > 0 || bound > 0 {
            self.waiting.push((index, entry.to_vec()));
            if self.waiting.len() == OPENED_AT_ONCE {
                self.open_waiting(parts.unwrap_or_default(), report);
            }
        }
    }

    /// Looks at the parts themselves, and with keys decrypts them, and holds them against their entries.
    fn open_waiting(&mut self, files: &[(Range<u64>, PartsFile<Source>)], report: &mut Report) {
        let indexes: Vec<u64> = self.waiting.iter().map(|(index, _)| *index).collect();
        let mut found: BTreeMap<u64, Vec<SealedPart<'static>>> = BTreeMap::new();
        for (range, file) in files {
            let wanted: Vec<u64> = indexes.iter().copied().filter(|index| range.contains(index)).collect();
            match file.get_many(&wanted) {
                Ok(read) => found.extend(read),
                Err(error) => self.unreadable_parts(&error, report),
            }
        }
        for (index, entry) in std::mem::take(&mut self.waiting) {
            let sealed = found.remove(&index).unwrap_or_default();
            let found = Event::from_canonical(&entry)
                .map_err(|error| format!("the entry is not a valid event: {error}"))
                .and_then(|event| {
                    let trail = &self.segment.trail;
                    self.world.absence.check(trail, index, &event, &sealed, self.world.keys)
                });
            match found {
                Ok(found) => report.parts(&self.segment.trail, &found),
                Err(what) => report.problem(self.place(index), what),
            }
        }
    }
}
