use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use bytes::Bytes;
use greffier_event::Event;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::file::metadata::KeyValue;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use proptest::prelude::*;

use super::super::columns::project;
use super::super::samples::{entry, id_of, sealed, tiny, trail, typical};
use super::super::write::{EntriesWriter, Written, settings};
use super::*;

fn open(bytes: &[u8]) -> Result<EntriesFile<Bytes>, SegmentError> {
    EntriesFile::open(Bytes::copy_from_slice(bytes))
}

/// Everything that is read in order.
fn scanned<R: ChunkReader + 'static>(file: &EntriesFile<R>) -> Result<Vec<(u64, Vec<u8>)>, SegmentError> {
    let mut all = Vec::new();
    file.scan(|index, entry| {
        all.push((index, entry.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_is_read(
        entries in prop::collection::vec(entry(), 1..24),
        first in 0u64..1 << 40,
        wanted in prop::collection::vec(0u64..30, 0..8),
    ) {
        let written = sealed(first, entries.clone());
        prop_assert_eq!(&written.bytes, &sealed(first, entries.clone()).bytes, "the same bytes each time");
        let file = open(&written.bytes).unwrap();
        let all: Vec<(u64, Vec<u8>)> = (first..).zip(entries).collect();
        prop_assert_eq!((file.trail(), file.first(), file.end()), (&trail(), first, first + all.len() as u64));
        prop_assert_eq!(written.first, file.first());

        prop_assert_eq!(&scanned(&file).unwrap(), &all);
        let mut seen = Vec::new();
        file.check(|index, entry| seen.push((index, entry.to_vec()))).unwrap();
        prop_assert_eq!(&seen, &all);

        let indexes: Vec<u64> = wanted.iter().map(|n| first + n).collect();
        let there: BTreeSet<u64> = indexes.iter().copied().collect();
        let expected: Vec<_> = all.iter().filter(|(index, _)| there.contains(index)).cloned().collect();
        prop_assert_eq!(file.get_many(&indexes).unwrap(), expected);
        for (_, entry) in &all {
            let id = id_of(entry);
            let place = all.iter().find(|(_, entry)| id_of(entry) == id).map(|(index, _)| *index);
            prop_assert_eq!(file.find_id(&id).unwrap(), place);
        }
    }

    #[test]
    fn damage_is_found_or_changes_nothing(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| sealed(7, (0..40).map(typical)).bytes);
        let mut bytes = GOOD.clone();
        for (place, flip) in damage {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        prop_assert!(untouched_or_refused(&bytes).is_ok());
    }
}

/// What a damaged file of the first forty entries, from 7 on, gives: an error somewhere, or what was sealed.
fn untouched_or_refused(bytes: &[u8]) -> Result<(), String> {
    let entries: Vec<(u64, Vec<u8>)> = (7..).zip((0..40).map(typical)).collect();
    let Ok(file) = open(bytes) else { return Ok(()) };
    let (scan, get) = (scanned(&file), file.get(30));
    let found = file.find_id(&id_of(&entries[20].1));
    if file.check(|_, _| ()).is_err() {
        return Ok(());
    }
    let same = scan.is_ok_and(|scan| scan == entries)
        && get.is_ok_and(|entry| entry.as_ref() == Some(&entries[23].1))
        && found.is_ok_and(|found| found == Some(27));
    if same { Ok(()) } else { Err("the damage passed the check and changed what is read".to_owned()) }
}

/// One full segment, for all tests that need its size.
fn full() -> &'static Written {
    static FULL: LazyLock<Written> = LazyLock::new(|| {
        let mut writer = EntriesWriter::new(&trail(), FIRST).unwrap();
        (0..MAX_ROWS as u64).for_each(|n| writer.push(FIRST + n, &tiny(n)).unwrap());
        let more = writer.push(FIRST + MAX_ROWS as u64, &tiny(0));
        assert!(matches!(more, Err(SegmentError::Full)), "one more than the bound was taken");
        writer.finish().unwrap()
    });
    &FULL
}

const FIRST: u64 = 2 * MAX_ROWS as u64;

#[test]
fn a_full_segment_is_one_row_group() {
    let file = open(&full().bytes).unwrap();
    let group = &file.file.row_groups()[GROUP];
    let mut shape = format!("{} rows, sorted by {:?}\n", group.num_rows(), group.sorting_columns().unwrap());
    for name in [INDEX, ID, "time", "type", "user_sub", "request_id", "session_id", "trace_id", ENTRY] {
        let place = file.file.column(name).unwrap();
        let column = &group.columns()[place];
        let rows: Vec<i64> = file.file.pages(GROUP, place).iter().map(|page| page.first_row_index).collect();
        let index = &file.file.metadata().column_index().unwrap()[GROUP][place];
        let bounds = !matches!(index, ColumnIndexMetaData::NONE);
        shape += &format!(
            "{name}: {} {:?}, {} pages of {} rows, bounds {bounds}, filter {:?} bytes\n",
            column.compression_codec(),
            column.encodings().collect::<Vec<_>>(),
            rows.len(),
            rows.get(1).copied().unwrap_or(group.num_rows()),
            column.bloom_filter_length(),
        );
    }
    let footer = file.file.metadata().file_metadata();
    shape += &format!("{}\n", footer.created_by().unwrap());
    for remark in footer.key_value_metadata().unwrap() {
        shape += &format!("{} = {}\n", remark.key, remark.value.as_deref().unwrap());
    }
    insta::assert_snapshot!(shape, @"
    65536 rows, sorted by [SortingColumn { column_idx: 0, descending: false, nulls_first: false }]
    index: ZSTD [RLE, DELTA_BINARY_PACKED], 8 pages of 8192 rows, bounds true, filter None bytes
    id: ZSTD [PLAIN, RLE], 8 pages of 8192 rows, bounds true, filter Some(262161) bytes
    time: ZSTD [RLE, DELTA_BINARY_PACKED], 8 pages of 8192 rows, bounds true, filter None bytes
    type: ZSTD [PLAIN, RLE, RLE_DICTIONARY], 8 pages of 8192 rows, bounds true, filter None bytes
    user_sub: ZSTD [PLAIN, RLE, RLE_DICTIONARY], 8 pages of 8192 rows, bounds true, filter None bytes
    request_id: ZSTD [PLAIN, RLE, RLE_DICTIONARY], 8 pages of 8192 rows, bounds true, filter Some(47) bytes
    session_id: ZSTD [PLAIN, RLE, RLE_DICTIONARY], 8 pages of 8192 rows, bounds true, filter Some(47) bytes
    trace_id: ZSTD [PLAIN, RLE, RLE_DICTIONARY], 8 pages of 8192 rows, bounds true, filter Some(47) bytes
    entry: ZSTD [PLAIN, RLE], 32 pages of 2048 rows, bounds false, filter None bytes
    greffier version 0.1.0
    greffier.format = 1
    greffier.trail = acme
    greffier.first = 131072
    greffier.end = 196608
    ");
}

#[test]
fn entries_are_read_at_the_borders_of_pages() {
    let file = open(&full().bytes).unwrap();
    let places = [0, 8191, 8192, 8193, 65_534, 65_535];
    for place in places {
        assert_eq!(file.get(FIRST + place).unwrap(), Some(tiny(place)));
        assert_eq!(file.find_id(&id_of(&tiny(place))).unwrap(), Some(FIRST + place));
    }
    assert_eq!(file.get(FIRST - 1).unwrap(), None);
    assert_eq!(file.get(FIRST + 65_536).unwrap(), None);
    assert_eq!(file.get_many(&places.map(|place| FIRST + place)).unwrap().len(), places.len());
}

#[test]
fn an_id_that_is_not_there_is_denied_by_the_filter() {
    let filter = open(&full().bytes).unwrap().id_filter().unwrap();
    let held = (0..MAX_ROWS as u64).step_by(97).all(|n| filter.may_contain(&id_of(&tiny(n))));
    assert!(held, "every id that is there");
    let strangers: Vec<EventId> = (1..=20_000).map(|n| id_of(&tiny(n * 1_000_000))).collect();
    let admitted = strangers.iter().filter(|id| filter.may_contain(id)).count();
    assert!(admitted <= 10, "two are expected, {admitted} were admitted");
    let file = open(&full().bytes).unwrap();
    assert!(strangers.iter().take(20).all(|id| file.find_id(id).unwrap().is_none()));
}

/// What the check says of a file whose rows were changed before they were written.
fn check(alter: impl Fn(RecordBatch) -> RecordBatch, remarks: [(&str, &str); 4]) -> String {
    let entries: Vec<Vec<u8>> = (0..9).map(typical).collect();
    let rows = alter(
        project(
            entries.iter().enumerate().map(|(row, entry)| (5 + row as u64, entry.as_slice())),
            Event::from_canonical,
        )
        .unwrap(),
    );
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(settings().unwrap())).unwrap();
    writer.write(&rows).unwrap();
    for (key, value) in remarks {
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_owned()));
    }
    let checked = open(&writer.into_inner().unwrap()).and_then(|file| file.check(|_, _| ()));
    checked.map_or_else(|error| error.to_string(), |()| "good".to_owned())
}

