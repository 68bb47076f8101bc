use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::samples::trail;
use super::*;

type Parts = Vec<PartsOf>;

fn seal(entries: &Parts) -> Option<Vec<u8>> {
    let mut writer = PartsWriter::new(&trail());
    for (index, parts) in entries {
        writer.push(*index, parts).unwrap();
    }
    writer.finish().unwrap()
}

fn open(bytes: &[u8]) -> Result<PartsFile<Bytes>, SegmentError> {
    PartsFile::open(Bytes::copy_from_slice(bytes))
}

fn all(file: &PartsFile<Bytes>) -> Result<Parts, SegmentError> {
    file.get_many(&file.groups.iter().flat_map(|(first, last)| *first..=*last).collect::<Vec<_>>())
}

fn part(holder: u8, content: Vec<u8>) -> SealedPart<'static> {
    SealedPart {
        holder: format!("ref:{holder:064x}").into(),
        wrapped_key: vec![holder ^ 0x5a; 60].into(),
        content: content.into(),
    }
}

/// Parts of a few entries, with gaps between them.
fn entries() -> impl Strategy<Value = Parts> {
    let part =
        (0u8..4, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(who, content)| part(who, content));
    let entry = (1u64..5, prop::collection::vec(part, 0..6));
    (0u64..1 << 40, prop::collection::vec(entry, 0..30)).prop_map(|(first, entries)| {
        let place = |index: &mut u64, (gap, parts)| {
            *index += gap;
            Some((*index, parts))
        };
        entries.into_iter().scan(first, place).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_is_read(entries in entries(), wanted in prop::collection::vec(0u64..40, 0..6)) {
        let there: Parts = entries.iter().filter(|(_, parts)| !parts.is_empty()).cloned().collect();
        let Some(bytes) = seal(&entries) else {
            prop_assert!(there.is_empty());
            return Ok(());
        };
        prop_assert_eq!(&bytes, &seal(&entries).unwrap(), "the same bytes each time");
        let file = open(&bytes).unwrap();
        prop_assert_eq!(file.trail(), &trail());
        prop_assert_eq!(&all(&file).unwrap(), &there);
        let wanted: BTreeSet<u64> = wanted.iter().map(|n| entries[0].0 + n).collect();
        let expected: Parts = there.iter().filter(|(index, _)| wanted.contains(index)).cloned().collect();
        prop_assert_eq!(file.get_many(&wanted.iter().copied().collect::<Vec<_>>()).unwrap(), expected);
    }

    /// What the parts say, their own encryption vouches for; here nothing may fall over.
    #[test]
    fn damage_is_survived(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
            seal(&(0..40).map(|n| (n, vec![part(n as u8 % 3, vec![n as u8; 50]); 2])).collect()).unwrap()
        });
        let mut bytes = GOOD.clone();
        for (place, flip) in damage {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        // Indexes of damaged bounds may be anything; those that were sealed are asked for.
        if let Ok(file) = open(&bytes) {
            let parts = file.get_many(&(0..50).collect::<Vec<_>>());
            let count = parts.map_or(0, |all| all.iter().map(|(_, parts)| parts.len()).sum());
            prop_assert!(count <= 80, "no more parts than there were");
        }
    }
}

#[test]
fn row_groups_are_bounded_in_bytes_and_in_rows() {
    let check = |entries: &Parts| {
        let bytes = seal(entries).unwrap();
        let file = open(&bytes).unwrap();
        assert_eq!(&all(&file).unwrap(), entries);
        for entry in [entries.first(), entries.get(7), entries.last()].into_iter().flatten() {
            assert_eq!(file.get_many(&[entry.0]).unwrap(), std::slice::from_ref(entry));
        }
        let shape: Vec<String> = file
            .file
            .row_groups()
            .iter()
            .enumerate()
            .map(|(place, group)| {
                let content = file.file.pages(place, file.file.column(CONTENT).unwrap()).len();
                format!(
                    "{} rows in {} kB, content in {content} pages",
                    group.num_rows(),
                    group.compressed_size() / 1000
                )
            })
            .collect();
        shape.join("\n")
    };
    let many: Parts = (0..600).map(|n| (n, vec![part(1, vec![n as u8; 20]); 32])).collect();
    insta::assert_snapshot!(check(&many), @"
    8192 rows in 728 kB, content in 1 pages
    8192 rows in 728 kB, content in 1 pages
    2816 rows in 250 kB, content in 1 pages
    ");
    let large: Parts = (0..10).map(|n| (n, vec![part(2, vec![n as u8; 1024 * 1024]); 2])).collect();
    insta::assert_snapshot!(check(&large), @"
    7 rows in 7340 kB, content in 7 pages
    7 rows in 7340 kB, content in 7 pages
    6 rows in 6292 kB, content in 6 pages
    ");
}

#[test]
fn the_columns_and_how_they_are_kept() {
    let bytes = seal(&vec![(3, vec![part(1, b"sealed".to_vec()); 2])]).unwrap();
    let file = open(&bytes).unwrap();
    let mut shape = String::new();
    for (field, column) in schema().fields().iter().zip(file.file.row_groups()[0].columns()) {
        let encodings: Vec<_> = column.encodings().collect();
        let bounds = column.statistics().is_some();
        shape += &format!(
            "{}: {}, {:?} {encodings:?}, bounds {bounds}\n",
            field.name(),
            field.data_type(),
            column.compression()
        );
    }
    let footer = file.file.metadata().file_metadata();
    for remark in footer.key_value_metadata().unwrap() {
        shape += &format!("{} = {}\n", remark.key, remark.value.as_deref().unwrap());
    }
    insta::assert_snapshot!(shape, @"
    index: Int64, UNCOMPRESSED [RLE, DELTA_BINARY_PACKED], bounds true
    part: Int32, UNCOMPRESSED [RLE, DELTA_BINARY_PACKED], bounds false
    holder: Utf8, UNCOMPRESSED [PLAIN, RLE, RLE_DICTIONARY], bounds false
    wrapped_key: Binary, UNCOMPRESSED [PLAIN, RLE], bounds false
    content: Binary, UNCOMPRESSED [PLAIN, RLE], bounds false
    greffier.format = 1
    greffier.trail = acme
    ");
}

#[test]
fn entries_come_in_order() {
    let mut writer = PartsWriter::new(&trail());
    writer.push(3, &[part(1, Vec::new())]).unwrap();
    insta::assert_snapshot!(writer.push(3, &[]).unwrap_err(), @"entry 3 was given where entry 4 is due");
    insta::assert_snapshot!(writer.push(2, &[]).unwrap_err(), @"entry 2 was given where entry 4 is due");
}
