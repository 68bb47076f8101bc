//! Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2): made from stored hashes, checked
//! alone.
//!
//! The makers read the tree through a function `(height, index) -> hash`: the root of the complete subtree
//! over the leaves `index * 2^height .. (index + 1) * 2^height`. [`leaf_reader`] and [`tile_reader`] make
//! one.

mod range;
mod read;

pub use range::{MAX_RUN_HASHES, Run, run};
pub use read::{leaf_reader, tile_reader};

use crate::{Hash, hash};

/// The most hashes an inclusion proof can have: one per level of the largest tree.
pub const MAX_HASHES: usize = 64;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("index {index} is outside a tree of {size} leaves")]
    Index {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older tree is larger than the newer.
    #[error("a tree of {old} leaves cannot be a prefix of one of {new}")]
    Shrunk {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// Too few or too many hashes for these sizes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// The proof that leaf `index` is in the tree of `size` leaves. None when it is not, or when a hash cannot be
/// read.
pub fn inclusion(index: u64, size: u64, read: &mut impl FnMut(u8, u64) -> Option<Hash>) -> Option<Vec<Hash>> {
    let (mut from, mut to) = (0, size);
    if index >= size {
        return None;
    }
    // Down from the root to the leaf, taking the side not entered.
    let mut hashes = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            hashes.push(subtree(middle, to, read)?);
            to = middle;
        } else {
            hashes.push(subtree(from, middle, read)?);
            from = middle;
        }
    }
    hashes.reverse();
    Some(hashes)
}

/// The proof that the tree of `old` leaves is a prefix of the tree of `new`. Empty when there is nothing to
/// show: equal sizes, or an empty old tree. None when the old tree is larger, or when a hash cannot be read.
pub fn consistency(old: u64, new: u64, read: &mut impl FnMut(u8, u64) -> Option<Hash>) -> Option<Vec<Hash>> {
    if old > new {
        return None;
    }
    if old == 0 {
        return Some(Vec::new());
    }
    // Down from the new root along the old tree's right edge, until a subtree is wholly old.
    let (mut from, mut to) = (0, new);
    let mut hashes = Vec::new();
    while old < to {
        let middle = from + split(to - from);
        if old <= middle {
            hashes.push(subtree(middle, to, read)?);
            to = middle;
        } else {
            hashes.push(subtree(from, middle, read)?);
            from = middle;
        }
    }
    // The verifier has that subtree only when it is the whole old tree.
    if from > 0 {
        hashes.push(subtree(from, to, read)?);
    }
    hashes.reverse();
    Some(hashes)
}

/// The root of the tree of `size` leaves. None when a hash cannot be read.
pub fn root(size: u64, read: &mut impl FnMut(u8, u64) -> Option<Hash>) -> Option<Hash> {
    if size == 0 { Some(hash::empty_root()) } else { subtree(0, size, read) }
}

/// Checks that `leaf` is the leaf hash at `index` in the tree of `size` leaves with this root.
///
/// The root does not commit to the size: take both from one signed checkpoint.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut found = *leaf;
    for sibling in proof {
        found = match climb.step()? {
            Side::Left => hash::node(sibling, &found),
            Side::Right => hash::node(&found, sibling),
        };
    }
    climb.finish()?;
    if found == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `old` leaves with root `old_root` is a prefix of the tree of `new` leaves with
/// `new_root`.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        let old_root_holds = if old == 0 { *old_root == hash::empty_root() } else { old_root == new_root };
        let new_root_holds = new > 0 || old_root == new_root;
        return match (proof, old_root_holds && new_root_holds) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    // Start at the largest subtree that ends the old tree: it is the old tree itself when complete.
    let rise = (old - 1).trailing_ones();
    let mut climb = Climb { node: (old - 1) >> rise, last: (new - 1) >> rise };
    let (start, proof) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    let (mut old_found, mut new_found) = (*start, *start);
    for sibling in proof {
        match climb.step()? {
            // What lies to the left belongs to both trees, what lies to the right only to the new.
            Side::Left => {
                old_found = hash::node(sibling, &old_found);
                new_found = hash::node(sibling, &new_found);
            }
            Side::Right => new_found = hash::node(&new_found, sibling),
        }
    }
    climb.finish()?;
    if old_found == *old_root && new_found == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// The way from a node up to the root: its index in its level, and the index of that level's last node.
struct Climb {
    node: u64,
    last: u64,
}

/// Where the sibling stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// One level up, or several where the node is the last of its level and has no sibling to its right.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            let alone = if self.node & 1 == 1 { 0 } else { self.node.trailing_zeros() };
            self.rise(alone);
            Side::Left
        } else {
            Side::Right
        };
        self.rise(1);
        Ok(side)
    }

    fn rise(&mut self, levels: u32) {
        self.node >>= levels;
        self.last >>= levels;
    }

    fn finish(self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length) }
    }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over the leaves `from .. to`, where `from` is aligned as a split leaves it.
fn subtree(from: u64, to: u64, read: &mut impl FnMut(u8, u64) -> Option<Hash>) -> Option<Hash> {
    // Complete subtrees, largest first: the same shape as a frontier's peaks.
    let mut peaks = Vec::new();
    let mut start = from;
    while start < to {
        let height = (to - start).ilog2();
        peaks.push(read(height as u8, start >> height)?);
        start += 1 << height;
    }
    peaks.into_iter().rev().reduce(|right, left| hash::node(&left, &right))
}
