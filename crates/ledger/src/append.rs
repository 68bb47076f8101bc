//! The producer's side of an append: everything costly happens here, on the caller's thread, in parallel.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, OnceLock, PoisonError};

use greffier_event::{Draft, Event};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::commit::Entry;
use crate::error::AppendError;
use crate::ids::{Ids, Known};
use crate::keys::KeyRing;

mod batch;
mod prepare;

use prepare::Holder;

/// Entries between a producer and its receipt: enough for several groups, so that one fills while one syncs.
const MAX_WAITING: usize = 16_384;
/// Kibibytes of them, 64 MiB: bounds memory when parts are large.
const MAX_WAITING_KIB: usize = 64 * 1024;

/// Whether events can be recorded now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// They can.
    Recording,
    /// They cannot: no call may be let through.
    NotRecording {
        /// Why, for people.
        reason: String,
    },
}

/// An event from outside, which may come twice.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The event, stamped, with its parts.
    pub draft: Draft,
    /// SHA-256 of what the producer sent, before our stamps: tells a repetition from a contradiction.
    pub digest: Hash,
}

/// What became of a [`Submission`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The receipt; of a repetition, the first one's.
    pub receipt: Receipt,
    /// Whether the event was on its trail already.
    pub repeated: bool,
}

/// What keeps the ledger from recording; each kind is set and cleared by the one who meets it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    log: Mutex<Option<String>>,
    publishing: Mutex<Option<String>>,
    sealing: Mutex<Option<String>>,
}

impl Faults {
    pub(crate) fn set_log(&self, fault: Option<String>) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn set_publishing(&self, fault: Option<String>) {
        *self.publishing.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn set_sealing(&self, fault: Option<String>) {
        *self.sealing.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for fault in [&self.log, &self.publishing, &self.sealing] {
            if let Some(reason) = fault.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                return Err(reason.clone());
            }
        }
        Ok(())
    }
}

/// Entries of one caller on their way to the committer, in their order.
pub(crate) struct Pending {
    pub(crate) entries: Vec<Entry>,
    /// Takes one answer for each entry.
    pub(crate) ack: oneshot::Sender<Vec<Result<Placed, AppendError>>>,
    /// Room in the queue, given back when the entries are answered.
    pub(crate) room: [OwnedSemaphorePermit; 2],
}

/// What the committer answers.
#[derive(Debug)]
pub(crate) enum Placed {
    /// The entry is on its trail, here.
    New(Receipt),
    /// Its id was there already.
    Known(Known, Box<Entry>),
    /// Its id must be looked up again.
    Again(Box<Entry>),
}

/// What producers tell the committer.
pub(crate) enum Command {
    Append(Box<Pending>),
    /// Answer everything that waits, then stop.
    Close,
    /// Stop as a crash would.
    Abandon,
}

/// Records events. Cheap to clone; every clone feeds the same committer.
#[derive(Clone)]
pub struct Appender {
    keys: Arc<KeyRing>,
    faults: Arc<Faults>,
    waiting: Arc<Semaphore>,
    waiting_kib: Arc<Semaphore>,
    committer: Sender<Command>,
    /// Known once the directory is open.
    ids: Arc<OnceLock<Arc<Ids>>>,
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("recording", &self.is_recording()).finish_non_exhaustive()
    }
}

impl Appender {
    pub(crate) fn new(
        keys: Arc<KeyRing>,
        faults: Arc<Faults>,
        committer: Sender<Command>,
        ids: Arc<OnceLock<Arc<Ids>>>,
    ) -> Appender {
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        let waiting_kib = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        Appender { keys, faults, waiting, waiting_kib, committer, ids }
    }

    /// Whether an append could succeed now; otherwise why not, for people.
    pub fn is_recording(&self) -> Result<(), String> {
        if self.waiting.is_closed() {
            return Err("the ledger is closed".to_owned());
        }
        self.faults.check()
    }

    /// The key ring, for keyed references.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Records one event with its parts. The receipt comes when both are durable, not before. A caller that
    /// stops waiting does not know whether the event was recorded. Needs a tokio runtime.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, AppendError> {
        self.is_recording().map_err(AppendError::NotRecording)?;
        prepare::check(&draft)?;
        let holder = if draft.parts.is_empty() { None } else { Some(self.holder(&draft.event).await?) };
        let entry = prepare::seal_entry(draft, None, holder.as_ref())?;
        let answers = self.send(vec![entry]).await?.await.map_err(|_| AppendError::Closed)?;
        match answers.into_iter().next() {
            Some(Ok(Placed::New(receipt))) => Ok(receipt),
            Some(Err(error)) => Err(error),
            // Only submissions are held against what is on the trail.
            Some(Ok(Placed::Known(..) | Placed::Again(_))) | None => Err(AppendError::Closed),
        }
    }

    /// Hands entries to the committer as soon as there is room for them: a full queue makes its callers wait, and
    /// drops nothing.
    async fn send(
        &self,
        entries: Vec<Entry>,
    ) -> Result<oneshot::Receiver<Vec<Result<Placed, AppendError>>>, AppendError> {
        let bytes: usize = entries.iter().map(|entry| entry.frame.len()).sum();
        let (count, kib) = (entries.len() as u32, (bytes / 1024 + 1) as u32);
        let room = [
            Arc::clone(&self.waiting).acquire_many_owned(count).await.map_err(|_| AppendError::Closed)?,
            Arc::clone(&self.waiting_kib).acquire_many_owned(kib).await.map_err(|_| AppendError::Closed)?,
        ];
        let (ack, answer) = oneshot::channel();
        let pending = Box::new(Pending { entries, ack, room });
        self.committer.send(Command::Append(pending)).map_err(|_| AppendError::Closed)?;
        Ok(answer)
    }

    /// The holder of the event's parts. A new holder costs a sync, which must not stall the runtime.
    async fn holder(&self, event: &Event) -> Result<Holder, AppendError> {
        let name = Holder::name(&self.keys, event);
        if let Some(key) = self.keys.holder_key(&name) {
            return Ok(Holder { name, key });
        }
        let keys = Arc::clone(&self.keys);
        let made = tokio::task::spawn_blocking(move || Holder::ensure(&keys, name));
        made.await.map_err(|_| AppendError::Closed)?
    }

    /// No further event is taken; those that wait are answered.
    pub(crate) fn close(&self) {
        self.waiting.close();
        self.waiting_kib.close();
    }

    pub(crate) fn command(&self, command: Command) {
        let _ = self.committer.send(command);
    }
}

/// What a producer would send, for tests that drive the committer themselves.
#[cfg(test)]
pub(crate) fn seal_entry_for_test(keys: &KeyRing, draft: Draft) -> Entry {
    let holder = Holder::of(keys, &draft.event).unwrap();
    prepare::seal_entry(draft, None, Some(&holder)).unwrap()
}
