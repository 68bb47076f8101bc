//! What of a plan is answered from codes: a grouping of rows of the table, with projections and filters between, whose
//! keys, measures and filters are each of one text column or of numbers, instants and flags.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, TableScan};

use super::groups::{Codes, Known, MAX_KEYS};
use super::measure::Kind;
use crate::mask::{Mask, test};
use crate::source::{GaveUp, Made, Source, is_number};
use crate::table::Events;

/// Percentiles of one grouping, each of which may take 32 MiB.
const MAX_HISTOGRAMS: usize = 2;

/// One grouping that is answered from codes.
pub(super) struct Asked {
    /// What all rows must pass, for whoever rules out segments by it.
    pub(super) predicate: Option<Expr>,
    /// The same, part by part.
    pub(super) mask: Mask,
    pub(super) keys: Vec<Key>,
    pub(super) measures: Vec<Asking>,
    /// What the grouping's rows look like.
    pub(super) schema: DFSchemaRef,
    /// All columns that are read.
    pub(super) columns: Vec<String>,
    /// The table.
    pub(super) table: Arc<dyn TableProvider>,
}

/// What rows are grouped by.
pub(super) struct Key {
    pub(super) source: Source,
    pub(super) of: KeyOf,
}

/// What a key's values are.
#[derive(Clone, Copy)]
pub(super) enum KeyOf {
    Texts,
    Numbers,
    /// Instants, cut down to steps of so many microseconds, counted from an instant.
    Steps {
        width: i64,
        origin: i64,
    },
}

impl Key {
    /// What the rows of a piece have of it.
    pub(super) fn codes(&self, piece: &RecordBatch, known: &mut Known) -> Result<Codes, GaveUp> {
        match self.of {
            KeyOf::Texts | KeyOf::Numbers => match self.source.values(piece)? {
                Made::Rows(values) => known.rows(&values),
                Made::Coded(of_rows, values) => Ok(Codes { of_rows, numbers: known.number_all(&values)? }),
            },
            KeyOf::Steps { width, origin } => known.steps(&self.source.numbers(piece)?, width, origin),
        }
    }
}

impl KeyOf {
    pub(super) fn known(self) -> Known {
        match self {
            KeyOf::Texts => Known::texts(),
            KeyOf::Numbers | KeyOf::Steps { .. } => Known::numbers(),
        }
    }
}

/// What is counted of each group.
pub(super) struct Asking {
    pub(super) kind: Kind,
    /// Of what; of rows themselves nothing.
    pub(super) of: Option<Source>,
    /// Of which rows only.
    pub(super) filter: Option<Source>,
}

impl Asked {
    /// What a grouping asks, if it is answered from codes.
    pub(super) fn of(aggregate: &Aggregate, state: &dyn Session) -> Option<Asked> {
        let exprs = aggregate.group_expr.iter().chain(&aggregate.aggr_expr).cloned().collect();
        let below = Below { exprs, filters: Vec::new() };
        let (below, scan) = below.down_to_table(&aggregate.input)?;
        let table = source_as_provider(&scan.source).ok().filter(|table| table.is::<Events>())?;
        let schema = table.schema();
        let filters: Vec<Expr> = below.filters.into_iter().flat_map(split_conjunction_owned).collect();
        let (keys, measures) = below.exprs.split_at_checked(aggregate.group_expr.len())?;
        let keys: Vec<Key> =
            keys.iter().map(|expr| key(bare(expr), &schema, state)).collect::<Option<_>>()?;
        let measures: Vec<Asking> =
            measures.iter().map(|expr| measure(bare(expr), &schema, state)).collect::<Option<_>>()?;
        let predicate = conjunction(filters.iter().cloned().map(unnormalize_col));
        let mask = Mask::of(predicate.as_ref(), &schema, state)?;
        let sources = keys.iter().map(|key| &key.source);
        let sources =
            sources.chain(measures.iter().flat_map(|asking| asking.of.iter().chain(&asking.filter)));
        let columns: BTreeSet<String> =
            sources.flat_map(Source::columns).chain(mask.columns()).cloned().collect();
        let histograms = measures.iter().filter(|asking| matches!(asking.kind, Kind::Percentile(_))).count();
        let is_bounded = keys.len() <= MAX_KEYS && histograms <= MAX_HISTOGRAMS;
        let is_sound = is_bounded && !columns.is_empty() && returns(&measures, &keys, &aggregate.schema);
        let (columns, schema) = (columns.into_iter().collect(), Arc::clone(&aggregate.schema));
        is_sound.then_some(Asked { predicate, mask, keys, measures, schema, columns, table })
    }
}

/// Whether what is counted can be given in the types that the plan promises.
fn returns(measures: &[Asking], keys: &[Key], schema: &DFSchema) -> bool {
    let keys = keys.iter().map(|key| match key.of {
        KeyOf::Texts => DataType::Utf8,
        KeyOf::Numbers | KeyOf::Steps { .. } => DataType::Int64,
    });
    let measures = measures.iter().map(|measure| match measure.kind {
        Kind::Mean | Kind::Percentile(_) => DataType::Float64,
        Kind::Rows | Kind::Values | Kind::Sum | Kind::Least | Kind::Greatest => DataType::Int64,
    });
    let made: Vec<DataType> = keys.chain(measures).collect();
    let promised = schema.fields().iter().map(|field| field.data_type());
    made.len() == schema.fields().len()
        && made.iter().zip(promised).all(|(made, to)| can_cast_types(made, to))
}

/// Expressions on their way down to the table, and the filters that were passed.
struct Below {
    exprs: Vec<Expr>,
    filters: Vec<Expr>,
}

