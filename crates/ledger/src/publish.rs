//! The publisher: entries that are durable in the log become leaves, tiles and signed checkpoints.
//!
//! It is handed leaves only after their entries were synced, so that a checkpoint never covers what a crash
//! could lose. What it writes is derived from the log, and is made again from it wherever it is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use greffier_event::Tenant;
use greffier_merkle::Hash;
use greffier_merkle::checkpoint::Checkpoint;
use greffier_merkle::note::{KeyError as NameError, Verifier};
use greffier_merkle::succession::Succession;
use greffier_merkle::tile::{TileBuilder, TileId};

use crate::backlog::Backlog;
use crate::error::LedgerError;
use crate::heads::Heads;
use crate::keys::KeyRing;
use crate::manifest::{self, Holds, TrailRecord};
use crate::ngrams;
use crate::store::{Disk, UNFINISHED, join, parent};
use crate::wal;

/// The auditors' trust file: which keys sign which trails.
pub(crate) const TRUST: &str = "trust";
/// The directory of the trails.
pub(crate) const TRAILS: &str = "trails";
/// The directory of a trail's key successions.
pub(crate) const SUCCESSIONS: &str = "successions";
/// The directory of a trail's time stamps.
pub(crate) const TIMESTAMPS: &str = "timestamps";
/// A full tile has 8,192 bytes.
pub(crate) const MAX_TILE_BYTES: u64 = 8_192;
/// A checkpoint has three lines and a few signatures.
pub(crate) const MAX_CHECKPOINT_BYTES: u64 = 64 * 1024;

/// A trust file has a line of some 150 bytes for each of [`crate::commit::MAX_TRAILS`] trails, and while keys are
/// replaced two.
pub(crate) const MAX_TRUST_BYTES: u64 = 2 * 1024 * 1024;

/// The origin of a trail: its name in checkpoints.
pub(crate) fn origin(node_origin: &str, trail: &str) -> String {
    format!("{node_origin}/{trail}")
}

/// The place of a trail's checkpoint.
pub(crate) fn checkpoint_path(trail: &str) -> String {
    format!("{TRAILS}/{trail}/checkpoint")
}

/// The place of the newest checkpoint that a quorum of witnesses cosigned.
pub(crate) fn cosigned_path(trail: &str) -> String {
    format!("{TRAILS}/{trail}/cosigned")
}

/// The place of the note in which a trail's key names the one of this generation as its successor.
pub(crate) fn succession_path(trail: &str, generation: u32) -> String {
    format!("{TRAILS}/{trail}/{SUCCESSIONS}/{generation}.note")
}

/// The place of a tile.
pub(crate) fn tile_path(trail: &str, tile: &TileId) -> String {
    format!("{TRAILS}/{trail}/{}", tile.path())
}

/// Reads a tile. A partial tile that was removed because a wider one holds it is the beginning of that one, or of
/// the full tile. What is shorter than it should be is returned as it is.
pub(crate) fn read_tile(disk: &Disk, trail: &str, tile: &TileId) -> io::Result<Option<Vec<u8>>> {
    /// A running server may replace one partial tile by the next while we look: once a second.
    const TRIES: usize = 8;
    let full = tile_path(trail, &TileId { width: 256, ..*tile });
    let partials = format!("{full}.p");
    for _ in 0..TRIES {
        let listed = disk.store().list(&partials)?;
        let wider =
            listed.iter().filter(|listed| listed.name.parse().is_ok_and(|width: u16| width > tile.width));
        let wider = wider.map(|listed| join(&partials, &listed.name));
        for path in [tile_path(trail, tile)].into_iter().chain(wider).chain([full.clone()]) {
            match disk.store().read(&path, MAX_TILE_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => {
                    let mut bytes = result?;
                    bytes.truncate(tile.byte_len());
                    return Ok(Some(bytes));
                }
            }
        }
        if listed.is_empty() {
            break;
        }
    }
    Ok(None)
}

/// One trail's tree: its right edge in memory, everything else in tiles.
pub(crate) struct Trail {
    name: String,
    origin: String,
    tree: TileBuilder,
    /// Full tiles that are not on disk yet.
    unwritten: Vec<(TileId, Vec<u8>)>,
    /// Partial tiles of the checkpoint on disk, to be removed once a newer one is.
    edge: Vec<String>,
    /// Size of the checkpoint on disk; `None` before the first.
    published: Option<u64>,
}

