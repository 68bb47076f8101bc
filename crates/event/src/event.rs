//! The event: one audit record, in its native form.
//!
//! Fields stand in the order of their canonical bytes (RFC 8785 sorts by key), integers only, absent instead of
//! null: the serialiser's output *is* the canonical form. Personal content never stands here: it is a [`Part`],
//! which the event binds by a commitment. Unknown fields are not refused by the types but by what reads them:
//! [`Event::from_canonical`] compares bytes, and the native form keeps them in the `metadata` part.

use serde::{Deserialize, Serialize};

use crate::{EventId, EventType, SessionLink, Tenant, Timestamp};

/// One audit record. See the module for the rules of its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The software acting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// What inspection found; absent when nothing was inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_safety: Option<ContentSafety>,
    /// Unique per trail.
    pub id: EventId,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The parts held beside the entry, in the order of their commitments. Filled by the ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRef>,
    /// RFC 6962 root over the parts' commitments, lowercase hex. Filled by the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_root: Option<String>,
    /// What was decided, and by which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    /// When Greffier recorded it; never taken from a producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Timestamp>,
    /// Joins the decision and the outcome of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// The conversation or agent session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// How that is known; absent where Greffier did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_link: Option<SessionLink>,
    /// How the event reached the trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whose trail it is on.
    pub tenant: Tenant,
    /// When it happened.
    pub time: Timestamp,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// One of the 14.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Model, tokens and cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The human the call is for; absent for a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Format version, 1.
    pub v: u8,
}

impl Event {
    /// The format version this code writes and reads.
    pub const VERSION: u8 = 1;

    /// An event of which only the required fields are known; the rest is filled by field.
    pub fn new(id: EventId, kind: EventType, tenant: Tenant, time: Timestamp) -> Event {
        Event {
            action: None,
            agent: None,
            content_safety: None,
            id,
            outcome: None,
            parts: Vec::new(),
            parts_root: None,
            policy: None,
            recorded_at: None,
            request_id: None,
            resource: None,
            session_id: None,
            session_link: None,
            source: None,
            tenant,
            time,
            trace: None,
            kind,
            usage: None,
            user: None,
            v: Event::VERSION,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The id of the call beyond Greffier: the caller's (a tool call id, a JSON-RPC id), or the one that a provider
    /// gave its response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// What it does to the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The family of action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ActionKind>,
    /// The protocol's method (`POST`, `tools/call`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Name, as policies see it: `crm:contacts:search`, `chat`.
    pub name: String,
}

/// The family of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum ActionKind {
    Tool,
    Llm,
    Data,
    Agent,
    Admin,
}

impl ActionKind {
    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            ActionKind::Tool => "tool",
            ActionKind::Llm => "llm",
            ActionKind::Data => "data",
            ActionKind::Agent => "agent",
            ActionKind::Admin => "admin",
        }
    }
}

/// What an action does to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum Effect {
    Read,
    Create,
    Update,
    Delete,
    Execute,
}

impl Effect {
    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Create => "create",
            Effect::Update => "update",
            Effect::Delete => "delete",
            Effect::Execute => "execute",
        }
    }
}

/// The software acting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `act.sub`, client id, or configured.
    pub id: String,
    /// Policy tier (interactive, subagent, background, api).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Whether the id came from a verified token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Earlier actors of a delegation, latest first, ten at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Actor>,
    /// How many earlier actors did not fit into `via`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via_dropped: Option<u64>,
}

/// An earlier actor of a delegation (RFC 8693 `act`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Issuer of the actor's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The actor.
    pub sub: String,
}

/// What inspection found. Never the value, only its type and place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentSafety {
    /// Whether anything sensitive was found.
    pub pii_detected: bool,
    /// What was found, by type, stage and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
}

/// Findings of one type at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Redaction {
    /// What was done about it on the way to the upstream (or back to the caller).
    pub action: RedactionAction,
    /// How many.
    pub count: u64,
    /// JSON pointer or place name; itself free of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// On the way in or out.
    pub stage: Stage,
    /// Entity type, `US_SSN`.
    #[serde(rename = "type")]
    pub entity: String,
}

/// What was done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum RedactionAction {
    Allow,
    Flag,
    Redact,
    Block,
    Mask,
    Hash,
    Tokenise,
}

impl RedactionAction {
    /// All of them. The first four are older than the others.
    pub const ALL: [RedactionAction; 7] = [
        RedactionAction::Allow,
        RedactionAction::Flag,
        RedactionAction::Redact,
        RedactionAction::Block,
        RedactionAction::Mask,
        RedactionAction::Hash,
        RedactionAction::Tokenise,
    ];

