//! Entries for the tests of segments: the world as it is, and any event there may be.

use greffier_event::{Event, EventId, Tenant};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::write::{EntriesWriter, Written};

pub(crate) fn trail() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// The `n`th event of a busy day, 600 bytes.
pub(crate) fn typical(n: u64) -> Vec<u8> {
    let event = json!({
        "v": 1,
        "id": uuid(u128::from(n) << 64 | 0x8000_0000_0000_0000),
        "time": format!("2026-03-06T14:{:02}:{:02}.{:06}Z", n / 1_000 % 60, n % 60, n),
        "recorded_at": format!("2026-03-06T15:{:02}:{:02}.{:06}Z", n / 1_000 % 60, n % 60, n),
        "type": "tool.call",
        "tenant": "acme",
        "request_id": format!("req_{:08x}", n / 2),
        "session_id": format!("session_{}", n / 40),
        "user": {"sub": format!("auth0|{:016x}", n % 97), "roles": ["analyst"], "verified": true},
        "agent": {"id": "crm-assistant", "version": "1.4", "tier": "interactive", "verified": true},
        "action": {"name": "crm:contacts:search", "kind": "tool", "effect": "read", "method": "POST"},
        "policy": {"decision": "allow", "rule": "role:analyst grants tool:crm:read", "scopes": ["tool:crm:read"]},
        "outcome": {"status": "success", "code": 200, "duration_us": 342_000 + n},
        "source": {"channel": "gateway", "node": "gw-1", "ip": "192.0.2.7", "client": "openai-python/3.52"},
    });
    serde_json::from_value::<Event>(event).unwrap().canonical().unwrap()
}

