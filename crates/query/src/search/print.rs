//! A search as text that parses to the same search.

use std::fmt::{self, Display, Formatter};

use greffier_event::Timestamp;

use crate::search::fields::{CONTENT, HAS, Kind, TEXT, ZONE};
use crate::search::parse::meant_for;
use crate::search::value::{Bounds, COUNT, Moment, Pattern, write_number};
use crate::search::{Search, Term, Test, What};

impl Display for Search {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.zone.is_utc() {
            write!(f, "{ZONE}:{}", self.zone)?;
            f.write_str(if self.terms.is_empty() { "" } else { " " })?;
        }
        separated(f, " ", &self.terms, Display::fmt)
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        match &self.what {
            What::Word(pattern) => write_pattern(f, pattern, true),
            What::Text(patterns) => write_patterns(f, TEXT, patterns),
            What::Content(patterns) => write_patterns(f, CONTENT, patterns),
            What::Has(fields) => {
                write!(f, "{HAS}:")?;
                separated(f, ",", fields, |field, f| f.write_str(field.name))
            }
            What::Field(field, tests) => {
                write!(f, "{}:", field.name)?;
                let units = if let Kind::Number(_, units) = field.kind { units } else { COUNT };
                separated(f, ",", tests, |test, f| match test {
                    // `pii:"true"` does not exist: the words are flags, quoted or not.
                    Test::Text(pattern) => write_pattern(f, pattern, false),
                    Test::Flag(flag) => flag.fmt(f),
                    Test::Number(bounds) => write_bounds(f, bounds, |number| write_number(*number, units)),
                    Test::Time(bounds) => write_bounds(f, bounds, write_moment),
                })
            }
        }
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    separator: &str,
    items: &[T],
    write: impl Fn(&T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            f.write_str(separator)?;
        }
        write(item, f)?;
    }
    Ok(())
}

fn write_patterns(f: &mut Formatter<'_>, name: &str, patterns: &[Pattern]) -> fmt::Result {
    write!(f, "{name}:")?;
    separated(f, ",", patterns, |pattern, f| write_pattern(f, pattern, false))
}

/// Wildcards were not quoted, so nothing beside them needs quotes.
fn write_pattern(f: &mut Formatter<'_>, pattern: &Pattern, is_free: bool) -> fmt::Result {
    let Some(text) = pattern.as_exact() else { return f.write_str(&pattern.pieces.join("*")) };
    let special =
        |c: char| c.is_whitespace() || matches!(c, '"' | '*') || c == if is_free { ':' } else { ',' };
    let misread = text.starts_with('\'') || (is_free && (text.starts_with('-') || meant_for(text).is_some()));
    if text.is_empty() || text.contains(special) || misread {
        write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        f.write_str(text)
    }
}

fn write_moment(moment: &Moment) -> String {
    let time = Timestamp::from_micros(moment.first()).to_string();
    if moment.is_utc_day() { time.chars().take("2026-03-01".len()).collect() } else { time }
}

fn write_bounds<T>(f: &mut Formatter<'_>, bounds: &Bounds<T>, text: impl Fn(&T) -> String) -> fmt::Result {
    match bounds {
        Bounds::Equal(value) => f.write_str(&text(value)),
        Bounds::Greater(value) => write!(f, ">{}", text(value)),
        Bounds::AtLeast(value) => write!(f, ">={}", text(value)),
        Bounds::Less(value) => write!(f, "<{}", text(value)),
        Bounds::AtMost(value) => write!(f, "<={}", text(value)),
        Bounds::Between(from, to) => write!(f, "{}..{}", text(from), text(to)),
    }
}
