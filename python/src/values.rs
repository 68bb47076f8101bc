//! Python's values as JSON, and back.
//!
//! Strings, numbers, `None`, dicts, lists and tuples are read here; what else there is is made of these by
//! `greffier._plain`, in Python. Nothing is refused: an argument that an agent was called with must not keep the call off
//! the record.

use greffier_client::redact_keys;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// Levels that are read: half of what a server takes, with room for what stands around a value.
const MAX_DEPTH: usize = 64;
/// Values that are read of one object: some 10 MiB of them. An object that holds itself twice has no end otherwise.
const MAX_VALUES: usize = 100_000;
/// What stands for what lies deeper, or further on.
const TOO_DEEP: &str = "[nested too deep]";
const TOO_MANY: &str = "[too many values]";

/// Any value as JSON.
pub(crate) fn json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    Reading { left: MAX_VALUES }.value(value, MAX_DEPTH)
}

/// A mapping as the members of a JSON object; `None` has none.
pub(crate) fn object(value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    match json(value)? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        other => Ok(Map::from_iter([("value".to_owned(), other)])),
    }
}

/// A text: what `str` says of a value that is none.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyString>() {
        Ok(text) => Ok(text.to_string_lossy().into_owned()),
        Err(_) => {
            static TEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let text = TEXT.import(value.py(), "greffier._plain", "text")?.call1((value,))?;
            Ok(text.cast::<PyString>()?.to_string_lossy().into_owned())
        }
    }
}

/// How much of an object may still be read.
struct Reading {
    left: usize,
}

impl Reading {
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(TOO_MANY.into()) };
        self.left = left;
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(text.to_string_lossy().into_owned().into());
        }
        if value.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(truth) = value.cast::<PyBool>() {
            return Ok(truth.is_true().into());
        }
        if value.is_instance_of::<PyInt>() {
            return integer(value);
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            // JSON has no infinities: they stay as texts.
            return Ok(Number::from_f64(number.value())
                .map_or_else(|| number.value().to_string().into(), Value::Number));
        }
        let Some(depth) = depth.checked_sub(1) else { return Ok(TOO_DEEP.into()) };
        if let Ok(members) = value.cast::<PyDict>() {
            return self.members(members, depth);
        }
        if let Ok(items) = value.cast::<PyList>() {
            return items.iter().map(|item| self.value(&item, depth)).collect();
        }
        if let Ok(items) = value.cast::<PyTuple>() {
            return items.iter().map(|item| self.value(&item, depth)).collect();
        }
        static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let plain = PLAIN.import(value.py(), "greffier._plain", "plain")?.call1((value,))?;
        self.value(&plain, depth)
    }

    /// Of a copy: another thread may change the dict while a value's own code runs.
    fn members(&mut self, members: &Bound<'_, PyDict>, depth: usize) -> PyResult<Value> {
        let items = members.items();
        let mut object = Map::with_capacity(items.len().min(self.left));
        for item in items.iter() {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let name = match name.cast::<PyString>() {
                Ok(name) => name.to_string_lossy().into_owned(),
                Err(_) => key(&name)?,
            };
            object.insert(name, self.value(&value, depth)?);
        }
        Ok(Value::Object(object))
    }
}

/// An integer; one that 64 bits do not hold stays as a text.
fn integer(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(number) = value.extract::<i64>() {
        return Ok(number.into());
    }
    match value.extract::<u64>() {
        Ok(number) => Ok(number.into()),
        Err(_) => text(value).map(Value::String),
    }
}

/// A key that is no text, as `json.dumps` writes it.
fn key(name: &Bound<'_, PyAny>) -> PyResult<String> {
    if name.is_none() {
        return Ok("null".to_owned());
    }
    match name.cast::<PyBool>() {
        Ok(truth) => Ok(truth.is_true().to_string()),
        Err(_) => text(name),
    }
}

/// JSON as Python's own values.
pub(crate) fn python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => truth.into_pyobject(py)?.to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => members(py, object)?.into_any(),
    })
}

/// The members of an object as a dict.
pub(crate) fn members<'py>(py: Python<'py>, object: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in object {
        dict.set_item(name, python(py, value)?)?;
    }
    Ok(dict)
}

/// A copy of a value in which nothing stands under a telling key (`password`, `api_key`, …), however deep.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub(crate) fn redact<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let mut copy = json(value)?;
    redact_keys(&mut copy);
    python(value.py(), &copy)
}
