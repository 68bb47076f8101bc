//! One moment of one trail, ready to be asked: what every question of this crate but SQL is made of.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::DFSchema;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{PhysicalExpr, expressions};
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures_util::TryStreamExt;
use greffier_ledger::segment::{ENTRY, INDEX};
use greffier_ledger::{Reader, Snapshot};

use crate::mask::Mask;
use crate::share::share;
use crate::sift::Opener;
use crate::table::files::OnlySegments;
use crate::table::{Events, Ranges, positions};
use crate::{Limits, QueryError, Row, piece, single};

/// One snapshot, and what it takes to read it.
pub(crate) struct View {
    pub(crate) table: Arc<Events>,
    pub(crate) state: SessionState,
    pub(crate) limits: Limits,
    /// What opens contents, where they may be searched.
    pub(crate) contents: Option<Opener>,
}

impl View {
    /// Makes a snapshot readable. `reader` holds the filters and indexes of its segments.
    pub(crate) fn new(
        snapshot: Snapshot,
        reader: Option<Reader>,
        template: SessionState,
        memory: &RuntimeEnv,
        limits: &Limits,
    ) -> View {
        let table = Arc::new(Events::new(snapshot, reader, limits.pushdown));
        let only = RuntimeEnv {
            memory_pool: Arc::clone(&memory.memory_pool),
            disk_manager: Arc::clone(&memory.disk_manager),
            cache_manager: Arc::clone(&memory.cache_manager),
            object_store_registry: Arc::new(OnlySegments(Arc::clone(table.files()))),
        };
        let state = SessionStateBuilder::new_from_existing(template).with_runtime_env(Arc::new(only)).build();
        View { table, state, limits: limits.clone(), contents: None }
    }

    /// The first entry that there is: those before it have expired.
    pub(crate) fn first(&self) -> u64 {
        self.table.snapshot().first
    }

    /// One behind the trail's last entry.
    pub(crate) fn size(&self) -> u64 {
        self.table.snapshot().size
    }

    /// Where matches can be, cut down to `bounds`.
    pub(crate) fn candidates(
        &self,
        predicate: Option<&Expr>,
        bounds: &Range<u64>,
    ) -> Result<Ranges, QueryError> {
        let all = self.table.candidates(&self.state, predicate)?;
        let inside = all.into_iter().map(|range| range.start.max(bounds.start)..range.end.min(bounds.end));
        Ok(inside.filter(|range| !range.is_empty()).collect())
    }

    /// Where matches can be, cut down further by what is known of segments (`table/rule_out.rs`).
    pub(crate) async fn narrowed(
        &self,
        predicate: Option<&Expr>,
        bounds: &Range<u64>,
    ) -> Result<Ranges, QueryError> {
        Ok(self.table.narrowed(self.candidates(predicate, bounds)?, predicate).await?)
    }

