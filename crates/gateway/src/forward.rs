//! Forward: build the upstream's request from what inspection let through, with the upstream's own credential.
//!
//! The request is made anew, so that nothing of the caller's framing or credentials can travel on.

use std::time::Duration;

use bytes::Bytes;
use greffier_event::{Attempt, Call, Content, Place};
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;

use crate::adapt::{self, LlmRequest};
use crate::decide::Permitted;
use crate::inspect::Redacted;
use crate::reach::Reach;
use crate::read::climbs;
use crate::record::Open;
use crate::route::{self, Destination, Route};
use crate::send::{Sent, Turn, send};
use crate::settings::{Upstream, UpstreamKind};
use crate::unrecorded::Cleared;

/// Why no reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForwardError {
    /// The head of the reply took too long.
    Timeout,
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// The upstream broke off before its head.
    BrokeOff,
    /// No place was free in time: nothing was sent. The caller may come again after that time.
    Busy(Duration),
    /// The upstream failed too often and is left alone for so long: nothing was sent.
    Resting(Duration),
    /// The destination's URL and the call's path make no valid URL.
    Address,
    /// The caller went away first.
    CallerGone,
}

impl ForwardError {
    /// Whether the upstream has seen nothing of the request: another one may be asked instead.
    fn is_unsent(self) -> bool {
        matches!(self, ForwardError::Unreachable | ForwardError::Busy(_) | ForwardError::Resting(_))
    }
}

/// A call under way: its reply's head, and the record that waits for its end.
pub(crate) struct Exchange {
    pub(crate) open: Open,
    /// The reply, the attempts before it, and the place that it holds.
    pub(crate) sent: Sent,
    pub(crate) destination: Destination,
    pub(crate) idle: Duration,
}

/// Sends a cleared call on. It cannot be sent twice: the proof is spent.
pub(crate) async fn forward(
    upstreams: &[Upstream],
    cleared: Cleared<Permitted<Redacted<Call>>>,
    route: &Route,
    method: &Method,
    chat: Option<&LlmRequest>,
    gone: &tokio_util::sync::CancellationToken,
) -> Exchange {
    let (mut permitted, open) = cleared.spend();
    let contents = permitted.redacted_mut().take_forward();
    let mut destination = permitted.destination().clone();
    let mut others = route::others(&destination, &permitted.redacted().call().target, upstreams);
    let mut attempts = Vec::new();
    loop {
        let Some((reach, timeout, idle)) = terms(&destination) else {
            let sent = Sent { reply: Err(ForwardError::Address), attempts, place: None };
            return Exchange { open, sent, destination, idle: Duration::ZERO };
        };
        let mut sent = match request(&destination, contents.clone(), route, method, chat) {
            None => Sent { reply: Err(ForwardError::Address), attempts: Vec::new(), place: None },
            Some(request) => tokio::select! {
                sent = send(reach, request, Turn::Waits, timeout) => sent,
                () = gone.cancelled() => {
                    let gone = vec![Attempt::default()];
                    Sent { reply: Err(ForwardError::CallerGone), attempts: gone, place: None }
                }
            },
        };
        attempts.append(&mut sent.attempts);
        // What nobody has seen may be asked of another that serves the model.
        match (others.next(), &sent.reply) {
            (Some(other), Err(error)) if error.is_unsent() => destination = Destination::Model(other.clone()),
            _ => return Exchange { open, sent: Sent { attempts, ..sent }, destination, idle },
        }
    }
}

/// How a destination is reached; `None` for what is not reached from here.
fn terms(destination: &Destination) -> Option<(&Reach, Duration, Duration)> {
    match destination {
        Destination::Model(upstream) => Some((&upstream.reach, upstream.timeout, upstream.idle_timeout)),
        Destination::Tool(tool) => Some((&tool.reach, tool.timeout, tool.idle_timeout)),
        Destination::Caller | Destination::Mcp => None,
    }
}

