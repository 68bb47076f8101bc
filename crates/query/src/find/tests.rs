use std::sync::Arc;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::search::oracle::matches;
use crate::search::tests::{TERMS, terms};
use crate::testing::{EVENTS, Place, SHAPES, Shape, batch, event, events, now, tenant, view};
use crate::{Engine, Limits};

fn search(text: &str) -> Search {
    Search::parse(text, now()).unwrap()
}

fn indexes(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.index).collect()
}

/// What events say, whatever way they are stored and read.
#[test]
fn finds_what_the_events_say() {
    let events = events(&batch());
    let limits = |pushdown| Limits { pushdown, ..Limits::default() };
    let views: Vec<_> = SHAPES
        .into_iter()
        .flat_map(|shape| [true, false].map(|on| (shape, on, view(shape, &limits(on)))))
        .collect();
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    proptest!(config, |(text in terms(), limit in 1_usize..400, cut in 0..EVENTS)| {
        let search = search(&text);
        let all = (0..).zip(&events).filter(|(index, event)| matches(&search, *index, event)).map(|(index, _)| index);
        let all: Vec<u64> = all.collect();
        let newest: Vec<u64> = all.iter().rev().copied().filter(|index| *index < cut).collect();
        let oldest: Vec<u64> = all.iter().copied().filter(|index| *index > cut).collect();
        for (shape, pushdown, (view, _)) in &views {
            let how = format!("{text} in {shape:?}, pushdown {pushdown}");
            let page = runtime.block_on(page(view, &search, 0..cut, Order::Newest, limit)).unwrap();
            prop_assert_eq!(&indexes(&page.rows), &newest[..limit.min(newest.len())], "newest {}", how);
            prop_assert_eq!(page.next.is_some(), limit < newest.len(), "newest {}", how);
            for row in &page.rows {
                let found = row.event().unwrap();
                prop_assert_eq!(&found, &events[usize::try_from(row.index).unwrap()]);
            }
            let page = runtime.block_on(self::page(view, &search, cut + 1..EVENTS, Order::Oldest, limit)).unwrap();
            prop_assert_eq!(&indexes(&page.rows), &oldest[..limit.min(oldest.len())], "oldest {}", how);
            prop_assert_eq!(page.next.is_some(), limit < oldest.len(), "oldest {}", how);
            let count = runtime.block_on(count(view, &search)).unwrap();
            prop_assert_eq!(count, all.len() as u64, "count {}", how);
        }
    });
}

/// Each term of the language alone, and its negation, which holds wherever the term does not.
#[tokio::test]
async fn every_term_finds_its_events() {
    let events = events(&batch());
    let hot = view(Shape::Hot, &Limits::default());
    let mixed = view(Shape::Mixed, &Limits::default());
    let sealed = view(Shape::Sealed, &Limits { pushdown: false, ..Limits::default() });
    let mut idle = Vec::new();
    for term in TERMS {
        for text in [(*term).to_owned(), format!("-{term}")] {
            let search = search(&text);
            let all = (0..).zip(&events).filter(|(index, event)| matches(&search, *index, event));
            let expected: Vec<u64> = all.map(|(index, _)| index).collect();
            if expected.is_empty() || expected.len() == events.len() {
                idle.push(text.clone());
            }
            for (view, _) in [&hot, &mixed, &sealed] {
                let (all, predicate) = (0..EVENTS, search.predicate());
                let found =
                    view.indexes(&[all], predicate.as_ref(), Order::Oldest, events.len()).await.unwrap();
                assert_eq!(found, expected, "{text}");
            }
        }
    }
    assert_eq!(idle, Vec::<String>::new(), "these test nothing");
}

#[tokio::test]
async fn looks_up_by_id_call_and_session() {
    for shape in SHAPES {
        let (view, _dir) = view(shape, &Limits::default());
        for n in [0, 63, 64, 131, 199, 200, 299] {
            let id = event(n).id.to_string();
            assert_eq!(indexes(&equal(&view, "id", &id, 1).await.unwrap()), [n], "{shape:?}");
        }
        assert_eq!(equal(&view, "id", "00000000-0000-7000-8000-0000000fffff", 1).await.unwrap(), []);
        assert_eq!(indexes(&equal(&view, "request_id", "req_98", 9).await.unwrap()), [197]);
        let session = equal(&view, "session_id", "session 6", 3).await.unwrap();
        assert_eq!(indexes(&session), [180, 183, 186], "{shape:?}");
    }
}

