//! Events on the disk until their backend has them, in the order in which they were logged.
//!
//! Each producer has a folder of its own, locked as long as it lives. What a process left that is no more is sent
//! first by whoever starts next. A frame is with the system before `log` returns: a killed process loses nothing of
//! it; a machine that loses its power may lose what was not flushed.
//!
//! Sent is what the backend took. How far that is stands in a file too, written after each batch: a process that is
//! killed in between sends a batch twice, which servers and ledgers recognise by the ids.

mod folder;
mod frame;
mod reader;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use folder::{Folder, Place};
pub(crate) use reader::Reader;

use crate::overflow::SpoolOptions;

/// Bytes of one file: small enough that what was sent is soon off the disk.
const FILE_BYTES: u64 = 8 << 20;

/// The end of a spool at which frames are added.
#[derive(Debug)]
pub(crate) struct Spool {
    current: File,
    end: Place,
    /// Of what was not sent yet.
    bytes: u64,
    max_bytes: u64,
    files: Files,
}

/// Where files are begun: the folder itself is the reader's.
#[derive(Debug)]
struct Files(std::path::PathBuf);

impl Files {
    fn begin(&self, number: u64) -> io::Result<File> {
        OpenOptions::new().create_new(true).append(true).open(self.0.join(format!("{number:020}.frames")))
    }
}

/// Makes folders for nobody else: what people said is in them.
fn private() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// A line with room before it for its frame's head.
pub(crate) fn room() -> Vec<u8> {
    let mut frame = Vec::with_capacity(640);
    frame.resize(frame::HEAD, 0);
    frame
}

impl Spool {
    /// Opens a producer's part of a spool; the reader begins with what others left, so many lines.
    pub(crate) fn open(options: &SpoolOptions, producer: &str) -> io::Result<(Spool, Reader, u64)> {
        private().recursive(true).create(&options.dir)?;
        let left = folder::left_behind(&options.dir)?;
        let path = options.dir.join(producer);
        private().create(&path)?;
        let own = Folder::take(path.clone())?.ok_or(io::ErrorKind::WouldBlock)?;
        let files = Files(path);
        let current = files.begin(0)?;
        let mut reader = Reader::new(own);
        let (lines, bytes) = reader.begin_with(left)?;
        let spool = Spool { current, end: Place::default(), bytes, max_bytes: options.max_bytes, files };
        Ok((spool, reader, lines))
    }

    /// Bytes that were not sent yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How far a reader may read of this producer's own files.
    pub(crate) fn end(&self) -> End {
        End(self.end)
    }

    /// So many bytes were sent.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Adds a line; see [`room`]. `false` if there is no room for it.
    pub(crate) fn add(&mut self, framed: &mut [u8]) -> io::Result<bool> {
        if !frame::seal(framed) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the event is over 32 MiB"));
        }
        let bytes = framed.len() as u64;
        if self.bytes + bytes > self.max_bytes {
            return Ok(false);
        }
        if self.end.offset > 0 && self.end.offset + bytes > FILE_BYTES {
            let next = self.end.file + 1;
            self.current = self.files.begin(next)?;
            self.end = Place { file: next, offset: 0 };
        }
        if let Err(error) = self.current.write_all(framed) {
            // What is there of it must not stand before the next frame.
            let begun = self.current.set_len(self.end.offset);
            if begun.is_err() {
                self.end.offset = FILE_BYTES;
            }
            return Err(error);
        }
        self.end.offset += bytes;
        self.bytes += bytes;
        Ok(true)
    }

    /// Makes what waits durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.current.sync_data()?;
        let mut number = self.end.file;
        // Earlier files are at most as many as the spool's bound lets be; those that were sent are gone.
        while let Some(before) = number.checked_sub(1) {
            let Ok(file) = File::open(self.files.0.join(format!("{before:020}.frames"))) else { break };
            file.sync_data()?;
            number = before;
        }
        sync_folder(&self.files.0)?;
        self.files.0.parent().map_or(Ok(()), sync_folder)
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// How far a reader may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End(Place);

#[cfg(test)]
mod tests;
