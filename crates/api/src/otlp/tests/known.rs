//! What is on record in other words is not recorded again.

use greffier_event::{
    Action, ActionKind, Attempt, Draft, Event, EventType, Outcome, OutcomeStatus, Source, Timestamp, Usage,
};
use serde_json::{Value, json};

use super::{LOGS, TRACES, check, span, traces};
use crate::testing::{World, now, tenant};
use crate::visit::event_id;

/// What the gateway records of a call that it let through, ending half a second after the tests' first span began.
async fn governed(world: &World, response: &str, request: &str, tokens: u64) {
    let time = Timestamp::from_micros(1_772_807_400_500_000);
    let mut event = Event::new(event_id(now()), EventType::ActionExecuted, tenant("acme"), time);
    event.recorded_at = Some(now());
    event.request_id = Some(format!("req_{response}"));
    event.session_id = Some("s-1".to_owned());
    let call_id = Some(response.to_owned());
    event.action =
        Some(Action { call_id, kind: Some(ActionKind::Llm), name: "chat".to_owned(), ..Action::default() });
    event.usage = Some(Usage { input_tokens: Some(800), output_tokens: Some(tokens), ..Usage::default() });
    event.outcome = Some(Outcome {
        attempts: vec![Attempt { code: Some(200), upstream_request_id: Some(request.to_owned()) }],
        code: Some(200),
        duration_us: Some(400_000),
        error: None,
        status: OutcomeStatus::Success,
    });
    event.source = Some(Source { channel: "gateway".to_owned(), ..Source::default() });
    world.appender().append(Draft { event, parts: Vec::new() }).await.unwrap();
}

fn chat(at: u64, response: &str, tokens: u64) -> Value {
    span(
        at,
        &json!({
            "gen_ai.operation.name": "chat", "gen_ai.response.id": response, "gen_ai.usage.output_tokens": tokens,
        }),
    )
}

#[tokio::test]
async fn the_gateway_saw_it_pass() {
    let world = World::new().await;
    governed(&world, "chatcmpl-1", "req_011A", 7).await;
    insta::assert_snapshot!(check(&world, TRACES, &traces(&[chat(0, "chatcmpl-1", 7)])).await, @"200 {} recorded=0, repeated=0, known=1, ignored=0, rejected=0");
    // Other tokens, another time, another id: another call.
    let others = traces(&[chat(1, "chatcmpl-1", 8), chat(500, "chatcmpl-1", 7), chat(2, "chatcmpl-2", 7)]);
    insta::assert_snapshot!(check(&world, TRACES, &others).await, @"200 {} recorded=3, repeated=0, known=0, ignored=0, rejected=0");
    assert_eq!(world.trail("acme").len(), 4);
}

#[tokio::test]
async fn a_coding_agent_names_the_request() {
    let world = World::new().await;
    governed(&world, "msg_1", "req_011A", 30).await;
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let record = |request: &str| {
        json!({
            "timeUnixNano": "1772807400600000000", "body": { "stringValue": "claude_code.api_request" },
            "attributes": [attribute("session.id", "s-1"), attribute("request_id", request),
                attribute("output_tokens", "30"), attribute("duration_ms", "500"), attribute("model", "claude")],
        })
    };
    let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record("req_011A"), record("req_011B")] }] }] });
    insta::assert_snapshot!(check(&world, LOGS, &body).await, @"200 {} recorded=1, repeated=0, known=1, ignored=0, rejected=0");
}

#[tokio::test]
async fn a_coding_agent_names_neither() {
    let world = World::new().await;
    governed(&world, "resp_1", "req_1", 200).await;
    let record = |session: &str, tokens: &str| {
        let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        json!({
            "timeUnixNano": "1772807400600000000",
            "attributes": [attribute("event.name", "codex.sse_event"), attribute("event.kind", "response.completed"),
                attribute("conversation.id", session), attribute("input_token_count", "800"),
                attribute("output_token_count", tokens)],
        })
    };
    let records = [record("s-1", "200"), record("s-1", "201"), record("s-2", "200")];
    let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    insta::assert_snapshot!(check(&world, LOGS, &body).await, @"200 {} recorded=2, repeated=0, known=1, ignored=0, rejected=0");
}

#[tokio::test]
async fn two_spans_of_one_response_count_once() {
    let world = World::new().await;
    // An SDK's own span and an instrumentation's around it, in one request and in two.
    let both = traces(&[chat(0, "msg_1", 3), chat(1, "msg_1", 3)]);
    insta::assert_snapshot!(check(&world, TRACES, &both).await, @"200 {} recorded=1, repeated=0, known=1, ignored=0, rejected=0");
    insta::assert_snapshot!(check(&world, TRACES, &traces(&[chat(2, "msg_1", 3)])).await, @"200 {} recorded=0, repeated=0, known=1, ignored=0, rejected=0");
    // All of it again: the first is a repetition, the others are known.
    insta::assert_snapshot!(check(&world, TRACES, &both).await, @"200 {} recorded=0, repeated=1, known=1, ignored=0, rejected=0");
    assert_eq!(world.trail("acme").len(), 1);
}

#[tokio::test]
async fn a_coding_agents_events_and_traces_tell_one_tool_call() {
    let world = World::new().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/otlp");
    let payload =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let (logs, spans) = (payload("claude-code.logs.json"), payload("claude-code.traces.json"));
    let first = check(&world, LOGS, &logs).await;
    assert!(first.starts_with("200 {} recorded=13, repeated=0, known=0, ignored=1,"), "{first}");
    // The request, the tool's end and the decision about it are known; the beginnings are news.
    insta::assert_snapshot!(check(&world, TRACES, &spans).await, @"200 {} recorded=3, repeated=0, known=1, ignored=3, rejected=0");
    let usage: u64 =
        world.trail("acme").iter().filter_map(|event| event["usage"]["output_tokens"].as_u64()).sum();
    assert_eq!(usage, 30);
}
