//! No statement may make much of little.
//!
//! DataFusion counts the memory of sorts, joins and groups, but not that of expressions: `x || x` over a
//! subquery, thirty deep, would take all there is before any limit is asked. So each step of a plan is given a
//! factor, what its largest expression may be of what it reads, and the factors on the way from a table to the
//! answer are multiplied. It is an upper bound, and a coarse one: reports stay far below it.

use datafusion::common::JoinType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, WindowFunctionDefinition};

use crate::QueryError;
use crate::sql::refused;

/// The most that a plan may make of what it reads.
const MAX_GROWTH: u64 = 16;
/// A text in a statement that is longer than this counts as much as a column.
const SHORT: usize = 64;
/// Rows that may be paired with all rows of another table.
const MAX_PAIRED: usize = 1_000;
/// Scalar functions whose result is as large as all their arguments together; all others that may be called
/// return no more than one of theirs.
const JOINING: &[&str] = &["concat", "concat_ws", "make_array", "array_to_string"];
/// Aggregates whose result is as large as all they read.
const COLLECTING: &[&str] = &["array_agg", "string_agg"];

/// What a step of a plan makes of what it reads.
#[derive(Clone, Copy)]
struct Growth {
    factor: u64,
    /// Whether one value may hold a whole column, so that no later step may repeat it.
    collects: bool,
}

const NONE: Growth = Growth { factor: 1, collects: false };

impl Growth {
    fn max(self, other: Growth) -> Growth {
        Growth { factor: self.factor.max(other.factor), collects: self.collects || other.collects }
    }
}

/// Refuses a plan that may grow too much.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    of_plan(plan).map(|_| ())
}

/// Refuses to pair all rows with all rows: with an optimised plan, in which equalities have become joins' own.
pub(super) fn check_joins(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut pairs_all = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node {
            let is_small = |side: &LogicalPlan| side.max_rows().is_some_and(|rows| rows <= MAX_PAIRED);
            // `EXISTS` without a condition asks only whether the other side has a row.
            let asks_once = join.filter.is_none() && !pairs(join.join_type);
            let bounded = !join.on.is_empty() || is_small(&join.left) || is_small(&join.right);
            pairs_all |= !bounded && !asks_once;
        }
        Ok(if pairs_all { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if pairs_all {
        return Err(refused(format!(
            "a join needs an equality, as in a.request_id = b.request_id, or a side with a LIMIT of {MAX_PAIRED}"
        )));
    }
    Ok(())
}

/// Whether a join returns a row for each pair, and not for each row of one side.
fn pairs(kind: JoinType) -> bool {
    matches!(kind, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full)
}

fn of_plan(plan: &LogicalPlan) -> Result<Growth, QueryError> {
    let mut read = NONE;
    for input in plan.inputs() {
        read = read.max(of_plan(input)?);
    }
    if read.collects && matches!(plan, LogicalPlan::Join(_) | LogicalPlan::Unnest(_)) {
        return Err(refused("array_agg and string_agg must not stand below a join or unnest"));
    }
    let mut own = NONE;
    for expr in plan.expressions() {
        own = own.max(of_expr(&expr)?);
    }
    if read.collects && own.factor > 1 {
        return Err(refused("the result of array_agg and string_agg must not be joined to longer texts"));
    }
    let factor = read.factor.saturating_mul(own.factor);
    if factor > MAX_GROWTH {
        return Err(refused(format!(
            "the statement may make more than {MAX_GROWTH} times of what it reads: join fewer texts with || and concat"
        )));
    }
    Ok(Growth { factor, collects: read.collects || own.collects })
}

fn of_expr(expr: &Expr) -> Result<Growth, QueryError> {
    let (mut sum, mut most) = (0_u64, NONE);
    let mut failed = None;
    // The plans of subqueries are no children of the expression.
    if let Some(subquery) = subquery(expr) {
        let of_subquery = of_plan(subquery)?;
        if of_subquery.collects {
            return Err(refused("array_agg and string_agg must not stand in a subquery of an expression"));
        }
        (sum, most) = (of_subquery.factor, of_subquery);
    }
    let walked = expr.apply_children(|child| {
        match of_expr(child) {
            Ok(growth) => {
                sum = sum.saturating_add(if is_short(child) { 0 } else { growth.factor });
                most = most.max(growth);
            }
            Err(error) => {
                failed = Some(error);
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if let Some(error) = failed {
        return Err(error);
    }
    walked?;
    match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => most.factor = most.factor.max(sum),
        Expr::ScalarFunction(call) if JOINING.contains(&call.name()) => most.factor = most.factor.max(sum),
        Expr::AggregateFunction(call) if COLLECTING.contains(&call.func.name()) => most.collects = true,
        Expr::WindowFunction(call) => {
            if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun
                && COLLECTING.contains(&function.name())
            {
                return Err(refused("array_agg and string_agg must not be window functions"));
            }
        }
        _ => {}
    }
    Ok(most)
}

fn subquery(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        Expr::InSubquery(test) => Some(&test.subquery.subquery),
        Expr::Exists(test) => Some(&test.subquery.subquery),
        _ => None,
    }
}

/// A literal that adds next to nothing.
fn is_short(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => {
            value.try_as_str().is_none_or(|text| text.is_none_or(|text| text.len() <= SHORT))
        }
        _ => false,
    }
}
