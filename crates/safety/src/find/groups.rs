//! Digits in groups, as people write numbers: `4111 1111 1111 1111`, `123-45-6789`.

use crate::text::Text;

/// The longest number of interest has seven groups (an international phone number).
const MAX_GROUPS: usize = 8;

/// The longest number of interest has 19 digits (a card); one more shows that a run is longer.
const MAX_GROUP_DIGITS: usize = 20;

/// What may stand between two groups. Typographic spaces and dashes count as what they look like: language
/// models write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    Space,
    Dash,
    Dot,
}

/// A run of digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What stands between it and the next group, if one follows.
    pub(crate) then: Option<Separator>,
}

impl Group {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// The groups that start at a place.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    items: [Group; MAX_GROUPS],
    count: usize,
}

impl Groups {
    /// Reads groups from the digit at `at` on.
    pub(crate) fn read(text: &Text<'_>, at: usize) -> Self {
        let mut groups = Self::default();
        let mut start = at;
        for slot in &mut groups.items {
            let end = text.run(start, MAX_GROUP_DIGITS, |b| b.is_ascii_digit());
            if end == start {
                break;
            }
            let next = separator(text, end)
                .filter(|&(_, length)| text.get(end + length).is_some_and(|b| b.is_ascii_digit()));
            *slot = Group { start, end, then: next.map(|(separator, _)| separator) };
            groups.count += 1;
            let Some((_, length)) = next else { break };
            start = end + length;
        }
        groups
    }

    pub(crate) fn as_slice(&self) -> &[Group] {
        self.items.get(..self.count).unwrap_or_default()
    }

    /// Whether the first groups have these lengths.
    pub(crate) fn begin_with(&self, lengths: &[usize]) -> bool {
        self.count >= lengths.len()
            && lengths.iter().zip(self.as_slice()).all(|(&length, group)| group.len() == length)
    }

    /// The one separator between the first `count` groups; `None` if they differ or there is only one group.
    pub(crate) fn joint(&self, count: usize) -> Option<Separator> {
        let inner = self.as_slice().get(..count.checked_sub(1)?)?;
        let first = inner.first()?.then?;
        inner.iter().all(|group| group.then == Some(first)).then_some(first)
    }

    /// The digits of the first `count` groups, as many as fit.
    pub(crate) fn digits(&self, text: &Text<'_>, count: usize) -> Digits {
        let mut digits = Digits::default();
        for group in self.as_slice().iter().take(count) {
            for &b in text.slice(group.start, group.end) {
                digits.push(b);
            }
        }
        digits
    }
}

/// Up to 24 digits, as ASCII.
#[derive(Debug, Default)]
pub(crate) struct Digits {
    bytes: [u8; 24],
    count: usize,
}

impl Digits {
    pub(crate) fn push(&mut self, digit: u8) {
        if let Some(slot) = self.bytes.get_mut(self.count) {
            *slot = digit;
            self.count += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The number that the digits from `start` to `end` write.
    pub(crate) fn value(&self, start: usize, end: usize) -> Option<u32> {
        let digits = self.as_slice().get(start..end)?;
        Some(digits.iter().fold(0, |value: u32, b| value.wrapping_mul(10).wrapping_add(u32::from(b - b'0'))))
    }
}

/// The separator at `at` and its length.
pub(crate) fn separator(text: &Text<'_>, at: usize) -> Option<(Separator, usize)> {
    match text.get(at)? {
        b' ' => Some((Separator::Space, 1)),
        b'-' => Some((Separator::Dash, 1)),
        b'.' => Some((Separator::Dot, 1)),
        0xC2 => (text.get(at + 1)? == 0xA0).then_some((Separator::Space, 2)),
        0xE2 => {
            let (second, third) = (text.get(at + 1)?, text.get(at + 2)?);
            typographic(second, third).map(|separator| (separator, 3))
        }
        _ => None,
    }
}

/// The digit that a separator before `at` joins to it: `Some` in `12-|345`, `None` in `x-|345`.
pub(crate) fn joined(text: &Text<'_>, at: usize) -> Option<Separator> {
    let (separator, length) = match text.before(at, 1)? {
        b' ' => (Separator::Space, 1),
        b'-' => (Separator::Dash, 1),
        b'.' => (Separator::Dot, 1),
        0xA0 if text.before(at, 2)? == 0xC2 => (Separator::Space, 2),
        third if text.before(at, 3)? == 0xE2 => (typographic(text.before(at, 2)?, third)?, 3),
        _ => return None,
    };
    text.before(at, length + 1)?.is_ascii_digit().then_some(separator)
}

/// The separators among U+2000 to U+22FF, by their second and third byte.
fn typographic(second: u8, third: u8) -> Option<Separator> {
    match (second, third) {
        (0x80, 0x87 | 0x89 | 0xAF) => Some(Separator::Space),
        (0x80, 0x90..=0x95) | (0x88, 0x92) => Some(Separator::Dash),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Hints;

    fn lengths(text: &str) -> Vec<(usize, Option<Separator>)> {
        let text = Text::new(text.as_bytes(), true, Hints::default());
        Groups::read(&text, 0).as_slice().iter().map(|group| (group.len(), group.then)).collect()
    }

    #[test]
    fn groups_end_where_no_digit_follows_one_separator() {
        use Separator::{Dash, Dot, Space};
        assert_eq!(lengths("123-45-6789."), [(3, Some(Dash)), (2, Some(Dash)), (4, None)]);
        assert_eq!(lengths("12 3.4x"), [(2, Some(Space)), (1, Some(Dot)), (1, None)]);
        assert_eq!(lengths("12  3"), [(2, None)]);
        assert_eq!(lengths("123\u{2011}45\u{a0}6789"), [(3, Some(Dash)), (2, Some(Space)), (4, None)]);
        assert_eq!(lengths(&"1".repeat(99)), [(20, None)]);
        assert_eq!(lengths(&"1 ".repeat(99)).len(), MAX_GROUPS);
    }

    #[test]
    fn a_separator_joins_only_digits() {
        let joined = |text: &str, at| joined(&Text::new(text.as_bytes(), true, Hints::default()), at);
        assert_eq!(joined("1-2", 2), Some(Separator::Dash));
        assert_eq!(joined("1\u{2013}2", 4), Some(Separator::Dash));
        assert_eq!(joined("x-2", 2), None);
        assert_eq!(joined("-2", 1), None);
    }
}
