//! OpenTelemetry's GenAI conventions, with MCP's, and what libraries wrote before them.

use greffier_event::{Action, ActionKind, Effect, Usage};

use super::claim::{Claim, Deed};
use super::flat;
use super::model::{Log, Origin, Span};
use super::told::{Told, action, model_call, model_uri, named, of_log, of_span, provider, usage, whole};

pub(super) const PROTOCOL: &str = "otlp.genai";

/// What a model was given.
const PROMPT: &[&str] = &[
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.tool.definitions",
    "gen_ai.prompt",
    "all_messages_events",
    "pydantic_ai.all_messages",
    "events",
];
/// What it answered.
const COMPLETION: &[&str] = &["gen_ai.output.messages", "gen_ai.completion", "final_result"];
/// What a tool was given.
const ARGUMENTS: &[&str] = &[
    "gen_ai.tool.call.arguments",
    "tool_arguments",
    "gen_ai.retrieval.query.text",
    "traceloop.entity.input",
];
/// What it gave back.
const RESULT: &[&str] = &[
    "gen_ai.tool.call.result",
    "tool_response",
    "gen_ai.retrieval.documents",
    "gen_ai.memory.records",
    "traceloop.entity.output",
];
/// Messages spelt out, one attribute per field.
const FLAT_PROMPT: &str = "gen_ai.prompt";
const FLAT_COMPLETION: &str = "gen_ai.completion";

/// Reads a span; none if it is no act of an agent.
pub(super) fn span(span: &Span, origin: &Origin) -> Option<Claim> {
    let told = Told { attributes: &span.attributes, origin };
    let (deed, action) = deed(told)?;
    let mut claim = of_span(span, origin, PROTOCOL);
    fill(&mut claim, told, deed, action);
    Some(claim)
}

fn fill(claim: &mut Claim, told: Told<'_>, deed: Deed, action: Action) {
    let of_model = action.kind == Some(ActionKind::Llm);
    let model = told.text(&["gen_ai.response.model", "gen_ai.request.model"]);
    claim.deed = deed;
    claim.action = action;
    claim.uri = match deed {
        _ if of_model => model_uri(model),
        Deed::Tool => told.text(&["mcp.resource.uri"]).map(str::to_owned),
        _ => told.text(&["mcp.resource.uri", "gen_ai.data_source.id", "server.address"]).map(str::to_owned),
    };
    claim.code = told.code(&["rpc.response.status_code"]);
    if of_model {
        claim.usage = tokens(told, model);
    }
    let (prompt, completion) =
        (flat::content(told, PROMPT, FLAT_PROMPT), flat::content(told, COMPLETION, FLAT_COMPLETION));
    if of_model || deed == Deed::Agent {
        (claim.input, claim.output) = (named("prompt", prompt), named("completion", completion));
        if claim.input.is_none() {
            claim.input = whole("prompt", told.value(ARGUMENTS));
        }
        if claim.output.is_none() {
            claim.output = whole("completion", told.value(RESULT));
        }
    } else {
        (claim.input, claim.output) =
            (whole("parameters", told.value(ARGUMENTS)), whole("result", told.value(RESULT)));
    }
    claim.move_out();
}

/// What the span says was done: the operation, else what older or other conventions say.
fn deed(told: Told<'_>) -> Option<(Deed, Action)> {
    let operation = told.text(&["gen_ai.operation.name"]);
    let tool = told.text(&["gen_ai.tool.name"]);
    if let Some(method) = told.text(&["mcp.method.name"]) {
        return Some(mcp(told, method, tool));
    }
    let Some(operation) = operation else { return older(told, tool) };
    let response = told.text(&["gen_ai.response.id"]);
    Some(match operation {
        "execute_tool" => (Deed::Tool, tool_call(told, tool.unwrap_or("execute_tool"))),
        "invoke_agent" | "invoke_workflow" => {
            let name = told.text(&["gen_ai.agent.name", "gen_ai.workflow.name"]).unwrap_or(operation);
            (Deed::Agent, action(ActionKind::Agent, name))
        }
        "create_agent" => (Deed::Modify, effect(Effect::Create, action(ActionKind::Agent, operation))),
        "plan" => (Deed::Act, action(ActionKind::Agent, operation)),
        "retrieval" | "search_memory" => {
            (Deed::Access, effect(Effect::Read, action(ActionKind::Data, operation)))
        }
        "create_memory" | "create_memory_store" => {
            (Deed::Modify, effect(Effect::Create, action(ActionKind::Data, operation)))
        }
        "update_memory" | "upsert_memory" => {
            (Deed::Modify, effect(Effect::Update, action(ActionKind::Data, operation)))
        }
        "delete_memory" | "delete_memory_store" => {
            (Deed::Modify, effect(Effect::Delete, action(ActionKind::Data, operation)))
        }
        _ if tool.is_some() => (Deed::Tool, tool_call(told, tool.unwrap_or(operation))),
        // The known ones (chat, generate_content, text_completion, embeddings) and whatever comes later.
        _ => (Deed::Act, model_call(operation, response)),
    })
}

