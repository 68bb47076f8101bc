//! Retention of entries: the start of a trail goes, segment by segment, once all in it is older than the time.
//!
//! ```text
//! order (an entry of the trail: action `expire`, the first entry that stays) -> register (in the keys folder)
//!   -> the log is sealed and trimmed -> a manifest names the first entry and the order, and the segments no more
//!   -> their files go -> register: done -> outcome (an entry)
//! ```
//!
//! Hash tiles stay, so that every checkpoint and every proof that was ever given still verifies.

use std::time::Duration;

use greffier_event::{Draft, EventType, Tenant, Timestamp};

use super::expire::Pass;
use super::orders::{Act, EXPIRE, EntriesCut, Orders, RETAIN};
use super::prefix::{Cut, Kept, Prefix};
use super::{EraseError, Eraser, Retention};
use crate::keys::KeyRing;
use crate::manifest::Manifest;
use crate::read::{ReadError, Reader, damaged};
use crate::sealer::Wanted;

/// What retention would take of a trail's entries now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// The first entry that there is.
    pub first: u64,
    /// The first that would stay; equal to `first` where nothing would go.
    pub end: u64,
    /// Entries recorded before this time are old enough.
    pub before: Timestamp,
    /// What keeps the next segment.
    pub kept: Option<Kept>,
}

impl Reader {
    /// What a retention would take of a trail's entries at `now`, if it were in force. Changes nothing. Blocks; reads
    /// old entries only where there are legal holds.
    pub fn expiring(
        &self,
        trail: &Tenant,
        keys: &KeyRing,
        retention: &Retention,
        delay: Duration,
        now: Timestamp,
    ) -> Result<Option<Expiring>, ReadError> {
        let Some(before) = retention.entries_cutoff(now) else { return Ok(None) };
        let Cut { first, end, kept } = self.cut(trail, keys, before, settled(now, delay))?;
        Ok(Some(Expiring { first, end, before, kept }))
    }

    fn cut(
        &self,
        trail: &Tenant,
        keys: &KeyRing,
        before: Timestamp,
        settled: Timestamp,
    ) -> Result<Cut, ReadError> {
        let orders = self.orders(trail)?;
        let unreadable = |error: &dyn std::fmt::Display| damaged(trail.as_str(), &error.to_string());
        let manifest = Manifest::newer(self.disk(), 0).map_err(|error| unreadable(&error))?;
        let holds = manifest.map(|manifest| manifest.holds).unwrap_or_default();
        let prefix =
            Prefix { disk: self.disk(), keys, holds: &holds, trail, orders: &orders, drained: false };
        prefix.cut(before, settled).map_err(|error| unreadable(&error))
    }
}

impl Orders {
    /// The newest order that lets entries go, if it is not carried out yet.
    fn open_entries_cut(&self) -> Option<(u64, greffier_event::Event, EntriesCut)> {
        let mut last = None;
        for notice in self.notices() {
            match &notice.act {
                Act::EntriesExpired(cut) => last = Some((notice.index, notice.event.clone(), *cut)),
                Act::ExpiryDone => {
                    last = last.filter(|(_, event, _)| event.request_id != notice.event.request_id);
                }
                _ => {}
            }
        }
        last
    }
}

impl Eraser {
    /// Lets the start of one trail expire; says whether anything did.
    pub(super) async fn expire_entries(
        &self,
        pass: &Pass<'_>,
        in_force: &Retention,
    ) -> Result<bool, EraseError> {
        let trail = pass.trail;
        let orders = self.orders_of(trail).await?;
        let order = match orders.open_entries_cut() {
            Some(open) => Some(open),
            None => self.order_cut(pass, in_force, &orders).await?,
        };
        let Some((by, event, cut)) = order else { return Ok(false) };
        let unfinished = |reason: String| EraseError::Unfinished { by, reason };
        self.note_order(&event, by).await.map_err(unfinished)?;
        let manifest = self.take_out(trail, Wanted::Prefix(by, cut)).await.map_err(unfinished)?;
        self.end_order(&event, manifest, pass.now).await.map_err(unfinished)?;
        Ok(true)
    }

    /// Records that the start of the trail goes; `None` where nothing does.
    async fn order_cut(
        &self,
        pass: &Pass<'_>,
        in_force: &Retention,
        orders: &Orders,
    ) -> Result<Option<(u64, greffier_event::Event, EntriesCut)>, EraseError> {
        let Some(before) = in_force.entries_cutoff(pass.now) else { return Ok(None) };
        let settled = settled(pass.now, pass.delay);
        let cut = self.blocking({
            let trail = pass.trail.clone();
            move |eraser| eraser.0.reader.cut(&trail, eraser.0.appender.keys(), before, settled)
        });
        let Cut { first, end, kept } = cut.await?;
        if let Some(Kept::Retention { entry }) = kept
            && orders.settled_retention(pass.now) == Some(entry)
        {
            // What says how long entries are kept is itself old: it is said anew, and goes once that is settled.
            let uri = pass.retention.uri(pass.trail);
            let id = (pass.new_id)(pass.now);
            let event = self.own(id, EventType::DataModify, RETAIN, uri, pass.trail, pass.now);
            self.0.appender.append(Draft { event, parts: Vec::new() }).await?;
        }
        if end == first {
            return Ok(None);
        }
        let cut = EntriesCut { end, before };
        let (id, uri) = ((pass.new_id)(pass.now), cut.uri(pass.trail));
        let event = self.own(id, EventType::ActionApproved, EXPIRE, uri, pass.trail, pass.now);
        let receipt = self.0.appender.append(Draft { event: event.clone(), parts: Vec::new() }).await?;
        Ok(Some((receipt.index, event, cut)))
    }
}

fn settled(now: Timestamp, delay: Duration) -> Timestamp {
    let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}
