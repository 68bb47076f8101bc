//! Golden files of each adapter: a request as it came in, what the upstream saw of it, the reply, and the record.
//!
//! `testdata/<adapter>/<case>.call` has the request, and behind `=== upstream` the reply; `<case>.snap` beside it
//! says what became of both.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::path::PathBuf;

use greffier_event::{Event, Redaction};
use greffier_gateway::{Secret, Settings, UpstreamKind};

use crate::harness::{Ask, Harness, Trail, Upstream};

const SSN: &str = "536-90-4399";

/// All providers behind one address.
fn providers(settings: &mut Settings) {
    let openai = settings.upstreams[0].clone();
    let base: http::Uri = openai.base_url.to_string().trim_end_matches("/v1").parse().unwrap();
    let more = |name: &str, kind, glob: &str| greffier_gateway::Upstream {
        name: name.to_owned(),
        kind,
        base_url: base.clone(),
        api_key: Some(Secret::new(format!("key-of-{name}"))),
        models: vec![glob.to_owned()],
        ..openai.clone()
    };
    settings.upstreams[0].models.push("omni-*".to_owned());
    settings.upstreams.extend([
        more("anthropic", UpstreamKind::Anthropic, "claude-*"),
        more("gemini", UpstreamKind::Gemini, "gemini-*"),
    ]);
}

/// A request and the upstream's answer to it.
pub(crate) struct Case {
    pub(crate) ask: Ask,
    wire: String,
    pub(crate) upstream: Upstream,
}

impl Case {
    pub(crate) fn read(text: &str) -> Case {
        let (request, reply) = text.split_once("\n=== upstream ").unwrap();
        let (head, reply) = reply.split_once('\n').unwrap();
        let (status, media) = head.split_once(' ').unwrap();
        let upstream = match media {
            "text/event-stream" => Upstream::sse(vec![reply.to_owned()]),
            _ => Upstream::json(status.parse().unwrap(), reply),
        };
        let (head, body) = request.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let method = ["GET", "POST", "DELETE"].into_iter().find(|known| *known == method).unwrap();
        let mut ask = Ask::new(method, path, body);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            ask = ask.header(name, value);
        }
        Case { ask, wire: path.to_owned(), upstream }
    }
}

fn redaction(found: &Redaction) -> String {
    let place = found.path.as_deref().unwrap_or("-");
    format!("{} x{} {place} {:?} {:?}", found.entity, found.count, found.stage, found.action)
}

/// What an event says of the call, and its parts.
pub(crate) fn told(trail: &Trail, event: &Event) -> String {
    let action = event.action.as_ref().unwrap();
    // A request that is no call has no effect.
    let effect = action.effect.map_or("-".to_owned(), |effect| format!("{effect:?}"));
    let mut out = format!("{:?} {} {effect}", event.kind, action.name);
    let resource = event.resource.as_ref().and_then(|resource| resource.uri.as_deref()).unwrap_or("-");
    write!(
        out,
        " of {resource} by {}",
        event.source.as_ref().and_then(|source| source.protocol.as_deref()).unwrap_or("-")
    )
    .unwrap();
    if let Some(outcome) = &event.outcome {
        write!(out, "\n  outcome {:?} {:?} {:?}", outcome.status, outcome.code, outcome.error).unwrap();
    }
    if let Some(usage) = &event.usage {
        write!(out, "\n  usage {}", serde_json::to_string(usage).unwrap()).unwrap();
    }
    let safety = event.content_safety.iter().flat_map(|safety| &safety.redactions);
    safety.for_each(|found| write!(out, "\n  found {}", redaction(found)).unwrap());
    for (name, content) in trail.parts(event.id) {
        write!(out, "\n  part {name}: {content}").unwrap();
    }
    out
}

async fn check(case: Case) -> String {
    let harness = Harness::with(case.upstream, providers).await;
    let token = harness.token().to_owned();
    let ask = match case.wire.starts_with("/v1beta") {
        true => case.ask.token("").header("x-goog-api-key", &token),
        false => case.ask,
    };
    let answer = harness.ask(ask).await;
    let mut out = String::new();
    for seen in harness.upstream_saw() {
        let credentials = ["authorization", "x-api-key", "x-goog-api-key"];
        let sent = ["content-type", "anthropic-version", "anthropic-beta"];
        let head = seen
            .headers
            .iter()
            .filter(|(name, _)| credentials.contains(&name.as_str()) || sent.contains(&name.as_str()));
        let head: Vec<String> = head.map(|(name, value)| format!("{name}: {value}")).collect();
        writeln!(out, "upstream saw {}\n{}\n{}", seen.path, head.join("\n"), seen.body).unwrap();
        assert!(!format!("{:?}", seen.headers).contains(&token) && !seen.path.contains(&token));
    }
    let media = &answer.headers["content-type"];
    let request_id = &answer.headers["greffier-request-id"];
    let body = answer.body.replace(request_id, "req_…").replace('\r', "<CR>");
    writeln!(out, "=== reply {} {media}, whole: {}\n{body}", answer.status, answer.complete).unwrap();
    writeln!(out, "=== record").unwrap();
    let trail = harness.stop().await;
    for event in trail.call(request_id) {
        writeln!(out, "{}", told(&trail, &event)).unwrap();
    }
    assert!(!out.contains(SSN) && !trail.any_part_contains(&[SSN, &token]));
    assert!(!trail.contains_anywhere(&[SSN, &token]));
    trail.verifies();
    out
}

