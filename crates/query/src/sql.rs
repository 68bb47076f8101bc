//! Read-only SQL for people who may read one trail and nothing else.
//!
//! A statement passes, in this order: its size, its grammar (`statement.rs`: one query, or what a query would
//! do), names (the catalog holds one table, `functions.rs` lists what may be called), the plan (`growth.rs`: no
//! step may multiply what it reads; every table is ours), and while it runs the limits of memory, rows, bytes
//! and time. Each of these alone would let something through.

mod arrows;
mod functions;
mod growth;
mod json;
mod statement;

use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::datasource::{ViewTable, provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures_util::TryStreamExt;
use greffier_ledger::segment::ENTRY;

use crate::search::column;
use crate::table::{Events, READ_AT_ONCE};
use crate::view::View;
use crate::{QueryError, Table, output, tally};

/// The one table.
const EVENTS: &str = "events";
const CATALOG: &str = "greffier";
const SCHEMA: &str = "trail";
/// Rows that are worked on at once. An entry has 64 KiB at most, so that a batch of them is bounded as well.
const BATCH: usize = 2_048;
/// The same where no entries are read: of all other columns a row takes a kilobyte or two.
const NARROW_BATCH: usize = 8_192;

/// What every question starts from: settings and functions, no tables.
pub(crate) fn template() -> SessionState {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_information_schema(false)
        .with_target_partitions(READ_AT_ONCE)
        .with_batch_size(BATCH);
    let options = config.options_mut();
    options.execution.enable_recursive_ctes = false;
    options.execution.enforce_batch_size_in_joins = true;
    options.execution.collect_statistics = false;
    // Each scan decides for itself (`table.rs`).
    options.execution.parquet.pushdown_filters = false;
    // The schema of segments never changes, and literals must have its types.
    options.execution.parquet.schema_force_view_types = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    // A hash join holds one side in memory, whatever its size.
    options.optimizer.prefer_hash_join = false;
    SessionStateBuilder::new()
        .with_config(config)
        .with_expr_planners(functions::planners())
        .with_scalar_functions(functions::scalar())
        .with_aggregate_functions(functions::aggregate())
        .with_window_functions(functions::window())
        .build()
}

/// Answers one statement.
pub(crate) async fn run(view: &Arc<View>, text: &str) -> Result<Table, QueryError> {
    let statement = statement::parse(text)?;
    let mut state = with_table(view)?;
    // Once for the whole statement: what `now()` is.
    state.mark_start_execution();
    let plan = state.statement_to_plan(statement).await.map_err(planning)?;
    let reads_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads_only.verify_plan(&plan).map_err(|error| refused(error.strip_backtrace()))?;
    growth::check(&plan)?;
    let plan = state.optimize(&plan).map_err(planning)?;
    growth::check_joins(&plan)?;
    only_events(&plan)?;
    let plan = if view.limits.pushdown { tally::fill(view, &state, plan).await? } else { plan };
    if !reads_entries(&plan)? {
        let config = state.config().clone().with_batch_size(NARROW_BATCH);
        *state.config_mut() = config;
    }
    let physical = state.query_planner().create_physical_plan(&plan, &state).await.map_err(planning)?;
    let physical = physical.transform_up(yielding)?.data;
    let schema = output::plain_schema(&physical.schema());
    let mut stream = execute_stream(physical, state.task_ctx())?;
    let (mut batches, mut rows, mut bytes, mut truncated) = (Vec::new(), 0, 0, false);
    while let Some(batch) = stream.try_next().await? {
        let kept = batch.slice(0, batch.num_rows().min(view.limits.rows - rows));
        truncated = kept.num_rows() < batch.num_rows();
        let kept = output::plain(&kept).map_err(output::internal)?;
        bytes += size(&kept)?;
        if bytes > view.limits.bytes {
            return Err(QueryError::TooLarge(format!(
                "the answer has more than {} bytes: choose columns, or add a LIMIT",
                view.limits.bytes
            )));
        }
        rows += kept.num_rows();
        batches.push(kept);
        if truncated {
            break;
        }
    }
    Ok(Table { schema, batches, truncated })
}

/// What makes many rows of few gives way after each batch, so that a statement can be stopped within.
fn yielding(plan: Arc<dyn ExecutionPlan>) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    let multiplies = plan.name().ends_with("JoinExec") || plan.name() == "UnnestExec";
    if multiplies {
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan))))
    } else {
        Ok(Transformed::no(plan))
    }
}

/// While a statement is planned nothing but the statement is wrong, whatever the engine takes for a defect of its own.
fn planning(error: DataFusionError) -> QueryError {
    match QueryError::from(error) {
        QueryError::Internal(said) => {
            let said = said.lines().next().unwrap_or_default();
            let said = said.strip_prefix("Internal error: ").unwrap_or(said);
            // Behind that stand all types that it would have taken.
            let said = said.split(", errors: ").next().unwrap_or(said);
            QueryError::SqlSyntax(format!("the statement cannot be planned: {said}"))
        }
        error => error,
    }
}

fn refused(what: impl Into<String>) -> QueryError {
    QueryError::SqlRefused(what.into())
}

/// The bytes that a batch's values take, not the buffers that it shares.
fn size(batch: &RecordBatch) -> DataFusionResult<usize> {
    batch.columns().iter().try_fold(0, |sum, column| Ok(sum + column.to_data().get_slice_memory_size()?))
}

/// A session whose catalog holds one table. `entry` is the JSON text in it, because people read it.
pub(crate) fn with_table(view: &View) -> DataFusionResult<SessionState> {
    let source = provider_as_source(Arc::new(view.table.viewed()) as _);
    let schema = source.schema();
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        ENTRY => cast(column(ENTRY), DataType::Utf8View).alias(ENTRY),
        name => column(name),
    });
    let plan = LogicalPlanBuilder::scan(EVENTS, source, None)?.project(columns)?.build()?;
    let tables = MemorySchemaProvider::new();
    tables.register_table(EVENTS.to_owned(), Arc::new(ViewTable::new(plan, None)))?;
    let schemas = MemoryCatalogProvider::new();
    schemas.register_schema(SCHEMA, Arc::new(tables))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(schemas));
    let state = SessionStateBuilder::new_from_existing(view.state.clone());
    Ok(state.with_catalog_list(Arc::new(catalogs)).build())
}

/// Whether a plan reads entries, which are as large as they like.
fn reads_entries(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let mut reads = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            reads |= scan.projected_schema.has_column_with_unqualified_name(ENTRY);
        }
        Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reads)
}

/// Whatever a plan was made from, it may read one thing.
fn only_events(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut foreign = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !source_as_provider(&scan.source)?.is::<Events>()
        {
            foreign = Some(scan.table_name.to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    foreign
        .map_or(Ok(()), |table| Err(refused(format!("`{table}` is not `{EVENTS}`, the one table there is"))))
}

#[cfg(test)]
mod tests;
