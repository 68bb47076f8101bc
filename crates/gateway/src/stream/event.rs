//! One event, read: which of its strings are pieces of a longer text, and what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::StreamError;
use super::field::Field;
use super::{anthropic, openai};
use crate::adapt::Protocol;
use crate::adapt::view::{View, quoted, splice};

/// What an event holds, by place in its data.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// Pieces of streamed text, in order of place.
    pub(super) slots: Vec<Slot>,
    /// Whole strings that the record keeps.
    pub(super) notes: Vec<(Field, String)>,
    /// Choices or blocks that are over with this event.
    pub(super) ends: BTreeSet<u64>,
    /// Values that spell a choice's text out once more (log probabilities), in order of place.
    pub(super) echoes: Vec<(u64, Range<usize>)>,
}

/// What sort of event it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Ordinary,
    /// Token counts and nothing else.
    UsageOnly,
    /// The reply's last.
    Terminal,
    /// The upstream reports an error.
    Error,
}

/// A string that is a piece of a longer text.
pub(super) struct Slot {
    /// Of the JSON string, quotes included.
    pub(super) span: Range<usize>,
    pub(super) field: Field,
    pub(super) text: String,
}

impl Reading {
    /// Reads an event. `data` is the text that `view` is a view of.
    pub(super) fn of(protocol: Protocol, view: View<'_>, data: &str) -> Reading {
        match protocol {
            Protocol::OpenAiChat => openai::read(view, data),
            Protocol::AnthropicMessages => anthropic::read(view, data),
        }
    }

    pub(super) fn slot(&mut self, data: &str, value: View<'_>, field: Field) {
        if let Some(text) = value.string() {
            self.slots.push(Slot { span: value.span_in(data), field, text });
        }
    }

    pub(super) fn note(&mut self, value: Option<View<'_>>, field: Field) {
        if let Some(text) = value.and_then(View::string) {
            self.notes.push((field, text));
        }
    }

    /// Puts texts into the slots of `skeleton`, this event with its slots empty and possibly redacted.
    ///
    /// An echo that cannot be known to say only what the text says gives way to null.
    pub(super) fn refill(
        &self,
        protocol: Protocol,
        skeleton: &str,
        texts: &[String],
    ) -> Result<String, StreamError> {
        let view = View::parse(skeleton).map_err(|_| StreamError::NotJson)?;
        let there = Reading::of(protocol, view, skeleton);
        if there.slots.len() != texts.len() {
            return Err(StreamError::NotJson);
        }
        let mut edits: Vec<(Range<usize>, String)> =
            there.slots.iter().zip(texts).map(|(slot, text)| (slot.span.clone(), quoted(text))).collect();
        let mut faithful: BTreeMap<Option<u64>, bool> = BTreeMap::new();
        for (slot, text) in self.slots.iter().zip(texts) {
            *faithful.entry(slot.field.of).or_insert(true) &= slot.text == *text;
        }
        let unfaithful = |of: u64| faithful.get(&Some(of)) != Some(&true);
        let echoes = there.echoes.iter().filter(|(of, _)| unfaithful(*of));
        edits.extend(echoes.map(|(_, span)| (span.clone(), "null".to_owned())));
        edits.sort_by_key(|(span, _)| span.start);
        Ok(splice(skeleton, edits.iter().map(|(span, text)| (span.clone(), text.as_str()))))
    }
}
