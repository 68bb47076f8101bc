//! Columns of a sealed file for whoever looks at every entry: all rows at once, and texts that come often as codes into
//! their dictionaries, as they lie in the file.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

use super::columns::schema;
use super::entries::GROUP;
use super::error::SegmentError;
use super::opened::{Bounds, Opened};
use super::write::{FILTERED, MAX_ROWS};

/// Rows of a file at once: one row group of the few columns that are asked for.
const BOUNDS: Bounds = Bounds { row_groups: 1, rows_per_group: MAX_ROWS, batch: MAX_ROWS };
/// Bytes of columns that are decoded at once, as they lie in the file: of more, which takes texts of many kilobytes, fewer
/// rows are decoded at once.
const AT_ONCE: u64 = 64 << 20;
/// Where fewer than one row in so many is wanted, the others are passed over rather than read.
const FEW: usize = 8;

/// Some columns of a range of rows, and of those at least the ones in which a column has this value. Columns that an
/// older file lacks are left out.
pub(crate) fn coded<R: ChunkReader + 'static>(
    source: R,
    rows: Range<usize>,
    columns: &[&str],
    only: Option<(&str, &str)>,
) -> Result<Vec<RecordBatch>, SegmentError> {
    let file = Opened::open_whole(source, &schema(), BOUNDS)?.with_schema(as_codes)?;
    let batch = rows_at_once(size(&file, columns));
    let file = file.with_batch(batch);
    let total = file.rows();
    let rows = rows.start..rows.end.min(total);
    let Some((column, value)) = only else {
        let selection = select(std::iter::once(rows), total);
        let file = if selection.is_some() { file.with_pages()? } else { file };
        return file.batches(GROUP, Some(columns), selection)?.collect();
    };
    let file = file.with_pages()?;
    let mut wanted = Vec::new();
    for batch in file.batches(GROUP, Some(&[column]), select(std::iter::once(rows.clone()), total))? {
        let batch = batch?;
        let first = rows.start + wanted.len();
        holds(&batch, value, |row, holds| wanted.push(holds.then_some(first + row)));
    }
    let found: Vec<usize> = wanted.into_iter().flatten().collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let selection = if found.len() < rows.len() / FEW {
        select(found.into_iter().map(|row| row..row + 1), total)
    } else {
        select(std::iter::once(rows), total)
    };
    file.batches(GROUP, Some(columns), selection)?.collect()
}

/// Bytes of columns, undone.
fn size<R: ChunkReader + 'static>(file: &Opened<R>, columns: &[&str]) -> u64 {
    let named = |column: &&ColumnChunkMetaData| {
        column.column_path().parts().first().is_some_and(|name| columns.contains(&name.as_str()))
    };
    let chunks = file.row_groups().iter().flat_map(|group| group.columns());
    chunks.filter(named).map(|column| column.uncompressed_size().unsigned_abs()).sum()
}

/// Rows that take no more than may be in memory, where all take so many bytes.
fn rows_at_once(bytes: u64) -> usize {
    let share = bytes.div_ceil(AT_ONCE).max(1);
    MAX_ROWS / usize::try_from(share).unwrap_or(MAX_ROWS).min(MAX_ROWS)
}

/// Tells of each row of a batch of one column whether it has a value.
fn holds(batch: &RecordBatch, value: &str, mut tell: impl FnMut(usize, bool)) {
    let Some(column) = batch.columns().first().and_then(|column| column.as_dictionary_opt::<Int32Type>())
    else {
        return (0..batch.num_rows()).for_each(|row| tell(row, true));
    };
    let texts = column.values().as_string_opt::<i32>();
    let is: Vec<bool> = texts.into_iter().flatten().map(|text| text == Some(value)).collect();
    for (row, key) in column.keys().iter().enumerate() {
        let code = key.and_then(|key| usize::try_from(key).ok());
        tell(row, code.is_some_and(|code| is.get(code) == Some(&true)));
    }
}

/// Nothing to select where all rows are wanted.
fn select(wanted: impl Iterator<Item = Range<usize>> + Clone, total: usize) -> Option<RowSelection> {
    if wanted.clone().eq(std::iter::once(0..total)) {
        return None;
    }
    Some(RowSelection::from_consecutive_ranges(wanted, total))
}

