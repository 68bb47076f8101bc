//! The SDK's errors as exceptions of `greffier.errors`.

use greffier_client::{BackendError, GuardError, NotFlushed, NotLogged, NotWritten};
use pyo3::PyTypeInfo;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

mod python {
    //! The classes, as Python defines them.
    pyo3::import_exception!(greffier.errors, BackendFailed);
    pyo3::import_exception!(greffier.errors, Denied);
    pyo3::import_exception!(greffier.errors, NoDecision);
    pyo3::import_exception!(greffier.errors, NotDurable);
    pyo3::import_exception!(greffier.errors, NotFlushed);
    pyo3::import_exception!(greffier.errors, NotLogged);
    pyo3::import_exception!(greffier.errors, NotWritten);
    pyo3::import_exception!(greffier.errors, QueryFailed);
    pyo3::import_exception!(greffier.errors, Rejected);
    pyo3::import_exception!(greffier.errors, Unavailable);
}

pub(crate) use python::Rejected;

/// Looks all classes up: see `prepare.rs`.
pub(crate) fn prepare(py: Python<'_>) {
    python::BackendFailed::type_object(py);
    python::Denied::type_object(py);
    python::NoDecision::type_object(py);
    python::NotDurable::type_object(py);
    python::NotFlushed::type_object(py);
    python::NotLogged::type_object(py);
    python::NotWritten::type_object(py);
    python::QueryFailed::type_object(py);
    python::Rejected::type_object(py);
    python::Unavailable::type_object(py);
}

/// A backend failed.
pub(crate) fn backend(error: BackendError) -> PyErr {
    let said = error.to_string();
    match error {
        BackendError::Io { .. } => python::BackendFailed::new_err(said),
        BackendError::Unavailable(_) => python::Unavailable::new_err(said),
        BackendError::NotDurable(_) => python::NotDurable::new_err(said),
        BackendError::Query(_) => python::QueryFailed::new_err(said),
        BackendError::Settings(_) => PyValueError::new_err(said),
    }
}

/// A backend cannot be opened: what cannot be meant is the caller's error.
pub(crate) fn opening(error: BackendError) -> PyErr {
    match error {
        BackendError::Query(said) => PyValueError::new_err(said),
        other => backend(other),
    }
}

/// An event was not taken over.
pub(crate) fn not_logged(error: &NotLogged) -> PyErr {
    python::NotLogged::new_err(error.to_string())
}

/// Something still waits.
pub(crate) fn not_flushed(error: NotFlushed) -> PyErr {
    let said = error.to_string();
    python::NotFlushed::new_err((said, error.waiting, error.spooled))
}

/// Something was not written, and is given back.
pub(crate) fn not_written(py: Python<'_>, error: NotWritten) -> PyErr {
    let said = error.to_string();
    let events: PyResult<Vec<_>> = error.events.iter().map(|event| crate::event::write(py, event)).collect();
    match events {
        Ok(events) => python::NotWritten::new_err((
            said,
            events.into_iter().map(Bound::unbind).collect::<Vec<Py<PyAny>>>(),
        )),
        Err(error) => error,
    }
}

/// Something must not be done.
pub(crate) fn guard(error: GuardError) -> PyErr {
    match error {
        GuardError::Denied { reason, request_id } => python::Denied::new_err((reason, request_id)),
        GuardError::NoDecision(_) => python::NoDecision::new_err(error.to_string()),
    }
}

/// A field that cannot be read.
pub(crate) fn field(name: &str, must: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{name} {must}"))
}
