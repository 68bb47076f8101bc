//! Sealing entries: consecutive entries in, the bytes of one Parquet file out. The same entries give the same
//! bytes. Below: [`super::columns`]; what is written here, [`super::entries`] reads and `check.rs` checks.

use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{BinaryArray, RecordBatch};
use greffier_event::{Event, Tenant, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::columns::{ENTRY, INDEX, project, schema};
use super::error::SegmentError;
use super::line::Line;
use super::offered::Offered;
use super::opened::{binary, integers};
use super::thrift::MAX_ITEMS;

/// Entries of one segment: those of one full level-1 tile, and one row group.
pub(crate) const MAX_ROWS: usize = 65_536;
/// Entries that are parsed at once: their events and columns take a few MiB, 64 MiB at the very most.
pub(crate) const ROWS_PER_BATCH: usize = 1024;

/// Rows of a page of entries at least: readers take 256 pages of a column, and a full segment then has half of them.
const ROWS_PER_PAGE: usize = 512;
/// Bytes behind which a page of entries ends, once it has so many rows: 512 of 600 bytes each. Smaller pages pack worse,
/// these take 8 % more than pages of a mebibyte.
const PAGE_BYTES: usize = 256 * 1024;
const _: () = assert!(MAX_ROWS / ROWS_PER_PAGE < MAX_ITEMS as usize, "no reader takes so many pages");

/// Version of the files that are written here.
pub(super) const FORMAT: &str = "1";
pub(super) const FORMAT_KEY: &str = "greffier.format";
pub(super) const TRAIL_KEY: &str = "greffier.trail";
pub(super) const FIRST_KEY: &str = "greffier.first";
pub(super) const END_KEY: &str = "greffier.end";

pub(crate) const ID: &str = "id";
/// What single events are looked up by, and how often a filter may say yes where it is not. An id is asked of
/// every segment of a trail.
pub const FILTERED: [(&str, f64); 4] =
    [(ID, 0.0001), ("request_id", 0.01), ("session_id", 0.01), ("trace_id", 0.01)];

const TIME: &str = "time";
const RECORDED_AT: &str = "recorded_at";

/// A sealed file of entries.
#[derive(Debug)]
pub(crate) struct Written {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Its first entry.
    pub(crate) first: u64,
    /// When its events happened, from and to.
    pub(crate) time: (Timestamp, Timestamp),
    /// When they were recorded, from and to.
    pub(crate) recorded_at: (Timestamp, Timestamp),
    /// What the file must say when it is read back.
    pub(super) rows: Vec<Rows>,
}

/// The rows of one batch as they were made: all columns but the entries, a third of the whole, and a checksum
/// of those.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: RecordBatch,
    pub(super) entries: u32,
}

impl Rows {
    fn of(batch: &RecordBatch) -> Result<Rows, SegmentError> {
        let entry = batch.num_columns().saturating_sub(1);
        let columns = batch.project(&(0..entry).collect::<Vec<_>>())?;
        Ok(Rows { columns, entries: checksum(binary(batch, ENTRY)?) })
    }
}

/// Over the entries and their lengths.
pub(super) fn checksum(entries: &BinaryArray) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for entry in entries.iter().flatten() {
        hasher.update(&(entry.len() as u64).to_le_bytes());
        hasher.update(entry);
    }
    hasher.finalize()
}

/// Consecutive entries, as many as are parsed at once.
pub(super) struct Chunk {
    first: u64,
    bytes: Vec<u8>,
    /// Where each entry ends in `bytes`.
    ends: Vec<usize>,
    /// The rows of just these entries, as somebody else made them and says.
    offered: Option<RecordBatch>,
}

impl Chunk {
    fn new(first: u64) -> Chunk {
        Chunk::after(first, 0)
    }

    /// One that follows a chunk of so many bytes, and so has about as many.
    fn after(first: u64, bytes: usize) -> Chunk {
        let ends = Vec::with_capacity(ROWS_PER_BATCH);
        Chunk { first, bytes: Vec::with_capacity(bytes + bytes / 8), ends, offered: None }
    }

