//! Labels behind their values: `536904399 (SSN)`, `1984-03-04 is her date of birth`.

use super::super::date;
use super::{Hit, find};
use crate::hints::{self, Said};
use crate::labels::{self, Key, Says};
use crate::text::Text;

/// Letters and digits of a value, and how many digits it has at least.
const MAX_VALUE: usize = 20;
const MIN_DIGITS: usize = 5;

/// Letters of a label in front of digits: `SSN 536…`.
const MAX_WORD: usize = 12;

/// The longest label behind a value.
const MAX_LABEL: usize = 32;

/// Words of it.
const MAX_LABEL_WORDS: usize = 5;

/// What joins a label to the value before it.
const LINKS: [&[u8]; 6] = [b" (", b" is ", b" was ", b" as ", b" = ", b" - "];

/// The number at `at`, in one piece, whose label stands behind it.
pub(crate) fn find_before_label(text: &Text<'_>, at: usize) -> Option<Hit> {
    let end = value_end(text, at)?;
    said_behind(text, end).and_then(|said| find(text, at, &said)).filter(|hit| hit.end == end)
}

/// The day at `at`, whose label stands behind it.
pub(crate) fn find_day_before_label(text: &Text<'_>, at: usize) -> Option<Hit> {
    day_before_label(text, at, date::find(text, at)?)
}

/// The day from `at` to `end`, if a label behind it says whose day it is.
pub(super) fn day_before_label(text: &Text<'_>, at: usize, end: usize) -> Option<Hit> {
    said_behind(text, end).and_then(|said| find(text, at, &said)).filter(|hit| hit.end == end)
}

/// What the words behind a value that ends at `end` say of it.
fn said_behind(text: &Text<'_>, end: usize) -> Option<Said> {
    let words = words_behind(text, end)?;
    let ends = (0..=words.len()).filter(|&end| words.get(end).is_none_or(|b| matches!(b, b' ' | b'_')));
    let mut said: Option<Said> = None;
    // `… is the NPI of Dr Lee`, `… is the patient's zip code`: the first label, as long as it grows.
    for end in ends.take(MAX_LABEL_WORDS) {
        let here = hints::before(words.get(..end).unwrap_or_default());
        let named = here.something() && here.distance == 0;
        if said.is_some_and(|said| !named || said.label == here.label) {
            break;
        }
        if named {
            said = Some(here);
        }
    }
    said
}

/// The words of a label behind a value that ends at `end`, if something joins them to it.
pub(in crate::find) fn words_behind<'t>(text: &Text<'t>, end: usize) -> Option<&'t [u8]> {
    if text.get(end) != Some(b' ') {
        return None;
    }
    let link = LINKS.iter().find(|link| text.starts_with(end, link))?;
    let start = end + link.len();
    let label_end =
        text.run(start, MAX_LABEL, |b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'\'' | b'_'));
    // What a value or a mark follows is the label of something else.
    let other =
        text.get(label_end).is_some_and(|b| b.is_ascii_digit() || matches!(b, b':' | b'=' | b'#' | b'-'));
    (!other).then(|| text.slice(start, label_end))
}

/// Where a value ends that a label may follow: letters and digits in one piece, most of them digits.
fn value_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let end = text.run(at, MAX_VALUE + 1, |b| b.is_ascii_alphanumeric());
    if text.get(end) != Some(b' ') {
        return None;
    }
    let digits = text.slice(at, end).iter().filter(|b| b.is_ascii_digit()).count();
    (digits >= MIN_DIGITS && digits * 2 > end - at && end - at <= MAX_VALUE).then_some(end)
}

/// Whether the letters at `at` are the label of the digits behind them, and no part of a value: `S6713963, SSN 580-65-5472`.
pub(super) fn is_label(text: &Text<'_>, at: usize) -> bool {
    let end = text.run(at, MAX_WORD, |b| b.is_ascii_alphabetic());
    text.get(end) == Some(b' ')
        && text.get(end + 1).is_some_and(|b| b.is_ascii_digit())
        && labels::ending(Key::of(text.slice(at, end)), |_| None)
            .is_some_and(|label| matches!(label.says, Says::Kinds(_) | Says::Other))
}
