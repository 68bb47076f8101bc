//! Ingest: what happened elsewhere, put on record as a claim.
//!
//! Each line is read, screened and stamped by itself, so that a broken one loses only itself; what is left is
//! submitted in its order. The ledger decides what is a repetition: by the id, and by a digest of what the
//! producer said, made before anything of ours is added or taken out.

mod lines;
mod screen;
mod subjects;

use greffier_event::{
    Draft, EventId, EventType, Form, InvalidEvent, OutcomeStatus, Principal, Reading, Tenant, Timestamp,
    Trust,
};
use greffier_ledger::{AppendError, Level, NoWitnesses, Recorded, Submission};
use greffier_merkle::hash;
use greffier_policy::AdminAction;
use http::{Response, StatusCode, header};
use serde::Serialize;

use self::lines::Line;
pub(crate) use self::lines::essence;
use crate::admit::{Admitted, Wish, outcome};
use crate::api::{Api, Request};
use crate::level;
use crate::refuse::Refused;
use crate::respond::{self, Place};
use crate::visit::{Body, event_id};

/// How events may reach this route.
const CHANNELS: [&str; 2] = ["sdk", "import"];

#[derive(Serialize)]
struct Answer {
    receipts: Vec<Taken>,
    errors: Vec<LineError>,
}

/// A line that is on record.
#[derive(Serialize)]
struct Taken {
    line: usize,
    id: EventId,
    tenant: Tenant,
    #[serde(flatten)]
    place: Place,
    /// Whether it was on record already.
    repeated: bool,
    /// What the receipt is worth, where more than durable was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
}

/// A line that is not, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LineError {
    line: usize,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    pub(crate) message: String,
}

/// A line that can be submitted.
struct Readable {
    line: usize,
    id: EventId,
    submission: Submission,
}

/// `POST /api/v1/events`.
pub(crate) async fn ingest(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?.clone();
    let channel = channel(request.params.text("channel"))?;
    let asked = level::asked(&request.params)?;
    if asked == Some(Level::Witnessed) && !api.appender.heads().is_witnessed() {
        return Err(NoWitnesses.into());
    }
    let admitted = api.admit_unrecorded(&request.visit, &caller, wish(None)).await?;
    api.appender.is_recording().map_err(|_| Refused::not_recording())?;

    // Reading, inspecting and hashing up to a whole body of events takes a while: not on a thread that serves.
    let visit = &request.visit;
    let media = visit.header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let (body, now, reader) = (visit.body.clone(), visit.now, api.clone());
    let (trail, submitter) = (admitted.trail().clone(), caller.clone());
    let read = move || {
        let lines = lines::split(&media, &body)?;
        let producer = Producer { api: &reader, tenant: &trail, channel, submitter: &submitter, now };
        Ok::<_, Refused>(producer.read(lines))
    };
    let read = tokio::task::spawn_blocking(read).await;
    let (readable, mut errors) = read.map_err(|error| Refused::internal("reading an ingest", &error))??;

    let (marks, batch): (Vec<_>, Vec<_>) =
        readable.into_iter().map(|line| ((line.line, line.id), line.submission)).unzip();
    let mut receipts = Vec::with_capacity(marks.len());
    let results = api.appender.submit(batch).await;
    let mut conflicts = Vec::new();
    for ((line, id), result) in marks.into_iter().zip(results) {
        match result {
            Ok(Recorded { receipt, repeated }) => {
                let (tenant, place) = (admitted.trail().clone(), Place::from(&receipt));
                receipts.push(Taken { line, id, tenant, place, repeated, level: None });
            }
            Err(error) => {
                if matches!(error, AppendError::Conflict { .. }) {
                    conflicts.push(conflict(api, &request, &caller, &admitted, id));
                }
                errors.push(unrecorded(line, &error));
            }
        }
    }
    // Together: they share syncs.
    futures_util::future::try_join_all(conflicts).await?;
    errors.sort_by_key(|error| error.line);
    say_levels(api, &request, admitted.trail(), asked, &mut receipts).await?;
    let status = status(receipts.len(), &errors);
    let mut response = respond::json(&Answer { receipts, errors })?;
    *response.status_mut() = status;
    Ok(response)
}

/// Waits, for a while, until the receipts have the level that is asked for, or that the trail requires; then says which
/// they have. They are valid whatever it is.
async fn say_levels(
    api: &Api,
    request: &Request,
    trail: &Tenant,
    asked: Option<Level>,
    receipts: &mut [Taken],
) -> Result<(), Refused> {
    let heads = api.appender.heads();
    let required = heads.requires_witnesses(trail).then_some(Level::Witnessed);
    let (Some(level), Some(last)) =
        (asked.or(required), receipts.iter().map(|taken| taken.place.index).max())
    else {
        return Ok(());
    };
    api.reach(trail, last, level, &request.visit.stop).await?;
    for taken in receipts {
        taken.level = Some(heads.level(trail, taken.place.index).name());
    }
    Ok(())
}

fn channel(given: Option<&str>) -> Result<&'static str, Refused> {
    let given = given.unwrap_or("sdk");
    let known = CHANNELS.into_iter().find(|channel| *channel == given);
    known.ok_or_else(|| Refused::bad_parameter("`channel` must be sdk or import"))
}

pub(crate) fn wish(id: Option<EventId>) -> Wish {
    let place = id.map_or_else(|| "events".to_owned(), |id| format!("events/{id}"));
    Wish { action: AdminAction::Ingest, name: "trail:ingest", place, asked: None }
}

