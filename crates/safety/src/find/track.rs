//! The data of a magnetic stripe, which must never be kept: track 1 (`%B…?`) and track 2 (`;…=…?`).

use super::{Hit, checksum};
use crate::{Entity, text::Text};

/// ISO 7813: a track 1 has at most 79 characters, a track 2 at most 40.
const MAX_TRACK: usize = 80;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let (start, separator) = match text.get(at)? {
        b'%' if text.get(at + 1) == Some(b'B') => (at + 2, b'^'),
        b';' => (at + 1, b'='),
        _ => return None,
    };
    let pan = text.run(start, 20, |b| b.is_ascii_digit());
    let valid = (12..=19).contains(&(pan - start)) && checksum::luhn(b"", text.slice(start, pan));
    if !valid || text.get(pan) != Some(separator) {
        return None;
    }
    let end = text.run(pan, MAX_TRACK, |b| {
        b.is_ascii_graphic() && b != b'?' && b != b'"' || b == b' ' && separator == b'^'
    });
    // Behind the separator (and a name between two of them) come the expiry and the service code.
    let data = text.slice(pan + 1, end).rsplit(|&b| b == separator).next().unwrap_or_default();
    let dated = data.len() >= 7 && data.iter().take(7).all(u8::is_ascii_digit);
    dated.then(|| {
        let end = end + usize::from(text.get(end) == Some(b'?'));
        Hit::closed(Entity::CreditCard, end).by("layout of a magnetic stripe, Luhn")
    })
}
