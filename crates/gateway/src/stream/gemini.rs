//! Chunks of a streamed Gemini reply.
//!
//! A chunk has the form of a whole reply. The texts of a candidate's chunks follow one another, its thoughts apart from
//! its answer; calls of functions come whole. No event says that the stream is over: the last one is the last.

use serde_json::{Map, Value, json};

use super::event::{Kind, Reading};
use super::field::Field;
use crate::adapt::view::View;

pub(super) fn read(chunk: View<'_>, data: &str) -> Reading {
    let mut reading = Reading::default();
    for (key, value) in chunk.entries() {
        match key.as_str() {
            "candidates" => {
                for (position, candidate) in (0_u64..).zip(value.items()) {
                    read_candidate(&mut reading, data, candidate, position);
                }
            }
            // A question that is refused has no candidate, and no more to say.
            "promptFeedback" if value.get("blockReason").is_some() => {
                reading.ends.insert(0);
                reading.note(value.get("blockReason"), Field::new(None, &["blocked"]));
            }
            "error" if !value.is_null() => reading.kind = Kind::Error,
            _ => {}
        }
    }
    reading
}

fn read_candidate(reading: &mut Reading, data: &str, candidate: View<'_>, position: u64) {
    let of = candidate.get("index").and_then(View::integer).unwrap_or(position);
    for (key, value) in candidate.entries() {
        match key.as_str() {
            "content" => {
                for part in value.get("parts").into_iter().flat_map(View::items) {
                    let thought = part.get("thought").and_then(View::boolean) == Some(true);
                    match part.get("text") {
                        Some(text) => {
                            let key = if thought { "thought" } else { "text" };
                            reading.slot(data, text, Field::new(Some(of), &[key]));
                        }
                        None => {
                            reading.parts.push((Field::new(Some(of), &["parts"]), part.text().to_owned()))
                        }
                    }
                }
            }
            "finishReason" if value.string().is_some_and(|reason| !reason.is_empty()) => {
                reading.ends.insert(of);
                reading.note(Some(value), Field::new(Some(of), &["finish_reason"]));
            }
            "logprobsResult" if !value.is_null() => reading.echoes.push((of, value.span_in(data))),
            _ => {}
        }
    }
}

/// One more chunk with text for `field`, with the outer members of the chunk `like`.
pub(super) fn delta_event(like: &str, field: &Field, text: &str) -> String {
    let mut part = json!({ "text": text });
    if let (true, Some(part)) = (field.key() == "thought", part.as_object_mut()) {
        part.insert("thought".to_owned(), Value::Bool(true));
    }
    let mut chunk = Map::new();
    let content = json!({ "role": "model", "parts": [part] });
    chunk.insert("candidates".to_owned(), json!([{ "index": field.of, "content": content }]));
    if let Ok(view) = View::parse(like) {
        for (key, value) in view.entries() {
            if let ("modelVersion" | "responseId", Ok(value)) =
                (key.as_str(), serde_json::from_str(value.text()))
            {
                chunk.insert(key, value);
            }
        }
    }
    format!("data: {}\n\n", Value::Object(chunk))
}
