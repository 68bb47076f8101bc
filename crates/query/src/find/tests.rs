use std::sync::Arc;

use greffier_event::{Event, Part};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::search::oracle::{matches, matches_with};
use crate::search::tests::{TERMS, terms};
use crate::testing::{EVENTS, Place, SHAPES, Shape, batch, event, events, now, tenant, view};
use crate::{CountBy, Engine, Limits};

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
                let (all, predicate) = (0..EVENTS, search.predicate(Contents::Closed));
                let found =
                    view.indexes(&[all], predicate.as_ref(), Order::Oldest, events.len()).await.unwrap();
                assert_eq!(found, expected, "{text}");
            }
        }
    }
    assert_eq!(idle, Vec::<String>::new(), "these test nothing");
}

/// Contents of the `n`th event: none, one or two, with words that texts of events have as well, and others.
fn contents(n: u64) -> Vec<String> {
    let told =
        ["An elephant for Alice", "{\"q\":\"CRM 100% of a_b\"}", "naïve ÄGNES, denied", "nothing to say"];
    let one = |n: u64| told[usize::try_from(n).unwrap() % told.len()].to_owned();
    match n % 7 {
        0..3 => Vec::new(),
        3..6 => vec![one(n / 7)],
        _ => vec![one(n / 7), one(n / 7 + 2)],
    }
}

/// Each third of the events with contents is a question about the trail, as Greffier records it.
fn with_contents(n: u64) -> (Event, Vec<Part>) {
    let (mut event, contents) = (event(n), contents(n));
    if n % 21 == 3 {
        event.resource.get_or_insert_default().uri = Some("audit://acme/events".to_owned());
        event.action.get_or_insert_default().name = "trail:search".to_owned();
    }
    let part = |(number, text): (usize, String)| Part {
        name: ["parameters", "result"][number].to_owned(),
        media: "text/plain".to_owned(),
        content: text.into_bytes(),
    };
    (event, contents.into_iter().enumerate().map(part).collect())
}

/// A word is in the texts of an event or in its contents, whatever way it is asked: by pages of any size, both ways, and
/// counted. Without keys it is as if there were no contents.
#[test]
fn words_are_found_in_contents() {
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(async {
        let place = Place::sealing(64).await;
        place.append_all((0..EVENTS).map(with_contents).collect()).await;
        place
    });
    let closed = Engine::new(place.ledger.reader(), Limits::default()).unwrap();
    let opened = closed.clone().opening(place.open());
    let size = runtime.block_on(opened.newest(&tenant(), &search(""), None, 1)).unwrap().size;
    assert_eq!(size, EVENTS);
    let words = ["elephant", "alice", "crm", "\"100% of\"", "an*for", "ägnes", "denied"];
    let words =
        words.iter().flat_map(|word| [(*word).to_owned(), format!("text:{word}"), format!("content:{word}")]);
    let words: Vec<String> = words.chain(TERMS.iter().step_by(3).map(|term| (*term).to_owned())).collect();
    let term = (any::<bool>(), prop::sample::select(words))
        .prop_map(|(negated, term)| format!("{}{term}", if negated { "-" } else { "" }));
    let terms = prop::collection::vec(term, 1..4).prop_map(|terms| terms.join(" "));
    let events: Vec<(Event, Vec<String>)> = (0..EVENTS).map(|n| (with_contents(n).0, contents(n))).collect();
    let found = |search: &Search, open: bool| -> Vec<u64> {
        let fits = |(index, (event, contents)): (u64, &(Event, Vec<String>))| {
            matches_with(search, index, event, if open { contents } else { &[] }).then_some(index)
        };
        (0..).zip(&events).filter_map(fits).collect()
    };
    let config = ProptestConfig { cases: 12, ..ProptestConfig::default() };
    proptest!(config, |(text in terms, limit in 20_usize..400)| {
        let search = search(&text);
        for (engine, open) in [(&opened, true), (&closed, false)] {
            if search.needs_contents() && !open {
                prop_assert!(runtime.block_on(engine.count(&tenant(), &search)).is_err());
                continue;
            }
            let expected = found(&search, open);
            let count = runtime.block_on(engine.count(&tenant(), &search)).unwrap();
            prop_assert_eq!(count, expected.len() as u64, "{}", &text);
            let counts = runtime.block_on(engine.counts(&tenant(), &search, &CountBy::default())).unwrap();
            prop_assert_eq!(counts.total.events, expected.len() as u64, "{}", &text);
            let (mut newest, mut before) = (Vec::new(), None);
            loop {
                let page = runtime.block_on(engine.newest(&tenant(), &search, before, limit)).unwrap();
                prop_assert!(page.rows.len() <= limit);
                newest.extend(indexes(&page.rows));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            newest.reverse();
            prop_assert_eq!(&newest, &expected, "{} newest, opened {}", &text, open);
            let (mut oldest, mut after) = (Vec::new(), None);
            loop {
                let page = runtime.block_on(engine.oldest(&tenant(), &search, after, limit)).unwrap();
                oldest.extend(indexes(&page.rows));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(&oldest, &expected, "{} oldest, opened {}", &text, open);
        }
    });
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

/// Several at once are what they are one by one.
#[tokio::test]
async fn looks_up_several_calls_at_once() {
    let ids = ["req_98", "req_7", "nowhere", "req_0", "req_149"].map(str::to_owned);
    for shape in SHAPES {
        let (view, _dir) = view(shape, &Limits::default());
        let mut one_by_one = Vec::new();
        for id in &ids {
            one_by_one.extend(indexes(&equal(&view, "request_id", id, 9).await.unwrap()));
        }
        one_by_one.sort_unstable();
        let together = of_calls(&view, &ids, 9).await.unwrap();
        assert_eq!(indexes(&together), one_by_one, "{shape:?}");
        let all: Vec<u64> = (0..EVENTS).collect();
        let fit = matching(&view, &search("user:alice"), &all).await.unwrap();
        let some: Vec<u64> = fit.iter().copied().filter(|index| index % 2 == 1).collect();
        assert!(!some.is_empty());
        let asked: Vec<u64> = (0..EVENTS + 9).rev().filter(|index| index % 2 == 1).collect();
        assert_eq!(matching(&view, &search("user:alice"), &asked).await.unwrap(), some, "{shape:?}");
    }
    // What does not fit an answer is asked for in smaller pieces; of one call comes what fits.
    let (view, _dir) = view(Shape::Mixed, &Limits { bytes: 500, ..Limits::default() });
    assert_eq!(of_calls(&view, &ids, 9).await.unwrap_err().code(), "too_large");
    assert_eq!(indexes(&of_calls(&view, &["req_1".to_owned()], 9).await.unwrap()), [2]);
}

#[tokio::test]
async fn of_a_call_the_gateways_word_is_not_left_out() {
    for shape in SHAPES {
        let (view, _dir) = view(shape, &Limits::default());
        // A hook says the first of them, the gateway the second.
        assert_eq!(indexes(&call(&view, "req_1", 2).await.unwrap()), [2, 3], "{shape:?}");
        assert_eq!(indexes(&call(&view, "req_1", 1).await.unwrap()), [3], "{shape:?}");
        let calls = ["req_1", "req_31", "no such"].map(str::to_owned);
        assert_eq!(indexes(&of_calls(&view, &calls, 1).await.unwrap()), [3, 63], "{shape:?}");
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
        let ranges =
            view.candidates(search(text).predicate(Contents::Closed).as_ref(), &(0..EVENTS)).unwrap();
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
