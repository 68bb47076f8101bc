//! Making n-gram indexes ([`crate::ngrams`]) of what is sealed, beside a running server or within one.
//!
//! A segment's file is read whole and must be the one that the manifest names; its index is written and renamed, so
//! that it is there whole or not at all. Several may do so at once: they write the same bytes.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::manifest::FileRecord;
use crate::ngrams::{self, Built, Opened, Subject};
use crate::read::{ReadError, Reader, damaged};
use crate::sealer::MAX_SEGMENT_BYTES;
use crate::segment::EntriesFile;
use crate::snapshot::Segment;
use crate::store::{Disk, UNFINISHED, parent};

/// How far a pass has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Segments that were looked at.
    pub segments: u64,
    /// How many there are.
    pub of: u64,
    /// Indexes that were made.
    pub made: u64,
    /// Entries that these are of.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Indexes that were removed.
    pub removed: u64,
}

/// Why an index could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file cannot be written or removed.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

fn unwritable(path: &str) -> impl FnOnce(io::Error) -> IndexError {
    let path = path.to_owned();
    move |source| IndexError::Write { path, source }
}

/// Makes indexes of a data directory, pass by pass.
#[derive(Debug)]
pub struct Indexer {
    reader: Reader,
    /// Segments whose index was seen whole: read once.
    sound: BTreeSet<String>,
}

impl Indexer {
    /// Of what this reader reads.
    pub fn new(reader: Reader) -> Indexer {
        Indexer { reader, sound: BTreeSet::new() }
    }

    /// Makes every index that is missing or damaged, and removes those of segments that are no more. `step` hears of each
    /// segment, and may end the pass; a segment that cannot be read is told at its end. Blocks.
    pub fn pass(&mut self, mut step: impl FnMut(Indexed) -> ControlFlow<()>) -> Result<Indexed, IndexError> {
        let segments = self.reader.segments()?;
        let (there, removed) = self.tidy(&segments)?;
        let mut done = Indexed { of: segments.len() as u64, removed, ..Indexed::default() };
        self.sound.retain(|known| there.contains(known));
        let mut unread = None;
        for segment in &segments {
            if !self.is_sound(segment) {
                match self.make(segment) {
                    Ok(None) => {}
                    Ok(Some(bytes)) => {
                        done.made += 1;
                        done.bytes += bytes;
                        done.entries += segment.end - segment.first;
                    }
                    // The others can have theirs.
                    Err(IndexError::Read(error)) => unread = Some(error),
                    Err(error) => return Err(error),
                }
            }
            done.segments += 1;
            if step(done).is_break() {
                return Ok(done);
            }
        }
        unread.map_or(Ok(done), |error| Err(error.into()))
    }

    /// Removes all of them.
    pub fn remove(&mut self) -> Result<Indexed, IndexError> {
        self.sound.clear();
        Ok(Indexed { removed: self.tidy(&[])?.1, ..Indexed::default() })
    }

    fn disk(&self) -> &Disk {
        self.reader.disk()
    }

    fn is_sound(&mut self, segment: &Segment) -> bool {
        if self.sound.contains(&segment.key) {
            return true;
        }
        let opened = Opened::of(self.disk(), &segment.into());
        let sound = opened.is_some_and(|index| index.unpacked().is_some());
        if sound {
            self.sound.insert(segment.key.clone());
        }
        sound
    }

    /// The bytes of the new index; `None` where the segment went meanwhile.
    fn make(&mut self, segment: &Segment) -> Result<Option<u64>, IndexError> {
        let Some(path) = ngrams::path_of(&segment.key) else { return Ok(None) };
        let unreadable = |source| ReadError::Io { place: segment.key.clone(), source };
        let file = match self.disk().store().read(&segment.key, MAX_SEGMENT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(unreadable)?,
        };
        if FileRecord::of(&segment.key, &file).sha256 != segment.sha256 {
            return Err(damaged(&segment.key, "the file's SHA-256 is not the one that was signed for").into());
        }
        let built = EntriesFile::open(Bytes::from(file)).and_then(|file| Built::of(&file));
        let built = built.map_err(|error| damaged(&segment.key, &error.to_string()))?;
        let packed = built.pack(Subject::from(segment)).map_err(unwritable(&path))?;
        self.write(&path, &packed).map_err(unwritable(&path))?;
        if self.reader.segments()?.iter().all(|there| there.key != segment.key) {
            // It expired, or was merged, before its index was there to go with it.
            self.disk().remove(&path).map_err(unwritable(&path))?;
            return Ok(None);
        }
        self.sound.insert(segment.key.clone());
        Ok(Some(packed.len() as u64))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        match self.disk().replace(path, bytes) {
            // Somebody removed the folders, as anybody may.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                [parent(path), ngrams::DIR].into_iter().for_each(|dir| self.disk().remove_empty(dir));
                self.disk().replace(path, bytes)
            }
            written => written,
        }
    }

    /// Removes the indexes of all segments but these, says which of these have one, and how many went.
    fn tidy(&self, segments: &[Arc<Segment>]) -> Result<(BTreeSet<String>, u64), IndexError> {
        let wanted: BTreeSet<&str> = segments.iter().map(|segment| segment.key.as_str()).collect();
        let (mut there, mut removed) = (BTreeSet::new(), 0);
        for path in self.disk().walk(ngrams::DIR).map_err(unwritable(ngrams::DIR))? {
            match ngrams::segment_of(&path).filter(|_| !path.ends_with(UNFINISHED)) {
                Some(entries) if wanted.contains(entries.as_str()) => drop(there.insert(entries)),
                Some(_) => {
                    self.disk().remove(&path).map_err(unwritable(&path))?;
                    self.disk().remove_empty(parent(&path));
                    removed += 1;
                }
                None => {}
            }
        }
        Ok((there, removed))
    }
}

#[cfg(test)]
mod tests;
