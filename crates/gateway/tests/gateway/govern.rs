//! The path of a call, against an upstream in the same process: what goes out, what comes back, what is on record.

use crate::harness::{Ask, Harness, Upstream};
use greffier_event::{EventType, OutcomeStatus, RedactionAction};
use greffier_safety::Rules;

const SSN: &str = "536-90-4399";
const CARD: &str = "4111 1111 1111 1111";

fn chat(text: &str, stream: bool) -> String {
    serde_json::json!({
        "model": "gpt-4o-mini", "stream": stream, "x_unknown": {"b": 1, "a": [1.50]},
        "messages": [{"role": "user", "content": text}],
    })
    .to_string()
}

const REPLY: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18",
"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Call 536-90-4399"}}],
"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;

#[tokio::test]
async fn an_allowed_call_is_redacted_both_ways_and_leaves_two_events() {
    let harness = Harness::start(Upstream::json(200, REPLY)).await;
    let asked = chat(&format!("my ssn is {SSN}, card {CARD}"), false);
    let answer = harness.ask(Ask::post("/v1/chat/completions", &asked)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("Call <US_SSN>"), "{}", answer.body);
    assert!(answer.headers["greffier-receipt"].starts_with("acme "));

    let sent = harness.upstream_saw();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body, asked.replace(SSN, "<US_SSN>").replace(CARD, "<CREDIT_CARD>"));
    assert_eq!(sent[0].headers["authorization"], "Bearer sk-upstream");
    assert!(!format!("{:?}", sent[0]).contains(harness.token()));

    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let events = trail.call(&request_id);
    assert_eq!(events.len(), 2);
    let (decision, outcome) = (&events[0], &events[1]);
    assert_eq!(decision.kind, EventType::ActionApproved);
    assert_eq!(outcome.kind, EventType::ActionExecuted);
    let usage = outcome.usage.as_ref().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(10), Some(5)));
    assert_eq!(usage.cost_micros, Some(5), "10 x 0.15 + 5 x 0.60 per million, rounded");
    assert!(!trail.contains_anywhere(&[SSN, CARD, "sk-upstream", trail.token()]));
    assert!(!trail.any_part_contains(&[SSN, CARD, "sk-upstream", trail.token()]));
    assert!(trail.any_part_contains(&["<US_SSN>"]), "the parts are there and open");
    trail.verifies();
}

#[tokio::test]
async fn a_denied_call_never_leaves() {
    let harness = Harness::start(Upstream::json(200, REPLY)).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hi", false)).role("visitor")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("denied_by_policy"), "{}", answer.body);
    assert!(answer.headers.contains_key("greffier-receipt"));
    assert!(harness.upstream_saw().is_empty());
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let events = trail.call(&request_id);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventType::ActionDenied);
    assert!(events[0].policy.as_ref().unwrap().reason.is_some());
}

#[tokio::test]
async fn a_stranger_is_refused_and_recorded_up_to_a_bound() {
    let harness = Harness::start(Upstream::json(200, REPLY)).await;
    for _ in 0..70 {
        let answer = harness.ask(Ask::post("/v1/messages", "{}").token("not-a-token")).await;
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("authentication_error"), "{}", answer.body);
    }
    assert!(harness.upstream_saw().is_empty());
    let trail = harness.stop().await;
    let denied = trail.of_type(EventType::PermissionDenied);
    // Sixty in full, and one that says how many more there were.
    assert_eq!(denied.len(), 61);
    assert!(denied[60].policy.as_ref().unwrap().reason.as_ref().unwrap().starts_with("10 more refusals"));
}

fn sse(pieces: &[&str]) -> Vec<String> {
    let chunk = |text: &str| {
        let data = serde_json::json!({"id":"c1","object":"chat.completion.chunk","model":"gpt-4o-mini",
            "choices":[{"index":0,"delta":{"content":text},"finish_reason":null}]});
        format!("data: {data}\n\n")
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| chunk(piece)).collect();
    events.push(
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
            .to_owned(),
    );
    events.push(
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
            .to_owned(),
    );
    events
}

#[tokio::test]
async fn a_streamed_reply_is_redacted_across_chunks_and_counted() {
    let mut events = sse(&["it is 536-9", "0-43", "99 indeed"]);
    events.push("data: [DONE]\n\n".to_owned());
    let harness = Harness::start(Upstream::sse(events)).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hi", true))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<US_SSN>"), "{}", answer.body);
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
    assert!(!answer.body.contains("\"usage\":{"), "the caller did not ask for usage: {}", answer.body);
    assert!(harness.upstream_saw()[0].body.contains("include_usage"));
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let outcome = &trail.call(&request_id)[1];
    assert_eq!(outcome.kind, EventType::ActionExecuted);
    assert_eq!(outcome.usage.as_ref().unwrap().input_tokens, Some(7));
    assert_eq!(outcome.content_safety.as_ref().unwrap().redactions[0].entity, "US_SSN");
    assert!(!trail.contains_anywhere(&[SSN]));
    assert!(!trail.any_part_contains(&[SSN]));
}

