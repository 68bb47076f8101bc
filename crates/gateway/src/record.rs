//! Record: the decision before the act, the outcome after it.
//!
//! Only what comes back from [`Recorder::decision`] can be forwarded, so that skipping the record does not
//! compile. Every string of the leaf that a caller controls passes [`Inspector::leaf`] here, in one place.

use std::sync::Arc;
use std::time::Instant;

use greffier_event::{
    Call, Content, DecisionKind, Draft, Event, EventType, Finding, Outcome, OutcomeStatus, Part, Place,
    PolicyRecord, Principal, Resource, Tenant, Timestamp, Usage, User, limits, may_hold_secrets, redact_keys,
    redact_keys_text,
};
use greffier_ledger::{AppendError, Appender, Heads};
use greffier_merkle::Receipt;

use crate::account::{Account, Bounds, Ticket};
use crate::clock::Clock;
use crate::continues::Continues;
use crate::decide::{Denied, Permitted, Verdict};
use crate::inspect::{Inspector, Redacted, is_json, summary};
use crate::metrics::Metrics;
use crate::read;
use crate::touched;
use crate::unrecorded::{Unrecorded, cannot_record};

/// Longest reason kept in an entry, in characters; policies' own texts are shorter.
const MAX_REASON: usize = 500;
/// Roles and scopes kept in an entry: a token with more is recorded with the first ones.
const MAX_NAMES: usize = 64;

/// Writes events for the gateway.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) appender: Appender,
    inspector: Inspector,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    node: String,
    /// Which calls go on while nothing can be recorded.
    pub(crate) continues: Arc<Continues>,
    /// What became of them, until it is on record.
    pub(crate) account: Arc<Account>,
    /// Held while a gap is written.
    pub(crate) settling: Arc<tokio::sync::Mutex<()>>,
}

/// A call whose decision is durable. Only [`Recorder::decision`] makes one.
pub(crate) struct Recorded<P> {
    inner: P,
    receipt: Receipt,
    open: Open,
}

impl Recorded<Permitted<Redacted<Call>>> {
    /// The receipt of the decision.
    pub(crate) fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Parts with the proof: what remains is to forward the call and to close its record.
    pub(crate) fn spend(self) -> (Permitted<Redacted<Call>>, Open) {
        (self.inner, self.open)
    }
}

/// A decision waiting for its outcome: the small fields that both events carry.
pub(crate) struct Open {
    pub(crate) event: Event,
    pub(crate) since: Instant,
    pub(crate) kept: Kept,
    /// What follows its success beside the outcome: see [`touched`].
    pub(crate) touches: Option<EventType>,
}

/// Where a decision stands.
pub(crate) enum Kept {
    /// On its trail.
    OnRecord {
        /// Whether the reply may end without its outcome, should that not be recordable.
        may_go_on: bool,
    },
    /// In the account.
    InAccount(Ticket),
}

/// How a call ended, as far as the reply told.
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    pub(crate) usage: Option<Usage>,
    /// The provider's id for the reply, by which what others tell of it is recognised.
    pub(crate) response_id: Option<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) parts: Vec<Part>,
    /// Whether the reply was inspected at all.
    pub(crate) inspected: bool,
}

impl Recorder {
    pub(crate) fn new(
        appender: Appender,
        inspector: Inspector,
        metrics: Metrics,
        clock: Clock,
        node: &str,
        continues: Continues,
    ) -> Recorder {
        let account = Arc::new(Account::new(appender.gaps().clone(), Bounds::DEFAULT));
        let (continues, settling) = (Arc::new(continues), Arc::default());
        Recorder { appender, inspector, metrics, clock, node: node.to_owned(), continues, account, settling }
    }

    /// Whether anything can be written down now; if not, why.
    pub(crate) fn ready(&self) -> Result<(), String> {
        self.appender.is_recording()
    }

    /// How far the trails are signed and witnessed.
    pub(crate) fn heads(&self) -> &Heads {
        self.appender.heads()
    }

    /// Makes the decision durable, with what was asked in its redacted form.
    pub(crate) async fn decision(
        &self,
        permitted: Permitted<Redacted<Call>>,
        since: Instant,
    ) -> Result<Recorded<Permitted<Redacted<Call>>>, Box<Unrecorded<Permitted<Redacted<Call>>>>> {
        self.decision_with(permitted, since, Vec::new()).await
    }

