//! Ingest: what happened elsewhere, put on record as a claim.
//!
//! Each line is read, screened and stamped by itself, so that a broken one loses only itself; what is left is
//! submitted in its order. The ledger decides what is a repetition: by the id, and by a digest of what the
//! producer said, made before anything of ours is added or taken out.
//!
//! What comes as one event per line is recorded while it comes (`upload`), a batch at a time (`taking`). It may break
//! off in the middle: what the answer names is on record, and whoever sends the rest again, or all of it, doubles
//! nothing.

mod coding;
mod lines;
mod screen;
mod sequence;
mod subjects;
mod taking;
mod upload;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use greffier_event::{
    Claim, Draft, EventId, EventType, InvalidEvent, OutcomeStatus, Principal, Tenant, Timestamp,
};
use greffier_ledger::{AppendError, Level, NoWitnesses, Submission};
use greffier_merkle::{Hash, Receipt, hash};
use greffier_policy::AdminAction;
use http::{Response, StatusCode, header};
use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::time::Instant;

use self::lines::Line;
pub(crate) use self::lines::essence;
use self::screen::Clean;
pub(crate) use self::sequence::Sequences;
use self::taking::{Readable, Taking};
use self::upload::{Broken, Upload};
use crate::admit::{Admitted, Wish, outcome};
use crate::api::{Api, Request};
use crate::level;
use crate::refuse::{Refused, Unreadable};
use crate::respond;
use crate::visit::{Body, Visit, event_id};

/// Where events are taken.
pub(crate) const PATH: &str = "/api/v1/events";
/// The header in which a sender says when it sent the request, by its own clock.
const SENT_AT: &str = "greffier-sent-at";
/// Events of one request that come line by line: their receipts are one answer, of some 25 MB.
const MAX_STREAMED: usize = 100_000;
/// How events may reach this route.
const CHANNELS: [&str; 2] = ["sdk", "import"];

#[derive(serde::Serialize)]
struct Answer {
    receipts: Vec<Taken>,
    errors: Vec<LineError>,
    /// Of producers that number their events: what is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    producers: Vec<sequence::Told>,
}

/// A line that is on record.
struct Taken {
    line: usize,
    id: EventId,
    /// The id that the event came with, where an event of another producer has it.
    given: Option<EventId>,
    receipt: Receipt,
    /// Whether it was on record already.
    repeated: bool,
    /// What the receipt is worth, where more than durable was asked for.
    level: Option<&'static str>,
}

impl Serialize for Taken {
    /// Written at once: an answer has thousands of them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Taken { line, id, given, receipt, repeated, level } = self;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("line", line)?;
        fields.serialize_entry("id", id)?;
        if let Some(given) = given {
            fields.serialize_entry("given", given)?;
        }
        fields.serialize_entry("tenant", &receipt.trail)?;
        fields.serialize_entry("index", &receipt.index)?;
        fields.serialize_entry("leaf", &Leaf(&receipt.leaf_hash))?;
        fields.serialize_entry("receipt", &OneLine(receipt))?;
        fields.serialize_entry("repeated", repeated)?;
        if let Some(level) = level {
            fields.serialize_entry("level", level)?;
        }
        fields.end()
    }
}

/// A leaf hash in base64, as in proofs.
struct Leaf<'a>(&'a Hash);

impl Serialize for Leaf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 44];
        let len = BASE64_STANDARD.encode_slice(self.0, &mut text).unwrap_or_default();
        serializer.serialize_str(
            text.get(..len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default(),
        )
    }
}

/// A receipt as `greffier verify --receipt` takes it.
struct OneLine<'a>(&'a Receipt);

impl Serialize for OneLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// A line that is not, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct LineError {
    line: usize,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    pub(crate) message: String,
}

