//! Every on-disk form that was ever released is refused where it is damaged, in words that say where. Each folder of
//! `testdata/formats/damaged` holds one file to be laid over the fixture that its name begins with; none is ever
//! changed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use greffier_event::Tenant;
use greffier_ledger::verify::{VerifyOptions, verify_dir};
use greffier_ledger::{KeyRing, Ledger, LedgerConfig, SealPolicy};

use fixture::{formats, lay};

/// What `verify` says of a directory.
fn verified(place: &Path) -> String {
    let options = VerifyOptions { keys_dir: Some(place.join("keys")), ..VerifyOptions::default() };
    match verify_dir(&place.join("data"), &options, |_| ()) {
        Err(error) => error.to_string(),
        Ok(report) => match report.problems.first() {
            Some(problem) => format!("{}: {}", problem.place, problem.what),
            None => "verified".to_owned(),
        },
    }
}

/// What a start on it says. Damage that only a reader of everything can see, it may leave to `verify`.
fn started(place: &Path) -> String {
    let config = LedgerConfig {
        dir: place.join("data"),
        keys_dir: place.join("keys"),
        origin: "fixture.local".to_owned(),
        node: "node-1".to_owned(),
        seal: SealPolicy::default(),
    };
    match Ledger::start(config) {
        Err(error) => error.to_string(),
        Ok((_, mut startup)) => format!("repaired {:?}", startup.recovered.try_recv().unwrap().repairs),
    }
}

#[test]
fn what_is_damaged_is_refused() {
    let mut names: Vec<String> = fs::read_dir(formats().join("damaged"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut said = String::new();
    for name in names {
        let place = tempfile::tempdir().unwrap();
        let (version, _) = name.split_once('-').unwrap();
        lay(&formats().join(version), place.path());
        assert_eq!(verified(place.path()), "verified", "{version}");
        lay(&formats().join("damaged").join(&name), place.path());
        let verified = verified(place.path());
        assert_ne!(verified, "verified", "{name}");
        writeln!(said, "{name}\n  verify: {verified}\n  start:  {}", started(place.path())).unwrap();
    }
    insta::assert_snapshot!(said, @r#"
    v1-checkpoint
      verify: trails/acme/checkpoint: the checkpoint does not hold: bad signature of the known key fixture.local/acme: the note was changed or forged
      start:  trails/acme/checkpoint: the checkpoint does not hold under our key: bad signature of the known key fixture.local/acme: the note was changed or forged; nothing was changed, run `greffier verify`
    v1-log
      verify: wal/00000000000000000001.wal: the file's SHA-256 is not the one that was signed for
      start:  the log is corrupt at wal/00000000000000000001.wal, byte 32: the frame is damaged, and it was acknowledged; nothing was changed, restore it from a copy
    v1-log-cut
      verify: wal/00000000000000000001.wal: the file has 1329 bytes, 1330 were signed for
      start:  the log is corrupt at wal/00000000000000000001.wal, byte 1329: the file ends here, but 1330 bytes of it were acknowledged; nothing was changed, restore it from a copy
    v1-manifest
      verify: manifest: the manifest's signature does not hold under the node's key: bad signature of the known key fixture.local/greffier: the note was changed or forged
      start:  manifest: the manifest's signature does not hold under the node's key: bad signature of the known key fixture.local/greffier: the note was changed or forged; nothing was changed, run `greffier verify`
    v1-tile
      verify: trails/acme/tile/0/000.p/4: the file's SHA-256 is not the one that was signed for
      start:  repaired ["trails/acme/tile/0/000.p/4: the tile was damaged and was made again from the log"]
    v2-checkpoint
      verify: trails/acme/checkpoint: the checkpoint does not hold: bad signature of the known key fixture.local/acme: the note was changed or forged
      start:  trails/acme/checkpoint: the checkpoint does not hold under our key: bad signature of the known key fixture.local/acme: the note was changed or forged; nothing was changed, run `greffier verify`
    v2-listing
      verify: manifests/00000000000000000007.list: the manifest's listing is not the one that was signed
      start:  manifests/00000000000000000007.list: the manifest's listing is not the one that was signed; nothing was changed, run `greffier verify`
    v2-log
      verify: wal/00000000000000000002.wal: the file's SHA-256 is not the one that was signed for
      start:  the log is corrupt at wal/00000000000000000002.wal, byte 278: the frame is damaged, and whole ones follow at byte 808; nothing was changed, restore it from a copy
    v2-note
      verify: manifests/00000000000000000007.note: the manifest's signature does not hold under the node's key: bad signature of the known key fixture.local/greffier: the note was changed or forged
      start:  manifests/00000000000000000007.note: the manifest's signature does not hold under the node's key: bad signature of the known key fixture.local/greffier: the note was changed or forged; nothing was changed, run `greffier verify`
    v2-note-before
      verify: manifests/00000000000000000006.note: the manifest's signature does not hold under the node's key: bad signature of the known key fixture.local/greffier: the note was changed or forged
      start:  manifests/00000000000000000006.note: it is not the one that the next one names; nothing was changed, run `greffier verify`
    v2-parts
      verify: trails/acme/parts/00000000000000000000-00000000000000000002.parquet: the file's SHA-256 is not the one that was signed for
      start:  repaired []
    v2-segment
      verify: trails/acme/segments/00000000000000000000-00000000000000000002.parquet: the file's SHA-256 is not the one that was signed for
      start:  repaired []
    v2-segment-cut
      verify: trails/acme/segments/00000000000000000000-00000000000000000002.parquet: the file has 11817 bytes, 11818 were signed for
      start:  trails/acme/segments/00000000000000000000-00000000000000000002.parquet: the file has 11817 bytes, 11818 were signed for; nothing was changed, run `greffier verify`
    v2-signing-key
      verify: key file `signing.key` is not 32 bytes as base64
      start:  key file `signing.key` is not 32 bytes as base64
    v2-users-keys
      verify: key file `users.keys, line 1` does not open with master.key: the key is another, or the line is damaged
      start:  key file `users.keys, line 1` does not open with master.key: the key is another, or the line is damaged
    v3-cut
      verify: manifests/00000000000000000010.list: the manifest's listing is not the one that was signed
      start:  manifests/00000000000000000010.list: the manifest's listing is not the one that was signed; nothing was changed, run `greffier verify`
    v3-expired-tile
      verify: manifests/00000000000000000010.note: the root of trail acme at size 10 is another one
      start:  trails/acme/tile: a tile of entries that are kept no longer is missing or damaged: restore it from a copy; nothing was changed, run `greffier verify`
    v3-rewritten-parts
      verify: trails/acme/parts/00000000000000000004-00000000000000000006.00000000000000000006.parquet: the file's SHA-256 is not the one that was signed for
      start:  repaired []
    "#);
}

/// Who is meant on old records is found by what the keys say today.
#[test]
fn references_mean_whom_they_meant() {
    let place = tempfile::tempdir().unwrap();
    lay(&formats().join("v2/keys"), place.path());
    let keys = KeyRing::open(place.path()).unwrap();
    let acme = Tenant::new("acme").unwrap();
    let said = keys.reference(&acme, "user", "alice");
    assert!(fs::read_to_string(formats().join("v2/keys/users.keys")).unwrap().contains(&said), "{said}");
}
