//! Notes and checkpoints against an independent implementation, in both directions.

use greffier_merkle::note::{SignedNote, Signer, Verifier};
use greffier_merkle::{Checkpoint, checkpoint};
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, VerifierList};

proptest! {
    #[test]
    fn they_verify_what_we_sign(text in "[ -~\u{e9}\n]{0,60}", seed: [u8; 32]) {
        let log = Signer::new("example.com/log", &seed).unwrap();
        let note = log.sign(&format!("{text}\n")).unwrap();
        let key = StandardVerifier::new(&log.verifier().to_string()).unwrap();
        let parsed = Note::from_bytes(note.as_bytes()).unwrap();
        let (good, unknown) = parsed.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
        prop_assert_eq!((good.len(), unknown.len()), (1, 0));
        prop_assert_eq!(parsed.to_bytes(), note.as_bytes());
    }

    #[test]
    fn they_read_our_checkpoints(size in 1..i64::MAX as u64, root: [u8; 32]) {
        let head = Checkpoint { origin: "example.com/log".into(), size, root };
        let theirs = tlog_tiles::Checkpoint::from_bytes(head.to_text().as_bytes()).unwrap();
        prop_assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), ("example.com/log", size, root));
        prop_assert_eq!(theirs.to_bytes(), head.to_text().into_bytes());
    }

    /// What we read as a note, they read too, and as the same text: we are the stricter.
    #[test]
    fn we_read_no_more_than_they(head in "[a\n]{0,6}", lines in prop::collection::vec("— [a+]{1,2} [AQ]{6,8}={0,2}\n{0,2}", 0..4)) {
        let note = format!("{head}\n{}", lines.concat());
        if let Ok(ours) = SignedNote::parse(&note) {
            let theirs = Note::from_bytes(note.as_bytes()).unwrap();
            prop_assert_eq!(theirs.text(), ours.text().as_bytes());
        }
    }
}

#[test]
fn we_verify_what_they_sign() {
    let text = "example.com/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n";
    let secret = {
        // Their form of a private key: as a verifier key, with the seed in place of the public key.
        use base64::Engine as _;
        let id = Signer::new("example.com/log", &[5; 32]).unwrap().verifier().key_id();
        let key = base64::engine::general_purpose::STANDARD.encode([&[1], [5; 32].as_slice()].concat());
        format!("PRIVATE+KEY+example.com/log+{id:08x}+{key}")
    };
    let theirs = signed_note::StandardSigner::new(&secret).unwrap();
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let note = String::from_utf8(note.to_bytes()).unwrap();

    let ours = Signer::new("example.com/log", &[5; 32]).unwrap();
    assert_eq!(ours.sign(text), Ok(note.clone()));
    let key = Verifier::parse(&ours.verifier().to_string()).unwrap();
    assert_eq!(checkpoint::open(&note, [&key]).map(|head| head.size), Ok(1));
}
