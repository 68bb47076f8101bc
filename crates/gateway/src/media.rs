//! Images, audio, files and vectors inside the JSON of calls to models: cut out before inspection, put back behind it.
//!
//! A search for values in the base64 of an image finds some by chance, and hiding them would break the image. So what
//! stands where the formats put such data, and is no text, passes as it came; the record says its type, size and
//! digest in its place. A file that is text is inspected as text. Policies are told which types a request holds.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aws_lc_rs::digest;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use greffier_safety::json::{JsonError, JsonFinding};
use greffier_safety::{Marks, Rules, Scanner, json, redact_text, replace_text};

use crate::adapt::view::{View, quoted, splice};

/// Shorter data is inspected like any string: it would be no image, and could be a number.
const MIN_BYTES: usize = 64;
/// How deep such data lies: a file in a tool's result in a message is at eight.
const MAX_DEPTH: usize = 24;
/// Types a policy is told of; a request with more has the first ones.
const MAX_KINDS: usize = 32;
/// Longest media type kept.
const MAX_TYPE: usize = 100;

/// Where no key ends like one of these, and no data URL stands, there is nothing to look for.
const SIGNS: [&str; 13] = [
    "\"data\"",
    "\"file_data\"",
    "b64_json\"",
    "image_b64\"",
    "\"image_generation_call\"",
    "\"embedding\"",
    "\"values\"",
    "\"encrypted_content\"",
    "ignature\"",
    "image_url\"",
    "\"input_image\"",
    "\"file_id\"",
    "ile_uri\"",
];

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What inspection made of a document.
pub(crate) struct Inspected {
    pub(crate) findings: Vec<JsonFinding>,
    /// What may travel on.
    pub(crate) forward: String,
    /// What may be recorded.
    pub(crate) record: String,
    /// Types of the media it holds or names, as policies are told: `media:image`, `media:image/png`.
    pub(crate) kinds: BTreeSet<String>,
}

/// The document without what is no text: for whoever is asked about its texts.
pub(crate) fn texts(raw: &str) -> Cow<'_, str> {
    Found::of(raw).skeleton()
}

/// Inspects a document of a call to a model, with what is no text left alone.
pub(crate) fn inspect(
    raw: &str,
    scanner: &Scanner,
    rules: &Rules,
    marks: &Marks,
) -> Result<Inspected, JsonError> {
    let found = Found::of(raw);
    let skeleton = found.skeleton();
    let bytes = skeleton.as_bytes();
    let inspection = json::inspect(bytes, scanner)?;
    let lossy = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(lossy);
    let mut findings = inspection.findings.clone();
    let mut forward = text(inspection.replace(bytes, rules, marks));
    let mut record = text(inspection.redact(bytes, |_| true));
    if !found.blobs.is_empty() {
        let told: Vec<(String, String)> =
            found.blobs.iter().map(|blob| blob.tell(scanner, rules, marks, &mut findings)).collect();
        forward = found.fill(&forward, told.iter().map(|(forward, _)| forward.as_str()));
        record = found.fill(&record, told.iter().map(|(_, record)| record.as_str()));
    }
    Ok(Inspected { findings, forward, record, kinds: found.kinds })
}

/// What a document holds that is no text of its own.
struct Found<'a> {
    raw: &'a str,
    /// In order of place.
    blobs: Vec<Blob<'a>>,
    kinds: BTreeSet<String>,
}

struct Blob<'a> {
    value: View<'a>,
    /// Its way from the top: numbers of members and items.
    path: Vec<usize>,
    key: &'static str,
    data: Data,
}

enum Data {
    /// Told by type, size and digest.
    Binary(String),
    /// A text in base64, with what stands before it in its string.
    Text { head: String, text: String },
}

impl Blob<'_> {
    /// The JSON value that may travel on, and the one that may be recorded.
    fn tell(
        &self,
        scanner: &Scanner,
        rules: &Rules,
        marks: &Marks,
        findings: &mut Vec<JsonFinding>,
    ) -> (String, String) {
        match &self.data {
            Data::Binary(said) => (self.value.text().to_owned(), quoted(said)),
            Data::Text { head, text } => {
                let pointer = format!("/{}", self.key);
                let spans = scanner.scan(text);
                findings.extend(spans.iter().map(|span| JsonFinding {
                    entity: span.entity,
                    pointer: pointer.clone(),
                    count: 1,
                }));
                if spans.is_empty() {
                    return (self.value.text().to_owned(), self.value.text().to_owned());
                }
                let encoded = |text: String| quoted(&format!("{head}{}", STANDARD.encode(text)));
                let forward = replace_text(text, &spans, &rules.at(&pointer), marks);
                let forward = if forward == *text { self.value.text().to_owned() } else { encoded(forward) };
                (forward, encoded(redact_text(text, &spans, |_| true)))
            }
        }
    }
}

