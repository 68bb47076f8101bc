//! Tests of OTLP, from a body to the trail. Payloads and the events made of them lie in `testdata/otlp`.

use crate::testing::World;

const TRACES: &str = "/otlp/v1/traces";

/// One tool call of an agent, as small as it comes.
const TOOL: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"crm-assistant"}}]},"scopeSpans":[{"scope":{"name":"demo","version":"1"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"execute_tool search","kind":1,"startTimeUnixNano":"1772807400000000000","endTimeUnixNano":"1772807400250000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}},{"key":"gen_ai.tool.name","value":{"stringValue":"search"}},{"key":"gen_ai.tool.call.id","value":{"stringValue":"call_1"}},{"key":"gen_ai.tool.call.arguments","value":{"stringValue":"{\"ssn\":\"536-90-4399\"}"}}]}]}]}]}"#;

#[tokio::test]
async fn a_tool_call_is_two_events() {
    let world = World::new().await;
    let answer = world.post("analyst@acme", TRACES, "application/json", TOOL).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let trail = world.trail("acme");
    let types: Vec<_> = trail.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["tool.call", "tool.response"]);
    assert!(trail.iter().all(|event| event["source"]["channel"] == "otlp"));
}
