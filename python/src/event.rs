//! `greffier.AuditEvent` as the SDK's event, and back.

use greffier_client::{
    ActionKind, AuditEvent, Context, Effect, EventId, EventType, Origin, OutcomeStatus, Timestamp, Trace,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use serde_json::Value;
use uuid::Uuid;

use crate::errors::field;
use crate::values;

/// What an event of Python says, read once.
pub(crate) fn read(event: &Bound<'_, PyAny>) -> PyResult<AuditEvent> {
    let py = event.py();
    let id = required(event, intern!(py, "event_id"))?;
    let id = Uuid::parse_str(&id).map_err(|_| field("event_id", "must be a UUID"))?;
    let time = event.getattr(intern!(py, "timestamp"))?;
    let time = match time.cast::<PyString>() {
        Ok(text) => text.to_string_lossy().into_owned(),
        // A datetime; without a zone it is UTC, as a text without one is.
        Err(_) => values::text(&time.call_method0(intern!(py, "isoformat"))?)?,
    };
    let timestamp: Timestamp = time.parse().map_err(|error| field("timestamp", error))?;
    let kind = event.getattr(intern!(py, "event_type"))?;
    let kind = match kind.cast::<PyString>() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => required(&kind, intern!(py, "_value_"))?,
    };
    let event_type =
        EventType::parse(&kind).ok_or_else(|| field("event_type", "must be one of the 14 types"))?;
    let duration_ms = match event.getattr(intern!(py, "duration_ms"))? {
        none if none.is_none() => None,
        number => Some(number.extract::<f64>()?).filter(|number| number.is_finite()),
    };
    let usage = match event.getattr(intern!(py, "usage"))? {
        none if none.is_none() => None,
        usage => Some(
            serde_json::from_value(values::json(&usage)?)
                .map_err(|error| field("usage", format_args!("is not as expected: {error}")))?,
        ),
    };
    let span_id = text(event, intern!(py, "span_id"))?;
    let trace = text(event, intern!(py, "trace_id"))?.map(|trace_id| Trace { trace_id, span_id });
    let producer = text(event, intern!(py, "producer"))?;
    let sequence: Option<u64> = event.getattr(intern!(py, "sequence"))?.extract()?;
    let origin =
        producer.zip(sequence).map(|(producer, sequence)| Origin { producer: producer.into(), sequence });
    Ok(AuditEvent {
        event_id: EventId(id),
        timestamp,
        event_type,
        agent_id: required(event, intern!(py, "agent_id"))?,
        session_id: required(event, intern!(py, "session_id"))?,
        user_id: text(event, intern!(py, "user_id"))?,
        action: required(event, intern!(py, "action"))?,
        resource: text(event, intern!(py, "resource"))?,
        parameters: values::object(&event.getattr(intern!(py, "parameters"))?)?,
        result: Some(values::json(&event.getattr(intern!(py, "result"))?)?)
            .filter(|result| !result.is_null()),
        error: text(event, intern!(py, "error"))?,
        duration_ms,
        metadata: values::object(&event.getattr(intern!(py, "metadata"))?)?,
        request_id: text(event, intern!(py, "request_id"))?,
        call_id: text(event, intern!(py, "call_id"))?,
        kind: word::<ActionKind>(event, intern!(py, "kind"))?,
        effect: word::<Effect>(event, intern!(py, "effect"))?,
        status: word::<OutcomeStatus>(event, intern!(py, "status"))?,
        error_code: text(event, intern!(py, "error_code"))?,
        trace,
        usage,
        origin,
    })
}

