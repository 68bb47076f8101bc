//! What agents' own software asks and tells: golden exchanges of each client, and the promises around them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use greffier_event::{Event, RedactionAction};
use greffier_gateway::Settings;
use greffier_safety::{Entity, Rules};
use serde_json::{Value, json};

use crate::harness::{Ask, Harness, Trail, Upstream};

/// Numbers are redacted in what tools get and give, cards blocked.
fn strict(settings: &mut Settings) {
    settings.rules.tools = Rules::new(RedactionAction::Flag)
        .with(Entity::UsSsn, RedactionAction::Redact)
        .with(Entity::CreditCard, RedactionAction::Block);
}

async fn start() -> Harness {
    Harness::with(Upstream::json(200, "{}"), strict).await
}

/// The clients, by folder: how an event's session is called there.
const CLIENTS: [(&str, &str); 4] = [
    ("claude-code", "session_id"),
    ("codex", "session_id"),
    ("cursor", "conversation_id"),
    ("agent", "session_id"),
];

fn cases(client: &str) -> Vec<(String, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/hooks").join(client);
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    cases.sort_by(|(a, _), (b, _)| a.cmp(b));
    cases
}

/// An event without what differs each time, and its parts.
fn shown(trail: &Trail, event: &Event, requests: &mut BTreeMap<String, usize>) -> String {
    let mut value = serde_json::to_value(event).unwrap();
    let object = value.as_object_mut().unwrap();
    for volatile in ["id", "time", "recorded_at", "parts", "parts_root", "tenant", "user", "v", "session_id"]
    {
        object.remove(volatile);
    }
    if let Some(request) = object.get("request_id").and_then(Value::as_str) {
        let next = requests.len() + 1;
        let number = *requests.entry(request.to_owned()).or_insert(next);
        object["request_id"] = json!(format!("req {number}"));
    }
    for (holder, volatile) in
        [("source", "node"), ("source", "token"), ("source", "ip"), ("policy", "version")]
    {
        if let Some(holder) = object.get_mut(holder).and_then(Value::as_object_mut) {
            holder.remove(volatile);
        }
    }
    if let Some(outcome) = object.get_mut("outcome").and_then(Value::as_object_mut) {
        // What the client says comes in whole milliseconds or halves; what we measured does not.
        let told = outcome.get("duration_us").and_then(Value::as_u64).is_some_and(|us| us % 500 == 0);
        if !told {
            outcome.remove("duration_us");
        }
    }
    let kind = object.remove("type").unwrap();
    let parts: String = trail
        .parts(event.id)
        .into_iter()
        .filter(|(name, _)| name != "email")
        .map(|(name, content)| format!("\n    {name}: {content}"))
        .collect();
    format!("{}\n    {value}{parts}", kind.as_str().unwrap())
}

#[tokio::test]
async fn golden_exchanges() {
    for (client, session) in CLIENTS {
        let harness = start().await;
        let mut exchanges = Vec::new();
        for (name, events) in cases(client) {
            let mut said = String::new();
            for event in &events {
                let answer = harness.ask(Ask::post(&format!("/hooks/{client}"), &event.to_string())).await;
                assert!(answer.headers.contains_key("greffier-request-id"));
                let body = match answer.status {
                    200 => answer.body,
                    // Its own request id is minted.
                    _ => serde_json::from_str::<Value>(&answer.body).unwrap()["error"]["message"].to_string(),
                };
                said.push_str(&format!("> {}\n< {} {body}\n", event["hook_event_name"], answer.status));
            }
            exchanges.push((name, events[0][session].as_str().unwrap().to_owned(), said));
        }
        let trail = harness.stop().await;
        trail.verifies();
        assert!(!trail.any_part_contains(&["536-90-4399", "4111111111111111", "4111 1111 1111 1111"]));
        for (name, session, mut said) in exchanges {
            let mut requests = BTreeMap::new();
            for event in trail.events().iter().filter(|e| e.session_id.as_deref() == Some(&session)) {
                assert_eq!(event.source.as_ref().unwrap().channel, "hook");
                said.push('\n');
                said.push_str(&shown(&trail, event, &mut requests));
            }
            insta::with_settings!({
                snapshot_path => format!("../../testdata/hooks/{client}"),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_snapshot!(name, said) });
        }
    }
}

fn pre(command: &str, id: &str) -> Value {
    json!({"hook_event_name": "PreToolUse", "session_id": "s1", "tool_name": "Bash", "tool_use_id": id,
        "tool_input": {"command": command}})
}

fn post(command: &str, output: &str, id: &str) -> Value {
    json!({"hook_event_name": "PostToolUse", "session_id": "s1", "tool_name": "Bash", "tool_use_id": id,
        "tool_input": {"command": command}, "tool_response": {"stdout": output}})
}

