//! A reply as a stream of events: answered at once, watched over to its end by a task of its own.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use greffier_event::{Finding, OutcomeStatus, Target};
use http::{HeaderValue, Method, Response, header};
use tokio::sync::mpsc;

use super::{AskedClient, Passage, Suspended, inspect, outcome, rpc_error, without_result};
use crate::body::{self, Body};
use crate::mcp::rpc::{self, Id, Message};
use crate::mcp::sessions;
use crate::mcp::upstream::{self, Answer, Envelope, Item, SESSION};
use crate::record::Open;
use crate::refuse::{self, Refused};

/// What hyper needs to hand a small event to the kernel, with room to spare.
const FLUSH: Duration = Duration::from_millis(50);
/// Between two signs of life on a stream that may say nothing for hours.
const ALIVE: Duration = Duration::from_secs(25);

type Sender = mpsc::Sender<Result<Bytes, io::Error>>;

/// Why a stream stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The server ended it.
    Over,
    /// It broke off.
    Cut,
    /// It fell silent.
    Silent,
    /// The caller went away or stopped reading.
    CallerGone,
    /// The gateway stops.
    Closing,
    /// The rules block what came.
    Blocked(&'static str),
    /// Its result came, is on record, and went on.
    Concluded,
    /// Its result came and could not be given on; the caller was told.
    Refused,
}

