//! Search: pages of events, newest entry first, with their contents if they are asked for.

use std::collections::BTreeMap;

use greffier_event::{Form, Part, Tenant};
use greffier_policy::AdminAction;
use greffier_query::{Page, Row, Search};
use http::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::cursor;
use crate::parts::{Contents, FETCHED};
use crate::refuse::Refused;
use crate::respond::{self, Place};
use crate::visit::Body;

/// Events of a page that nobody asked to be larger.
const USUAL_PAGE: u64 = 100;
/// Most events of a page: one answer, held in memory.
const MAX_PAGE: u64 = 1_000;
/// Bytes of contents on a page, which ends early beyond: a client should not have to hold more at once. One event is on
/// it whatever it holds, 32 MiB at most.
const PAGE_CONTENTS: usize = 8 * 1024 * 1024;

#[derive(Serialize)]
struct Answer {
    events: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<Vec<Place>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether words were looked for in contents, too; absent where none were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents_searched: Option<bool>,
}

/// `GET /api/v1/events`.
pub(crate) async fn events(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?;
    let query = request.params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let form = form(request.params.text("format"))?;
    let receipts = request.params.flag("receipts", false)?;
    let with_parts = request.params.flag("parts", false)?;
    let limit = match request.params.number("limit")?.unwrap_or(USUAL_PAGE) {
        limit @ 1..=MAX_PAGE => usize::try_from(limit).unwrap_or_default(),
        _ => return Err(Refused::bad_parameter(format!("`limit` must be between 1 and {MAX_PAGE}"))),
    };
    let cursor = request.params.text("cursor");
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:search",
        place: "events".to_owned(),
        asked: Some(if with_parts {
            serde_json::json!({ "q": query, "parts": true })
        } else {
            serde_json::json!({ "q": query })
        }),
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
    let search = api.referring(trail, search);
    let mut page = request.answered(api.engine.newest(trail, &search, before, limit)).await?;
    let mut contents = if with_parts { contents(api, trail, &mut page).await? } else { BTreeMap::new() };
    let answer = Answer {
        receipts: receipts
            .then(|| page.rows.iter().map(|row| Place::of(trail, row.index, &row.entry)).collect()),
        contents_searched: api.engine.looks_into_contents(&search),
        next: page.next.map(|index| cursor::write(keys, trail, query, cursor::Place { index, now })),
        events: page
            .rows
            .into_iter()
            .map(|row| {
                let parts = with_parts.then(|| contents.remove(&row.index).unwrap_or_default());
                shown(row, form, parts)
            })
            .collect::<Result<_, _>>()?,
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

/// The contents of a page's events, as far as they can be opened. A page that would hold too much of them is cut.
async fn contents(api: &Api, trail: &Tenant, page: &mut Page) -> Result<BTreeMap<u64, Vec<Part>>, Refused> {
    let indexes: Vec<u64> = page.rows.iter().map(|row| row.index).collect();
    let (mut all, mut bytes) = (BTreeMap::new(), 0);
    for batch in indexes.chunks(FETCHED) {
        let mut fetched: BTreeMap<_, _> = api.contents_of(trail, batch.to_vec()).await?.into_iter().collect();
        for index in batch {
            let parts = fetched.remove(index).map(Contents::open).unwrap_or_default();
            bytes += parts.iter().map(|part| part.content.len()).sum::<usize>();
            if bytes > PAGE_CONTENTS && !all.is_empty() {
                page.rows.truncate(all.len());
                page.next = page.rows.last().map(|row| row.index);
                return Ok(all);
            }
            all.insert(*index, parts);
        }
    }
    Ok(all)
}

/// An event as it was recorded; with its contents, or in another form, as that form has it.
fn shown(row: Row, form: Form, parts: Option<Vec<Part>>) -> Result<Box<RawValue>, Refused> {
    if form == Form::Native && parts.is_none() {
        return raw(row.entry);
    }
    let event = row.event().map_err(|error| Refused::internal("reading an entry", &error))?;
    let text = form
        .write(&event, &parts.unwrap_or_default())
        .map_err(|error| Refused::internal("writing an event", &error))?;
    raw(text.into_bytes())
}

/// JSON that is JSON already.
pub(crate) fn raw(json: Vec<u8>) -> Result<Box<RawValue>, Refused> {
    let text = String::from_utf8(json).map_err(|error| Refused::internal("reading an entry", &error))?;
    RawValue::from_string(text).map_err(|error| Refused::internal("reading an entry", &error))
}
