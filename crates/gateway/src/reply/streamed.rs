//! A streamed reply: answered at once, watched over to its end, and ended only when its outcome is durable.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use greffier_event::{Finding, OutcomeStatus, Part, RedactionAction, Stage};
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::{Ongoing, kept_headers, streams_an_array, usage};
use crate::body::{self, Body};
use crate::chain::Heard;
use crate::record::{Ending, Open};
use crate::refuse::{self, Refused};
use crate::stream::{ArrayReader, ArrayWriter, StreamError, StreamGovernor};

/// Why a stream stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The upstream's last event came.
    Complete,
    /// The upstream broke off, or ended without its last event.
    Cut,
    /// The upstream fell silent.
    Silent,
    /// The caller went away or stopped reading.
    CallerGone,
    /// The rules block what came.
    Blocked(&'static str),
    /// An event was over its bound or not text.
    Unreadable,
}

/// How the events of a stream are put: governed is always the same.
enum Framing {
    /// As server-sent events.
    Events,
    /// As the items of one JSON array.
    Array(ArrayReader, ArrayWriter),
}

impl Framing {
    fn of(array: bool) -> Framing {
        if array { Framing::Array(ArrayReader::default(), ArrayWriter::default()) } else { Framing::Events }
    }

    fn inward<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, StreamError> {
        match self {
            Framing::Events => Ok(Cow::Borrowed(bytes)),
            Framing::Array(reader, _) => reader.push(bytes).map(Cow::Owned),
        }
    }

    fn outward(&mut self, events: Vec<u8>) -> Vec<u8> {
        match self {
            Framing::Events => events,
            Framing::Array(_, writer) => writer.push(&events),
        }
    }

    /// The last events, and the stream's own end.
    fn last(&mut self, events: Vec<u8>) -> Vec<u8> {
        let mut bytes = self.outward(events);
        if let Framing::Array(_, writer) = self {
            bytes.extend(writer.end());
        }
        bytes
    }
}

/// What hyper needs to hand a small event to the kernel, with room to spare.
const FLUSH: Duration = Duration::from_millis(50);

type Sender = mpsc::Sender<Result<Bytes, io::Error>>;

impl Ongoing {
    /// Answers at once and watches over the stream in a task of its own, which outlives a caller that goes away.
    pub(super) fn streamed(self, upstream: Incoming, open: Open) -> Response<Body> {
        let (mut headers, findings) = kept_headers(&self.gateway, &self.call, &self.head.headers);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        refuse::mark(&mut headers, &self.call.request_id, Some(&self.call.receipt));
        let (sender, stream) = body::channel();
        let calls = self.gateway.calls.clone();
        calls.spawn(self.pump(upstream, open, findings, sender));
        let mut response = Response::new(stream);
        *response.headers_mut() = headers;
        response
    }

