//! The seam to the file system: the few operations that durability rests on, and what each one promises.
//!
//! Paths are relative to the data directory, with `/` between names. The real file system is [`Files`]; tests
//! put a simulated one behind the same trait, which fails, tears and forgets (see `store/sim.rs`). [`Disk`]
//! builds the one safe way to replace a file on top of it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::file::reader::{ChunkReader, Length};

pub(crate) mod folder;
#[cfg(test)]
pub(crate) mod sim;

/// Suffix of files that are being written: whatever carries it was never finished and counts for nothing.
pub(crate) const UNFINISHED: &str = ".tmp";

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) is_dir: bool,
}

/// Keeps other processes out of the data directory while it lives; the kernel releases it with the process.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lifetime")] pub(crate) Option<File>);

/// What durability needs of a file system. Nothing here is durable until a `sync` says so.
pub(crate) trait Store: Send + Sync {
    /// Creates the data directory itself where it is missing, durably.
    fn prepare(&self) -> io::Result<()>;
    /// Takes the directory for this process; `WouldBlock` when another has it.
    fn lock(&self) -> io::Result<Lock>;
    /// Creates one directory; one that exists is fine. Its name is durable after `sync_dir` of its parent.
    fn make_dir(&self, dir: &str) -> io::Result<()>;
    /// The names in a directory, sorted; a missing directory is empty.
    fn list(&self, dir: &str) -> io::Result<Vec<Listed>>;
    /// A whole file; more than `limit` bytes is an error, so that no file can exhaust memory.
    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>>;
    /// The first bytes of a file, `len` at most.
    fn head(&self, path: &str, len: usize) -> io::Result<Vec<u8>>;
    /// The bytes of a file from `offset` on, `limit` at most; none behind its end.
    fn read_from(&self, path: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>>;
    /// A file to read at any place.
    fn open(&self, path: &str) -> io::Result<Source>;
    /// Where a file lies for others to open, absolute; `None` if it lies nowhere else than in memory.
    fn location(&self, path: &str) -> Option<PathBuf>;
    /// Creates or replaces a file and syncs its bytes; its name is not durable yet.
    fn write_synced(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Renames over whatever stood there; durable after `sync_dir`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file its name if nobody has it (`AlreadyExists`); durable after `sync_dir`.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; durable after `sync_dir`.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Opens an existing file for appending.
    fn append(&self, path: &str) -> io::Result<Box<dyn Append>>;
    /// Creates or replaces a file of `len` zeros and syncs it; its name is not durable yet.
    fn fill(&self, path: &str, len: u64) -> io::Result<()>;
    /// Opens an existing file for writing from its beginning, over what is there and then behind it.
    fn overwrite(&self, path: &str) -> io::Result<Box<dyn Append>>;
}

/// A file that is read at any place and does not change.
#[derive(Debug)]
pub(crate) enum Source {
    /// On the real file system.
    File(File),
    /// In memory.
    #[cfg_attr(not(test), expect(dead_code, reason = "the simulated file system has these"))]
    Bytes(Bytes),
}

impl Length for Source {
    fn len(&self) -> u64 {
        match self {
            Source::File(file) => file.len(),
            Source::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Source::File(file) => Box::new(file.get_read(start)?),
            Source::Bytes(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Source::File(file) => file.get_bytes(start, length),
            Source::Bytes(bytes) => bytes.get_bytes(start, length),
        }
    }
}

/// A file that is written from one place on, without gaps.
pub(crate) trait Append: Send {
    /// Writes all bytes behind those written before, not yet durable.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything written so far durable. After a failure nothing of it may be trusted, and a second
    /// call proves nothing: the kernel may have dropped the pages and called them clean.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real file system under one directory.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Files {
        Files { root: root.into() }
    }

    fn path(&self, relative: &str) -> PathBuf {
        if relative.is_empty() { self.root.clone() } else { self.root.join(relative) }
    }
}

impl Store for Files {
    fn prepare(&self) -> io::Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        folder::create(&self.root, 0o777).map_err(|error| {
            // A link whose target is not mounted: it is there, and nothing is.
            let absent = fs::metadata(&self.root).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
            if absent { io::ErrorKind::NotFound.into() } else { error }
        })
    }

    fn lock(&self) -> io::Result<Lock> {
        let directory = File::open(&self.root)?;
        directory.try_lock()?;
        Ok(Lock(Some(directory)))
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        match fs::create_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry?;
            let is_dir = entry.file_type()?.is_dir();
            listed.push(Listed { name: entry.file_name().to_string_lossy().into_owned(), is_dir });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let file = File::open(self.path(path))?;
        // In one piece: growing a buffer to the size of a log file would copy it several times.
        let len = file.metadata()?.len().min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0) + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "file is larger than greffier writes it",
            ));
        }
        Ok(bytes)
    }

    fn head(&self, path: &str, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(path))?.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_from(&self, path: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(path))?;
        let there = file.metadata()?.len().saturating_sub(offset).min(limit);
        file.seek(io::SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or_default());
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        File::open(self.path(path)).map(Source::File)
    }

    fn location(&self, path: &str) -> Option<PathBuf> {
        std::path::absolute(self.path(path)).ok()
    }

    fn write_synced(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.path(path))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::hard_link(self.path(from), self.path(to)) {
            // A file system without links: the lock on the directory keeps others out.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
            {
                if self.path(to).try_exists()? {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.rename(from, to)
            }
            linked => linked.and_then(|()| fs::remove_file(self.path(from))),
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        fs::remove_dir(self.path(dir))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(OpenOptions::new().append(true).open(self.path(path))?))
    }

    fn fill(&self, path: &str, len: u64) -> io::Result<()> {
        /// Synced one by one, so that no sync of the log has to wait behind all of it.
        const PIECE: usize = 1024 * 1024;
        let mut file = File::create(self.path(path))?;
        let zeros = vec![0; PIECE];
        let mut left = usize::try_from(len).map_err(io::Error::other)?;
        while left > 0 {
            let piece = left.min(PIECE);
            file.write_all(zeros.get(..piece).unwrap_or_default())?;
            file.sync_data()?;
            left -= piece;
        }
        file.sync_all()
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(OpenOptions::new().write(true).open(self.path(path))?))
    }
}

