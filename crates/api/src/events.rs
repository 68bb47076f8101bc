//! Search: pages of events, newest entry first.

use greffier_event::Form;
use greffier_policy::AdminAction;
use greffier_query::{Row, Search};
use http::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::cursor;
use crate::refuse::Refused;
use crate::respond::{self, Place};
use crate::visit::Body;

/// Events of a page that nobody asked to be larger.
const USUAL_PAGE: u64 = 100;
/// Most events of a page: one answer, held in memory.
const MAX_PAGE: u64 = 1_000;

#[derive(Serialize)]
struct Answer {
    events: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<Vec<Place>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/v1/events`.
pub(crate) async fn events(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?;
    let query = request.params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let form = form(request.params.text("format"))?;
    let receipts = request.params.flag("receipts", false)?;
    let limit = match request.params.number("limit")?.unwrap_or(USUAL_PAGE) {
        limit @ 1..=MAX_PAGE => usize::try_from(limit).unwrap_or_default(),
        _ => return Err(Refused::bad_parameter(format!("`limit` must be between 1 and {MAX_PAGE}"))),
    };
    let cursor = request.params.text("cursor");
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:search",
        place: "events".to_owned(),
        asked: Some(serde_json::json!({ "q": query })),
    };
    let admitted = api.admit(&request.visit, caller, request.named_trail(), wish).await?;
    let (trail, keys) = (admitted.trail(), api.appender.keys());

    let (search, before, now) = match cursor {
        None => (search, None, request.visit.now),
        Some(cursor) => {
            let place = cursor::read(keys, trail, query, cursor).ok_or_else(|| {
                Refused::new(400, "bad_cursor", "the cursor is not one of this search and trail")
                    .hint("start again without it")
            })?;
            // As it was meant when the first page was asked for.
            (Search::parse(query, place.now)?, Some(place.index), place.now)
        }
    };
    let page = request.answered(api.engine.newest(trail, &search, before, limit)).await?;
    let answer = Answer {
        receipts: receipts
            .then(|| page.rows.iter().map(|row| Place::of(trail, row.index, &row.entry)).collect()),
        next: page.next.map(|index| cursor::write(keys, trail, query, cursor::Place { index, now })),
        events: page.rows.into_iter().map(|row| shown(row, form)).collect::<Result<_, _>>()?,
    };
    let mut response = respond::json(&answer)?;
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

/// A form by its name; native, where there is none.
fn form(name: Option<&str>) -> Result<Form, Refused> {
    let form = name.map_or(Some(Form::Native), Form::parse);
    form.ok_or_else(|| Refused::bad_parameter("`format` must be native, flat or governed"))
}

/// An event as it was recorded, or in another form.
fn shown(row: Row, form: Form) -> Result<Box<RawValue>, Refused> {
    match form {
        Form::Native => raw(row.entry),
        form => {
            let event = row.event().map_err(|error| Refused::internal("reading an entry", &error))?;
            let text =
                form.write(&event, &[]).map_err(|error| Refused::internal("writing an event", &error))?;
            raw(text.into_bytes())
        }
    }
}

/// JSON that is JSON already.
pub(crate) fn raw(json: Vec<u8>) -> Result<Box<RawValue>, Refused> {
    let text = String::from_utf8(json).map_err(|error| Refused::internal("reading an entry", &error))?;
    RawValue::from_string(text).map_err(|error| Refused::internal("reading an entry", &error))
}
