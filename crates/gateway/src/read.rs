//! From an HTTP request to a [`Call`]: what is asked, of what, with which content.

use std::net::IpAddr;

use bytes::Bytes;
use greffier_event::{
    Action, ActionKind, Agent, Call, Content, Effect, Place, Resource, Source, Target, Timestamp, Trace,
};
use greffier_safety::json;
use http::{HeaderMap, Method};

use crate::adapt::{self, LlmRequest, Protocol};
use crate::inspect::is_json;
use crate::refuse::Refused;
use crate::route::Route;
use crate::settings::{ToolServer, Upstream};
use crate::stored::Verb;
use crate::tools;

/// Everything of a request but its body and its token.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) route: Route,
    pub(crate) method: Method,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: IpAddr,
}

/// Headers a request may have: past this it is a mistake or an attack.
const MAX_HEADERS: usize = 64;
/// Longest client name kept.
const MAX_NAME: usize = 128;

/// A call together with what its adapter needs to know for the reply.
#[derive(Debug)]
pub(crate) struct ReadCall {
    pub(crate) call: Call,
    /// Set for a question to a model.
    pub(crate) chat: Option<LlmRequest>,
}

/// Reads a request. `node` names this gateway in the record; `servers` are the configured tools.
pub(crate) fn read(
    head: &Head,
    body: Bytes,
    request_id: &str,
    node: &str,
    servers: &[ToolServer],
    now: Timestamp,
) -> Result<ReadCall, Refused> {
    check_headers(&head.headers)?;
    check_coding(&head.headers)?;
    if let Route::Tool { path, .. } = &head.route
        && climbs(path)
    {
        return Err(Refused::bad_request("the path climbs out of the tool (`.` or `..` segments)"));
    }
    let media = header(&head.headers, "content-type").unwrap_or_default();
    let (action, resource, target, chat) = match &head.route {
        Route::Chat(protocol) => {
            json::check(&body)
                .map_err(|error| Refused::bad_request(format!("the body is not valid JSON: {error}")))?;
            let chat = adapt::read_request(*protocol, &body)
                .map_err(|error| Refused::bad_request(error.to_string()))?;
            asked(*protocol, chat)
        }
        Route::Gemini(address) => {
            json::check(&body)
                .map_err(|error| Refused::bad_request(format!("the body is not valid JSON: {error}")))?;
            let chat = adapt::gemini::read(address, &body)
                .map_err(|error| Refused::bad_request(error.to_string()))?;
            asked(address.protocol, chat)
        }
        // Its model is known, if at all, to the table of stored responses.
        Route::Stored(stored) => {
            let (name, effect) = match stored.verb {
                Verb::Get => ("responses:get", Effect::Read),
                Verb::Delete => ("responses:delete", Effect::Delete),
                Verb::Cancel => ("responses:cancel", Effect::Update),
                Verb::InputItems => ("responses:input_items", Effect::Read),
            };
            let chat = LlmRequest {
                model: "*".to_owned(),
                // Where its caller asks for a stream; otherwise it comes whole.
                stream: stored.verb == Verb::Get,
                usage_requested: true,
                previous_response: None,
            };
            let mut resource = model_resource("*");
            resource.uri = Some(format!("model://*/responses/{}", stored.id));
            (llm(name, effect), resource, Target::Model { name: "*".to_owned() }, Some(chat))
        }
        Route::Models(_) => (
            llm("models:list", Effect::Read),
            model_resource("*"),
            Target::Model { name: "*".to_owned() },
            None,
        ),
        Route::Model { id, .. } => {
            (llm("models:get", Effect::Read), model_resource(id), Target::Model { name: id.clone() }, None)
        }
        // Read by its own adapter, `hook/payload.rs`.
        Route::Hook(_) => return Err(Refused::unknown_route()),
        Route::Tool { name, path } => {
            let tool = servers.iter().find(|tool| tool.name == *name);
            let query = head.query.as_deref();
            let described = tools::describe(tool, name, &head.method, path, query);
            let action = Action {
                call_id: None,
                effect: Some(described.effect),
                kind: Some(described.kind),
                method: Some(head.method.as_str().to_owned()),
                name: described.name.clone(),
            };
            let target = Target::Tool { server: name.clone(), name: described.name };
            let pointed = described.pointer.and_then(|pointer| subject(&pointer, &body, query));
            let resource = Resource {
                classification: described.classification,
                subjects: described.subject.or(pointed).into_iter().collect(),
                uri: Some(described.resource),
            };
            (action, resource, target, None)
        }
        // Read where messages are: each may be answered in its own way.
        Route::Mcp { .. } => return Err(Refused::unknown_route()),
    };
    let mut contents = Vec::new();
    if !body.is_empty() {
        // A chat's body is JSON whatever its header says; an unlabelled tool body is JSON if it looks so.
        let json = matches!(head.route, Route::Chat(_) | Route::Gemini(_))
            || is_json(&media)
            || (media.is_empty() && json::check(&body).is_ok());
        let media = if json { "application/json".to_owned() } else { media };
        contents.push(Content { place: Place::Body, media, bytes: body.to_vec() });
    }
    if let Route::Tool { path, .. } = &head.route {
        contents.push(text(Place::Path, path));
    }
    if let Some(query) = head.query.as_deref().filter(|query| !query.is_empty()) {
        contents.push(text(Place::Query, query));
    }
    for (name, value) in kept_headers(&head.route, &head.headers) {
        let place = Place::Header(name.to_owned());
        contents.push(Content { place, media: "text/plain".to_owned(), bytes: value.to_vec() });
    }
    let call = Call {
        request_id: request_id.to_owned(),
        time: now,
        action,
        resource,
        target,
        // Found by the chain, over all that the call says.
        session_id: None,
        session_link: None,
        trace: trace(&head.headers),
        source: origin(head, node, head.route.protocol()),
        contents,
    };
    Ok(ReadCall { call, chat })
}

