//! Messages of MCP: what is read strictly is what any parser reads, and the era check survives any parameters.
#![no_main]

use greffier_gateway::mcp::era::{Era, era};
use greffier_gateway::mcp::fingerprint;
use greffier_gateway::mcp::rpc::{Message, read};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = read(bytes) else { return };
    let whole: Value = serde_json::from_slice(bytes).expect("what was read is JSON");
    let same = |name: &str, text: &str| {
        let read: Value = serde_json::from_str(text).expect("a slice of JSON is JSON");
        assert_eq!(whole.get(name), Some(&read));
    };
    match message {
        Message::Request { id, method, params } => {
            same("id", id.as_json());
            assert_eq!(whole.get("method").and_then(Value::as_str), Some(method.as_str()));
            if let Some(params) = params {
                same("params", params);
                drop(fingerprint(params));
            }
            let known = era(&Default::default(), Some(&method), params);
            assert!(!matches!(known, Ok(Era::Stateless)), "without a header nothing is of that era");
        }
        Message::Notification { params, .. } => {
            assert!(whole.get("id").is_none());
            if let Some(params) = params {
                same("params", params);
            }
        }
        Message::Response { outcome: Ok(result), .. } => same("result", result),
        Message::Response { outcome: Err(error), .. } => same("error", error),
    }
});
