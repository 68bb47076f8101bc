//! Passwords told with no mark between the word and the value: `use password Maple73! for staging`, `password -> …`.
//!
//! Most words behind `password` are no password. What mixes letters, digits and signs as only a password does is believed
//! right behind the word; what could be the name of something also takes a word that hands a password over.

use super::judge::has_inner_capital;
use crate::hints::Said;
use crate::text::Text;

/// The shortest that is believed if it may be a name with a number.
const MIN_NAMED: usize = 7;

/// Words before `password` that are looked at.
const MAX_WORDS: usize = 4;

/// Words between the label and a value that a mark or verb introduces: `password for staging: …`.
const MAX_BETWEEN: usize = 2;

/// Whether the value at `at`, behind the label of a password, is one.
pub(super) fn is_believed(text: &Text<'_>, at: usize, value: &[u8], said: &Said) -> bool {
    if said.asked || has_inner_capital(value) {
        return true;
    }
    let near = text.near(at);
    let broken = [&b"\\n"[..], b"\\t", b"\\r"].iter().any(|escape| near.ends_with(escape));
    // The `n` of a line break that is written out is no word.
    let distance = said.distance.saturating_sub(usize::from(broken));
    let near = if broken { near.get(..near.len() - 2).unwrap_or_default() } else { near };
    let quoted = matches!(near.last(), Some(b'"' | b'\'' | b'`'));
    let opening =
        |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'(' | b'[' | b'*' | b'\\');
    let behind =
        near.iter().rposition(|b| !opening(b)).and_then(|last| near.get(..=last)).unwrap_or_default();
    let handed = is_handed(behind);
    if distance > 0 {
        return distance <= MAX_BETWEEN && handed && is_mixed(value);
    }
    is_mixed(value)
        || is_named(value) && (handed || quoted && behind.len() + 2 == near.len() || follows_a_cue(behind))
}

/// Whether a mark or a verb hands the value over.
fn is_handed(behind: &[u8]) -> bool {
    const MARKS: [&[u8]; 5] = [b":", b"->", b"=>", b"=", "→".as_bytes()];
    const VERBS: [&[u8]; 8] = [b" is", b" was", b" be", b" to", b" now", b" ist", b" es", b" est"];
    MARKS.iter().chain(&VERBS).any(|end| behind.ends_with(end))
}

/// Whether somebody uses the password or sets it: `log in with password …`.
fn follows_a_cue(behind: &[u8]) -> bool {
    const CUES: [&[u8]; 9] =
        [b"with", b"use", b"using", b"set", b"try", b"enter", b"type", b"login", b"user"];
    let words = behind.rsplit(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.skip(1).take(MAX_WORDS - 1).any(|word| CUES.iter().any(|cue| word.eq_ignore_ascii_case(cue)))
}

/// Letters of both cases and digits, or letters, digits and a sign within: no word, and no name with a number behind it.
pub(super) fn is_mixed(value: &[u8]) -> bool {
    let any = |class: fn(&u8) -> bool| value.iter().any(class);
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let inner = value.split_last().map_or(value, |(_, rest)| rest);
    let sign =
        |b: &u8| matches!(b, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'?' | b'~');
    let both = any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase);
    // `Windows10`, `Chapter5.2`
    let capital = value.iter().rposition(u8::is_ascii_uppercase) == Some(0)
        && value.iter().skip_while(|b| b.is_ascii_alphabetic()).all(|b| b.is_ascii_digit() || *b == b'.');
    // `VALUES (1, 'bob1@example.com', …`
    let mail =
        memchr::memchr(b'@', value).and_then(|at| value.get(at..)).is_some_and(|host| host.contains(&b'.'));
    letters > 2 && !mail && any(u8::is_ascii_digit) && (both && !capital || inner.iter().any(sign))
}

/// Letters and digits, where a name may look alike.
fn is_named(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    digits > 0 && (digits > 1 || value.len() >= MIN_NAMED)
}
