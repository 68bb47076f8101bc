//! The manifests: what the data directory holds, signed, each naming the one before it.
//!
//! One is written at start, when it covers all that came before; at each seal, when it makes a segment count; and
//! at a clean stop, when it covers everything, so that a flip or a removal anywhere is found. Committing one is
//! the step that decides: what it does not name does not exist.
//!
//! ```text
//! manifests/<20 digits>.note   a signed note under the node trail's key; kept for ever, a chain
//! manifests/<20 digits>.list   the listing whose hash the newest note holds
//! ```
//!
//! Two files, because notes are bounded at 1 MiB and the number of files is not. The note starts with `{`, which
//! no origin does, so that it can never be taken for a checkpoint.

use std::io;

use greffier_event::{Tenant, Timestamp};
use greffier_merkle::Hash;
use greffier_merkle::hash::sha256;
use greffier_merkle::note::{NoteError, SignedNote, Verifier, sign_all};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::keys::KeyRing;
use crate::publish::{MAX_TRUST_BYTES, SUCCESSIONS, TIMESTAMPS, TRAILS, TRUST, origin};
use crate::store::{Disk, join};

pub(crate) mod v1;

/// The directory of the manifests.
pub(crate) const DIR: &str = "manifests";
/// A note has two lines and a signature.
pub(crate) const MAX_NOTE_BYTES: u64 = 64 * 1024;
/// A quarter of a million segments at 500 bytes each, half a million million entries.
pub(crate) const MAX_LIST_BYTES: u64 = 128 * 1024 * 1024;
/// Since 3 a trail may begin behind entry 0.
const VERSION: u8 = 3;
const OLDEST_VERSION: u8 = 2;
/// Folders of a trail whose files are listed one by one.
const BESIDE: [&str; 2] = [SUCCESSIONS, TIMESTAMPS];

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    v: u8,
    sequence: u64,
    /// Lowercase hex SHA-256 of the note before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    clean: bool,
    listing: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    bytes: u64,
    sha256: String,
}

/// Which of its two files is at fault.
pub(crate) enum Flaw {
    Note(String),
    Listing(String),
}

/// What was there, and whether that was all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Counts the manifests of this directory.
    pub(crate) sequence: u64,
    /// Lowercase hex SHA-256 of the note before this one; absent in the first.
    pub(crate) previous: Option<String>,
    /// Whether it was written by a clean stop: then there is no file that it does not cover.
    pub(crate) clean: bool,
    /// What it covers.
    pub(crate) holds: Holds,
}

/// What the directory holds. Tiles and checkpoints are not listed: a trail's size and root say what they must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holds {
    /// The first file of the log that counts; what lies before it is in segments. 0 before there is any.
    pub(crate) floor: u64,
    /// The log's files from the floor on; one that may still grow has a name only.
    pub(crate) wal: Vec<LogRecord>,
    /// The trails, as far as they were signed.
    pub(crate) trails: Vec<TrailRecord>,
    /// The segments, by trail and index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) segments: Vec<SegmentRecord>,
    /// The trails whose start is gone, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cuts: Vec<CutRecord>,
    /// Approved decisions below the floor whose outcome was not below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) open: Vec<Place>,
    /// Entries below the floor that are about keeping and erasing: orders, holds and what became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) orders: Vec<Place>,
    /// All other files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<FileRecord>,
}

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRecord {
    pub(crate) name: String,
    /// Length of the whole file; absent while it may grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Lowercase hex; absent while it may grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// One trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrailRecord {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Lowercase hex.
    pub(crate) root: String,
}

/// One segment: entries `first..end` of a trail, and the files of their parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentRecord {
    pub(crate) trail: String,
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// The trail's root at `end`, lowercase hex.
    pub(crate) root: String,
    /// Earliest and latest `time`, in microseconds.
    pub(crate) time: (i64, i64),
    /// Earliest and latest `recorded_at`, in microseconds.
    pub(crate) recorded_at: (i64, i64),
    pub(crate) entries: FileRecord,
    /// Files of parts, by index; none where no entry has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PartsRecord>,
}

/// The parts of the entries `first..end`, in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartsRecord {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) file: FileRecord,
}

