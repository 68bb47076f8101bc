//! The coding agents' own telemetry: Claude Code's events and beta traces, Codex's events.
//!
//! Their tools are named as hooks name them, `claude-code:Bash`, and `server:tool` where a tool is MCP's.

use greffier_event::{Action, ActionKind, DecisionKind, Effect, OutcomeStatus, PolicyRecord, Usage, limits};

use serde_json::Value;

use super::claim::{Claim, Deed, fit};
use super::model::{Log, Origin, Span};
use super::told::{Told, action, model_call, model_uri, named, of_log, of_span, usage, whole};

pub(super) const CLAUDE: &str = "otlp.claude_code";
pub(super) const CODEX: &str = "otlp.codex";
/// What the names of their items start with.
pub(super) const CLAUDE_PREFIX: &str = "claude_code.";
pub(super) const CODEX_PREFIX: &str = "codex.";

const TOOL_INPUT: &[&str] = &["tool_input", "tool_parameters", "arguments", "full_command", "file_path"];
const TOOL_OUTPUT: &[&str] = &["tool_output", "output", "new_context"];

/// Reads a span of Claude Code; none if another one tells the same.
pub(super) fn claude_span(span: &Span, origin: &Origin) -> Option<Claim> {
    let told = Told { attributes: &span.attributes, origin };
    let mut claim = of_span(span, origin, CLAUDE);
    who(&mut claim, told, "claude-code");
    match span.name.strip_prefix(CLAUDE_PREFIX)? {
        "interaction" => {
            claim.deed = Deed::Agent;
            claim.action = action(ActionKind::Agent, "interaction");
            claim.input = whole("prompt", shown(told, &["user_prompt"]));
        }
        "llm_request" => {
            claude_model(&mut claim, told);
            claim.input = whole("prompt", told.value(&["new_context"]));
            claim.output = whole("completion", told.value(&["response.model_output"]));
            if told.flag(&["success"]) == Some(false) {
                failed(&mut claim, told, "api_error");
            }
        }
        "tool" => {
            claim.deed = Deed::Tool;
            tool(&mut claim, told, "claude-code");
        }
        // `tool.execution` lies within `tool`, hooks report for themselves, and `tool.blocked_on_user` does not say which
        // tool was decided on: the log does.
        _ => return None,
    }
    claim.move_out();
    Some(claim)
}

/// Reads an event of Claude Code; none if it is no act.
pub(super) fn claude_log(log: &Log, origin: &Origin, name: &str) -> Option<Claim> {
    let told = Told { attributes: &log.attributes, origin };
    let mut claim = of_log(log, origin, name, CLAUDE);
    who(&mut claim, told, "claude-code");
    match name.strip_prefix(CLAUDE_PREFIX)? {
        "user_prompt" => asked(&mut claim, told),
        "api_request" => {
            claude_model(&mut claim, told);
            lasted(&mut claim, told);
        }
        "api_error" | "api_refusal" => {
            claude_model(&mut claim, told);
            lasted(&mut claim, told);
            failed(&mut claim, told, name.trim_start_matches(CLAUDE_PREFIX));
        }
        // The request that it answers tells the usage.
        "assistant_response" | "api_response_body" => {
            claude_model(&mut claim, told);
            claim.usage = None;
            claim.output = whole("completion", shown(told, &["response", "body"]));
        }
        "api_request_body" => {
            claim.deed = Deed::Ask;
            claim.action = model_call("chat", None);
            claim.uri = model_uri(told.text(&["model"]));
            claim.input = whole("prompt", shown(told, &["body"]));
        }
        "tool_result" => {
            claim.deed = Deed::ToolEnd;
            tool(&mut claim, told, "claude-code");
            lasted(&mut claim, told);
        }
        "tool_decision" => decision(&mut claim, told, "claude-code"),
        // What changes how the agent may act.
        change @ ("permission_mode_changed" | "mcp_server_connection" | "plugin_installed" | "auth") => {
            claim.deed = Deed::Modify;
            claim.action = Action { effect: Some(Effect::Update), ..action(ActionKind::Admin, change) };
            outcome(&mut claim, told, change);
        }
        "internal_error" => {
            claim.deed = Deed::Trouble;
            claim.action = action(ActionKind::Agent, "internal_error");
            failed(&mut claim, told, "internal_error");
        }
        _ => return None,
    }
    claim.move_out();
    Some(claim)
}

