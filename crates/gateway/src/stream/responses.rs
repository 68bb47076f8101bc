//! Events of a streamed `OpenAI` response.
//!
//! A response is a list of items, and its stream says every text twice or more: in deltas, whole when the text ends,
//! whole again with its part, its item, and with the response. The pieces of a text share one [`Field`] however the
//! event calls it, so that each repetition goes through the same redaction as the deltas did.

use serde_json::{Map, Value, json};

use super::event::{Kind, Reading};
use super::field::{Field, Step, is_word};
use crate::adapt::view::View;

/// Members of a delta that a further delta takes over.
const HEAD: [&str; 7] =
    ["type", "sequence_number", "item_id", "output_index", "content_index", "summary_index", "command_index"];
/// Longest of them kept.
const MAX_MEMBER: usize = 256;

/// What an event says of the texts it repeats.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Where they begin.
    First,
    /// In passing: more may follow.
    Glimpse,
    /// To the end.
    Last,
}

pub(super) fn read(event: View<'_>, data: &str) -> Reading {
    let mut reading = Reading { echo: "[]", ..Reading::default() };
    let name = event.get("type").and_then(View::string).unwrap_or_default();
    let Some(name) = name.strip_prefix("response.") else {
        if name == "error" {
            reading.kind = Kind::Error;
        }
        return reading;
    };
    let item = event.get("output_index").and_then(View::integer).unwrap_or(0);
    match name {
        "created" | "queued" | "in_progress" => read_response(&mut reading, data, event, Said::Glimpse),
        "completed" | "failed" | "incomplete" | "cancelled" | "done" => {
            reading.kind = Kind::Terminal;
            read_response(&mut reading, data, event, Said::Last);
        }
        "output_item.added" | "output_item.done" => {
            if let Some(value) = event.get("item") {
                read_item(&mut reading, data, value, item, said(name));
            }
        }
        "content_part.added" | "content_part.done" => {
            let field = indexed(item, "content", event, "content_index");
            read_part(&mut reading, data, event.get("part"), &field, said(name));
        }
        "reasoning_summary_part.added" | "reasoning_summary_part.done" => {
            let field = indexed(item, "summary", event, "summary_index");
            read_part(&mut reading, data, event.get("part"), &field, said(name));
        }
        _ => {
            if let Some(text) = name.strip_suffix(".delta") {
                read_delta(&mut reading, data, event, &field_of(text, item, event));
            } else if let Some(text) = name.strip_suffix(".done") {
                read_done(&mut reading, data, event, &field_of(text, item, event));
            }
        }
    }
    reading
}

fn said(event: &str) -> Said {
    if event.ends_with(".added") { Said::First } else { Said::Last }
}

/// The field that the deltas of a kind of text are pieces of.
fn field_of(text: &str, item: u64, event: View<'_>) -> Field {
    match text {
        "output_text" | "reasoning_text" => indexed(item, "content", event, "content_index").with("text"),
        "refusal" => indexed(item, "content", event, "content_index").with("refusal"),
        "reasoning_summary_text" | "reasoning_summary" => {
            indexed(item, "summary", event, "summary_index").with("text")
        }
        "function_call_arguments" | "mcp_call_arguments" => Field::new(Some(item), &["arguments"]),
        "custom_tool_call_input" => Field::new(Some(item), &["input"]),
        "code_interpreter_call_code" => Field::new(Some(item), &["code"]),
        "shell_call_command" => {
            command(item, event.get("command_index").and_then(View::integer).unwrap_or(0))
        }
        "shell_call_output_content" => indexed(item, "output", event, "command_index"),
        "audio.transcript" => Field::new(None, &["transcript"]),
        // Text of a kind that is not known yet has its kind for a name.
        other => {
            let word: String = other.chars().map(|c| if c == '.' { '_' } else { c }).collect();
            Field::new(Some(item), &[if is_word(&word) { &word } else { "text" }])
        }
    }
}

fn command(item: u64, index: u64) -> Field {
    let mut field = Field::new(Some(item), &["action", "commands"]);
    field.path.push(Step::Item(index));
    field
}

fn indexed(item: u64, list: &str, event: View<'_>, index: &str) -> Field {
    let mut field = Field::new(Some(item), &[list]);
    field.path.push(Step::Item(event.get(index).and_then(View::integer).unwrap_or(0)));
    field
}

fn read_delta(reading: &mut Reading, data: &str, event: View<'_>, field: &Field) {
    let Some(delta) = event.get("delta") else { return };
    if delta.is_object() {
        for (key, value) in delta.entries().into_iter().filter(|(key, _)| is_word(key)) {
            reading.slot(data, value, field.with(&key));
        }
    } else {
        reading.slot(data, delta, field.clone());
    }
    reading.echoes(data, event, field.of);
}