/// A trail of which the entries before `first` are kept no longer. Its tiles are all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CutRecord {
    pub(crate) trail: String,
    /// The first entry that there is.
    pub(crate) first: u64,
    /// The trail's root at `first`, lowercase hex.
    pub(crate) root: String,
    /// The entry that ordered it.
    pub(crate) by: u64,
}

/// One entry by its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) trail: String,
    pub(crate) index: u64,
}

/// One other file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRecord {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Lowercase hex.
    pub(crate) sha256: String,
}

impl LogRecord {
    /// A file that grows no more.
    pub(crate) fn sealed(name: &str, bytes: &[u8]) -> LogRecord {
        let FileRecord { path, bytes, sha256 } = FileRecord::of(name, bytes);
        LogRecord { name: path, bytes: Some(bytes), sha256: Some(sha256) }
    }

    /// A file that may still grow.
    pub(crate) fn growing(name: String) -> LogRecord {
        LogRecord { name, bytes: None, sha256: None }
    }
}

impl FileRecord {
    pub(crate) fn of(path: &str, bytes: &[u8]) -> FileRecord {
        FileRecord { path: path.to_owned(), bytes: bytes.len() as u64, sha256: hex::encode(sha256(bytes)) }
    }
}

impl TrailRecord {
    pub(crate) fn new(name: &str, size: u64, root: &Hash) -> TrailRecord {
        TrailRecord { name: name.to_owned(), size, root: hex::encode(root) }
    }
}

impl SegmentRecord {
    /// The range of `time` or `recorded_at` as timestamps.
    pub(crate) fn range((from, to): (i64, i64)) -> (Timestamp, Timestamp) {
        (Timestamp::from_micros(from), Timestamp::from_micros(to))
    }
}

impl Holds {
    /// The segments of one trail, by index.
    pub(crate) fn segments_of(&self, trail: &str) -> impl Iterator<Item = &SegmentRecord> {
        self.segments.iter().filter(move |segment| segment.trail == trail)
    }

    /// How many entries of a trail are sealed.
    #[cfg(test)]
    pub(crate) fn sealed(&self, trail: &str) -> u64 {
        self.segments_of(trail).map(|segment| segment.end).max().unwrap_or(0)
    }

    /// Every file that a segment consists of.
    pub(crate) fn segment_files(&self) -> impl Iterator<Item = &FileRecord> {
        self.segments.iter().flat_map(|segment| {
            std::iter::once(&segment.entries).chain(segment.parts.iter().map(|parts| &parts.file))
        })
    }

    /// How a trail lost its start, if it did.
    pub(crate) fn cut_of(&self, trail: &str) -> Option<&CutRecord> {
        self.cuts.iter().find(|cut| cut.trail == trail)
    }

    /// The first entry that there is of a trail.
    pub(crate) fn first(&self, trail: &str) -> u64 {
        self.cut_of(trail).map_or(0, |cut| cut.first)
    }

    /// Whether the segments of each trail follow each other from its first entry on, and a trail whose start is gone
    /// has any.
    pub(crate) fn is_contiguous(&self) -> bool {
        let starts = self.cuts.iter().map(|cut| (&cut.trail, cut.first));
        let mut ends: std::collections::BTreeMap<_, _> = starts.collect();
        if ends.len() < self.cuts.len()
            || self.cuts.iter().any(|cut| self.segments_of(&cut.trail).next().is_none())
        {
            return false;
        }
        self.segments.iter().all(|segment| {
            let due = ends.insert(&segment.trail, segment.end).unwrap_or(0);
            segment.first == due && segment.end > segment.first
        })
    }
}

/// The place of a manifest's note.
pub(crate) fn note_path(sequence: u64) -> String {
    format!("{DIR}/{sequence:020}.note")
}

/// The place of a manifest's listing.
pub(crate) fn list_path(sequence: u64) -> String {
    format!("{DIR}/{sequence:020}.list")
}

