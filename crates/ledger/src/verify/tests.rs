use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use greffier_merkle::TrustPolicy;
use tempfile::TempDir;

use super::*;
use crate::manifest::Manifest;
use crate::testing::{draft, event, files, plain, seal_by_count};
use crate::{Ledger, LedgerConfig};

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        KeyRing::create(&place.keys()).unwrap();
        place
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn start(&self) -> Ledger {
        self.start_sealing(65_536)
    }

    /// Seals each so many entries.
    fn start_sealing(&self, entries: u64) -> Ledger {
        let (dir, keys_dir) = (self.data(), self.keys());
        let config = LedgerConfig {
            dir,
            keys_dir,
            origin: "test.local".to_owned(),
            node: "node-1".to_owned(),
            seal: seal_by_count(entries),
        };
        Ledger::start(config).unwrap().0
    }

    /// A directory that two lives left by a clean stop.
    async fn clean() -> Place {
        let place = Place::new();
        for life in 0..2 {
            let ledger = place.start();
            let appender = ledger.appender();
            for n in 0..3 {
                let tenant = ["acme", "greffier"][n as usize % 2];
                appender.append(plain(tenant, life * 10 + n)).await.unwrap();
            }
            ledger.close().unwrap();
        }
        place
    }

    /// The same with segments: sealed at two entries each, before the stop.
    async fn sealed() -> Place {
        let place = Place::new();
        for life in 0..2 {
            let ledger = place.start_sealing(2);
            let appender = ledger.appender();
            for n in 0..5 {
                let tenant = ["acme", "greffier"][n as usize % 2];
                appender.append(plain(tenant, life * 10 + n)).await.unwrap();
            }
            while place.sealed_of("acme") < 2 + 4 * life || place.sealed_of("greffier") < 2 + 2 * life {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            ledger.close().unwrap();
        }
        place
    }

    fn sealed_of(&self, trail: &str) -> u64 {
        let disk = Disk::new(Arc::new(Files::new(self.data())));
        Manifest::newer(&disk, 0).unwrap().map_or(0, |manifest| manifest.holds.sealed(trail))
    }

    fn verify(&self) -> Report {
        verify_dir(&self.data(), &VerifyOptions::default(), |_| ()).unwrap()
    }

    fn places(&self) -> Vec<String> {
        self.verify().problems.into_iter().map(|problem| problem.place).collect()
    }
}

#[tokio::test]
async fn every_flipped_byte_after_a_clean_stop_is_found() {
    let flips = flip_every(&Place::clean().await, 1);
    assert!(flips > 5_000, "{flips}");
}

#[tokio::test]
async fn every_flipped_byte_of_segments_is_found() {
    let place = Place::sealed().await;
    let names: Vec<_> = files(&place.data()).into_keys().filter(|name| name.ends_with(".parquet")).collect();
    assert!(names.len() >= 6, "{names:?}");
    let flips = flip_every(&place, 41);
    assert!(flips > 1_000, "{flips}");
}

/// Flips each `step`th byte of every file, one at a time, and cuts and grows the file; returns how many flips.
fn flip_every(place: &Place, step: usize) -> usize {
    assert_eq!(place.verify().problems, vec![]);
    let mut flips = 0;
    for (name, bytes) in files(&place.data()) {
        let path = place.data().join(&name);
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, flipped).unwrap();
            let places = place.places();
            assert!(places.iter().any(|place| place.starts_with(&name)), "{name}, byte {at}: {places:?}");
            flips += 1;
        }
        // Cut short and grown by a byte.
        for bytes in [&bytes[..bytes.len() - 1], &[&bytes[..], b"\n"].concat()] {
            fs::write(&path, bytes).unwrap();
            let places = place.places();
            assert!(places.iter().any(|place| place.starts_with(&name)), "{name}: {places:?}");
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(place.verify().problems, vec![]);
    flips
}

