//! Which of a producer's numbers came: what is missing between them was lost on the way, and what came twice was told
//! twice.

use std::collections::BTreeMap;

use serde::Serialize;

/// Runs that are kept of one producer. Events of one producer come nearly in order, so there are few; past it the
/// lowest are forgotten, and nothing is said of them.
const MAX_RUNS: usize = 1_024;

/// Numbers from 0, as they come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// First and last of each run without a gap; no two touch.
    runs: BTreeMap<u64, u64>,
    /// Below it nothing is known any more.
    floor: u64,
    repeated: u64,
}

/// The first and the last of some numbers without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Numbers {
    /// What is said of a producer of whom nothing below `floor` is known.
    pub fn from(floor: u64) -> Numbers {
        Numbers { floor, ..Numbers::default() }
    }

    /// Takes a number; whether it is the first time.
    pub fn add(&mut self, number: u64) -> bool {
        if number < self.floor {
            return true;
        }
        let before = self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| number <= last) {
            self.repeated += 1;
            return false;
        }
        let after = number.checked_add(1).and_then(|next| self.runs.remove(&next));
        let first = match before {
            Some((first, last)) if last.checked_add(1) == Some(number) => first,
            _ => number,
        };
        self.runs.insert(first, after.unwrap_or(number));
        if self.runs.len() > MAX_RUNS
            && let Some((_, last)) = self.runs.pop_first()
        {
            self.floor = last.saturating_add(1);
        }
        true
    }

    /// Takes a number that may have come before, as when it is sent again.
    pub fn add_again(&mut self, number: u64) {
        let repeated = self.repeated;
        self.add(number);
        self.repeated = repeated;
    }

    /// The lowest number of which something is known.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The highest number that came.
    pub fn last(&self) -> Option<u64> {
        self.runs.last_key_value().map(|(_, last)| *last)
    }

    /// Those that came twice, each time counted.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// What is missing from the floor to the last.
    pub fn missing(&self) -> Vec<Run> {
        let mut next = self.floor;
        let mut missing = Vec::new();
        for (first, last) in &self.runs {
            if let Some(before) = first.checked_sub(1).filter(|before| *before >= next) {
                missing.push(Run { first: next, last: before });
            }
            next = last.saturating_add(1);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(numbers: &[u64]) -> String {
        let mut told = Numbers::default();
        for number in numbers {
            told.add(*number);
        }
        let missing: Vec<String> =
            told.missing().iter().map(|run| format!("{}-{}", run.first, run.last)).collect();
        format!("last {:?}, missing {}, {} repeated", told.last(), missing.join(" "), told.repeated())
    }

    #[test]
    fn what_is_missing() {
        insta::assert_snapshot!(check(&[]), @"last None, missing , 0 repeated");
        insta::assert_snapshot!(check(&[0, 1, 2]), @"last Some(2), missing , 0 repeated");
        insta::assert_snapshot!(check(&[2, 5, 4, 5]), @"last Some(5), missing 0-1 3-3, 1 repeated");
        insta::assert_snapshot!(check(&[u64::MAX, 0, u64::MAX]), @"last Some(18446744073709551615), missing 1-18446744073709551614, 1 repeated");
    }

    #[test]
    fn what_is_forgotten_is_not_called_missing() {
        let mut told = Numbers::default();
        for run in 0..=MAX_RUNS as u64 {
            told.add(run * 2);
        }
        assert_eq!(told.floor(), 1, "the lowest run has gone");
        assert_eq!(told.missing().len(), MAX_RUNS);
        assert_eq!(told.missing()[0], Run { first: 1, last: 1 });
        assert_eq!(told.repeated(), 0);
    }

    proptest! {
        /// Held against a set.
        #[test]
        fn as_a_set_would_say(numbers in prop::collection::vec(0..60_u64, 0..80)) {
            let mut told = Numbers::default();
            let mut set = BTreeSet::new();
            for number in &numbers {
                prop_assert_eq!(told.add(*number), set.insert(*number));
            }
            let missing: BTreeSet<u64> =
                told.missing().iter().flat_map(|run| run.first..=run.last).collect();
            let expected = set.last().map_or(0..0, |last| 0..*last).filter(|n| !set.contains(n)).collect();
            prop_assert_eq!(missing, expected);
            prop_assert_eq!(told.repeated() as usize, numbers.len() - set.len());
        }
    }
}
