//! Where events go. A backend writes batches and answers queries; when and how often is the logger's affair.

use std::io;
use std::sync::Arc;

use crate::event::AuditEvent;
use crate::filter::Filter;

/// What one write to a file is worth.
const USUAL_BATCH: usize = 512;

/// Stores audit events.
///
/// ```
/// use greffier_client::{AuditBackend, AuditEvent, BackendError, Filter, Rejected};
///
/// /// Prints events, and remembers none.
/// struct Console;
///
/// impl AuditBackend for Console {
///     fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
///         events.iter().for_each(|event| println!("{}", event.to_flat()));
///         Ok(Vec::new())
///     }
///
///     fn query(&self, _: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
///         Ok(Vec::new())
///     }
/// }
/// ```
pub trait AuditBackend: Send + Sync {
    /// Writes events in their order. `Ok` takes them all over but for those that it names: these will never be
    /// taken.
    ///
    /// # Errors
    /// None of them counts as taken, and the same events are written again, under the same ids.
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError>;

    /// The events that a filter wants, in the order in which they were recorded.
    ///
    /// # Errors
    /// They cannot be read, or the backend does not know such a filter ([`BackendError::Query`]): never fewer events
    /// than there are.
    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError>;

    /// Makes what was written durable, where it is not already.
    ///
    /// # Errors
    /// [`BackendError::NotDurable`] if what was written may be lost: another try would not tell.
    fn flush(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// How many events are best written together, where nobody says otherwise.
    fn usual_batch(&self) -> usize {
        USUAL_BATCH
    }

    /// Writes events that were encoded before, one in native form each: as [`AuditBackend::write`].
    ///
    /// # Errors
    /// As [`AuditBackend::write`].
    fn write_lines(&self, lines: &[&str]) -> Result<Vec<Rejected>, BackendError> {
        let mut events = Vec::with_capacity(lines.len());
        let mut places = Vec::with_capacity(lines.len());
        let mut rejected = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            match AuditEvent::from_native(line) {
                Ok(event) => {
                    events.push(event);
                    places.push(index);
                }
                Err(error) => rejected.push(Rejected { index, reason: error.to_string() }),
            }
        }
        for one in self.write(&events)? {
            let index = places.get(one.index).copied().unwrap_or(one.index);
            rejected.push(Rejected { index, ..one });
        }
        Ok(rejected)
    }
}

impl<B: AuditBackend + ?Sized> AuditBackend for Arc<B> {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        (**self).write(events)
    }

    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        (**self).query(filter)
    }

    fn flush(&self) -> Result<(), BackendError> {
        (**self).flush()
    }

    fn usual_batch(&self) -> usize {
        (**self).usual_batch()
    }

    fn write_lines(&self, lines: &[&str]) -> Result<Vec<Rejected>, BackendError> {
        (**self).write_lines(lines)
    }
}

/// An event that a backend will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the batch.
    pub index: usize,
    /// Why, for people.
    pub reason: String,
}

/// Why a backend did not do what it was asked. Never quotes an event.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The disk or the network failed.
    #[error("{what}: {error}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// It cannot take events now: they are to be sent again.
    #[error("{0}")]
    Unavailable(String),
    /// What was written before may be lost, and cannot be made durable any more.
    #[error("not durable: {0}")]
    NotDurable(String),
    /// The question cannot be answered.
    #[error("{0}")]
    Query(String),
    /// It cannot be opened with these settings.
    #[error("{0}")]
    Settings(String),
}

impl BackendError {
    /// An error of the system while doing something.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> BackendError {
        let what = what.into();
        move |error| BackendError::Io { what, error }
    }
}