#[tokio::test]
async fn every_removed_and_every_added_file_after_a_clean_stop_is_found() {
    for place in [Place::clean().await, Place::sealed().await] {
        let before = files(&place.data());
        for (name, bytes) in &before {
            fs::remove_file(place.data().join(name)).unwrap();
            let places = place.places();
            assert!(places.iter().any(|place| place.starts_with(name)), "{name}: {places:?}");
            fs::write(place.data().join(name), bytes).unwrap();
        }
        for name in [
            "stray",
            "manifest",
            "manifests/00000000000000000099.note",
            "wal/00000000000000000003.wal",
            "wal/note.txt",
            "trails/acme/tile/0/001",
            "trails/acme/00000000000000000000-00000000000000000001.parquet",
            "wal/1.tmp",
        ] {
            fs::write(place.data().join(name), b"?").unwrap();
            assert!(place.places().iter().any(|place| place.starts_with(name)), "{name}");
            fs::remove_file(place.data().join(name)).unwrap();
        }
        assert_eq!(place.verify().problems, vec![]);
    }
}

#[tokio::test]
async fn a_clean_stop_leaves_these_files() {
    let names = |place: Place| files(&place.data()).into_keys().collect::<Vec<_>>();
    insta::assert_debug_snapshot!(names(Place::clean().await));
    let sealed: Vec<_> =
        names(Place::sealed().await).into_iter().filter(|name| name.starts_with("trails/")).collect();
    insta::assert_debug_snapshot!(sealed);
}

/// Damages one byte of one file and says what is reported.
fn damage(place: &Place, name: &str, at: usize) -> Vec<String> {
    let path = place.data().join(name);
    let bytes = fs::read(&path).unwrap();
    let mut flipped = bytes.clone();
    flipped[at] ^= 1;
    fs::write(&path, flipped).unwrap();
    let said = place.verify().problems;
    fs::write(&path, bytes).unwrap();
    said.into_iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect()
}

