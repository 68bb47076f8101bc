//! Langfuse: rows of an export of observations or traces, with the names of its blob storage (`start_time`) or of its
//! API and interface (`startTime`). Public: langfuse.com, "Blob storage export field reference".

use greffier_event::{OutcomeStatus, limits};

use super::Read;
use super::record::{Record, Told, agent, between, fit, id, trace_id};

const TYPE: &[&str] = &["type"];
const TRACE: &[&str] = &["trace_id", "traceId"];
const PROJECT: &[&str] = &["project_id", "projectId"];
const START: &[&str] = &["start_time", "startTime"];
const END: &[&str] = &["end_time", "endTime"];

/// Whether a record is one of these.
pub(super) fn is(record: &Record) -> bool {
    let observation =
        record.value(TYPE).is_some() && record.value(START).is_some() && record.value(TRACE).is_some();
    let of_project = record.value(PROJECT).is_some() && record.has("id");
    observation || (of_project && (record.has("timestamp") || record.value(TRACE).is_some()))
}

pub(super) fn read(record: &Record) -> Result<Read, &'static str> {
    let own = record.text(&["id"]).ok_or("it has no `id`")?;
    let is_trace = record.value(START).is_none();
    if is_trace && record.value(TRACE).is_some() {
        return Err("a score is no event: it says how somebody judged one");
    }
    let start = record.time(if is_trace { &["timestamp"] } else { START });
    let end = record.time(END);
    let kind = record.text(TYPE).unwrap_or_default().to_ascii_uppercase();
    let failed = record.text(&["level"]).is_some_and(|level| level == "ERROR");
    let (event, action_kind) = match kind.as_str() {
        "GENERATION" | "EMBEDDING" => (None, "llm"),
        "TOOL" => (Some("tool.response"), "tool"),
        "RETRIEVER" => (Some("data.access"), "data"),
        "GUARDRAIL" => (Some("permission.check"), "tool"),
        _ => (None, "agent"),
    };
    let event = event.unwrap_or(if failed { "action.failed" } else { "action.executed" });
    // Of a trace the whole is looked at, of an observation its trace is.
    let trace = record.text(TRACE).or_else(|| is_trace.then(|| own.clone()));
    let span = Some(own.to_ascii_lowercase()).filter(|id| limits::SPAN_ID.check(id).is_ok());
    let key = format!(
        "langfuse {}\n{}\n{own}",
        if is_trace { "trace" } else { "observation" },
        trace.as_deref().unwrap_or_default()
    );
    let mut told = Told {
        id: Some(id(&key)),
        time: start,
        kind: event,
        agent: agent(
            record.fit(&limits::AGENT_ID, if is_trace { &["name"] } else { &["trace_name", "traceName"] }),
            "langfuse",
        ),
        user: record.fit(&limits::USER_SUB, &["user_id", "userId"]),
        session: record
            .fit(&limits::SESSION_ID, &["session_id", "sessionId"])
            .or_else(|| trace.as_deref().and_then(|trace| fit(&limits::SESSION_ID, trace))),
        trace: trace.as_deref().and_then(trace_id).map(|trace| (trace, span)),
        action: record
            .fit(&limits::ACTION_NAME, &["name"])
            .unwrap_or_else(|| if is_trace { "trace".to_owned() } else { kind.to_ascii_lowercase() }),
        action_kind: Some(action_kind),
        call_id: fit(&limits::ACTION_CALL_ID, &own),
        model: record.fit(
            &limits::USAGE_MODEL,
            &["provided_model_name", "providedModelName", "model", "internal_model_id"],
        ),
        input_tokens: record.count(
            &["usage_details/input", "usageDetails/input", "usage/input", "promptTokens", "inputUsage"],
            1.0,
        ),
        output_tokens: record.count(
            &[
                "usage_details/output",
                "usageDetails/output",
                "usage/output",
                "completionTokens",
                "outputUsage",
            ],
            1.0,
        ),
        cost_micros: record.count(
            &["cost_details/total", "costDetails/total", "total_cost", "totalCost", "calculatedTotalCost"],
            1e6,
        ),
        status: Some(if failed { OutcomeStatus::Failure } else { OutcomeStatus::Success }),
        duration_us: between(start, end),
        protocol: "langfuse",
        ..Told::default()
    };
    let (input, output) =
        if action_kind == "llm" { ("prompt", "completion") } else { ("parameters", "result") };
    let error = if record.has("status_message") { "status_message" } else { "statusMessage" };
    told.parts.extend(record.part(input, "input"));
    told.parts.extend(record.part(output, "output"));
    if failed {
        told.parts.extend(record.part("error", error));
    }
    told.parts.extend(record.metadata("langfuse"));
    told.document().map(Read::Event)
}
