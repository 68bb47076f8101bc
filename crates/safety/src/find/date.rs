//! Days of the calendar, in all common written forms.

use crate::text::Text;

/// The years in which somebody may have been born, been a patient or died: before, nobody is left to protect.
const YEARS: std::ops::RangeInclusive<u32> = 1890..=2035;

/// `października`, with one letter to show that a word is longer.
const MAX_MONTH: usize = 16;

/// Where the day that starts at `at` ends.
pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<usize> {
    let first = number(text, at);
    match first {
        Some((_, 8, end)) => compact(text, at, end),
        Some((year, 4, end)) => year_first(text, year, end),
        Some((day, 1 | 2, end)) => numeric(text, day, end)
            .or_else(|| day_first(text, day, end))
            .or_else(|| in_one_piece(text, day, end)),
        Some(_) => None,
        None => month_first(text, at),
    }
}

/// Whether a word is a month's name, or begins like one.
pub(crate) fn is_month(word: &[u8]) -> bool {
    month_of(word).is_some()
}

/// The months that no beginning tells, in small letters.
pub(crate) fn whole_months() -> impl Iterator<Item = Vec<u8>> {
    let finnish = FINNISH.into_iter().flat_map(|name| KUU.map(|end| [name, end].concat()));
    POLISH.into_iter().map(<[u8]>::to_vec).chain(finnish)
}

/// The beginnings that tell a month, in small letters.
pub(crate) fn beginnings_of_months() -> impl Iterator<Item = [u8; 3]> {
    let letters = || b'a'..=b'z';
    let all = letters().flat_map(move |a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    all.filter(|beginning| is_month(beginning))
}

/// Whether something stands behind a word that may make it a day, or a part of a longer identifier.
pub(crate) fn goes_on(text: &Text<'_>, end: usize) -> bool {
    let stop = end + usize::from(text.get(end) == Some(b'.'));
    let next = |at: usize, class: fn(&u8) -> bool| text.get(at).is_some_and(|b| class(&b));
    match text.get(stop) {
        Some(b',') => next(stop + 1 + usize::from(text.get(stop + 1) == Some(b' ')), u8::is_ascii_digit),
        Some(b' ') => next(stop + 1, |b| b.is_ascii_digit() || b.is_ascii_uppercase()),
        Some(b'-' | b'/') => next(stop + 1, u8::is_ascii_alphanumeric),
        Some(b) => b.is_ascii_alphanumeric(),
        None => false,
    }
}

/// `19800102`, and the same from the other end.
fn compact(text: &Text<'_>, at: usize, end: usize) -> Option<usize> {
    let part = |from: usize, to: usize| value(text.slice(at + from, at + to));
    let orders = [((0, 4), (4, 6), (6, 8)), ((4, 8), (0, 2), (2, 4)), ((4, 8), (2, 4), (0, 2))];
    let fits = orders
        .into_iter()
        .any(|(year, month, day)| is_day(part(year.0, year.1), part(month.0, month.1), part(day.0, day.1)));
    (fits && ends(text, end)).then_some(end)
}

/// `1980-01-02`, `1980/1/2`, `1980.01.02`, `1980-01-02T00:00:00Z`.
fn year_first(text: &Text<'_>, year: u32, end: usize) -> Option<usize> {
    let joint = joint(text, end)?;
    let (month, 1..=2, month_end) = number(text, end + 1)? else { return None };
    if text.get(month_end) != Some(joint) {
        return None;
    }
    let (day, 1..=2, day_end) = number(text, month_end + 1)? else { return None };
    let time = text.get(day_end) == Some(b'T') && text.get(day_end + 1).is_some_and(|b| b.is_ascii_digit());
    (is_day(Some(year), Some(month), Some(day)) && (time || ends(text, day_end))).then_some(day_end)
}

/// `01/02/1980`, `1-2-80`, `02.01.1980`: the month first or second.
fn numeric(text: &Text<'_>, first: u32, end: usize) -> Option<usize> {
    let joint = joint(text, end).filter(|&joint| joint != b' ')?;
    // `02. 01. 1980`
    let gap = usize::from(joint == b'.' && text.get(end + 1) == Some(b' '));
    let (second, 1..=2, second_end) = number(text, end + 1 + gap)? else { return None };
    if text.get(second_end) != Some(joint) {
        return None;
    }
    let (year, year_end) = year(text, second_end + 1 + gap)?;
    let fits = is_day(Some(year), Some(first), Some(second)) || is_day(Some(year), Some(second), Some(first));
    (fits && ends(text, year_end)).then_some(year_end)
}

/// `2 January 1980`, `2nd of Jan., 80`, `02-Jan-1980`, `2. Januar 1980`, `2 de enero de 1980`.
fn day_first(text: &Text<'_>, day: u32, end: usize) -> Option<usize> {
    let end = ordinal(text, end);
    let at = gap(text, end)?;
    let at = filler(text, at);
    let (month, end) = month(text, at)?;
    let at = filler(text, gap(text, end)?);
    let (year, end) = year(text, at)?;
    (is_day(Some(year), Some(month), Some(day)) && ends(text, end)).then_some(end)
}

/// `02JAN1980`, as passports and tickets print it: the month in three letters.
fn in_one_piece(text: &Text<'_>, day: u32, end: usize) -> Option<usize> {
    let letters = text.run(end, 4, |b| b.is_ascii_alphabetic());
    let month = (letters == end + 3).then(|| month_of(text.slice(end, letters)))?;
    let (year, end) = year(text, letters)?;
    (is_day(Some(year), month, Some(day)) && ends(text, end)).then_some(end)
}

/// `January 2, 1980`, `Jan. 2nd 1980`.
fn month_first(text: &Text<'_>, at: usize) -> Option<usize> {
    let (month, end) = month(text, at)?;
    let (day, 1..=2, end) = number(text, gap(text, end)?)? else { return None };
    let (year, end) = year(text, gap(text, ordinal(text, end))?)?;
    (is_day(Some(year), Some(month), Some(day)) && ends(text, end)).then_some(end)
}

/// A number of up to eight digits: its value, how many digits, and where it ends.
fn number(text: &Text<'_>, at: usize) -> Option<(u32, usize, usize)> {
    let end = text.run(at, 9, |b| b.is_ascii_digit());
    (end > at && end - at < 9).then(|| Some((value(text.slice(at, end))?, end - at, end)))?
}

fn value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, &b| Some(value * 10 + char::from(b).to_digit(10)?))
}

