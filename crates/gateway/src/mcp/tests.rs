//! Golden files, a request each: which era it is of, which call is seen in it, and what goes on to the server.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use http::{HeaderMap, HeaderName, Method};

use super::era::{self, Era};
use super::rpc::{self, Message};
use super::server::{McpServer, OnChange, Transport};
use super::upstream::{Envelope, SESSION, over_http_request};
use super::{ask, contents};
use crate::read::Head;
use crate::route::Route;

/// A file's headers, and its body.
fn parse(text: &str) -> (HeaderMap, &str) {
    let (head, body) = text.split_once("\n\n").unwrap_or(("", text));
    let rows = head.lines().map(|line| line.split_once(": ").unwrap());
    (
        rows.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect(),
        body.trim_end(),
    )
}

fn see(text: &str) -> String {
    let (headers, body) = parse(text);
    let message = match rpc::read(body.as_bytes()) {
        Ok(message) => message,
        Err(error) => return format!("refused: {} {error}\n", error.code()),
    };
    let (Message::Request { method, params, .. } | Message::Notification { method, params }) = &message
    else {
        panic!("a request or a notification: {body}");
    };
    let id = if let Message::Request { id, .. } = &message { Some(id.clone()) } else { None };
    let era = match era::era(&headers, Some(method), *params) {
        Ok(era) => era,
        Err(mismatch) => return format!("refused: {} {mismatch}\n", mismatch.code()),
    };
    let asked = ask::of_server("crm", method, *params).unwrap();
    let mut out = format!("era: {}\n", era.protocol());
    writeln!(
        out,
        "action: {} ({:?}, {:?})",
        asked.action.name,
        asked.action.kind.unwrap(),
        asked.action.effect.unwrap()
    )
    .unwrap();
    writeln!(out, "resource: {}", asked.resource.uri.unwrap()).unwrap();
    writeln!(out, "target: {:?}", asked.target).unwrap();
    asked.watched.iter().for_each(|target| writeln!(out, "watched: {target:?}").unwrap());

    let session = headers.get(SESSION).and_then(|id| id.to_str().ok()).filter(|_| era == Era::Sessions);
    let envelope = Envelope {
        http: Method::POST,
        id,
        method: method.clone(),
        era,
        version: headers.get(era::VERSION).cloned(),
        session: session.map(str::to_owned),
        last_event: None,
    };
    let head = Head {
        route: Route::Mcp { server: "crm".to_owned() },
        method: Method::POST,
        query: None,
        headers,
        peer: "127.0.0.1".parse().unwrap(),
    };
    let server = McpServer {
        name: "crm".to_owned(),
        transport: Transport::Http {
            url: "http://127.0.0.1:3101/mcp".parse().unwrap(),
            credential: None,
            reach: crate::reach::Reach::default(),
        },
        classification: Vec::new(),
        on_change: OnChange::Flag,
        timeout: std::time::Duration::from_secs(1),
        idle_timeout: std::time::Duration::from_secs(1),
    };
    let (parts, body) = over_http_request(contents(&head, *params), &server, &envelope).unwrap();
    writeln!(out, "\n{} {}", parts.method, parts.uri).unwrap();
    let mut sent: Vec<String> = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != http::header::USER_AGENT)
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    sent.sort();
    writeln!(out, "{}\n\n{body}", sent.join("\n")).unwrap();
    out
}

#[test]
fn requests_are_seen_and_sent_on_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/mcp");
    let mut files = 0;
    for era in ["2025-11-25", "2026-07-28"] {
        for entry in fs::read_dir(folder.join(era)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "request") {
                continue;
            }
            files += 1;
            let seen = see(&fs::read_to_string(&path).unwrap());
            let golden = path.with_extension("seen");
            // What was written down once is looked at before it counts.
            if std::env::var_os("GREFFIER_WRITE_GOLDEN").is_some() {
                fs::write(&golden, &seen).unwrap();
            }
            let written = fs::read_to_string(&golden).unwrap_or_default();
            assert_eq!(seen, written, "{}", golden.display());
        }
    }
    assert!(files >= 10, "the golden files are not there");
}