impl Passage {
    pub(super) fn streamed(self, open: Open, answer: Answer, first: Option<Item>) -> Response<Body> {
        let (sender, stream) = body::channel();
        let mut response = Response::new(stream);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        if let Some(session) = answer.session.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(SESSION, session);
        }
        refuse::mark(headers, &self.request_id, Some(&self.receipt));
        let calls = self.gateway.calls.clone();
        calls.spawn(self.pump(open, answer, first, sender));
        response
    }

    async fn pump(self, open: Open, mut answer: Answer, first: Option<Item>, sender: Sender) {
        let mut under_way = UnderWay {
            open: Some(open),
            findings: Vec::new(),
            resumable: false,
            questions: Questions { since: Instant::now(), count: 0 },
        };
        let stop = self.run(&mut answer, first, &mut under_way, &sender).await;
        let UnderWay { open: Some(open), findings, resumable, .. } = under_way else {
            // Concluded, or refused: what had to be said is said.
            return;
        };
        let listens = self.listens();
        let ended = match stop {
            // Who listens ends it some day, and that is how it ends well.
            Stop::Over | Stop::CallerGone | Stop::Closing if listens => {
                outcome(OutcomeStatus::Success, Some(200), None)
            }
            // Its result may come in another stream: until then it is not over.
            Stop::Over | Stop::Cut | Stop::CallerGone if resumable && self.envelope.id.is_some() => {
                self.suspend(open, findings).await;
                return;
            }
            Stop::CallerGone => outcome(OutcomeStatus::Cancelled, None, Some("caller_gone")),
            Stop::Silent => outcome(OutcomeStatus::Timeout, None, Some("upstream_timeout")),
            Stop::Blocked(_) => outcome(OutcomeStatus::Denied, None, Some("reply_blocked")),
            Stop::Over | Stop::Cut | Stop::Closing | Stop::Concluded | Stop::Refused => {
                outcome(OutcomeStatus::Failure, None, Some("stream_cut"))
            }
        };
        let refused = match (self.close(open, ended, findings).await, stop) {
            (Err(refused), _) => refused,
            (Ok(()), Stop::Blocked(entity)) => Refused::new(
                403,
                "content_blocked",
                format!("the reply contains {entity}, which the rules block"),
            ),
            (Ok(()), Stop::Silent) => Refused::new(504, "upstream_timeout", "the server fell silent"),
            (Ok(()), _) if listens => return,
            (Ok(()), _) => Refused::new(502, "stream_cut", "the server broke off its reply"),
        };
        if self.envelope.id.is_some() {
            let message = event("", &self.refusal(&refused));
            drop(sender.send_timeout(Ok(message), self.server.idle_timeout).await);
        } else {
            cut(&sender, self.server.idle_timeout).await;
        }
    }

    /// Whether this is a stream that waits for whatever may come.
    fn listens(&self) -> bool {
        self.envelope.http == Method::GET || self.envelope.method == upstream::LISTEN
    }

    async fn run(
        &self,
        answer: &mut Answer,
        mut first: Option<Item>,
        under_way: &mut UnderWay,
        sender: &Sender,
    ) -> Stop {
        let listens = self.listens();
        let patience = if listens { ALIVE } else { self.server.idle_timeout };
        loop {
            let next = match first.take() {
                Some(item) => Ok(Ok(Some(item))),
                None => tokio::select! {
                    next = tokio::time::timeout(patience, answer.source.next(self.gateway.limits.body)) => next,
                    () = sender.closed() => return Stop::CallerGone,
                    () = self.gateway.stop.cancelled(), if listens => return Stop::Closing,
                },
            };
            let out = match next {
                // A sign of life: otherwise nobody would notice that the caller is gone.
                Err(_) if listens => Bytes::from_static(b": alive\n\n"),
                Err(_) => return Stop::Silent,
                Ok(Err(_)) => return Stop::Cut,
                Ok(Ok(None)) => return Stop::Over,
                Ok(Ok(Some(item))) => {
                    under_way.resumable |= item.beside.contains("id:");
                    match self.item(item, under_way).await {
                        Ok(Step::Send(bytes)) => bytes,
                        Ok(Step::Nothing) => continue,
                        Ok(Step::Last(bytes)) => {
                            drop(sender.send_timeout(Ok(bytes), self.server.idle_timeout).await);
                            return Stop::Concluded;
                        }
                        Ok(Step::Refused(bytes)) => {
                            drop(sender.send_timeout(Ok(bytes), self.server.idle_timeout).await);
                            return Stop::Refused;
                        }
                        Err(stop) => return stop,
                    }
                }
            };
            // A caller that stops reading for as long as a server may be silent is gone.
            if sender.send_timeout(Ok(out), self.server.idle_timeout).await.is_err() {
                return Stop::CallerGone;
            }
        }
    }

    async fn item(&self, item: Item, under_way: &mut UnderWay) -> Result<Step, Stop> {
        let beside = item.beside.as_str();
        let Some(text) = item.message else {
            return Ok(Step::Send(Bytes::from(format!("{beside}data:\n\n"))));
        };
        let Ok(message) = rpc::read(text.as_bytes()) else {
            tracing::warn!(server = self.server.name, "an MCP server sent an event that is no message");
            return Err(Stop::Cut);
        };
        match message {
            Message::Response { id: Some(id), outcome: result } if Some(&id) == self.envelope.id.as_ref() => {
                let Some(open) = under_way.open.take() else { return Ok(Step::Nothing) };
                let findings = std::mem::take(&mut under_way.findings);
                Ok(match Box::pin(self.conclude(open, http::StatusCode::OK, result, findings)).await {
                    Ok(message) => Step::Last(event(beside, &message)),
                    Err(refused) => Step::Refused(event(beside, &self.refusal(&refused))),
                })
            }
            Message::Response { id: Some(id), outcome: result } => {
                // A result of a call whose own stream broke off; nobody else's answer is of interest here.
                let Some(of) = self.gateway.mcp.sessions.resumed(&self.key, &id) else {
                    return Ok(Step::Nothing);
                };
                let Suspended { passage, open, findings } = of;
                let message =
                    match Box::pin(passage.conclude(open, http::StatusCode::OK, result, findings)).await {
                        Ok(message) => message,
                        Err(refused) => passage.refusal(&refused),
                    };
                Ok(Step::Send(event(beside, &message)))
            }
            Message::Response { id: None, .. } => Ok(Step::Nothing),
            Message::Notification { method, params } => self.said(&method, params, beside, under_way),
            Message::Request { id, method, params } => {
                if under_way.questions.is_too_many(Instant::now()) {
                    tracing::warn!(server = self.server.name, "an MCP server asks its client without end");
                    return Err(Stop::Cut);
                }
                Ok(match Box::pin(self.asks(&id, &method, params)).await {
                    Some(message) => Step::Send(event(beside, &message)),
                    None => Step::Nothing,
                })
            }
        }
    }

    /// A notification: inspected, and what it tells of a resource only to whom it may.
    fn said(
        &self,
        method: &str,
        params: Option<&str>,
        beside: &str,
        under_way: &mut UnderWay,
    ) -> Result<Step, Stop> {
        let Some(params) = params else {
            return Ok(Step::Send(event(beside, &rpc::ask(None, method, None))));
        };
        if method == "notifications/resources/updated" {
            let uri =
                crate::adapt::view::View::parse(params).ok().and_then(|params| params.get("uri")?.string());
            let Some(uri) = uri else { return Ok(Step::Nothing) };
            let target = Target::Resource { server: self.server.name.clone(), uri };
            if !self.may(&self.gateway.policies.load(), &target, &[]) {
                return Ok(Step::Nothing);
            }
        }
        let Some(passed) = inspect(&self.gateway, &self.handling, params) else { return Err(Stop::Cut) };
        let blocked = passed.blocked();
        let room = MAX_FINDINGS.saturating_sub(under_way.findings.len());
        under_way.findings.extend(passed.findings.into_iter().take(room));
        match blocked {
            Some(entity) => Err(Stop::Blocked(entity)),
            None => Ok(Step::Send(event(beside, &rpc::ask(None, method, Some(&passed.forward))))),
        }
    }

    /// Something the server asks of the client.
    async fn asks(&self, id: &Id, method: &str, params: Option<&str>) -> Option<String> {
        let sessions = &self.gateway.mcp.sessions;
        let too_many = || {
            let message = "too many questions wait for this client";
            (Refused::new(503, "too_many_waiting", message), self.request_id.clone())
        };
        let (refused, request_id) = if sessions.is_full(&self.key) {
            too_many()
        } else {
            match self.clear_asked(method, params).await {
                Ok((params, open, handling)) => {
                    let asked = AskedClient { open, handling, method: method.to_owned() };
                    match sessions.ask(&self.key, id.clone(), asked) {
                        Ok(before) => {
                            if let Some(before) = before {
                                self.drop_question(before, OutcomeStatus::Unknown, "asked_again").await;
                            }
                            return Some(rpc::ask(Some(id), method, params.as_deref()));
                        }
                        Err(asked) => {
                            self.drop_question(asked, OutcomeStatus::Failure, "too_many_waiting").await;
                            too_many()
                        }
                    }
                }
                Err(denied) => denied,
            }
        };
        let message = rpc_error(Some(id), &refused, &request_id);
        let envelope = Envelope { http: Method::POST, id: None, last_event: None, ..self.envelope.clone() };
        let process = self.gateway.mcp.sessions.process(&self.key);
        let sent = upstream::give_back(&self.server, process.as_ref(), &envelope, message).await;
        if sent.is_err() {
            tracing::warn!(
                server = self.server.name,
                "an MCP server could not be told that its request is refused"
            );
        }
        None
    }

    /// Closes a question that nobody will answer.
    async fn drop_question(&self, asked: AskedClient, status: OutcomeStatus, why: &str) {
        let ended = without_result(outcome(status, None, Some(why)), Vec::new());
        drop(Box::pin(self.gateway.recorder.outcome(asked.open, ended)).await);
    }

    /// Keeps a call open whose result may come in another stream.
    async fn suspend(mut self, open: Open, findings: Vec<Finding>) {
        // A stream that broke off takes nobody's place.
        self.place = None;
        let Some(id) = self.envelope.id.clone() else { return };
        let (gateway, key) = (std::sync::Arc::clone(&self.gateway), self.key.clone());
        let suspended = Suspended { passage: self, open, findings };
        if let Err(suspended) = gateway.mcp.sessions.suspend(&key, id, suspended) {
            give_up(suspended).await;
        }
    }
}

