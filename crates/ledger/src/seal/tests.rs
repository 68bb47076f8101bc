use super::*;
use crate::testing::{draft, event};

fn sealed(parts: &[(&str, &[u8])]) -> (Event, Vec<SealedPart<'static>>, Secret) {
    let key = Secret::random().unwrap();
    let drafted = draft(event("acme", 7, "data.access", "req"), parts);
    let mut event = drafted.event;
    let sealed =
        seal(&mut event, drafted.parts, "ref:holder", &key.wrapping().unwrap(), &mut Random::default())
            .unwrap();
    (event, sealed, key)
}

fn opened(event: &Event, sealed: &[SealedPart<'_>], key: &Secret) -> Result<Vec<OpenedPart>, CipherError> {
    event.parts.iter().zip(sealed).map(|(part, sealed)| open(&event.id, part, sealed, key)).collect()
}

#[test]
fn parts_come_back_and_are_bound_in_order() {
    let (event, sealed, key) = sealed(&[("prompt", b"hello"), ("completion", b""), ("result", b"hello")]);
    event.validate().unwrap();
    let parts = opened(&event, &sealed, &key).unwrap();
    let contents: Vec<_> = parts.iter().map(|part| part.content.as_slice()).collect();
    assert_eq!(contents, [b"hello".as_slice(), b"", b"hello"]);
    let mut commitments: Vec<_> = parts.iter().map(|part| part.commitment(&event.id)).collect();
    assert_eq!(event.parts_root.as_deref(), Some(parts_root(&commitments).as_str()));
    // Equal content is not seen to be equal: neither in the commitment nor in the ciphertext.
    assert_ne!(commitments[0], commitments[2]);
    assert_ne!(sealed[0].content, sealed[2].content);
    commitments.swap(0, 2);
    assert_ne!(event.parts_root.as_deref(), Some(parts_root(&commitments).as_str()));
    // Nothing of the content is in what is stored.
    assert!(!format!("{event:?}{sealed:?}{parts:?}").contains("hello"));
    assert!(sealed.iter().all(|part| !part.content.windows(5).any(|bytes| bytes == b"hello")));
}

#[test]
fn without_parts_there_is_no_root() {
    let (event, sealed, _) = sealed(&[]);
    assert_eq!((event.parts_root, sealed.len()), (None, 0));
}

#[test]
fn every_flip_and_every_exchange_is_found() {
    let (event, mut sealed, key) = sealed(&[("prompt", b"hello"), ("result", b"hello")]);
    for at in 0..sealed[0].wrapped_key.len() {
        let mut part = sealed[0].clone();
        part.wrapped_key.to_mut()[at] ^= 1;
        assert!(open(&event.id, &event.parts[0], &part, &key).is_err());
    }
    for at in 0..sealed[0].content.len() {
        let mut part = sealed[0].clone();
        part.content.to_mut()[at] ^= 1;
        assert!(open(&event.id, &event.parts[0], &part, &key).is_err());
    }
    assert!(open(&event.id, &event.parts[0], &sealed[0], &Secret::random().unwrap()).is_err());
    let other = crate::testing::event("acme", 8, "data.access", "req").id;
    assert!(open(&other, &event.parts[0], &sealed[0], &key).is_err());
    sealed.swap(0, 1);
    assert!(opened(&event, &sealed, &key).is_err());
}

#[test]
fn a_large_part_keeps_its_beginning_its_length_and_a_digest() {
    // A two-byte character stands across the bound: it is left out whole.
    let content = format!("{}\u{e9}{}", "x".repeat(MAX_PART_BYTES - 1), "y".repeat(9)).into_bytes();
    let (event, sealed, key) = sealed(&[("result", &content)]);
    event.validate().unwrap();
    let part = &event.parts[0];
    assert_eq!((part.bytes, part.truncated), (content.len() as u64, true));
    let opened = open(&event.id, part, &sealed[0], &key).unwrap();
    assert_eq!(opened.content, content[..MAX_PART_BYTES - 1]);
    assert_eq!(part.digest, Some(hex::encode(hmac_sha256(&opened.salt, &[&content]))));
    let exact = vec![b'x'; MAX_PART_BYTES];
    let (event, ..) = super::tests::sealed(&[("result", &exact)]);
    assert_eq!((event.parts[0].truncated, &event.parts[0].digest), (false, &None));
}

/// The form of a commitment is frozen: proofs made today must hold in ten years.
#[test]
fn the_commitment_is_frozen() {
    let id = event("acme", 7, "data.access", "req").id;
    insta::assert_snapshot!(hex::encode(commitment(&[9; 32], &id, "prompt", b"hello")), @"082da200d57e95d308a05b4f690887487fd9c3d22efdbf3e565e66c4cc24ccaa");
}