#[tokio::test]
async fn a_page_ends_where_its_bytes_end() {
    let limits = Limits { bytes: 2_000, ..Limits::default() };
    let (view, _dir) = view(Shape::Mixed, &limits);
    let page = page(&view, &search(""), 0..EVENTS, Order::Newest, 100).await.unwrap();
    assert!(page.rows.len() > 1 && page.rows.len() < 10, "{}", page.rows.len());
    assert_eq!(page.next, page.rows.last().map(|row| row.index));
    let bytes: usize = page.rows.iter().map(|row| row.entry.len()).sum();
    assert!(bytes <= 2_000);
}

#[tokio::test]
async fn a_segment_that_went_away_is_noticed() {
    let (view, dir) = view(Shape::Sealed, &Limits::default());
    assert!(!view.table.files().is_missing_one());
    drop(dir);
    let error = count(&view, &search("user:alice")).await.unwrap_err();
    assert_eq!(error.code(), "read");
    assert!(view.table.files().is_missing_one());
}

#[tokio::test]
async fn a_segment_that_is_not_what_it_was_is_an_error() {
    let (view, dir) = view(Shape::Sealed, &Limits::default());
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len() - 20;
        bytes[end..].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
    }
    let error = count(&view, &search("user:alice")).await.unwrap_err();
    assert_eq!(error.code(), "read", "{error}");
    assert!(!view.table.files().is_missing_one());
}

/// Windows cover everything once, in the order that was asked for.
#[test]
fn windows_miss_and_double_nothing() {
    let ranges = |order| {
        let mut left = vec![0..10, 20..25, 30..100];
        let mut windows = Vec::new();
        let mut size = 7;
        while !left.is_empty() {
            windows.push(window(&mut left, order, size));
            size *= 3;
        }
        windows
    };
    insta::assert_debug_snapshot!(ranges(Order::Newest), @r"
[
    [
        93..100,
    ],
    [
        72..93,
    ],
    [
        0..10,
        20..25,
        30..72,
    ],
]
");
    insta::assert_debug_snapshot!(ranges(Order::Oldest), @r"
[
    [
        0..7,
    ],
    [
        7..10,
        20..25,
        30..43,
    ],
    [
        43..100,
    ],
]
");
}

#[test]
fn segments_that_a_bound_rules_out_are_not_opened() {
    let (view, _dir) = view(Shape::Sealed, &Limits::default());
    let candidates = |text: &str| {
        let ranges = view.candidates(search(text).predicate().as_ref(), &(0..EVENTS)).unwrap();
        format!("{ranges:?}")
    };
    insta::assert_snapshot!(candidates("user:alice"), @"[0..300]");
    insta::assert_snapshot!(candidates("index:70..80"), @"[64..192]");
    insta::assert_snapshot!(candidates("index:60..80 user:bob"), @"[0..192]");
    insta::assert_snapshot!(candidates("until:2026-03-01"), @"[0..64]");
    insta::assert_snapshot!(candidates("since:2026-03-06"), @"[192..300]");
    insta::assert_snapshot!(candidates("recorded:<2026-03-01T00:00:01Z"), @"[]");
    insta::assert_snapshot!(candidates("-index:70..80"), @"[0..300]");
}

/// Whoever follows the pages sees each event once, while others are being written and sealed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_stay_whole_while_events_arrive() {
    let place = Arc::new(Place::sealing(16).await);
    place.append(&(0..40).map(event).collect::<Vec<_>>()).await;
    let engine = Engine::new(place.ledger.reader(), Limits::default()).unwrap();
    let writer = {
        let place = Arc::clone(&place);
        tokio::spawn(async move { place.append_until_sealed(40).await })
    };
    // Back from where the trail ended when this began.
    let all = search("");
    let first = engine.newest(&tenant(), &all, None, 7).await.unwrap();
    let (mut seen, mut next, size) = (indexes(&first.rows), first.next, first.size);
    while let Some(before) = next {
        let page = engine.newest(&tenant(), &all, Some(before), 7).await.unwrap();
        seen.extend(indexes(&page.rows));
        next = page.next;
    }
    assert_eq!(seen, (0..size).rev().collect::<Vec<_>>());
    // And forward until all is read that the writer has written.
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let has_all = writer.is_finished();
        let page = engine.oldest(&tenant(), &all, after, 11).await.unwrap();
        after = page.rows.last().map(|row| row.index).or(after);
        seen.extend(indexes(&page.rows));
        if has_all && page.next.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..writer.await.unwrap()).collect::<Vec<_>>());
}
