//! Errors in the wire format of whoever called: an SDK reads ours exactly as it reads its provider's.
//!
//! Where a provider's shape has no field for our code, the message ends with it in brackets, so that a person
//! and a log search find it everywhere.

use serde::Serialize;

/// The format a caller's errors are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `OpenAI`: `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// Anthropic: `{"type":"error","error":{"type","message"},"request_id"}`.
    Anthropic,
    /// Gemini: `{"error":{"code","message","status","details"}}`.
    Gemini,
    /// Our own: `{"error":{"code","message","hint","request_id"}}`.
    Plain,
    /// JSON-RPC 2.0, as MCP has it.
    Mcp,
}

/// Codes that must not be tried again: the act may have happened unrecorded, or would only be refused again.
const NEVER_RETRIED: [&str; 3] = ["outcome_unrecorded", "content_blocked", "upstream_not_configured"];

/// Whether a client may send the same request again after an error with this code.
///
/// The SDKs of both providers retry 408, 409, 429 and 5xx unless `x-should-retry: false` says otherwise: send
/// that header whenever this is false.
pub fn should_retry(code: &str) -> bool {
    !NEVER_RETRIED.contains(&code)
}

/// What the caller can do about it, for the codes where that is one sentence.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "missing_token" => "send your OAuth access token as `Authorization: Bearer …` or `x-api-key`",
        "wrong_audience" => "ask the issuer for a token whose audience is this gateway",
        "token_expired" => "get a new token from the issuer",
        "outcome_unrecorded" => "the call may have happened: check before you send it again",
        "not_recording" => "nothing was sent upstream: try again when `/readyz` answers 200",
        _ => return None,
    })
}

impl Wire {
    /// The body of an error response. `message` is for people and free of content values.
    pub fn error_body(self, status: u16, code: &str, message: &str, request_id: &str) -> Vec<u8> {
        match self {
            Wire::OpenAi => {
                // The provider's own answer to a bad key is this pair, and SDK users match on it.
                let (shown, message) = match status {
                    401 => ("invalid_api_key", with_code(message, code)),
                    _ => (code, message.to_owned()),
                };
                let kind = openai_type(status);
                json(&OpenAiError { error: OpenAiDetail { message, kind, param: None, code: shown } })
            }
            Wire::Anthropic => json(&AnthropicError {
                kind: "error",
                error: AnthropicDetail { kind: anthropic_type(status), message: with_code(message, code) },
                request_id,
            }),
            Wire::Gemini => json(&GeminiError {
                error: GeminiDetail {
                    code: status,
                    message: with_code(message, code),
                    status: gemini_status(status),
                    details: [GeminiInfo {
                        kind: "type.googleapis.com/google.rpc.ErrorInfo",
                        reason: code.to_ascii_uppercase(),
                        domain: "greffier",
                        metadata: GeminiMetadata { request_id },
                    }],
                },
            }),
            Wire::Mcp => json(&serde_json::json!({
                "jsonrpc": "2.0",
                "id": null,
                "error": { "code": -32603, "message": message, "data": { "code": code, "request_id": request_id } },
            })),
            Wire::Plain => {
                json(&PlainError { error: PlainDetail { code, message, hint: hint(code), request_id } })
            }
        }
    }

    /// An error as an event of a stream that has begun, where no status can be sent any more.
    pub fn error_event(self, code: &str, message: &str, request_id: &str) -> Vec<u8> {
        let status = if code == "content_blocked" { 403 } else { 500 };
        let mut event = match self {
            Wire::OpenAi | Wire::Gemini => b"data: ".to_vec(),
            Wire::Anthropic | Wire::Plain | Wire::Mcp => b"event: error\ndata: ".to_vec(),
        };
        event.extend(self.error_body(status, code, message, request_id));
        event.extend_from_slice(b"\n\n");
        event
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The canonical code of Google's APIs.
fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn with_code(message: &str, code: &str) -> String {
    format!("{message} ({code})")
}

/// Strings and nothing else: serialising them cannot fail, and an empty body would still be an error response.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiDetail<'a>,
}

#[derive(Serialize)]
struct OpenAiDetail<'a> {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicDetail,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicDetail {
    #[serde(rename = "type")]
    kind: &'static str,
    message: String,
}

#[derive(Serialize)]
struct GeminiError<'a> {
    error: GeminiDetail<'a>,
}

#[derive(Serialize)]
struct GeminiDetail<'a> {
    code: u16,
    message: String,
    status: &'static str,
    details: [GeminiInfo<'a>; 1],
}

#[derive(Serialize)]
struct GeminiInfo<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    reason: String,
    domain: &'static str,
    metadata: GeminiMetadata<'a>,
}

#[derive(Serialize)]
struct GeminiMetadata<'a> {
    request_id: &'a str,
}

