//! Offline proofs (C2SP tlog-proof): one file that shows a leaf to be in a log, with nothing else at hand but
//! trust.

use std::fmt::Write as _;

use crate::Hash;
use crate::checkpoint::Checkpoint;
use crate::encode::{base64, parse_base64, parse_decimal, parse_hash};
use crate::note::{MAX_NOTE, NoteError, SignedNote};
use crate::proof::{self, MAX_HASHES, ProofError};
use crate::trust::{TrustPolicy, Untrusted};

/// The first line.
const MAGIC: &str = "c2sp.org/tlog-proof@v1\n";

/// The most extra data: an entry and its disclosed parts of ordinary length.
pub const MAX_EXTRA: usize = 1024 * 1024;

/// The longest proof file: the extra data in base64, the checkpoint, and 64 hashes with the short lines.
pub const MAX_PROOF: usize = MAX_EXTRA.div_ceil(3) * 4 + MAX_NOTE + 4096;

/// A proof as it lies in a `.tlog-proof` file, unchecked until [`TlogProof::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the application, which nothing authenticates.
    pub extra: Option<Vec<u8>>,
    /// The leaf's index.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint with its cosignatures, verbatim.
    pub checkpoint: String,
}

/// Text that is no proof.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TlogProofError {
    /// Beyond a bound.
    #[error("proof too large: {0}")]
    TooLarge(&'static str),
    /// Not the form of a proof.
    #[error("malformed proof: {0}")]
    Malformed(&'static str),
    /// The checkpoint in it is no signed note.
    #[error("malformed checkpoint in the proof: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a well-formed proof proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Disproved {
    /// The checkpoint does not meet the trust policy.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The leaf is not shown to be in the checkpoint's tree.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = MAGIC.to_owned();
        if let Some(extra) = &self.extra {
            let _ = writeln!(text, "extra {}", base64(extra));
        }
        let _ = writeln!(text, "index {}", self.index);
        for hash in &self.hashes {
            let _ = writeln!(text, "{}", base64(hash));
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads a file; what it reads, [`TlogProof::to_text`] writes back byte for byte.
    pub fn parse(text: &str) -> Result<TlogProof, TlogProofError> {
        if text.len() > MAX_PROOF {
            return Err(TlogProofError::TooLarge("the file is longer than a proof can be"));
        }
        let rest = text
            .strip_prefix(MAGIC)
            .ok_or(TlogProofError::Malformed("the first line is not c2sp.org/tlog-proof@v1"))?;
        let (head, checkpoint) = rest
            .split_once("\n\n")
            .ok_or(TlogProofError::Malformed("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        let extra = match lines
            .next_if(|line| line.starts_with("extra "))
            .and_then(|line| line.strip_prefix("extra "))
        {
            Some(extra) => Some(parse_extra(extra)?),
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(parse_decimal);
        let index = index.ok_or(TlogProofError::Malformed("no index line with a plain decimal"))?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_HASHES {
                return Err(TlogProofError::TooLarge("more than 64 hashes"));
            }
            hashes
                .push(parse_hash(line).ok_or(TlogProofError::Malformed("a hash is not 32 bytes of base64"))?);
        }
        SignedNote::parse(checkpoint)?;
        Ok(TlogProof { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that this leaf hash, which the caller computed from the entry, is in a tree that `trust`
    /// accepts.
    pub fn verify(&self, leaf: &Hash, trust: &TrustPolicy) -> Result<Checkpoint, Disproved> {
        let checkpoint = trust.verify_checkpoint(&self.checkpoint)?;
        proof::verify_inclusion(self.index, checkpoint.size, leaf, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

fn parse_extra(text: &str) -> Result<Vec<u8>, TlogProofError> {
    let extra = parse_base64(text).ok_or(TlogProofError::Malformed("the extra data is not base64"))?;
    if extra.len() > MAX_EXTRA {
        return Err(TlogProofError::TooLarge("more than 1 MiB of extra data"));
    }
    Ok(extra)
}

#[cfg(test)]
mod tests;
