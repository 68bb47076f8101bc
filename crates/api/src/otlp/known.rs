//! What a claim tells that is on record already: the gateway saw the same response pass, or another span tells it.
//!
//! Two records are taken for one where they name the same response and speak of the same time, and nothing they
//! say differs. Small servers count their responses from 1 again and again, so the id alone is not enough.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use greffier_event::{Event, EventType, Tenant, Timestamp};
use greffier_query::Search;

use super::Claimed;
use crate::api::Api;
use crate::refuse::Refused;

/// How far the clocks of two machines may be apart.
const SKEW: i64 = 120 * 1_000_000;
/// Ids and sessions of one search; its text is bounded, and so is the time for it.
const MAX_NAMES: usize = 40;
/// Longest name searched for.
const MAX_NAME: usize = 80;
/// Records looked at per search.
const MAX_FOUND: usize = 1_000;
/// Records with one id, or of one session, that a claim is held against: a session asks no more often within the time
/// looked at.
const MAX_ALIKE: usize = 256;

/// Takes out the claims that are on record in other words; says how many items nothing is left of.
pub(super) async fn drop_known(
    api: &Api,
    trail: &Tenant,
    claims: Vec<Claimed>,
) -> Result<(Vec<Claimed>, usize), Refused> {
    let mut seen = Seen::default();
    for event in on_record(api, trail, &claims).await? {
        seen.add(&Arc::new(event));
    }
    let (mut known, mut left) = (BTreeSet::new(), BTreeSet::new());
    let mut kept = Vec::with_capacity(claims.len());
    for claimed in claims {
        let event = &claimed.submission.draft.event;
        if seen.holds(event) {
            known.insert(claimed.item);
            continue;
        }
        // The next claim of this request may tell the same.
        if call_id(event).is_some() {
            seen.add(&Arc::new(event.clone()));
        }
        left.insert(claimed.item);
        kept.push(claimed);
    }
    Ok((kept, known.difference(&left).count()))
}

/// Records by what they may be recognised by.
#[derive(Default)]
struct Seen {
    by_id: HashMap<String, Vec<Arc<Event>>>,
    /// The gateway's own.
    by_session: HashMap<String, Vec<Arc<Event>>>,
}

impl Seen {
    fn add(&mut self, event: &Arc<Event>) {
        for id in ids(event) {
            push(&mut self.by_id, id, event);
        }
        let governed = event.source.as_ref().is_some_and(|source| source.channel == "gateway");
        if let Some(session) = event.session_id.clone().filter(|_| governed) {
            push(&mut self.by_session, session, event);
        }
    }

    fn holds(&self, claim: &Event) -> bool {
        let named = ids(claim).into_iter().filter_map(|id| self.by_id.get(&id)).flatten();
        let session = claim.session_id.as_ref().and_then(|session| self.by_session.get(session));
        named.into_iter().any(|other| is_same(claim, other))
            || session.into_iter().flatten().any(|other| passed_by(claim, other))
    }
}

fn push(map: &mut HashMap<String, Vec<Arc<Event>>>, key: String, event: &Arc<Event>) {
    let alike = map.entry(key).or_default();
    if alike.len() < MAX_ALIKE {
        alike.push(Arc::clone(event));
    }
}

/// The names under which others may tell of the same.
fn ids(event: &Event) -> Vec<String> {
    let call = event.action.as_ref().and_then(|action| action.call_id.clone());
    let attempts = event.outcome.iter().flat_map(|outcome| &outcome.attempts);
    call.into_iter().chain(attempts.filter_map(|attempt| attempt.upstream_request_id.clone())).collect()
}

