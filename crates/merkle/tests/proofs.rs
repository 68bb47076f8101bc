//! Proofs against independent implementations, and against every change.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper that fails fails its test")]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use greffier_merkle::proof::{self, ProofError};
use greffier_merkle::tile::{TileBuilder, TileId};
use greffier_merkle::{Frontier, Hash, hash};
use proptest::prelude::*;
use tlog_tiles::{Error, HashReader};

fn entry(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| hash::leaf(&entry(n))).collect()
}

/// The other implementation's store of all hashes.
struct Stored(Vec<tlog_tiles::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

fn stored(count: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for n in 0..count {
        let more = tlog_tiles::stored_hashes(n, &entry(n), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(*hash)).collect()
}

fn ours(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| hash.0).collect()
}

fn ct_tree(count: u64) -> MemoryBackedTree<sha2::Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..count).for_each(|n| tree.push(entry(n)));
    tree
}

/// Every way to damage a list of hashes by one step.
fn mutations(hashes: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    let mut change = |edit: &dyn Fn(&mut Vec<Hash>)| {
        let mut changed = hashes.to_vec();
        edit(&mut changed);
        if changed != hashes {
            all.push(changed);
        }
    };
    for at in 0..hashes.len() {
        for bit in [0, 100, 255] {
            change(&|hashes| hashes[at][bit / 8] ^= 1 << (bit % 8));
        }
        change(&|hashes| _ = hashes.remove(at));
        change(&|hashes| hashes.insert(at, hashes[at]));
        for other in 0..at {
            change(&|hashes| hashes.swap(at, other));
        }
    }
    change(&|hashes| hashes.push([0; 32]));
    change(&|hashes| hashes.insert(0, [0; 32]));
    all
}

fn flipped(mut hash: Hash) -> Hash {
    hash[31] ^= 0x80;
    hash
}

