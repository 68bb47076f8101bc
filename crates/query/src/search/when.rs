//! Times as people write them: instants, stretches of the calendar, and words for both.
//!
//! ```text
//! 2026-03-01T14:30:00Z   2026-03-01T14:30   2026-03-01   2026-03   2026-Q1   2026
//! 30m 12h 7d 2w 1y (back from now)   now today yesterday tomorrow   tuesday last-tuesday
//! this-week last-week this-month last-month this-quarter last-quarter this-year last-year
//! ```
//!
//! Days begin at midnight of a zone that the reader names, and of UTC where none is named: never of the machine that
//! answers. The zones' rules are part of the program, so that every node gives the same answer.

use std::fmt::{self, Display, Formatter};

use greffier_event::Timestamp;
use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, ToSpan};

use crate::search::value::Moment;

/// Lengths of the units that a distance in time is written in, in seconds.
const DISTANCES: &[(char, i64)] =
    &[('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800), ('y', 31_536_000)];
const DAYS: [(&str, i8); 3] = [("today", 0), ("yesterday", -1), ("tomorrow", 1)];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
const STRETCHES: [(&str, Stretch); 4] = [
    ("week", Stretch::Week),
    ("month", Stretch::Month),
    ("quarter", Stretch::Quarter),
    ("year", Stretch::Year),
];
const LAST: &str = "last-";
const THIS: &str = "this-";

/// A time zone by its name: UTC, an offset, or of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// As it is written; none for UTC.
    name: Option<String>,
    zone: TimeZone,
}

impl Default for Zone {
    fn default() -> Zone {
        Zone { name: None, zone: TimeZone::UTC }
    }
}

impl Zone {
    /// `UTC`, `+01:00`, `-0530`, `Europe/Brussels`.
    pub fn parse(text: &str) -> Option<Zone> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Some(Zone::default());
        }
        if let Some(seconds) = offset(text) {
            let zone = TimeZone::fixed(Offset::from_seconds(seconds).ok()?);
            let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
            let name = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            return Some(if seconds == 0 { Zone::default() } else { Zone { name: Some(name), zone } });
        }
        let zone = TimeZone::get(text).ok()?;
        let name = zone.iana_name()?.to_owned();
        Some(Zone { name: Some(name), zone })
    }

    /// Whether it is UTC.
    pub(crate) fn is_utc(&self) -> bool {
        self.name.is_none()
    }

    /// The day of an instant.
    pub(crate) fn day(&self, time: Timestamp) -> Option<Date> {
        let instant = jiff::Timestamp::from_microsecond(time.as_micros()).ok()?;
        Some(instant.to_zoned(self.zone.clone()).date())
    }

    /// The first microsecond of a day.
    pub(crate) fn start(&self, day: Date) -> Option<i64> {
        self.instant(day.to_datetime(jiff::civil::Time::midnight()))
    }

    /// From the first day on and before the second.
    fn between(&self, from: Date, until: Date) -> Option<Moment> {
        let (first, behind) = (self.start(from)?, self.start(until)?);
        Some(Moment::new(first, behind.checked_sub(1)?))
    }

    fn instant(&self, time: DateTime) -> Option<i64> {
        Some(self.zone.to_ambiguous_zoned(time).compatible().ok()?.timestamp().as_microsecond())
    }
}

impl Display for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("UTC"))
    }
}

/// `+01:00`, `+0100` and `+01`, in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let well_formed = match rest.find(':') {
        None => matches!(rest.len(), 2 | 4),
        Some(at) => at == 2 && rest.len() == 5,
    };
    if !well_formed || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let hours: i32 = hours.parse().ok()?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Stretch {
    /// Its first day, of the stretch that a day lies in. Weeks begin on Monday, as ISO 8601 has them.
    pub(crate) fn first(self, day: Date) -> Option<Date> {
        match self {
            Stretch::Day => Some(day),
            Stretch::Week => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).ok(),
            Stretch::Month => Some(day.first_of_month()),
            Stretch::Quarter => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok(),
            Stretch::Year => Some(day.first_of_year()),
        }
    }

    pub(crate) fn length(self) -> Span {
        match self {
            Stretch::Day => 1.day(),
            Stretch::Week => 1.week(),
            Stretch::Month => 1.month(),
            Stretch::Quarter => 3.months(),
            Stretch::Year => 1.year(),
        }
    }
}

