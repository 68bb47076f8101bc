//! Readers of subtree hashes, from leaf hashes in memory and from tiles.

use std::collections::BTreeMap;

use crate::tile::{HASH_LEN, TileId, WIDTH};
use crate::{Hash, hash};

/// Reads a tree held as its leaf hashes. Each read hashes the leaves it covers.
pub fn leaf_reader(leaves: &[Hash]) -> impl FnMut(u8, u64) -> Option<Hash> + '_ {
    move |height, index| {
        let count = 1usize.checked_shl(height.into())?;
        let start = usize::try_from(index).ok()?.checked_mul(count)?;
        Some(hash::root(leaves.get(start..start.checked_add(count)?)?))
    }
}

/// Reads the tree of `size` leaves from its tiles, each fetched once in a row.
///
/// `fetch` is asked for the tiles of exactly this tree. For a partial tile it may answer with a longer one,
/// because a partial may be deleted once the full tile exists; a shorter answer counts as none. Nothing
/// fetched is trusted: check the proof that comes of it.
pub fn tile_reader<'f>(
    size: u64,
    mut fetch: impl FnMut(TileId) -> Option<Vec<u8>> + 'f,
) -> impl FnMut(u8, u64) -> Option<Hash> + 'f {
    // A proof walks down the tree: the last tile of each level is all that it comes back to.
    let mut last: BTreeMap<u8, (TileId, Vec<u8>)> = BTreeMap::new();
    move |height, index| {
        // The subtree is a run of `count` hashes within one tile.
        let (level, count) = (height / 8, 1u64 << (height % 8));
        let first = index.checked_mul(count)?;
        let tile = TileId::in_tree(level, first / WIDTH, size)?;
        let run = (first % WIDTH) as usize..(first % WIDTH + count) as usize;
        if run.end > usize::from(tile.width) {
            return None;
        }
        if last.get(&level).is_none_or(|(id, _)| *id != tile) {
            let bytes = fetch(tile).filter(|bytes| bytes.len() >= tile.byte_len())?;
            last.insert(level, (tile, bytes));
        }
        let (_, bytes) = last.get(&level)?;
        let (hashes, _) = bytes.as_chunks::<HASH_LEN>();
        Some(hash::root(hashes.get(run)?))
    }
}
