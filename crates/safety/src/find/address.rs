//! Postal addresses: a street with its number, and what follows it as countries write it; post boxes; and
//! whatever stands under a key that says address, if it looks like one.

mod street;
mod tail;
mod words;

use self::street::{Form, Street};
use self::words::{Kind, Word, digits, ends, kind, skip_stop, space, word};
pub(crate) use self::words::{warm_up, words_of_streets};
use super::Hit;
use super::person::label::Subject;
use super::person::label_before;
use crate::{Entity, text::Text};

/// Longest value behind a label that is read.
const MAX_VALUE: usize = 200;

const STREET: &str = "number and street";
const WITH_CITY: &str = "number and street, with a flat, state or postcode";
const BOX: &str = "post office box";
const LABELLED: &str = "a label of addresses, words and a number";

/// The address that starts at `at`, the start of a number, of a word with a capital, or of a text under a key.
pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !starts(text, at) {
        return None;
    }
    let labelled = label_before(text, at) == Subject::Address;
    let plain = plain(text, at, labelled);
    let (end, rule) = if labelled { value(text, at, plain).or(plain)? } else { plain? };
    Some(Hit::closed(Entity::Address, end).by(rule))
}

/// Whether an address can start with this word although it has no capital: `rue`, `ul.`
pub(crate) fn starts_small(word: &[u8]) -> bool {
    matches!(
        word,
        b"ul"
            | b"ulica"
            | b"al"
            | b"aleja"
            | b"os"
            | b"pl"
            | b"calle"
            | b"avenida"
            | b"via"
            | b"viale"
            | b"rue"
            | b"avenue"
            | b"boulevard"
            | b"chemin"
            | b"rua"
            | b"plaza"
            | b"corso"
            | b"piazza"
            | b"place"
            | b"impasse"
    )
}

/// Whether an address can start at `at`: not within a number, a path or an identifier.
fn starts(text: &Text<'_>, at: usize) -> bool {
    match text.before(at, 1) {
        None => true,
        Some(b'_' | b'@' | b'/' | b'.' | b'-' | b'$' | b'#' | b'%' | b'&' | b'~' | b'+' | b'^') => false,
        // `1,250` is one number; `id7,250 Main Street` are two columns.
        Some(b',') if text.before(at, 2).is_some_and(|b| b.is_ascii_digit()) => {
            digits(text, at, 3, 3).is_none()
        }
        Some(b) => b < 0x80 || !(0xC3..=0xDF).contains(&text.before(at, 2).unwrap_or_default()),
    }
}

/// An address that needs no label, or little of one.
fn plain(text: &Text<'_>, at: usize, labelled: bool) -> Option<(usize, &'static str)> {
    if text.get(at)?.is_ascii_digit() {
        return street::number_first(text, at).and_then(|street| with_tail(text, street, labelled));
    }
    if matches!(text.get(at)?, b'P' | b'G')
        && let Some(end) = post_box(text, at)
    {
        return Some((tail::read(text, end).end, BOX));
    }
    let first = word(text, at)?;
    let known = kind(text, first);
    if first.capital
        && known.is(Kind::UNIT)
        && let Some(street) = behind_a_unit(text, first)
    {
        return with_tail(text, street, true);
    }
    street::number_last(text, first, known).and_then(|street| with_tail(text, street, labelled))
}

fn with_tail(text: &Text<'_>, street: Street, labelled: bool) -> Option<(usize, &'static str)> {
    let tail = tail::read(text, street.end);
    let needed = match street.form {
        Form::Unknown => tail.code,
        Form::Unnamed => tail.sure && !tail.short,
        Form::Sure | Form::Doubtful | Form::Bare => tail.sure,
    };
    if needed {
        return Some((tail.end, WITH_CITY));
    }
    let holds = match street.form {
        Form::Bare | Form::Unnamed | Form::Unknown => false,
        Form::Sure | Form::Doubtful => labelled || street::ends_well(text, street.end, street.form),
    };
    holds.then_some((tail.end, STREET))
}

