//! Many events at once: prepared in chunks on threads that may block, sent in their order, answered together.
//!
//! A chunk shares one message, one answer and one look at the runtime; what that saves is most of the cost of
//! an event. Each event has its own answer: one that is refused takes no other with it.

use std::collections::VecDeque;
use std::sync::Arc;

use greffier_event::{Draft, EventId, Tenant};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use super::prepare::{self, Holders};
use super::{Answers, Appender, Placed, Recorded, Room, Submission, kib, room};
use crate::cipher::Random;
use crate::commit::{Entry, Order};
use crate::error::AppendError;
use crate::gaps::Gaps;
use crate::ids::{Ids, Known};
use crate::keys::KeyRing;
use crate::wal::frame::MAX_PART_BYTES;

/// Entries of one chunk: long enough to be worth a hop to another thread, and four of them fill a group.
const CHUNK_ENTRIES: usize = 256;
/// Bytes of content after which a chunk is sent: with one more event, and all entries as long as they may be, it
/// still fits into what may wait.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// How often an id is looked up again. A seal happens each few seconds at most; an id is repeated in one group
/// or not.
const TRIES: usize = 16;

/// An event to record; from outside with the digest of what was sent.
struct Asked {
    draft: Box<Draft>,
    sent: Option<Hash>,
}

/// An event, an entry or an answer, with its place among those that were asked for.
type At<T> = (usize, T);
type Answer = Result<Recorded, AppendError>;

/// A chunk that the committer has.
struct Sent {
    places: Vec<usize>,
    answers: oneshot::Receiver<Answers>,
}

/// A chunk with entries that must be sent again, and the room they still hold.
struct Back {
    entries: Vec<At<Entry>>,
    room: Room,
}

/// One caller's events on their way.
struct Batch<'a> {
    appender: &'a Appender,
    results: Results,
    /// In their order.
    sent: VecDeque<Sent>,
    order: Order,
    /// How often in a row nothing came of sending again.
    tries: usize,
}

impl Appender {
    /// Records events of our own, in their order, sharing syncs. Each has its own answer.
    pub async fn append_batch(&self, drafts: Vec<Draft>) -> Vec<Result<Receipt, AppendError>> {
        let asked = drafts.into_iter().map(|draft| Asked { draft: Box::new(draft), sent: None }).collect();
        let answers = self.record_all(asked).await;
        answers.into_iter().map(|answer| answer.map(|recorded| recorded.receipt)).collect()
    }

    /// Records events from outside, in their order, sharing syncs. An event that is on its trail already is
    /// not recorded twice: its first receipt comes back. The same id with other content is
    /// [`AppendError::Conflict`].
    pub async fn submit(&self, submissions: Vec<Submission>) -> Vec<Result<Recorded, AppendError>> {
        let asked = |submission: Submission| Asked { draft: submission.draft, sent: Some(submission.digest) };
        self.record_all(submissions.into_iter().map(asked).collect()).await
    }

    async fn record_all(&self, asked: Vec<Asked>) -> Vec<Answer> {
        let results = Results((0..asked.len()).map(|_| None).collect());
        let (sent, order) = (VecDeque::new(), Order::default());
        let mut batch = Batch { appender: self, results, sent, order, tries: 0 };
        let (mut rest, mut at) = (asked.into_iter(), 0);
        while !rest.as_slice().is_empty() {
            let count = chunk_len(rest.as_slice());
            let chunk = rest.by_ref().take(count).collect();
            if let Err(error) = batch.record(at, chunk).await {
                batch.results.refuse(at..at + count, &error);
            }
            at += count;
        }
        while !batch.sent.is_empty() {
            batch.land().await;
        }
        batch.results.0.into_iter().map(|result| result.unwrap_or(Err(AppendError::Closed))).collect()
    }
}

