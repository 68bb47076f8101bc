//! Reading a data directory: entries, their parts, and proofs. Needs no running ledger and disturbs none.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use greffier_event::{Event, EventId, InvalidEvent, Tenant};
use greffier_merkle::checkpoint::Checkpoint;
use greffier_merkle::proof::{inclusion, tile_reader};
use greffier_merkle::tile::TileId;
use greffier_merkle::tlog_proof::{MAX_EXTRA, TlogProof};
use greffier_merkle::{Hash, hash};
use serde::Deserialize;

use crate::disclose::Disclosure;
use crate::keys::KeyRing;
use crate::publish::{MAX_CHECKPOINT_BYTES, checkpoint_path, read_tile, tile_path};
use crate::seal::{self, OpenedPart};
use crate::store::{Disk, Files};
use crate::wal::frame::{Frame, SealedPart};
use crate::wal::replay::{Corruption, Listing, LogFile};

/// Events of one call that are returned: a call leaves two, and one per attempt or approval at most.
pub const MAX_CALL_EVENTS: usize = 1_024;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no ledger.
    #[error("`{0}` is not a greffier data directory")]
    NotALedger(String),
    /// The operating system refused.
    #[error("cannot read `{place}`: {source}")]
    Io {
        /// What was read.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log is damaged.
    #[error("{place}: {what}; run `greffier verify`")]
    Damaged {
        /// File and byte.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// An entry is not an event.
    #[error("the entry is not a valid event: {0}")]
    Event(#[from] InvalidEvent),
    /// The trail has no checkpoint, or it does not reach the entry yet.
    #[error("no checkpoint covers entry {index} of trail `{trail}` yet: one is signed each second")]
    NotCovered {
        /// The trail.
        trail: String,
        /// The entry.
        index: u64,
    },
    /// There is no such entry.
    #[error("trail `{trail}` has no entry {index}")]
    NoEntry {
        /// The trail.
        trail: String,
        /// The entry.
        index: u64,
    },
    /// A part's holder has no key.
    #[error("part `{0}` cannot be opened: its holder has no key here")]
    NoKey(String),
    /// A part does not open, or is not the one that the entry binds.
    #[error("part `{0}` is damaged or was exchanged; run `greffier verify`")]
    Part(String),
}

/// One entry as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its trail.
    pub tenant: Tenant,
    /// Its place on the trail.
    pub index: u64,
    /// The exact bytes that the leaf hash covers.
    pub entry: Vec<u8>,
    parts: Vec<SealedPart<'static>>,
}

impl Found {
    fn of(frame: Frame<'_>) -> Option<Found> {
        let tenant = Tenant::new(frame.trail).ok()?;
        let parts = frame.parts.into_iter().map(SealedPart::into_owned).collect();
        Some(Found { tenant, index: frame.index, entry: frame.entry.to_vec(), parts })
    }

    /// The event.
    pub fn event(&self) -> Result<Event, ReadError> {
        Ok(Event::from_canonical(&self.entry)?)
    }

    /// Its leaf in the tree.
    pub fn leaf_hash(&self) -> Hash {
        hash::leaf(&self.entry)
    }

    /// Its parts, decrypted and held against what the entry binds.
    pub fn open_parts(&self, keys: &KeyRing) -> Result<Vec<OpenedPart>, ReadError> {
        open_parts(&self.event()?, &self.parts, keys)
    }
}

/// Opens an event's parts and checks them against its `parts_root`.
pub(crate) fn open_parts(
    event: &Event,
    sealed: &[SealedPart<'_>],
    keys: &KeyRing,
) -> Result<Vec<OpenedPart>, ReadError> {
    if sealed.len() != event.parts.len() {
        return Err(ReadError::Part("parts".to_owned()));
    }
    let mut opened = Vec::with_capacity(sealed.len());
    for (part, sealed) in event.parts.iter().zip(sealed) {
        let key = keys.holder_key(&sealed.holder).ok_or_else(|| ReadError::NoKey(part.name.clone()))?;
        let part =
            seal::open(&event.id, part, sealed, &key).map_err(|_| ReadError::Part(part.name.clone()))?;
        opened.push(part);
    }
    let commitments: Vec<Hash> = opened.iter().map(|part| part.commitment(&event.id)).collect();
    let root = (!commitments.is_empty()).then(|| seal::parts_root(&commitments));
    if root == event.parts_root { Ok(opened) } else { Err(ReadError::Part("parts".to_owned())) }
}

/// A data directory, for reading. Every call reads the files as they are then.
#[derive(Clone)]
pub struct Reader {
    disk: Disk,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a directory that holds a log.
    pub fn open(dir: &Path) -> Result<Reader, ReadError> {
        let disk = Disk::new(Arc::new(Files::new(dir)));
        let listing = Listing::read(&disk).map_err(io_error(crate::wal::DIR))?;
        if listing.sequences.is_empty() {
            return Err(ReadError::NotALedger(dir.display().to_string()));
        }
        Ok(Reader { disk })
    }

    /// Shows every entry of every trail in the order of the log, until `visit` breaks. Keeps one file of the
    /// log in memory. A torn tail is where the log ends.
    pub fn scan(&self, mut visit: impl FnMut(Found) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.frames(|frame| Found::of(frame).map_or(ControlFlow::Continue(()), &mut visit))
    }

    /// The event with this id.
    pub fn find(&self, id: EventId) -> Result<Option<Found>, ReadError> {
        let wanted = |peek: &Peek| peek.id == id;
        Ok(self.select(wanted, 1)?.pop())
    }

    /// The events of one call, in order.
    pub fn call(&self, request_id: &str) -> Result<Vec<Found>, ReadError> {
        self.select(|peek| peek.request_id.as_deref() == Some(request_id), MAX_CALL_EVENTS)
    }

    /// One entry by its place.
    pub fn entry(&self, trail: &Tenant, index: u64) -> Result<Option<Found>, ReadError> {
        let mut found = None;
        self.frames(|frame| {
            if frame.index != index || frame.trail != trail.as_str() {
                return ControlFlow::Continue(());
            }
            found = Found::of(frame);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// The signed checkpoint of a trail, as it is on disk.
    pub fn checkpoint(&self, trail: &Tenant) -> Result<Option<String>, ReadError> {
        let place = checkpoint_path(trail.as_str());
        match self.disk.store().read(&place, MAX_CHECKPOINT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&place)(error)),
            Ok(note) => String::from_utf8(note).map(Some).map_err(|_| damaged(&place, "it is not text")),
        }
    }

    /// A hash tile of a trail. Of a partial tile that was removed because a wider one holds it, the beginning of
    /// that one.
    pub fn tile(&self, trail: &Tenant, tile: TileId) -> Result<Option<Vec<u8>>, ReadError> {
        let path = tile_path(trail.as_str(), &tile);
        match read_tile(&self.disk, trail.as_str(), &tile).map_err(io_error(&path))? {
            Some(bytes) if bytes.len() < tile.byte_len() => Err(damaged(&path, "the tile is cut short")),
            found => Ok(found),
        }
    }

    /// A C2SP proof that the entry is on its trail, against the stored checkpoint. `extra` carries the entry,
    /// and with keys as many of its parts as fit: see [`Disclosure`].
    pub fn prove(&self, trail: &Tenant, index: u64, keys: Option<&KeyRing>) -> Result<TlogProof, ReadError> {
        // The checkpoint first: whatever it covers is in the log and in tiles already.
        let checkpoint = self.checkpoint(trail)?;
        let no_entry = || ReadError::NoEntry { trail: trail.to_string(), index };
        let found = self.entry(trail, index)?.ok_or_else(no_entry)?;
        self.prove_found(&found, checkpoint, keys)
    }

    fn prove_found(
        &self,
        found: &Found,
        checkpoint: Option<String>,
        keys: Option<&KeyRing>,
    ) -> Result<TlogProof, ReadError> {
        let (trail, index) = (&found.tenant, found.index);
        let not_covered = || ReadError::NotCovered { trail: trail.to_string(), index };
        let note = checkpoint.ok_or_else(not_covered)?;
        let head = checkpoint_of(&note)
            .ok_or_else(|| damaged(&checkpoint_path(trail.as_str()), "it does not parse"))?;
        if index >= head.size {
            return Err(not_covered());
        }
        let mut read = tile_reader(head.size, |tile| self.tile(trail, tile).ok().flatten());
        let hashes = inclusion(index, head.size, &mut read)
            .ok_or_else(|| damaged(&checkpoint_path(trail.as_str()), "its tiles are missing"))?;
        let parts = match keys {
            Some(keys) => found.open_parts(keys)?,
            None => Vec::new(),
        };
        let extra = Disclosure::new(found.entry.clone(), &parts).into_bytes_within(MAX_EXTRA);
        Ok(TlogProof { extra: Some(extra), index, hashes, checkpoint: note })
    }

    fn select(&self, wanted: impl Fn(&Peek) -> bool, most: usize) -> Result<Vec<Found>, ReadError> {
        let mut found = Vec::new();
        self.frames(|frame| {
            if serde_json::from_slice(frame.entry).is_ok_and(|peek| wanted(&peek)) {
                found.extend(Found::of(frame));
            }
            if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }

    fn frames(&self, mut visit: impl FnMut(Frame<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        let listing = Listing::read(&self.disk).map_err(io_error(crate::wal::DIR))?;
        for &sequence in &listing.sequences {
            let followed = listing.sequences.last() != Some(&sequence);
            let file = LogFile::read(&self.disk, sequence, followed)
                .map_err(io_error(&crate::wal::path(sequence)))?
                .map_err(corrupt)?;
            for frame in file.frames() {
                let (_, frame) = frame.map_err(corrupt)?;
                if visit(frame).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The fields that entries are looked up by.
#[derive(Deserialize)]
struct Peek {
    id: EventId,
    request_id: Option<String>,
}

/// What a checkpoint says, its signature unchecked: whoever verifies the proof checks it.
fn checkpoint_of(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(greffier_merkle::note::SignedNote::parse(note).ok()?.text()).ok()
}

fn io_error(place: &str) -> impl FnOnce(io::Error) -> ReadError {
    let place = place.to_owned();
    move |source| ReadError::Io { place, source }
}

fn damaged(place: &str, what: &str) -> ReadError {
    ReadError::Damaged { place: place.to_owned(), what: what.to_owned() }
}

fn corrupt(corruption: Corruption) -> ReadError {
    let place = format!("{}, byte {}", corruption.file, corruption.offset);
    ReadError::Damaged { place, what: corruption.what }
}
