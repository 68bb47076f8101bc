//! Opening a data directory: what the last process left becomes a state to go on from, or a refusal.
//!
//! The same code opens an empty directory, a cleanly closed one and one that a crash left. It refuses whatever a
//! crash does not explain: damage before acknowledged bytes, a tree that contradicts what was signed, a missing
//! file that the manifest names. It changes nothing before it has read everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use greffier_event::{Event, Tenant, Timestamp};
use greffier_merkle::Hash;
use greffier_merkle::note::Verifier;
use greffier_merkle::{Checkpoint, checkpoint, hash};

use crate::anchor::{Anchor, Seen, read_cosigned, seen_by_witnesses};
use crate::backlog::Backlog;
use crate::erase::{Notice, Orders};
use crate::error::LedgerError;
use crate::ids::{Ids, Known};
use crate::keys::KeyRing;
use crate::manifest::{self, Chain, Holds, LogRecord, Manifest};
use crate::open_decisions::OpenDecisions;
use crate::peek::Peek;
use crate::publish::{
    MAX_CHECKPOINT_BYTES, MAX_TRUST_BYTES, Publisher, TRAILS, TRUST, checkpoint_path, cosigned_path, origin,
};
use crate::store::{Disk, Lock};
use crate::wal::frame::Frame;
use crate::wal::replay::{Corruption, Listing, LogFile};
use crate::wal::{self, End};

mod sealed;

/// What was found when the ledger opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whether the last process did not stop cleanly.
    pub unclean: bool,
    /// What was put right, in words.
    pub repairs: Vec<String>,
    /// Approved decisions without an outcome, oldest first: their calls may have reached the upstream.
    pub open_decisions: Vec<Event>,
    /// Open decisions beyond [`crate::MAX_OPEN_DECISIONS`], not listed.
    pub open_decisions_dropped: u64,
}

/// A directory that is ours, read and consistent.
pub(crate) struct Opened {
    pub(crate) lock: Lock,
    pub(crate) publisher: Publisher,
    /// The last file of the log, and how much of it counts.
    pub(crate) end: End,
    /// What the directory holds; its log's files with their hashes.
    pub(crate) holds: Holds,
    pub(crate) chain: Chain,
    pub(crate) backlog: Backlog,
    pub(crate) ids: Arc<Ids>,
    /// What was open where the log begins.
    pub(crate) open: OpenDecisions,
    /// By trail: what its entries say about keeping and erasing.
    pub(crate) orders: BTreeMap<String, Orders>,
    pub(crate) recovered: Recovered,
}

/// A size and root that somebody signed; the tree must have had that root at that size.
struct Claim {
    size: u64,
    root: Hash,
    place: String,
    /// The witness that holds it; otherwise it lies in the directory itself.
    witness: Option<String>,
}

impl Claim {
    /// The tree here has another root at that size.
    fn contradicted(&self, trail: &str) -> LedgerError {
        match &self.witness {
            Some(witness) => LedgerError::another(witness, trail),
            None => {
                let what = format!("trail `{trail}` has another root at size {}", self.size);
                LedgerError::tampered(&self.place, what)
            }
        }
    }

    /// The tree here is smaller.
    fn ahead(&self, trail: &str, size: u64) -> LedgerError {
        match &self.witness {
            Some(witness) => LedgerError::ahead(witness, trail, self.size, size),
            None => {
                let what = format!("trail `{trail}` has {size} entries, but {} were signed for", self.size);
                LedgerError::tampered(&self.place, what)
            }
        }
    }
}

/// [`open_witnessed`], with nobody to ask.
#[cfg(test)]
pub(crate) fn open(disk: &Disk, keys: &Arc<KeyRing>, node_origin: &str) -> Result<Opened, LedgerError> {
    open_witnessed(disk, keys, node_origin, None)
}

