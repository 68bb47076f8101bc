//! Telephone numbers: `+` and a country code, or a national form that punctuation gives away. The numbering
//! plans of libphonenumber decide.

mod layout;
mod plan;
mod written;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber};

use self::layout::national;
use self::plan::{NO_TRUNK, assigned, with_code};
use self::written::{MAX_DIGITS, Written};
use super::Hit;
use super::groups::{Separator, joined};
use crate::{Entity, text::Text};

/// Loads the numbering plans, so that the first text does not wait for them.
pub(crate) fn warm_up() {
    std::sync::LazyLock::force(&PHONE_NUMBER_UTIL);
}

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let parenthesis = text.get(at) == Some(b'(') && text.get(at + 1) == Some(b'+');
    let plus = parenthesis || text.get(at) == Some(b'+');
    if is_continuation(text, at, plus) {
        return None;
    }
    if !plus && !goes_on(text, at) {
        return None;
    }
    let number = Written::read(text, at, plus, parenthesis)?;
    let end = if plus { international(text, &number) } else { national(text, &number) }?;
    // `(07579 607001)`, but not a part of `(07579) 607001 12`.
    if !plus && text.before(at, 1) == Some(b'(') && text.get(end) != Some(b')') {
        return None;
    }
    if !plus && is_amount(text, at, end) {
        return None;
    }
    Some(Hit::closed(Entity::PhoneNumber, end))
}

/// Whether cents follow groups of thousands: `876.235.162,63`.
fn is_amount(text: &Text<'_>, at: usize, end: usize) -> bool {
    let cents = || text.run(end + 1, 3, |b| b.is_ascii_digit()) == end + 3;
    text.get(end) == Some(b',') && text.slice(at, end).contains(&b'.') && cents() && text.word_end(end + 3)
}

/// Where a number ends that a label announces: without country code and punctuation too.
pub(crate) fn announced(text: &Text<'_>, at: usize) -> Option<usize> {
    let amount = matches!(text.before(at, 1), Some(b'$' | b'+')) || is_page(text, at);
    if !text.get(at)?.is_ascii_digit() || amount || joined(text, at).is_some() {
        return None;
    }
    let number = Written::read(text, at, false, false)?;
    (1..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let digits = number.prefix(count);
        let plausible = match (digits.as_bytes(), digits.len()) {
            // North America, and what is dialled within a town.
            ([b'2'..=b'9', ..], 10) | ([b'1', b'2'..=b'9', ..], 11) => true,
            ([b'2'..=b'9', ..], 7) => number.lengths(count) == [3, 4],
            ([b'0', b'0', ..], _) => digits.get(2..).and_then(with_code).is_some_and(|n| n.is_valid()),
            ([b'0', ..], 9..=12) => true,
            (_, 9..=15) => with_code(digits).is_some_and(|number| number.is_valid()),
            _ => false,
        };
        (plausible && !super::checksum::uniform(digits.as_bytes())).then_some(end)
    })
}

/// Where a number right behind its label ends: one that some country has assigned, also with nothing in front to
/// tell which. Never a day written in one piece.
pub(crate) fn beside_label(text: &Text<'_>, at: usize) -> Option<usize> {
    let amount = matches!(text.before(at, 1), Some(b'$' | b'+')) || is_page(text, at);
    // `call 12:08:42.429333`
    let time = text.before(at, 1) == Some(b':') && text.before(at, 2).is_some_and(|b| b.is_ascii_digit());
    if !text.get(at)?.is_ascii_digit() || amount || time || joined(text, at).is_some() {
        return None;
    }
    let number = Written::read(text, at, false, false)?;
    (1..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let digits = number.prefix(count);
        let known = (8..=11).contains(&digits.len()) && assigned(digits, &NO_TRUNK);
        (known && super::date::find(text, at) != Some(end)).then_some(end)
    })
}

/// Whether what stands behind the first digits may join more to them, which takes a number without a country: most
/// numbers are done with here.
fn goes_on(text: &Text<'_>, at: usize) -> bool {
    let end = text.run(at, MAX_DIGITS, |b| b.is_ascii_digit());
    match text.get(end) {
        Some(b' ' | b'-' | b'.' | b'/') => {
            text.get(end + 1).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'(' | b'/'))
        }
        Some(b'(' | 0xC2 | 0xE2) => true,
        _ => false,
    }
}

/// Whether what stands before makes this a part of something else.
fn is_continuation(text: &Text<'_>, at: usize, plus: bool) -> bool {
    match text.before(at, 1) {
        None => false,
        Some(b) if b.is_ascii_alphanumeric() => plus || !text.word_start(at) || text.get(at) == Some(b'('),
        Some(b'+' | b'$') if !plus => true,
        Some(b'+') => true,
        Some(b'.') if is_page(text, at) => true,
        Some(b'/') => text.before(at, 2).is_some_and(|b| b.is_ascii_digit()),
        // `line 4 +1 212 …`
        Some(_) => joined(text, at).is_some_and(|joint| !plus || joint != Separator::Space),
    }
}

/// Whether the number ends a path: `10.1016/j.cell.2019.52.774`.
fn is_page(text: &Text<'_>, at: usize) -> bool {
    if text.before(at, 1) != Some(b'.') || !text.before(at, 2).is_some_and(|b| b.is_ascii_alphabetic()) {
        return false;
    }
    let token = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_' | b'-');
    text.near(at).iter().rev().take_while(|b| token(b)).any(|b| *b == b'/')
}

/// The groups that make a number of some country: all whose length is right; where that is so for more than one
/// count of them, the most that are also assigned.
fn international(text: &Text<'_>, number: &Written) -> Option<usize> {
    let mut longest: Option<(usize, PhoneNumber)> = None;
    for count in (1..=number.count).rev() {
        let end =
            if count == number.count { number.end(text, count) } else { number.ends.get(count - 1).copied() };
        let (Some(end), Some(parsed)) = (end, with_code(number.prefix(count))) else { continue };
        if parsed.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
            continue;
        }
        match &longest {
            None => longest = Some((end, parsed)),
            Some((_, more)) if !more.is_valid() && parsed.is_valid() => return Some(end),
            Some(_) => {}
        }
    }
    longest.map(|(end, _)| end)
}