    /// The same, with more to say about the circumstances.
    pub(crate) async fn decision_with(
        &self,
        permitted: Permitted<Redacted<Call>>,
        since: Instant,
        more: Vec<Part>,
    ) -> Result<Recorded<Permitted<Redacted<Call>>>, Box<Unrecorded<Permitted<Redacted<Call>>>>> {
        let event = self.event(permitted.redacted(), permitted.verdict(), EventType::ActionApproved);
        let mut parts = input_parts(permitted.redacted(), &permitted.verdict().principal);
        parts.extend(more);
        match self.append(Draft { event: event.clone(), parts }).await {
            Ok(receipt) => {
                let may_go_on = self.continues.check(&permitted).is_ok();
                let touches = touched::follows(permitted.destination(), &permitted.redacted().call().action);
                let open = Open { event, since, kept: Kept::OnRecord { may_go_on }, touches };
                Ok(Recorded { inner: permitted, receipt, open })
            }
            Err(error) => Err(Box::new(Unrecorded { inner: permitted, decision: event, since, error })),
        }
    }

    /// Makes a denial durable; the call ends with it.
    pub(crate) async fn denial(&self, denied: &Denied<Redacted<Call>>) -> Result<Receipt, AppendError> {
        self.denial_with(denied, Vec::new()).await
    }

