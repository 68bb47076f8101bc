//! The start of a trail goes with its time, and everything that was ever signed or proven of it still verifies.

use std::sync::atomic::{AtomicU64, Ordering};

use greffier_merkle::{TlogProof, TrustPolicy};

use super::super::orders::EXPIRE;
use super::*;
use crate::Indexer;
use crate::manifest::{self, Chain, Manifest};
use crate::publish::origin;
use crate::read::ReadError;
use crate::store::{Disk, Files};

/// A pass may leave several events.
fn fresh(_: Timestamp) -> EventId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    serde_json::from_value(format!("10000000-0000-7000-8000-{n:012x}").into()).unwrap()
}

fn keep(entries: u64) -> Retention {
    Retention { entries: Some(days(entries)), ..Retention::default() }
}

async fn fill(ledger: &Ledger, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let subject = if n % 2 == 0 { SUBJECT } else { "ref:other" };
        ledger.appender().append(about(n, "alice", subject)).await.unwrap();
    }
}

fn first(place: &Place) -> u64 {
    Reader::open(&place.data()).unwrap().first(&acme()).unwrap()
}

/// Waits until whole segments up to `end` are sealed.
async fn sealed(ledger: &Ledger, end: u64) {
    while ledger.reader().snapshot(&acme()).unwrap().segments.last().is_none_or(|last| last.end < end) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn old_segments_go_and_all_that_was_signed_still_verifies() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger, 0..20).await;
    sealed(&ledger, 16).await;
    let old_proof = ledger.reader().prove(&acme(), 3, None).unwrap().to_text();
    let old_checkpoint = ledger.reader().checkpoint(&acme()).unwrap().unwrap();
    let receipts: Vec<Receipt> = [3, 9, 17]
        .map(|index| {
            let leaf_hash = ledger.reader().entry(&acme(), index).unwrap().unwrap().leaf_hash();
            Receipt { trail: "acme".to_owned(), index, leaf_hash }
        })
        .into();
    let needles: Vec<Vec<u8>> = (0..16).flat_map(|n| place.sealed(n)).collect();
    let indexed = Indexer::new(ledger.reader()).pass(|_| ControlFlow::Continue(())).unwrap();
    assert!(indexed.made > 1);
    let eraser = ledger.eraser();
    let retention = keep(100);
    let pass = |day| eraser.expire(&retention, days(7), after(day), fresh);
    for (day, done) in [(1, 0), (9, 0), (99, 0)] {
        assert_eq!(pass(day).await.unwrap(), done, "day {day}");
    }
    let ring = KeyRing::open(&place.keys()).unwrap();
    let would =
        |day| ledger.reader().expiring(&acme(), &ring, &retention, days(7), after(day)).unwrap().unwrap();
    assert_eq!((would(99).end, would(99).kept), (0, Some(Kept::Young)));
    assert_eq!((would(102).end, would(102).kept), (16, None));
    assert_eq!(pass(102).await.unwrap(), 1);
    assert_eq!(pass(102).await.unwrap(), 0, "nothing is left to go");
    let reader = ledger.reader();
    assert_eq!((reader.first(&acme()).unwrap(), reader.entry(&acme(), 3).unwrap()), (16, None));
    assert!(matches!(reader.prove(&acme(), 3, None), Err(ReadError::Expired { index: 3, first: 16, .. })));
    assert_eq!(reader.snapshot(&acme()).unwrap().first, 16);
    let mut seen = Vec::new();
    reader
        .scan(|found| {
            seen.push(found.index);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen.first(), Some(&16));
    // What was recorded before may come again: nobody knows it any more.
    fill(&ledger, 30..32).await;
    drop(eraser);
    ledger.close().unwrap();

    assert!(!place.holds_any(&needles));
    // What an index said of them went with them.
    let begin =
        |path: &String| Some(path.strip_prefix("ngrams/acme/")?.split_once('-')?.0.parse::<u64>().unwrap());
    assert!(crate::testing::files(&place.data()).keys().filter_map(begin).all(|begin| begin >= 16));
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    let by = report.trails[0].expired.1;
    assert_eq!(report.trails[0].expired.0, 16);
    let text = std::fs::read_to_string(place.data().join("trust")).unwrap();
    let trust = TrustPolicy::parse(&text).unwrap();
    let outside = |receipts: Vec<Receipt>| {
        let from = vec![old_checkpoint.clone()];
        let options =
            VerifyOptions { trust: Some(trust.clone()), from, receipts, ..VerifyOptions::default() };
        verify_dir(&place.data(), &options, |_| ()).unwrap()
    };
    let report = outside(receipts.clone());
    assert_eq!((report.problems, report.anchored), (vec![], true));
    assert_eq!(report.trails.iter().find(|trail| trail.name == "acme").unwrap().expired, (16, by));
    // A receipt of an entry that expired is held against its leaf as ever.
    let mut wrong = receipts.clone();
    wrong[0].leaf_hash[0] ^= 1;
    let report = outside(wrong);
    assert_eq!(report.problems.len(), 1);
    insta::assert_snapshot!(report.problems[0].place, @"trail acme entry 3, which expired");
    // A proof from before is as good as it was, and there are new ones of what is left.
    let reader = Reader::open(&place.data()).unwrap();
    let leaf = |index: u64| receipts.iter().find(|receipt| receipt.index == index).unwrap().leaf_hash;
    TlogProof::parse(&old_proof).unwrap().verify(&leaf(3), &trust).unwrap();
    reader.prove(&acme(), 17, None).unwrap().verify(&leaf(17), &trust).unwrap();
    // It goes on from there.
    let (ledger, startup) = place.start();
    assert_eq!(startup.recovered.await.unwrap(), crate::Recovered::default());
    fill(&ledger, 40..50).await;
    ledger.close().unwrap();
    assert_eq!((place.verify().problems, first(&place)), (vec![], 16));
}

