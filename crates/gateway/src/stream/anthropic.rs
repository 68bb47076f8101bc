//! Events of a streamed Anthropic message.

use serde_json::json;

use super::event::{Kind, Reading};
use super::field::{Field, is_word};
use crate::adapt::view::View;

pub(super) fn read(event: View<'_>, data: &str) -> Reading {
    let mut reading = Reading::default();
    let block = event.get("index").and_then(View::integer).unwrap_or(0);
    match event.get("type").and_then(View::string).as_deref() {
        Some("message_start") => {
            reading.note(
                event.get("message").and_then(|message| message.get("role")),
                Field::new(None, &["role"]),
            );
        }
        Some("content_block_start") => {
            let start = event.get("content_block");
            for (key, value) in start.into_iter().flat_map(View::entries) {
                let field = Field::new(Some(block), &[key.as_str()]);
                match key.as_str() {
                    "text" | "thinking" => reading.slot(data, value, field),
                    "type" | "id" | "name" => reading.note(Some(value), field),
                    _ => {}
                }
            }
        }
        Some("content_block_delta") => {
            let delta = event.get("delta");
            for (key, value) in delta.into_iter().flat_map(View::entries) {
                // A signature vouches for a thinking block and comes whole; any other string is a piece of text.
                if is_word(&key) && key != "type" && key != "signature" {
                    reading.slot(data, value, Field::new(Some(block), &[key.as_str()]));
                }
            }
        }
        Some("content_block_stop") => drop(reading.ends.insert(block)),
        Some("message_delta") => {
            let reason = event.get("delta").and_then(|delta| delta.get("stop_reason"));
            reading.note(reason, Field::new(None, &["stop_reason"]));
        }
        Some("message_stop") => reading.kind = Kind::Terminal,
        Some("error") => reading.kind = Kind::Error,
        _ => {}
    }
    reading
}

/// The message that an event carries, with its model, id and first counts.
pub(super) fn message(event: View<'_>) -> Option<View<'_>> {
    event.get("message")
}

/// One more delta with text for `field`.
pub(super) fn delta_event(field: &Field, text: &str) -> String {
    let key = field.key();
    let kind = match key {
        "partial_json" => "input_json_delta".to_owned(),
        key => format!("{key}_delta"),
    };
    let data =
        json!({ "type": "content_block_delta", "index": field.of, "delta": { "type": kind, key: text } });
    format!("event: content_block_delta\ndata: {data}\n\n")
}
