//! The file of sealed parts beside a segment: one row for each part, as it lay in the log, encrypted.
//!
//! Ciphertext does not compress, so nothing here is. Row groups are small in bytes, so that whoever wants the
//! parts of one event reads the indexes of one group and one or two pages.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use greffier_event::Tenant;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;

use super::error::SegmentError;
use super::opened::{Bounds, Opened, binary, integers, texts};
use super::thrift::MAX_ITEMS;
use super::write::{FORMAT, FORMAT_KEY, TRAIL_KEY};
use crate::wal::frame::{MAX_PARTS, SealedPart};

mod write;

pub(crate) use write::PartsWriter;

pub(super) const INDEX: &str = "index";
pub(super) const PART: &str = "part";
const HOLDER: &str = "holder";
const WRAPPED_KEY: &str = "wrapped_key";
const CONTENT: &str = "content";

/// Bytes of one row group: what is held in memory when it is written or read.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Rows of one row group: their indexes are decoded for a single look-up.
const GROUP_ROWS: usize = 8192;
/// A part is at most 1 MiB, so this many are at most 64 MiB.
const BATCH_ROWS: usize = 64;

const BOUNDS: Bounds =
    Bounds { row_groups: MAX_ITEMS as usize, rows_per_group: GROUP_ROWS, batch: BATCH_ROWS };

fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new(INDEX, DataType::Int64, false),
            Field::new(PART, DataType::Int32, false),
            Field::new(HOLDER, DataType::Utf8, false),
            Field::new(WRAPPED_KEY, DataType::Binary, false),
            Field::new(CONTENT, DataType::Binary, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// The parts of one entry, by its index.
pub(crate) type PartsOf = (u64, Vec<SealedPart<'static>>);

/// A sealed file of parts, open for reading.
#[derive(Debug)]
pub(crate) struct PartsFile<R> {
    pub(super) file: Opened<R>,
    trail: Tenant,
    /// The first and the last entry of each row group.
    pub(super) groups: Vec<(u64, u64)>,
}

impl<R: ChunkReader + 'static> PartsFile<R> {
    /// Opens a file and reads its footer, nothing else.
    pub(crate) fn open(source: R) -> Result<PartsFile<R>, SegmentError> {
        let file = Opened::open(source, &schema(), BOUNDS)?;
        if file.remark(FORMAT_KEY) != Some(FORMAT) || file.column(CONTENT).is_none() {
            return Err(SegmentError::Malformed("it has a format that this greffier does not know"));
        }
        let trail = file.remark(TRAIL_KEY).and_then(|name| Tenant::new(name).ok());
        let trail = trail.ok_or(SegmentError::Malformed("its footer does not name its trail"))?;
        let bounds = file.row_groups().iter().map(|group| match group.columns().first()?.statistics()? {
            Statistics::Int64(bounds) => {
                let bound = |value: Option<&i64>| u64::try_from(*value?).ok();
                bound(bounds.min_opt()).zip(bound(bounds.max_opt()))
            }
            _ => None,
        });
        let groups: Vec<(u64, u64)> = bounds.collect::<Option<_>>().unwrap_or_default();
        let follow = groups.windows(2).all(|pair| matches!(pair, [(_, last), (first, _)] if last <= first));
        if groups.is_empty() || !follow || groups.iter().any(|(first, last)| first > last) {
            return Err(SegmentError::Malformed("its footer does not say which entries it holds"));
        }
        Ok(PartsFile { file, trail, groups })
    }

    /// The trail that it belongs to, as its footer says.
    pub(crate) fn trail(&self) -> &Tenant {
        &self.trail
    }

    /// The parts of those entries that have some, by index.
    pub(crate) fn get_many(&self, indexes: &[u64]) -> Result<Vec<PartsOf>, SegmentError> {
        let wanted: BTreeSet<u64> = indexes.iter().copied().collect();
        let mut found = Vec::new();
        for (group, (first, last)) in self.groups.iter().enumerate() {
            if wanted.range(first..=last).next().is_some() {
                let selection = self.rows_of(group, &wanted)?;
                if selection.selects_any() {
                    self.read(group, Some(selection), &mut found)?;
                }
            }
        }
        Ok(found)
    }

    /// Shows the parts of every entry that has some, in order.
    pub(crate) fn scan(
        &self,
        mut visit: impl FnMut(u64, Vec<SealedPart<'static>>) -> Result<(), SegmentError>,
    ) -> Result<(), SegmentError> {
        let mut found = Vec::new();
        for group in 0..self.groups.len() {
            self.read(group, None, &mut found)?;
            // The parts of the last entry may go on in the next group.
            let last = found.pop();
            found.drain(..).try_for_each(|(index, parts)| visit(index, parts))?;
            found.extend(last);
        }
        found.into_iter().try_for_each(|(index, parts)| visit(index, parts))
    }

    /// Which rows of a group belong to these entries.
    fn rows_of(&self, group: usize, wanted: &BTreeSet<u64>) -> Result<RowSelection, SegmentError> {
        let mut rows = Vec::new();
        let mut row = 0;
        for batch in self.file.batches(group, Some(&[INDEX]), None)? {
            for index in integers::<Int64Type>(&batch?, INDEX)?.values() {
                if wanted.contains(&index.cast_unsigned()) {
                    rows.push(row..row + 1);
                }
                row += 1;
            }
        }
        Ok(RowSelection::from_consecutive_ranges(rows.into_iter(), row))
    }

    /// Adds the selected rows, or all, to what was found; the parts of one entry may lie in two row groups.
    fn read(
        &self,
        group: usize,
        selection: Option<RowSelection>,
        found: &mut Vec<PartsOf>,
    ) -> Result<(), SegmentError> {
        for batch in self.file.batches(group, None, selection)? {
            let batch = batch?;
            let places = integers::<Int64Type>(&batch, INDEX)?.values().iter();
            let places = places.zip(integers::<Int32Type>(&batch, PART)?.values());
            let keys = texts(&batch, HOLDER)?.iter().zip(binary(&batch, WRAPPED_KEY)?);
            let contents = binary(&batch, CONTENT)?;
            for (((index, number), (holder, wrapped_key)), content) in places.zip(keys).zip(contents) {
                let part = SealedPart {
                    holder: holder.unwrap_or_default().to_owned().into(),
                    wrapped_key: wrapped_key.unwrap_or_default().to_owned().into(),
                    content: content.unwrap_or_default().to_owned().into(),
                };
                add(found, index.cast_unsigned(), *number, part)?;
            }
        }
        Ok(())
    }
}

/// Adds the next part, which belongs to the last entry or to one behind it.
fn add(
    found: &mut Vec<PartsOf>,
    index: u64,
    number: i32,
    part: SealedPart<'static>,
) -> Result<(), SegmentError> {
    const DISORDER: SegmentError = SegmentError::Malformed("its parts are not in order");
    match found.last_mut() {
        Some((last, _)) if *last > index => return Err(DISORDER),
        Some((last, parts)) if *last == index => parts.push(part),
        _ => found.push((index, vec![part])),
    }
    let count = found.last().map_or(0, |(_, parts)| parts.len());
    let place = usize::try_from(number).ok().and_then(|number| number.checked_add(1));
    if place == Some(count) && count <= MAX_PARTS { Ok(()) } else { Err(DISORDER) }
}

#[cfg(test)]
mod tests;
