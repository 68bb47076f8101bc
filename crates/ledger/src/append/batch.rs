//! Many events at once: prepared in chunks on threads that may block, sent in their order, answered together.
//!
//! A chunk shares one message, one answer and one look at the runtime; what that saves is most of the cost of
//! an event. Each event has its own answer: one that is refused takes no other with it.

use std::iter::Enumerate;
use std::sync::Arc;
use std::vec::IntoIter;

use greffier_event::{Draft, Tenant};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::oneshot;

use super::prepare::{self, Holder};
use super::{Appender, Placed, Recorded, Submission};
use crate::commit::Entry;
use crate::error::AppendError;
use crate::ids::{Ids, Known};
use crate::keys::KeyRing;

/// Entries of one chunk: long enough to be worth a hop to another thread, and four of them fill a group.
const CHUNK_ENTRIES: usize = 256;
/// Bytes after which a chunk is sent: with one more frame it still fits into what may wait.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// How often an id is looked up again. A seal happens each few seconds at most; an id is repeated in one group
/// or not.
const TRIES: usize = 16;

/// An event to record; from outside with the digest of what was sent.
struct Asked {
    draft: Draft,
    sent: Option<Hash>,
}

/// An entry, or an answer, with its place among those that were asked for.
type At<T> = (usize, T);
type Answer = Result<Recorded, AppendError>;

/// A chunk that the committer has.
struct Sent {
    places: Vec<usize>,
    answers: oneshot::Receiver<Vec<Result<Placed, AppendError>>>,
}

impl Appender {
    /// Records events of our own, in their order, sharing syncs. Each has its own answer.
    pub async fn append_batch(&self, drafts: Vec<Draft>) -> Vec<Result<Receipt, AppendError>> {
        let asked = drafts.into_iter().map(|draft| Asked { draft, sent: None }).collect();
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
        let mut results = Results((0..asked.len()).map(|_| None).collect());
        let mut rest = asked.into_iter().enumerate();
        let mut sent = Vec::new();
        while rest.len() > 0 {
            if let Err(reason) = self.is_recording() {
                results.refuse(rest.map(|(at, _)| at), &AppendError::NotRecording(reason));
                break;
            }
            let keys = Arc::clone(&self.keys);
            let prepared = tokio::task::spawn_blocking(move || prepare_chunk(&keys, rest)).await;
            let Ok((entries, refused, left)) = prepared else { break };
            rest = left;
            results.settle(refused);
            self.look_up_and_send(entries, &mut results, &mut sent).await;
        }
        for _ in 0..TRIES {
            // Those that crossed a seal, or their own repetition, are sent again.
            let mut again = results.take(std::mem::take(&mut sent)).await;
            if again.is_empty() {
                break;
            }
            again.sort_unstable_by_key(|(at, _)| *at);
            let mut again = again.into_iter().peekable();
            while again.peek().is_some() {
                let chunk = take_chunk(&mut again);
                self.look_up_and_send(chunk, &mut results, &mut sent).await;
            }
        }
        results.0.into_iter().map(|result| result.unwrap_or(Err(AppendError::Closed))).collect()
    }

    /// Looks the ids of submissions up, and sends what is not on its trail to the committer.
    async fn look_up_and_send(
        &self,
        mut entries: Vec<At<Entry>>,
        results: &mut Results,
        sent: &mut Vec<Sent>,
    ) {
        if entries.iter().any(|(_, entry)| entry.submitted.is_some()) {
            let Some(ids) = self.ids.get().map(Arc::clone) else {
                let starting = AppendError::NotRecording("starting".to_owned());
                return results.refuse(entries.into_iter().map(|(at, _)| at), &starting);
            };
            let looked_up = tokio::task::spawn_blocking(move || look_up(&ids, entries)).await;
            let Ok((unknown, settled)) = looked_up else { return };
            results.settle(settled);
            entries = unknown;
        }
        if entries.is_empty() {
            return;
        }
        let (places, entries): (Vec<usize>, Vec<Entry>) = entries.into_iter().unzip();
        match self.send(entries).await {
            Ok(answers) => sent.push(Sent { places, answers }),
            Err(error) => results.refuse(places.into_iter(), &error),
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

    /// Waits for what was sent; returns the entries whose ids must be looked up again.
    async fn take(&mut self, sent: Vec<Sent>) -> Vec<At<Entry>> {
        let mut again = Vec::new();
        for Sent { places, answers } in sent {
            // Without an answer the committer is gone, and nobody knows.
            let Ok(answers) = answers.await else { continue };
            for (at, placed) in places.into_iter().zip(answers) {
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
        }
        again
    }
}

/// Seals the next events until a chunk is full. Returns it, what cannot be recorded, and the events behind it.
fn prepare_chunk(
    keys: &KeyRing,
    mut rest: Enumerate<IntoIter<Asked>>,
) -> (Vec<At<Entry>>, Vec<At<Answer>>, Enumerate<IntoIter<Asked>>) {
    let (mut entries, mut refused) = (Vec::with_capacity(CHUNK_ENTRIES.min(rest.len())), Vec::new());
    let mut bytes = 0;
    while entries.len() < CHUNK_ENTRIES && bytes < CHUNK_BYTES {
        let Some((at, asked)) = rest.next() else { break };
        match prepare_one(keys, asked) {
            Ok(entry) => {
                bytes += entry.frame.len();
                entries.push((at, entry));
            }
            Err(error) => refused.push((at, Err(error))),
        }
    }
    (entries, refused, rest)
}

fn prepare_one(keys: &KeyRing, Asked { draft, sent }: Asked) -> Result<Entry, AppendError> {
    prepare::check(&draft)?;
    let needed = sent.is_some() || !draft.parts.is_empty();
    let holder = if needed { Some(Holder::of(keys, &draft.event)?) } else { None };
    prepare::seal_entry(draft, sent.as_ref(), holder.as_ref())
}

/// The next entries, as many as a chunk may hold.
fn take_chunk(entries: &mut impl Iterator<Item = At<Entry>>) -> Vec<At<Entry>> {
    let mut bytes = 0;
    let mut chunk = Vec::new();
    while chunk.len() < CHUNK_ENTRIES && bytes < CHUNK_BYTES {
        let Some((at, entry)) = entries.next() else { break };
        bytes += entry.frame.len();
        chunk.push((at, entry));
    }
    chunk
}

/// Parts submissions into those whose id is not on their trail, and answers to the others.
fn look_up(ids: &Ids, entries: Vec<At<Entry>>) -> (Vec<At<Entry>>, Vec<At<Answer>>) {
    let (mut unknown, mut settled) = (Vec::with_capacity(entries.len()), Vec::new());
    for (at, mut entry) in entries {
        match ids.look_up(entry.trail.as_str(), entry.id) {
            Ok((Some(known), _)) if entry.submitted.is_some() => {
                settled.push((at, recorded(&entry, known)));
            }
            Ok((_, seen)) => {
                entry.submitted = entry.submitted.map(|(digest, _)| (digest, seen));
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
    let same = entry.submitted.as_ref().is_some_and(|(digest, _)| known.digest == Some(*digest));
    if same {
        let trail: &Tenant = &entry.trail;
        Ok(Recorded { receipt: known.receipt(trail), repeated: true })
    } else {
        Err(AppendError::Conflict { index: known.index })
    }
}
