//! Segments: sealed Parquet files of consecutive entries, and the files of their parts beside them.
//!
//! Pure: bytes in, values out. Where files lie and when one is sealed, the ledger above knows.

mod check;
mod coded;
pub(crate) mod columns;
mod entries;
mod error;
mod line;
mod offered;
mod opened;
mod parts;
#[cfg(test)]
pub(crate) mod samples;
mod single;
mod thrift;
mod walk;
mod write;

pub(crate) use coded::coded;
pub use columns::{ENTRY, INDEX, rows, schema};
pub(crate) use entries::{EntriesFile, IdFilter};
pub(crate) use error::SegmentError;
pub(crate) use offered::Offered;
pub(crate) use parts::{PartsFile, PartsWriter};
pub(crate) use single::{entries_of, rows_with};
pub use write::FILTERED;
pub(crate) use write::{EntriesWriter, ID, Written};
