//! Reading a sealed file of entries: in order, by index, by id. Nothing is decoded that was not asked for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use arrow_array::RecordBatch;
use arrow_array::types::Int64Type;
use greffier_event::{EventId, Tenant};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::bloom_filter::Sbbf;
use parquet::file::reader::ChunkReader;

use super::columns::{ENTRY, INDEX, schema};
use super::error::SegmentError;
use super::opened::{Bounds, Opened, PageBounds, binary, integers, texts};
use super::write::{END_KEY, FIRST_KEY, FORMAT, FORMAT_KEY, ID, MAX_ROWS, ROWS_PER_BATCH, TRAIL_KEY};
use crate::wal::frame::MAX_ENTRY_BYTES;

/// A file of entries holds one row group.
pub(super) const GROUP: usize = 0;

const BOUNDS: Bounds = Bounds { row_groups: 1, rows_per_group: MAX_ROWS, batch: ROWS_PER_BATCH };

/// A sealed file of entries, open for reading.
#[derive(Debug)]
pub(crate) struct EntriesFile<R> {
    pub(super) file: Opened<R>,
    trail: Tenant,
    first: u64,
    end: u64,
}

impl<R: ChunkReader + 'static> EntriesFile<R> {
    /// Opens a file and reads its footer, nothing else.
    pub(crate) fn open(source: R) -> Result<EntriesFile<R>, SegmentError> {
        let file = Opened::open(source, &schema(), BOUNDS)?;
        if file.remark(FORMAT_KEY) != Some(FORMAT) {
            return Err(SegmentError::Malformed("it has a format that this greffier does not know"));
        }
        if file.column(ENTRY).is_none() {
            return Err(SegmentError::Malformed("it holds no entries"));
        }
        let number = |key| file.remark(key)?.parse::<u64>().ok();
        let trail = file.remark(TRAIL_KEY).and_then(|name| Tenant::new(name).ok());
        let rows = file.row_groups().iter().map(|group| group.num_rows().cast_unsigned()).sum();
        match (trail, number(FIRST_KEY), number(END_KEY)) {
            (Some(trail), Some(first), Some(end)) if first.checked_add(rows) == Some(end) => {
                Ok(EntriesFile { file, trail, first, end })
            }
            _ => Err(SegmentError::Malformed("its footer does not say which entries it holds")),
        }
    }

    /// The trail that it belongs to, as its footer says.
    pub(crate) fn trail(&self) -> &Tenant {
        &self.trail
    }

    /// Its first entry.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The entry behind its last.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Shows every entry in order, until `visit` breaks.
    pub(crate) fn scan(&self, visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), SegmentError> {
        self.each(None, self.first..self.end, visit)
    }

    /// All its rows, batch by batch.
    pub(crate) fn batches(
        &self,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, SegmentError>>, SegmentError> {
        self.file.batches(GROUP, None, None)
    }

    /// One entry, if it is in here.
    pub(crate) fn get(&self, index: u64) -> Result<Option<Vec<u8>>, SegmentError> {
        Ok(self.get_many(&[index])?.pop().map(|(_, entry)| entry))
    }

    /// Those entries that are in here, by index.
    pub(crate) fn get_many(&self, indexes: &[u64]) -> Result<Vec<(u64, Vec<u8>)>, SegmentError> {
        let wanted: BTreeSet<u64> =
            indexes.iter().copied().filter(|index| (self.first..self.end).contains(index)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        if wanted.is_empty() {
            return Ok(found);
        }
        let rows = wanted.iter().map(|index| self.row(*index)).map(|row| row..row + 1);
        let selection = RowSelection::from_consecutive_ranges(rows, self.rows());
        self.each(Some(selection), wanted.into_iter(), |index, entry| {
            found.push((index, entry.to_vec()));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Where the event with this id is, if it is in here: the filter first, then those pages of the column
    /// whose bounds let it in.
    pub(crate) fn find_id(&self, id: &EventId) -> Result<Option<u64>, SegmentError> {
        if !self.id_filter()?.may_contain(id) {
            return Ok(None);
        }
        let id = id.to_string();
        let pages = self.id_pages()?.into_iter().filter(|page| page.may_hold(&id)).map(|page| page.rows);
        let selection = RowSelection::from_consecutive_ranges(pages, self.rows());
        for batch in self.file.batches(GROUP, Some(&[INDEX, ID]), Some(selection))? {
            let batch = batch?;
            let ids = texts(&batch, ID)?.iter();
            if let Some((_, index)) =
                ids.zip(integers::<Int64Type>(&batch, INDEX)?.values()).find(|(found, _)| *found == Some(&id))
            {
                return self.known(*index).map(Some);
            }
        }
        Ok(None)
    }

    /// The filter over the ids in here, to be held in memory.
    pub(crate) fn id_filter(&self) -> Result<IdFilter, SegmentError> {
        self.filter(ID)
    }

    /// The filter over a column that has one, to be held in memory.
    pub(crate) fn filter(&self, column: &str) -> Result<IdFilter, SegmentError> {
        Ok(IdFilter(self.file.filter(GROUP, column)?))
    }

    /// Rows in here.
    pub(super) fn rows(&self) -> usize {
        self.row(self.end)
    }

    fn row(&self, index: u64) -> usize {
        // At most `MAX_ROWS`, as `open` made sure.
        usize::try_from(index.saturating_sub(self.first)).unwrap_or(MAX_ROWS)
    }

    fn known(&self, index: i64) -> Result<u64, SegmentError> {
        let index = u64::try_from(index).ok().filter(|index| (self.first..self.end).contains(index));
        index.ok_or(SegmentError::Malformed("it holds an entry of another place"))
    }

    /// Shows the selected rows, which must be exactly `expected`.
    fn each(
        &self,
        selection: Option<RowSelection>,
        mut expected: impl Iterator<Item = u64>,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), SegmentError> {
        for batch in self.file.batches(GROUP, Some(&[INDEX, ENTRY]), selection)? {
            let batch = batch?;
            let entries = binary(&batch, ENTRY)?;
            for (index, entry) in integers::<Int64Type>(&batch, INDEX)?.values().iter().zip(entries) {
                let index = self.known(*index)?;
                let entry = entry.filter(|entry| entry.len() <= MAX_ENTRY_BYTES);
                let entry = entry.ok_or(SegmentError::Malformed("an entry is too long"))?;
                if expected.next() != Some(index) {
                    return Err(SegmentError::Malformed("its entries are not in order"));
                }
                if visit(index, entry).is_break() {
                    return Ok(());
                }
            }
        }
        match expected.next() {
            None => Ok(()),
            Some(_) => Err(SegmentError::Malformed("entries are missing")),
        }
    }

    /// The pages of the column of ids, of which all have bounds.
    pub(super) fn id_pages(&self) -> Result<Vec<PageBounds<'_>>, SegmentError> {
        let pages = self.file.column(ID).and_then(|column| self.file.bounds(GROUP, column));
        pages
            .filter(|pages| pages.iter().all(|page| page.least.is_some() && page.most.is_some()))
            .ok_or(SegmentError::Malformed("the bounds of its ids are missing"))
    }
}

impl IdFilter {
    /// Says yes for every text that is there.
    pub(crate) fn may_hold(&self, text: &str) -> bool {
        self.0.check(text)
    }
}

/// Which values of a column a segment may hold: of ids 128 to 256 KiB for 65,536 of them, of others at most that.
#[derive(Debug, Clone)]
pub(crate) struct IdFilter(pub(super) Sbbf);

impl IdFilter {
    /// Says yes for every id that is there, and for one in ten thousand that is not.
    pub(crate) fn may_contain(&self, id: &EventId) -> bool {
        let mut text = [0; 36];
        self.0.check(&*id.0.as_hyphenated().encode_lower(&mut text))
    }
}

#[cfg(test)]
mod tests;