impl<'a> Found<'a> {
    fn of(raw: &'a str) -> Found<'a> {
        let mut found = Found { raw, blobs: Vec::new(), kinds: BTreeSet::new() };
        if asks_by_tokens(raw) {
            found.kind("tokens", None);
        }
        if has_signs(raw.as_bytes())
            && let Ok(view) = View::parse(raw)
        {
            found.walk(view, &mut Vec::new());
        }
        found
    }

    fn skeleton(&self) -> Cow<'a, str> {
        if self.blobs.is_empty() {
            return Cow::Borrowed(self.raw);
        }
        let spans = self.blobs.iter().map(|blob| (blob.value.span_in(self.raw), "\"\""));
        Cow::Owned(splice(self.raw, spans))
    }

    /// Puts values into their places in what inspection made of the skeleton: strings were changed, the structure
    /// was not.
    fn fill<'e>(&self, redacted: &str, values: impl Iterator<Item = &'e str>) -> String {
        let Ok(view) = View::parse(redacted) else { return redacted.to_owned() };
        let paths: Vec<&[usize]> = self.blobs.iter().map(|blob| blob.path.as_slice()).collect();
        let mut places = Vec::with_capacity(paths.len());
        locate(view, redacted, &paths, &mut places);
        splice(redacted, places.into_iter().zip(values))
    }

    fn walk(&mut self, view: View<'a>, path: &mut Vec<usize>) {
        if path.len() >= MAX_DEPTH {
            return;
        }
        if view.is_object() {
            let members = view.entries();
            for (index, (key, value)) in members.iter().enumerate() {
                path.push(index);
                match place(key, *value, &members) {
                    Some(place) => self.take(*value, path, place),
                    None => self.walk(*value, path),
                }
                path.pop();
            }
        } else if view.is_array() {
            for (index, item) in view.items().into_iter().enumerate() {
                path.push(index);
                self.walk(item, path);
                path.pop();
            }
        }
    }

    fn take(&mut self, value: View<'a>, path: &[usize], place: Place) {
        let Place { key, media } = place;
        if value.is_array() {
            if let Some(count) = numbers(value) {
                let said = format!("<{count} numbers sha256:{}>", sha256(value.text().as_bytes()));
                self.blobs.push(Blob { value, path: path.to_vec(), key, data: Data::Binary(said) });
            }
            return;
        }
        let Some(text) = value.string() else { return };
        let (head, encoded, media) = match data_url(&text) {
            Some((head, encoded, media)) => (head, encoded, Some(media.to_owned())),
            // An address: what it leads to is not here.
            None if matches!(key, "url" | "image_url") => return self.kind("image", None),
            None if matches!(key, "file_id" | "file_uri") => {
                return self.kind(family(media.as_deref()), media.as_deref());
            }
            None => ("", text.as_str(), media),
        };
        let decoded = STANDARD.decode(encoded).or_else(|_| URL_SAFE.decode(encoded));
        let Some(bytes) = decoded.ok().filter(|bytes| bytes.len() >= MIN_BYTES || !head.is_empty()) else {
            return;
        };
        let opaque = matches!(key, "signature" | "encrypted_content" | "embedding");
        if !opaque {
            self.kind(family(media.as_deref()), media.as_deref());
        }
        let data = match std::str::from_utf8(&bytes) {
            Ok(text) if opaque && !text.is_empty() => return,
            Ok(text) => Data::Text { head: head.to_owned(), text: text.to_owned() },
            Err(_) => {
                let media = media.as_deref().filter(|_| !opaque).unwrap_or(key);
                Data::Binary(format!("<{media} {} bytes sha256:{}>", bytes.len(), sha256(&bytes)))
            }
        };
        self.blobs.push(Blob { value, path: path.to_vec(), key, data });
    }

    fn kind(&mut self, family: &str, media: Option<&str>) {
        if self.kinds.len() < MAX_KINDS {
            self.kinds.insert(format!("media:{family}"));
            self.kinds
                .extend(media.filter(|media| media.contains('/')).map(|media| format!("media:{media}")));
        }
    }
}

/// Whether there may be anything that is no text: one pass from quote to quote, for most documents hold nothing of it.
fn has_signs(raw: &[u8]) -> bool {
    let is_sign = |end: usize| {
        let before = raw.get(..=end).unwrap_or_default();
        SIGNS.iter().any(|sign| before.ends_with(sign.as_bytes()))
    };
    memchr::memchr_iter(b'"', raw).any(is_sign) || memchr::memmem::find(raw, b";base64,").is_some()
}

