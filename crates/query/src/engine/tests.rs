use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use greffier_event::Event;

use super::*;
use crate::search::Contents;
use crate::testing::{Place, event, now, tenant};
use crate::{Asked, Watch};

/// Joins every event with every other, thrice: long enough to be stopped.
const HEAVY: &str = "SELECT count(a.index + b.index + c.index + d.index) FROM events a JOIN events b ON a.tenant = b.tenant \
                     JOIN events c ON a.tenant = c.tenant JOIN events d ON a.tenant = d.tenant";

async fn place(limits: Limits) -> (Place, Engine) {
    let place = Place::start().await;
    place.append(&(0..120).map(event).collect::<Vec<Event>>()).await;
    let engine = Engine::new(place.ledger.reader(), limits).unwrap();
    (place, engine)
}

#[tokio::test]
async fn answers_about_one_trail() {
    let (place, engine) = place(Limits::default()).await;
    let search = |text: &str| Search::parse(text, now()).unwrap();
    let all = search("");
    let page = engine.newest(&tenant(), &all, None, 2).await.unwrap();
    let indexes: Vec<u64> = page.rows.iter().map(|row| row.index).collect();
    assert_eq!((indexes, page.next, page.size), (vec![119, 118], Some(118), 120));
    assert_eq!(engine.count(&tenant(), &search("user:alice")).await.unwrap(), 12);
    let found = engine.event(&tenant(), event(7).id).await.unwrap().unwrap();
    assert_eq!((found.index, found.event().unwrap().id), (7, event(7).id));
    assert_eq!(engine.call(&tenant(), "req_5").await.unwrap().len(), 2);
    assert_eq!(engine.session(&tenant(), "session 1").await.unwrap().len(), 10);
    let table = engine.sql(&tenant(), "SELECT count(*) AS n FROM events").await.unwrap();
    assert_eq!(serde_json::json!(table.rows().unwrap()).to_string(), r#"[{"n":120}]"#);
    // Another tenant sees its own trail: an empty one.
    let other = Tenant::new("zeta").unwrap();
    assert_eq!(engine.newest(&other, &all, None, 5).await.unwrap().rows, []);
    assert_eq!(engine.event(&other, event(7).id).await.unwrap(), None);
    let table = engine.sql(&other, "SELECT * FROM events").await.unwrap();
    assert!(table.rows().unwrap().is_empty() && table.columns().contains(&"entry".to_owned()));
    drop(place);
}

/// What is asked again and again while events are appended and sealed, each answer held against what was acknowledged
/// before the question and what had been submitted after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_or_doubled_at_the_border_of_hot_and_sealed() {
    const SEGMENTS: usize = 4;
    let place = Arc::new(Place::sealing(16).await);
    let engine = Engine::new(place.ledger.reader(), Limits::default()).unwrap();
    // Acknowledged, and submitted; the difference is one batch.
    let (acknowledged, submitted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = Arc::new(AtomicUsize::new(0));
    let writer = {
        let (place, acknowledged, submitted, stop) =
            (Arc::clone(&place), Arc::clone(&acknowledged), Arc::clone(&submitted), Arc::clone(&stop));
        tokio::spawn(async move {
            for n in (0..20_000).step_by(5) {
                if stop.load(Ordering::SeqCst) > 0 {
                    return;
                }
                submitted.store(n + 5, Ordering::SeqCst);
                place.append(&(n..n + 5).map(|n| event(n as u64)).collect::<Vec<_>>()).await;
                acknowledged.store(n + 5, Ordering::SeqCst);
            }
        })
    };
    let search = |text: &str| Search::parse(text, now()).unwrap();
    let sealed = async || {
        let reader = place.ledger.reader();
        let snapshot =
            tokio::task::spawn_blocking(move || reader.snapshot(&tenant()).unwrap()).await.unwrap();
        (snapshot.segments.len(), snapshot.segments.last().map_or(0, |segment| segment.end), snapshot.size)
    };
    let (mut rounds, mut across) = (0, 0);
    loop {
        let least = acknowledged.load(Ordering::SeqCst) as u64;
        let statement = "SELECT count(*) AS n, count(DISTINCT id) AS ids, count(DISTINCT index) AS places, \
                         coalesce(sum(index), 0) AS sum, coalesce(max(index) + 1, 0) AS size FROM events";
        let table = engine.sql(&tenant(), statement).await.unwrap();
        let most = || submitted.load(Ordering::SeqCst) as u64;
        let row = serde_json::json!(table.rows().unwrap())[0].clone();
        let n = row["n"].as_u64().unwrap();
        assert!(least <= n && n <= most(), "{least} <= {n} <= {}", most());
        let sum = n * n.saturating_sub(1) / 2;
        assert_eq!(row, serde_json::json!({"n": n, "ids": n, "places": n, "sum": sum, "size": n}));

        let least = acknowledged.load(Ordering::SeqCst) as u64;
        let page = engine.oldest(&tenant(), &search("has:type"), None, 100_000).await.unwrap();
        let indexes: Vec<u64> = page.rows.iter().map(|row| row.index).collect();
        assert!(least <= page.size && page.size <= most());
        assert!(indexes.iter().copied().eq(0..page.size.min(10_000)), "{} of {}", indexes.len(), page.size);

        let least = acknowledged.load(Ordering::SeqCst) as u64;
        let by = CountBy { fields: vec![crate::FacetField::parse("type").unwrap()], limit: 100, per: None };
        let counts = engine.counts(&tenant(), &search(""), &by).await.unwrap();
        assert!(least <= counts.size && counts.total.events == counts.size);
        let parts = counts.facets[0].values.iter().map(|(_, count)| count.events).sum::<u64>();
        assert_eq!(parts, counts.size);

        // The last one that is acknowledged, by its id, wherever it is by now.
        if let Some(last) = (acknowledged.load(Ordering::SeqCst) as u64).checked_sub(1) {
            assert_eq!(
                engine.event(&tenant(), event(last).id).await.unwrap().map(|row| row.index),
                Some(last)
            );
        }
        let (segments, border, size) = sealed().await;
        rounds += 1;
        across += usize::from(0 < border && border < size);
        if segments >= SEGMENTS || writer.is_finished() {
            assert!(segments >= SEGMENTS, "only {segments} segments of {size} entries");
            break;
        }
    }
    stop.store(1, Ordering::SeqCst);
    writer.await.unwrap();
    assert!(across > 0, "no question of {rounds} rounds had the border in its middle");
}

#[tokio::test]
async fn a_new_event_is_there_for_the_next_question() {
    let (place, engine) = place(Limits::default()).await;
    place.append(&[event(500)]).await;
    assert!(engine.event(&tenant(), event(500).id).await.unwrap().is_some());
}

#[tokio::test]
async fn analyses_choose_their_events() {
    let (_place, engine) = place(Limits::default()).await;
    let (since, until) = ("2026-03-01T12:00:00Z".parse().unwrap(), "2026-03-02T00:00:00Z".parse().unwrap());
    let subject = Subject::Agent("crm-assistant".to_owned());
    let activity = engine.activity(&tenant(), subject, Some(since), Some(until)).await.unwrap();
    let inside = (0..120).map(event).filter(|event| since <= event.time && event.time < until);
    let own =
        inside.clone().filter(|event| event.agent.as_ref().is_some_and(|agent| agent.id == "crm-assistant"));
    assert_eq!(activity.total_events, own.count() as u64);
    let report = engine.report(&tenant(), since, until).await.unwrap();
    assert_eq!(report.total_events, inside.count() as u64);
    assert!(report.total_events > activity.total_events && activity.total_events > 0);
}

#[tokio::test]
async fn a_watch_sees_what_is_added() {
    let (place, engine) = place(Limits::default()).await;
    let watch = Watch::new(engine);
    let first = watch.findings(&tenant(), &Asked::default()).await.unwrap();
    assert_eq!((first.looked_at, first.left_out), (120, 0));
    place.append(&(200..260).map(event).collect::<Vec<Event>>()).await;
    let then = watch.findings(&tenant(), &Asked::default()).await.unwrap();
    assert_eq!(then.looked_at, 180);
    // Whoever looks for the first time finds the same.
    let anew = Watch::new(watch.engine().clone());
    assert_eq!(anew.findings(&tenant(), &Asked::default()).await.unwrap(), then);
    assert!(then.findings.len() > first.findings.len());
    let nobody = Asked { agent: Some("nobody".to_owned()), ..Asked::default() };
    assert_eq!(watch.findings(&tenant(), &nobody).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_question_has_its_time() {
    let (_place, engine) = place(Limits { time: Duration::from_millis(300), ..Limits::default() }).await;
    let error = engine.sql(&tenant(), HEAVY).await.unwrap_err();
    insta::assert_snapshot!(error, @"no answer within 0.3 s: narrow the question, by `since:` for example");
    assert_eq!(error.code(), "timeout");
}

#[tokio::test]
async fn a_dropped_question_gives_its_place_back() {
    let (_place, engine) = place(Limits { concurrent: 1, ..Limits::default() }).await;
    let heavy = tokio::time::timeout(Duration::from_millis(200), engine.sql(&tenant(), HEAVY)).await;
    assert!(heavy.is_err(), "it was not heavy enough");
    let (tenant, all) = (tenant(), Search::default());
    assert_eq!(engine.count(&tenant, &all).await.unwrap(), 120);
    let light = tokio::time::timeout(Duration::from_secs(20), engine.sql(&tenant, "SELECT 1")).await;
    assert!(light.expect("the place was not given back").is_ok());
}

#[tokio::test]
async fn only_so_many_wait() {
    let (_place, engine) = place(Limits { concurrent: 1, ..Limits::default() }).await;
    let all = (0..30).map(|_| async { engine.sql(&tenant(), "SELECT 1").await.map(|_| ()) });
    let answers = join_all(all).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(QueryError::Busy))).count();
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((answered, busy), (1 + lane::WAITING, 30 - 1 - lane::WAITING));
}

/// An engine may be dropped where blocking is forbidden, with a question under way.
#[tokio::test]
async fn an_engine_is_dropped_without_waiting() {
    let (_place, engine) = place(Limits::default()).await;
    let heavy = tokio::time::timeout(Duration::from_millis(100), engine.sql(&tenant(), HEAVY)).await;
    assert!(heavy.is_err());
    drop(engine);
}

/// Filters held in memory say of nearly every other segment that it does not have what is looked for.
#[tokio::test]
async fn a_look_up_leaves_other_segments_alone() {
    let place = Place::sealing(16).await;
    let size = place.append_until_sealed(0).await;
    let engine = Engine::new(place.ledger.reader(), Limits::default()).unwrap();
    let question = |view: Arc<View>, text: &'static str| async move {
        let predicate = Search::parse(text, now()).unwrap().predicate(Contents::Closed);
        let all = 0..view.size();
        let sealed = view.table.snapshot().segments.last().unwrap().end;
        let narrowed = view.narrowed(predicate.as_ref(), &all).await?;
        Ok((sealed, narrowed.iter().filter(|range| range.start < sealed).cloned().collect::<Vec<_>>()))
    };
    let asked = async |text| engine.ask(|shared| &shared.own, &tenant(), text, question).await.unwrap();
    let (sealed, found) = asked("request:req_3").await;
    assert!(found.iter().any(|range| range.contains(&6)) && sealed <= size);
    let (_, nowhere) = asked("request:nowhere").await;
    assert!(nowhere.is_empty(), "{nowhere:?}");
    assert_eq!(engine.call(&tenant(), "req_3").await.unwrap().len(), 2);
    assert_eq!(engine.call(&tenant(), "nowhere").await.unwrap(), []);
}

