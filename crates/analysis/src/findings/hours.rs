//! The hours of the last four weeks, and what is usual in one.
//!
//! Usual is the median of the same hour of the day, on working days or on weekends, and of the hours beside it; the
//! one that is highest counts, so that a morning that begins early is no finding. Hours without an action count as
//! zero. How far hours lie from it is told by the median of the distances (MAD), which an attack of last week does
//! not move. An hour is unusual beyond `median + deviations * max(1.4826 * MAD, median / 4, 1)`, and beyond a floor.

use std::collections::VecDeque;

/// Hours that are remembered: four weeks.
pub(super) const KEPT_HOURS: i64 = 28 * 24;
/// Hours of a class that it takes to say what is usual: one of each day of a working week.
const LEAST_SAMPLES: usize = 5;

/// What is counted of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Actions,
    Tokens,
    Cost,
    Denials,
    Reads,
}

impl Measure {
    pub(super) const ALL: [Measure; 5] =
        [Measure::Actions, Measure::Tokens, Measure::Cost, Measure::Denials, Measure::Reads];
}

/// One figure for each measure.
pub(super) type Figures = [u64; Measure::ALL.len()];

#[derive(Debug)]
struct Hour {
    /// Since the epoch.
    hour: i64,
    figures: Figures,
}

/// The hours of one agent or user in which something happened, oldest first.
#[derive(Debug, Default)]
pub(super) struct Hours {
    hours: VecDeque<Hour>,
    /// The first hour of all.
    first: Option<i64>,
}

/// What is usual in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usual {
    pub(super) median: u64,
    pub(super) limit: u64,
}

impl Hours {
    /// Adds to an hour; the figures it has then. Those from before what is remembered are not.
    pub(super) fn add(&mut self, hour: i64, more: &Figures) -> Option<Figures> {
        let newest = self.hours.back().map_or(hour, |last| last.hour.max(hour));
        if hour <= newest - KEPT_HOURS {
            return None;
        }
        while self.hours.front().is_some_and(|oldest| oldest.hour <= newest - KEPT_HOURS) {
            self.hours.pop_front();
        }
        self.first = Some(self.first.map_or(hour, |first| first.min(hour)));
        let at = match self.hours.back() {
            Some(last) if last.hour == hour => self.hours.len() - 1,
            _ => self.hours.partition_point(|known| known.hour < hour),
        };
        if self.hours.get(at).is_none_or(|known| known.hour != hour) {
            self.hours.insert(at, Hour { hour, figures: Figures::default() });
        }
        let known = self.hours.get_mut(at)?;
        known.figures.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
        Some(known.figures)
    }

    /// What is usual in this hour; `None` where too little is known.
    pub(super) fn usual(&self, hour: i64, measure: Measure, deviations: u64) -> Option<Usual> {
        let around = [-1, 0, 1].into_iter().filter_map(|shift| {
            let mut values: Vec<u64> = self.like(hour, shift, measure).collect();
            if values.len() < LEAST_SAMPLES {
                return None;
            }
            let median = median_of(&mut values);
            values.iter_mut().for_each(|value| *value = value.abs_diff(median));
            let mad = median_of(&mut values);
            let spread = (mad.saturating_mul(14_826) / 10_000).max(median / 4).max(1);
            Some(Usual { median, limit: median.saturating_add(spread.saturating_mul(deviations)) })
        });
        around.max_by_key(|usual| usual.limit)
    }

    /// Whether nothing was ever done around this hour on such a day, although enough days were seen.
    pub(super) fn is_odd(&self, hour: i64) -> bool {
        const LEAST_ACTIVE_DAYS: usize = 10;
        let like = || [-1, 0, 1].into_iter().flat_map(|shift| self.like(hour, shift, Measure::Actions));
        // Yesterday tells, mostly.
        if like().any(|value| value > 0) {
            return false;
        }
        like().count() >= 3 * LEAST_SAMPLES && self.active_days(hour) >= LEAST_ACTIVE_DAYS
    }

    /// Days before that of this hour on which something was done.
    pub(super) fn active_days(&self, hour: i64) -> usize {
        let today = hour.div_euclid(24);
        let mut days: Vec<i64> = self.hours.iter().map(|known| known.hour.div_euclid(24)).collect();
        days.retain(|day| *day < today);
        days.dedup();
        days.len()
    }

