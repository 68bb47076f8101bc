//! Answers: their bodies, their types, and the headers that every one of them carries.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use greffier_event::Tenant;
use http::{HeaderMap, HeaderValue, Response, header};
use serde::Serialize;

use crate::refuse::Refused;
use crate::visit::{Body, whole};

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const CSV: &str = "text/csv; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const BINARY: &str = "application/octet-stream";
pub(crate) const ARROW: &str = "application/vnd.apache.arrow.stream";
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";
pub(crate) const ZIP: &str = "application/zip";
pub(crate) const SSE: &str = "text/event-stream";

/// An answer of one type. What readers see is theirs alone, so nothing between keeps it.
pub(crate) fn typed(media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer that is all there.
pub(crate) fn bytes(media: &'static str, bytes: impl Into<Bytes>) -> Response<Body> {
    typed(media, whole(bytes))
}

/// A JSON document.
pub(crate) fn json(document: &impl Serialize) -> Result<Response<Body>, Refused> {
    let text =
        serde_json::to_vec(document).map_err(|error| Refused::internal("writing an answer", &error))?;
    Ok(bytes(JSON, text))
}

/// Whether a caller takes gzip: it names it, and not with the weight 0.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |word: &str| {
            word.strip_prefix("q=").is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
        };
        named && !words.any(refused)
    })
}

/// The bytes in gzip, at the level that costs least: what is asked for again lies in a cache.
pub(crate) fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes)?;
    gzip.finish()
}

/// How long others may keep an answer that is for everyone.
pub(crate) fn cached(mut response: Response<Body>, how: &'static str) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
    response
}

/// Adds the headers that name the request and its record.
pub(crate) fn mark(headers: &mut HeaderMap, request_id: &str, receipt: Option<&str>) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("greffier-request-id", value);
    }
    if let Some(value) = receipt.and_then(|receipt| HeaderValue::from_str(receipt).ok()) {
        headers.insert("greffier-receipt", value);
    }
}

/// Where an entry stands and what its leaf is: what an append answered, as a reader sees it.
#[derive(Serialize)]
pub(crate) struct Place {
    pub(crate) index: u64,
    /// Base64, as in proofs.
    pub(crate) leaf: String,
    /// The same as one line, as `greffier verify --receipt` takes it.
    pub(crate) receipt: String,
}

impl Place {
    pub(crate) fn of(trail: &Tenant, index: u64, entry: &[u8]) -> Place {
        let leaf_hash = greffier_merkle::hash::leaf(entry);
        Place::from(&greffier_merkle::Receipt { trail: trail.to_string(), index, leaf_hash })
    }
}

impl From<&greffier_merkle::Receipt> for Place {
    fn from(receipt: &greffier_merkle::Receipt) -> Place {
        use base64::Engine as _;
        Place {
            index: receipt.index,
            leaf: base64::prelude::BASE64_STANDARD.encode(receipt.leaf_hash),
            receipt: receipt.to_string(),
        }
    }
}
