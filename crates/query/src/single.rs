//! Single entries, straight from where they lie: who looks up a few needs no plan.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::record_batch::RecordBatch;
use greffier_ledger::Segment;
use greffier_ledger::segment::{ENTRY, INDEX, schema};

use crate::piece::noted;
use crate::share::share;
use crate::table::{Events, READ_AT_ONCE, positions};
use crate::view::{entries as texts, indexes};
use crate::{QueryError, Row};

/// Entries of one segment that are fetched by one thread: to open a file takes as long as some of them.
const FETCHED_ALONE: usize = 4;

/// The entries within the ranges of which a text column has this value, oldest first.
pub(crate) async fn with(
    table: &Arc<Events>,
    ranges: &[Range<u64>],
    column: &'static str,
    value: &str,
) -> Result<Vec<u64>, QueryError> {
    let is_inside = |index: &u64| ranges.iter().any(|range| range.contains(index));
    let overlaps =
        |segment: &Segment| ranges.iter().any(|range| range.start < segment.end && segment.first < range.end);
    let segments = table.snapshot().segments.iter().filter(|segment| overlaps(segment)).cloned().collect();
    let look = {
        let (table, value) = (Arc::clone(table), value.to_owned());
        move |found: Option<Vec<u64>>, segment: Arc<Segment>| {
            let more = segment.with(column, &value).map_err(|error| noted(&table, error))?;
            let mut found = found.unwrap_or_default();
            found.extend(more);
            Ok(Some(found))
        }
    };
    let mut found: Vec<u64> = share(segments, look).await?.into_iter().flatten().flatten().collect();
    for batch in hot(table, ranges, column)? {
        let texts = batch.column_by_name(column).and_then(|texts| texts.as_string_opt::<i32>());
        let rows = indexes(&batch)?.into_iter().zip(texts.into_iter().flatten());
        found.extend(rows.filter(|(_, text)| *text == Some(value)).map(|(index, _)| index));
    }
    found.retain(is_inside);
    found.sort_unstable();
    Ok(found)
}

/// Entries by their indexes, in the order of these.
pub(crate) async fn entries(table: &Arc<Events>, wanted: &[u64]) -> Result<Vec<Row>, QueryError> {
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let fetch = {
        let table = Arc::clone(table);
        move |found: Option<Vec<(u64, Vec<u8>)>>, (segment, some): (Arc<Segment>, Vec<u64>)| {
            let entries = segment.entries(&some).map_err(|error| noted(&table, error))?;
            let mut found = found.unwrap_or_default();
            found.extend(some.into_iter().zip(entries));
            Ok(Some(found))
        }
    };
    let found = share(jobs(table, &sorted), fetch).await?;
    let mut found: HashMap<u64, Vec<u8>> = found.into_iter().flatten().flatten().collect();
    let sealed = table.snapshot().segments.last().map_or(0, |segment| segment.end);
    let hot_ranges: Vec<Range<u64>> =
        sorted.iter().filter(|index| **index >= sealed).map(|index| *index..index + 1).collect();
    for batch in hot(table, &hot_ranges, ENTRY)? {
        found.extend(indexes(&batch)?.into_iter().zip(texts(&batch)?));
    }
    let row = |index: &u64| {
        let entry = found.remove(index).ok_or_else(|| missing(*index))?;
        Ok(Row { index: *index, entry })
    };
    wanted.iter().map(row).collect()
}

/// The entries of each segment, so that all threads have some.
fn jobs(table: &Events, sorted: &[u64]) -> Vec<(Arc<Segment>, Vec<u64>)> {
    let mut jobs = Vec::new();
    let mut rest = sorted;
    for segment in &table.snapshot().segments {
        let (inside, behind) = rest.split_at(rest.partition_point(|index| *index < segment.end));
        rest = behind;
        let (_, inside) = inside.split_at(inside.partition_point(|index| *index < segment.first));
        let each = inside.len().div_ceil(READ_AT_ONCE).max(FETCHED_ALONE);
        jobs.extend(inside.chunks(each).map(|some| (Arc::clone(segment), some.to_vec())));
    }
    jobs
}

/// The index and one column of what is not sealed.
fn hot(table: &Events, ranges: &[Range<u64>], column: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let schema = schema();
    let read = positions(&schema, [INDEX, column])?;
    let schema = Arc::new(schema.project(&read).map_err(crate::output::internal)?);
    Ok(table.hot(ranges, Some(&read), &schema)?)
}

fn missing(index: u64) -> QueryError {
    QueryError::Read(format!("entry {index} is not where its segment says; run `greffier verify`"))
}