const REMARKS: [(&str, &str); 4] =
    [(FORMAT_KEY, "1"), (TRAIL_KEY, "acme"), (FIRST_KEY, "5"), (END_KEY, "14")];

/// Exchanges one value of a column.
fn with(column: &'static str, row: usize, value: &'static str) -> impl Fn(RecordBatch) -> RecordBatch {
    move |batch| {
        let place = batch.schema().index_of(column).unwrap();
        let mut columns = batch.columns().to_vec();
        let values = texts(&batch, column).unwrap().iter().enumerate();
        let values = values.map(|(at, old)| if at == row { Some(value) } else { old });
        columns[place] = Arc::new(values.collect::<StringArray>()) as ArrayRef;
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    }
}

#[test]
fn the_check_names_what_differs() {
    let reversed = |batch: RecordBatch| {
        let mut columns = batch.columns().to_vec();
        let mut entries: Vec<_> = binary(&batch, ENTRY).unwrap().iter().collect();
        entries.reverse();
        *columns.last_mut().unwrap() = Arc::new(entries.into_iter().collect::<BinaryArray>());
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    };
    let nonsense = |batch: RecordBatch| {
        let mut columns = batch.columns().to_vec();
        let values = (0..batch.num_rows()).map(|_| Some(b"{}".as_slice()));
        *columns.last_mut().unwrap() = Arc::new(values.collect::<BinaryArray>());
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    };
    let fewer = |batch: RecordBatch| batch.project(&[0, 1, 2]).unwrap();
    let late = |batch: RecordBatch| batch.slice(1, 8);
    let remark = |place: usize, value: &'static str| {
        let mut remarks = REMARKS;
        remarks[place].1 = value;
        remarks
    };
    let same = |batch: RecordBatch| batch;
    insta::assert_snapshot!(check(same, REMARKS), @"good");
    insta::assert_snapshot!(check(with("user_sub", 3, "mallory"), REMARKS), @"entry 8: the column `user_sub` is not what the entry says");
    insta::assert_snapshot!(check(with("agent_tier", 0, ""), REMARKS), @"entry 5: the column `agent_tier` is not what the entry says");
    insta::assert_snapshot!(check(with("id", 8, "00000000-0000-0000-8000-000000000000"), REMARKS), @"entry 13: the column `id` is not what the entry says");
    insta::assert_snapshot!(check(reversed, REMARKS), @"entry 5: the column `id` is not what the entry says");
    insta::assert_snapshot!(check(nonsense, REMARKS), @"entry 5 is not a valid event: event: is not an event in native form (near byte 2)");
    insta::assert_snapshot!(check(fewer, REMARKS), @"the file is damaged or was not sealed by greffier: it holds no entries");
    insta::assert_snapshot!(check(late, remark(3, "13")), @"entry 5: the column `index` is not what the entry says");
    insta::assert_snapshot!(check(same, remark(0, "2")), @"the file is damaged or was not sealed by greffier: it has a format that this greffier does not know");
    insta::assert_snapshot!(check(same, remark(1, "../acme")), @"the file is damaged or was not sealed by greffier: its footer does not say which entries it holds");
    insta::assert_snapshot!(check(same, remark(2, "6")), @"the file is damaged or was not sealed by greffier: its footer does not say which entries it holds");
    insta::assert_snapshot!(check(same, remark(3, "18446744073709551615")), @"the file is damaged or was not sealed by greffier: its footer does not say which entries it holds");
}