    /// Its name, as records and configuration carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            RedactionAction::Allow => "allow",
            RedactionAction::Flag => "flag",
            RedactionAction::Redact => "redact",
            RedactionAction::Block => "block",
            RedactionAction::Mask => "mask",
            RedactionAction::Hash => "hash",
            RedactionAction::Tokenise => "tokenise",
        }
    }

    /// Whether the value does not pass as it is.
    pub fn hides(self) -> bool {
        !matches!(self, RedactionAction::Allow | RedactionAction::Flag)
    }
}

/// The direction of inspected content: `input` goes to the upstream, `output` comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum Stage {
    Input,
    Output,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Upstream attempts, with upstream's own request ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// HTTP status or JSON-RPC code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Microseconds from the call's arrival to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// A short machine-readable reason (`upstream_timeout`), never free text: that is the `error` part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How it ended.
    pub status: OutcomeStatus,
}

/// One try at the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// HTTP status; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Upstream's own request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_request_id: Option<String>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum OutcomeStatus {
    Success,
    Failure,
    Denied,
    Timeout,
    Cancelled,
    Pending,
    Unknown,
}

impl OutcomeStatus {
    /// All of them.
    pub const ALL: [OutcomeStatus; 7] = [
        OutcomeStatus::Success,
        OutcomeStatus::Failure,
        OutcomeStatus::Denied,
        OutcomeStatus::Timeout,
        OutcomeStatus::Cancelled,
        OutcomeStatus::Pending,
        OutcomeStatus::Unknown,
    ];

    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeStatus::Success => "success",
            OutcomeStatus::Failure => "failure",
            OutcomeStatus::Denied => "denied",
            OutcomeStatus::Timeout => "timeout",
            OutcomeStatus::Cancelled => "cancelled",
            OutcomeStatus::Pending => "pending",
            OutcomeStatus::Unknown => "unknown",
        }
    }
}

/// A part as its event names it: what it is, not what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRef {
    /// Length of the whole content in bytes, also when only a prefix is kept.
    pub bytes: u64,
    /// Of truncated content: HMAC-SHA256 of the whole under the part's salt, lowercase hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Media type.
    pub media: String,
    /// `parameters`, `result`, `prompt`, `completion`, `error`, `email`, `metadata`.
    pub name: String,
    /// Whether only a prefix is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// The decision.
    pub decision: crate::DecisionKind,
    /// For a denial, a reason that a person understands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The deciding policy's `@id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The caller's scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Digest of the policy set, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What was acted on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Configured classes (`phi`, `pii`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classification: Vec<String>,
    /// Keyed references to the people the data is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Where it is, without a query string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// How an event reached the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `gateway`, `hook`, `sdk`, `otlp`, `import`.
    pub channel: String,
    /// The caller's software, `openai-python/3.52`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Of an event from outside: keyed digest of what its producer sent, 64 lowercase hex digits. Tells a
    /// repetition from a contradiction, and means nothing once its holder's key is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Greffier's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The OAuth client the token was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_client: Option<String>,
    /// Of an event from outside: who numbers its events, one name per start of the producer's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// Wire format, `openai.chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The event's number among those of its `producer`, from 0 without a gap: what is missing is a loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Of an event whose sender said when it was sent: how far our clock was ahead of the sender's when it came, in
    /// microseconds, the way included; negative where the sender's was ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_us: Option<i64>,
    /// Hex SHA-256 of the token's `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// W3C trace context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// 16 lowercase hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// 32 lowercase hex digits.
    pub trace_id: String,
}

/// Model, tokens and cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens served from the provider's cache (part of `input_tokens`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<u64>,
    /// Input tokens written to the provider's cache (part of `input_tokens`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Cost in millionths of a US dollar; absent when the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// All input tokens, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// All output tokens, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// `openai`, `anthropic`, `gemini`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Reasoning tokens (part of `output_tokens`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
}

/// The human a call is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Issuer of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Roles, as the token said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Subject of the token, or a keyed reference.
    pub sub: String,
    /// Whether a trusted issuer's signature stands behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

/// A piece of content that an event binds but does not hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// `parameters`, `result`, `prompt`, `completion`, `error`, `email`, `metadata`.
    pub name: String,
    /// Media type.
    pub media: String,
    /// The bytes, already redacted.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Part {
    /// Content is personal: its length is shown, never its bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .field("media", &self.media)
            .field("bytes", &self.content.len())
            .finish()
    }
}

/// An event with its parts, before it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The event; `parts` and `parts_root` still empty, `recorded_at` set by whoever records.
    pub event: Event,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}
