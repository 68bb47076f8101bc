//! Following the log: each frame that counts is shown once, in order, as the log grows.
//!
//! How much of a file counts, the next file's header says. Of the last file nobody says it yet: beside the ledger
//! ([`Acknowledged`]) it is what receipts were given for; from outside, every whole frame. There a frame that was
//! shown may be disowned later, when its sync failed: then the follower is told to start again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ReadError, corrupt, damaged, io_error};
use crate::store::Disk;
use crate::wal::frame::{self, Frame, HEADER_BYTES, Header, MAX_FRAME_BYTES, MIN_FRAME_BYTES, Read};
use crate::wal::replay::{Listing, LogFile};
use crate::wal::{self, DIR, End};

/// Bytes of the log that are read at once: half of a second's writing at full pace, and little memory.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// How far the log was acknowledged, told by the committer before receipts go out. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledged(Arc<Mutex<End>>);

impl Acknowledged {
    /// Takes note that everything up to `end` is durable.
    pub(crate) fn set(&self, end: End) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// What is durable.
    pub(crate) fn end(&self) -> End {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a frame lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u64,
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// Why following stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything that there is for now was shown.
    End,
    /// A file is gone: it was sealed, or the directory is damaged.
    Vanished(String),
    /// What was shown does not fit what is there now.
    Contradiction { place: String, what: String },
}

/// The place up to which the log was shown.
#[derive(Debug)]
pub(super) struct Tail {
    file: u64,
    /// 0 while the file's header is not read.
    offset: u64,
    /// Offset and length of a torn end that was searched for whole frames behind it.
    searched: (u64, usize),
}

impl Tail {
    /// In front of a file.
    pub(super) fn before(file: u64) -> Tail {
        Tail { file, offset: 0, searched: (0, 0) }
    }

    /// The file that is read next.
    pub(super) fn file(&self) -> u64 {
        self.file
    }

    /// Shows the frames behind the last one that was shown, up to `acknowledged` or as far as they go. What
    /// `visit` refuses is a contradiction.
    pub(super) fn follow(
        &mut self,
        disk: &Disk,
        acknowledged: Option<End>,
        mut visit: impl FnMut(Place, &Frame<'_>) -> Result<(), String>,
    ) -> Result<Stop, ReadError> {
        loop {
            // The next file is asked for before this one is read: if it is not there now, this one was the last
            // when we asked, and every frame acknowledged by then is in it.
            let next = self.file + 1;
            let limit = match acknowledged {
                Some(end) if self.file > end.sequence => return Ok(Stop::End),
                Some(end) if self.file == end.sequence => Some(end.len),
                _ => read_header(disk, next)?.map(|header| header.previous_len),
            };
            if limit.is_none() && (acknowledged.is_some() || is_missing(disk, next)?) {
                return Ok(Stop::Vanished(wal::path(next)));
            }
            if self.offset == 0 {
                match read_header(disk, self.file)? {
                    Some(_) => self.offset = HEADER_BYTES as u64,
                    None if limit.is_some() => return Ok(Stop::Vanished(wal::path(self.file))),
                    None => return Ok(Stop::End),
                }
            }
            if let Some(limit) = limit.filter(|limit| *limit < self.offset) {
                let what = format!("only {limit} bytes of it count, and {} were read", self.offset);
                return Ok(Stop::Contradiction { place: wal::path(self.file), what });
            }
            match self.read(disk, limit, &mut visit)? {
                Some(stop) => return Ok(stop),
                None if acknowledged.is_some_and(|end| end.sequence == self.file) => return Ok(Stop::End),
                None => *self = Tail::before(next),
            }
        }
    }

    /// Shows the frames of one file, piece by piece; `None` when it showed all that counts.
    fn read(
        &mut self,
        disk: &Disk,
        limit: Option<u64>,
        visit: &mut impl FnMut(Place, &Frame<'_>) -> Result<(), String>,
    ) -> Result<Option<Stop>, ReadError> {
        let path = wal::path(self.file);
        // A frame that a piece cuts is read again with the next piece; one that is longer than a piece, alone.
        let mut piece = PIECE_BYTES;
        loop {
            let want = limit.map_or(piece, |limit| piece.min(limit - self.offset));
            if want == 0 {
                return Ok(None);
            }
            let bytes = match disk.store().read_from(&path, self.offset, want) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Some(Stop::Vanished(path)));
                }
                result => result.map_err(io_error(&path))?,
            };
            let mut at = 0;
            while let Read::Frame(frame, next) = frame::read(&bytes, at) {
                let place = Place { file: self.file, offset: self.offset, len: (next - at) as u32 };
                if frame.group > place.offset {
                    return Err(damaged(
                        &at_byte(&path, place.offset),
                        "the frame belongs elsewhere in the file",
                    ));
                }
                if let Err(what) = visit(place, &frame) {
                    let place = at_byte(&path, place.offset);
                    return Ok(Some(Stop::Contradiction { place, what }));
                }
                self.offset += (next - at) as u64;
                at = next;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            if limit.is_none() && rest.len() >= MIN_FRAME_BYTES && frame::is_zero(rest) {
                return self.space(disk).map(Some);
            }
            let whole = bytes.len() as u64 == want;
            if whole && (at > 0 || piece < MAX_FRAME_BYTES as u64) {
                piece = if at > 0 { PIECE_BYTES } else { MAX_FRAME_BYTES as u64 };
                continue;
            }
            // Here the file ends, or what stands here is no frame.
            return match limit {
                Some(_) => Err(damaged(
                    &at_byte(&path, self.offset),
                    "the file ends here or the frame is damaged, and it was acknowledged",
                )),
                None if at == bytes.len() => Ok(Some(Stop::End)),
                None => self.search(disk, bytes.len() - at).map(|()| Some(Stop::End)),
            };
        }
    }

