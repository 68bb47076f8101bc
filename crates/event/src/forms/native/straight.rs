//! Reading a native document in one pass, from its text into the event and its parts.
//!
//! It reads what Greffier's own clients write and whatever else says things plainly: every member known, every value as
//! it would be written back. Of such a document nothing has to be kept as given. Any other is read by way of a tree
//! ([`super::take`]); so this may give up wherever something is unusual, and says exactly the same where it does not.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::strict::{self, Strict, refused};
use crate::forms::given::{self, GIVEN_KEY};
use crate::limits::{self, DOCUMENT_BYTES, DOCUMENT_DEPTH};
use crate::redact::redact_into;
use crate::validate::part_labels;
use crate::{Draft, Event, Part, Source, Tenant, is_reserved_agent, is_reserved_uri};

/// The levels of a document above a part's content: the document, its parts, the part.
const ABOVE_CONTENT: usize = 3;

/// Reads a document from a producer, and what it says as [`crate::forms::Claim::said`] has it. `None` where it is to be
/// read the long way, which also says what is wrong with it.
pub(super) fn read(text: &str, tenant: &Tenant, channel: &str) -> Option<(Draft, String)> {
    (text.len() <= DOCUMENT_BYTES).then_some(())?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let (mut event, aside) = reader.deserialize_map(Document(tenant)).ok()?;
    reader.end().ok()?;
    event.source = Some(aside.source.unwrap_or_default().through(channel));
    let mut parts = aside.parts.unwrap_or_default();
    (event.tenant == *tenant && is_claim(&event) && !lists_objects(&event)).then_some(())?;
    event.validate().ok()?;
    limits::PARTS.check_len(parts.len()).ok()?;
    let mut labels = parts.iter().enumerate();
    labels.try_for_each(|(at, (part, _))| part_labels(at, &part.name, &part.media)).ok()?;
    given::distinct(parts.iter().map(|(part, _)| part.name.as_str())).ok()?;
    // What a producer adds for itself stands behind all else.
    if let Some(at) = parts.iter().position(|(part, _)| part.name == given::METADATA) {
        let metadata = parts.remove(at);
        is_metadata(&metadata).then_some(())?;
        parts.push(metadata);
    }
    let said = said(&mut event, &parts)?;
    Some((Draft { event, parts: parts.into_iter().map(|(part, _)| part).collect() }, said))
}

/// Whether it says nothing that only Greffier may say.
fn is_claim(event: &Event) -> bool {
    let Event { recorded_at, parts_root, session_link, agent, user, resource, .. } = event;
    let stamped = recorded_at.is_some() || parts_root.is_some() || session_link.is_some();
    let agent = agent.as_ref().is_some_and(|agent| agent.verified || is_reserved_agent(&agent.id));
    let user = user.as_ref().is_some_and(|user| user.verified);
    let uri = resource.as_ref().and_then(|resource| resource.uri.as_deref()).is_some_and(is_reserved_uri);
    !(stamped || agent || user || uri)
}

/// Whether it has lists of objects. The long way says their members in the order in which they came, and what it says has
/// to stay the same: repetitions are known by it.
fn lists_objects(event: &Event) -> bool {
    event.content_safety.as_ref().is_some_and(|safety| !safety.redactions.is_empty())
        || event.agent.as_ref().is_some_and(|agent| !agent.via.is_empty())
        || event.outcome.as_ref().is_some_and(|outcome| !outcome.attempts.is_empty())
}

/// Whether this is metadata that stays as it is: an object that is not empty and has no reserved name.
fn is_metadata((part, form): &(Part, Shown)) -> bool {
    *form == Shown::Json
        && part.content != b"{}"
        && memchr::memmem::find(&part.content, GIVEN_KEY.as_bytes()).is_none()
        && part.content.first() == Some(&b'{')
}

