//! The demo's week: the seven whole days before today, in UTC. Every day of the week stands in it once, so that
//! there always is a last Tuesday.

use greffier_event::Timestamp;

const DAY: i64 = 24 * 3_600;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// From Monday on.
    pub(super) const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    /// The working days.
    pub(super) const WORKING: [Weekday; 5] =
        [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

    /// The days since Monday.
    fn number(self) -> i64 {
        self as i64
    }
}

/// The seven days before the day of one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Week {
    /// Days since the epoch of the day after the week's last.
    end: i64,
}

impl Week {
    /// The week whose last day is the day before `now`.
    pub(super) fn before(now: Timestamp) -> Week {
        Week { end: now.as_secs().div_euclid(DAY) }
    }

    /// The moment in this week at which that day is so many seconds old.
    pub(super) fn at(self, day: Weekday, second: i64) -> Timestamp {
        let first = self.end - 7;
        // The epoch was a Thursday: three days after a Monday.
        let weekday_of_first = (first + 3).rem_euclid(7);
        let days = first + (day.number() - weekday_of_first).rem_euclid(7);
        Timestamp::from_micros((days * DAY + second) * 1_000_000)
    }

    /// Its first moment.
    pub(super) fn start(self) -> Timestamp {
        Timestamp::from_micros((self.end - 7) * DAY * 1_000_000)
    }

    /// Its last day, as a moment in it.
    pub(super) fn last_day(self) -> Timestamp {
        Timestamp::from_micros((self.end - 1) * DAY * 1_000_000)
    }
}

/// The date of a moment, as searches take it: `2026-03-03`.
pub(super) fn date(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: &str) -> String {
        let week = Week::before(now.parse().unwrap());
        let days: Vec<String> = Weekday::ALL.iter().map(|day| date(week.at(*day, 3_600))).collect();
        format!("{} from {} to {}", days.join(" "), date(week.start()), date(week.last_day()))
    }

    #[test]
    fn every_weekday_stands_in_it_once() {
        // Friday, Tuesday (whose last Tuesday is a week ago), and the first second of a Wednesday.
        insta::assert_snapshot!(check("2026-03-06T14:32:07Z"), @"2026-03-02 2026-03-03 2026-03-04 2026-03-05 2026-02-27 2026-02-28 2026-03-01 from 2026-02-27 to 2026-03-05");
        insta::assert_snapshot!(check("2026-03-10T23:59:59Z"), @"2026-03-09 2026-03-03 2026-03-04 2026-03-05 2026-03-06 2026-03-07 2026-03-08 from 2026-03-03 to 2026-03-09");
        insta::assert_snapshot!(check("2026-03-11T00:00:00Z"), @"2026-03-09 2026-03-10 2026-03-04 2026-03-05 2026-03-06 2026-03-07 2026-03-08 from 2026-03-04 to 2026-03-10");
    }
}
