//! Refusals and errors become HTTP here, and only here.

use bytes::Bytes;
use greffier_event::Principal;
use greffier_policy::Refusal;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::body::Body;
use crate::mcp;
use crate::wire::{self, Wire};

/// What a caller is told instead of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// Machine-readable: `wrong_audience`, `outcome_unrecorded`.
    pub(crate) code: &'static str,
    /// For people; free of content and secrets.
    pub(crate) message: String,
    /// The decision's receipt, when there is one.
    pub(crate) receipt: Option<String>,
    /// Of a request that is no call: who sent it.
    pub(crate) sender: Option<Box<Principal>>,
    /// When to come again, in seconds.
    pub(crate) retry_after: Option<u16>,
    /// Whether more rights would help.
    pub(crate) lacks_permit: bool,
    /// Which token would do, and where to get it: the value of `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
    /// What an error of JSON-RPC says beside.
    pub(crate) rpc: Option<Box<Rpc>>,
}

/// What an error of JSON-RPC says beside its message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rpc {
    /// The request's id, as JSON.
    pub(crate) id: Option<String>,
    /// Its number, where the status does not say it.
    pub(crate) code: Option<i64>,
    /// Members of its data.
    pub(crate) data: Option<serde_json::Value>,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refused {
        Refused {
            status,
            code,
            message: message.into(),
            receipt: None,
            sender: None,
            retry_after: None,
            lacks_permit: false,
            challenge: None,
            rpc: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Refused {
        Refused::new(400, "bad_request", message)
    }

    pub(crate) fn unknown_route() -> Refused {
        Refused::new(404, "unknown_route", "nothing is served at this path")
    }

    pub(crate) fn wrong_method() -> Refused {
        Refused::new(405, "method_not_allowed", "this route does not take that method")
    }

    /// Nothing can be written down, so nothing may happen.
    pub(crate) fn not_recording() -> Refused {
        Refused::new(503, "not_recording", "the call cannot be recorded, so it was not made; see /readyz")
    }

    /// It happened, and how it ended could not be written down: the reply is withheld.
    pub(crate) fn outcome_unrecorded() -> Refused {
        Refused::new(
            500,
            "outcome_unrecorded",
            "the call was made but its outcome could not be recorded; do not repeat it blindly",
        )
    }

    /// What was sent is no call, and this is who sent it.
    pub(crate) fn sent_by(mut self, sender: &Principal) -> Refused {
        self.sender = Some(Box::new(sender.clone()));
        self
    }

    pub(crate) fn in_rpc(mut self, rpc: Rpc) -> Refused {
        self.rpc = Some(Box::new(rpc));
        self
    }

    /// Says when to come again: whole seconds, at least one.
    pub(crate) fn retry_after(mut self, wait: std::time::Duration) -> Refused {
        self.retry_after = Some(wait.as_millis().div_ceil(1_000).clamp(1, 3_600) as u16);
        self
    }

    pub(crate) fn with_receipt(mut self, receipt: String) -> Refused {
        self.receipt = Some(receipt);
        self
    }
}

impl From<crate::http_client::BodyError> for Refused {
    fn from(error: crate::http_client::BodyError) -> Refused {
        use crate::http_client::BodyError;
        match error {
            BodyError::TooLarge => Refused::new(413, "body_too_large", "the body is over the limit"),
            BodyError::Idle => Refused::new(408, "body_timeout", "the body stopped arriving"),
            BodyError::Broken => Refused::bad_request("the body broke off"),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        // Missing keys are our trouble, not the caller's: its token may be good.
        let status = if refusal == Refusal::KeysUnavailable { 503 } else { 401 };
        Refused::new(status, refusal.code(), refusal.to_string())
    }
}

/// The response for a refusal, in the caller's wire format.
pub(crate) fn response(wire: Wire, refused: &Refused, request_id: &str) -> Response<Body> {
    let body = match wire {
        Wire::Mcp => mcp::error_body(refused, request_id),
        wire => wire.error_body(refused.status, refused.code, &refused.message, request_id),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed());
    *response.status_mut() =
        StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(challenge) = refused.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(http::header::WWW_AUTHENTICATE, challenge);
    } else if refused.status == 401 {
        headers.insert(
            http::header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer error=\"invalid_token\""),
        );
    }
    if !wire::should_retry(refused.code) {
        // What the providers' SDKs obey: a 5xx alone would make them send the call again.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if let Some(seconds) = refused.retry_after {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    mark(headers, request_id, refused.receipt.as_deref());
    response
}

/// Adds the headers every governed response carries.
pub(crate) fn mark(headers: &mut http::HeaderMap, request_id: &str, receipt: Option<&str>) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("greffier-request-id", value);
    }
    if let Some(value) = receipt.and_then(|receipt| HeaderValue::from_str(receipt).ok()) {
        headers.insert("greffier-receipt", value);
    }
}
