//! What a document said that its event cannot hold, kept as given.
//!
//! Reading renders the new event in the document's own form and notes each difference; writing renders again
//! and puts the differences back. So nothing has to be remembered field by field: whatever the rendering does
//! not reproduce is kept, by construction. A difference is put back only where the rendering still is what it
//! was: where Greffier has since stamped or redacted the event, the event's word stands.
//!
//! The notes are content like any other: they lie in the `metadata` part, under [`GIVEN_KEY`], beside the
//! producer's own metadata.

use std::collections::{HashMap, HashSet};

use super::Form;
use crate::json::Json;
use crate::{EventId, InvalidEvent, Part};

/// The reserved name in the `metadata` part.
pub(super) const GIVEN_KEY: &str = "greffier.given";

/// The part that holds metadata.
pub(super) const METADATA: &str = "metadata";

/// What turns a rendering into the document it came from.
#[derive(Default)]
pub(super) struct Given {
    changes: Vec<Change>,
    /// The names of an object, by its pointer, where their order is not the rendering's.
    order: Vec<(String, Vec<String>)>,
}

/// One difference: at a JSON pointer, what the rendering had and what the document has.
struct Change {
    at: String,
    was: Option<Json>,
    is: Option<Json>,
}

impl Given {
    /// Notes what turns `rendered` into `document`.
    pub(super) fn between(rendered: &Json, document: &Json) -> Given {
        let mut given = Given::default();
        given.compare(rendered, document, "");
        given
    }

    /// Keeps what was said and forgets what was left out or in which order: for a form in which Greffier adds
    /// to what a producer said. A null in place of such an addition is as good as left out.
    pub(super) fn said(mut self) -> Given {
        self.changes.retain(|change| match &change.is {
            None => false,
            Some(Json::Null) => change.was.is_none(),
            Some(_) => true,
        });
        self.order.clear();
        self
    }

    fn compare(&mut self, rendered: &Json, document: &Json, pointer: &str) {
        if rendered == document {
            return;
        }
        let (Json::Object(ours), Json::Object(theirs)) = (rendered, document) else {
            self.note(pointer.to_owned(), Some(rendered), Some(document));
            return;
        };
        let (our_index, their_index) = (rendered.index(), document.index());
        let mut added = Vec::new();
        for (name, value) in theirs {
            let child = child(pointer, name);
            match our_index.get(name.as_str()) {
                Some(ours) => self.compare(ours, value, &child),
                None => {
                    self.note(child, None, Some(value));
                    added.push(name);
                }
            }
        }
        let mut kept = Vec::new();
        for (name, value) in ours {
            if their_index.contains_key(name.as_str()) {
                kept.push(name);
            } else {
                self.note(child(pointer, name), Some(value), None);
            }
        }
        if !kept
            .iter()
            .chain(&added)
            .map(|name| name.as_str())
            .eq(theirs.iter().map(|(name, _)| name.as_str()))
        {
            self.order.push((pointer.to_owned(), theirs.iter().map(|(name, _)| name.clone()).collect()));
        }
    }

    fn note(&mut self, at: String, was: Option<&Json>, is: Option<&Json>) {
        self.changes.push(Change { at, was: was.cloned(), is: is.cloned() });
    }