/// A place in a tree: the side and the number of siblings on the way up are what a proof shows of index and size.
fn shape(index: u64, size: u64) -> Vec<bool> {
    let (mut from, mut to, mut sides) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + (to - from).next_power_of_two() / 2;
        sides.push(index < middle);
        if index < middle { to = middle } else { from = middle }
    }
    sides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inclusion_proofs_are_the_others(size in 1..600u64, index: prop::sample::Index) {
        let index = index.index(size as usize) as u64;
        let leaves = leaves(size);
        let root = hash::root(&leaves);
        let proof = proof::inclusion(index, size, &mut proof::leaf_reader(&leaves)).unwrap();

        let stored = stored(size);
        prop_assert_eq!(tlog_tiles::tree_hash(size, &stored).unwrap().0, root);
        prop_assert_eq!(&proof, &ours(tlog_tiles::prove_record(size, index, &stored).unwrap()));
        let tree = ct_tree(size);
        let (their_root, their_proof) = (tree.root(), tree.prove_inclusion(index as usize));
        prop_assert_eq!(their_root.as_bytes().as_slice(), root);
        prop_assert_eq!(proof.concat(), their_proof.as_bytes());
    }

    #[test]
    fn consistency_proofs_are_the_others(new in 1..600u64, old: prop::sample::Index) {
        let old = 1 + old.index(new as usize) as u64;
        let leaves = leaves(new);
        let proof = proof::consistency(old, new, &mut proof::leaf_reader(&leaves)).unwrap();

        prop_assert_eq!(&proof, &ours(tlog_tiles::prove_tree(new, old, &stored(new)).unwrap()));
        let theirs = ct_tree(new).prove_consistency((new - old) as usize);
        prop_assert_eq!(proof.concat(), theirs.as_bytes());
    }

    #[test]
    fn a_changed_inclusion_proof_fails(size in 1..600u64, index: prop::sample::Index) {
        let index = index.index(size as usize) as u64;
        let leaves = leaves(size);
        let (root, leaf) = (hash::root(&leaves), leaves[index as usize]);
        let proof = proof::inclusion(index, size, &mut proof::leaf_reader(&leaves)).unwrap();
        let verify = |index, size, leaf, proof: &[Hash], root| proof::verify_inclusion(index, size, &leaf, proof, &root);
        prop_assert_eq!(verify(index, size, leaf, &proof, root), Ok(()));
        for changed in mutations(&proof) {
            prop_assert!(verify(index, size, leaf, &changed, root).is_err());
        }
        prop_assert_eq!(verify(index, size, flipped(leaf), &proof, root), Err(ProofError::Root));
        prop_assert_eq!(verify(index, size, leaf, &proof, flipped(root)), Err(ProofError::Root));
        for other in (0..size + 3).filter(|other| *other != index) {
            prop_assert!(verify(other, size, leaf, &proof, root).is_err());
        }
        // The hashes cannot tell sizes apart in which the leaf has the same way up; the signed size does.
        for other in 0..size + 300 {
            let same = index < other && shape(index, other) == shape(index, size);
            prop_assert_eq!(verify(index, other, leaf, &proof, root).is_ok(), same, "size {}", other);
        }
    }

    #[test]
    fn a_changed_consistency_proof_fails(new in 1..600u64, old: prop::sample::Index) {
        let old = 1 + old.index(new as usize) as u64;
        let leaves = leaves(new);
        let (old_root, new_root) = (hash::root(&leaves[..old as usize]), hash::root(&leaves));
        let proof = proof::consistency(old, new, &mut proof::leaf_reader(&leaves)).unwrap();
        let verify = |old, new, old_root, new_root, proof: &[Hash]| proof::verify_consistency(old, new, &old_root, &new_root, proof);
        prop_assert_eq!(verify(old, new, old_root, new_root, &proof), Ok(()));
        for changed in mutations(&proof) {
            prop_assert!(verify(old, new, old_root, new_root, &changed).is_err());
        }
        prop_assert_eq!(verify(old, new, flipped(old_root), new_root, &proof), Err(ProofError::Root));
        prop_assert_eq!(verify(old, new, old_root, flipped(new_root), &proof), Err(ProofError::Root));
        // Other sizes: accepted only where another implementation has no objection either.
        let their_proof = theirs(&proof);
        let agree = |old: u64, new: u64| {
            let expected = tlog_tiles::check_tree(
                &their_proof, new, tlog_tiles::Hash(new_root), old, tlog_tiles::Hash(old_root),
            );
            verify(old, new, old_root, new_root, &proof).is_ok() == expected.is_ok()
        };
        for other in 1..new + 70 {
            prop_assert!(agree(other, new), "old size {}", other);
            prop_assert!(agree(old, other), "new size {}", other);
        }
    }

    #[test]
    fn any_proof_is_judged_as_the_other_does(
        index in 0..40u64, size in 0..40u64, hashes in prop::collection::vec(0..3u8, 0..7), pick in 0..3u8,
    ) {
        // Few distinct hashes, so that some of the random proofs have the right length.
        let hashes: Vec<Hash> = hashes.into_iter().map(|byte| [byte; 32]).collect();
        let root = [pick; 32];
        let (their_proof, their_root) = (theirs(&hashes), tlog_tiles::Hash(root));
        let inclusion = proof::verify_inclusion(index, size, &[1; 32], &hashes, &root).is_ok();
        let expected = tlog_tiles::check_record(&their_proof, size, their_root, index, tlog_tiles::Hash([1; 32]));
        prop_assert_eq!(inclusion, expected.is_ok());
        if index > 0 {
            let consistency = proof::verify_consistency(index, size, &[1; 32], &root, &hashes).is_ok();
            let expected = tlog_tiles::check_tree(&their_proof, size, their_root, index, tlog_tiles::Hash([1; 32]));
            prop_assert_eq!(consistency, expected.is_ok());
        }
    }

    #[test]
    fn sizes_at_the_edge_of_integers_do_not_overflow(index: u64, size: u64, hashes in prop::collection::vec(any::<Hash>(), 0..70)) {
        for (index, size) in [(index, size), (u64::MAX - 1, u64::MAX), (0, u64::MAX), (1 << 63, u64::MAX)] {
            prop_assert!(proof::verify_inclusion(index, size, &[0; 32], &hashes, &[0; 32]).is_err());
            prop_assert!(proof::verify_consistency(index, size, &[0; 32], &[0; 32], &hashes).is_err());
            let mut read = |height: u8, index: u64| Some(hash::sha256(&[&[height], index.to_be_bytes().as_slice()].concat()));
            if let Some(proof) = proof::inclusion(index, size, &mut read) {
                prop_assert!(proof.len() <= proof::MAX_HASHES);
                prop_assert_eq!(proof::verify_inclusion(index, size, &[0; 32], &proof, &[0; 32]), Err(ProofError::Root));
            }
            if let Some(proof) = proof::consistency(index, size, &mut read) {
                // One more: the subtree where the old tree's edge ends.
                prop_assert!(proof.len() <= proof::MAX_HASHES + 1);
            }
        }
    }
}

