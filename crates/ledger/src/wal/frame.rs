//! The bytes of a write-ahead log file: one header, then frames. Pure: bytes in, values out.
//!
//! ```text
//! header  magic[8] version:u32 sequence:u64 previous_len:u64 crc32:u32            32 bytes
//! frame   len:u32 crc32:u32 body[len]                 the checksum covers len and body
//! body    kind:u8 group:u64 index:u64 trail(u8 len) entry(u16 len) count:u8 part*
//! part    holder(u8 len) wrapped_key(u8 len) content(u32 len)
//! ```
//!
//! Integers are little-endian. `group` is the offset in the file at which the frame's group starts. A group is
//! written and synced as one, so its pages may reach the disk in any order; but a group is written only after
//! the one before it was synced. Therefore damage *before* the start of a later group is corruption, while
//! damage inside the last group is the torn tail of a write that was never acknowledged. Zeros from a frame's place
//! to the end of the last file are neither: the file was made longer than what was written to it.

use std::borrow::Cow;

use greffier_event::Tenant;

const MAGIC: [u8; 8] = *b"greffwal";
const VERSION: u32 = 1;
/// Length of a file's header.
pub(crate) const HEADER_BYTES: usize = 32;
/// `len` and `crc32`.
const PREFIX_BYTES: usize = 8;
/// `kind`, `group`, `index`: fixed places, filled in by the committer.
const FIXED_BYTES: usize = 17;
const KIND_ENTRY: u8 = 1;
/// No frame is shorter: fewer zeros may be the beginning of one.
pub(crate) const MIN_FRAME_BYTES: usize = PREFIX_BYTES + FIXED_BYTES;
/// C2SP bundles carry a 16-bit length, so no entry is longer.
pub(crate) const MAX_ENTRY_BYTES: usize = 65_535;
/// Parts of one event, as the event itself bounds them.
pub(crate) const MAX_PARTS: usize = greffier_event::limits::PARTS.max;
/// Kept bytes of one part.
pub(crate) const MAX_PART_BYTES: usize = 1024 * 1024;
/// Encryption adds a 16-byte tag.
const MAX_CONTENT_BYTES: usize = MAX_PART_BYTES + 16;
/// A part's holder and wrapped key, 255 bytes each at most, and the lengths.
const MAX_PART_OVERHEAD: usize = 2 * 256 + 4;
/// The longest frame: an entry and all its parts, some 33 MiB.
pub(crate) const MAX_FRAME_BYTES: usize =
    PREFIX_BYTES + FIXED_BYTES + 70 + MAX_ENTRY_BYTES + MAX_PARTS * (MAX_CONTENT_BYTES + MAX_PART_OVERHEAD);

/// One part as it lies in the log: encrypted, and useless without the holder's key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SealedPart<'a> {
    /// Keyed reference of whose key wraps the part's own.
    pub(crate) holder: Cow<'a, str>,
    /// The part's key under the holder's.
    pub(crate) wrapped_key: Cow<'a, [u8]>,
    /// The content, encrypted.
    pub(crate) content: Cow<'a, [u8]>,
}

impl SealedPart<'_> {
    pub(crate) fn into_owned(self) -> SealedPart<'static> {
        SealedPart {
            holder: Cow::Owned(self.holder.into_owned()),
            wrapped_key: Cow::Owned(self.wrapped_key.into_owned()),
            content: Cow::Owned(self.content.into_owned()),
        }
    }
}

impl std::fmt::Debug for SealedPart<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedPart")
            .field("holder", &self.holder)
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The file's number; files count from 1 without gaps.
    pub(crate) sequence: u64,
    /// How much of the file before this one counts: what was acknowledged. Bytes behind it were refused.
    pub(crate) previous_len: u64,
}

impl Header {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.previous_len.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, &'static str> {
        let mut input = Input(bytes.get(..HEADER_BYTES).ok_or("the header is cut short")?);
        let covered = bytes.get(..HEADER_BYTES - 4).ok_or("the header is cut short")?;
        if input.take(8) != Some(&MAGIC) {
            return Err("this is not a greffier log file");
        }
        let version = input.u32().ok_or("the header is cut short")?;
        let sequence = input.u64().ok_or("the header is cut short")?;
        let previous_len = input.u64().ok_or("the header is cut short")?;
        if input.u32() != Some(crc32fast::hash(covered)) {
            return Err("the header's checksum is wrong");
        }
        if version != VERSION {
            return Err("the file has a version that this greffier does not know");
        }
        Ok(Header { sequence, previous_len })
    }
}

/// One entry with its parts, as read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Offset in the file at which the frame's group starts.
    pub(crate) group: u64,
    pub(crate) index: u64,
    pub(crate) trail: &'a str,
    pub(crate) entry: &'a [u8],
    pub(crate) parts: Vec<SealedPart<'a>>,
}

impl Frame<'_> {
    /// About how many bytes it takes in the log.
    pub(crate) fn len(&self) -> usize {
        self.entry.len() + self.parts.iter().map(|part| part.content.len() + 128).sum::<usize>() + 64
    }
}

/// A frame complete but for its place, so that producers encode and the committer only numbers.
#[derive(Clone, Debug)]
pub(crate) struct Unplaced(Vec<u8>);

/// The entry or its parts exceed what a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is too large: at most 65,535 bytes and 32 parts")]
pub(crate) struct TooLarge;

