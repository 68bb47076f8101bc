//! Canonical bytes: RFC 8785, the entry of the trail and the truth that everything else is a projection of.
//!
//! The types keep their fields in sorted order and hold integers of at most 53 bits, so the serialiser writes
//! the canonical form by itself; the tests compare it with an independent writer.

use crate::limits::ENTRY_BYTES;
use crate::{Event, InvalidEvent};

impl Event {
    /// The canonical bytes of a valid event, at most 65,535 of them.
    pub fn canonical(&self) -> Result<Vec<u8>, InvalidEvent> {
        self.validate()?;
        let bytes =
            serde_json::to_vec(self).map_err(|_| InvalidEvent::new("event", "cannot be written as JSON"))?;
        if bytes.len() > ENTRY_BYTES {
            let problem =
                format!("has {} bytes and an entry at most {ENTRY_BYTES}: shorten its lists", bytes.len());
            return Err(InvalidEvent::new("event", problem));
        }
        Ok(bytes)
    }

    /// Reads canonical bytes, and nothing else: other spellings of the same event, unknown fields and invalid
    /// events are refused.
    pub fn from_canonical(bytes: &[u8]) -> Result<Event, InvalidEvent> {
        if bytes.len() > ENTRY_BYTES {
            return Err(InvalidEvent::new("event", format!("is longer than an entry's {ENTRY_BYTES} bytes")));
        }
        let event = Event::from_entry(bytes)?;
        if event.canonical()? == bytes {
            Ok(event)
        } else {
            Err(InvalidEvent::new("event", "is not in canonical form (RFC 8785)"))
        }
    }

    /// Reads bytes that were made by [`Event::canonical`] and have not changed since, as whoever calls this knows:
    /// that they are canonical, and the event valid, is not checked again.
    pub fn from_entry(bytes: &[u8]) -> Result<Event, InvalidEvent> {
        // The parser's own message may quote a value, so only the place is passed on.
        serde_json::from_slice(bytes).map_err(|error| {
            let problem = format!("is not an event in native form (near byte {})", error.column());
            InvalidEvent::new("event", problem)
        })
    }
}
