//! An expression over the columns of a piece. One over a single text column is evaluated once for each of its codes,
//! any other for each row, over columns that have no codes.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::physical_expr::PhysicalExpr;
use greffier_ledger::segment::FILTERED;

/// Who asked is to ask the engine.
pub(crate) struct GaveUp;

impl From<ArrowError> for GaveUp {
    fn from(_: ArrowError) -> GaveUp {
        GaveUp
    }
}

impl From<DataFusionError> for GaveUp {
    fn from(_: DataFusionError) -> GaveUp {
        GaveUp
    }
}

/// What single events are named by has no codes, but for sessions.
const SESSION: &str = "session_id";

/// Bytes of a column's different texts, of which an expression may make several times as many, that are evaluated at once.
const MAX_EVALUATED: usize = 4 << 20;

/// An expression, ready to be evaluated.
pub(crate) struct Source {
    columns: Vec<String>,
    is_coded: bool,
    expr: Arc<dyn PhysicalExpr>,
    schema: Arc<Schema>,
    is_column: bool,
}

/// What a source makes of a piece: texts or numbers.
pub(crate) enum Made {
    /// Of each row a code, of each code a value; the last code is that of null.
    Coded(Vec<u32>, ArrayRef),
    Rows(ArrayRef),
}

impl Source {
    /// Of an expression over columns of the table, if it can be evaluated so, and its type.
    pub(crate) fn of(expr: &Expr, table: &Schema, state: &dyn Session) -> Option<(Source, DataType)> {
        let is_fixed = !expr.is_volatile() && !expr.contains_outer();
        let names: BTreeSet<&str> =
            expr.column_refs().into_iter().map(|column| column.name.as_str()).collect();
        let fields: Vec<&Field> =
            names.iter().map(|name| table.field_with_name(name).ok()).collect::<Option<_>>()?;
        let is_coded = match fields.as_slice() {
            [] => return None,
            [field] => matches!(field.data_type(), DataType::Utf8 | DataType::Utf8View),
            _ => false,
        };
        let has_codes =
            |name: &str| name == SESSION || FILTERED.iter().all(|(filtered, _)| *filtered != name);
        let is_plain = |field: &&Field| {
            matches!(field.data_type(), DataType::Int64 | DataType::Boolean | DataType::Timestamp(..))
        };
        let fits =
            if is_coded { names.iter().all(|name| has_codes(name)) } else { fields.iter().all(is_plain) };
        if !is_fixed || !fits {
            return None;
        }
        let schema = Arc::new(Schema::new(fields.into_iter().cloned().collect::<Vec<_>>()));
        let known = DFSchema::try_from(Arc::clone(&schema)).ok()?;
        let expr = unnormalize_col(expr.clone());
        let kind = expr.get_type(&known).ok()?;
        let is_column = matches!(expr, Expr::Column(_));
        let expr = state.create_physical_expr(expr, &known).ok()?;
        let columns = names.into_iter().map(str::to_owned).collect();
        Some((Source { columns, is_coded, expr, schema, is_column }, kind))
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether its values are texts, or of another type that has numbers.
    pub(crate) fn is_coded(&self) -> bool {
        self.is_coded
    }

    fn make(&self, piece: &RecordBatch) -> Result<Made, GaveUp> {
        let columns = self.columns.iter().map(|name| piece.column_by_name(name).cloned());
        let columns = columns.collect::<Option<Vec<ArrayRef>>>().ok_or(GaveUp)?;
        let rows = piece.num_rows();
        let [column] = columns.as_slice() else { return Ok(Made::Rows(self.evaluate(columns, rows)?)) };
        if !self.is_coded {
            let column = Arc::clone(column);
            return Ok(Made::Rows(if self.is_column { column } else { self.evaluate(vec![column], rows)? }));
        }
        let coded = coded(column)?;
        let values = concat(&[coded.values(), &new_null_array(&DataType::Utf8, 1)])?;
        let null = u32::try_from(values.len().saturating_sub(1)).map_err(|_| GaveUp)?;
        let values = if self.is_column {
            values
        } else {
            let count = values.len();
            if values.get_buffer_memory_size() > MAX_EVALUATED {
                return Err(GaveUp);
            }
            self.evaluate(vec![cast(&values, self.schema.field(0).data_type())?], count)?
        };
        Ok(Made::Coded(codes(coded.keys(), null), values))
    }

    /// Errors of an evaluation are the engine's to tell, which knows which rows it would have come to.
    fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, GaveUp> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.expr.evaluate(&batch)?.into_array(rows)?)
    }

    /// Of each row whether the expression is true.
    pub(crate) fn passing(&self, piece: &RecordBatch) -> Result<Vec<bool>, GaveUp> {
        let truths = |values: &ArrayRef| -> Result<Vec<bool>, GaveUp> {
            let values = values.as_boolean_opt().ok_or(GaveUp)?;
            Ok(values.iter().map(|value| value == Some(true)).collect())
        };
        match self.make(piece)? {
            Made::Rows(values) => truths(&values),
            Made::Coded(codes, values) => {
                let truths = truths(&values)?;
                Ok(codes.into_iter().map(|code| truths.get(code as usize) == Some(&true)).collect())
            }
        }
    }

    /// Which rows have a value; `None` where all have.
    pub(crate) fn valid(&self, piece: &RecordBatch) -> Result<Option<NullBuffer>, GaveUp> {
        match self.make(piece)? {
            Made::Rows(values) => Ok(values.logical_nulls()),
            Made::Coded(codes, values) => {
                let valid = values.logical_nulls();
                let is_valid = |code: u32| valid.as_ref().is_none_or(|valid| valid.is_valid(code as usize));
                Ok(Some(codes.into_iter().map(is_valid).collect::<Vec<bool>>().into()))
            }
        }
    }

    /// The number of each row.
    pub(crate) fn numbers(&self, piece: &RecordBatch) -> Result<Int64Array, GaveUp> {
        let numbers = match self.make(piece)? {
            Made::Rows(values) => numbers(&values)?,
            Made::Coded(codes, values) => {
                let numbers = numbers(&values)?;
                take(&numbers, &UInt32Array::from(codes), None)?.as_primitive::<Int64Type>().clone()
            }
        };
        Ok(numbers)
    }

    /// What the rows are, code by code, or each for itself.
    pub(crate) fn values(&self, piece: &RecordBatch) -> Result<Made, GaveUp> {
        match self.make(piece)? {
            Made::Rows(values) => Ok(Made::Rows(Arc::new(numbers(&values)?))),
            Made::Coded(of_rows, values) => {
                let values = match values.data_type() {
                    DataType::Utf8 | DataType::Utf8View => cast(&values, &DataType::Utf8)?,
                    _ => Arc::new(numbers(&values)?),
                };
                Ok(Made::Coded(of_rows, values))
            }
        }
    }
}

