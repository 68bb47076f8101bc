//! Ages above 89, which HIPAA counts among the identifiers.

use super::Hit;
use super::groups::Groups;
use crate::{Entity, text::Text};

/// What makes a number in front of it an age.
const BEHIND: [&[u8]; 10] = [
    b" years old",
    b"-year-old",
    b" year old",
    b" yrs old",
    b" y/o",
    b"-yr-old",
    b" years of age",
    b"yo ",
    b" yo ",
    b" y.o.",
];

/// `92 years old`; behind a label see [`super::labelled`].
pub(crate) fn find(text: &Text<'_>, groups: &Groups) -> Option<Hit> {
    let first = groups.as_slice().first()?;
    let old = matches!(
        text.slice(first.start, first.end),
        [b'9', _] | [b'1', b'0' | b'1', _] | [b'1', b'2', b'0'..=b'5']
    );
    (old && BEHIND.iter().any(|words| text.starts_with(first.end, words)))
        .then(|| Hit::closed(Entity::Age, first.end))
}
