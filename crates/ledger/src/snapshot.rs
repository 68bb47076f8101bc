//! One trail as it stands at one moment: sealed segments, and hot batches for what is not sealed yet.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use greffier_event::{Tenant, Timestamp};

use crate::read::{ReadError, damaged};
use crate::segment::{SegmentError, coded, entries_of, rows_with};

/// One moment of one trail. Segments and hot batches together hold every entry from `first`
/// on below `size` exactly once.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The trail.
    pub trail: Tenant,
    /// The first entry that there is: those before it have expired.
    pub first: u64,
    /// Sealed files, by index, without gaps from the first entry on.
    pub segments: Vec<Arc<Segment>>,
    /// Entries behind the last segment, by index, in the schema of [`crate::segment::schema`].
    pub hot: Vec<RecordBatch>,
    /// Entries on the trail.
    pub size: u64,
}

/// One sealed file of consecutive entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The Parquet file, absolute.
    pub path: PathBuf,
    /// Its path below the data directory, with `/`.
    pub key: String,
    /// First entry.
    pub first: u64,
    /// One behind the last entry.
    pub end: u64,
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in lowercase hex, as the manifest has it.
    pub sha256: String,
    /// Earliest and latest `time`.
    pub time: (Timestamp, Timestamp),
    /// Earliest and latest `recorded_at`.
    pub recorded_at: (Timestamp, Timestamp),
}

impl Segment {
    /// Some columns of the entries in `range`, in order and in as few batches as there are dictionaries: texts are codes
    /// (`Int32` into `Utf8`), but for ids of single events. With `only`, a column and a value, at least the entries of
    /// which the column has that value. Columns that the file is too old to have are left out. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read, or is no sealed file. Of one that was superseded the system says `NotFound`.
    pub fn columns(
        &self,
        range: &Range<u64>,
        names: &[&str],
        only: Option<(&str, &str)>,
    ) -> Result<Vec<RecordBatch>, ReadError> {
        let row = |index: u64| index.clamp(self.first, self.end) - self.first;
        let row = |index: u64| usize::try_from(row(index)).unwrap_or(usize::MAX);
        let rows = row(range.start)..row(range.end);
        coded(self.file()?, rows, names, only).map_err(|error| self.damaged(&error))
    }

    /// The entries of which a text column has this value, in order. Blocks.
    ///
    /// # Errors
    /// As [`Segment::columns`].
    pub fn with(&self, column: &str, value: &str) -> Result<Vec<u64>, ReadError> {
        let rows = rows_with(self.file()?, column, value).map_err(|error| self.damaged(&error))?;
        Ok(rows.into_iter().map(|row| self.first + row as u64).collect())
    }

    /// The exact bytes of entries that are in here, by their indexes, which rise. Blocks.
    ///
    /// # Errors
    /// As [`Segment::columns`].
    pub fn entries(&self, indexes: &[u64]) -> Result<Vec<Vec<u8>>, ReadError> {
        let row = |index: &u64| usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let rows: Vec<usize> = indexes.iter().map(row).collect();
        entries_of(self.file()?, &rows).map_err(|error| self.damaged(&error))
    }

    fn file(&self) -> Result<File, ReadError> {
        File::open(&self.path).map_err(|source| ReadError::Io { place: self.key.clone(), source })
    }

    fn damaged(&self, error: &SegmentError) -> ReadError {
        damaged(&self.key, &error.to_string())
    }
}