    /// The same, with more to say about the circumstances.
    pub(crate) async fn denial_with(
        &self,
        denied: &Denied<Redacted<Call>>,
        more: Vec<Part>,
    ) -> Result<Receipt, AppendError> {
        let mut event = self.event(&denied.inner, &denied.verdict, EventType::ActionDenied);
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: None,
            error: None,
            status: OutcomeStatus::Denied,
        });
        let mut parts = input_parts(&denied.inner, &denied.verdict.principal);
        parts.extend(more);
        self.append(Draft { event, parts }).await
    }

    /// Makes the outcome durable; of a call that goes on unrecorded, enters it in the account.
    pub(crate) async fn outcome(&self, open: Open, ending: Ending) -> Result<(), AppendError> {
        let Open { mut event, since, kept, touches } = open;
        event.id = self.clock.event_id();
        event.time = self.clock.now();
        event.kind = match ending.outcome.status {
            OutcomeStatus::Success => EventType::ActionExecuted,
            _ => EventType::ActionFailed,
        };
        let mut outcome = ending.outcome;
        outcome.duration_us =
            Some(u64::try_from(since.elapsed().as_micros()).unwrap_or(limits::INTEGER).min(limits::INTEGER));
        for attempt in &mut outcome.attempts {
            attempt.upstream_request_id = attempt.upstream_request_id.as_deref().map(|id| self.short(id));
        }
        event.outcome = Some(outcome);
        event.usage = ending.usage.map(|mut usage| {
            usage.model = usage.model.as_deref().map(|model| self.short(model));
            usage
        });
        if let (Some(action), Some(id)) = (&mut event.action, ending.response_id) {
            action.call_id.get_or_insert_with(|| self.short(&id));
        }
        event.content_safety = ending.inspected.then(|| summary(&ending.findings));
        if let Kept::InAccount(ticket) = &kept
            && self.account.end(ticket, &event)?
        {
            return Ok(());
        }
        let draft = Draft { event: event.clone(), parts: ending.parts };
        let written = match touches.filter(|_| event.kind == EventType::ActionExecuted) {
            None => self.append(draft).await,
            Some(kind) => {
                let touched =
                    Draft { event: touched::event(&event, kind, self.clock.event_id()), parts: Vec::new() };
                // At once, so that they share a sync; boxed, because few calls have two of them.
                let both = Box::pin(async { tokio::join!(self.append(touched), self.append(draft)) });
                match both.await {
                    (touched, Ok(_)) => return touched.map(drop),
                    (_, outcome) => outcome,
                }
            }
        };
        let failed = match written {
            Err(error) if cannot_record(&error) => error,
            result => return result.map(drop),
        };
        let goes_on = match &kept {
            Kept::OnRecord { may_go_on } => {
                *may_go_on && self.account.keep_late(&event, &failed.to_string())?
            }
            // The gap with its decision was written just before recording failed again; or it was only counted.
            Kept::InAccount(ticket) => {
                ticket.is_only_counted() || self.account.keep_late(&event, &failed.to_string())?
            }
        };
        if goes_on { Ok(()) } else { Err(failed) }
    }

    /// Makes any other event durable.
    pub(crate) async fn append(&self, mut draft: Draft) -> Result<Receipt, AppendError> {
        draft.event.recorded_at = Some(self.clock.now());
        let started = Instant::now();
        let kind = draft.event.kind;
        // What was done unrecorded is said first.
        let result = match self.settle(&draft.event.tenant).await {
            Ok(()) => self.appender.append(draft).await,
            Err(error) => Err(error),
        };
        self.metrics.append(started.elapsed(), result.is_ok());
        if let Err(error) = &result {
            tracing::error!(?kind, %error, "cannot record an event");
        }
        result
    }

    /// An event of the node itself, on its own trail.
    pub(crate) fn node_event(&self, kind: EventType, time: Timestamp, action: &str, uri: &str) -> Event {
        let mut event = Event::new(self.clock.event_id(), kind, Tenant::node(), time);
        event.agent =
            Some(greffier_event::Agent { id: Tenant::NODE.to_owned(), verified: true, ..Default::default() });
        event.action = Some(greffier_event::Action {
            kind: Some(greffier_event::ActionKind::Admin),
            name: action.to_owned(),
            ..Default::default()
        });
        event.resource = Some(greffier_event::Resource { uri: Some(uri.to_owned()), ..Default::default() });
        event.source = Some(greffier_event::Source {
            channel: "gateway".to_owned(),
            node: Some(self.node.clone()),
            ..Default::default()
        });
        event
    }

    /// The event that closes a decision whose outcome nobody saw: the node stopped in between.
    pub(crate) fn closing(&self, decision: &Event) -> Draft {
        let mut event = decision.clone();
        event.id = self.clock.event_id();
        event.kind = EventType::ActionFailed;
        event.time = self.clock.now();
        event.parts = Vec::new();
        event.parts_root = None;
        event.content_safety = None;
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: None,
            error: Some("node_stopped".to_owned()),
            status: OutcomeStatus::Unknown,
        });
        Draft { event, parts: Vec::new() }
    }

    /// A string fit for a leaf.
    pub(crate) fn leaf(&self, text: &str) -> String {
        self.inspector.leaf(text)
    }

    /// Puts the caller's name on an event.
    pub(crate) fn name(&self, event: &mut Event, principal: &Principal) {
        event.user = self.user(principal);
        let mut agent = read::agent(principal);
        agent.id = self.subject(&principal.tenant, &agent.id);
        for actor in &mut agent.via {
            actor.sub = self.subject(&principal.tenant, &actor.sub);
        }
        event.agent = Some(agent);
    }

    /// A string fit for a leaf, and short.
    fn short(&self, text: &str) -> String {
        self.inspector.leaf(text).chars().take(128).collect()
    }

    /// A subject as a leaf may carry it: one that is an e-mail or holds anything else personal becomes a keyed
    /// reference, which the key store resolves.
    fn subject(&self, tenant: &Tenant, sub: &str) -> String {
        if self.inspector.is_personal(sub) {
            self.appender.keys().reference(tenant, "user", sub)
        } else {
            sub.to_owned()
        }
    }

    fn user(&self, principal: &Principal) -> Option<User> {
        principal.user.as_deref().map(|sub| User {
            iss: Some(principal.issuer.clone()),
            roles: principal.roles.iter().take(MAX_NAMES).map(|role| self.short(role)).collect(),
            sub: self.subject(&principal.tenant, sub),
            verified: principal.verified,
        })
    }

    fn event(&self, redacted: &Redacted<Call>, verdict: &Verdict, kind: EventType) -> Event {
        let Verdict { principal, decision } = verdict;
        let mut event = self.of_call(redacted.call(), principal, kind);
        event.policy = Some(PolicyRecord {
            decision: decision.kind,
            reason: (decision.kind == DecisionKind::Deny).then(|| {
                self.inspector.leaf(&decision.reasons.join("; ")).chars().take(MAX_REASON).collect()
            }),
            rule: decision.rule.clone(),
            scopes: principal.scopes.iter().take(MAX_NAMES).map(|scope| self.short(scope)).collect(),
            version: Some(decision.version.clone()),
        });
        event.content_safety = Some(summary(redacted.findings()));
        event
    }

    /// What every event of a call says: who, what, to what, and how it came.
    pub(crate) fn of_call(&self, call: &Call, principal: &Principal, kind: EventType) -> Event {
        let mut event = Event::new(self.clock.event_id(), kind, principal.tenant.clone(), call.time);
        event.request_id = Some(call.request_id.clone());
        event.session_id =
            call.session_id.as_deref().or(principal.session.as_deref()).map(|id| self.short(id));
        event.session_link = call.session_link;
        event.trace = call.trace.clone();
        self.name(&mut event, principal);
        let mut action = call.action.clone();
        action.name = self.inspector.leaf(&action.name).chars().take(256).collect();
        action.call_id = action.call_id.as_deref().map(|id| self.short(id));
        event.action = Some(action);
        let mut resource = call.resource.clone();
        resource.uri = resource.uri.as_deref().map(|uri| self.uri(uri));
        resource.subjects = resource
            .subjects
            .iter()
            .map(|subject| self.appender.keys().reference(&principal.tenant, "subject", subject))
            .collect();
        event.resource = (resource != Resource::default()).then_some(resource);
        let mut source = call.source.clone();
        source.client = source.client.as_deref().map(|client| self.short(client));
        source.token = principal.token.clone();
        source.oauth_client = principal.client_id.as_deref().map(|client| self.short(client));
        event.source = Some(source);
        event
    }

    /// A URI as a leaf may carry it, and short.
    fn uri(&self, uri: &str) -> String {
        self.inspector.leaf_uri(uri).chars().take(1_024).collect()
    }
}

