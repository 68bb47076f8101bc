//! Batches on their way to the record: what is taken, what is refused, and what one id of two producers becomes.
//!
//! An id is its producer's: where an event of another one has it, an event gets an id of its own, made of both, so that
//! it is the same one each time it is sent. What it came with is kept beside it, and given back in its own form.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use greffier_event::{Event, EventId};
use greffier_ledger::{AppendError, Recorded, Submission};

use super::sequence::Numbered;
use super::{LineError, Reader, Taken, invalid, sequence, unrecorded};

/// A line that can be submitted.
pub(super) struct Readable {
    line: usize,
    /// As it came: it is read again where its id is another producer's.
    text: Bytes,
    submission: Submission,
}

impl Readable {
    pub(super) fn new(line: usize, text: Bytes, submission: Submission) -> Readable {
        Readable { line, text, submission }
    }
}

/// Whose an event is: the producer that numbers it, and the software that submitted it.
#[derive(PartialEq, Eq)]
struct Scope {
    producer: Option<String>,
    client: Option<String>,
}

impl Scope {
    fn of(event: &Event) -> Scope {
        let source = event.source.as_ref();
        Scope {
            producer: source.and_then(|source| source.producer.clone()),
            client: source.and_then(|source| source.oauth_client.clone()),
        }
    }
}

/// What is remembered of a submission under way.
struct Mark {
    line: usize,
    id: EventId,
    given: Option<EventId>,
    scope: Scope,
    sequence: Option<u64>,
    text: Bytes,
}

impl Mark {
    fn of(Readable { line, text, submission }: Readable, given: Option<EventId>) -> (Mark, Submission) {
        let event = &submission.draft.event;
        let sequence = event.source.as_ref().and_then(|source| source.sequence);
        (Mark { line, id: event.id, given, scope: Scope::of(event), sequence, text }, submission)
    }
}

/// What became of the lines of one request so far.
pub(super) struct Taking {
    reader: Reader,
    receipts: Vec<Taken>,
    pub(super) errors: Vec<LineError>,
    /// Ids of which two accounts were given.
    pub(super) conflicts: Vec<EventId>,
    producers: BTreeSet<String>,
}

impl Taking {
    pub(super) fn new(reader: Reader) -> Taking {
        let (receipts, errors, conflicts) = (Vec::new(), Vec::new(), Vec::new());
        Taking { reader, receipts, errors, conflicts, producers: BTreeSet::new() }
    }

    /// Whether there was no line yet.
    pub(super) fn is_empty(&self) -> bool {
        self.receipts.is_empty() && self.errors.is_empty()
    }

    /// Records a batch, in its order.
    pub(super) async fn record(&mut self, batch: Vec<Readable>) {
        if batch.is_empty() {
            return;
        }
        let batch = batch.into_iter().map(|readable| Mark::of(readable, None)).collect();
        let again = self.submit(batch).await;
        if again.is_empty() {
            return;
        }
        let renamed = self.renamed(again).await;
        for (mark, index) in self.submit(renamed).await {
            self.refuse_conflict(&mark, index);
        }
    }

    /// Submits; those whose id another event has, with the place of that one.
    async fn submit(&mut self, batch: Vec<(Mark, Submission)>) -> Vec<(Mark, u64)> {
        let (marks, batch): (Vec<Mark>, Vec<Submission>) = batch.into_iter().unzip();
        let results = self.reader.api.appender.submit(batch).await;
        let (mut conflicts, mut numbered) = (Vec::new(), Vec::new());
        self.receipts.reserve(marks.len());
        for (mark, result) in marks.into_iter().zip(results) {
            match result {
                Ok(Recorded { receipt, repeated }) => {
                    let Mark { line, id, given, scope, sequence, .. } = mark;
                    numbered.extend(scope.producer.zip(sequence).map(|(producer, number)| Numbered {
                        producer,
                        number,
                        repeated,
                    }));
                    self.receipts.push(Taken { line, id, given, receipt, repeated, level: None });
                }
                Err(AppendError::Conflict { index }) => conflicts.push((mark, index)),
                Err(error) => self.errors.push(unrecorded(mark.line, &error)),
            }
        }
        self.reader.api.sequences.note(&self.reader.trail, &numbered);
        for run in numbered.chunk_by(|one, next| one.producer == next.producer) {
            self.producers.extend(run.first().map(|one| one.producer.clone()));
        }
        conflicts
    }

    /// What conflicts with another producer's event, under another id. What conflicts with its own is refused.
    async fn renamed(&mut self, conflicts: Vec<(Mark, u64)>) -> Vec<(Mark, Submission)> {
        let (trail, reader) = (self.reader.trail.clone(), self.reader.api.engine.reader().clone());
        let mut indexes: Vec<u64> = conflicts.iter().map(|(_, index)| *index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let found = tokio::task::spawn_blocking(move || reader.entries(&trail, &indexes)).await;
        let scopes: HashMap<u64, Scope> = match found {
            Ok(Ok(found)) => found
                .iter()
                .filter_map(|found| {
                    Some((found.index, Scope::of(&Event::from_canonical(&found.entry).ok()?)))
                })
                .collect(),
            // What cannot be read is no other producer's, for all that is known.
            _ => HashMap::new(),
        };
        let mut renamed = Vec::new();
        for (mark, index) in conflicts {
            if scopes.get(&index).is_none_or(|scope| *scope == mark.scope) {
                self.refuse_conflict(&mark, index);
                continue;
            }
            let id = self.id(&mark);
            let text = std::str::from_utf8(&mark.text).unwrap_or_default();
            match self.reader.renamed(text, id) {
                Ok(submission) => {
                    let readable = Readable { line: mark.line, text: mark.text, submission };
                    renamed.push(Mark::of(readable, Some(mark.id)));
                }
                Err(error) => self.errors.push(invalid(mark.line, &error)),
            }
        }
        renamed
    }

    /// The id of an event whose own is taken: keyed, as everything that is made of what producers say.
    fn id(&self, mark: &Mark) -> EventId {
        let text = format!("{}\n{:?}\n{:?}", mark.id, mark.scope.producer, mark.scope.client);
        let tag = self.reader.api.appender.keys().reference(&self.reader.trail, "producer", &text);
        let bytes =
            tag.strip_prefix("ref:").and_then(|tag| uuid::Uuid::parse_str(tag).ok()).unwrap_or_default();
        EventId(uuid::Builder::from_custom_bytes(bytes.into_bytes()).into_uuid())
    }

    fn refuse_conflict(&mut self, mark: &Mark, index: u64) {
        self.conflicts.push(mark.given.unwrap_or(mark.id));
        self.errors.push(unrecorded(mark.line, &AppendError::Conflict { index }));
    }

    /// All of it, in the order of the lines, with what there is to say of their producers.
    pub(super) fn finish(mut self) -> (Vec<Taken>, Vec<LineError>, Vec<sequence::Told>) {
        self.receipts.sort_by_key(|taken| taken.line);
        self.errors.sort_by_key(|error| error.line);
        let told = self.reader.api.sequences.told(&self.reader.trail, &self.producers);
        (self.receipts, self.errors, told)
    }
}
