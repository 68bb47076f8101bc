//! The search language: what people type above a list of events.
//!
//! ```text
//! user:alice tool:crm:* decision:deny,redact -has:error cost:>0.05 since:7d "card number"
//! ```
//!
//! Terms stand beside each other and all must hold. A field's values are alternatives, whether they stand in one
//! term (`tool:a,b`) or in several (`tool:a tool:b`); only one-sided bounds narrow instead (`cost:>1 cost:<5` is
//! between). `-` negates a term, and what has no such field is then *included*: `-tool:x` shows events without a
//! tool. `*` stands for any text, except in quotes. `on:`, `since:`, `until:`, `before:` and `after:` bound the time
//! (`when.rs`), in the zone that `tz:` names. A search never becomes SQL text: `lower.rs` makes a predicate of it.
//!
//! `text:` looks at the texts of the event itself, `content:` into decrypted contents, which no column has. A word of its
//! own is looked for in both, where contents can be opened (`sieve.rs`), and in the first where they cannot.

pub(crate) mod fields;
mod lex;
mod lower;
#[cfg(test)]
pub(crate) mod oracle;
mod parse;
mod print;
mod sieve;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;
pub(crate) mod when;

use greffier_event::Timestamp;
use greffier_event::limits::REFERENCE_PREFIX;
pub(crate) use lower::{BETWEEN, column, instant};
pub(crate) use sieve::{Contents, Held};

use crate::SearchError;
use crate::search::fields::Field;
use crate::search::value::{Bounds, Moment, Pattern};
use crate::search::when::Zone;

/// A parsed search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    terms: Vec<Term>,
    /// Whose days its dates are.
    zone: Zone,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// Somewhere in the text columns or in the contents, in any case.
    Word(Pattern),
    /// One of these is somewhere in the text columns, in any case.
    Text(Vec<Pattern>),
    /// One of these is somewhere in the contents, in any case.
    Content(Vec<Pattern>),
    /// The event has one of these fields.
    Has(Vec<&'static Field>),
    /// The field passes one of these tests.
    Field(&'static Field, Vec<Test>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Text(Pattern),
    Flag(bool),
    Number(Bounds<i64>),
    Time(Bounds<Moment>),
}

impl Search {
    /// Reads a search; `now` is what `since:7d` counts from. The empty text matches everything.
    pub fn parse(text: &str, now: Timestamp) -> Result<Search, SearchError> {
        parse::parse(text, now)
    }

    /// Finds the events of one session.
    pub(crate) fn of_session(id: &str) -> Search {
        Search::of("session", id)
    }

    /// Finds the events of one call.
    pub(crate) fn of_call(request_id: &str) -> Search {
        Search::of("request", request_id)
    }

    fn of(field: &str, id: &str) -> Search {
        let test = Test::Text(Pattern::exact(id));
        let what = fields::find(field).map(|field| What::Field(field, vec![test]));
        let terms = what.into_iter().map(|what| Term { negated: false, what }).collect();
        Search { terms, zone: Zone::default() }
    }

    /// Whether every event fits.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The same search, finding people and subjects also under the keyed references that a trail may have instead of their
    /// names: `reference` tells that of a value, by its kind (`user`, `subject`), if it may have one. A value with a wildcard
    /// has none.
    #[must_use]
    pub fn referring(mut self, reference: impl Fn(&str, &str) -> Option<String>) -> Search {
        for term in &mut self.terms {
            let What::Field(field, tests) = &mut term.what else { continue };
            let Some(kind) = field.referred() else { continue };
            let known = tests.iter().filter_map(Test::name).filter_map(|name| reference(kind, name));
            let known: Vec<Test> = known.map(|known| Test::Text(Pattern::exact(known))).collect();
            tests.extend(known);
        }
        self
    }

    /// A subject that it names by value: trails have subjects by reference only, so that without keys nothing is found.
    pub fn named_subject(&self) -> Option<&str> {
        self.terms.iter().find_map(|term| match &term.what {
            What::Field(field, tests) if field.referred() == Some("subject") => {
                tests.iter().find_map(Test::name)
            }
            _ => None,
        })
    }

    /// The zone that it names.
    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }
}

impl Test {
    /// The name that it looks for, unless that is a reference, or has a wildcard.
    fn name(&self) -> Option<&str> {
        match self {
            Test::Text(pattern) => pattern.as_exact().filter(|name| !name.starts_with(REFERENCE_PREFIX)),
            Test::Flag(_) | Test::Number(_) | Test::Time(_) => None,
        }
    }

    /// Whether several of them narrow each other instead of being alternatives.
    fn narrows(&self) -> bool {
        match self {
            Test::Number(bounds) => bounds.is_one_sided(),
            Test::Time(bounds) => bounds.is_one_sided(),
            Test::Text(_) | Test::Flag(_) => false,
        }
    }
}
