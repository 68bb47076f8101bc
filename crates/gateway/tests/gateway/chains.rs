//! A client that sends nothing, through the whole gateway: its calls stand together on the record, and the text that
//! links them is the one it got, behind all inspection.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a module of one test binary"
)]

use crate::harness::{Ask, Harness, Upstream};
use greffier_event::SessionLink;
use serde_json::json;

const SSN: &str = "536-90-4399";

/// What the model says: a value that the caller gets redacted, and a wish for a tool.
fn said(ssn: &str) -> serde_json::Value {
    let function = json!({"name": "find_patient", "arguments": "{\"patient_id\":\"p-17\"}"});
    json!({
        "role": "assistant", "content": format!("Of {ssn}: let me look."),
        "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}],
    })
}

fn events() -> Vec<String> {
    let chunk = |delta: serde_json::Value, end: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": end});
        format!("data: {}\n\n", json!({"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": [choice]}))
    };
    let said = said(SSN);
    let mut events: Vec<String> =
        said["content"].as_str().unwrap().chars().map(|c| chunk(json!({"content": c}), None)).collect();
    events.push(chunk(json!({"tool_calls": said["tool_calls"]}), None));
    events.push(chunk(json!({}), Some("tool_calls")));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// Asks, calls the tool, and goes on twice: with the result, and with nothing but words. What the record says of each.
async fn check(upstream: Upstream, stream: bool) -> Vec<String> {
    let harness = Harness::start(upstream).await;
    let chat = |turns: &[serde_json::Value]| {
        let body = json!({"model": "gpt-4o-mini", "stream": stream, "messages": turns});
        Ask::post("/v1/chat/completions", &body.to_string())
    };
    let user = |text: &str| json!({"role": "user", "content": text});
    let got = said("<US_SSN>");
    let words = json!({"role": "assistant", "content": got["content"]});
    let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "found"});
    let mut ids = Vec::new();
    for ask in [
        chat(&[user("Find them.")]),
        Ask::new("GET", "/tools/ehr/patients/p-17", ""),
        chat(&[user("Find them."), got, result]),
        chat(&[user("Find them."), words, user("And now?")]),
        // Another conversation; and a tool call that no model asked for.
        chat(&[user("Hello.")]),
        Ask::new("GET", "/tools/ehr/patients/p-18", ""),
    ] {
        let answer = harness.ask(ask).await;
        assert!(answer.status == 200 && answer.complete, "{}", answer.body);
        ids.push(answer.headers["greffier-request-id"].clone());
    }
    let trail = harness.stop().await;
    let mut sessions: Vec<String> = Vec::new();
    let rows = ids.iter().map(|id| {
        let events = trail.call(id);
        let [decision, outcome] = events.as_slice() else { panic!("{} events", events.len()) };
        assert_eq!(decision.session_id, outcome.session_id);
        assert_eq!(decision.session_link, outcome.session_link);
        let Some(session) = &decision.session_id else { return "none".to_owned() };
        let known = sessions.iter().position(|known| known == session).unwrap_or(sessions.len());
        if known == sessions.len() {
            sessions.push(session.clone());
        }
        format!("{known} {}", decision.session_link.map_or("", SessionLink::as_str))
    });
    let rows = rows.collect();
    trail.verifies();
    rows
}

#[tokio::test]
async fn a_silent_clients_calls_stand_together() {
    let message = json!({"index": 0, "message": said(SSN), "finish_reason": "tool_calls"});
    let reply = json!({"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": [message]}).to_string();
    let whole = check(Upstream::json(200, &reply), false).await;
    insta::assert_debug_snapshot!(whole, @r#"
    [
        "0 inferred:start",
        "0 inferred:tool_call",
        "0 inferred:tool_result",
        "0 inferred:history",
        "1 inferred:start",
        "none",
    ]
    "#);
    assert_eq!(check(Upstream::sse(events()), true).await, whole);
}
