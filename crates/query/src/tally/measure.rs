//! What is counted of groups: per group a number or two, added to row by row.
//!
//! Group 0 takes what counts nowhere, rows that do not pass and values that are null, so that no loop asks.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use datafusion::arrow::buffer::NullBuffer;

use crate::source::GaveUp;

/// Buckets of a tally's percentiles: 32 MiB. A group of durations up to half a minute takes some 9,000.
const MAX_BUCKETS: usize = 8 << 20;
/// Values below are counted each for itself, those above in buckets of a five-hundredth of them.
const EXACT: u64 = 1_024;
/// Groups of which rows are counted in several lists at once, because neighbours often are of one group, and each
/// addition would wait for the one before.
const FEW_GROUPS: usize = 4_096;
/// Buckets of one power of two.
const PER_OCTAVE: u64 = EXACT / 2;

/// What is made of the numbers of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// How many rows.
    Rows,
    /// How many values.
    Values,
    Sum,
    Mean,
    Least,
    Greatest,
    /// The value below which this share lies, within a thousandth of it.
    Percentile(f64),
}

/// The numbers of all groups so far.
pub(super) enum Measure {
    Count(Vec<i64>),
    /// The sums wrap, as those of the engine do.
    Sum {
        sums: Vec<i64>,
        values: Vec<i64>,
    },
    Mean {
        sums: Vec<i128>,
        values: Vec<i64>,
    },
    /// The least, or of negated values the greatest.
    Least {
        least: Vec<i64>,
        values: Vec<i64>,
        negated: bool,
    },
    Percentile {
        share: f64,
        histograms: Vec<Histogram>,
        buckets: usize,
    },
}

/// How often values came, by size.
#[derive(Clone, Default)]
pub(super) struct Histogram {
    times: Vec<u32>,
}

impl Measure {
    pub(super) fn new(kind: Kind) -> Measure {
        match kind {
            Kind::Rows | Kind::Values => Measure::Count(Vec::new()),
            Kind::Sum => Measure::Sum { sums: Vec::new(), values: Vec::new() },
            Kind::Mean => Measure::Mean { sums: Vec::new(), values: Vec::new() },
            Kind::Least | Kind::Greatest => {
                let negated = kind == Kind::Greatest;
                Measure::Least { least: Vec::new(), values: Vec::new(), negated }
            }
            Kind::Percentile(share) => Measure::Percentile { share, histograms: Vec::new(), buckets: 0 },
        }
    }

    /// Makes room for so many groups.
    pub(super) fn grow(&mut self, groups: usize) {
        match self {
            Measure::Count(times) => times.resize(groups, 0),
            Measure::Sum { sums, values } => {
                sums.resize(groups, 0);
                values.resize(groups, 0);
            }
            Measure::Mean { sums, values } => {
                sums.resize(groups, 0);
                values.resize(groups, 0);
            }
            Measure::Least { least, values, .. } => {
                least.resize(groups, i64::MAX);
                values.resize(groups, 0);
            }
            Measure::Percentile { histograms, .. } => histograms.resize(groups, Histogram::default()),
        }
    }

    /// Adds a row to each of these groups.
    pub(super) fn add_rows(&mut self, groups: &[u32]) {
        let Measure::Count(times) = self else { return };
        if times.len() > FEW_GROUPS {
            return count(times, groups);
        }
        let mut lists = [const { Vec::new() }; 4];
        lists.iter_mut().for_each(|list| list.resize(times.len(), 0));
        let (fours, rest) = groups.as_chunks::<4>();
        for four in fours {
            for (list, group) in lists.iter_mut().zip(four) {
                if let Some(times) = list.get_mut(*group as usize) {
                    *times += 1;
                }
            }
        }
        count(times, rest);
        for (at, times) in times.iter_mut().enumerate() {
            *times += lists.iter().filter_map(|list| list.get(at)).sum::<i64>();
        }
    }

    /// Adds the values that are there, to the group of each.
    pub(super) fn add_values(&mut self, groups: &[u32], valid: Option<&NullBuffer>) {
        match valid.filter(|valid| valid.null_count() > 0) {
            None => self.add_rows(groups),
            Some(valid) => self.add_rows(&counting(groups, valid)),
        }
    }

