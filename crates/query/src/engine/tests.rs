use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use greffier_event::Event;

use super::*;
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
