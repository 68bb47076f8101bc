//! One witness, asked: requests made of tiles, replies believed as far as they can be checked.

use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use greffier_merkle::Hash;
use greffier_merkle::note::{Signature, SignedNote, Statement, Verifier};
use greffier_merkle::proof::{consistency, root, tile_reader, verify_consistency};
use greffier_merkle::witness::{AddCheckpoint, parse_cosignatures, parse_size};

use super::desk::Job;
use super::{Reply, Shared, Unreachable};
use crate::error::LedgerError;
use crate::publish::{cosigned_path, read_tile};
use crate::store::Disk;

/// How often one checkpoint is offered in a row: once blindly, once more from the size that the witness names, and
/// once more in case it moved in between.
const TRIES: usize = 3;
/// A witness's clock may be ahead of ours by so many seconds; beyond, its time says nothing.
pub(super) const MAX_AHEAD: u64 = 300;

/// What a reply means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It cosigned, at this time.
    Cosigned(Box<Signature>, u64),
    /// It last confirmed this size, which is not the one that we thought.
    Conflict(u64),
    /// What it holds does not go together with what we hold.
    Inconsistent,
    /// Nothing that helps.
    Refused(String),
}

/// Reads a reply to `add-checkpoint`. Every line under the witness's own key must be good.
pub(super) fn read_reply(reply: &Reply, text: &str, verifier: &Verifier, now: u64) -> Meaning {
    match reply.status {
        200 => read_lines(&reply.body, text, verifier, now).unwrap_or_else(Meaning::Refused),
        409 => {
            let size = parse_size(&reply.body);
            size.map_or(Meaning::Refused("its 409 names no size".to_owned()), Meaning::Conflict)
        }
        422 => Meaning::Inconsistent,
        404 => Meaning::Refused("it does not know this log: give it the log's key".to_owned()),
        403 => Meaning::Refused("it has another key for this log".to_owned()),
        status => Meaning::Refused(format!("it answered {status}")),
    }
}

fn read_lines(body: &str, text: &str, verifier: &Verifier, now: u64) -> Result<Meaning, String> {
    let mut newest: Option<(Signature, u64)> = None;
    let lines = parse_cosignatures(body).map_err(|_| "its answer is not signature lines".to_owned())?;
    for line in lines {
        if (line.name(), line.key_id()) != (verifier.name(), verifier.key_id()) {
            // Other keys of the witness, which nobody configured.
            continue;
        }
        let Some(Statement::Cosigned { time }) = verifier.check(text, &line) else {
            return Err("its signature does not hold under its configured key".to_owned());
        };
        if time > now.saturating_add(MAX_AHEAD) {
            return Err(format!("its time {time} lies in the future"));
        }
        if newest.as_ref().is_none_or(|(_, newest)| *newest < time) {
            newest = Some((line, time));
        }
    }
    let (line, time) = newest.ok_or("its answer has no signature of its configured key")?;
    Ok(Meaning::Cosigned(Box::new(line), time))
}

/// The body of `add-checkpoint`, with a proof that was checked; `None` if the tiles do not give one.
pub(super) fn request(
    disk: &Disk,
    trail: &str,
    old: u64,
    size: u64,
    new_root: &Hash,
    note: &str,
) -> Option<String> {
    let mut read = tile_reader(size, |tile| read_tile(disk, trail, &tile).ok().flatten());
    let proof = consistency(old, size, &mut read)?;
    let old_root = root(old, &mut read)?;
    // A damaged tile must not make a witness think that we forked.
    verify_consistency(old, size, &old_root, new_root, &proof).ok()?;
    Some(AddCheckpoint { old, proof, checkpoint: note.to_owned() }.to_text())
}

/// The thread of one witness.
pub(super) struct Asker {
    shared: Arc<Shared>,
    witness: usize,
}

impl Asker {
    pub(super) fn new(shared: Arc<Shared>, witness: usize) -> Asker {
        Asker { shared, witness }
    }

    /// Asks until the desk is closed, or somebody caught us.
    pub(super) fn run(self) {
        while let Some(jobs) = self.wait() {
            let mut waiting = jobs;
            for _ in 0..TRIES {
                waiting = self.ask(waiting);
                if waiting.is_empty() {
                    break;
                }
            }
            self.file();
        }
    }

