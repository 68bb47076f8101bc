//! The record of a streamed reply: put together again, in the shape it had if it were not streamed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::Form;
use super::field::Field;
use crate::adapt::view::quoted;

/// The most bytes of text a completion keeps, as written in JSON. Long replies have 32,000 tokens, some 150 KB.
pub(super) const MAX_COMPLETION: usize = 1 << 20;

/// The most strings it keeps: four for each of the fields a stream may have.
const MAX_FIELDS: usize = 1024;

/// What is known of the reply so far, already redacted.
#[derive(Default)]
pub(super) struct Completion {
    fields: BTreeMap<Field, String>,
    used: usize,
    truncated: bool,
    /// The reply as its last event says it whole.
    whole: Option<String>,
}

impl Completion {
    /// Adds a piece to a streamed text.
    pub(super) fn append(&mut self, field: &Field, text: &str) {
        if text.is_empty() || self.truncated {
            return;
        }
        if !self.fields.contains_key(field) && self.fields.len() >= MAX_FIELDS {
            self.truncated = true;
            return;
        }
        let kept = self.fitting(text);
        self.fields.entry(field.clone()).or_default().push_str(kept);
    }

    /// Sets a string that comes whole; the last word counts.
    pub(super) fn set(&mut self, field: Field, text: &str) {
        if self.fields.get(&field).is_some_and(|known| known == text) {
            return;
        }
        self.fields.remove(&field);
        self.append(&field, text);
    }

    /// Takes the reply as an event says it whole, if there is room for it.
    pub(super) fn say_whole(&mut self, reply: &str) {
        self.whole = (reply.len() <= MAX_COMPLETION).then(|| reply.to_owned());
    }

    /// As much of `text` as there is room for. Room is counted in JSON's spelling, so that the bound holds.
    fn fitting<'t>(&mut self, text: &'t str) -> &'t str {
        let mut room = MAX_COMPLETION.saturating_sub(self.used);
        let spelt = quoted(text).len() - 2;
        if spelt <= room {
            self.used += spelt;
            return text;
        }
        self.truncated = true;
        self.used = MAX_COMPLETION;
        let fits = |(_, c): &(usize, char)| {
            let size = quoted(c.encode_utf8(&mut [0; 4])).len() - 2;
            let enough = size <= room;
            room = room.saturating_sub(size);
            enough
        };
        let end = text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
        text.get(..end).unwrap_or_default()
    }

    /// The reply as JSON, and whether it is only its beginning.
    pub(super) fn into_json(self, form: Form) -> (Vec<u8>, bool) {
        if let Some(whole) = self.whole {
            return (whole.into_bytes(), false);
        }
        let mut reply = match form {
            Form::Choices => json!({ "choices": self.choices() }),
            Form::Items => self.with_groups("output", self.groups().into_values().collect()),
            Form::Blocks => self.with_groups("content", self.groups().into_iter().map(block).collect()),
            Form::Candidates => {
                self.with_groups("candidates", self.groups().into_iter().map(candidate).collect())
            }
        };
        if let (true, Some(reply)) = (self.truncated, reply.as_object_mut()) {
            reply.insert("truncated".to_owned(), Value::Bool(true));
        }
        (reply.to_string().into_bytes(), self.truncated)
    }

    /// What belongs to each choice or block, in order.
    fn groups(&self) -> BTreeMap<u64, Value> {
        let mut groups = BTreeMap::new();
        for (field, text) in &self.fields {
            if let Some(of) = field.of {
                field.set_in(groups.entry(of).or_insert_with(|| json!({ "index": of })), text);
            }
        }
        groups
    }

    fn choices(&self) -> Vec<Value> {
        let message = |(_, mut choice): (u64, Value)| {
            if let Some(members) = choice.as_object_mut() {
                match members.shift_remove("delta") {
                    Some(delta) => drop(members.insert("message".to_owned(), delta)),
                    // A choice of the older form has its text beside it.
                    None if members.contains_key("text") => {}
                    None => drop(members.insert("message".to_owned(), json!({}))),
                }
            }
            choice
        };
        self.groups().into_iter().map(message).collect()
    }

    /// The reply's own strings, with a list of what it consists of.
    fn with_groups(&self, name: &str, groups: Vec<Value>) -> Value {
        let mut reply = json!({});
        for (field, text) in self.fields.iter().filter(|(field, _)| field.of.is_none()) {
            field.set_in(&mut reply, text);
        }
        if let Some(reply) = reply.as_object_mut() {
            reply.insert(name.to_owned(), Value::Array(groups));
        }
        reply
    }
}

fn block((_, mut block): (u64, Value)) -> Value {
    let input = block.as_object_mut().and_then(|members| members.shift_remove("partial_json"));
    if let (Some(Value::String(text)), Some(members)) = (input, block.as_object_mut()) {
        // Arguments that broke off are kept as the text they are.
        let input = serde_json::from_str(&text).unwrap_or(Value::String(text));
        members.insert("input".to_owned(), input);
    }
    block
}

fn candidate((_, mut candidate): (u64, Value)) -> Value {
    let Some(members) = candidate.as_object_mut() else { return candidate };
    let mut take = |key| match members.shift_remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let mut parts = Vec::new();
    parts.extend(take("thought").map(|text| json!({ "text": text, "thought": true })));
    parts.extend(take("text").map(|text| json!({ "text": text })));
    if let Some(text) = take("parts") {
        // Parts that broke off are kept as the text they are.
        let list = serde_json::from_str(&format!("[{}]", text.trim_start_matches(',')));
        parts.extend(list.unwrap_or_else(|_| vec![Value::String(text)]));
    }
    let reason = take("finish_reason");
    members.insert("content".to_owned(), json!({ "role": "model", "parts": parts }));
    if let Some(reason) = reason {
        members.insert("finishReason".to_owned(), Value::String(reason));
    }
    candidate
}
