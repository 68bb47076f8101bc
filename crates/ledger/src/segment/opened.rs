//! A sealed file, opened: the one place that lets Parquet's readers at bytes that nobody vouches for.
//!
//! Before anything is read the footer is held against the file: sizes, offsets and counts lie within it. What
//! Parquet's decoders then assert, and damage breaks, is caught here and becomes an error. That a file is the
//! one that was sealed, its digest in the signed manifest says, not this.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::basic::Compression;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};

use super::error::SegmentError;
use super::thrift;

/// Length of the footer's end: its size, and `PAR1`.
const TAIL_BYTES: u64 = 8;
/// Longest footer: one row group of sixty columns takes 20 kB, 256 of five columns ten times as much.
const MAX_FOOTER_BYTES: u64 = 1024 * 1024;
/// Longest page index of one column: 256 pages with two values of 64 bytes.
const MAX_INDEX_BYTES: u64 = 64 * 1024;
/// Longest Bloom filter: what 65,536 ids need at one in ten thousand is a quarter of it.
const MAX_FILTER_BYTES: i64 = 1024 * 1024;

/// How large a kind of file may be.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) row_groups: usize,
    pub(super) rows_per_group: usize,
    /// Rows that are decoded at once.
    pub(super) batch: usize,
}

/// A file whose footer is sound.
#[derive(Debug)]
pub(super) struct Opened<R> {
    source: Shared<R>,
    footer: ArrowReaderMetadata,
    /// Where the footer begins, and all that it speaks of ends.
    end: u64,
    batch: usize,
}

impl<R: ChunkReader + 'static> Opened<R> {
    /// Opens a file whose columns are the first of `schema`: older files lack the newest columns.
    pub(super) fn open(source: R, schema: &Schema, bounds: Bounds) -> Result<Opened<R>, SegmentError> {
        Opened::open_whole(source, schema, bounds)?.with_pages()
    }

    /// Opens a file for who reads whole columns, and need not know where their pages lie: that is most of a footer.
    pub(super) fn open_whole(source: R, schema: &Schema, bounds: Bounds) -> Result<Opened<R>, SegmentError> {
        let source = Shared(Arc::new(source));
        let (footer, end) = guarded(|| read_footer(&source, bounds))??;
        let fields = footer.schema().fields();
        if fields.is_empty() || !schema.fields().starts_with(fields) {
            return Err(SegmentError::Malformed("it has other columns"));
        }
        Ok(Opened { source, footer, end, batch: bounds.batch })
    }

    /// The same, knowing where pages lie.
    pub(super) fn with_pages(self) -> Result<Opened<R>, SegmentError> {
        let footer = guarded(|| read_pages(&self.source, self.footer.metadata(), self.end))??;
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(self.footer.schema()));
        let footer = ArrowReaderMetadata::try_new(Arc::new(footer), options)?;
        Ok(Opened { footer, ..self })
    }

    /// The same, read as other types that the bytes can be read as.
    pub(super) fn with_schema(self, make: impl FnOnce(&Schema) -> Schema) -> Result<Opened<R>, SegmentError> {
        let options = ArrowReaderOptions::new().with_schema(Arc::new(make(self.footer.schema())));
        let footer = ArrowReaderMetadata::try_new(Arc::clone(self.footer.metadata()), options)?;
        Ok(Opened { footer, ..self })
    }

    /// The same, with so many rows at once.
    pub(super) fn with_batch(self, batch: usize) -> Opened<R> {
        Opened { batch, ..self }
    }

    pub(super) fn row_groups(&self) -> &[RowGroupMetaData] {
        self.footer.metadata().row_groups()
    }

    #[cfg(test)]
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// A remark that the writer left in the footer.
    pub(super) fn remark(&self, key: &str) -> Option<&str> {
        let remarks = self.footer.metadata().file_metadata().key_value_metadata()?;
        remarks.iter().find(|remark| remark.key == key)?.value.as_deref()
    }

    /// The place of a column that is no list.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        let mut columns = self.footer.parquet_schema().columns().iter();
        columns.position(|column| column.path().parts() == [name])
    }

    /// Where the pages of a column lie.
    pub(super) fn pages(&self, group: usize, column: usize) -> &[PageLocation] {
        let index = self.footer.metadata().offset_index();
        index.and_then(|index| index.get(group)?.get(column)).map_or(&[], |index| index.page_locations())
    }

    /// Its rows.
    pub(super) fn rows(&self) -> usize {
        let rows = self.row_groups().iter().map(|group| group.num_rows()).sum::<i64>();
        usize::try_from(rows).unwrap_or(0)
    }

    /// The rows of each page of a column of texts, with the least and the greatest that there may be; `None` where
    /// nothing is known of that.
    pub(super) fn bounds(&self, group: usize, column: usize) -> Option<Vec<PageBounds<'_>>> {
        let index = self.footer.metadata().column_index()?.get(group)?.get(column)?;
        let ColumnIndexMetaData::BYTE_ARRAY(bounds) = index else { return None };
        let begins = self.pages(group, column).iter();
        let begins: Vec<usize> =
            begins.filter_map(|page| usize::try_from(page.first_row_index).ok()).collect();
        if bounds.num_pages() != begins.len() as u64 {
            return None;
        }
        let ends = begins.iter().copied().skip(1).chain([self.rows()]);
        let rows = begins.iter().copied().zip(ends).map(|(begin, end)| begin..end);
        let bounds = bounds.min_values_iter().zip(bounds.max_values_iter());
        Some(rows.zip(bounds).map(|(rows, (least, most))| PageBounds { rows, least, most }).collect())
    }

    /// Reads some columns, or all, of one row group, or of a selection of its rows.
    pub(super) fn batches(
        &self,
        group: usize,
        columns: Option<&[&str]>,
        selection: Option<RowSelection>,
    ) -> Result<Batches, SegmentError> {
        let source = Shared(Arc::clone(&self.source.0));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.footer.clone())
            .with_batch_size(self.batch)
            .with_row_groups(vec![group]);
        let builder = match columns {
            Some(names) => {
                let mask = ProjectionMask::columns(self.footer.parquet_schema(), names.iter().copied());
                builder.with_projection(mask)
            }
            None => builder,
        };
        let builder = match selection {
            Some(selection) => builder.with_row_selection(selection),
            None => builder,
        };
        Ok(Batches(guarded(|| builder.build())??))
    }

    /// The Bloom filter of a column.
    pub(super) fn filter(&self, group: usize, name: &str) -> Result<Sbbf, SegmentError> {
        const MISSING: SegmentError = SegmentError::Malformed("a filter is missing");
        let column = self.column(name).and_then(|at| self.row_groups().get(group)?.columns().get(at));
        let column = column.ok_or(MISSING)?;
        let filter = guarded(|| Sbbf::read_from_column_chunk(column, &self.source))??;
        filter.filter(|filter| filter.num_blocks() > 0).ok_or(MISSING)
    }
}

