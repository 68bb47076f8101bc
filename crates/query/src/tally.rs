//! Groupings straight from the codes of columns: what a statement counts over a column or a few is answered without
//! a plan, several times as fast (`bench/README.md`).
//!
//! A plan's groupings of which that is possible ([`asked`]) are answered before the plan runs, and stand in it as the
//! rows they come to. Pieces of the trail are read side by side; expressions over a text column are evaluated once for
//! each of its codes (`source.rs`), rows become numbers of groups ([`groups`]), and of each group a number or two is kept
//! ([`measure`]). A grouping that turns out to be too large, or of which something cannot be evaluated, is left to the
//! engine as if it had never been tried.

mod asked;
mod groups;
mod measure;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::{MemTable, Session};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col};

use crate::QueryError;
use crate::piece::{self, pieces};
use crate::share::share;
use crate::source::GaveUp;
use crate::table::Events;
use crate::tally::asked::Asked;
use crate::tally::groups::{Codes, Groups, Known};
use crate::tally::measure::{Kind, Measure, counting};
use crate::view::View;

/// The plan with the answers of those of its groupings that need no engine.
pub(crate) async fn fill(
    view: &Arc<View>,
    state: &dyn Session,
    plan: LogicalPlan,
) -> std::result::Result<LogicalPlan, QueryError> {
    // Who asks for a plan is shown the plan.
    if matches!(plan, LogicalPlan::Explain(_)) {
        return Ok(plan);
    }
    let mut asked = Vec::new();
    plan.apply(|node| {
        asked.extend(of(node, state).map(Arc::new));
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut answers = VecDeque::with_capacity(asked.len());
    for asked in asked {
        answers.push_back(answer(view, state, &asked).await?.map(|rows| (asked, rows)));
    }
    let filled = plan.transform_down(|node| {
        if of(&node, state).is_none() {
            return Ok(Transformed::no(node));
        }
        match answers.pop_front().flatten() {
            Some((asked, rows)) => Ok(Transformed::yes(in_place(&asked, rows)?)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(filled.data)
}

fn of(node: &LogicalPlan, state: &dyn Session) -> Option<Asked> {
    match node {
        LogicalPlan::Aggregate(aggregate) => Asked::of(aggregate, state),
        _ => None,
    }
}

/// A table of rows, with the names that a grouping's have.
fn in_place(asked: &Asked, rows: RecordBatch) -> Result<LogicalPlan> {
    const ANSWER: &str = "answer";
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
    let names = asked.schema.iter().enumerate().map(|(at, (qualifier, field))| {
        col(format!("{ANSWER}.{}", place(at))).alias_qualified(qualifier.cloned(), field.name())
    });
    LogicalPlanBuilder::scan(ANSWER, provider_as_source(Arc::new(table)), None)?.project(names)?.build()
}

/// The name of a column of an answer: those of a grouping may be anything.
fn place(at: usize) -> String {
    format!("c{at}")
}

/// What a grouping comes to, if it is not left to the engine.
async fn answer(
    view: &Arc<View>,
    state: &dyn Session,
    asked: &Arc<Asked>,
) -> std::result::Result<Option<RecordBatch>, QueryError> {
    let Some(table) = asked.table.downcast_ref::<Events>() else { return Ok(None) };
    let ranges = table.candidates(state, asked.predicate.as_ref())?;
    let ranges = table.narrowed(ranges, asked.predicate.as_ref()).await?;
    let count = {
        let (view, asked) = (Arc::clone(view), Arc::clone(asked));
        move |tally: Option<Tally>, piece: Range<u64>| {
            let columns: Vec<&str> = asked.columns.iter().map(String::as_str).collect();
            let batches = piece::read(&view.table, &piece, &columns, None)?;
            let mut tally = tally.unwrap_or_else(|| Tally::new(&asked));
            Ok(batches.iter().try_for_each(|batch| tally.add(&asked, batch)).is_ok().then_some(tally))
        }
    };
    let Some(tallies) = share(pieces(view, ranges), count).await? else { return Ok(None) };
    let mut whole = Tally::new(asked);
    for tally in tallies {
        if whole.merge(tally).is_err() {
            return Ok(None);
        }
    }
    Ok(whole.finish(asked).ok())
}

/// What one thread counted.
struct Tally {
    known: Vec<Known>,
    groups: Groups,
    measures: Vec<Measure>,
}

impl Tally {
    fn new(asked: &Asked) -> Tally {
        Tally {
            known: asked.keys.iter().map(|key| key.of.known()).collect(),
            groups: Groups::new(asked.keys.len(), asked.measures.len()),
            measures: asked.measures.iter().map(|asking| Measure::new(asking.kind)).collect(),
        }
    }

    /// Counts the rows of a piece.
    fn add(&mut self, asked: &Asked, piece: &RecordBatch) -> std::result::Result<(), GaveUp> {
        let passing = asked.mask.passing(piece)?;
        if passing.as_ref().is_some_and(|passing| !passing.contains(&true)) {
            return Ok(());
        }
        let codes = asked.keys.iter().zip(&mut self.known).map(|(key, known)| key.codes(piece, known));
        let codes: Vec<Codes> = codes.collect::<std::result::Result<_, _>>()?;
        let rows = self.groups.rows(piece.num_rows(), codes, passing.as_deref())?;
        for (asking, measure) in asked.measures.iter().zip(&mut self.measures) {
            measure.grow(self.groups.len());
            let filtered = match &asking.filter {
                Some(filter) => Some(counting(&rows, &filter.passing(piece)?.into())),
                None => None,
            };
            let rows = filtered.as_deref().unwrap_or(&rows);
            match (asking.kind, &asking.of) {
                (Kind::Values, Some(of)) => measure.add_values(rows, of.valid(piece)?.as_ref()),
                (_, Some(of)) => measure.add_numbers(rows, &of.numbers(piece)?)?,
                (_, None) => measure.add_rows(rows),
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Tally) -> std::result::Result<(), GaveUp> {
        let known = self.known.iter_mut().zip(&other.known).map(|(known, other)| known.learn(other));
        let numbers: Vec<Vec<u32>> = known.collect::<std::result::Result<_, _>>()?;
        let groups = self.groups.learn(&other.groups, &numbers)?;
        for (measure, other) in self.measures.iter_mut().zip(other.measures) {
            measure.grow(self.groups.len());
            measure.merge(other, &groups)?;
        }
        Ok(())
    }

    /// One row for each group, in the types of the plan.
    fn finish(mut self, asked: &Asked) -> std::result::Result<RecordBatch, GaveUp> {
        if asked.keys.is_empty() {
            // All rows are one group, even where there are none.
            self.groups.group(std::iter::empty())?;
        }
        self.measures.iter_mut().for_each(|measure| measure.grow(self.groups.len()));
        let keys = self.known.iter().enumerate().map(|(at, known)| known.values(self.groups.numbers(at)));
        let made: Vec<ArrayRef> = keys.chain(self.measures.into_iter().map(Measure::finish)).collect();
        let fields = asked.schema.fields().iter().enumerate();
        let fields: Vec<Field> =
            fields.map(|(at, field)| field.as_ref().clone().with_name(place(at))).collect();
        let made = made.iter().zip(&fields).map(|(made, field)| cast(made, field.data_type()));
        let made: Vec<ArrayRef> = made.collect::<std::result::Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(self.groups.len().saturating_sub(1)));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), made, &rows)?)
    }
}

#[cfg(test)]
mod tests;