impl Batch<'_> {
    /// Prepares and sends one chunk, which begins at place `first`.
    async fn record(&mut self, first: usize, chunk: Vec<Asked>) -> Result<(), AppendError> {
        self.appender.is_recording().map_err(AppendError::NotRecording)?;
        // An erasure waits for whoever holds room, and takes it before it destroys a key: so before keys are taken.
        let entries = self.room(&self.appender.waiting, chunk.len()).await?;
        let (keys, gaps) = (Arc::clone(&self.appender.keys), self.appender.gaps.clone());
        let prepared = tokio::task::spawn_blocking(move || prepare_chunk(&keys, &gaps, first, chunk)).await;
        let (prepared, refused) = prepared.map_err(|_| AppendError::Closed)?;
        self.results.settle(refused);
        let bytes = prepared.iter().map(|(_, entry)| entry.frame.len()).sum();
        let room = [entries, self.room(&self.appender.waiting_kib, kib(bytes)).await?];
        self.look_up_and_send(Back { entries: prepared, room }).await;
        Ok(())
    }

    /// Takes room. Whoever waits for it has none but what the next chunk needs: otherwise callers could wait for
    /// each other.
    async fn room(&mut self, of: &Arc<Semaphore>, much: usize) -> Result<OwnedSemaphorePermit, AppendError> {
        loop {
            match Arc::clone(of).try_acquire_many_owned(much as u32) {
                Ok(room) => return Ok(room),
                Err(TryAcquireError::Closed) => return Err(AppendError::Closed),
                Err(TryAcquireError::NoPermits) if self.sent.is_empty() => return room(of, much).await,
                Err(TryAcquireError::NoPermits) => self.land().await,
            }
        }
    }

    /// Waits for the answers to the oldest chunk. If some of it must be looked up again, all behind it comes back
    /// too, and is sent again in its order.
    async fn land(&mut self) {
        let Some(first) = self.next_back().await else { return };
        self.tries += 1;
        if self.tries > TRIES {
            return;
        }
        let mut back = vec![first];
        while !self.sent.is_empty() {
            back.extend(self.next_back().await);
        }
        self.order = Order::default();
        for chunk in back {
            self.look_up_and_send(chunk).await;
        }
    }

    /// Settles the oldest chunk, and returns what of it must be sent again.
    async fn next_back(&mut self) -> Option<Back> {
        let Sent { places, answers } = self.sent.pop_front()?;
        // Without an answer the committer is gone, and nobody knows.
        let Answers { placed, room } = answers.await.ok()?;
        let entries = self.results.take(places, placed);
        if room.is_none() {
            self.tries = 0;
        }
        Some(Back { entries, room: room? })
    }

    /// Looks the ids of submissions up, and sends what is not on its trail to the committer.
    async fn look_up_and_send(&mut self, Back { mut entries, room }: Back) {
        if entries.iter().any(|(_, entry)| entry.submitted.is_some()) {
            let Some(ids) = self.appender.ids.get().map(Arc::clone) else {
                let starting = AppendError::NotRecording("starting".to_owned());
                return self.results.refuse(entries.into_iter().map(|(at, _)| at), &starting);
            };
            let order = self.order.clone();
            let looked_up = tokio::task::spawn_blocking(move || look_up(&ids, &order, entries)).await;
            let Ok((unknown, settled)) = looked_up else { return };
            self.results.settle(settled);
            entries = unknown;
        }
        if entries.is_empty() {
            return;
        }
        let (places, entries): (Vec<usize>, Vec<Entry>) = entries.into_iter().unzip();
        match self.appender.send(entries, room) {
            Ok(answers) => self.sent.push_back(Sent { places, answers }),
            Err(error) => self.results.refuse(places.into_iter(), &error),
        }
    }
}

/// What became of each event, in the order they were asked for; those without an answer met a closed ledger.
struct Results(Vec<Option<Answer>>);

impl Results {
    fn settle(&mut self, answers: impl IntoIterator<Item = At<Answer>>) {
        for (at, answer) in answers {
            if let Some(result) = self.0.get_mut(at) {
                *result = Some(answer);
            }
        }
    }

    fn refuse(&mut self, places: impl Iterator<Item = usize>, error: &AppendError) {
        let refusal = || match error {
            AppendError::NotRecording(reason) => AppendError::NotRecording(reason.clone()),
            _ => AppendError::Closed,
        };
        self.settle(places.map(|at| (at, Err(refusal()))));
    }

