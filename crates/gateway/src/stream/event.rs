//! One event, read: which of its strings are pieces of a longer text, and what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::StreamError;
use super::field::Field;
use super::{anthropic, gemini, openai, responses};
use crate::adapt::Protocol;
use crate::adapt::view::{View, quoted, splice};

/// The forms that streams have; several protocols share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Chunks of choices: `OpenAI` chat and completions.
    Choices,
    /// Events of items: `OpenAI` responses.
    Items,
    /// Events of content blocks: Anthropic messages.
    Blocks,
    /// Chunks of candidates: Gemini.
    Candidates,
}

impl Form {
    pub(super) fn of(protocol: Protocol) -> Form {
        match protocol {
            Protocol::OpenAiResponses | Protocol::OpenAiInputTokens | Protocol::OpenAiCompaction => {
                Form::Items
            }
            Protocol::AnthropicMessages | Protocol::AnthropicCountTokens => Form::Blocks,
            Protocol::GeminiContent | Protocol::GeminiCountTokens | Protocol::GeminiEmbeddings => {
                Form::Candidates
            }
            Protocol::OpenAiChat
            | Protocol::OpenAiCompletions
            | Protocol::OpenAiEmbeddings
            | Protocol::OpenAiModerations => Form::Choices,
        }
    }

    /// Whether a stream ends with the word `[DONE]`.
    pub(super) fn says_done(self) -> bool {
        matches!(self, Form::Choices | Form::Items)
    }

    /// Whether what ends with an event is known only with the next: some servers say `finish_reason` and go on, and
    /// Gemini's last chunk is the one that nothing follows.
    pub(super) fn waits(self) -> bool {
        matches!(self, Form::Choices | Form::Candidates)
    }
}

/// What an event holds, by place in its data.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// Pieces of streamed text and texts said whole, in order of place.
    pub(super) slots: Vec<Slot>,
    /// Whole strings that the record keeps.
    pub(super) notes: Vec<(Field, String)>,
    /// Values that the record keeps in a list.
    pub(super) parts: Vec<(Field, String)>,
    /// Choices or blocks that are over with this event.
    pub(super) ends: BTreeSet<u64>,
    /// Fields that are over before this event.
    pub(super) closes: Vec<Field>,
    /// Values that spell a choice's text out once more (log probabilities), in order of place.
    pub(super) echoes: Vec<(u64, Range<usize>)>,
    /// What such a value gives way to; nothing said is `null`.
    pub(super) echo: &'static str,
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
    /// Whether it is that text whole, said once more.
    pub(super) whole: bool,
}

impl Reading {
    /// Reads an event. `data` is the text that `view` is a view of.
    pub(super) fn of(form: Form, view: View<'_>, data: &str) -> Reading {
        match form {
            Form::Choices => openai::read(view, data),
            Form::Items => responses::read(view, data),
            Form::Blocks => anthropic::read(view, data),
            Form::Candidates => gemini::read(view, data),
        }
    }

    pub(super) fn slot(&mut self, data: &str, value: View<'_>, field: Field) {
        if let Some(text) = value.string() {
            self.slots.push(Slot { span: value.span_in(data), field, text, whole: false });
        }
    }

    pub(super) fn whole(&mut self, data: &str, value: View<'_>, field: Field) {
        if let Some(text) = value.string() {
            self.slots.push(Slot { span: value.span_in(data), field, text, whole: true });
        }
    }

    /// The log probabilities of `object`, where they stand as `logprobs`.
    pub(super) fn echoes(&mut self, data: &str, object: View<'_>, of: Option<u64>) {
        let members =
            object.entries().into_iter().filter(|(key, value)| key == "logprobs" && value.is_array());
        for (_, value) in members {
            self.echoes.push((of.unwrap_or(0), value.span_in(data)));
        }
    }

    pub(super) fn note(&mut self, value: Option<View<'_>>, field: Field) {
        if let Some(text) = value.and_then(View::string) {
            self.notes.push((field, text));
        }
    }

    /// Puts texts into the slots of `skeleton`, this event with its slots empty and possibly redacted.
    ///
    /// An echo that cannot be known to say only what the text says gives way to nothing said.
    pub(super) fn refill(&self, form: Form, skeleton: &str, texts: &[String]) -> Result<String, StreamError> {
        let view = View::parse(skeleton).map_err(|_| StreamError::NotJson)?;
        let there = Reading::of(form, view, skeleton);
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
        let silence = if self.echo.is_empty() { "null" } else { self.echo };
        edits.extend(echoes.map(|(_, span)| (span.clone(), silence.to_owned())));
        edits.sort_by_key(|(span, _)| span.start);
        Ok(splice(skeleton, edits.iter().map(|(span, text)| (span.clone(), text.as_str()))))
    }
}
