//! Why a part is not there: erased or expired, by an entry of its own trail, or else by no right.
//!
//! Orders stand behind what they erase. They are therefore gathered first: from the places that the signed
//! manifest names, and from the log. That the entries are those which were signed for, the check of their segments
//! and of the log says, as for every other entry.

use std::collections::BTreeMap;

use greffier_event::Event;

use super::{crew, heads};
use crate::erase::{EntriesCut, Gone, Notice, Orders};
use crate::keys::KeyRing;
use crate::manifest::Holds;
use crate::read::{PartState, ReadError, part_states};
use crate::segment::EntriesFile;
use crate::store::Disk;
use crate::wal::frame::{Frame, SealedPart};
use crate::wal::replay::{Listing, LogFile};

/// Parts that are gone by right, by trail and the entry that says so: as many as there are orders.
pub type Absent = BTreeMap<(String, Gone), u64>;

/// The orders in one file of the log.
fn in_log(disk: &Disk, sequence: u64, followed: bool) -> Vec<(String, Notice)> {
    let Ok(Ok(file)) = LogFile::read(disk, sequence, followed) else { return Vec::new() };
    let frames = file.frames().map_while(Result::ok);
    let notice = |(_, frame): (u64, Frame<'_>)| {
        Some((frame.trail.to_owned(), Notice::read(frame.trail, frame.index, frame.entry)?))
    };
    frames.filter_map(notice).collect()
}

/// How the parts of one entry were found.
#[derive(Debug, Default)]
pub(super) struct PartsFound {
    pub(super) opened: u64,
    pub(super) unopened: u64,
    pub(super) gone: Vec<Gone>,
}

/// What each trail says about keeping and erasing.
#[derive(Debug)]
pub(super) struct Absence<'a> {
    disk: &'a Disk,
    orders: BTreeMap<String, Orders>,
}

impl<'a> Absence<'a> {
    /// Gathers the orders. What cannot be read here is reported where it is checked.
    pub(super) fn gather(disk: &'a Disk, holds: Option<&Holds>, log: &Listing) -> Absence<'a> {
        let mut absence = Absence { disk, orders: BTreeMap::new() };
        for place in holds.iter().flat_map(|holds| &holds.orders) {
            let segments = holds.iter().flat_map(|holds| holds.segments_of(&place.trail));
            let segment = segments.into_iter().find(|s| (s.first..s.end).contains(&place.index));
            let entry = segment.and_then(|segment| {
                let source = disk.store().open(&segment.entries.path).ok()?;
                EntriesFile::open(source).ok()?.get(place.index).ok()?
            });
            if let Some(entry) = entry {
                absence.note(&place.trail, place.index, &entry);
            }
        }
        let jobs = log.sequences.iter().map(|&sequence| (sequence, log.sequences.contains(&(sequence + 1))));
        crew::in_order(
            jobs,
            |(sequence, followed)| in_log(disk, sequence, followed),
            |notices| {
                for (trail, notice) in notices {
                    absence.orders.entry(trail).or_default().note(notice);
                }
            },
        );
        absence
    }

    fn note(&mut self, trail: &str, index: u64, entry: &[u8]) {
        if let Some(notice) = Notice::read(trail, index, entry) {
            self.orders.entry(trail.to_owned()).or_default().note(notice);
        }
    }

    /// The order of an entry that lets older entries go.
    pub(super) fn entries_cut(&self, trail: &str, by: u64) -> Option<EntriesCut> {
        self.orders.get(trail)?.entries_cut(by)
    }

    /// Whether anything of a trail was ordered to go.
    pub(super) fn concerns(&self, trail: &str) -> bool {
        self.orders.contains_key(trail)
    }

    /// Holds the parts of an entry against what it binds. What is gone must be gone by right.
    pub(super) fn check(
        &self,
        trail: &str,
        index: u64,
        event: &Event,
        sealed: &[SealedPart<'_>],
        keys: Option<&KeyRing>,
    ) -> Result<PartsFound, String> {
        let none = Orders::default();
        let orders = self.orders.get(trail).unwrap_or(&none);
        let mut found = PartsFound::default();
        let stored = || super::other_count(sealed.len(), event.parts.len());
        if let Some(keys) = keys {
            match part_states(index, event, sealed, keys, orders) {
                Ok(states) => {
                    for state in &states {
                        match state {
                            PartState::Open(part) => {
                                found.opened += 1;
                                if heads::lists(trail, event) {
                                    heads::check(self.disk, part)?;
                                }
                            }
                            PartState::Gone { why, .. } => found.gone.push(*why),
                        }
                    }
                    return Ok(found);
                }
                // Said below, with the figures.
                Err(ReadError::Part(_)) if sealed.len() != event.parts.len() => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        if sealed.len() != event.parts.len() && !sealed.is_empty() {
            return Err(stored());
        }
        for (number, part) in event.parts.iter().enumerate() {
            let sealed = sealed.get(number);
            let there = sealed.filter(|sealed| !sealed.is_taken_out());
            let holder = there.map(|sealed| sealed.holder.as_ref());
            match (orders.explain(index, event, &part.name, holder), there) {
                (Some(why), _) => found.gone.push(why),
                (None, Some(_)) => found.unopened += 1,
                (None, None) if sealed.is_some() => {
                    return Err(format!("part `{}` was taken out, and no entry ordered it", part.name));
                }
                (None, None) => return Err(stored()),
            }
        }
        Ok(found)
    }
}