/// Whether two records tell of one thing.
fn is_same(claim: &Event, other: &Event) -> bool {
    // The same item sent again is the ledger's to judge.
    if claim.id == other.id || claim.kind != other.kind || kind(claim) != kind(other) {
        return false;
    }
    // Where one tells the usage and the other the words, both belong to the record.
    let joined = claim.request_id.is_some() && claim.request_id == other.request_id;
    if joined && !of_tool(claim) && (claim.usage.is_none() || other.usage.is_none()) {
        return false;
    }
    // An id of a tool call means something within its session only.
    let session = claim.session_id.is_some() && claim.session_id == other.session_id;
    let trace = claim.trace.is_some() && trace_id(claim) == trace_id(other);
    if of_tool(claim) && !session && !trace {
        return false;
    }
    let ((start, end), (other_start, other_end)) = (span(claim), span(other));
    let together = start <= other_end.saturating_add(SKEW) && other_start <= end.saturating_add(SKEW);
    let tokens = |event: &Event| event.usage.as_ref()?.output_tokens;
    let differ = tokens(claim).is_some() && tokens(other).is_some() && tokens(claim) != tokens(other);
    together && !differ
}

/// Whether a claim that names no response is of a call that the gateway saw pass: Codex tells a request by its session
/// and its tokens alone.
fn passed_by(claim: &Event, other: &Event) -> bool {
    let tokens = |event: &Event| {
        let usage = event.usage.as_ref()?;
        Some((usage.input_tokens?, usage.output_tokens?))
    };
    let counted = tokens(claim).is_some() && tokens(claim) == tokens(other);
    call_id(claim).is_none() && counted && is_same(claim, other)
}

fn of_tool(event: &Event) -> bool {
    use EventType::{PermissionCheck, PermissionDenied, ToolCall, ToolResponse};
    matches!(event.kind, ToolCall | ToolResponse | PermissionCheck | PermissionDenied)
}

fn trace_id(event: &Event) -> Option<&str> {
    event.trace.as_ref().map(|trace| trace.trace_id.as_str())
}

fn kind(event: &Event) -> Option<greffier_event::ActionKind> {
    event.action.as_ref()?.kind
}

/// From when to when, in microseconds.
fn span(event: &Event) -> (i64, i64) {
    let end = event.time.as_micros();
    let duration = event.outcome.as_ref().and_then(|outcome| outcome.duration_us).unwrap_or(0);
    (end.saturating_sub(i64::try_from(duration).unwrap_or(0)), end)
}

/// What the trail holds under the names that the claims use, around their time.
async fn on_record(api: &Api, trail: &Tenant, claims: &[Claimed]) -> Result<Vec<Event>, Refused> {
    let events = claims.iter().map(|claimed| &claimed.submission.draft.event);
    let named: Vec<&Event> =
        events.filter(|event| call_id(event).is_some() || event.usage.is_some()).collect();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for some in named.chunks(MAX_NAMES) {
        let (Some(since), Some(until)) =
            (some.iter().map(|e| span(e).0).min(), some.iter().map(|e| span(e).1).max())
        else {
            continue;
        };
        let window = format!(
            "since:{} until:{}",
            Timestamp::from_micros(since.saturating_sub(SKEW)),
            Timestamp::from_micros(until.saturating_add(SKEW))
        );
        let calls = values(some.iter().filter_map(|event| call_id(event)));
        // The gateway keeps the id that a provider gives a request where no search finds it; it does know the
        // session of an agent that tells such ids, or none.
        let requests = some.iter().filter(|event| call_id(event).is_none_or(|id| id.starts_with("req_")));
        let sessions = values(requests.filter_map(|event| event.session_id.as_deref()));
        let searches = [
            (&calls, format!("call:{calls} {window}")),
            (&sessions, format!("channel:gateway kind:llm session:{sessions} {window}")),
        ];
        for (_, search) in searches.into_iter().filter(|(names, _)| !names.is_empty()) {
            // What cannot be asked for is recorded.
            let Ok(search) = Search::parse(&search, Timestamp::from_micros(until)) else { continue };
            let page = api.engine.newest(trail, &search, None, MAX_FOUND).await?;
            for row in page.rows {
                if seen.insert(row.index)
                    && let Ok(event) = row.event()
                {
                    found.push(event);
                }
            }
        }
    }
    Ok(found)
}

fn call_id(event: &Event) -> Option<&str> {
    event.action.as_ref()?.call_id.as_deref()
}

/// Values as a term has them: in quotes, each once.
fn values<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let askable = |name: &&str| name.len() <= MAX_NAME && !name.contains(['"', '\\']);
    let names: BTreeSet<&str> = names.filter(askable).collect();
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
}
