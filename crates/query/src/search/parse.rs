//! From terms as they were written to a search: fields looked up, values checked.

use greffier_event::Timestamp;

use crate::SearchError;
use crate::search::fields::{
    self, CONTENT, Choices, Field, HAS, Kind, ON, PART, TEXT, TIME_BOUNDS, TimeBound, WHEN, ZONE,
};
use crate::search::lex::{RawTerm, RawValue, fail, terms};
use crate::search::value::{Bounds, COUNT, DOLLARS, Moment, Pattern, Units, read_number};
use crate::search::when::{self, Zone};
use crate::search::{Search, Term, Test, What};

/// Longest search: far more than anybody types, and short enough to plan at once.
const MAX_BYTES: usize = 4_096;
/// Most terms, and most values of one term: a predicate is built of each.
const MAX_TERMS: usize = 64;
const MAX_VALUES: usize = 256;
/// Shortest text that contents are searched for: a shorter one is in nearly all of them.
const MIN_CONTENT: usize = 2;

/// What times are read against.
struct Clock {
    now: Timestamp,
    zone: Zone,
}

pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Search, SearchError> {
    if text.len() > MAX_BYTES {
        return fail(MAX_BYTES, format!("a search has {MAX_BYTES} bytes at most"));
    }
    let raw = terms(text)?;
    if let Some(term) = raw.get(MAX_TERMS) {
        return fail(term.at, format!("a search has {MAX_TERMS} terms at most"));
    }
    let clock = Clock { now, zone: zone(&raw)? };
    let raw = raw.iter().filter(|term| term.name.as_deref() != Some(ZONE));
    let terms = raw.map(|term| self::term(term, &clock)).collect::<Result<_, _>>()?;
    Ok(Search { terms, zone: clock.zone })
}

/// The zone of the whole search, wherever it is named.
fn zone(terms: &[RawTerm]) -> Result<Zone, SearchError> {
    let mut named = terms.iter().filter(|term| term.name.as_deref() == Some(ZONE));
    let Some(term) = named.next() else { return Ok(Zone::default()) };
    if let Some(second) = named.next() {
        return fail(second.at, "a search has one time zone");
    }
    match term.values.as_slice() {
        [value] if !term.negated => match Zone::parse(&value.text) {
            Some(zone) => Ok(zone),
            None => fail(
                value.at,
                format!(
                    "there is no time zone `{}`: it is UTC, +01:00, or as in Europe/Brussels",
                    value.text
                ),
            ),
        },
        _ => fail(term.at, "a search has one time zone, as in tz:Europe/Brussels"),
    }
}

fn term(raw: &RawTerm, clock: &Clock) -> Result<Term, SearchError> {
    if let Some(value) = raw.values.get(MAX_VALUES) {
        return fail(value.at, format!("a term has {MAX_VALUES} values at most"));
    }
    let what = match raw.name.as_deref() {
        None => What::Word(word(raw)?),
        Some(TEXT) => What::Text(raw.values.iter().map(free_text).collect::<Result<_, _>>()?),
        Some(HAS) => What::Has(raw.values.iter().map(present).collect::<Result<_, _>>()?),
        Some(CONTENT) => What::Content(raw.values.iter().map(content).collect::<Result<_, _>>()?),
        Some(name) => match TIME_BOUNDS.iter().find(|(known, _)| *known == name) {
            Some((_, of)) => bound(raw, clock, *of)?,
            None => {
                let field = field(name, raw.at + usize::from(raw.negated))?;
                let tests = raw.values.iter().map(|value| test(field, value, clock));
                What::Field(field, tests.collect::<Result<_, _>>()?)
            }
        },
    };
    Ok(Term { negated: raw.negated, what })
}

fn word(raw: &RawTerm) -> Result<Pattern, SearchError> {
    let Some(value) = raw.values.first() else { return fail(raw.at, "a text must stand here") };
    if !value.quoted {
        another_language(&value.text, value.at)?;
    }
    free_text(value)
}

fn free_text(value: &RawValue) -> Result<Pattern, SearchError> {
    let pattern = pattern(value);
    // An empty text would be found in every event.
    if pattern.pieces.iter().all(String::is_empty) {
        return fail(value.at, "a text to look for must stand here");
    }
    Ok(pattern)
}

