//! Where the steps of a report's charts begin: hours, days, weeks and months by the clocks of a zone.

use greffier_analysis::{Period, Step, Steps};
use greffier_event::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

/// Longest periods that are drawn by the hour, the day and the week: some fifty to a hundred marks are what people read.
const BY_HOUR: i64 = 2 * DAY;
const BY_DAY: i64 = 100 * DAY;
const BY_WEEK: i64 = 731 * DAY;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Marks of a chart: months of thirty years. Longer periods have no charts over time.
const MAX_STEPS: usize = 400;

/// The steps of what has passed of a period at `now`.
pub(crate) fn steps(period: Period, zone: &TimeZone, now: Timestamp) -> Steps {
    let until = period.end.min(now);
    let long = period.end.as_micros().saturating_sub(period.start.as_micros());
    let longest = [(BY_HOUR, Step::Hour), (BY_DAY, Step::Day), (BY_WEEK, Step::Week)];
    let step =
        longest.into_iter().find(|(longest, _)| long <= *longest).map_or(Step::Month, |(_, step)| step);
    let named = Steps { step, zone: name(zone).to_owned(), starts: Vec::new() };
    let starts = starts(step, period.start, until, zone).unwrap_or_default();
    if starts.len() > MAX_STEPS { named } else { Steps { starts, ..named } }
}

/// The name of a zone in the IANA database, as it is written there.
pub(crate) fn name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// None where the calendar ends.
fn starts(
    step: Step,
    from: Timestamp,
    until: Timestamp,
    zone: &TimeZone,
) -> Option<Vec<(Timestamp, String)>> {
    let zoned = |time: Timestamp| {
        Some(jiff::Timestamp::from_microsecond(time.as_micros()).ok()?.to_zoned(zone.clone()))
    };
    let first = zoned(from)?;
    let mut starts: Vec<(Timestamp, String)> = Vec::new();
    if step == Step::Hour {
        // By the hour on the clock at first, and then hour by hour, whatever the clocks do.
        let past = HOUR / 60 * i64::from(first.minute()) + 1_000_000 * i64::from(first.second());
        let sub = i64::from(first.subsec_nanosecond()) / 1_000;
        let mut at = from.as_micros() - past - sub;
        while at < until.as_micros() && starts.len() <= MAX_STEPS {
            let time = Timestamp::from_micros(at);
            starts.push((time, zoned(time)?.strftime("%Y-%m-%d %H:%M").to_string()));
            at += HOUR;
        }
        return Some(starts);
    }
    let day = first.date();
    let mut day = match step {
        Step::Week => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).ok()?,
        Step::Month => day.first_of_month(),
        _ => day,
    };
    let (span, form) = match step {
        Step::Week => (1.week(), "%Y-%m-%d"),
        Step::Month => (1.month(), "%Y-%m"),
        _ => (1.day(), "%Y-%m-%d"),
    };
    loop {
        let start = micros(day, zone)?;
        if start >= until.as_micros() || starts.len() > MAX_STEPS {
            return Some(starts);
        }
        starts.push((Timestamp::from_micros(start), day.strftime(form).to_string()));
        day = day.checked_add(span).ok()?;
    }
}

/// The first instant of a day.
fn micros(day: Date, zone: &TimeZone) -> Option<i64> {
    let start: Zoned = day.to_zoned(zone.clone()).ok()?;
    Some(start.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, zone: &str, now: &str) -> String {
        let period = Period { start: from.parse().unwrap(), end: to.parse().unwrap() };
        let steps = steps(period, &TimeZone::get(zone).unwrap(), now.parse().unwrap());
        let shown: Vec<String> = steps.starts.iter().map(|(at, label)| format!("{label} = {at}")).collect();
        let (first, last) =
            (shown.first().cloned().unwrap_or_default(), shown.last().cloned().unwrap_or_default());
        format!("{} by {:?} ({}): {first} .. {last}", shown.len(), steps.step, steps.zone)
    }

    #[test]
    fn steps_are_those_of_the_zones_clocks() {
        let late = "2030-01-01";
        insta::assert_snapshot!(check("2026-03-01", "2026-03-08", "UTC", late), @"7 by Day (UTC): 2026-03-01 = 2026-03-01T00:00:00.000000Z .. 2026-03-07 = 2026-03-07T00:00:00.000000Z");
        // The clocks go forward on the 29th: the last days begin an hour earlier.
        insta::assert_snapshot!(check("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "europe/berlin", late), @"31 by Day (Europe/Berlin): 2026-03-01 = 2026-02-28T23:00:00.000000Z .. 2026-03-31 = 2026-03-30T22:00:00.000000Z");
        // A period that begins within a day has that day first.
        insta::assert_snapshot!(check("2026-03-01T09:30:00Z", "2026-03-05T00:00:00Z", "Asia/Kolkata", late), @"5 by Day (Asia/Kolkata): 2026-03-01 = 2026-02-28T18:30:00.000000Z .. 2026-03-05 = 2026-03-04T18:30:00.000000Z");
        // An hour that comes twice is two, and hours follow the clock of the zone.
        insta::assert_snapshot!(check("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "Europe/Berlin", late), @"25 by Hour (Europe/Berlin): 2026-10-25 00:00 = 2026-10-24T22:00:00.000000Z .. 2026-10-25 23:00 = 2026-10-25T22:00:00.000000Z");
        insta::assert_snapshot!(check("2026-10-24T22:10:00.5Z", "2026-10-25T03:00:00Z", "Asia/Kolkata", late), @"6 by Hour (Asia/Kolkata): 2026-10-25 03:00 = 2026-10-24T21:30:00.000000Z .. 2026-10-25 08:00 = 2026-10-25T02:30:00.000000Z");
        // A day that begins at one o'clock, because midnight does not come.
        insta::assert_snapshot!(check("2026-04-22T22:00:00Z", "2026-04-25T21:00:00Z", "Africa/Cairo", late), @"3 by Day (Africa/Cairo): 2026-04-23 = 2026-04-22T22:00:00.000000Z .. 2026-04-25 = 2026-04-24T21:00:00.000000Z");
        insta::assert_snapshot!(check("2026-01-01", "2027-01-01", "UTC", late), @"53 by Week (UTC): 2025-12-29 = 2025-12-29T00:00:00.000000Z .. 2026-12-28 = 2026-12-28T00:00:00.000000Z");
        insta::assert_snapshot!(check("2020-01-15", "2027-01-01", "UTC", late), @"84 by Month (UTC): 2020-01 = 2020-01-01T00:00:00.000000Z .. 2026-12 = 2026-12-01T00:00:00.000000Z");
    }

    #[test]
    fn what_has_not_passed_has_no_steps() {
        insta::assert_snapshot!(check("2026-03-01", "2026-04-01", "UTC", "2026-03-03T00:00:01Z"), @"3 by Day (UTC): 2026-03-01 = 2026-03-01T00:00:00.000000Z .. 2026-03-03 = 2026-03-03T00:00:00.000000Z");
        insta::assert_snapshot!(check("2026-03-01", "2026-04-01", "UTC", "2026-02-01"), @"0 by Day (UTC):  ..");
        insta::assert_snapshot!(check("1900-01-01", "2026-04-01", "UTC", "2026-04-01"), @"0 by Month (UTC):  ..");
    }
}
