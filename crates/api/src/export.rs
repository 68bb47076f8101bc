//! Export: all that a search finds, oldest entry first, one line each, in pages.
//!
//! An export covers the trail as it was when it began. It holds one page at a time and the caller sets the pace.
//! What goes wrong on the way breaks the connection: an export never ends early and looks whole.

mod aat;
mod cef;
mod csv;
pub mod cursor;
mod join;
mod lines;
mod ocsf;
#[cfg(test)]
mod testing;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use greffier_event::{Form, Tenant};
use greffier_policy::AdminAction;
use greffier_query::Search;
use http::{HeaderValue, Response, header};

pub use self::lines::{Export, ExportError, ExportFormat, OpenParts};
use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::refuse::Refused;
use crate::respond::{self, CSV, NDJSON, PARQUET, TEXT};
use crate::visit::{Body, streamed};

/// The header that holds the cursor of the next export.
pub const CURSOR_HEADER: &str = "greffier-export-next";
/// The header that says how many entries behind the cursor have expired since: what they said is in no export.
pub const EXPIRED_HEADER: &str = "greffier-export-expired";

fn format(name: Option<&str>) -> Result<ExportFormat, Refused> {
    let Some(name) = name else { return Ok(ExportFormat::Form(Form::Native)) };
    let wrong =
        || Refused::bad_parameter("`format` must be native, flat, governed, csv, ocsf, cef, aat or parquet");
    ExportFormat::parse(name).ok_or_else(wrong)
}

/// The entry behind which an export begins: an index, or the cursor of the export before.
fn after(
    given: Option<&str>,
    trail: &Tenant,
    query: &str,
    format: ExportFormat,
) -> Result<Option<u64>, Refused> {
    let Some(given) = given else { return Ok(None) };
    if let Ok(index) = given.parse() {
        return Ok(Some(index));
    }
    let end = cursor::read(trail, query, format, given).ok_or_else(|| {
        Refused::new(400, "bad_cursor", "`after` is no cursor of this trail, search and format")
            .hint("go on with the same `q` and `format`, or begin anew without `after`")
    })?;
    Ok(end.checked_sub(1))
}

/// `GET /api/v1/export`.
pub(crate) async fn export(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, caller) = (&request.params, request.caller()?);
    let query = params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let format = format(params.text("format"))?;
    let with_parts = params.flag("parts", false)?;
    let given = params.text("after");
    let permit = Arc::clone(&api.exports).try_acquire_owned();
    let permit = permit.map_err(|_| Refused::new(503, "busy", "too many exports are under way"))?;

    let wish = Wish {
        action: AdminAction::ExportTrail,
        name: "trail:export",
        place: "events".to_owned(),
        asked: Some(serde_json::json!({
            "q": query, "format": params.text("format"), "parts": with_parts, "after": given,
        })),
    };
    let admitted = api.admit(&request.visit, caller, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    let search = api.referring(&trail, search);
    let after = after(given, &trail, query, format)?;
    let appender = api.appender.clone();
    let open: OpenParts = Arc::new(move |found| found.open_parts(appender.keys()));
    let open = with_parts.then_some(open);
    // The first page before the first byte: what fails here can still be said properly.
    let mut export = Export::begin(api.engine.clone(), trail.clone(), search, format, open, after).await?;
    let (end, expired) = (export.end(), export.expired());

    let (media, suffix) = match format {
        ExportFormat::Csv => (CSV, "csv"),
        ExportFormat::Cef => (TEXT, "cef"),
        ExportFormat::Parquet => (PARQUET, "parquet"),
        _ => (NDJSON, "jsonl"),
    };
    let file = format!("attachment; filename=\"{}.{suffix}\"", admitted.trail());
    let (pieces, body) = streamed();
    tokio::spawn(async move {
        while let Some(piece) = export.next().await.transpose() {
            let piece = piece.map(Bytes::from).map_err(|error| {
                let refused = Refused::from(error);
                io::Error::other(format!("the export broke off: {}", refused.code))
            });
            let broken = piece.is_err();
            // A caller that went away wants no more.
            if pieces.send(piece).await.is_err() || broken {
                break;
            }
        }
        drop(permit);
    });
    let mut response = respond::typed(media, body);
    let headers = response.headers_mut();
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    // Where the next export goes on.
    if let Some(last) = end.checked_sub(1) {
        headers.insert("greffier-export-last", HeaderValue::from(last));
    }
    if let Ok(cursor) = HeaderValue::from_str(&cursor::write(&trail, query, format, end)) {
        headers.insert(CURSOR_HEADER, cursor);
    }
    if expired > 0 {
        headers.insert(EXPIRED_HEADER, HeaderValue::from(expired));
    }
    respond::mark(headers, &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

impl From<ExportError> for Refused {
    fn from(error: ExportError) -> Refused {
        match error {
            ExportError::Query(error) => error.into(),
            ExportError::Read(error) => error.into(),
            ExportError::TooManyCalls | ExportError::TooManySessions => {
                Refused::new(422, "too_large", error.to_string())
            }
            ExportError::CursorAhead { .. } => Refused::new(409, "cursor_ahead", error.to_string()),
            error => Refused::internal("writing an export", &error),
        }
    }
}
