//! Findings are events, each once; people judge them, each word an event.

use greffier_event::{Tenant, Timestamp};
use greffier_query::{Asked, Severity, Watch};

use super::*;
use crate::testing::now;
use crate::{Beat, Recorder, Untold};

/// Six denials of an agent, as its own software tells them.
async fn deny(world: &World, agent: &str) {
    let line = |n: usize| {
        let id = format!(
            "00000000-0000-4000-8{:0>3}-{n:012}",
            agent.len() * 100 + usize::from(agent.as_bytes()[0])
        );
        format!(
            r#"{{"id":"{id}","time":"{NOW}","type":"permission.denied","agent":{{"id":"{agent}"}},"action":{{"name":"x"}}}}"#
        )
    };
    let lines: Vec<String> = (0..6).map(line).collect();
    let answer =
        world.post("operator@acme", "/api/v1/events", "application/x-ndjson", &lines.join("\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A recorder that has seen nothing yet, as after a start.
fn recorder(world: &World) -> Recorder {
    let engine = world.api.engine().clone();
    Recorder::new(engine.clone(), Watch::new(engine), world.appender(), "gw-1")
}

fn raised(world: &World) -> Vec<Value> {
    let is = |event: &Value| event["action"]["name"] == "finding:raise";
    world.trail("acme").into_iter().filter(is).collect()
}

async fn listed(world: &World) -> Vec<Value> {
    world.get("auditor@acme", "/api/v1/findings").await.json()["findings"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_is_recorded_once() {
    let world = World::new().await;
    deny(&world, "etl").await;
    let watching = recorder(&world);
    for _ in 0..3 {
        watching.look(&now, &mut Beat::default()).await.unwrap();
    }
    // A start sees what is on record.
    recorder(&world).look(&now, &mut Beat::default()).await.unwrap();
    let events = raised(&world);
    assert_eq!(events.len(), 1, "{events:?}");
    let finding = listed(&world).await.remove(0);
    let place = format!("audit://acme/findings/permission_issues/{}", finding["id"].as_str().unwrap());
    assert_eq!(events[0]["resource"]["uri"], Value::from(place));
    assert_eq!((&finding["recorded"], &finding["state"]), (&6.into(), &"new".into()));
    deny(&world, "crm").await;
    watching.look(&now, &mut Beat::default()).await.unwrap();
    assert_eq!(raised(&world).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_recorded_later() {
    let mut world = World::new().await;
    deny(&world, "etl").await;
    let watching = recorder(&world);
    world.stop_recording();
    assert!(watching.look(&now, &mut Beat::default()).await.is_err());
}

/// The heartbeats on the node's trail: how they ended, and what they tell.
async fn heartbeats(world: &World) -> Vec<String> {
    let reader = world.api.engine().reader().clone();
    let mut told = Vec::new();
    let is = |event: &Value| event["action"]["name"] == "finding:heartbeat";
    for (index, event) in (0..).zip(world.trail("greffier")).filter(|(_, event)| is(event)) {
        let found = reader.entry(&Tenant::node(), index).unwrap().unwrap();
        let part = found.open_parts(world.appender().keys()).unwrap().remove(0);
        let error = event["outcome"]["error"].as_str().unwrap_or("-");
        let part = String::from_utf8(part.content).unwrap();
        let (kind, uri) = (event["type"].as_str().unwrap(), event["resource"]["uri"].as_str().unwrap());
        told.push(format!("{kind} {error} {uri} {part}"));
    }
    told
}

#[tokio::test]
async fn it_says_in_each_hour_that_it_looked() {
    let world = World::new().await;
    deny(&world, "etl").await;
    let watching = recorder(&world);
    let mut beat = Beat::default();
    let at = |minutes: i64| move || Timestamp::from_micros(now().as_micros() + minutes * 60_000_000);
    // 14:32, 14:50, 15:10, 15:59, 18:00.
    for minutes in [0, 18, 38, 87, 208] {
        watching.look(&at(minutes), &mut beat).await.unwrap();
    }
    insta::assert_snapshot!(heartbeats(&world).await.join("\n"), @r#"
    action.executed - audit://greffier/findings {"looked_at":{"acme":6},"recorded":1,"left_out":0,"failed":0}
    action.executed - audit://greffier/findings {"looked_at":{"acme":7,"greffier":1},"recorded":0,"left_out":0,"failed":0}
    action.executed - audit://greffier/findings {"looked_at":{"acme":7,"greffier":2},"recorded":0,"left_out":0,"failed":0}
    "#);
}

#[tokio::test]
async fn a_look_that_failed_is_told_once_recording_works_again() {
    let mut world = World::new().await;
    deny(&world, "etl").await;
    let watching = recorder(&world);
    world.stop_recording();
    let mut beat = Beat::default();
    assert!(watching.look(&now, &mut beat).await.is_err());
    drop(watching);
    let world = world.restarted().await;
    recorder(&world).look(&now, &mut beat).await.unwrap();
    insta::assert_snapshot!(heartbeats(&world).await.join("\n"), @r#"action.failed looking_failed audit://greffier/findings {"looked_at":{"acme":6},"recorded":1,"left_out":0,"failed":1}"#);
}

#[tokio::test]
async fn what_nobody_was_told_is_on_record_and_how_far_they_are_is_said() {
    let world = World::new().await;
    deny(&world, "etl").await;
    let watching = recorder(&world);
    watching.look(&now, &mut Beat::default()).await.unwrap();
    let receivers = world.api.receivers();
    receivers.add("soc", Severity::Low);
    receivers.add("pager", Severity::High);
    receivers.fails("soc", now(), "no connection");
    let acme = Tenant::new("acme").unwrap();
    receivers.comes_to("pager", &acme, world.trail("acme").len() as u64);
    let told = async || {
        let answer = world.get("auditor@acme", "/api/v1/findings").await.json();
        answer["receivers"].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told().await, @r#"
    {"name":"pager","waiting":0}
    {"name":"soc","waiting":1,"failing_since":"2026-03-06T14:32:07.891000Z","reason":"no connection"}
    "#);
    let finding = world.api.watch().findings(&acme, &Asked::default()).await.unwrap().findings.remove(0);
    let reason = "no connection".to_owned();
    let untold = Untold { receiver: "soc".to_owned(), error: "receiver_unreachable", reason, tries: 7 };
    watching.untold(&acme, &finding, &untold, now()).await.unwrap();
    let event = world.trail("acme").pop().unwrap();
    let place = format!("audit://acme/findings/permission_issues/{}", finding.id);
    assert_eq!(
        (&event["action"]["name"], &event["type"]),
        (&"finding:untold".into(), &"action.failed".into())
    );
    assert_eq!(
        (&event["resource"]["uri"], &event["outcome"]["error"]),
        (&place.into(), &untold.error.into())
    );
    // It is no word on the finding, and no finding of its own.
    watching.look(&now, &mut Beat::default()).await.unwrap();
    assert_eq!((raised(&world).len(), listed(&world).await[0]["state"].as_str()), (1, Some("new")));
}

#[tokio::test]
async fn people_judge_with_a_reason() {
    let world = World::new().await;
    deny(&world, "etl").await;
    let id = listed(&world).await[0]["id"].as_str().unwrap().to_owned();
    let say = async |who: &str, word: &str, body: &str| {
        let path = format!("/api/v1/findings/{word}");
        world.post(who, &path, "application/json", body).await
    };
    let reason = r#"{"reason":"a load test"}"#;
    assert_eq!(say("auditor@acme", &format!("{id}/mute"), reason).await.status, 403);
    assert_eq!(say("operator@other", &format!("{id}/mute"), reason).await.status, 404);
    assert_eq!(say("operator@acme", &format!("{id}/mute"), r#"{"reason":" "}"#).await.status, 400);
    assert_eq!(say("operator@acme", "7/mute", reason).await.status, 404);
    assert_eq!(listed(&world).await[0]["state"], "new");
    for (word, state) in [("mute", "muted"), ("unmute", "new"), ("acknowledge", "acknowledged")] {
        let answer = say("operator@acme", &format!("{id}/{word}"), reason).await;
        assert_eq!((answer.status, &answer.json()["state"]), (200, &state.into()), "{}", answer.text());
        assert_eq!(listed(&world).await[0]["state"], state);
        let said = format!("finding:{word}");
        let is =
            |event: &Value| event["action"]["name"] == said.as_str() && event["type"] == "action.executed";
        let event = world.trail("acme").into_iter().find(is).unwrap();
        assert_eq!(event["user"]["sub"], "auth0|operator");
        assert_eq!(event["parts"][0]["name"], "parameters");
    }
}
