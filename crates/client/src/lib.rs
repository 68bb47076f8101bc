//! Emit it: the SDK by which agents record what they do, and ask before they do it.
//!
//! An [`AuditEvent`] is logged by an [`AuditLogger`], which hands it to an [`AuditBackend`]: a file of JSON Lines
//! (`FileBackend`), a Greffier server (`RemoteBackend`), or a ledger in the same process (`LedgerBackend`).
//! [`Overflow`] says where events wait and what a killed process loses. An [`AuditedAgent`] logs what it is about to
//! do and how that ended, within a [`Context`]; a `Guard` asks a server first. Everything works on threads of its own
//! and without an async runtime.
//!
//! Below stand the event's vocabulary and its forms (`greffier-event`); above stand programs, and the Python package.
//!
//! Features: `file` (default), `http`, `ledger`, `tracing`; `full` is all of them. The guide is `docs/sdk.md`.

mod action;
mod agent;
mod apart;
mod backend;
mod backlog;
mod clean;
mod clock;
mod context;
mod event;
#[cfg(feature = "file")]
mod file;
mod filter;
mod flat;
#[cfg(feature = "http")]
mod guard;
#[cfg(feature = "tracing")]
mod layer;
#[cfg(feature = "ledger")]
mod ledger;
mod logger;
mod metrics;
mod native;
mod overflow;
#[cfg(feature = "http")]
mod remote;
#[cfg(feature = "http")]
mod server;
mod spool;
#[cfg(test)]
mod testing;
mod writer;

/// The examples of the guide, as tests.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../../../docs/sdk.md")]
mod guide {}

pub use action::{Action, Failure, NotDone, PermissionDenied, Running, Scope};
pub use agent::AuditedAgent;
pub use apart::Apart;
pub use backend::{AuditBackend, BackendError, Rejected};
pub use context::{Context, Entered, InContext};
pub use event::{AuditEvent, Origin};
#[cfg(feature = "file")]
pub use file::{FileBackend, FileOptions};
pub use filter::Filter;
pub use greffier_event::{
    ActionKind, Effect, EventId, EventType, InvalidEvent, OutcomeStatus, Tenant, Timestamp, Trace, Usage,
    redact_keys,
};
#[cfg(feature = "http")]
pub use guard::{Ask, Guard, GuardError, Permit, Released};
#[cfg(feature = "tracing")]
pub use layer::{AuditLayer, TARGET};
#[cfg(feature = "ledger")]
pub use ledger::{LedgerBackend, LedgerOptions};
pub use logger::{AuditLogger, LoggerOptions};
pub use metrics::Metrics;
pub use overflow::{NotFlushed, NotLogged, NotWritten, Overflow, SpoolOptions, Why};
#[cfg(feature = "http")]
pub use remote::RemoteBackend;
#[cfg(feature = "http")]
pub use server::{ServerOptions, Token};
