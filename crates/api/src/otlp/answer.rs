//! Answers as OTLP wants them: what was not taken, in the encoding of the question.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::Signal;
use super::body::Encoding;
use super::wire::{put_bytes, put_number};
use crate::refuse::Refused;
use crate::respond;
use crate::visit::{Body, whole};

/// What became of the items of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Events that are on record now.
    pub(super) recorded: usize,
    /// Events that were on record already.
    pub(super) repeated: usize,
    /// Items that another record tells already.
    pub(super) known: usize,
    /// Items that are no act of an agent, or no events: data points.
    pub(super) ignored: u64,
    /// Items that cannot be recorded.
    pub(super) rejected: usize,
    /// Why, for the first few.
    pub(super) reasons: Vec<String>,
}

/// Reasons that are told; the others are like them.
const MAX_REASONS: usize = 5;

impl Tally {
    pub(super) fn reject(&mut self, reason: String) {
        self.rejected += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason);
        }
    }

    /// A partial success where something was rejected, else an empty answer.
    pub(super) fn response(&self, signal: Signal, encoding: Encoding) -> Response<Body> {
        let message = self.reasons.join("; ");
        let body = match encoding {
            _ if self.rejected == 0 && encoding == Encoding::Protobuf => Vec::new(),
            _ if self.rejected == 0 => b"{}".to_vec(),
            Encoding::Protobuf => {
                let (mut partial, mut out) = (Vec::new(), Vec::new());
                put_number(&mut partial, 1, self.rejected as u64);
                put_bytes(&mut partial, 2, message.as_bytes());
                put_bytes(&mut out, 1, &partial);
                out
            }
            Encoding::Json => {
                let rejected = Value::from(self.rejected.to_string());
                let partial = json!({ signal.rejected(): rejected, "errorMessage": message });
                json!({ "partialSuccess": partial }).to_string().into_bytes()
            }
        };
        let mut response = respond::bytes(encoding.media(), body);
        // OTLP has no place for it, and whoever sets an exporter up wants to see it.
        let Tally { recorded, repeated, known, ignored, rejected, .. } = self;
        let counts = format!(
            "recorded={recorded}, repeated={repeated}, known={known}, ignored={ignored}, rejected={rejected}"
        );
        if let Ok(value) = HeaderValue::from_str(&counts) {
            response.headers_mut().insert("greffier-otlp", value);
        }
        response
    }
}

/// A refusal as a `Status`: a gRPC code and a message.
pub(super) fn refused(refused: &Refused, encoding: Encoding, request_id: &str) -> Response<Body> {
    let code: u8 = match refused.status {
        400 | 415 => 3,
        401 => 16,
        403 => 7,
        413 => 8,
        503 => 14,
        _ => 13,
    };
    let mut response = refused.response(request_id);
    let body = match encoding {
        Encoding::Protobuf => {
            let mut out = Vec::new();
            put_number(&mut out, 1, u64::from(code));
            put_bytes(&mut out, 2, refused.message.as_bytes());
            out
        }
        Encoding::Json => json!({ "code": code, "message": refused.message }).to_string().into_bytes(),
    };
    *response.body_mut() = whole(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding.media()));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Sent again it is recorded once: ids are the same.
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    response
}
