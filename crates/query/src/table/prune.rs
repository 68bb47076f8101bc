//! Which segments a predicate rules out, by what the ledger says of each without opening it.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, TimestampMicrosecondArray, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use greffier_event::Timestamp;
use greffier_ledger::Segment;

/// The segments that may hold rows which pass.
pub(super) fn survivors<'a>(
    segments: &'a [Arc<Segment>],
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    schema: &SchemaRef,
) -> Result<Vec<&'a Segment>> {
    let all = segments.iter().map(AsRef::as_ref);
    let Some(predicate) = predicate.filter(|_| !segments.is_empty()) else { return Ok(all.collect()) };
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
    // What cannot be used to prune prunes nothing.
    let Ok(pruning) = builder.try_build(Arc::clone(predicate)) else { return Ok(all.collect()) };
    let kept = pruning.prune(&Ends(segments))?;
    Ok(all.zip(kept).filter(|(_, kept)| *kept).map(|(segment, _)| segment).collect())
}

/// The least and the greatest values of segments.
struct Ends<'a>(&'a [Arc<Segment>]);

impl Ends<'_> {
    fn column(
        &self,
        name: &str,
        index: impl Fn(&Segment) -> u64,
        end: impl Fn(&(Timestamp, Timestamp)) -> Timestamp,
    ) -> Option<ArrayRef> {
        let times = |of: fn(&Segment) -> &(Timestamp, Timestamp)| {
            let micros = self.0.iter().map(|segment| end(of(segment)).as_micros());
            Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")) as ArrayRef
        };
        match name {
            "index" => {
                let indexes = self.0.iter().map(|segment| i64::try_from(index(segment)).ok());
                Some(Arc::new(indexes.collect::<Int64Array>()))
            }
            "time" => Some(times(|segment| &segment.time)),
            "recorded_at" => Some(times(|segment| &segment.recorded_at)),
            _ => None,
        }
    }
}

impl PruningStatistics for Ends<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(&column.name, |segment| segment.first, |ends| ends.0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(&column.name, |segment| segment.end.saturating_sub(1), |ends| ends.1)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.0.iter().map(|segment| segment.end - segment.first);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
