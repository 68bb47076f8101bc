//! Reports on standards: whose trail, which period, and the statements put to the engine, one after another.
//!
//! What is asked and what comes of it is the analysis' to say; this file only asks, of the entries that a checkpoint
//! covers, so that every answer can be had again.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use greffier_analysis::{
    Answer, Answers, Asked, Assessment, Frame, Head, Inquiry, On, Period, Person, STANDARDS, Standard,
    Statement, Summary, TrailState, html, standard, summary_html,
};
use greffier_event::limits::REFERENCE_PREFIX;
use greffier_event::{Tenant, Timestamp};
use greffier_ledger::{Anchoring, KeyRing, ReadError, Reader, Target};
use greffier_merkle::Checkpoint;
use greffier_merkle::note::SignedNote;
use greffier_policy::AdminAction;
use greffier_query::{Engine, QueryError};
use http::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::time::Instant;

use crate::admit::Wish;
use crate::analyse::unix_seconds;
use crate::api::{Api, Request};
use crate::params::Params;
use crate::refuse::Refused;
use crate::respond::{self, HTML};
use crate::steps;
use crate::visit::Body;

/// How long a report waits for a busy engine with each statement, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// The first document's report, which is no standard.
const SUMMARY: &str = "summary";

/// What a report is to be about.
#[derive(Clone, Debug)]
pub struct ReportOrder {
    /// The standard.
    pub standard: &'static Standard,
    /// The period.
    pub period: Period,
    /// The time zone that it was named in.
    pub zone: TimeZone,
    /// Whom it is about besides.
    pub person: Option<Person>,
}

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No standard has this name.
    #[error("there is no report `{0}`")]
    Standard(String),
    /// The period is none.
    #[error("{0}")]
    Period(String),
    /// Nobody can be asked about in this way.
    #[error("{0}")]
    Person(&'static str),
    /// The trail has no checkpoint yet.
    #[error("the trail {0} has no checkpoint yet: there is nothing to report on")]
    NoCheckpoint(Tenant),
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The engine refused.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A thread ended early.
    #[error("a thread ended early")]
    Thread,
}

impl ReportOrder {
    /// Reads what somebody asks for. A day begins where `zone` (an IANA name, UTC without one) says; `to` is the first
    /// instant after the period.
    ///
    /// # Errors
    /// When there is no such standard, no such time, or nothing between them.
    pub fn new(name: &str, from: &str, to: &str, zone: Option<&str>) -> Result<ReportOrder, ReportError> {
        let known = standard(name).ok_or_else(|| ReportError::Standard(name.chars().take(32).collect()))?;
        let (period, zone) = period(from, to, zone)?;
        Ok(ReportOrder { standard: known, period, zone, person: None })
    }

    /// The same, with what the trail has about one person besides.
    ///
    /// # Errors
    /// When the standard gives people no right to ask.
    pub fn about(self, person: Option<Person>) -> Result<ReportOrder, ReportError> {
        if person.is_some() && self.standard.of_person.is_empty() {
            return Err(ReportError::Person("only the report `gdpr` is made about one person"));
        }
        Ok(ReportOrder { person, ..self })
    }
}

/// How a trail names somebody: its user `user`, the subject `subject` (a value, or its reference), or both as one person.
/// Without keys nobody can tell a value's reference, nor which erasures were theirs.
///
/// # Errors
/// When a subject's value is given, and no keys.
pub fn person(
    keys: Option<&KeyRing>,
    trail: &Tenant,
    user: Option<&str>,
    subject: Option<&str>,
) -> Result<Option<Person>, ReportError> {
    if user.is_none() && subject.is_none() {
        return Ok(None);
    }
    let mut person = Person::default();
    if let Some(sub) = user {
        person.users.push(sub.to_owned());
        if let Some(keys) = keys {
            // Whoever is personal by name is on the trail under a reference, and that is who holds the contents.
            let reference = keys.reference(trail, "user", sub);
            let holders = [reference.clone(), keys.reference(trail, "user", &reference)];
            person.targets.extend(holders.into_iter().map(|holder| Target::User(holder).uri(trail)));
            person.users.push(reference);
        }
    }
    if let Some(value) = subject {
        let reference = match (value.starts_with(REFERENCE_PREFIX), keys) {
            (true, _) => value.to_owned(),
            (false, Some(keys)) => keys.reference(trail, "subject", value),
            (false, None) => {
                return Err(ReportError::Person(
                    "a subject's value is found with the keys only: name its reference",
                ));
            }
        };
        person.targets.push(Target::Subject(reference.clone()).uri(trail));
        person.subjects.push(reference);
    }
    Ok(Some(person))
}

/// A period as people name it, and the zone in which they do.
///
/// # Errors
/// When a time is none, or nothing is between them.
pub fn period(from: &str, to: &str, zone: Option<&str>) -> Result<(Period, TimeZone), ReportError> {
    let name = zone.unwrap_or("UTC");
    let wrong = || {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(48).collect();
        ReportError::Period(format!("`{shown}` is no time zone: name one as in Europe/Berlin or UTC"))
    };
    let zone = if name == "UTC" { TimeZone::UTC } else { TimeZone::get(name).map_err(|_| wrong())? };
    let (start, end) = (instant(from, &zone)?, instant(to, &zone)?);
    if start >= end {
        return Err(ReportError::Period(
            "the period ends before it begins: `to` is the first day after it".to_owned(),
        ));
    }
    Ok((Period { start, end }, zone))
}

