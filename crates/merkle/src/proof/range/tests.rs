use proptest::prelude::*;

use super::*;
use crate::proof::{inclusion, leaf_reader};

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| hash::leaf(&n.to_be_bytes())).collect()
}

fn taken(leaves: &[Hash], first: u64, end: u64) -> Run {
    let mut run = Run::new(first);
    leaves[first as usize..end as usize].iter().for_each(|leaf| run.push(*leaf));
    run
}

/// The rule in the module's documentation, word for word.
fn by_the_rule(leaves: &[Hash], first: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    let (mut nodes, mut at, mut width) = (leaves.to_vec(), first, size);
    let mut proof = proof.iter();
    while width > 1 {
        if at % 2 == 1 {
            nodes.insert(0, *proof.next()?);
            at -= 1;
        }
        let end = at + nodes.len() as u64;
        if end % 2 == 1 && end < width {
            nodes.push(*proof.next()?);
        }
        nodes =
            nodes.chunks(2).map(|pair| if let [a, b] = pair { hash::node(a, b) } else { pair[0] }).collect();
        (at, width) = (at / 2, width.div_ceil(2));
    }
    proof.next().is_none().then(|| nodes[0])
}

#[test]
fn every_run_of_every_small_tree_is_proved() {
    for size in 1..=40u64 {
        let all = leaves(size);
        let root = hash::root(&all);
        let mut read = leaf_reader(&all);
        for first in 0..size {
            for end in first + 1..=size {
                let proof = run(first, end, size, &mut read).unwrap();
                assert!(proof.len() <= MAX_RUN_HASHES);
                let context = format!("{first}..{end} of {size}");
                let leaves = &all[first as usize..end as usize];
                assert_eq!(taken(&all, first, end).verify(size, &proof, &root), Ok(()), "{context}");
                assert_eq!(by_the_rule(leaves, first, size, &proof), Some(root), "{context}");
                if end == first + 1 {
                    assert_eq!(Some(proof), inclusion(first, size, &mut read), "{context}");
                }
            }
        }
        assert_eq!(run(0, size + 1, size, &mut read), None);
        assert_eq!(run(size, size, size, &mut read), None);
    }
}

proptest! {
    #[test]
    fn whatever_is_changed_is_found(size in 1..700u64, a: u64, b: u64, what: u8, at: usize, bit in 0..256usize) {
        let all = leaves(size);
        let root = hash::root(&all);
        let (first, other) = (a % size, b % size);
        let (first, end) = (first.min(other), first.max(other) + 1);
        let mut proof = run(first, end, size, &mut leaf_reader(&all)).unwrap();
        let good = taken(&all, first, end);
        prop_assert_eq!(good.verify(size, &proof, &root), Ok(()));
        prop_assert_eq!(good.verify(size, &proof, &hash::leaf(b"other")), Err(ProofError::Root));
        let flip = |hash: &mut Hash| hash[bit / 8] ^= 1 << (bit % 8);
        let mut changed = all[first as usize..end as usize].to_vec();
        match what % 5 {
            0 => flip(&mut changed[at % (end - first) as usize]),
            1 if !proof.is_empty() => { let at = at % proof.len(); flip(&mut proof[at]); }
            2 => proof.push(root),
            3 if !proof.is_empty() => { proof.remove(at % proof.len()); }
            // A leaf is left out, or doubled.
            _ if changed.len() > 1 => { changed.remove(at % changed.len()); }
            _ => changed.push(changed[0]),
        }
        let mut run = Run::new(first);
        changed.iter().for_each(|leaf| run.push(*leaf));
        prop_assert!(run.verify(size, &proof, &root).is_err());
        // What stands elsewhere does not stand here.
        if first > 0 {
            let moved = taken(&all, first - 1, end - 1);
            prop_assert!(moved.verify(size, &proof, &root).is_err());
        }
    }

    #[test]
    fn nothing_panics(first: u64, end: u64, size: u64, proof in proptest::collection::vec(any::<Hash>(), 0..130)) {
        let mut run = Run::new(first);
        run.push([1; 32]);
        prop_assert!(run.verify(size, &proof, &[0; 32]).is_err());
        run.end = end;
        prop_assert!(run.verify(size, &proof, &[0; 32]).is_err());
        let _ = super::run(first, end, size, &mut |_, _| Some([2; 32])).map(|proof| assert!(proof.len() <= MAX_RUN_HASHES));
    }
}
