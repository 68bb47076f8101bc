//! The entries of one trail that are in the log and not sealed yet: bytes, columns, and where their parts lie.
//!
//! Entries stand in chunks of [`ROWS`], aligned to multiples of it. Each is projected once, when somebody asks for it: a
//! full chunk becomes one batch, which owns the bytes from then on; the last chunk is a few batches, of which those of like
//! size are put together as it grows.

use std::collections::{HashMap, VecDeque};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_select::concat::concat_batches;
use greffier_event::{Event, EventId};

use super::tail::Place;
use crate::peek::Peek;
use crate::segment::columns::{ColumnError, ENTRY, project, schema};

/// Rows of a batch: enough that queries run over columns, few enough to project them again for one more.
pub(super) const ROWS: u64 = 1_024;
/// Chunks from which on a second thread helps to project them: a reader that begins has a log full of them.
const MANY: usize = 4;

/// Entries `start..end` of a trail. All of them come from the log, whose size is bounded (1 GiB, see
/// [`crate::SealPolicy`]), and so are they; columns and the map of ids come on top, about as much again.
#[derive(Debug, Default)]
pub(super) struct Hot {
    start: u64,
    chunks: VecDeque<Chunk>,
    /// Of the entries below `indexed`: they are read when somebody looks for one.
    ids: HashMap<EventId, u64>,
    indexed: u64,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    /// Where the frames with the parts lie; `None` for an entry without parts.
    parts: Vec<Option<Place>>,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    /// Bytes, and the batches made of the first of them: each is more than twice as long as the next.
    Raw(Vec<Vec<u8>>, Vec<RecordBatch>),
    /// A full chunk.
    Projected(RecordBatch),
}

/// One hot entry.
#[derive(Clone, Debug)]
pub(super) struct HotEntry {
    pub(super) entry: Vec<u8>,
    /// The frame that holds its parts, if it has any.
    pub(super) parts: Option<Place>,
}

impl Hot {
    /// The first entry that is not sealed.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// One behind the last entry.
    pub(super) fn end(&self) -> u64 {
        self.chunks.back().map_or(self.start, |chunk| chunk.end().max(self.start))
    }

    /// Takes in the next entry of the trail. One that is sealed already is passed over; any other but the next
    /// is refused.
    pub(super) fn push(&mut self, index: u64, entry: &[u8], parts: Option<Place>) -> Result<(), String> {
        if index < self.start {
            return Ok(());
        }
        let due = self.end();
        if index != due {
            return Err(format!("entry {index} stands where {due} is due"));
        }
        match self.chunks.back_mut() {
            Some(Chunk { first, parts: places, rows: Rows::Raw(raw, _) })
                if index / ROWS == *first / ROWS =>
            {
                places.push(parts);
                raw.push(entry.to_vec());
            }
            _ => {
                let rows = Rows::Raw(vec![entry.to_vec()], Vec::new());
                self.chunks.push_back(Chunk { first: index, parts: vec![parts], rows });
            }
        }
        Ok(())
    }

    /// Forgets what is sealed: the entries below `sealed`.
    pub(super) fn seal(&mut self, sealed: u64) {
        if sealed == self.start {
            return;
        }
        while self.chunks.front().is_some_and(|chunk| chunk.end() <= sealed) {
            self.chunks.pop_front();
        }
        self.ids.retain(|_, index| *index >= sealed);
        self.start = sealed;
    }

    /// Forgets all entries; those behind the segments come again.
    pub(super) fn clear(&mut self) {
        *self = Hot { start: self.start, ..Hot::default() };
    }

    /// The batches of all entries, in order.
    pub(super) fn batches(&mut self) -> Result<Vec<RecordBatch>, ColumnError> {
        let (start, mut batches) = (self.start, Vec::with_capacity(self.chunks.len()));
        let chunks = self.chunks.make_contiguous();
        let raw = chunks.iter().filter(|chunk| matches!(chunk.rows, Rows::Raw(..))).count();
        if raw >= MANY {
            let (left, right) = chunks.split_at_mut(chunks.len() - raw / 2);
            let project = |chunks: &mut [Chunk]| chunks.iter_mut().try_for_each(Chunk::project);
            std::thread::scope(|scope| {
                let helper = std::thread::Builder::new().name("greffier-project".to_owned());
                // What no thread can be had for is projected below; and so is what went wrong there.
                let helper = helper.spawn_scoped(scope, || project(left));
                project(right).and_then(|()| match helper.map(|helper| helper.join()) {
                    Ok(Ok(result)) => result,
                    _ => Ok(()),
                })
            })?;
        }
        self.chunks.iter_mut().try_for_each(|chunk| chunk.batches(start, &mut batches))?;
        Ok(batches)
    }