    /// Adds numbers, each to its group.
    pub(super) fn add_numbers(&mut self, groups: &[u32], numbers: &Int64Array) -> Result<(), GaveUp> {
        let valid = numbers.logical_nulls().filter(|valid| valid.null_count() > 0);
        let counting = valid.map(|valid| counting(groups, &valid));
        let rows = counting.as_deref().unwrap_or(groups).iter().zip(numbers.values());
        let rows = rows.map(|(group, number)| (*group as usize, *number));
        match self {
            Measure::Count(_) => {}
            Measure::Sum { sums, values } => {
                for (group, number) in rows {
                    if let (Some(sum), Some(values)) = (sums.get_mut(group), values.get_mut(group)) {
                        *sum = sum.wrapping_add(number);
                        *values += 1;
                    }
                }
            }
            Measure::Mean { sums, values } => {
                for (group, number) in rows {
                    if let (Some(sum), Some(values)) = (sums.get_mut(group), values.get_mut(group)) {
                        *sum += i128::from(number);
                        *values += 1;
                    }
                }
            }
            Measure::Least { least, values, negated } => {
                // Not of two's complement's own least, which has no negative: no count or time is that.
                let sign = if *negated { -1 } else { 1 };
                for (group, number) in rows {
                    if let (Some(least), Some(values)) = (least.get_mut(group), values.get_mut(group)) {
                        *least = (*least).min(number.saturating_mul(sign));
                        *values += 1;
                    }
                }
            }
            Measure::Percentile { histograms, buckets, .. } => {
                for (group, number) in rows.filter(|(group, _)| *group > 0) {
                    // Of negative numbers the buckets know nothing.
                    let number = u64::try_from(number).map_err(|_| GaveUp)?;
                    if let Some(histogram) = histograms.get_mut(group) {
                        *buckets += histogram.add(number);
                    }
                }
                if *buckets > MAX_BUCKETS {
                    return Err(GaveUp);
                }
            }
        }
        Ok(())
    }

    /// Adds what another counted: of its groups, `groups` says which they are here.
    pub(super) fn merge(&mut self, other: Measure, groups: &[u32]) -> Result<(), GaveUp> {
        let into = |group: usize| groups.get(group).map_or(0, |group| *group as usize);
        match (self, other) {
            (Measure::Count(times), Measure::Count(more)) => add(times, more, into),
            (Measure::Sum { sums, values }, Measure::Sum { sums: more, values: counted }) => {
                for (group, more) in more.into_iter().enumerate() {
                    if let Some(sum) = sums.get_mut(into(group)) {
                        *sum = sum.wrapping_add(more);
                    }
                }
                add(values, counted, into);
            }
            (Measure::Mean { sums, values }, Measure::Mean { sums: more, values: counted }) => {
                for (group, more) in more.into_iter().enumerate() {
                    if let Some(sum) = sums.get_mut(into(group)) {
                        *sum += more;
                    }
                }
                add(values, counted, into);
            }
            (Measure::Least { least, values, .. }, Measure::Least { least: more, values: counted, .. }) => {
                for (group, more) in more.into_iter().enumerate() {
                    if let Some(least) = least.get_mut(into(group)) {
                        *least = (*least).min(more);
                    }
                }
                add(values, counted, into);
            }
            (
                Measure::Percentile { histograms, buckets, .. },
                Measure::Percentile { histograms: more, .. },
            ) => {
                for (group, more) in more.into_iter().enumerate() {
                    if let Some(histogram) = histograms.get_mut(into(group)) {
                        *buckets += histogram.merge(&more);
                    }
                }
                if *buckets > MAX_BUCKETS {
                    return Err(GaveUp);
                }
            }
            _ => return Err(GaveUp),
        }
        Ok(())
    }

    /// What each group but the first came to.
    pub(super) fn finish(self) -> ArrayRef {
        let some = |values: Vec<i64>| values.into_iter().map(|values| values > 0);
        match self {
            Measure::Count(times) => Arc::new(times.into_iter().skip(1).collect::<Int64Array>()),
            Measure::Sum { sums, values } => {
                let sums = sums.into_iter().zip(some(values)).skip(1);
                Arc::new(sums.map(|(sum, some)| some.then_some(sum)).collect::<Int64Array>())
            }
            Measure::Mean { sums, values } => {
                let means = sums.into_iter().zip(values).skip(1);
                let mean = |(sum, values): (i128, i64)| (values > 0).then(|| sum as f64 / values as f64);
                Arc::new(means.map(mean).collect::<Float64Array>())
            }
            Measure::Least { least, values, negated } => {
                let sign = if negated { -1 } else { 1 };
                let least = least.into_iter().zip(some(values)).skip(1);
                let least = least.map(|(least, some)| some.then_some(least.saturating_mul(sign)));
                Arc::new(least.collect::<Int64Array>())
            }
            Measure::Percentile { share, histograms, .. } => {
                let values = histograms.iter().skip(1).map(|histogram| histogram.percentile(share));
                Arc::new(values.collect::<Float64Array>())
            }
        }
    }
}