#[test]
fn trees_with_nothing_to_show() {
    let empty = hash::empty_root();
    let verify = proof::verify_consistency;
    assert_eq!(verify(0, 0, &empty, &empty, &[]), Ok(()));
    assert_eq!(verify(0, 5, &empty, &[5; 32], &[]), Ok(()));
    assert_eq!(verify(0, 5, &[0; 32], &[5; 32], &[]), Err(ProofError::Root));
    assert_eq!(verify(0, 0, &empty, &[5; 32], &[]), Err(ProofError::Root));
    assert_eq!(verify(0, 5, &empty, &[5; 32], &[[0; 32]]), Err(ProofError::Length));
    assert_eq!(verify(5, 5, &[5; 32], &[5; 32], &[]), Ok(()));
    assert_eq!(verify(5, 5, &[5; 32], &[6; 32], &[]), Err(ProofError::Root));
    assert_eq!(verify(6, 5, &[5; 32], &[5; 32], &[]), Err(ProofError::Shrunk { old: 6, new: 5 }));
    assert_eq!(
        proof::verify_inclusion(0, 0, &empty, &[], &empty),
        Err(ProofError::Index { index: 0, size: 0 })
    );
    let mut none = |_: u8, _: u64| None;
    assert_eq!(proof::inclusion(0, 0, &mut none), None);
    assert_eq!(proof::inclusion(1, 3, &mut none), None);
    assert_eq!(proof::consistency(2, 1, &mut none), None);
    assert_eq!(proof::consistency(0, 9, &mut none), Some(vec![]));
    assert_eq!(proof::root(0, &mut none), Some(empty));
    assert_eq!(proof::root(3, &mut none), None);
}

/// Proofs read from the tiles of a trail that spans three levels, for its full size and for older ones.
#[test]
fn tiles_prove_what_leaves_prove() {
    const SIZE: u64 = 66_000;
    let leaves = leaves(SIZE);
    let mut builder = TileBuilder::new();
    builder.extend(leaves.iter().copied());
    let mut tiles: std::collections::BTreeMap<(u8, u64), Vec<u8>> = Default::default();
    for (id, bytes) in builder.take_full().into_iter().chain(builder.right_edge()) {
        tiles.insert((id.level, id.index), bytes);
    }
    let head = Frontier::root;
    for size in [1, 255, 256, 257, 65_535, 65_536, 65_537, SIZE] {
        let mut frontier = Frontier::new();
        frontier.extend(leaves[..size as usize].iter().copied());
        // Of an older size only the tile that grew since is there: longer than asked for.
        let fetch = |id: TileId| tiles.get(&(id.level, id.index)).cloned();
        let mut read = proof::tile_reader(size, fetch);
        assert_eq!(proof::root(size, &mut read), Some(head(&frontier)));
        for index in [0, 1, size / 3, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let proof = proof::inclusion(index, size, &mut read).unwrap();
            let leaf = leaves[index as usize];
            assert_eq!(proof::verify_inclusion(index, size, &leaf, &proof, &head(&frontier)), Ok(()));
            let proof = proof::consistency(index + 1, size, &mut read).unwrap();
            let old = hash::root(&leaves[..=index as usize]);
            assert_eq!(proof::verify_consistency(index + 1, size, &old, &head(&frontier), &proof), Ok(()));
        }
        assert_eq!(proof::inclusion(size, size, &mut read), None);
    }
}

#[test]
fn a_tile_is_fetched_once_per_proof_and_a_short_one_is_none() {
    let leaves = leaves(300);
    let mut builder = TileBuilder::new();
    builder.extend(leaves.iter().copied());
    let mut tiles = builder.take_full();
    tiles.extend(builder.right_edge());
    let mut fetched = Vec::new();
    let proof = proof::inclusion(
        42,
        300,
        &mut proof::tile_reader(300, |id| {
            fetched.push(id.path());
            tiles.iter().find(|(tile, _)| *tile == id).map(|(_, bytes)| bytes.clone())
        }),
    );
    assert_eq!(proof, proof::inclusion(42, 300, &mut proof::leaf_reader(&leaves)));
    assert_eq!(fetched, ["tile/0/001.p/44", "tile/0/000"]);
    let mut short = proof::tile_reader(300, |id| Some(vec![0; id.byte_len() - 1]));
    assert_eq!(proof::inclusion(42, 300, &mut short), None);
}
