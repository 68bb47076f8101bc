//! The side of a copy that is written: files whose bytes are durable, and in the end whose names are, too.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use super::{BackupError, Step};
use crate::store::parent;

/// Read and written at a time.
const CHUNK: usize = 256 * 1024;

/// Hash and length of what was copied.
pub(super) struct Written {
    pub(super) bytes: u64,
    /// Lowercase hex.
    pub(super) sha256: String,
}

/// A folder that is being filled.
pub(super) struct Target {
    root: PathBuf,
    /// Permissions of new files.
    mode: u32,
    /// Every folder that got a name.
    dirs: BTreeSet<String>,
    /// Every file that belongs there.
    wanted: BTreeSet<String>,
    pub(super) bytes: u64,
    pub(super) linked: u64,
}

impl Target {
    pub(super) fn new(root: &Path, mode: u32) -> Target {
        let dirs = BTreeSet::from([String::new()]);
        Target { root: root.to_owned(), mode, dirs, wanted: BTreeSet::new(), bytes: 0, linked: 0 }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(super) fn files(&self) -> u64 {
        self.wanted.len() as u64
    }

    /// Begins once more: what is there stays, what belongs there is said anew.
    pub(super) fn restart(&mut self) {
        self.wanted.clear();
    }

    /// Takes note of a file that is there already from an earlier pass; says whether it is.
    pub(super) fn has(&mut self, path: &str) -> bool {
        let there = self.root.join(path).is_file();
        if there {
            self.wanted.insert(path.to_owned());
        }
        there
    }

    /// Copies what `source` gives.
    pub(super) fn write(&mut self, path: &str, mut source: impl Read) -> Result<Written, BackupError> {
        self.make_dir(parent(path))?;
        let failed = |error: io::Error| BackupError::write(&self.root, path, error);
        let (mut hash, mut bytes, mut chunk) = (digest::Context::new(&digest::SHA256), 0, vec![0; CHUNK]);
        // A file of an earlier backup may be linked here: its bytes must not change.
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(self.mode).open(self.root.join(path));
        let mut file = file.map_err(failed)?;
        loop {
            let read = match source.read(&mut chunk) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(|error| BackupError::read(path, error))?,
            };
            let chunk = chunk.get(..read).unwrap_or_default();
            hash.update(chunk);
            bytes += read as u64;
            file.write_all(chunk).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        self.bytes += bytes;
        self.wanted.insert(path.to_owned());
        Ok(Written { bytes, sha256: hex::encode(hash.finish()) })
    }

    /// Gives a file of an earlier backup its place here as well; where links are not to be had, says so.
    pub(super) fn link(&mut self, path: &str, earlier: &Path) -> Result<bool, BackupError> {
        self.make_dir(parent(path))?;
        let linked = fs::hard_link(earlier.join(path), self.root.join(path)).is_ok();
        if linked {
            self.wanted.insert(path.to_owned());
            self.linked += 1;
        }
        Ok(linked)
    }

    /// The last step: nothing is there that does not belong, and every name is durable.
    pub(super) fn finish(&mut self, mut step: impl FnMut(Step)) -> Result<(), BackupError> {
        for dir in self.dirs.iter().rev() {
            let path = self.root.join(dir);
            let failed = |error: io::Error| BackupError::write(&self.root, dir, error);
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let stray = entry.file_type().map_err(failed)?.is_file()
                    && !self.wanted.contains(&crate::store::join(dir, &name));
                if stray {
                    fs::remove_file(entry.path()).map_err(failed)?;
                }
            }
            File::open(&path).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        step(Step { files: self.files(), bytes: self.bytes });
        Ok(())
    }

    fn make_dir(&mut self, dir: &str) -> Result<(), BackupError> {
        if self.dirs.contains(dir) {
            return Ok(());
        }
        self.make_dir(parent(dir))?;
        match fs::create_dir(self.root.join(dir)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(BackupError::write(&self.root, dir, error));
            }
            _ => {}
        }
        self.dirs.insert(dir.to_owned());
        Ok(())
    }
}
