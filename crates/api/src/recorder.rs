//! Findings become events: each is recorded once, on the trail that it is about, by Greffier itself.
//!
//! What is on record is read from the trail, so that a stop at any moment loses nothing and repeats nothing: the
//! detector begins anew, finds the same, and sees which of it is recorded. One recorder per data directory: the
//! ledger's lock sees to that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{
    Action, ActionKind, Agent, Draft, Effect, Event, EventType, OutcomeStatus, Part, Resource, Source,
    Tenant, Timestamp,
};
use greffier_ledger::Appender;
use greffier_query::{Engine, Finding, QueryError, Watch, findings};
use serde_json::json;

use crate::admit::outcome;
use crate::visit::event_id;

/// How often the trails are looked at.
const PACE: Duration = Duration::from_secs(1);
/// Findings that are recorded at once: what waits is found again.
const AT_ONCE: usize = 256;
/// It says in each hour of the clock that it looked: without it nobody knows whether there was nothing, or nobody who
/// looked.
const HOUR_US: i64 = 3_600_000_000;
/// Its name on the node's trail; reports look for it.
const HEARTBEAT: &str = "finding:heartbeat";

/// Records what is found.
#[derive(Clone)]
pub struct Recorder {
    engine: Engine,
    watch: Watch,
    appender: Appender,
    node: Arc<str>,
}

/// What was done since the last heartbeat, and when that was.
#[derive(Debug, Default)]
pub struct Beat {
    /// How far each trail was looked at.
    looked_at: BTreeMap<Tenant, u64>,
    recorded: u64,
    left_out: u64,
    failed: u64,
    /// The last hour of the clock that has one.
    hour: Option<i64>,
}

/// Somebody who was to be told of a finding and was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The receiver, by its configured name.
    pub receiver: String,
    /// Machine-readable: `receiver_unreachable` or `receiver_refused`.
    pub error: &'static str,
    /// In words.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
}

