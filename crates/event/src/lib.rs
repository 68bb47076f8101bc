//! What happened: the audit event and the plain data that crosses layers.
//!
//! This crate knows the 14 event types, their canonical bytes (RFC 8785), what makes an event valid, how
//! parameters are redacted by key, and the two seed forms (flat and governed) at the edges. It has no I/O, no
//! clock and no randomness: ids, times and keys come in as arguments. Above it stand every other crate.

pub mod call;
mod canon;
mod decimal;
pub mod event;
pub mod forms;
pub mod ids;
mod invalid;
mod json;
mod kind;
pub mod limits;
mod link;
mod redact;
pub mod time;
mod validate;

pub use call::{Call, Content, Decision, DecisionKind, Finding, Place, Principal, Target};
pub use event::{
    Action, ActionKind, Actor, Agent, Attempt, ContentSafety, Draft, Effect, Event, Outcome, OutcomeStatus,
    Part, PartRef, PolicyRecord, Redaction, RedactionAction, Resource, Source, Stage, Trace, Usage, User,
};
pub use forms::{Claim, Form, Reading, Trust};
pub use ids::{EventId, Tenant};
pub use invalid::InvalidEvent;
pub use kind::EventType;
pub use link::SessionLink;
pub use redact::{REDACTED, is_redacted, may_hold_secrets, redact_keys, redact_keys_text};
pub use time::Timestamp;
pub use validate::{RESERVED_SCHEMES, is_reserved_agent, is_reserved_uri};
