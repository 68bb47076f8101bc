//! Private keys in PEM: from the BEGIN line to the END line, however far that is.

use super::{Hit, Swallowed, Tail};
use crate::{Entity, text::Text};

/// `ENCRYPTED`, `OPENSSH`, `RSA`, `PGP … BLOCK`: no label in use is longer.
const MAX_LABEL: usize = 48;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END";
const DASHES: &[u8] = b"-----";

/// Letters of a body that follow a line break; without one (a key in an environment variable that lost its
/// lines) it takes more to tell a key from talk about keys.
const BODY_AFTER_BREAK: usize = 4;
const BODY_WITHOUT_BREAK: usize = 40;

/// White space and written-out line breaks between the BEGIN line and the body.
const MAX_GAP: usize = 16;

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
    let (mut body, mut broken) = (at, false);
    while body - at < MAX_GAP {
        match text.get(body) {
            Some(b'\n' | b'\r') => broken = true,
            Some(b' ' | b'\t') => {}
            // Line breaks of JSON within JSON.
            Some(b'\\') if matches!(text.get(body + 1), Some(b'n' | b'r')) => {
                broken = true;
                body += 1;
            }
            _ => break,
        }
        body += 1;
    }
    let least = if broken { BODY_AFTER_BREAK } else { BODY_WITHOUT_BREAK };
    let header = |b: u8| b == b':' || b == b'-';
    text.run(body, least, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=') || broken && header(b)
    }) == body + least
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
