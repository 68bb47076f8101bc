//! One event of a data directory: whether it is on its trail, and what became of each of its parts.

use std::path::Path;
use std::sync::Arc;

use greffier_event::{EventId, Tenant};
use greffier_merkle::{TlogProof, TrustPolicy, checkpoint, proof};

use super::{Report, Status, VerifyError, VerifyOptions, rotation};
use crate::keys::KeyRing;
use crate::read::{Found, PartState, ReadError, Reader};
use crate::store::{Disk, Files};

/// What a check of one event found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventReport {
    /// Its trail.
    pub trail: Tenant,
    /// Its place there.
    pub index: u64,
    /// The entry's exact bytes.
    pub entry: Vec<u8>,
    /// Of the entry itself.
    pub status: Status,
    /// Its parts by name.
    pub parts: Vec<(String, Status)>,
    /// Whether trust came from outside.
    pub anchored: bool,
}

impl EventReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        !self.status.is_invalid() && !self.parts.iter().any(|(_, status)| status.is_invalid())
    }
}

/// Checks one event of `dir`; `None` where there is no such event.
pub fn verify_event(
    dir: &Path,
    options: &VerifyOptions,
    id: EventId,
) -> Result<Option<EventReport>, VerifyError> {
    let reader = Reader::open(dir)?;
    let Some(found) = reader.find(id)? else { return Ok(None) };
    let keys = options.keys_dir.as_deref().map(KeyRing::open).transpose()?;
    let own = std::fs::read_to_string(dir.join(crate::publish::TRUST)).ok();
    let own = own.and_then(|text| TrustPolicy::parse(&text).ok());
    let status = match options.trust.as_ref().or(own.as_ref()) {
        Some(trust) => {
            let proof = reader.prove(&found.tenant, found.index, None)?;
            // A succession that does not hold leads nowhere; the check of the whole directory reports it.
            let (mut trust, disk) = (trust.clone(), Disk::new(Arc::new(Files::new(dir))));
            rotation::follow_trail(&disk, found.tenant.as_str(), &mut trust, &mut Report::default());
            status_of(&found, &proof, &trust, options)
        }
        None => Status::Invalid { what: "the directory's trust file is missing".to_owned() },
    };
    let parts = match &keys {
        Some(keys) => opened(&found, keys)?,
        None => unopened(&found)?,
    };
    let receipts = options.receipts.iter().any(|receipt| speaks_of(&found, receipt));
    let anchored = options.trust.is_some() || receipts;
    let (trail, index) = (found.tenant, found.index);
    Ok(Some(EventReport { trail, index, entry: found.entry, status, parts, anchored }))
}

/// Whether the proof holds, and whether the entry is the one that receipts promise.
fn status_of(found: &Found, proof: &TlogProof, trust: &TrustPolicy, options: &VerifyOptions) -> Status {
    let leaf = found.leaf_hash();
    let head = if options.require_witnessed {
        trust.verify_checkpoint(&proof.checkpoint).map_err(|error| error.to_string())
    } else {
        checkpoint::open(&proof.checkpoint, trust.verifiers()).map_err(|error| error.to_string())
    };
    let held = head.and_then(|head| {
        if head.origin.rsplit('/').next() != Some(found.tenant.as_str()) {
            return Err(format!("the checkpoint is that of `{}`", head.origin));
        }
        proof::verify_inclusion(proof.index, head.size, &leaf, &proof.hashes, &head.root)
            .map_err(|error| error.to_string())
    });
    let mut kept = options.receipts.iter().filter(|receipt| speaks_of(found, receipt));
    match held {
        Err(what) => Status::Invalid { what },
        Ok(()) if kept.any(|receipt| receipt.leaf_hash != leaf) => {
            Status::Invalid { what: "the entry is another one than the receipt's".to_owned() }
        }
        Ok(()) => Status::Valid,
    }
}

fn speaks_of(found: &Found, receipt: &greffier_merkle::Receipt) -> bool {
    let trail = receipt.trail.rsplit('/').next();
    trail == Some(found.tenant.as_str()) && receipt.index == found.index
}

/// What became of each part, with the keys at hand.
fn opened(found: &Found, keys: &KeyRing) -> Result<Vec<(String, Status)>, VerifyError> {
    let states = match found.parts(keys) {
        Ok(states) => states,
        Err(error @ (ReadError::NoKey(_) | ReadError::Part(_))) => {
            let status = Status::Invalid { what: error.to_string() };
            return Ok(found.event()?.parts.into_iter().map(|part| (part.name, status.clone())).collect());
        }
        Err(error) => return Err(error.into()),
    };
    let told = states.into_iter().map(|state| match state {
        PartState::Open(part) => (part.name, Status::Valid),
        PartState::Gone { name, why, .. } => (name, why.into()),
    });
    Ok(told.collect())
}

/// What became of each part, as far as the trail's entries say it.
fn unopened(found: &Found) -> Result<Vec<(String, Status)>, VerifyError> {
    let told = found.gone()?.into_iter();
    Ok(told.map(|(name, why)| (name, why.map_or(Status::Withheld, Status::from))).collect())
}
