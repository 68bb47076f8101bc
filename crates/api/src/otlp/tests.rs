//! Tests of OTLP, from a body to the trail. Payloads and the events made of them lie in `testdata/otlp`; those in
//! protobuf, and the Agents SDK's, were sent by the real ones.

mod encode;
mod golden;
mod known;
mod properties;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::testing::{Answer, World, principal};

const TRACES: &str = "/otlp/v1/traces";
const LOGS: &str = "/otlp/v1/logs";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Sends a body.
async fn send(world: &World, path: &str, media: &str, coding: Option<&str>, body: &[u8]) -> Answer {
    let mut visit = world.visit(Some(principal("analyst@acme")), http::Method::POST, path);
    visit.parts.headers.insert(http::header::CONTENT_TYPE, media.parse().unwrap());
    if let Some(coding) = coding {
        visit.parts.headers.insert(http::header::CONTENT_ENCODING, coding.parse().unwrap());
    }
    visit.body = body.to_vec().into();
    world.send(visit).await
}

/// Sends JSON, and says what came of it: the status, the answer, the counts.
async fn check(world: &World, path: &str, body: &Value) -> String {
    let answer = send(world, path, JSON, None, body.to_string().as_bytes()).await;
    format!("{} {} {}", answer.status, answer.text(), counts(&answer))
}

fn counts(answer: &Answer) -> &str {
    answer.headers.get("greffier-otlp").map_or("-", |counts| counts.to_str().unwrap())
}

/// A span with these attributes, the `at`th of its trace and second.
fn span(at: u64, attributes: &Value) -> Value {
    let attributes = attributes.as_object().unwrap().iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => json!({ "stringValue": text }),
            number => json!({ "intValue": number.to_string() }),
        };
        json!({ "key": key, "value": value })
    });
    let start = 1_772_807_400_000_000_000 + at * 1_000_000_000;
    json!({
        "traceId": TRACE, "spanId": format!("{:016x}", at + 1), "name": "x", "kind": 3,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 250_000_000).to_string(),
        "attributes": attributes.collect::<Value>(),
    })
}

fn traces(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] })
}

fn tool(at: u64, name: &str) -> Value {
    span(at, &json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name }))
}

