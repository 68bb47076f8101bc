//! Parts that are gone, and the entries of the trail that ordered it: these are in the pack too, so that whoever reads
//! it need not take the packer's word.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::Event;

use crate::erase::{Act, Gone, Notice, Target};

/// Entries that make parts gone and are spoken of: each is an order, given by a person or by a rule, and some
/// 1 KiB in memory.
pub(super) const MAX_ORDERS: usize = 100_000;

/// While a pack is made: the orders that are still to come. They stand behind what they make go.
#[derive(Debug, Default)]
pub(super) struct Owed(BTreeSet<u64>);

impl Owed {
    /// Owes an order; false where there are too many.
    pub(super) fn owe(&mut self, by: u64) -> bool {
        self.0.insert(by);
        self.0.len() <= MAX_ORDERS
    }

    /// The first one.
    pub(super) fn first(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// An entry is in the pack.
    pub(super) fn paid(&mut self, index: u64) {
        self.0.remove(&index);
    }
}

/// While a pack is checked: the orders that are in it.
#[derive(Debug, Default)]
pub(super) struct Ordered(BTreeMap<u64, Act>);

impl Ordered {
    /// Takes in an entry of the trail, if it orders anything.
    pub(super) fn note(&mut self, trail: &str, index: u64, entry: &str) {
        if let Some(Notice { act: act @ (Act::Ordered(_) | Act::PartsExpired(_)), .. }) =
            Notice::read(trail, index, entry.as_bytes())
            && self.0.len() < MAX_ORDERS
        {
            self.0.insert(index, act);
        }
    }

    /// Whether the entry that is named orders a part of this entry to go. Whose reference an order on a user names,
    /// the operator's keys alone can tell: of that one, only that the event has a user.
    pub(super) fn explain(&self, index: u64, event: &Event, part: &str, gone: Gone) -> bool {
        let (Gone::Erased { by } | Gone::Expired { by }) = gone;
        let explains = match (gone, self.0.get(&by)) {
            (Gone::Erased { .. }, Some(Act::Ordered(target))) => concerns(target, event, part),
            (Gone::Expired { .. }, Some(Act::PartsExpired(cutoffs))) => cutoffs.cover(event),
            _ => false,
        };
        explains && by >= index
    }
}

fn concerns(target: &Target, event: &Event, part: &str) -> bool {
    match target {
        Target::Event(id) => event.id == *id,
        Target::Part(id, name) => event.id == *id && part == name,
        Target::Subject(subject) => {
            event.resource.as_ref().is_some_and(|resource| resource.subjects.contains(subject))
        }
        Target::User(_) => event.user.is_some(),
    }
}

#[cfg(test)]
mod tests;
