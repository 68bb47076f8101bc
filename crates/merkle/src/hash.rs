//! SHA-256 and the tree hashes of RFC 6962, section 2.1: the only file that knows a hash function.

use aws_lc_rs::{digest, hmac};

use crate::Hash;

/// What a leaf's hash starts with, so that no entry can pass for a node.
const LEAF: u8 = 0x00;
/// What a node's hash starts with.
const NODE: u8 = 0x01;

/// Entries up to this length are hashed from the stack: nearly all are.
const SHORT: usize = 1_024;

/// The hash of an entry as a leaf of the tree.
pub fn leaf(entry: &[u8]) -> Hash {
    // One call over one buffer: a context would be allocated, and to copy a short entry costs less.
    let mut short = [LEAF; 1 + SHORT];
    if let Some(place) = short.get_mut(1..=entry.len()) {
        place.copy_from_slice(entry);
        return sha256(short.get(..=entry.len()).unwrap_or_default());
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[LEAF]);
    context.update(entry);
    to_hash(context.finish().as_ref())
}

/// The hash of a node with these two children.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    // One call over a buffer on the stack: no context is allocated on the tree's hottest path.
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    sha256(&bytes)
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    sha256(b"")
}

/// Plain SHA-256.
pub fn sha256(bytes: &[u8]) -> Hash {
    to_hash(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 of bytes that come piece by piece.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of no bytes yet.
    pub fn new() -> Sha256 {
        Sha256(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all of them.
    pub fn finish(self) -> Hash {
        to_hash(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Sha256 {
        Sha256::new()
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

/// HMAC-SHA256 over the concatenation of `chunks`. The caller frames the chunks' lengths where that matters.
pub fn hmac_sha256(key: &[u8], chunks: &[&[u8]]) -> Hash {
    HmacKey::new(key).sign(chunks)
}

/// A key of HMAC-SHA256 that is made ready once, for who signs with it more than once.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Makes a key ready.
    pub fn new(key: &[u8]) -> HmacKey {
        HmacKey(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// [`hmac_sha256`] under this key.
    pub fn sign(&self, chunks: &[&[u8]]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        for chunk in chunks {
            context.update(chunk);
        }
        to_hash(context.sign().as_ref())
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey")
    }
}

/// The root over leaf hashes held in memory, by the definition: split at the largest power of two below the
/// length. A trail that grows uses [`crate::Frontier`] instead.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node(&root(left), &root(right))
        }
    }
}

/// Both algorithms above give exactly 32 bytes.
fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(bytes);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn a_leaf_is_the_same_at_every_length() {
        let entry: Vec<u8> = (0..3 * SHORT).map(|n| n as u8).collect();
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 3 * SHORT] {
            let expected = sha2::Sha256::new().chain_update([0]).chain_update(&entry[..length]).finalize();
            assert_eq!(leaf(&entry[..length]), Hash::from(expected), "{length}");
        }
    }

    proptest! {
        #[test]
        fn the_hashes_are_those_of_another_implementation(entry: Vec<u8>, left: Hash, right: Hash) {
            prop_assert_eq!(sha256(&entry), Hash::from(sha2::Sha256::digest(&entry)));
            let (head, tail) = entry.split_at(entry.len() / 3);
            let mut pieces = Sha256::new();
            pieces.update(head);
            pieces.update(tail);
            prop_assert_eq!(pieces.finish(), sha256(&entry));
            let expected = sha2::Sha256::new().chain_update([0]).chain_update(&entry).finalize();
            prop_assert_eq!(leaf(&entry), Hash::from(expected));
            let expected = sha2::Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize();
            prop_assert_eq!(node(&left, &right), Hash::from(expected));
        }

        #[test]
        fn chunks_are_one_message(key: Vec<u8>, a: Vec<u8>, b: Vec<u8>) {
            let whole = [a.as_slice(), b.as_slice()].concat();
            prop_assert_eq!(hmac_sha256(&key, &[&a, &b]), hmac_sha256(&key, &[&whole]));
        }
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        // Test case 2.
        insta::assert_snapshot!(
            hex::encode(hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            @"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
