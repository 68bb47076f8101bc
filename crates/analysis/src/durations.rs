//! How long things took: mean, median, 95th percentile, longest.

/// Durations kept for percentiles: 8 MB. Past it there are none: one over a part would be wrong without a word.
const MAX_KEPT: usize = 1_000_000;

/// Counts durations in microseconds. Zero is a duration; an absent one is not.
#[derive(Default)]
pub(crate) struct Durations {
    kept: Vec<u64>,
    sum: u128,
    count: u64,
    longest: Option<u64>,
}

/// The figures in milliseconds, exact to three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: Option<f64>,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) longest: Option<f64>,
}

impl Durations {
    pub(crate) fn add(&mut self, micros: u64) {
        if self.kept.len() < MAX_KEPT {
            self.kept.push(micros);
        }
        self.sum += u128::from(micros);
        self.count += 1;
        self.longest = self.longest.max(Some(micros));
    }

    pub(crate) fn merge(&mut self, other: Durations) {
        self.kept.extend(other.kept.into_iter().take(MAX_KEPT - self.kept.len().min(MAX_KEPT)));
        self.sum += other.sum;
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn finish(mut self) -> Spread {
        let complete = u64::try_from(self.kept.len()) == Ok(self.count);
        // Nearest rank: the smallest value that so many percent do not exceed.
        let mut percentile = |percent: usize| {
            let at = (self.kept.len() * percent).div_ceil(100).checked_sub(1).filter(|_| complete)?;
            Some(millis(*self.kept.select_nth_unstable(at).1))
        };
        let (p50, p95) = (percentile(50), percentile(95));
        let count = u128::from(self.count);
        let mean = (self.sum + count / 2).checked_div(count).and_then(|mean| u64::try_from(mean).ok());
        Spread { mean: mean.map(millis), p50, p95, longest: self.longest.map(millis) }
    }
}

/// Microseconds as milliseconds: up to 2^53 the nearest float, which is written with three digits at most.
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(micros: &[u64]) -> String {
        let mut durations = Durations::default();
        micros.iter().for_each(|micros| durations.add(*micros));
        let Spread { mean, p50, p95, longest } = durations.finish();
        let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        format!("mean {} p50 {} p95 {} max {}", text(mean), text(p50), text(p95), text(longest))
    }

    #[test]
    fn spread() {
        insta::assert_snapshot!(check(&[]), @"mean - p50 - p95 - max -");
        insta::assert_snapshot!(check(&[0]), @"mean 0 p50 0 p95 0 max 0");
        insta::assert_snapshot!(check(&[0, 100_000]), @"mean 50 p50 0 p95 100 max 100");
        insta::assert_snapshot!(check(&[1, 2]), @"mean 0.002 p50 0.001 p95 0.002 max 0.002");
        insta::assert_snapshot!(check(&[342_000, 12_346, 7]), @"mean 118.118 p50 12.346 p95 342 max 342");
        let hundred: Vec<u64> = (1..=100).map(|n| n * 1_000).collect();
        insta::assert_snapshot!(check(&hundred), @"mean 50.5 p50 50 p95 95 max 100");
    }
}
