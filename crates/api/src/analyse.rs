//! What an agent did, and what is unusual: counted over the trail by the engine.

use greffier_event::Timestamp;
use greffier_ledger::Anchoring;
use greffier_policy::AdminAction;
use http::{HeaderValue, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admit::{Admitted, Wish};
use crate::api::{Api, Request};
use crate::lookup::encoded;
use crate::refuse::Refused;
use crate::respond;
use crate::visit::Body;

#[derive(Serialize)]
struct Findings<T> {
    findings: Vec<T>,
}

#[derive(Serialize)]
struct Producers<T> {
    producers: Vec<T>,
}

/// What is counted is worth what the trail is worth.
#[derive(Serialize)]
struct Anchored<'a, T> {
    #[serde(flatten)]
    document: &'a T,
    anchoring: &'a Anchoring,
}

/// `GET /api/v1/activity`.
pub(crate) async fn activity(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, now) = (&request.params, request.visit.now);
    let agent = params.text("agent").ok_or_else(|| Refused::bad_parameter("`agent` is missing"))?;
    let (since, until) = (params.time("since", now)?, params.time("until", now)?);
    let admitted = admit(api, &request, "trail:activity", &format!("activity/{}", encoded(agent))).await?;
    let activity = api.engine.activity(admitted.trail(), agent, since, until).await?;
    answer(api, &request, &admitted, &activity)
}

/// `GET /api/v1/findings`.
pub(crate) async fn findings(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, now) = (&request.params, request.visit.now);
    let (since, until) = (params.time("since", now)?, params.time("until", now)?);
    let admitted = admit(api, &request, "trail:findings", "findings").await?;
    let findings = api.engine.findings(admitted.trail(), params.text("agent"), since, until).await?;
    answer(api, &request, &admitted, &Findings { findings })
}

/// `GET /api/v1/producers`.
pub(crate) async fn producers(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, now) = (&request.params, request.visit.now);
    let (since, until) = (params.time("since", now)?, params.time("until", now)?);
    let admitted = admit(api, &request, "trail:producers", "producers").await?;
    let producers = api.engine.producers(admitted.trail(), since, until).await?;
    answer(api, &request, &admitted, &Producers { producers })
}

async fn admit(api: &Api, request: &Request, name: &'static str, place: &str) -> Result<Admitted, Refused> {
    let asked: Map<String, Value> = ["agent", "since", "until"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), request.params.text(name)?.into())))
        .collect();
    let asked = (!asked.is_empty()).then_some(Value::Object(asked));
    let wish = Wish { action: AdminAction::ReadTrail, name, place: place.to_owned(), asked };
    api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await
}

fn answer(
    api: &Api,
    request: &Request,
    admitted: &Admitted,
    document: &impl Serialize,
) -> Result<Response<Body>, Refused> {
    let anchoring = api.appender.heads().anchoring(unix_seconds(request.visit.now));
    let mut response = respond::json(&Anchored { document, anchoring: &anchoring })?;
    if let Anchoring::Unanchored { .. } = anchoring
        && let Ok(value) = HeaderValue::from_str(&anchoring.to_string())
    {
        response.headers_mut().insert("greffier-anchoring", value);
    }
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

pub(crate) fn unix_seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0)
}
