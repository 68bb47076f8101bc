//! The data of one governed call as it crosses layers: plain values, computed above, carried here.

use serde::{Deserialize, Serialize};

use crate::{Action, Actor, RedactionAction, Resource, SessionLink, Source, Stage, Tenant, Timestamp, Trace};

/// One governed request, as an adapter understood it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Joins decision and outcome; minted by Greffier.
    pub request_id: String,
    /// When it arrived.
    pub time: Timestamp,
    /// What it does.
    pub action: Action,
    /// What it acts on, as the record names it.
    pub resource: Resource,
    /// What it acts on, as policies name it.
    pub target: Target,
    /// Conversation or agent session, where the protocol has one.
    pub session_id: Option<String>,
    /// How that is known.
    pub session_link: Option<SessionLink>,
    /// W3C trace context.
    pub trace: Option<Trace>,
    /// How it reached us.
    pub source: Source,
    /// Everything in it that a caller controls, to be inspected.
    pub contents: Vec<Content>,
}

/// What policies see as the resource of a call, with the action that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `Action::"invoke_model"` on `Model::"name"`.
    Model {
        /// The model's name, as the caller asked for it.
        name: String,
    },
    /// `Action::"call_tool"` on `Tool::"name"` in `Server::"server"`.
    Tool {
        /// The configured tool or MCP server.
        server: String,
        /// Full name, `crm:contacts:search`.
        name: String,
    },
    /// `Action::"read_resource"` on `Resource::"uri"` in `Server::"server"`.
    Resource {
        /// The configured MCP server.
        server: String,
        /// The resource's URI; of a prompt, `prompt://server/name`.
        uri: String,
    },
    /// `Action::"call_tool"` on `Tool::"name"` in `Server::"server"`, for what only keeps a connection going: it needs
    /// no permit, and a `forbid` stops it all the same.
    Session {
        /// The configured MCP server.
        server: String,
        /// `crm:method:initialize`.
        name: String,
    },
}

/// One piece of what a caller or an upstream sent.
#[derive(Clone)]
pub struct Content {
    /// Where it stood in the request or reply.
    pub place: Place,
    /// Media type.
    pub media: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Content {
    /// Content is personal: its length is shown, never its bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("place", &self.place).field("bytes", &self.bytes.len()).finish()
    }
}

/// Where a piece of content stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The body.
    Body,
    /// The path behind the route's prefix.
    Path,
    /// The query string.
    Query,
    /// A header, by lowercase name.
    Header(String),
}

/// One sensitive value that inspection found; its place, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Entity type, `US_SSN`.
    pub entity: &'static str,
    /// Where: a JSON pointer, `path`, `query`, `header:name`; free of the value itself.
    pub path: String,
    /// On the way in or out.
    pub stage: Stage,
    /// What the rules say about it.
    pub action: RedactionAction,
}

/// Who calls: the result of identification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The organisation.
    pub tenant: Tenant,
    /// The human, by subject; `None` for a service (a client-credentials token).
    pub user: Option<String>,
    /// The token's issuer.
    pub issuer: String,
    /// Roles, as mapped.
    pub roles: Vec<String>,
    /// Scopes, as mapped.
    pub scopes: Vec<String>,
    /// E-mail, where the token has one: personal, a part, never in a leaf.
    pub email: Option<String>,
    /// The software acting: outermost `act.sub`, else the client id.
    pub agent: String,
    /// Its tier, where mapped.
    pub tier: Option<String>,
    /// Earlier actors, latest first, ten at most.
    pub via: Vec<Actor>,
    /// How many earlier actors were cut off.
    pub via_dropped: u64,
    /// The session the token names.
    pub session: Option<String>,
    /// OAuth client id.
    pub client_id: Option<String>,
    /// Hex SHA-256 of the token's `jti`.
    pub token: Option<String>,
    /// Whether a trusted issuer vouches for it (false for the development issuer).
    pub verified: bool,
    /// When the token expires.
    pub expires: Timestamp,
}

/// What was decided about a call, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The decision.
    pub kind: DecisionKind,
    /// The deciding policy's `@id`, which reads as a sentence.
    pub rule: Option<String>,
    /// Reasons that a person understands, for a denial at least one.
    pub reasons: Vec<String>,
    /// Digest of the policy set that decided, `sha256:…`.
    pub version: String,
}

/// The four decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum DecisionKind {
    Allow,
    Deny,
    Redact,
    Pending,
}

impl DecisionKind {
    /// All of them.
    pub const ALL: [DecisionKind; 4] =
        [DecisionKind::Allow, DecisionKind::Deny, DecisionKind::Redact, DecisionKind::Pending];

    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            DecisionKind::Allow => "allow",
            DecisionKind::Deny => "deny",
            DecisionKind::Redact => "redact",
            DecisionKind::Pending => "pending",
        }
    }
}
