//! The fields of a search: their names, the columns behind them, and what their values may be.
//!
//! The table is the one owner of these names; `lower.rs` knows what to do with each kind.

use greffier_event::{ActionKind, DecisionKind, Effect, EventType, OutcomeStatus, SessionLink};

use crate::search::value::{Bounds, COUNT, DOLLARS, Moment, SPANS, Units};

/// One field of the language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What stands behind a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text column.
    Text(&'static str),
    /// A column of UUIDs, which are in lower case.
    Id(&'static str),
    /// A column of lists of texts.
    Texts(&'static str),
    /// A text column that holds one of these.
    Choice(&'static str, Choices),
    /// A member of the entry that no column has, and holds one of these.
    Member(&'static str, Choices),
    /// A number column, and the units it may be written in.
    Number(&'static str, Units),
    /// Input and output tokens together.
    Tokens,
    /// A time column.
    Time(&'static str),
    /// `true`, `false`, or a type of finding.
    Pii,
    /// Whether who acted was verified: the user, or without one the agent.
    Verified,
}

impl Field {
    /// The kind of the references under which a trail may have its values.
    pub(crate) fn referred(&self) -> Option<&'static str> {
        REFERRED.iter().find(|(name, _)| *name == self.name).map(|(_, kind)| *kind)
    }
}

/// A closed vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choices {
    Type,
    Kind,
    Effect,
    Decision,
    Status,
    Channel,
    Link,
}

impl Choices {
    pub(crate) fn all(self) -> Vec<&'static str> {
        match self {
            Choices::Type => EventType::ALL.map(EventType::as_str).to_vec(),
            Choices::Kind => {
                use ActionKind::{Admin, Agent, Data, Llm, Tool};
                [Tool, Llm, Data, Agent, Admin].map(ActionKind::as_str).to_vec()
            }
            Choices::Effect => {
                use Effect::{Create, Delete, Execute, Read, Update};
                [Read, Create, Update, Delete, Execute].map(Effect::as_str).to_vec()
            }
            Choices::Decision => DecisionKind::ALL.map(DecisionKind::as_str).to_vec(),
            Choices::Status => OutcomeStatus::ALL.map(OutcomeStatus::as_str).to_vec(),
            Choices::Channel => greffier_event::limits::CHANNELS.to_vec(),
            Choices::Link => SessionLink::ALL.map(SessionLink::as_str).to_vec(),
        }
    }
}

use Kind::{Choice, Id, Member, Number, Pii, Text, Texts, Time, Tokens, Verified};

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// Every field, in the order of the documentation.
pub(crate) const FIELDS: &[Field] = &[
    field("user", Text("user_sub")),
    field("issuer", Text("user_iss")),
    field("agent", Text("agent_id")),
    field("tier", Text("agent_tier")),
    field("version", Text("agent_version")),
    field("via", Texts("agent_via")),
    field("session", Text("session_id")),
    field("link", Member("session_link", Choices::Link)),
    field("request", Text("request_id")),
    field("call", Text("call_id")),
    field("id", Id("id")),
    field("trace", Text("trace_id")),
    field("span", Text("span_id")),
    field("tool", Text("action_name")),
    field("method", Text("action_method")),
    field("type", Choice("type", Choices::Type)),
    field("kind", Choice("action_kind", Choices::Kind)),
    field("effect", Choice("action_effect", Choices::Effect)),
    field("decision", Choice("decision", Choices::Decision)),
    field("rule", Text("rule")),
    field("policy", Text("policy_version")),
    field("reason", Text("reason")),
    field("role", Texts("user_roles")),
    field("scope", Texts("scopes")),
    field("resource", Text("resource_uri")),
    field("class", Texts("resource_classification")),
    field("subject", Texts("resource_subjects")),
    field("model", Text("model")),
    field("provider", Text("provider")),
    field("status", Choice("status", Choices::Status)),
    field("code", Number("code", COUNT)),
    field("error", Text("error")),
    field("attempts", Number("attempts", COUNT)),
    field("channel", Choice("channel", Choices::Channel)),
    field("ip", Text("ip")),
    field("client", Text("client")),
    field("oauth_client", Text("oauth_client")),
    field("protocol", Text("protocol")),
    field("node", Text("node")),
    field("pii", Pii),
    field("redaction", Texts("redaction_types")),
    field("redactions", Number("redaction_count", COUNT)),
    field("verified", Verified),
    field("cost", Number("cost_micros", DOLLARS)),
    field("tokens", Tokens),
    field("input_tokens", Number("input_tokens", COUNT)),
    field("output_tokens", Number("output_tokens", COUNT)),
    field("cache_read", Number("cache_read_tokens", COUNT)),
    field("cache_write", Number("cache_write_tokens", COUNT)),
    field("duration", Number("duration_us", SPANS)),
    field("time", Time("time")),
    field("recorded", Time("recorded_at")),
    field("index", Number("index", COUNT)),
    field(PART, Texts("part_names")),
];

/// Other names of fields.
const ALIASES: &[(&str, &str)] = &[("action", "tool")];

/// Fields that name people and subjects, which a trail may have under keyed references, and of which kind these are.
pub(crate) const REFERRED: &[(&str, &str)] =
    &[("user", "user"), ("agent", "user"), ("via", "user"), ("subject", "subject")];
/// The names of contents.
pub(crate) const PART: &str = "part";

/// Names that are not fields but stand where a field stands.
pub(crate) const HAS: &str = "has";
pub(crate) const ZONE: &str = "tz";
/// Looked for in the texts of the event itself.
pub(crate) const TEXT: &str = "text";
/// Looked for in decrypted contents.
pub(crate) const CONTENT: &str = "content";

/// A bound of the time by its own name.
pub(crate) type TimeBound = fn(Moment) -> Bounds<Moment>;

/// The names of bounds of the time.
pub(crate) const TIME_BOUNDS: [(&str, TimeBound); 5] = [
    ("since", Bounds::AtLeast),
    ("until", Bounds::AtMost),
    (ON, Bounds::Equal),
    ("before", Bounds::Less),
    ("after", Bounds::Greater),
];
/// Of these the one that needs a stretch of time.
pub(crate) const ON: &str = "on";

/// The field whose bounds these are.
pub(crate) const WHEN: &str = "time";

/// The columns that `tokens` adds up.
pub(crate) const SUM_OF_TOKENS: [&str; 2] = ["input_tokens", "output_tokens"];

/// The text columns that free text is looked for in.
pub(crate) const TEXT_COLUMNS: &[&str] = &[
    "id",
    "type",
    "request_id",
    "session_id",
    "trace_id",
    "user_sub",
    "agent_id",
    "agent_version",
    "agent_tier",
    "action_name",
    "action_kind",
    "action_effect",
    "action_method",
    "call_id",
    "resource_uri",
    "decision",
    "rule",
    "reason",
    "provider",
    "model",
    "status",
    "error",
    "channel",
    "node",
    "ip",
    "client",
    "protocol",
];

/// The columns of lists that free text is looked for in.
pub(crate) const LIST_COLUMNS: &[&str] = &[
    "user_roles",
    "agent_via",
    "resource_classification",
    "resource_subjects",
    "scopes",
    "redaction_types",
    "part_names",
];

/// The name itself, if it is another one of a field.
pub(crate) fn alias(name: &str) -> Option<&'static str> {
    ALIASES.iter().map(|(alias, _)| *alias).find(|alias| *alias == name)
}

/// The field of that name.
pub(crate) fn find(name: &str) -> Option<&'static Field> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| field);
    FIELDS.iter().find(|field| field.name == name)
}

/// The name that was probably meant.
pub(crate) fn suggest(name: &str) -> Option<&'static str> {
    let names = FIELDS.iter().map(|field| field.name);
    let names = names.chain(ALIASES.iter().map(|(alias, _)| *alias)).chain([HAS, ZONE, TEXT, CONTENT]);
    let names = names.chain(TIME_BOUNDS.iter().map(|(name, _)| *name));
    let name = name.to_lowercase();
    let near = names.map(|known| (strsim::jaro_winkler(known, &name), known));
    near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}
