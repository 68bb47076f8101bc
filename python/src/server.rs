//! How a Greffier server is spoken to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use greffier_client::{ServerOptions, Token};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::field;
use crate::values;

/// Seconds, as Python gives them.
pub(crate) fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| field(name, "must be a number of seconds, not negative"))
}

/// A server; its token is a text, or what stands in a file, or what a function gives, whenever one is needed.
pub(crate) fn options(url: &str, token: Option<&Bound<'_, PyAny>>, timeout: f64) -> PyResult<ServerOptions> {
    let token = match token {
        None => Token::None,
        Some(text) if text.is_instance_of::<PyString>() => Token::Text(values::text(text)?),
        Some(give) if give.is_callable() => given(give.clone().unbind()),
        Some(path) => Token::File(path.extract()?),
    };
    Ok(ServerOptions::new(url).token(token).timeout(seconds("timeout", timeout)?))
}

fn given(give: Py<PyAny>) -> Token {
    Token::From(Arc::new(move || {
        let token = Python::try_attach(|py| give.bind(py).call0().and_then(|token| values::text(&token)));
        let token = token.ok_or_else(|| io::Error::other("the interpreter is ending"))?;
        // What the function raises may quote what it holds.
        token.map_err(|_| io::Error::other("the function that gives it raised an exception"))
    }))
}
