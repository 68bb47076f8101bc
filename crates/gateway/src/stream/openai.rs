//! Chunks of a streamed `OpenAI` completion, of a chat or of the older form.
//!
//! Servers that speak this protocol add fields of their own to a delta (`reasoning_content`, `reasoning`), so every
//! string in it is taken for a piece of text unless its name is known for a whole value.

use serde_json::{Map, Value, json};

use super::event::{Kind, Reading};
use super::field::{Field, Step, is_word};
use crate::adapt::view::View;

/// Strings in a delta that come whole.
const WHOLE: [&str; 8] = ["role", "id", "type", "name", "format", "signature", "data", "status"];

/// How deep streamed strings lie: `tool_calls`, item, `function`, `arguments`.
const MAX_DEPTH: usize = 4;

pub(super) fn read(chunk: View<'_>, data: &str) -> Reading {
    let mut reading = Reading::default();
    let mut choices = 0;
    for (key, value) in chunk.entries() {
        match key.as_str() {
            "choices" => {
                for (position, choice) in (0_u64..).zip(value.items()) {
                    choices += 1;
                    read_choice(&mut reading, data, choice, position);
                }
            }
            "usage" if value.is_object() && reading.kind == Kind::Ordinary => reading.kind = Kind::UsageOnly,
            "error" if !value.is_null() => reading.kind = Kind::Error,
            _ => {}
        }
    }
    if reading.kind == Kind::UsageOnly && (choices > 0 || chunk.get("choices").is_none()) {
        reading.kind = Kind::Ordinary;
    }
    reading
}

fn read_choice(reading: &mut Reading, data: &str, choice: View<'_>, position: u64) {
    let of = choice.get("index").and_then(View::integer).unwrap_or(position);
    for (key, value) in choice.entries() {
        match key.as_str() {
            "delta" => {
                let delta = Field::new(Some(of), &["delta"]);
                walk(reading, data, value, &delta, MAX_DEPTH);
            }
            // Without roles the text stands in the choice itself.
            "text" => reading.slot(data, value, Field::new(Some(of), &["text"])),
            "finish_reason" if value.string().is_some_and(|reason| !reason.is_empty()) => {
                reading.ends.insert(of);
                reading.note(Some(value), Field::new(Some(of), &["finish_reason"]));
            }
            "logprobs" if !value.is_null() => reading.echoes.push((of, value.span_in(data))),
            _ => {}
        }
    }
}

fn walk(reading: &mut Reading, data: &str, object: View<'_>, above: &Field, depth: usize) {
    for (key, value) in object.entries() {
        // A name that is no plain word is no field of the protocol: its value is inspected as a whole.
        if !is_word(&key) {
            continue;
        }
        let field = below(above, Step::Key(key));
        if value.text().starts_with('"') {
            if WHOLE.contains(&field.key()) {
                reading.note(Some(value), field);
            } else {
                reading.slot(data, value, field);
            }
        } else if depth > 1 && value.is_object() {
            walk(reading, data, value, &field, depth - 1);
        } else if depth > 1 && value.is_array() {
            for item in value.items() {
                // Only an item that says which one it is can be gone on with in the next chunk.
                if let Some(index) = item.get("index").and_then(View::integer) {
                    walk(reading, data, item, &below(&field, Step::Item(index)), depth - 1);
                }
            }
        }
    }
}

fn below(above: &Field, step: Step) -> Field {
    let mut field = above.clone();
    field.path.push(step);
    field
}

/// One more chunk with text for `field`, with the outer members of the chunk `like`.
pub(super) fn delta_event(like: &str, field: &Field, text: &str) -> String {
    let mut chunk = Map::new();
    if let Ok(view) = View::parse(like) {
        for (key, value) in view.entries() {
            if let ("id" | "object" | "created" | "model", Ok(value)) =
                (key.as_str(), serde_json::from_str(value.text()))
            {
                chunk.insert(key, value);
            }
        }
    }
    let mut choice = json!({ "index": field.of });
    field.set_in(&mut choice, text);
    if let Some(choice) = choice.as_object_mut() {
        choice.insert("finish_reason".to_owned(), Value::Null);
    }
    chunk.insert("choices".to_owned(), json!([choice]));
    format!("data: {}\n\n", Value::Object(chunk))
}
