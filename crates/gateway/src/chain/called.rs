//! What a tool is called with, in a form in which a model's wish and the call that carries it out are the same.
//!
//! A model asks for `get_patient {"id": "p-17", "full": true}`; its client calls `GET /patients/p-17?full=true`. The
//! names of fields and where they stand are the client's business: what both have is the set of values.

use std::collections::BTreeSet;

use greffier_event::{Call, Content, Place, Target};
use serde_json::Value;

use super::digests::Digests;

/// Longest content that is compared: arguments that a model wrote stay far below.
const MAX_CONTENT: usize = 64 << 10;
/// Values compared: past this it is data, not a call's arguments.
const MAX_VALUES: usize = 256;
/// Pieces of a tool's name that may be left out in front.
const MAX_PIECES: usize = 32;

/// A call to a tool, by digests.
#[derive(Debug)]
pub(super) struct Called {
    /// What it is called with: the likeliest reading first.
    pub(super) with: Vec<u64>,
    /// Every name a model may know the tool by.
    pub(super) names: Vec<u64>,
    /// Whether it is called with anything at all.
    pub(super) has_values: bool,
}

impl Called {
    /// Reads a call; `is_id` says which segments of a path are values.
    pub(super) fn read(call: &Call, digests: &Digests, is_id: fn(&str) -> bool) -> Option<Called> {
        let Target::Tool { name, .. } = &call.target else { return None };
        let mut values = BTreeSet::new();
        let mut last = None;
        for Content { place, media, bytes } in &call.contents {
            if bytes.len() > MAX_CONTENT {
                return None;
            }
            let text = || std::str::from_utf8(bytes).ok();
            match place {
                Place::Body if media.starts_with("application/x-www-form-urlencoded") => {
                    form(text()?, &mut values);
                }
                Place::Body => match serde_json::from_slice::<Value>(bytes) {
                    Ok(body) => collect(arguments(&body), &mut values),
                    Err(_) => drop(values.insert(text()?.trim().to_owned())),
                },
                Place::Query => form(text()?, &mut values),
                Place::Path => {
                    for segment in text()?.split('/').filter(|segment| !segment.is_empty()) {
                        let value = decoded(segment);
                        if is_id(segment) {
                            last = None;
                            values.insert(value);
                        } else {
                            last = Some(value);
                        }
                    }
                }
                Place::Header(_) => {}
            }
        }
        let mut with = vec![digest(&values, digests)?];
        let has_values = !values.is_empty();
        // Whether the last word of a path is a value, its form does not always tell: `/users/alice`.
        if let Some(word) = last {
            values.insert(word);
            with.push(digest(&values, digests)?);
        }
        Some(Called { with, names: names(name, digests), has_values })
    }
}

/// Digest of the arguments that a model wrote; `None` if they are none that a call could be compared with.
pub(super) fn asked_with(arguments: &str, digests: &Digests) -> Option<u64> {
    if arguments.len() > MAX_CONTENT {
        return None;
    }
    let mut values = BTreeSet::new();
    if !arguments.trim().is_empty() {
        collect(&serde_json::from_str(arguments).ok()?, &mut values);
    }
    digest(&values, digests)
}

/// Digest of the name by which a model asks for a tool, `mcp__crm__search`.
pub(super) fn asked_by(name: &str, digests: &Digests) -> u64 {
    let pieces = pieces(name);
    let without = pieces.strip_prefix(&["mcp".to_owned()]).unwrap_or(&pieces);
    digests.of(&[without.join(" ").as_bytes()])
}

/// Digests of the names that a tool `crm:contacts:search` may be asked for by: its last pieces, one at least.
fn names(name: &str, digests: &Digests) -> Vec<u64> {
    let pieces = pieces(name);
    let from = pieces.len().saturating_sub(MAX_PIECES);
    (from..pieces.len())
        .filter_map(|start| Some(digests.of(&[pieces.get(start..)?.join(" ").as_bytes()])))
        .collect()
}

fn pieces(name: &str) -> Vec<String> {
    let pieces = name.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty());
    pieces.map(str::to_lowercase).collect()
}

/// The arguments of an MCP message; of any other body all of it.
fn arguments(body: &Value) -> &Value {
    if body.get("jsonrpc").is_none() {
        return body;
    }
    body.pointer("/params/arguments").unwrap_or(&Value::Null)
}

fn collect(value: &Value, into: &mut BTreeSet<String>) {
    if into.len() > MAX_VALUES {
        return;
    }
    let text = match value {
        Value::Null => return,
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) => return items.iter().for_each(|item| collect(item, into)),
        Value::Object(members) => return members.values().for_each(|value| collect(value, into)),
    };
    if !text.is_empty() {
        into.insert(text);
    }
}

fn form(text: &str, into: &mut BTreeSet<String>) {
    for pair in text.split('&').take(MAX_VALUES + 1) {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        let value = decoded(&value.replace('+', " "));
        if !value.is_empty() {
            into.insert(value);
        }
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().trim().to_owned()
}

fn digest(values: &BTreeSet<String>, digests: &Digests) -> Option<u64> {
    let pieces: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    (pieces.len() <= MAX_VALUES).then(|| digests.of(&pieces))
}
