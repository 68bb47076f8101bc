use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use proptest::prelude::*;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use tempfile::TempDir;

use super::fold::fold;
use super::table::{Kind, Table};
use super::*;
use crate::manifest::FileRecord;
use crate::segment::{EntriesFile, samples};
use crate::snapshot::Segment;
use crate::store::{Disk, Files};

const FIRST: u64 = 7;

/// A segment of these entries, and a directory for its index.
struct World {
    #[expect(dead_code, reason = "held for its lifetime")]
    dir: TempDir,
    disk: Disk,
    file: EntriesFile<Bytes>,
    segment: Segment,
}

impl World {
    fn of(entries: Vec<Vec<u8>>) -> World {
        let end = FIRST + entries.len() as u64;
        let written = samples::sealed(FIRST, entries);
        let key = crate::sealer::entries_path("acme", FIRST, end);
        let FileRecord { bytes, sha256, .. } = FileRecord::of(&key, &written.bytes);
        let path = key.clone().into();
        let (time, recorded_at) = (written.time, written.recorded_at);
        let segment = Segment { path, key, first: FIRST, end, bytes, sha256, time, recorded_at };
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(Arc::new(Files::new(dir.path())));
        World { dir, disk, file: EntriesFile::open(Bytes::from(written.bytes)).unwrap(), segment }
    }

    fn index(&self) -> Vec<u8> {
        Built::of(&self.file).unwrap().pack((&self.segment).into()).unwrap()
    }

    fn opened(&self, index: &[u8]) -> Option<Opened> {
        self.disk.replace(&path_of(&self.segment.key).unwrap(), index).unwrap();
        Opened::of(&self.disk, &(&self.segment).into())
    }

    /// Every text of every column, with its row.
    fn texts(&self) -> Vec<(String, u64, String)> {
        let mut texts = Vec::new();
        let mut row = FIRST;
        for batch in self.file.batches().unwrap() {
            let batch = batch.unwrap();
            for field in batch.schema().fields() {
                each(&batch, field.name(), |at, text| {
                    texts.push((field.name().clone(), row + at, text.to_owned()))
                });
            }
            row += batch.num_rows() as u64;
        }
        texts
    }
}

fn each(batch: &RecordBatch, name: &str, mut text: impl FnMut(u64, &str)) {
    let column = batch.column_by_name(name).unwrap();
    if let Some(texts) = column.as_string_opt::<i32>() {
        (0..).zip(texts).for_each(|(at, value)| value.into_iter().for_each(|value| text(at, value)));
    } else if let Some(lists) = column.as_list_opt::<i32>() {
        for (at, list) in (0..).zip(lists.iter()).filter_map(|(at, list)| Some((at, list?))) {
            list.as_string::<i32>().iter().flatten().for_each(|value| text(at, value));
        }
    } else if let Some(entries) = column.as_binary_opt::<i32>() {
        (0..).zip(entries).for_each(|(at, entry)| text(at, std::str::from_utf8(entry.unwrap()).unwrap()));
    }
}

fn folded(text: &str) -> Vec<u8> {
    let mut folded = Vec::new();
    fold(text, &mut folded);
    folded
}

/// Some of a text, written in another case.
fn piece(text: &str, from: usize, length: usize, mode: usize) -> String {
    let piece: String = text.chars().skip(from % text.chars().count().max(1)).take(length).collect();
    match mode % 4 {
        0 => piece,
        1 => piece.to_uppercase(),
        2 => piece.to_lowercase(),
        _ => piece.chars().map(|c| if c == 'k' { '\u{212a}' } else { c }).collect(),
    }
}

#[test]
fn whatever_matches_in_any_case_folds_alike() {
    for c in '\0'..=char::MAX {
        let alone = folded(&c.to_string());
        let mut alike = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        alike.try_case_fold_simple().unwrap();
        for other in alike.ranges().iter().flat_map(|range| range.start()..=range.end()) {
            assert_eq!(alone, folded(&other.to_string()), "{c:?} {other:?}");
        }
        assert_eq!(alone, folded(&c.to_lowercase().to_string()), "{c:?}");
    }
}

#[test]
fn texts_are_folded() {
    let check = |text: &str| folded(text).escape_ascii().to_string();
    insta::assert_snapshot!(check("Crm:Contacts/7"), @r"crm:contacts/7\x00");
    insta::assert_snapshot!(check("Ägnes İs \u{212a}"), @r"\x00gnes i\x00s k\x00");
    insta::assert_snapshot!(check("a\u{1f}b 日"), @r"a\x00b \xe6\x97\xa5\x00");
}

