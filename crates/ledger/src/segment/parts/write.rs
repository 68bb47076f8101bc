//! Sealing parts: those of consecutive entries in, the bytes of one Parquet file out, if there were any.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use greffier_event::Tenant;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::super::error::SegmentError;
use super::super::write::{FORMAT, FORMAT_KEY, TRAIL_KEY, base, path, unwritable};
use super::{BOUNDS, GROUP_BYTES, GROUP_ROWS, HOLDER, INDEX, PART, schema};
use crate::wal::frame::SealedPart;

/// Writes the parts of consecutive entries. Made with the first part, so that no parts make no file.
pub(crate) struct PartsWriter {
    trail: Tenant,
    parquet: Option<ArrowWriter<Vec<u8>>>,
    last: Option<u64>,
    rows: Rows,
}

impl PartsWriter {
    pub(crate) fn new(trail: &Tenant) -> PartsWriter {
        PartsWriter { trail: trail.clone(), parquet: None, last: None, rows: Rows::default() }
    }

    /// Adds the parts of an entry, which lies behind those before it.
    pub(crate) fn push(&mut self, index: u64, parts: &[SealedPart<'_>]) -> Result<(), SegmentError> {
        if let Some(last) = self.last.filter(|last| *last >= index) {
            return Err(SegmentError::OutOfOrder { expected: last + 1, found: index });
        }
        self.last = Some(index);
        for (number, part) in parts.iter().enumerate() {
            if self.rows.count == GROUP_ROWS || self.rows.bytes + weight(part) > GROUP_BYTES {
                self.write_group()?;
            }
            self.rows.push(index, number, part);
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), SegmentError> {
        if self.rows.count == 0 {
            return Ok(());
        }
        let parquet = match &mut self.parquet {
            Some(parquet) => parquet,
            none => {
                let options =
                    ArrowWriterOptions::new().with_properties(settings()).with_skip_arrow_metadata(true);
                let parquet = ArrowWriter::try_new_with_options(Vec::new(), schema(), options);
                none.insert(parquet.map_err(unwritable)?)
            }
        };
        if parquet.flushed_row_groups().len() == BOUNDS.row_groups {
            return Err(SegmentError::Full);
        }
        parquet.write(&self.rows.take()?).and_then(|()| parquet.flush()).map_err(unwritable)
    }

    /// The file; none if no entry had parts.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u8>>, SegmentError> {
        self.write_group()?;
        let Some(mut parquet) = self.parquet else { return Ok(None) };
        for (key, value) in [(FORMAT_KEY, FORMAT.to_owned()), (TRAIL_KEY, self.trail.to_string())] {
            parquet.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        parquet.into_inner().map(Some).map_err(unwritable)
    }
}

fn weight(part: &SealedPart<'_>) -> usize {
    part.holder.len() + part.wrapped_key.len() + part.content.len()
}

fn settings() -> WriterProperties {
    base()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(path(HOLDER), true)
        .set_column_encoding(path(INDEX), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(path(PART), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(path(INDEX), EnabledStatistics::Page)
        // Pages of some 256 KiB, looked at after every 16 rows: what one look-up reads.
        .set_data_page_size_limit(256 * 1024)
        .set_write_batch_size(16)
        .build()
}

/// Rows of the next row group.
#[derive(Default)]
struct Rows {
    count: usize,
    bytes: usize,
    index: Int64Builder,
    part: Int32Builder,
    holder: StringBuilder,
    wrapped_key: BinaryBuilder,
    content: BinaryBuilder,
}

impl Rows {
    fn push(&mut self, index: u64, number: usize, part: &SealedPart<'_>) {
        self.count += 1;
        self.bytes += weight(part);
        self.index.append_value(index.cast_signed());
        self.part.append_value(i32::try_from(number).unwrap_or(i32::MAX));
        self.holder.append_value(&part.holder);
        self.wrapped_key.append_value(&part.wrapped_key);
        self.content.append_value(&part.content);
    }

    fn take(&mut self) -> Result<RecordBatch, SegmentError> {
        let mut rows = std::mem::take(self);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.index.finish()),
            Arc::new(rows.part.finish()),
            Arc::new(rows.holder.finish()),
            Arc::new(rows.wrapped_key.finish()),
            Arc::new(rows.content.finish()),
        ];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}