/// The sequences of all notes on disk, in order.
pub(crate) fn sequences(disk: &Disk) -> io::Result<Vec<u64>> {
    let mut sequences: Vec<u64> = disk
        .store()
        .list(DIR)?
        .into_iter()
        .filter(|listed| !listed.is_dir)
        .filter_map(|listed| {
            let sequence = listed.name.strip_suffix(".note")?.parse().ok()?;
            (note_path(sequence) == join(DIR, &listed.name)).then_some(sequence)
        })
        .collect();
    sequences.sort_unstable();
    Ok(sequences)
}

impl Manifest {
    /// Reads a note and its listing, and names the key that signed. Nothing is parsed before its signature, or
    /// the hash that is signed, holds.
    pub(crate) fn open(
        note: &[u8],
        listing: &[u8],
        verifiers: &[Verifier],
    ) -> Result<(Manifest, String), Flaw> {
        let (head, signer) = open_note(note, verifiers).map_err(Flaw::Note)?;
        let found = FileRecord::of("", listing);
        if (found.bytes, &found.sha256) != (head.listing.bytes, &head.listing.sha256) {
            return Err(Flaw::Listing("the manifest's listing is not the one that was signed".to_owned()));
        }
        let Head { sequence, previous, clean, .. } = head;
        let holds = read_listing(listing).map_err(Flaw::Listing)?;
        Ok((Manifest { sequence, previous, clean, holds }, signer))
    }

    /// The newest manifest on disk, if there is one, with the hash of its note.
    pub(crate) fn read(
        disk: &Disk,
        verifiers: &[Verifier],
    ) -> Result<Option<(Manifest, String)>, LedgerError> {
        let reading = LedgerError::io("read the manifest");
        let Some(&sequence) = sequences(disk).map_err(reading)?.last() else {
            let Some(file) = v1::read(disk).map_err(LedgerError::io("read the manifest"))? else {
                return Ok(None);
            };
            let opened = v1::open(&file, verifiers).map_err(|what| LedgerError::tampered(v1::PATH, what))?;
            return Ok(Some((opened.0, String::new())));
        };
        let read = |path: &str, limit| match disk.store().read(path, limit) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(LedgerError::tampered(path, "the file is missing"))
            }
            result => result.map_err(LedgerError::io("read the manifest")),
        };
        let path = note_path(sequence);
        let note = read(&path, MAX_NOTE_BYTES)?;
        let listing = read(&list_path(sequence), MAX_LIST_BYTES)?;
        let (manifest, _) = Manifest::open(&note, &listing, verifiers).map_err(|flaw| match flaw {
            Flaw::Note(what) => LedgerError::tampered(&path, what),
            Flaw::Listing(what) => LedgerError::tampered(list_path(sequence), what),
        })?;
        if manifest.sequence != sequence {
            return Err(LedgerError::tampered(
                path,
                format!("it says that it is number {}", manifest.sequence),
            ));
        }
        if let Some(previous) = &manifest.previous {
            let before = note_path(sequence - 1);
            if hex::encode(sha256(&read(&before, MAX_NOTE_BYTES)?)) != *previous {
                return Err(LedgerError::tampered(before, "it is not the one that the next one names"));
            }
        }
        Ok(Some((manifest, hex::encode(sha256(&note)))))
    }

    /// The newest manifest if it is newer than `known`, for readers that hold no key: its signature is not
    /// checked, the hash of its listing is.
    pub(crate) fn newer(disk: &Disk, known: u64) -> io::Result<Option<Manifest>> {
        /// The writer removes the listing before last as soon as it has a new one.
        const TRIES: usize = 16;
        // Nearly always there is none, or one more: cheaper than listing all that ever were.
        if known > 0 && !exists(disk, &note_path(known + 1))? {
            return Ok(None);
        }
        for _ in 0..TRIES {
            let Some(&sequence) = sequences(disk)?.last() else {
                // Of a directory of format 1 all that a reader needs is in the log.
                return Ok(None);
            };
            let note = disk.store().read(&note_path(sequence), MAX_NOTE_BYTES)?;
            let listing = match disk.store().read(&list_path(sequence), MAX_LIST_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            let text = std::str::from_utf8(&note).map_err(io::Error::other)?;
            let head: Head = serde_json::from_str(text.lines().next().unwrap_or_default())?;
            if FileRecord::of("", &listing).sha256 != head.listing.sha256 {
                continue;
            }
            let Head { sequence, previous, clean, .. } = head;
            let holds = read_listing(&listing).map_err(io::Error::other)?;
            return Ok(Some(Manifest { sequence, previous, clean, holds }));
        }
        Err(io::Error::other("the manifest changes faster than it can be read"))
    }
}

