//! What is made once, made before it is used.
//!
//! Names and classes that are looked up once are guarded by locks. A process that is forked while another thread holds
//! one would wait for it for ever: so all of them are settled while the package is imported.

use greffier_client::{AuditEvent, EventType, Origin, Trace, Usage};
use pyo3::prelude::*;
use pyo3::types::PySet;

use crate::errors;
use crate::event;
use crate::values;

/// Looks everything up that is looked up once. Called at the end of the package's import.
#[pyfunction]
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    errors::prepare(py);
    let mut every = AuditEvent::new(EventType::ToolCall).result("x").duration_ms(1.0).usage(Usage::default());
    every.trace = Some(Trace { trace_id: "1".repeat(32), span_id: None });
    every.origin = Some(Origin { producer: "x".into(), sequence: 0 });
    let python = event::write(py, &every)?;
    event::read(&python)?;
    // A time that is no text, and values that are none of JSON's.
    let time = py.import("datetime")?.getattr("datetime")?.call_method0("now")?;
    python.setattr("timestamp", time)?;
    event::read(&python)?;
    values::json(PySet::new(py, [1])?.as_any())?;
    values::text(python.as_any())?;
    Ok(())
}
