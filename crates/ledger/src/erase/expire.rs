//! Retention: parts that were kept as long as they were to be kept are taken out, class by class; entries go with
//! the segments at the start of their trail (`entries.rs`).
//!
//! What is configured is an event on every trail (`data.modify`, action `retain`), and so is each time that
//! something expires (`action.approved`, action `expire`, then its outcome), so that a part which is missing is
//! explained from the trail alone. A shorter time takes effect later, a longer one at once; a legal hold beats both.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{Action, ActionKind, Agent, DecisionKind, Draft, Effect, Event, EventId, EventType};
use greffier_event::{PolicyRecord, Resource, Source, Tenant, Timestamp};
use tokio::sync::oneshot;

use super::orders::{Act, Cutoffs, EXPIRE, Orders, RETAIN};
use super::target::place;
use super::{EraseError, Eraser, Erasure, outcome};
use crate::append::Command;
use crate::keys::register::Noted;
use crate::sealer::Wanted;

/// Times of days or more are counted from midnight (UTC), so that a file is written anew once a day at most.
const DAY: i64 = 86_400_000_000;
/// What stands before the time of entries.
const ENTRIES: &str = "entries=";

/// How long entries and parts are kept, counted from `recorded_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Entries, with all that belongs to them; without a time, for ever.
    pub entries: Option<Duration>,
    /// Parts of events without a class that has a rule of its own; without a time, as long as their entries.
    pub parts: Option<Duration>,
    /// Parts by class of the resource. Of several classes the one that keeps longest decides.
    pub classes: BTreeMap<String, Duration>,
}

impl Retention {
    /// `audit://<tenant>/retention/<seconds or ->/<class>:<seconds>/…`, and at the end `/entries=<seconds>`: no class
    /// has a `=` in its name.
    pub(super) fn uri(&self, tenant: &Tenant) -> String {
        let other = self.parts.map_or("-".to_owned(), |time| time.as_secs().to_string());
        let classes: String =
            self.classes.iter().map(|(class, time)| format!("/{class}:{}", time.as_secs())).collect();
        let entries = self.entries.map_or(String::new(), |time| format!("/{ENTRIES}{}", time.as_secs()));
        format!("audit://{tenant}/retention/{other}{classes}{entries}")
    }

    pub(super) fn parse(tenant: &Tenant, uri: &str) -> Option<Retention> {
        let mut pieces: Vec<&str> = place(tenant, uri)?.strip_prefix("retention/")?.split('/').collect();
        let time = |seconds: &str| seconds.parse().ok().map(Duration::from_secs);
        let entries = pieces.pop_if(|piece| piece.starts_with(ENTRIES));
        let entries = match entries.and_then(|piece| piece.strip_prefix(ENTRIES)) {
            Some(seconds) => Some(time(seconds)?),
            None => None,
        };
        let mut pieces = pieces.into_iter();
        let parts = match pieces.next()? {
            "-" => None,
            seconds => Some(time(seconds)?),
        };
        let class = |piece: &str| {
            let (class, seconds) = piece.rsplit_once(':')?;
            Some((class.to_owned(), time(seconds)?))
        };
        Some(Retention { entries, parts, classes: pieces.map(class).collect::<Option<_>>()? })
    }

    /// For a class; one without a rule of its own is kept like all others.
    fn of(&self, class: Option<&str>) -> Option<Duration> {
        class.and_then(|class| self.classes.get(class)).copied().or(self.parts)
    }

    /// What both keep: of each class the longer time.
    fn longer(&self, other: &Retention) -> Retention {
        let longer = |class: Option<&str>| Some(self.of(class)?.max(other.of(class)?));
        let classes = self.classes.keys().chain(other.classes.keys());
        // A class that is kept for ever has no time to write down: a thousand years stand for it.
        const EVER: Duration = Duration::from_secs(1_000 * 366 * 86_400);
        let classes = classes.map(|class| (class.clone(), longer(Some(class)).unwrap_or(EVER)));
        let entries = self.entries.zip(other.entries).map(|(ours, theirs)| ours.max(theirs));
        Retention { entries, parts: longer(None), classes: classes.collect() }
    }

    /// What was recorded before these times has expired.
    pub(super) fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        let cutoff = |time: Duration| cutoff(time, now);
        let classes = self.classes.iter().map(|(class, time)| (class.clone(), cutoff(*time)));
        Cutoffs { other: self.parts.map(cutoff), classes: classes.collect() }
    }

    /// Entries that were recorded before this time have expired.
    pub(super) fn entries_cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        self.entries.map(|time| cutoff(time, now))
    }
}

fn cutoff(time: Duration, now: Timestamp) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let cutoff = now.as_micros().saturating_sub(micros);
    let step = if micros >= DAY { DAY } else { 1 };
    Timestamp::from_micros(cutoff.div_euclid(step).saturating_mul(step))
}

