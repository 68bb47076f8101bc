//! Making the index of a segment: all its rows, column by column, one pass.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use parquet::file::reader::ChunkReader;

use super::block_rows;
use super::fold::fold;
use super::table::{Collector, Kind, Table};
use crate::segment::{ENTRY, EntriesFile, SegmentError};

/// Grams of the shortest texts that are looked for.
const SHORT: Kind = Kind { width: 3, one_digit: false };
/// Grams that tell numbers apart: a number of five digits is in few blocks, its three-digit pieces are in all.
const LONG: Kind = Kind { width: 5, one_digit: false };
/// Those of entries, most of which are random ids, digests and times: words still have their own.
const WORDS: Kind = Kind { width: 5, one_digit: true };
/// Postings of one table: 64 MiB at most while it is made.
const MAX_POSTINGS: usize = 4 << 20;
/// Those of long grams of one column: eight for each row of a full segment, about as many bytes. Random ids give
/// thirty, and nobody looks for the middle of one.
const MAX_LONG: usize = 8 * 65_536;

/// Grams that are remembered, as a power of two: those of a column take 128 KiB, and there are forty.
const RECENT: u32 = 14;
/// Those of entries: 1 MiB, more than the grams of a block, and a third of the time.
const RECENT_OF_ENTRIES: u32 = 17;

/// The index of one segment, in memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Built {
    /// By column: its name and its tables, long grams first.
    pub(super) columns: Vec<(String, Vec<Table>)>,
}

impl Built {
    /// Reads a whole file of entries.
    pub(crate) fn of<R: ChunkReader + 'static>(file: &EntriesFile<R>) -> Result<Built, SegmentError> {
        let rows = block_rows(file.end() - file.first());
        let mut columns: Vec<(String, Column)> = Vec::new();
        let mut row = 0;
        for batch in file.batches()? {
            let batch = batch?;
            if columns.is_empty() {
                columns = batch
                    .schema()
                    .fields()
                    .iter()
                    .filter(|field| is_text(field.data_type()))
                    .map(|field| (field.name().clone(), Column::new(field.name())))
                    .collect();
            }
            for (name, column) in &mut columns {
                column.add(&batch, name, row, rows)?;
            }
            row += batch.num_rows() as u64;
        }
        let columns = columns.into_iter().map(|(name, column)| (name, column.finish()));
        Ok(Built { columns: columns.filter(|(_, tables)| !tables.is_empty()).collect() })
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Binary => true,
        DataType::List(item) => item.data_type() == &DataType::Utf8,
        _ => false,
    }
}

/// One column on its way into tables.
struct Column {
    tables: [Collector; 2],
    folded: Vec<u8>,
}

impl Column {
    fn new(name: &str) -> Column {
        let (long, most, recent) =
            if name == ENTRY { (WORDS, MAX_POSTINGS, RECENT_OF_ENTRIES) } else { (LONG, MAX_LONG, RECENT) };
        let tables = [Collector::new(long, most, recent), Collector::new(SHORT, MAX_POSTINGS, recent)];
        Column { tables, folded: Vec::new() }
    }

    /// Adds the column's values in a batch that begins at `row`; a block has so many `rows`.
    fn add(&mut self, batch: &RecordBatch, name: &str, row: u64, rows: u64) -> Result<(), SegmentError> {
        const OTHER_TYPE: SegmentError = SegmentError::Malformed("a column is missing or has another type");
        let column = batch.column_by_name(name).ok_or(OTHER_TYPE)?;
        let block = |at: usize| (row + at as u64) / rows;
        if let Some(texts) = column.as_string_opt::<i32>() {
            let texts = texts.iter().enumerate().filter_map(|(at, text)| Some((at, text?)));
            texts.for_each(|(at, text)| self.text(text, block(at)));
        } else if let Some(lists) = column.as_list_opt::<i32>() {
            for (at, list) in lists.iter().enumerate().filter_map(|(at, list)| Some((at, list?))) {
                list.as_string_opt::<i32>()
                    .ok_or(OTHER_TYPE)?
                    .iter()
                    .flatten()
                    .for_each(|text| self.text(text, block(at)));
            }
        } else {
            for (at, bytes) in column.as_binary_opt::<i32>().ok_or(OTHER_TYPE)?.iter().enumerate() {
                let text = std::str::from_utf8(bytes.unwrap_or_default());
                self.text(text.map_err(|_| SegmentError::Malformed("an entry is not text"))?, block(at));
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str, block: u64) {
        self.folded.clear();
        fold(text, &mut self.folded);
        self.tables.iter_mut().for_each(|table| table.add(&self.folded, block));
    }

    fn finish(self) -> Vec<Table> {
        // An empty table says that the text is nowhere; one is enough for that.
        let [long, short] = self.tables.map(Collector::finish);
        long.filter(|long| !long.is_empty()).into_iter().chain(short).collect()
    }
}
