//! Maps by the hash of what a caller chose: long ids cost no memory, and nobody can choose where theirs fall.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

/// 128 bits of a hash under keys of this process: what has the same is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64, u64);

impl Key {
    pub(crate) fn of(what: impl Hash) -> Key {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        let [first, second] = &*KEYS;
        Key(first.hash_one(&what), second.hash_one(&what))
    }

    /// Half of it: enough to tell a few apart.
    pub(crate) fn half(self) -> u64 {
        self.0
    }

    /// One of so many shares, by bits that a map does not look at.
    pub(crate) fn share(self, of: usize) -> usize {
        self.1 as usize % of
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// For keys that are hashes already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map by keys.
pub(crate) type ByKey<T> = HashMap<Key, T, BuildHasherDefault<Hashed>>;
