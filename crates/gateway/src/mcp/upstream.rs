//! To the server: a cleared call becomes a request over HTTP or a line to a process, and what comes back a row of messages.
//!
//! [`forward`] takes the proof that the call is on record, as everything that goes upstream does. What the gateway itself
//! sends back to a server that asked something goes by [`give_back`], and only what became of a recorded call does.

use std::sync::Arc;

use bytes::Bytes;
use greffier_event::{Attempt, Call, Content, Place};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use super::era::{self, Era};
use super::process::{Process, ProcessError, Row};
use super::rpc::{self, Id};
use super::server::{McpServer, Transport};
use crate::bound;
use crate::decide::Permitted;
use crate::forward::ForwardError;
use crate::http_client;
use crate::inspect::Redacted;
use crate::reach::Reach;
use crate::record::Open;
use crate::send::{Sent, Turn, send};
use crate::sse::SseDecoder;
use crate::unrecorded::Cleared;

/// The session's header.
pub(crate) const SESSION: &str = "mcp-session-id";
/// The call whose stream waits for whatever may come.
pub(crate) const LISTEN: &str = "subscriptions/listen";
/// Where a stream that broke off is resumed.
pub(crate) const LAST_EVENT: &str = "last-event-id";

/// Everything of a message that is not content.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// `POST` for messages, `GET` for a stream, `DELETE` for a session's end.
    pub(crate) http: Method,
    pub(crate) id: Option<Id>,
    /// The method of JSON-RPC.
    pub(crate) method: String,
    pub(crate) era: Era,
    /// The version as the caller's header has it.
    pub(crate) version: Option<HeaderValue>,
    pub(crate) session: Option<String>,
    pub(crate) last_event: Option<HeaderValue>,
}

impl Envelope {
    /// What only listens, or tells something, is no work of its own at the server: a call that waits to be told would
    /// otherwise keep the place that the telling waits for.
    fn turn(&self) -> Turn {
        let asks = self.http == Method::POST && self.id.is_some() && self.method != LISTEN;
        if asks { Turn::Waits } else { Turn::Passes }
    }
}

/// What became of a message.
pub(crate) struct Heard {
    pub(crate) answer: Result<Answer, ForwardError>,
    /// All attempts but the one that was answered.
    pub(crate) attempts: Vec<Attempt>,
    /// Held as long as the call is under way.
    pub(crate) place: Option<bound::Place>,
}

impl Heard {
    fn once(answer: Result<Answer, ForwardError>) -> Heard {
        let attempts = if answer.is_err() { vec![Attempt::default()] } else { Vec::new() };
        Heard { answer, attempts, place: None }
    }
}

/// A server's reply, whose messages are still to come.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The session it opened.
    pub(crate) session: Option<String>,
    pub(crate) source: Source,
}

/// Where messages come from.
pub(crate) enum Source {
    /// A body that is one message, or nothing.
    Whole(Incoming),
    /// A stream of events.
    Events(Box<(Incoming, SseDecoder)>),
    /// A process.
    Lines(Row),
    /// Nothing comes.
    Nothing,
}

/// One thing of a row.
pub(crate) struct Item {
    /// A message; without one the event only says its id, or how long to wait.
    pub(crate) message: Option<String>,
    /// The lines beside it that a client needs to resume.
    pub(crate) beside: String,
}

/// Why a row of messages broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Cut,
    TooLarge,
}

/// Sends a cleared call to its server; `limit` is the most bytes a message of its may have. It cannot be sent twice: the proof is spent.
pub(crate) async fn forward(
    cleared: Cleared<Permitted<Redacted<Call>>>,
    server: &McpServer,
    process: Option<&Arc<Process>>,
    envelope: &Envelope,
    limit: usize,
    gone: &CancellationToken,
) -> (Open, Heard) {
    let (mut permitted, open) = cleared.spend();
    let contents = permitted.redacted_mut().take_forward();
    let sending = async {
        match (&server.transport, process) {
            (Transport::Http { reach, .. }, _) => over_http(reach, contents, server, envelope, limit).await,
            (Transport::Command(_), Some(process)) => {
                let answer = tokio::time::timeout(server.timeout, over_lines(contents, process, envelope));
                Heard::once(answer.await.unwrap_or(Err(ForwardError::Timeout)))
            }
            (Transport::Command(_), None) => Heard::once(Err(ForwardError::Unreachable)),
        }
    };
    let heard = tokio::select! {
        heard = sending => heard,
        () = gone.cancelled() => Heard::once(Err(ForwardError::CallerGone)),
    };
    (open, heard)
}