    async fn pump(self, mut upstream: Incoming, open: Open, mut findings: Vec<Finding>, sender: Sender) {
        let Some(protocol) = self.call.route.model_protocol() else { return };
        let handling = &self.call.handling;
        let rules = handling.rules(Stage::Output).clone();
        let strip = self.call.chat.as_ref().is_some_and(|chat| !chat.usage_requested);
        let mut governor = StreamGovernor::new(protocol, self.gateway.inspector.scanner(), rules, strip)
            .marking(handling.marks().clone())
            .restoring(handling.vault().clone());
        let mut framing = Framing::of(streams_an_array(&self.call.route, &self.head.media));
        let mut terminal = Vec::new();
        let mut heard = Heard::default();
        let mut stop =
            self.run(&mut upstream, &mut governor, &mut framing, &mut terminal, &mut heard, &sender).await;
        let end = governor.end();
        if stop == Stop::Complete && !end.complete {
            stop = Stop::Cut;
        }
        findings.extend(end.findings);
        let blocked =
            findings.iter().find(|finding| finding.action == RedactionAction::Block).map(|f| f.entity);
        if let (Some(entity), Stop::Complete) = (blocked, stop) {
            stop = Stop::Blocked(entity);
        }
        let outcome = match stop {
            Stop::Complete if end.upstream_error => {
                self.head.outcome(OutcomeStatus::Failure, Some("upstream_error"))
            }
            Stop::Complete => self.head.ended(),
            Stop::Cut => self.head.outcome(OutcomeStatus::Failure, Some("stream_cut")),
            Stop::Silent => self.head.outcome(OutcomeStatus::Timeout, Some("upstream_timeout")),
            Stop::CallerGone => self.head.outcome(OutcomeStatus::Cancelled, Some("caller_gone")),
            Stop::Blocked(_) => self.head.outcome(OutcomeStatus::Denied, Some("reply_blocked")),
            Stop::Unreadable => self.head.outcome(OutcomeStatus::Failure, Some("reply_unreadable")),
        };
        let parts = vec![Part {
            name: "completion".to_owned(),
            media: "application/json".to_owned(),
            content: end.completion,
        }];
        let response_id = end.facts.upstream_id.clone();
        let usage = usage(&self.gateway, &self.call, &self.destination, end.facts);
        let closed = self
            .gateway
            .recorder
            .outcome(open, Ending { outcome, usage, response_id, findings, parts, inspected: true })
            .await;
        // Only now may the stream end: what was held back goes out, or the stream is cut.
        let wire = self.call.route.wire();
        let error = |code: &str, message: &str| wire.error_event(code, message, &self.call.request_id);
        let last = match (closed, stop) {
            (Err(_), _) => {
                let refused = Refused::outcome_unrecorded();
                Err(error(refused.code, &refused.message))
            }
            (Ok(_), Stop::Complete) => Ok([end.bytes, terminal].concat()),
            (Ok(_), Stop::Blocked(entity)) => {
                Err(error("content_blocked", &format!("the reply contains {entity}, which the rules block")))
            }
            (Ok(_), Stop::Silent) => Err(error("upstream_timeout", "the upstream fell silent")),
            (Ok(_), _) => Err(error("stream_cut", "the upstream broke off its reply")),
        };
        if let Ok(bytes) = &last {
            self.hear(&mut heard, bytes);
        }
        self.gateway.chains.over(&self.call.chain, heard, self.gateway.clock.now());
        // A send fails only when the caller is gone; there is nobody left to tell.
        match last {
            Ok(events) => drop(sender.send_timeout(Ok(framing.last(events).into()), self.idle).await),
            Err(event) => {
                drop(sender.send_timeout(Ok(framing.outward(event).into()), self.idle).await);
                // A failing body makes hyper drop what it has buffered; it flushes when it has to wait.
                tokio::time::sleep(FLUSH).await;
                let cut = io::Error::other("stream cut");
                drop(sender.send_timeout(Err(cut), self.idle).await);
            }
        }
    }

    /// Before the caller gets it, and can refer to it.
    fn hear(&self, heard: &mut Heard, bytes: &[u8]) {
        self.gateway.chains.listen(&self.call.chain, heard, bytes, self.gateway.clock.now());
    }

    async fn run(
        &self,
        upstream: &mut Incoming,
        governor: &mut StreamGovernor,
        framing: &mut Framing,
        terminal: &mut Vec<u8>,
        heard: &mut Heard,
        sender: &Sender,
    ) -> Stop {
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(self.idle, upstream.frame()) => frame,
                () = sender.closed() => return Stop::CallerGone,
            };
            let data = match frame {
                Err(_) => return Stop::Silent,
                Ok(None) => return Stop::Complete,
                Ok(Some(Err(_))) => return Stop::Cut,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue,
                },
            };
            let output = framing.inward(&data).and_then(|events| governor.push(&events));
            let Ok(output) = output else { return Stop::Unreadable };
            self.hear(heard, &output.bytes);
            let bytes = framing.outward(output.bytes);
            // A caller that stops reading for as long as an upstream may be silent is gone.
            if !bytes.is_empty() && sender.send_timeout(Ok(bytes.into()), self.idle).await.is_err() {
                return Stop::CallerGone;
            }
            if let Some(entity) = output.blocked {
                return Stop::Blocked(entity.name());
            }
            if let Some(event) = output.terminal {
                // Nothing after it counts: the reply is over when the provider says so.
                *terminal = event;
                return Stop::Complete;
            }
        }
    }
}