/// A day's beginning in a zone, or an instant as RFC 3339 has it.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, ReportError> {
    let wrong = || {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(48).collect();
        ReportError::Period(format!("`{shown}` is no time: expected a day, as in 2026-03-01, or RFC 3339"))
    };
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-03-01".len()
    {
        let zoned = date.to_zoned(zone.clone()).map_err(|_| wrong())?;
        return Ok(Timestamp::from_micros(zoned.timestamp().as_microsecond()));
    }
    text.parse().map_err(|_| wrong())
}

/// Makes a report of a trail, and of the node's where it may be read. `now` is when it is made.
///
/// # Errors
/// When the trail has no checkpoint, or cannot be read. What is too much for one question is not assessed.
pub async fn assess(
    engine: &Engine,
    order: &ReportOrder,
    trail: &Tenant,
    node: bool,
    anchoring: &Anchoring,
    now: Timestamp,
) -> Result<Assessment, ReportError> {
    let (reader, of) = (engine.reader().clone(), trail.clone());
    let states = tokio::task::spawn_blocking(move || {
        let node = if node { state(&reader, &Tenant::node())? } else { None };
        Ok::<_, ReadError>((state(&reader, &of)?, node))
    });
    let (state, node) = states.await.map_err(|_| ReportError::Thread)??;
    let frame = Frame {
        period: order.period,
        zone: steps::name(&order.zone).to_owned(),
        steps: steps::steps(order.period, &order.zone, now),
        made: now,
        trail: state.ok_or_else(|| ReportError::NoCheckpoint(trail.clone()))?,
        node,
        anchored: match anchoring {
            Anchoring::Unanchored { reason } => Err(reason.to_string()),
            _ => Ok(()),
        },
        person: order.person.clone(),
    };
    let inquiry = Inquiry::new(order.standard, frame);
    // Half of the engine's places: others ask as well.
    let at_once = (engine.limits().concurrent / 2).max(1);
    let asked: Vec<_> = inquiry
        .statements()
        .map(|(place, Statement { on, sql })| {
            let trail = if *on == On::Node { Tenant::node() } else { trail.clone() };
            answered(engine.clone(), place, trail, sql.clone())
        })
        .collect();
    let answers: Answers = stream::iter(asked).buffer_unordered(at_once).try_collect().await?;
    Ok(inquiry.assess(answers))
}

/// The first document's report of a trail. `now` is when it is made.
///
/// # Errors
/// When the trail cannot be read.
pub async fn summary(
    engine: &Engine,
    trail: &Tenant,
    period: Period,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Summary, QueryError> {
    let report = engine.report(trail, period.start, period.end).await?;
    Ok(Summary::new(trail.as_str(), steps::name(zone), now, report))
}

async fn answered(
    engine: Engine,
    place: Asked,
    trail: Tenant,
    sql: String,
) -> Result<(Asked, Answer), ReportError> {
    Ok((place, ask(&engine, &trail, &sql).await?))
}

/// What a trail answers. What it cannot answer within the bounds of a question is said, and is no reason to stop.
async fn ask(engine: &Engine, trail: &Tenant, sql: &str) -> Result<Answer, ReportError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match engine.sql(trail, sql).await {
            Err(QueryError::Busy) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Err(error @ (QueryError::TooLarge(_) | QueryError::Timeout(_))) => {
                return Ok(Answer::None(error.to_string()));
            }
            table => return Ok(Answer::Rows(table?.rows()?)),
        }
    }
}

/// A trail as of the checkpoint that an evidence pack takes: the newest cosigned one, or where there is none the newest.
fn state(reader: &Reader, trail: &Tenant) -> Result<Option<TrailState>, ReadError> {
    use base64::Engine as _;
    let note = match reader.cosigned(trail)? {
        Some(note) => Some(note),
        None => reader.checkpoint(trail)?,
    };
    let checkpoint = note.and_then(|note| Checkpoint::parse(SignedNote::parse(&note).ok()?.text()).ok());
    Ok(checkpoint.map(|checkpoint| TrailState {
        name: trail.to_string(),
        head: Head {
            origin: checkpoint.origin.clone(),
            size: checkpoint.size,
            root: base64::prelude::BASE64_STANDARD.encode(checkpoint.root),
        },
    }))
}

/// What the parameters of a request ask for.
pub(crate) fn ordered(
    api: &Api,
    name: &str,
    params: &Params,
    trail: &Tenant,
) -> Result<ReportOrder, Refused> {
    let (from, to) = bounds(params)?;
    // Whoever is recorded under a reference is found, and answered about, under it.
    let user = params.text("user").map(|sub| api.subject(trail, sub));
    let subject = params.text("subject").map(|value| match api.eraser() {
        Ok(eraser) => api.subject_reference(eraser, trail, value),
        Err(refused) => Err(refused),
    });
    let person = person(Some(api.appender.keys()), trail, user.as_deref(), subject.transpose()?.as_deref())?;
    Ok(ReportOrder::new(name, from, to, params.text("tz"))?.about(person)?)
}

