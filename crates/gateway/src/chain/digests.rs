//! Keyed digests, in whose place nobody can put what they are of: the key is drawn when the process starts and never
//! leaves it.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::index::{Kind, Mark};

/// Makes digests.
#[derive(Debug, Default)]
pub(super) struct Digests(RandomState);

impl Digests {
    /// Of some pieces, each told apart from the next.
    pub(super) fn of(&self, pieces: &[&[u8]]) -> u64 {
        let mut hasher = self.0.build_hasher();
        for piece in pieces {
            hasher.write_usize(piece.len());
            hasher.write(piece);
        }
        hasher.finish()
    }

    pub(super) fn mark(&self, kind: Kind, pieces: &[&[u8]]) -> Mark {
        Mark { kind, digest: self.of(pieces) }
    }
}
