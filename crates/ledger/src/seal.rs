//! Parts: content bound to its event by a commitment, encrypted, and readable only with the holder's key.
//!
//! Each part has its own random key k. From it come the salt of the commitment and the encryption key, so that
//! a part can be shown to an outsider (its salt and content) without showing any key that opens another. k is
//! wrapped under the holder's key: destroying that key, or the wrapped k alone, erases the part, while the
//! entry, its `parts_root` and every proof stay whole.

use greffier_event::{Event, EventId, Part, PartRef};
use greffier_merkle::Hash;
use greffier_merkle::hash::{self, HmacKey, hmac_sha256};

use crate::cipher::{CipherError, Random, Secret, Wrapping};
use crate::wal::frame::{MAX_PART_BYTES, SealedPart};

const COMMITMENT: &[u8] = b"greffier/part/v1\0";
const CONTENT: &[u8] = b"greffier/part-content/v1\0";
const WRAPPED: &[u8] = b"greffier/part-key/v1\0";

/// A part that was opened: what the commitment is made of.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedPart {
    /// Its name in the event.
    pub name: String,
    /// Media type.
    pub media: String,
    /// Whether the content is only a prefix of what there was.
    pub truncated: bool,
    /// The kept content.
    pub content: Vec<u8>,
    /// Opens the commitment; shows nothing else.
    pub salt: Hash,
}

impl std::fmt::Debug for OpenedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedPart").field("name", &self.name).field("bytes", &self.content.len()).finish()
    }
}

impl OpenedPart {
    /// The part's commitment within the event `id`.
    pub fn commitment(&self, id: &EventId) -> Hash {
        commitment(&self.salt, id, &self.name, &self.content)
    }
}

/// HMAC under the salt over everything that gives the content its meaning, lengths framed: the content cannot
/// be moved to another event or another name, and without the salt it cannot be guessed.
pub(crate) fn commitment(salt: &Hash, id: &EventId, name: &str, content: &[u8]) -> Hash {
    let name_len = (name.len() as u16).to_be_bytes();
    let content_len = (content.len() as u64).to_be_bytes();
    hmac_sha256(salt, &[COMMITMENT, id.as_bytes(), &name_len, name.as_bytes(), &content_len, content])
}

/// The root that an entry carries: RFC 6962 over the commitments, in the order of `parts`, lowercase hex.
pub(crate) fn parts_root(commitments: &[Hash]) -> String {
    hex::encode(hash::root(commitments))
}

/// A part that was taken out, while others of its event were not: its place stays, and with its commitment those
/// can still be held against the entry. A part that is there always has a wrapped key.
impl SealedPart<'_> {
    /// What is left of a part; `None` where its commitment cannot be made any more.
    pub(crate) fn taken_out(commitment: Option<Hash>) -> SealedPart<'static> {
        let content = commitment.map_or(Vec::new(), |commitment| commitment.to_vec());
        SealedPart { holder: "".into(), wrapped_key: Vec::new().into(), content: content.into() }
    }

    /// Whether the part was taken out.
    pub(crate) fn is_taken_out(&self) -> bool {
        self.wrapped_key.is_empty()
    }

    /// The commitment of a part that was taken out, where it is known.
    pub(crate) fn left_commitment(&self) -> Option<Hash> {
        if self.is_taken_out() { self.content.as_ref().try_into().ok() } else { None }
    }
}

/// Seals `parts` for `holder` and writes into the event what binds them.
pub(crate) fn seal(
    event: &mut Event,
    parts: Vec<Part>,
    holder: &str,
    holder_key: &Wrapping,
    random: &mut Random,
) -> Result<Vec<SealedPart<'static>>, CipherError> {
    let mut sealed = Vec::with_capacity(parts.len());
    let mut commitments = Vec::with_capacity(parts.len());
    for part in parts {
        let key = Secret::of(random)?;
        let (salt, encryption) = derive(&key);
        let bytes = part.content.len() as u64;
        let mut content = part.content;
        let truncated = content.len() > MAX_PART_BYTES;
        let digest = truncated.then(|| hex::encode(hmac_sha256(&salt, &[&content])));
        if truncated {
            content.truncate(whole_characters(&content, MAX_PART_BYTES));
        }
        commitments.push(commitment(&salt, &event.id, &part.name, &content));
        sealed.push(SealedPart {
            holder: holder.to_owned().into(),
            wrapped_key: holder_key.wrap(&aad(WRAPPED, &event.id, &part.name), &key, random)?.into(),
            content: encryption.seal_once(&aad(CONTENT, &event.id, &part.name), content)?.into(),
        });
        event.parts.push(PartRef { bytes, digest, media: part.media, name: part.name, truncated });
    }
    event.parts_root = (!commitments.is_empty()).then(|| parts_root(&commitments));
    Ok(sealed)
}

/// Opens one sealed part of an event. That it is *the* part which the entry binds, its commitment says.
pub(crate) fn open(
    id: &EventId,
    part: &PartRef,
    sealed: &SealedPart<'_>,
    holder_key: &Secret,
) -> Result<OpenedPart, CipherError> {
    let key = holder_key.unwrap(&aad(WRAPPED, id, &part.name), &sealed.wrapped_key)?;
    let (salt, encryption) = derive(&key);
    let content = encryption.open_once(&aad(CONTENT, id, &part.name), &sealed.content)?;
    Ok(OpenedPart {
        name: part.name.clone(),
        media: part.media.clone(),
        truncated: part.truncated,
        content,
        salt,
    })
}

/// The salt may be shown to an outsider, the encryption key never leaves: neither gives the other away.
fn derive(key: &Secret) -> (Hash, Secret) {
    let key = HmacKey::new(key.bytes());
    let encryption = Secret(zeroize::Zeroizing::new(key.sign(&[b"enc"])));
    (key.sign(&[b"salt"]), encryption)
}

fn aad(domain: &[u8], id: &EventId, name: &str) -> Vec<u8> {
    [domain, id.as_bytes(), name.as_bytes()].concat()
}

/// The longest length up to `max` that does not cut a UTF-8 character in two.
fn whole_characters(content: &[u8], max: usize) -> usize {
    let continues = |at: usize| content.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (max.saturating_sub(3)..=max).rev().find(|&at| !continues(at)).unwrap_or(max)
}

#[cfg(test)]
mod tests;