/// A year of four digits, or of two.
fn year(text: &Text<'_>, at: usize) -> Option<(u32, usize)> {
    let at = at + usize::from(text.get(at) == Some(b'\''));
    match number(text, at)? {
        (year, 4, end) => Some((year, end)),
        (year, 2, end) => Some((1900 + year, end)),
        _ => None,
    }
}

fn month(text: &Text<'_>, at: usize) -> Option<(u32, usize)> {
    let end = text.run(at, MAX_MONTH, |b| b.is_ascii_alphabetic() || b >= 0x80);
    let month = month_of(text.slice(at, end))?;
    Some((month, end + usize::from(text.get(end) == Some(b'.'))))
}

/// The month whose name begins like this, in the languages of Western Europe.
fn month_of(word: &[u8]) -> Option<u32> {
    let &[first, second, third, ..] = word else { return None };
    if word.len() >= MAX_MONTH {
        return None;
    }
    if let Some(month) = slavic_or_finnish(word) {
        return Some(month);
    }
    // Small letters; of `é`, `ä` and `û` the first byte becomes E3.
    Some(match &[first | 0x20, second | 0x20, third | 0x20] {
        b"jan" | b"ene" | b"gen" => 1,
        b"feb" | b"fev" | b"f\xE3\xA9" => 2,
        b"mar" | b"mrz" | b"mrt" | b"maa" | b"m\xE3\xA4" => 3,
        b"apr" | b"avr" | b"abr" => 4,
        b"may" | b"mai" | b"mei" | b"maj" | b"mag" => 5,
        b"jui" if word.get(3).is_some_and(|b| b | 0x20 == b'l') => 7,
        b"jun" | b"jui" | b"giu" => 6,
        b"jul" | b"lug" => 7,
        b"aug" | b"ago" | b"ao\xE3" => 8,
        b"sep" | b"set" => 9,
        b"oct" | b"okt" | b"ott" | b"out" => 10,
        b"nov" => 11,
        b"dec" | b"dez" | b"dic" | b"d\xE3\xA9" => 12,
        _ => return None,
    })
}

/// Months of Poland in the case that dates have.
const POLISH: [&[u8]; 12] = [
    b"stycznia",
    b"lutego",
    b"marca",
    b"kwietnia",
    b"maja",
    b"czerwca",
    b"lipca",
    b"sierpnia",
    b"wrze\xC5\x9Bnia",
    b"pa\xC5\xBAdziernika",
    b"listopada",
    b"grudnia",
];

/// Months of Finland, before their endings.
const FINNISH: [&[u8]; 12] = [
    b"tammi",
    b"helmi",
    b"maalis",
    b"huhti",
    b"touko",
    b"kes\xC3\xA4",
    b"hein\xC3\xA4",
    b"elo",
    b"syys",
    b"loka",
    b"marras",
    b"joulu",
];

