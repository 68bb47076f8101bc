//! One snapshot of one trail as a table: sealed segments, then hot batches.
//!
//! Segments that a filter rules out are never opened (`table/prune.rs`), and the others can be cut down to ranges
//! of indexes, because row `n` of a segment is entry `first + n`. The scan never promises to have applied a
//! filter: whoever reads filters again, so a predicate that the Parquet reader skips costs time, not rows.

pub(crate) mod files;
mod prune;
mod rule_out;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use datafusion::arrow::compute::{cast, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, exec_datafusion_err};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::arrow_reader::RowSelection;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use greffier_ledger::segment::{ENTRY, INDEX};
use greffier_ledger::{Reader, Segment, Snapshot};

use crate::table::files::SegmentFiles;
use crate::table::rule_out::Asked;

/// How many segments are read side by side: one for each thread of the engine.
pub(crate) const READ_AT_ONCE: usize = 2;
/// The first read of a segment's end: with it most footers come at once, page index included.
const FOOTER_BYTES: usize = 128 * 1024;
/// Columns that are read at most where nothing is wide: more than any count or report reads.
const NARROW: usize = 12;
/// Columns whose values name single events, or a few.
const NAMES_ONE: [&str; 5] = ["id", "request_id", "session_id", "trace_id", "call_id"];
/// Columns that say when. Statistics answer them, and what is left fits nearly whole.
const WHEN: [&str; 3] = [INDEX, "time", "recorded_at"];

/// One snapshot as a table.
#[derive(Debug)]
pub(crate) struct Events {
    snapshot: Snapshot,
    files: Arc<SegmentFiles>,
    schema: SchemaRef,
    pushdown: bool,
    /// Whoever holds the filters and indexes of segments.
    reader: Option<Reader>,
}

/// Ranges of indexes: in order, none empty, apart from each other.
pub(crate) type Ranges = Vec<Range<u64>>;

impl Events {
    pub(crate) fn new(snapshot: Snapshot, reader: Option<Reader>, pushdown: bool) -> Events {
        let files = Arc::new(SegmentFiles::new(&snapshot.segments));
        Events { snapshot, files, schema: greffier_ledger::segment::schema(), pushdown, reader }
    }

