//! Tiles made as leaves arrive.

use crate::proof::tile_reader;
use crate::tile::{HASH_LEN, TileId, WIDTH};
use crate::{Frontier, Hash};

/// Bytes of a full tile.
const FULL: usize = WIDTH as usize * HASH_LEN;

/// A growing tree that hands out its tiles: remembers the frontier and the last, unfinished tile of each
/// level.
///
/// Full tiles wait in it only until [`TileBuilder::take_full`]. After a restart, push the stored leaf hashes
/// again and drop the full tiles as they come: the same leaves give the same tiles.
#[derive(Clone, Debug, Default)]
pub struct TileBuilder {
    frontier: Frontier,
    edge: Vec<Edge>,
    full: Vec<(TileId, Vec<u8>)>,
}

/// The unfinished tile of one level, possibly empty.
#[derive(Clone, Debug)]
struct Edge {
    index: u64,
    bytes: Vec<u8>,
}

impl TileBuilder {
    /// A tree without leaves.
    pub fn new() -> TileBuilder {
        TileBuilder::default()
    }

    /// The builder that has taken `size` leaves, from the tiles they gave: `fetch` is asked for the tiles of
    /// exactly this tree. None when a tile is missing or short. Nothing fetched is trusted: compare
    /// [`TileBuilder::root`] with one that was signed.
    pub fn resume(size: u64, mut fetch: impl FnMut(TileId) -> Option<Vec<u8>>) -> Option<TileBuilder> {
        let mut edge = Vec::new();
        for level in 0..8 {
            let hashes = size >> (8 * level);
            if hashes == 0 {
                break;
            }
            let mut last = Edge { index: hashes / WIDTH, ..Edge::new() };
            if let Some(tile) = TileId::in_tree(level, last.index, size) {
                last.bytes.extend_from_slice(fetch(tile)?.get(..tile.byte_len())?);
            }
            edge.push(last);
        }
        let mut read = tile_reader(size, fetch);
        let mut peaks = Vec::with_capacity(size.count_ones() as usize);
        let mut covered = 0u64;
        for height in (0..64).rev().filter(|height| size >> height & 1 == 1) {
            peaks.push(read(height, covered >> height)?);
            covered += 1 << height;
        }
        let frontier = Frontier::from_parts(size, peaks).ok()?;
        Some(TileBuilder { frontier, edge, full: Vec::new() })
    }

    /// Appends a leaf hash: about one node hash and one copy.
    pub fn push(&mut self, leaf: Hash) {
        let TileBuilder { frontier, edge, full } = self;
        frontier.push_seeing(leaf, |height, root| {
            // A complete subtree of 256^L leaves is one hash of level L.
            if height % 8 == 0
                && let Some(tile) = append(edge, height / 8, root)
            {
                full.push(tile);
            }
        });
    }

    /// The tiles of all levels that became full since the last call, each after all that it covers.
    pub fn take_full(&mut self) -> Vec<(TileId, Vec<u8>)> {
        std::mem::take(&mut self.full)
    }

    /// The partial tiles of the tree as it stands, bottom level first. None of them is empty.
    pub fn right_edge(&self) -> Vec<(TileId, Vec<u8>)> {
        let tiles = (0..).zip(&self.edge).filter(|(_, edge)| !edge.bytes.is_empty());
        tiles.map(|(level, edge)| (edge.id(level), edge.bytes.clone())).collect()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree as it stands.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The frontier of the tree as it stands.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

impl Extend<Hash> for TileBuilder {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl Edge {
    fn new() -> Edge {
        Edge { index: 0, bytes: Vec::with_capacity(FULL) }
    }

    fn id(&self, level: u8) -> TileId {
        // At most 256, because `append` empties a full tile.
        TileId { level, index: self.index, width: (self.bytes.len() / HASH_LEN) as u16 }
    }
}

/// Adds a hash to the last tile of a level; gives the tile when that filled it.
fn append(edge: &mut Vec<Edge>, level: u8, hash: &Hash) -> Option<(TileId, Vec<u8>)> {
    if edge.len() == usize::from(level) {
        edge.push(Edge::new());
    }
    let tile = edge.get_mut(usize::from(level))?;
    tile.bytes.extend_from_slice(hash);
    if tile.bytes.len() < FULL {
        return None;
    }
    let id = tile.id(level);
    tile.index += 1;
    Some((id, std::mem::replace(&mut tile.bytes, Vec::with_capacity(FULL))))
}
