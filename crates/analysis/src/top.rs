//! The most common of many names.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;

/// Bytes of distinct names kept by one tally: names come from callers, who must not choose our memory.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What a name takes beside its own bytes.
const OVERHEAD: usize = 64;

/// A name and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Top {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Counts names. Past its bound it counts on for the names it knows and takes in no new ones.
pub(crate) struct Tally {
    counts: HashMap<String, u64>,
    free: usize,
    full: bool,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally::bounded(MAX_BYTES)
    }

    fn bounded(bytes: usize) -> Tally {
        Tally { counts: HashMap::new(), free: bytes, full: false }
    }

    pub(crate) fn add_times(&mut self, name: &str, times: u64) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_add(times);
            return;
        }
        match self.free.checked_sub(name.len() + OVERHEAD) {
            Some(free) => {
                self.free = free;
                self.counts.insert(name.to_owned(), times);
            }
            None => self.full = true,
        }
    }

    /// Takes in the counts of another; both were bounded alike.
    pub(crate) fn merge(&mut self, other: Tally) {
        self.full |= other.full;
        for (name, times) in other.counts {
            self.add_times(&name, times);
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
        let mut all: Vec<Top> = self.counts.into_iter().map(|(name, count)| Top { name, count }).collect();
        all.sort_unstable_by(|a, b| (Reverse(a.count), &a.name).cmp(&(Reverse(b.count), &b.name)));
        all.truncate(n);
        all
    }

    /// All of them by name.
    pub(crate) fn all(self) -> std::collections::BTreeMap<String, u64> {
        self.counts.into_iter().collect()
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
