//! JSON Web Tokens, signed or encrypted: base64url segments of which the first is a JSON header with `alg`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Hit, Tail, is_token_byte};
use crate::{Entity, text::Text};

/// Headers with a certificate chain are longer; of those, this much is judged.
const MAX_HEADER: usize = 1024;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.starts_with(at, b"eyJ") || text.before(at, 1).is_some_and(|b| b == b'_' || b == b'-') {
        return None;
    }
    let end = text.run(at, MAX_HEADER, is_token_byte);
    let header = text.slice(at, end);
    let is_jwt = if header.len() == MAX_HEADER {
        says_alg(header)
    } else {
        // A payload follows: `.` and a letter of it, or (encrypted, without a key) a second dot.
        text.get(end) == Some(b'.')
            && text.get(end + 1).is_some_and(|b| is_token_byte(b) || b == b'.')
            && has_alg(header)
    };
    is_jwt.then(|| Hit::open(Entity::Jwt, end, Some(Tail::Jwt)))
}

fn has_alg(header: &[u8]) -> bool {
    let Ok(json) = URL_SAFE_NO_PAD.decode(header) else { return false };
    serde_json::from_slice::<serde_json::Value>(&json).is_ok_and(|value| value.get("alg").is_some())
}

/// The same of a header that was cut.
fn says_alg(header: &[u8]) -> bool {
    let whole = header.len() / 4 * 4;
    let json = URL_SAFE_NO_PAD.decode(header.get(..whole).unwrap_or_default()).unwrap_or_default();
    json.windows(6).any(|w| w == b"\"alg\":")
}

/// Where the further segments end. A dot belongs to them if one of their letters or a dot follows, so that
/// the full stop of a sentence stays.
pub(crate) fn rest(text: &Text<'_>, at: usize) -> usize {
    let mut at = at;
    loop {
        at = text.run(at, usize::MAX, |b| is_token_byte(b) || b == b'=');
        let joined = text.get(at) == Some(b'.')
            && (text.get(at + 1).is_some_and(is_token_byte)
                || text.get(at + 1) == Some(b'.') && text.get(at + 2).is_some_and(is_token_byte));
        if !joined {
            return at;
        }
        at += 1;
        if text.get(at) == Some(b'.') {
            at += 1;
        }
    }
}
