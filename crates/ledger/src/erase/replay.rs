//! At start, before anything is recorded or shown: what was ordered and is not done is done.
//!
//! Three things may be behind: this directory, because the last process died on the way; the data, because it was
//! restored from an older copy, and then the register knows more than the trails; the keys, because they were,
//! and then the trails know more than the register. Afterwards all of them say the same.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::{Event, EventId, Tenant, Timestamp};
use greffier_merkle::hash;

use super::orders::{Act, Notice, Orders};
use super::{outcome, take_out};
use crate::commit::{Committer, Entry};
use crate::error::LedgerError;
use crate::keys::KeyRing;
use crate::keys::register::{Noted, Register};
use crate::publish::Publisher;
use crate::recover::Recovered;
use crate::sealer::{Sealer, Wanted};
use crate::wal::frame::Unplaced;

/// An open directory that nobody uses yet.
pub(crate) struct Replay<'a> {
    pub(crate) keys: &'a KeyRing,
    pub(crate) committer: &'a mut Committer,
    pub(crate) publisher: &'a mut Publisher,
    pub(crate) sealer: &'a mut Sealer,
    /// What the trails say.
    pub(crate) orders: BTreeMap<String, Orders>,
    /// The newest manifest that was found.
    pub(crate) manifest: u64,
    pub(crate) now: Timestamp,
}

impl Replay<'_> {
    /// Does all of it. What was left open is closed by its outcome, and is nobody else's to close.
    pub(crate) fn run(mut self, recovered: &mut Recovered) -> Result<(), LedgerError> {
        let reading = LedgerError::io("read the register in the keys folder");
        let mut register = Register::open(self.keys.dir()).map_err(reading)?;
        let again = self.catch_up_trails(&register, recovered)?;
        self.catch_up_register(&mut register)?;
        let done = self.carry_out(&mut register, &again)?;
        let open = |event: &Event| !done.contains(&(event.tenant.to_string(), event.request_id.clone()));
        recovered.open_decisions.retain(open);
        Ok(())
    }

    /// Puts on its trail whatever the register knows and the trail does not, and says what that was.
    fn catch_up_trails(
        &mut self,
        register: &Register,
        recovered: &mut Recovered,
    ) -> Result<BTreeSet<EventId>, LedgerError> {
        let known: BTreeSet<EventId> = self.notices().map(|notice| notice.event.id).collect();
        // What stood before a trail's first entry is gone with all that it was about.
        let cut = |noted: &Noted| noted.index < self.sealer.first(&noted.trail);
        let mut missing: Vec<&Noted> =
            register.noted().filter(|noted| !known.contains(&noted.event.id) && !cut(noted)).collect();
        missing.sort_by_key(|noted| noted.event.time);
        for noted in &missing {
            let mut event = noted.event.clone();
            event.recorded_at = Some(self.now);
            (event.parts, event.parts_root) = (Vec::new(), None);
            let (trail, index) = self.append(&event)?;
            let words = "an order of which these data knew nothing was recorded again and carried out";
            recovered.repairs.push(format!("trail `{trail}`, entry {index}: {words}"));
            if let Some(act) = Act::of(&event) {
                self.orders.entry(trail).or_default().note(Notice { index, act, event });
            }
        }
        Ok(missing.into_iter().map(|noted| noted.event.id).collect())
    }

    /// Notes in the register whatever it does not know.
    fn catch_up_register(&self, register: &mut Register) -> Result<(), LedgerError> {
        for notice in self.notices() {
            if matches!(notice.act, Act::Ordered(_) | Act::Held(_) | Act::Released(_)) {
                let trail = notice.event.tenant.to_string();
                let noted = Noted { trail, index: notice.index, event: notice.event.clone() };
                register.note(noted).map_err(LedgerError::io("write the register in the keys folder"))?;
            }
        }
        Ok(())
    }

    /// Carries out what is not done, and returns which erasures that were.
    fn carry_out(
        &mut self,
        register: &mut Register,
        again: &BTreeSet<EventId>,
    ) -> Result<BTreeSet<(String, Option<String>)>, LedgerError> {
        let undone = |notice: &&Notice| {
            let id = &notice.event.id;
            let done = register.is_done(id, self.manifest) && !again.contains(id);
            match notice.act {
                Act::Ordered(_) => !done,
                // Of those the register keeps the last ones only.
                Act::PartsExpired(_) | Act::EntriesExpired(_) => !done && register.knows(id),
                _ => false,
            }
        };
        let undone: Vec<Notice> = self.notices().filter(undone).cloned().collect();
        let mut done = BTreeSet::new();
        if undone.is_empty() {
            return Ok(done);
        }
        // All that the log holds is signed, and a new file begins: the old ones can be emptied.
        let file = self.committer.rotate().map_err(LedgerError::io("open the log"))?;
        self.publisher.publish().map_err(LedgerError::io("publish the trails"))?;
        for Notice { index, act, event } in undone {
            let trail = event.tenant.to_string();
            let orders = self.orders.entry(trail.clone()).or_default().clone();
            let wanted = match &act {
                Act::Ordered(target) => target.wanted(),
                Act::PartsExpired(cutoffs) => Some(cutoffs.wanted()),
                Act::EntriesExpired(cut) => Some(Wanted::Prefix(index, *cut)),
                _ => continue,
            };
            let manifest = match (&act, wanted) {
                (Act::Ordered(super::Target::User(holder)), _) => {
                    self.keys.destroy_holder_key(holder)?;
                    self.manifest
                }
                (_, Some(wanted)) => take_out(self.sealer, file, &event.tenant, &wanted, &orders)
                    .map_err(|error| LedgerError::io("carry out an erasure")(std::io::Error::other(error)))?,
                (_, None) => continue,
            };
            let request = event.request_id.as_deref().unwrap_or_default();
            let ended = |notice: &Notice| {
                matches!(notice.act, Act::Done(_) | Act::Failed(_) | Act::ExpiryDone)
                    && notice.request() == request
            };
            if !orders.notices().any(ended) {
                self.append(&outcome(&event, None, self.now))?;
            }
            register
                .done(event.id, manifest)
                .map_err(LedgerError::io("write the register in the keys folder"))?;
            done.insert((trail, event.request_id.clone()));
        }
        self.publisher.publish().map_err(LedgerError::io("publish the trails"))?;
        Ok(done)
    }

    fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.orders.values().flat_map(Orders::notices)
    }

    /// Records an event of ours, which has no parts.
    fn append(&mut self, event: &Event) -> Result<(String, u64), LedgerError> {
        let damaged = |error: &dyn std::fmt::Display| {
            let what = format!("an order in the register cannot be recorded: {error}");
            LedgerError::io("replay erasures")(std::io::Error::other(what))
        };
        let trail: Tenant = event.tenant.clone();
        let bytes = event.canonical().map_err(|error| damaged(&error))?;
        let frame = Unplaced::encode(trail.as_str(), &bytes, &[]).map_err(|error| damaged(&error))?;
        let leaf = hash::leaf(&bytes);
        let entry =
            Entry { trail: trail.clone(), leaf, frame, id: event.id, recorded_at: self.now, submitted: None };
        let places = self.committer.commit(&[entry]).map_err(LedgerError::io("write the log"))?;
        match places.into_iter().next() {
            Some(Ok(index)) => {
                self.publisher.ingest(vec![(trail.clone(), leaf)]);
                Ok((trail.into(), index))
            }
            Some(Err(refusal)) => Err(damaged(&format!("{refusal:?}"))),
            None => Err(damaged(&"it has no place")),
        }
    }
}
