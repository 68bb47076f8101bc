//! Entries leave the log and are still there: found by id and by place, proven, and never recorded twice.

use greffier_event::Tenant;
use greffier_merkle::hash::sha256;

use super::tests::Place;
use super::*;
use crate::testing::{draft, event, files, plain, seal_by_count};
use crate::{AppendError, Recorded, Submission};

fn submission(n: u64, content: &str) -> Submission {
    let mut event = event("acme", n, "tool.call", &format!("req_{n}"));
    event.source =
        Some(greffier_event::Source { channel: "sdk".to_owned(), ..greffier_event::Source::default() });
    let digest = sha256(content.as_bytes());
    Submission { draft: Box::new(draft(event, &[("parameters", content.as_bytes())])), digest }
}

/// Waits until so many entries of the trail are sealed.
async fn until_sealed(place: &Place, size: u64) {
    let disk = Disk::new(Arc::new(Files::new(place.data())));
    while manifest::Manifest::newer(&disk, 0).unwrap().is_none_or(|found| found.holds.sealed("acme") < size) {
        tokio::time::sleep(super::tests::FAST).await;
    }
}

fn logs(place: &Place) -> usize {
    files(&place.data()).keys().filter(|name| name.starts_with("wal/")).count()
}

#[tokio::test]
async fn sealed_entries_are_found_proven_and_verified() {
    let place = Place::new();
    for life in 0..3 {
        let (ledger, _startup) = place.start_with(seal_by_count(8)).unwrap();
        let appender = ledger.appender();
        for n in 0..10 {
            appender.append(plain("acme", life * 10 + n)).await.unwrap();
        }
        until_sealed(&place, (life + 1) * 10 / 8 * 8).await;
        if life == 1 {
            // A crash: what is sealed and what is in the log still make one trail.
            drop(ledger);
        } else {
            ledger.close().unwrap();
        }
        let report = place.verify();
        assert_eq!((report.problems, report.trails[0].entries), (vec![], life * 10 + 10), "life {life}");
        assert_eq!(report.parts_opened, life * 10 + 10);
    }
    let keys = KeyRing::open(&place.keys()).unwrap();
    let reader = Reader::open(&place.data()).unwrap();
    let trail = Tenant::new("acme").unwrap();
    for n in 0..30 {
        let found = reader.find(plain("acme", n).event.id).unwrap().unwrap();
        assert_eq!(found.index, n);
        assert_eq!(found.open_parts(&keys).unwrap()[0].content, b"what is on record?");
        assert_eq!(reader.entry(&trail, n).unwrap().unwrap(), found);
        reader.prove(&trail, n, Some(&keys)).unwrap();
    }
    let snapshot = reader.snapshot(&trail).unwrap();
    let sealed: Vec<_> = snapshot.segments.iter().map(|segment| (segment.first, segment.end)).collect();
    assert_eq!((sealed, snapshot.size), (vec![(0, 8), (8, 16), (16, 24)], 30));
    // Three lives wrote three files of the log; the first held sealed entries only.
    assert!(logs(&place) < 3);
}

#[tokio::test]
async fn old_entries_are_sealed_early_and_merged_later() {
    let place = Place::new();
    let policy = SealPolicy { entries: 8, age: Duration::from_secs(1), ..SealPolicy::default() };
    let (ledger, _startup) = place.start_with(policy).unwrap();
    for (n, size) in [(0, 3), (3, 5), (5, 11)] {
        for n in n..size {
            ledger.appender().append(plain("acme", n)).await.unwrap();
        }
        until_sealed(&place, size).await;
    }
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
    let snapshot = Reader::open(&place.data()).unwrap().snapshot(&Tenant::new("acme").unwrap()).unwrap();
    let sealed: Vec<_> = snapshot.segments.iter().map(|segment| (segment.first, segment.end)).collect();
    assert_eq!(sealed, [(0, 8), (8, 11)]);
    // Of the superseded files none is left; each seal left its own file of parts.
    let names: Vec<_> = files(&place.data()).into_keys().filter(|name| name.ends_with(".parquet")).collect();
    let entries = names.iter().filter(|name| name.contains("/segments/"));
    assert_eq!(entries.count(), 2, "{names:?}");
    assert!(names.len() > 4, "{names:?}");
}

#[tokio::test]
async fn a_repetition_gets_its_first_receipt_and_a_contradiction_none() {
    let place = Place::new();
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    let both = ledger.appender().submit(vec![submission(1, "once"), submission(1, "once")]).await;
    let [Ok(first), Ok(again)] = both.as_slice() else { panic!("{both:?}") };
    assert_eq!((&first.receipt, first.repeated, again.repeated), (&again.receipt, false, true));
    let check = async |ledger: &Ledger, context: &str| {
        let results = ledger
            .appender()
            .submit(vec![submission(1, "once"), submission(1, "other"), submission(2, "new")])
            .await;
        let [Ok(Recorded { receipt, repeated }), Err(AppendError::Conflict { index: 0 }), Ok(_)] =
            results.as_slice()
        else {
            panic!("{context}: {results:?}")
        };
        assert_eq!((receipt, *repeated), (&first.receipt, true), "{context}");
    };
    check(&ledger, "in the log").await;
    for n in 10..13 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    until_sealed(&place, 4).await;
    check(&ledger, "sealed").await;
    ledger.close().unwrap();
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    check(&ledger, "after a restart").await;
    // An id of Greffier's own event cannot be taken either.
    let stolen = ledger.appender().submit(vec![submission(11, "what is on record?")]).await;
    assert!(matches!(stolen.as_slice(), [Err(AppendError::Conflict { .. })]), "{stolen:?}");
    ledger.close().unwrap();
    assert_eq!(place.verify().trails[0].entries, 5);
}

#[tokio::test]
async fn submissions_keep_their_order() {
    let place = Place::new();
    let (ledger, _startup) = place.start_with(seal_by_count(50)).unwrap();
    let results = ledger.appender().submit((0..200).map(|n| submission(n, "same")).collect()).await;
    let indexes: Vec<u64> = results.into_iter().map(|result| result.unwrap().receipt.index).collect();
    assert_eq!(indexes, (0..200).collect::<Vec<_>>());
    ledger.close().unwrap();
}

#[tokio::test]
async fn an_open_decision_is_handed_over_although_its_log_is_gone() {
    let place = Place::new();
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    let appender = ledger.appender();
    for (n, kind, request) in [
        (0, "action.approved", "open"),
        (1, "action.approved", "closed"),
        (2, "action.executed", "closed"),
        (3, "data.access", "other"),
    ] {
        appender.append(draft(event("acme", n, kind, request), &[])).await.unwrap();
    }
    until_sealed(&place, 4).await;
    ledger.close().unwrap();
    // A second life, so that the first file of the log can go.
    let (ledger, _startup) = place.start_with(seal_by_count(4)).unwrap();
    for n in 10..14 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    until_sealed(&place, 8).await;
    while place.data().join(wal::path(1)).exists() {
        tokio::time::sleep(super::tests::FAST).await;
    }
    drop(ledger);
    let (ledger, startup) = place.start_with(seal_by_count(4)).unwrap();
    let recovered = startup.recovered.await.unwrap();
    let open: Vec<_> = recovered.open_decisions.iter().map(|event| event.request_id.as_deref()).collect();
    assert_eq!(open, [Some("open")]);
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
}
