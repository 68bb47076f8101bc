//! The native form: an event's own fields, with the content of its parts in `parts`.
//!
//! A part has a `name`, a `media` type and its content under one of three names: `json` (a JSON value), `text`,
//! or `base64`. A part that is withheld keeps its `bytes` and has no content. The fields themselves have one
//! codec, that of the types.

mod straight;
mod strict;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::fields::{self};
use super::given::{self, Given};
use super::{Form, Reading, Trust};
use crate::invalid::at;
use crate::json::Json;
use crate::redact::{redact_json, redact_member};
use crate::validate::part_labels;
use crate::{Draft, Event, InvalidEvent, Part, Tenant, decimal, limits};

/// Reads one native document. Refers to its parts by content: `parts_root`, digests and parts without content
/// are the trail's business and not read.
pub fn read(text: &str, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    take(fields::document(text)?, reading)
}

/// Reads what a producer sent, if nothing in it is unusual, with what it says ([`super::Claim::said`]): many times
/// faster than [`take`], and the same.
pub(super) fn claim(text: &str, tenant: &Tenant, channel: &str) -> Option<(Draft, String)> {
    straight::read(text, tenant, channel)
}

/// Reads one that is parsed already.
pub(super) fn take(mut document: Json, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
    redact(&mut document);
    fields::refuse_server_only(&document, reading)?;
    strip(&mut document, reading.trust);
    let mut parts = parts(document.remove("parts"))?;
    let metadata = take_metadata(&mut parts)?;
    let event = event(&document, reading)?;
    event.validate()?;
    let given = Given::between(&fields_of(&event)?, &document).said();
    given::pack(&mut parts, metadata, Form::Native, &given)?;
    Ok(Draft { event, parts })
}

/// Writes an event in native form, with the content of those of its parts that may be shown.
pub fn write(event: &Event, parts: &[Part]) -> Result<String, InvalidEvent> {
    let (metadata, given) = given::unpack(parts, Form::Native);
    let mut document = fields_of(event)?;
    given.apply(&mut document);
    let shown = shown_parts(event, parts, metadata.as_ref());
    match (document.get("parts").is_some(), shown.is_empty()) {
        (true, true) => drop(document.remove("parts")),
        (_, false) => document.set("parts", Json::Array(shown)),
        (false, true) => {}
    }
    Ok(document.to_string())
}

/// Redacts by key; the one telling name that the form itself has, `source.token`, is a digest.
fn redact(document: &mut Json) {
    for (name, value) in document.members_mut().into_iter().flatten() {
        match value {
            Json::Object(members) if name == "source" => {
                for (name, value) in members.iter_mut().filter(|(name, _)| name != "token") {
                    redact_member(name, value);
                }
            }
            value if name == "parts" => drop(redact_json(value)),
            value => drop(redact_member(name, value)),
        }
    }
}

/// Takes out what must not come back out of the `metadata` part over what Greffier says itself.
fn strip(document: &mut Json, trust: Trust) {
    document.remove("parts_root");
    for name in ["user", "agent"] {
        if let Some(object) = document.get_mut(name)
            && matches!(object.get("verified"), Some(Json::Bool(false) | Json::Null))
        {
            object.remove("verified");
        }
    }
    if trust == Trust::Outside {
        document.remove("recorded_at");
        if let Some(source) = document.get_mut("source") {
            source.remove("channel");
            source.remove("node");
        }
    }
}

fn event(document: &Json, reading: &Reading<'_>) -> Result<Event, InvalidEvent> {
    let mut typed = document.clone();
    exact(&mut typed);
    let mut default = |name: &str, value: Json| {
        if typed.get(name).is_none() {
            typed.set(name, value);
        }
    };
    default("v", Json::integer(Event::VERSION));
    default("id", Json::text(reading.id.to_string()));
    default("tenant", Json::text(reading.tenant.as_str()));
    default("source", Json::Object(Vec::new()));
    if typed.get("tenant").and_then(Json::as_text) != Some(reading.tenant.as_str()) {
        return Err(InvalidEvent::new("tenant", "must be the tenant that the event is recorded for"));
    }
    for name in ["time", "recorded_at"] {
        if let Some(Json::String(text)) = typed.get_mut(name)
            && let Some(time) = fields::time(text)
        {
            *text = time.to_string();
        }
    }
    if let Some(source) = typed.get_mut("source")
        && source.get("channel").is_none()
    {
        source.set("channel", Json::text(reading.channel));
    }
    if let Some(resource) = typed.get_mut("resource")
        && let Some(given) = resource.get("uri").and_then(Json::as_text)
    {
        match fields::uri(given) {
            Some(uri) => resource.set("uri", Json::String(uri)),
            None => drop(resource.remove("uri")),
        }
    }
    decode(&typed.to_string())
}

/// Makes numbers what our integers can hold, and leaves out nulls and numbers out of range. What changes is kept
/// as given.
fn exact(json: &mut Json) {
    match json {
        Json::Number(text) => {
            if let Some(number) = decimal::scaled(text, 0) {
                *text = number.to_string();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(exact),
        Json::Object(members) => {
            members.retain(|(_, value)| match value {
                Json::Null => false,
                Json::Number(text) => decimal::scaled(text, 0).is_some(),
                _ => true,
            });
            members.iter_mut().for_each(|(_, value)| exact(value));
        }
        _ => {}
    }
}

/// The types' own codec. Its messages may quote a value: only what follows the last `expected` is ours.
fn decode(text: &str) -> Result<Event, InvalidEvent> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let field = if path.is_empty() || path == "." { "document".to_owned() } else { dotted(&path) };
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            let field = if field == "document" { name.to_owned() } else { format!("{field}.{name}") };
            return InvalidEvent::new(field, "is missing");
        }
        let foreign = ["invalid type", "unknown variant", "invalid value", "invalid length"];
        match message.rsplit_once(", expected ") {
            Some((before, expected)) if foreign.iter().any(|start| before.starts_with(start)) => {
                InvalidEvent::new(field, format!("must be {expected}"))
            }
            _ if field == "tenant" => InvalidEvent::new(field, "must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}"),
            _ if field == "time" || field == "recorded_at" => {
                InvalidEvent::new(field, "must be RFC 3339, as in 2026-03-06T14:32:07.891000Z")
            }
            _ if field == "id" => InvalidEvent::new(field, "must be a UUID"),
            _ => InvalidEvent::new(field, "is not valid"),
        }
    })
}

