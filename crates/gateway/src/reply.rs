//! The reply: inspected and counted on its way back, and ended only when its outcome is durable.

mod streamed;

use std::sync::Arc;
use std::time::Duration;

use greffier_event::{
    Attempt, Content, Finding, Outcome, OutcomeStatus, Place, RedactionAction, Stage, Usage,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::adapt::{self, LlmRequest, ReplyFacts};
use crate::body::{self, Body};
use crate::bound;
use crate::forward::{Exchange, ForwardError};
use crate::gateway::Gateway;
use crate::handling::Handling;
use crate::http_client::{self, BodyError};
use crate::inspect::Inspected;
use crate::record::{Ending, Open, part};
use crate::refuse::{self, Refused};
use crate::route::{Destination, Route};
use crate::send::Sent;

/// What the reply's handling needs to know of its call.
pub(crate) struct Reply {
    pub(crate) route: Route,
    pub(crate) chat: Option<LlmRequest>,
    pub(crate) request_id: String,
    pub(crate) receipt: String,
    pub(crate) handling: Handling,
}

/// Brings the upstream's reply back, or says why there is none. Every way out leaves an outcome event.
pub(crate) async fn reply(
    gateway: &Arc<Gateway>,
    call: Reply,
    exchange: Exchange,
    gone: &CancellationToken,
) -> Result<Response<Body>, Refused> {
    let Exchange { open, sent: Sent { reply, attempts, place }, destination, idle } = exchange;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            let (status, short, refused) = unanswered(error);
            let outcome =
                Outcome { attempts, code: None, duration_us: None, error: Some(short.to_owned()), status };
            close(gateway, open, Ending::without_reply(outcome)).await?;
            return Err(refused);
        }
    };
    let head = Head::new(&reply, attempts, place);
    if reply.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let outcome = head.outcome(OutcomeStatus::Failure, Some("upstream_encoding"));
        close(gateway, open, Ending::without_reply(outcome)).await?;
        return Err(Refused::new(502, "upstream_encoding", "the upstream compressed its reply unasked"));
    }
    let streams = call.chat.as_ref().is_some_and(|chat| chat.stream)
        && head.status.is_success()
        && head.media.starts_with("text/event-stream");
    let ongoing = Ongoing { gateway: Arc::clone(gateway), call, head, destination, idle };
    if streams {
        return Ok(ongoing.streamed(reply.into_body(), open));
    }
    ongoing.whole(reply.into_body(), open, gone).await
}

/// A reply under way.
struct Ongoing {
    gateway: Arc<Gateway>,
    call: Reply,
    head: Head,
    destination: Destination,
    /// Longest silence within the reply.
    idle: Duration,
}

/// What of the reply's head goes into the record and back to the caller.
struct Head {
    status: StatusCode,
    media: String,
    headers: HeaderMap,
    upstream_request_id: Option<String>,
    /// The attempts before it.
    earlier: Vec<Attempt>,
    /// Its place at the destination, until its outcome is on record.
    _place: Option<bound::Place>,
}

impl Head {
    fn new(reply: &Response<Incoming>, earlier: Vec<Attempt>, place: Option<bound::Place>) -> Head {
        let text = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok());
        Head {
            status: reply.status(),
            media: text("content-type").unwrap_or_default().to_ascii_lowercase(),
            headers: reply.headers().clone(),
            upstream_request_id: text("x-request-id").or_else(|| text("request-id")).map(str::to_owned),
            earlier,
            _place: place,
        }
    }

    fn outcome(&self, status: OutcomeStatus, error: Option<&str>) -> Outcome {
        let code = Some(i64::from(self.status.as_u16()));
        let mut attempts = self.earlier.clone();
        attempts.push(Attempt { code, upstream_request_id: self.upstream_request_id.clone() });
        Outcome { attempts, code, duration_us: None, error: error.map(str::to_owned), status }
    }

    fn ended(&self) -> Outcome {
        if self.status.is_client_error() || self.status.is_server_error() {
            self.outcome(OutcomeStatus::Failure, Some("upstream_error"))
        } else {
            self.outcome(OutcomeStatus::Success, None)
        }
    }
}

