//! Matches as a Parquet file with the columns of the table `events`, written as they come.

use std::sync::{Mutex, PoisonError};

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;

use crate::{QueryError, Row};

/// Rows of a row group: enough for columns to compress.
const GROUP_ROWS: usize = 65_536;
/// Bytes of a row group that are held before it is written: entries may be large.
const GROUP_BYTES: usize = 16 << 20;

/// A file on its way: bytes come out as rows go in.
pub struct ParquetFile {
    /// Nobody shares it: the lock is never taken, and lets a task hold the file between two pages.
    writer: Mutex<ArrowWriter<Vec<u8>>>,
}

impl ParquetFile {
    /// An empty one.
    pub fn new() -> Result<ParquetFile, QueryError> {
        let level = ZstdLevel::try_new(3).map_err(unwritable)?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("greffier version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let schema = greffier_ledger::segment::schema();
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(unwritable)?;
        Ok(ParquetFile { writer: Mutex::new(writer) })
    }

    /// Adds rows; the bytes that are ready, which may be none.
    pub fn add(&mut self, rows: &[Row]) -> Result<Vec<u8>, QueryError> {
        let batch = greffier_ledger::segment::rows(rows.iter().map(|row| (row.index, row.entry.as_slice())))?;
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        writer.write(&batch).map_err(unwritable)?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush().map_err(unwritable)?;
        }
        Ok(std::mem::take(writer.inner_mut()))
    }

    /// The last bytes.
    pub fn finish(self) -> Result<Vec<u8>, QueryError> {
        let mut writer = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        writer.finish().map_err(unwritable)?;
        Ok(std::mem::take(writer.inner_mut()))
    }
}

fn unwritable(error: ParquetError) -> QueryError {
    QueryError::Internal(format!("the Parquet file cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use datafusion::arrow::compute::concat_batches;
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::testing::batch;

    /// Piece by piece, the file holds the very columns of the trail.
    #[test]
    fn a_file_holds_the_columns() {
        let expected = batch();
        let entries = crate::view::entries(&expected).unwrap();
        let rows: Vec<Row> = (0..).zip(entries).map(|(index, entry)| Row { index, entry }).collect();
        let mut file = ParquetFile::new().unwrap();
        let mut bytes = Vec::new();
        for some in rows.chunks(37) {
            bytes.extend(file.add(some).unwrap());
        }
        bytes.extend(file.finish().unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
        let read: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
        assert_eq!(concat_batches(&expected.schema(), &read).unwrap(), expected);
    }

    #[test]
    fn a_file_without_rows_is_one() {
        let bytes = ParquetFile::new().unwrap().finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        assert_eq!(reader.schema().fields().len(), batch().num_columns());
    }
}
