//! A few columns of one piece of a trail, straight from where they lie: who looks at every row needs no plan, and what
//! many rows say is read once, as a code.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use greffier_ledger::ReadError;
use greffier_ledger::segment::schema;

use crate::table::{Events, positions};
use crate::{QueryError, output};

/// What all wanted rows have in a column.
#[derive(Clone, Debug)]
pub(crate) struct Only {
    pub(crate) column: &'static str,
    pub(crate) value: String,
}

/// The rows of a piece, which lies in one segment or in the log, or at least those that are wanted. Blocks.
pub(crate) fn read(
    table: &Events,
    piece: &Range<u64>,
    columns: &[&str],
    only: Option<&Only>,
) -> Result<Vec<RecordBatch>, QueryError> {
    let segments = &table.snapshot().segments;
    let at = segments.partition_point(|segment| segment.end <= piece.start);
    let Some(segment) = segments.get(at) else {
        let schema = schema();
        let read = positions(&schema, columns.iter().copied())?;
        let schema = Arc::new(schema.project(&read).map_err(output::internal)?);
        return Ok(table.hot(std::slice::from_ref(piece), Some(&read), &schema)?);
    };
    let only = only.map(|only| (only.column, only.value.as_str()));
    segment.columns(piece, columns, only).map_err(|error| {
        if let ReadError::Io { source, .. } = &error
            && source.kind() == io::ErrorKind::NotFound
        {
            table.files().miss_one();
        }
        error.into()
    })
}
