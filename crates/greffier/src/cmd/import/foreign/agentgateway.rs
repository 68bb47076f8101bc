//! agentgateway: its access log, a line of `key=value` pairs or of JSON for each request. Public: agentgateway.dev,
//! "Access logs". The names of before 2025-10 (`llm.request.tokens`) are read too.

use std::net::{IpAddr, SocketAddr};

use greffier_event::{OutcomeStatus, limits};

use super::Read;
use super::record::{Record, Told, agent, fit, trace_id};

/// Whether a JSON record is one of these.
pub(super) fn is(record: &Record) -> bool {
    record.text(&["scope"]).is_some_and(|scope| scope == "request" || scope.contains("::"))
        && record.has("level")
        && (record.has("time") || record.has("timestamp"))
}

/// Whether a line of text is one of these: a time, a level, and what spoke.
pub(super) fn is_line(text: &str) -> bool {
    head(text).is_some()
}

/// The time, what spoke, and the rest.
fn head(text: &str) -> Option<(&str, &str, &str)> {
    let (time, rest) = text.split_once('\t')?;
    let (level, rest) = rest.trim_start().split_once('\t')?;
    let known =
        ["trace", "debug", "info", "warn", "error"].contains(&level.trim().to_ascii_lowercase().as_str());
    let (scope, rest) = rest.trim_start().split_once([' ', '\t']).unwrap_or((rest.trim(), ""));
    (known && super::record::time(time).is_some()).then_some((time, scope, rest))
}

pub(super) fn read_line(text: &str) -> Result<Read, &'static str> {
    let (time, scope, rest) = head(text).ok_or("it is no line of an access log")?;
    if scope != "request" {
        return Ok(Read::Nothing);
    }
    let mut pairs = pairs(rest);
    pairs.push(("time".to_owned(), time.to_owned()));
    read_request(&Record::of_texts(pairs).ok_or("its fields cannot be told apart")?)
}

pub(super) fn read(record: &Record) -> Result<Read, &'static str> {
    if record.text(&["scope"]).as_deref() != Some("request") {
        return Ok(Read::Nothing);
    }
    read_request(record)
}

/// `key=value key2="quoted \" value" key3=value of words`: a value goes on until the next word that is a key.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let key = rest.split_once('=').filter(|(key, _)| is_key(key));
        if let Some((key, value)) = key {
            if let Some((quoted, behind)) = quoted(value) {
                pairs.push((key.to_owned(), quoted));
                rest = behind.trim_start();
                continue;
            }
            let (word, behind) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
            pairs.push((key.to_owned(), word.to_owned()));
            rest = behind.trim_start();
        } else {
            let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if let Some((_, value)) = pairs.last_mut() {
                value.push(' ');
                value.push_str(word);
            }
            rest = behind.trim_start();
        }
    }
    pairs
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A quoted value, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '"' => return Some((value, inner.get(at + 1..)?)),
            c => value.push(c),
        }
    }
    None
}