impl Unplaced {
    pub(crate) fn encode(trail: &str, entry: &[u8], parts: &[SealedPart<'_>]) -> Result<Unplaced, TooLarge> {
        let length = |len: usize, max: usize| if len <= max { Ok(len) } else { Err(TooLarge) };
        let content: usize = parts.iter().map(|part| part.content.len() + part.holder.len() + 128).sum();
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + FIXED_BYTES + 128 + entry.len() + content);
        bytes.resize(PREFIX_BYTES, 0);
        bytes.push(KIND_ENTRY);
        bytes.resize(PREFIX_BYTES + FIXED_BYTES, 0);
        bytes.push(length(trail.len(), 255)? as u8);
        bytes.extend_from_slice(trail.as_bytes());
        bytes.extend_from_slice(&(length(entry.len(), MAX_ENTRY_BYTES)? as u16).to_le_bytes());
        bytes.extend_from_slice(entry);
        bytes.push(length(parts.len(), MAX_PARTS)? as u8);
        for part in parts {
            bytes.push(length(part.holder.len(), 255)? as u8);
            bytes.extend_from_slice(part.holder.as_bytes());
            bytes.push(length(part.wrapped_key.len(), 255)? as u8);
            bytes.extend_from_slice(&part.wrapped_key);
            bytes.extend_from_slice(&(length(part.content.len(), MAX_CONTENT_BYTES)? as u32).to_le_bytes());
            bytes.extend_from_slice(&part.content);
        }
        let len = length(bytes.len(), MAX_FRAME_BYTES)? - PREFIX_BYTES;
        put(&mut bytes, 0, &(len as u32).to_le_bytes());
        Ok(Unplaced(bytes))
    }

    /// Length of the whole frame in the file.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends the frame to `group_bytes`, which start at offset `group` in the file, as entry `index`.
    pub(crate) fn place(&self, group_bytes: &mut Vec<u8>, group: u64, index: u64) {
        let start = group_bytes.len();
        group_bytes.extend_from_slice(&self.0);
        put(group_bytes, start + PREFIX_BYTES + 1, &group.to_le_bytes());
        put(group_bytes, start + PREFIX_BYTES + 9, &index.to_le_bytes());
        let crc = group_bytes.get(start..).map_or(0, checksum);
        put(group_bytes, start + 4, &crc.to_le_bytes());
    }
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// A valid frame, and the offset behind it.
    Frame(Frame<'a>, usize),
    /// The end of the bytes, exactly.
    End,
    /// Zeros up to the end: space that nothing was written to, or bytes that are lost.
    Zeros,
    /// None of these.
    Damaged,
}

/// Reads the frame at `offset`.
pub(crate) fn read(bytes: &[u8], offset: usize) -> Read<'_> {
    match bytes.get(offset..) {
        None => Read::Damaged,
        Some([]) => Read::End,
        Some(rest) => match decode(rest) {
            Some((frame, len)) => Read::Frame(frame, offset + len),
            None if is_zero(rest) => Read::Zeros,
            None => Read::Damaged,
        },
    }
}

/// Whether there are only zeros. No frame begins with the length zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The offset of a valid frame whose group starts behind `damage`, if there is one: then the damaged bytes
/// were once synced, and what happened to them is corruption.
pub(crate) fn later_group(bytes: &[u8], damage: usize) -> Option<usize> {
    (damage + 1..bytes.len().saturating_sub(PREFIX_BYTES + FIXED_BYTES)).find(|&offset| {
        bytes
            .get(offset..)
            .and_then(decode)
            .is_some_and(|(frame, _)| frame.group > damage as u64 && frame.group <= offset as u64)
    })
}

/// Structure before checksum: nearly every wrong offset is refused by a few comparisons, so that searching a
/// whole file for a frame stays linear.
fn decode(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let len = Input(bytes).u32()? as usize;
    let end = PREFIX_BYTES.checked_add(len).filter(|&end| end <= MAX_FRAME_BYTES)?;
    let mut body = Input(bytes.get(PREFIX_BYTES..end)?);
    if body.u8()? != KIND_ENTRY {
        return None;
    }
    let (group, index) = (body.u64()?, body.u64()?);
    let trail_len = body.u8()?;
    let trail = std::str::from_utf8(body.take(trail_len.into())?).ok()?;
    Tenant::new(trail).ok()?;
    let entry_len = body.u16()?;
    let entry = body.take(entry_len.into())?;
    let count = usize::from(body.u8()?);
    if count > MAX_PARTS {
        return None;
    }
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let holder_len = body.u8()?;
        let holder = std::str::from_utf8(body.take(holder_len.into())?).ok()?;
        let key_len = body.u8()?;
        let wrapped_key = body.take(key_len.into())?;
        let content_len = body.u32()? as usize;
        let content = body.take(content_len).filter(|content| content.len() <= MAX_CONTENT_BYTES)?;
        parts.push(SealedPart {
            holder: holder.into(),
            wrapped_key: wrapped_key.into(),
            content: content.into(),
        });
    }
    let frame = bytes.get(..end)?;
    let told = Input(frame.get(4..PREFIX_BYTES)?).u32()?;
    (body.0.is_empty() && told == checksum(frame))
        .then_some((Frame { group, index, trail, entry, parts }, end))
}

/// CRC-32 over everything of a frame but the checksum itself.
fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(frame.get(..4).unwrap_or_default());
    hasher.update(frame.get(PREFIX_BYTES..).unwrap_or_default());
    hasher.finalize()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// A cursor that never reads past its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
