//! Proofs that an entry is on its trail, made of what lies on disk.

use std::io;

use greffier_event::Tenant;
use greffier_merkle::checkpoint::Checkpoint;
use greffier_merkle::proof::{inclusion, tile_reader};
use greffier_merkle::tile::TileId;
use greffier_merkle::tlog_proof::{MAX_EXTRA, TlogProof};

use super::{Found, ReadError, Reader, damaged, io_error};
use crate::disclose::Disclosure;
use crate::heads::Level;
use crate::keys::KeyRing;
use crate::publish::{
    MAX_CHECKPOINT_BYTES, MAX_TRUST_BYTES, SUCCESSIONS, TRAILS, TRUST, checkpoint_path, cosigned_path,
    read_tile, tile_path,
};
use crate::store::join;

impl Reader {
    /// The signed checkpoint of a trail, as it is on disk.
    pub fn checkpoint(&self, trail: &Tenant) -> Result<Option<String>, ReadError> {
        self.note(&checkpoint_path(trail.as_str()))
    }

    /// A signed note at a place, if there is one.
    pub(crate) fn note(&self, place: &str) -> Result<Option<String>, ReadError> {
        match self.disk.store().read(place, MAX_CHECKPOINT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(place)(error)),
            Ok(note) => String::from_utf8(note).map(Some).map_err(|_| damaged(place, "it is not text")),
        }
    }

    /// The directory's own trust policy: its word, to be compared with one from elsewhere.
    pub fn trust(&self) -> Result<String, ReadError> {
        let text = self.disk.store().read(TRUST, MAX_TRUST_BYTES).map_err(io_error(TRUST))?;
        String::from_utf8(text).map_err(|_| damaged(TRUST, "it is not text"))
    }

    /// The notes in which a trail's keys name each other, by the generation of the key that is named.
    pub(crate) fn successions(&self, trail: &Tenant) -> Result<Vec<(u32, String)>, ReadError> {
        let dir = join(&join(TRAILS, trail.as_str()), SUCCESSIONS);
        let listed = match self.disk.store().list(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(io_error(&dir))?,
        };
        let number = |name: &str| name.strip_suffix(".note")?.parse::<u32>().ok();
        let mut notes = Vec::new();
        for (generation, name) in listed.into_iter().filter_map(|file| Some((number(&file.name)?, file.name)))
        {
            notes.extend(self.note(&join(&dir, &name))?.map(|note| (generation, note)));
        }
        notes.sort_unstable();
        Ok(notes)
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

    /// The newest checkpoint of a trail that enough witnesses cosigned, as it is on disk.
    pub fn cosigned(&self, trail: &Tenant) -> Result<Option<String>, ReadError> {
        let place = cosigned_path(trail.as_str());
        match self.disk.store().read(&place, MAX_CHECKPOINT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&place)(error)),
            Ok(note) => String::from_utf8(note).map(Some).map_err(|_| damaged(&place, "it is not text")),
        }
    }

    /// A C2SP proof that the entry is on its trail: against the checkpoint that witnesses cosigned if that covers it,
    /// else against the one that we signed. `extra` carries the entry, and with keys as many of its parts as fit:
    /// see [`Disclosure`].
    pub fn prove(&self, trail: &Tenant, index: u64, keys: Option<&KeyRing>) -> Result<TlogProof, ReadError> {
        match self.prove_at(trail, index, keys, Level::Witnessed) {
            Err(ReadError::NotCovered { .. }) => self.prove_at(trail, index, keys, Level::Integrated),
            proof => proof,
        }
    }

    /// [`Reader::prove`], against the checkpoint of one level.
    pub fn prove_at(
        &self,
        trail: &Tenant,
        index: u64,
        keys: Option<&KeyRing>,
        level: Level,
    ) -> Result<TlogProof, ReadError> {
        // The checkpoint first: whatever it covers is in the log and in tiles already.
        let checkpoint = match level {
            Level::Witnessed => self.cosigned(trail)?,
            Level::Durable | Level::Integrated => self.checkpoint(trail)?,
        };
        let no_entry = || ReadError::NoEntry { trail: trail.to_string(), index };
        let Some(found) = self.entry(trail, index)? else {
            let (name, first) = (trail.to_string(), self.first(trail)?);
            return Err(if index < first {
                ReadError::Expired { trail: name, index, first }
            } else {
                no_entry()
            });
        };
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
            Some(keys) => found.parts(keys)?,
            None => Vec::new(),
        };
        let extra = Disclosure::of(found.entry.clone(), &parts).into_bytes_within(MAX_EXTRA);
        Ok(TlogProof { extra: Some(extra), index, hashes, checkpoint: note })
    }
}

/// What a checkpoint says, its signature unchecked: whoever verifies the proof checks it.
fn checkpoint_of(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(greffier_merkle::note::SignedNote::parse(note).ok()?.text()).ok()
}
