//! Counts: how many events a search finds, by the values of fields and over time.

use greffier_event::Timestamp;
use greffier_policy::AdminAction;
use greffier_query::{Count, CountBy, Counts, Facet, FacetField, Per, Search};
use http::Response;
use serde::Serialize;
use serde_json::Value;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::refuse::Refused;
use crate::respond;
use crate::visit::Body;

/// Values of a field that nobody asked to be more.
const USUAL_VALUES: u64 = 20;
/// Most values of a field in one answer.
const MAX_VALUES: u64 = 10_000;
/// Fields of one question.
const MAX_FIELDS: usize = 16;

/// What a search comes to, in numbers.
#[derive(Serialize)]
pub struct FacetsAnswer {
    total: Tally,
    facets: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<Vec<Step>>,
    /// Entries on the trail when it was counted.
    size: u64,
    /// Whether words were looked for in contents, too; absent where none were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents_searched: Option<bool>,
}

#[derive(Serialize)]
struct Tally {
    events: u64,
    denied: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
}

#[derive(Serialize)]
struct Field {
    field: &'static str,
    values: Vec<Counted>,
    /// How many different values there are.
    distinct: usize,
    /// Events of the values that are left out.
    other: u64,
    /// Events without a value.
    missing: Tally,
}

#[derive(Serialize)]
struct Counted {
    value: Value,
    #[serde(flatten)]
    count: Tally,
}

#[derive(Serialize)]
struct Step {
    /// Its first instant.
    time: Timestamp,
    events: u64,
    denied: u64,
}

impl From<Count> for Tally {
    fn from(count: Count) -> Tally {
        Tally { events: count.events, denied: count.denied, first: count.first, last: count.last }
    }
}

impl From<Facet> for Field {
    fn from(facet: Facet) -> Field {
        let counted = |(value, count): (Value, Count)| Counted { value, count: count.into() };
        Field {
            field: facet.name,
            values: facet.values.into_iter().map(counted).collect(),
            distinct: facet.distinct,
            other: facet.other,
            missing: facet.missing.into(),
        }
    }
}

impl FacetsAnswer {
    /// The counts, as the API writes them; a histogram if one was asked for. `contents_searched` is what the engine says of
    /// the search.
    pub fn new(counts: Counts, with_histogram: bool, contents_searched: Option<bool>) -> FacetsAnswer {
        let step =
            |(time, count): (Timestamp, Count)| Step { time, events: count.events, denied: count.denied };
        FacetsAnswer {
            total: counts.total.into(),
            facets: counts.facets.into_iter().map(Field::from).collect(),
            histogram: with_histogram.then(|| counts.histogram.into_iter().map(step).collect()),
            size: counts.size,
            contents_searched,
        }
    }
}

/// `GET /api/v1/facets`.
pub(crate) async fn facets(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let params = &request.params;
    let query = params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let by = count_by(&request)?;
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:facets",
        place: "facets".to_owned(),
        asked: Some(serde_json::json!({ "q": query, "by": params.text("by"), "per": params.text("per") })),
    };
    let admitted = api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await?;
    let search = api.referring(admitted.trail(), search);
    let counts = request.answered(api.engine.counts(admitted.trail(), &search, &by)).await?;
    let looked = api.engine.looks_into_contents(&search);
    let mut response = respond::json(&FacetsAnswer::new(counts, by.per.is_some(), looked))?;
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

fn count_by(request: &Request) -> Result<CountBy, Refused> {
    let params = &request.params;
    let named: Vec<&str> = params.text("by").map(|by| by.split(',').collect()).unwrap_or_default();
    if named.len() > MAX_FIELDS {
        return Err(Refused::bad_parameter(format!("`by` names {MAX_FIELDS} fields at most")));
    }
    let fields = named.into_iter().map(FacetField::parse).collect::<Result<_, _>>();
    let fields = fields.map_err(|message| Refused::bad_parameter(format!("`by`: {message}")))?;
    let limit = match params.number("limit")?.unwrap_or(USUAL_VALUES) {
        limit @ 1..=MAX_VALUES => usize::try_from(limit).unwrap_or_default(),
        _ => return Err(Refused::bad_parameter(format!("`limit` must be between 1 and {MAX_VALUES}"))),
    };
    let wrong = || {
        Refused::bad_parameter("`per` is no step of a histogram")
            .hint("minute, hour, day, week, month, quarter, year, or a part of a day as in 5m or 6h")
    };
    let per = params.text("per").map(|per| Per::parse(per).ok_or_else(wrong)).transpose()?;
    Ok(CountBy { fields, limit, per })
}