#[tokio::test]
async fn a_flipped_tile_of_what_expired_is_found() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger, 0..20).await;
    sealed(&ledger, 16).await;
    let retention = keep(100);
    for day in [1, 102] {
        ledger.eraser().expire(&retention, days(7), after(day), fresh).await.unwrap();
    }
    ledger.close().unwrap();
    let tiles: Vec<String> =
        files(&place.data()).into_keys().filter(|name| name.starts_with("trails/acme/tile/0/")).collect();
    assert_eq!(tiles.len(), 1);
    let path = place.data().join(&tiles[0]);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..16 * 32).step_by(61) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(!place.verify().is_ok(), "byte {at}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(!place.verify().is_ok());
}

#[tokio::test]
async fn what_is_needed_stays_and_says_why() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    let appender = ledger.appender();
    fill(&ledger, 0..9).await;
    let open = greffier_event::Draft { event: event("acme", 50, "action.approved", "open"), parts: vec![] };
    appender.append(open).await.unwrap();
    fill(&ledger, 10..17).await;
    let target = Target::Subject(SUBJECT.to_owned()).uri(&acme());
    appender.append(own(51, EventType::ActionRequest, ERASE, target.clone(), "asked")).await.unwrap();
    fill(&ledger, 20..44).await;
    let hold = Scope::Event(about(9 - 9, "", "").event.id).uri(&acme());
    appender.append(own(52, EventType::DataModify, HOLD, hold.clone(), "hold")).await.unwrap();
    fill(&ledger, 60..90).await;
    sealed(&ledger, 64).await;
    // The log is emptied, so that the manifest knows what is open: as an expiry does it.
    let eraser = ledger.eraser();
    let id = Target::Event(about(89, "", "").event.id);
    eraser.erase(order(70, &id)).await.unwrap();
    let ring = KeyRing::open(&place.keys()).unwrap();
    let mut said = Vec::new();
    let mut look = || {
        let told = ledger.reader().expiring(&acme(), &ring, &keep(100), days(7), after(200));
        let told = told.unwrap().unwrap();
        said.push(format!("up to {}: {}", told.end, told.kept.unwrap()));
    };
    look();
    eraser.hold(own(53, EventType::DataModify, RELEASE, hold, "hold")).await.unwrap();
    look();
    let outcome = draft(event("acme", 54, "action.failed", "open"), &[]);
    appender.append(outcome).await.unwrap();
    let id = Target::Event(about(88, "", "").event.id);
    eraser.erase(order(71, &id)).await.unwrap();
    look();
    let mut denied = own(55, EventType::ActionDenied, ERASE, target, "asked");
    let policy = denied.event.policy.as_mut().unwrap();
    (policy.decision, policy.reason) = (greffier_event::DecisionKind::Deny, Some("no".to_owned()));
    appender.append(denied).await.unwrap();
    look();
    // The hold's own segment stays while the entry that releases it does.
    insta::assert_snapshot!(said.join("\n"), @r"
    up to 0: legal hold hold stands on it
    up to 8: the call of entry 9 has no outcome
    up to 16: erasure asked is not decided or not done
    up to 40: legal hold hold stands on it
    ");
    drop(eraser);
    ledger.close().unwrap();
}

