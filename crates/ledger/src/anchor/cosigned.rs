//! The newest checkpoint of a trail that enough witnesses cosigned, as it lies on disk.

use std::io;

use greffier_merkle::checkpoint::{self, Checkpoint};
use greffier_merkle::note::{SignedNote, Statement, Verifier};

use super::{Anchor, Witness};
use crate::error::LedgerError;
use crate::heads::Heads;
use crate::manifest::FileRecord;
use crate::publish::{MAX_CHECKPOINT_BYTES, TRAILS, cosigned_path};
use crate::store::Disk;

/// Reads it, if there is one; our own signature must hold. What the witnesses' are worth, [`weigh`] says.
pub(crate) fn read(
    disk: &Disk,
    trail: &str,
    logs: &[Verifier],
) -> Result<Option<(Checkpoint, String)>, LedgerError> {
    let place = cosigned_path(trail);
    let bytes = match disk.store().read(&place, MAX_CHECKPOINT_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(LedgerError::io("read the trails"))?,
    };
    let note =
        String::from_utf8(bytes).map_err(|_| LedgerError::tampered(&place, "the checkpoint is not text"))?;
    let checkpoint = checkpoint::open(&note, logs).map_err(|error| {
        LedgerError::tampered(&place, format!("the checkpoint does not hold under our key: {error}"))
    })?;
    Ok(Some((checkpoint, note)))
}

/// The time since when at least `quorum` witnesses have vouched for a note, in seconds since 1970; `None` if fewer did.
pub(super) fn weigh(note: &SignedNote, witnesses: &[Witness], quorum: usize) -> Option<u64> {
    let times = witnesses.iter().filter_map(|witness| {
        let checked = note.signatures().iter().filter_map(|line| witness.verifier.check(note.text(), line));
        let times = checked.filter_map(|statement| match statement {
            Statement::Cosigned { time } => Some(time),
            Statement::Signed => None,
        });
        times.max()
    });
    quorum_time(times.collect(), quorum)
}

/// The latest time that at least `quorum` of these have reached.
pub(super) fn quorum_time(mut times: Vec<u64>, quorum: usize) -> Option<u64> {
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.get(quorum.checked_sub(1)?).copied()
}

/// At start: tells `heads` what the last run's witnesses vouched for, as far as today's terms are met. A file that
/// is not ours by today's keys makes way for the next one.
pub(crate) fn restore(
    anchor: &Anchor,
    disk: &Disk,
    heads: &Heads,
    logs: Vec<(String, Vec<Verifier>)>,
) -> Result<(), LedgerError> {
    for (trail, logs) in logs {
        let found = match read(disk, &trail, &logs) {
            Err(error @ LedgerError::Tampered { .. }) => {
                tracing::warn!(%error, "a cosigned checkpoint is not ours: it is removed, and asked for again");
                let place = cosigned_path(&trail);
                disk.store().remove(&place).map_err(LedgerError::io("remove a cosigned checkpoint"))?;
                None
            }
            found => found?,
        };
        let Some((checkpoint, note)) = found else { continue };
        let Ok(note) = SignedNote::parse(&note) else { continue };
        if let Some(time) = weigh(&note, &anchor.witnesses, anchor.quorum) {
            heads.cosigned(&trail, checkpoint.size, time, time);
        }
    }
    Ok(())
}

/// For the manifest of a clean stop: all there are.
pub(crate) fn files(disk: &Disk) -> Result<Vec<FileRecord>, LedgerError> {
    let mut files = Vec::new();
    for trail in disk.store().list(TRAILS).map_err(LedgerError::io("list the trails"))? {
        let path = cosigned_path(&trail.name);
        match disk.store().read(&path, MAX_CHECKPOINT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => {
                let bytes = found.map_err(LedgerError::io("read a cosigned checkpoint"))?;
                files.push(FileRecord::of(&path, &bytes));
            }
        }
    }
    Ok(files)
}
