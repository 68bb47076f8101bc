//! What follows the street: flat, city, state, postcode, country, in the orders in which countries write them.

use super::words::{
    COUNTRIES, Kind, STATE_NAMES, Word, digits, ends, gap, is_one_of, kind, of, skip_stop, space, word,
};
use crate::text::Text;

/// Words of the name of a city.
const MAX_CITY: usize = 4;
/// Lines between the street and the city: a flat, a floor, a district.
const MAX_LINES: usize = 3;

/// Letters of what is written in capitals and is no name.
const MAX_INITIALS: usize = 4;

/// How far an address goes on, and whether something in it says that it is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) end: usize,
    /// There is a flat, a state or a postcode.
    pub(super) sure: bool,
    /// There is a postcode before the city, which cannot be a year.
    pub(super) code: bool,
    /// All that says so is a number of four digits.
    pub(super) short: bool,
}

/// Reads on behind the street that ends at `at`.
pub(super) fn read(text: &Text<'_>, at: usize) -> Tail {
    let mut tail = Tail { end: at, sure: false, code: false, short: false };
    for _ in 0..MAX_LINES {
        let Some(end) =
            gap(text, tail.end).and_then(|start| unit(text, start)).or_else(|| hash(text, tail.end))
        else {
            break;
        };
        tail = Tail { end, sure: true, ..tail };
    }
    if let Some(end) = brazilian(text, tail.end) {
        return Tail { end, sure: true, code: true, short: false };
    }
    // A district may stand before the city.
    for _ in 0..2 {
        let Some(start) = gap(text, tail.end) else { break };
        let comma = text.get(tail.end) != Some(b' ');
        let city = city(text, start);
        let behind = city.and_then(|city| gap(text, city));
        if let Some((end, Digits { year, short })) =
            code_first(text, start).or_else(|| code_first(text, behind?))
        {
            tail = Tail { end, sure: true, code: !year, short: short && !tail.sure };
            break;
        }
        if let Some(end) =
            behind.and_then(|next| state_and_code(text, next)).or_else(|| state_and_code(text, start))
        {
            tail = Tail { end, sure: true, ..tail };
            break;
        }
        let Some(city) = city else { break };
        if let Some(end) = district(text, start, city) {
            tail = Tail { end, ..tail };
            break;
        }
        if !comma || !line_ends(text, city) {
            break;
        }
        tail.end = city;
    }
    if tail.sure
        && let Some(end) = gap(text, tail.end).and_then(|start| country(text, start))
    {
        tail.end = end;
    }
    tail
}

/// Whether a city without anything behind it can end here.
fn line_ends(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_none_or(|b| {
        matches!(b, b',' | b'.' | b'\n' | b'\r' | b'"' | b'\'' | b';' | b'\\' | b'<' | b'|' | b')')
    })
}

/// `Apt 4B`, `Floor 3`, `3rd Floor`, `2º B`.
fn unit(text: &Text<'_>, at: usize) -> Option<usize> {
    if text.get(at)? == b'#' {
        return ident(text, at + 1);
    }
    if text.get(at)?.is_ascii_digit() {
        let number = digits(text, at, 1, 2)?;
        if text.get(number)? == 0xC2 && matches!(text.get(number + 1)?, 0xBA | 0xAA) {
            let door = space(text, number + 2).filter(|&door| {
                text.get(door).is_some_and(|b| b.is_ascii_uppercase()) && ends(text, door + 1)
            });
            return Some(door.map_or(number + 2, |door| door + 1));
        }
        let suffix =
            word(text, number).filter(|&suffix| is_one_of(text, suffix, &["st", "nd", "rd", "th"]))?;
        let floor = word(text, space(text, suffix.end)?)?;
        return is_one_of(text, floor, &["Floor", "Fl"]).then_some(floor.end);
    }
    let label = word(text, at)?;
    if !kind(text, label).is(Kind::UNIT) {
        return None;
    }
    let next = skip_stop(text, label.end);
    let next = space(text, next)?;
    ident(text, if text.get(next)? == b'#' { next + 1 } else { next })
}

/// ` #12`
fn hash(text: &Text<'_>, at: usize) -> Option<usize> {
    let start = space(text, at)?;
    if text.get(start)? == b'#' { ident(text, start + 1) } else { None }
}