/// The schema with texts as codes, but for those that name single events.
fn as_codes(schema: &Schema) -> Schema {
    let code = |field: &Arc<Field>| {
        let names_one = FILTERED.iter().any(|(name, _)| *name == field.name() && *name != SESSION);
        if *field.data_type() != DataType::Utf8 || names_one {
            return Arc::clone(field);
        }
        let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(field.as_ref().clone().with_data_type(codes))
    };
    Schema::new(schema.fields().iter().map(code).collect::<Vec<_>>())
}

/// A session has many events.
const SESSION: &str = "session_id";

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::segment::columns::{INDEX, project};
    use crate::segment::samples::{entry, sealed, typical};

    /// The columns, with codes written out.
    fn plain(batches: &[RecordBatch], columns: &[&str]) -> Vec<String> {
        let text = |batch: &RecordBatch, name: &str| {
            let column = batch.column_by_name(name).unwrap();
            let texts: Vec<Option<String>> = match column.as_dictionary_opt::<Int32Type>() {
                Some(codes) => {
                    let texts = codes.values().as_string::<i32>();
                    let text = |key: Option<i32>| Some(texts.value(key? as usize).to_owned());
                    codes.keys().iter().map(text).collect()
                }
                None => column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
            };
            format!("{name} {texts:?}")
        };
        let of = |batch: &RecordBatch| columns.iter().map(|name| text(batch, name)).collect::<Vec<_>>();
        batches.iter().flat_map(of).collect()
    }

    const TEXTS: [&str; 6] = ["id", "type", "request_id", "session_id", "agent_id", "error"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn codes_say_what_the_entries_say(entries in prop::collection::vec(entry(), 1..20)) {
            let file = Bytes::from(sealed(5, entries.clone()).bytes);
            let read = coded(file, 0..entries.len(), &TEXTS, None).unwrap();
            let rows: Vec<_> = (5..).zip(entries.iter().map(Vec::as_slice)).collect();
            let expected = project(rows.into_iter(), greffier_event::Event::from_canonical).unwrap();
            prop_assert_eq!(plain(&read, &TEXTS), plain(&[expected], &TEXTS));
        }
    }

    #[test]
    fn only_what_is_wanted() {
        let file = Bytes::from(sealed(0, (0..1_000).map(typical)).bytes);
        let indexes = |rows: Range<usize>, only: Option<(&str, &str)>| -> Vec<i64> {
            let read = coded(file.clone(), rows, &[INDEX], only).unwrap();
            read.iter()
                .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
                .collect()
        };
        assert_eq!(indexes(10..13, None), [10, 11, 12]);
        assert_eq!(indexes(990..2_000, None), (990..1_000).collect::<Vec<_>>());
        assert_eq!(indexes(100..900, Some(("session_id", "session_3"))), (120..160).collect::<Vec<_>>());
        assert_eq!(indexes(0..1_000, Some(("agent_id", "crm-assistant"))).len(), 1_000);
        assert!(indexes(0..1_000, Some(("agent_id", "nobody"))).is_empty());
        assert_eq!(indexes(0..1_000, Some(("request_id", "req_00000001"))).len(), 1_000, "not by codes: all");
    }

    #[test]
    fn long_texts_are_read_in_parts() {
        assert_eq!(
            [0, AT_ONCE, AT_ONCE + 1, 4 * AT_ONCE, u64::MAX].map(rows_at_once),
            [65_536, 65_536, 32_768, 16_384, 1]
        );
        let file = Bytes::from(sealed(0, (0..3_000).map(typical)).bytes);
        let opened = Opened::open_whole(file, &schema(), BOUNDS).unwrap();
        let [requests, types] = [&["request_id"], &["type"]].map(|columns| size(&opened, columns));
        assert!(requests > 12 * 1_500 && types < 1_000, "{requests} {types}");
    }

    #[test]
    fn damage_is_an_error() {
        let file = sealed(0, (0..100).map(typical)).bytes;
        let (mut wrong, mut right) = (0, 0);
        for place in (0..file.len()).step_by(97) {
            let mut bytes = file.clone();
            bytes[place] ^= 0x10;
            match coded(Bytes::from(bytes), 0..100, &TEXTS, Some(("agent_id", "crm-assistant"))) {
                Ok(_) => right += 1,
                Err(_) => wrong += 1,
            }
        }
        assert!(wrong > 0 && right > 0, "{wrong} {right}");
    }
}