/// All cases, each by its adapter and name.
fn cases() -> Vec<(String, String, PathBuf)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut cases = Vec::new();
    for adapter in std::fs::read_dir(root).unwrap() {
        let adapter = adapter.unwrap();
        for file in std::fs::read_dir(adapter.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "call") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                cases.push((adapter.file_name().into_string().unwrap(), name, path));
            }
        }
    }
    cases.sort();
    cases
}

#[tokio::test]
async fn calls_of_each_adapter() {
    for (adapter, name, path) in cases() {
        let shown = check(Case::read(&std::fs::read_to_string(path).unwrap())).await;
        insta::with_settings!({
            snapshot_path => format!("../../testdata/{adapter}"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(format!("{name}.call"), shown) });
    }
}

#[tokio::test]
async fn a_policy_forbids_pictures() {
    let picture = [&[0x89_u8; 90][..], b"\xff"].concat();
    let encoded = base64_of(&picture);
    let harness = Harness::with(Upstream::json(200, "{}"), providers).await;
    let part =
        serde_json::json!({"type": "input_image", "image_url": format!("data:image/png;base64,{encoded}")});
    let asked = |part: serde_json::Value| {
        let body = serde_json::json!({"model": "gpt-blind", "input": [{"role": "user", "content": [part]}]});
        Ask::post("/v1/responses", &body.to_string())
    };
    let answer = harness.ask(asked(part)).await;
    assert_eq!((answer.status, harness.upstream_saw().len()), (403, 0), "{}", answer.body);
    let named = serde_json::json!({"type": "input_image", "image_url": "https://example.com/a.png"});
    assert_eq!(harness.ask(asked(named)).await.status, 403);
    let text = serde_json::json!({"type": "input_text", "text": "no picture"});
    assert_eq!(harness.ask(asked(text)).await.status, 200);
    let trail = harness.stop().await;
    assert!(!trail.any_part_contains(&[&encoded]));
    assert!(trail.any_part_contains(&["<image/png 91 bytes sha256:"]));
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_stored_response_is_its_owners_and_counted_once() {
    let queued =
        r#"{"id":"resp_7","object":"response","status":"queued","model":"gpt-5","output":[],"usage":null}"#;
    let harness = Harness::with(Upstream::json(200, queued), providers).await;
    let body = r#"{"model":"gpt-5","input":"hello","background":true}"#;
    assert_eq!(harness.ask(Ask::post("/v1/responses", body)).await.status, 200);
    // Somebody else of the same tenant: it is not there, and cannot be gone on from.
    let other =
        || Ask::new("GET", "/v1/responses/resp_7", "").role("analyst").token(&harness.token_of("bob"));
    let answer = harness.ask(other()).await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    let goes_on = r#"{"model":"gpt-5","input":"and?","previous_response_id":"resp_7"}"#;
    let answer = harness.ask(Ask::post("/v1/responses", goes_on).token(&harness.token_of("bob"))).await;
    assert_eq!((answer.status, harness.upstream_saw().len()), (404, 1), "{}", answer.body);
    assert_eq!(harness.ask(Ask::post("/v1/responses", goes_on)).await.status, 200);
    let done = queued.replace("queued", "completed").replace(
        r#""usage":null"#,
        r#""usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}"#,
    );
    harness.answer_with(Upstream::json(200, &done));
    let mut looked = Vec::new();
    for _ in 0..2 {
        let answer = harness.ask(Ask::new("GET", "/v1/responses/resp_7", "")).await;
        looked.push(answer.headers["greffier-request-id"].clone());
    }
    let trail = harness.stop().await;
    let rows: Vec<String> = looked.iter().map(|id| told(&trail, &trail.call(id)[1])).collect();
    assert!(rows[0].contains(r#""cost_micros":2250,"input_tokens":1000"#), "{}", rows[0]);
    assert!(
        rows[0].contains("model://gpt-5/responses/resp_7") && !rows[1].contains("usage {"),
        "{}",
        rows[1]
    );
    trail.verifies();
}