impl Ending {
    fn without_reply(outcome: Outcome) -> Ending {
        Ending { outcome, usage: None, findings: Vec::new(), parts: Vec::new(), inspected: false }
    }
}

fn unanswered(error: ForwardError) -> (OutcomeStatus, &'static str, Refused) {
    match error {
        ForwardError::Timeout => (
            OutcomeStatus::Timeout,
            "upstream_timeout",
            Refused::new(504, "upstream_timeout", "the upstream did not answer in time"),
        ),
        ForwardError::Busy(wait) => (
            OutcomeStatus::Failure,
            "upstream_busy",
            Refused::new(503, "upstream_busy", "too many calls are under way to the upstream")
                .retry_after(wait),
        ),
        ForwardError::Resting(wait) => (
            OutcomeStatus::Failure,
            "upstream_resting",
            Refused::new(503, "upstream_resting", "the upstream failed again and again and is left alone")
                .retry_after(wait),
        ),
        ForwardError::Unreachable | ForwardError::BrokeOff => (
            OutcomeStatus::Failure,
            "upstream_unreachable",
            Refused::new(502, "upstream_unreachable", "the upstream could not be reached"),
        ),
        ForwardError::Address => (
            OutcomeStatus::Failure,
            "bad_address",
            Refused::bad_request("the path does not make a valid address at the destination"),
        ),
        ForwardError::CallerGone => (
            OutcomeStatus::Cancelled,
            "caller_gone",
            Refused::new(499, "caller_gone", "the caller went away"),
        ),
    }
}

async fn close(gateway: &Gateway, open: Open, ending: Ending) -> Result<(), Refused> {
    // Boxed: several ways out would each make room for two events.
    Box::pin(gateway.recorder.outcome(open, ending)).await.map_err(|_| Refused::outcome_unrecorded())
}