/// Takes the directory and brings it to a state from which recording can go on. What witnesses hold under our
/// signature must be part of it.
pub(crate) fn open_witnessed(
    disk: &Disk,
    keys: &Arc<KeyRing>,
    node_origin: &str,
    anchor: Option<&Anchor>,
) -> Result<Opened, LedgerError> {
    disk.store().prepare().map_err(LedgerError::io("create the data directory"))?;
    // Ours alone from here on, until the lock is dropped.
    let lock = disk.store().lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => LedgerError::Busy,
        _ => LedgerError::io("lock the data directory")(error),
    })?;
    let mut publisher = Publisher::new(disk.clone(), Arc::clone(keys), node_origin);
    let mut listing = Listing::read(disk).map_err(LedgerError::io("list the log"))?;
    let trails = stored_trails(disk)?;
    let read = Manifest::read(disk, &verifiers(keys, node_origin, Tenant::NODE)?)?;
    let manifest = read.as_ref().map(|(manifest, _)| manifest);
    if manifest.is_none() && !(listing.sequences.is_empty() && trails.is_empty()) {
        return Err(LedgerError::tampered(manifest::DIR, "the manifest is missing, but there is data"));
    }
    let clean = manifest.is_none_or(|manifest| manifest.clean);
    let mut holds = manifest.map(|manifest| manifest.holds.clone()).unwrap_or_default();
    holds.floor = holds.floor.max(1);
    // Files before the floor are sealed; a crash kept them from being removed.
    listing.sequences.retain(|sequence| *sequence >= holds.floor);
    if let Some(missing) = listing.missing(holds.floor) {
        return Err(LedgerError::tampered(wal::path(missing), "the file is missing"));
    }

    let mut repairs = Vec::new();
    let open = sealed::restore(disk, &holds, &mut publisher, &mut repairs)?;
    let ids = Arc::new(Ids::new(disk.clone(), &holds));
    let mut backlog = Backlog::default();
    for segment in &holds.segments {
        backlog.sealed(&segment.trail, segment.end, Timestamp::from_micros(segment.recorded_at.1));
    }
    let mut claims = claims(disk, keys, node_origin, &trails, manifest)?;
    if let Some(anchor) = anchor {
        let verifiers = |trail: &str| verifiers(keys, node_origin, trail);
        for Seen { witness, trail, checkpoint } in
            seen_by_witnesses(anchor, disk, &trails, node_origin, verifiers)?
        {
            let (place, witness) = (format!("witness {witness}"), Some(witness));
            let claim = Claim { size: checkpoint.size, root: checkpoint.root, place, witness };
            claims.entry(trail).or_default().push(claim);
        }
    }
    let mut replay = Replay {
        disk,
        claims,
        publisher: &mut publisher,
        next: BTreeMap::new(),
        backlog: &mut backlog,
        ids: &ids,
        open: open.clone(),
        orders: sealed::orders(disk, &holds)?,
        repairs,
    };
    replay.check_sealed_claims()?;
    let mut log = Vec::new();
    let mut end = End::default();
    // Files of which more is on disk than counts, or may be less than we read.
    let mut unsure = Vec::new();
    for &sequence in &listing.sequences {
        let followed = listing.sequences.last() != Some(&sequence);
        let file = LogFile::read(disk, sequence, followed).map_err(LedgerError::io("read the log"))??;
        let accepted = replay.file(&file)?;
        log.push(LogRecord::sealed(&file.name, &file.bytes));
        end = End { sequence, len: accepted as u64 };
        if accepted < file.bytes.len() || !(followed || clean) {
            unsure.push(end);
        }
    }
    if let Some(manifest) = manifest {
        compare_log(manifest, &log)?;
    }
    replay.finish()?;
    let Replay { open: still_open, orders, repairs, .. } = replay;

    // Everything is read and nothing contradicts; only now is anything changed.
    if !clean {
        // What we found may be in memory only, and what we build on it must not outlive it.
        disk.sync_names().map_err(LedgerError::io("make the names of files durable"))?;
    }
    for end in unsure {
        // What was refused after a failed write goes, and so does a torn tail. The last file is written anew in
        // any case: after a failed sync and a kill, what we read may be in memory only, and called clean there.
        let name = wal::path(end.sequence);
        let record = wal::settle(disk, end).map_err(LedgerError::io("make the log durable"))?;
        log.iter_mut().filter(|known| known.name == name).for_each(|known| *known = record.clone());
    }
    holds.wal = log;
    let (open_decisions, open_decisions_dropped) = still_open.into_events()?;
    let recovered = Recovered { unclean: !clean, repairs, open_decisions, open_decisions_dropped };
    let chain = Chain::behind(read.as_ref());
    Ok(Opened { lock, publisher, end, holds, chain, backlog, ids, open, orders, recovered })
}