fn read_request(record: &Record) -> Result<Read, &'static str> {
    let code = record.count(&["http.status", "grpc.status"], 1.0);
    let error = record.text(&["error"]);
    let status = match code {
        Some(401 | 403) => OutcomeStatus::Denied,
        Some(408 | 504) => OutcomeStatus::Timeout,
        Some(400..) => OutcomeStatus::Failure,
        _ if error.is_some() => OutcomeStatus::Failure,
        _ => OutcomeStatus::Success,
    };
    let failed = status != OutcomeStatus::Success;
    let method = record.fit(&limits::ACTION_METHOD, &["mcp.method.name", "mcp.method"]);
    let tool = record.text(&["gen_ai.tool.name", "mcp.tool.name", "mcp.resource.name", "mcp.resource"]);
    let target = record.text(&["mcp.target"]);
    let model = record.fit(
        &limits::USAGE_MODEL,
        &["gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model"],
    );
    let ended = if failed { "action.failed" } else { "action.executed" };
    let (kind, action_kind, name) = match (&method, &model) {
        (Some(method), _) => {
            let named = match (target, tool) {
                (Some(target), Some(tool)) => Some(format!("{target}:{tool}")),
                (None, Some(tool)) => Some(tool),
                _ => None,
            };
            let kind = match method.as_str() {
                "tools/call" => "tool.response",
                "resources/read" => "data.access",
                _ => ended,
            };
            (kind, "tool", named.or_else(|| Some(method.clone())))
        }
        (None, Some(_)) => {
            (ended, "llm", Some(record.text(&["gen_ai.operation.name"]).unwrap_or_else(|| "chat".to_owned())))
        }
        (None, None) => (ended, "tool", record.text(&["route", "route_rule", "http.host"])),
    };
    let uri = match (record.text(&["http.host"]), record.text(&["http.path"])) {
        (Some(host), Some(path)) => {
            let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
            fit(&limits::RESOURCE_URI, &format!("http://{host}{path}"))
        }
        _ => None,
    };
    let trace = record.text(&["trace.id"]).as_deref().and_then(trace_id).map(|trace| {
        let span = record.text(&["span.id"]).filter(|span| limits::SPAN_ID.check(span).is_ok());
        (trace, span)
    });
    let mut told = Told {
        time: record.time(&["time", "timestamp"]),
        kind,
        agent: agent(
            record.fit(&limits::AGENT_ID, &["agentgateway.group", "user_agent.name", "gateway"]),
            "agentgateway",
        ),
        user: record.fit(&limits::USER_SUB, &["jwt.sub", "agentgateway.user"]),
        session: record.fit(&limits::SESSION_ID, &["gen_ai.conversation.id", "mcp.session.id", "session.id"]),
        trace,
        action: name.and_then(|name| fit(&limits::ACTION_NAME, &name)).unwrap_or_default(),
        action_kind: Some(action_kind),
        method: method.or_else(|| record.fit(&limits::ACTION_METHOD, &["http.method"])),
        uri,
        provider: record
            .fit(&limits::USAGE_PROVIDER, &["gen_ai.provider.name", "gen_ai.system", "llm.provider"]),
        model,
        input_tokens: record.count(&["gen_ai.usage.input_tokens", "llm.request.tokens"], 1.0),
        output_tokens: record.count(&["gen_ai.usage.output_tokens", "llm.response.tokens"], 1.0),
        cost_micros: record.count(&["gen_ai.usage.cost", "cost"], 1e6),
        status: Some(status),
        code,
        error: record.fit(&limits::OUTCOME_ERROR, &["reason"]),
        duration_us: record.text(&["duration"]).as_deref().and_then(micros),
        ip: record.text(&["src.addr"]).as_deref().and_then(address),
        protocol: "agentgateway",
        ..Told::default()
    };
    told.parts.extend(record.part("error", "error"));
    told.parts.extend(record.metadata("agentgateway"));
    told.document().map(Read::Event)
}

/// A duration as `2488ms`.
fn micros(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim() {
        "ns" => 1e-3,
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    let micros = number.parse::<f64>().ok()? * scale;
    (micros.is_finite() && micros <= limits::INTEGER as f64).then_some(micros.round() as u64)
}

/// An address without its port.
fn address(text: &str) -> Option<String> {
    let ip = match text.parse::<SocketAddr>() {
        Ok(socket) => socket.ip(),
        Err(_) => text.parse::<IpAddr>().ok()?,
    };
    Some(ip.to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        pairs(text).iter().map(|(key, value)| format!("{key}<{value}>")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pairs_of_a_line() {
        assert_eq!(
            check("a=1 b.c=two words error=x=y d=\"q \\\" r\" e="),
            "a<1> b.c<two words> error<x=y> d<q \" r> e<>"
        );
        assert_eq!(check("loose words a=1"), "a<1>");
        assert_eq!(check("a=\"never closed"), "a<\"never closed>");
    }

    #[test]
    fn durations() {
        let said = ["2488ms", "1.5s", "206us", "900ns", "0ms", "5", "ms", "1h"].map(micros);
        assert_eq!(said, [Some(2_488_000), Some(1_500_000), Some(206), Some(1), Some(0), None, None, None]);
    }
}
