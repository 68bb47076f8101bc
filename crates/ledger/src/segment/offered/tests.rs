use arrow_array::RecordBatch;
use greffier_event::Event;

use super::super::columns::project;
use super::super::samples::{tiny, trail};
use super::super::write::{EntriesWriter, Written};
use super::*;

const ROWS: u64 = ROWS_PER_BATCH as u64;

/// The rows of a chunk, of entries from the `from`th of the samples on.
fn rows(first: u64, from: u64) -> RecordBatch {
    let entries: Vec<Vec<u8>> = (from..from + ROWS).map(tiny).collect();
    let rows = entries.iter().enumerate().map(|(row, entry)| (first + row as u64, entry.as_slice()));
    project(rows, Event::from_entry).unwrap()
}

/// A file of two full chunks and one entry, from entry 0 on.
fn written(offered: &Offered) -> Written {
    let mut writer = EntriesWriter::with(&trail(), 0, offered.clone()).unwrap();
    (0..2 * ROWS + 1).for_each(|n| writer.push(n, &tiny(n)).unwrap());
    writer.finish().unwrap()
}

fn file(offered: &Offered) -> Vec<u8> {
    written(offered).bytes
}

#[test]
fn a_file_is_the_same_whoever_made_its_rows() {
    let plain = file(&Offered::default());
    let offered = Offered::default();
    let batches = [rows(0, 0), rows(ROWS, ROWS)];
    offered.offer(trail().as_str(), 0, &batches);
    let written = written(&offered);
    assert!(written.bytes == plain);
    for (made, offered) in written.rows.iter().zip(&batches) {
        assert!(Arc::ptr_eq(made.columns.column(1), offered.column(1)), "the rows were made again");
    }
    assert!(offered.take(trail().as_str(), 0).is_none(), "what was used is not on offer any more");
}

#[test]
fn what_says_something_else_is_not_used() {
    let plain = file(&Offered::default());
    // Other entries, others' places, and the rows of nobody any more.
    for batches in [vec![rows(0, 7), rows(ROWS, ROWS)], vec![rows(ROWS, 0)]] {
        let offered = Offered::default();
        offered.offer(trail().as_str(), 0, &batches);
        assert!(file(&offered) == plain);
    }
    let offered = Offered::default();
    offered.offer(trail().as_str(), 0, &[rows(0, 0)]);
    assert!(offered.take(trail().as_str(), 0).is_none());
}

#[test]
fn only_full_chunks_are_offered_until_they_are_sealed() {
    let offered = Offered::default();
    let batches = [rows(0, 0), rows(ROWS, ROWS), rows(2 * ROWS, 0).slice(0, 9)];
    offered.offer("acme", 0, &batches);
    offered.offer("other", ROWS - 1, &batches[..1]);
    offered.withdraw("acme", ROWS);
    assert!(offered.take("acme", 0).is_none());
    assert_eq!(offered.take("acme", ROWS).as_ref(), Some(&batches[1]));
    assert!(offered.take("acme", 2 * ROWS).is_none());
    assert!(offered.lock().get("other").is_none());
}

#[test]
fn what_is_on_offer_is_bounded() {
    let offered = Offered::default();
    let (batch, held) = (rows(0, 0), rows(0, 7));
    let many = vec![batch; MAX_OFFERS + 1];
    offered.offer("acme", 0, &many);
    assert_eq!(offered.lock()["acme"].len(), MAX_OFFERS);
    // Once nobody has those rows any more, there is room.
    drop(many);
    offered.offer("other", 0, std::slice::from_ref(&held));
    assert_eq!(offered.lock().len(), 1);
    assert!(offered.take("other", 0).is_some());
}
