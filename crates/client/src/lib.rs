//! Emit it: the SDK by which agents record what they do, and ask before they do it.
//!
//! An [`AuditEvent`] is logged by an [`AuditLogger`], which hands it to an [`AuditBackend`]: a file of JSON Lines
//! ([`FileBackend`]), a Greffier server, or a ledger in the same process. [`Overflow`] says where events wait and
//! what a killed process loses. Everything works on threads of its own and without an async runtime.
//!
//! Below stand the event's vocabulary and its forms (`greffier-event`); above stand programs, and the Python package.
//!
//! Features: `file` (default), `http`, `ledger`, `tracing`.

mod backend;
mod backlog;
mod clean;
mod clock;
mod event;
#[cfg(feature = "file")]
mod file;
mod filter;
mod flat;
mod logger;
mod metrics;
mod native;
mod overflow;
mod spool;
#[cfg(test)]
mod testing;
mod writer;

pub use backend::{AuditBackend, BackendError, Rejected};
pub use event::{AuditEvent, Origin};
#[cfg(feature = "file")]
pub use file::{FileBackend, FileOptions};
pub use filter::Filter;
pub use greffier_event::{
    ActionKind, Effect, EventId, EventType, InvalidEvent, OutcomeStatus, Timestamp, Trace, Usage,
};
pub use logger::{AuditLogger, LoggerOptions};
pub use metrics::Metrics;
pub use overflow::{NotFlushed, NotLogged, NotWritten, Overflow, SpoolOptions, Why};
