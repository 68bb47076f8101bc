//! What one item of telemetry claims, and the events that say so.
//!
//! Dialects fill a [`Claim`] with what they read; here it becomes one or two drafts. Telemetry is more talkative
//! than an event is long, so what does not fit a field is cut, and stands whole in the metadata.

use greffier_event::limits::{self, Grammar, Text};
use greffier_event::{
    Action, Agent, Draft, Event, EventId, EventType, Outcome, OutcomeStatus, Part, PolicyRecord, Resource,
    Source, Tenant, Timestamp, Trace, Usage, User, redact_keys_text,
};
use greffier_ledger::KeyRing;
use greffier_merkle::hash;
use greffier_safety::json;
use serde_json::Value;

/// What was done, which decides the types of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// A tool was used: `tool.call` and `tool.response`.
    Tool,
    /// As above, of which only the end was told.
    ToolEnd,
    /// An agent worked: `agent.start` and `agent.stop`.
    Agent,
    /// As above, of which only the beginning was told.
    AgentStart,
    /// A model was asked, or anything else was done: `action.executed` or `action.failed`.
    Act,
    /// Something was asked for: `action.request`.
    Ask,
    Access,
    Modify,
    /// Somebody or something was asked for permission: `permission.check` or `permission.denied`.
    Check,
    Trouble,
}

/// Where the id of an event comes from. The same item has the same id whenever it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seed {
    /// Ids that are no secret and stand in the event: whoever has them finds the event.
    Open(String),
    /// The item itself: its id is keyed, so that nobody can try which item it stands for.
    Keyed(String),
}

/// Content on its way into a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A part is just this.
    Whole(String),
    /// A part is an object of these, each JSON already.
    Named(Vec<(String, String)>),
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) deed: Deed,
    pub(super) seed: Seed,
    /// The dialect, as `source.protocol`.
    pub(super) protocol: &'static str,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Joins the events of one item, and of several that speak of the same.
    pub(super) request: String,
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) session: Option<String>,
    pub(super) user: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) email: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) agent_version: Option<String>,
    pub(super) tier: Option<String>,
    pub(super) client: Option<String>,
    pub(super) action: Action,
    pub(super) uri: Option<String>,
    pub(super) policy: Option<PolicyRecord>,
    pub(super) usage: Option<Usage>,
    pub(super) status: OutcomeStatus,
    pub(super) code: Option<i64>,
    /// The kind of error.
    pub(super) error: Option<String>,
    /// What the error says.
    pub(super) error_text: Option<String>,
    pub(super) duration_us: Option<u64>,
    /// What went in, what came out.
    pub(super) input: Option<(&'static str, Content)>,
    pub(super) output: Option<(&'static str, Content)>,
    /// All that was told beside.
    pub(super) metadata: Value,
}

/// Where a claim is recorded.
pub(super) struct Desk<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) keys: &'a KeyRing,
}

impl Claim {
    /// The events, in the order in which they happened.
    pub(super) fn drafts(self, desk: &Desk<'_>) -> Vec<Draft> {
        use EventType::{
            ActionExecuted, ActionFailed, ActionRequest, AgentStart, AgentStop, DataAccess, DataModify,
            Error, PermissionCheck, PermissionDenied, ToolCall, ToolResponse,
        };
        let succeeded = self.status == OutcomeStatus::Success;
        let (first, last) = match self.deed {
            Deed::Tool => (Some(ToolCall), ToolResponse),
            Deed::ToolEnd => (None, ToolResponse),
            Deed::Agent => (Some(AgentStart), AgentStop),
            Deed::AgentStart => (None, AgentStart),
            Deed::Act if succeeded => (None, ActionExecuted),
            Deed::Act => (None, ActionFailed),
            Deed::Ask => (None, ActionRequest),
            Deed::Access => (None, DataAccess),
            Deed::Modify => (None, DataModify),
            Deed::Check if self.status == OutcomeStatus::Denied => (None, PermissionDenied),
            Deed::Check => (None, PermissionCheck),
            Deed::Trouble => (None, Error),
        };
        let mut drafts = Vec::new();
        let (mut input, output) = (self.input.clone(), self.output.clone());
        if let Some(kind) = first {
            let parts = input.take().map(|(name, content)| content.part(name));
            let event = self.event(desk, kind, self.start, "start");
            drafts.push(Draft { event, parts: parts.into_iter().collect() });
        }
        let mut event = self.event(desk, last, self.end, "end");
        event.usage = self.usage.clone().filter(|usage| *usage != Usage::default());
        if !matches!(self.deed, Deed::Ask | Deed::AgentStart) {
            event.outcome = Some(self.outcome());
        }
        let mut parts: Vec<Part> =
            input.into_iter().chain(output).map(|(name, content)| content.part(name)).collect();
        if let Some(text) = self.error_text.filter(|text| !text.is_empty()) {
            parts.push(Content::Whole(text).part("error"));
        }
        if let Some(email) = self.email {
            let (name, media) = ("email".to_owned(), "text/plain".to_owned());
            parts.push(Part { name, media, content: email.into_bytes() });
        }
        if self.metadata.as_object().is_some_and(|members| !members.is_empty()) {
            let named = Content::Named(vec![("otlp".to_owned(), self.metadata.to_string())]);
            parts.push(named.part("metadata"));
        }
        drafts.push(Draft { event, parts });
        drafts
    }