/// The event in native form, its channel left out, and its parts.
fn said(event: &mut Event, parts: &[(Part, Shown)]) -> Option<String> {
    let contents: usize = parts.iter().map(|(part, _)| part.content.len() + 64).sum();
    let mut said = Vec::with_capacity(512 + contents);
    let channel = event.source.as_mut().map(|source| std::mem::take(&mut source.channel));
    serde_json::to_writer(&mut said, &*event).ok()?;
    if let (Some(source), Some(channel)) = (&mut event.source, channel) {
        source.channel = channel;
    }
    if !parts.is_empty() {
        said.pop();
        said.extend_from_slice(b",\"parts\":[");
        for (at, (part, shown)) in parts.iter().enumerate() {
            said.extend_from_slice(if at == 0 { b"{\"name\":" } else { b",{\"name\":" });
            serde_json::to_writer(&mut said, &part.name).ok()?;
            said.extend_from_slice(b",\"media\":");
            serde_json::to_writer(&mut said, &part.media).ok()?;
            match (shown, std::str::from_utf8(&part.content)) {
                (Shown::Json, _) => {
                    said.extend_from_slice(b",\"json\":");
                    said.extend_from_slice(&part.content);
                }
                (Shown::Bytes, Ok(text)) => {
                    said.extend_from_slice(b",\"text\":");
                    serde_json::to_writer(&mut said, text).ok()?;
                }
                (Shown::Bytes, Err(_)) => {
                    said.extend_from_slice(b",\"base64\":");
                    serde_json::to_writer(&mut said, &BASE64_STANDARD.encode(&part.content)).ok()?;
                }
            }
            said.push(b'}');
        }
        said.extend_from_slice(b"]}");
    }
    String::from_utf8(said).ok()
}

/// How a part is written back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As JSON: compact, as it was read here.
    Json,
    /// As text, or else as base64.
    Bytes,
}

/// What stands in a document beside what the event's own codec reads.
#[derive(Default)]
struct Aside {
    parts: Option<Vec<(Part, Shown)>>,
    source: Option<Origin>,
}

/// What a producer may say of how an event came: the rest of a [`Source`] is Greffier's.
#[derive(Default, Deserialize)]
struct Origin {
    client: Option<String>,
    ip: Option<String>,
    oauth_client: Option<String>,
    producer: Option<String>,
    protocol: Option<String>,
    sequence: Option<u64>,
    token: Option<String>,
}

impl Origin {
    fn through(self, channel: &str) -> Source {
        let Origin { client, ip, oauth_client, producer, protocol, sequence, token } = self;
        Source {
            channel: channel.to_owned(),
            client,
            ip,
            oauth_client,
            producer,
            protocol,
            sequence,
            token,
            ..Source::default()
        }
    }
}

/// A document for this tenant.
struct Document<'a>(&'a Tenant);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = (Event, Aside);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(Event, Aside), A::Error> {
        let mut aside = Aside::default();
        let (due, next) = ([Some("v"), Some("tenant"), Some("id")], Next::Given);
        let members = Members { members, tenant: self.0, aside: &mut aside, due, next };
        let event = Event::deserialize(MapAccessDeserializer::new(members))?;
        Ok((event, aside))
    }
}

/// The members that the event's own codec is shown: parts and source are taken aside, and what goes without saying is
/// added.
struct Members<'a, A> {
    members: A,
    tenant: &'a Tenant,
    aside: &'a mut Aside,
    /// What an event must have and was not given yet.
    due: [Option<&'static str>; 3],
    next: Next,
}

/// The value that is asked for next.
enum Next {
    Given,
    /// In one spelling of several.
    Spelled(fn(&str) -> bool),
    /// Not given.
    Version,
    Tenant,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            match self.members.next_key_seed(Key { seed: &mut seed, due: &mut self.due })? {
                Some(Name::Known(key, next)) => {
                    self.next = next;
                    return Ok(Some(key));
                }
                Some(Name::Parts) if self.aside.parts.is_none() => {
                    self.aside.parts = Some(self.members.next_value_seed(Parts)?);
                }
                Some(Name::Source) if self.aside.source.is_none() => {
                    self.aside.source = Some(self.members.next_value_seed(strict::seed())?);
                }
                Some(Name::Parts | Name::Source) => return Err(refused()),
                None => break,
            }
        }
        let Some(name) = self.due.iter_mut().find_map(Option::take) else { return Ok(None) };
        self.next = match name {
            "v" => Next::Version,
            "tenant" => Next::Tenant,
            // Whoever reads the document the long way makes one.
            _ => return Err(refused()),
        };
        seed.map(|seed| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.next {
            Next::Given => self.members.next_value_seed(Strict(seed)),
            Next::Spelled(so) => self.members.next_value_seed(Spelled(seed, so)),
            Next::Version => seed.deserialize(Event::VERSION.into_deserializer()),
            Next::Tenant => seed.deserialize(self.tenant.as_str().into_deserializer()),
        }
    }
}