    /// Notes what became of a chunk; returns the entries that must be sent again.
    fn take(&mut self, places: Vec<usize>, placed: Vec<Result<Placed, AppendError>>) -> Vec<At<Entry>> {
        let mut again = Vec::new();
        for (at, placed) in places.into_iter().zip(placed) {
            let answer = match placed {
                Ok(Placed::New(receipt)) => Ok(Recorded { receipt, repeated: false }),
                Ok(Placed::Known(known, entry)) => recorded(&entry, known),
                Ok(Placed::Again(entry)) => {
                    again.push((at, *entry));
                    Err(AppendError::NotRecording("the id could not be looked up".to_owned()))
                }
                Err(error) => Err(error),
            };
            self.settle([(at, answer)]);
        }
        again
    }
}

/// What is known of a draft's size before it is encoded.
fn content(draft: &Draft) -> usize {
    draft.parts.iter().map(|part| part.content.len().min(MAX_PART_BYTES)).sum()
}

/// How many of the next events make a chunk.
fn chunk_len(rest: &[Asked]) -> usize {
    let mut bytes = 0;
    let fits = |asked: &&Asked| {
        let fits = bytes < CHUNK_BYTES;
        bytes += content(&asked.draft);
        fits
    };
    rest.iter().take(CHUNK_ENTRIES).take_while(fits).count()
}

/// Seals the events of a chunk. Returns it, and what cannot be recorded.
fn prepare_chunk(
    keys: &KeyRing,
    gaps: &Gaps,
    first: usize,
    chunk: Vec<Asked>,
) -> (Vec<At<Entry>>, Vec<At<Answer>>) {
    let (mut entries, mut refused) = (Vec::with_capacity(chunk.len()), Vec::new());
    let (mut holders, mut random) = (Holders::new(keys), Random::ahead());
    for (at, asked) in (first..).zip(chunk) {
        match prepare_one(&mut holders, &mut random, gaps, asked) {
            Ok(entry) => entries.push((at, entry)),
            Err(error) => refused.push((at, Err(error))),
        }
    }
    (entries, refused)
}

fn prepare_one(
    holders: &mut Holders<'_>,
    random: &mut Random,
    gaps: &Gaps,
    Asked { draft, sent }: Asked,
) -> Result<Entry, AppendError> {
    gaps.check(&draft.event.tenant)?;
    prepare::check(&draft)?;
    let needed = sent.is_some() || !draft.parts.is_empty();
    let holder = if needed { Some(holders.of(&draft.event)?) } else { None };
    prepare::seal_entry(*draft, sent.as_ref(), holder, random)
}

/// Parts submissions into those whose id is not on their trail, and answers to the others.
fn look_up(ids: &Ids, order: &Order, entries: Vec<At<Entry>>) -> (Vec<At<Entry>>, Vec<At<Answer>>) {
    let (mut unknown, mut settled) = (Vec::with_capacity(entries.len()), Vec::new());
    // Mostly one trail's.
    let mut answers = Vec::with_capacity(entries.len());
    for run in entries.chunk_by(|(_, one), (_, next)| one.trail == next.trail) {
        let asked: Vec<EventId> = run.iter().map(|(_, entry)| entry.id).collect();
        let trail = run.first().map(|(_, entry)| entry.trail.as_str()).unwrap_or_default();
        answers.extend(ids.look_up_all(trail, &asked));
    }
    for ((at, mut entry), answer) in entries.into_iter().zip(answers) {
        match answer {
            Ok((Some(known), _)) if entry.submitted.is_some() => {
                settled.push((at, recorded(&entry, known)));
            }
            Ok((_, seen)) => {
                if let Some(submitted) = &mut entry.submitted {
                    (submitted.seen, submitted.order) = (seen, order.clone());
                }
                unknown.push((at, entry));
            }
            Err(error) => {
                let reason = format!("the id cannot be looked up: {error}");
                settled.push((at, Err(AppendError::NotRecording(reason))));
            }
        }
    }
    (unknown, settled)
}

/// The first receipt of an event that came again; the same id with other content is a contradiction.
fn recorded(entry: &Entry, known: Known) -> Answer {
    let same = entry.submitted.as_ref().is_some_and(|sent| known.digest == Some(sent.digest));
    if same {
        let trail: &Tenant = &entry.trail;
        Ok(Recorded { receipt: known.receipt(trail), repeated: true })
    } else {
        Err(AppendError::Conflict { index: known.index })
    }
}