/// The ledger may put another file in a segment's place between the snapshot and the reading of it.
#[tokio::test]
async fn a_superseded_segment_is_looked_for_once_more() {
    let place = Place::sealing(16).await;
    let size = place.append_until_sealed(0).await;
    let engine = Engine::new(place.ledger.reader(), Limits::default()).unwrap();
    let question = |view: Arc<View>, asked: Arc<AtomicUsize>| async move {
        let all = Search::parse("has:type", now()).unwrap();
        let path = view.table.snapshot().segments[0].path.clone();
        let away = path.with_extension("away");
        if asked.fetch_add(1, Ordering::Relaxed) > 0 {
            return find::count(&view, &all).await;
        }
        std::fs::rename(&path, &away).unwrap();
        let failed = find::count(&view, &all).await;
        std::fs::rename(&away, &path).unwrap();
        failed
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let count = engine.ask(|shared| &shared.own, &tenant(), Arc::clone(&asked), question).await.unwrap();
    assert_eq!((count, asked.load(Ordering::Relaxed)), (size, 2));
}

/// Whatever is asked of sealed segments with and without their indexes: same answers, and fewer rows read for them.
#[test]
fn an_index_changes_no_answer() {
    const EVENTS: u64 = 700;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = runtime.block_on(async {
        let place = Place::sealing(256).await;
        place.append(&(0..EVENTS).map(event).collect::<Vec<Event>>()).await;
        place
    });
    let reader = place.ledger.reader();
    while reader.snapshot(&tenant()).unwrap().segments.len() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Of what is indexed one segment lacks its index, and the log has none.
    let engine = Engine::new(reader.clone(), Limits { rows: 1_000, ..Limits::default() }).unwrap();
    let ask = |text: &str| {
        let search = Search::parse(text, now()).unwrap();
        let found = runtime.block_on(engine.oldest(&tenant(), &search, None, 1_000)).unwrap();
        let indexes: Vec<u64> = found.rows.iter().map(|row| row.index).collect();
        (indexes, runtime.block_on(engine.count(&tenant(), &search)).unwrap())
    };
    let sql = |filter: &str| {
        let statement = format!("SELECT index FROM events WHERE {filter} ORDER BY index");
        let table = runtime.block_on(engine.sql(&tenant(), &statement)).unwrap();
        table.rows().unwrap()
    };
    let texts: Vec<String> =
        (0..EVENTS).step_by(9).map(|n| String::from_utf8(event(n).canonical().unwrap()).unwrap()).collect();
    let strategy = (0..texts.len(), 0..1_000_usize, 1..14_usize, 0..3_u8, crate::search::tests::terms());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases: Vec<(String, String)> = (0..60)
        .map(|_| {
            use proptest::strategy::{Strategy, ValueTree};
            let (text, from, length, case, terms) = strategy.new_tree(&mut runner).unwrap().current();
            let text = &texts[text];
            let piece: String = text.chars().skip(from % text.chars().count()).take(length).collect();
            let piece = match case {
                0 => piece,
                1 => piece.to_uppercase(),
                _ => piece.to_lowercase(),
            };
            let quoted = piece.replace('\'', "''");
            let escaped = quoted.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
            let filter = match length % 5 {
                0 => format!("entry LIKE '%{escaped}%'"),
                1 => format!("contains(entry, '{quoted}') OR resource_uri LIKE '%{escaped}%'"),
                2 => format!("entry NOT LIKE '%{escaped}%'"),
                3 => format!("strpos(lower(entry), lower('{quoted}')) > 0 AND reason ILIKE '%RULE%'"),
                _ => format!("entry ILIKE '%{escaped}%'"),
            };
            (terms, filter)
        })
        .collect();
    let answers = || cases.iter().map(|(terms, filter)| (ask(terms), sql(filter))).collect::<Vec<_>>();
    let before = answers();
    let mut indexer = greffier_ledger::Indexer::new(reader);
    let made = indexer.pass(|_| std::ops::ControlFlow::Break(())).unwrap().made;
    assert_eq!((made, answers() == before), (1, true));
    assert_eq!(indexer.pass(|_| std::ops::ControlFlow::Continue(())).unwrap().of, 2);
    for ((case, before), after) in cases.iter().zip(before).zip(answers()) {
        assert_eq!(before, after, "{case:?}");
    }
    let question = |view: Arc<View>, text: &'static str| async move {
        let predicate = Search::parse(text, now()).unwrap().predicate(Contents::Closed);
        let narrowed = view.narrowed(predicate.as_ref(), &(0..512)).await?;
        Ok(narrowed.iter().map(|range| range.end - range.start).sum::<u64>())
    };
    let rows = |text| runtime.block_on(engine.ask(|shared| &shared.own, &tenant(), text, question)).unwrap();
    // They stand from entry 390 on, in three blocks of sixteen.
    assert_eq!((ask("\"ESSION 13\"").1, rows("\"ESSION 13\"")), (10, 48));
    assert_eq!((rows("session:*ssion*"), rows("nowhere")), (512, 0));
    drop(engine);
}
