//! Telephone numbers: `+` and a country code, or a national form that punctuation gives away. The numbering
//! plans of libphonenumber decide.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, Region};

use super::Hit;
use super::groups::{Digits, Separator, joined, separator};
use crate::{Entity, text::Text};

/// `+44 (0)20 79 46 09 58` has seven groups.
const MAX_GROUPS: usize = 8;

/// E.164 allows 15; a written-out `(0)` adds one, and one more shows that a run is longer.
const MAX_DIGITS: usize = 17;

/// Countries that dial a 0 before national numbers, the most spoken of first.
const TRUNK_ZERO: [Region; 11] = [
    Region::GB, Region::FR, Region::DE, Region::IT, Region::NL, Region::AU, Region::JP, Region::CH, Region::BE,
    Region::AT, Region::SE,
];

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
    let number = Written::read(text, at, plus, parenthesis)?;
    let end = if plus { international(text, &number) } else { national(text, &number) }?;
    Some(Hit::closed(Entity::PhoneNumber, end))
}

/// Whether what stands before makes this a part of something else.
fn is_continuation(text: &Text<'_>, at: usize, plus: bool) -> bool {
    match text.before(at, 1) {
        None => false,
        Some(b) if b.is_ascii_alphanumeric() => plus || !text.word_start(at) || text.get(at) == Some(b'('),
        Some(b'+' | b'$' | b'(') if !plus => true,
        Some(b'+') => true,
        Some(b'/') => text.before(at, 2).is_some_and(|b| b.is_ascii_digit()),
        Some(_) => joined(text, at).is_some(),
    }
}

/// A number as it is written: its digits, and how they are grouped.
struct Written {
    digits: Digits,
    lengths: [usize; MAX_GROUPS],
    /// Where each group ends.
    ends: [usize; MAX_GROUPS],
    /// What stands before each group but the first.
    joints: [Option<Separator>; MAX_GROUPS],
    count: usize,
    parenthesis: bool,
}

impl Written {
    /// Reads from `at` on; `open` if a parenthesis stands before the `+`.
    fn read(text: &Text<'_>, at: usize, plus: bool, mut open: bool) -> Option<Self> {
        let mut number = Self {
            digits: Digits::default(),
            lengths: [0; MAX_GROUPS],
            ends: [0; MAX_GROUPS],
            joints: [None; MAX_GROUPS],
            count: 0,
            parenthesis: open,
        };
        let mut next = at + usize::from(open) + usize::from(plus);
        let mut joint = None;
        loop {
            if !number.parenthesis && text.get(next) == Some(b'(') {
                open = true;
                number.parenthesis = true;
                next += 1;
            }
            let end = text.run(next, MAX_DIGITS, |b| b.is_ascii_digit());
            if end == next || number.digits.len() + (end - next) > MAX_DIGITS || !number.take(text, next, end, joint) {
                break;
            }
            next = end;
            let closed = open && text.get(next) == Some(b')');
            if open && !closed {
                return None;
            }
            open = false;
            next += usize::from(closed);
            joint = None;
            if let Some((found, length)) = joint_at(text, next) {
                joint = found;
                next += length;
            } else if !closed && text.get(next) != Some(b'(') {
                break;
            }
        }
        (number.count > 0).then_some(number)
    }

    /// Adds a group; `false` if there is no room.
    fn take(&mut self, text: &Text<'_>, start: usize, end: usize, joint: Option<Separator>) -> bool {
        let (Some(length), Some(last), Some(before)) = (
            self.lengths.get_mut(self.count),
            self.ends.get_mut(self.count),
            self.joints.get_mut(self.count),
        ) else {
            return false;
        };
        (*length, *last, *before) = (end - start, end, joint);
        for &digit in text.slice(start, end) {
            self.digits.push(digit);
        }
        self.count += 1;
        true
    }

    fn lengths(&self, count: usize) -> &[usize] {
        self.lengths.get(..count).unwrap_or_default()
    }

    fn joint(&self, group: usize) -> Option<Separator> {
        self.joints.get(group).copied().flatten()
    }

    /// The digits of the first `count` groups.
    fn prefix(&self, count: usize) -> &str {
        let length = self.lengths(count).iter().sum();
        self.digits.as_slice().get(..length).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }

    /// Where the number ends if it has `count` groups, unless it goes on there.
    fn end(&self, text: &Text<'_>, count: usize) -> Option<usize> {
        let end = *self.ends.get(count.checked_sub(1)?)?;
        if count < self.count {
            // More digits follow: by a space they may be another number, unless spaces join this one.
            let other = self.joint(count) == Some(Separator::Space) && self.joint(count - 1) != self.joint(count);
            return other.then_some(end);
        }
        let ends = match text.get(end) {
            Some(b'x' | b'X') => text.get(end + 1).is_some_and(|b| b.is_ascii_digit()),
            Some(b) if b.is_ascii_alphanumeric() => false,
            _ => separator(text, end).is_none_or(|(_, length)| {
                !text.get(end + length).is_some_and(|b| b.is_ascii_digit())
            }),
        };
        ends.then_some(end)
    }
}

/// A separator, or a slash, which is none for other numbers.
fn joint_at(text: &Text<'_>, at: usize) -> Option<(Option<Separator>, usize)> {
    if text.get(at) == Some(b'/') {
        return Some((None, 1));
    }
    separator(text, at).map(|(separator, length)| (Some(separator), length))
}

/// The most groups that make a number of some country; failing that, all of them if the length is right.
fn international(text: &Text<'_>, number: &Written) -> Option<usize> {
    let parse = |count| {
        let digits = number.prefix(count);
        if !(8..=16).contains(&digits.len()) || digits.starts_with('0') {
            return None;
        }
        PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()
    };
    let mut possible = None;
    for count in (1..=number.count).rev() {
        let end = if count == number.count { number.end(text, count) } else { number.ends.get(count - 1).copied() };
        let (Some(end), Some(parsed)) = (end, parse(count)) else { continue };
        if parsed.is_valid() {
            return Some(end);
        }
        let fits = parsed.is_possible_with_reason() == Ok(NumberLengthType::IsPossible);
        possible = possible.or(fits.then_some(end));
    }
    possible
}

fn national(text: &Text<'_>, number: &Written) -> Option<usize> {
    (2..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        is_national(number, count).then_some(end)
    })
}

/// Whether the first groups are laid out as some country writes its numbers, and are one of that country.
fn is_national(number: &Written, count: usize) -> bool {
    let digits = number.prefix(count);
    let joint = number.joint(count - 1);
    let uniform = (2..count).all(|group| number.joint(group) == joint);
    let [first, second, ..] = *digits.as_bytes() else { return false };
    if !uniform {
        return false;
    }
    match (number.lengths(count), first) {
        // North America: by dashes, dots or a parenthesis nothing else looks like it.
        ([3, 3, 4], b'2'..=b'9') if joint != Some(Separator::Space) || number.parenthesis => true,
        ([3, 3, 4], b'2'..=b'9') => {
            digits.starts_with("555") || valid(digits, &[Region::US, Region::IT, Region::MX])
        }
        ([1, 3, 3, 4], b'1') => second > b'1',
        // A zero first: most of the world. Not a date, not `0123-45-6789`, not a number padded with zeros.
        ([2, 2, 4, ..] | [4, 2, 4], b'0') => false,
        ([2..=5, ..], b'0') => second != b'0' && (9..=12).contains(&digits.len()) && valid(digits, &TRUNK_ZERO),
        // Spain
        ([3, 3, 3] | [3, 2, 2, 2] | [2, 3, 2, 2], b'6'..=b'9') => valid(digits, &[Region::ES]),
        // India
        ([5, 5], b'6'..=b'9') => valid(digits, &[Region::IN]),
        // Brazil and Mexico
        ([2, 5, 4], _) => valid(digits, &[Region::BR]),
        ([2, 4, 4], _) => valid(digits, &[Region::BR, Region::MX]),
        // Italy
        ([3, 6 | 7], b'3') => valid(digits, &[Region::IT]),
        _ => false,
    }
}

fn valid(digits: &str, regions: &[Region]) -> bool {
    let in_region = |number: PhoneNumber, region| number.is_valid_for_region(region);
    regions.iter().any(|&region| {
        PHONE_NUMBER_UTIL.parse(digits, Some(region)).is_ok_and(|number| in_region(number, region))
    })
}
