//! A backend that is written in Python, as the first document's `AuditBackend` is.

use greffier_client::{AuditBackend, AuditEvent, BackendError, Filter, Rejected};
use pyo3::prelude::*;

use crate::errors;
use crate::event;

/// An object with `write(event)`.
pub(crate) struct Foreign(Py<PyAny>);

impl Foreign {
    pub(crate) fn new(backend: Py<PyAny>) -> Foreign {
        Foreign(backend)
    }
}

fn attached<T>(act: impl FnOnce(Python<'_>) -> Result<T, BackendError>) -> Result<T, BackendError> {
    Python::try_attach(act)
        .unwrap_or_else(|| Err(BackendError::Unavailable("the interpreter is ending".to_owned())))
}

fn raised(py: Python<'_>, error: &PyErr) -> BackendError {
    let name = error.get_type(py).name().map(|name| name.to_string()).unwrap_or_default();
    BackendError::Unavailable(format!("the backend raised {name}: {}", error.value(py)))
}

impl AuditBackend for Foreign {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        attached(|py| {
            let mut rejected = Vec::new();
            for (index, audit) in events.iter().enumerate() {
                let event = event::write(py, audit).map_err(|error| raised(py, &error))?;
                match self.0.bind(py).call_method1("write", (event,)) {
                    Ok(_) => {}
                    Err(error) if error.is_instance_of::<errors::Rejected>(py) => {
                        rejected.push(Rejected { index, reason: error.value(py).to_string() });
                    }
                    Err(error) => return Err(raised(py, &error)),
                }
            }
            Ok(rejected)
        })
    }

    /// Python asks it without us.
    fn query(&self, _: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        Err(BackendError::Query("ask the backend itself".to_owned()))
    }

    fn flush(&self) -> Result<(), BackendError> {
        attached(|py| {
            let backend = self.0.bind(py);
            match backend.getattr_opt("flush") {
                Ok(None) => Ok(()),
                Ok(Some(flush)) => flush.call0().map(drop).map_err(|error| raised(py, &error)),
                Err(error) => Err(raised(py, &error)),
            }
        })
    }

    /// It takes one event at a time: after an error in the middle of more the first would be written twice.
    fn usual_batch(&self) -> usize {
        1
    }
}
