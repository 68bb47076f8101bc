//! The file of an index: a head that says of which segment it is and what stands where, then packed tables. Head and
//! tables each have a checksum; whatever does not fit rules nothing out.
//!
//! ```text
//! "ngrams 1"  length of the head (4 bytes)  its CRC (4 bytes)  head (JSON)  tables, one behind the other
//! ```

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::build::Built;
use super::fold::{fold, grams};
use super::table::{Kind, Table};
use super::{Blocks, path_of};
use crate::manifest::SegmentRecord;
use crate::snapshot::Segment;
use crate::store::Disk;

const MAGIC: &[u8; 8] = b"ngrams 1";
/// Before the head: magic, length and checksum.
const FRONT: usize = 16;
/// Tables of one column that are read: those that are made.
const MAX_TABLES: usize = 2;
/// Bytes of a gram: less than a word has.
const WIDTHS: RangeInclusive<u32> = 1..=7;
/// Longest head: three tables of two hundred columns.
const MAX_HEAD_BYTES: u64 = 64 * 1024;
/// Longest file: four times what text of random letters in every column takes.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Which segment an index is of: its file, the digest of that as the manifest has it, and its entries.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    segment: String,
    sha256: String,
    first: u64,
    end: u64,
}

impl From<&Segment> for Subject {
    fn from(segment: &Segment) -> Subject {
        let Segment { key, sha256, first, end, .. } = segment;
        Subject { segment: key.clone(), sha256: sha256.clone(), first: *first, end: *end }
    }
}

impl From<&SegmentRecord> for Subject {
    fn from(record: &SegmentRecord) -> Subject {
        let SegmentRecord { first, end, entries, .. } = record;
        Subject { segment: entries.path.clone(), sha256: entries.sha256.clone(), first: *first, end: *end }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    of: Subject,
    tables: Vec<Place>,
}

/// Where a table is: behind those before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    column: String,
    width: u32,
    one_digit: bool,
    bytes: u64,
    /// Length of the table when it is unpacked.
    raw: usize,
    crc: u32,
}

impl Built {
    /// The file.
    pub(crate) fn pack(&self, of: Subject) -> std::io::Result<Vec<u8>> {
        let (mut places, mut packed) = (Vec::new(), Vec::new());
        for (column, tables) in &self.columns {
            for table in tables {
                let (bytes, raw) = table.pack()?;
                let Kind { width, one_digit } = table.kind();
                let (length, crc) = (bytes.len() as u64, crc32fast::hash(&bytes));
                places.push(Place { column: column.clone(), width, one_digit, bytes: length, raw, crc });
                packed.extend(bytes);
            }
        }
        let head = serde_json::to_vec(&Head { of, tables: places })?;
        let length = u32::try_from(head.len()).map_err(std::io::Error::other)?;
        let front = [MAGIC.as_slice(), &length.to_le_bytes(), &crc32fast::hash(&head).to_le_bytes()];
        Ok([front.concat(), head, packed].concat())
    }
}

/// The index of one segment, on disk. Tables are read when they are asked, and then held as long as this is.
pub struct Opened {
    disk: Disk,
    path: String,
    head: Head,
    /// Where the tables begin.
    start: u64,
    read: Mutex<BTreeMap<usize, Option<Arc<Table>>>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Opened {
    /// The index of just this segment; `None` where there is none, or it is torn or another's.
    pub(crate) fn of(disk: &Disk, subject: &Subject) -> Option<Opened> {
        let path = path_of(&subject.segment)?;
        let read = disk.store().head(&path, FRONT + MAX_HEAD_BYTES as usize).ok()?;
        let (front, rest) = read.split_first_chunk::<FRONT>()?;
        let [magic @ .., l0, l1, l2, l3, c0, c1, c2, c3] = front;
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        let head = rest.get(..usize::try_from(length).ok()?)?;
        if magic != MAGIC || crc32fast::hash(head) != u32::from_le_bytes([*c0, *c1, *c2, *c3]) {
            return None;
        }
        let head: Head = serde_json::from_slice(head).ok()?;
        let start = FRONT as u64 + u64::from(length);
        let is_sound = head.tables.iter().all(|place| WIDTHS.contains(&place.width));
        (is_sound && head.of == *subject).then(|| Opened {
            disk: disk.clone(),
            path,
            head,
            start,
            read: Mutex::default(),
        })
    }

    /// The blocks of the segment in which some value of a column may hold this text, in any case.
    pub fn holding(&self, column: &str, text: &str) -> Blocks {
        let mut folded = Vec::new();
        fold(text, &mut folded);
        let mut blocks = u64::MAX;
        let of_column = self.head.tables.iter().enumerate().filter(|(_, place)| place.column == column);
        for (at, place) in of_column.take(MAX_TABLES) {
            if blocks == 0 || grams(&folded, place.width, place.one_digit).next().is_none() {
                continue;
            }
            blocks &= self.table(at).map_or(u64::MAX, |table| table.blocks(&folded));
        }
        Blocks(blocks)
    }

    /// The entries in some blocks, in order.
    pub fn entries(&self, blocks: Blocks) -> Vec<Range<u64>> {
        blocks.within(self.head.of.first..self.head.of.end)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Everything in it, unpacked; `None` if any of it is damaged.
    pub(crate) fn unpacked(&self) -> Option<Built> {
        let mut columns: Vec<(String, Vec<Table>)> = Vec::new();
        for (at, place) in self.head.tables.iter().enumerate() {
            let table = self.unpack(at)?;
            match columns.last_mut() {
                Some((column, tables)) if *column == place.column => tables.push(table),
                _ => columns.push((place.column.clone(), vec![table])),
            }
        }
        Some(Built { columns })
    }

    fn table(&self, at: usize) -> Option<Arc<Table>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(at).or_insert_with(|| self.unpack(at).map(Arc::new)).clone()
    }

    fn unpack(&self, at: usize) -> Option<Table> {
        let place = self.head.tables.get(at)?;
        let before = self.head.tables.iter().take(at).map(|place| place.bytes).fold(0, u64::saturating_add);
        let bytes = Some(place.bytes).filter(|bytes| *bytes <= MAX_FILE_BYTES)?;
        let packed = self.disk.store().read_from(&self.path, self.start.checked_add(before)?, bytes).ok()?;
        if packed.len() as u64 != bytes || crc32fast::hash(&packed) != place.crc {
            return None;
        }
        let kind = Kind { width: place.width, one_digit: place.one_digit };
        Table::unpack(&packed, place.raw, kind)
    }
}
