//! A few columns of one piece of a trail, straight from where they lie: who looks at every row needs no plan, and what
//! many rows say is read once, as a code.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use greffier_ledger::ReadError;
use greffier_ledger::segment::schema;

use crate::table::{Events, READ_AT_ONCE, positions};
use crate::view::View;
use crate::{QueryError, output};

/// Rows that are counted in one piece: a sealed segment of full size.
pub(crate) const PIECE: u64 = 65_536;

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
    segment.columns(piece, columns, only).map_err(|error| noted(table, error))
}

/// Takes note where a segment is gone: a newer snapshot has another.
pub(crate) fn noted(table: &Events, error: ReadError) -> QueryError {
    if let ReadError::Io { source, .. } = &error
        && source.kind() == io::ErrorKind::NotFound
    {
        table.files().miss_one();
    }
    error.into()
}

/// The ranges in pieces of which each lies in one segment, in order.
pub(crate) fn pieces(view: &View, ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut cuts: Vec<u64> = view.table.snapshot().segments.iter().map(|segment| segment.end).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let next = cuts.get(cuts.partition_point(|cut| *cut <= start)).copied().unwrap_or(range.end);
            let end = next.min(range.end).min(start.saturating_add(PIECE));
            pieces.push(start..end);
            start = end;
        }
    }
    pieces
}

/// Reads pieces side by side, makes something of each where it is read, and takes what was made in their order.
pub(crate) async fn gather<T: Send + 'static>(
    view: &Arc<View>,
    pieces: Vec<Range<u64>>,
    only: Option<Only>,
    columns: Arc<[String]>,
    make: impl Fn(Vec<RecordBatch>) -> Result<T, QueryError> + Clone + Send + 'static,
    mut take: impl FnMut(T) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut left = pieces.into_iter();
    let mut under_way = VecDeque::with_capacity(READ_AT_ONCE);
    loop {
        for piece in left.by_ref().take(READ_AT_ONCE - under_way.len()) {
            let (view, only, make) = (Arc::clone(view), only.clone(), make.clone());
            let columns = Arc::clone(&columns);
            // Ends with its piece at the latest where nobody waits any more.
            under_way.push_back(SpawnedTask::spawn_blocking(move || {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                make(read(&view.table, &piece, &columns, only.as_ref())?)
            }));
        }
        let Some(task) = under_way.pop_front() else { return Ok(()) };
        let made = task.join().await;
        take(made.map_err(|error| QueryError::Internal(format!("counting ended early: {error}")))??)?;
    }
}
