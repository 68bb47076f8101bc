//! A growing tree in the least memory: the roots of its complete subtrees, at most 64 hashes.

use crate::{Hash, hash};

/// The right-hand frontier of a tree: enough to append to it and to give its root at any size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One root per bit set in `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

/// Parts that are no frontier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a frontier of {size} leaves has {} peaks, {found} given: rebuild it from the leaves", size.count_ones())]
pub struct FrontierError {
    size: u64,
    found: usize,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// A frontier stored earlier, from [`Frontier::size`] and [`Frontier::peaks`].
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Result<Frontier, FrontierError> {
        if peaks.len() == size.count_ones() as usize {
            Ok(Frontier { size, peaks })
        } else {
            Err(FrontierError { size, found: peaks.len() })
        }
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from the largest (leftmost) to the smallest.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_seeing(leaf, |_, _| ());
    }

    /// The root of the tree as it stands.
    pub fn root(&self) -> Hash {
        let peaks = self.peaks.iter().rev().copied();
        peaks.reduce(|right, left| hash::node(&left, &right)).unwrap_or_else(hash::empty_root)
    }

    /// Appends a leaf hash, showing each subtree that it completes: its height and root, the leaf (height 0)
    /// first.
    pub(crate) fn push_seeing(&mut self, leaf: Hash, mut completed: impl FnMut(u8, &Hash)) {
        let mut root = leaf;
        completed(0, &root);
        // Each trailing one in the old size is a subtree of the height that the new one has reached.
        for height in 1..=self.size.trailing_ones() as u8 {
            if let Some(left) = self.peaks.pop() {
                root = hash::node(&left, &root);
                completed(height, &root);
            }
        }
        self.peaks.push(root);
        self.size += 1;
    }
}

impl Extend<Hash> for Frontier {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_at_every_size_is_the_definitions() {
        let leaves: Vec<Hash> = (0u64..600).map(|n| hash::leaf(&n.to_be_bytes())).collect();
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), hash::empty_root());
        for (n, leaf) in leaves.iter().enumerate() {
            frontier.push(*leaf);
            assert_eq!(frontier.root(), hash::root(&leaves[..=n]), "size {}", n + 1);
            assert_eq!(
                Frontier::from_parts(frontier.size(), frontier.peaks().to_vec()).as_ref(),
                Ok(&frontier)
            );
        }
    }

    #[test]
    fn parts_must_fit_the_size() {
        let error = Frontier::from_parts(6, vec![[0; 32]; 3]).unwrap_err();
        insta::assert_snapshot!(error, @"a frontier of 6 leaves has 2 peaks, 3 given: rebuild it from the leaves");
    }
}
