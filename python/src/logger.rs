//! The logger: what is handed over without waiting, and what is waited for without the interpreter's lock.

use std::path::PathBuf;
use std::sync::Arc;

use greffier_client::{AuditLogger, NotLogged, Overflow, SpoolOptions, Why};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::backend::Backend;
use crate::errors;
use crate::event;
use crate::server::seconds;

/// A logger.
#[pyclass(frozen, module = "greffier._native")]
pub(crate) struct Logger {
    /// Gone only while this is dropped.
    logger: Option<AuditLogger>,
    way: Way,
}

/// What taking an event over may have to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Memory,
    /// Room.
    Patient,
    /// A disk, or a backend.
    Written,
}

impl Logger {
    fn inner(&self) -> PyResult<&AuditLogger> {
        self.logger.as_ref().ok_or_else(|| PyValueError::new_err("the logger is gone"))
    }

    /// Takes an event over if nothing has to be waited for; gives it back otherwise.
    fn at_once(
        &self,
        event: greffier_client::AuditEvent,
    ) -> PyResult<Result<(), Box<greffier_client::AuditEvent>>> {
        let logged = match self.way {
            Way::Written => return Ok(Err(Box::new(event))),
            Way::Memory => self.inner()?.log(event),
            Way::Patient => self.inner()?.try_log(event),
        };
        match logged {
            Ok(()) => Ok(Ok(())),
            Err(NotLogged { event, why: Why::Full }) if self.way == Way::Patient => Ok(Err(event)),
            Err(error) => Err(errors::not_logged(&error)),
        }
    }
}

#[pymethods]
impl Logger {
    /// `every`, `patience` in seconds. `overflow` is `block`, `refuse`, `write_through` or `spool`.
    #[new]
    #[pyo3(signature = (
        backend, /, *, buffer, batch, every, overflow, patience, spool, spool_max_bytes, producer, on_rejected
    ))]
    #[expect(clippy::too_many_arguments, reason = "all are named where it is called")]
    fn new(
        py: Python<'_>,
        backend: &Backend,
        buffer: usize,
        batch: Option<usize>,
        every: f64,
        overflow: &str,
        patience: f64,
        spool: Option<PathBuf>,
        spool_max_bytes: u64,
        producer: Option<String>,
        on_rejected: Option<Py<PyAny>>,
    ) -> PyResult<Logger> {
        let (overflow, way) = match (overflow, spool) {
            ("block", None) => (Overflow::Block { at_most: seconds("patience", patience)? }, Way::Patient),
            ("refuse", None) => (Overflow::Refuse, Way::Memory),
            ("write_through", None) => (Overflow::WriteThrough, Way::Written),
            ("spool", Some(dir)) => {
                (Overflow::Spool(SpoolOptions::new(dir).max_bytes(spool_max_bytes)), Way::Written)
            }
            ("spool", None) => return Err(errors::field("overflow", "`spool` needs the folder of a spool")),
            (_, None) => {
                let known = "must be `block`, `refuse`, `write_through` or `spool`";
                return Err(errors::field("overflow", known));
            }
            (_, Some(_)) => return Err(errors::field("spool", "is used only with overflow `spool`")),
        };
        let mut options =
            AuditLogger::options().buffer(buffer).every(seconds("every", every)?).overflow(overflow);
        if let Some(batch) = batch {
            options = options.batch(batch);
        }
        if let Some(producer) = producer {
            options = options.producer(producer);
        }
        if let Some(tell) = on_rejected {
            options = options.on_rejected(move |line, reason| {
                // What it raises has nobody to go to.
                let _ = Python::try_attach(|py| tell.call1(py, (line, reason)).map(drop));
            });
        }
        let inner = Arc::clone(&backend.inner);
        let logger = py.detach(|| options.start(inner)).map_err(errors::opening)?;
        Ok(Logger { logger: Some(logger), way })
    }

    /// Takes an event over; waits as the overflow says.
    #[pyo3(signature = (event, /))]
    fn log(&self, event: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event.py();
        let Err(event) = self.at_once(event::read(event)?)? else { return Ok(()) };
        let logger = self.inner()?;
        py.detach(|| logger.log(*event)).map_err(|error| errors::not_logged(&error))
    }

    /// Takes an event over unless that would have to wait; says whether it did.
    #[pyo3(signature = (event, /))]
    fn log_at_once(&self, event: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.at_once(event::read(event)?)?.is_ok())
    }

    /// Waits, so many seconds at most, until all that was logged before is durable.
    #[pyo3(signature = (within, /))]
    fn flush(&self, py: Python<'_>, within: f64) -> PyResult<()> {
        let (logger, within) = (self.inner()?, seconds("timeout", within)?);
        py.detach(|| logger.flush(within)).map_err(errors::not_flushed)
    }

    /// Takes nothing more, and waits until all is written.
    #[pyo3(signature = (within, /))]
    fn shutdown(&self, py: Python<'_>, within: f64) -> PyResult<()> {
        let (logger, within) = (self.inner()?, seconds("timeout", within)?);
        py.detach(|| logger.shutdown(within)).map_err(|error| errors::not_written(py, error))
    }

    /// What it has done so far.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metrics = self.inner()?.metrics();
        let dict = PyDict::new(py);
        dict.set_item("logged", metrics.logged)?;
        dict.set_item("written", metrics.written)?;
        dict.set_item("waiting", metrics.waiting)?;
        dict.set_item("spooled_bytes", metrics.spooled_bytes)?;
        dict.set_item("refused", metrics.refused)?;
        dict.set_item("rejected", metrics.rejected)?;
        dict.set_item("failed", metrics.failed)?;
        dict.set_item("damaged", metrics.damaged)?;
        dict.set_item("reason", metrics.reason)?;
        Ok(dict)
    }

    /// The name under which it numbers its events.
    #[getter]
    fn producer(&self) -> PyResult<&str> {
        self.inner().map(AuditLogger::producer)
    }

    /// Keeps it for ever: in a forked process its thread is missing and its locks may be held by nobody.
    fn leak(slf: Py<Self>) {
        std::mem::forget(slf);
    }
}

impl Drop for Logger {
    /// Its last holder waits for its end, and that may need the interpreter: a backend written in Python.
    fn drop(&mut self) {
        let logger = self.logger.take();
        let _ = Python::try_attach(|py| py.detach(|| drop(logger)));
    }
}
