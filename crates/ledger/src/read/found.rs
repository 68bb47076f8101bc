//! One entry that was found, with its parts still sealed.

use std::sync::Arc;

use greffier_event::{Event, Tenant};
use greffier_merkle::{Hash, hash};

use super::ReadError;
use crate::erase::{Gone, Orders};
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
    /// What the trail says about keeping and erasing.
    pub(super) orders: Arc<Orders>,
}

/// One part of an entry, as far as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Decrypted, and the one that the entry binds.
    Open(OpenedPart),
    /// Erased or expired, as an entry of the trail says.
    Gone {
        /// Its name in the event.
        name: String,
        /// Which entry says so.
        why: Gone,
        /// What the entry's root binds, where it is known.
        commitment: Option<Hash>,
    },
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

    /// Its parts, each decrypted and held against what the entry binds, or why it is gone.
    pub fn parts(&self, keys: &KeyRing) -> Result<Vec<PartState>, ReadError> {
        part_states(self.index, &self.event()?, &self.parts, keys, &self.orders)
    }

    /// Its parts by name, and why they are gone, as far as that can be told without keys.
    pub(crate) fn gone(&self) -> Result<Vec<(String, Option<Gone>)>, ReadError> {
        let event = self.event()?;
        let why = |(number, name): (usize, &str)| {
            let sealed = self.parts.get(number).filter(|sealed| !sealed.is_taken_out());
            self.orders.explain(self.index, &event, name, sealed.map(|sealed| sealed.holder.as_ref()))
        };
        let named = event.parts.iter().map(|part| part.name.as_str()).enumerate();
        Ok(named.map(|(number, name)| (name.to_owned(), why((number, name)))).collect())
    }

    /// Those of its parts that are not gone.
    pub fn open_parts(&self, keys: &KeyRing) -> Result<Vec<OpenedPart>, ReadError> {
        let open = |state| match state {
            PartState::Open(part) => Some(part),
            PartState::Gone { .. } => None,
        };
        Ok(self.parts(keys)?.into_iter().filter_map(open).collect())
    }
}

/// Opens an event's parts and checks them against its `parts_root`. What was ordered to go is never shown, whether
/// or not it is still there; what is missing without an order is an error.
pub(crate) fn part_states(
    index: u64,
    event: &Event,
    sealed: &[SealedPart<'_>],
    keys: &KeyRing,
    orders: &Orders,
) -> Result<Vec<PartState>, ReadError> {
    let all_gone = sealed.is_empty();
    if sealed.len() != event.parts.len() && !all_gone {
        return Err(ReadError::Part("parts".to_owned()));
    }
    // Also of parts that are gone: which entry let them go may depend on a hold on the user.
    let holder = keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
    let mut states = Vec::with_capacity(event.parts.len());
    for (number, part) in event.parts.iter().enumerate() {
        let sealed = sealed.get(number);
        let there = sealed.filter(|sealed| !sealed.is_taken_out());
        let opened = there.map(|sealed| {
            let key = keys.holder_key(&sealed.holder).ok_or_else(|| ReadError::NoKey(part.name.clone()))?;
            seal::open(&event.id, part, sealed, &key).map_err(|_| ReadError::Part(part.name.clone()))
        });
        let why = orders.explain(index, event, &part.name, Some(&holder));
        states.push(match (why, opened) {
            (Some(why), opened) => {
                let commitment = match opened {
                    Some(opened) => opened.ok().map(|opened| opened.commitment(&event.id)),
                    None => sealed.and_then(SealedPart::left_commitment),
                };
                PartState::Gone { name: part.name.clone(), why, commitment }
            }
            (None, Some(opened)) => PartState::Open(opened?),
            (None, None) => return Err(ReadError::Part(part.name.clone())),
        });
    }
    let commitments = states.iter().map(|state| match state {
        PartState::Open(part) => Some(part.commitment(&event.id)),
        PartState::Gone { commitment, .. } => *commitment,
    });
    let sound = match commitments.collect::<Option<Vec<Hash>>>() {
        Some(commitments) => {
            let root = (!commitments.is_empty()).then(|| seal::parts_root(&commitments));
            root == event.parts_root
        }
        // Nothing is there to be held against the entry, and nothing is shown.
        None => !states.iter().any(|state| matches!(state, PartState::Open(_))),
    };
    if sound { Ok(states) } else { Err(ReadError::Part("parts".to_owned())) }
}

#[cfg(test)]
impl Found {
    /// The wrapped key and the content of each part, as they lie on disk.
    pub(crate) fn stored_parts(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.parts.iter().map(|part| (part.wrapped_key.to_vec(), part.content.to_vec())).collect()
    }
}