fn request(
    destination: &Destination,
    contents: Vec<Content>,
    route: &Route,
    method: &Method,
    chat: Option<&LlmRequest>,
) -> Option<Request<Full<Bytes>>> {
    let (mut path, mut query, mut body, mut media) = (String::new(), None, Vec::new(), String::new());
    let mut request = Request::builder().method(method.clone());
    for Content { place, media: kind, bytes } in contents {
        match place {
            Place::Path => path = String::from_utf8(bytes).ok()?,
            Place::Query => query = String::from_utf8(bytes).ok(),
            Place::Body => (body, media) = (bytes, kind),
            Place::Header(name) => {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                request = request.header(name, HeaderValue::from_bytes(&bytes).ok()?);
            }
        }
    }
    let tool = matches!(destination, Destination::Tool(_));
    request = match (destination, route) {
        (Destination::Model(upstream), Route::Chat(protocol)) => {
            path = protocol.path().to_owned();
            if let Some(chat) = chat {
                body = adapt::prepare(*protocol, body, chat);
            }
            credential(request, upstream)?
        }
        (Destination::Model(upstream), Route::Gemini(address)) => {
            path = address.path();
            credential(request, upstream)?
        }
        (Destination::Model(upstream), Route::Stored(stored)) => {
            path = stored.path();
            credential(request, upstream)?
        }
        (Destination::Model(upstream), _) => {
            let models = match upstream.kind {
                UpstreamKind::OpenAi => "/models",
                UpstreamKind::Anthropic => "/v1/models",
                UpstreamKind::Gemini => "/v1beta/models",
            };
            path = match route {
                Route::Model { id, .. } => format!("{models}/{id}"),
                _ => models.to_owned(),
            };
            credential(request, upstream)?
        }
        (Destination::Tool(tool), _) => match &tool.credential {
            Some((name, secret)) => request.header(name.clone(), sensitive(secret.expose())?),
            None => request,
        },
        // MCP's messages have a way of their own.
        (Destination::Caller | Destination::Mcp, _) => return None,
    };
    let base = match destination {
        Destination::Model(upstream) => &upstream.base_url,
        Destination::Tool(tool) => &tool.base_url,
        Destination::Caller | Destination::Mcp => return None,
    };
    if !tool {
        request = request.header(header::ACCEPT, "application/json, text/event-stream");
        request = request.header(header::USER_AGENT, concat!("greffier/", env!("CARGO_PKG_VERSION")));
    }
    // What comes back must be readable to be inspected.
    request = request.header(header::ACCEPT_ENCODING, "identity");
    let labelled = request.headers_ref().is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE));
    if !body.is_empty() && !media.is_empty() && !labelled {
        request = request.header(header::CONTENT_TYPE, media);
    }
    request.uri(join(base, &path, query.as_deref())?).body(Full::new(Bytes::from(body))).ok()
}

fn credential(request: http::request::Builder, upstream: &Upstream) -> Option<http::request::Builder> {
    let key = upstream.api_key.as_ref()?;
    Some(match upstream.kind {
        UpstreamKind::OpenAi => {
            request.header(header::AUTHORIZATION, sensitive(&format!("Bearer {}", key.expose()))?)
        }
        UpstreamKind::Anthropic => {
            let versioned =
                request.headers_ref().is_some_and(|headers| headers.contains_key("anthropic-version"));
            let request = request.header("x-api-key", sensitive(key.expose())?);
            if versioned { request } else { request.header("anthropic-version", "2023-06-01") }
        }
        UpstreamKind::Gemini => request.header("x-goog-api-key", sensitive(key.expose())?),
    })
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Puts a path below a base URL; one that climbs was refused when the call was read, and is refused here again.
fn join(base: &Uri, path: &str, query: Option<&str>) -> Option<Uri> {
    if climbs(path) {
        return None;
    }
    let mut joined = format!("{}{}", base.path().trim_end_matches('/'), path);
    if joined.is_empty() {
        joined.push('/');
    }
    if let Some(query) = query {
        joined.push('?');
        joined.push_str(query);
    }
    Uri::builder()
        .scheme(base.scheme()?.clone())
        .authority(base.authority()?.clone())
        .path_and_query(joined)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn paths_stay_below_their_base() {
        let base = "http://127.0.0.1:9000/api/".parse().unwrap();
        let check = |path: &str, query| join(&base, path, query).map(|uri| uri.to_string());
        insta::assert_debug_snapshot!(check("/contacts/1", Some("a=b")), @r#"
        Some(
            "http://127.0.0.1:9000/api/contacts/1?a=b",
        )
        "#);
        for climbing in ["/../secret", "/a/%2e%2e/b", "/a/..%2fb", "/a/%2E./b", "/..\\b"] {
            assert_eq!(check(climbing, None), None, "{climbing}");
        }
        assert_eq!(check("", None).as_deref(), Some("http://127.0.0.1:9000/api"));
    }
}
