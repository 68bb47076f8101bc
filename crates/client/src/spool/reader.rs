//! The end of a spool from which it is sent: what others left first, then its producer's own.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::End;
use super::folder::{Folder, Place};
use super::frame::{self, Frame};

/// Bytes that are read at one time, unless one frame is longer.
const READ_BYTES: usize = 1 << 20;

/// Reads a spool in order, batch by batch.
#[derive(Debug)]
pub(crate) struct Reader {
    left: VecDeque<Folder>,
    own: Folder,
    at: Place,
    /// Files in which something else than frames stood.
    pub(crate) damaged: u64,
}

/// Lines to be sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    buffer: Vec<u8>,
    lines: Vec<Range<usize>>,
    /// Bytes that they take in the spool.
    pub(crate) bytes: u64,
    behind: Place,
}

impl Batch {
    /// The lines, in order.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let text = |range: &Range<usize>| std::str::from_utf8(self.buffer.get(range.clone())?).ok();
        self.lines.iter().filter_map(text).collect()
    }
}

/// What a look at a place showed.
enum Look {
    Lines(Batch),
    /// Nothing more in this file.
    Over,
    /// Something that is no frame.
    Damaged,
}

impl Reader {
    pub(super) fn new(own: Folder) -> Reader {
        Reader { left: VecDeque::new(), own, at: Place::default(), damaged: 0 }
    }

    /// Takes over what others left; returns how many lines and bytes that is.
    pub(super) fn begin_with(&mut self, left: Vec<Folder>) -> io::Result<(u64, u64)> {
        let (mut lines, mut bytes) = (0, 0);
        for mut folder in left {
            let mut at = folder.sent();
            let files = folder.files()?;
            for file in files {
                if file < at.file {
                    continue;
                }
                if file > at.file {
                    at = Place { file, offset: 0 };
                }
                while let Look::Lines(batch) = look(&folder, at, u64::MAX, usize::MAX)? {
                    lines += batch.lines.len() as u64;
                    bytes += batch.bytes;
                    at = batch.behind;
                }
            }
            self.left.push_back(folder);
        }
        self.begin();
        Ok((lines, bytes))
    }

    fn begin(&mut self) {
        self.at = self.left.front_mut().map_or_else(Place::default, Folder::sent);
    }

    /// The next lines, at most so many; none if all was read.
    pub(crate) fn next(&mut self, end: End, most: usize) -> io::Result<Option<Batch>> {
        loop {
            let (folder, own) = match self.left.front() {
                Some(folder) => (folder, false),
                None => (&self.own, true),
            };
            let current = own && self.at.file >= end.0.file;
            let limit = if current { end.0.offset } else { u64::MAX };
            match look(folder, self.at, limit, most)? {
                Look::Lines(batch) => return Ok(Some(batch)),
                Look::Over if current => return Ok(None),
                Look::Over => self.go_on()?,
                Look::Damaged => {
                    self.damaged += 1;
                    folder.keep_damaged(self.at.file)?;
                    self.go_on()?;
                }
            }
        }
    }

    /// Goes on to the next file, or to the next folder.
    fn go_on(&mut self) -> io::Result<()> {
        let Some(folder) = self.left.front_mut() else {
            let number = self.at.file;
            self.at = Place { file: number + 1, offset: 0 };
            self.own.note_sent(self.at)?;
            return gone(self.own.remove(number));
        };
        let files = folder.files()?;
        match files.into_iter().find(|file| *file > self.at.file) {
            Some(next) => {
                let number = self.at.file;
                self.at = Place { file: next, offset: 0 };
                folder.note_sent(self.at)?;
                gone(folder.remove(number))
            }
            None => {
                gone(folder.remove(self.at.file))?;
                if let Some(folder) = self.left.pop_front() {
                    folder.remove_empty()?;
                }
                self.begin();
                Ok(())
            }
        }
    }

    /// A batch was taken by the backend.
    pub(crate) fn sent(&mut self, batch: &Batch) -> io::Result<()> {
        self.at = batch.behind;
        self.left.front_mut().unwrap_or(&mut self.own).note_sent(self.at)
    }

    /// Removes the producer's own folder, if all of it was sent.
    pub(crate) fn close(mut self, end: End) -> io::Result<()> {
        if !self.left.is_empty() || self.at != end.0 {
            return Ok(());
        }
        gone(self.own.remove(end.0.file))?;
        self.own.note_sent(Place::default())?;
        self.own.remove_empty()
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Reads lines at a place of a folder, no further than `limit` in its file.
fn look(folder: &Folder, at: Place, limit: u64, most: usize) -> io::Result<Look> {
    let mut file = match File::open(folder.file(at.file)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Over),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(at.offset))?;
    let there = limit.saturating_sub(at.offset);
    let mut batch = Batch::default();
    let read = |batch: &mut Batch, bytes: usize| {
        let more = (bytes as u64).min(there).saturating_sub(batch.buffer.len() as u64);
        Read::take(&file, more).read_to_end(&mut batch.buffer)
    };
    read(&mut batch, READ_BYTES)?;
    let mut start = 0;
    while batch.lines.len() < most {
        match frame::read(batch.buffer.get(start..).unwrap_or_default()) {
            Frame::Whole(_, bytes) => {
                batch.lines.push(start + frame::HEAD..start + bytes);
                start += bytes;
            }
            // One frame may be longer than what is read at one time.
            Frame::Cut(needed) if batch.lines.is_empty() && batch.buffer.len() < needed => {
                if read(&mut batch, needed)? == 0 {
                    return Ok(Look::Over);
                }
            }
            Frame::Cut(_) => break,
            Frame::Damaged if batch.lines.is_empty() => return Ok(Look::Damaged),
            Frame::Damaged => break,
        }
    }
    batch.bytes = start as u64;
    batch.behind = Place { file: at.file, offset: at.offset + batch.bytes };
    Ok(if batch.lines.is_empty() { Look::Over } else { Look::Lines(batch) })
}