/// The end of one text, which says it whole under one of a few names.
fn read_done(reading: &mut Reading, data: &str, event: View<'_>, field: &Field) {
    for (key, value) in event.entries() {
        if matches!(
            key.as_str(),
            "text" | "refusal" | "arguments" | "input" | "code" | "command" | "transcript"
        ) {
            reading.whole(data, value, field.clone());
        }
    }
    reading.closes.push(field.clone());
    reading.echoes(data, event, field.of);
}

fn read_response(reading: &mut Reading, data: &str, event: View<'_>, said: Said) {
    let Some(response) = event.get("response") else { return };
    reading.note(response.get("status"), Field::new(None, &["status"]));
    let output = response.get("output").into_iter().flat_map(View::items);
    for (index, item) in (0_u64..).zip(output) {
        read_item(reading, data, item, index, said);
    }
}

fn read_item(reading: &mut Reading, data: &str, item: View<'_>, index: u64, said: Said) {
    let own = Field::new(Some(index), &[]);
    for (key, value) in item.entries() {
        match key.as_str() {
            "type" | "id" | "call_id" | "name" | "role" | "status" | "server_label" => {
                reading.note(Some(value), own.with(&key));
            }
            "content" | "summary" => {
                for (position, part) in (0_u64..).zip(value.items()) {
                    let mut field = own.with(&key);
                    field.path.push(Step::Item(position));
                    read_part(reading, data, Some(part), &field, said);
                }
            }
            "arguments" | "input" | "code" => text(reading, data, value, own.with(&key), said),
            "action" => {
                let commands = value.get("commands").into_iter().flat_map(View::items);
                for (position, value) in (0_u64..).zip(commands) {
                    text(reading, data, value, command(index, position), said);
                }
            }
            _ => {}
        }
    }
}

fn read_part(reading: &mut Reading, data: &str, part: Option<View<'_>>, field: &Field, said: Said) {
    let Some(part) = part else { return };
    for (key, value) in part.entries() {
        match key.as_str() {
            "text" | "refusal" | "transcript" => text(reading, data, value, field.with(&key), said),
            "type" => reading.note(Some(value), field.with("type")),
            _ => {}
        }
    }
    reading.echoes(data, part, field.of);
}

fn text(reading: &mut Reading, data: &str, value: View<'_>, field: Field, said: Said) {
    match said {
        Said::First => reading.slot(data, value, field),
        Said::Glimpse => reading.whole(data, value, field),
        Said::Last => {
            reading.whole(data, value, field.clone());
            if value.text().starts_with('"') {
                reading.closes.push(field);
            }
        }
    }
}

/// The response that an event carries, with its model, id and counts.
pub(super) fn response(event: View<'_>) -> Option<View<'_>> {
    event.get("response")
}

/// What of a delta a further delta of its field repeats; nothing if it is no delta.
pub(super) fn head(event: View<'_>) -> Option<Map<String, Value>> {
    let name = event.get("type").and_then(View::string)?;
    let members = event
        .entries()
        .into_iter()
        .filter(|(key, value)| HEAD.contains(&key.as_str()) && value.text().len() <= MAX_MEMBER);
    let read = |(key, value): (String, View<'_>)| Some((key, serde_json::from_str(value.text()).ok()?));
    name.ends_with(".delta").then(|| members.filter_map(read).collect())
}

/// One more delta with text for `field`: like its latest one, whose sequence number it shares, or, if there was none,
/// as the field says.
pub(super) fn delta_event(head: Option<&Map<String, Value>>, field: &Field, text: &str) -> String {
    let mut event = head.cloned().unwrap_or_else(|| head_of(field));
    let delta = match field.key() {
        key @ ("stdout" | "stderr") => json!({ key: text }),
        _ => Value::from(text),
    };
    event.insert("delta".to_owned(), delta);
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if name == "response.output_text.delta" {
        event.insert("logprobs".to_owned(), json!([]));
    }
    format!("event: {name}\ndata: {}\n\n", Value::Object(event))
}

/// The head of a delta of a field.
fn head_of(field: &Field) -> Map<String, Value> {
    let list = match field.path.first() {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    let (name, index) = match (list, field.key()) {
        ("content", "refusal") => ("refusal", "content_index"),
        ("summary", _) => ("reasoning_summary_text", "summary_index"),
        ("action", _) => ("shell_call_command", "command_index"),
        ("output", _) => ("shell_call_output_content", "command_index"),
        ("arguments", _) => ("function_call_arguments", ""),
        ("input", _) => ("custom_tool_call_input", ""),
        ("code", _) => ("code_interpreter_call_code", ""),
        _ => ("output_text", "content_index"),
    };
    let position = field.path.iter().find_map(|step| match step {
        Step::Item(index) => Some(*index),
        Step::Key(_) => None,
    });
    let mut head = Map::new();
    head.insert("type".to_owned(), Value::from(format!("response.{name}.delta")));
    head.insert("output_index".to_owned(), Value::from(field.of));
    if let (Some(position), false) = (position, index.is_empty()) {
        head.insert(index.to_owned(), Value::from(position));
    }
    head
}
