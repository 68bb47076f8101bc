//! Many events at once: their order, one refusal among many, a queue that is full, and a log with space ahead.

use greffier_event::{Draft, Tenant};
use greffier_merkle::Receipt;

use super::tests::{FAST, Place};
use super::*;
use crate::append::{Answers, Placed};
use crate::error::AppendError;
use crate::testing::{draft, event, keys, plain};

/// An event without parts.
fn bare(tenant: &str, n: u64) -> Draft {
    draft(event(tenant, n, "data.access", &format!("req_{n}")), &[])
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_one_refusal_takes_no_other_with_it() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    let mut drafts: Vec<Draft> =
        (0..700).map(|n| plain(if n % 3 == 0 { "acme" } else { "zeta" }, n)).collect();
    drafts[5].event.recorded_at = None;
    drafts[300].event.parts_root = Some("00".repeat(32));
    drafts[301].event.request_id = Some("not\na word".to_owned());
    drafts[302].event.tenant = Tenant::new("ACME").unwrap();
    let answers = ledger.appender().append_batch(drafts).await;
    let refusals: Vec<String> = answers
        .iter()
        .enumerate()
        .filter_map(|(at, answer)| Some(format!("{at}: {}", answer.as_ref().err()?)))
        .collect();
    insta::assert_debug_snapshot!(refusals, @r#"
    [
        "5: `recorded_at` must be set before an event is recorded",
        "300: `parts` and `parts_root` must be empty before an event is recorded",
        "301: request_id: must not hold control characters",
        "302: a trail named `acme` exists already: tenants differ by more than case",
    ]
    "#);
    for trail in ["acme", "zeta"] {
        let indexes: Vec<u64> =
            answers.iter().flatten().filter(|receipt| receipt.trail == trail).map(|r| r.index).collect();
        assert_eq!(indexes, (0..indexes.len() as u64).collect::<Vec<_>>(), "{trail}");
    }
    assert_eq!(answers.iter().flatten().count(), 696);
    let appender = ledger.appender();
    ledger.close().unwrap();
    let late = appender.append_batch(vec![plain("acme", 900), plain("acme", 901)]).await;
    assert!(late.iter().all(|answer| answer.as_ref().is_err_and(AppendError::is_unavailable)), "{late:?}");
    assert_eq!(place.verify().problems, vec![]);
}

/// Without a committer the queue fills up: then callers wait, and when it drains again nothing was lost.
#[tokio::test]
async fn a_full_queue_makes_its_callers_wait_and_loses_nothing() {
    const ROOM: usize = 16_384;
    const MORE: usize = 600;
    let (commands, inbox) = mpsc::channel();
    let appender = Appender::new(keys(), Arc::default(), commands, Arc::default(), Heads::new(None));
    let caller = tokio::spawn({
        let appender = appender.clone();
        let drafts = (0..(ROOM + MORE) as u64).map(|n| bare("acme", n)).collect();
        async move { appender.append_batch(drafts).await }
    });
    let committer = tokio::task::spawn_blocking(move || {
        let mut waiting = std::collections::VecDeque::new();
        let mut taken = 0;
        while taken < ROOM {
            let Ok(Command::Append(pending)) = inbox.recv() else { panic!("nothing came") };
            taken += pending.entries.len();
            waiting.push_back(pending);
        }
        // As many as there is room for, and not one more before some are answered.
        assert_eq!(taken, ROOM);
        assert!(inbox.try_recv().is_err());
        let mut index = 0;
        while let Some(pending) = waiting.pop_front() {
            let placed = pending.entries.into_iter().map(|entry| {
                index += 1;
                let trail = entry.trail.into();
                Ok(Placed::New(Receipt { trail, index: index - 1, leaf_hash: entry.leaf }))
            });
            let placed = placed.collect();
            drop(pending.room);
            pending.ack.send(Answers { placed, room: None }).unwrap();
            if taken < ROOM + MORE && waiting.len() < 2 {
                let Ok(Command::Append(pending)) = inbox.recv() else { panic!("some were lost") };
                taken += pending.entries.len();
                waiting.push_back(pending);
            }
        }
        index
    });
    let answers = caller.await.unwrap();
    let indexes: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().index).collect();
    assert_eq!(indexes, (0..(ROOM + MORE) as u64).collect::<Vec<_>>());
    assert_eq!(committer.await.unwrap(), (ROOM + MORE) as u64);
}

/// A log that grows gets space ahead and goes over to it; after a crash its zeros are no damage, and a clean stop
/// leaves none of it.
#[tokio::test]
async fn a_log_goes_over_to_its_space_and_comes_back_from_it() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    let log = |sequence| place.data().join(wal::path(sequence));
    let mut count = 0;
    while !log(2).exists() {
        let batch = (count..count + 200).map(|n| bare("acme", n)).collect();
        assert!(ledger.appender().append_batch(batch).await.iter().all(Result::is_ok));
        count += 200;
        tokio::time::sleep(FAST / 10).await;
    }
    ledger.appender().append(bare("acme", count)).await.unwrap();
    // Beside the ledger and from outside the space is the end.
    for reader in [ledger.reader(), Reader::open(&place.data()).unwrap()] {
        assert_eq!(reader.trails().unwrap(), [(Tenant::new("acme").unwrap(), count + 1)]);
    }
    drop(ledger);
    assert!(log(2).metadata().unwrap().len() > 10_000_000);
    let (ledger, startup) = place.start().unwrap();
    let recovered = startup.recovered.await.unwrap();
    assert_eq!((recovered.unclean, recovered.repairs), (true, vec![]));
    ledger.close().unwrap();
    assert!(log(2).metadata().unwrap().len() < 2_000_000);
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    assert_eq!(report.trails.iter().map(|trail| trail.entries).sum::<u64>(), count + 1);
}
