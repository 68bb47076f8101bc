//! One file that anyone can open: a ZIP archive of stored files, in its plainest form.
//!
//! Writing: a file's checksum and size stand before its bytes, so that any reader can read on as it comes. Reading:
//! only what is written here is read. Every byte of such an archive is either a file's content or follows from the
//! files' names, sizes and checksums; an archive with anything else in it (compression, encryption, comments, gaps,
//! names twice, paths that lead out) is refused. What follows a ZIP bomb's tricks never gets as far as a file.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::layout::{MAX_FILES, is_name};

/// Without its 64-bit extension the format ends here.
pub(crate) const MAX_ARCHIVE: u64 = u32::MAX as u64;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
/// The first day that the format knows: a pack's time stands in the pack.
const DATE: u16 = 0x21;
/// Readable by everyone, as Unix says it.
const MODE: u32 = 0o100_644 << 16;
/// Names are short, see the layout.
const MAX_NAME: usize = 64;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// More than the format holds.
    #[error("the pack would be larger than 4 GiB: narrow the search, or write it as a folder")]
    TooLarge,
    /// Not an archive as it is written here.
    #[error("this is not an evidence pack as greffier writes it: {0}")]
    Malformed(&'static str),
    /// A file in it is longer than any that is written.
    #[error("`{0}` is larger than a pack's file can be")]
    TooLong(String),
    /// A file's bytes are not those that were written.
    #[error("`{0}` was changed: its checksum is wrong")]
    Changed(String),
    /// The operating system refused.
    #[error("cannot read the pack: {0}")]
    Io(#[from] io::Error),
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    crc: u32,
    size: u32,
    offset: u32,
}

impl Member {
    fn local(&self) -> Vec<u8> {
        let mut bytes = LOCAL.to_le_bytes().to_vec();
        self.common(&mut bytes);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    fn central(&self) -> Vec<u8> {
        let mut bytes = CENTRAL.to_le_bytes().to_vec();
        // Made on Unix, by version 2.0 of the format.
        bytes.extend_from_slice(&(3 << 8 | 20u16).to_le_bytes());
        self.common(&mut bytes);
        // No comment, the first disk, no inner attributes.
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&MODE.to_le_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// What both headers say: version 1.0, no flags, stored, when, what, how long, no extras.
    fn common(&self, bytes: &mut Vec<u8>) {
        for field in [10, 0, 0, 0, DATE] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.crc, self.size, self.size] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
    }

    /// One behind its last byte.
    fn end(&self) -> u64 {
        u64::from(self.offset) + LOCAL_BYTES + self.name.len() as u64 + u64::from(self.size)
    }
}

fn end_record(members: usize, directory: u64, offset: u64) -> Result<Vec<u8>, ZipError> {
    let count = u16::try_from(members).map_err(|_| ZipError::TooLarge)?;
    let narrow = |number: u64| u32::try_from(number).map_err(|_| ZipError::TooLarge);
    let mut bytes = END.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&narrow(directory)?.to_le_bytes());
    bytes.extend_from_slice(&narrow(offset)?.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    Ok(bytes)
}

/// Writes an archive, file by file.
#[derive(Debug, Default)]
pub struct ZipWriter {
    members: Vec<Member>,
    offset: u64,
}

impl ZipWriter {
    /// The bytes of the next file.
    pub fn file(&mut self, name: &str, content: &[u8]) -> Result<Vec<u8>, ZipError> {
        let offset = u32::try_from(self.offset).map_err(|_| ZipError::TooLarge)?;
        let size = u32::try_from(content.len()).map_err(|_| ZipError::TooLarge)?;
        let member = Member { name: name.to_owned(), crc: crc32fast::hash(content), size, offset };
        let mut bytes = member.local();
        bytes.extend_from_slice(content);
        self.offset = member.end();
        self.members.push(member);
        if self.offset > MAX_ARCHIVE { Err(ZipError::TooLarge) } else { Ok(bytes) }
    }

    /// The bytes that end the archive.
    pub fn finish(self) -> Result<Vec<u8>, ZipError> {
        let mut bytes: Vec<u8> = self.members.iter().flat_map(Member::central).collect();
        let directory = bytes.len() as u64;
        bytes.extend(end_record(self.members.len(), directory, self.offset)?);
        Ok(bytes)
    }
}

/// An archive, open for reading.
#[derive(Debug)]
pub(crate) struct ZipReader<R> {
    source: R,
    members: Vec<Member>,
}

impl<R: Read + Seek> ZipReader<R> {
    /// Reads what the archive holds, and holds every byte of it that is no content against it.
    pub(crate) fn open(mut source: R) -> Result<ZipReader<R>, ZipError> {
        const CUT: ZipError = ZipError::Malformed("it is cut short, or no ZIP archive");
        let length = source.seek(SeekFrom::End(0))?;
        let end_at = length.checked_sub(END_BYTES as u64).filter(|_| length <= MAX_ARCHIVE).ok_or(CUT)?;
        let end = read_at(&mut source, end_at, END_BYTES)?;
        let field = |at: usize| {
            let bytes = end.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).unwrap_or_default()
        };
        let count = usize::from((field(8) & 0xffff) as u16);
        let (directory, offset) = (u64::from(field(12)), u64::from(field(16)));
        let longest = (MAX_FILES * (CENTRAL_BYTES + MAX_NAME)) as u64;
        let fits = offset.checked_add(directory) == Some(end_at) && directory <= longest;
        if field(0) != END || !fits || end_record(count, directory, offset)? != end {
            return Err(CUT);
        }
        let bytes = read_at(&mut source, offset, directory as usize)?;
        let members = members(&bytes, count).ok_or(ZipError::Malformed("its directory is damaged"))?;
        let mut free = 0;
        let mut names = BTreeSet::new();
        for member in &members {
            if !is_name(&member.name) || !names.insert(member.name.as_str()) {
                return Err(ZipError::Malformed("it holds a file that does not belong there, or one twice"));
            }
            if u64::from(member.offset) != free {
                return Err(ZipError::Malformed("its files do not follow each other"));
            }
            free = member.end();
        }
        if free != offset {
            return Err(ZipError::Malformed("its files do not fill it"));
        }
        Ok(ZipReader { source, members })
    }

    /// The names of its files, and how long they are.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.members.iter().map(|member| (member.name.as_str(), u64::from(member.size)))
    }

    /// A file that may be so long, if it is there.
    pub(crate) fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ZipError> {
        let Some(member) = self.members.iter().find(|member| member.name == name).cloned() else {
            return Ok(None);
        };
        if u64::from(member.size) > limit {
            return Err(ZipError::TooLong(name.to_owned()));
        }
        let local = member.local();
        if read_at(&mut self.source, member.offset.into(), local.len())? != local {
            return Err(ZipError::Malformed("a file's own header contradicts the directory"));
        }
        let mut content = vec![0; member.size as usize];
        self.source.read_exact(&mut content)?;
        if crc32fast::hash(&content) != member.crc {
            return Err(ZipError::Changed(name.to_owned()));
        }
        Ok(Some(content))
    }
}

fn read_at(source: &mut (impl Read + Seek), offset: u64, length: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The files of a directory that says exactly what ours would.
fn members(mut bytes: &[u8], count: usize) -> Option<Vec<Member>> {
    let mut members = Vec::with_capacity(count.min(MAX_FILES));
    for _ in 0..count {
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let name_len = usize::from((number(28)? & 0xffff) as u16);
        let name = bytes.get(CENTRAL_BYTES..CENTRAL_BYTES + name_len)?;
        let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME)?.to_owned();
        let member = Member { name, crc: number(16)?, size: number(20)?, offset: number(42)? };
        bytes = bytes.strip_prefix(member.central().as_slice())?;
        members.push(member);
    }
    (bytes.is_empty() && members.len() <= MAX_FILES).then_some(members)
}

#[cfg(test)]
mod tests;
