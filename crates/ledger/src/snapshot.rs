//! One trail as it stands at one moment: sealed segments, and hot batches for what is not sealed yet.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use greffier_event::{Tenant, Timestamp};

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
