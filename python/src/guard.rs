//! Asking before acting.

use std::sync::{Mutex, PoisonError};

use greffier_client::{Ask, Guard as Inner, Permit as Given, Released};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;
use crate::server;
use crate::values;

/// Asks a server for decisions.
#[pyclass(frozen, module = "greffier._native")]
pub(crate) struct Guard(Inner);

/// What may be done.
#[pyclass(frozen, module = "greffier._native")]
pub(crate) struct Permit {
    /// Gone once it was said what came of it.
    given: Mutex<Option<Given>>,
    parameters: Py<PyDict>,
    #[pyo3(get)]
    request_id: Option<String>,
    #[pyo3(get)]
    receipt: Option<String>,
}

#[pymethods]
impl Guard {
    /// `timeout` in seconds.
    #[new]
    #[pyo3(signature = (url, /, *, token, timeout))]
    fn new(py: Python<'_>, url: &str, token: Option<&Bound<'_, PyAny>>, timeout: f64) -> PyResult<Guard> {
        let options = server::options(url, token, timeout)?;
        py.detach(|| Inner::open(options)).map(Guard).map_err(errors::opening)
    }

    /// Asks, and waits for the decision, which is on record by then.
    #[pyo3(signature = (tool, parameters, /, *, session_id, call_id))]
    fn ask(
        &self,
        py: Python<'_>,
        tool: &str,
        parameters: &Bound<'_, PyAny>,
        session_id: Option<&str>,
        call_id: Option<&str>,
    ) -> PyResult<Permit> {
        let mut ask = Ask::new(tool).parameters(values::object(parameters)?);
        if let Some(id) = session_id {
            ask = ask.session(id);
        }
        if let Some(id) = call_id {
            ask = ask.call(id);
        }
        let given = py.detach(|| self.0.ask(ask)).map_err(errors::guard)?;
        Ok(Permit {
            parameters: values::members(py, given.parameters())?.unbind(),
            request_id: given.request_id().map(str::to_owned),
            receipt: given.receipt().map(str::to_owned),
            given: Mutex::new(Some(given)),
        })
    }

    /// Keeps it for ever: in a forked process its thread is missing.
    fn leak(slf: Py<Self>) {
        std::mem::forget(slf);
    }
}

impl Permit {
    fn take(&self) -> PyResult<Given> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner).take();
        given.ok_or_else(|| PyValueError::new_err("what came of it was said before"))
    }
}

#[pymethods]
impl Permit {
    /// The parameters to act with.
    #[getter]
    fn parameters(&self, py: Python<'_>) -> Py<PyDict> {
        self.parameters.clone_ref(py)
    }

    /// Says what came of it; gives what of that may be shown.
    #[pyo3(signature = (result, /))]
    fn executed<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = result.py();
        let (given, said) = (self.take()?, values::json(result)?);
        match py.detach(|| given.executed(said)).map_err(errors::guard)? {
            Released::AsItIs => Ok(result.clone()),
            Released::Instead(other) => values::python(py, &other),
        }
    }

    /// Says that it failed.
    #[pyo3(signature = (error, /))]
    fn failed(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let (given, said) = (self.take()?, values::text(error)?);
        error.py().detach(|| given.failed(said)).map_err(errors::guard)
    }
}
