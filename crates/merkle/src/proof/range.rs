//! Proofs of many leaves at once: that a run of consecutive leaves is in a tree, all of them and nothing between.
//!
//! The tree is paired up level by level, and a last node without a partner rises as it is: that gives RFC 6962's
//! tree. Where a run begins with a right child or ends with a left child, the proof holds the missing sibling:
//!
//! ```text
//! nodes = the run's leaf hashes; at = first; width = size
//! until width is 1:
//!   if at is odd: put the next hash before nodes, at -= 1
//!   if at + len(nodes) is odd and below width: put the next hash behind nodes
//!   pair nodes up (an odd last one rises); at /= 2; width = (width + 1) / 2
//! the one node left is the root, and no hash is left over
//! ```
//!
//! Of a run of one leaf this is the inclusion proof of RFC 6962, hash for hash.

use super::{ProofError, subtree};
use crate::{Hash, hash};

/// The most hashes a proof of a run can have: two for each level of the largest tree.
pub const MAX_RUN_HASHES: usize = 128;

/// The proof that the leaves `first .. end` are in the tree of `size` leaves. None when they are not, when there is
/// none of them, or when a hash cannot be read.
pub fn run(
    first: u64,
    end: u64,
    size: u64,
    read: &mut impl FnMut(u8, u64) -> Option<Hash>,
) -> Option<Vec<Hash>> {
    if first >= end || end > size {
        return None;
    }
    let mut hashes = Vec::new();
    let levels = Levels::new(first, end, size);
    for (height, level) in (0..).zip(levels) {
        let node = |index: u64, read: &mut _| {
            let from = index << height;
            subtree(from, from.saturating_add(1 << height).min(size), read)
        };
        if level.takes_left {
            hashes.push(node(level.first - 1, read)?);
        }
        if level.takes_right {
            hashes.push(node(level.end, read)?);
        }
    }
    Some(hashes)
}

/// One level on the way up: the run's nodes, and whether the proof completes them on either side.
struct Level {
    first: u64,
    end: u64,
    takes_left: bool,
    takes_right: bool,
}

/// The levels of a run, from its leaves up to below the root.
struct Levels {
    first: u64,
    end: u64,
    width: u64,
}

impl Levels {
    fn new(first: u64, end: u64, size: u64) -> Levels {
        Levels { first, end, width: size }
    }
}

impl Iterator for Levels {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        if self.width <= 1 {
            return None;
        }
        let (takes_left, takes_right) = (self.first % 2 == 1, self.end % 2 == 1 && self.end < self.width);
        let level = Level { first: self.first, end: self.end, takes_left, takes_right };
        (self.first, self.end, self.width) = (self.first / 2, self.end.div_ceil(2), self.width.div_ceil(2));
        Some(level)
    }
}

/// Leaves of one run as they come, in the least memory: the roots of complete subtrees, 128 at most.
#[derive(Clone, Debug)]
pub struct Run {
    first: u64,
    end: u64,
    nodes: Vec<(u8, Hash)>,
}

impl Run {
    /// A run that begins at leaf `first`.
    pub fn new(first: u64) -> Run {
        Run { first, end: first, nodes: Vec::new() }
    }

    /// Its first leaf.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One behind its last leaf.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds the next leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.nodes.push((0, leaf));
        self.end = self.end.saturating_add(1);
        // Halves of one: the right one is a right child.
        let end = self.end;
        join(&mut self.nodes, |height| (end >> height).is_multiple_of(2));
    }

    /// Checks that these leaves, all of them, stand where they say in the tree of `size` leaves with this root.
    pub fn verify(&self, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
        let (first, end) = (self.first, self.end);
        if first >= end || end > size {
            return Err(ProofError::Index { index: end.max(1) - 1, size });
        }
        let mut proof = proof.iter().copied();
        let mut next = || proof.next().ok_or(ProofError::Length);
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        for (height, level) in (0u8..).zip(Levels::new(first, end, size)) {
            if level.takes_left {
                lefts.push((height, next()?));
            }
            rights.push(if level.takes_right { Some(next()?) } else { None });
        }
        if proof.next().is_some() {
            return Err(ProofError::Length);
        }
        // What lies left of the run are the complete subtrees of the tree of `first` leaves; with the run's own, those
        // of the tree of `end` leaves.
        let mut peaks: Vec<(u8, Hash)> = lefts.into_iter().rev().collect();
        for node in &self.nodes {
            peaks.push(*node);
            join(&mut peaks, |_| true);
        }
        // From there up to the root, the last subtree completed from the right or rising as it is.
        let mut last: Option<Hash> = None;
        for (height, right) in (0u8..).zip(rights) {
            let peak = peaks.pop_if(|(at, _)| *at == height).map(|(_, node)| node);
            let complete = |node: Hash| right.map_or(node, |right| hash::node(&node, &right));
            last = match (peak, last) {
                (Some(peak), Some(last)) => Some(hash::node(&peak, &last)),
                (Some(alone), None) | (None, Some(alone)) => Some(complete(alone)),
                (None, None) => None,
            };
        }
        let found = last.or_else(|| peaks.pop().map(|(_, node)| node));
        if found.as_ref() == Some(root) { Ok(()) } else { Err(ProofError::Root) }
    }
}

/// Joins the last two subtrees while they are of one height and `siblings` says that they are two halves of one.
fn join(nodes: &mut Vec<(u8, Hash)>, siblings: impl Fn(u8) -> bool) {
    while let [.., (left, a), (right, b)] = nodes.as_slice()
        && left == right
        && siblings(*right)
    {
        let joined = (right + 1, hash::node(a, b));
        nodes.truncate(nodes.len() - 2);
        nodes.push(joined);
    }
}

#[cfg(test)]
mod tests;