/// What other languages have for operators would be looked for as a text here, and what is not found looks like an
/// answer.
fn another_language(text: &str, at: usize) -> Result<(), SearchError> {
    if let Some(meant) = meant_for(text) {
        return fail(at, format!("{meant}. In quotes it is looked for as text"));
    }
    Ok(())
}

/// How something is said here that a text without quotes says in other languages.
pub(crate) fn meant_for(text: &str) -> Option<String> {
    match text {
        "AND" | "&&" => return Some("all terms must hold, without a word between them".to_owned()),
        "OR" | "||" => {
            return Some("alternatives are values of one field, as in `user:alice,bob`".to_owned());
        }
        "NOT" | "!" => return Some("`-` before a term negates it, as in `-decision:deny`".to_owned()),
        _ => {}
    }
    if text.starts_with(['(', ')']) {
        return Some(
            "there are no parentheses: values of one field are alternatives, all else must hold".to_owned(),
        );
    }
    let (name, _) = text.split_once(['=', '<', '>', '!'])?;
    fields::find(name)
        .map(|field| format!("a field and its value have `:` between them, as in `{}:…`", field.name))
}

fn field(name: &str, at: usize) -> Result<&'static Field, SearchError> {
    if let Some(meant) = name.starts_with(['(', ')']).then(|| meant_for(name)).flatten() {
        return fail(at, meant);
    }
    named(name, at, fields::suggest(name))
}

/// The field of that name, or what was probably meant.
fn named(name: &str, at: usize, near: Option<&str>) -> Result<&'static Field, SearchError> {
    let Some(field) = fields::find(name) else {
        let hint = did_you_mean(near);
        return fail(
            at,
            format!("there is no field `{name}`{hint} In quotes the term is looked for as text"),
        );
    };
    Ok(field)
}

fn present(value: &RawValue) -> Result<&'static Field, SearchError> {
    // Who has contents has parts.
    let near = if value.text == CONTENT { Some(PART) } else { fields::suggest(&value.text) };
    named(&value.text, value.at, near.filter(|near| fields::find(near).is_some()))
}

/// What contents are searched for, in lower case.
fn content(value: &RawValue) -> Result<Pattern, SearchError> {
    let pattern = pattern(value).lowercase();
    if pattern.pieces.iter().map(|piece| piece.chars().count()).sum::<usize>() < MIN_CONTENT {
        return fail(value.at, format!("contents are searched for {MIN_CONTENT} characters at least"));
    }
    Ok(pattern)
}

/// `since:`, `until:`, `on:`, `before:` and `after:`.
fn bound(raw: &RawTerm, clock: &Clock, of: TimeBound) -> Result<What, SearchError> {
    let field = field(WHEN, raw.at)?;
    let is_on = raw.name.as_deref() == Some(ON);
    let bounds = raw.values.iter().map(|value| {
        let moment = moment(&value.text, value.at + usize::from(value.quoted), clock)?;
        if is_on && moment.is_instant() {
            return fail(
                value.at,
                "`on` is a day or longer, as in on:yesterday, on:2026-03-01 or on:2026-03",
            );
        }
        Ok(Test::Time(settle(of(moment), clock)))
    });
    Ok(What::Field(field, bounds.collect::<Result<_, SearchError>>()?))
}

/// A date stays one where it means a day of UTC, and becomes instants everywhere else.
fn settle(bounds: Bounds<Moment>, clock: &Clock) -> Bounds<Moment> {
    let is_plain = |moment: Moment| moment.is_instant() || (clock.zone.is_utc() && moment.is_utc_day());
    if bounds.all(is_plain) { bounds } else { bounds.settled() }
}

fn pattern(value: &RawValue) -> Pattern {
    if value.quoted { Pattern::exact(&value.text) } else { Pattern::with_wildcards(&value.text) }
}