impl Ongoing {
    /// Reads the reply whole, and gives it on once its outcome is durable.
    async fn whole(
        self,
        mut body: Incoming,
        open: Open,
        gone: &CancellationToken,
    ) -> Result<Response<Body>, Refused> {
        let Ongoing { gateway, call, head, destination, idle } = &self;
        let read = tokio::select! {
            read = http_client::read_body(&mut body, gateway.limits.body, *idle) => read.map_err(Some),
            () = gone.cancelled() => Err(None),
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                let (status, short, refused) = match error {
                    None => unanswered(ForwardError::CallerGone),
                    Some(BodyError::Idle) => unanswered(ForwardError::Timeout),
                    Some(BodyError::TooLarge) => (
                        OutcomeStatus::Failure,
                        "reply_too_large",
                        Refused::new(502, "reply_too_large", "the upstream's reply is over the limit"),
                    ),
                    Some(BodyError::Broken) => (
                        OutcomeStatus::Failure,
                        "reply_cut",
                        Refused::new(502, "reply_cut", "the upstream broke off its reply"),
                    ),
                };
                close(gateway, open, Ending::without_reply(head.outcome(status, Some(short)))).await?;
                return Err(refused);
            }
        };
        let content = Content { place: Place::Body, media: head.media.clone(), bytes: bytes.to_vec() };
        let inspected = gateway.inspector.content(&content, &call.handling, Stage::Output).or_else(|_| {
            // Said to be JSON and is not: text, then.
            let text = Content { media: "text/plain".to_owned(), ..content.clone() };
            gateway.inspector.content(&text, &call.handling, Stage::Output)
        });
        let Ok(inspected) = inspected else {
            let outcome = head.outcome(OutcomeStatus::Failure, Some("reply_unreadable"));
            close(gateway, open, Ending::without_reply(outcome)).await?;
            return Err(Refused::new(502, "reply_unreadable", "the upstream's reply could not be inspected"));
        };
        let inspected = match &call.route {
            // Beside the text a reply may spell it again, token by token.
            Route::Chat(protocol) if !inspected.findings.is_empty() => Inspected {
                forward: adapt::without_echoes(*protocol, inspected.forward),
                record: adapt::without_echoes(*protocol, inspected.record),
                findings: inspected.findings,
            },
            _ => inspected,
        };
        let (mut headers, header_findings) = kept_headers(gateway, call, &head.headers);
        let mut findings = inspected.findings;
        findings.extend(header_findings);
        let blocked =
            findings.iter().find(|finding| finding.action == RedactionAction::Block).map(|f| f.entity);
        let outcome = match blocked {
            Some(_) => head.outcome(OutcomeStatus::Denied, Some("reply_blocked")),
            None => head.ended(),
        };
        let facts = match &call.route {
            Route::Chat(protocol) if head.status.is_success() => Some(adapt::read_reply(*protocol, &bytes)),
            _ => None,
        };
        let failed = head.status.is_client_error() || head.status.is_server_error();
        let name = match (&call.route, failed) {
            (_, true) => "error",
            (Route::Tool { .. }, false) => "result",
            (_, false) => "completion",
        };
        let recorded = Content { bytes: inspected.record, ..content };
        let parts = if recorded.bytes.is_empty() { Vec::new() } else { vec![part(name, &recorded)] };
        let usage = facts.map(|facts| usage(gateway, destination, facts));
        close(gateway, open, Ending { outcome, usage, findings, parts, inspected: true }).await?;
        if let Some(entity) = blocked {
            return Err(Refused::new(
                403,
                "content_blocked",
                format!("the reply contains {entity}, which the rules block"),
            ));
        }
        refuse::mark(&mut headers, &call.request_id, Some(&call.receipt));
        // Only now, behind all inspection: what the caller sent goes back to nobody else.
        let restored = call.handling.restored(&head.media, inspected.forward);
        let mut response = Response::new(body::whole(restored));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

fn usage(gateway: &Gateway, destination: &Destination, facts: ReplyFacts) -> Usage {
    let mut usage = facts.usage;
    if let Destination::Model(upstream) = destination {
        usage.provider = Some(upstream.kind.provider().to_owned());
    }
    usage.model = usage.model.or(facts.model);
    usage.cost_micros = gateway.prices.cost_micros(&usage);
    usage
}

/// Headers of a reply that the caller gets: what describes the body and what SDKs read; inspected like content.
fn kept_headers(gateway: &Gateway, call: &Reply, headers: &HeaderMap) -> (HeaderMap, Vec<Finding>) {
    let tool = matches!(call.route, Route::Tool { .. });
    let mut kept = HeaderMap::new();
    let mut findings = Vec::new();
    for (name, value) in headers {
        if !travels(tool, name) {
            continue;
        }
        let content = Content {
            place: Place::Header(name.as_str().to_owned()),
            media: "text/plain".to_owned(),
            bytes: value.as_bytes().to_vec(),
        };
        let Ok(inspected) = gateway.inspector.content(&content, &call.handling, Stage::Output) else {
            continue;
        };
        findings.extend(inspected.findings);
        if let Ok(value) = HeaderValue::from_bytes(&inspected.forward) {
            kept.append(name.clone(), value);
        }
    }
    (kept, findings)
}

fn travels(tool: bool, name: &HeaderName) -> bool {
    const HOP: [&str; 10] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "set-cookie",
    ];
    let name = name.as_str();
    if tool {
        return !HOP.contains(&name) && !name.starts_with("greffier-");
    }
    let exact =
        ["content-type", "retry-after", "retry-after-ms", "x-request-id", "request-id", "x-should-retry"];
    let prefixes = ["x-ratelimit-", "anthropic-ratelimit-", "openai-"];
    exact.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}
