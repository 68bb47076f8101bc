//! What is done about findings: what goes out, what comes back to the caller, and what is on record.

use std::time::Duration;

use greffier_event::{DecisionKind, EventType, RedactionAction, Stage};
use greffier_gateway::{OnFailure, Remote, Settings};
use greffier_safety::{Class, Definition, Entity, Field, Kinds, Rule, Rules, Scanner};

use crate::harness::{Ask, Harness, Upstream};

const SSN: &str = "536-90-4399";
const MAIL: &str = "bob.jones@example.com";

const ANY: Rule = Rule {
    kinds: Kinds::All,
    stage: None,
    tenant: None,
    tool: None,
    field: None,
    action: RedactionAction::Redact,
};

/// Models get and give what this action makes of it.
fn all(action: RedactionAction) -> impl FnOnce(&mut Settings) {
    move |settings| settings.rules.models = Rules::new(action)
}

fn chat(text: &str, stream: bool) -> String {
    serde_json::json!({"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": text}]})
        .to_string()
}

fn reply(content: &str, arguments: &str) -> String {
    serde_json::json!({"id": "c1", "model": "gpt-4o-mini", "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": content,
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "send", "arguments": arguments}}]}}]})
    .to_string()
}

#[tokio::test]
async fn a_model_sees_tokens_and_the_caller_its_values() {
    let said =
        reply("Wrote <EMAIL_ADDRESS_1> about <US_SSN_1>, not <US_SSN_2>.", r#"{"to":["<EMAIL_ADDRESS_1>"]}"#);
    let harness = Harness::with(Upstream::json(200, &said), all(RedactionAction::Tokenise)).await;
    let asked = chat(&format!("write {MAIL}: ssn {SSN}, again {MAIL}"), false);
    let answer = harness.ask(Ask::post("/v1/chat/completions", &asked)).await;
    assert_eq!(
        harness.upstream_saw()[0].body,
        asked.replace(MAIL, "<EMAIL_ADDRESS_1>").replace(SSN, "<US_SSN_1>")
    );
    let got: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let message = &got["choices"][0]["message"];
    assert_eq!(message["content"], format!("Wrote {MAIL} about {SSN}, not <US_SSN_2>."));
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], format!(r#"{{"to":["{MAIL}"]}}"#));

    let trail = harness.stop().await;
    let events = trail.call(&answer.headers["greffier-request-id"]);
    let redactions = &events[0].content_safety.as_ref().unwrap().redactions;
    assert!(redactions.iter().all(|found| found.action == RedactionAction::Tokenise), "{redactions:?}");
    assert_eq!(events[0].policy.as_ref().unwrap().decision, DecisionKind::Redact);
    assert!(!trail.contains_anywhere(&[SSN, MAIL]) && !trail.any_part_contains(&[SSN, MAIL]));
    assert!(trail.any_part_contains(&["Wrote <EMAIL_ADDRESS_1>"]));
    trail.verifies();
}

#[tokio::test]
async fn a_streamed_reply_is_restored_across_chunks() {
    let event = |delta: serde_json::Value| {
        let chunk = serde_json::json!({"id": "c1", "model": "gpt-4o-mini", "choices": [{"index": 0, "delta": delta}]});
        format!("data: {chunk}\n\n")
    };
    let arguments = |piece: &str| {
        event(serde_json::json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
    };
    let text = |piece: &str| event(serde_json::json!({"content": piece}));
    let events = vec![
        text("to <EMAIL_"),
        text("ADDRESS_1"),
        text("> and 536-90-"),
        text("4398."),
        arguments("{\"to\":\"<EMAIL_ADD"),
        arguments("RESS_1>\"}"),
        "data: [DONE]\n\n".to_owned(),
    ];
    let harness = Harness::with(Upstream::sse(events), all(RedactionAction::Tokenise)).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat(&format!("write {MAIL}"), true))).await;
    let data = answer.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let deltas: Vec<serde_json::Value> = data
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect();
    let content: String = deltas.iter().filter_map(|delta| delta["content"].as_str()).collect();
    assert_eq!(content, format!("to {MAIL} and <US_SSN>."));
    let arguments: String =
        deltas.iter().filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, format!(r#"{{"to":"{MAIL}"}}"#));
    let trail = harness.stop().await;
    assert!(!trail.any_part_contains(&[MAIL, "536-90"]));
    assert!(trail.any_part_contains(&["to <EMAIL_ADDRESS_1> and <US_SSN>"]));
}

#[tokio::test]
async fn equal_values_have_equal_hashes_and_masks_show_the_end() {
    let hash = |settings: &mut Settings| {
        settings.rules.models = Rules::new(RedactionAction::Hash).with(Entity::UsSsn, RedactionAction::Mask);
    };
    let harness = Harness::with(Upstream::json(200, &reply(&format!("{MAIL} {SSN}"), "{}")), hash).await;
    let asked = chat(&format!("{MAIL} {SSN}"), false);
    let first = harness.ask(Ask::post("/v1/chat/completions", &asked)).await;
    let second = harness.ask(Ask::post("/v1/chat/completions", &asked)).await;
    let sent = harness.upstream_saw();
    assert_eq!(sent[0].body, sent[1].body);
    assert!(
        sent[0].body.contains("<EMAIL_ADDRESS:") && sent[0].body.contains(" ****4399"),
        "{}",
        sent[0].body
    );
    // The model's own words, too: the same value is the same hash on its way back.
    let content = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
    let out = content(&sent[0].body)["messages"][0]["content"].clone();
    assert_eq!(content(&first.body)["choices"][0]["message"]["content"], out);
    assert_eq!(first.body, second.body);
    let trail = harness.stop().await;
    let outcome = &trail.call(&first.headers["greffier-request-id"])[1];
    let actions: Vec<_> =
        outcome.content_safety.as_ref().unwrap().redactions.iter().map(|found| found.action).collect();
    assert_eq!(actions, [RedactionAction::Hash, RedactionAction::Mask]);
    assert!(!trail.any_part_contains(&[SSN, MAIL, "4399"]));
}

#[tokio::test]
async fn rules_are_chosen_by_tool_field_tenant_and_direction() {
    let rules = |settings: &mut Settings| {
        let ssn = || Kinds::of([Entity::UsSsn]);
        let note = Some(Field::parse("/notes/*").unwrap());
        settings.rules.rules = vec![
            Rule { kinds: ssn(), field: note, stage: Some(Stage::Input), ..ANY },
            Rule {
                kinds: ssn(),
                tool: Some("ehr:*".to_owned()),
                stage: Some(Stage::Output),
                action: RedactionAction::Mask,
                ..ANY
            },
            Rule { tenant: Some("other".to_owned()), action: RedactionAction::Block, ..ANY },
            Rule {
                kinds: Kinds::Class(Class::Personal),
                tool: Some("crm:*".to_owned()),
                action: RedactionAction::Block,
                ..ANY
            },
        ];
    };
    let harness = Harness::with(Upstream::json(200, &format!(r#"{{"ssn":"{SSN}","n":1.50}}"#)), rules).await;
    let asked = format!(r#"{{ "ssn": "{SSN}", "notes": ["{SSN}", 1.0] }}"#);
    let answer = harness.ask(Ask::post("/tools/ehr/patients", &asked)).await;
    assert_eq!(
        harness.upstream_saw()[0].body,
        format!(r#"{{ "ssn": "{SSN}", "notes": ["<US_SSN>", 1.0] }}"#)
    );
    assert_eq!(answer.body, r#"{"ssn":"****4399","n":1.50}"#);
    let trail = harness.stop().await;
    let decision = &trail.call(&answer.headers["greffier-request-id"])[0];
    let found = &decision.content_safety.as_ref().unwrap().redactions;
    let actions: Vec<_> = found.iter().map(|found| (found.path.as_deref().unwrap(), found.action)).collect();
    assert_eq!(actions, [("/notes/0", RedactionAction::Redact), ("/ssn", RedactionAction::Flag)]);
    assert!(!trail.any_part_contains(&[SSN]));
}

#[tokio::test]
async fn types_of_ones_own_are_found_on_calls_and_streams() {
    let badge = Definition {
        name: "BADGE_ID".to_owned(),
        class: Class::Personal,
        pattern: "B-[0-9]{4,6}".to_owned(),
        context: Vec::new(),
        validator: None,
        finds: vec!["B-1234".to_owned()],
        ignores: Vec::new(),
    };
    let own = move |settings: &mut Settings| settings.scanner = Scanner::knowing(&[badge]).unwrap().into();
    let chunk = |piece: &str| {
        let chunk = serde_json::json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
        format!("data: {chunk}\n\n")
    };
    let events = vec![chunk("it is B"), chunk("-12"), chunk("34 now"), "data: [DONE]\n\n".to_owned()];
    let harness = Harness::with(Upstream::sse(events), own).await;
    let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("badge B-4321", true))).await;
    assert!(harness.upstream_saw()[0].body.contains("badge <BADGE_ID>"));
    assert!(answer.body.contains("<BADGE_ID>") && !answer.body.contains("12"), "{}", answer.body);
    let trail = harness.stop().await;
    let events = trail.call(&answer.headers["greffier-request-id"]);
    assert!(
        events.iter().all(|event| event.content_safety.as_ref().unwrap().redactions[0].entity == "BADGE_ID")
    );
}

fn remote(url: &'static str, on_failure: OnFailure) -> Remote {
    Remote {
        url: http::Uri::from_static(url),
        timeout: Duration::from_millis(500),
        entities: vec![Entity::Person],
        score: 0.5,
        language: "en".to_owned(),
        on_failure,
    }
}

#[tokio::test]
async fn without_its_answer_a_call_is_denied_or_goes_on_and_the_record_says_so() {
    // Nothing listens there.
    for (on_failure, status, calls) in [(OnFailure::Deny, 503, 0), (OnFailure::Continue, 200, 1)] {
        let ask = move |settings: &mut Settings| {
            settings.remote = Some(remote("http://127.0.0.1:1/analyze", on_failure));
        };
        let harness = Harness::with(Upstream::json(200, "{}"), ask).await;
        let answer = harness.ask(Ask::post("/v1/chat/completions", &chat("hello Zoe", false))).await;
        assert_eq!((answer.status, harness.upstream_saw().len()), (status, calls), "{}", answer.body);
        let trail = harness.stop().await;
        let events = trail.call(&answer.headers["greffier-request-id"]);
        let kinds = [EventType::ActionDenied, EventType::ActionApproved];
        assert_eq!(events[0].kind, kinds[calls]);
        let metadata = &trail.parts(events[0].id)["metadata"];
        assert_eq!(metadata, r#"{"content_safety":{"remote":"analyser_unreachable"}}"#);
    }
}