    fn push(&mut self, entry: &[u8]) {
        self.bytes.extend_from_slice(entry);
        self.ends.push(self.bytes.len());
    }

    fn is_full(&self) -> bool {
        self.ends.len() == ROWS_PER_BATCH
    }

    /// Its rows: those on offer, if they hold the same entries, or made here.
    pub(super) fn rows(&self) -> Result<RecordBatch, SegmentError> {
        if let Some(offered) = self.offered.as_ref().filter(|offered| self.holds_the_entries_of(offered)) {
            return Ok(offered.clone());
        }
        let mut start = 0;
        let entries = self.ends.iter().enumerate().map(|(row, end)| {
            let entry = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            (self.first + row as u64, entry)
        });
        Ok(project(entries, Event::from_entry)?)
    }

    fn holds_the_entries_of(&self, rows: &RecordBatch) -> bool {
        let (Ok(indexes), Ok(entries)) = (integers::<Int64Type>(rows, INDEX), binary(rows, ENTRY)) else {
            return false;
        };
        let mut start = 0;
        let mut own = self.ends.iter().map(|end| self.bytes.get(std::mem::replace(&mut start, *end)..*end));
        rows.num_rows() == self.ends.len()
            && indexes.values().first() == Some(&self.first.cast_signed())
            && entries.iter().all(|entry| own.next().is_some_and(|own| own == entry))
    }
}

/// Encodes rows.
pub(super) struct Encoder {
    parquet: ArrowWriter<Vec<u8>>,
    time: Span,
    recorded_at: Span,
    rows: Vec<Rows>,
}

impl Encoder {
    fn new() -> Result<Encoder, SegmentError> {
        let options = ArrowWriterOptions::new().with_properties(settings()?).with_skip_arrow_metadata(true);
        let parquet = ArrowWriter::try_new_with_options(Vec::new(), schema(), options).map_err(unwritable)?;
        Ok(Encoder { parquet, time: Span::default(), recorded_at: Span::default(), rows: Vec::new() })
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        self.time.add(batch, TIME)?;
        self.recorded_at.add(batch, RECORDED_AT)?;
        self.parquet.write(batch).map_err(unwritable)?;
        self.rows.push(Rows::of(batch)?);
        Ok(())
    }
}

/// Writes one file of entries.
pub(crate) struct EntriesWriter {
    trail: Tenant,
    first: u64,
    end: u64,
    /// Entries that are not encoded yet, up to `end`.
    waiting: Chunk,
    work: Work,
    /// Where rows may be had that are made already.
    offered: Offered,
}

/// Who makes rows and encodes them: this thread while there are few.
enum Work {
    Here(Box<Encoder>),
    Line(Line),
    /// It failed.
    Ended,
}

impl EntriesWriter {
    /// A file whose first entry is `first`.
    #[cfg(test)]
    pub(crate) fn new(trail: &Tenant, first: u64) -> Result<EntriesWriter, SegmentError> {
        EntriesWriter::with(trail, first, Offered::default())
    }

    /// A file whose first entry is `first`, of entries of which rows may be on offer.
    pub(crate) fn with(trail: &Tenant, first: u64, offered: Offered) -> Result<EntriesWriter, SegmentError> {
        let work = Work::Here(Box::new(Encoder::new()?));
        let (trail, waiting) = (trail.clone(), Chunk::new(first));
        Ok(EntriesWriter { trail, first, end: first, waiting, work, offered })
    }

    /// Adds the next entry. That an earlier one is no event may be said here, and is said by
    /// [`EntriesWriter::finish`] at last.
    pub(crate) fn push(&mut self, index: u64, entry: &[u8]) -> Result<(), SegmentError> {
        if index != self.end {
            return Err(SegmentError::OutOfOrder { expected: self.end, found: index });
        }
        if self.end - self.first == MAX_ROWS as u64 {
            return Err(SegmentError::Full);
        }
        self.waiting.push(entry);
        self.end += 1;
        if self.waiting.is_full() { self.hand_over() } else { Ok(()) }
    }