/// What was asked, redacted: a prompt, or a tool's parameters; and the user's e-mail.
pub(crate) fn input_parts(redacted: &Redacted<Call>, principal: &Principal) -> Vec<Part> {
    let mut parts = Vec::new();
    let body = redacted.record().iter().find(|content| content.place == Place::Body);
    match &redacted.call().target {
        greffier_event::Target::Model { .. } => parts.extend(body.map(|body| part("prompt", body))),
        greffier_event::Target::Tool { .. } if !is_message(redacted.call()) => {
            parts.push(parameters(redacted.record()));
        }
        // Of an MCP message everything that says anything is in its parameters.
        _ => parts.extend(body.map(|body| part("parameters", body))),
    }
    if let Some((error, _)) = redacted.unanswered() {
        let content = serde_json::json!({ "content_safety": { "remote": error.to_string() } });
        let (name, media) = ("metadata".to_owned(), "application/json".to_owned());
        parts.push(Part { name, media, content: content.to_string().into_bytes() });
    }
    if let Some(email) = &principal.email {
        parts.push(Part {
            name: "email".to_owned(),
            media: "text/plain".to_owned(),
            content: email.clone().into_bytes(),
        });
    }
    parts
}

/// Whether a call is a message of MCP.
fn is_message(call: &Call) -> bool {
    call.source.protocol.as_deref().is_some_and(|protocol| protocol.starts_with("mcp."))
}

/// A tool call's path, query, headers and body in one document.
fn parameters(contents: &[Content]) -> Part {
    let mut document = serde_json::Map::new();
    let mut headers = serde_json::Map::new();
    for content in contents {
        let text = || serde_json::Value::String(String::from_utf8_lossy(&content.bytes).into_owned());
        match &content.place {
            Place::Path => drop(document.insert("path".to_owned(), text())),
            Place::Query => drop(document.insert("query".to_owned(), text())),
            Place::Header(name) => drop(headers.insert(name.clone(), text())),
            Place::Body => {
                let json =
                    is_json(&content.media).then(|| serde_json::from_slice(&content.bytes).ok()).flatten();
                drop(document.insert("body".to_owned(), json.unwrap_or_else(text)));
            }
        }
    }
    if !headers.is_empty() {
        document.insert("headers".to_owned(), serde_json::Value::Object(headers));
    }
    let mut document = serde_json::Value::Object(document);
    redact_keys(&mut document);
    Part {
        name: "parameters".to_owned(),
        media: "application/json".to_owned(),
        content: document.to_string().into_bytes(),
    }
}

/// A piece of content as a part; secrets under telling keys of JSON go too.
pub(crate) fn part(name: &str, content: &Content) -> Part {
    let json = is_json(&content.media).then(|| std::str::from_utf8(&content.bytes).ok()).flatten();
    // Nothing to hide: the part is what was sent, byte for byte.
    let bytes = match json.filter(|text| may_hold_secrets(text)).map(redact_keys_text) {
        Some(Ok((hidden, count))) if count > 0 => hidden.into_bytes(),
        _ => content.bytes.clone(),
    };
    let media = content.media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let media = if media.is_empty() { "application/octet-stream".to_owned() } else { media };
    Part { name: name.to_owned(), media: media.chars().take(128).collect(), content: bytes }
}
