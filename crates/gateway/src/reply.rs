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

use crate::adapt::{self, LlmRequest, Protocol, ReplyFacts};
use crate::body::{self, Body};
use crate::bound;
use crate::chain::Chain;
use crate::forward::{Exchange, ForwardError};
use crate::gateway::Gateway;
use crate::handling::Handling;
use crate::http_client::{self, BodyError};
use crate::inspect::{Inspected, is_json};
use crate::record::{Ending, Open, part};
use crate::refuse::{self, Refused};
use crate::route::{Destination, Route};
use crate::send::Sent;
use crate::stored::Owner;

/// What the reply's handling needs to know of its call.
pub(crate) struct Reply {
    pub(crate) route: Route,
    pub(crate) chat: Option<LlmRequest>,
    pub(crate) request_id: String,
    pub(crate) receipt: String,
    pub(crate) handling: Handling,
    /// Who asks, for a response that the provider keeps.
    pub(crate) owner: Owner,
    pub(crate) chain: Chain,
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
        && (head.media.starts_with("text/event-stream") || streams_an_array(&call.route, &head.media));
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
        Ending {
            outcome,
            usage: None,
            response_id: None,
            findings: Vec::new(),
            parts: Vec::new(),
            inspected: false,
        }
    }
}

/// What the record and the caller are told when no reply came.
pub(crate) fn unanswered(error: ForwardError) -> (OutcomeStatus, &'static str, Refused) {
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
        let protocol = call.route.model_protocol();
        let inspected = match protocol {
            // Beside the text a reply may spell it again, token by token.
            Some(protocol) if !inspected.findings.is_empty() => Inspected {
                forward: adapt::without_echoes(protocol, inspected.forward),
                record: adapt::without_echoes(protocol, inspected.record),
                ..inspected
            },
            _ => inspected,
        };
        let (mut headers, header_findings) = kept_headers(gateway, call, &head.headers);
        let mut findings = inspected.findings;
        findings.extend(header_findings);
        let blocked =
            findings.iter().find(|finding| finding.action == RedactionAction::Block).map(|f| f.entity);
        let facts =
            protocol.filter(|_| head.status.is_success()).map(|protocol| adapt::read_reply(protocol, &bytes));
        // To have looked at a stored response that failed is a success.
        let model_failed =
            matches!(call.route, Route::Chat(_)) && facts.as_ref().is_some_and(|facts| facts.failed);
        let outcome = match blocked {
            Some(_) => head.outcome(OutcomeStatus::Denied, Some("reply_blocked")),
            None if model_failed => head.outcome(OutcomeStatus::Failure, Some("upstream_error")),
            None => head.ended(),
        };
        let failed = head.status.is_client_error() || head.status.is_server_error();
        let name = match (&call.route, failed) {
            (_, true) => "error",
            (Route::Tool { .. }, false) => "result",
            (_, false) => "completion",
        };
        let recorded = Content { bytes: inspected.record, ..content };
        let parts = if recorded.bytes.is_empty() { Vec::new() } else { vec![part(name, &recorded)] };
        let response_id = facts.as_ref().and_then(|facts| facts.upstream_id.clone());
        let usage = facts.and_then(|facts| usage(gateway, call, destination, facts));
        close(gateway, open, Ending { outcome, usage, response_id, findings, parts, inspected: true })
            .await?;
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
        // Before the caller can refer to it.
        gateway.chains.heard(&call.chain, &restored, gateway.clock.now());
        let mut response = Response::new(body::whole(restored));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Whether a stream comes as one JSON array: Gemini's does, unless it is asked for events.
fn streams_an_array(route: &Route, media: &str) -> bool {
    matches!(route, Route::Gemini(address) if address.streams()) && is_json(media)
}

/// What goes on record of a reply's tokens; those of a stored response once, however often it is looked at.
fn usage(gateway: &Gateway, call: &Reply, destination: &Destination, facts: ReplyFacts) -> Option<Usage> {
    let mut usage = facts.usage;
    let counted = usage.input_tokens.is_some() || usage.output_tokens.is_some();
    match &call.route {
        // What is free has nothing to count.
        Route::Chat(
            Protocol::AnthropicCountTokens | Protocol::OpenAiInputTokens | Protocol::OpenAiModerations,
        ) => return None,
        Route::Gemini(address) if address.protocol == Protocol::GeminiCountTokens => return None,
        Route::Stored(stored) if !counted || !gateway.stored.count_once(&stored.id) => return None,
        Route::Chat(Protocol::OpenAiResponses) => {
            if let (Some(id), Some(chat)) = (&facts.upstream_id, &call.chat) {
                gateway.stored.keep(id, call.owner.clone(), &chat.model, counted);
            }
        }
        _ => {}
    }
    if let Destination::Model(upstream) = destination {
        usage.provider = Some(upstream.kind.provider().to_owned());
    }
    // Some replies do not say which model they are of.
    let asked = || call.chat.as_ref().map(|chat| chat.model.clone()).filter(|_| counted);
    usage.model = usage.model.or(facts.model).or_else(asked);
    usage.cost_micros = gateway.prices.cost_micros(&usage, facts.long_cache_writes);
    Some(usage)
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
