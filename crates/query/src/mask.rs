//! Which rows of a piece pass a predicate, from the codes of its columns: where each of its parts is of one text column,
//! or of numbers, times and flags.

use std::collections::BTreeSet;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::Session;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::split_conjunction;

use crate::source::{GaveUp, Source};

/// A predicate, part by part.
pub(crate) struct Mask(Vec<Source>);

impl Mask {
    /// Of a predicate over columns of the table, if it can be tested so. One of nothing lets everything pass.
    pub(crate) fn of(predicate: Option<&Expr>, table: &Schema, state: &dyn Session) -> Option<Mask> {
        let parts = predicate.map(split_conjunction).unwrap_or_default();
        parts.into_iter().map(|part| test(part, table, state)).collect::<Option<_>>().map(Mask)
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &String> {
        let columns: BTreeSet<&String> = self.0.iter().flat_map(Source::columns).collect();
        columns.into_iter()
    }

    /// Of each row whether it passes; `None` where all do.
    pub(crate) fn passing(&self, piece: &RecordBatch) -> Result<Option<Vec<bool>>, GaveUp> {
        let mut passing: Option<Vec<bool>> = None;
        for part in &self.0 {
            let passes = part.passing(piece)?;
            passing = Some(match passing {
                None => passes,
                Some(before) => {
                    before.into_iter().zip(passes).map(|(before, passes)| before & passes).collect()
                }
            });
        }
        Ok(passing)
    }
}

/// An expression that says yes or no.
pub(crate) fn test(expr: &Expr, table: &Schema, state: &dyn Session) -> Option<Source> {
    let (source, kind) = Source::of(expr, table, state)?;
    (kind == DataType::Boolean).then_some(source)
}
