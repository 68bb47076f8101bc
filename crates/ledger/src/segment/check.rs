//! Holding a sealed file of entries against itself: every column must say what the entry says, so that whoever
//! searches the columns finds what the trail holds.
//!
//! Checked are all values, the order, the filters, and the bounds by which ids are found. The bounds of other
//! columns are not: that nobody changed them since they were written, the file's digest says.

use arrow_array::{Array, RecordBatch};
use greffier_event::Event;
use parquet::bloom_filter::Sbbf;
use parquet::file::reader::ChunkReader;

use super::columns::{ENTRY, project};
use super::entries::{EntriesFile, GROUP};
use super::error::SegmentError;
use super::opened::{binary, texts};
use super::write::{FILTERED, ID, Written, checksum};

impl<R: ChunkReader + 'static> EntriesFile<R> {
    /// Makes every row anew from its entry and compares. `visit` sees each entry once its row is good. The
    /// error names the first entry, and of its columns the first, that differs.
    pub(crate) fn check(&self, mut visit: impl FnMut(u64, &[u8])) -> Result<(), SegmentError> {
        self.compare(|first, batch| {
            let entries = binary(batch, ENTRY)?;
            let rows = (0..batch.num_rows()).map(|row| (first + row as u64, entries.value(row)));
            let made = project(rows, Event::from_canonical)?;
            if let Some((row, column)) = first_difference(batch, &made) {
                return Err(SegmentError::Differs { index: first + row as u64, column });
            }
            (first..).zip(entries.iter().flatten()).for_each(|(index, entry)| visit(index, entry));
            Ok(made)
        })
    }

    /// Compares with what was written, right after it was: nothing is made a second time.
    pub(crate) fn check_written(&self, written: &Written) -> Result<(), SegmentError> {
        let mut rows = written.rows.iter();
        self.compare(|first, batch| {
            let made = rows.next().ok_or(SegmentError::Malformed("it has more rows than were written"))?;
            if let Some((row, column)) = first_difference(batch, &made.columns) {
                return Err(SegmentError::Differs { index: first + row as u64, column });
            }
            if checksum(binary(batch, ENTRY)?) != made.entries {
                return Err(SegmentError::Differs { index: first, column: ENTRY.to_owned() });
            }
            Ok(made.columns.clone())
        })
    }

    /// Holds each batch against what `expected` says it must be, and filters and bounds against that.
    fn compare(
        &self,
        mut expected: impl FnMut(u64, &RecordBatch) -> Result<RecordBatch, SegmentError>,
    ) -> Result<(), SegmentError> {
        let filters = FILTERED.map(|(name, _)| name);
        let filters = filters.map(|name| self.file.filter(GROUP, name).map(|filter| (name, filter)));
        let filters: Vec<(&str, Sbbf)> = filters.into_iter().collect::<Result<_, _>>()?;
        let pages = self.id_pages()?;
        let mut pages = pages.iter().peekable();
        let mut next = self.first();
        for batch in self.file.batches(GROUP, None, None)? {
            let batch = batch?;
            let made = expected(next, &batch)?;
            if texts(&made, "tenant")?.iter().any(|tenant| tenant != Some(self.trail().as_str())) {
                return Err(SegmentError::Malformed("an entry belongs to another trail"));
            }
            for (name, filter) in &filters {
                if texts(&made, name)?.iter().flatten().any(|text| !filter.check(text)) {
                    return Err(SegmentError::Malformed("a filter denies what is there"));
                }
            }
            for (index, id) in (next..).zip(texts(&made, ID)?) {
                let row = (index - self.first()) as usize;
                while pages.peek().is_some_and(|page| page.rows.end <= row) {
                    pages.next();
                }
                if !pages.peek().zip(id).is_some_and(|(page, id)| page.may_hold(id)) {
                    return Err(SegmentError::Malformed("the bounds of its ids shut one out"));
                }
            }
            next += batch.num_rows() as u64;
        }
        if next == self.end() { Ok(()) } else { Err(SegmentError::Malformed("entries are missing")) }
    }
}

/// The first row that differs, and of its columns the first. Older files have fewer columns.
fn first_difference(stored: &RecordBatch, made: &RecordBatch) -> Option<(usize, String)> {
    let differing = stored.columns().iter().zip(made.columns()).enumerate().filter_map(|(place, (a, b))| {
        let row = if a == b { None } else { (0..a.len()).find(|&row| a.slice(row, 1) != b.slice(row, 1)) };
        row.map(|row| (row, place))
    });
    let (row, place) = differing.min()?;
    Some((row, stored.schema().fields().get(place)?.name().clone()))
}
