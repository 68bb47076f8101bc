//! The entries of one trail that are in the log and not sealed yet: bytes, columns, and where their parts lie.
//!
//! Entries stand in chunks of [`ROWS`], aligned to multiples of it. A full chunk is projected once, when somebody
//! asks for it, and its batch owns the bytes from then on; the last chunk is projected again when it grew.

use std::collections::{HashMap, VecDeque};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use greffier_event::{Event, EventId};

use super::tail::Place;
use crate::peek::Peek;
use crate::segment::columns::{ColumnError, ENTRY, project};

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
    /// Bytes, and the batch made of the first of them when it was last asked for.
    Raw(Vec<Vec<u8>>, Option<RecordBatch>),
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
                let rows = Rows::Raw(vec![entry.to_vec()], None);
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
        let start = self.start;
        let chunks = self.chunks.make_contiguous();
        let raw = chunks.iter().filter(|chunk| matches!(chunk.rows, Rows::Raw(..))).count();
        if raw >= MANY {
            let (left, right) = chunks.split_at_mut(chunks.len() - raw / 2);
            let project = |chunks: &mut [Chunk]| chunks.iter_mut().try_for_each(|chunk| chunk.batch(start).map(drop));
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
        self.chunks.iter_mut().map(|chunk| chunk.batch(start)).collect()
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

    /// The rows from `start` on.
    fn batch(&mut self, start: u64) -> Result<RecordBatch, ColumnError> {
        let full = self.end().is_multiple_of(ROWS);
        let batch = match &mut self.rows {
            Rows::Projected(batch) => batch.clone(),
            Rows::Raw(entries, Some(batch)) if batch.num_rows() == entries.len() => batch.clone(),
            Rows::Raw(entries, made) => {
                let first = self.first;
                let rows = entries.iter().enumerate();
                let batch = project(
                    rows.map(|(row, entry)| (first + row as u64, entry.as_slice())),
                    Event::from_entry,
                )?;
                *made = Some(batch.clone());
                batch
            }
        };
        if full {
            self.rows = Rows::Projected(batch.clone());
        }
        match usize::try_from(start.saturating_sub(self.first)) {
            Ok(0) => Ok(batch),
            Ok(sealed) if sealed <= batch.num_rows() => Ok(batch.slice(sealed, batch.num_rows() - sealed)),
            _ => Ok(batch.slice(0, 0)),
        }
    }
}