/// The rows of a page, and the least and the greatest value that it may hold, where that is known.
pub(super) struct PageBounds<'a> {
    pub(super) rows: Range<usize>,
    pub(super) least: Option<&'a [u8]>,
    pub(super) most: Option<&'a [u8]>,
}

impl PageBounds<'_> {
    /// Whether a value may be in it.
    pub(super) fn may_hold(&self, value: &str) -> bool {
        let value = value.as_bytes();
        self.least.is_none_or(|least| least <= value) && self.most.is_none_or(|most| value <= most)
    }
}

/// The rows of a file, batch by batch. Ends at the first error.
pub(super) struct Batches(ParquetRecordBatchReader);

impl Iterator for Batches {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        match guarded(|| self.0.next()) {
            Ok(batch) => batch.map(|batch| Ok(batch?)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Parquet's decoders assert what damage can break. Such a panic says something of the file, not of us.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, SegmentError> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| SegmentError::Malformed("it does not decode"))
}

fn read_footer(
    source: &Shared<impl ChunkReader>,
    bounds: Bounds,
) -> Result<(ArrowReaderMetadata, u64), SegmentError> {
    let file = source.len();
    let end = file.checked_sub(TAIL_BYTES).ok_or(SegmentError::Malformed("it is cut short"))?;
    let tail = source.get_bytes(end, TAIL_BYTES as usize)?;
    let length = match tail.as_ref() {
        &[a, b, c, d, b'P', b'A', b'R', b'1'] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => return Err(SegmentError::Malformed("it is cut short or no Parquet file")),
    };
    let start = end.checked_sub(length).filter(|_| length <= MAX_FOOTER_BYTES);
    let start = start.ok_or(SegmentError::Malformed("its footer has an impossible length"))?;
    let footer = ParquetMetaDataReader::decode_metadata(&read_fitting(source, start, length)?)?;
    check_layout(&footer, start, bounds)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    Ok((ArrowReaderMetadata::try_new(Arc::new(footer), options)?, start))
}

/// The footer with the page index, which lies before `end`.
fn read_pages(
    source: &Shared<impl ChunkReader>,
    footer: &ParquetMetaData,
    end: u64,
) -> Result<ParquetMetaData, SegmentError> {
    for column in footer.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        check_index(source, end, column.offset_index_offset(), column.offset_index_length())?;
        check_index(source, end, column.column_index_offset(), column.column_index_length())?;
    }
    let mut reader = ParquetMetaDataReader::new_with_metadata(footer.clone())
        .with_page_index_policy(PageIndexPolicy::Required);
    reader.read_page_indexes(source)?;
    let footer = reader.finish()?;
    check_pages(&footer)?;
    Ok(footer)
}

fn read_fitting(source: &Shared<impl ChunkReader>, start: u64, length: u64) -> Result<Bytes, SegmentError> {
    let bytes = source.get_bytes(start, usize::try_from(length).unwrap_or(usize::MAX))?;
    if thrift::fits(&bytes) { Ok(bytes) } else { Err(SegmentError::Malformed("its footer is damaged")) }
}

/// Counts are within bounds, and whatever the footer points at lies before it.
fn check_layout(footer: &ParquetMetaData, end: u64, bounds: Bounds) -> Result<(), SegmentError> {
    let within = |offset: i64, length: i64| {
        let end_of = u64::try_from(offset).ok().zip(u64::try_from(length).ok());
        end_of.and_then(|(offset, length)| offset.checked_add(length)).is_some_and(|reach| reach <= end)
    };
    let sound = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let filter = match (column.bloom_filter_offset(), column.bloom_filter_length()) {
            (Some(offset), Some(length)) => {
                within(offset, length.into()) && i64::from(length) <= MAX_FILTER_BYTES
            }
            (offset, _) => offset.is_none(),
        };
        let codec = matches!(column.compression(), Compression::UNCOMPRESSED | Compression::ZSTD(_));
        start <= column.data_page_offset() && within(start, column.compressed_size()) && filter && codec
    };
    let rows = |group: &RowGroupMetaData| usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
    let groups = footer.row_groups();
    let counts = (1..=bounds.row_groups).contains(&groups.len())
        && groups.iter().all(|group| (1..=bounds.rows_per_group).contains(&rows(group)))
        && groups.iter().map(RowGroupMetaData::num_rows).sum::<i64>() == footer.file_metadata().num_rows();
    if counts && groups.iter().flat_map(RowGroupMetaData::columns).all(sound) {
        Ok(())
    } else {
        Err(SegmentError::Malformed("its footer does not fit the file"))
    }
}