    /// The same rows, their texts as views: what they are of is not copied while they are read, grouped and compared.
    pub(crate) fn viewed(&self) -> Events {
        let fields = self.schema.fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
            DataType::Binary => Arc::new(Field::clone(field).with_data_type(DataType::BinaryView)),
            _ => Arc::clone(field),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Fields>()));
        let (snapshot, files) = (self.snapshot.clone(), Arc::clone(&self.files));
        Events { snapshot, files, schema, pushdown: self.pushdown, reader: self.reader.clone() }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn files(&self) -> &Arc<SegmentFiles> {
        &self.files
    }

    /// Where rows that a predicate lets pass can be: the segments that it does not rule out, and all that is hot.
    pub(crate) fn candidates(&self, state: &dyn Session, predicate: Option<&Expr>) -> Result<Ranges> {
        let predicate = predicate.map(|expr| self.physical(state, expr.clone())).transpose()?;
        let sealed = prune::survivors(&self.snapshot.segments, predicate.as_ref(), &self.schema)?;
        Ok(joined(sealed.iter().map(|segment| segment.first..segment.end).chain([self.unsealed()])))
    }

    /// The entries that are not sealed.
    fn unsealed(&self) -> Range<u64> {
        self.snapshot.segments.last().map_or(0, |segment| segment.end)..self.snapshot.size
    }

    /// Of these ranges what the filters and indexes of segments do not rule out.
    pub(crate) async fn narrowed(&self, ranges: Ranges, predicate: Option<&Expr>) -> Result<Ranges> {
        let Some((reader, asked)) = self.reader.clone().zip(predicate.and_then(Asked::by)) else {
            return Ok(ranges);
        };
        let segments = self.snapshot.segments.clone();
        let hot = self.unsealed();
        let rule_out = move || {
            let overlaps = |segment: &&Arc<Segment>| {
                ranges.iter().any(|range| range.start < segment.end && segment.first < range.end)
            };
            let sealed = segments.iter().filter(overlaps).flat_map(|segment| asked.within(segment, &reader));
            rule_out::common(&ranges, &joined(sealed.chain([hot])))
        };
        tokio::task::spawn_blocking(rule_out).await.map_err(|error| exec_datafusion_err!("{error}"))
    }

    /// Reads rows at least within the ranges, and at least those that pass the predicate.
    pub(crate) fn read(
        &self,
        state: &dyn Session,
        ranges: &[Range<u64>],
        projection: Option<&Vec<usize>>,
        predicate: Option<&Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filter = predicate;
        let predicate = predicate.map(|expr| self.physical(state, expr.clone())).transpose()?;
        let segments = prune::survivors(&self.snapshot.segments, predicate.as_ref(), &self.schema)?;
        let pushes_down =
            self.pushdown && filter.is_some_and(|filter| pays(filter, projection, &self.schema));
        let files =
            segments.iter().filter_map(|segment| file(segment, ranges, &self.schema)).collect::<Vec<_>>();
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let hot = self.hot(ranges, projection, &schema)?;
        let hot = MemorySourceConfig::try_new(&[hot], Arc::clone(&schema), None)?;
        let hot = hot.try_with_sort_information(ordering(&schema))?;
        let hot = DataSourceExec::from_data_source(hot);
        if files.is_empty() {
            return Ok(hot);
        }
        let sealed = self.sealed(state, files, projection, predicate, pushes_down)?;
        UnionExec::try_new(vec![sealed, hot])
    }

    fn sealed(
        &self,
        state: &dyn Session,
        files: Vec<PartitionedFile>,
        projection: Option<&Vec<usize>>,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        pushes_down: bool,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(Arc::clone(&self.files) as _, cache);
        let global = state.config_options().execution.parquet.clone();
        let options = TableParquetOptions { global, ..TableParquetOptions::default() };
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(reader))
            .with_pushdown_filters(pushes_down);
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let each = files.len().div_ceil(READ_AT_ONCE);
        let groups = files.chunks(each).map(|group| FileGroup::new(group.to_vec())).collect();
        let scan = FileScanConfigBuilder::new(files::address()?, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_output_ordering(ordering(&self.schema))
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }

    /// The hot rows within the ranges: of each the columns that are read, in the types of `schema`.
    pub(crate) fn hot(
        &self,
        ranges: &[Range<u64>],
        columns: Option<&Vec<usize>>,
        schema: &SchemaRef,
    ) -> Result<Vec<RecordBatch>> {
        let mut rows = Vec::new();
        for batch in &self.snapshot.hot {
            let Some(first) = first_index(batch) else { continue };
            let inside = within(first..first + batch.num_rows() as u64, ranges);
            if inside.is_empty() {
                continue;
            }
            // What is not read is neither cut nor copied.
            let batch = shown(batch, columns, schema)?;
            rows.push(match inside.as_slice() {
                [all] if all.len() == batch.num_rows() => batch,
                [one] => batch.slice(one.start, one.len()),
                // Many scattered rows are one batch, not many of one row.
                _ => {
                    let taken: UInt64Array =
                        inside.into_iter().flatten().map(|row| row as u64).collect::<Vec<_>>().into();
                    take_record_batch(&batch, &taken)?
                }
            });
        }
        Ok(rows)
    }

    /// A predicate over all columns, ready to be evaluated.
    fn physical(&self, state: &dyn Session, expr: Expr) -> Result<Arc<dyn PhysicalExpr>> {
        state.create_physical_expr(expr, &DFSchema::try_from(Arc::clone(&self.schema))?)
    }
}

/// Whether evaluating a filter while a segment is decoded costs less than decoding what it leaves out: where it is
/// likely to leave few rows (any test but of when) and what is read beside it is wide, or where it names single
/// events. Counts over narrow columns decode everything faster than they would skip (`bench/README.md`), and a report
/// over a period keeps nearly all that statistics leave.
fn pays(filter: &Expr, projection: Option<&Vec<usize>>, schema: &SchemaRef) -> bool {
    let tested: Vec<&str> = filter.column_refs().into_iter().map(|column| column.name.as_str()).collect();
    if tested.iter().any(|name| NAMES_ONE.contains(name)) {
        return true;
    }
    let is_wide = projection.is_none_or(|read| {
        read.len() > NARROW || schema.index_of(ENTRY).is_ok_and(|entry| read.contains(&entry))
    });
    is_wide && tested.iter().any(|name| !WHEN.contains(name))
}