#[test]
fn blocks_are_entries() {
    let check = |blocks: u64, entries: Range<u64>| format!("{:?}", Blocks(blocks).within(entries));
    insta::assert_snapshot!(check(0b1011, 0..65_536), @"[0..2048, 3072..4096]");
    insta::assert_snapshot!(check(u64::MAX, 65_536..131_072), @"[65536..131072]");
    insta::assert_snapshot!(check(u64::MAX, 10..50), @"[10..50]");
    insta::assert_snapshot!(check(0b1010, 10..50), @"[26..42]");
    insta::assert_snapshot!(check(0, 0..65_536), @"[]");
}

#[test]
fn indexes_lie_apart_from_segments() {
    let entries = crate::sealer::entries_path("acme", 0, 65_536);
    let path = path_of(&entries).unwrap();
    insta::assert_snapshot!(path, @"ngrams/acme/00000000000000000000-00000000000000065536");
    assert_eq!(segment_of(&path), Some(entries));
    assert_eq!(path_of("trails/acme/parts/0-1.parquet"), None);
    assert_eq!(segment_of("trails/acme/checkpoint"), None);
}

#[test]
fn a_rare_text_is_in_one_block() {
    let world = World::of((0..1_024).map(samples::typical).collect());
    let index = world.opened(&world.index()).unwrap();
    let check = |column: &str, text: &str| {
        format!("{column} {text}: {:?}", index.entries(index.holding(column, text)))
    };
    let found = [
        check("session_id", "session_7"),
        check("session_id", "SION_17"),
        check("request_id", "q_000000ff"),
        check("entry", "session_17\""),
        check("user_roles", "ANALYST"),
        check("user_roles", "auditor"),
        check("user_roles", "au"),
        check("call_id", "analyst"),
        check("no_such_column", "analyst"),
    ];
    insta::assert_snapshot!(found.join("\n"), @r#"
    session_id session_7: [279..327]
    session_id SION_17: [679..727]
    request_id q_000000ff: [503..519]
    entry session_17": [679..727]
    user_roles ANALYST: [7..1031]
    user_roles auditor: []
    user_roles au: [7..1031]
    call_id analyst: []
    no_such_column analyst: [7..1031]
    "#);
}

#[test]
fn another_segment_s_index_is_none() {
    let (one, other) = (World::of(vec![samples::tiny(1)]), World::of(vec![samples::tiny(2)]));
    assert!(one.opened(&one.index()).is_some());
    assert!(other.opened(&one.index()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_hidden(
        entries in prop::collection::vec(samples::entry(), 1..48),
        (from, length, mode) in (0..100_usize, 1..12_usize, 0..4_usize),
    ) {
        let world = World::of(entries);
        let index = world.opened(&world.index()).unwrap();
        prop_assert_eq!(index.unpacked(), Some(Built::of(&world.file).unwrap()));
        for (at, (column, row, text)) in world.texts().into_iter().enumerate() {
            let piece = piece(&text, from + at, length, mode + at);
            let entries = index.entries(index.holding(&column, &piece));
            prop_assert!(entries.iter().any(|range| range.contains(&row)), "{} {} {:?}", column, row, piece);
        }
    }

    #[test]
    fn any_bytes_are_a_table_or_none(raw in prop::collection::vec(any::<u8>(), 0..64)) {
        let packed = zstd::bulk::compress(&raw, 1).unwrap();
        let kind = Kind { width: 3, one_digit: false };
        if let Some(table) = Table::unpack(&packed, raw.len(), kind) {
            let (again, length) = table.pack().unwrap();
            prop_assert_eq!(Table::unpack(&again, length, kind), Some(table));
        }
    }

    #[test]
    fn damage_rules_nothing_more_out(
        entries in prop::collection::vec(samples::entry(), 1..20),
        (at, bit, cut) in (any::<prop::sample::Index>(), 0..8_u8, any::<bool>()),
    ) {
        let world = World::of(entries);
        let mut index = world.index();
        let at = at.index(index.len());
        if cut {
            index.truncate(at);
        } else {
            index[at] ^= 1 << bit;
        }
        if let Some(index) = world.opened(&index) {
            for (column, row, text) in world.texts() {
                let entries = index.entries(index.holding(&column, &text));
                prop_assert!(entries.iter().any(|range| range.contains(&row)), "{} {}", column, row);
            }
        }
    }
}
