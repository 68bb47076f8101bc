//! Where words start and end, and what stands between them, read backwards.

use crate::labels::{self, Key, MAX_WORD};
use crate::tags::{self, Tag};

/// Digits that make a value of their own: a label in front of them speaks of them.
const VALUE_DIGITS: usize = 4;

/// What stands between two words.
pub(super) struct Gap {
    /// Where it starts, and the word before it ends.
    pub(super) end: usize,
    /// With a `/` or `&` in it.
    pub(super) joined: bool,
    /// With the end of a string, of an element or of a line in it.
    pub(super) crossed: bool,
}

/// Skips back over what stands between words. `None` at a barrier: the end of a sentence, another value, a
/// placeholder that stands for one.
pub(super) fn skip_gap(text: &[u8], end: usize) -> Option<Gap> {
    let (mut at, mut joined, mut crossed, mut digits) = (end, false, false, 0);
    loop {
        let b = *text.get(at.checked_sub(1)?)?;
        if is_letter_at(text, at - 1) {
            return Some(Gap { end: at, joined, crossed });
        }
        crossed |= match b {
            b'"' => matches!(text.get(at), Some(b',' | b'}' | b']')),
            b'<' => text.get(at) == Some(&b'/'),
            // What a line asks for, the next one gives.
            b'\n' => {
                let line = text.get(..at - 1).unwrap_or_default().trim_ascii_end();
                !matches!(line, [] | [.., b'?' | b':' | b'.'])
            }
            _ => false,
        };
        digits = if b.is_ascii_digit() { digits + 1 } else { 0 };
        let ends_sentence = match b {
            b'.' => text.get(at).is_some_and(u8::is_ascii_whitespace) && !abbreviates(text, at - 1),
            b'!' | b';' => true,
            // An empty field: what is said of it is said of nothing else.
            b'|' => text.get(at) == Some(&b'|'),
            b'>' => match tags::read(text, at - 1) {
                Tag::Layout(open) => {
                    (at, digits) = (open, 0);
                    continue;
                }
                tag => matches!(tag, Tag::Mark | Tag::Row),
            },
            _ => digits >= VALUE_DIGITS && !mixed(text, at - 1),
        };
        if ends_sentence {
            return None;
        }
        joined |= matches!(b, b'/' | b'&');
        at -= 1;
    }
}

/// Where the letters, digits, `_` and `-` around a place start.
pub(super) fn token_start(text: &[u8], at: usize) -> usize {
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    at - text.get(..at).unwrap_or_default().iter().rev().take_while(part).count()
}

/// Whether the digits at `at` belong to a token with letters in it, which is the name of something rather than a value.
fn mixed(text: &[u8], at: usize) -> bool {
    let start =
        at - text.get(..at).unwrap_or_default().iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let behind = text.get(at..).unwrap_or_default();
    let end = at + behind.iter().take_while(|b| b.is_ascii_digit()).count();
    let letter = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphabetic);
    letter(text.get(start.wrapping_sub(1))) || letter(text.get(end))
}

/// Whether the word that ends at a full stop is short enough for an abbreviation: `no.`, `acct.`
fn abbreviates(text: &[u8], end: usize) -> bool {
    end - word_start(text, end) <= 4
}

/// Where the word that ends at `end` starts: at a letter behind none, or at a hump (`customerSsn`).
pub(super) fn word_start(text: &[u8], end: usize) -> usize {
    // Small letters, most of any word, have no hump among them.
    let small =
        text.get(..end).unwrap_or_default().iter().rev().take_while(|b| b.is_ascii_lowercase()).count();
    let mut at = end - small;
    // The two bytes behind the one at hand.
    let (mut next, mut after) = (text.get(at).copied(), text.get(at + 1).copied());
    let upper = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_uppercase());
    // Also `é`, by its last byte.
    let lower = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || matches!(b, 0xA0..=0xBF));
    while at > 0 && is_letter_at(text, at - 1) {
        let here = text.get(at - 1).copied();
        if at < end && upper(next) {
            let hump = lower(here) || upper(here) && at + 1 < end && lower(after);
            // But not the plural of an acronym, `SSNs`.
            let plural = at + 2 == end && after == Some(b's');
            if hump && !plural {
                break;
            }
        }
        (next, after) = (here, next);
        at -= 1;
    }
    at
}

/// Where the word starts that ends at `end`, if it is a label as a whole in spite of its humps: `DoB`, `IdNr`.
pub(super) fn whole_label(text: &[u8], hump: usize, end: usize) -> usize {
    if hump == 0 || !is_letter_at(text, hump - 1) {
        return hump;
    }
    let letters = |at: &usize| *at > 0 && is_letter_at(text, *at - 1);
    let start = (end.saturating_sub(MAX_WORD)..=hump).rev().find(|at| !letters(at));
    let Some(start) = start else { return hump };
    let whole = Key::exactly(text.get(start..end).unwrap_or_default());
    let known = labels::ending(whole, |_| None).is_some_and(|label| !label.kinds().is_empty() && !label.near);
    if known { start } else { hump }
}

/// Whether a letter, or a part of one, stands at `at`: of ASCII, Latin, Greek or Cyrillic.
fn is_letter_at(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(0xC3..=0xD3) => true,
        Some(0x80..=0xBF) => matches!(text.get(at.wrapping_sub(1)), Some(0xC3..=0xD3)),
        Some(b) => b.is_ascii_alphabetic(),
        None => false,
    }
}
