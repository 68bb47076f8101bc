//! The few fields of an entry that keeping it needs, read without building the whole event.

use greffier_event::{EventId, EventType, Timestamp};
use greffier_merkle::Hash;
use serde::Deserialize;

/// What recovery, sealing and idempotency look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Peek {
    pub(crate) id: EventId,
    #[serde(rename = "type")]
    pub(crate) kind: EventType,
    pub(crate) request_id: Option<String>,
    pub(crate) recorded_at: Option<Timestamp>,
    source: Option<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    digest: Option<String>,
}

impl Peek {
    /// Reads an entry; what is no event has nothing to look at.
    pub(crate) fn of(entry: &[u8]) -> Option<Peek> {
        serde_json::from_slice(entry).ok()
    }

    /// The keyed digest of what the producer sent; absent for what Greffier itself says.
    pub(crate) fn digest(&self) -> Option<Hash> {
        let mut digest = Hash::default();
        hex::decode_to_slice(self.source.as_ref()?.digest.as_deref()?, &mut digest).ok()?;
        Some(digest)
    }
}
