//! Addresses of network cards.

use super::Hit;
use crate::{Entity, text::Text};

/// `00:1a:2b:3c:4d:5e`, by colons or by dashes: six pairs, no more.
pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let hex = |i: usize| text.get(i).is_some_and(|b| b.is_ascii_hexdigit());
    let joint = (hex(at) && hex(at + 1)).then(|| text.get(at + 2))?.filter(|b| matches!(b, b':' | b'-'))?;
    let pair = |n: usize| hex(at + 3 * n) && hex(at + 3 * n + 1);
    if !(1..6).all(|n| text.get(at + 3 * n - 1) == Some(joint) && pair(n)) {
        return None;
    }
    let end = at + 17;
    let joined = text.before(at, 1) == Some(joint) || text.get(end) == Some(joint) && hex(end + 1);
    let first = text.slice(at, at + 2);
    let nobody = text.slice(at, end).chunks(3).all(|pair| pair.get(..2) == Some(first));
    (!joined && !nobody && text.word_end(end)).then(|| Hit::closed(Entity::MacAddress, end))
}