    fn event(&self, desk: &Desk<'_>, kind: EventType, nanos: u64, role: &str) -> Event {
        let time = Timestamp::from_micros(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX));
        let mut event = Event::new(self.seed.id(desk, role), kind, desk.tenant.clone(), time);
        event.request_id = fit(&limits::REQUEST_ID, &self.request);
        event.session_id = self.session.as_deref().and_then(|id| fit(&limits::SESSION_ID, id));
        event.trace = is_id(&self.trace_id, 32).then(|| Trace {
            trace_id: self.trace_id.clone(),
            span_id: is_id(&self.span_id, 16).then(|| self.span_id.clone()),
        });
        event.user = self.user.as_deref().and_then(|sub| fit(&limits::USER_SUB, sub)).map(|sub| User {
            sub,
            // No more than a token's record keeps.
            roles: self.roles.iter().take(64).filter_map(|role| fit(&limits::USER_ROLE, role)).collect(),
            ..User::default()
        });
        event.agent = self.agent.as_deref().and_then(|id| fit(&limits::AGENT_ID, id)).map(|id| Agent {
            id,
            tier: self.tier.as_deref().and_then(|tier| fit(&limits::AGENT_TIER, tier)),
            version: self.agent_version.as_deref().and_then(|v| fit(&limits::AGENT_VERSION, v)),
            ..Agent::default()
        });
        event.action = fit(&limits::ACTION_NAME, &self.action.name).map(|name| Action {
            name,
            method: self.action.method.as_deref().and_then(|text| fit(&limits::ACTION_METHOD, text)),
            call_id: self.action.call_id.as_deref().and_then(|text| fit(&limits::ACTION_CALL_ID, text)),
            ..self.action.clone()
        });
        let uri = self.uri.as_deref().and_then(|uri| fit(&limits::RESOURCE_URI, uri));
        event.resource = uri.map(|uri| Resource { uri: Some(uri), ..Resource::default() });
        event.policy = self.policy.clone();
        event.source = Some(Source {
            channel: "otlp".to_owned(),
            client: self.client.as_deref().and_then(|client| fit(&limits::SOURCE_CLIENT, client)),
            protocol: Some(self.protocol.to_owned()),
            ..Source::default()
        });
        event
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            attempts: Vec::new(),
            code: self.code.filter(|code| code.unsigned_abs() <= limits::INTEGER),
            duration_us: self.duration_us.map(|micros| micros.min(limits::INTEGER)),
            error: self.error.as_deref().and_then(|error| fit(&limits::OUTCOME_ERROR, error)),
            status: self.status,
        }
    }
}

impl Seed {
    fn id(&self, desk: &Desk<'_>, role: &str) -> EventId {
        let bytes = match self {
            Seed::Open(seed) => {
                let digest = hash::sha256(format!("greffier/otlp/v1\0{role}\0{seed}").as_bytes());
                digest.first_chunk::<16>().copied().unwrap_or_default()
            }
            Seed::Keyed(item) => {
                let tag = desk.keys.reference(desk.tenant, "otlp", &format!("{role}\0{item}"));
                let hex = tag.strip_prefix("ref:").and_then(|hex| uuid::Uuid::parse_str(hex).ok());
                hex.unwrap_or_default().into_bytes()
            }
        };
        EventId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl Content {
    /// A value as it was told: JSON in a string is JSON.
    pub(super) fn of(value: &Value) -> Content {
        match value {
            Value::String(text) => Content::Whole(text.clone()),
            other => Content::Whole(other.to_string()),
        }
    }

    fn part(self, name: &str) -> Part {
        let (media, content) = match self {
            Content::Whole(text) if is_json(&text) => ("application/json", redacted(text)),
            Content::Whole(text) => ("text/plain", text),
            Content::Named(members) => {
                let mut text = String::from("{");
                for (at, (name, value)) in members.into_iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    text.push_str(&Value::from(name).to_string());
                    text.push(':');
                    text.push_str(&value);
                }
                text.push('}');
                ("application/json", redacted(text))
            }
        };
        Part { name: name.to_owned(), media: media.to_owned(), content: content.into_bytes() }
    }
}

/// A value as JSON text, a string that holds a document as that document.
pub(super) fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) if is_json(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a string is a document of its own, and not just a word that happens to be JSON.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && json::check(text.as_bytes()).is_ok()
}

/// Without secrets under telling keys; what nests too deep to be looked through is not kept.
fn redacted(text: String) -> String {
    redact_keys_text(&text).map_or_else(|_| r#"{"unread":"nested too deep"}"#.to_owned(), |(text, _)| text)
}

/// Lowercase hex of that length, not all zeros.
fn is_id(id: &str, length: usize) -> bool {
    id.len() == length && id.bytes().any(|byte| byte != b'0')
}

/// What of a text a field can hold: on one line, without what its grammar forbids, and cut to its length.
pub(super) fn fit(rule: &Text, text: &str) -> Option<String> {
    let fitted: String = match rule.grammar {
        Grammar::Word => {
            // A word starts with a letter; `-32002` and `429` are kinds of error, too.
            let head = if text.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "error_" };
            let word = |c: char| if c.is_ascii_alphanumeric() || "_.:-".contains(c) { c } else { '_' };
            head.chars().chain(text.trim().chars()).map(word).take(rule.max).collect()
        }
        Grammar::Uri => {
            let bare = text.split(['?', '#']).next().unwrap_or_default();
            bare.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(rule.max).collect()
        }
        _ => {
            let line = |c: char| if c.is_control() { ' ' } else { c };
            text.trim().chars().map(line).take(rule.max).collect()
        }
    };
    (!fitted.is_empty()).then_some(fitted)
}