#[tokio::test]
async fn the_place_of_damage_is_named() {
    let place = Place::clean().await;
    let said = [
        ("wal/00000000000000000001.wal", 10),
        ("wal/00000000000000000001.wal", 200),
        ("trails/acme/tile/0/000.p/4", 40),
        ("trails/acme/checkpoint", 30),
        ("trust", 6),
        ("manifests/00000000000000000004.note", 3),
        ("manifests/00000000000000000004.list", 40),
    ]
    .map(|(name, at)| damage(&place, name, at));
    insta::assert_debug_snapshot!(said, @r##"
[
    [
        "wal/00000000000000000001.wal: the file's SHA-256 is not the one that was signed for",
        "wal/00000000000000000001.wal, byte 0: the header's checksum is wrong",
    ],
    [
        "wal/00000000000000000001.wal: the file's SHA-256 is not the one that was signed for",
        "wal/00000000000000000001.wal, byte 32: the frame is damaged, and it was acknowledged",
    ],
    [
        "trails/acme/tile/0/000.p/4, byte 40: the tile is not the one that the log gives",
    ],
    [
        "trails/acme/checkpoint: the checkpoint does not hold: bad signature of the known key test.local/acme: the note was changed or forged",
    ],
    [
        "trust: the file is not a trust policy",
    ],
    [
        "manifests/00000000000000000004.note: the manifest's signature does not hold under the node's key: bad signature of the known key test.local/greffier: the note was changed or forged",
    ],
    [
        "manifests/00000000000000000004.list: the manifest's listing is not the one that was signed",
    ],
]
"##);
}

#[tokio::test]
async fn a_report_says_what_there_is() {
    let place = Place::clean().await;
    let mut files = Vec::new();
    let report =
        verify_dir(&place.data(), &VerifyOptions::default(), |progress| files.push(progress)).unwrap();
    let trails = report.trails.iter().map(|trail| (trail.name.as_str(), trail.entries, trail.covered));
    assert_eq!(trails.collect::<Vec<_>>(), [("acme", 4, Some(4)), ("greffier", 2, Some(2))]);
    assert_eq!((report.clean, report.anchored, report.parts_unopened), (true, false, 6));
    let entries: Vec<_> =
        files.iter().map(|progress| (progress.files, progress.of, progress.entries)).collect();
    assert_eq!(entries, [(1, 2, 3), (2, 2, 6)]);
}

#[tokio::test]
async fn trust_from_outside_anchors_and_other_trust_refuses() {
    let place = Place::clean().await;
    let trust = TrustPolicy::parse(&fs::read_to_string(place.data().join("trust")).unwrap()).unwrap();
    let options = |trust| VerifyOptions { trust: Some(trust), ..VerifyOptions::default() };
    let report = verify_dir(&place.data(), &options(trust), |_| ()).unwrap();
    assert_eq!((report.problems, report.anchored), (vec![], true));
    let other = Place::clean().await;
    let trust = TrustPolicy::parse(&fs::read_to_string(other.data().join("trust")).unwrap()).unwrap();
    let report = verify_dir(&place.data(), &options(trust), |_| ()).unwrap();
    insta::assert_debug_snapshot!(report.problems, @r##"
[
    Problem {
        place: "manifests/00000000000000000004.note",
        what: "the manifest's signature does not hold under the node's key: no known key signed the note",
    },
    Problem {
        place: "trails/acme/checkpoint",
        what: "the checkpoint does not hold: no known key signed the note",
    },
    Problem {
        place: "trails/greffier/checkpoint",
        what: "the checkpoint does not hold: no known key signed the note",
    },
]
"##);
}

#[tokio::test]
async fn parts_are_opened_with_the_keys_and_only_with_them() {
    let place = Place::clean().await;
    let with = |keys_dir: PathBuf| {
        let options = VerifyOptions { keys_dir: Some(keys_dir), ..VerifyOptions::default() };
        verify_dir(&place.data(), &options, |_| ()).unwrap()
    };
    let report = with(place.keys());
    assert_eq!((report.problems, report.parts_opened, report.parts_unopened), (vec![], 6, 0));
    let other = Place::clean().await;
    let problems = with(other.keys()).problems;
    assert_eq!(problems.len(), 6);
    insta::assert_snapshot!(problems[0].what, @"part `prompt` cannot be opened: its holder has no key here");
}

#[tokio::test]
async fn after_a_kill_only_the_tail_behind_the_checkpoint_may_be_torn() {
    let place = Place::new();
    let ledger = place.start();
    let appender = ledger.appender();
    for n in 0..2 {
        appender.append(plain("acme", n)).await.unwrap();
    }
    // Until a checkpoint covers both.
    while crate::Reader::open(&place.data())
        .unwrap()
        .checkpoint(&greffier_event::Tenant::new("acme").unwrap())
        .unwrap()
        .is_none_or(|note| !note.contains("\n2\n"))
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = place.data().join(wal::path(1));
    let covered = fs::read(&log).unwrap().len();
    appender.append(plain("acme", 2)).await.unwrap();
    drop(ledger);
    let whole = fs::read(&log).unwrap();
    assert!(place.verify().is_ok());
    // Whatever the tail is cut to, nothing that was signed is lost; cut further, it is.
    for len in 0..whole.len() {
        fs::write(&log, &whole[..len]).unwrap();
        let report = place.verify();
        assert_eq!(report.is_ok(), len >= covered, "cut at {len}: {:?}", report.problems);
        if report.is_ok() {
            assert_eq!(report.torn_tails.len(), usize::from(len > covered), "cut at {len}");
        }
        assert!(!report.clean);
    }
    // The same for every bit: in the tail torn, before it a problem.
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&log, flipped).unwrap();
        let report = place.verify();
        assert_eq!(report.is_ok(), at >= covered, "flip at {at}: {:?}", report.problems);
        assert_eq!(report.torn_tails.len(), usize::from(at >= covered), "flip at {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_no_problem() {
    let place = Place::new();
    let ledger = place.start_sealing(64);
    let appender = ledger.appender();
    let writing = tokio::spawn(async move {
        for n in 0..700 {
            let tenant = format!("tenant-{}", n % (1 + n / 100));
            appender.append(plain(&tenant, n)).await.unwrap();
        }
    });
    let mut looks = 0;
    while !writing.is_finished() {
        let report = place.verify();
        assert_eq!((report.problems, report.clean), (vec![], false));
        looks += 1;
    }
    writing.await.unwrap();
    assert!(looks > 2);
    ledger.close().unwrap();
    assert!(place.verify().clean && place.verify().is_ok());
}

#[test]
fn what_is_no_ledger_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let check = |dir: &Path| verify_dir(dir, &VerifyOptions::default(), |_| ()).unwrap_err();
    assert!(matches!(check(dir.path()), VerifyError::NotALedger(_)));
    assert!(matches!(check(&dir.path().join("nowhere")), VerifyError::NotALedger(_)));
    // Half a ledger is not none.
    fs::create_dir(dir.path().join("wal")).unwrap();
    let report = verify_dir(dir.path(), &VerifyOptions::default(), |_| ()).unwrap();
    insta::assert_debug_snapshot!(report.problems, @r##"
[
    Problem {
        place: "manifests",
        what: "the manifest is missing",
    },
    Problem {
        place: "trust",
        what: "the file is missing",
    },
]
"##);
}

#[tokio::test]
async fn an_entry_that_is_no_event_is_found() {
    // Only whoever holds the keys can sign such a log; that greffier wrote it is not enough for verify.
    let place = Place::new();
    let ledger = place.start();
    ledger.appender().append(draft(event("acme", 1, "data.access", "r"), &[])).await.unwrap();
    drop(ledger);
    let log = place.data().join(wal::path(1));
    let mut bytes = fs::read(&log).unwrap();
    let group = bytes.len() as u64;
    let frame = wal::frame::Unplaced::encode("acme", b"{\"v\":1}", &[]).unwrap();
    frame.place(&mut bytes, group, 1);
    fs::write(&log, bytes).unwrap();
    let problems = place.verify().problems;
    insta::assert_debug_snapshot!(problems, @r##"
[
    Problem {
        place: "wal/00000000000000000001.wal, byte 274, trail acme entry 1",
        what: "the entry is not a valid event: event: is not an event in native form (near byte 7)",
    },
]
"##);
}

/// What is said of a list of heads on record: `change` has the list that the node would write.
async fn check_heads(change: impl Fn(String) -> String, with_keys: bool) -> String {
    let place = Place::new();
    let ledger = place.start_sealing(4);
    let appender = ledger.appender();
    for n in 0..6 {
        appender.append(plain("acme", n)).await.unwrap();
    }
    let acme = greffier_event::Tenant::new("acme").unwrap();
    appender.heads().reach(&acme, 5, crate::Level::Integrated).await.unwrap();
    let head = appender.heads().signed_heads().into_iter().find(|head| head.trail == "acme").unwrap();
    let (size, root) = (head.size, hex::encode(head.root));
    let list = change(format!(r#"{{"heads":[{{"trail":"acme","size":{size},"root":"{root}"}}]}}"#));
    let mut listing = draft(event("greffier", 100, "data.access", "r"), &[("metadata", list.as_bytes())]);
    listing.event.agent = serde_json::from_str(r#"{"id":"greffier","verified":true}"#).unwrap();
    listing.event.source = serde_json::from_str(r#"{"channel":"gateway"}"#).unwrap();
    listing.event.action = serde_json::from_str(r#"{"name":"node:heads"}"#).unwrap();
    appender.append(listing).await.unwrap();
    // It goes on growing: the head stays one that it had.
    for n in 200..205 {
        appender.append(plain("acme", n)).await.unwrap();
    }
    drop(appender);
    ledger.close().unwrap();
    let keys_dir = with_keys.then(|| place.keys());
    let options = VerifyOptions { keys_dir, ..VerifyOptions::default() };
    let report = verify_dir(&place.data(), &options, |_| ()).unwrap();
    report.problems.first().map_or("verified".to_owned(), |problem| problem.what.clone())
}

#[tokio::test]
async fn a_head_on_record_that_the_tree_did_not_have_is_tampering() {
    let longer = |list: String| list.replacen("\"root\":\"", "\"root\":\"00", 1);
    let flipped = |list: String| {
        let (head, root) = list.split_once("\"root\":\"").unwrap();
        let digit = if root.starts_with('0') { '1' } else { '0' };
        format!("{head}\"root\":\"{digit}{}", &root[1..])
    };
    let told = [
        check_heads(|list| list, true).await,
        check_heads(flipped, true).await,
        check_heads(flipped, false).await,
        check_heads(|list| list.replace("\"size\":6", "\"size\":600"), true).await,
        check_heads(|list| list.replace("acme", "nobody"), true).await,
        check_heads(longer, true).await,
        check_heads(|_| "[]".to_owned(), true).await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    verified
    the root of trail acme at size 6 is another one than that on record
    verified
    trail acme had 600 entries, and has not as many now
    trail nobody had 6 entries, and has not as many now
    the head of trail acme on record is no hash
    part `metadata` is not a list of heads: invalid length 0, expected struct List with 1 element at line 1 column 2
    ");
}