/// `POST /api/v1/events`.
pub(crate) async fn ingest(api: &Api, mut request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?.clone();
    let channel = channel(request.params.text("channel"))?;
    let asked = level::asked(&request.params)?;
    if asked == Some(Level::Witnessed) && !api.appender.heads().is_witnessed() {
        return Err(NoWitnesses.into());
    }
    let skew_us = skew(&request.visit)?;
    let admitted = api.admit_unrecorded(&request.visit, &caller, wish(None)).await?;
    api.appender.is_recording().map_err(|_| Refused::not_recording())?;

    let media = request.visit.header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let mut upload = Upload::open(&mut request.visit)?;
    let began = (request.visit.now, Instant::now());
    let reader = Reader {
        api: api.clone(),
        trail: admitted.trail().clone(),
        channel,
        caller: caller.clone(),
        skew_us,
        began,
    };
    let mut taking = Taking::new(reader.clone());
    let mut unreadable = None;
    if lines::is_by_line(&media) {
        let mut waiting = Vec::new();
        let mut left = MAX_STREAMED;
        let broken = loop {
            // The next lines come and are read while those before are on their way to the disk.
            let (next, ()) = tokio::join!(reader.next(&mut upload, left), taking.record(waiting));
            match next {
                Ok(None) => break None,
                Ok(Some(Batch { readable, errors, lines, over })) => {
                    taking.errors.extend(errors);
                    left = left.saturating_sub(lines);
                    waiting = readable;
                    if let Some(line) = over {
                        taking.record(waiting).await;
                        break Some((line, lines::too_many(MAX_STREAMED)));
                    }
                }
                Err(refused) => break Some((upload.line(), refused)),
            }
        };
        if let Some((line, refused)) = broken {
            if taking.is_empty() {
                return Err(refused);
            }
            unreadable = refused.unreadable();
            let message = format!("{}; this line and those behind it were not taken", refused.message);
            taking.errors.push(LineError { line, code: refused.code, field: None, message });
        }
        if taking.is_empty() {
            return Err(lines::no_events());
        }
    } else {
        let body = upload.all().await.map_err(Broken::refused)?;
        let Batch { readable, errors, .. } = reader.whole(media, body).await?;
        taking.errors.extend(errors);
        taking.record(readable).await;
    }

    // Two accounts of one id are an event each; together, as they share syncs.
    let conflicts = taking.conflicts.iter().map(|id| conflict(api, &request, &caller, &admitted, *id));
    futures_util::future::try_join_all(conflicts).await?;
    let (mut receipts, errors, producers) = taking.finish();
    say_levels(api, &request, admitted.trail(), asked, &mut receipts).await?;
    let status = status(receipts.len(), &errors);
    let too_large = errors.first().filter(|_| status == StatusCode::PAYLOAD_TOO_LARGE);
    let too_large = too_large.map(|error| Unreadable { code: error.code, message: error.message.clone() });
    let mut response = respond::json(&Answer { receipts, errors, producers })?;
    *response.status_mut() = status;
    if let Some(unreadable) = unreadable.or(too_large) {
        response.extensions_mut().insert(unreadable);
    }
    Ok(response)
}

/// How far our clock was ahead of the sender's when the request came, in microseconds, its way included.
fn skew(visit: &Visit) -> Result<Option<i64>, Refused> {
    let Some(sent) = visit.parts.headers.get(SENT_AT) else { return Ok(None) };
    let sent: Option<Timestamp> = sent.to_str().ok().and_then(|text| text.parse().ok());
    let sent = sent.ok_or_else(|| {
        Refused::bad_parameter("`greffier-sent-at` must be RFC 3339, as in 2026-03-06T14:32:07.891Z")
    })?;
    let bound = greffier_event::limits::INTEGER as i64;
    Ok(Some(visit.now.as_micros().saturating_sub(sent.as_micros()).clamp(-bound, bound)))
}

/// Makes submissions of lines. Cheap to clone: it goes to other threads.
#[derive(Clone)]
struct Reader {
    api: Api,
    trail: Tenant,
    channel: &'static str,
    caller: Principal,
    skew_us: Option<i64>,
    /// When the request came, by the clock and by a watch.
    began: (Timestamp, Instant),
}

/// Lines that were read.
struct Batch {
    readable: Vec<Readable>,
    errors: Vec<LineError>,
    /// How many lines it has.
    lines: usize,
    /// The first line that there was no room for.
    over: Option<usize>,
}

impl Reader {
    /// The next lines of a body, at most so many.
    async fn next(&self, upload: &mut Upload, most: usize) -> Result<Option<Batch>, Refused> {
        let Some(upload::Batch { bytes, line }) = upload.lines().await.map_err(Broken::refused)? else {
            return Ok(None);
        };
        self.read(move |reader| Ok(reader.batch(&bytes, lines::numbered(&bytes, line), most))).await.map(Some)
    }