    /// Puts the differences into a rendering, where it still is what it was.
    pub(super) fn apply(&self, rendered: &mut Json) {
        for change in &self.changes {
            let Some((parent, name)) = parent(rendered, &change.at) else { continue };
            if parent.get(&name) == change.was.as_ref() {
                match &change.is {
                    Some(value) => parent.set(&name, value.clone()),
                    None => drop(parent.remove(&name)),
                }
            }
        }
        for (pointer, names) in &self.order {
            if let Some(members) = find(rendered, pointer).and_then(Json::members_mut) {
                let place: HashMap<&str, usize> =
                    names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
                members.sort_by_key(|(name, _)| place.get(name.as_str()).copied().unwrap_or(usize::MAX));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.order.is_empty()
    }

    /// Names and pointers are values here, not keys: key redaction of the part finds nothing telling in them.
    fn to_json(&self, form: Form) -> Json {
        let object = |members: Vec<(&str, Option<Json>)>| {
            let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Json::Object(members.collect())
        };
        let list = |items: Vec<Json>| (!items.is_empty()).then_some(Json::Array(items));
        let change = |change: &Change| {
            object(vec![
                ("at", Some(Json::text(&change.at))),
                ("was", change.was.clone()),
                ("is", change.is.clone()),
            ])
        };
        let order = |(at, names): &(String, Vec<String>)| {
            let names = names.iter().map(Json::text).collect();
            object(vec![("at", Some(Json::text(at))), ("names", Some(Json::Array(names)))])
        };
        object(vec![
            ("form", Some(Json::text(form.as_str()))),
            ("changes", list(self.changes.iter().map(change).collect())),
            ("order", list(self.order.iter().map(order).collect())),
        ])
    }

    fn from_json(json: &Json) -> Given {
        let at = |item: &Json| Some(item.get("at")?.as_text()?.to_owned());
        let change = |item: &Json| {
            Some(Change { at: at(item)?, was: item.get("was").cloned(), is: item.get("is").cloned() })
        };
        let order = |item: &Json| {
            let names =
                item.get("names")?.items().iter().filter_map(Json::as_text).map(str::to_owned).collect();
            Some((at(item)?, names))
        };
        let items = |name| json.get(name).map(Json::items).unwrap_or_default().iter();
        Given {
            changes: items("changes").filter_map(change).collect(),
            order: items("order").filter_map(order).collect(),
        }
    }
}

/// Adds the `metadata` part, if there is anything for it to hold.
pub(super) fn pack(
    parts: &mut Vec<Part>,
    metadata: Option<Json>,
    form: Form,
    given: &Given,
) -> Result<(), InvalidEvent> {
    let mut metadata = metadata.unwrap_or(Json::Object(Vec::new()));
    if metadata.get(GIVEN_KEY).is_some() {
        return Err(InvalidEvent::new(
            METADATA,
            format!("must not have the name `{GIVEN_KEY}`, which is reserved"),
        ));
    }
    if !given.is_empty() {
        metadata.set(GIVEN_KEY, given.to_json(form));
    }
    if !metadata.members().is_empty() {
        parts.push(json_part(METADATA, &metadata));
    }
    Ok(())
}

/// Notes that an event has another id than its document, which has it under `name`.
pub(super) fn renamed(
    parts: &mut Vec<Part>,
    form: Form,
    name: &str,
    (own, id): (EventId, EventId),
) -> Result<(), InvalidEvent> {
    let (metadata, mut given) = unpack(parts, form);
    parts.retain(|part| part.name != METADATA);
    let at = child("", name);
    // What was noted of the id already, as its spelling, is the document's word.
    let noted =
        given.changes.iter().position(|change| change.at == at).map(|place| given.changes.remove(place));
    let is = noted.and_then(|change| change.is).unwrap_or_else(|| Json::text(own.to_string()));
    given.changes.push(Change { at, was: Some(Json::text(id.to_string())), is: Some(is) });
    pack(parts, metadata, form, &given)
}

/// The producer's own metadata, and what was kept as given in this form.
pub(super) fn unpack(parts: &[Part], form: Form) -> (Option<Json>, Given) {
    let Some(mut metadata) = part(parts, METADATA).and_then(|part| {
        let json = Json::parse(std::str::from_utf8(&part.content).ok()?).ok()?;
        matches!(json, Json::Object(_)).then_some(json)
    }) else {
        return (None, Given::default());
    };
    let given = metadata
        .remove(GIVEN_KEY)
        .filter(|json| json.get("form").and_then(Json::as_text) == Some(form.as_str()))
        .map(|json| Given::from_json(&json))
        .unwrap_or_default();
    ((!metadata.members().is_empty()).then_some(metadata), given)
}

/// The part of that name.
pub(super) fn part<'a>(parts: &'a [Part], name: &str) -> Option<&'a Part> {
    parts.iter().find(|part| part.name == name)
}

/// A part of JSON.
pub(super) fn json_part(name: &str, json: &Json) -> Part {
    Part {
        name: name.to_owned(),
        media: "application/json".to_owned(),
        content: json.to_string().into_bytes(),
    }
}

/// A part of what a document says at some place: text for a string, JSON for anything else.
pub(super) fn value_part(name: &str, value: &Json) -> Part {
    match value {
        Json::String(text) => {
            Part { name: name.to_owned(), media: "text/plain".to_owned(), content: text.clone().into_bytes() }
        }
        other => json_part(name, other),
    }
}

/// A part as a document shows it: [`value_part`] the other way round.
pub(super) fn part_value(part: &Part) -> Json {
    let text = String::from_utf8_lossy(&part.content);
    let json = if part.media == "application/json" { Json::parse(&text).ok() } else { None };
    json.unwrap_or_else(|| Json::text(text))
}

fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn names(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
}

fn find<'a>(json: &'a mut Json, pointer: &str) -> Option<&'a mut Json> {
    names(pointer).try_fold(json, |json, name| json.get_mut(&name))
}

/// The object that holds what a pointer points to, and its name there.
fn parent<'a>(json: &'a mut Json, pointer: &str) -> Option<(&'a mut Json, String)> {
    let (above, _) = pointer.rsplit_once('/')?;
    let name = names(pointer).last()?;
    Some((find(json, above)?, name))
}

/// Names of parts that occur twice in a list of them would make the document ambiguous.
pub(super) fn distinct<'a>(mut parts: impl Iterator<Item = &'a str>) -> Result<(), InvalidEvent> {
    let mut names = HashSet::new();
    match parts.position(|name| !names.insert(name)) {
        Some(index) => {
            Err(InvalidEvent::new(format!("parts.{index}.name"), "must not name two parts of one event"))
        }
        None => Ok(()),
    }
}