#[tokio::test]
async fn sent_twice_recorded_once() {
    let world = World::new().await;
    let body = traces(&[tool(0, "search")]);
    insta::assert_snapshot!(check(&world, TRACES, &body).await, @"200 {} recorded=2, repeated=0, known=0, ignored=0, rejected=0");
    insta::assert_snapshot!(check(&world, TRACES, &body).await, @"200 {} recorded=0, repeated=2, known=0, ignored=0, rejected=0");
    assert_eq!(world.trail("acme").len(), 2);

    // Another account of the same span is refused, and that is on record.
    insta::assert_snapshot!(check(&world, TRACES, &traces(&[tool(0, "delete")])).await, @r#"200 {"partialSuccess":{"rejectedSpans":"1","errorMessage":"item 1: an event with this id and other content is on the trail, at entry 0"}} recorded=0, repeated=0, known=0, ignored=0, rejected=1"#);
    let types: Vec<_> = world.trail("acme").iter().map(|event| event["type"].to_string()).collect();
    assert_eq!(types, [r#""tool.call""#, r#""tool.response""#, r#""error""#, r#""error""#]);
}

#[tokio::test]
async fn claims_stay_claims() {
    let world = World::new().await;
    let attributes = json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay 4111111111111111",
        "user.id": "carol.jones@example.com", "gen_ai.agent.name": "crm",
        "gen_ai.tool.call.arguments": r#"{"ssn":"536-90-4399","api_key":"sk-live-deadbeef"}"#,
    });
    let answer = check(&world, TRACES, &traces(&[span(0, &attributes)])).await;
    assert!(answer.starts_with("200 {} recorded=2"), "{answer}");
    for event in world.trail("acme") {
        assert_eq!(event["source"]["channel"], "otlp");
        assert_eq!((event["user"].get("verified"), event["agent"].get("verified")), (None, None));
        let leaf = event.to_string();
        for secret in ["4111111111111111", "536-90-4399", "carol.jones", "sk-live-deadbeef"] {
            assert!(!leaf.contains(secret), "{leaf}");
        }
        let shown =
            world.get("analyst@acme", &format!("/api/v1/events/{}", event["id"].as_str().unwrap())).await;
        for secret in ["4111111111111111", "536-90-4399", "sk-live-deadbeef"] {
            assert!(!shown.text().contains(secret), "{}", shown.text());
        }
    }
    // Nobody speaks as Greffier, nor of what is its own.
    let greffier = span(1, &json!({ "gen_ai.operation.name": "chat", "gen_ai.agent.id": "Greffier" }));
    let audit =
        span(2, &json!({ "mcp.method.name": "resources/read", "mcp.resource.uri": "audit://acme/events" }));
    insta::assert_snapshot!(check(&world, TRACES, &traces(&[greffier, audit])).await, @r#"200 {"partialSuccess":{"rejectedSpans":"2","errorMessage":"item 1: agent.id is reserved for Greffier's own acts; item 2: resource.uri has a scheme reserved for Greffier itself"}} recorded=0, repeated=0, known=0, ignored=0, rejected=2"#);
}

#[tokio::test]
async fn a_broken_item_loses_only_itself() {
    let world = World::new().await;
    let mut bad_id = tool(1, "a");
    bad_id["spanId"] = "not hex".into();
    let mut no_id = tool(2, "b");
    no_id["spanId"] = "".into();
    let mut no_time = tool(3, "c");
    (no_time["startTimeUnixNano"], no_time["endTimeUnixNano"]) = ("0".into(), "0".into());
    let mut deep = json!({ "stringValue": "x" });
    for _ in 0..40 {
        deep = json!({ "arrayValue": { "values": [deep] } });
    }
    let mut too_deep = tool(4, "d");
    too_deep["attributes"][0]["value"] = deep;
    let mut too_many = tool(5, "e");
    too_many["attributes"] = vec![json!({ "key": "k", "value": { "intValue": 1 } }); 9_000].into();
    let other = span(6, &json!({ "http.request.method": "GET" }));
    let body = traces(&[bad_id, no_id, no_time, too_deep, too_many, json!(7), other, tool(7, "good")]);
    insta::assert_snapshot!(check(&world, TRACES, &body).await, @r#"200 {"partialSuccess":{"rejectedSpans":"6","errorMessage":"item 1: an id is not hex of at most 16 bytes; item 2: a span has no id; item 3: it has no time; item 4: a value is nested more than 32 deep; item 5: more than 8192 values stand in it"}} recorded=2, repeated=0, known=0, ignored=1, rejected=6"#);
    assert_eq!(world.trail("acme").len(), 2);
}

#[tokio::test]
async fn every_encoding_and_coding() {
    let world = World::new().await;
    let body = encode::traces(&traces(&[tool(0, "search")]));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&body).unwrap();
    let plain = send(&world, TRACES, PROTOBUF, None, &body).await;
    assert_eq!(
        (plain.status, plain.body.as_slice(), counts(&plain)),
        (200, &b""[..], "recorded=2, repeated=0, known=0, ignored=0, rejected=0")
    );
    assert_eq!(plain.headers["content-type"], PROTOBUF);
    let packed = send(&world, TRACES, PROTOBUF, Some("gzip"), &gzip.finish().unwrap()).await;
    assert_eq!(
        (packed.status, counts(&packed)),
        (200, "recorded=0, repeated=2, known=0, ignored=0, rejected=0")
    );
    // In JSON it is the same span.
    let json = traces(&[tool(0, "search")]).to_string();
    let json = send(&world, TRACES, "application/json; charset=utf-8", None, json.as_bytes()).await;
    assert_eq!((json.status, counts(&json)), (200, "recorded=0, repeated=2, known=0, ignored=0, rejected=0"));
    // A partial success in protobuf: field 1, with a count and a message.
    let bad = encode::traces(&traces(&[span(
        1,
        &json!({ "gen_ai.operation.name": "chat", "gen_ai.agent.id": "greffier" }),
    )]));
    let partial = send(&world, TRACES, PROTOBUF, None, &bad).await;
    assert_eq!(partial.status, 200);
    insta::assert_snapshot!(String::from_utf8_lossy(&partial.body).escape_debug(), @r#"\n8\u{8}\u{1}\u{12}4item 1: agent.id is reserved for Greffier\'s own acts"#);
}

#[tokio::test]
async fn metrics_are_counted_and_not_kept() {
    let world = World::new().await;
    let body = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "a", "sum": { "dataPoints": [{}, {}], "isMonotonic": true } },
        { "name": "b", "gauge": { "dataPoints": [{}] } }, { "name": "c" },
    ] }] }] });
    insta::assert_snapshot!(check(&world, "/otlp/v1/metrics", &body).await, @"200 {} recorded=0, repeated=0, known=0, ignored=3, rejected=0");
    // The same in protobuf: resource, scope, two metrics.
    let points = |field: u8, count: usize| {
        encode::message(2, &encode::message(field, &encode::message(1, b"").repeat(count)))
    };
    let body = encode::message(1, &encode::message(2, &[points(7, 2), points(5, 1)].concat()));
    let answer = send(&world, "/otlp/v1/metrics", PROTOBUF, None, &body).await;
    assert_eq!(
        (answer.status, counts(&answer)),
        (200, "recorded=0, repeated=0, known=0, ignored=3, rejected=0")
    );
    assert!(world.trail("acme").is_empty());
}

