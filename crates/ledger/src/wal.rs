//! The write-ahead log: a row of numbered files, the last of which grows.
//!
//! A file may be longer than what was written to it: its space is filled with zeros ahead of time (`spare.rs`), and
//! zeros to the end of the last file are its end.
//!
//! The log is the truth: trees, tiles and checkpoints are made from it and can be made again. A file is written
//! by one [`Writer`], which a failed write or sync consumes, so that nobody can write behind bytes whose fate is
//! unknown. The next file's header then says how much of the failed one counts.

use std::io;

use crate::manifest::LogRecord;
use crate::store::{Append, Disk};

pub(crate) mod frame;
pub(crate) mod replay;
mod spare;

pub(crate) use spare::Spare;

use frame::{HEADER_BYTES, Header, MAX_FRAME_BYTES};

/// The directory of the log.
pub(crate) const DIR: &str = "wal";
/// A file that has grown to this is followed by the next one: recovery reads and rewrites one file at a time,
/// and this bounds how much.
pub(crate) const ROTATE_BYTES: u64 = 32 * 1024 * 1024;
/// One group, unless a single frame is larger.
pub(crate) const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// No file is longer: the group that crosses `ROTATE_BYTES` is the last.
pub(crate) const MAX_FILE_BYTES: u64 = ROTATE_BYTES + (MAX_FRAME_BYTES + GROUP_BYTES) as u64;

/// The path of file `sequence`.
pub(crate) fn path(sequence: u64) -> String {
    format!("{DIR}/{sequence:020}.wal")
}

/// The end of the log as it was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct End {
    /// The last file; 0 before the first.
    pub(crate) sequence: u64,
    /// How much of it counts.
    pub(crate) len: u64,
}

/// Writes a file anew with only what counts of it, so that it is durable, and the same whatever crashes follow.
pub(crate) fn settle(disk: &Disk, end: End) -> io::Result<LogRecord> {
    let path = path(end.sequence);
    let mut bytes = disk.store().read(&path, MAX_FILE_BYTES)?;
    bytes.truncate(usize::try_from(end.len).unwrap_or(usize::MAX));
    disk.replace(&path, &bytes)?;
    Ok(LogRecord::sealed(&path, &bytes))
}

/// The growing end of the log.
pub(crate) struct Writer {
    file: Box<dyn Append>,
    end: End,
    /// How long the file was made: up to here its space is there already, and a sync has only bytes to write.
    space: u64,
}

impl Writer {
    /// Starts the file after `end`. When this returns, the empty file is durable and says that the one before
    /// it counts up to `end.len`. When it fails, the file may exist all the same; it holds no frame then, and
    /// the next try replaces it.
    pub(crate) fn create(disk: &Disk, end: End, spare: &Spare) -> io::Result<Writer> {
        let header = Header { sequence: end.sequence + 1, previous_len: end.len };
        let path = path(header.sequence);
        let (file, space) = match spare.take() {
            Some(space) => (spare::begin(disk, &path, &header.encode())?, space),
            None => {
                disk.replace(&path, &header.encode())?;
                (disk.store().append(&path)?, HEADER_BYTES as u64)
            }
        };
        Ok(Writer { file, end: End { sequence: header.sequence, len: HEADER_BYTES as u64 }, space })
    }

    /// What is acknowledged.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// Whether the next group belongs in the next file: this one is long enough, or has used up the space that
    /// was made for it while new space is ready.
    pub(crate) fn is_full(&self, spare: &Spare) -> bool {
        self.end.len >= ROTATE_BYTES || (self.end.len > self.space && spare.is_ready())
    }

    /// Writes one group and makes it durable. Only the writer that comes back may go on: a failure consumes it.
    pub(crate) fn commit(mut self, group: &[u8]) -> io::Result<Writer> {
        self.file.write(group)?;
        self.file.sync()?;
        self.end.len += group.len() as u64;
        Ok(self)
    }
}