fn bounds(params: &Params) -> Result<(&str, &str), Refused> {
    let missing = |name: &str| Refused::bad_parameter(format!("`{name}` is missing"));
    let from = params.text("from").ok_or_else(|| missing("from"))?;
    Ok((from, params.text("to").ok_or_else(|| missing("to"))?))
}

impl Api {
    /// Makes a report for a caller who was admitted to the trail. The node's own trail is read where the policies permit
    /// it, and that is on record there.
    pub(crate) async fn assess(
        &self,
        request: &Request,
        order: &ReportOrder,
        trail: &Tenant,
    ) -> Result<Assessment, Refused> {
        let (visit, caller) = (&request.visit, request.caller()?);
        let node = self.may_read_node(visit, caller);
        if node && !trail.is_node() {
            let wish = Wish {
                action: AdminAction::ReadTrail,
                name: "trail:report",
                place: format!("reports/{}", order.standard.name),
                asked: None,
            };
            self.admit(visit, caller, Some(Tenant::NODE), wish).await?;
        }
        let anchoring = self.appender.heads().anchoring(unix_seconds(visit.now));
        Ok(assess(&self.engine, order, trail, node, &anchoring, visit.now).await?)
    }
}

/// `GET /api/v1/reports/{standard}`.
pub(crate) async fn report(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (name, params) = (request.matched.capture("standard").to_owned(), &request.params);
    let page = match params.text("format") {
        None | Some("json") => false,
        Some("html") => true,
        Some(_) => return Err(Refused::bad_parameter("`format` must be json or html")),
    };
    let (from, to) = bounds(params)?;
    // What is wrong with the request is said before anything is on record.
    let named = match request.named_trail() {
        Some(name) => Tenant::new(name).map_err(|_| Refused::not_found("there is no such trail"))?,
        None => request.caller()?.tenant.clone(),
    };
    let order = if name == SUMMARY { None } else { Some(ordered(api, &name, params, &named)?) };
    let (period, zone) = period(from, to, params.text("tz"))?;
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:report",
        place: format!("reports/{name}"),
        asked: Some(json!({
            "from": from, "to": to, "tz": params.text("tz"),
            "user": params.text("user"), "subject": params.text("subject"),
        })),
    };
    let admitted = api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    let mut response = match order {
        None => {
            let summary = summary(&api.engine, &trail, period, &zone, request.visit.now).await?;
            if page { respond::bytes(HTML, summary_html(&summary)) } else { respond::json(&summary)? }
        }
        Some(order) => {
            let report = api.assess(&request, &order, &trail).await?;
            if page { respond::bytes(HTML, html(&report)) } else { respond::json(&report)? }
        }
    };
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

impl From<ReportError> for Refused {
    fn from(error: ReportError) -> Refused {
        match error {
            ReportError::Standard(_) => {
                let names: Vec<&str> = STANDARDS.iter().map(|standard| standard.name).collect();
                Refused::not_found(error.to_string())
                    .hint(format!("known are {}, {SUMMARY}", names.join(", ")))
            }
            ReportError::Period(message) => Refused::bad_parameter(message),
            ReportError::Person(message) => Refused::bad_parameter(message),
            ReportError::NoCheckpoint(_) => Refused::new(409, "no_checkpoint", error.to_string()),
            ReportError::Read(error) => error.into(),
            ReportError::Query(error) => error.into(),
            ReportError::Thread => Refused::internal("making a report", &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_half_open_and_days_begin_where_people_are() {
        let check = |from: &str, to: &str, zone: Option<&str>| match period(from, to, zone) {
            Ok((period, zone)) => format!("{} {} {}", period.start, period.end, steps::name(&zone)),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(check("2026-03-01", "2026-04-01", None), @"2026-03-01T00:00:00.000000Z 2026-04-01T00:00:00.000000Z UTC");
        // The clocks go forward within the month.
        insta::assert_snapshot!(check("2026-03-01", "2026-04-01", Some("Europe/Berlin")), @"2026-02-28T23:00:00.000000Z 2026-03-31T22:00:00.000000Z Europe/Berlin");
        insta::assert_snapshot!(check("2026-03-01T09:00:00+01:00", "2026-03-02", None), @"2026-03-01T08:00:00.000000Z 2026-03-02T00:00:00.000000Z UTC");
        insta::assert_snapshot!(check("2026-03-01", "2026-03-01", None), @"the period ends before it begins: `to` is the first day after it");
        insta::assert_snapshot!(check("march", "2026-03-01", None), @"`march` is no time: expected a day, as in 2026-03-01, or RFC 3339");
        insta::assert_snapshot!(check("2026-03-01", "2026-04-01", Some("Mars/Olympus")), @"`Mars/Olympus` is no time zone: name one as in Europe/Berlin or UTC");
    }
}