/// What the months of Finland end in.
const KUU: [&[u8]; 2] = [b"kuuta", b"kuu"];

/// Months of Poland and of Finland, which begin like other words.
fn slavic_or_finnish(word: &[u8]) -> Option<u32> {
    // All end so, and few other words do.
    if !word.last().is_some_and(|b| matches!(b | 0x20, b'a' | b'o' | b'u')) {
        return None;
    }
    let finnish = |name: &[u8]| {
        let tail = word
            .get(name.len()..)
            .filter(|_| word.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)));
        tail.is_some_and(|tail| KUU.contains(&tail))
    };
    let at = POLISH
        .iter()
        .position(|name| word.eq_ignore_ascii_case(name))
        .or_else(|| FINNISH.iter().position(|name| finnish(name)))?;
    u32::try_from(at + 1).ok()
}

/// Behind `st`, `nd`, `rd`, `th`, `.`
fn ordinal(text: &Text<'_>, at: usize) -> usize {
    const SUFFIXES: [&[u8]; 5] = [b"st", b"nd", b"rd", b"th", b"."];
    SUFFIXES.iter().find(|suffix| text.starts_with(at, suffix)).map_or(at, |suffix| at + suffix.len())
}

/// Behind `of ` or `de `.
fn filler(text: &Text<'_>, at: usize) -> usize {
    if text.starts_with(at, b"of ") || text.starts_with(at, b"de ") { at + 3 } else { at }
}

/// Behind a comma, a dash or a space between the parts of a day.
fn gap(text: &Text<'_>, at: usize) -> Option<usize> {
    match text.get(at)? {
        b',' => Some(at + 1 + usize::from(text.get(at + 1) == Some(b' '))),
        b' ' | b'-' | b'/' => Some(at + 1),
        _ => None,
    }
}

fn joint(text: &Text<'_>, at: usize) -> Option<u8> {
    text.get(at).filter(|b| matches!(b, b'-' | b'/' | b'.'))
}

/// Whether the day is all: neither a letter nor a further group follows.
fn ends(text: &Text<'_>, at: usize) -> bool {
    let more = joint(text, at).is_some() && text.get(at + 1).is_some_and(|b| b.is_ascii_digit());
    text.word_end(at) && !more
}

fn is_day(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> bool {
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    YEARS.contains(&year) && (1..=days).contains(&day)
}

/// Whether six digits are a day, a month and two digits of a year, in one of the orders that countries use.
pub(super) fn is_short_day(day: &[u8], month: &[u8]) -> bool {
    matches!(value(day), Some(1..=31)) && matches!(value(month), Some(1..=12))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Hints;

    fn whole(text: &str) -> bool {
        find(&Text::new(text.as_bytes(), true, Hints::default()), 0) == Some(text.len())
    }

    #[test]
    fn days_are_read_in_every_common_form() {
        for text in [
            "1980-01-02",
            "1980/1/2",
            "1980.01.02",
            "19800102",
            "01021980",
            "01/02/1980",
            "1/2/80",
            "31.12.1999",
            "12-31-1999",
            "31-12-1999",
            "02. 01. 1980",
            "January 2, 1980",
            "Jan 2nd 1980",
            "Jan. 2, 1980",
            "2 January 1980",
            "2nd of January, 1980",
            "02-Jan-1980",
            "2. Januar 1980",
            "2 de enero de 1980",
            "29 Feb 2000",
            "14 Sept 1961",
            "3 août 1975",
            "7 de outubro de 1990",
            "Sep 3 '84",
            "12JUL1970",
            "2Jan80",
            "25. joulukuuta 1991",
            "4 kwietnia 1976",
            "12 października 1988",
            "3 fev 2001",
        ] {
            assert!(whole(text), "{text}");
        }
        for text in [
            "1980-13-02",
            "1980-02-30",
            "2023-02-29",
            "1700-01-01",
            "2150-01-01",
            "32/01/1980",
            "13/13/1980",
            "1980-01",
            "1/2",
            "1.2.3",
            "1/2/1980/3",
            "01/02/19805",
            "January 1980",
            "Janus 2",
            "19801302",
            "31.04.1999",
            "1-2/1980",
            "may be 2 1980",
            "2 cars 1980",
            "32JUL1970",
            "12JULY1970",
            "12XYZ1970",
            "12JUL1970B",
            "12JUL197",
        ] {
            assert!(!whole(text), "{text}");
        }
    }
}
