//! A ledger that is closed when its owner says so, while loggers still hold it.

use std::sync::{PoisonError, RwLock};

use greffier_client::{AuditBackend, AuditEvent, BackendError, Filter, LedgerBackend, Rejected};

/// A ledger, until it is closed.
pub(crate) struct Closable(RwLock<Option<LedgerBackend>>);

impl Closable {
    pub(crate) fn new(ledger: LedgerBackend) -> Closable {
        Closable(RwLock::new(Some(ledger)))
    }

    /// Closes it, once.
    pub(crate) fn close(&self) -> Result<(), BackendError> {
        let ledger = self.0.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = ledger.map_or(Ok(()), LedgerBackend::close);
        closed.map_err(|error| BackendError::Unavailable(error.to_string()))
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&LedgerBackend) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Some(ledger) => ask(ledger),
            None => Err(BackendError::Unavailable("the ledger is closed".to_owned())),
        }
    }
}

impl AuditBackend for Closable {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        self.with(|ledger| ledger.write(events))
    }

    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        self.with(|ledger| ledger.query(filter))
    }

    fn write_lines(&self, lines: &[&str]) -> Result<Vec<Rejected>, BackendError> {
        self.with(|ledger| ledger.write_lines(lines))
    }
}
