//! Tiles (C2SP tlog-tiles): the tree stored as runs of 256 hashes, and where each run lies.

mod builder;

pub use builder::TileBuilder;

use crate::encode::parse_decimal;

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;

/// Bytes of one hash in a tile.
pub const HASH_LEN: usize = 32;

/// The highest level a path may name, by the specification.
pub const MAX_LEVEL: u8 = 63;

/// Levels of the largest tree whose size a `u64` can hold: 256^8 leaves.
const LEVELS: u8 = 8;

/// The longest path there is takes 54 characters; a longer one is refused unread.
const MAX_PATH: usize = 64;

/// Where entry bundles lie.
const ENTRIES: &str = "tile/entries";

/// One tile: the hashes `index * 256 ..` of a level, where one hash of level L covers 256^L leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level, 0 for leaf hashes.
    pub level: u8,
    /// The place within the level, counted in full tiles.
    pub index: u64,
    /// How many hashes it holds: 1 to 256, where 256 is a full tile, which never changes again.
    pub width: u16,
}

/// A path that names no tile or bundle in its only spelling.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no tile has this path: expected tile/<level>/<index> or tile/entries/<index>, optionally .p/<1 to 255>"
)]
pub struct InvalidTilePath;

impl TileId {
    /// The tile at this place in a tree of `size` leaves: full, partial, or none beyond its edge.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<TileId> {
        if level >= LEVELS {
            return None;
        }
        let hashes = size >> (8 * level);
        let start = index.checked_mul(WIDTH)?;
        let width = hashes.checked_sub(start)?.min(WIDTH) as u16;
        (width > 0).then_some(TileId { level, index, width })
    }

    /// Whether it holds all 256 hashes.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// Its length in bytes.
    pub fn byte_len(&self) -> usize {
        usize::from(self.width) * HASH_LEN
    }

    /// Its path below the log's prefix: `tile/0/x001/067`, partial `tile/0/x001/067.p/44`.
    pub fn path(&self) -> String {
        place(&format!("tile/{}", self.level), self.index, self.width)
    }

    /// Reads a path that [`TileId::path`] would give, and no other.
    pub fn parse(path: &str) -> Result<TileId, InvalidTilePath> {
        let read = || {
            let (level, rest) = bounded(path)?.strip_prefix("tile/")?.split_once('/')?;
            let level = u8::try_from(parse_decimal(level)?).ok().filter(|level| *level <= MAX_LEVEL)?;
            let (index, width) = parse_place(rest)?;
            Some(TileId { level, index, width })
        };
        read().filter(|tile| tile.path() == path).ok_or(InvalidTilePath)
    }
}

/// The path of the bundle of entries `index * 256 ..`, which holds `width` of them: `tile/entries/x001/067`.
pub fn entries_path(index: u64, width: u16) -> String {
    place(ENTRIES, index, width)
}

/// Reads a path that [`entries_path`] would give, as its index and width.
pub fn parse_entries_path(path: &str) -> Result<(u64, u16), InvalidTilePath> {
    let read = || parse_place(bounded(path)?.strip_prefix(ENTRIES)?.strip_prefix('/')?);
    read().filter(|(index, width)| entries_path(*index, *width) == path).ok_or(InvalidTilePath)
}

/// Every tile of a tree of this size, bottom level first, each level from the left; only the last of a level
/// can be partial.
pub fn tiles_for(size: u64) -> impl Iterator<Item = TileId> {
    (0..LEVELS).flat_map(move |level| {
        let tiles = (size >> (8 * level)).div_ceil(WIDTH);
        (0..tiles).filter_map(move |index| TileId::in_tree(level, index, size))
    })
}

/// The index in groups of three digits, all but the last marked `x`.
fn place(head: &str, index: u64, width: u16) -> String {
    let mut groups = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.push(head.to_owned());
    groups.reverse();
    let path = groups.join("/");
    if u64::from(width) == WIDTH { path } else { format!("{path}.p/{width}") }
}

/// Reads loosely what follows the head: the caller compares the only spelling.
fn parse_place(text: &str) -> Option<(u64, u16)> {
    let (place, width) = match text.split_once(".p/") {
        Some((place, width)) => (place, parse_decimal(width)?),
        None => (text, WIDTH),
    };
    let mut index = 0u64;
    for group in place.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let width = u16::try_from(width).ok().filter(|width| (1..=WIDTH).contains(&u64::from(*width)))?;
    Some((index, width))
}

fn bounded(path: &str) -> Option<&str> {
    (path.len() <= MAX_PATH).then_some(path)
}

#[cfg(test)]
mod tests;
