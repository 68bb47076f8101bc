//! Refusals of callers nobody vouches for: recorded up to a bound per source, counted beyond it.
//!
//! Anyone who can connect can be refused, so the trail must not grow at their pace.

use std::net::IpAddr;

use greffier_event::{DecisionKind, Draft, EventType, Outcome, OutcomeStatus, Part, PolicyRecord, Timestamp};
use greffier_policy::Refusal;

use crate::record::Recorder;
use crate::refuse::Refused;
use crate::windows::Windows;

/// Accounts of refusals per source.
pub(crate) struct Refusals {
    recorder: Recorder,
    sources: Windows<IpAddr>,
}

impl Refusals {
    pub(crate) fn new(recorder: Recorder) -> Refusals {
        Refusals { recorder, sources: Windows::default() }
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
        if !self.sources.admit(&peer, now) {
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
        for (source, counted) in self.sources.over(now, all) {
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
}
