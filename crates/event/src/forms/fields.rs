//! Reading fields of a document, with errors that name them.

use super::{Reading, Trust};
use crate::json::Json;
use crate::{InvalidEvent, Source, Timestamp, decimal, is_reserved_agent, is_reserved_uri, limits};

/// What only Greffier says, in the spellings of all forms. (`false` and null say nothing and may stand.)
const SERVER_ONLY: [&[&str]; 11] = [
    &["recorded_at"],
    &["recordedAt"],
    &["parts_root"],
    &["session_link"],
    &["verified"],
    &["user", "verified"],
    &["agent", "verified"],
    &["source", "channel"],
    &["source", "digest"],
    &["source", "node"],
    &["source", "skew_us"],
];

/// Where a document names the agent.
const AGENTS: [&[&str]; 5] = [&["agent_id"], &["agentId"], &["agent"], &["agent", "id"], &["user", "agent"]];

/// Where a document names the resource.
const RESOURCES: [&[&str]; 3] = [&["resource"], &["resource", "uri"], &["action", "resource"]];

/// Refuses what only Greffier may say, unless the document is Greffier's own.
pub(super) fn refuse_server_only(document: &Json, reading: &Reading<'_>) -> Result<(), InvalidEvent> {
    if reading.trust == Trust::Own {
        return Ok(());
    }
    let find = |path: &[&str]| path.iter().try_fold(document, |json, name| json.get(name));
    let refuse = |path: &[&str], problem: &'static str| Err(InvalidEvent::new(path.join("."), problem));
    for path in SERVER_ONLY {
        if find(path).is_some_and(|value| !matches!(value, Json::Null | Json::Bool(false))) {
            return refuse(path, "is set by Greffier and cannot be given");
        }
    }
    for path in AGENTS {
        if find(path).and_then(Json::as_text).is_some_and(is_reserved_agent) {
            return refuse(path, "is reserved for Greffier's own acts");
        }
    }
    for path in RESOURCES {
        if find(path).and_then(Json::as_text).is_some_and(is_reserved_uri) {
            return refuse(path, "has a scheme reserved for Greffier itself");
        }
    }
    Ok(())
}

/// Parses a document, which must be an object.
pub(super) fn document(text: &str) -> Result<Json, InvalidEvent> {
    let document = Json::parse(text)?;
    match document {
        Json::Object(_) => Ok(document),
        _ => Err(InvalidEvent::new("document", "must be a JSON object")),
    }
}

/// One object of a document, with its path for errors. A field that is null is as good as absent.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    json: Option<&'a Json>,
    path: &'static str,
}

impl<'a> Fields<'a> {
    /// The document itself.
    pub(super) fn of(document: &'a Json) -> Fields<'a> {
        Fields { json: Some(document), path: "" }
    }

    fn error(&self, name: &str, problem: &'static str) -> InvalidEvent {
        let dot = if self.path.is_empty() { "" } else { "." };
        InvalidEvent::new(format!("{}{dot}{name}", self.path), problem)
    }

    /// A field that is there and not null.
    pub(super) fn any(&self, name: &str) -> Option<&'a Json> {
        self.json?.get(name).filter(|value| **value != Json::Null)
    }

    /// An object inside; an absent one has no fields.
    pub(super) fn object(&self, name: &'static str) -> Result<Fields<'a>, InvalidEvent> {
        match self.any(name) {
            None => Ok(Fields { json: None, path: name }),
            Some(json @ Json::Object(_)) => Ok(Fields { json: Some(json), path: name }),
            Some(_) => Err(self.error(name, "must be an object")),
        }
    }

    /// Whether the object is there.
    pub(super) fn exists(&self) -> bool {
        self.json.is_some()
    }

    /// A string, as it is.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, InvalidEvent> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error(name, "must be a string")),
        }
    }

    /// A string for a field that is absent when it is empty.
    pub(super) fn filled(&self, name: &str) -> Result<Option<String>, InvalidEvent> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, InvalidEvent> {
        let wrong = || self.error(name, "must be a list of strings");
        match self.any(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(items)) => {
                items.iter().map(|item| item.as_text().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A truth value.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, InvalidEvent> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(self.error(name, "must be true or false")),
        }
    }

    /// A number times 10^`places` as the nearest integer; none if it is out of range.
    pub(super) fn number(&self, name: &str, places: i32) -> Result<Option<i64>, InvalidEvent> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::Number(text)) => Ok(decimal::scaled(text, places)),
            Some(_) => Err(self.error(name, "must be a number")),
        }
    }

    /// As [`Fields::number`]; none if it is negative.
    pub(super) fn count(&self, name: &str, places: i32) -> Result<Option<u64>, InvalidEvent> {
        Ok(self.number(name, places)?.and_then(|number| u64::try_from(number).ok()))
    }

    /// A time, which must be there; digits past the sixth are cut.
    pub(super) fn time(&self, name: &str) -> Result<Timestamp, InvalidEvent> {
        let text = self.text(name)?.ok_or_else(|| self.error(name, "is missing"))?;
        time(text).ok_or_else(|| self.error(name, "must be RFC 3339, as in 2026-03-06T14:32:07.891Z"))
    }
}

/// How a document of a founding form reached us. Neither form has a field for it: `source` says who numbers the
/// producer's events, in our own names, and nothing else is read of it.
pub(super) fn source(document: &Fields<'_>, reading: &Reading<'_>) -> Result<Source, InvalidEvent> {
    let mut source = Source { channel: reading.channel.to_owned(), ..Source::default() };
    if let Some(Json::Object(_)) = document.any("source") {
        let given = document.object("source")?;
        source.producer = given.filled("producer")?;
        source.sequence = given.count("sequence", 0)?.filter(|_| source.producer.is_some());
    }
    Ok(source)
}

/// Reads a time to the microsecond below.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let (whole, rest) = text.split_once(['.', ','])?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, offset) = rest.split_at_checked(digits)?;
    format!("{whole}.{}{offset}", fraction.get(..6)?).parse().ok()
}

/// A resource as a leaf may name it: without query and fragment, white space escaped.
pub(super) fn uri(text: &str) -> Option<String> {
    let bare = text.split(['?', '#']).next().unwrap_or_default();
    let mut uri = String::with_capacity(bare.len());
    for c in bare.chars() {
        if c.is_whitespace() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                uri.push_str(&format!("%{byte:02X}"));
            }
        } else {
            uri.push(c);
        }
    }
    (!uri.is_empty()).then_some(uri)
}

/// A time as JSON, with three fractional digits where they suffice and may be used.
pub(super) fn time_json(time: Timestamp, millis: bool) -> Json {
    let text = time.to_string();
    match text.strip_suffix("000Z") {
        Some(short) if millis => Json::text(format!("{short}Z")),
        _ => Json::text(text),
    }
}

/// Checks that a finding's type could stand in an event.
pub(super) fn is_entity(text: &str) -> bool {
    limits::REDACTION_TYPE.check(text).is_ok()
}
