//! What is no call at all: refused, and on the trail of whoever sent it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use greffier_event::{Event, EventType};

use crate::harness::{Ask, Harness, Trail, Upstream};

const SSN: &str = "536-90-4399";

fn chat(body: &str) -> Ask {
    Ask::post("/v1/chat/completions", body)
}

/// The events of malformed requests, one a line.
fn shown(trail: &Trail) -> String {
    let malformed = |event: &&Event| event.action.as_ref().is_some_and(|action| action.name == "malformed");
    let row = |event: &Event| {
        let (outcome, parts) = (event.outcome.clone().unwrap(), trail.parts(event.id));
        format!(
            "{:?} on {}: {:?} {:?} {}, by {} through {}: {}",
            event.kind,
            event.tenant,
            event.source.as_ref().unwrap().protocol.as_deref().unwrap_or("-"),
            outcome.code.unwrap_or(0),
            outcome.error.unwrap(),
            event.user.as_ref().map_or("nobody", |user| if user.sub.starts_with("ref:") {
                "ref:…"
            } else {
                &user.sub
            }),
            event.agent.as_ref().unwrap().id,
            parts.into_values().collect::<Vec<_>>().join(" "),
        )
    };
    trail.events().iter().filter(malformed).map(row).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_no_call_is_on_the_trail_of_its_sender() {
    let harness = Harness::with(Upstream::json(200, "{}"), |settings| settings.limits.body = 1_000).await;
    let mut ids = Vec::new();
    for ask in [
        chat("{"),
        chat(r#"{"model":"gpt-4o-mini","model":"x","messages":[]}"#),
        chat(r#"{"model":7,"messages":[]}"#),
        chat(&format!(r#"{{"model":"gpt-4o-mini","messages":[],"{SSN}":1,"{SSN}":2}}"#)),
        chat(&"x".repeat(1_001)),
        chat("{}").header("content-encoding", "gzip"),
        Ask::post("/tools/ehr/patients", "{"),
        Ask::post("/tools/ehr/a/%2e%2e/b", "{}"),
    ] {
        let answer = harness.ask(ask).await;
        assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.body);
        assert!(!answer.headers.contains_key("greffier-receipt"), "there was no decision");
        ids.push(answer.headers["greffier-request-id"].clone());
    }
    let token = harness.token().to_owned();
    let twice = "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n";
    for token in [token.as_str(), "not-a-token"] {
        let said = harness
            .raw(&format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {token}\r\n{twice}"))
            .await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    }
    let metrics = harness.ask(Ask::new("GET", "/metrics", "").token("")).await.body;
    assert!(harness.upstream_saw().is_empty());
    let trail = harness.stop().await;
    insta::assert_snapshot!(shown(&trail), @r#"
    Error on acme: "openai.chat" 400 bad_request, by ref:… through crm-assistant: the body is not valid JSON: invalid JSON at line 1, column 2: unexpected end
    Error on acme: "openai.chat" 400 bad_request, by ref:… through crm-assistant: the body is not valid JSON: invalid JSON at line 1, column 24: duplicate key
    Error on acme: "openai.chat" 400 bad_request, by ref:… through crm-assistant: `model` must be a name of 1 to 256 visible ASCII characters
    Error on acme: "openai.chat" 400 bad_request, by ref:… through crm-assistant: the body is not valid JSON: invalid JSON at line 1, column 54: duplicate key
    Error on acme: "openai.chat" 413 body_too_large, by ref:… through crm-assistant: the body is over the limit
    Error on acme: "openai.chat" 415 unsupported_encoding, by ref:… through crm-assistant: send the body without content-encoding
    Error on acme: "http.tool" 400 bad_request, by ref:… through crm-assistant: the body is not valid JSON: invalid JSON at line 1, column 2: unexpected end
    Error on acme: "http.tool" 400 bad_request, by ref:… through crm-assistant: the path climbs out of the tool (`.` or `..` segments)
    Error on acme: "http" 400 bad_request, by ref:… through crm-assistant: the request's framing is ambiguous: send one content-length
    "#);
    for id in ids {
        let kinds: Vec<EventType> = trail.call(&id).iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventType::Error], "one event, under the id that its sender was told");
    }
    assert!(metrics.contains(r#"greffier_answers_total{protocol="http",status="400",code="bad_request"}"#));
    assert!(!trail.contains_anywhere(&[SSN, &token]) && !trail.any_part_contains(&[SSN, &token]));
    trail.verifies();
}

#[tokio::test]
async fn past_the_bound_they_are_counted() {
    let harness = Harness::start(Upstream::json(200, "{}")).await;
    for _ in 0..70 {
        assert_eq!(harness.ask(chat("{")).await.status, 400);
    }
    let trail = harness.stop().await;
    let rows = shown(&trail);
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), 61);
    insta::assert_snapshot!(rows[0], @r#"Error on acme: "openai.chat" 400 bad_request, by ref:… through crm-assistant: the body is not valid JSON: invalid JSON at line 1, column 2: unexpected end"#);
    let (counted, caller) = rows[60].split_once("\"user\":\"ref:").unwrap();
    insta::assert_snapshot!(counted, @r#"Error on acme: "-" 0 requests_counted, by nobody through greffier: {"requests_counted":10,"#);
    assert!(caller.ends_with(r#"","agent":"crm-assistant"}"#), "{caller}");
}

#[tokio::test]
async fn while_nothing_is_recorded_they_are_told_so() {
    let mut harness = Harness::start(Upstream::json(200, "{}")).await;
    harness.stop_recording().await;
    let answer = harness.ask(chat("{")).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("not_recording"), "{}", answer.body);
}