impl Orders {
    /// What is in force on the trail: of each class the longest of all times that were configured within the last
    /// `delay`, and of the one before them. Nothing expires before the first one is that old.
    pub(super) fn in_force(&self, now: Timestamp, delay: Duration) -> Option<Retention> {
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        let settled = now.as_micros().saturating_sub(micros);
        let mut known: Option<Retention> = None;
        for notice in self.notices() {
            let Act::Retained(retention) = &notice.act else { continue };
            let recorded_at = notice.event.recorded_at.unwrap_or(notice.event.time);
            known = match known {
                _ if recorded_at.as_micros() <= settled => Some(retention.clone()),
                Some(before) => Some(before.longer(retention)),
                // Before it everything was kept for ever.
                None => return None,
            };
        }
        known
    }

    /// The entry that says what is in force, of those that are older than a time.
    pub(super) fn settled_retention(&self, settled: Timestamp) -> Option<u64> {
        let said = self.notices().filter(|notice| matches!(notice.act, Act::Retained(_)));
        let recorded_at = |event: &Event| event.recorded_at.unwrap_or(event.time);
        said.filter(|notice| recorded_at(&notice.event) <= settled).map(|notice| notice.index).last()
    }

    /// What was configured last.
    fn configured(&self) -> Option<&Retention> {
        self.notices()
            .filter_map(|notice| match &notice.act {
                Act::Retained(retention) => Some(retention),
                _ => None,
            })
            .last()
    }

    /// Whether the last expiry covers these times, and whether it is done; a hold that was released since may have
    /// kept something back.
    fn last_expiry(&self, cutoffs: &Cutoffs) -> Option<(u64, Event, bool)> {
        let mut last = None;
        for notice in self.notices() {
            match &notice.act {
                Act::PartsExpired(known) if known == cutoffs => {
                    last = Some((notice.index, notice.event.clone(), false));
                }
                Act::PartsExpired(_) | Act::Released(_) => last = None,
                Act::ExpiryDone => {
                    if let Some((_, event, done)) = &mut last {
                        *done |= event.request_id == notice.event.request_id;
                    }
                }
                _ => {}
            }
        }
        last
    }
}

/// One look at one trail.
pub(super) struct Pass<'a> {
    pub(super) trail: &'a Tenant,
    /// What is configured.
    pub(super) retention: &'a Retention,
    pub(super) delay: Duration,
    pub(super) now: Timestamp,
    pub(super) new_id: fn(Timestamp) -> EventId,
}

impl Cutoffs {
    /// Where parts that expired are to be looked for.
    pub(super) fn wanted(&self) -> Wanted {
        let latest = self.classes.values().chain(&self.other).max();
        Wanted::RecordedBefore(latest.map_or(i64::MIN, |time| time.as_micros()))
    }
}

impl Eraser {
    /// One pass over all trails: says what is configured, and lets expire what has. Says on how many trails
    /// something did. `new_id` mints ids of events.
    pub async fn expire(
        &self,
        retention: &Retention,
        delay: Duration,
        now: Timestamp,
        new_id: fn(Timestamp) -> EventId,
    ) -> Result<u64, EraseError> {
        let trails = self.blocking(|eraser| eraser.0.reader.trails()).await?;
        let mut expired = 0;
        for (trail, _) in trails {
            let _one = self.0.one.lock().await;
            let orders = self.orders_of(&trail).await?;
            if orders.configured().unwrap_or(&Retention::default()) != retention {
                let event =
                    self.own(new_id(now), EventType::DataModify, RETAIN, retention.uri(&trail), &trail, now);
                self.0.appender.append(Draft { event, parts: Vec::new() }).await?;
            }
            let orders = self.orders_of(&trail).await?;
            let Some(in_force) = orders.in_force(now, delay) else { continue };
            let pass = Pass { trail: &trail, retention, delay, now, new_id };
            // Entries first: with them go their parts.
            let entries = self.expire_entries(&pass, &in_force).await?;
            let parts = self.expire_parts(&pass, &in_force).await?;
            expired += u64::from(entries || parts);
        }
        Ok(expired)
    }

    /// Lets parts of one trail expire; says whether any did.
    async fn expire_parts(&self, pass: &Pass<'_>, in_force: &Retention) -> Result<bool, EraseError> {
        let cutoffs = in_force.cutoffs(pass.now);
        if cutoffs == Cutoffs::default() {
            return Ok(false);
        }
        let orders = self.orders_of(pass.trail).await?;
        let order = match orders.last_expiry(&cutoffs) {
            Some((_, _, true)) => return Ok(false),
            Some((by, event, false)) => Some((by, event)),
            None => self.order_expiry(pass.trail, &cutoffs, pass.now, pass.new_id).await?,
        };
        let Some((by, event)) = order else { return Ok(false) };
        let unfinished = |reason: String| EraseError::Unfinished { by, reason };
        self.note_order(&event, by).await.map_err(unfinished)?;
        let manifest = self.take_out_expired(pass.trail, &cutoffs).await.map_err(unfinished)?;
        self.end_order(&event, manifest, pass.now).await.map_err(unfinished)?;
        Ok(true)
    }

