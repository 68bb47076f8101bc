use super::*;

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

#[test]
fn keys_are_made_once_and_for_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("deep/keys");
    KeyRing::create(&dir).unwrap();
    for name in [FIRST, MASTER, REFERENCES] {
        assert_eq!(fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let before = fs::read(dir.join(FIRST)).unwrap();
    assert!(matches!(KeyRing::create(&dir), Err(KeyError::Exists(_))));
    assert_eq!(fs::read(dir.join(FIRST)).unwrap(), before);
}

#[test]
fn a_reference_names_one_value_of_one_kind_of_one_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(dir.path()).unwrap();
    let reference = keys.reference(&tenant("acme"), "user", "alice");
    assert_eq!(KeyRing::open(dir.path()).unwrap().reference(&tenant("acme"), "user", "alice"), reference);
    assert_eq!((reference.len(), reference.starts_with("ref:")), (36, true));
    let others = [
        keys.reference(&tenant("acme"), "user", "bob"),
        keys.reference(&tenant("acme"), "use", "ralice"),
        keys.reference(&tenant("acmeu"), "ser", "alice"),
        keys.reference(&tenant("zeta"), "user", "alice"),
    ];
    assert!(!others.contains(&reference));
}

#[test]
fn a_holder_keeps_its_key_and_no_key_is_shared() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(dir.path()).unwrap();
    assert!(keys.holder_key("ref:a").is_none());
    let a = *keys.ensure_holder_key("ref:a").unwrap().bytes();
    let b = *keys.ensure_holder_key("ref:b").unwrap().bytes();
    assert_ne!(a, b);
    drop(keys);
    let keys = KeyRing::open(dir.path()).unwrap();
    assert_eq!(*keys.ensure_holder_key("ref:a").unwrap().bytes(), a);
    assert_eq!(*keys.holder_key("ref:b").unwrap().bytes(), b);
    assert!(!format!("{keys:?} {:?}", keys.holder_key("ref:b")).contains(&STANDARD.encode(b)));
}

#[test]
fn one_process_adds_holders_and_the_next_sees_them() {
    let dir = tempfile::tempdir().unwrap();
    let one = KeyRing::create(dir.path()).unwrap();
    let two = KeyRing::open(dir.path()).unwrap();
    let made = *one.ensure_holder_key("ref:a").unwrap().bytes();
    assert!(matches!(two.ensure_holder_key("ref:a"), Err(KeyError::Busy)));
    drop(one);
    // It did not know the holder when it was opened; it must not make a second key for it.
    assert_eq!(*two.ensure_holder_key("ref:a").unwrap().bytes(), made);
}

#[test]
fn a_torn_line_is_dropped_and_a_damaged_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(dir.path()).unwrap();
    let a = *keys.ensure_holder_key("ref:a").unwrap().bytes();
    keys.ensure_holder_key("ref:b").unwrap();
    drop(keys);
    let path = dir.path().join(HOLDERS);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for len in first..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let keys = KeyRing::open(dir.path()).unwrap();
        assert!(keys.holder_key("ref:b").is_none());
        keys.ensure_holder_key("ref:c").unwrap();
        drop(keys);
        let keys = KeyRing::open(dir.path()).unwrap();
        assert_eq!(*keys.holder_key("ref:a").unwrap().bytes(), a);
        assert!(keys.holder_key("ref:c").is_some());
    }
    for at in 0..first - 1 {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        let error = KeyRing::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("users.keys"), "flip at {at}: {error}");
    }
    // A holder's line under another holder's name does not open either.
    let text = String::from_utf8(whole).unwrap();
    fs::write(&path, text.replace("ref:a", "ref:x")).unwrap();
    assert!(KeyRing::open(dir.path()).is_err());
}

#[test]
fn what_is_no_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    KeyRing::create(dir.path()).unwrap();
    let mut said = Vec::new();
    for text in ["", "AAAA\n", "not base64\n", &"A".repeat(5_000)] {
        fs::write(dir.path().join(MASTER), text).unwrap();
        said.push(KeyRing::open(dir.path()).unwrap_err().to_string());
    }
    fs::remove_file(dir.path().join(MASTER)).unwrap();
    said.push(KeyRing::open(dir.path()).unwrap_err().to_string());
    insta::assert_debug_snapshot!(said, @r##"
[
    "key file `master.key` is not 32 bytes as base64",
    "key file `master.key` is not 32 bytes as base64",
    "key file `master.key` is not 32 bytes as base64",
    "key file `master.key` is too large",
    "cannot use key file `master.key`: No such file or directory (os error 2)",
]
"##);
}

#[test]
fn every_origin_has_its_own_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(dir.path()).unwrap();
    let key = |origin| *keys.signer(origin).unwrap().verifier().public_key();
    assert_ne!(key("node/a"), key("node/b"));
    assert_eq!(key("node/a"), key("node/a"));
}
