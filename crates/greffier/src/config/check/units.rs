//! Durations and sizes as people write them.

use std::time::Duration;

/// A bound on waiting, so that a slip of the pen is noticed.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// `250ms`, `30s`, `5m`, `1h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a duration, as in `500ms`, `30s`, `5m`, `1h` or `7d`".to_owned();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// A duration that can be waited for.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() || time > MAX_TIMEOUT {
        Err("expected more than zero and at most 24h".to_owned())
    } else {
        Ok(time)
    }
}

/// `512KiB`, `32MiB`, or bytes alone.
pub(super) fn size(text: &str, most: usize) -> Result<usize, String> {
    let wrong =
        || format!("expected a size of at most {} MiB, as in `512KiB` or `32MiB`", most / (1024 * 1024));
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return Err(wrong()),
    };
    let size = number.checked_mul(bytes).and_then(|size| usize::try_from(size).ok());
    size.filter(|size| (1..=most).contains(size)).ok_or_else(wrong)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in
            ["", "5", "s", "-1s", "1.5s", "5 s", "5S", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(timeout("0s").is_err() && timeout("25h").is_err() && timeout("24h").is_ok());
    }

    #[test]
    fn sizes() {
        let most = 64 * 1024 * 1024;
        assert_eq!(size("32MiB", most), Ok(32 * 1024 * 1024));
        assert_eq!(size("1000", most), Ok(1000));
        for wrong in ["", "0", "1GiB", "32MB", "MiB", "99999999999999999GiB"] {
            assert!(size(wrong, most).is_err(), "{wrong}");
        }
    }
}