#[derive(Serialize)]
struct PlainError<'a> {
    error: PlainDetail<'a>,
}

#[derive(Serialize)]
struct PlainDetail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    request_id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, code: &str) -> String {
        [Wire::OpenAi, Wire::Anthropic, Wire::Gemini, Wire::Plain]
            .map(|wire| String::from_utf8(wire.error_body(status, code, "said so", "req_1")).unwrap())
            .join("\n")
    }

    #[test]
    fn each_wire_speaks_its_providers_shape() {
        insta::assert_snapshot!(check(401, "wrong_audience"), @r#"
        {"error":{"message":"said so (wrong_audience)","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}
        {"type":"error","error":{"type":"authentication_error","message":"said so (wrong_audience)"},"request_id":"req_1"}
        {"error":{"code":401,"message":"said so (wrong_audience)","status":"UNAUTHENTICATED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"WRONG_AUDIENCE","domain":"greffier","metadata":{"request_id":"req_1"}}]}}
        {"error":{"code":"wrong_audience","message":"said so","hint":"ask the issuer for a token whose audience is this gateway","request_id":"req_1"}}
        "#);
        insta::assert_snapshot!(check(403, "denied"), @r#"
        {"error":{"message":"said so","type":"permission_error","param":null,"code":"denied"}}
        {"type":"error","error":{"type":"permission_error","message":"said so (denied)"},"request_id":"req_1"}
        {"error":{"code":403,"message":"said so (denied)","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"DENIED","domain":"greffier","metadata":{"request_id":"req_1"}}]}}
        {"error":{"code":"denied","message":"said so","request_id":"req_1"}}
        "#);
        insta::assert_snapshot!(check(503, "not_recording"), @r#"
        {"error":{"message":"said so","type":"server_error","param":null,"code":"not_recording"}}
        {"type":"error","error":{"type":"api_error","message":"said so (not_recording)"},"request_id":"req_1"}
        {"error":{"code":503,"message":"said so (not_recording)","status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NOT_RECORDING","domain":"greffier","metadata":{"request_id":"req_1"}}]}}
        {"error":{"code":"not_recording","message":"said so","hint":"nothing was sent upstream: try again when `/readyz` answers 200","request_id":"req_1"}}
        "#);
    }

    #[test]
    fn every_status_has_its_type() {
        let rows = [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529].map(|status| {
            format!("{status} {} {} {}", openai_type(status), anthropic_type(status), gemini_status(status))
        });
        insta::assert_snapshot!(rows.join("\n"), @"
        400 invalid_request_error invalid_request_error INVALID_ARGUMENT
        401 invalid_request_error authentication_error UNAUTHENTICATED
        403 permission_error permission_error PERMISSION_DENIED
        404 invalid_request_error not_found_error NOT_FOUND
        408 invalid_request_error invalid_request_error INVALID_ARGUMENT
        409 invalid_request_error invalid_request_error ABORTED
        413 invalid_request_error request_too_large INVALID_ARGUMENT
        422 invalid_request_error invalid_request_error INVALID_ARGUMENT
        429 rate_limit_error rate_limit_error RESOURCE_EXHAUSTED
        500 server_error api_error INTERNAL
        502 server_error api_error INTERNAL
        503 server_error api_error UNAVAILABLE
        504 server_error api_error DEADLINE_EXCEEDED
        529 server_error overloaded_error INTERNAL
        ");
    }

    #[test]
    fn an_error_in_a_stream_is_one_event() {
        let events = [Wire::OpenAi, Wire::Anthropic, Wire::Gemini, Wire::Plain].map(|wire| {
            String::from_utf8(wire.error_event("outcome_unrecorded", "not on record", "req_1")).unwrap()
        });
        insta::assert_snapshot!(events.join("---\n"), @r#"
        data: {"error":{"message":"not on record","type":"server_error","param":null,"code":"outcome_unrecorded"}}

        ---
        event: error
        data: {"type":"error","error":{"type":"api_error","message":"not on record (outcome_unrecorded)"},"request_id":"req_1"}

        ---
        data: {"error":{"code":500,"message":"not on record (outcome_unrecorded)","status":"INTERNAL","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"OUTCOME_UNRECORDED","domain":"greffier","metadata":{"request_id":"req_1"}}]}}

        ---
        event: error
        data: {"error":{"code":"outcome_unrecorded","message":"not on record","hint":"the call may have happened: check before you send it again","request_id":"req_1"}}
        "#);
    }

    #[test]
    fn what_may_have_happened_is_not_retried() {
        let advice = ["outcome_unrecorded", "content_blocked", "not_recording", "upstream_unreachable"]
            .map(should_retry);
        assert_eq!(advice, [false, false, true, true]);
    }
}