/// `4B`, `12-A`, `C`: with a digit, or one letter.
fn ident(text: &Text<'_>, at: usize) -> Option<usize> {
    /// Longest number of a flat.
    const MAX_IDENT: usize = 6;
    let end = text.run(at, MAX_IDENT + 1, |b| b.is_ascii_alphanumeric() || b == b'-');
    let ident = text.slice(at, end);
    let plausible = ident.len() == 1 || ident.iter().any(u8::is_ascii_digit);
    (!ident.is_empty() && ident.len() <= MAX_IDENT && plausible && ends(text, end)).then_some(end)
}

/// The name of a city: words with capitals, small words between them.
pub(super) fn city(text: &Text<'_>, at: usize) -> Option<usize> {
    let (mut start, mut end) = (at, None);
    for _ in 0..MAX_CITY {
        let Some(next) = word(text, start) else { break };
        let small = !next.capital && kind(text, next).is(Kind::SMALL);
        // `HTTP`, `PDF` are no cities.
        let letters = text.slice(next.start, next.end);
        let short = letters.len() <= MAX_INITIALS && letters.iter().all(u8::is_ascii_uppercase);
        if !next.capital && (!small || end.is_none()) || short && end.is_none() {
            break;
        }
        // `LS` is the head of a postcode.
        if !ends(text, next.end) {
            break;
        }
        if next.capital {
            // `IL` is no city, but a state.
            if end.is_some() && is_state(text, next) {
                break;
            }
            end = Some(next.end);
        }
        // `St. Louis`
        let stop = if next.end - next.start <= 3 { skip_stop(text, next.end) } else { next.end };
        let Some(behind) = space(text, stop) else { break };
        start = behind;
    }
    end
}

fn is_state(text: &Text<'_>, word: Word) -> bool {
    let letters = text.slice(word.start, word.end);
    letters.len() <= 3 && letters.iter().all(u8::is_ascii_uppercase) && of(letters).is(Kind::STATE)
}

/// `IL 62704`, `Illinois 62704-1234`, `ON K1A 0B1`, `VIC 3065`, `SW1A 2AA`, `62704`.
/// ` - São Paulo - SP, 01304-001`, a district perhaps before it.
fn brazilian(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut next = at;
    for _ in 0..2 {
        let city = city(text, part(text, next)?)?;
        let state = part(text, city)?;
        let end = text.run(state, 3, |b| b.is_ascii_uppercase());
        if end - state == 2 && text.starts_with(city, b" - ") && ends(text, end) {
            let code = gap(text, end).and_then(|start| digits(text, start, 5, 5));
            let code = code.filter(|&first| text.get(first) == Some(b'-'));
            return Some(code.and_then(|first| digits(text, first + 1, 3, 3)).unwrap_or(end));
        }
        next = city;
    }
    None
}

/// Behind the comma or the dash between the parts of an address.
fn part(text: &Text<'_>, at: usize) -> Option<usize> {
    [&b" - "[..], b", "].iter().find(|joint| text.starts_with(at, joint)).map(|joint| at + joint.len())
}

fn state_and_code(text: &Text<'_>, at: usize) -> Option<usize> {
    if let Some(end) = british(text, at).or_else(|| canadian(text, at)) {
        return Some(end);
    }
    if text.get(at)?.is_ascii_digit() {
        // A code alone: five digits, or the end of something else.
        let end = zip(text, at)?;
        return ends(text, end).then_some(end);
    }
    let state = state(text, at)?;
    let code = gap(text, state).and_then(|next| {
        zip(text, next)
            .or_else(|| canadian(text, next))
            .or_else(|| digits(text, next, 4, 4))
            .filter(|&end| ends(text, end))
    });
    code.or_else(|| ends(text, state).then_some(state))
}

fn state(text: &Text<'_>, at: usize) -> Option<usize> {
    let first = word(text, at)?;
    if is_state(text, first) {
        return Some(first.end);
    }
    let starts = |name: &&&str| text.starts_with(at, name.as_bytes()) && ends(text, at + name.len());
    STATE_NAMES.iter().find(starts).map(|name| at + name.len())
}

fn zip(text: &Text<'_>, at: usize) -> Option<usize> {
    let end = digits(text, at, 5, 5)?;
    let plus = text.get(end) == Some(b'-');
    Some(plus.then(|| digits(text, end + 1, 4, 4)).flatten().unwrap_or(end))
}