fn test(field: &Field, value: &RawValue, clock: &Clock) -> Result<Test, SearchError> {
    match field.kind {
        Kind::Id(_) => Ok(Test::Text(pattern(value).lowercase())),
        Kind::Text(_) | Kind::Texts(_) => Ok(Test::Text(pattern(value))),
        Kind::Choice(_, choices) | Kind::Member(_, choices) => choice(field.name, choices, value),
        Kind::Verified => match value.text.as_str() {
            "true" => Ok(Test::Flag(true)),
            "false" => Ok(Test::Flag(false)),
            _ => fail(value.at, "`verified` is true or false"),
        },
        Kind::Pii => match value.text.as_str() {
            "true" => Ok(Test::Flag(true)),
            "false" => Ok(Test::Flag(false)),
            _ => Ok(Test::Text(pattern(value))),
        },
        Kind::Number(_, units) => {
            bounds(value, |text, at| number(field.name, text, at, units), i64::gt).map(Test::Number)
        }
        Kind::Tokens => {
            bounds(value, |text, at| number(field.name, text, at, COUNT), i64::gt).map(Test::Number)
        }
        Kind::Time(_) => {
            let bounds = bounds(value, |text, at| moment(text, at, clock), |a, b| a.first() > b.last())?;
            Ok(Test::Time(settle(bounds, clock)))
        }
    }
}

fn choice(name: &str, choices: Choices, value: &RawValue) -> Result<Test, SearchError> {
    let pattern = pattern(value);
    let all = choices.all();
    if all.iter().any(|choice| pattern.fits(choice)) {
        return Ok(Test::Text(pattern));
    }
    let text = value.text.to_lowercase();
    let near = all.iter().map(|choice| (strsim::jaro_winkler(choice, &text), choice));
    let near = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = did_you_mean(near.map(|(_, choice)| *choice));
    fail(value.at, format!("`{}` is no {name}{hint} It is one of {}", value.text, all.join(", ")))
}

fn did_you_mean(known: Option<&str>) -> String {
    known.map_or_else(|| ".".to_owned(), |known| format!(", did you mean `{known}`?"))
}

fn number(name: &str, text: &str, at: usize, units: Units) -> Result<i64, SearchError> {
    let written = if units == DOLLARS { text.strip_prefix('$').unwrap_or(text) } else { text };
    let hint = match units {
        DOLLARS => "dollars with six decimals at most, as in 0.05",
        COUNT => "a whole number",
        _ => "a number with a unit (us, ms, s, m, h), as in 1.5s",
    };
    // Nothing is nothing in every unit.
    let read = if written == "0" { Some(0) } else { read_number(written, units) };
    read.map_or_else(|| fail(at, format!("`{name}` is {hint}")), Ok)
}

/// A point or a stretch of time.
fn moment(text: &str, at: usize, clock: &Clock) -> Result<Moment, SearchError> {
    let Some(moment) = when::read(text, clock.now, &clock.zone) else {
        let hint = when::suggest(text).map_or_else(String::new, |word| format!("did you mean `{word}`? "));
        return fail(
            at,
            format!(
                "{hint}a time is 2026-03-01, 2026-03, 2026-03-01T14:30:00Z, so long ago (30m, 12h, 7d, 2w, 1y), or a word \
                 such as today, yesterday, last-tuesday, this-week, last-month"
            ),
        );
    };
    Ok(moment)
}

/// What a sign makes of a value.
type Comparison<T> = fn(T) -> Bounds<T>;

/// `v`, `>v`, `>=v`, `<v`, `<=v`, `a..b`, `a..` and `..b`, with `*` for an open end.
fn bounds<T>(
    value: &RawValue,
    read: impl Fn(&str, usize) -> Result<T, SearchError>,
    is_behind: impl Fn(&T, &T) -> bool,
) -> Result<Bounds<T>, SearchError> {
    let (text, at) = (value.text.as_str(), value.at + usize::from(value.quoted));
    let comparisons: [(&str, Comparison<T>); 4] =
        [(">=", Bounds::AtLeast), ("<=", Bounds::AtMost), (">", Bounds::Greater), ("<", Bounds::Less)];
    for (sign, bound) in comparisons {
        if let Some(rest) = text.strip_prefix(sign) {
            return read(rest, at + sign.len()).map(bound);
        }
    }
    let Some((from, to)) = text.split_once("..") else { return read(text, at).map(Bounds::Equal) };
    let behind = at + from.len() + 2;
    let open = |end: &str| end.is_empty() || end == "*";
    match (open(from), open(to)) {
        (true, true) => fail(at, "a range has an end: 10..20, 10.. or ..20"),
        (false, true) => read(from, at).map(Bounds::AtLeast),
        (true, false) => read(to, behind).map(Bounds::AtMost),
        (false, false) => {
            let (from, to) = (read(from, at)?, read(to, behind)?);
            if is_behind(&from, &to) {
                return fail(at, "the range ends before it begins");
            }
            Ok(Bounds::Between(from, to))
        }
    }
}
