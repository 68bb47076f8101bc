//! The street with its number: before it (`12 Main Street`, `12 rue de la Paix`) or behind (`Lindenstraße 12`).

use super::words::{
    ENDINGS, GERMANIC, Kind, WEAK_ENDINGS, Word, digits, ends, is_one_of, kind, of, skip_stop, space, word,
};
use crate::find::person::is_everyday;
use crate::text::Text;

/// Words of the name of a street.
const MAX_NAME: usize = 5;

/// A street with its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Street {
    pub(super) end: usize,
    pub(super) form: Form,
}

/// How much the street says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `12 Main Street`
    Sure,
    /// `12 Harbour Way`, which could be the start of a title.
    Doubtful,
    /// `Am Rosengarten 3`, which needs a city with a state or a code.
    Bare,
    /// `1200 Broadway`, which needs a state or a longer code.
    Unnamed,
    /// `Kremnická 7`, which needs a code and a city.
    Unknown,
}

/// A house number and the name of a street.
pub(super) fn number_first(text: &Text<'_>, at: usize) -> Option<Street> {
    let number = house(text, at, 5)?;
    let comma = text.get(number) == Some(b',');
    let start = space(text, number + usize::from(comma))?;
    // What starts small is `rue`, or nothing.
    let small = comma || text.get(start).is_some_and(|b| b.is_ascii_lowercase());
    let street = french(text, start).or_else(|| if small { None } else { english(text, start) });
    street.filter(|_| !counted(text, at))
}

/// The end of `12`, `12a`, `12-14`, `12/3`, `12 bis`.
fn house(text: &Text<'_>, at: usize, most: usize) -> Option<usize> {
    let mut end = digits(text, at, 1, most)?;
    if text.get(end).is_some_and(|b| b.is_ascii_alphabetic()) && ends(text, end + 1) {
        end += 1;
    } else if matches!(text.get(end), Some(b'-' | b'/'))
        && let Some(second) = digits(text, end + 1, 1, 4)
    {
        end = second;
    } else if matches!(text.get(end), Some(b'-'))
        && text.get(end + 1).is_some_and(|b| b.is_ascii_uppercase())
        && ends(text, end + 2)
    {
        end += 2;
    }
    let repeated = space(text, end)
        .filter(|&next| matches!(text.get(next), Some(b'b' | b'B' | b't' | b'T')))
        .and_then(|next| word(text, next))
        .filter(|&w| is_one_of(text, w, &["bis", "ter"]));
    Some(repeated.map_or(end, |w| w.end)).filter(|&end| ends(text, end))
}

/// Whether the word before says that the number counts something (`Step 12`).
fn counted(text: &Text<'_>, at: usize) -> bool {
    let near = text.near(at).trim_ascii_end();
    let start = near.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |last| last + 1);
    let before = near.get(start..).unwrap_or_default();
    of(before).is(Kind::COUNTED)
}

fn english(text: &Text<'_>, at: usize) -> Option<Street> {
    let mut best = None;
    let (mut start, mut capitals) = (at, 0);
    for i in 0..=MAX_NAME {
        let Some(next) = ordinal(text, start).or_else(|| word(text, start)) else { break };
        let small = !next.capital && kind(text, next).is(Kind::SMALL) && i > 0;
        if !next.capital && !small {
            break;
        }
        let stop = skip_stop(text, next.end);
        let known = [(Kind::STREET, Form::Sure), (Kind::PLACE, Form::Doubtful)];
        if i > 0
            && let Some((_, form)) = known.into_iter().find(|(list, _)| kind(text, next).is(*list))
        {
            // A full stop belongs to `St.`, but not to `Street.`
            let end = if next.end - next.start <= 4 && space(text, stop).is_some()
                || text.get(stop) == Some(b',')
            {
                stop
            } else {
                next.end
            };
            best = Some(Street { end, form });
        } else if best.is_some() {
            break;
        }
        capitals += usize::from(next.capital);
        let Some(behind) = space(text, stop) else { break };
        start = behind;
    }
    if let Some(street) = best {
        return Some(Street { end: direction(text, street.end), ..street });
    }
    // `1200 Broadway`, `5 Avenue of the Americas`.
    let end = bare(text, at)?;
    // `33U XP 06406`: the squares of a grid.
    if end - at <= 2 {
        return None;
    }
    (capitals > 0).then_some(Street { end, form: Form::Unnamed })
}

/// Up to three words with capitals.
fn bare(text: &Text<'_>, at: usize) -> Option<usize> {
    let (mut start, mut end) = (at, None);
    for _ in 0..3 {
        let Some(next) = word(text, start).filter(|&w| w.capital && !kind(text, w).is(Kind::UNIT)) else {
            break;
        };
        end = Some(next.end);
        let Some(behind) = space(text, next.end) else { break };
        start = behind;
    }
    end
}

/// `42nd`
fn ordinal(text: &Text<'_>, at: usize) -> Option<Word> {
    let number = digits(text, at, 1, 3)?;
    let suffix = word(text, number)?;
    is_one_of(text, suffix, &["st", "nd", "rd", "th"]).then_some(Word {
        start: at,
        end: suffix.end,
        capital: true,
    })
}

/// Behind a direction that follows the street.
fn direction(text: &Text<'_>, at: usize) -> usize {
    let found = space(text, at)
        .and_then(|next| word(text, next))
        .filter(|&w| w.capital && kind(text, w).is(Kind::DIRECTION));
    found.map_or(at, |w| w.end)
}