    /// The rows within the ranges that pass, in no order.
    pub(crate) fn rows(
        &self,
        ranges: &[Range<u64>],
        predicate: Option<&Expr>,
        columns: &[&'static str],
    ) -> Result<SendableRecordBatchStream, QueryError> {
        self.marked(ranges, predicate, columns, &[])
    }

    /// The rows within the ranges that pass, in no order; behind the columns, whether each of `marks` holds.
    pub(crate) fn marked(
        &self,
        ranges: &[Range<u64>],
        predicate: Option<&Expr>,
        columns: &[&'static str],
        marks: &[Expr],
    ) -> Result<SendableRecordBatchStream, QueryError> {
        let schema = greffier_ledger::segment::schema();
        let names = |exprs: &[Expr]| -> Vec<String> {
            exprs.iter().flat_map(Expr::column_refs).map(|column| column.name.clone()).collect()
        };
        let kept = names(marks);
        let kept: Vec<&str> = columns.iter().copied().chain(kept.iter().map(String::as_str)).collect();
        let tested = names(predicate.map(std::slice::from_ref).unwrap_or_default());
        let read = positions(&schema, kept.iter().copied().chain(tested.iter().map(String::as_str)))?;
        let mut plan: Arc<dyn ExecutionPlan> =
            self.table.read(&self.state, ranges, Some(&read), predicate)?;
        if let Some(predicate) = predicate {
            let keep = positions(&plan.schema(), kept)?;
            let test = self.physical(predicate, &plan)?;
            plan = Arc::new(FilterExecBuilder::new(test, plan).apply_projection(Some(keep))?.build()?);
        }
        if !marks.is_empty() {
            let mut shown: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
            for name in columns {
                shown.push((expressions::col(name, &plan.schema())?, (*name).to_owned()));
            }
            for (number, mark) in marks.iter().enumerate() {
                shown.push((self.physical(mark, &plan)?, format!("{MARK}{number}")));
            }
            plan = Arc::new(ProjectionExec::try_new(shown, plan)?);
        }
        Ok(execute_stream(plan, self.state.task_ctx())?)
    }

    /// An expression over the columns of a plan.
    fn physical(
        &self,
        expr: &Expr,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn PhysicalExpr>, QueryError> {
        Ok(self.state.create_physical_expr(expr.clone(), &DFSchema::try_from(plan.schema())?)?)
    }

    /// The indexes within the ranges that pass: no more than `most`, the newest or the oldest of them, in that
    /// order.
    pub(crate) async fn indexes(
        &self,
        ranges: &[Range<u64>],
        predicate: Option<&Expr>,
        order: Order,
        most: usize,
    ) -> Result<Vec<u64>, QueryError> {
        if self.limits.pushdown
            && let Some(found) = self.coded(ranges, predicate, order, most).await?
        {
            return Ok(found);
        }
        let mut rows = self.rows(ranges, predicate, &[INDEX])?;
        let mut found = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            found.extend(indexes(&batch)?);
            order.keep(&mut found, most);
        }
        order.first(&mut found, most);
        Ok(found)
    }

    /// The same from codes, several times as fast, if the predicate can be tested so.
    async fn coded(
        &self,
        ranges: &[Range<u64>],
        predicate: Option<&Expr>,
        order: Order,
        most: usize,
    ) -> Result<Option<Vec<u64>>, QueryError> {
        let schema = greffier_ledger::segment::schema();
        let Some(mask) = Mask::of(predicate, &schema, &self.state) else { return Ok(None) };
        let mut columns: Vec<String> = mask.columns().cloned().collect();
        columns.push(INDEX.to_owned());
        let table = Arc::clone(&self.table);
        let look = {
            let mask = Arc::new(mask);
            move |found: Option<Vec<u64>>, piece: Range<u64>| {
                let names: Vec<&str> = columns.iter().map(String::as_str).collect();
                let mut found = found.unwrap_or_default();
                for batch in piece::read(&table, &piece, &names, None)? {
                    let Ok(passing) = mask.passing(&batch) else { return Ok(None) };
                    let passes =
                        |row: usize| passing.as_ref().is_none_or(|passing| passing.get(row) == Some(&true));
                    let rows = indexes(&batch)?.into_iter().enumerate();
                    found.extend(rows.filter(|(row, _)| passes(*row)).map(|(_, index)| index));
                }
                order.keep(&mut found, most);
                Ok(Some(found))
            }
        };
        let Some(found) = share(piece::pieces(self, ranges.to_vec()), look).await? else { return Ok(None) };
        let mut found: Vec<u64> = found.into_iter().flatten().collect();
        order.first(&mut found, most);
        Ok(Some(found))
    }

    /// Entries by their indexes, in the order of these.
    pub(crate) async fn entries(&self, wanted: &[u64]) -> Result<Vec<Row>, QueryError> {
        single::entries(&self.table, wanted).await
    }
}

/// How the columns of marks are called, each with its number.
const MARK: &str = "mark ";
/// Indexes that are collected before they are sorted and cut for the first time.
const KEPT_BEFORE_SORT: usize = 65_536;

/// Which end of a trail comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Newest,
    Oldest,
}

impl Order {
    /// Sorts indexes, and keeps so many.
    fn first(self, indexes: &mut Vec<u64>, most: usize) {
        self.sort(indexes);
        indexes.truncate(most);
    }

    /// Keeps what is held in proportion to what is asked for.
    fn keep(self, indexes: &mut Vec<u64>, most: usize) {
        if indexes.len() > most.saturating_mul(2).max(KEPT_BEFORE_SORT) {
            self.first(indexes, most);
        }
    }

    pub(crate) fn sort(self, indexes: &mut [u64]) {
        self.sort_by(indexes, |index| *index);
    }

    /// By the index of each.
    pub(crate) fn sort_by<T>(self, some: &mut [T], index: impl Fn(&T) -> u64) {
        match self {
            Order::Newest => some.sort_unstable_by_key(|one| std::cmp::Reverse(index(one))),
            Order::Oldest => some.sort_unstable_by_key(index),
        }
    }
}

fn no_column(name: &str) -> QueryError {
    QueryError::Internal(format!("the column `{name}` has another type"))
}

/// Indexes as ranges: in order, each once.
pub(crate) fn runs(mut indexes: Vec<u64>) -> Ranges {
    indexes.sort_unstable();
    indexes.dedup();
    let mut runs: Ranges = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// The index of each row of a batch.
pub(crate) fn indexes(batch: &RecordBatch) -> Result<Vec<u64>, QueryError> {
    let column = batch.column_by_name(INDEX).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| no_column(INDEX))?;
    Ok(column.values().iter().filter_map(|index| u64::try_from(*index).ok()).collect())
}

/// Which marks each row of a batch has; what is not known of it, it has not.
pub(crate) fn marks(batch: &RecordBatch) -> Result<Vec<Vec<bool>>, QueryError> {
    let columns = (0_usize..).map_while(|number| batch.column_by_name(&format!("{MARK}{number}")));
    let columns = columns.map(|column| column.as_boolean_opt().ok_or_else(|| no_column(MARK)));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let has = |row: usize, column: &&BooleanArray| column.is_valid(row) && column.value(row);
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| has(row, column)).collect()).collect())
}

/// The exact bytes of each entry of a batch.
pub(crate) fn entries(batch: &RecordBatch) -> Result<Vec<Vec<u8>>, QueryError> {
    let column = batch.column_by_name(ENTRY).and_then(|column| column.as_binary_opt::<i32>());
    let column = column.ok_or_else(|| no_column(ENTRY))?;
    Ok((0..column.len()).map(|row| column.value(row).to_vec()).collect())
}
