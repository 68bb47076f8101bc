//! Reading the log back: which bytes of each file count, what is a torn tail, and what is corruption.

use std::fmt;
use std::io;

use super::frame::{self, Frame, HEADER_BYTES, Header, Read};
use super::{DIR, MAX_FILE_BYTES, path};
use crate::store::{Disk, UNFINISHED};

/// Damage that no crash explains, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Corruption {
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) what: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: {}", self.file, self.offset, self.what)
    }
}

/// A tail that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TornTail {
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: torn tail of {} bytes", self.file, self.offset, self.bytes)
    }
}

/// The files of the log, in order, and names that do not belong there.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) sequences: Vec<u64>,
    pub(crate) strangers: Vec<String>,
}

impl Listing {
    pub(crate) fn read(disk: &Disk) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for listed in disk.store().list(DIR)? {
            let sequence = listed.name.strip_suffix(".wal").and_then(|digits| digits.parse::<u64>().ok());
            match sequence {
                Some(sequence) if !listed.is_dir && path(sequence) == format!("{DIR}/{}", listed.name) => {
                    listing.sequences.push(sequence);
                }
                _ if listed.name.ends_with(UNFINISHED) => {}
                _ => listing.strangers.push(format!("{DIR}/{}", listed.name)),
            }
        }
        listing.sequences.sort_unstable();
        Ok(listing)
    }

    /// The first file from `floor` on that should be there and is not.
    pub(crate) fn missing(&self, floor: u64) -> Option<u64> {
        (floor..)
            .zip(&self.sequences)
            .find(|(expected, found)| expected != *found)
            .map(|(expected, _)| expected)
    }
}

/// One file of the log in memory, with what its successor says of it.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// How much counts; `None` for the last file, which nobody follows.
    pub(crate) accepted: Option<u64>,
}

impl LogFile {
    /// Reads file `sequence`; `followed` says whether there is a next one to ask how much counts.
    pub(crate) fn read(
        disk: &Disk,
        sequence: u64,
        followed: bool,
    ) -> io::Result<Result<LogFile, Corruption>> {
        let name = path(sequence);
        let mut accepted = None;
        if followed {
            let next = path(sequence + 1);
            match Header::decode(&disk.store().head(&next, HEADER_BYTES)?) {
                Ok(header) => accepted = Some(header.previous_len),
                Err(what) => return Ok(Err(Corruption { file: next, offset: 0, what: what.to_owned() })),
            }
        }
        let mut bytes = disk.store().read(&name, MAX_FILE_BYTES)?;
        if !followed && bytes.last() == Some(&0) {
            // Space that may be written to while we read, from front to back: we could miss a group and see the
            // next. What the first reading saw the end of, the second sees whole.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let len = bytes.len();
            bytes = disk.store().read(&name, MAX_FILE_BYTES)?;
            bytes.truncate(end);
            bytes.resize(len, 0);
        }
        Ok(Ok(LogFile { sequence, name, bytes, accepted }))
    }

    /// The frames that count, in order.
    pub(crate) fn frames(&self) -> Frames<'_> {
        Frames { file: self, limit: self.bytes.len(), offset: 0, torn: None, ended: false }
    }
}

/// The frames of one file. After the last, [`Frames::torn`] says whether bytes were left over, and
/// [`Frames::accepted`] how much of the file counts.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    file: &'a LogFile,
    limit: usize,
    offset: usize,
    torn: Option<TornTail>,
    ended: bool,
}

impl<'a> Frames<'a> {
    pub(crate) fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    pub(crate) fn accepted(&self) -> usize {
        self.offset
    }

    fn corrupt(
        &mut self,
        offset: usize,
        what: impl Into<String>,
    ) -> Option<Result<(u64, Frame<'a>), Corruption>> {
        self.ended = true;
        Some(Err(Corruption { file: self.file.name.clone(), offset: offset as u64, what: what.into() }))
    }

    /// The header, and the length that the next file vouches for.
    fn open(&mut self) -> Option<Result<(u64, Frame<'a>), Corruption>> {
        let header = match Header::decode(&self.file.bytes) {
            Ok(header) => header,
            Err(what) => return self.corrupt(0, what),
        };
        if header.sequence != self.file.sequence {
            return self.corrupt(0, format!("the file says it is number {}", header.sequence));
        }
        self.offset = HEADER_BYTES;
        if let Some(accepted) = self.file.accepted {
            let available = self.file.bytes.len();
            match usize::try_from(accepted) {
                Ok(accepted) if (HEADER_BYTES..=available).contains(&accepted) => self.limit = accepted,
                _ => {
                    let what = format!("the file ends here, but {accepted} bytes of it were acknowledged");
                    return self.corrupt(available, what);
                }
            }
        }
        None
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<(u64, Frame<'a>), Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.offset == 0
            && let Some(corrupt) = self.open()
        {
            return Some(corrupt);
        }
        let bytes = self.file.bytes.get(..self.limit).unwrap_or_default();
        let offset = self.offset;
        match frame::read(bytes, offset) {
            Read::Frame(frame, _) if frame.group > offset as u64 => {
                self.corrupt(offset, "the frame belongs elsewhere in the file")
            }
            Read::Frame(frame, next) => {
                self.offset = next;
                Some(Ok((offset as u64, frame)))
            }
            Read::End => {
                self.ended = true;
                None
            }
            Read::Zeros if self.file.accepted.is_none() => {
                self.ended = true;
                None
            }
            Read::Zeros | Read::Damaged if self.file.accepted.is_some() => {
                self.corrupt(offset, "the frame is damaged, and it was acknowledged")
            }
            Read::Zeros | Read::Damaged => match frame::later_group(bytes, offset) {
                Some(later) => self
                    .corrupt(offset, format!("the frame is damaged, and whole ones follow at byte {later}")),
                None => {
                    self.ended = true;
                    // Space behind it that nothing was written to is no part of it.
                    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(offset, |last| last + 1);
                    self.torn = Some(TornTail {
                        file: self.file.name.clone(),
                        offset: offset as u64,
                        bytes: end.saturating_sub(offset) as u64,
                    });
                    None
                }
            },
        }
    }
}
