//! National numbers without a label: their layout gives them away, or their plan does.

use super::plan::{BRAZIL, INDIA, ITALY, MEXICO, SPAIN, TRUNK_ZERO, assigned, is_north_american};
use super::written::Written;
use crate::find::groups::Separator;
use crate::{Entity, text::Text};

pub(super) fn national(text: &Text<'_>, number: &Written) -> Option<usize> {
    // `UT 84101-1234`: a place in a state.
    if number.lengths(2) == [5, 4] && number.follows_state {
        return None;
    }
    (2..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let holds = match is_national(number, count) {
            Layout::Phone => true,
            Layout::Spaced => !counts_something(text, number.start),
            Layout::Bare => {
                is_told(text, number.start)
                    || stands_alone(text, number.start, end)
                    || text.starts_with(end, b" ext")
            }
            Layout::Other => false,
        };
        holds.then_some(end)
    })
}

/// What the layout of a national number says.
enum Layout {
    /// Only telephone numbers are written so.
    Phone,
    /// So are other numbers, behind a word that says so.
    Spaced,
    /// So are amounts and serial numbers.
    Bare,
    Other,
}

impl Layout {
    fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::Other }
    }
}

/// Whether the word before says that the number counts or names something.
fn counts_something(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 28] = [
        b"EUR",
        b"USD",
        b"GBP",
        b"CHF",
        b"JPY",
        b"CAD",
        b"AUD",
        b"SEK",
        b"NOK",
        b"DKK",
        b"PLN",
        b"INR",
        b"BRL",
        b"MXN",
        b"CNY",
        b"SGD",
        b"partition",
        b"part",
        b"serial",
        b"tag",
        b"asset",
        b"lot",
        b"batch",
        b"item",
        b"sku",
        b"model",
        b"order",
        b"invoice",
    ];
    let behind = text.near(at).trim_ascii_end();
    let start = behind.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |last| last + 1);
    let word = behind.get(start..).unwrap_or_default();
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether some label before says that a telephone number comes: `call me back on`.
fn is_told(text: &Text<'_>, at: usize) -> bool {
    text.said(at).announces(Entity::PhoneNumber).is_some()
}

/// Whether a number is all of a value, a line or an item, with no label of something else.
fn stands_alone(text: &Text<'_>, at: usize, end: usize) -> bool {
    let gap = text.before(at, 1) == Some(b' ');
    let before = text.before(at, 1 + usize::from(gap));
    let opens = matches!(
        before,
        None | Some(b'"' | b'\'' | b'`' | b'\n' | b'\t' | b',' | b';' | b'|' | b'(' | b'[' | b'>' | b'*')
    );
    let after = text.get(end);
    let after = if after == Some(b' ') { text.get(end + 1) } else { after };
    let closes = matches!(
        after,
        None | Some(
            b'"' | b'\''
                | b'`'
                | b'\n'
                | b'\r'
                | b'\t'
                | b','
                | b';'
                | b'|'
                | b')'
                | b']'
                | b'<'
                | b'\\'
                | b'.'
        )
    );
    opens && closes && !text.said(at).something()
}

/// How the first groups are laid out, if some country writes its numbers so, and they are one of that country.
fn is_national(number: &Written, count: usize) -> Layout {
    let digits = number.prefix(count);
    let joint = number.joint(count - 1);
    let uniform = (2..count).all(|group| number.joint(group) == joint);
    let [first, second, ..] = *digits.as_bytes() else { return Layout::Other };
    if !uniform {
        return Layout::Other;
    }
    let spaced = joint == Some(Separator::Space) && !number.parenthesis;
    match (number.lengths(count), first) {
        // Three numbers joined by dots may be anything: in North America the area and the exchange are known ones.
        ([3, 3, 4], _) if joint == Some(Separator::Dot) && !number.parenthesis => {
            Layout::Spaced.when(digits.starts_with("555") || is_north_american(digits))
        }
        // So may numbers joined by strokes.
        ([3, 3, 4], b'2'..=b'9') if joint.is_none() && !number.parenthesis => {
            Layout::Bare.when(is_north_american(digits))
        }
        // By dashes or a parenthesis nothing else looks like it.
        ([3, 3, 4], b'2'..=b'9') if !spaced => Layout::Phone,
        ([3, 3, 4], b'2'..=b'9') => Layout::Spaced.when(
            digits.starts_with("555") || is_north_american(digits) || assigned(digits, &[ITALY, MEXICO]),
        ),
        ([1, 3, 3, 4], b'1') => Layout::Phone.when(second > b'1'),
        // A zero first: most of the world. Not a date, not `0123-45-6789` or `012-34-5678`, not a number padded with zeros.
        ([2, 2, 4, ..] | [4, 2, 4] | [3, 2, 4], b'0') => Layout::Other,
        // Half a pair of coordinates looks like it as well.
        ([5, 5], b'0') if spaced => Layout::Bare.when(assigned(digits, &TRUNK_ZERO)),
        ([2..=5, ..], b'0') => {
            let fits = second != b'0' && (9..=12).contains(&digits.len()) && assigned(digits, &TRUNK_ZERO);
            // By strokes only the area code is parted.
            if joint.is_none() && count > 2 && !number.parenthesis {
                Layout::Bare.when(fits)
            } else {
                Layout::Phone.when(fits)
            }
        }
        // Spain
        ([3, 3, 3] | [3, 2, 2, 2] | [2, 3, 2, 2], b'6'..=b'9') => {
            Layout::Bare.when(assigned(digits, &[SPAIN]))
        }
        // India
        ([5, 5], b'6'..=b'9') => Layout::Bare.when(assigned(digits, &[INDIA])),
        ([2, 4 | 5, 4], b'1'..=b'9') if number.parenthesis => {
            Layout::Phone.when(assigned(digits, &[BRAZIL, MEXICO]))
        }
        // Brazil and Mexico
        ([2, 5, 4], _) => Layout::Bare.when(assigned(digits, &[BRAZIL])),
        ([2, 4, 4], _) => Layout::Bare.when(assigned(digits, &[BRAZIL, MEXICO])),
        // Italy
        ([3, 6 | 7], b'3') => Layout::Bare.when(assigned(digits, &[ITALY])),
        _ => Layout::Other,
    }
}
