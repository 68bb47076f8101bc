//! OTLP: what agents' own telemetry tells, put on record as claims.
//!
//! One more way in to [`crate::ingest`]: an export request is read item by item (`protobuf.rs`, `json.rs`), a
//! dialect says what each item claims (`genai.rs`, `openinference.rs`, `agents.rs`, `agents_sdk.rs`), `claim.rs`
//! makes the events, and from there on ingest screens, stamps and submits them. Ids are made of the spans' own, so
//! that an exporter may send again what it likes. `known.rs` leaves out what is on record in other words.

mod agents;
mod agents_sdk;
mod answer;
mod body;
mod claim;
mod flat;
mod genai;
mod json;
mod known;
mod model;
mod openinference;
mod protobuf;
#[cfg(test)]
mod tests;
mod told;
mod wire;

use std::collections::BTreeSet;

use greffier_event::{Draft, EventId};
use greffier_ledger::{AppendError, Submission};
use http::{Response, header};

use self::answer::Tally;
use self::body::Encoding;
pub(crate) use self::body::PROTOBUF;
use self::claim::{Claim, Desk};
use self::model::{Found, Item};
use crate::api::{Api, Request};
use crate::ingest::{self, Producer};
use crate::refuse::Refused;
use crate::visit::Body;

/// How these events reached the trail.
const CHANNEL: &str = "otlp";

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
    /// Traces in the form of the OpenAI Agents SDK.
    AgentsSdk,
}

impl Signal {
    /// What OTLP calls the number of those that were not taken.
    fn rejected(self) -> &'static str {
        match self {
            Signal::Traces | Signal::AgentsSdk => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        }
    }
}

/// What cannot be read, and why; free of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Malformed(&'static str);

const TOO_MANY_ITEMS: Malformed = Malformed("more than 10,000 spans or records stand in one request");
const TOO_MANY_GROUPS: Malformed = Malformed("more than 1,000 resources and scopes stand in one request");

impl From<Malformed> for Refused {
    fn from(error: Malformed) -> Refused {
        if [TOO_MANY_ITEMS, TOO_MANY_GROUPS].contains(&error) {
            return Refused::new(413, "invalid_otlp", error.to_string()).malformed();
        }
        Refused::new(400, "invalid_otlp", error.to_string())
    }
}

/// An event on its way to the trail, and the item that it is of.
struct Claimed {
    item: usize,
    id: EventId,
    submission: Submission,
}

/// Whether a path is one of OTLP's, whose bodies come compressed.
pub(crate) fn is_route(path: &str) -> bool {
    path.starts_with("/otlp/v1/") || path == "/v1/traces/ingest"
}

/// `POST /otlp/v1/…` and `/v1/traces/ingest`.
pub(crate) async fn take(api: &Api, request: Request, signal: Signal) -> Result<Response<Body>, Refused> {
    let media = request.visit.header(header::CONTENT_TYPE).unwrap_or_default();
    let encoding = match (signal, Encoding::of(media)) {
        (Signal::AgentsSdk, _) => Encoding::Json,
        (_, Some(encoding)) => encoding,
        (_, None) => {
            return Err(Refused::new(415, "unsupported_media", "OTLP comes in protobuf or JSON")
                .hint("set content-type to application/x-protobuf or application/json"));
        }
    };
    match record(api, &request, signal, encoding).await {
        Ok(tally) => Ok(tally.response(signal, encoding)),
        Err(refused) => Ok(answer::refused(&refused, encoding, &request.visit.request_id)),
    }
}

/// From a request to the trail, one line per step.
async fn record(api: &Api, request: &Request, signal: Signal, encoding: Encoding) -> Result<Tally, Refused> {
    let caller = request.caller()?.clone();
    let admitted = api.admit_unrecorded(&request.visit, &caller, ingest::wish(None)).await?;
    api.appender.is_recording().map_err(|_| Refused::not_recording())?;

    // Reading, inspecting and hashing up to a whole body takes a while: not on a thread that serves.
    let coding = request.visit.header(header::CONTENT_ENCODING).map(str::to_owned);
    let (body, now, reader) = (request.visit.body.clone(), request.visit.now, api.clone());
    let (trail, submitter) = (admitted.trail().clone(), caller.clone());
    let read = move || {
        let body = body::decoded(coding.as_deref(), &body)?;
        let producer =
            Producer { api: &reader, tenant: &trail, channel: CHANNEL, submitter: &submitter, now };
        read(signal, encoding, &body, &producer)
    };
    let read = tokio::task::spawn_blocking(read).await;
    let (mut tally, claims) = read.map_err(|error| Refused::internal("reading OTLP", &error))??;

    let (claims, known) = known::drop_known(api, admitted.trail(), claims).await?;
    tally.known = known;

    let (marks, batch): (Vec<_>, Vec<_>) =
        claims.into_iter().map(|claimed| ((claimed.item, claimed.id), claimed.submission)).unzip();
    let mut conflicts = Vec::new();
    let mut rejected = BTreeSet::new();
    for ((item, id), result) in marks.into_iter().zip(api.appender.submit(batch).await) {
        match result {
            Ok(recorded) if recorded.repeated => tally.repeated += 1,
            Ok(_) => tally.recorded += 1,
            // All of it may come again: what is on record by now is a repetition then.
            Err(error) if error.is_unavailable() => {
                tracing::error!(%error, "cannot record telemetry");
                return Err(Refused::not_recording());
            }
            Err(error) => {
                if matches!(error, AppendError::Conflict { .. }) {
                    conflicts.push(ingest::conflict(api, request, &caller, &admitted, id));
                }
                if rejected.insert(item) {
                    tally.reject(format!("item {}: {}", item + 1, ingest::unrecorded(item, &error).message));
                }
            }
        }
    }
    futures_util::future::try_join_all(conflicts).await?;
    Ok(tally)
}