/// How a request reached us.
pub(crate) fn origin(head: &Head, node: &str, protocol: &str) -> Source {
    Source {
        channel: "gateway".to_owned(),
        client: header(&head.headers, "user-agent")
            .map(|agent| cut(&agent))
            .filter(|agent| !agent.is_empty()),
        ip: Some(head.peer.to_canonical().to_string()),
        node: Some(node.to_owned()),
        protocol: Some(protocol.to_owned()),
        ..Source::default()
    }
}

/// The trace a request belongs to.
pub(crate) fn trace(headers: &HeaderMap) -> Option<Trace> {
    header(headers, "traceparent").and_then(|text| traceparent(&text))
}

/// What no request may come with, wherever it goes: too many headers, or a framing of its own.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.len() > MAX_HEADERS {
        return Err(Refused::bad_request(format!("more than {MAX_HEADERS} headers")));
    }
    // hyper undoes the last coding, chunked, and no other.
    let coding = headers.get(http::header::TRANSFER_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Refused::bad_request("no transfer-encoding but `chunked` is taken"));
    }
    Ok(())
}

/// A body in a coding that nobody undoes cannot be inspected.
pub(crate) fn check_coding(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return Err(Refused::new(415, "unsupported_encoding", "send the body without content-encoding"));
    }
    Ok(())
}

/// A question to a model. To count its tokens changes nothing.
fn asked(protocol: Protocol, chat: LlmRequest) -> (Action, Resource, Target, Option<LlmRequest>) {
    let name = chat.model.clone();
    let counts = matches!(
        protocol,
        Protocol::AnthropicCountTokens | Protocol::OpenAiInputTokens | Protocol::GeminiCountTokens
    );
    let effect = if counts { Effect::Read } else { Effect::Execute };
    (llm(protocol.action(), effect), model_resource(&name), Target::Model { name }, Some(chat))
}

fn llm(name: &str, effect: Effect) -> Action {
    Action {
        call_id: None,
        effect: Some(effect),
        kind: Some(ActionKind::Llm),
        method: None,
        name: name.to_owned(),
    }
}

fn model_resource(name: &str) -> Resource {
    Resource { classification: Vec::new(), subjects: Vec::new(), uri: Some(format!("model://{name}")) }
}

/// Who the data is about: the value the tool's pointer leads to, in the body or else in the query. Raw here; the
/// record holds a keyed reference.
fn subject(pointer: &str, body: &[u8], query: Option<&str>) -> Option<String> {
    let in_body = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|document| match document
        .pointer(pointer)?
    {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let in_query = || {
        let name = pointer.strip_prefix('/')?;
        let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    in_body.or_else(in_query).filter(|subject| !subject.is_empty())
}

/// Whether a path has `.` or `..` segments, also escaped: what policy named would not be what the tool serves.
pub(crate) fn climbs(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    decoded.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}

fn text(place: Place, value: &str) -> Content {
    Content { place, media: "text/plain".to_owned(), bytes: value.as_bytes().to_vec() }
}

pub(crate) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub(crate) fn traceparent(text: &str) -> Option<Trace> {
    let mut fields = text.split('-');
    let (version, trace_id, span_id) = (fields.next()?, fields.next()?, fields.next()?);
    let hex = |field: &str, length: usize| {
        field.len() == length
            && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            && field.bytes().any(|b| b != b'0')
    };
    let known = version.len() == 2 && version != "ff";
    (known && hex(trace_id, 32) && hex(span_id, 16))
        .then(|| Trace { span_id: Some(span_id.to_owned()), trace_id: trace_id.to_owned() })
}

/// Headers that travel on, by lowercase name: to a model provider those its API defines, to a tool all that are
/// neither about the connection nor credentials.
fn kept_headers<'a>(route: &'a Route, headers: &'a HeaderMap) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let tool = matches!(route, Route::Tool { .. });
    let listed: Vec<String> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).filter(move |(name, _)| {
        if listed.iter().any(|hop| hop == name) {
            return false;
        }
        if tool {
            !DROPPED.contains(name) && !name.starts_with("greffier-") && !name.starts_with("x-forwarded-")
        } else {
            KEPT.contains(name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        }
    })
}

/// What a model provider's API defines beyond its own prefixes. `content-type` and `accept` are set anew.
const KEPT: [&str; 1] = ["idempotency-key"];
const KEPT_PREFIXES: [&str; 2] = ["openai-", "anthropic-"];

/// About the connection, set anew, or a credential: never travels on to a tool.
const DROPPED: [&str; 27] = [
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "expect",
    "authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "forwarded",
    "via",
    "x-real-ip",
    "range",
];

/// The agent as the record names it.
pub(crate) fn agent(principal: &greffier_event::Principal) -> Agent {
    Agent {
        id: principal.agent.clone(),
        tier: principal.tier.clone(),
        verified: principal.verified,
        version: None,
        via: principal.via.clone(),
        via_dropped: (principal.via_dropped > 0).then_some(principal.via_dropped),
    }
}

/// Which upstreams are worth a warning at start.
pub(crate) fn without_key(upstreams: &[Upstream]) -> impl Iterator<Item = &str> {
    upstreams.iter().filter(|upstream| upstream.api_key.is_none()).map(|upstream| upstream.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparents() {
        let check = |text: &str| traceparent(text).map(|trace| trace.trace_id);
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(check(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(check("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), None);
        assert_eq!(check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), None);
        assert_eq!(check("536-90-4399"), None);
    }
}