/// The columns of a hot batch that are read, in the types of a table.
fn shown(batch: &RecordBatch, columns: Option<&Vec<usize>>, schema: &SchemaRef) -> Result<RecordBatch> {
    let read = match columns {
        Some(columns) => batch.project(columns)?,
        None => batch.clone(),
    };
    let typed = read.columns().iter().zip(schema.fields());
    let typed = typed.map(|(column, field)| {
        let same = column.data_type() == field.data_type();
        if same { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    });
    let typed = typed.collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), typed, &rows)?)
}

/// Rows stand in the order of their indexes, where those are read.
fn ordering(schema: &SchemaRef) -> Vec<LexOrdering> {
    let index = expressions::col(INDEX, schema).map(PhysicalSortExpr::new_default);
    index.ok().and_then(|index| LexOrdering::new([index])).into_iter().collect()
}

/// Ranges that follow each other, those that touch as one.
fn joined(ranges: impl Iterator<Item = Range<u64>>) -> Ranges {
    let mut joined: Ranges = Vec::new();
    for range in ranges.filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

fn first_index(batch: &RecordBatch) -> Option<u64> {
    let indexes = batch.column_by_name(INDEX)?.as_primitive_opt::<Int64Type>()?;
    indexes.values().first().and_then(|first| u64::try_from(*first).ok())
}

/// What of `rows` lies within the ranges, counted from its start.
fn within(rows: Range<u64>, ranges: &[Range<u64>]) -> Vec<Range<usize>> {
    let near = ranges.partition_point(|range| range.end <= rows.start);
    let near = ranges.iter().skip(near).take_while(|range| range.start < rows.end);
    near.filter_map(|range| {
        let (start, end) = (range.start.max(rows.start) - rows.start, range.end.min(rows.end) - rows.start);
        Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    })
    .collect()
}

/// The part of a segment within the ranges, if any.
fn file(segment: &Segment, ranges: &[Range<u64>], schema: &SchemaRef) -> Option<PartitionedFile> {
    let inside = within(segment.first..segment.end, ranges);
    let rows = usize::try_from(segment.end - segment.first).ok()?;
    let file = PartitionedFile::new(segment.key.as_str(), segment.bytes);
    match inside.as_slice() {
        [] => None,
        [all] if all.len() == rows => Some(file.with_statistics(Arc::new(statistics(segment, rows, schema)))),
        _ => {
            let selection = RowSelection::from_consecutive_ranges(inside.into_iter(), rows);
            Some(file.with_extension(ParquetRowSelection::new(selection)))
        }
    }
}

/// How many rows there are and which indexes they have: with it, DataFusion knows that segments stand in order.
fn statistics(segment: &Segment, rows: usize, schema: &SchemaRef) -> Statistics {
    let exact = |index: u64| Precision::Exact(ScalarValue::Int64(i64::try_from(index).ok()));
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Exact(rows);
    if let Some(index) = statistics.column_statistics.first_mut() {
        index.null_count = Precision::Exact(0);
        index.min_value = exact(segment.first);
        index.max_value = exact(segment.end.saturating_sub(1));
    }
    statistics
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let predicate = conjunction(filters.iter().cloned());
        let ranges = self.candidates(state, predicate.as_ref())?;
        let ranges = self.narrowed(ranges, predicate.as_ref()).await?;
        self.read(state, &ranges, projection, predicate.as_ref())
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Numbers of the columns in the table.
pub(crate) fn positions<'a>(
    schema: &SchemaRef,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<usize>> {
    let position =
        |name| schema.index_of(name).map_err(|_| exec_datafusion_err!("there is no column {name}"));
    let mut positions = names.into_iter().map(position).collect::<Result<Vec<_>>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::lit;

    use super::*;
    use crate::search::{column, instant};

    #[test]
    fn filters_go_down_where_that_pays() {
        let schema = greffier_ledger::segment::schema();
        let check = |filter: &Expr, read: &[&str]| {
            let read = (!read.is_empty()).then(|| positions(&schema, read.iter().copied()).unwrap());
            pays(filter, read.as_ref(), &schema)
        };
        let (user, time) = (column("user_sub").eq(lit("alice")), column("time").gt(instant(0)));
        let id = column("id").eq(lit("x"));
        assert!(check(&user, &[]) && check(&user, &[ENTRY]) && check(&id, &[INDEX]));
        assert!(!check(&user, &["agent_id", "cost_micros"]), "a count");
        assert!(!check(&time, &[ENTRY]), "a report");
        assert!(check(&user.and(time), &[INDEX, ENTRY]));
    }
}