/// The `n`th of many events of which nothing matters.
pub(crate) fn tiny(n: u64) -> Vec<u8> {
    let id = uuid(u128::from(n) << 64 | 0x8000_0000_0000_0000);
    let time = "2026-03-06T14:32:07.891000Z";
    format!(r#"{{"id":"{id}","tenant":"acme","time":"{time}","type":"data.access","v":1}}"#).into_bytes()
}

pub(crate) fn id_of(entry: &[u8]) -> EventId {
    Event::from_canonical(entry).unwrap().id
}

/// Seals entries from `first` on.
pub(crate) fn sealed(first: u64, entries: impl IntoIterator<Item = Vec<u8>>) -> Written {
    let mut writer = EntriesWriter::new(&trail(), first).unwrap();
    for (index, entry) in (first..).zip(entries) {
        writer.push(index, &entry).unwrap();
    }
    writer.finish().unwrap()
}

/// Any entry, each of its optional fields there or not.
pub(crate) fn entry() -> impl Strategy<Value = Vec<u8>> {
    let kinds = vec![
        ("tool.call", "allow", "unknown"),
        ("action.request", "pending", "pending"),
        ("action.approved", "redact", "pending"),
        ("permission.denied", "deny", "denied"),
        ("action.executed", "allow", "success"),
        ("action.failed", "allow", "timeout"),
        ("error", "allow", "cancelled"),
    ];
    let texts = prop::collection::vec("[a-zé😀\"\\\\ -]{1,10}", 40);
    let numbers = prop::collection::vec(prop_oneof![0..100u64, 0..1u64 << 53], 10);
    let flags = prop::collection::vec(any::<bool>(), OPTIONAL.len());
    (select(kinds), any::<u128>(), texts, numbers, any::<bool>(), flags).prop_map(
        |(kind, id, texts, numbers, verified, flags)| {
            let mut event = full(kind, id, &texts, &numbers, verified);
            for (path, _) in OPTIONAL.iter().zip(flags).filter(|(_, absent)| *absent) {
                let (parent, field) = path.rsplit_once('/').unwrap();
                if let Some(Value::Object(parent)) = event.pointer_mut(parent) {
                    parent.remove(field);
                }
            }
            if event.get("parts").is_none() {
                event.as_object_mut().unwrap().remove("parts_root");
            }
            serde_json::from_value::<Event>(event).unwrap().canonical().unwrap()
        },
    )
}

/// An event that leaves nothing out.
fn full(kind: (&str, &str, &str), id: u128, texts: &[String], numbers: &[u64], verified: bool) -> Value {
    let mut texts = texts.iter().cycle();
    let mut text = || texts.next().unwrap().as_str();
    let mut numbers = numbers.iter().cycle();
    let mut number = || *numbers.next().unwrap();
    let micros = |number: u64| greffier_event::Timestamp::from_micros((number >> 2).cast_signed());
    let redaction = |entity: &str, path: &str, count: u64| json!({"action": "flag", "count": count.max(1), "path": path, "stage": "input", "type": entity});
    json!({
        "v": 1,
        "id": uuid(id),
        "time": micros(number()),
        "recorded_at": micros(number()),
        "type": kind.0,
        "tenant": "acme",
        "request_id": text(),
        "session_id": text(),
        "trace": {"trace_id": format!("{:032x}", id | 1), "span_id": "00f067aa0ba902b7"},
        "user": {"sub": text(), "iss": "https://idp.example", "roles": [text(), text()], "verified": verified},
        "agent": {
            "id": text(), "version": text(), "tier": text(), "verified": verified,
            "via": [{"sub": text(), "iss": "https://idp.example"}, {"sub": text()}], "via_dropped": 3,
        },
        "action": {"name": text(), "kind": "tool", "effect": "read", "method": text(), "call_id": text()},
        "resource": {"uri": "crm://contacts", "classification": [text()], "subjects": ["ref:a", "ref:b"]},
        "policy": {
            "decision": kind.1, "reason": text(), "rule": text(), "version": text(),
            "scopes": [text(), text(), text()],
        },
        "content_safety": {
            "pii_detected": true,
            "redactions": [redaction("US_SSN", text(), number()), redaction("EMAIL", text(), number()),
                redaction("US_SSN", text(), number())],
        },
        "usage": {
            "provider": text(), "model": text(), "input_tokens": number(), "output_tokens": number(),
            "cache_read_tokens": number(), "cache_write_tokens": number(), "reasoning_tokens": number(),
            "cost_micros": number(),
        },
        "outcome": {
            "status": kind.2, "code": -number().cast_signed(), "error": "upstream_timeout",
            "duration_us": number(), "attempts": [{"code": 500}, {"upstream_request_id": text()}],
        },
        "source": {
            "channel": "sdk", "node": text(), "ip": "192.0.2.7", "client": text(), "protocol": text(),
            "oauth_client": text(), "token": "ab".repeat(32),
        },
        "parts": [{"name": "prompt", "media": "text/plain", "bytes": number()},
            {"name": "result", "media": "text/plain", "bytes": number()}],
        "parts_root": "cd".repeat(32),
    })
}

/// Every field that an event may lack.
#[rustfmt::skip]
const OPTIONAL: &[&str] = &[
    "/recorded_at", "/request_id", "/session_id", "/trace", "/trace/span_id", "/user", "/user/iss", "/user/roles",
    "/agent", "/agent/version", "/agent/tier", "/agent/via", "/agent/via_dropped", "/action", "/action/kind",
    "/action/effect", "/action/method", "/action/call_id", "/resource", "/resource/uri", "/resource/classification",
    "/resource/subjects", "/policy", "/policy/reason", "/policy/rule", "/policy/version", "/policy/scopes",
    "/content_safety", "/content_safety/redactions", "/usage", "/usage/provider", "/usage/model",
    "/usage/input_tokens", "/usage/output_tokens", "/usage/cache_read_tokens", "/usage/cache_write_tokens",
    "/usage/reasoning_tokens", "/usage/cost_micros", "/outcome", "/outcome/code", "/outcome/error",
    "/outcome/duration_us", "/outcome/attempts", "/source", "/source/node", "/source/ip", "/source/client",
    "/source/protocol", "/source/oauth_client", "/source/token", "/parts",
];

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
