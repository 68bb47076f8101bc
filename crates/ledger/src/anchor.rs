//! Witnessing: independent parties cosign what we signed, so that we cannot show different trails to different
//! people, nor go back, without somebody noticing.
//!
//! One thread per witness takes the newest signed checkpoints, asks its witness to cosign them ([`ask`]), and puts
//! what it says on a desk shared with the others ([`desk`]). When enough witnesses have cosigned one checkpoint of a
//! trail, it is written as `trails/<tenant>/cosigned`, with all their lines. A witness that is slow, silent or wrong
//! costs its own thread time, and nothing else: appends, checkpoints and the other witnesses never wait for it.
//!
//! A witness that has seen more of a trail than there is here, or something else, has caught a restored backup or a
//! second node under the same name. Before the first signature this is looked for ([`guard`]) and keeps the ledger
//! from starting; when it shows later, the ledger stops signing and recording. A witness can therefore stop a
//! node by its word alone: choose witnesses accordingly, and take one that lies out of the configuration.
//!
//! Beneath: tiles, for proofs, and the C2SP `tlog-witness` messages. Above: the ledger; HTTP is the binary's
//! ([`Witnesses`]).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use greffier_merkle::note::Verifier;

use crate::append::Faults;
use crate::error::LedgerError;
use crate::heads::{Heads, Require, Terms};
use crate::store::Disk;

mod ask;
mod cosigned;
mod desk;
mod guard;

use ask::Asker;
#[cfg(test)]
pub(crate) use ask::unix_now;
pub(crate) use cosigned::{files as cosigned_files, read as read_cosigned, restore};
use desk::Desk;
pub(crate) use guard::{Seen, seen_by_witnesses};

/// Most witnesses: the least number that every C2SP policy reader must support.
pub const MAX_WITNESSES: usize = 32;
/// What the trust policy calls the witnesses together; no witness may have this name.
pub const QUORUM: &str = "quorum-of-witnesses";

/// A witness as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What policies and messages call it.
    pub name: String,
    /// Its key, of type 0x04.
    pub verifier: Verifier,
    /// Where it takes checkpoints.
    pub url: String,
}

/// Whom to ask for cosignatures, and what they count for.
#[derive(Clone)]
pub struct Anchor {
    /// The witnesses, in the order in which [`Witnesses`] numbers them.
    pub witnesses: Vec<Witness>,
    /// How many of them must have cosigned a checkpoint.
    pub quorum: usize,
    /// The pause between two checkpoints of one trail that are offered.
    pub every: Duration,
    /// Age of cosignatures beyond which a trail counts as UNANCHORED.
    pub stale_after: Duration,
    /// Of which trails only cosigned checkpoints are shown.
    pub require: Require,
    /// How to reach them.
    pub client: Arc<dyn Witnesses>,
}

impl std::fmt::Debug for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anchor").field("witnesses", &self.witnesses).finish_non_exhaustive()
    }
}

/// The way to the witnesses. Every call blocks, ends within a bounded time, and answers in the order of what it was
/// given; bodies are bounded in size. Nothing that comes back is trusted.
pub trait Witnesses: Send + Sync {
    /// C2SP `add-checkpoint`, once for each body, at the same time.
    fn add_checkpoints(&self, witness: usize, bodies: Vec<String>) -> Vec<Result<Reply, Unreachable>>;

    /// C2SP monitoring: the newest checkpoint that the witness cosigned of each origin.
    fn latest(&self, witness: usize, origins: Vec<String>) -> Vec<Result<Reply, Unreachable>>;
}

/// What a witness said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// A witness that said nothing that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

impl Anchor {
    /// What others need to know of it.
    pub(crate) fn terms(&self) -> Terms {
        let Anchor { witnesses, quorum, stale_after, require, .. } = self;
        let (witnesses, require) = (witnesses.len(), require.clone());
        Terms { witnesses, quorum: *quorum, stale_after: *stale_after, require }
    }

    /// The lines of a C2SP trust policy that name the witnesses, and how many must have cosigned.
    pub(crate) fn trust_lines(&self) -> String {
        let mut text = String::new();
        let mut group = format!("group {QUORUM} {}", self.quorum);
        for Witness { name, verifier, url } in &self.witnesses {
            text += &format!("witness {name} {verifier} {url}\n");
            group += &format!(" {name}");
        }
        text + &group + "\nquorum " + QUORUM + "\n"
    }

    /// Whether so many can be asked, and so many of them agree.
    pub(crate) fn check(&self) -> Result<(), LedgerError> {
        let count = self.witnesses.len();
        if (1..=MAX_WITNESSES).contains(&count) && (1..=count).contains(&self.quorum) {
            Ok(())
        } else {
            Err(LedgerError::Quorum { quorum: self.quorum, witnesses: count })
        }
    }
}

/// What the witnesses' threads share.
struct Shared {
    anchor: Anchor,
    disk: Disk,
    heads: Heads,
    faults: Arc<Faults>,
    desk: Mutex<Desk>,
    /// Told when the desk changed.
    changed: Condvar,
    /// Held while a cosigned checkpoint is written; true once none may be written any more.
    closed: Mutex<bool>,
    /// How often the desk is looked at again, and the first pause after a failure.
    pace: Duration,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that ask. They end by themselves once this is stopped or dropped.
pub(crate) struct Asking(Option<Arc<Shared>>);

impl Asking {
    /// Without witnesses there is nothing to ask.
    pub(crate) fn none() -> Asking {
        Asking(None)
    }

    /// Starts a thread for each witness. They find what to ask for in `heads`.
    pub(crate) fn start(
        anchor: Anchor,
        disk: Disk,
        heads: Heads,
        faults: Arc<Faults>,
        pace: Duration,
    ) -> Result<Asking, LedgerError> {
        let desk =
            Desk::new(anchor.witnesses.len(), anchor.quorum, anchor.every, anchor.stale_after / 2, pace);
        let (desk, changed, closed) = (Mutex::new(desk), Condvar::new(), Mutex::new(false));
        let shared = Arc::new(Shared { anchor, disk, heads, faults, desk, changed, closed, pace });
        let asking = Asking(Some(Arc::clone(&shared)));
        for witness in 0..shared.anchor.witnesses.len() {
            let asker = Asker::new(Arc::clone(&shared), witness);
            let thread = std::thread::Builder::new().name(format!("greffier-wit-{witness}"));
            thread.spawn(move || asker.run()).map_err(LedgerError::io("start a thread"))?;
        }
        Ok(asking)
    }

    /// At a clean stop, when the last checkpoints are signed: waits until they are cosigned, for a while.
    pub(crate) fn settle(&self, within: Duration) {
        let Some(shared) = &self.0 else { return };
        let until = Instant::now() + within;
        let mut desk = shared.desk();
        desk.hurry();
        shared.changed.notify_all();
        while !desk.is_settled(&shared.heads.sizes()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || shared.faults.forked().is_some() {
                return;
            }
            desk = match shared.changed.wait_timeout(desk, left.min(shared.pace)) {
                Ok((desk, _)) => desk,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// From here on nothing is written. Threads that still wait for a witness end when it answers.
    pub(crate) fn stop(&self) {
        let Some(shared) = &self.0 else { return };
        *shared.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        shared.desk().stop();
        shared.changed.notify_all();
    }
}

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let anchor = self.0.as_ref().map(|shared| &shared.anchor);
        f.debug_tuple("Asking").field(&anchor).finish()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.stop();
    }
}
