//! Tail: events as they are recorded, as server-sent events.
//!
//! It asks the engine for what is behind the last index seen, so that nothing is missed between two questions
//! and a caller that comes back with `Last-Event-ID` goes on where it was.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use greffier_event::Tenant;
use greffier_policy::AdminAction;
use greffier_query::Search;
use http::{HeaderName, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::refuse::Refused;
use crate::respond::{self, SSE};
use crate::visit::{Body, Pieces, streamed};

/// How often the engine is asked.
const PACE: Duration = Duration::from_millis(500);
/// How often something is said where there is nothing to say, so that the connection lives and a caller that
/// went away is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest tail: a caller that comes back is authorised anew, by the policies of then.
const MAX_TAIL: Duration = Duration::from_secs(15 * 60);
/// Events per question.
const PAGE: usize = 100;

/// `GET /api/v1/tail`.
pub(crate) async fn tail(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?;
    let query = request.params.query()?;
    let search = Search::parse(query, request.visit.now)?;
    let last = request.visit.header(HeaderName::from_static("last-event-id"));
    let wrong = |_| Refused::bad_parameter("`Last-Event-ID` is an index: give back what was given");
    let last: Option<u64> = last.map(|text| text.parse().map_err(wrong)).transpose()?;
    let permit = std::sync::Arc::clone(&api.tails).try_acquire_owned();
    let permit = permit.map_err(|_| Refused::new(503, "busy", "too many tails are open"))?;

    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:tail",
        place: "events".to_owned(),
        asked: Some(serde_json::json!({ "q": query })),
    };
    let admitted = api.admit(&request.visit, caller, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    let search = api.referring(&trail, search);
    let after = match last {
        Some(last) => Some(last),
        // From now on; the caller's own read is the last thing before.
        None => api.engine.newest(&trail, &Search::default(), None, 1).await?.size.checked_sub(1),
    };

    // No longer than the token lasts.
    let left = caller.expires.as_micros().saturating_sub(request.visit.now.as_micros());
    let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
    let end = Instant::now() + left.min(MAX_TAIL);
    let (pieces, body) = streamed();
    let follower =
        Follower { api: api.clone(), trail, search, pieces, end, stop: request.visit.stop.clone() };
    tokio::spawn(follower.follow(after, permit));
    let mut response = respond::typed(SSE, body);
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

/// One open tail.
struct Follower {
    api: Api,
    trail: Tenant,
    search: Search,
    pieces: Pieces,
    end: Instant,
    stop: CancellationToken,
}

impl Follower {
    /// Runs until the caller goes, the node stops, or the time is up. Holds the permit as long.
    async fn follow(self, mut after: Option<u64>, permit: OwnedSemaphorePermit) {
        // The head at once: browsers open the stream when its first bytes come.
        let mut said = self.say(": greffier\n\n".to_owned()).await;
        let mut spoken = Instant::now();
        while said.is_ok() && self.is_wanted() {
            let page = match self.api.engine.oldest(&self.trail, &self.search, after, PAGE).await {
                Ok(page) => page,
                // Others are being answered: ask again.
                Err(error) if error.code() == "busy" || error.code() == "timeout" => {
                    self.pause().await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(trail = %self.trail, %error, "a tail broke off");
                    let _ = self.pieces.send(Err(io::Error::other("the trail cannot be read"))).await;
                    break;
                }
            };
            // What did not match is behind us, too.
            let more = page.next.is_some();
            after = page.next.or(page.size.checked_sub(1)).max(after);
            let text: String =
                page.rows.into_iter().filter_map(|row| message(row.index, row.entry)).collect();
            if !text.is_empty() {
                said = self.say(text).await;
                spoken = Instant::now();
            } else if spoken.elapsed() >= HEARTBEAT {
                said = self.say(": still here\n\n".to_owned()).await;
                spoken = Instant::now();
            }
            if !more {
                self.pause().await;
            }
        }
        drop(permit);
    }

    fn is_wanted(&self) -> bool {
        !self.stop.is_cancelled() && !self.pieces.is_closed() && Instant::now() < self.end
    }

    async fn say(&self, text: String) -> Result<(), ()> {
        tokio::select! {
            sent = self.pieces.send(Ok(Bytes::from(text))) => sent.map_err(drop),
            () = self.stop.cancelled() => Err(()),
            () = tokio::time::sleep_until(self.end) => Err(()),
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            () = self.stop.cancelled() => {}
            () = self.pieces.closed() => {}
        }
    }
}

/// One event as SSE has it. Canonical JSON is one line, so it is one `data` field.
fn message(index: u64, entry: Vec<u8>) -> Option<String> {
    let json = String::from_utf8(entry).ok()?;
    Some(format!("id: {index}\nevent: event\ndata: {json}\n\n"))
}
