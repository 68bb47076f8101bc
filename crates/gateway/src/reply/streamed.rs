//! A streamed reply: answered at once, watched over to its end, and ended only when its outcome is durable.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use greffier_event::{Finding, OutcomeStatus, Part, RedactionAction, Stage};
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::{Ongoing, kept_headers, usage};
use crate::body::{self, Body};
use crate::chain::Heard;
use crate::record::{Ending, Open};
use crate::refuse::{self, Refused};
use crate::route::Route;
use crate::stream::StreamGovernor;

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
        let Route::Chat(protocol) = self.call.route else { return };
        let handling = &self.call.handling;
        let rules = handling.rules(Stage::Output).clone();
        let strip = self.call.chat.as_ref().is_some_and(|chat| !chat.usage_requested);
        let mut governor = StreamGovernor::new(protocol, self.gateway.inspector.scanner(), rules, strip)
            .marking(handling.marks().clone())
            .restoring(handling.vault().clone());
        let mut terminal = Vec::new();
        let mut heard = Heard::default();
        let mut stop = self.run(&mut upstream, &mut governor, &mut terminal, &mut heard, &sender).await;
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
        let usage = Some(usage(&self.gateway, &self.destination, end.facts));
        let closed = self
            .gateway
            .recorder
            .outcome(open, Ending { outcome, usage, findings, parts, inspected: true })
            .await;
        // Only now may the stream end: what was held back goes out, or the stream is cut.
        let wire = self.call.route.wire();
        let error =
            |code: &str, message: &str| Bytes::from(wire.error_event(code, message, &self.call.request_id));
        let last = match (closed, stop) {
            (Err(_), _) => {
                let refused = Refused::outcome_unrecorded();
                Err(error(refused.code, &refused.message))
            }
            (Ok(_), Stop::Complete) => Ok(Bytes::from([end.bytes, terminal].concat())),
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
            Ok(bytes) => drop(sender.send_timeout(Ok(bytes), self.idle).await),
            Err(event) => {
                drop(sender.send_timeout(Ok(event), self.idle).await);
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
            let Ok(output) = governor.push(&data) else { return Stop::Unreadable };
            self.hear(heard, &output.bytes);
            // A caller that stops reading for as long as an upstream may be silent is gone.
            if !output.bytes.is_empty()
                && sender.send_timeout(Ok(output.bytes.into()), self.idle).await.is_err()
            {
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
