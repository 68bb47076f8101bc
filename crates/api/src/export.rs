//! Export: all that a search finds, oldest entry first, one line each, in pages.
//!
//! An export covers the trail as it was when it began. It holds one page at a time and the caller sets the pace.
//! What goes wrong on the way breaks the connection: an export never ends early and looks whole.

mod csv;
mod join;
mod lines;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use greffier_event::Form;
use greffier_policy::AdminAction;
use greffier_query::Search;
use http::{HeaderValue, Response, header};

pub use self::lines::{Export, ExportError, ExportFormat, OpenParts};
use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::refuse::Refused;
use crate::respond::{self, CSV, NDJSON};
use crate::visit::{Body, streamed};

fn format(name: Option<&str>) -> Result<ExportFormat, Refused> {
    match name {
        None => Ok(ExportFormat::Form(Form::Native)),
        Some("csv") => Ok(ExportFormat::Csv),
        Some(name) => Form::parse(name)
            .map(ExportFormat::Form)
            .ok_or_else(|| Refused::bad_parameter("`format` must be native, flat, governed or csv")),
    }
}

/// `GET /api/v1/export`.
pub(crate) async fn export(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, caller) = (&request.params, request.caller()?);
    let query = params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let format = format(params.text("format"))?;
    let with_parts = params.flag("parts", false)?;
    let after = params.number("after")?;
    let permit = Arc::clone(&api.exports).try_acquire_owned();
    let permit = permit.map_err(|_| Refused::new(503, "busy", "too many exports are under way"))?;

    let wish = Wish {
        action: AdminAction::ExportTrail,
        name: "trail:export",
        place: "events".to_owned(),
        asked: Some(serde_json::json!({
            "q": query, "format": params.text("format"), "parts": with_parts, "after": after,
        })),
    };
    let admitted = api.admit(&request.visit, caller, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    let appender = api.appender.clone();
    let open: OpenParts = Arc::new(move |found| found.open_parts(appender.keys()));
    let open = with_parts.then_some(open);
    // The first page before the first byte: what fails here can still be said properly.
    let mut export = Export::begin(api.engine.clone(), trail, search, format, open, after).await?;
    let end = export.end();

    let (media, suffix) = if format == ExportFormat::Csv { (CSV, "csv") } else { (NDJSON, "jsonl") };
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
    respond::mark(headers, &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

impl From<ExportError> for Refused {
    fn from(error: ExportError) -> Refused {
        match error {
            ExportError::Query(error) => error.into(),
            ExportError::Read(error) => error.into(),
            ExportError::TooManyCalls => Refused::new(422, "too_large", error.to_string()),
            error => Refused::internal("writing an export", &error),
        }
    }
}
