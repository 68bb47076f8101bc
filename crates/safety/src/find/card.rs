//! Payment card numbers: a network's prefix, a length of that network, the Luhn checksum.

use super::Hit;
use super::groups::{Digits, Group, Groups, Separator, separator};
use crate::{Entity, text::Text};

/// How cards print their number. The first group alone is tried before these.
const LAYOUTS: [&[usize]; 9] = [
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 3],
    &[4, 4, 4, 2],
    &[6, 13],
];

/// Digits of a card's number.
const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;

pub(crate) fn find(text: &Text<'_>, at: usize, groups: &Groups) -> Option<Hit> {
    let first = groups.as_slice().first()?;
    if (13..=19).contains(&first.len()) {
        // Goods and accounts have 13 digits as well: `GTIN 4013351426555`.
        let short = first.len() == 13
            && !super::labelled::speaks_of_a_card(text, at)
            && (super::checksum::ean13(groups.digits(text, 1).as_slice()) || names_another(text, at));
        // `message_id=4988694261129060498`
        let serial = first.len() == 19 && text.said(at).other();
        let whole = !short
            && !serial
            && super::groups::joined(text, at) != Some(Separator::Dot)
            && text.word_end(first.end)
            && !decimals_follow(text, first.end)
            && is_card(&groups.digits(text, 1));
        return whole.then(|| Hit::closed(Entity::CreditCard, first.end));
    }
    LAYOUTS.iter().find_map(|layout| laid_out(text, at, groups, layout)).or_else(|| spelled(text, at, first))
}

/// Digits set apart one by one, `4 1 1 1 …`: the same separator between all of them.
fn spelled(text: &Text<'_>, at: usize, first: &Group) -> Option<Hit> {
    let joint = first.then.filter(|_| first.len() == 1 && super::groups::joined(text, at).is_none())?;
    let (mut digits, mut end) = (Digits::default(), at);
    loop {
        digits.push(text.get(end)?);
        end += 1;
        let next = separator(text, end).filter(|(found, _)| *found == joint).map(|(_, length)| end + length);
        match next.filter(|&next| text.get(next).is_some_and(|b| b.is_ascii_digit())) {
            Some(next) if digits.len() < MAX_DIGITS && text.word_end(next + 1) => end = next,
            Some(_) => return None,
            None => break,
        }
    }
    (digits.len() >= MIN_DIGITS && text.word_end(end) && is_card(&digits))
        .then(|| Hit::closed(Entity::CreditCard, end))
}

/// The expiry and the code that people write behind a card: `4111 1111 1111 1111 12/27 123`.
pub(crate) fn told_with(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.right_behind_card(at) {
        return None;
    }
    super::labelled::expiry(text, at).map(|end| Hit::closed(Entity::CardExpiry, end).said_by("a card before"))
}

fn laid_out(text: &Text<'_>, at: usize, groups: &Groups, layout: &[usize]) -> Option<Hit> {
    if !groups.begin_with(layout) {
        return None;
    }
    let joint = groups.joint(layout.len())?;
    let last = groups.as_slice().get(layout.len() - 1)?;
    if !text.word_end(last.end)
        || in_an_account(text, at)
        || super::groups::joined(text, at) == Some(joint) && more_before(text, at, joint)
    {
        return None;
    }
    if last.then == Some(joint) && part_of_longer(text, groups, layout.len(), joint) {
        return None;
    }
    is_card(&groups.digits(text, layout.len())).then(|| Hit::closed(Entity::CreditCard, last.end))
}

/// Whether a label right before says that the number is another one.
fn names_another(text: &Text<'_>, at: usize) -> bool {
    let said = text.said(at);
    said.something() && said.distance == 0
}

/// Whether the groups go on with what begins like an IBAN: `DE00 6248 5055 …`
fn in_an_account(text: &Text<'_>, at: usize) -> bool {
    matches!(text.behind(at), [.., a, b, c, d, b' ' | b'-'] if [a, b].iter().all(|b| b.is_ascii_uppercase()) && [c, d].iter().all(|b| b.is_ascii_digit()))
}

/// Whether the group behind makes this a part of a longer number. A card is often followed by a security code
/// or an expiry (`1227`), so only another group of four that is no month and year counts after a space.
fn part_of_longer(text: &Text<'_>, groups: &Groups, used: usize, joint: Separator) -> bool {
    let Some(next) = groups.as_slice().get(used) else { return false };
    match joint {
        Separator::Dash | Separator::Dot => true,
        Separator::Space => {
            let month = text.slice(next.start, next.start + 2);
            next.len() == 4 && !(b"01".as_slice()..=b"12".as_slice()).contains(&month)
        }
    }
}

/// Whether the group in front makes this a part of a longer number: any by a dash, one of four by a space.
fn more_before(text: &Text<'_>, at: usize, joint: Separator) -> bool {
    joint != Separator::Space
        || (2..=5).all(|back| text.before(at, back).is_some_and(|b| b.is_ascii_digit()))
            && !text.before(at, 6).is_some_and(|b| b.is_ascii_digit())
}

/// Whether this is the whole part of a decimal fraction other than `.0`, which is how some programs write
/// large integers.
fn decimals_follow(text: &Text<'_>, end: usize) -> bool {
    text.get(end) == Some(b'.')
        && text.get(end + 1).is_some_and(|b| b.is_ascii_digit())
        && !(text.get(end + 1) == Some(b'0') && text.word_end(end + 2))
}

fn is_card(digits: &Digits) -> bool {
    network_has(digits).unwrap_or(false) && luhn(digits.as_slice())
}

/// Whether a network issues numbers with this prefix and of this length.
fn network_has(digits: &Digits) -> Option<bool> {
    let length = digits.len();
    let (two, three, four, six) =
        (digits.value(0, 2)?, digits.value(0, 3)?, digits.value(0, 4)?, digits.value(0, 6)?);
    Some(match (two, three, four, six) {
        // Visa
        (40..=49, ..) => matches!(length, 13 | 16 | 19),
        // Mastercard, the 2-series included
        (51..=55, ..) | (_, _, 2221..=2720, _) => length == 16,
        // American Express
        (34 | 37, ..) => length == 15,
        // Discover
        (65, ..) | (_, 644..=649, ..) | (_, _, 6011, _) => (16..=19).contains(&length),
        // Diners Club
        (36 | 38 | 39, ..) | (_, 300..=305 | 309, ..) => matches!(length, 14 | 16),
        // JCB
        (_, _, 3528..=3589, _) => (16..=19).contains(&length),
        // UnionPay
        (62, ..) => (16..=19).contains(&length),
        // Mir
        (_, _, 2200..=2204, _) => (16..=19).contains(&length),
        // Maestro
        (_, _, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763, _) => (13..=19).contains(&length),
        // RuPay
        (_, 508, ..) | (.., 606_985..=608_500) => length == 16,
        _ => false,
    })
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0') * (1 + u32::from(i % 2 == 1));
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}