/// The name of a member.
struct Key<'a, K> {
    seed: &'a mut Option<K>,
    due: &'a mut [Option<&'static str>; 3],
}

enum Name<K> {
    Parts,
    Source,
    Known(K, Next),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, K> {
    type Value = Name<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Key<'_, K> {
    type Value = Name<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let next = match name {
            "parts" => return Ok(Name::Parts),
            "source" => return Ok(Name::Source),
            "id" => Next::Spelled(is_id),
            "time" => Next::Spelled(is_time),
            _ => Next::Given,
        };
        if let Some(due) = self.due.iter_mut().find(|due| **due == Some(name)) {
            *due = None;
        }
        let seed = self.seed.take().ok_or_else(refused)?;
        Ok(Name::Known(seed.deserialize(name.into_deserializer())?, next))
    }
}

/// A text that must be spelled as it would be written back.
struct Spelled<S>(S, fn(&str) -> bool);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Spelled<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Spelled<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        let Spelled(seed, so) = self;
        if so(text) { seed.deserialize(text.into_deserializer()) } else { Err(refused()) }
    }
}

/// Whether a text has the shape of a pattern, in which `0` stands for any digit and `x` for a lowercase hex digit.
fn has_shape(text: &str, pattern: &[u8]) -> bool {
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        _ => byte == *shape,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern).all(fits)
}

fn is_id(text: &str) -> bool {
    has_shape(text, b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

/// No leap second either: it is written as the one before.
fn is_time(text: &str) -> bool {
    has_shape(text, b"0000-00-00T00:00:00.000000Z") && text.get(17..19) != Some("60")
}

/// The parts with their content.
struct Parts;

impl<'de> DeserializeSeed<'de> for Parts {
    type Value = Vec<(Part, Shown)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Parts {
    type Value = Vec<(Part, Shown)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(GivenPart { name, media, json, text, base64 }) =
            items.next_element_seed(strict::seed())?
        {
            let json_media = media.as_deref().is_none_or(|media| media == JSON);
            let (usual, content, shown) = match (json, text, base64) {
                (Some(json), None, None) => {
                    let mut content = String::with_capacity(json.get().len());
                    redact_into(&mut content, json.get(), DOCUMENT_DEPTH - ABOVE_CONTENT)
                        .ok_or_else(refused)?;
                    (JSON, content.into_bytes(), if json_media { Shown::Json } else { Shown::Bytes })
                }
                (None, Some(text), None) => ("text/plain", text.into_bytes(), Shown::Bytes),
                (None, None, Some(base64)) => {
                    let bytes = BASE64_STANDARD.decode(base64).map_err(|_| refused())?;
                    ("application/octet-stream", bytes, Shown::Bytes)
                }
                _ => return Err(refused()),
            };
            let media = media.unwrap_or_else(|| usual.to_owned());
            // Such bytes would be looked at again when they are written.
            if media == JSON && shown == Shown::Bytes {
                return Err(refused());
            }
            parts.push((Part { name, media, content }, shown));
        }
        Ok(parts)
    }
}

/// The media type of JSON.
const JSON: &str = "application/json";

/// A part as it is given.
#[derive(Deserialize)]
struct GivenPart<'a> {
    name: String,
    media: Option<String>,
    #[serde(borrow)]
    json: Option<&'a RawValue>,
    text: Option<String>,
    base64: Option<String>,
}
