//! The files of one producer's spool: a lock, numbered files of frames, and how far they were sent.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A place in a spool: which file, and how many bytes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u64,
    pub(super) offset: u64,
}

const LOCK: &str = "lock";
const SENT: &str = "sent";
const FRAMES: &str = "frames";

/// One producer's folder, ours as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    #[expect(dead_code, reason = "held for its lifetime")]
    lock: File,
    sent: File,
}

impl Folder {
    /// Takes a folder, unless another process has it.
    pub(super) fn take(path: PathBuf) -> io::Result<Option<Folder>> {
        let open = |name| {
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path.join(name))
        };
        let lock = open(LOCK)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let sent = open(SENT)?;
        Ok(Some(Folder { path, lock, sent }))
    }

    /// The numbers of its files, in order.
    pub(super) fn files(&self) -> io::Result<Vec<u64>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(FRAMES)?.strip_suffix('.'));
            files.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        files.sort_unstable();
        Ok(files)
    }

    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:020}.{FRAMES}"))
    }

    /// How far it was sent. What cannot be read counts as nothing: to send it again does no harm.
    pub(super) fn sent(&mut self) -> Place {
        let mut bytes = [0; 16];
        let read = self.sent.seek(SeekFrom::Start(0)).and_then(|_| self.sent.read_exact(&mut bytes));
        let word = |at: usize| {
            let word = bytes.get(at..at + 8).and_then(|word| <[u8; 8]>::try_from(word).ok());
            word.map(u64::from_le_bytes).unwrap_or_default()
        };
        if read.is_ok() { Place { file: word(0), offset: word(8) } } else { Place::default() }
    }

    /// Notes how far it was sent, and removes the files before.
    pub(super) fn note_sent(&mut self, place: Place) -> io::Result<()> {
        let mut bytes = [0; 16];
        let (file, offset) = bytes.split_at_mut(8);
        file.copy_from_slice(&place.file.to_le_bytes());
        offset.copy_from_slice(&place.offset.to_le_bytes());
        self.sent.seek(SeekFrom::Start(0))?;
        self.sent.write_all(&bytes)
    }

    pub(super) fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(number))
    }

    /// Keeps a damaged file for people to look at.
    pub(super) fn keep_damaged(&self, number: u64) -> io::Result<()> {
        let file = self.file(number);
        fs::rename(&file, file.with_extension("damaged"))
    }

    /// Removes the folder, unless there is something of worth in it.
    pub(super) fn remove_empty(self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if name != LOCK && name != SENT {
                return Ok(());
            }
        }
        fs::remove_dir_all(&self.path)
    }
}

/// Takes the folders that processes left which are no more, oldest first.
pub(super) fn left_behind(dir: &Path) -> io::Result<Vec<Folder>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.path().join(LOCK).exists() {
            paths.push(entry.path());
        }
    }
    // Named by when they began.
    paths.sort();
    let mut folders = Vec::new();
    for path in paths {
        folders.extend(Folder::take(path)?);
    }
    Ok(folders)
}
