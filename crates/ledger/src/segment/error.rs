//! What can be wrong with a sealed file, or with what is to be sealed.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use super::columns::ColumnError;

/// Why a file cannot be sealed or read, or is not what it must be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentError {
    /// Entries are sealed one behind the other.
    #[error("entry {found} was given where entry {expected} is due")]
    OutOfOrder { expected: u64, found: u64 },
    /// The file holds as much as it may; seal it and begin another.
    #[error("the segment is full")]
    Full,
    /// An entry before this one was refused.
    #[error("the segment is given up")]
    GivenUp,
    /// A segment without entries would be a name for nothing.
    #[error("a segment has at least one entry")]
    Empty,
    /// An entry cannot become a row.
    #[error(transparent)]
    Entry(#[from] ColumnError),
    /// A column does not say what its entry says.
    #[error("entry {index}: the column `{column}` is not what the entry says")]
    Differs { index: u64, column: String },
    /// The bytes are not those of a file that was sealed here.
    #[error("the file is damaged or was not sealed by greffier: {0}")]
    Malformed(&'static str),
    /// The bytes do not decode, or cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The work cannot be shared.
    #[error("no thread can be started: {0}")]
    Thread(#[source] std::io::Error),
    /// The bytes cannot be made.
    #[error("the file cannot be written: {0}")]
    Unwritable(ParquetError),
}

impl From<ParquetError> for SegmentError {
    fn from(error: ParquetError) -> SegmentError {
        SegmentError::Unreadable(error.to_string())
    }
}

impl From<ArrowError> for SegmentError {
    fn from(error: ArrowError) -> SegmentError {
        SegmentError::Unreadable(error.to_string())
    }
}
