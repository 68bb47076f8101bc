//! The scan: one pass over the text, a finder's turn wherever something can start.
//!
//! The same machine scans a whole text and a text that arrives in pieces, so both give the same hits by
//! construction: see [`crate::text`] for how it waits. Everything a finder asks about is bounded by constants,
//! and places are never visited twice but for those bounds, so time grows with the length of the text only.

mod machine;
mod whole;

use std::sync::Arc;

pub(crate) use self::machine::{Machine, Step};
pub(crate) use self::whole::first_within;
use self::whole::{Unfolded, spans};
use crate::custom::{BadDefinition, Customs, Definition};
use crate::find::{address, person, phone};
use crate::hints::Hints;
use crate::labels;
use crate::others::Others;
use crate::text::Text;
use crate::{Entity, Span, watched};

/// Finds sensitive values in text. Make one and share it.
#[derive(Clone, Debug)]
pub struct Scanner {
    pub(crate) customs: Option<Arc<Customs>>,
    pub(crate) others: Option<Arc<Others>>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Loads what finders need.
    #[must_use]
    pub fn new() -> Self {
        phone::warm_up();
        person::warm_up();
        address::warm_up();
        labels::warm_up();
        watched::all();
        Self { customs: None, others: None }
    }

    /// A scanner that knows the kinds which an installation defines as well. Where one of them starts, it goes before
    /// ours.
    ///
    /// # Errors
    /// Says which definition cannot come into force, counted from 0, and why; all of them are told.
    pub fn knowing(definitions: &[Definition]) -> Result<Self, Vec<(usize, BadDefinition)>> {
        let (mut customs, mut bad) = (Customs::default(), Vec::new());
        for (at, definition) in definitions.iter().enumerate() {
            if let Err(error) = customs.define(definition) {
                bad.push((at, error));
            }
        }
        let customs = (!definitions.is_empty()).then(|| Arc::new(customs));
        if bad.is_empty() { Ok(Self { customs, ..Self::new() }) } else { Err(bad) }
    }

    /// The kind of that name: one of ours, or of the installation's.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<Entity> {
        Entity::parse(name).or_else(|| self.customs.as_ref()?.entity(name))
    }

    /// Every kind that is looked for.
    #[must_use]
    pub fn entities(&self) -> Vec<Entity> {
        let customs = self.customs.iter().flat_map(|customs| customs.entities());
        Entity::ALL.into_iter().chain(customs).collect()
    }

    pub(crate) fn customs(&self) -> Option<&Customs> {
        self.customs.as_deref()
    }

    /// All hits, in order and without overlap.
    #[must_use]
    pub fn scan(&self, text: &str) -> Vec<Span> {
        self.scan_bytes(text.as_bytes(), Hints::default())
    }

    /// The hits in a text that stands under a name (a header, a form field), which may say what it holds.
    #[must_use]
    pub fn scan_named(&self, name: &str, text: &str) -> Vec<Span> {
        self.scan_bytes(text.as_bytes(), Hints::default().with_key(name.as_bytes()))
    }

    /// Whether there is any hit; stops at the first.
    #[must_use]
    pub fn has_hit(&self, text: &str) -> bool {
        let unfolded = Unfolded::of(text.as_bytes());
        let mut text = Text::new(&unfolded.bytes, true, Hints::default()).knowing(self.customs());
        matches!(Machine::default().advance(&mut text), Step::Found { .. })
    }

    pub(crate) fn scan_bytes(&self, bytes: &[u8], hints: Hints) -> Vec<Span> {
        let unfolded = Unfolded::of(bytes);
        let mut spans = spans(&mut Text::new(&unfolded.bytes, true, hints).knowing(self.customs()));
        for span in &mut spans {
            (span.start, span.end) = (unfolded.shifts.raw(span.start), unfolded.shifts.raw(span.end));
        }
        match &self.others {
            Some(others) => others.join(bytes, spans),
            None => spans,
        }
    }
}

#[cfg(test)]
mod tests;
