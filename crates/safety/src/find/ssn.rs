//! US social security numbers: area, group and serial number within the rules of their issuer.

use super::Hit;
use super::groups::{Groups, Separator};
use crate::{Entity, hints, text::Text};

pub(crate) fn find(text: &Text<'_>, at: usize, groups: &Groups) -> Option<Hit> {
    let (count, end) = if groups.begin_with(&[3, 2, 4]) {
        (3, separated(text, at, groups)?)
    } else if groups.begin_with(&[9]) {
        (1, plain(text, at, groups)?)
    } else {
        return None;
    };
    let digits = groups.digits(text, count);
    let area = digits.value(0, 3)?;
    let issued = !matches!(area, 0 | 666 | 900..) && digits.value(3, 5)? != 0 && digits.value(5, 9)? != 0;
    (issued && text.word_end(end)).then(|| Hit::closed(Entity::UsSsn, end))
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

/// The end of `123456789`, where something says that it is one.
fn plain(text: &Text<'_>, at: usize, groups: &Groups) -> Option<usize> {
    let first = groups.as_slice().first()?;
    let alone = !matches!(super::groups::joined(text, at), Some(Separator::Dash | Separator::Dot))
        && !matches!(first.then, Some(Separator::Dash | Separator::Dot));
    let said = text.hints.ssn || hints::announces_ssn(text.behind(at));
    (alone && said).then_some(first.end)
}
