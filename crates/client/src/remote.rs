//! A Greffier server as a backend: batches over HTTP, compressed, each event under its own id.
//!
//! One attempt per write: when to try again is the logger's affair, and nothing is doubled by it, because the server
//! knows an event by its id. What the server cannot take now is an error; what it will never take is named.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use greffier_event::EventType;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::backend::{AuditBackend, BackendError, Rejected};
use crate::clock;
use crate::event::AuditEvent;
use crate::filter::Filter;
use crate::server::{Answer, Server, ServerOptions};

/// Events of one request, usually.
const BATCH: usize = 4_096;
/// Events of one request: as many as any server takes.
const MAX_LINES: usize = 10_000;
/// Bytes of one request before its coding: what one answer should not have to wait for longer.
const MAX_BODY: usize = 8 << 20;
/// Bodies below this are sent as they are.
const WORTH_CODING: usize = 1_024;
/// The fastest level of zstd: a batch of events shrinks to an eighth by it.
const LEVEL: i32 = 1;
/// Events of one page of an answer: as many as a server gives.
const PAGE: usize = 1_000;

/// When a request was sent, by our clock: the server notes how far its own is from it.
const SENT_AT: HeaderName = HeaderName::from_static("greffier-sent-at");

/// Sends audit events to a Greffier server, and asks it for them.
///
/// ```no_run
/// use greffier_client::{AuditLogger, Overflow, RemoteBackend, ServerOptions, SpoolOptions, Token};
///
/// let server = ServerOptions::new("https://greffier.example").token(Token::File("/run/greffier/token".into()));
/// let logger = AuditLogger::options()
///     // Events lie on the disk while the server is away, and are sent in order when it is back.
///     .overflow(Overflow::Spool(SpoolOptions::new("/var/spool/agent")))
///     .start(RemoteBackend::open(server)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RemoteBackend {
    server: Server,
    /// The server does not take a coding.
    plain: AtomicBool,
}

impl RemoteBackend {
    /// A backend at this server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BackendError::Settings`] if the URL or the authorities cannot be used, or a token would travel in clear text.
    pub fn open(server: ServerOptions) -> Result<RemoteBackend, BackendError> {
        Ok(RemoteBackend { server: server.open()?, plain: AtomicBool::new(false) })
    }

    /// Sends lines as one request; too many for the server, they are sent as two.
    fn send(&self, lines: &[&str], from: usize, rejected: &mut Vec<Rejected>) -> Result<(), BackendError> {
        let answer = self.post(&lines.join("\n"))?;
        match self.taken(&answer, lines.len())? {
            Taken::All(errors) => {
                rejected.extend(errors.into_iter().map(|one| Rejected { index: from + one.index, ..one }));
                Ok(())
            }
            Taken::TooLarge if lines.len() == 1 => {
                rejected.push(Rejected { index: from, reason: answer.said() });
                Ok(())
            }
            Taken::TooLarge => {
                let (first, second) = lines.split_at(lines.len() / 2);
                self.send(first, from, rejected)?;
                self.send(second, from + first.len(), rejected)
            }
        }
    }

    fn post(&self, body: &str) -> Result<Answer, BackendError> {
        let media = (CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        let sent = HeaderValue::try_from(clock::now().to_string())
            .map_err(|_| BackendError::Unavailable("the clock shows no time".to_owned()))?;
        let mut headers = vec![media, (SENT_AT, sent)];
        let coded = if self.plain.load(Ordering::Relaxed) || body.len() < WORTH_CODING {
            None
        } else {
            zstd::bulk::compress(body.as_bytes(), LEVEL).ok()
        };
        let is_coded = coded.is_some();
        if is_coded {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("zstd")));
        }
        let bytes = coded.map_or_else(|| Bytes::copy_from_slice(body.as_bytes()), Bytes::from);
        let answer = self
            .server
            .send(Method::POST, "/api/v1/events", &headers, bytes)
            .map_err(BackendError::Unavailable)?;
        if is_coded && answer.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            self.plain.store(true, Ordering::Relaxed);
            return self.post(body);
        }
        Ok(answer)
    }

    /// What became of so many lines. An answer that does not account for each of them is none.
    fn taken(&self, answer: &Answer, lines: usize) -> Result<Taken, BackendError> {
        let unavailable =
            |said: String| Err(BackendError::Unavailable(format!("the server answered {said}")));
        let Ok(said) = serde_json::from_slice::<Ingested>(&answer.body) else {
            return match answer.status {
                StatusCode::PAYLOAD_TOO_LARGE => Ok(Taken::TooLarge),
                StatusCode::OK => unavailable("what is no answer to an ingest".to_owned()),
                _ => unavailable(answer.said()),
            };
        };
        // One that nothing was taken of for now speaks of all.
        if let Some(busy) = said.errors.iter().find(|error| error.code == "not_recording") {
            return unavailable(busy.message.clone());
        }
        if said.receipts.len() + said.errors.len() != lines {
            return unavailable(format!("for {} of {lines} events", said.receipts.len()));
        }
        let rejected = said.errors.into_iter().map(|error| Rejected {
            index: error.line.saturating_sub(1),
            reason: format!("{}: {}", error.code, error.message),
        });
        Ok(Taken::All(rejected.collect()))
    }
}

