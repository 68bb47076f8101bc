//! A C2SP witness: it remembers the newest checkpoint of each log it knows, and cosigns only what contains it.
//!
//! What it may sign is decided in `greffier_merkle::witness`; `records` keeps what was signed, `key` holds the
//! key, `server` speaks HTTP. This file puts them in the order that everything rests on: under the lock of one
//! log decide, make durable, then sign. Above it stands the command.

pub(crate) mod key;
pub(crate) mod records;
pub(crate) mod server;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use greffier_merkle::Checkpoint;
use greffier_merkle::note::{Cosigner, NoteError, SignedNote, Verifier};
use greffier_merkle::witness::{AddCheckpoint, Refused, consider, origin_hash};

use records::{Records, Unkept};

/// One witness with its logs. Its methods wait for the disk.
pub(crate) struct Witness {
    key: Cosigner,
    records: Records,
    /// By the hash of their origins, as their checkpoints are asked for.
    logs: BTreeMap<String, Log>,
}

struct Log {
    /// All of this origin: a log that changes its key has two for a while.
    keys: Vec<Verifier>,
    latest: Mutex<Latest>,
}

/// What was cosigned last.
#[derive(Default)]
struct Latest {
    checkpoint: Option<Checkpoint>,
    /// With the log's signatures and ours, for those who look whether all see the same.
    cosigned: Option<String>,
    /// Whether the record may say something newer: then nothing is signed until it has been read again.
    unsure: bool,
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSigned {
    /// The log is told why.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be remembered, so it was not signed.
    #[error("cannot keep a record: {0}")]
    Unkept(#[from] Unkept),
    /// An earlier record may or may not be on disk.
    #[error("an earlier record could not be kept for certain: start the witness again")]
    Unsure,
    /// The clock has no time that a cosignature can carry.
    #[error("the clock shows no time after 1970")]
    Clock,
    /// The note cannot carry the cosignature.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Witness {
    /// The witness of these logs, with what it remembers of them. `now` is in seconds since 1970.
    ///
    /// What was cosigned last is cosigned again with this time, in memory: it is still the newest tree seen.
    pub(crate) fn new(
        key: Cosigner,
        records: Records,
        mut kept: BTreeMap<String, SignedNote>,
        keys: Vec<Verifier>,
        now: u64,
    ) -> anyhow::Result<Witness> {
        let mut logs: BTreeMap<String, Log> = BTreeMap::new();
        for verifier in keys {
            let log = logs.entry(origin_hash(verifier.name()));
            let log = log.or_insert_with(|| Log { keys: Vec::new(), latest: Mutex::default() });
            if !log.keys.contains(&verifier) {
                log.keys.push(verifier);
            }
        }
        for (hash, log) in &mut logs {
            let Some(note) = kept.remove(hash) else { continue };
            let checkpoint = Checkpoint::parse(note.text())?;
            let cosigned = cosign(&key, &note, now)?;
            log.latest = Mutex::new(Latest {
                checkpoint: Some(checkpoint),
                cosigned: Some(cosigned.note),
                unsure: false,
            });
        }
        for note in kept.values() {
            let origin = note.text().lines().next().unwrap_or_default();
            tracing::warn!(origin, "a log that was cosigned earlier is not among those named now");
        }
        Ok(Witness { key, records, logs })
    }

    /// The public key.
    pub(crate) fn verifier(&self) -> &Verifier {
        self.key.verifier()
    }

    /// How many logs it knows.
    pub(crate) fn logs(&self) -> usize {
        self.logs.len()
    }

    /// Answers `add-checkpoint`: our signature line, with its end.
    pub(crate) fn add_checkpoint(&self, body: &str, clock: fn() -> u64) -> Result<String, NotSigned> {
        let request = AddCheckpoint::parse(body)?;
        let unknown = || Refused::UnknownLog(request.origin().to_owned());
        let log = self.logs.get(&origin_hash(request.origin())).ok_or_else(unknown)?;
        // Held to the end: whoever asks next is measured against what is stored here.
        let mut latest = log.latest()?;
        if latest.unsure {
            return Err(NotSigned::Unsure);
        }
        let accepted = consider(&log.keys, latest.checkpoint.as_ref(), &request).inspect_err(|refused| {
            if *refused == Refused::Inconsistent {
                // Signed by the log: either it proved badly, or it shows others another tree.
                tracing::error!(origin = request.origin(), "a log asked to cosign what may be a fork");
            }
        })?;
        // Of the signatures only those that were checked: what is kept and shown is what we vouch for.
        let note = SignedNote::parse(&request.checkpoint)?.gather(&[], &log.keys)?;
        if latest.checkpoint.as_ref() != Some(&accepted) {
            self.records.keep(&accepted.origin, &note).inspect_err(|unkept| {
                latest.unsure = matches!(unkept, Unkept::Unsure(_));
            })?;
        }
        // Durable: from here on it is the newest, whether or not our signature reaches anybody.
        latest.checkpoint = Some(accepted);
        let cosigned = cosign(&self.key, &note, clock())?;
        latest.cosigned = Some(cosigned.note);
        Ok(cosigned.line)
    }

    /// The newest cosigned checkpoint of the log whose origin has this hash.
    pub(crate) fn latest(&self, origin_hash: &str) -> Option<String> {
        self.logs.get(origin_hash)?.latest().ok()?.cosigned.clone()
    }
}

impl Log {
    /// A thread that died with the lock in its hand left who knows what.
    fn latest(&self) -> Result<MutexGuard<'_, Latest>, NotSigned> {
        self.latest.lock().map_err(|_| NotSigned::Unsure)
    }
}

struct Cosigned {
    /// Our signature line, with its end.
    line: String,
    /// The note with that line.
    note: String,
}

fn cosign(key: &Cosigner, note: &SignedNote, now: u64) -> Result<Cosigned, NotSigned> {
    // By the specification a witness does not leave the time out.
    if now == 0 {
        return Err(NotSigned::Clock);
    }
    let signature = key.cosignature(note.text(), now)?;
    let signatures = [note.signatures(), std::slice::from_ref(&signature)].concat();
    let note = SignedNote::new(note.text(), signatures)?.to_string();
    Ok(Cosigned { line: format!("{signature}\n"), note })
}

#[cfg(test)]
mod tests;
