//! A telephone number as it is written: its digits, and how they are grouped.

use crate::find::groups::{Digits, Separator, separator};
use crate::text::Text;

/// `+44 (0)20 79 46 09 58` has seven groups.
const MAX_GROUPS: usize = 8;

/// E.164 allows 15; a written-out `(0)` adds one, and one more shows that a run is longer.
pub(super) const MAX_DIGITS: usize = 17;

/// A number as it is written: its digits, and how they are grouped.
pub(super) struct Written {
    pub(super) start: usize,
    pub(super) digits: Digits,
    pub(super) lengths: [usize; MAX_GROUPS],
    /// Where each group ends.
    pub(super) ends: [usize; MAX_GROUPS],
    /// What stands before each group but the first.
    pub(super) joints: [Option<Separator>; MAX_GROUPS],
    pub(super) count: usize,
    pub(super) parenthesis: bool,
    /// Two capitals stand before it, as the abbreviation of a state does before a ZIP code.
    pub(super) follows_state: bool,
}

impl Written {
    /// Reads from `at` on; `open` if a parenthesis stands before the `+`.
    pub(super) fn read(text: &Text<'_>, at: usize, plus: bool, mut open: bool) -> Option<Self> {
        let mut number = Self {
            start: at,
            digits: Digits::default(),
            lengths: [0; MAX_GROUPS],
            ends: [0; MAX_GROUPS],
            joints: [None; MAX_GROUPS],
            count: 0,
            parenthesis: open,
            follows_state: text.before(at, 1) == Some(b' ')
                && (2..=3).all(|back| text.before(at, back).is_some_and(|b| b.is_ascii_uppercase())),
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
            if end == next
                || number.digits.len() + (end - next) > MAX_DIGITS
                || !number.take(text, next, end, joint)
            {
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
            if number.is_area_code() && text.starts_with(next, b" / ") {
                next += 3;
            } else if let Some((found, length)) = joint_at(text, next) {
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

    /// Whether what has been read is an area code: of `040 / 958 24 07`.
    fn is_area_code(&self) -> bool {
        self.count == 1 && (3..=5).contains(&self.digits.len()) && self.digits.as_slice().starts_with(b"0")
    }

    pub(super) fn lengths(&self, count: usize) -> &[usize] {
        self.lengths.get(..count).unwrap_or_default()
    }

    pub(super) fn joint(&self, group: usize) -> Option<Separator> {
        self.joints.get(group).copied().flatten()
    }

    /// The digits of the first `count` groups.
    pub(super) fn prefix(&self, count: usize) -> &str {
        let length = self.lengths(count).iter().sum();
        self.digits
            .as_slice()
            .get(..length)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }

    /// Where the number ends if it has `count` groups, unless it goes on there.
    pub(super) fn end(&self, text: &Text<'_>, count: usize) -> Option<usize> {
        let end = *self.ends.get(count.checked_sub(1)?)?;
        if count < self.count {
            // More digits follow: by a space they may be another number, unless spaces join this one.
            let other =
                self.joint(count) == Some(Separator::Space) && self.joint(count - 1) != self.joint(count);
            return other.then_some(end);
        }
        let ends = match text.get(end) {
            Some(b'x' | b'X') => text.get(end + 1).is_some_and(|b| b.is_ascii_digit()),
            Some(b) if b.is_ascii_alphanumeric() => false,
            _ => separator(text, end)
                .is_none_or(|(_, length)| !text.get(end + length).is_some_and(|b| b.is_ascii_digit())),
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