/// `rue de la République` behind its number.
fn french(text: &Text<'_>, at: usize) -> Option<Street> {
    let rue = word(text, at).filter(|&w| kind(text, w).is(Kind::RUE))?;
    let form = if rue.capital && !is_one_of(text, rue, &["rue"]) { Form::Bare } else { Form::Sure };
    let end = name(text, space(text, skip_stop(text, rue.end))?)?;
    Some(Street { end, form })
}

/// The name behind a kind of street: at least one word with a capital, small words between.
fn name(text: &Text<'_>, at: usize) -> Option<usize> {
    let (mut start, mut end) = (at, None);
    for _ in 0..=MAX_NAME {
        // `l'Église`, `d'Alsace` are one word here.
        let Some(next) = word(text, start) else { break };
        let elided = text.slice(next.start, next.end).contains(&b'\'');
        if !next.capital && !elided && !kind(text, next).is(Kind::SMALL) {
            break;
        }
        if next.capital || elided {
            end = Some(next.end);
        }
        let Some(behind) = space(text, skip_stop(text, next.end)) else { break };
        start = behind;
    }
    end
}

/// A street whose number stands behind it, by its first word.
pub(super) fn number_last(text: &Text<'_>, first: Word, known: Kind) -> Option<Street> {
    let german = || if first.capital { german(text, first, known) } else { None };
    let (end, form) = german().or_else(|| romance(text, first, known))?;
    let number = space(text, end)
        .or_else(|| if text.get(end)? == b',' { space(text, end + 1) } else { None })
        .and_then(|number| house(text, number, 4));
    match number {
        Some(end) => Some(Street { end, form }),
        // `rue des Lilas, 75020 Paris`
        None => known.is(Kind::RUE).then_some(Street { end, form: Form::Unknown }),
    }
}

/// A street by its last word (`Lindenstraße 12`, `Berliner Straße 12`), or else whatever stands before a number
/// with a postcode behind it. All of this is for words that no list knows as everyday ones.
fn german(text: &Text<'_>, first: Word, known: Kind) -> Option<(usize, Form)> {
    /// Words before the number.
    const MOST: usize = 3;
    let capitals = |w: Word| text.slice(w.start, w.end).iter().all(u8::is_ascii_uppercase);
    // A sentence is not held up for its first word.
    let preposition = known.is(Kind::PREPOSITION);
    if !preposition && small_follows(text, first.end) {
        return None;
    }
    if !preposition && (is_everyday(text.slice(first.start, first.end)) || capitals(first)) {
        return None;
    }
    let mut next = first;
    for i in 0..MOST {
        let stop = skip_stop(text, next.end);
        let comma = text.get(stop) == Some(b',');
        let behind = space(text, stop + usize::from(comma))?;
        if preposition {
            return name(text, behind).map(|end| (end, Form::Bare));
        }
        if text.get(behind)?.is_ascii_digit() {
            return Some((stop, form(text, next, i > 0)))
                .filter(|(_, form)| !comma || *form == Form::Unknown);
        }
        if comma || i > 0 && is_everyday(text.slice(next.start, next.end)) {
            return None;
        }
        next = word(text, behind)?;
        if !next.capital && !GERMANIC.iter().any(|known| known.as_bytes() == text.slice(next.start, next.end))
        {
            return None;
        }
    }
    None
}

/// Whether what is there already shows that a word in small letters follows, of which no kind of street is one.
fn small_follows(text: &Text<'_>, at: usize) -> bool {
    let next = text.slice(at, at + 2);
    matches!(next, [b' ', b'a'..=b'z']) && !matches!(next, [_, b'g' | b'v'])
}

/// What the last word before a number says of it.
fn form(text: &Text<'_>, last: Word, further: bool) -> Form {
    /// Letters before the ending.
    const LEAST: usize = 3;
    let bytes = text.slice(last.start, last.end);
    let ends_in = |list: &[&str]| {
        list.iter().any(|ending| {
            bytes.len() >= ending.len() + LEAST
                && bytes
                    .get(bytes.len() - ending.len()..)
                    .is_some_and(|tail| tail.eq_ignore_ascii_case(ending.as_bytes()))
        })
    };
    let whole = further && GERMANIC.iter().any(|known| known.as_bytes() == bytes);
    if ends_in(&ENDINGS) || whole && bytes.len() > 5 {
        Form::Sure
    } else if ends_in(&WEAK_ENDINGS) || whole {
        Form::Bare
    } else {
        Form::Unknown
    }
}

fn romance(text: &Text<'_>, first: Word, known: Kind) -> Option<(usize, Form)> {
    let start = match text.get(first.end)? {
        // `C/ Alcalá`
        b'/' if text.slice(first.start, first.end) == b"C" => {
            space(text, first.end + 1).unwrap_or(first.end + 1)
        }
        _ if known.is(Kind::CALLE.with(Kind::VIA).with(Kind::RUE)) => {
            space(text, skip_stop(text, first.end))?
        }
        _ => return None,
    };
    let form = match () {
        () if !first.capital => Form::Bare,
        () if known.is(Kind::VIA) => Form::Doubtful,
        () => Form::Sure,
    };
    name(text, start).map(|end| (end, form))
}

/// Whether what follows a street without a city can follow an address.
pub(super) fn ends_well(text: &Text<'_>, at: usize, form: Form) -> bool {
    let next = match text.get(at) {
        None => return true,
        Some(b' ') => word(text, at + 1),
        Some(b) => {
            return !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'/' | b'(' | b'=' | b'-' | b'&');
        }
    };
    match next {
        None => form == Form::Sure,
        Some(next) => form == Form::Sure && !next.capital && kind(text, next).is(Kind::FOLLOWER),
    }
}
