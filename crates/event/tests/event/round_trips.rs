//! Any document of a form comes back from that form as it went in.

use greffier_event::{Draft, Event, EventType, Form, Part, Reading, Trust};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::samples;
use crate::strategies::{
    any_object, event, field, line, must, number, object, quoted, shuffled, time_text, unknown, uuid_text,
    value,
};

fn read(form: Form, text: &str) -> Draft {
    let tenant = samples::tenant();
    let reading = Reading { tenant: &tenant, id: samples::id(1), channel: "import", trust: Trust::Outside };
    form.read(text, &reading).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Reads, records (the event's bytes must be good), and writes.
fn round_trip(form: Form, text: &str) -> Result<String, TestCaseError> {
    prop_assert_eq!(Form::detect(text), Ok(form));
    let draft = read(form, text);
    let recorded = Event::from_canonical(&draft.event.canonical().unwrap()).unwrap();
    Ok(form.write(&recorded, &draft.parts).unwrap())
}

fn flat() -> impl Strategy<Value = String> {
    let name = || quoted(prop_oneof![Just(String::new()), line()]);
    shuffled(vec![
        field("event_id", uuid_text()),
        must("timestamp", time_text()),
        must("event_type", select(EventType::ALL.to_vec()).prop_map(|kind| format!("\"{kind}\""))),
        field("agent_id", name()),
        field("session_id", name()),
        field("user_id", name()),
        field("action", name()),
        field("resource", quoted("[a-z ?#é:/]{0,12}")),
        field("parameters", any_object()),
        field("result", value()),
        field("error", value()),
        field("duration_ms", number()),
        field("metadata", any_object()),
    ])
}

fn governed() -> impl Strategy<Value = String> {
    let name = || quoted(prop_oneof![Just(String::new()), line()]);
    let list =
        |items: BoxedStrategy<String>| vec(items, 0..3).prop_map(|items| format!("[{}]", items.join(",")));
    let user = shuffled(vec![
        field("sub", name()),
        field("org", Just("\"org_acme_corp\"".to_owned())),
        field("role", name()),
        field("roles", list(quoted(line()).boxed())),
        field("email", quoted(any::<String>())),
    ]);
    let action = shuffled(vec![field("tool", name()), field("method", name()), field("parameters", value())]);
    let decision = select(vec!["allow", "deny", "redact", "pending"]).prop_map(|word| format!("\"{word}\""));
    let policy = shuffled(vec![
        field("decision", decision),
        field("rule", name()),
        field("scopes", list(quoted(line()).boxed())),
        field("reason", name()),
    ]);
    let finding = shuffled(vec![
        field("type", quoted("[A-Z_]{0,6}")),
        field("count", number()),
        field("path", quoted(any::<String>())),
        field("stage", select(vec!["\"input\"", "\"output\""]).prop_map(str::to_owned)),
    ]);
    let safety = shuffled(vec![
        field("piiDetected", select(vec!["true", "false"]).prop_map(str::to_owned)),
        field("redactions", list(prop_oneof![finding, value()].boxed())),
    ]);
    let usage = shuffled(vec![
        field("model", name()),
        field("inputTokens", number()),
        field("outputTokens", number()),
        field("estimatedCost", number()),
    ]);
    let status = prop_oneof![
        number(),
        select(vec!["200", "201", "403", "504", "\"success\"", "\"timeout\""]).prop_map(str::to_owned)
    ];
    let outcome = shuffled(vec![
        field("status", status),
        field("durationMs", number()),
        field("error", value()),
        field("result", value()),
    ]);
    shuffled(vec![
        must("timestamp", time_text()),
        field("requestId", name()),
        field("user", user),
        field("action", action),
        field("policy", policy),
        field("contentSafety", safety),
        field("usage", usage),
        field("outcome", outcome),
    ])
}

/// A native document as a producer may send it: no field that only Greffier sets, unknown fields at two levels,
/// parts with content.
pub(crate) fn native() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        value().prop_map(|json| format!("\"json\":{json}")),
        quoted(any::<String>()).prop_map(|text| format!("\"media\":\"text/markdown\",\"text\":{text}")),
        Just("\"base64\":\"//79\"".to_owned())
    ];
    (event(), unknown(), unknown(), vec(content, 0..3), any_object(), any::<bool>()).prop_map(
        |(mut event, outer, inner, contents, metadata, fraction)| {
            event.recorded_at = None;
            event.session_link = None;
            event.parts.clear();
            event.parts_root = None;
            event.tenant = samples::tenant();
            event.user.iter_mut().for_each(|user| user.verified = false);
            event.agent.iter_mut().for_each(|agent| agent.verified = false);
            let mut json = serde_json::to_value(&event).unwrap();
            let parse = |members| serde_json::from_str::<Value>(&object(members)).unwrap_or_default();
            if let Some(source) = json.get_mut("source").and_then(Value::as_object_mut) {
                source.remove("channel");
                source.remove("node");
                source.remove("digest");
                source.remove("skew_us");
            }
            for (place, unknown) in [("", parse(outer)), ("/policy", parse(inner))] {
                let target = json.pointer_mut(place).unwrap().as_object_mut().unwrap();
                target.extend(unknown.as_object().cloned().unwrap_or_default());
            }
            if fraction {
                json["outcome"]["duration_us"] = json!(1234.5);
            }
            let mut parts: Vec<Value> = contents
                .iter()
                .enumerate()
                .filter_map(|(index, content)| {
                    serde_json::from_str(&format!("{{\"name\":\"part_{index}\",{content}}}")).ok()
                })
                .collect();
            let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
            if metadata.as_object().is_some_and(|metadata| !metadata.is_empty()) {
                parts.push(json!({ "name": "metadata", "json": metadata }));
            }
            if !parts.is_empty() {
                json["parts"] = Value::from(parts);
            }
            json
        },
    )
}

