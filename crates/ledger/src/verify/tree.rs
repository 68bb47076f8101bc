//! A trail's tree as it grows under verification, by whole level-0 tiles where it can: their roots were made
//! elsewhere, on another core.

use greffier_merkle::hash;
use greffier_merkle::tile::{TileBuilder, TileId, WIDTH};
use greffier_merkle::{Frontier, Hash};

/// A tree: every level above the lowest is itself a tree over the roots of full level-0 tiles.
#[derive(Debug, Default)]
pub(super) struct Tree {
    upper: TileBuilder,
    /// Leaves of the level-0 tile that is not full.
    edge: Vec<Hash>,
}

/// A tile and its bytes.
pub(super) type Tile = (TileId, Vec<u8>);

impl Tree {
    pub(super) fn size(&self) -> u64 {
        self.upper.size() * WIDTH + self.edge.len() as u64
    }

    /// Adds a leaf; gives the tiles that it filled, the lowest first.
    pub(super) fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        self.edge.push(leaf);
        if (self.edge.len() as u64) < WIDTH {
            return Vec::new();
        }
        let leaves = std::mem::take(&mut self.edge);
        let tile = TileId { level: 0, index: self.upper.size(), width: WIDTH as u16 };
        let mut full = vec![(tile, leaves.concat())];
        full.extend(self.push_tile(hash::root(&leaves)));
        full
    }

    /// Adds a full level-0 tile by its root, where one is due; gives the tiles above that it filled.
    pub(super) fn push_tile(&mut self, root: Hash) -> Vec<Tile> {
        self.upper.push(root);
        raised(self.upper.take_full())
    }

    /// The partial tiles of the tree as it stands, the lowest first.
    pub(super) fn right_edge(&self) -> Vec<Tile> {
        let width = self.edge.len() as u16;
        let lowest = TileId { level: 0, index: self.upper.size(), width };
        let lowest = (width > 0).then(|| (lowest, self.edge.concat()));
        lowest.into_iter().chain(raised(self.upper.right_edge())).collect()
    }

    pub(super) fn root(&self) -> Hash {
        let mut edge = Frontier::new();
        edge.extend(self.edge.iter().copied());
        let peaks = self.upper.frontier().peaks().iter().chain(edge.peaks());
        peaks.rev().copied().reduce(|right, left| hash::node(&left, &right)).unwrap_or_else(hash::empty_root)
    }
}

/// A tile over the roots of tiles is one level higher in the whole tree.
fn raised(tiles: Vec<Tile>) -> Vec<Tile> {
    let raise = |(tile, bytes): Tile| (TileId { level: tile.level + 1, ..tile }, bytes);
    tiles.into_iter().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_tree_that_leaves_one_by_one_give() {
        let leaves: Vec<Hash> = (0..70_000u64).map(|n| hash::leaf(&n.to_be_bytes())).collect();
        let (mut whole, mut leafwise, mut tilewise) = (TileBuilder::new(), Tree::default(), Tree::default());
        for (n, leaf) in leaves.iter().enumerate() {
            whole.push(*leaf);
            let full = leafwise.push(*leaf);
            assert_eq!(full, whole.take_full());
            if (n + 1) % 256 == 0 {
                assert_eq!(tilewise.push_tile(hash::root(&leaves[n - 255..=n])), full[1..]);
                assert_eq!(tilewise.root(), whole.root());
            }
            if n % 997 == 0 {
                assert_eq!((leafwise.size(), leafwise.root()), (whole.size(), whole.root()));
                assert_eq!(leafwise.right_edge(), whole.right_edge());
            }
        }
        assert_eq!(Tree::default().root(), hash::empty_root());
    }
}
