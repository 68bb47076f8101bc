//! The contents of events, decrypted for whoever may read the trail.
//!
//! A part that cannot be opened is said to be so and is no error: erasure destroys keys, and what remains is still
//! to be read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use greffier_event::{Event, Part, Tenant};
use greffier_ledger::{Found, KeyRing, OpenedPart, PartState, ReadError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::Api;
use crate::refuse::Refused;

/// Contents of one answer, in bytes: those of one event always fit (32 parts of 1 MiB).
pub(crate) const MAX_SHOWN: usize = 32 * 1024 * 1024;
/// Events whose contents are fetched at once: memory holds those of so many, sealed and opened.
pub(crate) const FETCHED: usize = 32;

const GONE: &str = "its key is gone: it was erased, or these are not the keys it was written with";
const DAMAGED: &str = "it is damaged or was exchanged: run `greffier verify`";
const LEFT_OUT: &str = "left out, as the answer holds its most: ask for this event alone";

/// What became of one event's contents.
pub(crate) enum Contents {
    /// Each is there, or gone by right.
    Known(Vec<PartState>),
    /// Why they cannot be shown.
    Closed(&'static str),
}

impl Contents {
    /// Opens what an entry holds. What cannot be opened is no error.
    pub(crate) fn of(found: &Found, keys: &KeyRing) -> Result<Contents, ReadError> {
        match found.parts(keys) {
            Ok(parts) => Ok(Contents::Known(parts)),
            Err(ReadError::NoKey(_)) => Ok(Contents::Closed(GONE)),
            Err(error @ ReadError::Part(_)) => {
                tracing::error!(trail = %found.tenant, index = found.index, %error, "contents cannot be shown");
                Ok(Contents::Closed(DAMAGED))
            }
            Err(error) => Err(error),
        }
    }

    /// What of it is there.
    pub(crate) fn open(self) -> Vec<Part> {
        let Contents::Known(parts) = self else { return Vec::new() };
        let open = |part| match part {
            PartState::Open(OpenedPart { name, media, content, .. }) => Some(Part { name, media, content }),
            PartState::Gone { .. } => None,
        };
        parts.into_iter().filter_map(open).collect()
    }
}

/// One part as an answer shows it.
#[derive(Serialize)]
pub(crate) struct Shown {
    name: String,
    media: String,
    /// Length of the whole content, also when only a prefix is kept.
    bytes: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(flatten)]
    content: Content,
}

/// A content under the name of its kind, or why there is none.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
    /// Which entry of the trail ordered that it goes, or let it expire.
    Gone(String),
    Unreadable(&'static str),
}

/// An event's parts, each with its content or with the reason why there is none.
pub(crate) fn shown(event: &Event, contents: Contents) -> Vec<Shown> {
    let (known, why) = match contents {
        Contents::Known(parts) => (parts, DAMAGED),
        Contents::Closed(why) => (Vec::new(), why),
    };
    // Either none, or all of them in the order of the event.
    let mut known = known.into_iter();
    let mut show = |named: &greffier_event::PartRef| {
        let content = match known.next() {
            Some(PartState::Open(part)) => content(part),
            Some(PartState::Gone { why, .. }) => Content::Gone(why.to_string()),
            None => Content::Unreadable(why),
        };
        let (name, media) = (named.name.clone(), named.media.clone());
        Shown { name, media, bytes: named.bytes, truncated: named.truncated, content }
    };
    event.parts.iter().map(&mut show).collect()
}

fn length(part: &PartState) -> usize {
    match part {
        PartState::Open(part) => part.content.len(),
        PartState::Gone { .. } => 0,
    }
}

fn content(part: OpenedPart) -> Content {
    match String::from_utf8(part.content) {
        Err(bytes) => Content::Base64(BASE64_STANDARD.encode(bytes.as_bytes())),
        Ok(text) if part.media == "application/json" => {
            // What was cut short is JSON no longer.
            RawValue::from_string(text.clone()).map_or(Content::Text(text), Content::Json)
        }
        Ok(text) => Content::Text(text),
    }
}

impl Api {
    /// The contents of some entries of a trail, by index: as many as one answer holds.
    pub(crate) async fn contents(
        &self,
        trail: &Tenant,
        indexes: &[u64],
    ) -> Result<BTreeMap<u64, Contents>, Refused> {
        let mut all = BTreeMap::new();
        let mut room = MAX_SHOWN;
        for batch in indexes.chunks(FETCHED) {
            if room == 0 {
                all.extend(batch.iter().map(|&index| (index, Contents::Closed(LEFT_OUT))));
                continue;
            }
            for (index, contents) in self.contents_of(trail, batch.to_vec()).await? {
                let bytes = match &contents {
                    Contents::Known(parts) => parts.iter().map(length).sum(),
                    Contents::Closed(_) => 0,
                };
                let fits = bytes <= room;
                room = if fits { room - bytes } else { 0 };
                all.insert(index, if fits { contents } else { Contents::Closed(LEFT_OUT) });
            }
        }
        Ok(all)
    }

    /// The contents of a few entries.
    pub(crate) async fn contents_of(
        &self,
        trail: &Tenant,
        indexes: Vec<u64>,
    ) -> Result<Vec<(u64, Contents)>, Refused> {
        let (trail, appender) = (trail.clone(), self.appender.clone());
        self.read(move |reader| {
            let found = reader.entries(&trail, &indexes)?;
            let open = |found: &Found| Ok((found.index, Contents::of(found, appender.keys())?));
            found.iter().map(open).collect()
        })
        .await
    }
}