    /// One entry.
    pub(super) fn get(&self, index: u64) -> Option<HotEntry> {
        let first = self.chunks.front()?.first;
        let chunk = usize::try_from((index / ROWS).checked_sub(first / ROWS)?).ok()?;
        if index < self.start { None } else { self.chunks.get(chunk)?.get(index) }
    }

    /// Where the entry with this id stands. If a producer gave one id to several, the first of them.
    pub(super) fn find(&mut self, id: EventId) -> Option<u64> {
        for index in self.indexed.max(self.start)..self.end() {
            if let Some(peek) = self.get(index).and_then(|hot| Peek::of(&hot.entry)) {
                self.ids.entry(peek.id).or_insert(index);
            }
        }
        self.indexed = self.end();
        self.ids.get(&id).copied()
    }

    /// The entries that `wanted` wants, `most` at most.
    pub(super) fn select(&self, wanted: impl Fn(&Peek) -> bool, most: usize) -> Vec<u64> {
        let entries = (self.start..self.end()).filter_map(|index| Some((index, self.get(index)?.entry)));
        let wanted = entries.filter(|(_, entry)| Peek::of(entry).is_some_and(|peek| wanted(&peek)));
        wanted.map(|(index, _)| index).take(most).collect()
    }
}

impl Chunk {
    fn end(&self) -> u64 {
        self.first + self.parts.len() as u64
    }

    fn get(&self, index: u64) -> Option<HotEntry> {
        let row = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let parts = *self.parts.get(row)?;
        let entry = match &self.rows {
            Rows::Raw(entries, _) => entries.get(row)?.clone(),
            Rows::Projected(batch) => {
                let entries = batch.column_by_name(ENTRY)?.as_binary_opt::<i32>()?;
                (row < entries.len()).then(|| entries.value(row).to_vec())?
            }
        };
        Some(HotEntry { entry, parts })
    }

    /// Adds the rows from `start` on to `batches`.
    fn batches(&mut self, start: u64, batches: &mut Vec<RecordBatch>) -> Result<(), ColumnError> {
        self.project()?;
        let made = match &self.rows {
            Rows::Projected(batch) => std::slice::from_ref(batch),
            Rows::Raw(_, made) => made,
        };
        let mut sealed = usize::try_from(start.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for batch in made {
            let rows = batch.num_rows();
            if sealed < rows {
                batches.push(if sealed == 0 { batch.clone() } else { batch.slice(sealed, rows - sealed) });
            }
            sealed = sealed.saturating_sub(rows);
        }
        Ok(())
    }

    /// Makes rows of what has none yet.
    fn project(&mut self) -> Result<(), ColumnError> {
        let full = self.end().is_multiple_of(ROWS);
        let Rows::Raw(entries, made) = &mut self.rows else { return Ok(()) };
        let known = made.iter().map(RecordBatch::num_rows).sum::<usize>();
        let new = entries.iter().enumerate().skip(known);
        let new: Vec<(u64, &[u8])> =
            new.map(|(row, entry)| (self.first + row as u64, entry.as_slice())).collect();
        if !new.is_empty() {
            made.push(project(new.into_iter(), Event::from_entry)?);
        }
        // Rows are copied as often as their batch doubles, not with each entry that comes.
        while let [.., longer, last] = made.as_slice()
            && (full || longer.num_rows() <= 2 * last.num_rows())
        {
            let both = concat_batches(&schema(), [longer, last])?;
            made.truncate(made.len() - 2);
            made.push(both);
        }
        if full && let Some(all) = made.pop() {
            self.rows = Rows::Projected(all);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
