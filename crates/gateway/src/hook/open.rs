//! Uses of tools that were permitted and whose end nobody has told yet.
//!
//! A client may never tell: its user refused, or it was killed. So each waits for a bounded time, in a bounded table,
//! and what leaves it without an outcome is closed as unknown, on record. The id of a use is made from what the
//! client says of it, so that decision and outcome join across a restart of ours; the decisions themselves are found
//! on the trail again at start.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use greffier_event::{Call, Event, EventType, OutcomeStatus, Principal, Tenant, Timestamp};
use greffier_ledger::Appender;

use crate::gateway::Gateway;
use crate::hook::Client;
use crate::hook::heard::{Origin, Use};

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
    origin: &Origin,
    used: &Use,
) -> String {
    let subject = principal.user.as_deref().or(principal.client_id.as_deref()).unwrap_or(&principal.agent);
    // Without an id: the same arguments in the same turn.
    let turn = origin.circumstances.get("generation_id").or_else(|| origin.circumstances.get("turn_id"));
    let call = used.call_id.clone().unwrap_or_else(|| {
        let input = digest::digest(&digest::SHA256, &used.input);
        format!("{} {} {}", turn.and_then(|turn| turn.as_str()).unwrap_or("-"), used.name, hex::encode(input))
    });
    let name = serde_json::json!([client.name(), subject, origin.session, call]).to_string();
    let reference = appender.keys().reference(&principal.tenant, "hook", &name);
    format!("req_{}", reference.trim_start_matches("ref:"))
}

/// The uses that wait, and what becomes of those that wait too long.
#[derive(Default)]
pub(crate) struct OpenHooks {
    table: Mutex<Table>,
}

/// Decisions by trail and request.
#[derive(Default)]
struct Table(HashMap<(Tenant, String), Event>);

impl OpenHooks {
    /// Of the decisions that the last run left open: those of hooks go on waiting, for their tools run on without us.
    /// The others are given back.
    pub(crate) fn reopened(&self, decisions: Vec<Event>) -> Vec<Event> {
        self.table().reopened(decisions, MAX_OPEN)
    }

    /// A decision waits from now on.
    pub(crate) async fn wait(&self, gateway: &Gateway, decision: Event, now: Timestamp) {
        let displaced = self.table().insert(decision, MAX_OPEN);
        if let Some(displaced) = displaced {
            self.close(gateway, displaced, OutcomeStatus::Unknown, Some("too_many_open"), now).await;
        }
    }

    /// The decision of a use that ended.
    pub(crate) fn take(&self, tenant: &Tenant, request: &str) -> Option<Event> {
        self.table().0.remove(&(tenant.clone(), request.to_owned()))
    }