/// The trails that have a folder.
fn stored_trails(disk: &Disk) -> Result<Vec<Tenant>, LedgerError> {
    let listed = disk.store().list(TRAILS).map_err(LedgerError::io("list the trails"))?;
    Ok(listed
        .into_iter()
        .filter(|listed| listed.is_dir)
        .filter_map(|dir| Tenant::new(dir.name).ok())
        .collect())
}

/// The keys that a trail of ours is or was signed with.
fn verifiers(keys: &KeyRing, node_origin: &str, trail: &str) -> Result<Vec<Verifier>, LedgerError> {
    keys.verifiers(&origin(node_origin, trail)).map_err(|_| LedgerError::Origin(node_origin.to_owned()))
}

/// A file that may be absent.
fn read_optional(disk: &Disk, path: &str, limit: u64) -> Result<Option<Vec<u8>>, LedgerError> {
    match disk.store().read(path, limit) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(LedgerError::io("read the trails")),
    }
}

/// Everything that was signed about the trails: checkpoints, and the manifest's own list.
fn claims(
    disk: &Disk,
    keys: &KeyRing,
    node_origin: &str,
    trails: &[Tenant],
    manifest: Option<&Manifest>,
) -> Result<BTreeMap<String, Vec<Claim>>, LedgerError> {
    let mut claims: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    for trail in trails {
        let place = checkpoint_path(trail.as_str());
        let Some(note) = read_optional(disk, &place, MAX_CHECKPOINT_BYTES)? else { continue };
        let verifiers = verifiers(keys, node_origin, trail.as_str())?;
        let checkpoint = std::str::from_utf8(&note)
            .map_err(|_| LedgerError::tampered(&place, "the checkpoint is not text"))
            .and_then(|note| {
                checkpoint::open(note, &verifiers).map_err(|error| {
                    LedgerError::tampered(
                        &place,
                        format!("the checkpoint does not hold under our key: {error}"),
                    )
                })
            })?;
        let claim = Claim { size: checkpoint.size, root: checkpoint.root, place, witness: None };
        claims.entry(trail.as_str().to_owned()).or_default().push(claim);
    }
    for record in manifest.iter().flat_map(|manifest| &manifest.holds.trails).filter(|record| record.size > 0)
    {
        let Some(claims) = claims.get_mut(&record.name) else {
            return Err(LedgerError::tampered(checkpoint_path(&record.name), "the checkpoint is missing"));
        };
        let root = hex::decode(&record.root).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or_else(|| LedgerError::tampered(manifest::DIR, "a root is not a hash"))?;
        claims.push(Claim { size: record.size, root, place: manifest::DIR.to_owned(), witness: None });
    }
    for trail in trails.iter().map(Tenant::as_str) {
        // One that is not ours says nothing; `anchor` takes it away.
        if let Ok(Some((checkpoint, _))) = read_cosigned(disk, trail, &verifiers(keys, node_origin, trail)?) {
            let Checkpoint { size, root, .. } = checkpoint;
            let claim = Claim { size, root, place: cosigned_path(trail), witness: None };
            claims.entry(trail.to_owned()).or_default().push(claim);
        }
    }
    Ok(claims)
}

/// Files of the log that the manifest knows must be as it knew them; after a clean stop there are no others.
fn compare_log(manifest: &Manifest, found: &[LogRecord]) -> Result<(), LedgerError> {
    for told in manifest.holds.wal.iter().filter(|told| told.sha256.is_some()) {
        match found.iter().find(|found| found.name == told.name) {
            Some(found) if found == told => {}
            Some(_) => {
                return Err(LedgerError::tampered(&told.name, "the file is not the one that was signed"));
            }
            None => return Err(LedgerError::tampered(&told.name, "the file is missing")),
        }
    }
    if manifest.clean && found.len() > manifest.holds.wal.len() {
        return Err(LedgerError::tampered(wal::DIR, "there are files that the clean stop did not leave"));
    }
    Ok(())
}

/// The log on its way back into trees.
struct Replay<'a> {
    disk: &'a Disk,
    publisher: &'a mut Publisher,
    claims: BTreeMap<String, Vec<Claim>>,
    /// The index that is due next in the log, by trail.
    next: BTreeMap<String, u64>,
    backlog: &'a mut Backlog,
    ids: &'a Ids,
    open: OpenDecisions,
    orders: BTreeMap<String, Orders>,
    repairs: Vec<String>,
}

