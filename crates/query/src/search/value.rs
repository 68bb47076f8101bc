//! Values of a search: texts with wildcards, and bounds of numbers and times.

use greffier_event::Timestamp;

/// A text with wildcards: the pieces between them. One piece is an exact text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) pieces: Vec<String>,
}

impl Pattern {
    /// No wildcard in it, whatever it holds.
    pub(crate) fn exact(text: impl Into<String>) -> Pattern {
        Pattern { pieces: vec![text.into()] }
    }

    /// `*` stands for any text; several in a row are one.
    pub(crate) fn with_wildcards(text: &str) -> Pattern {
        let mut pieces: Vec<String> = Vec::new();
        let mut parts = text.split('*').peekable();
        let mut first = true;
        while let Some(part) = parts.next() {
            // An empty piece between two wildcards says nothing.
            if first || !part.is_empty() || parts.peek().is_none() {
                pieces.push(part.to_owned());
            }
            first = false;
        }
        Pattern { pieces }
    }

    /// The text, if there is no wildcard.
    pub(crate) fn as_exact(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// As a pattern of SQL's LIKE.
    pub(crate) fn like(&self) -> String {
        let escaped = self.pieces.iter().map(|piece| {
            piece.chars().fold(String::new(), |mut text, c| {
                if matches!(c, '%' | '_' | '\\') {
                    text.push('\\');
                }
                text.push(c);
                text
            })
        });
        escaped.collect::<Vec<_>>().join("%")
    }

    /// Whether a whole text fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let Some((last, middle)) = rest.split_last() else { return text == first };
        let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            match text.split_once(piece.as_str()) {
                Some((_, behind)) => text = behind,
                None => return false,
            }
        }
        text.ends_with(last.as_str())
    }

    /// Whether it occurs somewhere in a text, both in lower case.
    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        let mut rest = text;
        self.pieces.iter().all(|piece| match rest.split_once(piece.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }

    /// The same in lower case.
    pub(crate) fn lowercase(&self) -> Pattern {
        Pattern { pieces: self.pieces.iter().map(|piece| piece.to_lowercase()).collect() }
    }
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounds<T> {
    Equal(T),
    Greater(T),
    AtLeast(T),
    Less(T),
    AtMost(T),
    /// Both ends belong to it.
    Between(T, T),
}

impl<T> Bounds<T> {
    pub(crate) fn is_one_sided(&self) -> bool {
        !matches!(self, Bounds::Equal(_) | Bounds::Between(..))
    }
}

/// A point or a stretch of time, as exact as it was written: its first and its last microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    first: i64,
    last: i64,
}

const DAY: i64 = 86_400_000_000;

impl Moment {
    pub(crate) fn new(first: i64, last: i64) -> Moment {
        Moment { first, last }
    }

    pub(crate) fn instant(time: Timestamp) -> Moment {
        Moment::new(time.as_micros(), time.as_micros())
    }

    /// Its first microsecond.
    pub(crate) fn first(self) -> i64 {
        self.first
    }

    /// Its last microsecond.
    pub(crate) fn last(self) -> i64 {
        self.last
    }

    /// Whether it is one microsecond.
    pub(crate) fn is_instant(self) -> bool {
        self.first == self.last
    }

    /// Whether it is a whole day in UTC, which a date says.
    pub(crate) fn is_utc_day(self) -> bool {
        self.first.rem_euclid(DAY) == 0 && self.last - self.first == DAY - 1
    }
}

impl Bounds<Moment> {
    /// As bounds of microseconds.
    pub(crate) fn micros(self) -> Bounds<i64> {
        match self {
            Bounds::Equal(moment) if moment.is_instant() => Bounds::Equal(moment.first),
            Bounds::Equal(moment) => Bounds::Between(moment.first, moment.last),
            Bounds::Greater(moment) => Bounds::Greater(moment.last()),
            Bounds::AtLeast(moment) => Bounds::AtLeast(moment.first),
            Bounds::Less(moment) => Bounds::Less(moment.first),
            Bounds::AtMost(moment) => Bounds::AtMost(moment.last()),
            Bounds::Between(from, to) => Bounds::Between(from.first, to.last),
        }
    }

    /// The same between instants: what a zone or a word made of them stands in the text no more.
    pub(crate) fn settled(self) -> Bounds<Moment> {
        let instant = |micros| Moment::new(micros, micros);
        match self.micros() {
            Bounds::Equal(is) => Bounds::Equal(instant(is)),
            Bounds::Greater(than) => Bounds::Greater(instant(than)),
            Bounds::AtLeast(least) => Bounds::AtLeast(instant(least)),
            Bounds::Less(than) => Bounds::Less(instant(than)),
            Bounds::AtMost(most) => Bounds::AtMost(instant(most)),
            Bounds::Between(from, to) => Bounds::Between(instant(from), instant(to)),
        }
    }

    /// Whether each of its moments passes.
    pub(crate) fn all(self, passes: impl Fn(Moment) -> bool) -> bool {
        match self {
            Bounds::Equal(moment)
            | Bounds::Greater(moment)
            | Bounds::AtLeast(moment)
            | Bounds::Less(moment)
            | Bounds::AtMost(moment) => passes(moment),
            Bounds::Between(from, to) => passes(from) && passes(to),
        }
    }
}

/// What a written number counts, and in which units it may be written: text, factor, from the smallest to the
/// largest.
pub(crate) type Units = &'static [(&'static str, i64)];

/// Plain integers.
pub(crate) const COUNT: Units = &[("", 1)];
/// Dollars, counted in millionths.
pub(crate) const DOLLARS: Units = &[("", 1_000_000)];
/// Time spans, counted in microseconds.
pub(crate) const SPANS: Units =
    &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];

/// Reads an exact decimal in one of the units. `None`: not a number, a missing or unknown unit, digits beyond
/// what is counted, or too large.
pub(crate) fn read_number(text: &str, units: Units) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    // More digits than this are finer than anything counted here.
    let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 18)?;
    let scale = 10_i128.pow(places);
    let digits = format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(i128::from(*factor))?;
    let value = i64::try_from(digits / scale).ok().filter(|_| digits % scale == 0)?;
    Some(if negative { -value } else { value })
}

/// Writes it back, in the largest unit that holds it exactly.
pub(crate) fn write_number(value: i64, units: Units) -> String {
    let fits = |(_, factor): &&(&str, i64)| value % factor == 0;
    if let Some((unit, factor)) = units.iter().rev().find(fits) {
        return format!("{}{unit}", value / factor);
    }
    // Only dollars have no unit of one.
    let (unit, factor) = units.first().copied().unwrap_or(("", 1));
    let (whole, fraction) =
        (value.unsigned_abs() / factor.unsigned_abs(), value.unsigned_abs() % factor.unsigned_abs());
    let places = factor.ilog10() as usize;
    let sign = if value < 0 { "-" } else { "" };
    let fraction = format!("{fraction:0places$}");
    format!("{sign}{whole}.{}{unit}", fraction.trim_end_matches('0'))
}