impl Below {
    fn down_to_table(mut self, mut plan: &LogicalPlan) -> Option<(Below, &TableScan)> {
        loop {
            plan = match plan {
                LogicalPlan::SubqueryAlias(alias) => {
                    let below = alias.input.schema();
                    let column = |at: usize| {
                        (at < below.fields().len()).then(|| Expr::Column(below.qualified_field(at).into()))
                    };
                    self = self.lowered(&alias.schema, column)?;
                    &alias.input
                }
                LogicalPlan::Projection(projection) => {
                    self =
                        self.lowered(&projection.schema, |at| Some(bare(projection.expr.get(at)?).clone()))?;
                    &projection.input
                }
                LogicalPlan::Filter(filter) => {
                    self.filters.push(filter.predicate.clone());
                    &filter.input
                }
                LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
                    self.filters.extend(scan.filters.iter().cloned());
                    return Some((self, scan));
                }
                _ => return None,
            };
        }
    }

    /// With what stands for each column of a schema.
    fn lowered(self, schema: &DFSchema, below: impl Fn(usize) -> Option<Expr>) -> Option<Below> {
        let lower = |expr: Expr| {
            let mut all = true;
            let lowered = expr.transform(|expr| {
                let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
                Ok(match schema.maybe_index_of_column(column).and_then(&below) {
                    Some(lower) => Transformed::new(lower, true, TreeNodeRecursion::Jump),
                    None => {
                        all = false;
                        Transformed::no(expr)
                    }
                })
            });
            lowered.ok().filter(|_| all).map(|lowered| lowered.data)
        };
        let exprs = self.exprs.into_iter().map(lower).collect::<Option<_>>()?;
        let filters = self.filters.into_iter().map(lower).collect::<Option<_>>()?;
        Some(Below { exprs, filters })
    }
}

/// An expression without the names that it was given.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        expr => expr,
    }
}

fn key(expr: &Expr, table: &Schema, state: &dyn Session) -> Option<Key> {
    if let Some((instants, of)) = steps(expr) {
        let (source, kind) = Source::of(instants, table, state)?;
        return is_number(&kind).then_some(Key { source, of });
    }
    let (source, kind) = Source::of(expr, table, state)?;
    match kind {
        DataType::Utf8 | DataType::Utf8View if source.is_coded() => Some(Key { source, of: KeyOf::Texts }),
        kind if is_number(&kind) => Some(Key { source, of: KeyOf::Numbers }),
        _ => None,
    }
}

/// The instants that `date_trunc` cuts down to steps that all have one width. Times are those of UTC.
fn steps(expr: &Expr) -> Option<(&Expr, KeyOf)> {
    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    let Expr::ScalarFunction(function) = expr else { return None };
    let [Expr::Literal(unit, _), instants @ Expr::Column(_)] = function.args.as_slice() else { return None };
    let (width, origin) = match unit.try_as_str().flatten()? {
        "second" => (SECOND, 0),
        "minute" => (60 * SECOND, 0),
        "hour" => (3_600 * SECOND, 0),
        "day" => (DAY, 0),
        // The first Monday was the fifth day.
        "week" => (7 * DAY, 4 * DAY),
        _ => return None,
    };
    (function.func.name() == "date_trunc").then_some((instants, KeyOf::Steps { width, origin }))
}

fn measure(expr: &Expr, table: &Schema, state: &dyn Session) -> Option<Asking> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else { return None };
    if params.distinct || params.null_treatment.is_some() {
        return None;
    }
    let filter = match &params.filter {
        Some(filter) => Some(test(filter, table, state)?),
        None => None,
    };
    let is_plain = params.order_by.is_empty();
    let (kind, of) = match (func.name(), params.args.as_slice()) {
        ("count", [Expr::Literal(value, _)]) if is_plain && !value.is_null() => (Kind::Rows, None),
        ("count", [of]) if is_plain => (Kind::Values, Some(of)),
        ("sum", [of]) if is_plain => (Kind::Sum, Some(of)),
        ("avg", [of]) if is_plain => (Kind::Mean, Some(whole(of)?)),
        ("min", [of]) if is_plain => (Kind::Least, Some(of)),
        ("max", [of]) if is_plain => (Kind::Greatest, Some(of)),
        ("approx_percentile_cont", [of, Expr::Literal(share, _)]) => {
            let rises = params.order_by.iter().all(|sort| sort.asc);
            (Kind::Percentile(self::share(share).filter(|_| rises)?), Some(whole(of)?))
        }
        _ => return None,
    };
    let of = match of {
        None => None,
        Some(of) => {
            let (source, of) = Source::of(of, table, state)?;
            let is_sum = matches!(kind, Kind::Sum);
            let fits = match kind {
                Kind::Rows | Kind::Values => true,
                _ => {
                    is_number(&of)
                        && of != DataType::Boolean
                        && !(is_sum && matches!(of, DataType::Timestamp(..)))
                }
            };
            Some(Some(source).filter(|_| fits)?)
        }
    };
    Some(Asking { kind, of, filter })
}

/// The whole numbers of which the engine wants the mean as a fraction.
fn whole(expr: &Expr) -> Option<&Expr> {
    match bare(expr) {
        Expr::Cast(cast) if cast.field.data_type() == &DataType::Float64 => Some(&cast.expr),
        _ => None,
    }
}

fn share(share: &ScalarValue) -> Option<f64> {
    match share {
        ScalarValue::Float64(Some(share)) if (0.0..=1.0).contains(share) => Some(*share),
        _ => None,
    }
}