/// Whether values of a type are numbers here.
pub(crate) fn is_number(kind: &DataType) -> bool {
    use DataType::{Boolean, Int8, Int16, Int32, Int64, Timestamp};
    matches!(kind, Boolean | Int8 | Int16 | Int32 | Int64 | Timestamp(TimeUnit::Microsecond, _))
}

fn numbers(values: &ArrayRef) -> Result<Int64Array, GaveUp> {
    if !is_number(values.data_type()) {
        return Err(GaveUp);
    }
    let numbers = cast(values, &DataType::Int64)?;
    numbers.as_primitive_opt::<Int64Type>().cloned().ok_or(GaveUp)
}

/// A text column in codes: in the log it has none.
fn coded(column: &ArrayRef) -> Result<DictionaryArray<Int32Type>, GaveUp> {
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let coded = if *column.data_type() == codes { Arc::clone(column) } else { cast(column, &codes)? };
    coded.as_dictionary_opt::<Int32Type>().cloned().ok_or(GaveUp)
}

/// The codes of rows, with one for null.
fn codes(keys: &Int32Array, null: u32) -> Vec<u32> {
    if keys.null_count() == 0 {
        return keys.values().iter().map(|key| key.cast_unsigned()).collect();
    }
    keys.iter().map(|key| key.map_or(null, i32::cast_unsigned)).collect()
}
