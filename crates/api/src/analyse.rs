//! What an agent, a user, a tool or a tenant did, and what is unusual: counted over the trail by the engine.

use greffier_event::Timestamp;
use greffier_ledger::Anchoring;
use greffier_policy::AdminAction;
use greffier_query::{Asked, Subject};
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
    /// One behind the last entry that was looked at.
    looked_at: u64,
    /// Events of which nothing is said: there were too many agents or users.
    left_out: u64,
    /// Who is told of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    receivers: Vec<Told>,
}

/// How far a receiver has come with the findings of the trail.
#[derive(Serialize)]
struct Told {
    name: String,
    /// Findings that it has yet to be told.
    waiting: u64,
    /// Since when it takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
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
    let named = ["agent", "user", "tool"].map(|name| params.text(name));
    // Whoever is recorded under a reference is found under it.
    let known = |name: &str| Ok::<_, Refused>(api.subject(&request.caller()?.tenant, name));
    let (subject, place) = match named {
        [Some(id), None, None] => {
            let id = known(id)?;
            let place = format!("activity/{}", encoded(&id));
            (Subject::Agent(id), place)
        }
        [None, Some(sub), None] => {
            let sub = known(sub)?;
            let place = format!("activity/users/{}", encoded(&sub));
            (Subject::User(sub), place)
        }
        [None, None, Some(name)] => {
            (Subject::Tool(name.to_owned()), format!("activity/tools/{}", encoded(name)))
        }
        [None, None, None] => {
            let trail = request.named_trail().unwrap_or(request.caller()?.tenant.as_str());
            (Subject::Tenant(trail.to_owned()), "activity".to_owned())
        }
        _ => return Err(Refused::bad_parameter("only one of `agent`, `user` and `tool` is taken")),
    };
    let (since, until) = (params.time("since", now)?, params.time("until", now)?);
    let admitted = admit(api, &request, "trail:activity", &place).await?;
    let activity = api.engine.activity(admitted.trail(), subject, since, until).await?;
    answer(api, &request, &admitted, &activity)
}

/// `GET /api/v1/findings`.
pub(crate) async fn findings(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, now) = (&request.params, request.visit.now);
    let known = |name| {
        let named = params.text(name).map(|name| Ok(api.subject(&request.caller()?.tenant, name)));
        named.transpose().map_err(|error: Refused| error)
    };
    let asked = Asked {
        agent: known("agent")?,
        user: known("user")?,
        since: params.time("since", now)?,
        until: params.time("until", now)?,
    };
    let admitted = admit(api, &request, "trail:findings", "findings").await?;
    let looked = api.watch.findings(admitted.trail(), &asked).await?;
    let mut receivers = Vec::new();
    for (name, receiver) in api.receivers.all() {
        let next = receiver.next.get(admitted.trail()).copied().unwrap_or(0);
        let waiting = api.watch.untold(admitted.trail(), next, receiver.least).await?;
        let (failing_since, reason) = receiver.failing.unzip();
        receivers.push(Told { name, waiting, failing_since, reason });
    }
    let (looked_at, left_out) = (looked.looked_at, looked.left_out);
    answer(api, &request, &admitted, &Findings { findings: looked.findings, looked_at, left_out, receivers })
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
    let asked: Map<String, Value> = ["agent", "user", "tool", "since", "until"]
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