/// Closes a call that nobody resumed.
pub(crate) async fn give_up(suspended: Suspended) {
    let Suspended { passage, open, findings } = suspended;
    let ended = outcome(OutcomeStatus::Unknown, None, Some("not_resumed"));
    drop(passage.close(open, ended, findings).await);
}

/// Closes what a client did not answer.
pub(crate) async fn unanswered(gateway: &crate::gateway::Gateway, asked: AskedClient) {
    let AskedClient { open, method, .. } = asked;
    tracing::info!(method, waited = ?sessions::PATIENCE, "a client did not answer what an MCP server asked");
    let ended = outcome(OutcomeStatus::Timeout, None, Some("client_silent"));
    drop(Box::pin(gateway.recorder.outcome(open, without_result(ended, Vec::new()))).await);
}

/// Findings of notifications that are kept for the outcome.
const MAX_FINDINGS: usize = 4_096;

/// What is left to do of the call.
struct UnderWay {
    open: Option<Open>,
    findings: Vec<Finding>,
    /// Whether the caller knows where to resume.
    resumable: bool,
    questions: Questions,
}

/// What a server asks of its client in one stream: each is two entries of the trail, which nobody may flood.
struct Questions {
    since: Instant,
    count: usize,
}

/// Questions of one stream in a minute.
const MAX_QUESTIONS: usize = 256;

impl Questions {
    /// Counts one more.
    fn is_too_many(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) > Duration::from_secs(60) {
            *self = Questions { since: now, count: 0 };
        }
        self.count += 1;
        self.count > MAX_QUESTIONS
    }
}

enum Step {
    Send(Bytes),
    Last(Bytes),
    Refused(Bytes),
    Nothing,
}

/// One event. A message has no line's end outside its strings that counts.
fn event(beside: &str, message: &str) -> Bytes {
    let data = message.replace(['\n', '\r'], " ");
    Bytes::from(format!("event: message\n{beside}data: {data}\n\n"))
}

/// Ends a stream so that it is seen as cut.
async fn cut(sender: &Sender, idle: Duration) {
    // A failing body makes hyper drop what it has buffered; it flushes when it has to wait.
    tokio::time::sleep(FLUSH).await;
    drop(sender.send_timeout(Err(io::Error::other("stream cut")), idle).await);
}
