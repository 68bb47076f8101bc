//! One event, one call, one session: with their contents, and with where they stand on the trail.

use greffier_event::{Event, EventId, InvalidEvent};
use greffier_policy::AdminAction;
use greffier_query::Row;
use http::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::admit::{Admitted, Wish};
use crate::api::{Api, Request};
use crate::chain::{Chain, in_order_of_time};
use crate::events::raw;
use crate::parts::{self, Shown};
use crate::refuse::Refused;
use crate::respond::{self, Place};
use crate::summary::{Summary, summaries};
use crate::visit::Body;

/// What does not stand in a segment of a URI as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// An event as it was recorded, with what is known about its entry.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    place: Place,
    /// `enforced` by the gateway, `cooperative` where a client asked by itself, else a `claim`.
    standing: &'static str,
    event: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Shown>>,
}

#[derive(Serialize)]
struct Call {
    request_id: String,
    /// Events that are not here: what others than the gateway say of it, after what is.
    #[serde(skip_serializing_if = "is_none")]
    left_out: u64,
    /// One line per channel that speaks of it.
    calls: Vec<Summary>,
    events: Vec<Entry>,
}

#[derive(Serialize)]
struct Session {
    session_id: String,
    /// Events that came later and are not here.
    #[serde(skip_serializing_if = "is_none")]
    left_out: u64,
    #[serde(flatten)]
    chain: Chain,
    events: Vec<Entry>,
}

/// `GET /api/v1/events/{id}`.
pub(crate) async fn event(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let id = event_id(request.matched.capture("id"))?;
    let with_parts = request.params.flag("parts", true)?;
    let admitted = admit(api, &request, "trail:event", format!("events/{id}")).await?;
    let row = request.answered(api.engine.event(admitted.trail(), id)).await?;
    let row = row.ok_or_else(|| Refused::not_found("no event of this trail has this id"));
    let row = row.map_err(|refused| with_receipt(refused, &admitted))?;
    let entry = entries(api, &admitted, vec![row], with_parts).await?.0.pop();
    answer(&request, &admitted, &entry)
}

/// `GET /api/v1/calls/{request_id}`.
pub(crate) async fn call(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let request_id = request.matched.capture("request_id").to_owned();
    let with_parts = request.params.flag("parts", true)?;
    let admitted = admit(api, &request, "trail:call", format!("calls/{}", encoded(&request_id))).await?;
    let rows = request.answered(api.engine.call(admitted.trail(), &request_id)).await?;
    if rows.is_empty() {
        return Err(with_receipt(Refused::not_found("no call of this trail has this request id"), &admitted));
    }
    let left_out = api.engine.left_out_of_call(admitted.trail(), &request_id, rows.len());
    let left_out = request.answered(left_out).await?;
    let (events, typed) = entries(api, &admitted, rows, with_parts).await?;
    answer(&request, &admitted, &Call { request_id, left_out, calls: summaries(&typed), events })
}

/// `GET /api/v1/sessions/{id}`.
pub(crate) async fn session(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let session_id = request.matched.capture("id").to_owned();
    let with_parts = request.params.flag("parts", true)?;
    let admitted =
        admit(api, &request, "trail:session", format!("sessions/{}", encoded(&session_id))).await?;
    let rows = request.answered(api.engine.session(admitted.trail(), &session_id)).await?;
    if rows.is_empty() {
        return Err(with_receipt(
            Refused::not_found("no event of this trail has this session id"),
            &admitted,
        ));
    }
    let rows = in_order_of_time(rows).map_err(broken)?;
    let left_out = request.answered(api.engine.left_out(admitted.trail(), &session_id, rows.len())).await?;
    let (events, typed) = entries(api, &admitted, rows, with_parts).await?;
    answer(&request, &admitted, &Session { session_id, left_out, chain: Chain::of(&typed), events })
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// An id in a path.
pub(crate) fn event_id(text: &str) -> Result<EventId, Refused> {
    let wrong = |_| Refused::bad_parameter("an event's id is a UUID");
    Uuid::parse_str(text).map(EventId).map_err(wrong)
}

/// What a record is worth by the way it came. Whoever joins events of one request id sees it at each.
fn standing(event: &Event) -> &'static str {
    match event.source.as_ref().map(|source| source.channel.as_str()) {
        Some("gateway") => "enforced",
        Some("hook") => "cooperative",
        _ => "claim",
    }
}

fn with_receipt(refused: Refused, admitted: &Admitted) -> Refused {
    match admitted.receipt() {
        Some(receipt) => refused.receipt(&receipt),
        None => refused,
    }
}

/// An id as a segment of a URI.
pub(crate) fn encoded(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, ESCAPED).to_string()
}

async fn admit(api: &Api, request: &Request, name: &'static str, place: String) -> Result<Admitted, Refused> {
    let wish = Wish { action: AdminAction::ReadTrail, name, place, asked: None };
    api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await
}

fn answer(
    request: &Request,
    admitted: &Admitted,
    document: &impl Serialize,
) -> Result<Response<Body>, Refused> {
    let mut response = respond::json(document)?;
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

fn broken(error: InvalidEvent) -> Refused {
    Refused::internal("reading an entry", &error)
}

async fn entries(
    api: &Api,
    admitted: &Admitted,
    rows: Vec<Row>,
    with_parts: bool,
) -> Result<(Vec<Entry>, Vec<(u64, Event)>), Refused> {
    let typed = rows.iter().map(|row| Ok((row.index, row.event()?)));
    let typed: Vec<(u64, Event)> = typed.collect::<Result<_, InvalidEvent>>().map_err(broken)?;
    let holding = typed.iter().filter(|(_, event)| with_parts && !event.parts.is_empty());
    let indexes: Vec<u64> = holding.map(|(index, _)| *index).collect();
    let mut contents = api.contents(admitted.trail(), &indexes).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for (row, (_, event)) in rows.into_iter().zip(&typed) {
        entries.push(Entry {
            place: Place::of(admitted.trail(), row.index, &row.entry),
            standing: standing(event),
            parts: contents.remove(&row.index).map(|contents| parts::shown(event, contents)),
            event: raw(row.entry)?,
        });
    }
    Ok((entries, typed))
}
