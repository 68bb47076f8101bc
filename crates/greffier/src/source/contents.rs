//! The contents of an event as answers show them: under the name of their kind, or why there are none.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use greffier_event::Part;
use greffier_ledger::{Found, KeyRing, OpenedPart, PartState, ReadError};
use serde_json::{Value, json};

use super::Hit;

/// Under which names a part has its content, or the reason why it has none.
pub(super) const KINDS: [&str; 5] = ["json", "text", "base64", "gone", "unreadable"];

const GONE: &str = "its key is gone: it was erased, or these are not the keys it was written with";
const DAMAGED: &str = "it is damaged or was exchanged: run `greffier verify`";

/// The parts of one event.
pub(crate) enum Contents {
    /// Decrypted, or gone by right, by the word of an entry.
    Known(Vec<(String, Result<Part, String>)>),
    /// Why not.
    Closed(&'static str),
}

impl Contents {
    /// Opens what an entry holds. Erasure destroys keys, and what remains is still to be read.
    pub(super) fn open(found: &Found, keys: &KeyRing) -> Result<Contents, ReadError> {
        let known = |state| match state {
            PartState::Open(part) => {
                let OpenedPart { name, media, content, .. } = part;
                (name.clone(), Ok(Part { name, media, content }))
            }
            PartState::Gone { name, why, .. } => (name, Err(why.to_string())),
        };
        match found.parts(keys) {
            Ok(parts) => Ok(Contents::Known(parts.into_iter().map(known).collect())),
            Err(ReadError::NoKey(_)) => Ok(Contents::Closed(GONE)),
            Err(ReadError::Part(_)) => Ok(Contents::Closed(DAMAGED)),
            Err(error) => Err(error),
        }
    }

    /// What is known of each part.
    fn known(&self) -> &[(String, Result<Part, String>)] {
        match self {
            Contents::Known(parts) => parts,
            Contents::Closed(_) => &[],
        }
    }
}

impl Hit {
    /// Puts contents into the event's parts.
    pub(super) fn show(&mut self, contents: Option<&Contents>) {
        let (Some(contents), Some(parts)) =
            (contents, self.event.get_mut("parts").and_then(Value::as_array_mut))
        else {
            return;
        };
        for shown in parts.iter_mut().filter_map(Value::as_object_mut) {
            let name = shown.get("name").and_then(Value::as_str).unwrap_or_default();
            let known = contents.known().iter().find(|(known, _)| known == name);
            let (kind, content) = match (known, contents) {
                (Some((_, Ok(part))), _) => content(part),
                (Some((_, Err(why))), _) => ("gone", json!(why)),
                (None, Contents::Closed(why)) => ("unreadable", json!(why)),
                (None, Contents::Known(_)) => ("unreadable", json!(DAMAGED)),
            };
            shown.insert(kind.to_owned(), content);
        }
    }
}

fn content(part: &Part) -> (&'static str, Value) {
    let Ok(text) = std::str::from_utf8(&part.content) else {
        return ("base64", json!(BASE64_STANDARD.encode(&part.content)));
    };
    // What was cut short is JSON no longer.
    let json = if part.media == "application/json" { serde_json::from_str(text).ok() } else { None };
    json.map_or_else(|| ("text", json!(text)), |json| ("json", json))
}