/// `PO Box 123`
fn post_box(text: &Text<'_>, at: usize) -> Option<usize> {
    const BOXES: [&[u8]; 9] = [
        b"PO Box ",
        b"P.O. Box ",
        b"P. O. Box ",
        b"P.O.Box ",
        b"PO BOX ",
        b"P.O. BOX ",
        b"GPO Box ",
        b"Post Office Box ",
        b"Postfach ",
    ];
    let label = BOXES.iter().find(|label| text.starts_with(at, label))?;
    let end = digits(text, at + label.len(), 1, 6)?;
    ends(text, end).then_some(end)
}

/// `Flat 12, 34 High Street`
fn behind_a_unit(text: &Text<'_>, unit: Word) -> Option<Street> {
    let number = space(text, skip_stop(text, unit.end))?;
    let end = text.run(number, 5, |b| b.is_ascii_alphanumeric());
    let comma = text.get(end)? == b',' && text.slice(number, end).iter().any(u8::is_ascii_digit);
    let street = if comma { street::number_first(text, space(text, end + 1)?)? } else { return None };
    matches!(street.form, Form::Sure | Form::Doubtful).then_some(street)
}

/// The whole value behind a label, if it looks like an address.
fn value(text: &Text<'_>, at: usize, plain: Option<(usize, &'static str)>) -> Option<(usize, &'static str)> {
    let quoted = matches!(text.before(at, 1), Some(b'"' | b'\'' | b'`'));
    let whole = quoted || at == 0;
    let escaped = text.before(at, 2) == Some(b'\\');
    let in_value = |b: u8| match b {
        b'"' | b'`' | b'{' | b'}' | b'<' | b'|' | b';' | b'\t' => false,
        b'\n' | b'\r' => whole && !quoted,
        b'\\' => quoted && !escaped,
        _ => true,
    };
    let end = text.run(at, MAX_VALUE + 1, in_value);
    if end - at > MAX_VALUE {
        return None;
    }
    let value = text.slice(at, end);
    let value = value.get(..own_length(value, text.before(at, 1))).unwrap_or_default();
    let kept = value
        .iter()
        .rposition(|b| !matches!(b, b' ' | b',' | b'.' | b'\n' | b'\\' | b'\''))
        .map_or(0, |last| last + 1);
    let value = value.get(..kept)?;
    // Behind a label in prose the sentence may go on; the address itself says where it ends.
    if !whole && plain.is_some() {
        return plain;
    }
    looks_like_one(value).then_some((at + kept, LABELLED))
}

/// How much of what stands behind a label is its value: up to the quote that closes it, or else to the next key.
fn own_length(value: &[u8], opening: Option<u8>) -> usize {
    let next = |at: usize| value.get(at + 1);
    if opening == Some(b'\'') {
        // `'12 St. John's Road'`
        let closes = |at: usize| !next(at).is_some_and(u8::is_ascii_alphanumeric);
        return (0..value.len())
            .find(|&at| value.get(at) == Some(&b'\'') && closes(at))
            .unwrap_or(value.len());
    }
    if matches!(opening, Some(b'"' | b'`')) {
        return value.len();
    }
    // `12 Mill Close, Leeds, phone: …`
    let marks = |at: usize| match value.get(at) {
        Some(b'=') => true,
        Some(b':') => matches!(next(at), Some(b' ' | b'"' | b'\'')),
        _ => false,
    };
    let Some(mark) = (0..value.len()).find(|&at| marks(at)) else { return value.len() };
    let before = value.get(..mark).unwrap_or_default();
    before.iter().rposition(|&b| matches!(b, b',' | b';' | b'\n' | b'(')).unwrap_or(0)
}

/// Three words or more, one of them a number and one with a capital; nothing of URLs, mail or code.
fn looks_like_one(value: &[u8]) -> bool {
    let words = value.split(|b| b.is_ascii_whitespace() || *b == b',').filter(|word| !word.is_empty());
    let (mut count, mut numbers, mut names) = (0, 0, 0);
    for word in words {
        count += 1;
        numbers += usize::from(word.iter().any(u8::is_ascii_digit) && word.len() <= 10);
        let name = word.len() >= 3
            && word.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'.' | b'-' | b'\''));
        names += usize::from(name && word.first().is_some_and(|b| b.is_ascii_uppercase() || *b >= 0xC3));
    }
    let foreign = value.iter().any(|b| matches!(b, b'@' | b'=' | b'_' | b'[' | b'$' | b'*'));
    count >= 3 && numbers >= 1 && names >= 1 && !foreign
}

#[cfg(test)]
mod tests;