    /// Waits for something to ask; `None` when there will be nothing any more.
    fn wait(&self) -> Option<Vec<Job>> {
        let mut desk = self.shared.desk();
        loop {
            if desk.is_stopped() || self.shared.faults.forked().is_some() {
                return None;
            }
            let jobs = desk.jobs(self.witness, &self.shared.heads, Instant::now());
            if !jobs.is_empty() || !desk.to_file().is_empty() {
                return Some(jobs);
            }
            desk = match self.shared.changed.wait_timeout(desk, self.shared.pace) {
                Ok((desk, _)) => desk,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Asks once for each, and returns those to be asked again from another size.
    fn ask(&self, jobs: Vec<Job>) -> Vec<Job> {
        let shared = &self.shared;
        let mut offered = Vec::new();
        let mut bodies = Vec::new();
        for job in jobs {
            match request(&shared.disk, &job.trail, job.old, job.size, &job.root, &job.note) {
                Some(body) => {
                    bodies.push(body);
                    offered.push(job);
                }
                None => {
                    tracing::warn!(
                        trail = job.trail,
                        old = job.old,
                        "no consistency proof: tiles are missing"
                    );
                    shared.desk().refused(self.witness, &job, Instant::now());
                }
            }
        }
        if offered.is_empty() {
            return Vec::new();
        }
        let replies = shared.anchor.client.add_checkpoints(self.witness, bodies);
        let mut again = Vec::new();
        for (job, reply) in offered.into_iter().zip(replies) {
            again.extend(self.reply(job, reply));
        }
        shared.changed.notify_all();
        again
    }

    /// Takes in one reply; returns the job if it is to be asked again.
    fn reply(&self, job: Job, reply: Result<Reply, Unreachable>) -> Option<Job> {
        let (shared, now) = (&self.shared, Instant::now());
        let witness = shared.anchor.witnesses.get(self.witness)?;
        let name = witness.name.as_str();
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(witness = name, %error, "a witness cannot be reached");
                shared.desk().unreachable(self.witness, now);
                return None;
            }
        };
        let note = SignedNote::parse(&job.note).ok()?;
        match read_reply(&reply, note.text(), &witness.verifier, unix_now()) {
            Meaning::Cosigned(line, time) => shared.desk().cosigned(self.witness, &job, *line, time),
            Meaning::Conflict(size) => {
                // Read after its answer: what it may know of us was signed before.
                let signed = shared.heads.newest(&job.trail).map_or(0, |(size, ..)| size);
                if size > signed {
                    self.caught(&LedgerError::ahead(name, &job.trail, size, signed));
                    return None;
                }
                shared.desk().confirmed(self.witness, &job, size);
                return (size <= job.size && size != job.old).then_some(Job { old: size, ..job });
            }
            Meaning::Inconsistent => self.caught(&LedgerError::another(name, &job.trail)),
            Meaning::Refused(reason) => {
                tracing::warn!(witness = name, trail = job.trail, reason, "a witness did not cosign");
                shared.desk().refused(self.witness, &job, now);
            }
        }
        None
    }

    /// This is a restored backup, or there is a second node: nothing more is signed.
    fn caught(&self, error: &LedgerError) {
        tracing::error!(%error, "not recording");
        self.shared.faults.set_forked(error.to_string());
    }

    /// Writes down what enough witnesses cosigned. Whoever comes first does it for all.
    fn file(&self) {
        let shared = &self.shared;
        let trails = shared.desk().to_file();
        for trail in trails {
            // Held while writing, so that a later line never makes way for an earlier one, and a stop waits.
            let closed = shared.closed.lock().unwrap_or_else(PoisonError::into_inner);
            if *closed {
                return;
            }
            let ready = shared.desk().to_file().contains(&trail);
            let Some(filing) = shared.desk().filing(&trail).filter(|_| ready) else { continue };
            if let Err(error) = shared.disk.replace(&cosigned_path(&trail), filing.note.as_bytes()) {
                tracing::error!(%error, trail, "a cosigned checkpoint cannot be written");
                drop(closed);
                // It stays on the desk and is tried again; nothing else waits for it.
                std::thread::sleep(shared.pace);
                continue;
            }
            shared.desk().filed(&trail, &filing);
            shared.heads.cosigned(&trail, filing.size, filing.time, unix_now());
        }
        shared.changed.notify_all();
    }
}

/// The wall clock, in seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
