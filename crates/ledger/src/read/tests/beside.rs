//! Readers beside a running ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::ledger::{Ledger, LedgerConfig};
use crate::testing::plain;
use crate::{KeyRing, SealPolicy};

/// Reads until told to stop: each snapshot holds whatever had a receipt before it was asked for.
fn watch(reader: &Reader, acknowledged: &AtomicU64, stop: &AtomicBool) -> u64 {
    let mut size = 0;
    while !stop.load(Ordering::SeqCst) {
        let before = acknowledged.load(Ordering::SeqCst);
        let snapshot = reader.snapshot(&tenant("acme")).unwrap();
        let rows = rows(&reader.disk, &snapshot);
        assert_eq!(
            rows.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
            (0..snapshot.size).collect::<Vec<_>>()
        );
        assert!(snapshot.size >= before && snapshot.size >= size, "{} {before} {size}", snapshot.size);
        size = snapshot.size;
        if size > 0 {
            let found = reader.entry(&tenant("acme"), size - 1).unwrap().unwrap();
            assert_eq!(reader.find(found.event().unwrap().id).unwrap(), Some(found));
        }
    }
    size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_a_receipt_is_seen_whatever_is_sealed_meanwhile() {
    const EVENTS: u64 = 400;
    let place = tempfile::tempdir().unwrap();
    let (data, keys) = (place.path().join("data"), place.path().join("keys"));
    KeyRing::create(&keys).unwrap();
    let seal = SealPolicy { entries: 32, ..SealPolicy::default() };
    let (ledger, _) = Ledger::start(LedgerConfig {
        dir: data.clone(),
        keys_dir: keys,
        origin: "test.local".to_owned(),
        node: "node-1".to_owned(),
        seal,
    })
    .unwrap();
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let readers = [ledger.reader(), Reader::open(&data).unwrap()].map(|reader| {
        let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        std::thread::spawn(move || watch(&reader, &acknowledged, &stop))
    });
    for n in 0..EVENTS {
        let receipt = ledger.appender().append(plain("acme", n)).await.unwrap();
        acknowledged.store(receipt.index + 1, Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(tokio::task::spawn_blocking(|| reader.join().unwrap()).await.unwrap() <= EVENTS);
    }
    assert_eq!(ledger.reader().trails().unwrap(), [(tenant("acme"), EVENTS)]);
    ledger.close().unwrap();
    assert_eq!(Reader::open(&data).unwrap().trails().unwrap(), [(tenant("acme"), EVENTS)]);
}