/// An index is not longer than any that was written, and holds what it announces.
fn check_index(
    source: &Shared<impl ChunkReader>,
    end: u64,
    offset: Option<i64>,
    length: Option<i32>,
) -> Result<(), SegmentError> {
    let (Some(offset), Some(length)) = (offset, length) else {
        return if offset.is_none() && length.is_none() { Ok(()) } else { Err(BAD_INDEX) };
    };
    let (Ok(offset), Ok(length)) = (u64::try_from(offset), u64::try_from(length)) else {
        return Err(BAD_INDEX);
    };
    if length > MAX_INDEX_BYTES || offset.checked_add(length).is_none_or(|reach| reach > end) {
        return Err(BAD_INDEX);
    }
    read_fitting(source, offset, length).map(drop)
}

/// The pages of each column follow each other, begin with its first row and lie within it.
fn check_pages(footer: &ParquetMetaData) -> Result<(), SegmentError> {
    let index = footer.offset_index().ok_or(BAD_INDEX)?;
    for (group, pages) in footer.row_groups().iter().zip(index) {
        for (column, pages) in group.columns().iter().zip(pages) {
            let (start, length) = column.byte_range();
            let mut free = i64::try_from(start).unwrap_or(i64::MAX);
            let end = free.saturating_add_unsigned(length);
            let mut row = 0;
            for (place, page) in pages.page_locations().iter().enumerate() {
                let first = page.first_row_index;
                let follows = if place == 0 { first == 0 } else { first > row && first < group.num_rows() };
                let reach = page.offset.saturating_add(page.compressed_page_size.into());
                if !follows || page.compressed_page_size <= 0 || page.offset < free || reach > end {
                    return Err(BAD_INDEX);
                }
                (row, free) = (first, reach);
            }
            if pages.page_locations().is_empty() {
                return Err(BAD_INDEX);
            }
        }
    }
    Ok(())
}

const BAD_INDEX: SegmentError = SegmentError::Malformed("its page index does not fit the file");

/// Parquet's readers take their source by value, for each pass anew.
#[derive(Debug)]
struct Shared<R>(Arc<R>);

impl<R: Length> Length for Shared<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Shared<R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> parquet::errors::Result<R::T> {
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

const OTHER_TYPE: SegmentError = SegmentError::Malformed("a column is missing or has another type");

/// The integers of a column that is never null.
pub(super) fn integers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, SegmentError> {
    batch.column_by_name(name).and_then(|column| column.as_primitive_opt()).ok_or(OTHER_TYPE)
}

/// The byte strings of a column.
pub(super) fn binary<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a BinaryArray, SegmentError> {
    batch.column_by_name(name).and_then(|column| column.as_binary_opt()).ok_or(OTHER_TYPE)
}

/// The texts of a column.
pub(super) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, SegmentError> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt()).ok_or(OTHER_TYPE)
}

#[cfg(test)]
mod tests;