impl Trail {
    fn new(name: &str, origin: String) -> Trail {
        let (tree, unwritten, edge) = (TileBuilder::new(), Vec::new(), Vec::new());
        Trail { name: name.to_owned(), origin, tree, unwritten, edge, published: None }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Goes on from a tree whose entries are sealed.
    pub(crate) fn resume(&mut self, tree: TileBuilder) {
        self.tree = tree;
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Adds the leaf of an entry that is durable in the log.
    pub(crate) fn push(&mut self, leaf: Hash) {
        self.extend(std::iter::once(leaf));
    }

    fn extend(&mut self, leaves: impl Iterator<Item = Hash>) {
        self.tree.extend(leaves);
        self.unwritten.extend(self.tree.take_full());
    }

    /// While the log is read back: forgets completed tiles that are on disk as they should be; the others are
    /// published again. `covered` is the size of the stored checkpoint: that a tile below it is not there, or
    /// is another, is worth a word.
    pub(crate) fn compare_tiles(
        &mut self,
        disk: &Disk,
        covered: u64,
        repairs: &mut Vec<String>,
    ) -> io::Result<()> {
        for (tile, bytes) in std::mem::take(&mut self.unwritten) {
            if self.differs(disk, &tile, &bytes, tile_end(&tile) <= covered, repairs)? {
                self.unwritten.push((tile, bytes));
            }
        }
        Ok(())
    }

    /// Once the whole log is read: takes note of the stored checkpoint, and whether its right edge is there.
    pub(crate) fn compare_edge(
        &mut self,
        disk: &Disk,
        covered: Option<u64>,
        repairs: &mut Vec<String>,
    ) -> io::Result<()> {
        self.published = covered;
        if covered == Some(self.size()) {
            let edge = self.tree.right_edge();
            let mut whole = self.unwritten.is_empty();
            for (tile, bytes) in &edge {
                whole &= !self.differs(disk, tile, bytes, true, repairs)?;
            }
            if !whole {
                self.published = None;
            }
            self.edge = edge.iter().map(|(tile, _)| tile_path(&self.name, tile)).collect();
        }
        Ok(())
    }

    /// Whether a tile on disk is not there or another. One that cannot be read says nothing.
    fn differs(
        &self,
        disk: &Disk,
        tile: &TileId,
        bytes: &[u8],
        told: bool,
        repairs: &mut Vec<String>,
    ) -> io::Result<bool> {
        let path = tile_path(&self.name, tile);
        let state = match disk.store().read(&path, MAX_TILE_BYTES) {
            Ok(found) if found == bytes => return Ok(false),
            Ok(_) => "damaged",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "missing",
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => "damaged",
            Err(error) => return Err(error),
        };
        if told {
            repairs.push(format!("{path}: the tile was {state} and was made again from the log"));
        }
        Ok(true)
    }

    /// Writes what the tree has become. A crash after any line leaves the old checkpoint with all its tiles, or
    /// the new one with all of its.
    fn publish(&mut self, disk: &Disk, keys: &KeyRing) -> io::Result<()> {
        let size = self.size();
        // Full tiles never change again. They stay in memory until they are durable.
        let path = |tile: &TileId| tile_path(&self.name, tile);
        let full: Vec<_> = self.unwritten.iter().map(|(tile, bytes)| (path(tile), bytes)).collect();
        disk.replace_all(&full)?;
        // Partial tiles of exactly this size, for whoever reads this checkpoint.
        let edge: Vec<_> =
            self.tree.right_edge().into_iter().map(|(tile, bytes)| (path(&tile), bytes)).collect();
        disk.replace_all(&edge)?;
        // All that the checkpoint refers to is durable: now it may say so.
        disk.replace(&checkpoint_path(&self.name), self.checkpoint(keys)?.as_bytes())?;
        // The checkpoint is durable. What only the one before it needed may go: a wider tile says the same, and
        // whoever still asks for the narrow one is answered from it ([`crate::Reader::tile`]).
        self.unwritten.clear();
        self.published = Some(size);
        let edge: Vec<String> = edge.into_iter().map(|(path, _)| path).collect();
        let stale = std::mem::replace(&mut self.edge, edge);
        for path in stale.iter().filter(|path| !self.edge.contains(path)) {
            remove_partial(disk, path)?;
        }
        Ok(())
    }
}

/// What the keys have to do with a trail.
impl Trail {
    /// The checkpoint of the tree as it is, signed by every key in force.
    fn checkpoint(&self, keys: &KeyRing) -> io::Result<String> {
        let signers = keys.signers(&self.origin).map_err(io::Error::other)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: self.size(), root: self.root() };
        checkpoint.sign_all(signers.iter().map(AsRef::as_ref)).map_err(io::Error::other)
    }

    /// After the keys in force changed: each old key names the one that follows it, and what is signed already is
    /// signed anew. Signatures are deterministic, so that nothing is written twice. Says whether there is another
    /// checkpoint now.
    fn sign_anew(&self, disk: &Disk, keys: &KeyRing) -> io::Result<bool> {
        let ensure = |path: &str, note: &str| disk.ensure(path, note.as_bytes(), MAX_CHECKPOINT_BYTES);
        for (generation, old, new) in keys.successions(&self.origin).map_err(io::Error::other)? {
            let path = succession_path(&self.name, generation);
            ensure(&path, &Succession::sign(&old, &new).map_err(io::Error::other)?)?;
        }
        if self.size() > 0 && self.published == Some(self.size()) {
            let (path, note) = (checkpoint_path(&self.name), self.checkpoint(keys)?);
            let found = disk.store().read(&path, MAX_CHECKPOINT_BYTES).ok();
            ensure(&path, &note)?;
            return Ok(found.as_deref() != Some(note.as_bytes()));
        }
        Ok(false)
    }
}

/// The size of the smallest tree that contains the tile whole.
pub(crate) fn tile_end(tile: &TileId) -> u64 {
    let leaves = (0..tile.level).try_fold(256u64, |leaves, _| leaves.checked_mul(256));
    leaves.and_then(|leaves| leaves.checked_mul(tile.index + 1)).unwrap_or(u64::MAX)
}

/// Removes a partial tile or a segment, and its folder with the last of them.
fn remove_partial(disk: &Disk, path: &str) -> io::Result<()> {
    disk.remove(path)?;
    disk.remove_empty(parent(path));
    Ok(())
}

fn lock(backlog: &Mutex<Backlog>) -> MutexGuard<'_, Backlog> {
    backlog.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells of a checkpoint that is on disk. Only witnesses need its bytes.
fn tell_of(heads: &Heads, disk: &Disk, trail: &Trail, size: u64) -> io::Result<()> {
    let note = if heads.is_witnessed() {
        disk.store().read(&checkpoint_path(&trail.name), MAX_CHECKPOINT_BYTES)?
    } else {
        Vec::new()
    };
    heads.signed(&trail.name, size, trail.root(), &String::from_utf8_lossy(&note), unix_now());
    Ok(())
}

/// The wall clock, in seconds since 1970: how long entries wait for witnesses is measured with it.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// All trails of this node.
pub(crate) struct Publisher {
    disk: Disk,
    keys: Arc<KeyRing>,
    node_origin: String,
    trails: BTreeMap<String, Trail>,
    /// How many trails the trust file on disk names, and keys of which generations.
    trusted: Option<(usize, Vec<u32>)>,
    /// The last write of the trust file failed.
    trust_owed: bool,
    /// The generations of keys that signed all that is signed; `None` before this process looked.
    signed_by: Option<Vec<u32>>,
    /// Who wants to know how far each trail is signed.
    backlog: Option<Arc<Mutex<Backlog>>>,
    heads: Option<Heads>,
    /// The end of the trust policy: who must have witnessed.
    witnesses: String,
}

impl Publisher {
    pub(crate) fn new(disk: Disk, keys: Arc<KeyRing>, node_origin: &str) -> Publisher {
        let node_origin = node_origin.to_owned();
        let mut publisher = Publisher {
            disk,
            keys,
            node_origin,
            trails: BTreeMap::new(),
            trusted: None,
            trust_owed: false,
            signed_by: None,
            backlog: None,
            heads: None,
            witnesses: "quorum none\n".to_owned(),
        };
        publisher.trail(Tenant::NODE);
        publisher
    }

