use proptest::prelude::*;

use super::*;
use crate::hash;
use crate::note::{Cosigner, Signer};
use crate::proof::leaf_reader;

fn log() -> Signer {
    Signer::new("log.example", &[1; 32]).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::new("w.example", &[2; 32]).unwrap()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|n| hash::leaf(&n.to_be_bytes())).collect()
}

fn head(size: u64) -> Checkpoint {
    Checkpoint { origin: "log.example".into(), size, root: hash::root(&leaves(size)) }
}

fn signed(size: u64) -> String {
    head(size).sign(&log()).unwrap()
}

fn cosigned(size: u64) -> String {
    let text = head(size).to_text();
    let signatures =
        vec![log().signature(&text).unwrap(), witness().cosignature(&text, 1_700_000_000).unwrap()];
    SignedNote::new(text, signatures).unwrap().to_string()
}

fn between(older: &str, newer: &str) -> ConsistencyProof {
    ConsistencyProof::between(older, newer, &mut leaf_reader(&leaves(20))).unwrap()
}

/// What a file shows to an auditor who trusts the log only together with its witness.
fn check(text: &str) -> String {
    let trust = format!("log {}\nwitness w {}\nquorum w\n", log().verifier(), witness().verifier());
    let trust = TrustPolicy::parse(&trust).unwrap();
    let proof = match ConsistencyProof::parse(text) {
        Ok(proof) => proof,
        Err(error) => return error.to_string(),
    };
    assert_eq!(proof.to_text(), text);
    match proof.verify(&trust) {
        Ok((older, newer)) => format!("{} -> {}", older.size, newer.size),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_file() {
    let text = between(&signed(3), &signed(7)).to_text();
    insta::assert_snapshot!(text, @r#"
    greffier/tlog-consistency@v1
    log.example
    3
    m0ll+LIgukL3A5rQeByWbPkLsa6hWoBYbWNLMiqx9M4=

    — log.example HMdY+Z5L5BJai+CZtd1gCvxkmKldPLvf4oVSBRBeAaha/7YXueC58aTs0HA0GWANYuwJ0aGKlHnGBh/wsK2qrki3Igo=

    old 3
    2B9ReB7rj0ag4RLobKM1iWzMEs7gDmz89Yo1ARKd/CQ=
    /uvxhjvR/O7f7/JpOCnVD/vKwQDQ++dFSC4DL5P2uvs=
    p9kYlLYfv0Y3jYjj4bH3rvOVMsUEtIS9MVUdFeCgnf8=
    9s/UH/+5lmOtMK4K2pGmIJ1lra6FT7CIKPEUmnkRavM=

    log.example
    7
    Rc6n7cqVQ+5VdaV3TQ2PqTIai+CEs/tlf6T20HGjyUw=

    — log.example HMdY+avC4qUS3y9ZTYmPp6+8LlZuoP6RPVFBCmayaUzrlUSHSS8a6UHANXJ7UhC8y0P6ecdMFlQ5ET4lCLo4puuVEw8=
    "#);
}

#[test]
fn what_a_file_shows() {
    let good = between(&signed(6), &cosigned(13)).to_text();
    let with_older = |older: String| {
        let mut proof = between(&signed(6), &cosigned(13));
        proof.older = older;
        proof.to_text()
    };
    let other = Signer::new("other.example", &[5; 32]).unwrap();
    let of_other = Checkpoint { origin: "other.example".into(), ..head(6) }.sign(&other).unwrap();
    let rewritten = Checkpoint { root: [9; 32], ..head(6) }.sign(&log()).unwrap();
    let files = [
        good.clone(),
        between(&cosigned(1), &cosigned(2)).to_text(),
        between(&signed(13), &cosigned(13)).to_text(),
        between(&signed(0), &cosigned(13)).to_text(),
        between(&signed(6), &signed(13)).to_text(),
        with_older(of_other),
        with_older(rewritten),
        with_older(signed(5)),
        with_older(signed(6).replace("\n6\n", "\n7\n")),
        good.replacen("@v1", "@v2", 1),
        good.replacen("\n\nold", "\nold", 1),
        good.replacen("\n\nold", "\n\n\nold", 1),
        good.replacen("old 6", "old 5", 1),
        good.replacen("log.example", "lag.example", 1),
        String::new(),
        "x".repeat(MAX_FILE + 1),
    ];
    insta::assert_snapshot!(files.map(|file| check(&file)).join("\n"), @r#"
    6 -> 13
    1 -> 2
    13 -> 13
    0 -> 13
    the newer checkpoint: too few witnesses cosigned the checkpoint: the quorum w is not met
    the older checkpoint: no known key signed the note
    the proof does not lead to the root
    malformed consistency proof: the old size is not that of the older checkpoint
    malformed consistency proof: the old size is not that of the older checkpoint
    malformed consistency proof: the first line is not greffier/tlog-consistency@v1
    malformed request: the first line is not "old" and a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed consistency proof: the old size is not that of the older checkpoint
    the older checkpoint: bad signature of the known key log.example: the note was changed or forged
    malformed consistency proof: the first line is not greffier/tlog-consistency@v1
    malformed consistency proof: the file is longer than a proof can be
    "#);
}

#[test]
fn nothing_backwards_and_nothing_of_what_is_no_checkpoint() {
    let mut read = leaf_reader(&[]);
    assert_eq!(ConsistencyProof::between(&signed(7), &signed(3), &mut read), None);
    assert_eq!(ConsistencyProof::between("", &signed(3), &mut read), None);
    assert_eq!(ConsistencyProof::between(&signed(3), &signed(7), &mut read), None);
}

proptest! {
    #[test]
    fn every_two_sizes(older in 0..20u64, newer in 0..20u64) {
        let (older, newer) = (older.min(newer), older.max(newer));
        let text = between(&signed(older), &cosigned(newer)).to_text();
        prop_assert_eq!(check(&text), format!("{older} -> {newer}"));
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        prop_assert!(ConsistencyProof::parse(&text).is_err());
        let begun = format!("{MAGIC}{text}");
        prop_assert!(ConsistencyProof::parse(&begun).is_err());
    }
}