/// A text that may be missing.
fn text(event: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<Option<String>> {
    let value = event.getattr(name)?;
    if value.is_none() { Ok(None) } else { values::text(&value).map(Some) }
}

/// A text that is empty where it is missing.
fn required(event: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<String> {
    Ok(text(event, name)?.unwrap_or_default())
}

/// One of a few words.
fn word<T: serde::de::DeserializeOwned>(
    event: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
) -> PyResult<Option<T>> {
    let Some(text) = text(event, name)? else { return Ok(None) };
    serde_json::from_value(Value::String(text))
        .map(Some)
        .map_err(|error| field(&name.to_string_lossy(), format_args!("is not one of its words: {error}")))
}

/// The class and the types of events, as Python defines them.
fn class<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    cell.import(py, "greffier.event", name).cloned()
}

/// An event of the SDK as one of Python.
pub(crate) fn write<'py>(py: Python<'py>, event: &AuditEvent) -> PyResult<Bound<'py, PyAny>> {
    static EVENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let fields = PyDict::new(py);
    let set = |name: &Bound<'py, PyString>, value: Option<&str>| match value {
        Some(text) => fields.set_item(name, text),
        None => Ok(()),
    };
    set(intern!(py, "event_id"), Some(&event.event_id.to_string()))?;
    set(intern!(py, "timestamp"), Some(&event.timestamp.to_string()))?;
    set(intern!(py, "agent_id"), Some(&event.agent_id))?;
    set(intern!(py, "session_id"), Some(&event.session_id))?;
    set(intern!(py, "user_id"), event.user_id.as_deref())?;
    set(intern!(py, "action"), Some(&event.action))?;
    set(intern!(py, "resource"), event.resource.as_deref())?;
    set(intern!(py, "error"), event.error.as_deref())?;
    set(intern!(py, "request_id"), event.request_id.as_deref())?;
    set(intern!(py, "call_id"), event.call_id.as_deref())?;
    set(intern!(py, "kind"), event.kind.map(ActionKind::as_str))?;
    set(intern!(py, "effect"), event.effect.map(Effect::as_str))?;
    set(intern!(py, "status"), event.status.map(OutcomeStatus::as_str))?;
    set(intern!(py, "error_code"), event.error_code.as_deref())?;
    set(intern!(py, "trace_id"), event.trace.as_ref().map(|trace| trace.trace_id.as_str()))?;
    set(intern!(py, "span_id"), event.trace.as_ref().and_then(|trace| trace.span_id.as_deref()))?;
    set(intern!(py, "producer"), event.origin.as_ref().map(|origin| &*origin.producer))?;
    let kind = class(py, &TYPE, "AuditEventType")?.call1((event.event_type.as_str(),))?;
    fields.set_item(intern!(py, "event_type"), kind)?;
    fields.set_item(intern!(py, "parameters"), values::members(py, &event.parameters)?)?;
    fields.set_item(intern!(py, "metadata"), values::members(py, &event.metadata)?)?;
    if let Some(result) = &event.result {
        fields.set_item(intern!(py, "result"), values::python(py, result)?)?;
    }
    if let Some(duration) = event.duration_ms {
        fields.set_item(intern!(py, "duration_ms"), duration)?;
    }
    if let Some(usage) = &event.usage {
        let usage = serde_json::to_value(usage).map_err(|error| field("usage", error))?;
        fields.set_item(intern!(py, "usage"), values::python(py, &usage)?)?;
    }
    if let Some(origin) = &event.origin {
        fields.set_item(intern!(py, "sequence"), origin.sequence)?;
    }
    class(py, &EVENT, "AuditEvent")?.call((), Some(&fields))
}

/// A new id for an event: a UUIDv7, whose order is that of time.
#[pyfunction]
pub(crate) fn event_id() -> String {
    Uuid::now_v7().to_string()
}

/// This moment: RFC 3339, UTC, six fractional digits.
#[pyfunction]
pub(crate) fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).to_string()
}

/// The line that a file gets of an event, sanitised: the first document's thirteen fields, and then ours.
#[pyfunction]
#[pyo3(signature = (event, /))]
pub(crate) fn flat(event: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(read(event)?.to_flat())
}

/// Trace and span of a `traceparent` header; none of what is no such header, as W3C asks.
#[pyfunction]
#[pyo3(signature = (header, /))]
pub(crate) fn parse_traceparent(header: &str) -> Option<(String, String)> {
    let trace = Context::default().traceparent(header).trace?;
    trace.span_id.map(|span_id| (trace.trace_id, span_id))
}

/// A new span, of this trace or of a new one.
#[pyfunction]
#[pyo3(signature = (trace_id, /))]
pub(crate) fn span(trace_id: Option<String>) -> Option<(String, String)> {
    let trace = trace_id.map(|trace_id| Trace { trace_id, span_id: None });
    let trace = Context { trace, ..Context::default() }.span().trace?;
    trace.span_id.map(|span_id| (trace.trace_id, span_id))
}
