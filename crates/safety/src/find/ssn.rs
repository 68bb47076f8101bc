//! US social security numbers: area, group and serial number within the rules of their issuer.

use super::Hit;
use super::groups::{Groups, Separator};
use crate::{Entity, text::Text};

/// Numbers that were printed in advertisements, and are nobody's.
const ADVERTISED: [&[u8]; 3] = [b"078051120", b"219099999", b"457555462"];

/// `123-45-6789`; without separators it takes a label, see [`super::labelled`].
pub(crate) fn find(text: &Text<'_>, at: usize, groups: &Groups) -> Option<Hit> {
    if !groups.begin_with(&[3, 2, 4]) {
        return None;
    }
    // `SKU-236-84-7652`: codes of things begin in capitals.
    let joined = text.before(at, 1) == Some(b'-');
    if joined && text.before(at, 2).is_some_and(|b| b.is_ascii_uppercase()) && text.said(at).other() {
        return None;
    }
    let end = separated(text, at, groups)?;
    let digits = groups.digits(text, 3);
    (is_issued(digits.as_slice()) && text.word_end(end)).then(|| Hit::closed(Entity::UsSsn, end))
}

/// Whether nine digits may have been issued: no area 000, 666 or 900 and above, no group 00, no serial 0000.
pub(super) fn is_issued(digits: &[u8]) -> bool {
    let [area @ .., g1, g2, s1, s2, s3, s4] = digits else { return false };
    area.len() == 3
        && !matches!(area, b"000" | b"666" | [b'9', ..])
        && (*g1, *g2) != (b'0', b'0')
        && [s1, s2, s3, s4].iter().any(|&&b| b != b'0')
        && !ADVERTISED.contains(&digits)
        && !super::checksum::uniform(digits)
}

/// The end of `123-45-6789`, unless it is a part of something longer.
fn separated(text: &Text<'_>, at: usize, groups: &Groups) -> Option<usize> {
    let joint = groups.joint(3)?;
    let last = groups.as_slice().get(2)?;
    let longer = super::groups::joined(text, at) == Some(joint)
        || last.then == Some(joint) && (joint != Separator::Space || short_group_follows(groups));
    (!longer).then_some(last.end)
}

/// After `123 45 6789`, a group of up to four digits is more of the same number; a longer one is another.
fn short_group_follows(groups: &Groups) -> bool {
    groups.as_slice().get(3).is_some_and(|next| next.len() <= 4)
}