    /// The figures of the same hour, or of one beside it, on the days before of the same kind, the newest first.
    fn like(&self, hour: i64, shift: i64, measure: Measure) -> impl Iterator<Item = u64> {
        let first = self.first.unwrap_or(i64::MAX);
        let days = (1..=KEPT_HOURS / 24).map(move |day| hour - 24 * day + shift);
        let same = move |slot: &i64| *slot >= first && is_weekend(slot - shift) == is_weekend(hour);
        days.filter(same).map(move |slot| self.at(slot, measure))
    }

    fn at(&self, hour: i64, measure: Measure) -> u64 {
        let at = self.hours.partition_point(|known| known.hour < hour);
        let known = self.hours.get(at).filter(|known| known.hour == hour);
        known.and_then(|known| known.figures.get(measure as usize)).copied().unwrap_or(0)
    }
}

/// Saturday and Sunday, UTC. The epoch was a Thursday.
fn is_weekend(hour: i64) -> bool {
    (hour.div_euclid(24) + 3).rem_euclid(7) >= 5
}

/// The lower of the two in the middle, so that it is a value that was there.
fn median_of(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 5 January 1970, 00:00.
    const MONDAY: i64 = 4 * 24;

    fn hours(weeks: i64, counts: impl Fn(i64, i64) -> u64) -> Hours {
        let mut hours = Hours::default();
        for hour in 0..weeks * 7 * 24 {
            let (day, of_day) = (hour / 24 % 7, hour % 24);
            let count = counts(day, of_day);
            if count > 0 {
                hours.add(MONDAY + hour, &[count, 0, 0, 0, 0]);
            }
        }
        hours
    }

    fn office(day: i64, hour: i64) -> u64 {
        if day < 5 && (9..17).contains(&hour) { 20 } else { 0 }
    }

    fn check(hours: &Hours, hour: i64) -> String {
        match hours.usual(MONDAY + hour, Measure::Actions, 8) {
            Some(usual) => format!("{} up to {}", usual.median, usual.limit),
            None => "unknown".to_owned(),
        }
    }

    #[test]
    fn seasons_of_the_day_and_the_week() {
        let (hours, week) = (hours(4, office), 4 * 7 * 24);
        assert_eq!(check(&hours, week + 10), "20 up to 60");
        assert_eq!(check(&hours, week + 8), "20 up to 60", "a morning that begins early");
        assert_eq!(check(&hours, week + 3), "0 up to 8");
        assert_eq!(check(&hours, week + 5 * 24 + 10), "0 up to 8", "Saturday");
    }

    #[test]
    fn too_little_is_known_at_first() {
        let few = hours(1, |day, hour| if day < 3 { office(day, hour) } else { 0 });
        assert_eq!(check(&few, 3 * 24 + 10), "unknown");
    }

    #[test]
    fn an_attack_of_last_week_does_not_hide_the_next() {
        let mut hours = hours(4, office);
        hours.add(MONDAY + (3 * 7 + 1) * 24 + 10, &[5_000, 0, 0, 0, 0]);
        assert_eq!(check(&hours, 4 * 7 * 24 + 10), "20 up to 60");
    }

    #[test]
    fn odd_hours() {
        let (hours, week) = (hours(4, office), MONDAY + 4 * 7 * 24);
        assert!(hours.is_odd(week + 3));
        assert!(!hours.is_odd(week + 8));
        assert!(!hours.is_odd(week + 12));
        assert!(hours.is_odd(week + 5 * 24 + 12), "a Saturday");
    }

    #[test]
    fn what_is_old_is_forgotten_and_what_comes_late_is_not() {
        let mut hours = Hours::default();
        assert_eq!(hours.add(1_000, &[1, 0, 0, 0, 0]), Some([1, 0, 0, 0, 0]));
        assert_eq!(hours.add(999, &[1, 0, 0, 0, 0]), Some([1, 0, 0, 0, 0]));
        assert_eq!(hours.add(1_000, &[2, 0, 0, 0, 0]), Some([3, 0, 0, 0, 0]));
        assert_eq!(hours.add(1_000 - KEPT_HOURS, &[1, 0, 0, 0, 0]), None);
        hours.add(1_000 + KEPT_HOURS, &[1, 0, 0, 0, 0]);
        assert_eq!(hours.hours.len(), 1);
    }
}
