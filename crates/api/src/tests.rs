//! Tests of the read API: what is answered, what is on record, and who never gets in.

use http::Method;
use serde_json::Value;

use crate::route::{ROUTES, Who};
use crate::testing::{NOW, World, masked, principal};

mod exports;
mod findings;
mod isolation;
mod reads;
mod recorded;
mod reports;
mod streams;
mod uploads;

/// The id of the first event of [`filled`].
const EVENT: &str = "00000000-0000-4000-8000-000000000001";

/// A governed call of a session, its outcome, and an import, on the trail of a tenant.
async fn filled(tenant: &str) -> World {
    let world = World::new().await;
    fill(&world, tenant).await;
    world
}

async fn fill(world: &World, tenant: &str) {
    let shared = r#""agent":{"id":"crm-assistant","verified":true},"action":{"name":"crm:contacts:search","kind":"tool"},"request_id":"req_7","session_id":"chat-1","user":{"sub":"auth0|alice","roles":["analyst"],"verified":true},"source":{"channel":"gateway","node":"gw-1"},"v":1"#;
    let events = [
        (
            EVENT,
            r#""type":"action.approved","policy":{"decision":"allow","rule":"role:analyst grants crm"}"#,
            "parameters",
            r#"{"q":"open orders"}"#,
        ),
        (
            "00000000-0000-4000-8000-000000000002",
            r#""type":"action.executed","outcome":{"status":"success","code":200,"duration_us":1500}"#,
            "result",
            r#"{"rows":3}"#,
        ),
    ];
    for (id, own, part, content) in events {
        let text = format!(
            r#"{{"id":"{id}","tenant":"{tenant}","time":"{NOW}","recorded_at":"{NOW}",{shared},{own}}}"#
        );
        let event = serde_json::from_str(&text).unwrap();
        let part = greffier_event::Part {
            name: part.to_owned(),
            media: "application/json".to_owned(),
            content: content.as_bytes().to_vec(),
        };
        world.appender().append(greffier_event::Draft { event, parts: vec![part] }).await.unwrap();
    }
    let import = r#"{"event_id":"00000000-0000-4000-8000-000000000003","timestamp":"2026-03-01T09:00:00Z","event_type":"tool.call","agent_id":"legacy","session_id":"chat-1","action":"lookup","parameters":{"n":1.50}}"#;
    let answer = world.post(&format!("analyst@{tenant}"), "/api/v1/events?channel=import", "", import).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Status and body of an answer to an auditor.
async fn check(world: &World, path: &str) -> String {
    world.get("auditor@acme", path).await.shown()
}