/// A note of the chain by itself.
pub(crate) struct Link {
    pub(crate) sequence: u64,
    /// The hash that it gives of the note before it.
    pub(crate) previous: Option<String>,
    /// Whether a known key signed it.
    pub(crate) signed: bool,
}

/// Checks a note of the chain alone. `pinned`: a later note names it by its hash. Then none of its keys need be known
/// any more, as after a rotation; a known key's signature must hold all the same.
pub(crate) fn check_note(note: &[u8], verifiers: &[Verifier], pinned: bool) -> Result<Link, String> {
    let (note, signers) = signed_note(note, verifiers)?;
    let signed = match signers {
        Ok(_) => true,
        Err(NoteError::Unsigned) if pinned => false,
        Err(error) => return Err(does_not_hold(&error)),
    };
    read_head(&note).map(|Head { sequence, previous, .. }| Link { sequence, previous, signed })
}

fn open_note(note: &[u8], verifiers: &[Verifier]) -> Result<(Head, String), String> {
    let (signed, signers) = signed_note(note, verifiers)?;
    let signers = signers.map_err(|error| does_not_hold(&error))?;
    let signer = signers.first().map(|signer| signer.name().to_owned()).unwrap_or_default();
    Ok((read_head(&signed)?, signer))
}

/// The note, and which of the known keys signed it.
type Signers<'v> = Result<Vec<&'v Verifier>, NoteError>;

fn signed_note<'v>(note: &[u8], verifiers: &'v [Verifier]) -> Result<(SignedNote, Signers<'v>), String> {
    let note = std::str::from_utf8(note).map_err(|_| "the manifest is not text".to_owned())?;
    let note =
        SignedNote::parse(note).map_err(|error| format!("the manifest is not a signed note: {error}"))?;
    let signers = note.verify(verifiers);
    Ok((note, signers))
}

fn does_not_hold(error: &NoteError) -> String {
    format!("the manifest's signature does not hold under the node's key: {error}")
}

fn read_head(note: &SignedNote) -> Result<Head, String> {
    let head: Head = serde_json::from_str(note.text())
        .map_err(|error| format!("the manifest is signed but not understood: {error}"))?;
    if !(OLDEST_VERSION..=VERSION).contains(&head.v) {
        return Err(format!("the manifest has version {}, which this greffier does not know", head.v));
    }
    Ok(head)
}

fn read_listing(listing: &[u8]) -> Result<Holds, String> {
    let holds: Holds = serde_json::from_slice(listing)
        .map_err(|error| format!("the manifest is signed but not understood: {error}"))?;
    if holds.is_contiguous() { Ok(holds) } else { Err("the manifest's segments leave gaps".to_owned()) }
}