/// Hands a cleared call of a server's over to the client: what it may see of the parameters, and the record to be closed.
pub(crate) fn hand_over(cleared: Cleared<Permitted<Redacted<Call>>>) -> (Option<String>, Open) {
    let (mut permitted, open) = cleared.spend();
    let contents = permitted.redacted_mut().take_forward();
    (body(&contents), open)
}

/// Sends a server what became of a call it made: the client's answer, whose outcome is on record, or why there is none.
pub(crate) async fn give_back(
    server: &McpServer,
    process: Option<&Arc<Process>>,
    envelope: &Envelope,
    message: String,
) -> Result<(), ForwardError> {
    let sending = async {
        match (&server.transport, process) {
            (Transport::Http { reach, .. }, _) => {
                let request = request(server, envelope, &HeaderMap::new(), true);
                let (parts, ()) = request.ok_or(ForwardError::Address)?.into_parts();
                let request = Request::from_parts(parts, Full::new(Bytes::from(message)));
                send(reach, request, Turn::Passes, server.timeout).await.reply.map(drop)
            }
            (Transport::Command(_), Some(process)) => {
                process.answer(message).await.map_err(|_| ForwardError::Unreachable)
            }
            (Transport::Command(_), None) => Err(ForwardError::Unreachable),
        }
    };
    tokio::time::timeout(server.timeout, sending).await.unwrap_or(Err(ForwardError::Timeout))
}

fn body(contents: &[Content]) -> Option<String> {
    let body = contents.iter().find(|content| content.place == Place::Body)?;
    String::from_utf8(body.bytes.clone()).ok()
}

/// What goes to a server over HTTP: a request without its body, and the body.
pub(super) fn over_http_request(
    contents: Vec<Content>,
    server: &McpServer,
    envelope: &Envelope,
) -> Option<(http::request::Parts, String)> {
    let params = body(&contents);
    let mut headers = HeaderMap::new();
    for Content { place, bytes, .. } in contents {
        if let Place::Header(name) = place
            && let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&bytes))
        {
            headers.append(name, value);
        }
    }
    let posts = envelope.http == Method::POST;
    if envelope.era == Era::Stateless && posts {
        // Repeated from what goes on, not from what came: inspection may have changed it.
        headers.insert(era::METHOD, HeaderValue::from_str(&envelope.method).ok()?);
        if let Some(name) = era::name(&envelope.method, params.as_deref()) {
            headers.insert(era::NAME, HeaderValue::from_str(&era::encode(&name)).ok()?);
        }
    }
    let message = posts.then(|| rpc::ask(envelope.id.as_ref(), &envelope.method, params.as_deref()));
    let request = request(server, envelope, &headers, posts)?;
    Some((request.into_parts().0, message.unwrap_or_default()))
}

async fn over_http(
    reach: &Reach,
    contents: Vec<Content>,
    server: &McpServer,
    envelope: &Envelope,
    limit: usize,
) -> Heard {
    let Some((parts, body)) = over_http_request(contents, server, envelope) else {
        return Heard::once(Err(ForwardError::Address));
    };
    let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
    let Sent { reply, attempts, place } = send(reach, request, envelope.turn(), server.timeout).await;
    Heard { answer: reply.and_then(|reply| answered(reply, limit)), attempts, place }
}

fn answered(reply: http::Response<Incoming>, limit: usize) -> Result<Answer, ForwardError> {
    let text = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok());
    let session = text(SESSION).filter(|id| is_session(id)).map(str::to_owned);
    let streams =
        text("content-type").unwrap_or_default().to_ascii_lowercase().starts_with("text/event-stream");
    let coded = text("content-encoding").is_some_and(|coding| coding != "identity");
    let status = reply.status();
    let source = match (streams && status.is_success(), coded) {
        // What is compressed unasked cannot be looked at.
        (_, true) => return Err(ForwardError::Unreachable),
        (true, _) => Source::Events(Box::new((reply.into_body(), SseDecoder::with_limit(limit)))),
        (false, _) => Source::Whole(reply.into_body()),
    };
    Ok(Answer { status, session, source })
}

