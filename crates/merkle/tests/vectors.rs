//! Fixed vectors: the reference tree of Certificate Transparency, and our own worked trail of 300 entries.
#![expect(clippy::unwrap_used, reason = "a test helper that fails fails its test")]

use greffier_merkle::note::{Cosigner, Signer, Statement, Verifier};
use greffier_merkle::tile::{TileBuilder, TileId, entries_path};
use greffier_merkle::witness::{AddCheckpoint, consider};
use greffier_merkle::{Checkpoint, Hash, TlogProof, TrustPolicy, bundle, checkpoint, hash, note, proof};

/// The well-known leaves.
const CT_LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// Their roots, by size.
const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn ct_leaves() -> Vec<Hash> {
    CT_LEAVES.iter().map(|leaf| hash::leaf(&hex::decode(leaf).unwrap())).collect()
}

/// The first four bytes of each hash, as the vectors abbreviate them.
fn short(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| hex::encode(&hash[..4])).collect()
}

#[test]
fn ct_roots() {
    for (size, root) in CT_ROOTS.iter().enumerate() {
        assert_eq!(hex::encode(hash::root(&ct_leaves()[..size])), *root);
    }
}

#[test]
fn ct_proofs() {
    let leaves = ct_leaves();
    let mut read = proof::leaf_reader(&leaves);
    let found = proof::inclusion(0, 8, &mut read).unwrap();
    assert_eq!(short(&found), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    let root = |size: usize| hex::decode(CT_ROOTS[size]).unwrap().try_into().unwrap();
    assert_eq!(proof::verify_inclusion(0, 8, &leaves[0], &found, &root(8)), Ok(()));
    let found = proof::consistency(3, 7, &mut read).unwrap();
    assert_eq!(short(&found), ["0298d122", "07506a85", "fac54203", "837dbb15"]);
    assert_eq!(proof::verify_consistency(3, 7, &root(3), &root(7), &found), Ok(()));
    let found = proof::consistency(6, 8, &mut read).unwrap();
    assert_eq!(short(&found), ["0ebc5d34", "ca854ea1", "d37ee418"]);
    assert_eq!(proof::verify_consistency(6, 8, &root(6), &root(8), &found), Ok(()));
}

const LOG: &str = "audit.example.com/log1";
const LOG_KEY: &str = "audit.example.com/log1+cf18fe2a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS_KEY: &str = "witness.example.com/w1+969980cf+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
const CHECKPOINT: &str = "\
audit.example.com/log1
300
JrMFtGYT2swoXiJf8CTSJiXzRsxtANIdftEzHwZ6mLw=

— audit.example.com/log1 zxj+KmRXA50HIWj5UBUirmXWBOr0TEQavGO4j4ZPZ/uU7lfytx2eTp/wXGZ8P5mJVAyx1Z4DccKYbVHKC8iYz/Vx0Qc=
— witness.example.com/w1 lpmAzwAAAABlU/EAzABfQMf5OWYBUhsMafXW6RzMlzB89b7WzzeGbaCF6dhbEaeen5wU2ltTBoWbu6g5/13YAoYwqLVCZTwc6VXyAQ==
";

fn seed(first: u8) -> [u8; 32] {
    std::array::from_fn(|i| first + i as u8)
}

fn entries() -> Vec<String> {
    (0..300).map(|n| format!("{{\"n\":{n}}}")).collect()
}

fn leaves() -> Vec<Hash> {
    entries().iter().map(|entry| hash::leaf(entry.as_bytes())).collect()
}

fn trust(quorum: &str) -> TrustPolicy {
    TrustPolicy::parse(&format!("log {LOG_KEY}\nwitness w1 {WITNESS_KEY}\nquorum {quorum}\n")).unwrap()
}

#[test]
fn worked_keys() {
    assert_eq!(Signer::new(LOG, &seed(0)).unwrap().verifier().to_string(), LOG_KEY);
    let witness = Cosigner::new("witness.example.com/w1", &seed(32)).unwrap();
    assert_eq!(witness.verifier().to_string(), WITNESS_KEY);
}

#[test]
fn worked_roots() {
    for (size, root) in [
        (1, "+UBwq/0toL9ykC6xOoCOeU+VTZ4nRcaCoVj27Q1KwDY="),
        (2, "O63IBTfwKeG7dygNyFIDzy7ZdI3I9XEjD8ulwybJEGg="),
        (255, "RkgMiSInhOiNRN3aOycstKbLqdR+AYQXDyTgw2PdZ9k="),
        (256, "VnQwAQGAjJawsusbRIYV+xyYZQslg7Z5HPTHZJGKgj0="),
        (257, "msTFtNgv0xNuo4TOXwsZglGXtH5emq6sGNJNuJuRAxA="),
        (300, "JrMFtGYT2swoXiJf8CTSJiXzRsxtANIdftEzHwZ6mLw="),
    ] {
        let head = Checkpoint { origin: LOG.into(), size, root: hash::root(&leaves()[..size as usize]) };
        assert_eq!(head.to_text(), format!("{LOG}\n{size}\n{root}\n"));
    }
}

#[test]
fn worked_checkpoint() {
    let head = Checkpoint { origin: LOG.into(), size: 300, root: hash::root(&leaves()) };
    let (log, witness) =
        (Signer::new(LOG, &seed(0)).unwrap(), Cosigner::new("witness.example.com/w1", &seed(32)).unwrap());
    let text = head.to_text();
    let signatures = vec![log.signature(&text).unwrap(), witness.cosignature(&text, 1_700_000_000).unwrap()];
    assert_eq!(note::SignedNote::new(&text, signatures).unwrap().to_string(), CHECKPOINT);

    let parsed = note::SignedNote::parse(CHECKPOINT).unwrap();
    let said = witness.verifier().check(parsed.text(), &parsed.signatures()[1]);
    assert_eq!(said, Some(Statement::Cosigned { time: 1_700_000_000 }));
    let keys = [LOG_KEY, WITNESS_KEY].map(|key| Verifier::parse(key).unwrap());
    assert_eq!(checkpoint::open(CHECKPOINT, &keys), Ok(head.clone()));
    assert_eq!(trust("w1").verify_checkpoint(CHECKPOINT), Ok(head));
}

/// The witness gets from 256 entries to 300, and answers with its line of the checkpoint.
#[test]
fn worked_witness() {
    let (leaves, log) = (leaves(), Signer::new(LOG, &seed(0)).unwrap());
    let head =
        |size: u64| Checkpoint { origin: LOG.into(), size, root: hash::root(&leaves[..size as usize]) };
    let proof = proof::consistency(256, 300, &mut proof::leaf_reader(&leaves)).unwrap();
    let body = AddCheckpoint { old: 256, proof, checkpoint: head(300).sign(&log).unwrap() }.to_text();
    insta::assert_snapshot!(body, @r#"
    old 256
    6MCNl4iMNU/DKWQjM6ZOUbvuHyMEjz/C2CEJop0pPJA=

    audit.example.com/log1
    300
    JrMFtGYT2swoXiJf8CTSJiXzRsxtANIdftEzHwZ6mLw=

    — audit.example.com/log1 zxj+KmRXA50HIWj5UBUirmXWBOr0TEQavGO4j4ZPZ/uU7lfytx2eTp/wXGZ8P5mJVAyx1Z4DccKYbVHKC8iYz/Vx0Qc=
    "#);
    let request = AddCheckpoint::parse(&body).unwrap();
    assert_eq!(consider([log.verifier()], Some(&head(256)), &request), Ok(head(300)));
    let witness = Cosigner::new("witness.example.com/w1", &seed(32)).unwrap();
    let line = witness.cosignature(&head(300).to_text(), 1_700_000_000).unwrap();
    assert_eq!(format!("{}{line}\n", request.checkpoint), CHECKPOINT);
}

/// Path, length and abbreviated SHA-256 of each stored object.
#[test]
fn worked_tiles() {
    let mut builder = TileBuilder::new();
    builder.extend(leaves());
    let mut objects: Vec<(String, Vec<u8>)> = builder
        .take_full()
        .into_iter()
        .chain(builder.right_edge())
        .map(|(tile, bytes)| (tile.path(), bytes))
        .collect();
    for (index, chunk) in entries().chunks(256).enumerate() {
        let mut bytes = Vec::new();
        chunk.iter().for_each(|entry| bundle::append(&mut bytes, entry.as_bytes()).unwrap());
        objects.push((entries_path(index as u64, chunk.len() as u16), bytes));
    }
    let listed: Vec<String> = objects
        .iter()
        .map(|(path, bytes)| {
            let digest = hex::encode(hash::sha256(bytes));
            format!("{path} {}B {}...{}", bytes.len(), &digest[..8], &digest[60..])
        })
        .collect();
    assert_eq!(
        listed,
        [
            "tile/0/000 8192B bbbacfcb...d097",
            "tile/0/001.p/44 1408B 6439e8f7...4634",
            "tile/1/000.p/1 32B 7dc0d404...f392",
            "tile/entries/000 2706B 4f5cc32d...ed09",
            "tile/entries/001.p/44 484B 218fd86d...c083",
        ]
    );
}

#[test]
fn worked_proof() {
    let leaves = leaves();
    let mut builder = TileBuilder::new();
    builder.extend(leaves.iter().copied());
    let mut tiles = builder.take_full();
    tiles.extend(builder.right_edge());
    let fetch = |id: TileId| tiles.iter().find(|(tile, _)| *tile == id).map(|(_, bytes)| bytes.clone());
    let hashes = proof::inclusion(42, 300, &mut proof::tile_reader(300, fetch)).unwrap();
    assert_eq!(hashes.len(), 9);
    let proof = TlogProof { extra: None, index: 42, hashes, checkpoint: CHECKPOINT.into() };
    let read = TlogProof::parse(&proof.to_text()).unwrap();
    assert_eq!(read.verify(&leaves[42], &trust("w1")).map(|head| head.size), Ok(300));
    assert!(read.verify(&leaves[43], &trust("w1")).is_err());

    // Without the witness's line, the quorum is not met.
    let alone: String = CHECKPOINT.split_inclusive('\n').take(5).collect();
    let proof = TlogProof { checkpoint: alone, ..proof };
    assert!(proof.verify(&leaves[42], &trust("none")).is_ok());
    assert!(proof.verify(&leaves[42], &trust("w1")).is_err());
}