fn exists(disk: &Disk, path: &str) -> io::Result<bool> {
    match disk.store().head(path, 1) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The growing end of the chain: whoever holds it may commit the next manifest.
pub(crate) struct Chain {
    newest: u64,
    /// Hash of the newest note; `None` before the first.
    hash: Option<String>,
    /// Files that a commit made useless and that could not be removed yet.
    stale: Vec<String>,
    /// A commit that failed: it may have come to the disk all the same.
    attempted: Option<Attempt>,
}

/// The note of a commit, and the keys that signed it.
struct Attempt {
    note: String,
    signed_by: Vec<u32>,
}

impl Chain {
    /// Behind the manifest that was read, or at the beginning.
    pub(crate) fn behind(read: Option<&(Manifest, String)>) -> Chain {
        let newest = read.map_or(0, |(manifest, _)| manifest.sequence);
        let hash = read.filter(|_| newest > 0).map(|(_, hash)| hash.clone());
        // A stop or a crash may have left, or brought back, the listing before.
        let stale = if newest > 1 { vec![list_path(newest - 1)] } else { Vec::new() };
        Chain { newest, hash, stale, attempted: None }
    }

    /// The number of the newest.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Signs what the directory holds and makes it count. When this fails, the one before it or this one may be
    /// the newest; the next commit finds out which, and follows it.
    pub(crate) fn commit(
        &mut self,
        disk: &Disk,
        keys: &KeyRing,
        node_origin: &str,
        holds: &Holds,
        clean: bool,
    ) -> io::Result<()> {
        self.settle(disk, keys)?;
        let sequence = self.newest + 1;
        let mut listing = serde_json::to_vec_pretty(holds)?;
        listing.push(b'\n');
        let FileRecord { bytes, sha256: digest, .. } = FileRecord::of("", &listing);
        let previous = self.hash.clone();
        let head = Head { v: VERSION, sequence, previous, clean, listing: Digest { bytes, sha256: digest } };
        let text = serde_json::to_string(&head)? + "\n";
        let signed_by = keys.in_force();
        let signers = keys.signers(&origin(node_origin, Tenant::NODE)).map_err(io::Error::other)?;
        let note = sign_all(&text, signers.iter().map(AsRef::as_ref)).map_err(io::Error::other)?;
        // The listing first: a note must never stand without it.
        disk.replace(&list_path(sequence), &listing)?;
        // From here on the new manifest counts. There is one of each number: nobody's is ever replaced.
        let attempt = Attempt { note, signed_by };
        let created = disk.create(&note_path(sequence), attempt.note.as_bytes());
        if created.is_err() {
            self.attempted = Some(attempt);
            return created;
        }
        self.advance(disk, keys, attempt);
        Ok(())
    }

    /// After a commit that failed: it did not come to the disk, or it is the newest. To write its listing anew would
    /// make the note that may stand there a lie.
    fn settle(&mut self, disk: &Disk, keys: &KeyRing) -> io::Result<()> {
        let path = note_path(self.newest + 1);
        match (disk.store().read(&path, MAX_NOTE_BYTES), self.attempted.take()) {
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            (Ok(found), Some(attempt)) if found == attempt.note.as_bytes() => {
                self.advance(disk, keys, attempt);
                Ok(())
            }
            (Ok(_), _) => {
                let what =
                    format!("{path} was written by another process: stop it, and start this one again");
                Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
            }
            (Err(error), attempted) => {
                self.attempted = attempted;
                Err(error)
            }
        }
    }

    /// A note is on disk: it is the newest.
    fn advance(&mut self, disk: &Disk, keys: &KeyRing, Attempt { note, signed_by }: Attempt) {
        self.newest += 1;
        self.hash = Some(hex::encode(sha256(note.as_bytes())));
        keys.manifest_signed(signed_by);
        // Nobody needs the listing before any more. If it stays, the next commit or the next start removes it.
        self.stale.push(if self.newest > 1 { list_path(self.newest - 1) } else { v1::PATH.to_owned() });
        self.stale.retain(|path| disk.remove(path).is_err());
    }
}

/// The files that are neither log, segment, tile, checkpoint nor manifest: the trust policy, and how trails went on
/// from one key to the next.
pub(crate) fn other_files(disk: &Disk) -> Result<Vec<FileRecord>, LedgerError> {
    let mut files = match disk.store().read(TRUST, MAX_TRUST_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        result => vec![FileRecord::of(TRUST, &result.map_err(LedgerError::io("read the trust policy"))?)],
    };
    let listing = || LedgerError::io("list what lies beside the trails");
    for trail in disk.store().list(TRAILS).map_err(listing())?.into_iter().filter(|listed| listed.is_dir) {
        for path in BESIDE.iter().map(|folder| join(&join(TRAILS, &trail.name), folder)) {
            for file in disk.store().list(&path).map_err(listing())?.into_iter().filter(|file| !file.is_dir) {
                let path = join(&path, &file.name);
                let bytes = disk.store().read(&path, MAX_NOTE_BYTES).map_err(listing())?;
                files.push(FileRecord::of(&path, &bytes));
            }
        }
    }
    Ok(files)
}
