//! What becomes of one event before the committer sees it: checked, its parts sealed, its bytes framed and hashed.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use greffier_event::{Draft, Event, Tenant};
use greffier_merkle::Hash;
use greffier_merkle::hash::{self, HmacKey};

use crate::cipher::{Random, Secret, Wrapping};
use crate::commit::{Entry, Submitted};
use crate::error::{AppendError, stamped};
use crate::keys::KeyRing;
use crate::seal;
use crate::wal::frame::{MAX_PARTS, Unplaced};

/// Whose key an event's parts are sealed for.
pub(super) struct Holder {
    name: String,
    /// Its key, as it is used. In a box: key schedules are large, and a holder is part of what every append waits in.
    ready: Box<Ready>,
}

struct Ready {
    wrapping: Wrapping,
    digests: HmacKey,
}

/// The holders of a chunk of events: few people are behind many events.
pub(super) struct Holders<'a> {
    keys: &'a KeyRing,
    /// By tenant and user; without a user it is the tenant, under the empty name, which no user has.
    known: HashMap<Tenant, HashMap<String, Holder>>,
}

impl<'a> Holders<'a> {
    /// None yet. They may be kept for as long as the room that the events take, and no longer: an erasure waits for that
    /// before it destroys a key.
    pub(super) fn new(keys: &'a KeyRing) -> Holders<'a> {
        Holders { keys, known: HashMap::new() }
    }

    /// The holder of an event's parts; blocks when it is new.
    pub(super) fn of(&mut self, event: &Event) -> Result<&Holder, AppendError> {
        let user = event.user.as_ref().map_or("", |user| user.sub.as_str());
        let known = match self.known.entry(event.tenant.clone()) {
            Occupied(known) => known.into_mut(),
            Vacant(new) => new.insert(HashMap::new()),
        };
        match known.entry(user.to_owned()) {
            Occupied(known) => Ok(known.into_mut()),
            Vacant(new) => Ok(new.insert(Holder::of(self.keys, event)?)),
        }
    }
}

impl Holder {
    pub(super) fn new(name: String, key: Secret) -> Result<Holder, AppendError> {
        let wrapping = key.wrapping().map_err(|_| AppendError::Cipher)?;
        Ok(Holder { name, ready: Box::new(Ready { wrapping, digests: HmacKey::new(key.bytes()) }) })
    }

    pub(super) fn name(keys: &KeyRing, event: &Event) -> String {
        keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()))
    }

    /// The holder with its key, made if it is new: that blocks for a sync.
    pub(super) fn ensure(keys: &KeyRing, name: String) -> Result<Holder, AppendError> {
        let key = keys.ensure_holder_key(&name)?;
        Holder::new(name, key)
    }

    /// The holder of an event's parts; blocks when it is new.
    pub(super) fn of(keys: &KeyRing, event: &Event) -> Result<Holder, AppendError> {
        let name = Holder::name(keys, event);
        match keys.holder_key(&name) {
            Some(key) => Holder::new(name, key),
            None => Holder::ensure(keys, name),
        }
    }

    /// What a producer sent, as a keyed digest: equal for equal content of one holder, and meaningless once the
    /// holder's key is destroyed.
    fn digest(&self, trail: &Tenant, sent: &Hash) -> Hash {
        let domain: &[u8] = b"greffier/producer-digest/v1\0";
        self.ready.digests.sign(&[domain, trail.as_str().as_bytes(), b"\0", sent])
    }
}

/// What every event must be.
pub(super) fn check(draft: &Draft) -> Result<(), AppendError> {
    stamped(draft.event.recorded_at)?;
    if !draft.event.parts.is_empty() || draft.event.parts_root.is_some() {
        return Err(AppendError::Prefilled);
    }
    if draft.parts.len() > MAX_PARTS { Err(AppendError::TooLarge) } else { Ok(()) }
}

/// Seals the parts, binds them into the event, and encodes what the committer writes. `sent` is the digest of
/// what an outside producer sent. Without parts and without it nobody's key is needed.
pub(super) fn seal_entry(
    draft: Draft,
    sent: Option<&Hash>,
    holder: Option<&Holder>,
    random: &mut Random,
) -> Result<Entry, AppendError> {
    let Draft { mut event, parts } = draft;
    let mut submitted = None;
    let mut sealed = Vec::new();
    if sent.is_some() || !parts.is_empty() {
        let holder = holder.ok_or(AppendError::Cipher)?;
        sealed = seal::seal(&mut event, parts, &holder.name, &holder.ready.wrapping, random)
            .map_err(|_| AppendError::Cipher)?;
        if let Some(sent) = sent {
            let digest = holder.digest(&event.tenant, sent);
            submitted = Some(Submitted { digest, ..Submitted::default() });
            if let Some(source) = &mut event.source {
                source.digest = Some(hex::encode(digest));
            }
        }
    }
    let bytes = event.canonical()?;
    let frame =
        Unplaced::encode(event.tenant.as_str(), &bytes, &sealed).map_err(|_| AppendError::TooLarge)?;
    let recorded_at = event.recorded_at.unwrap_or(event.time);
    let leaf = hash::leaf(&bytes);
    Ok(Entry { trail: event.tenant, leaf, frame, id: event.id, recorded_at, submitted })
}
