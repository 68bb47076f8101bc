//! Times as people write them on a command line.

use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::Timestamp;

/// The time on this machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A time: so long before `now` (`7d`), a day (its beginning, in UTC), or RFC 3339.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    ago(text, now).or_else(|| text.parse().ok()).ok_or_else(|| {
        "expected so long ago, as in `7d`, a day, as in `2026-03-06`, or a time, as in `2026-03-06T14:32:07Z`"
            .to_owned()
    })
}

/// `2w`, `7d`, `24h`, `30m`, `10s` before `now`.
fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: i64 = match unit {
        "w" => 7 * 86_400,
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    let count: u32 = count.bytes().all(|b| b.is_ascii_digit()).then(|| count.parse().ok())??;
    let micros = i64::from(count).checked_mul(seconds)?.checked_mul(1_000_000)?;
    Some(Timestamp::from_micros(now.as_micros().checked_sub(micros)?))
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
        for wrong in ["", "yesterday", "7 d", "2026-13-01", "since:7d", "2026-03-06 user:bob"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
