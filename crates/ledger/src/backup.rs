//! Copies of a data directory and of a keys folder, taken beside a running server or from a stopped one.
//!
//! What is copied first may be older than what is copied last, so the order decides whether the copy holds together.
//! Whatever refers to something is read before it:
//!
//! ```text
//! newest manifest -> checkpoints, then the trust policy that knows their keys -> tiles of these checkpoints
//!   -> segments that the manifest names -> the log from its floor on, as far as it has come
//! ```
//!
//! The server may meanwhile seal, merge and remove: a file that is gone sends the copy back to the newest manifest,
//! with everything that never changes already there. Entries that were acknowledged before the copy began are in
//! the log that is read last; what stands behind the last whole frame of it was acknowledged to nobody, and opening
//! the copy cuts it off like any torn tail.
//!
//! Nothing here needs a key, and no key is ever copied beside the data.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use greffier_merkle::Checkpoint;
use greffier_merkle::note::SignedNote;
use greffier_merkle::tile::tiles_for;

use crate::keys::{KeyError, KeyRing};
use crate::manifest::{self, FileRecord, MAX_LIST_BYTES, MAX_NOTE_BYTES, Manifest};
use crate::publish::{TRAILS, TRUST, checkpoint_path, read_tile, tile_path};
use crate::store::{Disk, Files, UNFINISHED, join};
use crate::wal::replay::{Listing, LogFile};
use crate::wal::{self, MAX_FILE_BYTES};

mod target;

use target::Target;

/// How often a copy may begin again: each time only what is new since is left to do.
const MAX_PASSES: usize = 16;
/// Other files of a directory: trust, checkpoints, notes, time stamps.
const MAX_SMALL_BYTES: u64 = 64 * 1024 * 1024;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Files that are there.
    pub files: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files in it.
    pub files: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Files that it shares with the earlier copy.
    pub linked: u64,
    /// The trails, and how many entries of each its checkpoint covers.
    pub trails: BTreeMap<String, u64>,
}

/// Why there is no copy, or none to rely on.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing of a ledger, or nothing yet.
    #[error("`{0}` holds no manifest: it is no data directory, or greffier never ran on it")]
    NotALedger(String),
    /// A file of the source cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file, within the source.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the copy cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what the manifest says.
    #[error("`{0}` is damaged: it is not the file that was signed; run `greffier verify`")]
    Damaged(String),
    /// A file that must be there is not.
    #[error("`{0}` is missing; run `greffier verify`")]
    Missing(String),
    /// The keys do not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl BackupError {
    fn read(path: &str, source: io::Error) -> BackupError {
        BackupError::Read { path: path.to_owned(), source }
    }

    fn write(root: &Path, path: &str, source: io::Error) -> BackupError {
        BackupError::Write { path: root.join(path).display().to_string(), source }
    }

    /// What a running server explains: it removed a file that we were about to copy.
    fn may_pass(&self) -> bool {
        match self {
            BackupError::Read { source, .. } => source.kind() == io::ErrorKind::NotFound,
            BackupError::Missing(_) => true,
            _ => false,
        }
    }
}

/// Copies the data directory `from` into the empty folder `to`. What never changes and an `earlier` copy already
/// holds is linked, not copied.
pub fn copy_data(
    from: &Path,
    to: &Path,
    earlier: Option<&Path>,
    mut step: impl FnMut(Step),
) -> Result<Copied, BackupError> {
    let source = Source { disk: Disk::new(Arc::new(Files::new(from))), earlier: earlier.map(Earlier::read) };
    let mut target = Target::new(to, 0o640);
    let mut passes = 0;
    let trails = loop {
        passes += 1;
        match source.pass(&mut target, from, &mut step) {
            Ok(trails) => break trails,
            Err(error) if error.may_pass() && passes < MAX_PASSES => target.restart(),
            Err(error) => return Err(error),
        }
    };
    target.finish(step)?;
    Ok(Copied { files: target.files(), bytes: target.bytes, linked: target.linked, trails })
}

/// Copies a keys folder into the empty folder `to`, for its owner only, and opens the copy.
pub fn copy_keys(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    // Keys that do not open, or that others can read, are nothing to keep.
    KeyRing::open(from)?;
    let disk = Disk::new(Arc::new(Files::new(from)));
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))
        .map_err(|error| BackupError::write(to, "", error))?;
    let mut target = Target::new(to, 0o600);
    let listed = disk.store().list("").map_err(|error| BackupError::read("", error))?;
    let kept = listed.into_iter().filter(|listed| !listed.is_dir && !listed.name.ends_with(UNFINISHED));
    for listed in kept {
        let file = File::open(from.join(&listed.name));
        target.write(&listed.name, file.map_err(|error| BackupError::read(&listed.name, error))?)?;
    }
    target.finish(|_| ())?;
    KeyRing::open(to)?;
    Ok(Copied { files: target.files(), bytes: target.bytes, ..Copied::default() })
}