enum Taken {
    /// All but these.
    All(Vec<Rejected>),
    TooLarge,
}

/// The answer to an ingest, as far as it matters here.
#[derive(Deserialize)]
struct Ingested {
    receipts: Vec<IgnoredAny>,
    errors: Vec<LineError>,
}

#[derive(Deserialize)]
struct LineError {
    line: usize,
    code: String,
    message: String,
}

/// A page of events.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: Option<String>,
}

impl AuditBackend for RemoteBackend {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        let lines: Vec<String> = events.iter().map(AuditEvent::to_native).collect();
        self.write_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn write_lines(&self, lines: &[&str]) -> Result<Vec<Rejected>, BackendError> {
        let mut rejected = Vec::new();
        let mut from = 0;
        while let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) {
            let mut bytes = 0;
            let fitting = rest.iter().take(MAX_LINES).take_while(|line| {
                bytes += line.len() + 1;
                bytes <= MAX_BODY
            });
            // One that is too long alone goes alone: the server says so.
            let count = fitting.count().max(1);
            self.send(rest.get(..count).unwrap_or_default(), from, &mut rejected)?;
            from += count;
        }
        Ok(rejected)
    }

    /// A request costs a round trip and a sync of the server's disk, however much is in it.
    fn usual_batch(&self) -> usize {
        BATCH
    }

    /// What the server cannot search for (`result`, `error`, `metadata`, …) is looked for here, in all that the rest of
    /// the filter finds. Each page that is asked for is an event on the server's trail.
    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        let (query, whole) = search(filter);
        let query = percent(&query);
        let mut found = Vec::new();
        let mut cursor = String::new();
        while found.len() < filter.limit {
            // What is chosen here may be rare among what the server finds.
            let limit = if whole { (filter.limit - found.len()).min(PAGE) } else { PAGE };
            let path = format!("/api/v1/events?q={query}&parts=true&limit={limit}{cursor}");
            let answer =
                self.server.send(Method::GET, &path, &[], Bytes::new()).map_err(BackendError::Unavailable)?;
            if answer.status != StatusCode::OK {
                return Err(BackendError::Query(format!("the server answered {}", answer.said())));
            }
            let page: Page<'_> = serde_json::from_slice(&answer.body)
                .map_err(|_| BackendError::Query("the server's answer is no page of events".to_owned()))?;
            for event in &page.events {
                let event = AuditEvent::from_native(event.get())
                    .map_err(|error| BackendError::Query(format!("an event of the server: {error}")))?;
                if found.len() < filter.limit && filter.matches_event(&event) {
                    found.push(event);
                }
            }
            match page.next {
                Some(next) => cursor = format!("&cursor={}", percent(&next)),
                None => break,
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// A filter as a search of the server, which may find more than is wanted; and whether all of the filter is in it.
fn search(filter: &Filter) -> (String, bool) {
    let (mut terms, mut whole) = (Vec::new(), true);
    for (field, value) in &filter.equal {
        let name = match field.as_str() {
            "event_id" => "id",
            "event_type" => "type",
            "agent_id" => "agent",
            "session_id" => "session",
            "user_id" => "user",
            "request_id" => "request",
            "call_id" => "call",
            "action" => "tool",
            "resource" => "resource",
            _ => {
                whole = false;
                continue;
            }
        };
        match value {
            Value::String(text) if field == "event_type" && EventType::parse(text).is_some() => {
                terms.push(format!("{name}:{text}"));
            }
            Value::String(text) if !text.is_empty() => {
                terms.push(format!("{name}:\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
            }
            Value::Null => terms.push(format!("-has:{name}")),
            _ => whole = false,
        }
    }
    terms.extend(filter.since.map(|time| format!("since:{time}")));
    terms.extend(filter.until.map(|time| format!("until:{time}")));
    (terms.join(" "), whole)
}

/// A value within a query string.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