#[tokio::test]
async fn a_cut_stream_is_seen_as_cut_and_recorded() {
    let harness = Harness::start(Upstream::sse(sse(&["half of"]))).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hi", true))).await;
    assert!(answer.body.contains("stream_cut"), "{}", answer.body);
    assert!(!answer.complete);
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let outcome = trail.call(&request_id)[1].outcome.clone().unwrap();
    assert_eq!((outcome.status, outcome.error.as_deref()), (OutcomeStatus::Failure, Some("stream_cut")));
}

#[tokio::test]
async fn upstream_errors_pass_through_and_are_recorded() {
    let harness =
        Harness::start(Upstream::json(429, r#"{"error":{"message":"slow down 536-90-4399"}}"#)).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hi", false))).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.body, r#"{"error":{"message":"slow down <US_SSN>"}}"#);
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let outcome = &trail.call(&request_id)[1];
    assert_eq!(outcome.kind, EventType::ActionFailed);
    assert_eq!(outcome.outcome.as_ref().unwrap().code, Some(429));
    assert_eq!(outcome.parts[0].name, "error");
}

#[tokio::test]
async fn a_tool_gets_its_arguments_whole_under_flag_and_the_record_does_not() {
    let harness = Harness::start(Upstream::json(200, r#"{"found":true}"#)).await;
    let body = format!(r#"{{"patient_id":"p-77","ssn":"{SSN}","password":"hunter2"}}"#);
    let ask = Ask::post(&format!("/tools/ehr/patients/{SSN}/find?ssn={SSN}"), &body)
        .header("x-note", SSN)
        .header("cookie", "a=b");
    let answer = harness.ask(ask).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let sent = &harness.upstream_saw()[0];
    assert_eq!(sent.path, format!("/patients/{SSN}/find?ssn={SSN}"));
    assert_eq!(sent.body, body);
    assert_eq!(sent.headers["x-note"], SSN);
    assert!(!sent.headers.contains_key("cookie") && !sent.headers.contains_key("authorization"));
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let decision = &trail.call(&request_id)[0];
    assert_eq!(decision.action.as_ref().unwrap().name, "ehr:patients:{id}:find");
    assert_eq!(decision.resource.as_ref().unwrap().uri.as_deref(), Some("ehr://patients/<US_SSN>/find"));
    assert_eq!(decision.resource.as_ref().unwrap().subjects.len(), 1);
    assert!(!trail.contains_anywhere(&[SSN, "hunter2", "p-77"]));
    assert!(!trail.any_part_contains(&[SSN, "hunter2"]));
}

#[tokio::test]
async fn a_tool_gets_redacted_arguments_under_redact() {
    let harness = Harness::with(Upstream::json(200, "{}"), |settings| {
        settings.rules.tools = Rules::new(RedactionAction::Redact);
    })
    .await;
    let ask = Ask::post(&format!("/tools/ehr/patients/{SSN}?ssn={SSN}"), &format!(r#"{{"ssn":"{SSN}"}}"#));
    assert_eq!(harness.ask(ask).await.status, 200);
    let sent = format!("{:?}", harness.upstream_saw());
    assert!(!sent.contains(SSN), "{sent}");
    harness.stop().await;
}

#[tokio::test]
async fn blocked_content_goes_nowhere() {
    let harness = Harness::with(Upstream::json(200, REPLY), |settings| {
        settings.rules.models = Rules::new(RedactionAction::Block);
    })
    .await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat(SSN, false))).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("content_blocked"), "{}", answer.body);
    assert!(harness.upstream_saw().is_empty());
    harness.stop().await;
}

#[tokio::test]
async fn bad_bodies_get_a_clear_error_in_the_callers_format() {
    let harness = Harness::start(Upstream::json(200, REPLY)).await;
    for body in [
        r#"{"model":"gpt-4o-mini","messages":["#,
        r#"{"model":"gpt-4o-mini","model":"x","messages":[]}"#,
        r#"{"model":7,"messages":[]}"#,
        "\u{0}",
        &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let answer = harness.ask(Ask::post("/v1/chat/completions", body)).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
    assert!(harness.upstream_saw().is_empty());
    harness.stop().await;
}

#[tokio::test]
async fn an_unreachable_upstream_leaves_its_outcome() {
    let harness = Harness::with(Upstream::json(200, REPLY), |settings| {
        // A port nobody listens on: bound and dropped at once.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        settings.upstreams[0].base_url = format!("http://127.0.0.1:{port}/v1").parse().unwrap();
    })
    .await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hi", false))).await;
    assert_eq!(answer.status, 502);
    let request_id = answer.headers["greffier-request-id"].clone();
    let trail = harness.stop().await;
    let outcome = trail.call(&request_id)[1].outcome.clone().unwrap();
    assert_eq!(outcome.error.as_deref(), Some("upstream_unreachable"));
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_an_outcome() {
    let harness = Harness::start(Upstream::silent()).await;
    harness.ask_and_leave(Ask::post("/v1/chat/completions", &chat("hi", false))).await;
    let trail = harness.stop().await;
    let failed = trail.of_type(EventType::ActionFailed);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].outcome.as_ref().unwrap().status, OutcomeStatus::Cancelled);
}
