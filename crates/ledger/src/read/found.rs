//! One entry that was found, with its parts still sealed.

use greffier_event::{Event, Tenant};
use greffier_merkle::{Hash, hash};

use super::ReadError;
use crate::keys::KeyRing;
use crate::seal::{self, OpenedPart};
use crate::wal::frame::SealedPart;

/// One entry as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its trail.
    pub tenant: Tenant,
    /// Its place on the trail.
    pub index: u64,
    /// The exact bytes that the leaf hash covers.
    pub entry: Vec<u8>,
    pub(super) parts: Vec<SealedPart<'static>>,
}

impl Found {
    /// The event.
    pub fn event(&self) -> Result<Event, ReadError> {
        Ok(Event::from_canonical(&self.entry)?)
    }

    /// Its leaf in the tree.
    pub fn leaf_hash(&self) -> Hash {
        hash::leaf(&self.entry)
    }

    /// Its parts, decrypted and held against what the entry binds.
    pub fn open_parts(&self, keys: &KeyRing) -> Result<Vec<OpenedPart>, ReadError> {
        open_parts(&self.event()?, &self.parts, keys)
    }
}

/// Opens an event's parts and checks them against its `parts_root`.
pub(crate) fn open_parts(
    event: &Event,
    sealed: &[SealedPart<'_>],
    keys: &KeyRing,
) -> Result<Vec<OpenedPart>, ReadError> {
    if sealed.len() != event.parts.len() {
        return Err(ReadError::Part("parts".to_owned()));
    }
    let mut opened = Vec::with_capacity(sealed.len());
    for (part, sealed) in event.parts.iter().zip(sealed) {
        let key = keys.holder_key(&sealed.holder).ok_or_else(|| ReadError::NoKey(part.name.clone()))?;
        let part =
            seal::open(&event.id, part, sealed, &key).map_err(|_| ReadError::Part(part.name.clone()))?;
        opened.push(part);
    }
    let commitments: Vec<Hash> = opened.iter().map(|part| part.commitment(&event.id)).collect();
    let root = (!commitments.is_empty()).then(|| seal::parts_root(&commitments));
    if root == event.parts_root { Ok(opened) } else { Err(ReadError::Part("parts".to_owned())) }
}