/// What Greffier adds to what a producer said.
fn without_additions(text: &str, given: &Value) -> Value {
    let mut json: Value = serde_json::from_str(text).unwrap();
    json["source"].as_object_mut().unwrap().remove("channel");
    if given.get("source").is_none() {
        json.as_object_mut().unwrap().remove("source");
    }
    let given_parts = given.get("parts").and_then(Value::as_array);
    for (part, given) in json
        .get_mut("parts")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .zip(given_parts.into_iter().flatten())
    {
        if given.get("media").is_none() {
            part.as_object_mut().unwrap().remove("media");
        }
    }
    json
}

proptest! {
    #[test]
    fn flat_documents(text in flat()) {
        prop_assert_eq!(round_trip(Form::Flat, &text)?, text);
    }

    #[test]
    fn governed_documents(text in governed()) {
        prop_assert_eq!(round_trip(Form::Governed, &text)?, text);
    }

    #[test]
    fn native_documents(document in native()) {
        let given = document.to_string();
        let text = round_trip(Form::Native, &given)?;
        // Read from the same text: floats are compared as both sides spell them.
        let document = serde_json::from_str(&given).unwrap();
        prop_assert_eq!(without_additions(&text, &document), document);
    }

    /// What Greffier wrote itself, it reads whole.
    #[test]
    fn own_events(event in event(), content in any_object()) {
        let parts = vec![Part {
            name: "parameters".to_owned(),
            media: "application/json".to_owned(),
            content: content.into_bytes(),
        }];
        let mut event = event;
        event.parts.clear();
        event.parts_root = None;
        event.source = Some(greffier_event::Source { channel: "gateway".to_owned(), ..Default::default() });
        let text = Form::Native.write(&event, &parts).unwrap();
        let reading = Reading { tenant: &event.tenant, id: event.id, channel: "import", trust: Trust::Own };
        let draft = Form::Native.read(&text, &reading).unwrap();
        prop_assert!(draft.event == event);
        prop_assert!(draft.parts == parts);
    }

    #[test]
    fn foreign_text_never_panics(text in "\\PC{0,60}", json in value()) {
        let tenant = samples::tenant();
        let reading = Reading { tenant: &tenant, id: samples::id(1), channel: "sdk", trust: Trust::Outside };
        for form in Form::ALL {
            let _ = form.read(&text, &reading);
            let _ = form.read(&json, &reading);
            let _ = form.read(&format!("{{\"type\":{json},\"time\":{json},\"user\":{json},\"parts\":{json}}}"), &reading);
            let _ = form.read(&format!("{{\"timestamp\":{json},\"event_type\":{json},\"outcome\":{json}}}"), &reading);
        }
    }
}