/// `SW1A 2AA`: area, district, space, sector and unit.
fn british(text: &Text<'_>, at: usize) -> Option<usize> {
    let letters = text.run(at, 3, |b| b.is_ascii_uppercase());
    if !(1..=2).contains(&(letters - at)) {
        return None;
    }
    let mut end = digits(text, letters, 1, 2)?;
    if text.get(end)?.is_ascii_uppercase() {
        end += 1;
    }
    let inward = space(text, end)?;
    let unit = text.get(inward)?.is_ascii_digit()
        && (1..=2).all(|i| text.get(inward + i).is_some_and(|b| b.is_ascii_uppercase()));
    (unit && ends(text, inward + 3)).then_some(inward + 3)
}

/// `K1A 0B1`
fn canadian(text: &Text<'_>, at: usize) -> Option<usize> {
    let triple = |at: usize, first: fn(&u8) -> bool, middle: fn(&u8) -> bool| {
        let holds = |i: usize, class: fn(&u8) -> bool| text.get(at + i).is_some_and(|b| class(&b));
        (holds(0, first) && holds(1, middle) && holds(2, first)).then_some(at + 3)
    };
    let head = triple(at, u8::is_ascii_uppercase, u8::is_ascii_digit)?;
    let next = space(text, head).unwrap_or(head);
    triple(next, u8::is_ascii_digit, u8::is_ascii_uppercase).filter(|&end| ends(text, end))
}

/// `10115 Berlin`, `1015 AB Amsterdam`, `111 22 Stockholm`, `00-950 Warszawa`, `D-10115 Berlin`, `20121 Milano (MI)`,
/// `49054-278 Moreira / SP`: where it ends, and what its digits are worth.
fn code_first(text: &Text<'_>, at: usize) -> Option<(usize, Digits)> {
    let country = text.run(at, 3, |b| b.is_ascii_uppercase());
    let at = if country > at && text.get(country) == Some(b'-') { country + 1 } else { at };
    let first = digits(text, at, 2, 5)?;
    let dash = text.get(first) == Some(b'-');
    let (mut worth, mut comma) = (Digits::default(), first - at == 5);
    let code = match first - at {
        // Brazil and Portugal have three digits more.
        4 | 5 if dash => digits(text, first + 1, 3, 3)?,
        5 => first,
        4 => {
            let dutch = letters(text, first).or_else(|| letters(text, space(text, first)?));
            worth.short = dutch.is_none();
            worth.year = worth.short && matches!(text.slice(at, first), [b'1', b'9', ..] | [b'2', b'0', ..]);
            comma = dutch.is_some();
            dutch.unwrap_or(first)
        }
        // Sweden, the Czech Republic: `111 22`.
        3 => digits(text, space(text, first)?, 2, 2)?,
        // Poland.
        2 if dash => digits(text, first + 1, 3, 3)?,
        _ => return None,
    };
    comma &= text.get(code) == Some(b',');
    let city = city(text, space(text, code + usize::from(comma))?)?;
    Some((province(text, city).unwrap_or(city), worth))
}

/// What the digits of a code could be instead.
#[derive(Clone, Copy, Debug, Default)]
struct Digits {
    year: bool,
    /// Any number of four digits.
    short: bool,
}

/// The two letters of a Dutch postcode.
fn letters(text: &Text<'_>, at: usize) -> Option<usize> {
    let end = text.run(at, 3, |b| b.is_ascii_uppercase());
    (end - at == 2 && ends(text, end)).then_some(end)
}

/// ` (MI)`, ` / SP`
fn province(text: &Text<'_>, at: usize) -> Option<usize> {
    let brackets = text.starts_with(at, b" (");
    let open = if brackets {
        at + 2
    } else if text.starts_with(at, b" / ") {
        at + 3
    } else {
        return None;
    };
    let end = letters(text, open)?;
    if brackets { (text.get(end) == Some(b')')).then_some(end + 1) } else { Some(end) }
}

/// `Dublin 4`: cities whose districts have numbers.
fn district(text: &Text<'_>, start: usize, city: usize) -> Option<usize> {
    const CITIES: [&[u8]; 9] =
        [b"Dublin", b"Praha", b"Prague", b"Paris", b"Lyon", b"Marseille", b"Budapest", b"Wien", b"Vienna"];
    let known = CITIES.contains(&text.slice(start, city));
    let start = if known { space(text, city)? } else { return None };
    let end = digits(text, start, 1, 2)?;
    (ends(text, end) && text.get(end) != Some(b'.')).then_some(end)
}

fn country(text: &Text<'_>, at: usize) -> Option<usize> {
    let starts = |name: &&&str| text.starts_with(at, name.as_bytes()) && ends(text, at + name.len());
    COUNTRIES.iter().find(starts).map(|name| at + name.len())
}