/// Reads an event of Codex; none if it is no act.
pub(super) fn codex_log(log: &Log, origin: &Origin, name: &str) -> Option<Claim> {
    let told = Told { attributes: &log.attributes, origin };
    let mut claim = of_log(log, origin, name, CODEX);
    who(&mut claim, told, "codex");
    claim.agent_version =
        told.text(&["app.version"]).map(str::to_owned).or_else(|| claim.agent_version.take());
    match name.strip_prefix(CODEX_PREFIX)? {
        "conversation_starts" => {
            claim.deed = Deed::AgentStart;
            claim.action = action(ActionKind::Agent, "conversation");
        }
        "user_prompt" => asked(&mut claim, told),
        // The usage comes with the end of the stream; a request that failed has no other event.
        "sse_event" | "websocket_event" if told.text(&["event.kind"]) == Some("response.completed") => {
            told.count(&["input_token_count"])?;
            claim.action = model_call("chat", told.text(&["response_id", "response.id"]));
            codex_model(&mut claim, told);
        }
        "api_request" | "websocket_request" => {
            let code = told.count(&["http.response.status_code"]);
            let refused = code.is_some_and(|code| code >= 400) || told.value(&["error.message"]).is_some();
            if !refused {
                return None;
            }
            claim.action = model_call("chat", None);
            codex_model(&mut claim, told);
            lasted(&mut claim, told);
            failed(&mut claim, told, "api_error");
        }
        "tool_result" => {
            claim.deed = Deed::ToolEnd;
            tool(&mut claim, told, "codex");
            lasted(&mut claim, told);
        }
        "tool_decision" => decision(&mut claim, told, "codex"),
        _ => return None,
    }
    claim.move_out();
    Some(claim)
}

/// Who acts: the agent by the name that hooks give it, for the account behind it rather than a device.
fn who(claim: &mut Claim, told: Told<'_>, agent: &str) {
    claim.agent = Some(agent.to_owned());
    if let Some(account) = told.text_here_or_there(&["user.account_uuid", "user.account_id"]) {
        claim.user = Some(account.to_owned());
        claim.email = told.text_here_or_there(&["user.email"]).map(str::to_owned);
    }
    let subagent = told.text(&["agent_id", "parent_agent_id", "agent.name"]).is_some()
        || told.text(&["query_source"]) == Some("subagent");
    claim.tier = subagent.then(|| "subagent".to_owned());
}

/// Content, unless the agent was told to keep it to itself.
fn shown<'a>(told: Told<'a>, names: &[&str]) -> Option<&'a Value> {
    told.value(names).filter(|value| *value != "<REDACTED>")
}

fn asked(claim: &mut Claim, told: Told<'_>) {
    claim.deed = Deed::Ask;
    claim.action = action(ActionKind::Agent, "user_prompt");
    claim.input = whole("prompt", shown(told, &["prompt"]));
}

fn claude_model(claim: &mut Claim, told: Told<'_>) {
    let model = told.text(&["gen_ai.response.model", "model", "gen_ai.request.model"]);
    let response = told.text(&["gen_ai.response.id", "request_id"]);
    claim.action = model_call("chat", response);
    claim.uri = model_uri(model);
    let (read, written) = (told.count(&["cache_read_tokens"]), told.count(&["cache_creation_tokens"]));
    // Anthropic counts what was in the cache beside the input; an event counts all input.
    let input = told.count(&["input_tokens"]).map(|input| {
        input.saturating_add(read.unwrap_or(0)).saturating_add(written.unwrap_or(0)).min(limits::INTEGER)
    });
    claim.usage = usage(Usage {
        cache_read_tokens: read,
        cache_write_tokens: written,
        cost_micros: told.count(&["cost_usd_micros"]).or_else(|| told.millionths(&["cost_usd"])),
        input_tokens: input,
        model: model.map(str::to_owned),
        output_tokens: told.count(&["output_tokens"]),
        provider: Some("anthropic".to_owned()),
        reasoning_tokens: None,
    });
    join(claim, response);
}

fn codex_model(claim: &mut Claim, told: Told<'_>) {
    let model = told.text(&["model", "slug"]);
    claim.uri = model_uri(model);
    claim.usage = usage(Usage {
        cache_read_tokens: told.count(&["cached_token_count"]),
        cache_write_tokens: None,
        cost_micros: None,
        input_tokens: told.count(&["input_token_count"]),
        model: model.map(str::to_owned),
        output_tokens: told.count(&["output_token_count"]),
        provider: Some("openai".to_owned()),
        reasoning_tokens: told.count(&["reasoning_token_count"]),
    });
}