impl Replay<'_> {
    /// Takes in one file and says how much of it counts.
    fn file(&mut self, file: &LogFile) -> Result<usize, LedgerError> {
        let mut frames = file.frames();
        for frame in frames.by_ref() {
            let (offset, frame) = frame?;
            self.frame(file, offset, &frame)?;
        }
        if let Some(torn) = frames.torn() {
            self.repairs.push(format!("{torn} cut off: it was never acknowledged"));
        }
        Ok(frames.accepted())
    }

    fn frame(&mut self, file: &LogFile, offset: u64, frame: &Frame<'_>) -> Result<(), LedgerError> {
        let trail = self.publisher.trail(frame.trail);
        // The log of a trail begins where its segments end, or before.
        let due = self.next.get(frame.trail).copied();
        if due.is_some_and(|due| frame.index != due) || frame.index > trail.size() {
            let due = due.unwrap_or(trail.size());
            let what = format!("trail `{}` has entry {} where {due} is due", frame.trail, frame.index);
            return Err(Corruption { file: file.name.clone(), offset, what }.into());
        }
        self.next.insert(frame.trail.to_owned(), frame.index + 1);
        if let Some(notice) = Notice::read(frame.trail, frame.index, frame.entry) {
            self.orders.entry(frame.trail.to_owned()).or_default().note(notice);
        }
        if let Some(peek) = Peek::of(frame.entry) {
            let recorded_at = peek.recorded_at.unwrap_or(Timestamp::from_micros(0));
            let bytes = frame.len() as u64;
            let entries = frame.index..frame.index + 1;
            self.backlog.committed(file.sequence, frame.trail, entries, bytes, recorded_at);
            self.open.note(frame.trail, frame.index, frame.entry, &peek);
            if frame.index >= trail.size() {
                let (index, leaf) = (frame.index, hash::leaf(frame.entry));
                let digest = peek.digest();
                self.ids.note(frame.trail, peek.id, Known { index, leaf, digest });
            }
        }
        if frame.index < trail.size() {
            // Sealed already; a crash, or other trails in the file, kept it.
            return Ok(());
        }
        trail.push(hash::leaf(frame.entry));
        let claims = self.claims.get(frame.trail).map_or(&[] as &[Claim], Vec::as_slice);
        for claim in claims.iter().filter(|claim| claim.size == trail.size()) {
            if claim.root != trail.root() {
                return Err(claim.contradicted(frame.trail));
            }
        }
        let stored = claims.iter().filter(|claim| claim.witness.is_none());
        let covered = stored.map(|claim| claim.size).max().unwrap_or(0);
        trail.compare_tiles(self.disk, covered, &mut self.repairs).map_err(LedgerError::io("read the tiles"))
    }

    /// Holds what was signed of sealed entries against the trees that came out of tiles and segments.
    fn check_sealed_claims(&mut self) -> Result<(), LedgerError> {
        for (name, claims) in &self.claims {
            let trail = self.publisher.trail(name);
            for claim in claims.iter().filter(|claim| claim.size <= trail.size()) {
                // A size below the sealed one: the tree as it was then stands in the tiles.
                let root = if claim.size == trail.size() {
                    Some(trail.root())
                } else {
                    sealed::root_at(self.disk, name, claim.size)
                };
                if root != Some(claim.root) {
                    return Err(claim.contradicted(name));
                }
            }
        }
        Ok(())
    }

    /// Holds what was read against what was signed.
    fn finish(&mut self) -> Result<(), LedgerError> {
        for (name, claims) in &self.claims {
            let size = self.publisher.trail(name).size();
            if let Some(claim) = claims.iter().find(|claim| claim.size > size) {
                return Err(claim.ahead(name, size));
            }
        }
        let Replay { disk, publisher, claims, repairs, .. } = self;
        for trail in publisher.trails_mut() {
            let stored = checkpoint_path(trail.name());
            let claims = claims.get(trail.name()).into_iter().flatten();
            let stored = claims.into_iter().find(|claim| claim.place == stored);
            let compared = trail.compare_edge(disk, stored.map(|claim| claim.size), repairs);
            compared.map_err(LedgerError::io("read the tiles"))?;
        }
        if !claims.is_empty() && read_optional(disk, TRUST, MAX_TRUST_BYTES)?.is_none() {
            repairs.push("trust: the file was missing and was made again from the keys".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