#[tokio::test]
async fn refusals_are_statuses() {
    let mut world = World::new().await;
    let body = traces(&[tool(0, "search")]);
    let mut shown = Vec::new();
    let mut show = |answer: Answer| {
        let media = answer.headers["content-type"].to_str().unwrap().to_owned();
        shown.push(format!(
            "{} {media} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body).escape_debug()
        ));
    };
    show(send(&world, TRACES, "text/plain", None, b"x").await);
    show(send(&world, TRACES, JSON, None, b"{\"resourceSpans\":").await);
    show(send(&world, TRACES, PROTOBUF, None, b"\x0a\xff").await);
    show(send(&world, TRACES, JSON, Some("br"), b"x").await);
    show(send(&world, TRACES, JSON, Some("gzip"), b"x").await);
    let spans: Vec<_> = (0..10_001).map(|_| json!({})).collect();
    show(send(&world, TRACES, JSON, None, traces(&spans).to_string().as_bytes()).await);
    show(send(&world, "/v1/traces/ingest", JSON, None, b"{}").await);
    let denied = world.post("auditor@acme", TRACES, JSON, &body.to_string()).await;
    assert!(denied.headers.contains_key("greffier-receipt"));
    show(denied);
    world.stop_recording();
    let stopped = send(&world, TRACES, JSON, None, body.to_string().as_bytes()).await;
    assert_eq!(stopped.headers["retry-after"], "5");
    show(stopped);
    insta::assert_snapshot!(shown.join("\n"), @r#"
    415 application/json {\"error\":{\"code\":\"unsupported_media\",\"message\":\"OTLP comes in protobuf or JSON\",\"hint\":\"set content-type to application/x-protobuf or application/json\",\"request_id\":\"req_1\"}}
    400 application/json {\"code\":3,\"message\":\"the body is not OTLP in JSON\"}
    400 application/x-protobuf \u{8}\u{3}\u{12}\'a message ends in the middle of a field
    415 application/json {\"code\":3,\"message\":\"this content-encoding is not taken\"}
    400 application/json {\"code\":3,\"message\":\"the body is not what its content-encoding says\"}
    413 application/json {\"code\":8,\"message\":\"more than 10,000 spans or records stand in one request\"}
    400 application/json {\"code\":3,\"message\":\"the body is not what the OpenAI Agents SDK sends: {\\\"data\\\":[…]}\"}
    403 application/json {\"code\":7,\"message\":\"not permitted: no policy permits a user with role auditor to add events to the trail acme\"}
    503 application/json {\"code\":14,\"message\":\"this cannot be recorded, so it was not done\"}
    "#);
}