    /// Keeps an order apart from the data, so that an older copy of them comes to know it.
    pub(super) async fn note_order(&self, event: &Event, by: u64) -> Result<(), String> {
        let noted = Noted { trail: event.tenant.to_string(), index: by, event: event.clone() };
        let note = self.blocking(move |eraser| eraser.register(|register| register.note(noted)));
        note.await.map_err(|error: std::io::Error| error.to_string())
    }

    /// Notes that an order of this node is carried out since a manifest, and records it.
    pub(super) async fn end_order(&self, event: &Event, manifest: u64, now: Timestamp) -> Result<(), String> {
        let id = event.id;
        let done = self.blocking(move |eraser| eraser.register(|register| register.done(id, manifest)));
        done.await.map_err(|error: std::io::Error| error.to_string())?;
        let outcome = outcome(event, Some(&self.0.node), now);
        let recorded = self.0.appender.append(Draft { event: outcome, parts: Vec::new() }).await;
        recorded.map(drop).map_err(|error| error.to_string())
    }

    /// Records that what is older expires; `None` where nothing does.
    async fn order_expiry(
        &self,
        trail: &Tenant,
        cutoffs: &Cutoffs,
        now: Timestamp,
        new_id: fn(Timestamp) -> EventId,
    ) -> Result<Option<(u64, Event)>, EraseError> {
        let due = self.blocking({
            let (trail, cutoffs) = (trail.clone(), cutoffs.clone());
            move |eraser| eraser.is_due(&trail, &cutoffs)
        });
        if !due.await? {
            return Ok(None);
        }
        let event = self.own(new_id(now), EventType::ActionApproved, EXPIRE, cutoffs.uri(trail), trail, now);
        let receipt = self.0.appender.append(Draft { event: event.clone(), parts: Vec::new() }).await?;
        Ok(Some((receipt.index, event)))
    }

    /// Whether any part is there that these times let expire.
    fn is_due(&self, trail: &Tenant, cutoffs: &Cutoffs) -> Result<bool, EraseError> {
        let orders = self.0.reader.orders(trail)?;
        let (holds, keys) = (orders.holds(), self.0.appender.keys());
        let mut due = false;
        self.0.reader.each(trail, 0, |index, entry| {
            let Ok(event) = Event::from_canonical(entry) else { return ControlFlow::Continue(()) };
            let holder = keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
            let there = |part: &greffier_event::PartRef| {
                orders.explain(index, &event, &part.name, Some(&holder)).is_none()
            };
            due = cutoffs.cover(&event)
                && event.parts.iter().any(there)
                && !holds.iter().any(|hold| hold.scope.covers(&event, &holder));
            if due { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(due)
    }

    async fn take_out_expired(&self, trail: &Tenant, cutoffs: &Cutoffs) -> Result<u64, String> {
        self.take_out(trail, cutoffs.wanted()).await
    }

    /// Sends an order on its way through the threads; says since which manifest it is carried out.
    pub(super) async fn take_out(&self, trail: &Tenant, wanted: Wanted) -> Result<u64, String> {
        let orders = self.orders_of(trail).await.map_err(|error| error.to_string())?;
        let (reply, done) = oneshot::channel();
        let erasure = Erasure { trail: trail.clone(), wanted, orders, file: 0, reply };
        self.0.appender.command(Command::Erase(Box::new(erasure)));
        done.await.map_err(|_| "the ledger is closing".to_owned())?
    }

    pub(super) async fn orders_of(&self, trail: &Tenant) -> Result<Arc<Orders>, EraseError> {
        let trail = trail.clone();
        Ok(self.blocking(move |eraser| eraser.0.reader.orders(&trail)).await?)
    }

    /// An act of this node that nobody asked for.
    pub(super) fn own(
        &self,
        id: EventId,
        kind: EventType,
        action: &str,
        uri: String,
        trail: &Tenant,
        now: Timestamp,
    ) -> Event {
        let mut event = Event::new(id, kind, trail.clone(), now);
        event.recorded_at = Some(now);
        event.request_id = Some(id.to_string());
        event.agent = Some(Agent { id: Tenant::NODE.to_owned(), verified: true, ..Agent::default() });
        event.action = Some(Action {
            kind: Some(ActionKind::Admin),
            effect: Some(Effect::Delete),
            name: action.to_owned(),
            ..Action::default()
        });
        event.resource = Some(Resource { uri: Some(uri), ..Resource::default() });
        let (reason, version, scopes) = (None, None, Vec::new());
        let rule = Some("the configured retention".to_owned());
        event.policy = Some(PolicyRecord { decision: DecisionKind::Allow, reason, rule, scopes, version });
        event.source = Some(Source {
            channel: "gateway".to_owned(),
            node: Some(self.0.node.clone()),
            ..Source::default()
        });
        event
    }
}
