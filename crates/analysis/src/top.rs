//! The most common of many names.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keyed::{ByKey, Key};

/// Bytes of distinct names kept by one tally: names come from callers, who must not choose our memory.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What a name takes beside its own bytes.
const OVERHEAD: usize = 64;

/// A name and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Counts names. Past its bound it counts on for the names it knows and takes in no new ones.
pub(crate) struct Tally {
    counts: ByKey<(Box<str>, u64)>,
    free: usize,
    full: bool,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally::bounded(MAX_BYTES)
    }

    fn bounded(bytes: usize) -> Tally {
        Tally { counts: ByKey::default(), free: bytes, full: false }
    }

    pub(crate) fn add_times(&mut self, name: &str, times: u64) {
        self.add_keyed(Key::of(name), name, times, Box::from);
    }

    fn add_keyed<N: AsRef<str>>(&mut self, key: Key, name: N, times: u64, own: impl FnOnce(N) -> Box<str>) {
        if let Some((_, count)) = self.counts.get_mut(&key) {
            *count = count.saturating_add(times);
            return;
        }
        match self.free.checked_sub(name.as_ref().len() + OVERHEAD) {
            Some(free) => {
                self.free = free;
                self.counts.insert(key, (own(name), times));
            }
            None => self.full = true,
        }
    }

    /// Takes in the counts of another; both were bounded alike.
    pub(crate) fn merge(&mut self, other: Tally) {
        self.full |= other.full;
        for (key, (name, times)) in other.counts {
            self.add_keyed(key, name, times, |name| name);
        }
    }

    /// How many different names came; at least so many once it is full.
    pub(crate) fn distinct(&self) -> u64 {
        u64::try_from(self.counts.len()).unwrap_or(u64::MAX)
    }

    /// Whether a name was left out.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The `n` most common, ties by name.
    pub(crate) fn top(self, n: usize) -> Vec<Top> {
        let mut all: Vec<(Reverse<u64>, Box<str>)> =
            self.counts.into_values().map(|(name, count)| (Reverse(count), name)).collect();
        if n < all.len() {
            all.select_nth_unstable(n);
            all.truncate(n);
        }
        all.sort_unstable();
        all.into_iter().map(|(Reverse(count), name)| Top { name: name.into(), count }).collect()
    }

    /// All of them by name.
    pub(crate) fn all(self) -> BTreeMap<String, u64> {
        self.counts.into_values().map(|(name, count)| (name.into(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut tally: Tally, names: &str) -> String {
        names.split_whitespace().for_each(|name| tally.add_times(name, 1));
        let (distinct, full) = (tally.distinct(), tally.is_full());
        let top: Vec<_> = tally.top(3).iter().map(|top| format!("{} {}", top.name, top.count)).collect();
        format!("{}; {distinct} distinct{}", top.join(", "), if full { " at least" } else { "" })
    }

    #[test]
    fn most_common_first_ties_by_name() {
        insta::assert_snapshot!(check(Tally::new(), "d b c a b a a"), @"a 3, b 2, c 1; 4 distinct");
        insta::assert_snapshot!(check(Tally::new(), ""), @"; 0 distinct");
    }

    #[test]
    fn bounded_by_bytes() {
        insta::assert_snapshot!(check(Tally::bounded(131), "a b c b"), @"b 2, a 1; 2 distinct at least");
    }
}
