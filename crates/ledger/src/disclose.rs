//! What a proof shows beside the proof: the entry, and as many of its parts as the discloser chooses.
//!
//! It travels as the `extra` line of a C2SP proof, which no signature covers: everything in it is checked
//! against the leaf (the entry) and against the entry's `parts_root` (the parts).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_event::{Event, InvalidEvent};
use greffier_merkle::{Hash, hash};
use serde::{Deserialize, Serialize};

use crate::read::PartState;
use crate::seal::{OpenedPart, commitment, parts_root};

/// An entry, with parts shown or withheld one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// The exact bytes that the leaf hash covers.
    pub entry: Vec<u8>,
    /// Its parts, in the entry's order; empty when none is spoken of.
    pub parts: Vec<DisclosedPart>,
}

/// One part in a disclosure.
#[derive(Clone, PartialEq, Eq)]
pub enum DisclosedPart {
    /// The content, and the salt that opens its commitment.
    Shown {
        /// Opens the commitment.
        salt: Hash,
        /// The kept content.
        content: Vec<u8>,
    },
    /// Only the commitment: the part exists, and stays unread.
    Withheld {
        /// What the entry's root binds.
        commitment: Hash,
    },
}

impl std::fmt::Debug for DisclosedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, DisclosedPart::Shown { .. }) { "Shown" } else { "Withheld" })
    }
}

/// Why a disclosure shows nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DisclosureError {
    /// Not what [`Disclosure::to_bytes`] writes.
    #[error("the proof's extra data is not a greffier disclosure")]
    Malformed,
    /// The entry is not an event.
    #[error("the disclosed entry is not a valid event: {0}")]
    Event(#[from] InvalidEvent),
    /// The parts are not those that the entry binds.
    #[error("the disclosed parts are not those of the entry")]
    Parts,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    entry: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<WirePart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePart {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
}

impl Disclosure {
    /// Shows an entry with all of the given parts.
    pub fn new(entry: Vec<u8>, parts: &[OpenedPart]) -> Disclosure {
        let shown =
            |part: &OpenedPart| DisclosedPart::Shown { salt: part.salt, content: part.content.clone() };
        Disclosure { entry, parts: parts.iter().map(shown).collect() }
    }

    /// Shows an entry with those of its parts that are there. Of one that is gone the commitment stands for it; if
    /// that is gone too, no part can be held against the entry, and none is spoken of.
    pub(crate) fn of(entry: Vec<u8>, parts: &[PartState]) -> Disclosure {
        let part = |part: &PartState| match part {
            PartState::Open(part) => {
                Some(DisclosedPart::Shown { salt: part.salt, content: part.content.clone() })
            }
            PartState::Gone { commitment, .. } => {
                commitment.map(|commitment| DisclosedPart::Withheld { commitment })
            }
        };
        Disclosure { entry, parts: parts.iter().map(part).collect::<Option<_>>().unwrap_or_default() }
    }

    /// Keeps back every part whose name `keep` refuses; the others can still be checked.
    pub fn withhold(&mut self, keep: impl Fn(&str) -> bool) -> Result<(), DisclosureError> {
        let event = self.event()?;
        let kept_back = event.parts.iter().enumerate().filter(|(_, part)| !keep(&part.name));
        kept_back.for_each(|(at, _)| self.withhold_at(at));
        Ok(())
    }

    /// The event. That it is on a trail, the proof says.
    pub fn event(&self) -> Result<Event, DisclosureError> {
        Ok(Event::from_canonical(&self.entry)?)
    }

    /// The leaf that the proof must be checked for.
    pub fn leaf_hash(&self) -> Hash {
        hash::leaf(&self.entry)
    }

    /// Checks that the parts, shown and withheld, are those that the entry binds, and returns the event.
    pub fn check(&self) -> Result<Event, DisclosureError> {
        let event = self.event()?;
        if self.parts.is_empty() {
            return Ok(event);
        }
        let commitments = self.parts.iter().zip(&event.parts).map(|(part, named)| match part {
            DisclosedPart::Shown { salt, content } => commitment(salt, &event.id, &named.name, content),
            DisclosedPart::Withheld { commitment } => *commitment,
        });
        let commitments: Vec<Hash> = commitments.collect();
        let complete = self.parts.len() == event.parts.len();
        if complete && event.parts_root.as_deref() == Some(parts_root(&commitments).as_str()) {
            Ok(event)
        } else {
            Err(DisclosureError::Parts)
        }
    }

    /// JSON: `entry` as base64; of each part its name with `salt` (hex) and `content` (base64), or with
    /// `commitment` (hex) alone.
    pub fn to_bytes(&self) -> Vec<u8> {
        let names = self.event().map(|event| event.parts).unwrap_or_default();
        let part = |(part, named): (&DisclosedPart, greffier_event::PartRef)| {
            let mut wire = WirePart { name: named.name, salt: None, content: None, commitment: None };
            match part {
                DisclosedPart::Shown { salt, content } => {
                    wire.salt = Some(hex::encode(salt));
                    wire.content = Some(STANDARD.encode(content));
                }
                DisclosedPart::Withheld { commitment } => wire.commitment = Some(hex::encode(commitment)),
            }
            wire
        };
        let parts = self.parts.iter().zip(names).map(part).collect();
        let wire = Wire { entry: STANDARD.encode(&self.entry), parts };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// [`Disclosure::to_bytes`], with the largest parts withheld until at most `max` bytes are left.
    pub(crate) fn into_bytes_within(mut self, max: usize) -> Vec<u8> {
        loop {
            let bytes = self.to_bytes();
            let size = |part: &DisclosedPart| match part {
                DisclosedPart::Shown { content, .. } => content.len() + 1,
                DisclosedPart::Withheld { .. } => 0,
            };
            let parts = self.parts.iter().enumerate().map(|(at, part)| (size(part), at));
            let largest = parts.max().filter(|(size, _)| *size > 0 && bytes.len() > max);
            let Some((_, largest)) = largest else { return bytes };
            self.withhold_at(largest);
        }
    }

    fn withhold_at(&mut self, at: usize) {
        let Ok(event) = self.event() else { return self.parts.clear() };
        if let (Some(part), Some(named)) = (self.parts.get_mut(at), event.parts.get(at))
            && let DisclosedPart::Shown { salt, content } = part
        {
            *part = DisclosedPart::Withheld { commitment: commitment(salt, &event.id, &named.name, content) };
        }
    }

    /// Reads what [`Disclosure::to_bytes`] wrote. Nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Disclosure, DisclosureError> {
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| DisclosureError::Malformed)?;
        let entry = STANDARD.decode(wire.entry).map_err(|_| DisclosureError::Malformed)?;
        let hash = |text: String| -> Option<Hash> { hex::decode(text).ok()?.try_into().ok() };
        let part = |part: WirePart| match (part.salt, part.content, part.commitment) {
            (Some(salt), Some(content), None) => {
                Some(DisclosedPart::Shown { salt: hash(salt)?, content: STANDARD.decode(content).ok()? })
            }
            (None, None, Some(commitment)) => Some(DisclosedPart::Withheld { commitment: hash(commitment)? }),
            _ => None,
        };
        let parts = wire.parts.into_iter().map(part).collect::<Option<Vec<_>>>();
        Ok(Disclosure { entry, parts: parts.ok_or(DisclosureError::Malformed)? })
    }
}