    /// Closes what has waited for too long.
    pub(crate) async fn settle(&self, gateway: &Gateway, now: Timestamp) {
        let over = self.table().remove(|event| is_over(event, now));
        for decision in over {
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
        // Compared as the record has them.
        let end = gateway.recorder.of_call(call, principal, EventType::AgentStop);
        let over = self.table().remove(|event| is_same_session(event, &end));
        for decision in over {
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
        if gateway.recorder.hook_closed(&decision, status, code, now).await.is_err() {
            // Without regard to the bound: it has just left its place.
            drop(self.table().insert(decision, usize::MAX));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Adds a decision; where there is no room, the oldest one gives way to it.
    fn insert(&mut self, decision: Event, most: usize) -> Option<Event> {
        let request = decision.request_id.clone()?;
        let key = (decision.tenant.clone(), request);
        let full = self.0.len() >= most && !self.0.contains_key(&key);
        let displaced = if full { self.oldest().and_then(|oldest| self.0.remove(&oldest)) } else { None };
        self.0.insert(key, decision);
        displaced
    }

    fn reopened(&mut self, decisions: Vec<Event>, most: usize) -> Vec<Event> {
        let is_hook = |event: &Event| event.source.as_ref().is_some_and(|source| source.channel == "hook");
        let mut others = Vec::with_capacity(decisions.len());
        // The newest come last, and have the best claim to a place.
        for event in decisions.into_iter().rev() {
            if is_hook(&event) && event.request_id.is_some() && self.0.len() < most {
                drop(self.insert(event, most));
            } else {
                others.push(event);
            }
        }
        others.reverse();
        others
    }

    fn remove(&mut self, chosen: impl Fn(&Event) -> bool) -> Vec<Event> {
        let chosen = self.0.iter().filter(|(_, event)| chosen(event)).take(CLOSED_AT_ONCE);
        let keys: Vec<_> = chosen.map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| self.0.remove(key)).collect()
    }

    fn oldest(&self) -> Option<(Tenant, String)> {
        self.0.iter().min_by_key(|(_, event)| event.time).map(|(key, _)| key.clone())
    }
}

fn is_over(event: &Event, now: Timestamp) -> bool {
    now.as_micros().saturating_sub(event.time.as_micros()) >= LONGEST
}

/// Of one client, one caller, one session.
fn is_same_session(event: &Event, end: &Event) -> bool {
    let protocol = |event: &Event| event.source.as_ref().and_then(|source| source.protocol.clone());
    let user = |event: &Event| event.user.as_ref().map(|user| user.sub.clone());
    event.session_id.is_some()
        && event.session_id == end.session_id
        && event.tenant == end.tenant
        && protocol(event) == protocol(end)
        && user(event) == user(end)
}

#[cfg(test)]
mod tests {
    use greffier_event::{EventId, Source, User};

    use super::*;

    fn event(seconds: i64, request: &str, channel: &str) -> Event {
        let id = EventId("00000000-0000-7000-8000-000000000001".parse().unwrap());
        let time = Timestamp::from_micros(seconds * 1_000_000);
        let mut event = Event::new(id, EventType::ActionApproved, Tenant::new("acme").unwrap(), time);
        event.request_id = Some(request.to_owned());
        event.session_id = Some("s1".to_owned());
        event.source = Some(Source { channel: channel.to_owned(), ..Source::default() });
        event
    }

    fn requests(events: impl IntoIterator<Item = Event>) -> String {
        let mut names: Vec<_> = events.into_iter().filter_map(|event| event.request_id).collect();
        names.sort();
        names.join(" ")
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut table = Table::default();
        assert_eq!(table.insert(event(2, "b", "hook"), 2), None);
        assert_eq!(table.insert(event(1, "a", "hook"), 2), None);
        // The same use asked about again takes nobody's place.
        assert_eq!(table.insert(event(3, "a", "hook"), 2), None);
        assert_eq!(requests(table.insert(event(4, "c", "hook"), 2)), "b");
        assert_eq!(requests(table.0.into_values()), "a c");
    }

    #[test]
    fn at_start_uses_of_hooks_wait_on_and_calls_do_not() {
        let open = [(1, "a", "hook"), (2, "b", "gateway"), (3, "c", "hook"), (4, "d", "hook")];
        let mut table = Table::default();
        let closed = table.reopened(open.map(|(at, name, by)| event(at, name, by)).to_vec(), 2);
        assert_eq!(requests(closed), "a b");
        assert_eq!(requests(table.0.into_values()), "c d");
    }

    #[test]
    fn what_waits_too_long_is_over() {
        let mut table = Table::default();
        for (at, name) in [(0, "a"), (1, "b")] {
            assert_eq!(table.insert(event(at, name, "hook"), 9), None);
        }
        let now = Timestamp::from_micros(LONGEST);
        assert_eq!(requests(table.remove(|event| is_over(event, now))), "a");
        assert_eq!(requests(table.0.into_values()), "b");
    }

    #[test]
    fn a_session_ends_only_for_its_own_caller() {
        let of = |sub: &str, session: Option<&str>| Event {
            user: Some(User { sub: sub.to_owned(), ..User::default() }),
            session_id: session.map(str::to_owned),
            ..event(0, "a", "hook")
        };
        let end = of("alice", Some("s1"));
        assert!(is_same_session(&of("alice", Some("s1")), &end));
        assert!(!is_same_session(&of("bob", Some("s1")), &end));
        assert!(!is_same_session(&of("alice", Some("s2")), &end));
        // Without a session nothing says what belongs together.
        assert!(!is_same_session(&of("alice", None), &of("alice", None)));
    }
}