/// Where lines come from, and under which words they are recorded.
pub(crate) struct Producer<'a> {
    pub(crate) api: &'a Api,
    pub(crate) tenant: &'a Tenant,
    pub(crate) channel: &'static str,
    pub(crate) submitter: &'a Principal,
    pub(crate) now: Timestamp,
}

impl Producer<'_> {
    fn read(&self, lines: Vec<Line<'_>>) -> (Vec<Readable>, Vec<LineError>) {
        let mut readable = Vec::with_capacity(lines.len());
        let mut errors = Vec::new();
        for Line { number, text } in lines {
            let text = text.ok_or_else(|| InvalidEvent::new("document", "is not UTF-8"));
            match text.and_then(|text| self.submission(text)) {
                Ok((id, submission)) => readable.push(Readable { line: number, id, submission }),
                Err(error) => errors.push(invalid(number, &error)),
            }
        }
        (readable, errors)
    }

    fn submission(&self, text: &str) -> Result<(EventId, Submission), InvalidEvent> {
        let keys = self.api.appender.keys();
        let referenced = subjects::referenced(text, self.tenant, keys);
        let text = referenced.as_deref().unwrap_or(text);
        let reading =
            Reading { tenant: self.tenant, id: self.id(text), channel: self.channel, trust: Trust::Outside };
        self.take(Form::detect(text)?.read(text, &reading)?)
    }

    /// Screens and stamps what was read, whatever form it came in.
    pub(crate) fn take(&self, mut draft: Draft) -> Result<(EventId, Submission), InvalidEvent> {
        let digest = digest(&draft)?;
        screen::screen(&mut draft, &self.api.scanner, self.api.appender.keys());
        self.stamp(&mut draft);
        Ok((draft.event.id, Submission { draft, digest }))
    }

    /// The id of an event that brings none. An import is run again when it broke off: the same line has the same
    /// id then. It is keyed, so that nobody can try which line it stands for.
    fn id(&self, text: &str) -> EventId {
        let keys = self.api.appender.keys();
        let tag = (self.channel == "import").then(|| keys.reference(self.tenant, "import", text));
        let bytes = tag.and_then(|tag| uuid::Uuid::parse_str(tag.strip_prefix("ref:")?).ok());
        match bytes {
            Some(bytes) => EventId(uuid::Builder::from_custom_bytes(bytes.into_bytes()).into_uuid()),
            None => event_id(self.now),
        }
    }

    fn stamp(&self, draft: &mut Draft) {
        let event = &mut draft.event;
        event.recorded_at = Some(self.now);
        let source = event.source.get_or_insert_default();
        source.channel = self.channel.to_owned();
        source.node = Some(self.api.node.to_string());
        // Who submitted stands for who acted, unless the producer says otherwise.
        if source.token.is_none() && source.oauth_client.is_none() {
            source.token = self.submitter.token.clone();
            source.oauth_client = self.submitter.client_id.as_deref().map(|client| self.api.short(client));
        }
    }
}

/// What the producer said, whatever way it came.
fn digest(draft: &Draft) -> Result<greffier_merkle::Hash, InvalidEvent> {
    let mut event = draft.event.clone();
    if let Some(source) = &mut event.source {
        source.channel.clear();
    }
    Ok(hash::sha256(Form::Native.write(&event, &draft.parts)?.as_bytes()))
}

fn invalid(line: usize, error: &InvalidEvent) -> LineError {
    let (field, message) = (Some(error.field().to_owned()), error.problem().to_owned());
    LineError { line, code: "invalid_event", field, message }
}

pub(crate) fn unrecorded(line: usize, error: &AppendError) -> LineError {
    let code = match error {
        AppendError::Invalid(error) => return invalid(line, error),
        AppendError::Conflict { .. } => "conflict",
        AppendError::TooLarge => "too_large",
        error if error.is_unavailable() => {
            tracing::error!(%error, "cannot record an ingested event");
            let message = "this cannot be recorded now: send it again".to_owned();
            return LineError { line, code: "not_recording", field: None, message };
        }
        _ => "refused",
    };
    LineError { line, code, field: None, message: error.to_string() }
}

/// One answer for all lines: 200 if every one was taken, 207 if some were, else what the errors have in common.
fn status(taken: usize, errors: &[LineError]) -> StatusCode {
    let all = |code| errors.iter().all(|error| error.code == code);
    match (taken, errors.len()) {
        (_, 0) => StatusCode::OK,
        (0, _) if all("conflict") => StatusCode::CONFLICT,
        (0, _) if all("too_large") => StatusCode::PAYLOAD_TOO_LARGE,
        (0, _) if errors.iter().any(|error| error.code == "not_recording") => StatusCode::SERVICE_UNAVAILABLE,
        (0, _) => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    }
}

/// Two accounts of one id: somebody is mistaken, or lies. That is an event.
pub(crate) async fn conflict(
    api: &Api,
    request: &Request,
    caller: &Principal,
    admitted: &Admitted,
    id: EventId,
) -> Result<(), Refused> {
    let wish = wish(Some(id));
    let decision = greffier_event::Decision {
        kind: greffier_event::DecisionKind::Allow,
        rule: None,
        reasons: Vec::new(),
        version: request.visit.policies.digest().to_owned(),
    };
    let mut event = api.event(&request.visit, caller, admitted.trail(), &wish, &decision, EventType::Error);
    event.policy = None;
    event.outcome = Some(outcome(OutcomeStatus::Failure, Some("conflict")));
    api.record(Draft { event, parts: Vec::new() }).await.map(drop)
}

#[cfg(test)]
mod tests;
