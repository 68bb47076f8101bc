use std::os::unix::fs::PermissionsExt;

use super::*;

/// What stands in the folder and what signs, as the ring that lives on and a ring opened anew see it.
fn check(ring: &KeyRing) -> String {
    let states: Vec<String> = ring
        .generations()
        .unwrap()
        .iter()
        .map(|generation| format!("{} {} ({})", generation.number, generation.state, generation.file))
        .collect();
    let fresh = KeyRing::open(ring.dir()).unwrap();
    let keys = |ring: &KeyRing| -> Vec<String> {
        ring.signers("log").unwrap().iter().map(|signer| signer.verifier().to_string()).collect()
    };
    assert_eq!(keys(ring), keys(&fresh));
    assert_eq!(ring.signer("log").unwrap().verifier().to_string(), *keys(ring).last().unwrap());
    let mut files: Vec<String> = fs::read_dir(ring.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("signing"))
        .collect();
    files.sort();
    for file in &files {
        assert_eq!(
            fs::metadata(ring.dir().join(file)).unwrap().permissions().mode() & 0o777,
            0o600,
            "{file}"
        );
    }
    format!("{} | signs {:?} | {}", states.join(", "), ring.in_force(), files.join(" "))
}

fn adopt(ring: &KeyRing) {
    let change = ring.staged().unwrap().unwrap();
    ring.adopt(&change).unwrap();
    assert!(ring.staged().unwrap().is_none());
}

#[test]
fn one_generation_gives_way_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(dir.path()).unwrap();
    let mut told = vec![check(&ring)];
    told.push(ring.stage_retirement(None).unwrap_err().to_string());
    assert_eq!(ring.stage_rotation().unwrap(), 2);
    told.push(check(&ring));
    told.push(ring.stage_rotation().unwrap_err().to_string());
    adopt(&ring);
    told.push(check(&ring));
    told.push(ring.stage_rotation().unwrap_err().to_string());
    told.push(ring.stage_retirement(Some(2)).unwrap_err().to_string());
    told.push(ring.stage_retirement(Some(7)).unwrap_err().to_string());
    assert_eq!(ring.stage_retirement(None).unwrap(), 1);
    told.push(check(&ring));
    told.push(ring.stage_retirement(None).unwrap_err().to_string());
    adopt(&ring);
    told.push(check(&ring));
    ring.stage_rotation().unwrap();
    adopt(&ring);
    told.push(check(&ring));
    insta::assert_snapshot!(told.join("\n"), @r"
    1 in force (signing.key) | signs [1] | signing.key
    only one generation signs: `greffier keys rotate` makes the next one first
    1 in force (signing.key), 2 waiting (signing.2.next) | signs [1] | signing.2.next signing.key
    a rotation (generation 2) waits to be recorded: greffier does so when it runs
    1 in force (signing.key), 2 in force (signing.2.key) | signs [1, 2] | signing.2.key signing.key
    two generations sign already: retire the older one first
    generation 2 is the newest: it stays, only generation 1 can retire
    generation 7 does not sign: only generation 1 can retire
    1 retiring (signing.key), 2 in force (signing.2.key) | signs [1, 2] | signing.1.retire signing.2.key signing.key
    a retirement (generation 1) waits to be recorded: greffier does so when it runs
    1 retired (signing.1.retired), 2 in force (signing.2.key) | signs [2] | signing.1.retired signing.2.key
    1 retired (signing.1.retired), 2 in force (signing.2.key), 3 in force (signing.3.key) | signs [2, 3] | signing.1.retired signing.2.key signing.3.key
    ");
}

/// Each change is two names for one file in between: a crash there leaves a folder that says the same as before,
/// and adopting once more ends it.
#[test]
fn a_crash_in_the_middle_of_a_change_leaves_it_staged() {
    let dir = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(dir.path()).unwrap();
    let path = |name: &str| dir.path().join(name);
    ring.stage_rotation().unwrap();
    fs::hard_link(path("signing.2.next"), path("signing.2.key")).unwrap();
    let reopened = KeyRing::open(dir.path()).unwrap();
    assert_eq!(
        (reopened.in_force(), reopened.staged().unwrap().unwrap().action),
        (vec![1], KeyAction::Rotate)
    );
    adopt(&reopened);
    reopened.stage_retirement(None).unwrap();
    fs::hard_link(path("signing.key"), path("signing.1.retired")).unwrap();
    let reopened = KeyRing::open(dir.path()).unwrap();
    assert_eq!(
        (reopened.in_force(), reopened.staged().unwrap().unwrap().action),
        (vec![1, 2], KeyAction::Retire)
    );
    adopt(&reopened);
    assert_eq!((reopened.in_force(), reopened.known()), (vec![2], vec![1, 2]));
    // Half a key under a name that counts for nothing is in nobody's way.
    fs::write(path("signing.3.next.tmp"), "half").unwrap();
    assert_eq!(reopened.stage_rotation().unwrap(), 3);
    adopt(&reopened);
}

#[test]
fn no_key_is_ever_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(dir.path()).unwrap();
    ring.stage_rotation().unwrap();
    let change = ring.staged().unwrap().unwrap();
    // Somebody put another key where the new one goes.
    write_secret(dir.path(), "signing.2.key", &Secret::random().unwrap()).unwrap();
    let before = fs::read(dir.path().join("signing.2.key")).unwrap();
    assert!(matches!(ring.adopt(&change), Err(KeyError::Exists(_))));
    assert_eq!(fs::read(dir.path().join("signing.2.key")).unwrap(), before);
    assert_eq!(ring.in_force(), vec![1]);
}

#[test]
fn keys_that_others_can_read_are_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("keys");
    let ring = KeyRing::create(&place).unwrap();
    ring.ensure_holder_key("ref:a").unwrap();
    drop(ring);
    let set = |name: &str, mode| {
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused =
        || KeyRing::open(&place).unwrap_err().to_string().replace(&*dir.path().to_string_lossy(), "");
    let mut told = Vec::new();
    for (name, mode) in [("", 0o750), ("signing.key", 0o640), ("master.key", 0o604), ("users.keys", 0o666)] {
        set(name, mode);
        told.push(refused());
        set(name, if name.is_empty() { 0o700 } else { 0o600 });
    }
    KeyRing::open(&place).unwrap();
    insta::assert_snapshot!(told.join("\n"), @r"
    others can read the keys in `/keys` (mode 750): run `chmod 700 /keys`
    others can read the keys in `/keys/signing.key` (mode 640): run `chmod 600 /keys/signing.key`
    others can read the keys in `/keys/master.key` (mode 604): run `chmod 600 /keys/master.key`
    others can read the keys in `/keys/users.keys` (mode 666): run `chmod 600 /keys/users.keys`
    ");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(dir.path()).unwrap();
    ring.stage_rotation().unwrap();
    let change = ring.staged().unwrap().unwrap();
    let shown =
        format!("{ring:?} {change:?} {:?} {:?}", ring.generations().unwrap(), ring.signer("log").unwrap());
    for file in ["signing.key", "signing.2.next"] {
        let secret = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(!shown.contains(secret.trim()));
    }
}