/// Visible ASCII, as the specification wants it, and short.
pub(crate) fn is_session(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

fn request(
    server: &McpServer,
    envelope: &Envelope,
    headers: &HeaderMap,
    has_body: bool,
) -> Option<Request<()>> {
    let Transport::Http { url, credential, .. } = &server.transport else { return None };
    let mut request = Request::builder().method(envelope.http.clone()).uri(url.clone());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let accept = if envelope.http == Method::GET {
        "text/event-stream"
    } else {
        "application/json, text/event-stream"
    };
    request = request
        .header(header::ACCEPT, accept)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("greffier/", env!("CARGO_PKG_VERSION")));
    if let Some(version) = &envelope.version {
        request = request.header(era::VERSION, version);
    }
    if let Some(session) = &envelope.session {
        request = request.header(SESSION, session);
    }
    if let Some(last) = &envelope.last_event {
        request = request.header(LAST_EVENT, last);
    }
    if let Some((name, secret)) = credential {
        let mut value = HeaderValue::from_str(secret.expose()).ok()?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    if has_body {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(()).ok()
}

async fn over_lines(
    contents: Vec<Content>,
    process: &Arc<Process>,
    envelope: &Envelope,
) -> Result<Answer, ForwardError> {
    let params = body(&contents);
    let failed = |error: ProcessError| {
        tracing::warn!(%error, "the process of an MCP server takes nothing");
        ForwardError::Unreachable
    };
    let accepted = || Answer { status: StatusCode::ACCEPTED, session: None, source: Source::Nothing };
    match (&envelope.http, &envelope.id) {
        (&Method::GET, _) => {
            let source = Source::Lines(process.listen());
            Ok(Answer { status: StatusCode::OK, session: None, source })
        }
        (&Method::DELETE, _) => {
            process.stop();
            Ok(accepted())
        }
        (_, Some(id)) => {
            let messages = process.ask(id, &envelope.method, params.as_deref()).await.map_err(failed)?;
            Ok(Answer { status: StatusCode::OK, session: None, source: Source::Lines(messages) })
        }
        (_, None) => {
            process.tell(&envelope.method, params.as_deref()).await.map_err(failed)?;
            Ok(accepted())
        }
    }
}

impl Source {
    /// The next thing of the row; `None` at its end.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Option<Item>, Broken> {
        match self {
            Source::Nothing => Ok(None),
            Source::Whole(body) => {
                let bytes = http_client::read_body(body, limit, std::time::Duration::MAX).await;
                let bytes = bytes.map_err(|error| match error {
                    http_client::BodyError::TooLarge => Broken::TooLarge,
                    _ => Broken::Cut,
                })?;
                *self = Source::Nothing;
                let text = String::from_utf8(bytes.to_vec()).map_err(|_| Broken::Cut)?;
                let message = Some(text).filter(|text| !text.trim().is_empty());
                Ok(message.map(|message| Item { message: Some(message), beside: String::new() }))
            }
            Source::Lines(lines) => {
                let line = lines.next().await;
                Ok(line.map(|line| Item { message: Some(line), beside: String::new() }))
            }
            Source::Events(events) => {
                let (body, decoder) = events.as_mut();
                loop {
                    if let Some(event) = decoder.next_event().map_err(|_| Broken::TooLarge)? {
                        let named = |line: &&str| {
                            !line.starts_with("event:")
                                || *line == "event: message"
                                || *line == "event:message"
                        };
                        // Clients look at messages only.
                        let is_message = event.other_lines().all(|line| named(&line));
                        let beside: String = event
                            .other_lines()
                            .filter(|line| needed(line))
                            .map(|line| format!("{line}\n"))
                            .collect();
                        let data = event.data().filter(|data| is_message && !data.trim().is_empty());
                        if data.is_some() || !beside.is_empty() {
                            return Ok(Some(Item { message: data.map(|data| data.into_owned()), beside }));
                        }
                        continue;
                    }
                    match body.frame().await {
                        None => return Ok(None),
                        Some(Err(_)) => return Err(Broken::Cut),
                        Some(Ok(frame)) => {
                            if let Some(data) = frame.data_ref() {
                                decoder.push(data);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Lines that a client needs to resume a stream: an event's id, and how long to wait.
fn needed(line: &str) -> bool {
    let short = line.len() <= 512 && line.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    short && (line.starts_with("id:") || line.starts_with("retry:"))
}