/// Reads a body and makes events of it, in the order in which they happened.
fn read(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
    producer: &Producer<'_>,
) -> Result<(Tally, Vec<Claimed>), Refused> {
    let mut tally = Tally::default();
    if signal == Signal::Metrics {
        tally.ignored = match encoding {
            Encoding::Protobuf => protobuf::count_points(body)?,
            Encoding::Json => json::count_points(body)?,
        };
        return Ok((tally, Vec::new()));
    }
    let desk = Desk { tenant: producer.tenant, keys: producer.api.appender.keys() };
    let mut claims = Vec::new();
    for (item, claim) in claims_of(signal, encoding, body)?.into_iter().enumerate() {
        let taken = match claim {
            Ok(None) => {
                tally.ignored += 1;
                continue;
            }
            Ok(Some(claim)) => taken(claim, &desk, producer),
            Err(error) => Err(error.to_string()),
        };
        match taken {
            Ok(submissions) => {
                claims.extend(submissions.into_iter().map(|(id, submission)| Claimed {
                    item,
                    id,
                    submission,
                }));
            }
            Err(reason) => tally.reject(format!("item {}: {reason}", item + 1)),
        }
    }
    // Spans come in the order of their ends; a chain reads by its beginnings.
    claims.sort_by_key(|claimed| claimed.submission.draft.event.time);
    Ok((tally, claims))
}

/// The events of one claim, all or none of them.
fn taken(
    mut claim: Claim,
    desk: &Desk<'_>,
    producer: &Producer<'_>,
) -> Result<Vec<(EventId, Submission)>, String> {
    // Who submitted stands for who acted, where nothing is said of it.
    claim.agent.get_or_insert_with(|| producer.submitter.agent.clone());
    let checked = |draft: Draft| {
        draft.event.validate()?;
        producer.take(draft)
    };
    let drafts = claim.drafts(desk).into_iter().map(checked);
    drafts.collect::<Result<_, _>>().map_err(|error| format!("{} {}", error.field(), error.problem()))
}

/// What each item of a body claims; none where it is no act of an agent.
fn claims_of(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
) -> Result<Vec<Result<Option<Claim>, Malformed>>, Malformed> {
    let found = match (signal, encoding) {
        (Signal::AgentsSdk, _) => return agents_sdk::read(body),
        (_, Encoding::Protobuf) => protobuf::read(signal, body)?,
        (_, Encoding::Json) => json::read(signal, body)?,
    };
    Ok(found.into_iter().map(claim_of).collect())
}

/// Asks the dialect that an item is in.
fn claim_of(found: Found) -> Result<Option<Claim>, Malformed> {
    let Found { origin, item } = found;
    let claim = match item? {
        Item::Span(span) => {
            let claim = if span.attributes.contains_key(openinference::KIND) {
                openinference::span(&span, &origin)
            } else if span.name.starts_with(agents::CLAUDE_PREFIX) {
                agents::claude_span(&span, &origin)
            } else {
                genai::span(&span, &origin)
            };
            if claim.is_some() && (span.trace_id.is_empty() || span.span_id.is_empty()) {
                return Err(Malformed("a span has no id"));
            }
            claim
        }
        Item::Log(log) => {
            let name = log.name();
            if name.starts_with(agents::CLAUDE_PREFIX) {
                agents::claude_log(&log, &origin, &name)
            } else if name.starts_with(agents::CODEX_PREFIX) {
                agents::codex_log(&log, &origin, &name)
            } else {
                genai::log(&log, &origin, &name)
            }
        }
    };
    match claim {
        Some(claim) if claim.end == 0 => Err(Malformed("it has no time")),
        claim => Ok(claim),
    }
}

impl model::Log {
    /// What the record calls itself. Claude Code says `claude_code.tool_result` in its body, and `tool_result` in
    /// an attribute.
    fn name(&self) -> String {
        let body = self.body.as_str().unwrap_or_default();
        let attribute = self.attributes.get("event.name").and_then(serde_json::Value::as_str);
        [self.event_name.as_str(), body, attribute.unwrap_or_default()]
            .into_iter()
            .find(|name| {
                [agents::CLAUDE_PREFIX, agents::CODEX_PREFIX, "gen_ai."].iter().any(|p| name.starts_with(p))
            })
            .unwrap_or_default()
            .to_owned()
    }
}
