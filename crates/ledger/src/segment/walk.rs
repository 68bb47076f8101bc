//! Walking over a file's entries, and counting parts, with as little decoded as verification needs.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::reader::ChunkReader;

use super::columns::{ENTRY, INDEX, PART_NAMES};
use super::entries::{EntriesFile, GROUP};
use super::error::SegmentError;
use super::opened::{binary, integers};
use super::parts::{INDEX as PART_INDEX, PART, PartsFile};
use crate::wal::frame::{MAX_ENTRY_BYTES, MAX_PARTS};

impl<R: ChunkReader + 'static> EntriesFile<R> {
    /// Shows the entries of a range in order, each with how many parts its column says that it binds.
    pub(crate) fn walk(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(u64, &[u8], usize),
    ) -> Result<(), SegmentError> {
        let row = |index: u64| index.clamp(self.first(), self.end()).saturating_sub(self.first()) as usize;
        let rows = std::iter::once(row(range.start)..row(range.end));
        let selection = RowSelection::from_consecutive_ranges(rows, self.rows());
        let mut due = range.start;
        for batch in self.file.batches(GROUP, Some(&[INDEX, ENTRY, PART_NAMES]), Some(selection))? {
            let batch = batch?;
            let entries = binary(&batch, ENTRY)?;
            let parts = batch.column_by_name(PART_NAMES).and_then(|column| column.as_list_opt::<i32>());
            let parts = parts.ok_or(SegmentError::Malformed("a column is missing or has another type"))?;
            let indexes = integers::<Int64Type>(&batch, INDEX)?.values();
            let lengths = parts.offsets().windows(2).map(|pair| match pair {
                [from, to] => usize::try_from(to - from).unwrap_or_default(),
                _ => 0,
            });
            for ((index, entry), parts) in indexes.iter().zip(entries).zip(lengths) {
                let entry = entry.filter(|entry| entry.len() <= MAX_ENTRY_BYTES);
                let entry = entry.ok_or(SegmentError::Malformed("an entry is too long"))?;
                if index.cast_unsigned() != due {
                    return Err(SegmentError::Malformed("its entries are not in order"));
                }
                visit(due, entry, parts);
                due += 1;
            }
        }
        if due == range.end { Ok(()) } else { Err(SegmentError::Malformed("entries are missing")) }
    }
}

impl<R: ChunkReader + 'static> PartsFile<R> {
    /// Adds to `counts` how many parts are here of each entry from `first` on.
    pub(crate) fn count(&self, first: u64, counts: &mut [u8]) -> Result<(), SegmentError> {
        const DISORDER: SegmentError = SegmentError::Malformed("its parts are not in order");
        let end = first + counts.len() as u64;
        for (group, (least, most)) in self.groups.iter().enumerate() {
            if *most < first || *least >= end {
                continue;
            }
            for batch in self.file.batches(group, Some(&[PART_INDEX, PART]), None)? {
                let batch = batch?;
                let indexes = integers::<Int64Type>(&batch, PART_INDEX)?.values();
                for (index, number) in indexes.iter().zip(integers::<Int32Type>(&batch, PART)?.values()) {
                    let at = index.cast_unsigned().checked_sub(first).and_then(|at| usize::try_from(at).ok());
                    let Some(count) = at.and_then(|at| counts.get_mut(at)) else { continue };
                    // Parts of one entry are numbered from 0 on.
                    if *number != i32::from(*count) || usize::from(*count) >= MAX_PARTS {
                        return Err(DISORDER);
                    }
                    *count += 1;
                }
            }
        }
        Ok(())
    }
}