fn mcp(told: Told<'_>, method: &str, tool: Option<&str>) -> (Deed, Action) {
    let name = tool.or_else(|| told.text(&["gen_ai.prompt.name"])).unwrap_or(method);
    let mut action = tool_call(told, name);
    action.method = Some(method.to_owned());
    match method {
        "tools/call" => (Deed::Tool, action),
        "resources/read" | "prompts/get" | "resources/list" | "prompts/list" | "tools/list" => {
            action.kind = Some(ActionKind::Data);
            (Deed::Access, effect(Effect::Read, action))
        }
        _ => (Deed::Act, action),
    }
}

/// Conventions that have no operation.
fn older(told: Told<'_>, tool: Option<&str>) -> Option<(Deed, Action)> {
    if let Some(name) = tool {
        return Some((Deed::Tool, tool_call(told, name)));
    }
    if let Some(request) = told.text(&["llm.request.type"]) {
        let name = if request == "completion" { "text_completion" } else { request };
        return Some((Deed::Act, model_call(name, told.text(&["gen_ai.response.id"]))));
    }
    let entity = told.text(&["traceloop.entity.name"]);
    match told.text(&["traceloop.span.kind"]) {
        Some("tool") => return Some((Deed::Tool, tool_call(told, entity.unwrap_or("tool")))),
        Some("agent" | "workflow") => {
            return Some((Deed::Agent, action(ActionKind::Agent, entity.unwrap_or("agent"))));
        }
        _ => {}
    }
    let is_model = told.text(&["gen_ai.system", "gen_ai.provider.name"]).is_some()
        && told.text(&["gen_ai.request.model", "gen_ai.response.model"]).is_some();
    if is_model {
        return Some((Deed::Act, model_call("chat", told.text(&["gen_ai.response.id"]))));
    }
    told.text(&["gen_ai.agent.name", "agent_name"]).map(|name| (Deed::Agent, action(ActionKind::Agent, name)))
}

fn tool_call(told: Told<'_>, name: &str) -> Action {
    let call_id = told.value(&["gen_ai.tool.call.id", "jsonrpc.request.id"]).map(|id| match id.as_str() {
        Some(id) => id.to_owned(),
        None => id.to_string(),
    });
    Action { call_id, ..action(ActionKind::Tool, name) }
}

fn effect(effect: Effect, action: Action) -> Action {
    Action { effect: Some(effect), ..action }
}

fn tokens(told: Told<'_>, model: Option<&str>) -> Option<Usage> {
    usage(Usage {
        cache_read_tokens: told
            .count(&["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"]),
        cache_write_tokens: told
            .count(&["gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"]),
        cost_micros: told.millionths(&["gen_ai.usage.cost", "operation.cost"]),
        input_tokens: told.count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
        model: model.map(str::to_owned),
        output_tokens: told.count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]),
        provider: told.text(&["gen_ai.provider.name", "gen_ai.system"]).map(provider),
        reasoning_tokens: told
            .count(&["gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.details.reasoning_tokens"]),
    })
}

/// Reads a log record: what was said to a model and what it said, where a library tells it beside its spans.
pub(super) fn log(log: &Log, origin: &Origin, name: &str) -> Option<Claim> {
    let told = Told { attributes: &log.attributes, origin };
    let mut claim = match name {
        "gen_ai.client.inference.operation.details" => {
            let (deed, action) = deed(told)?;
            let mut claim = of_log(log, origin, name, PROTOCOL);
            fill(&mut claim, told, deed, action);
            // The span that it belongs to tells the same usage.
            claim.usage = claim.usage.filter(|_| log.span_id.is_empty());
            if let Some(error) = told.text(&["error.type"]) {
                claim.status = greffier_event::OutcomeStatus::Failure;
                claim.error = Some(error.to_owned());
            }
            claim
        }
        "gen_ai.choice" => {
            let mut claim = of_log(log, origin, name, PROTOCOL);
            claim.action = model_call("chat", None);
            claim.output = whole("completion", Some(&log.body));
            claim
        }
        "gen_ai.system.message"
        | "gen_ai.user.message"
        | "gen_ai.assistant.message"
        | "gen_ai.tool.message" => {
            let mut claim = of_log(log, origin, name, PROTOCOL);
            claim.deed = Deed::Ask;
            claim.action = model_call(name, None);
            claim.input = whole("prompt", Some(&log.body));
            claim
        }
        _ => return None,
    };
    // One call with the span that it belongs to.
    if !log.trace_id.is_empty() && !log.span_id.is_empty() {
        claim.request = format!("otlp-{}-{}", log.trace_id, log.span_id);
    }
    claim.move_out();
    Some(claim)
}
