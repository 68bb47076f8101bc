//! What happened: the audit event and the plain data that crosses layers.
//!
//! This crate knows the 14 event types, their canonical bytes (RFC 8785), what makes an event valid, how
//! parameters are redacted by key, and the two seed forms (flat and governed) at the edges. It has no I/O, no
//! clock and no randomness: ids, times and keys come in as arguments. Above it stand every other crate.

pub mod call;
pub mod event;
pub mod ids;
pub mod time;

pub use call::{Call, Content, Decision, DecisionKind, Finding, Place, Principal, Target};
pub use event::{
    Action, ActionKind, Actor, Agent, Attempt, ContentSafety, Draft, Effect, Event, EventType, Outcome,
    OutcomeStatus, Part, PartRef, PolicyRecord, Redaction, RedactionAction, Resource, Source, Stage, Trace,
    Usage, User,
};
pub use ids::{EventId, Tenant};
pub use time::Timestamp;
