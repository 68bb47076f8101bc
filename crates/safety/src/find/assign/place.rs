//! Where a value stands: between its quotes, or up to what cannot belong to it.

use super::MAX_VALUE;
use crate::text::Text;

/// Where a value stands that may be quoted, and whether it is.
pub(super) fn value_at(text: &Text<'_>, at: usize) -> Option<(usize, usize, bool)> {
    match text.get(at)? {
        quote @ (b'"' | b'\'' | b'`') => {
            let start = behind_scheme(text, at + 1);
            let end = text.run(start, MAX_VALUE, |b| b != quote && b != b'\n');
            (text.get(end) == Some(quote)).then_some((start, end, true))
        }
        _ => {
            let start = behind_scheme(text, at);
            let part = |b: u8| !ends_value(b) && b != b'&';
            let mut end = text.run(start, MAX_VALUE, part);
            while end - start < MAX_VALUE && text.get(end) == Some(b'&') && !names_follow(text, end + 1) {
                end = text.run(end + 1, MAX_VALUE - (end + 1 - start), part);
            }
            // The full stop of a sentence, the bracket around it; a `!`, `?` or `*` may well belong to a password.
            while end > start && matches!(text.get(end - 1), Some(b'.' | b':' | b')' | b']' | b'}')) {
                end -= 1;
            }
            // Around what Markdown prints bold.
            if text.slice(start, end).ends_with(b"**") {
                end -= 2;
            }
            (end > start).then_some((start, end, false))
        }
    }
}

/// Behind `Bearer ` and the like, which say how a value is used.
pub(super) fn behind_scheme(text: &Text<'_>, at: usize) -> usize {
    const SCHEMES: [&[u8]; 6] = [b"Basic ", b"Bearer ", b"bearer ", b"Token ", b"token ", b"ApiKey "];
    SCHEMES.iter().find(|scheme| text.starts_with(at, scheme)).map_or(at, |scheme| at + scheme.len())
}

pub(super) fn ends_value(b: u8) -> bool {
    b <= b' ' || matches!(b, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'\\' | b'|')
}

/// Whether the next parameter of a query starts here.
fn names_follow(text: &Text<'_>, at: usize) -> bool {
    let end = text.run(at, 24, |b| b.is_ascii_alphanumeric() || b == b'_');
    end > at && text.get(end) == Some(b'=')
}
