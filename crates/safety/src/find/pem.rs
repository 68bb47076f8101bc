//! Private keys in PEM: from the BEGIN line to the END line, however far that is.

use super::{Hit, Swallowed, Tail};
use crate::{Entity, text::Text};

/// `ENCRYPTED`, `OPENSSH`, `RSA`, `PGP … BLOCK`: no label in use is longer.
const MAX_LABEL: usize = 48;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END";
const DASHES: &[u8] = b"-----";

/// Letters of a body that follow a line break; without one (a key in an environment variable that lost its
/// lines) it takes more to tell a key from talk about keys, and so it does behind the marks that quote a line.
const BODY_AFTER_BREAK: usize = 4;
const BODY_AFTER_MARK: usize = 16;
const BODY_WITHOUT_BREAK: usize = 40;

/// White space, written-out line breaks and marks between the BEGIN line and the body.
const MAX_GAP: usize = 48;

/// Backslashes before the `n` of a line break: they double with each document within a document.
const MAX_BACKSLASHES: usize = 32;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.starts_with(at, BEGIN) {
        return None;
    }
    let label = at + BEGIN.len();
    let label_end = text.run(label, MAX_LABEL, is_label_byte);
    let private = text.slice(label, label_end).windows(11).any(|w| w == b"PRIVATE KEY");
    if !private || !text.starts_with(label_end, DASHES) {
        return None;
    }
    let end = label_end + DASHES.len();
    has_body(text, end).then(|| Hit::open(Entity::PrivateKey, end, Some(Tail::Pem)))
}

/// Whether key material follows, so that a sentence about PEM files is not swallowed.
fn has_body(text: &Text<'_>, at: usize) -> bool {
    let (mut body, mut broken, mut marked) = (at, false, false);
    while body - at < MAX_GAP {
        body = match text.get(body) {
            Some(b' ' | b'\t') => body + 1,
            // Before a line of a quotation, a comment, a table or a string that code puts together.
            Some(b'>' | b'|' | b'#' | b'*' | b'+' | b'"' | b'\'' | b',') => {
                marked = true;
                body + 1
            }
            _ => match line_break(text, body) {
                Some(end) => {
                    broken = true;
                    end
                }
                None => break,
            },
        };
    }
    let least = match (broken, marked) {
        (true, false) => BODY_AFTER_BREAK,
        (true, true) => BODY_AFTER_MARK,
        _ => BODY_WITHOUT_BREAK,
    };
    let header = |b: u8| b == b':' || b == b'-';
    text.run(body, least, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=') || broken && header(b)
    }) == body + least
}

/// Where a line break ends that starts at `at`: one that is there, or is written out as documents within documents, URLs
/// and markup write it.
fn line_break(text: &Text<'_>, at: usize) -> Option<usize> {
    match text.get(at)? {
        b'\n' | b'\r' => Some(at + 1),
        b'\\' => {
            let end = text.run(at, MAX_BACKSLASHES, |b| b == b'\\');
            // An escaped quote is none, but is passed over as well.
            text.get(end).filter(|b| matches!(b, b'n' | b'r' | b'\n' | b'\r' | b'"' | b'\'')).map(|_| end + 1)
        }
        b'%' if text.starts_with(at, b"%0") => {
            text.get(at + 2).filter(|b| matches!(b, b'A' | b'D' | b'a' | b'd')).map(|_| at + 3)
        }
        b'<' if text.starts_with(at, b"<br") => {
            let end = text.run(at + 3, 3, |b| matches!(b, b' ' | b'/'));
            (text.get(end) == Some(b'>')).then_some(end + 1)
        }
        _ => None,
    }
}

/// Swallows up to and including the END line.
pub(crate) fn swallow(text: &Text<'_>, at: usize) -> Swallowed {
    let mut at = at;
    loop {
        at = text.run(at, usize::MAX, |b| b != b'-');
        if let Some(end) = end_line(text, at) {
            return Swallowed::Ends(end);
        }
        if text.take_starved() || at >= text.len() {
            return if text.is_last() { Swallowed::Ends(text.len()) } else { Swallowed::GoesOn(at) };
        }
        at += 1;
    }
}

fn end_line(text: &Text<'_>, at: usize) -> Option<usize> {
    if !text.starts_with(at, END) {
        return None;
    }
    let label_end = text.run(at + END.len(), MAX_LABEL, is_label_byte);
    text.starts_with(label_end, DASHES).then_some(label_end + DASHES.len())
}

fn is_label_byte(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' '
}