    /// Zeros where the next frame would stand: space that nothing was written to yet, if they go on to the end.
    fn space(&mut self, disk: &Disk) -> Result<Stop, ReadError> {
        if self.searched == (self.offset, 0) {
            return Ok(Stop::End);
        }
        let path = wal::path(self.file);
        let mut at = self.offset;
        loop {
            let bytes = match disk.store().read_from(&path, at, PIECE_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stop::Vanished(path)),
                result => result.map_err(io_error(&path))?,
            };
            if bytes.is_empty() {
                self.searched = (self.offset, 0);
                return Ok(Stop::End);
            }
            if !frame::is_zero(&bytes) {
                // Written since we looked, or damaged: the whole file says which.
                return self.search(disk, 0).map(|()| Stop::End);
            }
            at += bytes.len() as u64;
        }
    }

    /// Whether the torn end of the last file is one: whole frames of later groups behind it mean that it was
    /// synced once, and is damaged now.
    fn search(&mut self, disk: &Disk, len: usize) -> Result<(), ReadError> {
        if self.searched == (self.offset, len) {
            return Ok(());
        }
        let path = wal::path(self.file);
        match LogFile::read(disk, self.file, false) {
            // Sealed and trimmed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => {
                let file = file.map_err(io_error(&path))?.map_err(corrupt)?;
                file.frames().try_for_each(|frame| frame.map(drop)).map_err(corrupt)?;
            }
        }
        self.searched = (self.offset, len);
        Ok(())
    }
}

/// Whether a file is missing, and not only not there yet: a later one is.
fn is_missing(disk: &Disk, file: u64) -> Result<bool, ReadError> {
    let sequences = Listing::read(disk).map_err(io_error(DIR))?.sequences;
    Ok(!sequences.contains(&file) && sequences.last().is_some_and(|last| *last > file))
}

fn at_byte(path: &str, offset: u64) -> String {
    format!("{path}, byte {offset}")
}

/// The header of a file of the log, if there is one: it appears whole.
fn read_header(disk: &Disk, file: u64) -> Result<Option<Header>, ReadError> {
    let path = wal::path(file);
    let bytes = match disk.store().head(&path, HEADER_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(io_error(&path))?,
    };
    let header = Header::decode(&bytes).map_err(|what| damaged(&at_byte(&path, 0), what))?;
    if header.sequence != file {
        return Err(damaged(&at_byte(&path, 0), &format!("the file says it is number {}", header.sequence)));
    }
    Ok(Some(header))
}
