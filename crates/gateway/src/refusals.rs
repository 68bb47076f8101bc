//! Refusals of callers nobody vouches for: recorded up to a bound per source, counted beyond it.
//!
//! Anyone who can connect can be refused, so the trail must not grow at their pace.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use greffier_event::{DecisionKind, Draft, EventType, Outcome, OutcomeStatus, Part, PolicyRecord, Timestamp};
use greffier_policy::Refusal;

use crate::record::Recorder;
use crate::refuse::Refused;

/// Refusals recorded in full per source and window.
const RECORDED_PER_WINDOW: u32 = 60;
/// The window, in microseconds: one minute.
const WINDOW_MICROS: i64 = 60_000_000;
/// Sources told apart; all beyond share one account. At about 100 bytes each, half a megabyte.
const MAX_SOURCES: usize = 4_096;

/// Accounts of refusals per source.
pub(crate) struct Refusals {
    recorder: Recorder,
    sources: Mutex<HashMap<Option<IpAddr>, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    recorded: u32,
    counted: u64,
}

impl Refusals {
    pub(crate) fn new(recorder: Recorder) -> Refusals {
        Refusals { recorder, sources: Mutex::default() }
    }

    /// Records a refusal, or counts it once its source has had its share. Fails when nothing can be recorded.
    pub(crate) async fn record(
        &self,
        peer: IpAddr,
        protocol: &str,
        refusal: Refusal,
        request_id: &str,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if !self.admit(peer, now) {
            return Ok(());
        }
        let uri = format!("audit://identity/{protocol}");
        let mut event = self.recorder.node_event(EventType::PermissionDenied, now, "identify", &uri);
        event.request_id = Some(request_id.to_owned());
        event.policy = Some(PolicyRecord {
            decision: DecisionKind::Deny,
            reason: Some(format!("{}: {refusal}", refusal.code())),
            rule: None,
            scopes: Vec::new(),
            version: None,
        });
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: Some(i64::from(Refused::from(refusal).status)),
            duration_us: None,
            error: Some(refusal.code().to_owned()),
            status: OutcomeStatus::Denied,
        });
        if let Some(source) = &mut event.source {
            source.ip = Some(peer.to_canonical().to_string());
            source.protocol = Some(protocol.to_owned());
        }
        let draft = Draft { event, parts: Vec::new() };
        self.recorder.append(draft).await.map(drop).map_err(|_| Refused::not_recording())
    }

    /// Writes what was only counted, for every window that is over.
    pub(crate) async fn settle(&self, now: Timestamp, all: bool) {
        for (source, counted) in self.over(now, all) {
            let uri = "audit://identity/counted";
            let mut event = self.recorder.node_event(EventType::PermissionDenied, now, "identify", uri);
            event.policy = Some(PolicyRecord {
                decision: DecisionKind::Deny,
                reason: Some(format!(
                    "{counted} more refusals from this source, counted and not recorded one by one"
                )),
                rule: None,
                scopes: Vec::new(),
                version: None,
            });
            event.outcome = Some(Outcome {
                attempts: Vec::new(),
                code: None,
                duration_us: None,
                error: Some("refusals_counted".to_owned()),
                status: OutcomeStatus::Denied,
            });
            if let Some(record) = &mut event.source {
                record.ip = source.map(|ip| ip.to_canonical().to_string());
            }
            let account = serde_json::json!({ "refusals_counted": counted });
            let part = Part {
                name: "metadata".to_owned(),
                media: "application/json".to_owned(),
                content: account.to_string().into_bytes(),
            };
            // Not recorded now, the count is lost from the trail but not from the log.
            if self.recorder.append(Draft { event, parts: vec![part] }).await.is_err() {
                tracing::error!(counted, "refusals counted but not recorded");
            }
        }
    }

    fn admit(&self, peer: IpAddr, now: Timestamp) -> bool {
        let Ok(mut sources) = self.sources.lock() else { return true };
        let known = sources.contains_key(&Some(peer)) || sources.len() < MAX_SOURCES;
        let window =
            sources.entry(known.then_some(peer)).or_insert(Window { since: now, recorded: 0, counted: 0 });
        if window.recorded < RECORDED_PER_WINDOW {
            window.recorded += 1;
            true
        } else {
            window.counted += 1;
            false
        }
    }

    fn over(&self, now: Timestamp, all: bool) -> Vec<(Option<IpAddr>, u64)> {
        let Ok(mut sources) = self.sources.lock() else { return Vec::new() };
        let mut over = Vec::new();
        sources.retain(|source, window| {
            let live = !all && now.as_micros() - window.since.as_micros() < WINDOW_MICROS;
            if !live && window.counted > 0 {
                over.push((*source, window.counted));
            }
            live
        });
        over
    }
}
