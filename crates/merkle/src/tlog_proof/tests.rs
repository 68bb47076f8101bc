use proptest::prelude::*;

use super::*;
use crate::hash;
use crate::note::Signer;

fn log() -> Signer {
    Signer::new("log.example", &[9; 32]).unwrap()
}

fn trust() -> TrustPolicy {
    TrustPolicy::of_log(log().verifier().clone()).unwrap()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| hash::leaf(&n.to_be_bytes())).collect()
}

/// The proof of leaf `index` in a tree of `size` leaves.
fn prove(index: u64, size: u64, extra: Option<Vec<u8>>) -> TlogProof {
    let leaves = leaves(size);
    let checkpoint = Checkpoint { origin: "log.example".into(), size, root: hash::root(&leaves) };
    TlogProof {
        extra,
        index,
        hashes: proof::inclusion(index, size, &mut proof::leaf_reader(&leaves)).unwrap(),
        checkpoint: checkpoint.sign(&log()).unwrap(),
    }
}

/// What a file with this head says, or why it is refused.
fn check(head: &str) -> String {
    let text = format!("{head}{}", prove(0, 1, None).checkpoint);
    match TlogProof::parse(&text) {
        Ok(proof) => {
            assert_eq!(proof.to_text(), text);
            format!("{:?} {} {} hashes", proof.extra, proof.index, proof.hashes.len())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_file() {
    insta::assert_snapshot!(prove(2, 3, Some(b"context".to_vec())).to_text(), @r#"
    c2sp.org/tlog-proof@v1
    extra Y29udGV4dA==
    index 2
    p9kYlLYfv0Y3jYjj4bH3rvOVMsUEtIS9MVUdFeCgnf8=

    log.example
    3
    m0ll+LIgukL3A5rQeByWbPkLsa6hWoBYbWNLMiqx9M4=

    — log.example N49Dvcs4BjeoHwVmMVOVCS1dl9D2maeoJEKF9zqKsksVsT4Ji2F46d4IwXIi8gDjuA7rGUpp1hKORNZGizYB8kf3xAE=
    "#);
}

#[test]
fn forms() {
    let hash = format!("{}\n", base64(&[5; 32]));
    let heads = [
        format!("{MAGIC}index 0\n\n"),
        format!("{MAGIC}extra \nindex 0\n\n"),
        format!("{MAGIC}extra AA==\nindex 7\n{hash}\n"),
        format!("{MAGIC}index 18446744073709551615\n{}\n", hash.repeat(64)),
        format!("{MAGIC}index 0\n{}\n", hash.repeat(65)),
        format!("{MAGIC}extra AB==\nindex 0\n\n"),
        format!("{MAGIC}extra AA==\nextra AA==\nindex 0\n\n"),
        format!("{MAGIC}extra\nindex 0\n\n"),
        format!("{MAGIC}index 00\n\n"),
        format!("{MAGIC}index 0 \n\n"),
        format!("{MAGIC}\nindex 0\n\n"),
        format!("{MAGIC}index 0\nextra AA==\n\n"),
        format!("{MAGIC}index 0\n{hash}"),
        format!("{MAGIC}index 0\n\n\n"),
        format!("{}index 0\n\n", MAGIC.replace('1', "2")),
        format!("{MAGIC}\n"),
        String::new(),
        format!("{MAGIC}extra {}\nindex 0\n\n", base64(&vec![0; MAX_EXTRA + 1])),
        format!("{MAGIC}extra {}\nindex 0\n\n", base64(&vec![0; 3 * MAX_EXTRA])),
    ];
    insta::assert_snapshot!(heads.map(|head| check(&head)).join("\n"), @r#"
    None 0 0 hashes
    Some([]) 0 0 hashes
    Some([0]) 7 1 hashes
    None 18446744073709551615 64 hashes
    proof too large: more than 64 hashes
    malformed proof: the extra data is not base64
    malformed proof: no index line with a plain decimal
    malformed proof: no index line with a plain decimal
    malformed proof: no index line with a plain decimal
    malformed proof: no index line with a plain decimal
    malformed proof: no index line with a plain decimal
    malformed proof: a hash is not 32 bytes of base64
    malformed proof: a hash is not 32 bytes of base64
    None 0 0 hashes
    malformed proof: the first line is not c2sp.org/tlog-proof@v1
    malformed proof: no index line with a plain decimal
    malformed proof: the first line is not c2sp.org/tlog-proof@v1
    proof too large: more than 1 MiB of extra data
    proof too large: the file is longer than a proof can be
    "#);
}

#[test]
fn the_largest_extra_comes_back() {
    let text = prove(0, 1, Some(vec![7; MAX_EXTRA])).to_text();
    assert_eq!(TlogProof::parse(&text).map(|proof| proof.to_text()), Ok(text));
}

proptest! {
    #[test]
    fn a_proof_shows_its_leaf_and_no_other(size in 1..70u64, index: prop::sample::Index, at: prop::sample::Index, bit in 0..7u8) {
        let index = index.index(size as usize) as u64;
        let proof = prove(index, size, None);
        let leaves = leaves(size);
        let text = proof.to_text();
        let parsed = TlogProof::parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&proof));
        for (n, leaf) in leaves.iter().enumerate() {
            prop_assert_eq!(proof.verify(leaf, &trust()).is_ok(), n as u64 == index);
        }

        // One bit of the file flipped: unreadable or disproved.
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes)
            && let Ok(changed) = TlogProof::parse(&changed)
        {
            prop_assert!(changed.verify(&leaves[index as usize], &trust()).is_err());
        }
    }

    #[test]
    fn what_parses_formats_back(head in "(extra [AQg=]{0,4}\n)?(index [0-9]{1,2}\n){0,2}([AE]{42}[A-D]=\n|\n){0,3}\n?") {
        check(&format!("{MAGIC}{head}"));
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        prop_assert!(TlogProof::parse(&text).is_err());
        let text = format!("{MAGIC}{text}");
        prop_assert!(TlogProof::parse(&text).is_err());
    }
}
