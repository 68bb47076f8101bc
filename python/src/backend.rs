//! Where events go, as one class with a constructor for each kind.

use std::path::PathBuf;
use std::sync::Arc;

use greffier_client::{AuditBackend, FileBackend, Filter, LedgerOptions, RemoteBackend, Tenant, Timestamp};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;
use crate::event;
use crate::foreign::Foreign;
use crate::ledger::Closable;
use crate::server;
use crate::values;

/// A backend.
#[pyclass(frozen, module = "greffier._native")]
pub(crate) struct Backend {
    pub(crate) inner: Arc<dyn AuditBackend>,
    ledger: Option<Arc<Closable>>,
}

impl Backend {
    fn of(backend: impl AuditBackend + 'static) -> Backend {
        Backend { inner: Arc::new(backend), ledger: None }
    }
}

#[pymethods]
impl Backend {
    /// A file of JSON Lines. `max_age` in seconds.
    #[staticmethod]
    #[pyo3(signature = (path, *, max_bytes, max_age, numbered))]
    fn file(
        py: Python<'_>,
        path: PathBuf,
        max_bytes: u64,
        max_age: Option<f64>,
        numbered: bool,
    ) -> PyResult<Backend> {
        let mut options = FileBackend::options().max_bytes(max_bytes).numbered(numbered);
        if let Some(age) = max_age {
            options = options.max_age(server::seconds("max_age", age)?);
        }
        py.detach(|| options.open(path)).map(Backend::of).map_err(errors::opening)
    }

    /// A Greffier server. `timeout` in seconds.
    #[staticmethod]
    #[pyo3(signature = (url, *, token, timeout))]
    fn remote(
        py: Python<'_>,
        url: &str,
        token: Option<&Bound<'_, PyAny>>,
        timeout: f64,
    ) -> PyResult<Backend> {
        let options = server::options(url, token, timeout)?;
        py.detach(|| RemoteBackend::open(options)).map(Backend::of).map_err(errors::opening)
    }

    /// A ledger in this process.
    #[staticmethod]
    #[pyo3(signature = (directory, *, keys, tenant, node))]
    fn ledger(
        py: Python<'_>,
        directory: PathBuf,
        keys: PathBuf,
        tenant: &str,
        node: &str,
    ) -> PyResult<Backend> {
        let tenant = Tenant::new(tenant).map_err(|error| errors::field("tenant", error))?;
        let options = LedgerOptions::new(directory, keys, tenant).node(node);
        let opened = py.detach(|| options.open()).map_err(errors::opening)?;
        let ledger = Arc::new(Closable::new(opened));
        Ok(Backend { inner: ledger.clone(), ledger: Some(ledger) })
    }

    /// A backend written in Python: an object with `write(event)` and, if it likes, `flush()`.
    #[staticmethod]
    #[pyo3(signature = (backend, /))]
    fn python(backend: Py<PyAny>) -> Backend {
        Backend::of(Foreign::new(backend))
    }

    /// Writes one event, and waits for it.
    #[pyo3(signature = (event, /))]
    fn write(&self, event: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event.py();
        let event = event::read(event)?;
        let rejected = py.detach(|| self.inner.write(&[event])).map_err(errors::backend)?;
        match rejected.into_iter().next() {
            None => Ok(()),
            Some(one) => Err(errors::Rejected::new_err(one.reason)),
        }
    }

    /// The events whose fields have these values, from a time on and before another; the newest so many, in the order
    /// in which they were recorded.
    #[pyo3(signature = (equal, /, *, since, until, limit))]
    fn query<'py>(
        &self,
        equal: &Bound<'py, PyDict>,
        since: Option<&str>,
        until: Option<&str>,
        limit: usize,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let py = equal.py();
        let time = |name: &str, text: Option<&str>| {
            text.map(|text| text.parse::<Timestamp>().map_err(|error| errors::field(name, error))).transpose()
        };
        let mut filter = Filter::new().newest(limit);
        for (name, value) in values::object(equal)? {
            filter = filter.equal(name, value);
        }
        if let Some(since) = time("since", since)? {
            filter = filter.since(since);
        }
        if let Some(until) = time("until", until)? {
            filter = filter.until(until);
        }
        let found = py.detach(|| self.inner.query(&filter)).map_err(errors::backend)?;
        found.iter().map(|event| event::write(py, event)).collect()
    }

    /// Makes what was written durable.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.flush()).map_err(errors::backend)
    }

    /// Closes a ledger cleanly; nothing is written to it afterwards. Other backends have nothing to close.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        py.detach(|| ledger.close()).map_err(errors::backend)
    }

    /// Keeps it for ever: in a forked process its threads are missing and its locks may be held by nobody.
    fn leak(slf: Py<Self>) {
        std::mem::forget(slf);
    }
}