/// The first instant of what a text names, in UTC; none if it names no time.
pub fn read_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    read(text, now, &Zone::default()).map(|moment| Timestamp::from_micros(moment.first()))
}

/// What a text names.
pub(crate) fn read(text: &str, now: Timestamp, zone: &Zone) -> Option<Moment> {
    let lower = text.to_ascii_lowercase();
    distance(&lower, now).or_else(|| word(&lower, now, zone)).or_else(|| written(text, zone))
}

/// A word that was probably meant.
pub(crate) fn suggest(text: &str) -> Option<String> {
    let plain = DAYS.iter().map(|(name, _)| (*name).to_owned()).chain(["now".to_owned()]);
    let weekdays = WEEKDAYS.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("{LAST}{name}")]);
    let stretches = STRETCHES.iter().flat_map(|(name, _)| [format!("{THIS}{name}"), format!("{LAST}{name}")]);
    let text = text.to_lowercase();
    let near = plain.chain(weekdays).chain(stretches);
    let near = near.map(|known| (strsim::jaro_winkler(&known, &text), known));
    near.filter(|(likeness, _)| *likeness > 0.85).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn distance(text: &str, now: Timestamp) -> Option<Moment> {
    let (unit, seconds) = DISTANCES.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = text.strip_suffix(*unit)?;
    let number: u32 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
    let distance = i64::from(number).saturating_mul(*seconds).saturating_mul(1_000_000);
    Some(Moment::instant(Timestamp::from_micros(now.as_micros().saturating_sub(distance))))
}

fn word(text: &str, now: Timestamp, zone: &Zone) -> Option<Moment> {
    if text == "now" {
        return Some(Moment::instant(now));
    }
    let today = zone.day(now)?;
    let day = |day: Date| zone.between(day, day.tomorrow().ok()?);
    if let Some((_, offset)) = DAYS.iter().find(|(name, _)| *name == text) {
        return day(today.checked_add(i64::from(*offset).days()).ok()?);
    }
    let (is_last, rest) = match text.strip_prefix(LAST) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix(THIS).unwrap_or(text)),
    };
    if let Some((_, weekday)) = WEEKDAYS.iter().find(|(name, _)| *name == rest && !text.starts_with(THIS)) {
        // The latest of its name; with `last-` not today itself.
        let back = i64::from(today.weekday().since(*weekday));
        let back = if is_last && back == 0 { 7 } else { back };
        return day(today.checked_sub(back.days()).ok()?);
    }
    let (_, stretch) = STRETCHES.iter().find(|(name, _)| *name == rest && rest.len() < text.len())?;
    let first = stretch.first(today)?;
    if is_last {
        return zone.between(first.checked_sub(stretch.length()).ok()?, first);
    }
    zone.between(first, first.checked_add(stretch.length()).ok()?)
}

/// RFC 3339 with an offset, or a time, a day, a month, a quarter or a year of the zone.
fn written(text: &str, zone: &Zone) -> Option<Moment> {
    if let Some((first, stretch)) = calendar(text) {
        return zone.between(first, first.checked_add(stretch.length()).ok()?);
    }
    let text = &in_micros(text)?;
    let time: Timestamp = text.parse().ok()?;
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Some(Moment::instant(time));
    }
    zone.instant(text.parse().ok()?).map(|micros| Moment::instant(Timestamp::from_micros(micros)))
}