/// The action of the event by which that is on record.
const UNTOLD: &str = "finding:untold";

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Looks through `watch`, records through `appender` in the name of `node`.
    pub fn new(engine: Engine, watch: Watch, appender: Appender, node: impl Into<String>) -> Recorder {
        Recorder { engine, watch, appender, node: node.into().into() }
    }

    /// Records until it is dropped.
    pub async fn run(self, now: impl Fn() -> Timestamp) {
        let (mut beat, mut said) = (Beat::default(), None);
        loop {
            match self.look(&now, &mut beat).await {
                Ok(()) => said = None,
                Err(error) if said.as_ref() != Some(&error) => {
                    tracing::warn!(error, "findings are not looked for or not recorded: it is tried again");
                    said = Some(error);
                }
                Err(_) => {}
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// One look at every trail, and a heartbeat where an hour of the clock has none yet.
    ///
    /// # Errors
    /// Why a trail could not be looked at, or nothing be recorded; the next look tries it again.
    pub async fn look(&self, now: &impl Fn() -> Timestamp, beat: &mut Beat) -> Result<(), String> {
        let looked = self.round(now, beat).await;
        beat.failed += u64::from(looked.is_err());
        let hour = now().as_micros().div_euclid(HOUR_US);
        if beat.hour != Some(hour) && self.say(now(), beat).await {
            *beat = Beat { hour: Some(hour), ..Beat::default() };
        }
        looked
    }

    async fn round(&self, now: &impl Fn() -> Timestamp, beat: &mut Beat) -> Result<(), String> {
        let reader = self.engine.reader().clone();
        let trails = tokio::task::spawn_blocking(move || reader.trails()).await;
        let trails = trails.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        for (trail, _) in trails {
            self.record_new(&trail, now, beat).await?;
        }
        Ok(())
    }

    /// Records what was found on a trail and is not on it.
    async fn record_new(
        &self,
        trail: &Tenant,
        now: &impl Fn() -> Timestamp,
        beat: &mut Beat,
    ) -> Result<(), String> {
        let looked = match self.watch.unrecorded(trail, AT_ONCE).await {
            Ok(looked) => looked,
            // Others are being answered: the next round looks again.
            Err(QueryError::Busy) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        beat.looked_at.insert(trail.clone(), looked.looked_at);
        beat.left_out = beat.left_out.max(looked.left_out);
        for finding in looked.findings {
            let draft = self.draft(trail, &finding, now());
            self.appender.append(draft).await.map_err(|error| error.to_string())?;
            tracing::info!(trail = %trail, finding = finding.kind.as_str(), id = %finding.id, "finding recorded");
            beat.recorded += 1;
        }
        Ok(())
    }

    /// Records that somebody was not told of a finding, on the trail of the finding.
    ///
    /// # Errors
    /// When it cannot be recorded: then it was not given up.
    pub async fn untold(
        &self,
        trail: &Tenant,
        finding: &Finding,
        untold: &Untold,
        now: Timestamp,
    ) -> Result<(), String> {
        let uri = format!("audit://{trail}/{}", findings::place(finding));
        let mut event = self.event(trail, UNTOLD, uri, now);
        event.kind = EventType::ActionFailed;
        event.outcome = Some(outcome(OutcomeStatus::Failure, Some(untold.error)));
        let Untold { receiver, reason, tries, .. } = untold;
        let said = json!({ "receiver": receiver, "reason": reason, "tries": tries });
        let draft = Draft { event, parts: vec![part(said.to_string().into_bytes())] };
        self.appender.append(draft).await.map(drop).map_err(|error| error.to_string())
    }

    fn draft(&self, trail: &Tenant, finding: &Finding, now: Timestamp) -> Draft {
        let uri = format!("audit://{trail}/{}", findings::place(finding));
        let event = self.event(trail, findings::RAISED, uri, now);
        // Names and evidence are about people: they can be erased.
        let content = serde_json::to_vec(finding).unwrap_or_default();
        Draft { event, parts: vec![part(content)] }
    }

    async fn say(&self, now: Timestamp, beat: &Beat) -> bool {
        let node = Tenant::node();
        let mut event = self.event(&node, HEARTBEAT, format!("audit://{node}/findings"), now);
        // Whether all is well stands in the leaf, so that nobody needs keys for it.
        if beat.failed > 0 {
            event.kind = EventType::ActionFailed;
            event.outcome = Some(outcome(OutcomeStatus::Failure, Some("looking_failed")));
        }
        let looked_at: serde_json::Map<_, _> =
            beat.looked_at.iter().map(|(trail, index)| (trail.to_string(), (*index).into())).collect();
        let said = json!({
            "looked_at": looked_at, "recorded": beat.recorded, "left_out": beat.left_out, "failed": beat.failed,
        });
        let draft = Draft { event, parts: vec![part(said.to_string().into_bytes())] };
        match self.appender.append(draft).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "the heartbeat of the detectors is not recorded: it is tried again");
                false
            }
        }
    }

    fn event(&self, trail: &Tenant, action: &str, uri: String, now: Timestamp) -> Event {
        let mut event = Event::new(event_id(now), EventType::ActionExecuted, trail.clone(), now);
        event.recorded_at = Some(now);
        event.request_id = Some(event.id.to_string());
        event.agent = Some(Agent { id: Tenant::NODE.to_owned(), verified: true, ..Agent::default() });
        event.action = Some(Action {
            name: action.to_owned(),
            kind: Some(ActionKind::Admin),
            effect: Some(Effect::Create),
            ..Action::default()
        });
        event.resource = Some(Resource { uri: Some(uri), ..Resource::default() });
        event.outcome = Some(outcome(OutcomeStatus::Success, None));
        event.source = Some(Source {
            channel: "gateway".to_owned(),
            node: Some(self.node.to_string()),
            ..Source::default()
        });
        event
    }
}

fn part(content: Vec<u8>) -> Part {
    Part { name: "result".to_owned(), media: "application/json".to_owned(), content }
}