    /// All of a body that is one thing.
    async fn whole(&self, media: String, body: Bytes) -> Result<Batch, Refused> {
        self.read(move |reader| Ok(reader.batch(&body, lines::split(&media, &body)?.into_iter(), usize::MAX)))
            .await
    }

    /// Reading, inspecting and hashing events takes a while: not on a thread that serves.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let reader = self.clone();
        let read = tokio::task::spawn_blocking(move || read(&reader)).await;
        read.map_err(|error| Refused::internal("reading an ingest", &error))?
    }

    fn batch<'a>(&self, body: &'a Bytes, lines: impl Iterator<Item = Line<'a>>, most: usize) -> Batch {
        let mut batch = Batch { readable: Vec::new(), errors: Vec::new(), lines: 0, over: None };
        let (producer, mut clean) = (self.producer(), Clean::default());
        for Line { number, text } in lines {
            if batch.lines == most {
                batch.over = Some(number);
                break;
            }
            batch.lines += 1;
            let read = text.ok_or_else(|| InvalidEvent::new("document", "is not UTF-8"));
            let read = read.and_then(|text| {
                Ok((body.slice_ref(text.as_bytes()), producer.submission(text, None, &mut clean)?))
            });
            match read {
                Ok((text, submission)) => {
                    batch.readable.push(Readable::new(number, text, self.sent(submission)));
                }
                Err(error) => batch.errors.push(invalid(number, &error)),
            }
        }
        batch
    }

    /// The same event under another id.
    fn renamed(&self, text: &str, id: EventId) -> Result<Submission, InvalidEvent> {
        Ok(self.sent(self.producer().submission(text, Some(id), &mut Clean::default())?))
    }

    fn producer(&self) -> Producer<'_> {
        // A body may take long to come: what is read late in it is not stamped with its beginning. Whole seconds: what
        // comes together has one time.
        let (at, since) = self.began;
        let passed = i64::try_from(since.elapsed().as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let now = at.as_micros().saturating_add(passed);
        Producer {
            api: &self.api,
            tenant: &self.trail,
            channel: self.channel,
            submitter: &self.caller,
            now: Timestamp::from_micros(now),
        }
    }

    fn sent(&self, mut submission: Submission) -> Submission {
        submission.draft.event.source.get_or_insert_default().skew_us = self.skew_us;
        submission
    }
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
        (asked.or(required), receipts.iter().map(|taken| taken.receipt.index).max())
    else {
        return Ok(());
    };
    api.reach(trail, last, level, &request.visit.stop).await?;
    for taken in receipts {
        taken.level = Some(heads.level(trail, taken.receipt.index).name());
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
    /// One document as a submission, under its own id or under `other`.
    fn submission(
        &self,
        text: &str,
        other: Option<EventId>,
        clean: &mut Clean,
    ) -> Result<Submission, InvalidEvent> {
        let keys = self.api.appender.keys();
        let referenced = subjects::referenced(text, self.tenant, keys);
        let text = referenced.as_deref().unwrap_or(text);
        let Claim { form, draft, said } = Claim::read(text, self.tenant, self.channel, || self.id(text))?;
        // What the producer said, its own id with it, before anything of ours.
        let digest = hash::sha256(said.as_bytes());
        let draft = match other {
            Some(id) => form.renamed(draft, id)?,
            None => draft,
        };
        Ok(self.finished(draft, digest, clean))
    }

    /// Screens and stamps what was read, whatever form it came in.
    pub(crate) fn take(&self, draft: Draft) -> Result<(EventId, Submission), InvalidEvent> {
        let digest = hash::sha256(Claim::said(&draft)?.as_bytes());
        Ok((draft.event.id, self.finished(draft, digest, &mut Clean::default())))
    }

    fn finished(&self, mut draft: Draft, digest: greffier_merkle::Hash, clean: &mut Clean) -> Submission {
        let (scanner, keys) = (&self.api.scanner, self.api.appender.keys());
        screen::screen(&mut draft, scanner, keys, self.api.inspection, clean);
        self.stamp(&mut draft);
        Submission { draft: Box::new(draft), digest }
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
pub(crate) use self::coding::tests as coding_tests;

#[cfg(test)]
mod tests;
