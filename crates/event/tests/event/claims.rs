//! What a producer says, read straight or the long way: the same, whatever it says.

use std::cell::Cell;

use greffier_event::{Claim, Form, InvalidEvent, Reading, Trust};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::round_trips::native;
use crate::samples;
use crate::strategies::value;

/// Reads a claim, and says whether it was read straight: only the long way asks for an id.
fn read(text: &str, channel: &str) -> (Result<Claim, InvalidEvent>, bool) {
    let asked = Cell::new(false);
    let id = || {
        asked.set(true);
        samples::id(1)
    };
    let claim = Claim::read(text, &samples::tenant(), channel, id);
    (claim, !asked.get())
}

/// The long way.
fn by_tree(text: &str, channel: &str) -> Result<Claim, InvalidEvent> {
    let tenant = samples::tenant();
    let reading = Reading { tenant: &tenant, id: samples::id(1), channel, trust: Trust::Outside };
    let (form, draft) = Form::read_any(text, &reading)?;
    let said = Claim::said(&draft)?;
    Ok(Claim { form, draft, said })
}

/// Both ways say the same; whether it was read straight.
fn check(text: &str) -> bool {
    let straight = ["sdk", "import"].map(|channel| {
        let (claim, straight) = read(text, channel);
        assert!(claim == by_tree(text, channel), "{claim:?} of {text}");
        straight
    });
    straight.contains(&true)
}

const USUAL: &str = r#"{"action":{"kind":"tool","name":"crm:search"},"agent":{"id":"crm"},"id":"00000000-0000-4000-8000-000000000001","outcome":{"duration_us":12346,"status":"success"},"parts":[{"name":"parameters","json":{"q":"open orders","api_key":"sk-1"}},{"name":"metadata","json":{"note":"n"}},{"name":"result","text":"two\nlines"}],"request_id":"req_1","resource":{"uri":"crm://contacts"},"session_id":"s","time":"2026-03-06T14:32:07.891000Z","type":"action.executed","user":{"sub":"alice"},"source":{"client":"c/1","producer":"p","sequence":0}}"#;

#[test]
fn what_clients_write_is_read_straight() {
    assert!(check(USUAL));
    let (claim, _) = read(USUAL, "sdk");
    let claim = claim.unwrap();
    insta::assert_snapshot!(claim.said, @r#"{"action":{"kind":"tool","name":"crm:search"},"agent":{"id":"crm"},"id":"00000000-0000-4000-8000-000000000001","outcome":{"duration_us":12346,"status":"success"},"request_id":"req_1","resource":{"uri":"crm://contacts"},"session_id":"s","source":{"channel":"","client":"c/1","producer":"p","sequence":0},"tenant":"org_acme_corp","time":"2026-03-06T14:32:07.891000Z","type":"action.executed","user":{"sub":"alice"},"v":1,"parts":[{"name":"parameters","media":"application/json","json":{"q":"open orders","api_key":"[REDACTED]"}},{"name":"result","media":"text/plain","text":"two\nlines"},{"name":"metadata","media":"application/json","json":{"note":"n"}}]}"#);
    assert!(!format!("{claim:?}").contains("open orders"));
}

#[test]
fn what_is_unusual_is_read_the_long_way() {
    let with = |pointer: &str, value: Value| {
        let mut document: Value = serde_json::from_str(USUAL).unwrap();
        match pointer.rsplit_once('/') {
            Some((above, name)) => document.pointer_mut(above).unwrap()[name] = value,
            None => unreachable!(),
        }
        document.to_string()
    };
    for (pointer, value) in [
        ("/unknown", json!(1)),
        ("/user/unknown", json!(1)),
        ("/user/roles", json!([])),
        ("/user/verified", json!(true)),
        ("/user", json!(null)),
        ("/tenant", json!("another")),
        ("/v", json!(2)),
        ("/id", json!("00000000000040008000000000000001")),
        ("/time", json!("2026-03-06T14:32:07.891Z")),
        ("/time", json!("2026-03-06T14:32:60.000000Z")),
        ("/recorded_at", json!("2026-03-06T14:32:07.891000Z")),
        ("/session_link", json!("declared:header")),
        ("/source/channel", json!("sdk")),
        ("/source/node", json!("gw-1")),
        ("/source/skew_us", json!(1)),
        ("/outcome/duration_us", json!(1.5)),
        ("/action/kind", json!({ "tool": null })),
        ("/resource/uri", json!("crm://contacts?q=1")),
        ("/resource/uri", json!("audit://x")),
        ("/agent/id", json!("Greffier")),
        ("/agent", json!(["x"])),
        ("/agent/via", json!([{ "sub": "x", "iss": "y" }])),
        ("/outcome/attempts", json!([{ "upstream_request_id": "x", "code": 1 }])),
        ("/parts", json!([{ "name": "metadata", "json": {} }])),
        ("/parts", json!([{ "name": "metadata", "json": { "greffier.given": 1 } }])),
        ("/parts", json!([{ "name": "a", "json": 1, "text": "" }])),
        ("/parts", json!([{ "name": "a", "media": "application/json", "text": "{}" }])),
        ("/parts", json!([{ "name": "a", "json": 1 }, { "name": "a", "json": 1 }])),
    ] {
        let text = with(pointer, value);
        assert!(!check(&text), "{text}");
    }
    for (pointer, value) in [
        ("/tenant", json!("org_acme_corp")),
        ("/v", json!(1)),
        ("/user/verified", json!(false)),
        ("/parts", json!([])),
        ("/parts", json!([{ "name": "a", "json": null }, { "name": "b", "base64": "//79" }])),
    ] {
        let text = with(pointer, value);
        assert!(check(&text), "{text}");
    }
}

/// The pointers to all values of a document.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| {
                places(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found)
            });
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| places(value, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

/// One change of a document.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    Add(&'static str, Value),
}

