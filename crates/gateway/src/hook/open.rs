//! Uses of tools that were permitted and whose end nobody has told yet.
//!
//! A client may never tell: its user refused, or it was killed. So each waits for a bounded time, in a bounded table,
//! and what leaves it without an outcome is closed as unknown, on record. The id of a use is made from what the
//! client says of it, so that decision and outcome join across a restart of ours; the decisions themselves are found
//! on the trail again at start.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use greffier_event::{Call, Event, OutcomeStatus, Principal, Tenant, Timestamp};
use greffier_ledger::Appender;

use crate::gateway::Gateway;
use crate::hook::Client;
use crate::hook::heard::{Told, Use};

/// Uses under way at one moment, of all clients of a node; at some 2 KiB each, 16 MiB. Past it the oldest is closed.
const MAX_OPEN: usize = 8_192;
/// Longest wait for an outcome: a night with nobody at the client's own question.
const LONGEST: i64 = 12 * 3_600 * 1_000_000;
/// Closed in one go, once a second: what a table full of them takes a minute for does not hold up anything else.
const CLOSED_AT_ONCE: usize = 256;

/// What joins the decision and the outcome of one use, of one principal's session. Keyed, so that it says nothing
/// of them; and nobody ends a use of somebody else.
pub(crate) fn request_id(
    appender: &Appender,
    client: Client,
    principal: &Principal,
    told: &Told,
    used: &Use,
) -> String {
    let subject = principal.user.as_deref().or(principal.client_id.as_deref()).unwrap_or(&principal.agent);
    // Without an id: the same arguments in the same turn.
    let turn = told.circumstances.get("generation_id").or_else(|| told.circumstances.get("turn_id"));
    let call = used.call_id.clone().unwrap_or_else(|| {
        let input = digest::digest(&digest::SHA256, &used.input);
        format!("{} {} {}", turn.and_then(|turn| turn.as_str()).unwrap_or("-"), used.name, hex::encode(input))
    });
    let name = serde_json::json!([client.name(), subject, told.session, call]).to_string();
    let reference = appender.keys().reference(&principal.tenant, "hook", &name);
    format!("req_{}", reference.trim_start_matches("ref:"))
}

/// The table.
#[derive(Default)]
pub(crate) struct OpenHooks {
    waiting: Mutex<HashMap<(Tenant, String), Event>>,
}

impl OpenHooks {
    /// Of the decisions that the last run left open: those of hooks go on waiting, for their tools run on without us.
    /// The others are given back.
    pub(crate) fn reopened(&self, decisions: Vec<Event>) -> Vec<Event> {
        let is_hook = |event: &Event| event.source.as_ref().is_some_and(|source| source.channel == "hook");
        let mut waiting = self.waiting();
        let mut others = Vec::with_capacity(decisions.len());
        // The newest come last, and have the best claim to a place.
        for event in decisions.into_iter().rev() {
            match event.request_id.clone().filter(|_| is_hook(&event) && waiting.len() < MAX_OPEN) {
                Some(request) => drop(waiting.insert((event.tenant.clone(), request), event)),
                None => others.push(event),
            }
        }
        others.reverse();
        others
    }

    /// A decision waits from now on.
    pub(crate) async fn wait(&self, gateway: &Gateway, decision: Event, now: Timestamp) {
        let Some(request) = decision.request_id.clone() else { return };
        let displaced = {
            let mut waiting = self.waiting();
            let displaced = if waiting.len() < MAX_OPEN { None } else { oldest(&waiting) };
            let displaced = displaced.and_then(|key| waiting.remove(&key));
            waiting.insert((decision.tenant.clone(), request), decision);
            displaced
        };
        if let Some(displaced) = displaced {
            self.close(gateway, displaced, OutcomeStatus::Unknown, Some("too_many_open"), now).await;
        }
    }

    /// The decision of a use that ended.
    pub(crate) fn take(&self, tenant: &Tenant, request: &str) -> Option<Event> {
        self.waiting().remove(&(tenant.clone(), request.to_owned()))
    }

    /// Closes what has waited for too long.
    pub(crate) async fn settle(&self, gateway: &Gateway, now: Timestamp) {
        let over = |event: &Event| now.as_micros().saturating_sub(event.time.as_micros()) >= LONGEST;
        for decision in self.remove(over) {
            self.close(gateway, decision, OutcomeStatus::Unknown, Some("no_outcome"), now).await;
        }
    }

    /// Closes what is open of a session that is over.
    pub(crate) async fn session_over(
        &self,
        gateway: &Gateway,
        principal: &Principal,
        call: &Call,
        now: Timestamp,
    ) {
        // Compared as the record has them: of one client, one caller, one session.
        let over = gateway.recorder.of_call(call, principal, greffier_event::EventType::AgentStop);
        let protocol = |event: &Event| event.source.as_ref().and_then(|source| source.protocol.clone());
        let user = |event: &Event| event.user.as_ref().map(|user| user.sub.clone());
        let same = |event: &Event| {
            event.session_id.is_some()
                && event.session_id == over.session_id
                && event.tenant == over.tenant
                && protocol(event) == protocol(&over)
                && user(event) == user(&over)
        };
        for decision in self.remove(same) {
            self.close(gateway, decision, OutcomeStatus::Unknown, Some("session_over"), now).await;
        }
    }

    /// Puts the end of a use on record; where that fails it waits on, and is tried again.
    pub(crate) async fn close(
        &self,
        gateway: &Gateway,
        decision: Event,
        status: OutcomeStatus,
        code: Option<&'static str>,
        now: Timestamp,
    ) {
        if gateway.recorder.hook_closed(&decision, status, code, now).await.is_err()
            && let Some(request) = decision.request_id.clone()
        {
            // Without regard to the bound: it has just left its place.
            self.waiting().insert((decision.tenant.clone(), request), decision);
        }
    }

    fn remove(&self, chosen: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut waiting = self.waiting();
        let keys: Vec<_> = waiting
            .iter()
            .filter(|(_, event)| chosen(event))
            .map(|(key, _)| key.clone())
            .take(CLOSED_AT_ONCE)
            .collect();
        keys.iter().filter_map(|key| waiting.remove(key)).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<(Tenant, String), Event>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn oldest(waiting: &HashMap<(Tenant, String), Event>) -> Option<(Tenant, String)> {
    waiting.iter().min_by_key(|(_, event)| event.time).map(|(key, _)| key.clone())
}
