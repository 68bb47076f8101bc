//! Times as people write them on a command line.

use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::Timestamp;

/// The time on this machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A time: so long before `now` (`7d`), RFC 3339, or the beginning, in UTC, of a day, a month, or what a word names.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    greffier_query::read_time(text, now).ok_or_else(|| {
        "expected so long ago, as in `7d`, a day, as in `2026-03-06` or `yesterday`, or a time, as in \
         `2026-03-06T14:32:07Z`"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        let now: Timestamp = "2026-03-08T12:00:00Z".parse().unwrap();
        let check = |text| parse(text, now).map(|time| time.to_string());
        assert_eq!(check("7d").unwrap(), "2026-03-01T12:00:00.000000Z");
        assert_eq!(check("90m").unwrap(), "2026-03-08T10:30:00.000000Z");
        assert_eq!(check("2026-03-06").unwrap(), "2026-03-06T00:00:00.000000Z");
        assert_eq!(check("2026-03-06T14:32:07+02:00").unwrap(), "2026-03-06T12:32:07.000000Z");
        assert_eq!(check("yesterday").unwrap(), "2026-03-07T00:00:00.000000Z");
        for wrong in ["", "yesteday", "7 d", "2026-13-01", "since:7d", "2026-03-06 user:bob"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
