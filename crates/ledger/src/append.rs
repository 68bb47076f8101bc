//! The producer's side of an append: everything costly happens here, on the caller's thread, in parallel.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use greffier_event::{Draft, Event};
use greffier_merkle::{Receipt, hash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::commit::Entry;
use crate::error::{AppendError, stamped};
use crate::keys::KeyRing;
use crate::seal;
use crate::wal::frame::{MAX_ENTRY_BYTES, MAX_PART_BYTES, MAX_PARTS, Unplaced};

/// Entries between a producer and its receipt: enough for several groups, so that one fills while one syncs.
const MAX_WAITING: usize = 4_096;
/// Kibibytes of entries and parts in the same place, 64 MiB: bounds memory when parts are large.
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

/// What keeps the ledger from recording; each kind is set and cleared by the one who meets it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    log: Mutex<Option<String>>,
    publishing: Mutex<Option<String>>,
}

impl Faults {
    pub(crate) fn set_log(&self, fault: Option<String>) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn set_publishing(&self, fault: Option<String>) {
        *self.publishing.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for fault in [&self.log, &self.publishing] {
            if let Some(reason) = fault.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                return Err(reason.clone());
            }
        }
        Ok(())
    }
}

/// An entry on its way to the committer.
pub(crate) struct Pending {
    pub(crate) entry: Entry,
    pub(crate) ack: oneshot::Sender<Result<Receipt, AppendError>>,
    /// Room in the queue, given back when the entry is answered.
    pub(crate) room: [OwnedSemaphorePermit; 2],
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
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("recording", &self.is_recording()).finish_non_exhaustive()
    }
}

impl Appender {
    pub(crate) fn new(keys: Arc<KeyRing>, faults: Arc<Faults>, committer: Sender<Command>) -> Appender {
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        let waiting_kib = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        Appender { keys, faults, waiting, waiting_kib, committer }
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
        stamped(draft.event.recorded_at)?;
        if !draft.event.parts.is_empty() || draft.event.parts_root.is_some() {
            return Err(AppendError::Prefilled);
        }
        if draft.parts.len() > MAX_PARTS {
            return Err(AppendError::TooLarge);
        }
        // Room first: what waits for room is not yet encrypted a second time in memory.
        let kept: usize = draft.parts.iter().map(|part| part.content.len().min(MAX_PART_BYTES)).sum();
        let kib = ((kept + MAX_ENTRY_BYTES) / 1024 + 1) as u32;
        let room = [
            Arc::clone(&self.waiting).acquire_owned().await.map_err(|_| AppendError::Closed)?,
            Arc::clone(&self.waiting_kib).acquire_many_owned(kib).await.map_err(|_| AppendError::Closed)?,
        ];
        let holder_key = self.holder_key(&draft.event).await?;
        let entry = seal_entry(draft, &holder_key)?;
        let (ack, answer) = oneshot::channel();
        let pending = Box::new(Pending { entry, ack, room });
        self.committer.send(Command::Append(pending)).map_err(|_| AppendError::Closed)?;
        answer.await.map_err(|_| AppendError::Closed)?
    }

    /// The holder of the event's parts. A new holder costs a sync, which must not stall the runtime.
    async fn holder_key(&self, event: &Event) -> Result<Holder, AppendError> {
        let name = self.keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
        if let Some(key) = self.keys.holder_key(&name) {
            return Ok(Holder { name, key });
        }
        let keys = Arc::clone(&self.keys);
        let made = tokio::task::spawn_blocking(move || {
            let key = keys.ensure_holder_key(&name)?;
            Ok(Holder { name, key })
        });
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

struct Holder {
    name: String,
    key: crate::cipher::Secret,
}

/// Seals the parts, binds them into the event, and encodes what the committer writes.
fn seal_entry(draft: Draft, holder: &Holder) -> Result<Entry, AppendError> {
    let Draft { mut event, parts } = draft;
    let sealed = seal::seal(&mut event, parts, &holder.name, &holder.key).map_err(|_| AppendError::Cipher)?;
    let bytes = event.canonical()?;
    let frame =
        Unplaced::encode(event.tenant.as_str(), &bytes, &sealed).map_err(|_| AppendError::TooLarge)?;
    Ok(Entry { trail: event.tenant, leaf: hash::leaf(&bytes), frame })
}

/// What a producer would send, for tests that drive the committer themselves.
#[cfg(test)]
pub(crate) fn seal_entry_for_test(keys: &KeyRing, draft: Draft) -> Entry {
    let name = keys.holder(&draft.event.tenant, draft.event.user.as_ref().map(|user| user.sub.as_str()));
    let key = keys.ensure_holder_key(&name).unwrap();
    seal_entry(draft, &Holder { name, key }).unwrap()
}