/// The groups of rows whose value counts; of the others none.
pub(super) fn counting(groups: &[u32], valid: &NullBuffer) -> Vec<u32> {
    groups.iter().zip(valid.iter()).map(|(group, valid)| if valid { *group } else { 0 }).collect()
}

fn count(times: &mut [i64], groups: &[u32]) {
    for group in groups {
        if let Some(times) = times.get_mut(*group as usize) {
            *times += 1;
        }
    }
}

fn add(times: &mut [i64], more: Vec<i64>, into: impl Fn(usize) -> usize) {
    for (group, more) in more.into_iter().enumerate() {
        if let Some(times) = times.get_mut(into(group)) {
            *times += more;
        }
    }
}

impl Histogram {
    /// Adds a value, and says how many buckets that made.
    fn add(&mut self, value: u64) -> usize {
        let bucket = bucket(value);
        let made = self.reach(bucket);
        if let Some(times) = self.times.get_mut(bucket) {
            *times = times.saturating_add(1);
        }
        made
    }

    /// Has a bucket, and those of its power of two.
    fn reach(&mut self, bucket: usize) -> usize {
        let had = self.times.len();
        if bucket < had {
            return 0;
        }
        self.times.resize((bucket + 1).next_multiple_of(PER_OCTAVE as usize), 0);
        self.times.len() - had
    }

    fn merge(&mut self, other: &Histogram) -> usize {
        let made = other.times.len().checked_sub(1).map_or(0, |last| self.reach(last));
        for (times, more) in self.times.iter_mut().zip(&other.times) {
            *times = times.saturating_add(*more);
        }
        made
    }

    /// The value below which this share lies; between two values, in proportion.
    fn percentile(&self, share: f64) -> Option<f64> {
        let all: u64 = self.times.iter().map(|times| u64::from(*times)).sum();
        let place = share * all.checked_sub(1)? as f64;
        let (below, above) = (self.at(place.floor() as u64)?, self.at(place.ceil() as u64)?);
        Some(below + (above - below) * place.fract())
    }

    /// The value that so many others are not above.
    fn at(&self, place: u64) -> Option<f64> {
        let mut seen = 0;
        let bucket = self.times.iter().position(|times| {
            seen += u64::from(*times);
            seen > place
        })?;
        Some(middle(bucket as u64))
    }
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    if value < EXACT {
        return value as usize;
    }
    let shift = u64::from(EXACT.leading_zeros() - value.leading_zeros()) + 1;
    // The value's first ten bits, of which the first is set.
    (EXACT + (shift - 1) * PER_OCTAVE + (value >> shift) - PER_OCTAVE) as usize
}

/// The middle of what a bucket holds.
fn middle(bucket: u64) -> f64 {
    let Some(beyond) = bucket.checked_sub(EXACT) else { return bucket as f64 };
    let (shift, first) = (beyond / PER_OCTAVE + 1, beyond % PER_OCTAVE + PER_OCTAVE);
    (first as f64 + 0.5) * 2f64.powi(i32::try_from(shift).unwrap_or(i32::MAX)) - 0.5
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_is_near_its_values(value in 0..u64::MAX, bits in 0_u32..64) {
            let value = value >> bits;
            let near = middle(bucket(value) as u64);
            prop_assert!((near - value as f64).abs() <= value as f64 / 1_024.0, "{value} {near}");
        }

        #[test]
        fn buckets_stand_in_order(a in 0..u64::MAX, b in 0..u64::MAX, bits in 0_u32..64) {
            let (a, b) = (a >> bits, b >> bits);
            prop_assert_eq!(bucket(a) <= bucket(b), a <= b || bucket(a) == bucket(b));
        }

        #[test]
        fn percentiles_of_small_values_are_exact(mut values in prop::collection::vec(0_u64..1_000, 1..50), share in 0.0..1.0_f64) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| { histogram.add(*value); });
            values.sort_unstable();
            let place = share * (values.len() - 1) as f64;
            let [below, above] = [place.floor(), place.ceil()].map(|place| values[place as usize] as f64);
            prop_assert_eq!(histogram.percentile(share), Some(below + (above - below) * place.fract()));
        }
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(0.5), None);
    }
}
