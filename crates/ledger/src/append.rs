//! The producer's side of an append: everything costly happens here, on the caller's thread, in parallel.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, OnceLock, PoisonError};

use greffier_event::{Draft, Event};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::cipher::Random;
use crate::commit::Entry;
use crate::erase::Erasure;
use crate::error::AppendError;
use crate::gaps::Gaps;
use crate::heads::Heads;
use crate::ids::{Ids, Known};
use crate::keys::KeyRing;
use crate::wal::frame::{MAX_ENTRY_BYTES, MAX_PART_BYTES};

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
    /// The event, stamped, with its parts. In a box: an event is large, and changes hands many times on its way.
    pub draft: Box<Draft>,
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
    /// Set for good: whoever forked must not sign again.
    forked: Mutex<Option<String>>,
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

    /// A witness caught us: nothing is signed or recorded any more, until a person looked at it.
    pub(crate) fn set_forked(&self, reason: String) {
        self.forked.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    /// Whether a witness caught us, and how.
    pub(crate) fn forked(&self) -> Option<String> {
        self.forked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for fault in [&self.forked, &self.log, &self.publishing, &self.sealing] {
            if let Some(reason) = fault.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                return Err(reason.clone());
            }
        }
        Ok(())
    }
}

/// Room in the queue: for so many entries, and for so many kibibytes of them. Held from before an event's key is
/// taken until it is answered.
pub(crate) type Room = [OwnedSemaphorePermit; 2];

/// Waits for room.
async fn room(of: &Arc<Semaphore>, much: usize) -> Result<OwnedSemaphorePermit, AppendError> {
    Arc::clone(of).acquire_many_owned(much as u32).await.map_err(|_| AppendError::Closed)
}

/// Kibibytes that so many bytes take.
fn kib(bytes: usize) -> usize {
    bytes / 1024 + 1
}

/// Entries of one caller on their way to the committer, in their order.
pub(crate) struct Pending {
    pub(crate) entries: Vec<Entry>,
    pub(crate) ack: oneshot::Sender<Answers>,
    pub(crate) room: Room,
}

/// What the committer answers to [`Pending`] entries: one answer for each.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) placed: Vec<Result<Placed, AppendError>>,
    /// Their room, if some must be sent again: until then they are not answered.
    pub(crate) room: Option<Room>,
}

/// What becomes of an entry.
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
    /// Begin a new file of the log, so that the old ones can be emptied.
    Erase(Box<Erasure>),
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
    pub(crate) gaps: Gaps,
    heads: Heads,
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
        heads: Heads,
    ) -> Appender {
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        let waiting_kib = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        Appender { keys, faults, waiting, waiting_kib, committer, ids, gaps: Gaps::default(), heads }
    }

    /// How far the trails are signed and cosigned.
    pub fn heads(&self) -> &Heads {
        &self.heads
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
        self.gaps.check(&draft.event.tenant)?;
        self.record(draft).await
    }

    pub(crate) async fn record(&self, draft: Draft) -> Result<Receipt, AppendError> {
        self.is_recording().map_err(AppendError::NotRecording)?;
        prepare::check(&draft)?;
        // Room first: what waits for room has no key yet, and is not encrypted a second time in memory.
        let kept: usize = draft.parts.iter().map(|part| part.content.len().min(MAX_PART_BYTES)).sum();
        let kib = kib(kept + MAX_ENTRY_BYTES);
        let room = [room(&self.waiting, 1).await?, room(&self.waiting_kib, kib).await?];
        self.place(draft, room).await
    }

    /// Seals one event and waits for its place. Only submissions are held against what is on the trail.
    async fn place(&self, draft: Draft, room: Room) -> Result<Receipt, AppendError> {
        let holder = if draft.parts.is_empty() { None } else { Some(self.holder(&draft.event).await?) };
        let entry = prepare::seal_entry(draft, None, holder.as_ref(), &mut Random::default())?;
        let answers = self.send(vec![entry], room)?.await.map_err(|_| AppendError::Closed)?;
        match answers.placed.into_iter().next() {
            Some(Ok(Placed::New(receipt))) => Ok(receipt),
            Some(Err(error)) => Err(error),
            Some(Ok(Placed::Known(..) | Placed::Again(_))) | None => Err(AppendError::Closed),
        }
    }

    /// Hands entries to the committer, with the room they take.
    fn send(&self, entries: Vec<Entry>, room: Room) -> Result<oneshot::Receiver<Answers>, AppendError> {
        let (ack, answers) = oneshot::channel();
        let pending = Box::new(Pending { entries, ack, room });
        self.committer.send(Command::Append(pending)).map_err(|_| AppendError::Closed)?;
        Ok(answers)
    }

    /// The holder of the event's parts. A new holder costs a sync, which must not stall the runtime.
    async fn holder(&self, event: &Event) -> Result<Holder, AppendError> {
        let name = Holder::name(&self.keys, event);
        if let Some(key) = self.keys.holder_key(&name) {
            return Holder::new(name, key);
        }
        let keys = Arc::clone(&self.keys);
        let made = tokio::task::spawn_blocking(move || Holder::ensure(&keys, name));
        made.await.map_err(|_| AppendError::Closed)?
    }

    /// Waits until no event is between its holder's key and its receipt, and keeps all others out as long as the
    /// permit is held.
    pub(crate) async fn alone(&self) -> Result<OwnedSemaphorePermit, AppendError> {
        self.is_recording().map_err(AppendError::NotRecording)?;
        let all = MAX_WAITING as u32;
        Arc::clone(&self.waiting).acquire_many_owned(all).await.map_err(|_| AppendError::Closed)
    }

    /// Records one event while all others are kept out.
    pub(crate) async fn append_alone(
        &self,
        draft: Draft,
        _alone: &OwnedSemaphorePermit,
    ) -> Result<Receipt, AppendError> {
        prepare::check(&draft)?;
        // It takes none of the room: what it gives back would let somebody in.
        let none = |room: &Arc<Semaphore>| {
            Arc::clone(room).try_acquire_many_owned(0).map_err(|_| AppendError::Closed)
        };
        let room = [none(&self.waiting)?, none(&self.waiting_kib)?];
        self.place(draft, room).await
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
    prepare::seal_entry(draft, None, Some(&holder), &mut Random::default()).unwrap()
}