fn tool(claim: &mut Claim, told: Told<'_>, agent: &str) {
    let call_id = told.text(&["tool_use_id", "gen_ai.tool.call.id", "call_id"]);
    let mcp = mcp_names(told);
    let name = mcp.mcp_tool_name.as_deref().or(told.text(&["tool_name", "gen_ai.tool.name"]));
    let server = mcp.mcp_server_name.as_deref().or(told.text(&["mcp_server"]));
    claim.action = Action {
        call_id: call_id.map(str::to_owned),
        ..action(ActionKind::Tool, &tool_name(agent, server, name.unwrap_or("tool")))
    };
    claim.input = whole("parameters", told.value(TOOL_INPUT));
    claim.output = whole("result", told.value(TOOL_OUTPUT));
    if let (None, Some(event)) = (&claim.output, claim.tool_output_event()) {
        claim.output = named("result", vec![("tool.output".to_owned(), event)]);
    }
    outcome(claim, told, "tool_error");
    join(claim, call_id);
}

/// Claude Code calls every tool of MCP `mcp_tool`, and names it beside.
#[derive(Default, serde::Deserialize)]
struct McpNames {
    #[serde(default)]
    mcp_server_name: Option<String>,
    #[serde(default)]
    mcp_tool_name: Option<String>,
}

fn mcp_names(told: Told<'_>) -> McpNames {
    let parameters = told.text(&["tool_parameters"]).filter(|text| text.contains("\"mcp_"));
    parameters.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// `mcp__crm__search` is `crm:search`, `Bash` is `claude-code:Bash`.
fn tool_name(agent: &str, server: Option<&str>, name: &str) -> String {
    let of_mcp = name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"));
    match (of_mcp, server) {
        (Some((server, tool)), _) => format!("{server}:{tool}"),
        (None, Some(server)) => format!("{server}:{name}"),
        (None, None) => format!("{agent}:{name}"),
    }
}

fn decision(claim: &mut Claim, told: Told<'_>, agent: &str) {
    tool(claim, told, agent);
    claim.deed = Deed::Check;
    claim.output = None;
    let word = told.text(&["decision"]).unwrap_or_default().to_ascii_lowercase();
    let allowed = word.starts_with("accept") || word.starts_with("approve") || word.starts_with("allow");
    let source = told.text(&["source"]).unwrap_or("unknown");
    claim.status = if allowed { OutcomeStatus::Success } else { OutcomeStatus::Denied };
    (claim.error, claim.error_text) = (None, None);
    claim.policy = Some(PolicyRecord {
        decision: if allowed { DecisionKind::Allow } else { DecisionKind::Deny },
        reason: None,
        rule: fit(&limits::POLICY_RULE, &format!("{agent}: {word} by {source}")),
        scopes: Vec::new(),
        version: None,
    });
}

fn outcome(claim: &mut Claim, told: Told<'_>, error: &str) {
    let refused = told.flag(&["success"]) == Some(false)
        || told.text(&["status"]).is_some_and(|status| matches!(status, "failed" | "error"));
    if refused {
        failed(claim, told, error);
    }
}

fn failed(claim: &mut Claim, told: Told<'_>, error: &str) {
    claim.status = OutcomeStatus::Failure;
    claim.code = told.code(&["status_code", "http.response.status_code"]);
    claim.error = Some(told.text(&["error_type", "error_name"]).unwrap_or(error).to_owned());
    let text = told.text(&["error", "error.message"]);
    claim.error_text = text.map(str::to_owned).or_else(|| claim.error_text.take());
}

/// How long it took, where that is told as a number.
fn lasted(claim: &mut Claim, told: Told<'_>) {
    claim.duration_us = told.count(&["duration_ms"]).map(|ms| ms.saturating_mul(1_000));
}

/// Events of one session that name the same call are one call.
fn join(claim: &mut Claim, id: Option<&str>) {
    if let (Some(session), Some(id)) = (&claim.session, id) {
        claim.request = format!("otlp-{session}-{id}");
    }
}

impl Claim {
    /// What a tool gave back, which Claude Code tells as an event of its span.
    fn tool_output_event(&self) -> Option<String> {
        let events = self.metadata.get("events")?.as_array()?;
        let output =
            events.iter().find(|event| event.get("name").is_some_and(|name| name == "tool.output"))?;
        Some(output.get("attributes")?.to_string())
    }
}
