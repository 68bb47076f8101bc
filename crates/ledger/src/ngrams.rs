//! N-gram indexes: in which blocks of a sealed segment a text may stand, so that a search for it decodes only those.
//!
//! A segment is divided into 64 blocks of rows. For each text column and for the entries, its index lists the grams
//! (3 and 5 successive bytes, as [`fold`] sees them) that occur, each with the blocks that it occurs in. A text can
//! only be where all its grams are. Grams are exact, not hashed; short ones are in nearly every block where values are
//! random, which is what the long ones are for.
//!
//! ```text
//! ngrams/<tenant>/<first>-<end>      beside trails/<tenant>/segments/<first>-<end>.parquet
//! ```
//!
//! An index is made of entries only, never of contents, and can be made again at any time: no manifest names it, no
//! copy takes it along, and one that is missing, torn or of another file rules nothing out ([`file`]). One that is
//! whole and false would hide events from searches; [`crate::verify`] makes each again and compares.

mod build;
mod file;
mod fold;
mod table;

use std::ops::{BitAnd, BitOr, Range};

pub(crate) use build::Built;
pub use file::Opened;
pub(crate) use file::Subject;

use crate::publish::TRAILS;

/// The directory of all indexes: whoever removes it loses nothing but time.
pub(crate) const DIR: &str = "ngrams";
/// The blocks of a segment: one for each bit of a word. Of a full segment each has 1,024 rows, about as many as a page
/// of entries.
const BLOCKS: u64 = 64;
/// Rows of a block at least: fewer would make the index of a small segment larger than the segment.
const MIN_BLOCK_ROWS: u64 = 16;

/// The place of the index of a file of entries.
pub(crate) fn path_of(entries: &str) -> Option<String> {
    let (trail, name) = entries.strip_prefix(TRAILS)?.strip_prefix('/')?.split_once("/segments/")?;
    Some(format!("{DIR}/{trail}/{}", name.strip_suffix(".parquet")?))
}

/// The file of entries whose index lies there.
pub(crate) fn segment_of(path: &str) -> Option<String> {
    let (trail, name) = path.strip_prefix(DIR)?.strip_prefix('/')?.split_once('/')?;
    Some(format!("{TRAILS}/{trail}/segments/{name}.parquet"))
}

/// Rows of a block, in a segment of so many.
fn block_rows(rows: u64) -> u64 {
    rows.div_ceil(BLOCKS).max(MIN_BLOCK_ROWS)
}

/// Some of the blocks of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks(u64);

impl Blocks {
    /// All of them: nothing is ruled out.
    pub const ALL: Blocks = Blocks(u64::MAX);
    /// None of them.
    pub const NONE: Blocks = Blocks(0);

    /// The entries in these blocks of the segment `entries`, in order.
    fn within(self, entries: Range<u64>) -> Vec<Range<u64>> {
        let rows = block_rows(entries.end.saturating_sub(entries.start));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for block in (0..BLOCKS).filter(|block| self.0 >> block & 1 == 1) {
            let start = entries.start + block * rows;
            let range = start..(start + rows).min(entries.end);
            match ranges.last_mut() {
                _ if range.is_empty() => break,
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }
}

impl BitAnd for Blocks {
    type Output = Blocks;

    fn bitand(self, other: Blocks) -> Blocks {
        Blocks(self.0 & other.0)
    }
}

impl BitOr for Blocks {
    type Output = Blocks;

    fn bitor(self, other: Blocks) -> Blocks {
        Blocks(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests;
