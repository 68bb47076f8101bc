//! Whatever is sent: nothing panics, both encodings say the same, and every event that comes out is valid.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::encode;
use crate::otlp::body::Encoding;
use crate::otlp::claim::Desk;
use crate::otlp::{Signal, claims_of};
use crate::testing::{keys, tenant};

/// Names that dialects look for.
const NAMES: &[&str] = &[
    "openinference.span.kind",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "gen_ai.system",
    "mcp.method.name",
    "gen_ai.request.model",
    "gen_ai.response.id",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.cost",
    "gen_ai.input.messages",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt",
    "input.value",
    "llm.input_messages.0.message.content",
    "llm.input_messages.x",
    "llm.model_name",
    "llm.token_count.prompt",
    "session.id",
    "user.id",
    "user.email",
    "user.roles",
    "enduser.id",
    "error.type",
    "tool_name",
    "tool_use_id",
    "tool_parameters",
    "gen_ai.agent.id",
    "mcp.resource.uri",
    "traceloop.span.kind",
    "traceloop.entity.name",
    "gen_ai.tool.call.arguments",
    "rpc.response.status_code",
    "request_id",
    "cost_usd",
    "event.name",
];
/// Values that mean something to them.
const VALUES: &[&str] = &[
    "LLM",
    "TOOL",
    "AGENT",
    "RETRIEVER",
    "GUARDRAIL",
    "chat",
    "execute_tool",
    "invoke_agent",
    "update_memory",
    "tools/call",
    "resources/read",
    "{\"a\":[1,{\"b\":null}]}",
    "[{}",
    "",
    "\u{0}\n",
    "greffier",
    "audit://x",
    "a@example.com",
    "-1",
    "1e400",
    "9007199254740993",
    "<REDACTED>",
    "claude_code.tool_result",
    "tool",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => prop::sample::select(VALUES).prop_map(|text| json!({ "stringValue": text })),
        2 => ".{0,20}".prop_map(|text| json!({ "stringValue": text })),
        1 => any::<i64>().prop_map(|number| json!({ "intValue": number.to_string() })),
        1 => (-1e9..1e9_f64).prop_map(|number| json!({ "doubleValue": number })),
        1 => any::<bool>().prop_map(|flag| json!({ "boolValue": flag })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| json!({ "arrayValue": { "values": values } })),
            prop::collection::vec(("[a-z.]{1,8}", inner), 0..4).prop_map(|members| {
                let values: Vec<_> =
                    members.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
                json!({ "kvlistValue": { "values": values } })
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Value> {
    let name = prop_oneof![6 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => ".{0,40}"];
    prop::collection::vec((name, value()), 0..14).prop_map(|attributes| {
        attributes.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    })
}

fn export() -> impl Strategy<Value = Value> {
    let name =
        prop::sample::select(vec!["x", "claude_code.tool", "claude_code.llm_request", "codex.tool_result"]);
    let time = prop_oneof![Just(0_u64), Just(1_772_807_400_000_000_000), any::<u64>()];
    let span = (name, attributes(), attributes(), time.clone(), time, 0..3_u64).prop_map(
        |(name, attributes, event, start, end, code)| {
            json!({
                "traceId": super::TRACE, "spanId": "00f067aa0ba902b7", "name": name, "attributes": attributes,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string(),
                "status": { "code": code, "message": name },
                "events": [{ "name": "exception", "timeUnixNano": "1", "attributes": event }],
            })
        },
    );
    (prop::collection::vec(span, 0..3), attributes()).prop_map(|(spans, resource)| {
        json!({ "resourceSpans": [{ "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": { "name": "s" }, "spans": spans }] }] })
    })
}

/// The events of a body, or why there are none.
fn drafts(encoding: Encoding, body: &[u8]) -> Vec<String> {
    let (tenant, keys) = (tenant("acme"), keys());
    let desk = Desk { tenant: &tenant, keys: &keys };
    let claims = claims_of(Signal::Traces, encoding, body).unwrap();
    let shown = claims.into_iter().flat_map(|claim| match claim {
        Ok(Some(claim)) => claim
            .drafts(&desk)
            .into_iter()
            .map(|draft| {
                let reserved =
                    ["is reserved for Greffier's own acts", "has a scheme reserved for Greffier itself"];
                if let Err(error) = draft.event.validate() {
                    assert!(reserved.contains(&error.problem()), "{error}");
                }
                let parts = draft
                    .parts
                    .iter()
                    .map(|part| format!("{part:?} {}", String::from_utf8_lossy(&part.content)));
                format!("{:?} {}", draft.event, parts.collect::<String>())
            })
            .collect(),
        Ok(None) => vec!["-".to_owned()],
        Err(error) => vec![error.to_string()],
    });
    shown.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_encodings_say_the_same(export in export()) {
        let of_json = drafts(Encoding::Json, export.to_string().as_bytes());
        let of_protobuf = drafts(Encoding::Protobuf, &encode::traces(&export));
        prop_assert_eq!(of_json, of_protobuf);
    }

    #[test]
    fn any_bytes_are_read_without_panic(body: Vec<u8>, text in r#"[\[\]{},":a0-9resourceSpan]{0,60}"#) {
        for signal in [Signal::Traces, Signal::Logs, Signal::AgentsSdk] {
            for encoding in [Encoding::Json, Encoding::Protobuf] {
                drop(claims_of(signal, encoding, &body));
                drop(claims_of(signal, encoding, text.as_bytes()));
            }
        }
    }
}
