use proptest::prelude::*;

use super::*;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const TEXT: &str = "This is an example message.\n";
const LINE: &str = "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn signer(name: &str) -> Signer {
    Signer::new(name, &[1; 32]).unwrap()
}

fn cosigner(name: &str) -> Cosigner {
    Cosigner::new(name, &[2; 32]).unwrap()
}

/// Who signed the note, or why it is refused.
fn check(note: &str, known: &[Verifier]) -> String {
    let note = match SignedNote::parse(note) {
        Ok(parsed) => {
            assert_eq!(parsed.to_string(), note);
            parsed
        }
        Err(error) => return error.to_string(),
    };
    match note.verify(known) {
        Ok(signed) => signed.iter().map(|key| key.name()).collect::<Vec<_>>().join(", "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_vector_of_the_specification() {
    let key = Verifier::parse(VKEY).unwrap();
    assert_eq!(key.to_string(), VKEY);
    insta::assert_snapshot!(check(&format!("{TEXT}\n{LINE}"), &[key]), @"example.com/foo");
}

#[test]
fn forms() {
    let key = [Verifier::parse(VKEY).unwrap()];
    let many = |count: usize| format!("{TEXT}\n{}", LINE.repeat(count));
    let notes = [
        many(1),
        many(64),
        many(65),
        many(0),
        TEXT.to_owned(),
        format!("{TEXT}{LINE}"),
        format!("{TEXT}\n\n{LINE}"),
        format!("{TEXT}\n{LINE}\n"),
        format!("{TEXT}\n{}", LINE.trim_end()),
        format!("{TEXT}\n{}", LINE.replace('—', "-")),
        format!("{TEXT}\n{}", LINE.replace("M=", "N=")),
        format!("{TEXT}\n{}", LINE.replace("M=", "M")),
        format!("{TEXT}\n{}", LINE.replace(" Uw", "  Uw")),
        format!("{TEXT}\n{}", LINE.replace("/foo", "/f+o")),
        format!("{TEXT}\n{}", LINE.replace("/foo", "/f\u{2003}o")),
        format!("{TEXT}\n— example.com/foo Uw2QOg==\n"),
        format!("tab\t\n\n{LINE}"),
        format!("\n{LINE}"),
        format!("\n\n{LINE}"),
        format!("{}\n\n{LINE}", "a".repeat(MAX_NOTE)),
        String::new(),
    ];
    insta::assert_snapshot!(notes.map(|note| check(&note, &key)).join("\n"), @r#"
    example.com/foo
    example.com/foo
    malformed note: more than 64 signatures
    malformed note: the last line has no end
    malformed note: no blank line before the signatures
    malformed note: no blank line before the signatures
    bad signature of the known key example.com/foo: the note was changed or forged
    malformed note: the last line has no end
    malformed note: the last line has no end
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: a signature line is not "— name base64"
    malformed note: control characters other than newline
    malformed note: no blank line before the signatures
    bad signature of the known key example.com/foo: the note was changed or forged
    note is larger than 1 MiB
    malformed note: no blank line before the signatures
    "#);
}

#[test]
fn known_and_unknown_keys() {
    let (log, witness) = (signer("log"), cosigner("witness"));
    let known = [log.verifier().clone(), witness.verifier().clone()];
    let good = log.signature(TEXT).unwrap();
    let cosigned = witness.cosignature(TEXT, 1_700_000_000).unwrap();
    let unknown = signer("stranger").signature(TEXT).unwrap();
    // Right name, other id: another key's; right name and id, wrong bytes: a forgery.
    let namesake = Signature { key_id: good.key_id ^ 1, ..good.clone() };
    let forged = Signature { bytes: unknown.bytes.iter().rev().copied().collect(), ..good.clone() };
    let backdated = {
        let mut bytes = cosigned.bytes.clone();
        bytes[7] ^= 1;
        Signature { bytes, ..cosigned.clone() }
    };
    let short = Signature { bytes: vec![0; 7], ..cosigned.clone() };
    let all = [
        vec![&good],
        vec![&good, &good],
        vec![&unknown, &cosigned, &good],
        vec![&unknown, &namesake],
        vec![&namesake, &good],
        vec![&good, &forged],
        vec![&good, &backdated],
        vec![&good, &short],
    ];
    let answers = all.map(|signatures| {
        let note = SignedNote::new(TEXT, signatures.into_iter().cloned().collect()).unwrap();
        check(&note.to_string(), &known)
    });
    insta::assert_snapshot!(answers.join("\n"), @r#"
    log
    log
    witness, log
    no known key signed the note
    log
    bad signature of the known key log: the note was changed or forged
    bad signature of the known key witness: the note was changed or forged
    bad signature of the known key witness: the note was changed or forged
    "#);
}

#[test]
fn a_cosignature_tells_its_time() {
    let witness = cosigner("witness");
    let line = witness.cosignature(TEXT, 1_700_000_000).unwrap();
    let said = |text: &str, line: &Signature| witness.verifier().check(text, line);
    assert_eq!(said(TEXT, &line), Some(Statement::Cosigned { time: 1_700_000_000 }));
    assert_eq!(said("Another.\n", &line), None);
    assert_eq!(witness.cosignature(TEXT, 1 << 63), Err(NoteError::Time(1 << 63)));
    // The same key over times that it would not sign itself: the last legal one is good, the next is not.
    let at = |time: u64| {
        let key = ed25519_dalek::SigningKey::from_bytes(&[2; 32]);
        let signed = ed25519_dalek::Signer::sign(&key, key::cosigned(TEXT, time).as_bytes()).to_bytes();
        Signature { bytes: [time.to_be_bytes().as_slice(), &signed].concat(), ..line.clone() }
    };
    assert_eq!(said(TEXT, &at((1 << 63) - 1)), Some(Statement::Cosigned { time: (1 << 63) - 1 }));
    assert_eq!(said(TEXT, &at(1 << 63)), None);
    // The same secret under the same name, but as a log's key: another key id.
    let log = Signer::new("witness", &[2; 32]).unwrap();
    assert_eq!(said(TEXT, &log.signature(TEXT).unwrap()), None);
    assert_eq!(log.verifier().check(TEXT, &log.signature(TEXT).unwrap()), Some(Statement::Signed));
}

#[test]
fn keys() {
    let cosign = cosigner("witness").verifier().to_string();
    let low_order = Verifier::new("a", Algorithm::Ed25519, &[0; 32]);
    assert_eq!(low_order, Err(KeyError::Key));
    let texts = [
        cosign.as_str(),
        &VKEY.replace("530d", "530e"),
        &VKEY.replace("530d903a", "530D903A"),
        &VKEY.replace("530d903a", "+530d903a"),
        &VKEY.replace("example.com", "example.org"),
        &VKEY.replace("U2k", "U2l"),
        &VKEY.replace("U2k", ""),
        &VKEY.replace("Aeky", "Buky"),
        &VKEY.replace("example.com/foo", ""),
        &VKEY.replace("example.com/foo", "example com/foo"),
        "no plus signs",
        "one+plus",
        "",
    ];
    let answers = texts.map(|text| match Verifier::parse(text) {
        Ok(key) => key.to_string(),
        Err(error) => error.to_string(),
    });
    insta::assert_snapshot!(answers.join("\n"), @r#"
    witness+ad17214c+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU
    the key's id does not match its name and bytes: copy the whole key again
    the key's id does not match its name and bytes: copy the whole key again
    a verifier key reads name+8 hex digits+base64
    the key's id does not match its name and bytes: copy the whole key again
    the key's id does not match its name and bytes: copy the whole key again
    a verifier key reads name+8 hex digits+base64
    key type 0x06 is not supported: use Ed25519 (0x01) or Ed25519 cosignatures (0x04)
    a key name is not empty and holds no space, plus sign or control character
    a key name is not empty and holds no space, plus sign or control character
    a verifier key reads name+8 hex digits+base64
    a verifier key reads name+8 hex digits+base64
    a verifier key reads name+8 hex digits+base64
    "#);
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", signer("log"), cosigner("witness"));
    insta::assert_snapshot!(shown, @"Signer(log+acc32913+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c) Cosigner(witness+ad17214c+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU)");
}

#[test]
fn what_could_not_be_read_is_not_made() {
    for text in ["", "no end", "tab\t\n", &format!("{}\n", "a".repeat(MAX_NOTE))] {
        assert!(signer("log").sign(text).is_err());
        assert!(cosigner("witness").cosignature(text, 1).is_err());
    }
    // A text that fits and whose note does not.
    assert_eq!(signer("log").sign(&format!("{}\n", "a".repeat(MAX_NOTE - 1))), Err(NoteError::TooLarge));
    assert!(SignedNote::new(TEXT, Vec::new()).is_err());
    assert!(SignedNote::new(TEXT, vec![signer("log").signature(TEXT).unwrap(); 65]).is_err());
    assert!(matches!(Signer::new("a b", &[1; 32]), Err(KeyError::Name)));
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_else(text in "[ -~\u{e9}\n]{0,80}", seed: [u8; 32], at: usize, bit in 0..7u8) {
        let text = format!("{text}\n");
        let log = Signer::new("log", &seed).unwrap();
        let note = log.sign(&text).unwrap();
        let parsed = SignedNote::parse(&note).unwrap();
        prop_assert_eq!(parsed.text(), &text);
        prop_assert_eq!(parsed.verify([log.verifier()]), Ok(vec![log.verifier()]));

        // One bit flipped anywhere: no longer a note, or no longer this log's.
        let mut bytes = note.into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            let verified = SignedNote::parse(&changed).and_then(|note| note.verify([log.verifier()]).map(|_| ()));
            prop_assert!(verified.is_err(), "{}", changed);
        }
    }

    #[test]
    fn what_parses_formats_back(head in "[a\n]{0,6}", lines in prop::collection::vec("(— |-)[a+ ]{1,3} [AQ]{6,9}={0,2}\n{0,2}", 0..4)) {
        let note = format!("{head}\n{}", lines.concat());
        if let Ok(parsed) = SignedNote::parse(&note) {
            prop_assert_eq!(parsed.to_string(), note);
        }
    }

    #[test]
    fn keys_come_back(name in "[^+ ]{1,20}", seed: [u8; 32]) {
        if let Ok(log) = Signer::new(name.clone(), &seed) {
            let key = log.verifier();
            prop_assert_eq!(Verifier::parse(&key.to_string()), Ok(key.clone()));
        } else {
            prop_assert!(name.chars().any(|c| c.is_whitespace() || c < ' '));
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        prop_assert!(SignedNote::parse(&text).is_err() && Verifier::parse(&text).is_err());
    }
}
