//! Microseconds since the Unix epoch, written as RFC 3339 with six fractional digits and `Z`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// An instant in microseconds since 1970-01-01T00:00:00Z, from the year 0000 up to 9999-12-30T22:00:00Z: the
/// last that every offset can still write with four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time between the years 0000 and 9999.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("time must be RFC 3339, as in 2026-03-06T14:32:07.891000Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    const MIN: i64 = -62_167_219_200_000_000;
    const MAX: i64 = 253_402_207_200_000_000;

    /// From microseconds since the epoch; values out of range are clamped to it.
    pub fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros.clamp(Self::MIN, Self::MAX))
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 with any offset; a time without an offset is UTC; digits past the sixth are refused, so
    /// that nothing is lost without a word.
    fn from_str(text: &str) -> Result<Timestamp, InvalidTimestamp> {
        let exact = |nanos: i32| if nanos % 1_000 == 0 { Ok(()) } else { Err(InvalidTimestamp) };
        let bounded = |micros: i64| {
            if (Self::MIN..=Self::MAX).contains(&micros) {
                Ok(Timestamp(micros))
            } else {
                Err(InvalidTimestamp)
            }
        };
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            exact(instant.subsec_nanosecond())?;
            return bounded(instant.as_microsecond());
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| InvalidTimestamp)?;
        exact(civil.subsec_nanosecond())?;
        let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| InvalidTimestamp)?.timestamp();
        bounded(instant.as_microsecond())
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Timestamp, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

/// A time as it is written: 2026-03-06T14:32:07.891000Z.
struct Written([u8; 27]);

impl Written {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Timestamp {
    /// The text, which takes no memory: an entry has two of them, and is written more than once.
    fn written(self) -> Option<Written> {
        let instant = jiff::Timestamp::from_microsecond(self.0).ok()?;
        let civil = jiff::tz::Offset::UTC.to_datetime(instant);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |end: usize, digits: usize, number: i32| {
            let mut left = number.unsigned_abs();
            for place in text.get_mut(end - digits..end).into_iter().flatten().rev() {
                *place = b'0' + (left % 10) as u8;
                left /= 10;
            }
        };
        put(4, 4, civil.year().into());
        put(7, 2, civil.month().into());
        put(10, 2, civil.day().into());
        put(13, 2, civil.hour().into());
        put(16, 2, civil.minute().into());
        put(19, 2, civil.second().into());
        put(26, 6, civil.subsec_nanosecond() / 1_000);
        Some(Written(text))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written().ok_or(fmt::Error)?.as_str())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.written().ok_or_else(|| serde::ser::Error::custom(InvalidTimestamp))?;
        serializer.serialize_str(text.as_str())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes() {
        let check = |text: &str| {
            text.parse::<Timestamp>().map_or_else(|error| error.to_string(), |time| time.to_string())
        };
        insta::assert_snapshot!(check("2026-03-06T14:32:07.891Z"), @"2026-03-06T14:32:07.891000Z");
        insta::assert_snapshot!(check("2026-03-06T14:32:07+02:00"), @"2026-03-06T12:32:07.000000Z");
        insta::assert_snapshot!(check("2026-03-06T14:32:07.891123"), @"2026-03-06T14:32:07.891123Z");
        insta::assert_snapshot!(check("2026-03-06T14:32:07.8911230Z"), @"2026-03-06T14:32:07.891123Z");
        insta::assert_snapshot!(check("2026-03-06T14:32:07.8911234Z"), @"time must be RFC 3339, as in 2026-03-06T14:32:07.891000Z");
        insta::assert_snapshot!(check("yesterday"), @"time must be RFC 3339, as in 2026-03-06T14:32:07.891000Z");
        insta::assert_snapshot!(check("0000-01-01T00:00:00Z"), @"0000-01-01T00:00:00.000000Z");
        insta::assert_snapshot!(check("-000001-12-31T23:59:59Z"), @"time must be RFC 3339, as in 2026-03-06T14:32:07.891000Z");
        insta::assert_snapshot!(check("9999-12-30T22:00:00Z"), @"9999-12-30T22:00:00.000000Z");
        insta::assert_snapshot!(check("9999-12-31T23:59:59Z"), @"time must be RFC 3339, as in 2026-03-06T14:32:07.891000Z");
    }

    proptest! {
        #[test]
        fn round_trip(micros: i64) {
            let time = Timestamp::from_micros(micros);
            let text = time.to_string();
            prop_assert_eq!(text.len(), 27);
            // As the library writes it that reads it.
            prop_assert_eq!(&text, &format!("{:.6}", jiff::Timestamp::from_microsecond(time.as_micros()).unwrap()));
            prop_assert_eq!(serde_json::to_string(&time).unwrap(), format!("\"{text}\""));
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&format!("\"{text}\"")).ok(), Some(time));
            prop_assert_eq!(text.parse(), Ok(time));
        }
    }
}
