//! Witnesses (C2SP tlog-witness): what a log asks, whether a witness may sign it, and what it answers.
//!
//! Pure: who runs a witness keeps the newest checkpoint of each log, takes in a request and that checkpoint, and
//! stores what [`consider`] accepts before it cosigns. Who asks one reads the answer with [`parse_cosignatures`]
//! or [`parse_size`], and believes nothing of it but good signatures ([`SignedNote::gather`]).

use std::fmt::Write as _;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::encode::{base64, parse_decimal, parse_hash};
use crate::note::{Algorithm, MAX_SIGNATURES, NoteError, Signature, SignedNote, Verifier};
use crate::{Hash, hash, proof};

/// The most hashes a request may carry, by the specification.
pub const MAX_HASHES: usize = 63;

/// The longest request that a witness reads: all the hashes, and a checkpoint with 16 of the largest signatures
/// there are (ML-DSA-44, 3.3 kB in base64), which every reader of notes must take.
pub const MAX_REQUEST: usize = 128 * 1024;

/// The content type of the answer to a log that is not where the witness is: a tree's size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The body of `add-checkpoint`: "cosign this checkpoint; here is the proof from the one you cosigned last".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the proof starts from.
    pub old: u64,
    /// The consistency proof; none when the old tree is empty, or the same.
    pub proof: Vec<Hash>,
    /// The new checkpoint, a signed note, verbatim.
    pub checkpoint: String,
}

/// Why a witness does not sign.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// No request, or one that contradicts itself.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The checkpoint in it cannot be read.
    #[error("malformed checkpoint in the request: {0}")]
    Checkpoint(#[source] CheckpointError),
    /// The witness keeps no record of this log.
    #[error("no log of origin {0} is known here")]
    UnknownLog(String),
    /// None of the log's keys signed, or a signature in one's name is bad.
    #[error("not signed by the log {0}")]
    Untrusted(String),
    /// The proof starts elsewhere than at the checkpoint that the witness cosigned last.
    #[error("the proof starts from another tree: the last one cosigned has {size} leaves")]
    Conflict {
        /// The size of that one.
        size: u64,
    },
    /// The new tree does not contain the old one: the log is lying to somebody.
    #[error("the new tree is not shown to contain the last one that was cosigned")]
    Inconsistent,
}

impl Refused {
    /// The status of the HTTP answer.
    pub fn status(&self) -> u16 {
        match self {
            Refused::Malformed(_) | Refused::Checkpoint(_) => 400,
            Refused::Untrusted(_) => 403,
            Refused::UnknownLog(_) => 404,
            Refused::Conflict { .. } => 409,
            Refused::Inconsistent => 422,
        }
    }
}

impl AddCheckpoint {
    /// The body's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            let _ = writeln!(text, "{}", base64(hash));
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads a body, the form of its checkpoint included; what it reads, [`AddCheckpoint::to_text`] writes back
    /// byte for byte.
    pub fn parse(text: &str) -> Result<AddCheckpoint, Refused> {
        if text.len() > MAX_REQUEST {
            return Err(Refused::Malformed("larger than 128 KiB"));
        }
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(Refused::Malformed("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old = old.ok_or(Refused::Malformed("the first line is not \"old\" and a plain decimal"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_HASHES {
                return Err(Refused::Malformed("more than 63 hashes"));
            }
            proof.push(parse_hash(line).ok_or(Refused::Malformed("a hash is not 32 bytes of base64"))?);
        }
        let request = AddCheckpoint { old, proof, checkpoint: checkpoint.to_owned() };
        request.read()?;
        Ok(request)
    }

    /// The log that asks, as it calls itself: whose newest checkpoint [`consider`] wants to see.
    pub fn origin(&self) -> &str {
        self.checkpoint.split('\n').next().unwrap_or_default()
    }

    /// The checkpoint, with its note. Nobody has looked at a signature yet.
    fn read(&self) -> Result<(SignedNote, Checkpoint), Refused> {
        let note = SignedNote::parse(&self.checkpoint).map_err(|error| Refused::Checkpoint(error.into()))?;
        let checkpoint = Checkpoint::read(note.text()).map_err(Refused::Checkpoint)?;
        Ok((note, checkpoint))
    }
}

/// The checkpoint that a witness may cosign: signed by its log, and shown to contain `latest`, the one of this
/// origin that the witness cosigned last. `logs` are the keys it trusts, each named like its origin.
///
/// The checks stand in the order of the specification, so that each fault has its own answer.
pub fn consider<'v>(
    logs: impl IntoIterator<Item = &'v Verifier>,
    latest: Option<&Checkpoint>,
    request: &AddCheckpoint,
) -> Result<Checkpoint, Refused> {
    let (note, new) = request.read()?;
    // Keys of other logs are strangers here, whatever they signed.
    let speaks_for = |key: &&Verifier| key.algorithm() == Algorithm::Ed25519 && key.name() == new.origin;
    let keys: Vec<&Verifier> = logs.into_iter().filter(speaks_for).collect();
    if keys.is_empty() {
        return Err(Refused::UnknownLog(new.origin));
    }
    if note.verify(keys).is_err() {
        return Err(Refused::Untrusted(new.origin));
    }
    if request.old > new.size {
        return Err(Refused::Malformed("the old tree is larger than the new one"));
    }
    // Another log's would say that nothing was cosigned here yet.
    if latest.is_some_and(|latest| latest.origin != new.origin) {
        return Err(Refused::UnknownLog(new.origin));
    }
    let (size, root) = latest.map_or((0, hash::empty_root()), |latest| (latest.size, latest.root));
    if request.old != size {
        return Err(Refused::Conflict { size });
    }
    if new.size == 0 && new.root != hash::empty_root() {
        return Err(Refused::Inconsistent);
    }
    match proof::verify_consistency(size, new.size, &root, &new.root, &request.proof) {
        Ok(()) => Ok(new),
        Err(_) => Err(Refused::Inconsistent),
    }
}

/// Reads a witness's answer of 200: signature lines, of whichever keys.
pub fn parse_cosignatures(body: &str) -> Result<Vec<Signature>, NoteError> {
    let lines = body.strip_suffix('\n').ok_or(NoteError::Malformed("the last line has no end"))?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::Malformed("more than 64 signatures"));
        }
        signatures.push(Signature::parse(line)?);
    }
    Ok(signatures)
}

/// What a witness answers with 409, under [`SIZE_TYPE`].
pub fn size_text(size: u64) -> String {
    format!("{size}\n")
}

/// Reads a witness's answer of 409: the size of the tree that it cosigned last.
pub fn parse_size(body: &str) -> Option<u64> {
    parse_decimal(body.strip_suffix('\n')?)
}

/// What the path of a log's checkpoint at a witness begins with, below the monitoring prefix:
/// `<64 hex digits>/checkpoint`.
pub fn origin_hash(origin: &str) -> String {
    hex::encode(hash::sha256(origin.as_bytes()))
}

#[cfg(test)]
mod tests;
