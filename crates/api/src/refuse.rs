//! Refusals and errors become HTTP here, and only here.

use greffier_ledger::ReadError;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::respond;
use crate::visit::Body;

/// What a caller is told instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// For programs: `bad_parameter`, `not_recording`.
    pub(crate) code: &'static str,
    /// For people; free of content and secrets.
    pub(crate) message: String,
    /// What to do about it.
    hint: Option<String>,
    /// Where in a query the trouble is, in bytes.
    at: Option<usize>,
    /// The receipt of the event that records the refusal.
    receipt: Option<String>,
    /// Whether its body could not be taken at all.
    malformed: bool,
}

/// Stands in the extensions of an answer where the request's body, or what followed of it, could not be taken: too long,
/// cut off, or not what it says it is. Whoever let its sender in puts that on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// For programs: `too_large`, `invalid_encoding`.
    pub code: &'static str,
    /// For people; free of content and secrets.
    pub message: String,
}

#[derive(Serialize)]
struct Document<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    request_id: &'a str,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refused {
        Refused {
            status,
            code,
            message: message.into(),
            hint: None,
            at: None,
            receipt: None,
            malformed: false,
        }
    }

    /// What was sent could not be taken: too long, cut off, or not in its coding. What it says is another matter, and
    /// its sender's alone.
    pub(crate) fn malformed(mut self) -> Refused {
        self.malformed = true;
        self
    }

    /// What there is to record of it, if what was sent could not be taken.
    pub(crate) fn unreadable(&self) -> Option<Unreadable> {
        self.malformed.then(|| Unreadable { code: self.code, message: self.message.clone() })
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Refused {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, at: usize) -> Refused {
        self.at = Some(at);
        self
    }

    pub(crate) fn receipt(mut self, receipt: &str) -> Refused {
        self.receipt = Some(receipt.to_owned());
        self
    }

    pub(crate) fn bad_parameter(message: impl Into<String>) -> Refused {
        Refused::new(400, "bad_parameter", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Refused {
        Refused::new(404, "not_found", message)
    }

    /// Nothing can be written down, so nothing is read and nothing taken.
    pub(crate) fn not_recording() -> Refused {
        Refused::new(503, "not_recording", "this cannot be recorded, so it was not done")
            .hint("try again when `/readyz` answers 200")
    }

    /// Our own trouble: the log says more than the caller is told.
    pub(crate) fn internal(what: &str, error: &dyn std::error::Error) -> Refused {
        tracing::error!(what, %error, "a request of the read API failed");
        Refused::new(500, "internal", "an internal error; the log of the node says more")
    }

    pub(crate) fn response(&self, request_id: &str) -> Response<Body> {
        let Refused { status, code, message, hint, at, receipt, malformed: _ } = self;
        let detail = Detail { code, message, at: *at, hint: hint.as_deref(), request_id };
        let mut response = respond::json(&Document { error: detail }).unwrap_or_default();
        *response.status_mut() = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if matches!(*code, "busy" | "not_covered") {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        respond::mark(response.headers_mut(), request_id, receipt.as_deref());
        if let Some(unreadable) = self.unreadable() {
            response.extensions_mut().insert(unreadable);
        }
        response
    }
}

/// The ledger's errors name files and damage: the operator reads them in the log, callers see what they can act
/// on.
impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Refused {
        match error {
            ReadError::NotCovered { .. } => Refused::new(503, "not_covered", error.to_string()),
            ReadError::NoEntry { .. } => Refused::not_found(error.to_string()),
            ReadError::Expired { .. } => Refused::new(410, "expired", error.to_string()),
            _ => Refused::internal("reading the ledger", &error),
        }
    }
}
