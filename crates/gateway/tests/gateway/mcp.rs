//! Golden exchanges of MCP, both eras: each request as it came in, what the server saw of it, the reply, and the record.
//!
//! `testdata/mcp/exchanges/<case>.call` has the requests, behind `=== upstream` the server's replies, and `=== next`
//! between two; `<case>.snap` beside it says what became of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use greffier_event::RedactionAction;
use greffier_gateway::{McpServer, OnChange, Reach, Secret, Settings, Transport};
use greffier_safety::{Entity, Rules};

use crate::adapters::{Case, told};
use crate::harness::{Harness, Upstream};

/// What is redacted, and what is blocked: neither is anywhere afterwards.
const FOUND: [&str; 2] = ["536-90-4399", "4539148803436467"];

/// One server, whose own credential is not the caller's; numbers are redacted, cards blocked.
fn crm(settings: &mut Settings) {
    let base = settings.upstreams.first().unwrap().base_url.to_string();
    settings.mcp.servers.push(McpServer {
        name: "crm".to_owned(),
        transport: Transport::Http {
            url: base.replace("/v1", "/mcp").parse().unwrap(),
            credential: Some((http::header::AUTHORIZATION, Secret::new("Bearer of-the-server".to_owned()))),
            reach: Reach::default(),
        },
        classification: vec!["pii".to_owned()],
        on_change: OnChange::Flag,
        timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
    });
    settings.rules.tools = Rules::new(RedactionAction::Flag)
        .with(Entity::UsSsn, RedactionAction::Redact)
        .with(Entity::CreditCard, RedactionAction::Block);
}

async fn check(text: &str) -> String {
    let harness = Harness::with(Upstream::json(200, "{}"), crm).await;
    let token = harness.token().to_owned();
    let (mut out, mut seen) = (String::new(), 0);
    for exchange in text.split("\n=== next\n") {
        let Case { ask, upstream, .. } = Case::read(exchange);
        harness.answer_with(upstream);
        let answer = harness.ask(ask).await;
        for saw in harness.upstream_saw().into_iter().skip(seen) {
            seen += 1;
            let told = |name: &str| name.starts_with("mcp-") || matches!(name, "authorization" | "accept");
            let head: Vec<String> = saw
                .headers
                .iter()
                .filter(|(name, _)| told(name))
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            writeln!(out, "server saw {}\n{}\n{}", saw.path, head.join("\n"), saw.body).unwrap();
            assert!(!format!("{:?}", saw.headers).contains(&token) && !saw.body.contains(&token));
        }
        let media = answer.headers.get("content-type").map_or("-", String::as_str);
        let body = answer.body.replace(&answer.headers["greffier-request-id"], "req_…");
        writeln!(out, "=== reply {} {media}, whole: {}", answer.status, answer.complete).unwrap();
        if let Some(challenge) = answer.headers.get("www-authenticate") {
            writeln!(out, "www-authenticate: {}", challenge.split("resource_metadata").next().unwrap())
                .unwrap();
        }
        writeln!(out, "{body}").unwrap();
    }
    writeln!(out, "=== record").unwrap();
    let trail = harness.stop().await;
    for event in trail.events() {
        let name = event.action.as_ref().map_or("", |action| action.name.as_str());
        // A request that is none has no server in its name.
        if event
            .resource
            .as_ref()
            .and_then(|resource| resource.uri.as_deref())
            .is_some_and(|uri| uri.starts_with("audit:"))
            || name.starts_with("policy:")
            || name.starts_with("node:")
            || name.starts_with("config:")
        {
            continue;
        }
        writeln!(out, "{}", told(&trail, event)).unwrap();
    }
    for found in FOUND {
        assert!(!out.contains(found), "{out}");
        assert!(!trail.any_part_contains(&[found]) && !trail.contains_anywhere(&[found]));
    }
    assert!(!trail.any_part_contains(&[&token]));
    trail.verifies();
    out
}

#[tokio::test]
async fn exchanges_of_both_eras() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/mcp/exchanges");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "call"))
        .collect();
    files.sort();
    assert!(files.len() >= 15, "the golden files are not there");
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = check(&std::fs::read_to_string(&path).unwrap()).await;
        insta::with_settings!({
            snapshot_path => "../../testdata/mcp/exchanges",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name, shown) });
    }
}