/// `user.roles[3]` as `user.roles.3`.
fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

/// An event's fields without its parts.
fn fields_of(event: &Event) -> Result<Json, InvalidEvent> {
    let text =
        serde_json::to_string(event).map_err(|_| InvalidEvent::new("event", "cannot be written as JSON"))?;
    Json::parse(&text)
}

fn parts(json: Option<Json>) -> Result<Vec<Part>, InvalidEvent> {
    let items = match json {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(items)) => items,
        Some(_) => return Err(InvalidEvent::new("parts", "must be a list")),
    };
    limits::PARTS.check_len(items.len())?;
    let parts =
        items.iter().enumerate().map(|(index, item)| part(index, item)).collect::<Result<Vec<_>, _>>()?;
    given::distinct(parts.iter().map(|part| part.name.as_str()))?;
    Ok(parts)
}

/// A part's fields are few, so that nothing of its content can hide beside it and outlive it.
const ONLY: &str = "must have `name`, `media` and one of `json`, `text`, `base64`, and nothing else";

fn part(index: usize, item: &Json) -> Result<Part, InvalidEvent> {
    let place = at("parts", index);
    let wrong = |name: &str, problem: &'static str| Err(InvalidEvent::new(at(&place, name), problem));
    let (mut name, mut media, mut content) = (None, None, None);
    for (field, value) in item.members() {
        if matches!(field.as_str(), "json" | "text" | "base64") && content.is_some() {
            return wrong(field, "must be the only content of its part");
        }
        match (field.as_str(), value) {
            ("name", Json::String(text)) => name = Some(text.clone()),
            ("media", Json::String(text)) => media = Some(text.clone()),
            ("json", json) => content = Some(("application/json", json.to_string().into_bytes())),
            ("text", Json::String(text)) => content = Some(("text/plain", text.clone().into_bytes())),
            ("base64", Json::String(text)) => match BASE64_STANDARD.decode(text) {
                Ok(bytes) => content = Some(("application/octet-stream", bytes)),
                Err(_) => return wrong(field, "must be standard base64 with padding"),
            },
            ("name" | "media" | "text" | "base64", _) => return wrong(field, "must be a string"),
            _ => return Err(InvalidEvent::new(place, ONLY)),
        }
    }
    let Some((usual, content)) = content else {
        return wrong("json", "is missing: give the part's content as `json`, `text` or `base64`");
    };
    let name = name.unwrap_or_default();
    let media = media.unwrap_or_else(|| usual.to_owned());
    part_labels(index, &name, &media)?;
    Ok(Part { name, media, content })
}

/// The producer's metadata, to which what is kept as given is added.
fn take_metadata(parts: &mut Vec<Part>) -> Result<Option<Json>, InvalidEvent> {
    let Some(index) = parts.iter().position(|part| part.name == "metadata") else { return Ok(None) };
    let part = parts.remove(index);
    let json = std::str::from_utf8(&part.content).ok().and_then(|text| Json::parse(text).ok());
    match json {
        Some(json @ Json::Object(_)) if part.media == "application/json" => Ok(Some(json)),
        _ => Err(InvalidEvent::new(
            at("parts", index),
            "of metadata must be a JSON object, `application/json`",
        )),
    }
}

/// The parts as the document shows them: in the order of the event where it names them, else as they come.
fn shown_parts(event: &Event, parts: &[Part], metadata: Option<&Json>) -> Vec<Json> {
    let metadata = metadata.map(|metadata| given::json_part("metadata", metadata));
    let shown = |part: &Part| -> Option<Json> {
        if part.name == "metadata" { metadata.as_ref().map(part_json) } else { Some(part_json(part)) }
    };
    if event.parts.is_empty() {
        return parts.iter().filter_map(shown).collect();
    }
    let named = event.parts.iter().filter_map(|reference| match given::part(parts, &reference.name) {
        Some(part) if !reference.truncated => shown(part),
        Some(part) => {
            let mut json = part_json(part);
            json.set("bytes", Json::integer(reference.bytes));
            json.set("truncated", Json::Bool(true));
            Some(json)
        }
        None => serde_json::to_string(reference).ok().and_then(|text| Json::parse(&text).ok()),
    });
    named.collect()
}

fn part_json(part: &Part) -> Json {
    let text = std::str::from_utf8(&part.content).ok();
    let same = |json: &Json| text == Some(json.to_string().as_str());
    let json =
        if part.media == "application/json" { text.and_then(|text| Json::parse(text).ok()) } else { None };
    let (name, content) = match (json.filter(same), text) {
        (Some(json), _) => ("json", json),
        (None, Some(text)) => ("text", Json::text(text)),
        (None, None) => ("base64", Json::text(BASE64_STANDARD.encode(&part.content))),
    };
    Json::Object(vec![
        ("name".to_owned(), Json::text(&part.name)),
        ("media".to_owned(), Json::text(&part.media)),
        (name.to_owned(), content),
    ])
}