#[tokio::test]
async fn a_hold_beats_the_time_and_what_says_the_time_is_said_anew() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger, 0..12).await;
    let eraser = ledger.eraser();
    let hold = Scope::User(eraser.user(&acme(), "alice")).uri(&acme());
    eraser.hold(own(300, EventType::DataModify, HOLD, hold.clone(), "hold")).await.unwrap();
    let retention = keep(30);
    let pass = |day| eraser.expire(&retention, days(7), after(day), fresh);
    assert_eq!(pass(1).await.unwrap(), 0);
    fill(&ledger, 20..40).await;
    sealed(&ledger, 32).await;
    assert_eq!(pass(60).await.unwrap(), 0);
    assert_eq!(ledger.reader().first(&acme()).unwrap(), 0);
    eraser.hold(own(301, EventType::DataModify, RELEASE, hold, "hold")).await.unwrap();
    // The hold's own segment stays while its release does; the entry that says how long things are kept is in it.
    assert_eq!(pass(61).await.unwrap(), 1);
    assert_eq!(ledger.reader().first(&acme()).unwrap(), 8);
    let said = |ledger: &Ledger| {
        let orders = ledger.reader().orders(&acme()).unwrap();
        orders.notices().filter(|notice| matches!(notice.act, Act::Retained(_))).count()
    };
    fill(&ledger, 100..140).await;
    sealed(&ledger, 64).await;
    // Once the release is old as well, the time is said anew, and a week later the old word goes.
    let ring = KeyRing::open(&place.keys()).unwrap();
    let would = ledger.reader().expiring(&acme(), &ring, &retention, days(7), after(120)).unwrap().unwrap();
    assert_eq!((would.end, would.kept), (8, Some(Kept::Retention { entry: 13 })));
    assert_eq!(pass(120).await.unwrap(), 0);
    assert_eq!(said(&ledger), 2);
    assert_eq!(pass(121).await.unwrap(), 0);
    assert_eq!(said(&ledger), 2);
    assert_eq!(pass(128).await.unwrap(), 1);
    assert_eq!(said(&ledger), 1);
    assert!(ledger.reader().first(&acme()).unwrap() > 16);
    drop(eraser);
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
}

/// Signs whatever the manifest is changed to, as somebody would who has the keys.
fn sign_anew(place: &Place, change: impl FnOnce(&mut manifest::Holds)) {
    let disk = Disk::new(std::sync::Arc::new(Files::new(place.data())));
    let keys = KeyRing::open(&place.keys()).unwrap();
    let node = keys.verifiers(&origin("test.local", Tenant::NODE)).unwrap();
    let read = Manifest::read(&disk, &node).unwrap();
    let mut holds = read.as_ref().unwrap().0.holds.clone();
    change(&mut holds);
    Chain::behind(read.as_ref()).commit(&disk, &keys, "test.local", &holds, true).unwrap();
}

#[tokio::test]
async fn a_start_that_is_gone_without_an_order_is_tampering() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger, 0..20).await;
    sealed(&ledger, 16).await;
    ledger.close().unwrap();
    let gone = manifest::CutRecord { trail: "acme".to_owned(), first: 8, root: String::new(), by: 17 };
    let path = crate::sealer::entries_path("acme", 0, 8);
    sign_anew(&place, |holds| {
        let removed = holds.segments.remove(0);
        assert_eq!(removed.entries.path, path);
        removed
            .parts
            .iter()
            .for_each(|parts| std::fs::remove_file(place.data().join(&parts.file.path)).unwrap());
        holds.cuts.push(manifest::CutRecord { root: removed.root, ..gone });
    });
    std::fs::remove_file(place.data().join(path)).unwrap();
    let report = place.verify();
    insta::assert_debug_snapshot!(report.problems.iter().map(|problem| &problem.what).collect::<Vec<_>>(), @r#"
    [
        "the entries before 8 of trail acme are gone, and no entry of the trail ordered it",
    ]
    "#);
}

#[tokio::test]
async fn older_copies_of_data_learn_what_expired() {
    for parts in [false, true] {
        let place = Place::new();
        let (ledger, _startup) = place.start();
        fill(&ledger, 0..20).await;
        sealed(&ledger, 16).await;
        let retention =
            if parts { Retention { parts: Some(days(100)), ..Retention::default() } } else { keep(100) };
        ledger.eraser().expire(&retention, days(7), after(1), fresh).await.unwrap();
        ledger.close().unwrap();
        place.copy_to("data", "old-data");
        let needles: Vec<Vec<u8>> = (0..16).flat_map(|n| place.sealed(n)).collect();
        let (ledger, _startup) = place.start();
        assert_eq!(ledger.eraser().expire(&retention, days(7), after(102), fresh).await.unwrap(), 1);
        ledger.close().unwrap();
        assert!(!place.holds_any(&needles) || place.0.path().join("old-data").exists());
        let left = place.readable();
        place.replace("data", "old-data");
        std::fs::remove_dir_all(place.0.path().join("old-data")).unwrap();
        assert!(place.holds_any(&needles));
        let (ledger, startup) = place.start();
        let recovered = startup.recovered.await.unwrap();
        assert_eq!((recovered.repairs.len(), recovered.open_decisions), (1, vec![]));
        ledger.close().unwrap();
        assert!(!place.holds_any(&needles));
        assert_eq!((place.readable(), first(&place)), (left, if parts { 0 } else { 16 }));
        assert_eq!(place.verify().problems, vec![]);
    }
}

#[test]
fn an_order_is_read_as_it_was_written() {
    let cut = EntriesCut { end: 65_536, before: after(1) };
    let read = |uri: String| {
        let draft = own(1, EventType::ActionApproved, EXPIRE, uri, "cut");
        Act::of(&draft.event)
    };
    assert_eq!(read(cut.uri(&acme())), Some(Act::EntriesExpired(cut)));
    for wrong in [
        "audit://acme/entries/before/07/1",
        "audit://beta/entries/before/7/1",
        "audit://acme/entries/before/7",
    ] {
        assert_eq!(read(wrong.to_owned()), None, "{wrong}");
    }
}