impl Append for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: the bytes and the length, without the time stamps.
        self.sync_data()
    }
}

/// A store together with the directories known to be durable, so that each is synced into its parent once.
#[derive(Clone)]
pub(crate) struct Disk {
    store: Arc<dyn Store>,
    durable_dirs: Arc<Mutex<BTreeSet<String>>>,
    /// Directories from which something was removed that a power cut may bring back.
    untidy: Arc<Mutex<BTreeSet<String>>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    pub(crate) fn new(store: Arc<dyn Store>) -> Disk {
        Disk { store, durable_dirs: Arc::default(), untidy: Arc::default() }
    }

    /// The operations beneath.
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Puts `bytes` at `path` so that after a crash the file is the old one or the new one, whole. When this
    /// returns, the new one is durable; when it fails, either may be there.
    pub(crate) fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace_all(std::slice::from_ref(&(path.to_owned(), bytes)))
    }

    /// [`Disk::replace`] where the file is not that already; its name is durable in any case: the try that wrote it
    /// may have failed only then.
    pub(crate) fn ensure(&self, path: &str, bytes: &[u8], limit: u64) -> io::Result<()> {
        if self.store.read(path, limit).ok().as_deref() == Some(bytes) {
            return self.store.sync_dir(parent(path));
        }
        self.replace(path, bytes)
    }

    /// [`Disk::replace`] for many files, syncing each directory once. Not atomic together: callers write first
    /// what later files refer to.
    pub(crate) fn replace_all<B: AsRef<[u8]>>(&self, files: &[(String, B)]) -> io::Result<()> {
        let mut dirs = BTreeSet::new();
        for (path, bytes) in files {
            let dir = parent(path);
            self.ensure_dir(dir)?;
            let unfinished = format!("{path}{UNFINISHED}");
            // The bytes are durable under a name that counts for nothing ...
            self.store.write_synced(&unfinished, bytes.as_ref())?;
            // ... and take the real name in one step ...
            self.store.rename(&unfinished, path)?;
            dirs.insert(dir);
        }
        // ... which is durable from here on.
        dirs.into_iter().try_for_each(|dir| self.store.sync_dir(dir))
    }

    /// Puts `bytes` at a path where nothing is yet (`AlreadyExists`), otherwise as [`Disk::replace`].
    pub(crate) fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.ensure_dir(parent(path))?;
        let unfinished = format!("{path}{UNFINISHED}");
        self.store.write_synced(&unfinished, bytes)?;
        self.store.rename_new(&unfinished, path)?;
        self.store.sync_dir(parent(path))
    }

    /// Creates `dir` and its parents and makes their names durable.
    pub(crate) fn ensure_dir(&self, dir: &str) -> io::Result<()> {
        if dir.is_empty() || self.known(dir) {
            return Ok(());
        }
        self.ensure_dir(parent(dir))?;
        self.store.make_dir(dir)?;
        self.store.sync_dir(parent(dir))?;
        self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.to_owned());
        Ok(())
    }

    /// Removes a file that nobody needs any more; one that is gone already is fine. A power cut may bring it back,
    /// until [`Disk::tidy`].
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        self.untidy().insert(parent(path).to_owned());
        match self.store.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a directory if nothing is in it.
    pub(crate) fn remove_empty(&self, dir: &str) {
        // First of all: it may be gone although the removal failed.
        self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner).remove(dir);
        match self.store.remove_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            _ => drop(self.untidy().insert(parent(dir).to_owned())),
        }
    }

    /// Makes every removal durable: whoever says next which files there are is right whatever happens.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        let dirs = self.untidy().clone();
        for dir in &dirs {
            match self.store.sync_dir(dir) {
                // It is gone itself, with all that was in it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            self.untidy().remove(dir);
        }
        Ok(())
    }

    fn untidy(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.untidy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, dir: &str) -> bool {
        self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner).contains(dir)
    }

    /// Makes every name below the data directory durable, as it is found: a process that was killed may have left
    /// new names and removals that so far are in memory only.
    pub(crate) fn sync_names(&self) -> io::Result<()> {
        let (_, dirs) = self.tree("")?;
        dirs.iter().try_for_each(|dir| self.store.sync_dir(dir))
    }

    /// Every file below `dir`, by path, sorted.
    pub(crate) fn walk(&self, dir: &str) -> io::Result<Vec<String>> {
        self.tree(dir).map(|(files, _)| files)
    }

    /// Every file and every directory below `dir`, itself included. `depth` bounds the recursion: the layout is at
    /// most nine deep (`trails/<tenant>/tile/<level>/x001/x234/x067/x089/123.p/44` for trees of 2^40 entries and
    /// more).
    fn tree(&self, dir: &str) -> io::Result<(Vec<String>, Vec<String>)> {
        const MAX_DEPTH: usize = 16;
        let (mut files, mut dirs) = (Vec::new(), Vec::new());
        let mut waiting = vec![(dir.to_owned(), 0)];
        while let Some((dir, depth)) = waiting.pop() {
            for listed in self.store.list(&dir)? {
                let path = join(&dir, &listed.name);
                if !listed.is_dir {
                    files.push(path);
                } else if depth < MAX_DEPTH {
                    waiting.push((path, depth + 1));
                }
            }
            dirs.push(dir);
        }
        files.sort();
        Ok((files, dirs))
    }
}

/// `a/b` of `a/b/c`; the data directory itself is the empty path.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// `dir/name`, and `name` alone directly in the data directory.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
