//! Requests of known callers that are no calls: broken JSON, a body that breaks off, two framings at once.
//!
//! Nothing comes of them, but who sends them is worth knowing: each is an event on its caller's trail, up to a bound
//! per caller, and counted beyond it.

use greffier_event::{
    Action, Draft, Event, EventType, Outcome, OutcomeStatus, Part, Principal, Tenant, Timestamp,
};

use crate::record::Recorder;
use crate::refuse::Refused;
use crate::windows::Windows;

/// The action's name: what was meant cannot be told.
const ACTION: &str = "malformed";

/// Accounts of malformed requests per caller.
pub(crate) struct Malformed {
    recorder: Recorder,
    callers: Windows<Caller>,
}

/// A caller, as a leaf names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller {
    tenant: Tenant,
    user: Option<String>,
    agent: Option<String>,
}

impl Malformed {
    pub(crate) fn new(recorder: Recorder) -> Malformed {
        Malformed { recorder, callers: Windows::default() }
    }

    /// Records a refusal of what was no call, if its sender is known, and gives it back; where it cannot be recorded,
    /// the refusal says that instead.
    pub(crate) async fn note(
        &self,
        mut refused: Refused,
        protocol: &str,
        request_id: &str,
        now: Timestamp,
    ) -> Refused {
        let Some(sender) = refused.sender.take() else { return refused };
        match self.record(&sender, &refused, protocol, request_id, now).await {
            Ok(()) => refused,
            Err(refused) => refused,
        }
    }

    /// Records what a known sender sent, and why it was refused; an error where it cannot be recorded.
    pub(crate) async fn record(
        &self,
        sender: &Principal,
        refused: &Refused,
        protocol: &str,
        request_id: &str,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let mut event = self.event(sender, now);
        event.request_id = Some(request_id.to_owned());
        if let Some(source) = &mut event.source {
            source.protocol = Some(protocol.to_owned());
        }
        if !self.callers.admit(&Caller::of(&event), now) {
            return Ok(());
        }
        event.outcome = Some(outcome(Some(i64::from(refused.status)), refused.code));
        let why = part("error", "text/plain", self.recorder.leaf(&refused.message));
        let appended = self.recorder.append(Draft { event, parts: vec![why] }).await;
        appended.map(drop).map_err(|_| Refused::not_recording())
    }

    /// Writes what was only counted, for every window that is over.
    pub(crate) async fn settle(&self, now: Timestamp, all: bool) {
        for (caller, counted) in self.callers.over(now, all) {
            // Callers beyond the bound share a count, and then it is nobody's but the node's.
            let tenant = caller.as_ref().map_or_else(Tenant::node, |caller| caller.tenant.clone());
            let mut event =
                self.recorder.node_event(EventType::Error, now, ACTION, "audit://requests/counted");
            event.tenant = tenant;
            event.outcome = Some(outcome(None, "requests_counted"));
            let account = serde_json::json!({
                "requests_counted": counted,
                "user": caller.as_ref().and_then(|caller| caller.user.clone()),
                "agent": caller.as_ref().and_then(|caller| caller.agent.clone()),
            });
            let parts = vec![part("metadata", "application/json", account.to_string())];
            // Not recorded now, the count is lost from the trail but not from the log.
            if self.recorder.append(Draft { event, parts }).await.is_err() {
                tracing::error!(counted, "malformed requests counted but not recorded");
            }
        }
    }

    fn event(&self, sender: &Principal, now: Timestamp) -> Event {
        let mut event = self.recorder.node_event(EventType::Error, now, ACTION, "audit://requests/malformed");
        event.tenant = sender.tenant.clone();
        event.resource = None;
        event.action = Some(Action { name: ACTION.to_owned(), ..Action::default() });
        self.recorder.name(&mut event, sender);
        event
    }
}

impl Caller {
    fn of(event: &Event) -> Caller {
        Caller {
            tenant: event.tenant.clone(),
            user: event.user.as_ref().map(|user| user.sub.clone()),
            agent: event.agent.as_ref().map(|agent| agent.id.clone()),
        }
    }
}

fn outcome(code: Option<i64>, error: &str) -> Outcome {
    Outcome {
        attempts: Vec::new(),
        code,
        duration_us: None,
        error: Some(error.to_owned()),
        status: OutcomeStatus::Failure,
    }
}

fn part(name: &str, media: &str, content: String) -> Part {
    Part { name: name.to_owned(), media: media.to_owned(), content: content.into_bytes() }
}