/// Where the formats put data.
struct Place {
    key: &'static str,
    /// As the request says it; never what the data says of itself.
    media: Option<String>,
}

/// Whether a member is such a place: by its name and its siblings.
fn place(key: &str, value: View<'_>, members: &[(String, View<'_>)]) -> Option<Place> {
    let sibling = |names: &[&str]| {
        members.iter().find(|(name, _)| names.contains(&name.as_str())).and_then(|(_, value)| value.string())
    };
    let media = || sibling(&["media_type", "mimeType", "mime_type"]).map(|said| media_type(&said));
    let is = |kind: &str| sibling(&["type"]).as_deref() == Some(kind);
    let at = |key, media: Option<String>| Some(Place { key, media });
    let audio = || sibling(&["format"]).map(|format| media_type(&format!("audio/{format}")));
    match key {
        "embedding" | "values" => at("embedding", None),
        _ if !value.text().starts_with('"') => None,
        // The text of a document is text.
        "data" if is("text") => None,
        "data" if media().is_some() => at("data", media()),
        "data" if audio().is_some() => at("data", audio()),
        "data" if sibling(&["transcript", "expires_at"]).is_some() || members.len() == 1 => {
            at("data", Some("audio/*".to_owned()))
        }
        "data" if is("redacted_thinking") => at("encrypted_content", None),
        "url" if members.iter().all(|(name, _)| matches!(name.as_str(), "url" | "detail")) => at("url", None),
        "image_url" => at("image_url", None),
        "file_data" => at("file_data", Some("application/octet-stream".to_owned())),
        "file_id" => at("file_id", None),
        "fileUri" | "file_uri" => at("file_uri", media()),
        "b64_json" | "partial_image_b64" => at("data", Some("image/*".to_owned())),
        "result" if is("image_generation_call") => at("data", Some("image/*".to_owned())),
        "encrypted_content" => at("encrypted_content", None),
        "signature" | "thoughtSignature" | "thought_signature" => at("signature", None),
        _ => None,
    }
}

/// A media type as said, without parameters, in a form that fits a record.
fn media_type(said: &str) -> String {
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fine = essence.len() <= MAX_TYPE
        && essence
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'+' | b'-' | b'*'));
    if fine && essence.contains('/') { essence } else { "application/octet-stream".to_owned() }
}

fn family(media: Option<&str>) -> &'static str {
    match media.and_then(|media| media.split('/').next()) {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        _ => "file",
    }
}

/// `data:image/png;base64,…` in three: what stands before the data, the data, the type.
fn data_url(text: &str) -> Option<(&str, &str, String)> {
    let rest = text.strip_prefix("data:")?;
    let (said, data) = rest.split_once(";base64,")?;
    let head = text.len() - data.len();
    Some((text.get(..head)?, data, media_type(said)))
}

/// How many numbers a list has, if it has nothing else and is longer than a place or a range.
fn numbers(list: View<'_>) -> Option<usize> {
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_whitespace() || b"[],.+-eE".contains(&b);
    let text = list.text();
    let count = text.bytes().filter(|byte| *byte == b',').count() + 1;
    let fractions = text.bytes().filter(|byte| *byte == b'.').count();
    // Vectors have fractions; a list of whole numbers may be anything.
    (count >= MIN_BYTES && fractions * 2 >= count && text.bytes().all(plain)).then_some(count)
}

/// Whether a question is put in numbers of tokens, which nobody here can read.
fn asks_by_tokens(raw: &str) -> bool {
    ["\"input\"", "\"prompt\""].into_iter().any(|key| {
        let Some((_, behind)) = raw.split_once(key) else { return false };
        let behind = behind.trim_start().trim_start_matches(':').trim_start();
        let first = behind.trim_start_matches(|c: char| c == '[' || c.is_ascii_whitespace());
        behind.starts_with('[') && first.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The places that sorted paths lead to.
fn locate(view: View<'_>, whole: &str, paths: &[&[usize]], places: &mut Vec<Range<usize>>) {
    let children: Vec<View<'_>> = if view.is_object() {
        view.entries().into_iter().map(|(_, value)| value).collect()
    } else {
        view.items()
    };
    for group in paths.chunk_by(|a, b| a.first() == b.first()) {
        let Some(child) = group.first().and_then(|path| children.get(*path.first()?)) else { continue };
        let below: Vec<&[usize]> = group.iter().filter_map(|path| path.get(1..)).collect();
        if below.iter().all(|path| path.is_empty()) {
            places.push(child.span_in(whole));
        } else {
            locate(*child, whole, &below, places);
        }
    }
}

#[cfg(test)]
mod tests;
