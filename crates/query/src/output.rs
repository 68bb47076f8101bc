//! The answer of a statement, as rows of JSON and as an Arrow stream.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, Fields, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
    UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use greffier_event::Timestamp;
use serde_json::{Map, Number, Value};

use crate::QueryError;

/// What a statement yields.
#[derive(Clone, Debug)]
pub struct Table {
    /// Names and types of the columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Whether there are more rows than an answer may have.
    pub truncated: bool,
}

impl Table {
    /// Names of the columns. A name that stands there twice gets a number.
    pub fn columns(&self) -> Vec<String> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let name = |field: &'_ str, count: usize| {
            if count == 1 { field.to_owned() } else { format!("{field}_{count}") }
        };
        let fields = self.schema.fields().iter();
        fields
            .map(|field| {
                let count = seen.entry(field.name()).or_insert(0);
                *count += 1;
                name(field.name(), *count)
            })
            .collect()
    }

    /// The rows as JSON: times in RFC 3339, lists as arrays, bytes in base64, what JSON has no form for as text.
    pub fn rows(&self) -> Result<Vec<Map<String, Value>>, QueryError> {
        let columns = self.columns();
        let mut rows = Vec::new();
        for batch in &self.batches {
            let values: Vec<Vec<Value>> =
                batch.columns().iter().map(json).collect::<Result<_, _>>().map_err(internal)?;
            for row in 0..batch.num_rows() {
                let cells = values.iter().map(|column| column.get(row).cloned().unwrap_or(Value::Null));
                rows.push(columns.iter().cloned().zip(cells).collect());
            }
        }
        Ok(rows)
    }

    /// The rows as an Arrow IPC stream.
    pub fn ipc(&self) -> Result<Vec<u8>, QueryError> {
        let write = || {
            let mut writer = StreamWriter::try_new(Vec::new(), &self.schema)?;
            self.batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.into_inner()
        };
        write().map_err(internal)
    }
}

/// Rows in the types in which they are kept: views, by which they were read and compared, refer to more than what is shown.
pub(crate) fn plain(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match plain_type(column.data_type()) {
        Some(plain) => cast(column, &plain),
        None => Ok(Arc::clone(column)),
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = plain_schema(&batch.schema());
    RecordBatch::try_new_with_options(schema, columns.collect::<Result<_, _>>()?, &rows)
}

/// The schema of [`plain`] rows.
pub(crate) fn plain_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match plain_type(field.data_type()) {
        Some(plain) => Arc::new(Field::clone(field).with_data_type(plain)),
        None => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

fn plain_type(of: &DataType) -> Option<DataType> {
    match of {
        DataType::Utf8View => Some(DataType::Utf8),
        DataType::BinaryView => Some(DataType::Binary),
        DataType::List(field) => {
            let plain = plain_type(field.data_type())?;
            Some(DataType::List(Arc::new(Field::clone(field).with_data_type(plain))))
        }
        _ => None,
    }
}

pub(crate) fn internal(error: ArrowError) -> QueryError {
    QueryError::Internal(format!("the answer cannot be written: {error}"))
}

/// One column as JSON.
fn json(column: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    use DataType::{
        Binary, BinaryView, Boolean, Dictionary, FixedSizeBinary, FixedSizeList, Float16, Float32, Float64,
        Int8, Int16, Int32, Int64, LargeBinary, LargeList, LargeUtf8, List, Null, Struct, UInt8, UInt16,
        UInt32, UInt64, Utf8, Utf8View,
    };
    Ok(match column.data_type() {
        Null => vec![Value::Null; column.len()],
        Boolean => values(column.as_boolean().iter(), Value::Bool),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => {
            values(cast(column, &Int64)?.as_primitive::<Int64Type>().iter(), |number| number.into())
        }
        UInt64 => values(column.as_primitive::<UInt64Type>().iter(), |number| number.into()),
        // JSON has no infinity and no "not a number".
        Float16 | Float32 | Float64 => {
            values(cast(column, &Float64)?.as_primitive::<Float64Type>().iter(), |number| {
                Number::from_f64(number).map_or(Value::Null, Value::Number)
            })
        }
        Utf8 | LargeUtf8 | Utf8View => {
            values(cast(column, &LargeUtf8)?.as_string::<i64>().iter(), Value::from)
        }
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => {
            values(cast(column, &LargeBinary)?.as_binary::<i64>().iter(), |bytes| {
                STANDARD.encode(bytes).into()
            })
        }
        DataType::Timestamp(_, zone) => {
            let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            values(micros.as_primitive::<TimestampMicrosecondType>().iter(), |micros| {
                Timestamp::from_micros(micros).to_string().into()
            })
        }
        List(field) | LargeList(field) | FixedSizeList(field, _) => {
            let lists = cast(column, &LargeList(field.clone()))?;
            let of = |list: ArrayRef| json(&list).map(Value::Array);
            lists
                .as_list::<i64>()
                .iter()
                .map(|list| list.map_or(Ok(Value::Null), of))
                .collect::<Result<_, _>>()?
        }
        Struct(fields) => {
            let parts = column.as_struct().columns().iter().map(json).collect::<Result<Vec<_>, _>>()?;
            let row = |row: usize| {
                let cells = parts.iter().map(|part| part.get(row).cloned().unwrap_or(Value::Null));
                let row = fields.iter().map(|field| field.name().clone()).zip(cells).collect();
                Value::Object(row)
            };
            (0..column.len()).map(|n| if column.is_null(n) { Value::Null } else { row(n) }).collect()
        }
        Dictionary(_, value) => json(&cast(column, value)?)?,
        // Dates, times, decimals, intervals, maps.
        _ => {
            let formatter = ArrayFormatter::try_new(column, &FormatOptions::default())?;
            let text = |row: usize| formatter.value(row).try_to_string().map(Value::String);
            let value = |row: usize| if column.is_null(row) { Ok(Value::Null) } else { text(row) };
            (0..column.len()).map(value).collect::<Result<_, _>>()?
        }
    })
}

fn values<T>(column: impl Iterator<Item = Option<T>>, value: impl Fn(T) -> Value) -> Vec<Value> {
    column.map(|cell| cell.map_or(Value::Null, &value)).collect()
}
