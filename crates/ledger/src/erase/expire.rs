//! Retention: parts that were kept as long as they were to be kept are taken out, class by class.
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
use crate::sealer::Wanted;

/// Times of days or more are counted from midnight (UTC), so that a file is written anew once a day at most.
const DAY: i64 = 86_400_000_000;

/// How long parts are kept, counted from `recorded_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of events without a class that has a rule of its own; without a time, for ever.
    pub parts: Option<Duration>,
    /// By class of the resource. Of several classes the one that keeps longest decides.
    pub classes: BTreeMap<String, Duration>,
}

impl Retention {
    /// `audit://<tenant>/retention/<seconds or ->/<class>:<seconds>/…`
    pub(super) fn uri(&self, tenant: &Tenant) -> String {
        let other = self.parts.map_or("-".to_owned(), |time| time.as_secs().to_string());
        let classes: String =
            self.classes.iter().map(|(class, time)| format!("/{class}:{}", time.as_secs())).collect();
        format!("audit://{tenant}/retention/{other}{classes}")
    }

    pub(super) fn parse(tenant: &Tenant, uri: &str) -> Option<Retention> {
        let mut pieces = place(tenant, uri)?.strip_prefix("retention/")?.split('/');
        let time = |seconds: &str| seconds.parse().ok().map(Duration::from_secs);
        let parts = match pieces.next()? {
            "-" => None,
            seconds => Some(time(seconds)?),
        };
        let class = |piece: &str| {
            let (class, seconds) = piece.rsplit_once(':')?;
            Some((class.to_owned(), time(seconds)?))
        };
        Some(Retention { parts, classes: pieces.map(class).collect::<Option<_>>()? })
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
        Retention { parts: longer(None), classes: classes.collect() }
    }

    /// What was recorded before these times has expired.
    pub(super) fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        let cutoff = |time: Duration| {
            let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
            let cutoff = now.as_micros().saturating_sub(micros);
            let step = if micros >= DAY { DAY } else { 1 };
            Timestamp::from_micros(cutoff.div_euclid(step).saturating_mul(step))
        };
        let classes = self.classes.iter().map(|(class, time)| (class.clone(), cutoff(*time)));
        Cutoffs { other: self.parts.map(cutoff), classes: classes.collect() }
    }
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
            let cutoffs = in_force.cutoffs(now);
            let order = match orders.last_expiry(&cutoffs) {
                Some((_, _, true)) => continue,
                Some((by, event, false)) => Some((by, event)),
                None => self.order_expiry(&trail, &cutoffs, now, new_id).await?,
            };
            let Some((by, event)) = order else { continue };
            let unfinished = |reason: String| EraseError::Unfinished { by, reason };
            self.take_out_expired(&trail, &cutoffs).await.map_err(unfinished)?;
            let outcome = outcome(&event, Some(&self.0.node), now);
            self.0.appender.append(Draft { event: outcome, parts: Vec::new() }).await?;
            expired += 1;
        }
        Ok(expired)
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

    async fn take_out_expired(&self, trail: &Tenant, cutoffs: &Cutoffs) -> Result<(), String> {
        let orders = self.orders_of(trail).await.map_err(|error| error.to_string())?;
        let latest = cutoffs.classes.values().chain(&cutoffs.other).max();
        let wanted = Wanted::RecordedBefore(latest.map_or(i64::MIN, |time| time.as_micros()));
        let (reply, done) = oneshot::channel();
        let erasure = Erasure { trail: trail.clone(), wanted, orders, file: 0, reply };
        self.0.appender.command(Command::Erase(Box::new(erasure)));
        done.await.map_err(|_| "the ledger is closing".to_owned())?.map(drop)
    }

    async fn orders_of(&self, trail: &Tenant) -> Result<Arc<Orders>, EraseError> {
        let trail = trail.clone();
        Ok(self.blocking(move |eraser| eraser.0.reader.orders(&trail)).await?)
    }

    /// An act of this node that nobody asked for.
    fn own(
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
