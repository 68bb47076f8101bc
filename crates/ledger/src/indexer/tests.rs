use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use greffier_event::Tenant;

use super::*;
use crate::backup::copy_data;
use crate::ledger::tests::{FAST, Place};
use crate::testing::{files, plain, seal_by_count};
use crate::{Ledger, Reader, SealPolicy};

/// The indexes that there are, by path.
fn indexes(place: &Place) -> BTreeMap<String, Vec<u8>> {
    files(&place.data()).into_iter().filter(|(path, _)| path.starts_with("ngrams/")).collect()
}

fn names(place: &Place) -> String {
    indexes(place).into_keys().collect::<Vec<_>>().join(" ")
}

fn pass(place: &Place) -> Indexed {
    Indexer::new(Reader::open(&place.data()).unwrap()).pass(|_| ControlFlow::Continue(())).unwrap()
}

fn segments(place: &Place) -> Vec<std::sync::Arc<Segment>> {
    Reader::open(&place.data()).unwrap().snapshot(&Tenant::new("acme").unwrap()).unwrap().segments
}

/// Appends these events, and waits until as many entries are sealed as there are then.
async fn append_until_sealed(place: &Place, ledger: &Ledger, events: std::ops::Range<u64>) {
    let mut end = 0;
    for n in events {
        end = ledger.appender().append(plain("acme", n)).await.unwrap().index + 1;
    }
    while segments(place).last().is_none_or(|last| last.end < end) {
        tokio::time::sleep(FAST).await;
    }
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_made_and_nothing_else() {
    let place = Place::new();
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    append_until_sealed(&place, &ledger, 0..12).await;
    let done = pass(&place);
    assert_eq!((done.segments, done.of, done.made, done.entries, done.removed), (3, 3, 3, 12, 0));
    insta::assert_snapshot!(names(&place), @"ngrams/acme/00000000000000000000-00000000000000000004 ngrams/acme/00000000000000000004-00000000000000000008 ngrams/acme/00000000000000000008-00000000000000000012");
    let made = indexes(&place);
    assert_eq!(done.bytes, made.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!((pass(&place).made, indexes(&place)), (0, made.clone()));
    // One is torn, one is another's, and one is of no segment.
    let paths: Vec<_> = made.keys().map(|path| place.data().join(path)).collect();
    fs::write(&paths[0], &made.values().next().unwrap()[..500]).unwrap();
    fs::copy(&paths[2], &paths[1]).unwrap();
    fs::copy(&paths[2], place.data().join("ngrams/acme/00000000000000000004-00000000000000000009")).unwrap();
    let done = pass(&place);
    assert_eq!((done.made, done.removed, indexes(&place)), (2, 1, made));
    // A pass can be ended.
    let mut indexer = Indexer::new(ledger.reader());
    assert_eq!(indexer.remove().unwrap().removed, 3);
    assert_eq!(names(&place), "");
    assert_eq!(indexer.pass(|_| ControlFlow::Break(())).unwrap().segments, 1);
    // Whoever removes the folder by hand loses nothing either.
    fs::remove_dir_all(place.data().join("ngrams")).unwrap();
    assert_eq!(indexer.pass(|_| ControlFlow::Continue(())).unwrap().made, 3);
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
}

#[tokio::test]
async fn an_index_goes_with_its_segment_and_no_copy_has_it() {
    let place = Place::new();
    let policy = SealPolicy { entries: 8, age: Duration::from_secs(1), ..SealPolicy::default() };
    let (ledger, _startup) = place.start_with(policy).unwrap();
    append_until_sealed(&place, &ledger, 0..3).await;
    assert_eq!(pass(&place).made, 1);
    append_until_sealed(&place, &ledger, 3..5).await;
    assert_eq!(pass(&place).made, 1);
    let copy = place.dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    copy_data(&place.data(), &copy, None, |_| ()).unwrap();
    assert!(files(&copy).keys().all(|path| !path.starts_with("ngrams")));
    // One that a crash left over, too.
    fs::write(place.data().join("ngrams/acme/00000000000000000000-00000000000000000003"), "left").unwrap();
    ledger.close().unwrap();
    insta::assert_snapshot!(names(&place), @"ngrams/acme/00000000000000000000-00000000000000000005");
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    // After the stop nothing of it is signed: it may go, and may be made again.
    Indexer::new(Reader::open(&place.data()).unwrap()).remove().unwrap();
    assert_eq!(place.verify().problems, vec![]);
    assert_eq!(pass(&place).made, 1);
    assert_eq!(place.verify().problems, vec![]);
}

#[tokio::test]
async fn an_index_that_hides_entries_is_found() {
    let (place, other) = (Place::new(), Place::new());
    for (place, from) in [(&place, 0), (&other, 4)] {
        let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
        append_until_sealed(place, &ledger, from..from + 4).await;
        ledger.close().unwrap();
    }
    assert_eq!(pass(&place).made, 1);
    assert_eq!(place.verify().problems, vec![]);
    // Whole, and said to be of these entries.
    let foreign = fs::read(&segments(&other)[0].path).unwrap();
    let built = Built::of(&EntriesFile::open(Bytes::from(foreign)).unwrap()).unwrap();
    let path = place.data().join(indexes(&place).keys().next().unwrap());
    fs::write(&path, built.pack(Subject::from(&*segments(&place)[0])).unwrap()).unwrap();
    let problems = place.verify().problems;
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
    insta::assert_snapshot!(told.join("\n"), @"ngrams/acme/00000000000000000000-00000000000000000004: the index is not the one of these entries, searches may miss some: remove it, and `greffier index` makes it again");
    // A torn one is used by nobody.
    fs::write(&path, "ngrams 1").unwrap();
    assert_eq!(place.verify().problems, vec![]);
}

/// What a damaged file says is not made into an index that would outlive its repair.
#[tokio::test]
async fn of_a_damaged_segment_there_is_no_index() {
    let place = Place::new();
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    append_until_sealed(&place, &ledger, 0..4).await;
    ledger.close().unwrap();
    let path = &segments(&place)[0].path;
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    let failed = Indexer::new(Reader::open(&place.data()).unwrap()).pass(|_| ControlFlow::Continue(()));
    insta::assert_snapshot!(failed.unwrap_err(), @"trails/acme/segments/00000000000000000000-00000000000000000004.parquet: the file's SHA-256 is not the one that was signed for; run `greffier verify`");
    assert_eq!(names(&place), "");
}
