//! Offline consistency proofs: one file that shows a log's newer checkpoint to contain an older one that somebody
//! kept, with nothing else at hand but trust.
//!
//! C2SP has no file for this, so it is made of what C2SP has. A `.tlog-consistency` file is a line that names the
//! form, the older checkpoint verbatim, an empty line, and the body that would ask a witness to go from the older
//! to the newer (tlog-witness `add-checkpoint`):
//!
//! ```text
//! greffier/tlog-consistency@v1
//! <older checkpoint: its lines, an empty line, its signature lines>
//!
//! old <size of the older one>
//! <base64 hash> ...
//!
//! <newer checkpoint>
//! ```
//!
//! A checkpoint's own lines are never empty, so the third empty line ends the proof, and the second the older
//! checkpoint.

use crate::Hash;
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::note::{MAX_NOTE, NoteError, SignedNote};
use crate::proof::{self, ProofError};
use crate::trust::{TrustPolicy, Untrusted};
use crate::witness::{AddCheckpoint, MAX_REQUEST, Refused};

/// The first line.
const MAGIC: &str = "greffier/tlog-consistency@v1\n";

/// The longest file: two checkpoints, and hashes in between.
pub const MAX_FILE: usize = MAGIC.len() + MAX_NOTE + MAX_REQUEST;

/// A proof as it lies in a file, unchecked until [`ConsistencyProof::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The older checkpoint, a signed note, verbatim.
    pub older: String,
    /// The way from its tree to the newer checkpoint's.
    pub step: AddCheckpoint,
}

/// Text that is no consistency proof.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConsistencyError {
    /// Not the form of one.
    #[error("malformed consistency proof: {0}")]
    Malformed(&'static str),
    /// The older checkpoint cannot be read.
    #[error("malformed older checkpoint: {0}")]
    Older(#[source] CheckpointError),
    /// What follows it cannot be read.
    #[error(transparent)]
    Step(#[from] Refused),
}

/// Why a well-formed proof proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotConsistent {
    /// The newer checkpoint does not meet the trust policy.
    #[error("the newer checkpoint: {0}")]
    Newer(#[from] Untrusted),
    /// The older checkpoint is not one that the log signed.
    #[error("the older checkpoint: {0}")]
    Older(#[from] CheckpointError),
    /// Checkpoints of two logs.
    #[error("the checkpoints are of two logs: {older} and {newer}")]
    Origins {
        /// The older one's origin.
        older: String,
        /// The newer one's.
        newer: String,
    },
    /// The newer tree is not shown to contain the older.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ConsistencyProof {
    /// The proof between two signed checkpoints of one log, from its tree as `read` gives it (see
    /// [`crate::proof`]). None when they are not notes of checkpoints, or a hash cannot be read.
    pub fn between(
        older: &str,
        newer: &str,
        read: &mut impl FnMut(u8, u64) -> Option<Hash>,
    ) -> Option<ConsistencyProof> {
        let size = |note: &str| Some(Checkpoint::parse(SignedNote::parse(note).ok()?.text()).ok()?.size);
        let (old, new) = (size(older)?, size(newer)?);
        let proof = proof::consistency(old, new, read)?;
        let step = AddCheckpoint { old, proof, checkpoint: newer.to_owned() };
        Some(ConsistencyProof { older: older.to_owned(), step })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        format!("{MAGIC}{}\n{}", self.older, self.step.to_text())
    }

    /// Reads a file; what it reads, [`ConsistencyProof::to_text`] writes back byte for byte.
    pub fn parse(text: &str) -> Result<ConsistencyProof, ConsistencyError> {
        if text.len() > MAX_FILE {
            return Err(ConsistencyError::Malformed("the file is longer than a proof can be"));
        }
        let rest = text
            .strip_prefix(MAGIC)
            .ok_or(ConsistencyError::Malformed("the first line is not greffier/tlog-consistency@v1"))?;
        let mut blanks = rest.match_indices("\n\n").map(|(at, _)| at);
        let end =
            blanks.nth(1).ok_or(ConsistencyError::Malformed("no blank line after the older checkpoint"))?;
        let (older, step) = rest.split_at(end + 1);
        let step = AddCheckpoint::parse(step.strip_prefix('\n').unwrap_or(step))?;
        let note =
            SignedNote::parse(older).map_err(|error: NoteError| ConsistencyError::Older(error.into()))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(ConsistencyError::Older)?;
        if checkpoint.size != step.old {
            return Err(ConsistencyError::Malformed("the old size is not that of the older checkpoint"));
        }
        Ok(ConsistencyProof { older: older.to_owned(), step })
    }

    /// The older and the newer checkpoint, if the newer meets the policy, the log signed the older one too, and
    /// the newer one's tree contains the older one's.
    ///
    /// The older one needs no witnesses: whoever kept it is its witness.
    pub fn verify(&self, trust: &TrustPolicy) -> Result<(Checkpoint, Checkpoint), NotConsistent> {
        let newer = trust.verify_checkpoint(&self.step.checkpoint)?;
        let older = checkpoint::open(&self.older, trust.logs().iter().map(|log| &log.verifier))?;
        if older.origin != newer.origin {
            return Err(NotConsistent::Origins { older: older.origin, newer: newer.origin });
        }
        if self.step.old != older.size {
            return Err(ProofError::Length.into());
        }
        proof::verify_consistency(older.size, newer.size, &older.root, &newer.root, &self.step.proof)?;
        Ok((older, newer))
    }
}

#[cfg(test)]
mod tests;