/// Puts a copy of a data directory into the empty folder `to`. The newest manifest is written last: until then the
/// folder counts for nothing.
pub fn restore_data(from: &Path, to: &Path, mut step: impl FnMut(Step)) -> Result<Copied, BackupError> {
    let disk = Disk::new(Arc::new(Files::new(from)));
    if manifest::sequences(&disk).map_err(|error| BackupError::read(manifest::DIR, error))?.is_empty() {
        return Err(BackupError::NotALedger(from.display().to_string()));
    }
    let mut paths = disk.walk("").map_err(|error| BackupError::read("", error))?;
    paths.sort_by_key(|path| (path.starts_with(manifest::DIR), path.clone()));
    let mut target = Target::new(to, 0o640);
    for path in paths.into_iter().filter(|path| !path.ends_with(UNFINISHED)) {
        let file = File::open(from.join(&path)).map_err(|error| BackupError::read(&path, error))?;
        target.write(&path, file)?;
        step(Step { files: target.files(), bytes: target.bytes });
    }
    target.finish(step)?;
    Ok(Copied { files: target.files(), bytes: target.bytes, ..Copied::default() })
}

/// An earlier copy, and which segments it holds, by path.
struct Earlier<'a> {
    root: &'a Path,
    segments: BTreeMap<String, String>,
}

impl<'a> Earlier<'a> {
    fn read(root: &'a Path) -> Earlier<'a> {
        let disk = Disk::new(Arc::new(Files::new(root)));
        let manifest = Manifest::newer(&disk, 0).ok().flatten();
        let files = manifest.iter().flat_map(|manifest| manifest.holds.segment_files());
        Earlier { root, segments: files.map(|file| (file.path.clone(), file.sha256.clone())).collect() }
    }

    /// Whether a small file there has these bytes.
    fn is(&self, path: &str, bytes: &[u8]) -> bool {
        let path = self.root.join(path);
        let same = |metadata: fs::Metadata| metadata.len() == bytes.len() as u64;
        fs::metadata(&path).is_ok_and(same) && fs::read(&path).is_ok_and(|found| found == bytes)
    }
}

/// The side that is read.
struct Source<'a> {
    disk: Disk,
    earlier: Option<Earlier<'a>>,
}

