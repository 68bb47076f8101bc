//! Grams and the blocks that they are in: gathered, sorted, packed, looked up.

use super::fold::grams;

/// Grams of one table: half of all there can be of three bytes in one script. A column that has more gets no table.
const MAX_GRAMS: usize = 1 << 20;
/// A packed table, unpacked: what so many grams take, and their count.
const MAX_RAW_BYTES: usize = MAX_GRAMS * (VARINT_BYTES + 8) + VARINT_BYTES;
const VARINT_BYTES: usize = 10;
/// As in the segments.
const ZSTD_LEVEL: i32 = 3;
/// Bits of a posting that say the block.
const BLOCK_BITS: u32 = 6;

/// How the grams of a table are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) width: u32,
    /// Whether all digits are one: random numbers then give few grams.
    pub(super) one_digit: bool,
}

/// Collects the grams of one column.
pub(super) struct Collector {
    kind: Kind,
    /// Each a gram and behind it its block; `None` once there were too many.
    postings: Option<Vec<u64>>,
    most: usize,
    /// Those that were seen lately, by the first bits of a product: values repeat.
    recent: Vec<u64>,
    recent_bits: u32,
}

impl Collector {
    /// Gives up beyond `most` postings, and remembers two to the power of `recent_bits`.
    pub(super) fn new(kind: Kind, most: usize, recent_bits: u32) -> Collector {
        let recent = vec![u64::MAX; 1 << recent_bits];
        Collector { kind, postings: Some(Vec::new()), most, recent, recent_bits }
    }

    pub(super) fn add(&mut self, folded: &[u8], block: u64) {
        let Some(postings) = &mut self.postings else { return };
        for gram in grams(folded, self.kind.width, self.kind.one_digit) {
            let posting = gram << BLOCK_BITS | block;
            let slot = posting.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - self.recent_bits);
            match self.recent.get_mut(slot as usize) {
                Some(recent) if *recent == posting => {}
                Some(recent) => {
                    *recent = posting;
                    postings.push(posting);
                }
                None => {}
            }
        }
        // What was forgotten and seen again stands there twice.
        if postings.len() > self.most.saturating_mul(2) {
            postings.sort_unstable();
            postings.dedup();
            if postings.len() > self.most {
                self.postings = None;
            }
        }
    }

    /// The table, if there were not too many.
    pub(super) fn finish(self) -> Option<Table> {
        let mut postings = self.postings?;
        postings.sort_unstable();
        postings.dedup();
        if postings.len() > self.most {
            return None;
        }
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for posting in postings {
            let (gram, block) = (posting >> BLOCK_BITS, 1 << (posting & ((1 << BLOCK_BITS) - 1)));
            match rows.last_mut() {
                Some((last, blocks)) if *last == gram => *blocks |= block,
                _ => rows.push((gram, block)),
            }
        }
        (rows.len() <= MAX_GRAMS).then_some(Table { kind: self.kind, rows })
    }
}

/// Every gram of a column, in order, with its blocks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    kind: Kind,
    rows: Vec<(u64, u64)>,
}

impl Table {
    /// The blocks that may hold a text, all grams of which are in them.
    pub(super) fn blocks(&self, folded: &[u8]) -> u64 {
        let blocks_of = |gram| {
            let at = self.rows.binary_search_by_key(&gram, |(known, _)| *known);
            at.ok().and_then(|at| self.rows.get(at)).map_or(0, |(_, blocks)| *blocks)
        };
        grams(folded, self.kind.width, self.kind.one_digit)
            .map(blocks_of)
            .fold(u64::MAX, |all, blocks| all & blocks)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Count, the differences of the grams, then the blocks of each; compressed, and how many bytes that were.
    pub(super) fn pack(&self) -> std::io::Result<(Vec<u8>, usize)> {
        let mut raw = Vec::new();
        put(&mut raw, self.rows.len() as u64);
        let mut before = 0;
        for (gram, _) in &self.rows {
            put(&mut raw, gram - before);
            before = *gram;
        }
        self.rows.iter().for_each(|(_, blocks)| raw.extend(blocks.to_le_bytes()));
        Ok((zstd::bulk::compress(&raw, ZSTD_LEVEL)?, raw.len()))
    }

    /// `None`: nothing that was packed here.
    pub(super) fn unpack(packed: &[u8], raw: usize, kind: Kind) -> Option<Table> {
        let raw = zstd::bulk::decompress(packed, Some(raw).filter(|raw| *raw <= MAX_RAW_BYTES)?).ok()?;
        let mut raw = raw.as_slice();
        let count = usize::try_from(take(&mut raw)?).ok().filter(|count| *count <= MAX_GRAMS)?;
        let (mut grams, mut before) = (Vec::with_capacity(count), 0_u64);
        for _ in 0..count {
            before = before.checked_add(take(&mut raw)?)?;
            grams.push(before);
        }
        let (blocks, rest) = raw.as_chunks::<8>();
        (blocks.len() == count && rest.is_empty()).then_some(())?;
        let blocks = blocks.iter().map(|blocks| u64::from_le_bytes(*blocks));
        Some(Table { kind, rows: grams.into_iter().zip(blocks).collect() })
    }
}

/// Seven bits in each byte, the lowest first.
fn put(raw: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        raw.push(number as u8 | 0x80);
        number >>= 7;
    }
    raw.push(number as u8);
}

fn take(raw: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..VARINT_BYTES as u32 {
        let (byte, rest) = raw.split_first()?;
        *raw = rest;
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
