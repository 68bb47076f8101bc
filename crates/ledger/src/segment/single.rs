//! Single entries of a sealed file for whoever asks for a few: where a column has a value, and the entries of some rows.

use std::ops::Range;

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::reader::ChunkReader;

use super::columns::{ENTRY, schema};
use super::entries::GROUP;
use super::error::SegmentError;
use super::opened::{Bounds, Opened, binary};
use super::write::{ID, MAX_ROWS};

/// Rows of a column that are compared at once: a few hundred kilobytes of texts.
const COMPARED: usize = 8_192;
const BOUNDS: Bounds = Bounds { row_groups: 1, rows_per_group: MAX_ROWS, batch: COMPARED };

/// The rows of which a text column has this value.
pub(crate) fn rows_with<R: ChunkReader + 'static>(
    source: R,
    column: &str,
    value: &str,
) -> Result<Vec<usize>, SegmentError> {
    let file = Opened::open_whole(source, &schema(), BOUNDS)?;
    // Ids mostly rise, so that few pages can hold one. Of other columns the bounds of pages rule out nothing.
    if column != ID {
        return rows_of(&file, column, value, std::iter::once(0..MAX_ROWS).collect(), None);
    }
    let file = file.with_pages()?;
    let total = file.rows();
    let pages = pages_with(&file, column, value);
    let selection = RowSelection::from_consecutive_ranges(pages.iter().cloned(), total);
    rows_of(&file, column, value, pages, Some(selection))
}

/// The rows within `read`, which is all that is read.
fn rows_of<R: ChunkReader + 'static>(
    file: &Opened<R>,
    column: &str,
    value: &str,
    read: Vec<Range<usize>>,
    selection: Option<RowSelection>,
) -> Result<Vec<usize>, SegmentError> {
    let mut rows = read.into_iter().flatten();
    let mut found = Vec::new();
    for batch in file.batches(GROUP, Some(&[column]), selection)? {
        let batch = batch?;
        // An older file may lack the column.
        let Some(texts) = batch.columns().first().and_then(|column| column.as_string_opt::<i32>()) else {
            break;
        };
        // The texts first: a zip takes one more of its first than of its second.
        let here = texts.iter().zip(rows.by_ref());
        found.extend(here.filter(|(text, _)| *text == Some(value)).map(|(_, row)| row));
    }
    Ok(found)
}

/// The rows of pages whose bounds let a value in; of all pages, where there are no bounds.
fn pages_with<R: ChunkReader + 'static>(file: &Opened<R>, column: &str, value: &str) -> Vec<Range<usize>> {
    match file.column(column).and_then(|column| file.bounds(GROUP, column)) {
        Some(pages) => pages.into_iter().filter(|page| page.may_hold(value)).map(|page| page.rows).collect(),
        None => std::iter::once(0..file.rows()).collect(),
    }
}

/// The entries of rows, which rise.
pub(crate) fn entries_of<R: ChunkReader + 'static>(
    source: R,
    rows: &[usize],
) -> Result<Vec<Vec<u8>>, SegmentError> {
    let file = Opened::open(source, &schema(), BOUNDS)?;
    let total = file.rows();
    if rows.last().is_some_and(|last| *last >= total) {
        return Err(SegmentError::Malformed("entries are missing"));
    }
    let selection = RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..row + 1), total);
    let mut found = Vec::with_capacity(rows.len());
    for batch in file.batches(GROUP, Some(&[ENTRY]), Some(selection))? {
        found.extend(binary(&batch?, ENTRY)?.iter().flatten().map(<[u8]>::to_vec));
    }
    if found.len() == rows.len() { Ok(found) } else { Err(SegmentError::Malformed("entries are missing")) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use greffier_event::Event;
    use proptest::prelude::*;

    use super::*;
    use crate::segment::samples::{entry, sealed, typical};

    #[test]
    fn finds_what_is_there() {
        // Compared in three parts.
        let entries: Vec<Vec<u8>> = (0..20_000).map(typical).collect();
        let file = Bytes::from(sealed(7, entries.clone()).bytes);
        let check = |column: &str, value: &str| rows_with(file.clone(), column, value).unwrap();
        let id = |row: usize| Event::from_canonical(&entries[row]).unwrap().id.to_string();
        for row in [0, 8_191, 8_192, 16_384, 19_999] {
            assert_eq!(check("id", &id(row)), [row]);
        }
        assert_eq!(check("request_id", "req_000026ac"), [19_800, 19_801]);
        assert_eq!(check("session_id", "session_3"), (120..160).collect::<Vec<_>>());
        assert!(check("id", "no such").is_empty() && check("no such", "x").is_empty());
        assert_eq!(
            entries_of(file.clone(), &[0, 17, 8_192, 19_999]).unwrap(),
            [0, 17, 8_192, 19_999].map(|row| entries[row].clone())
        );
        assert!(entries_of(file.clone(), &[]).unwrap().is_empty());
        insta::assert_snapshot!(entries_of(file, &[5, 20_000]).unwrap_err(), @"the file is damaged or was not sealed by greffier: entries are missing");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_row_is_found_by_what_it_says(entries in prop::collection::vec(entry(), 1..20)) {
            let file = Bytes::from(sealed(5, entries.clone()).bytes);
            for (row, bytes) in entries.iter().enumerate() {
                let event = Event::from_canonical(bytes).unwrap();
                prop_assert!(rows_with(file.clone(), "id", &event.id.to_string()).unwrap().contains(&row));
                if let Some(request) = &event.request_id {
                    prop_assert!(rows_with(file.clone(), "request_id", request).unwrap().contains(&row));
                }
                prop_assert_eq!(&entries_of(file.clone(), &[row]).unwrap(), std::slice::from_ref(bytes));
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let entries: Vec<Vec<u8>> = (0..100).map(typical).collect();
        let file = sealed(0, entries.clone()).bytes;
        let (mut wrong, mut right) = (0, 0);
        for place in (0..file.len()).step_by(97) {
            let mut bytes = file.clone();
            bytes[place] ^= 0x10;
            let found = rows_with(Bytes::from(bytes.clone()), "request_id", "req_00000001");
            match found.and_then(|_| entries_of(Bytes::from(bytes), &[1, 50])) {
                Ok(_) => right += 1,
                Err(_) => wrong += 1,
            }
        }
        assert!(wrong > 0 && right > 0, "{wrong} {right}");
    }
}