impl Source<'_> {
    /// One way through, in the order that the module describes.
    fn pass(
        &self,
        target: &mut Target,
        from: &Path,
        step: &mut impl FnMut(Step),
    ) -> Result<BTreeMap<String, u64>, BackupError> {
        let newest =
            Manifest::newer(&self.disk, 0).map_err(|error| BackupError::read(manifest::DIR, error))?;
        let newest = newest.ok_or_else(|| BackupError::NotALedger(from.display().to_string()))?;
        let list = manifest::list_path(newest.sequence);
        let listing = self.read(&list, MAX_LIST_BYTES)?;
        let trails = self.beside(target)?;
        for (trail, size) in &trails {
            self.tiles(target, trail, *size, step)?;
        }
        for file in newest.holds.segment_files() {
            self.segment(target, from, file)?;
            step(Step { files: target.files(), bytes: target.bytes });
        }
        self.log(target, from, newest.holds.floor.max(1), step)?;
        // What the rest rests on: the listing, and the chain whose last note names it.
        target.write(&list, listing.as_slice())?;
        for sequence in manifest::sequences(&self.disk).map_err(|e| BackupError::read(manifest::DIR, e))? {
            if sequence <= newest.sequence {
                let path = manifest::note_path(sequence);
                self.unchanging(target, &path, &self.read(&path, MAX_NOTE_BYTES)?)?;
            }
        }
        Ok(trails)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, BackupError> {
        self.disk.store().read(path, limit).map_err(|error| BackupError::read(path, error))
    }

    /// The files beside segments, tiles and the log. Checkpoints first: the trust policy that is read behind them
    /// knows the keys of all of them. Says how many entries each checkpoint covers.
    fn beside(&self, target: &mut Target) -> Result<BTreeMap<String, u64>, BackupError> {
        let list = |dir: &str| self.disk.store().list(dir).map_err(|error| BackupError::read(dir, error));
        let mut sizes = BTreeMap::new();
        for trail in list(TRAILS)?.into_iter().filter(|listed| listed.is_dir) {
            let dir = join(TRAILS, &trail.name);
            for listed in list(&dir)? {
                let path = join(&dir, &listed.name);
                // Tiles and segments have their own turn: these folders may hold a great many.
                match listed.name.as_str() {
                    "tile" | "segments" | "parts" => {}
                    _ if listed.is_dir => {
                        for path in self.disk.walk(&path).map_err(|error| BackupError::read(&path, error))? {
                            self.small(target, &path)?;
                        }
                    }
                    _ => self.small(target, &path)?,
                }
            }
            let path = checkpoint_path(&trail.name);
            if target.has(&path) {
                let size = size_of(&fs::read(target.path(&path)).unwrap_or_default());
                sizes.insert(trail.name, size.ok_or(BackupError::Damaged(path))?);
            }
        }
        for listed in list("")?.into_iter().filter(|listed| !listed.is_dir && listed.name != TRUST) {
            self.small(target, &listed.name)?;
        }
        self.small(target, TRUST)?;
        Ok(sizes)
    }

    /// A file that is read whole.
    fn small(&self, target: &mut Target, path: &str) -> Result<(), BackupError> {
        if path.ends_with(UNFINISHED) {
            return Ok(());
        }
        target.write(path, self.read(path, MAX_SMALL_BYTES)?.as_slice()).map(drop)
    }

    /// The tiles of a checkpoint. Full ones never change; of a partial one whatever took its place is the longer
    /// form.
    fn tiles(
        &self,
        target: &mut Target,
        trail: &str,
        size: u64,
        step: &mut impl FnMut(Step),
    ) -> Result<(), BackupError> {
        for tile in tiles_for(size) {
            let path = tile_path(trail, &tile);
            if tile.is_full() && target.has(&path) {
                continue;
            }
            let found =
                read_tile(&self.disk, trail, &tile).map_err(|error| BackupError::read(&path, error))?;
            let bytes = found.filter(|bytes| bytes.len() == tile.byte_len());
            let bytes = bytes.ok_or_else(|| BackupError::Missing(path.clone()))?;
            self.unchanging(target, &path, &bytes)?;
            step(Step { files: target.files(), bytes: target.bytes });
        }
        Ok(())
    }

    /// A small file that never changes: the earlier copy's, if it is the same.
    fn unchanging(&self, target: &mut Target, path: &str, bytes: &[u8]) -> Result<(), BackupError> {
        if target.has(path) {
            return Ok(());
        }
        let earlier = self.earlier.as_ref().filter(|earlier| earlier.is(path, bytes));
        match earlier {
            Some(earlier) if target.link(path, earlier.root)? => Ok(()),
            _ => target.write(path, bytes).map(drop),
        }
    }

    /// A file of a segment, which must be the one that was signed.
    fn segment(&self, target: &mut Target, from: &Path, told: &FileRecord) -> Result<(), BackupError> {
        if target.has(&told.path) {
            return Ok(());
        }
        let earlier = self.earlier.as_ref();
        let earlier = earlier.filter(|earlier| earlier.segments.get(&told.path) == Some(&told.sha256));
        if let Some(earlier) = earlier
            && target.link(&told.path, earlier.root)?
        {
            return Ok(());
        }
        let file = File::open(from.join(&told.path)).map_err(|error| BackupError::read(&told.path, error))?;
        let written = target.write(&told.path, file)?;
        if (written.bytes, &written.sha256) != (told.bytes, &told.sha256) {
            return Err(BackupError::Damaged(told.path.clone()));
        }
        Ok(())
    }

    /// What counts of the file that may be written to while we read it. Damage is copied as it is, for whoever
    /// looks for it.
    fn growing(&self, sequence: u64) -> Result<Vec<u8>, BackupError> {
        let unreadable = |error| BackupError::read(&wal::path(sequence), error);
        let file = match LogFile::read(&self.disk, sequence, false).map_err(unreadable)? {
            Ok(file) => file,
            Err(_) => {
                return self.disk.store().read(&wal::path(sequence), MAX_FILE_BYTES).map_err(unreadable);
            }
        };
        let mut frames = file.frames();
        let damaged = frames.by_ref().any(|frame| frame.is_err());
        let counts = if damaged { file.bytes.len() } else { frames.accepted() };
        let mut bytes = file.bytes;
        bytes.truncate(counts);
        Ok(bytes)
    }

    /// The log from the floor on. Listed once: what begins later was acknowledged later.
    fn log(
        &self,
        target: &mut Target,
        from: &Path,
        floor: u64,
        step: &mut impl FnMut(Step),
    ) -> Result<(), BackupError> {
        use std::io::Read;
        let listing = Listing::read(&self.disk).map_err(|error| BackupError::read(wal::DIR, error))?;
        let listing = Listing {
            sequences: listing.sequences.into_iter().filter(|sequence| *sequence >= floor).collect(),
            ..listing
        };
        if let Some(missing) = listing.missing(floor) {
            return Err(BackupError::Missing(wal::path(missing)));
        }
        let last = listing.sequences.last().copied();
        for sequence in listing.sequences {
            let path = wal::path(sequence);
            if last == Some(sequence) {
                target.write(&path, self.growing(sequence)?.as_slice())?;
            } else {
                let file = File::open(from.join(&path)).map_err(|error| BackupError::read(&path, error))?;
                target.write(&path, file.take(MAX_FILE_BYTES))?;
            }
            step(Step { files: target.files(), bytes: target.bytes });
        }
        Ok(())
    }
}

/// How many entries a checkpoint says that it covers.
fn size_of(note: &[u8]) -> Option<u64> {
    let note = SignedNote::parse(std::str::from_utf8(note).ok()?).ok()?;
    Checkpoint::parse(note.text()).ok().map(|checkpoint| checkpoint.size)
}

#[cfg(test)]
mod tests;