#[test]
fn entries_are_sealed_in_order_and_up_to_the_bound() {
    let mut writer = EntriesWriter::new(&trail(), 3).unwrap();
    let push = |writer: &mut EntriesWriter, index, entry: &[u8]| {
        writer.push(index, entry).map_or_else(|error| error.to_string(), |()| "taken".to_owned())
    };
    insta::assert_snapshot!(push(&mut writer, 4, &tiny(4)), @"entry 4 was given where entry 3 is due");
    insta::assert_snapshot!(push(&mut writer, 3, &tiny(3)), @"taken");
    insta::assert_snapshot!(push(&mut writer, 3, &tiny(3)), @"entry 3 was given where entry 4 is due");
    insta::assert_snapshot!(push(&mut writer, 4, b"{}"), @"taken");
    insta::assert_snapshot!(writer.finish().unwrap_err(), @"entry 4 is not a valid event: event: is not an event in native form (near byte 2)");
    insta::assert_snapshot!(EntriesWriter::new(&trail(), 3).unwrap().finish().unwrap_err(), @"a segment has at least one entry");
}

#[test]
fn times_are_from_the_earliest_to_the_latest() {
    let entry = |time: &str, recorded: &str| {
        format!(
            r#"{{"id":"00000000-0000-7000-8000-000000000001"{recorded},"tenant":"acme","time":"{time}","type":"error","v":1}}"#
        )
        .into_bytes()
    };
    let check = |entries: &[(&str, &str)]| {
        let written = sealed(0, entries.iter().map(|(time, recorded)| entry(time, recorded)));
        let (from, to) = written.recorded_at;
        format!("{} .. {}, recorded {from} .. {to}", written.time.0, written.time.1)
    };
    let recorded = r#","recorded_at":"2026-03-06T15:00:00.000000Z""#;
    insta::assert_snapshot!(check(&[("2026-03-06T14:00:00.000000Z", recorded), ("2025-01-01T00:00:00.000000Z", recorded)]), @"2025-01-01T00:00:00.000000Z .. 2026-03-06T14:00:00.000000Z, recorded 2026-03-06T15:00:00.000000Z .. 2026-03-06T15:00:00.000000Z");
    insta::assert_snapshot!(check(&[("2026-03-06T14:00:00.000000Z", "")]), @"2026-03-06T14:00:00.000000Z .. 2026-03-06T14:00:00.000000Z, recorded 2026-03-06T14:00:00.000000Z .. 2026-03-06T14:00:00.000000Z");
}

#[test]
fn any_parquet_reader_reads_the_entries() {
    let entries: Vec<Vec<u8>> = (0..2000).map(typical).collect();
    let bytes = Bytes::from(sealed(0, entries.clone()).bytes);
    let reader = ParquetRecordBatchReader::try_new(bytes.clone(), 300).unwrap();
    let mut read = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        assert_eq!(batch.schema(), schema(), "as the table of columns says");
        read.extend(binary(&batch, ENTRY).unwrap().iter().flatten().map(<[u8]>::to_vec));
    }
    assert_eq!(read, entries);
}
