//! What a search asks of contents: what its columns leave open, decided by what was opened.
//!
//! A word of its own is looked for in the texts of the event first. Only where those do not hold it the contents are
//! opened, and only of events that have any.

use datafusion::logical_expr::Expr;

use crate::search::lower::{anywhere, has_parts, is_searched};
use crate::search::value::Pattern;
use crate::search::{Search, Term, What};

/// What may be done about contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// They are opened where that decides.
    Opened,
    /// They stay closed: words are looked for in the texts of the event alone.
    Closed,
}

/// What the columns say of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// It has contents.
    pub(crate) has_parts: bool,
    /// Words are looked for in them.
    pub(crate) is_searched: bool,
    /// The words that its texts hold, a bit for each: a search has 64 terms at most.
    pub(crate) words: u64,
}

impl Search {
    /// Whether it cannot be answered without opening contents.
    pub fn needs_contents(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.what, What::Content(_)))
    }

    /// Whether it has words, which are looked for in contents as well.
    pub fn has_words(&self) -> bool {
        self.words().next().is_some()
    }

    /// Its words, in order.
    fn words(&self) -> impl Iterator<Item = (&Term, &Pattern)> {
        self.terms.iter().filter_map(|term| match &term.what {
            What::Word(pattern) => Some((term, pattern)),
            _ => None,
        })
    }

    /// What is to be known of each event that may match, beside its columns: in the order of [`Search::held`].
    pub(crate) fn marks(&self) -> Vec<Expr> {
        let words = self.words().map(|(_, pattern)| anywhere(pattern));
        [has_parts(), is_searched()].into_iter().chain(words).collect()
    }

    /// What an event's [`Search::marks`] say.
    pub(crate) fn held(marks: impl IntoIterator<Item = bool>) -> Held {
        let mut marks = marks.into_iter();
        let (has_parts, is_searched) = (marks.next().unwrap_or_default(), marks.next().unwrap_or_default());
        let words = marks.zip(0..u64::BITS).fold(0, |words, (holds, bit)| words | u64::from(holds) << bit);
        Held { has_parts, is_searched, words }
    }

    /// Whether only its contents can say if the event matches.
    pub(crate) fn opens(&self, held: Held) -> bool {
        let mut words = self.words().zip(0..u64::BITS);
        let is_open = words.any(|((term, _), bit)| term.negated || held.words >> bit & 1 == 0);
        (held.is_searched && is_open) || (held.has_parts && self.needs_contents())
    }

    /// Whether an event matches whose columns fit, by its contents in lower case: none, where they were not opened.
    pub(crate) fn fits(&self, held: Held, contents: &[String]) -> bool {
        let occurs = |pattern: &Pattern| contents.iter().any(|text| pattern.occurs_in(text));
        let in_contents = |pattern: &Pattern| held.is_searched && occurs(&pattern.lowercase());
        let mut words = self.words().zip(0..u64::BITS);
        // That its texts do not hold a negated word is said by the columns.
        words.all(|((term, pattern), bit)| match term.negated {
            true => !in_contents(pattern),
            false => held.words >> bit & 1 == 1 || in_contents(pattern),
        }) && self.contents_fit(occurs)
    }

    /// Terms without `-` are alternatives, as of any field.
    fn contents_fit(&self, occurs: impl Fn(&Pattern) -> bool) -> bool {
        let (mut wanted, mut found) = (false, false);
        for term in &self.terms {
            match &term.what {
                What::Content(patterns) if term.negated => {
                    if patterns.iter().any(&occurs) {
                        return false;
                    }
                }
                What::Content(patterns) => {
                    wanted = true;
                    found = found || patterns.iter().any(&occurs);
                }
                What::Word(_) | What::Text(_) | What::Has(_) | What::Field(..) => {}
            }
        }
        found || !wanted
    }
}
