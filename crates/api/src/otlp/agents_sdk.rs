//! The OpenAI Agents SDK's own traces, as its exporter posts them: `{"data":[{"object":"trace.span",…}]}`.

use greffier_event::{
    Action, ActionKind, DecisionKind, Effect, OutcomeStatus, PolicyRecord, Timestamp, Usage,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Malformed;
use super::claim::{Claim, Deed, Seed};
use super::json::{AtMost, checked};
use super::model::{Attributes, MAX_ITEMS, Origin};
use super::told::{Told, action, blank, model_call, model_uri, usage, whole};

const PROTOCOL: &str = "openai.agents";

#[derive(Deserialize)]
struct Ingest<'a> {
    #[serde(borrow)]
    data: AtMost<&'a RawValue, MAX_ITEMS>,
}

/// A trace or a span. What is not named here is kept as it came.
#[derive(Deserialize)]
struct Object {
    object: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    trace_id: Option<String>,
    #[serde(default)]
    parent_id: Option<String>,
    #[serde(default)]
    started_at: Option<String>,
    #[serde(default)]
    ended_at: Option<String>,
    #[serde(default)]
    span_data: Option<Attributes>,
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

/// One object's claim; none if it is no act.
pub(super) type Read = Result<Option<Claim>, Malformed>;

/// Reads a body. What is wrong within one object concerns that object only.
pub(super) fn read(body: &[u8]) -> Result<Vec<Read>, Malformed> {
    let ingest: Ingest<'_> = serde_json::from_slice(body)
        .map_err(|_| Malformed("the body is not what the OpenAI Agents SDK sends: {\"data\":[…]}"))?;
    Ok(ingest.data.0.into_iter().map(|raw| checked(raw).and_then(object)).collect())
}

fn object(object: Object) -> Read {
    // A trace is the frame of its spans: it has a name and no time.
    if object.object != "trace.span" {
        return Ok(None);
    }
    let Some(data) = object.span_data else { return Ok(None) };
    let origin = Origin::default();
    let told = Told { attributes: &data, origin: &origin };
    let kind = told.text(&["type"]).unwrap_or_default();
    let trace = object.trace_id.as_deref().unwrap_or_default();
    let mut claim = blank(told, PROTOCOL, Seed::Open(format!("{trace}-{}", object.id)));
    claim.start = nanos(object.started_at.as_deref())?;
    claim.end = nanos(object.ended_at.as_deref().or(object.started_at.as_deref()))?.max(claim.start);
    claim.duration_us = Some((claim.end - claim.start) / 1_000);
    claim.request = format!("otlp-{trace}-{}", object.id);
    trace.strip_prefix("trace_").unwrap_or(trace).clone_into(&mut claim.trace_id);
    claim.session = (!trace.is_empty()).then(|| trace.to_owned());
    claim.client = Some("openai-agents".to_owned());
    if let Some(failure) = object.error {
        claim.status = OutcomeStatus::Failure;
        claim.error = Some("error".to_owned());
        let data = if failure.data.is_null() { String::new() } else { format!(" {}", failure.data) };
        claim.error_text = Some(format!("{}{data}", failure.message));
    }
    let name = told.text(&["name"]).unwrap_or(kind);
    match kind {
        "agent" => {
            claim.deed = Deed::Agent;
            claim.agent = Some(name.to_owned());
            claim.action = action(ActionKind::Agent, name);
        }
        "function" => {
            claim.deed = Deed::Tool;
            let server = data.get("mcp_data").and_then(|mcp| mcp.get("server")).and_then(Value::as_str);
            let name = server.map_or_else(|| name.to_owned(), |server| format!("{server}:{name}"));
            claim.action = action(ActionKind::Tool, &name);
            claim.input = whole("parameters", told.value(&["input"]));
            claim.output = whole("result", told.value(&["output"]));
        }
        "generation" | "response" | "transcription" | "speech" => {
            let response = told.text(&["response_id"]);
            claim.action = model_call(if kind == "response" { "responses" } else { "chat" }, response);
            model(&mut claim, told);
        }
        "handoff" => {
            let to = told.text(&["to_agent"]).unwrap_or("agent");
            claim.action = action(ActionKind::Agent, &format!("handoff:{to}"));
            claim.agent = told.text(&["from_agent"]).map(str::to_owned);
        }
        "guardrail" => {
            claim.deed = Deed::Check;
            claim.action = action(ActionKind::Agent, name);
            let triggered = told.flag(&["triggered"]) == Some(true);
            if triggered {
                claim.status = OutcomeStatus::Denied;
            }
            claim.policy = Some(PolicyRecord {
                decision: if triggered { DecisionKind::Deny } else { DecisionKind::Allow },
                reason: None,
                rule: super::claim::fit(&greffier_event::limits::POLICY_RULE, name),
                scopes: Vec::new(),
                version: None,
            });
        }
        "mcp_tools" => {
            claim.deed = Deed::Access;
            let server = told.text(&["server"]).unwrap_or("mcp");
            claim.action = Action {
                effect: Some(Effect::Read),
                method: Some("tools/list".to_owned()),
                ..action(ActionKind::Data, &format!("{server}:tools/list"))
            };
        }
        // A turn, a task and what an application adds of its own are steps, not acts.
        _ => return Ok(None),
    }
    let mut rest = data.clone();
    rest.retain(|name, _| !["input", "output"].contains(&name.as_str()));
    claim.metadata = serde_json::json!({
        "id": object.id, "trace_id": trace, "parent_id": object.parent_id, "span_data": rest,
    });
    Ok(Some(claim))
}

fn model(claim: &mut Claim, told: Told<'_>) {
    let model = told.text(&["model"]);
    let counted = told.attributes.get("usage").and_then(Value::as_object).cloned().unwrap_or_default();
    let detail = |name: &str| counted.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let (input, output) = (detail("input_tokens_details"), detail("output_tokens_details"));
    let count =
        |attributes: &Attributes, names: &[&str]| Told { attributes, origin: told.origin }.count(names);
    claim.uri = model_uri(model);
    claim.usage = usage(Usage {
        cache_read_tokens: count(&input, &["cached_tokens"]),
        cache_write_tokens: None,
        cost_micros: None,
        input_tokens: count(&counted, &["input_tokens", "prompt_tokens"]),
        model: model.map(str::to_owned),
        output_tokens: count(&counted, &["output_tokens", "completion_tokens"]),
        provider: None,
        reasoning_tokens: count(&output, &["reasoning_tokens"]),
    });
    claim.input = whole("prompt", told.value(&["input"]));
    claim.output = whole("completion", told.value(&["output"]));
}

/// A time as nanoseconds since 1970.
fn nanos(time: Option<&str>) -> Result<u64, Malformed> {
    let wrong = Malformed("its time is not RFC 3339");
    let time: Timestamp = time.ok_or(wrong)?.parse().map_err(|_| wrong)?;
    u64::try_from(time.as_micros()).map_err(|_| wrong)?.checked_mul(1_000).ok_or(wrong)
}