    /// Gives a full chunk away.
    fn hand_over(&mut self) -> Result<(), SegmentError> {
        let next = Chunk::after(self.end, self.waiting.bytes.len());
        let mut chunk = std::mem::replace(&mut self.waiting, next);
        chunk.offered = self.offered.take(self.trail.as_str(), chunk.first);
        let line = match std::mem::replace(&mut self.work, Work::Ended) {
            Work::Here(encoder) => Line::start(*encoder)?,
            Work::Line(line) => line,
            Work::Ended => return Err(SegmentError::GivenUp),
        };
        if line.push(chunk) {
            self.work = Work::Line(line);
            return Ok(());
        }
        line.finish().map(drop)
    }

    /// The file.
    pub(crate) fn finish(self) -> Result<Written, SegmentError> {
        let mut encoder = match self.work {
            Work::Here(encoder) => *encoder,
            Work::Line(line) => line.finish()?,
            Work::Ended => return Err(SegmentError::GivenUp),
        };
        encoder.add(&self.waiting.rows()?)?;
        let Encoder { mut parquet, time, recorded_at, rows } = encoder;
        let time = time.0.ok_or(SegmentError::Empty)?;
        // The ledger stamps every entry; what another hand wrote may lack the stamp.
        let recorded_at = recorded_at.0.unwrap_or(time);
        let remarks = [
            (FORMAT_KEY, FORMAT.to_owned()),
            (TRAIL_KEY, self.trail.to_string()),
            (FIRST_KEY, self.first.to_string()),
            (END_KEY, self.end.to_string()),
        ];
        for (key, value) in remarks {
            parquet.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let bytes = parquet.into_inner().map_err(unwritable)?;
        Ok(Written { bytes, first: self.first, time, recorded_at, rows })
    }
}

/// From the earliest to the latest.
#[derive(Default)]
struct Span(Option<(Timestamp, Timestamp)>);

impl Span {
    fn add(&mut self, batch: &RecordBatch, column: &str) -> Result<(), SegmentError> {
        let times = integers::<TimestampMicrosecondType>(batch, column)?;
        for time in times.iter().flatten().map(Timestamp::from_micros) {
            let (from, to) = self.0.unwrap_or((time, time));
            self.0 = Some((from.min(time), to.max(time)));
        }
        Ok(())
    }
}

pub(super) fn unwritable(error: ParquetError) -> SegmentError {
    SegmentError::Unwritable(error)
}

/// What both kinds of files have in common.
pub(super) fn base() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("greffier version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(64))
}

pub(super) fn settings() -> Result<WriterProperties, SegmentError> {
    let level = ZstdLevel::try_new(3).map_err(unwritable)?;
    let mut settings = base()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(MAX_ROWS))
        .set_data_page_row_count_limit(8192)
        .set_write_batch_size(ROWS_PER_PAGE)
        // Single entries are looked up, and a page is undone whole for one of them.
        .set_column_data_page_size_limit(path(ENTRY), PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page);
    // Rising numbers: their differences take a few bits each.
    for name in [INDEX, TIME, RECORDED_AT] {
        settings = settings
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    // Each value is there once.
    for name in [ID, ENTRY] {
        settings = settings.set_column_dictionary_enabled(path(name), false);
    }
    // Nobody asks for the least of all entries.
    settings = settings.set_column_statistics_enabled(path(ENTRY), EnabledStatistics::None);
    for (name, false_hits) in FILTERED {
        settings = settings
            .set_column_bloom_filter_fpp(path(name), false_hits)
            .set_column_bloom_filter_max_ndv(path(name), MAX_ROWS as u64);
    }
    Ok(settings.build())
}

pub(super) fn path(name: &str) -> ColumnPath {
    ColumnPath::from(name)
}
