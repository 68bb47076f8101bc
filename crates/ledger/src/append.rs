//! The producer's side of an append: everything costly happens here, on the caller's thread, in parallel.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, OnceLock, PoisonError};

use greffier_event::{Draft, Event, Tenant};
use greffier_merkle::hash::{self, hmac_sha256};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::commit::Entry;
use crate::erase::Erasure;
use crate::error::{AppendError, stamped};
use crate::gaps::Gaps;
use crate::heads::Heads;
use crate::ids::{Ids, Known};
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

/// An entry on its way to the committer.
pub(crate) struct Pending {
    pub(crate) entry: Entry,
    pub(crate) ack: oneshot::Sender<Result<Placed, AppendError>>,
    /// Room in the queue, given back when the entry is answered.
    pub(crate) room: [OwnedSemaphorePermit; 2],
}

/// What the committer answers.
#[derive(Debug)]
pub(crate) enum Placed {
    /// The entry is on its trail, here.
    New(Receipt),
    /// Its id was there already.
    Known(Known),
    /// Its id must be looked up again.
    Again,
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
        let room = self.room(&draft).await?;
        let holder_key = self.holder_key(&draft.event).await?;
        let entry = seal_entry(draft, &holder_key)?;
        match self.send(entry, room)?.await.map_err(|_| AppendError::Closed)?? {
            Placed::New(receipt) => Ok(receipt),
            // Only submissions are held against what is on the trail.
            Placed::Known(_) | Placed::Again => Err(AppendError::Closed),
        }
    }

    /// Records events from outside, in their order, sharing syncs. An event that is on its trail already is
    /// not recorded twice: its first receipt comes back. The same id with other content is
    /// [`AppendError::Conflict`].
    pub async fn submit(&self, submissions: Vec<Submission>) -> Vec<Result<Recorded, AppendError>> {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(submissions.len());
        for submission in submissions {
            // Sent in order, so recorded in order; many are on their way at once.
            waiting.push(match self.try_submit(&submission).await {
                Ok(sent) => Waiting::Sent(Box::new(submission), sent),
                Err(error) => Waiting::Failed(error),
            });
        }
        let mut results = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            results.push(match waiting {
                Waiting::Sent(submission, sent) => self.answer(&submission, sent).await,
                Waiting::Failed(error) => Err(error),
            });
        }
        results
    }

    /// Waits for what became of a submission. One that crossed a seal, or its own repetition, is sent again.
    async fn answer(&self, submission: &Submission, mut sent: Sent) -> Result<Recorded, AppendError> {
        /// A seal happens each few seconds at most; an id is repeated in one group or not.
        const TRIES: usize = 16;
        for _ in 0..TRIES {
            let trail = &submission.draft.event.tenant;
            match sent.answer {
                Answer::Known(known) => return recorded(trail, known, &sent.digest),
                Answer::Waiting(answer) => match answer.await.map_err(|_| AppendError::Closed)?? {
                    Placed::New(receipt) => return Ok(Recorded { receipt, repeated: false }),
                    Placed::Known(known) => return recorded(trail, known, &sent.digest),
                    Placed::Again => sent = self.try_submit(submission).await?,
                },
            }
        }
        Err(AppendError::NotRecording("the id could not be looked up".to_owned()))
    }

    /// Looks the id up, and sends what is not on the trail to the committer.
    async fn try_submit(&self, submission: &Submission) -> Result<Sent, AppendError> {
        self.gaps.check(&submission.draft.event.tenant)?;
        let room = self.room(&submission.draft).await?;
        let mut draft = submission.draft.clone();
        let holder = self.holder_key(&draft.event).await?;
        let digest = holder.digest(&draft.event.tenant, &submission.digest);
        let (trail, id) = (draft.event.tenant.clone(), draft.event.id);
        let ids = self.ids.get().ok_or_else(|| AppendError::NotRecording("starting".to_owned()))?;
        let looked_up = {
            let ids = Arc::clone(ids);
            tokio::task::spawn_blocking(move || ids.look_up(trail.as_str(), id)).await
        };
        let (known, seen) = looked_up
            .map_err(|_| AppendError::Closed)?
            .map_err(|error| AppendError::NotRecording(format!("the id cannot be looked up: {error}")))?;
        if let Some(known) = known {
            return Ok(Sent { digest, answer: Answer::Known(known) });
        }
        if let Some(source) = &mut draft.event.source {
            source.digest = Some(digest.clone());
        }
        let mut entry = seal_entry(draft, &holder)?;
        entry.submitted = Some((digest.clone(), seen));
        Ok(Sent { digest, answer: Answer::Waiting(self.send(entry, room)?) })
    }

    /// What every event must be, and room for it.
    async fn room(&self, draft: &Draft) -> Result<[OwnedSemaphorePermit; 2], AppendError> {
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
        Ok([
            Arc::clone(&self.waiting).acquire_owned().await.map_err(|_| AppendError::Closed)?,
            Arc::clone(&self.waiting_kib).acquire_many_owned(kib).await.map_err(|_| AppendError::Closed)?,
        ])
    }

    fn send(
        &self,
        entry: Entry,
        room: [OwnedSemaphorePermit; 2],
    ) -> Result<oneshot::Receiver<Result<Placed, AppendError>>, AppendError> {
        let (ack, answer) = oneshot::channel();
        let pending = Box::new(Pending { entry, ack, room });
        self.committer.send(Command::Append(pending)).map_err(|_| AppendError::Closed)?;
        Ok(answer)
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
        stamped(draft.event.recorded_at)?;
        let holder = self.holder_key(&draft.event).await?;
        let entry = seal_entry(draft, &holder)?;
        // It takes none of the room: what it gives back would let somebody in.
        let none = |room: &Arc<Semaphore>| {
            Arc::clone(room).try_acquire_many_owned(0).map_err(|_| AppendError::Closed)
        };
        let room = [none(&self.waiting)?, none(&self.waiting_kib)?];
        match self.send(entry, room)?.await.map_err(|_| AppendError::Closed)?? {
            Placed::New(receipt) => Ok(receipt),
            Placed::Known(_) | Placed::Again => Err(AppendError::Closed),
        }
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

impl Holder {
    /// What a producer sent, as a keyed digest: equal for equal content of one holder, and meaningless once the
    /// holder's key is destroyed.
    fn digest(&self, trail: &Tenant, sent: &Hash) -> String {
        let domain: &[u8] = b"greffier/producer-digest/v1\0";
        hex::encode(hmac_sha256(self.key.bytes(), &[domain, trail.as_str().as_bytes(), b"\0", sent]))
    }
}

/// A submission on its way.
struct Sent {
    digest: String,
    answer: Answer,
}

enum Answer {
    /// It was on the trail before.
    Known(Known),
    Waiting(oneshot::Receiver<Result<Placed, AppendError>>),
}

enum Waiting {
    Sent(Box<Submission>, Sent),
    Failed(AppendError),
}

/// The first receipt of an event that came again; the same id with other content is a contradiction.
fn recorded(trail: &Tenant, known: Known, digest: &str) -> Result<Recorded, AppendError> {
    if known.digest.as_deref() == Some(digest) {
        Ok(Recorded { receipt: known.receipt(trail), repeated: true })
    } else {
        Err(AppendError::Conflict { index: known.index })
    }
}

/// Seals the parts, binds them into the event, and encodes what the committer writes.
fn seal_entry(draft: Draft, holder: &Holder) -> Result<Entry, AppendError> {
    let Draft { mut event, parts } = draft;
    let sealed = seal::seal(&mut event, parts, &holder.name, &holder.key).map_err(|_| AppendError::Cipher)?;
    let bytes = event.canonical()?;
    let frame =
        Unplaced::encode(event.tenant.as_str(), &bytes, &sealed).map_err(|_| AppendError::TooLarge)?;
    let recorded_at = event.recorded_at.unwrap_or(event.time);
    let leaf = hash::leaf(&bytes);
    Ok(Entry { trail: event.tenant, leaf, frame, id: event.id, recorded_at, submitted: None })
}

/// What a producer would send, for tests that drive the committer themselves.
#[cfg(test)]
pub(crate) fn seal_entry_for_test(keys: &KeyRing, draft: Draft) -> Entry {
    let name = keys.holder(&draft.event.tenant, draft.event.user.as_ref().map(|user| user.sub.as_str()));
    let key = keys.ensure_holder_key(&name).unwrap();
    seal_entry(draft, &Holder { name, key }).unwrap()
}