    /// From now on tells the backlog how far each trail is signed, beginning with what is.
    pub(crate) fn share(&mut self, backlog: Arc<Mutex<Backlog>>) {
        let signed = self.trails.iter().filter_map(|(name, trail)| Some((name, trail.published?)));
        signed.for_each(|(name, size)| lock(&backlog).signed(name, size));
        self.backlog = Some(backlog);
    }

    /// From now on tells `heads` what is signed, beginning with what is.
    pub(crate) fn tell(&mut self, heads: &Heads) -> io::Result<()> {
        let signed = self.trails.values().filter_map(|trail| Some((trail, trail.published?)));
        signed
            .filter(|(trail, size)| trail.size() == *size)
            .try_for_each(|(trail, size)| tell_of(heads, &self.disk, trail, size))?;
        self.heads = Some(heads.clone());
        Ok(())
    }

    /// The keys of each trail's log.
    pub(crate) fn logs(&self) -> Result<Vec<(String, Vec<Verifier>)>, LedgerError> {
        let log = |(name, trail): (&String, &Trail)| {
            let keys = self.keys.verifiers(&trail.origin);
            Ok((name.clone(), keys.map_err(|_| LedgerError::Origin(self.node_origin.clone()))?))
        };
        self.trails.iter().map(log).collect()
    }

    /// The end of the trust policy from now on: lines that name witnesses and a quorum.
    pub(crate) fn trust_witnesses(&mut self, lines: String) {
        self.witnesses = lines;
    }

