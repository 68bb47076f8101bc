//! Names that were seen before, a bounded number of them.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use greffier_event::Timestamp;

use crate::keyed::Hashed;

/// Names of one kind that are known of one agent or user. Where there are more, a new one says nothing.
const MAX_NAMES: usize = 128;
/// A name is unusual if none was new for so long: who tries something each day is expected to.
const SETTLED_US: i64 = 7 * 86_400_000_000;

/// The tools of somebody, or the places in which they work.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Each by its hash, with its number and how often it came.
    names: HashMap<u64, (u8, u64), BuildHasherDefault<Hashed>>,
    full: bool,
    /// When the last one was new.
    last_new: Option<Timestamp>,
}

/// A name that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// Its number; none past the bound.
    pub(crate) number: Option<u8>,
    /// How often it came before.
    pub(crate) before: u64,
    /// Whether it is new among names that are settled.
    pub(crate) strange: bool,
}

impl Known {
    pub(crate) fn add(&mut self, name: u64, time: Timestamp) -> Came {
        if let Some((number, times)) = self.names.get_mut(&name) {
            *times += 1;
            return Came { number: Some(*number), before: *times - 1, strange: false };
        }
        let settled = |last: Timestamp| time.as_micros().saturating_sub(last.as_micros()) >= SETTLED_US;
        let strange = !self.full && self.last_new.is_some_and(settled);
        self.last_new = self.last_new.max(Some(time));
        let number = u8::try_from(self.names.len()).ok().filter(|_| self.names.len() < MAX_NAMES);
        match number {
            Some(number) => {
                self.names.insert(name, (number, 1));
            }
            None => self.full = true,
        }
        Came { number, before: 0, strange }
    }
}