async fn tell(harness: &Harness, event: &Value) -> (u16, Value) {
    let answer = harness.ask(Ask::post("/hooks/claude-code", &event.to_string())).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn without_a_record_there_is_no_consent() {
    let harness = start().await;
    let (status, said) = tell(&harness, &pre("ls", "t1")).await;
    assert_eq!((status, said), (200, json!({})));
    harness.break_disk().await;
    // What a client that fails closed takes for a no.
    for event in [pre("ls", "t2"), json!({"hook_event_name": "SessionEnd"})] {
        let (status, said) = tell(&harness, &event).await;
        assert_eq!((status, &said["error"]["code"]), (503, &json!("not_recording")));
    }
    // What has happened already is kept from the model by an answer: a status would not.
    let (status, said) = tell(&harness, &post("ls", "a", "t1")).await;
    let shown = &said["hookSpecificOutput"]["updatedToolOutput"]["stdout"];
    assert_eq!((status, &said["decision"]), (200, &json!("block")));
    assert!(shown.as_str().unwrap().contains("outcome_unrecorded"), "{said}");
    let stranger = Ask::post("/hooks/claude-code", &post("ls", "a", "t1").to_string()).token("");
    assert_eq!(harness.ask(stranger).await.status, 503);
    harness.mend_disk().await;
    let (status, said) = tell(&harness, &post("ls", "a", "t1")).await;
    assert_eq!((status, said), (200, json!({})));
    let _stopped = harness.stop_broken().await;
}

#[tokio::test]
async fn nobody_is_answered_without_a_token() {
    let harness = start().await;
    let answer = harness.ask(Ask::post("/hooks/claude-code", &pre("ls", "t1").to_string()).token("")).await;
    assert_eq!(answer.status, 401);
    let answer = harness.ask(Ask::new("GET", "/hooks/codex", "")).await;
    assert_eq!(answer.status, 405);
    let answer = harness.ask(Ask::post("/hooks/others", "{}")).await;
    assert_eq!(answer.status, 404);
    let trail = harness.stop().await;
    assert!(trail.events().iter().all(|event| event.source.as_ref().unwrap().channel == "gateway"));
}

#[tokio::test]
async fn the_callers_token_goes_nowhere() {
    let harness = start().await;
    let token = harness.token().to_owned();
    let event = json!({"hook_event_name": "PreToolUse", "session_id": "s1", "tool_name": "Write", "tool_use_id": "t0",
        "tool_input": {"file_path": "/a", "content": format!("mine: {token}")}});
    let (_, said) = tell(&harness, &event).await;
    let updated = said["hookSpecificOutput"]["updatedInput"]["content"].as_str().unwrap();
    assert!(updated.starts_with("mine: ") && !updated.contains(&token), "{updated}");
    let (_, said) = tell(&harness, &pre("env", "t1")).await;
    assert_eq!(said, json!({}));
    let (_, said) = tell(&harness, &post("env", &format!("HOME=/\nMINE={token}"), "t1")).await;
    let updated = said["hookSpecificOutput"]["updatedToolOutput"]["stdout"].as_str().unwrap();
    assert!(updated.starts_with("HOME=/\nMINE=") && !updated.contains(&token), "{updated}");
    // Where other arguments cannot be given, it is denied.
    let event = json!({"hook_event_name": "beforeShellExecution", "command": format!("echo {token}")});
    let answer = harness.ask(Ask::post("/hooks/cursor", &event.to_string())).await;
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(said["permission"], "deny");
    let trail = harness.stop().await;
    assert!(!trail.contains_anywhere(&[&token]) && !trail.any_part_contains(&[&token]));
}

#[tokio::test]
async fn an_answer_has_no_more_than_its_schema() {
    let harness = start().await;
    // What Codex takes, by event: a reply with any other member would be thrown away whole.
    let fits = |said: &Value| {
        let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let known = ["decision", "reason", "hookSpecificOutput"];
        let specific = ["hookEventName", "permissionDecision", "permissionDecisionReason", "updatedInput"];
        members(said).iter().all(|name| known.contains(&name.as_str()))
            && said
                .get("hookSpecificOutput")
                .is_none_or(|inner| members(inner).iter().all(|name| specific.contains(&name.as_str())))
    };
    for (_, events) in cases("codex").into_iter().chain(cases("claude-code")) {
        for event in events {
            let answer = harness.ask(Ask::post("/hooks/codex", &event.to_string())).await;
            if answer.status == 200 {
                assert!(fits(&serde_json::from_str(&answer.body).unwrap()), "{event}: {}", answer.body);
            }
        }
    }
    harness.stop().await.verifies();
}
