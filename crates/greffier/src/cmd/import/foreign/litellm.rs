//! LiteLLM: a `StandardLoggingPayload` (what its callbacks and buckets get), or a row of `LiteLLM_SpendLogs`. Both are
//! public: docs.litellm.ai, "StandardLoggingPayload Specification", and the proxy's database schema.

use greffier_event::{OutcomeStatus, limits};

use super::Read;
use super::record::{Record, Told, agent, between, fit, id};

const START: &[&str] = &["startTime", "start_time"];
const END: &[&str] = &["endTime", "end_time"];

/// Whether a record is one of these.
pub(super) fn is(record: &Record) -> bool {
    let timed = record.has("startTime") || record.has("start_time");
    record.has("standard_logging_object") || (record.has("call_type") && timed)
}

pub(super) fn read(record: &Record) -> Result<Read, &'static str> {
    if let Some(inner) = record.value(&["standard_logging_object"]) {
        let inner = Record::parse(&inner.to_string()).ok_or("its standard_logging_object is no object")?;
        return if is(&inner) { read(&inner) } else { Err("its standard_logging_object is no payload") };
    }
    let (start, end) = (record.time(START), record.time(END));
    let named = record.text(&["request_id", "id", "litellm_call_id"]);
    let own = named.as_deref().ok_or("it has neither `id` nor `request_id`")?;
    // A row and a payload of one call are two accounts of it, and a reply from a cache has the id of the first one.
    let table = if record.has("request_id") { "spend" } else { "payload" };
    let key = format!("litellm {table}\n{own}\n{}", start.map(|time| time.to_string()).unwrap_or_default());

    let status = record.text(&["status", "metadata/status"]);
    let failed = status.as_deref() == Some("failure") || record.value(&["error_str"]).is_some();
    let call = record.text(&["call_type"]).unwrap_or_default();
    let tool = record
        .fit(&limits::ACTION_NAME, &["mcp_namespaced_tool_name", "metadata/mcp_tool_call_metadata/name"]);
    let kind = match (&tool, failed) {
        (Some(_), _) => "tool.response",
        (None, true) => "action.failed",
        (None, false) => "action.executed",
    };
    let ip = record.text(&["requester_ip_address", "metadata/requester_ip_address"]);
    let mut told = Told {
        id: Some(id(&key)),
        time: start,
        kind,
        agent: agent(
            record.fit(
                &limits::AGENT_ID,
                &["metadata/user_api_key_alias", "metadata/user_api_key_team_alias", "team_id"],
            ),
            "litellm",
        ),
        user: record.fit(
            &limits::USER_SUB,
            &[
                "end_user",
                "metadata/user_api_key_end_user_id",
                "user",
                "metadata/user_api_key_user_id",
                "metadata/user_api_key_user_email",
            ],
        ),
        session: record.fit(&limits::SESSION_ID, &["session_id", "trace_id"]),
        action_kind: Some(if tool.is_some() { "tool" } else { "llm" }),
        action: tool.or_else(|| fit(&limits::ACTION_NAME, &call)).unwrap_or_default(),
        call_id: fit(&limits::ACTION_CALL_ID, own),
        provider: record.fit(&limits::USAGE_PROVIDER, &["custom_llm_provider"]),
        model: record.fit(&limits::USAGE_MODEL, &["model", "model_group"]),
        input_tokens: record.count(&["prompt_tokens"], 1.0),
        output_tokens: record.count(&["completion_tokens"], 1.0),
        cost_micros: record.count(&["response_cost", "spend"], 1e6),
        status: Some(if failed { OutcomeStatus::Failure } else { OutcomeStatus::Success }),
        code: record.count(&["error_information/error_code", "metadata/error_information/error_code"], 1.0),
        error: record.fit(
            &limits::OUTCOME_ERROR,
            &["error_information/error_class", "metadata/error_information/error_class"],
        ),
        duration_us: between(start, end),
        ip: ip.filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        protocol: "litellm",
        ..Told::default()
    };
    let parts = [("prompt", "messages"), ("completion", "response"), ("error", "error_str")];
    told.parts = parts.iter().filter_map(|(name, field)| record.part(name, field)).collect();
    told.parts.extend(record.metadata("litellm"));
    told.document().map(Read::Event)
}