/// The text without digits of a second beyond the sixth: events are as exact, and some clocks are more.
fn in_micros(text: &str) -> Option<String> {
    let Some((seconds, rest)) = text.split_once('.') else { return Some(text.to_owned()) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, offset) = rest.split_at_checked(end)?;
    Some(format!("{seconds}.{}{offset}", digits.get(..6).unwrap_or(digits)))
}

/// `2026`, `2026-Q1`, `2026-03`, `2026-03-01`: its first day, and how long it is.
fn calendar(text: &str) -> Option<(Date, Stretch)> {
    let mut pieces = text.split('-');
    let digits = |piece: &str, len: usize| -> Option<i16> {
        (piece.len() == len && piece.bytes().all(|b| b.is_ascii_digit())).then(|| piece.parse().ok())?
    };
    let year = digits(pieces.next()?, 4)?;
    let Some(month) = pieces.next() else { return Some((date(year, 1, 1), Stretch::Year)) };
    if let Some(quarter) = month.strip_prefix(['Q', 'q']) {
        let quarter =
            digits(quarter, 1).filter(|quarter| (1..=4).contains(quarter) && pieces.next().is_none())?;
        let month = i8::try_from(quarter * 3 - 2).ok()?;
        return Some((Date::new(year, month, 1).ok()?, Stretch::Quarter));
    }
    let month = i8::try_from(digits(month, 2)?).ok()?;
    let Some(day) = pieces.next() else { return Some((Date::new(year, month, 1).ok()?, Stretch::Month)) };
    let day = i8::try_from(digits(day, 2)?).ok()?;
    (pieces.next().is_none()).then(|| Some((Date::new(year, month, day).ok()?, Stretch::Day)))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A Sunday.
    fn now() -> Timestamp {
        "2026-03-29T12:00:00Z".parse().unwrap()
    }

    fn check(text: &str, zone: &str) -> String {
        let zone = Zone::parse(zone).unwrap();
        read(text, now(), &zone).map_or_else(
            || "no time".to_owned(),
            |moment| {
                let hours = (moment.last() - moment.first() + 1) / 3_600_000_000;
                format!("{} +{hours}h", Timestamp::from_micros(moment.first()))
            },
        )
    }

    #[test]
    fn reads_words() {
        insta::assert_snapshot!(check("today", "UTC"), @"2026-03-29T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("yesterday", "UTC"), @"2026-03-28T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("sunday", "UTC"), @"2026-03-29T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("last-sunday", "UTC"), @"2026-03-22T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("last-tuesday", "UTC"), @"2026-03-24T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("tuesday", "UTC"), @"2026-03-24T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("this-week", "UTC"), @"2026-03-23T00:00:00.000000Z +168h");
        insta::assert_snapshot!(check("last-week", "UTC"), @"2026-03-16T00:00:00.000000Z +168h");
        insta::assert_snapshot!(check("last-month", "UTC"), @"2026-02-01T00:00:00.000000Z +672h");
        insta::assert_snapshot!(check("this-quarter", "UTC"), @"2026-01-01T00:00:00.000000Z +2160h");
        insta::assert_snapshot!(check("last-quarter", "UTC"), @"2025-10-01T00:00:00.000000Z +2208h");
        insta::assert_snapshot!(check("last-year", "UTC"), @"2025-01-01T00:00:00.000000Z +8760h");
        insta::assert_snapshot!(check("Last-Tuesday", "UTC"), @"2026-03-24T00:00:00.000000Z +24h");
        insta::assert_snapshot!(check("2W", "UTC"), @"2026-03-15T12:00:00.000000Z +0h");
        insta::assert_snapshot!(check("now", "UTC"), @"2026-03-29T12:00:00.000000Z +0h");
        insta::assert_snapshot!(check("2w", "UTC"), @"2026-03-15T12:00:00.000000Z +0h");
    }

    /// The day on which summer time begins has 23 hours.
    #[test]
    fn days_are_those_of_the_zone() {
        insta::assert_snapshot!(check("today", "Europe/Brussels"), @"2026-03-28T23:00:00.000000Z +23h");
        insta::assert_snapshot!(check("2026-10-25", "europe/brussels"), @"2026-10-24T22:00:00.000000Z +25h");
        insta::assert_snapshot!(check("today", "Pacific/Auckland"), @"2026-03-29T11:00:00.000000Z +24h");
        insta::assert_snapshot!(check("2026-03-01", "+05:30"), @"2026-02-28T18:30:00.000000Z +24h");
        insta::assert_snapshot!(check("2026-03", "Europe/Brussels"), @"2026-02-28T23:00:00.000000Z +743h");
        insta::assert_snapshot!(check("2026-03-01T14:30", "Europe/Brussels"), @"2026-03-01T13:30:00.000000Z +0h");
        insta::assert_snapshot!(check("2026-03-01T14:30:00Z", "Europe/Brussels"), @"2026-03-01T14:30:00.000000Z +0h");
    }

    #[test]
    fn reads_the_calendar() {
        insta::assert_snapshot!(check("2026", "UTC"), @"2026-01-01T00:00:00.000000Z +8760h");
        insta::assert_snapshot!(check("2026-Q2", "UTC"), @"2026-04-01T00:00:00.000000Z +2184h");
        insta::assert_snapshot!(check("2026-q2", "UTC"), @"2026-04-01T00:00:00.000000Z +2184h");
        insta::assert_snapshot!(check("2026-03-01T14:30:00.1234567890123Z", "UTC"), @"2026-03-01T14:30:00.123456Z +0h");
        insta::assert_snapshot!(check("2026-03-01T14:30:00.1234567", "+01:00"), @"2026-03-01T13:30:00.123456Z +0h");
        insta::assert_snapshot!(check("2026-02", "UTC"), @"2026-02-01T00:00:00.000000Z +672h");
        for wrong in [
            "2026-13",
            "2026-Q5",
            "2026-02-30",
            "26-02-01",
            "7",
            "d",
            "-1d",
            "last-now",
            "this-tuesday",
            "week",
            "",
        ] {
            assert_eq!(check(wrong, "UTC"), "no time", "{wrong}");
        }
        assert_eq!(suggest("yesteday").as_deref(), Some("yesterday"));
        assert_eq!(suggest("last-tusday").as_deref(), Some("last-tuesday"));
    }

    #[test]
    fn zones_have_names() {
        let named = |text: &str| Zone::parse(text).map(|zone| zone.to_string());
        assert_eq!(named("europe/brussels").as_deref(), Some("Europe/Brussels"));
        assert_eq!(named("-0530").as_deref(), Some("-05:30"));
        assert_eq!(named("+00").as_deref(), Some("UTC"));
        for wrong in ["", "+1", "+25", "+01:0", "Europe", "CEST!", "../etc/passwd", "/etc/localtime"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,24}") {
            let _ = (read(&text, now(), &Zone::default()), suggest(&text));
            if let Some(zone) = Zone::parse(&text) {
                prop_assert_eq!(Zone::parse(&zone.to_string()), Some(zone));
            }
        }

        /// A stretch ends where the next one begins.
        #[test]
        fn stretches_touch(day in 0_i64..20_000) {
            let zone = Zone::parse("Europe/Brussels").unwrap();
            let day = date(2000, 1, 1).checked_add(day.days()).unwrap();
            for stretch in [Stretch::Day, Stretch::Week, Stretch::Month, Stretch::Quarter, Stretch::Year] {
                let first = stretch.first(day).unwrap();
                let behind = first.checked_add(stretch.length()).unwrap();
                prop_assert!(first <= day && day < behind);
                prop_assert_eq!(stretch.first(behind), Some(behind));
                let moment = zone.between(first, behind).unwrap();
                prop_assert_eq!(Some(moment.last() + 1), zone.start(behind));
            }
        }
    }
}