const NAMES: [&str; 20] = [
    "id",
    "time",
    "type",
    "v",
    "tenant",
    "source",
    "parts",
    "recorded_at",
    "parts_root",
    "session_link",
    "verified",
    "channel",
    "digest",
    "event_id",
    "agent_id",
    "json",
    "text",
    "base64",
    "media",
    "roles",
];

fn change() -> impl Strategy<Value = Change> {
    let hostile = select(vec![
        json!(null),
        json!(false),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(9_007_199_254_740_992_u64),
        json!(""),
        json!("x"),
        json!("tool"),
        json!("greffier"),
        json!("key://x"),
        json!("a b?c#d"),
        json!("ref:x"),
        json!([]),
        json!([""]),
        json!(["x"]),
        json!({}),
        json!({ "tool": null }),
        json!({ "greffier.given": { "form": "native" } }),
        json!({ "token": "x", "max_tokens": 1 }),
        json!("00000000-0000-4000-8000-00000000000A"),
        json!("00000000-0000-4000-8000-00000000000a"),
        json!("2026-03-06T14:32:60.000000Z"),
        json!("2026-13-06T14:32:07.000000Z"),
        json!("2026-03-06T14:32:07.891000Z"),
        json!("2026-03-06T14:32:07+02:00"),
    ]);
    prop_oneof![
        4 => hostile.clone().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        2 => (select(NAMES.to_vec()), hostile).prop_map(|(name, value)| Change::Add(name, value)),
    ]
}

fn changed(document: &mut Value, at: prop::sample::Index, change: Change) {
    let mut found = Vec::new();
    places(document, String::new(), &mut found);
    let place = at.get(&found);
    match change {
        Change::Replace(value) => *document.pointer_mut(place).unwrap() = value,
        Change::Remove => {
            if let Some((above, name)) = place.rsplit_once('/')
                && let Some(members) = document.pointer_mut(above).and_then(Value::as_object_mut)
            {
                members.remove(name);
            }
        }
        Change::Add(name, value) => {
            if let Some(members) = document.pointer_mut(place).and_then(Value::as_object_mut) {
                members.insert(name.to_owned(), value);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Documents of every kind, with unknown members, fractions, secrets and contents.
    #[test]
    fn documents(document in native(), pretty: bool) {
        check(&if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() });
    }

    /// Usual ones in which something was changed, to be hostile or by mistake.
    #[test]
    fn changed_documents(
        document in prop_oneof![native(), Just(serde_json::from_str::<Value>(USUAL).unwrap())],
        changes in vec((any::<prop::sample::Index>(), change()), 1..4),
    ) {
        let mut document = document;
        for (at, change) in changes {
            changed(&mut document, at, change);
        }
        check(&document.to_string());
    }

    /// And such whose text was: escapes, names that stand twice, what is no JSON.
    #[test]
    fn changed_texts(
        at in any::<prop::sample::Index>(), cut in 0..30_usize,
        piece in prop_oneof![
            value(),
            select(vec!["", "\\u0061", "\\n", "\u{1}", "\"", "}", "]", ",", "\"id\":", "\"v\":1,", "{", "0", "-", " ", "é"])
                .prop_map(str::to_owned)
        ],
    ) {
        let start = at.index(USUAL.len());
        let end = (start + cut).min(USUAL.len());
        check(&format!("{}{piece}{}", &USUAL[..start], &USUAL[end..]));
    }
}
