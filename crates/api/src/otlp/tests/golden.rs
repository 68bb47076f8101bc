//! Golden files: each payload beside the events that are made of it. `GREFFIER_WRITE_GOLDEN=1` writes them anew, to be
//! read before they are committed.

use std::fmt::Write;
use std::path::Path;

use greffier_event::Form;
use serde_json::Value;

use crate::ingest::Producer;
use crate::otlp::body::Encoding;
use crate::otlp::{CHANNEL, Signal, read};
use crate::testing::{World, now, principal, tenant};

/// What is made of a payload: counts, then the events as they are recorded, each with its contents.
fn events(world: &World, name: &str, body: &[u8]) -> String {
    let signal = match name.split('.').nth(1) {
        Some("traces") => Signal::Traces,
        Some("logs") => Signal::Logs,
        _ => Signal::AgentsSdk,
    };
    let encoding = if name.ends_with(".pb") { Encoding::Protobuf } else { Encoding::Json };
    let (submitter, tenant) = (principal("analyst@acme"), tenant("acme"));
    let producer =
        Producer { api: &world.api, tenant: &tenant, channel: CHANNEL, submitter: &submitter, now: now() };
    let (tally, claims) = read(signal, encoding, body, &producer).unwrap();
    let mut out = format!("// ignored {}, rejected {} {:?}\n", tally.ignored, tally.rejected, tally.reasons);
    for claimed in claims {
        let draft = &claimed.submission.draft;
        let written = Form::Native.write(&draft.event, &draft.parts).unwrap();
        let mut event: Value = serde_json::from_str(&written).unwrap();
        // What is keyed is another one in each world.
        if signal == Signal::Logs {
            event["id"] = "<keyed>".into();
        }
        if event["user"]["sub"].as_str().is_some_and(|sub| sub.starts_with("ref:")) {
            event["user"]["sub"] = "<ref>".into();
        }
        for known in ["tenant", "recorded_at", "v"] {
            event.as_object_mut().unwrap().remove(known);
        }
        for known in ["channel", "node", "oauth_client", "token"] {
            event["source"].as_object_mut().unwrap().remove(known);
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&event).unwrap()).unwrap();
    }
    out
}

#[tokio::test]
async fn payloads_become_these_events() {
    let world = World::new().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/otlp");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".events"))
        .collect();
    names.sort();
    assert!(names.len() >= 13, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let made = events(&world, &name, &std::fs::read(folder.join(&name)).unwrap());
        let expected = folder.join(format!("{name}.events"));
        if std::env::var_os("GREFFIER_WRITE_GOLDEN").is_some() {
            std::fs::write(&expected, &made).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != made {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "other events than expected: {wrong:?}");
}
