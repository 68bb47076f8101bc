//! What is done with an event until its backend has it, and what if the backend cannot keep up.

use std::path::PathBuf;
use std::time::Duration;

use crate::backend::BackendError;
use crate::event::AuditEvent;

/// Where events wait for their backend, and what becomes of one for which there is no room.
///
/// | | waits in | a killed process loses | no room |
/// |---|---|---|---|
/// | [`Block`](Overflow::Block) | memory | what waits | the caller waits, then it is refused |
/// | [`Refuse`](Overflow::Refuse) | memory | what waits | refused at once |
/// | [`WriteThrough`](Overflow::WriteThrough) | nothing | nothing that `log` returned for | the caller waits for the backend |
/// | [`Spool`](Overflow::Spool) | files | nothing that `log` returned for | refused |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// `log` waits until there is room in memory.
    Block {
        /// How long; then the event is refused.
        at_most: Duration,
    },
    /// `log` refuses the event, and the caller has it back.
    Refuse,
    /// `log` returns when the backend has the event: with a file, when the system has it.
    WriteThrough,
    /// `log` returns when the system has the event in a file of its own, from which it is written in order; also by
    /// a later start, if this one ends before. For a backend that may be away.
    Spool(SpoolOptions),
}

impl Default for Overflow {
    /// Waits for room, five seconds at most.
    fn default() -> Overflow {
        Overflow::Block { at_most: Duration::from_secs(5) }
    }
}

/// Where a spool lies, and how large it may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    pub(crate) dir: PathBuf,
    pub(crate) max_bytes: u64,
}

impl SpoolOptions {
    /// A spool in this folder, which may hold 1 GiB. Processes may share the folder if they share the backend:
    /// whoever starts sends what a process left that is no more.
    pub fn new(dir: impl Into<PathBuf>) -> SpoolOptions {
        SpoolOptions { dir: dir.into(), max_bytes: 1 << 30 }
    }

    /// It may hold so many bytes; beyond, events are refused.
    pub fn max_bytes(mut self, bytes: u64) -> SpoolOptions {
        self.max_bytes = bytes;
        self
    }
}

/// An event that was not taken over: the caller has it back.
#[derive(Debug, thiserror::Error)]
#[error("the event was not logged: {why}")]
pub struct NotLogged {
    /// The event, as it came.
    pub event: Box<AuditEvent>,
    /// Why.
    #[source]
    pub why: Why,
}

impl NotLogged {
    pub(crate) fn new(event: AuditEvent, why: Why) -> NotLogged {
        NotLogged { event: Box::new(event), why }
    }
}

/// Why an event was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// As many events wait as may.
    #[error("no room: the backend does not keep up, or is away")]
    Full,
    /// The logger was shut down.
    #[error("the logger was shut down")]
    Closed,
    /// The backend, or the spool, failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The backend will never take it.
    #[error("rejected: {0}")]
    Rejected(String),
}

/// What was logged is not all written.
#[derive(Debug, thiserror::Error)]
#[error("{waiting} events are not written: {reason}")]
pub struct NotFlushed {
    /// How many wait. They go on waiting, and are tried again.
    pub waiting: u64,
    /// Whether they are in a spool on the disk, from which a later start sends them.
    pub spooled: bool,
    /// Why, for people.
    pub reason: String,
}

/// The logger ended before everything was written.
#[derive(Debug, thiserror::Error)]
#[error("{} events were not written: {reason}", events.len())]
pub struct NotWritten {
    /// What was not written, in order.
    pub events: Vec<AuditEvent>,
    /// Why, for people.
    pub reason: String,
}