    /// The trail of that name, new if need be.
    pub(crate) fn trail(&mut self, name: &str) -> &mut Trail {
        let node_origin = &self.node_origin;
        self.trails.entry(name.to_owned()).or_insert_with(|| Trail::new(name, origin(node_origin, name)))
    }

    pub(crate) fn trails_mut(&mut self) -> impl Iterator<Item = &mut Trail> {
        self.trails.values_mut()
    }

    pub(crate) fn trails(&self) -> impl Iterator<Item = (&str, &Trail)> {
        self.trails.iter().map(|(name, trail)| (name.as_str(), trail))
    }

    /// The trails as they are signed.
    pub(crate) fn records(&self) -> Vec<TrailRecord> {
        self.trails().map(|(name, trail)| TrailRecord::new(name, trail.size(), &trail.root())).collect()
    }

    /// Takes leaves of entries that are durable, in the order of their indexes.
    pub(crate) fn ingest(&mut self, leaves: Vec<(Tenant, Hash)>) {
        // Mostly one trail's.
        for run in leaves.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((trail, _)) = run.first() else { continue };
            self.trail(trail.as_str()).extend(run.iter().map(|(_, leaf)| *leaf));
        }
    }

    /// Publishes every trail that grew. Trust comes first: whoever finds a checkpoint also finds its key.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        let in_force = self.keys.in_force();
        let rotated = self.signed_by.as_ref() != Some(&in_force);
        // A retired key is trusted until nothing rests on it any more: neither checkpoint nor manifest.
        let settled = !rotated && self.keys.manifest_is_current();
        let trusted = if settled { in_force.clone() } else { self.keys.known() };
        if self.trusted.as_ref() != Some(&(self.trails.len(), trusted.clone())) {
            let trust = self.trust_text(&trusted).map_err(io::Error::other)?;
            let same =
                self.disk.store().read(TRUST, MAX_TRUST_BYTES).ok() == Some(trust.clone().into_bytes());
            if self.trust_owed || !same {
                // If this fails the file may be right and its name not durable: that is owed until it succeeds.
                self.trust_owed = true;
                self.disk.ensure(TRUST, trust.as_bytes(), MAX_TRUST_BYTES)?;
                self.trust_owed = false;
            }
            self.trusted = Some((self.trails.len(), trusted));
        }
        if rotated {
            if self.keys.known().len() > 1 {
                for trail in self.trails.values() {
                    if trail.sign_anew(&self.disk, &self.keys)?
                        && let Some(heads) = &self.heads
                    {
                        tell_of(heads, &self.disk, trail, trail.size())?;
                    }
                }
            }
            self.signed_by = Some(in_force);
        }
        for trail in self.trails.values_mut() {
            if trail.size() > 0 && trail.published != Some(trail.size()) {
                trail.publish(&self.disk, &self.keys)?;
                if let Some(backlog) = &self.backlog {
                    lock(backlog).signed(&trail.name, trail.size());
                }
                if let Some(heads) = &self.heads {
                    tell_of(heads, &self.disk, trail, trail.size())?;
                }
            }
        }
        Ok(())
    }

    /// A C2SP trust policy: one log per trail and key, and who must have witnessed.
    fn trust_text(&self, generations: &[u32]) -> Result<String, NameError> {
        let mut text = String::new();
        for trail in self.trails.values() {
            for generation in generations {
                text += &format!("log {}\n", self.keys.verifier(*generation, &trail.origin)?);
            }
        }
        Ok(text + &self.witnesses)
    }

    /// After a crash, when all is published: removes what was half written, partial tiles that no checkpoint
    /// needs any more, segments that never counted or count no more, with their indexes, and files of the log that are
    /// sealed.
    pub(crate) fn sweep(&self, holds: &Holds, newest: u64) -> io::Result<()> {
        let needed: BTreeSet<&String> = self.trails.values().flat_map(|trail| &trail.edge).collect();
        let sealed: BTreeSet<&str> = holds.segment_files().map(|file| file.path.as_str()).collect();
        let floor = wal::path(holds.floor);
        let newest = manifest::list_path(newest);
        for path in self.disk.walk("")? {
            let of_a_trail = path.starts_with(TRAILS);
            let partial = of_a_trail && path.contains(".p/") && !needed.contains(&path);
            let segment = of_a_trail && path.ends_with(".parquet") && !sealed.contains(path.as_str());
            let of_none = ngrams::segment_of(&path).is_some_and(|entries| !sealed.contains(entries.as_str()));
            let log = path.starts_with("wal/") && path < floor;
            let listing = path.starts_with(manifest::DIR) && path.ends_with(".list") && path != newest;
            if path.ends_with(UNFINISHED) || log || listing {
                self.disk.remove(&path)?;
            } else if partial || segment || of_none {
                remove_partial(&self.disk, &path)?;
            }
        }
        Ok(())
    }
}
