use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use proptest::prelude::*;

use super::*;
use crate::segment::{ENTRY, EntriesFile, INDEX};
use crate::testing::keys;

mod beside;
mod meddled;
mod races;
mod world;

use world::{TRAILS, World};

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// What a snapshot holds, entry by entry, from its own files and batches.
fn rows(disk: &Disk, snapshot: &Snapshot) -> Vec<(u64, Vec<u8>)> {
    let mut rows = Vec::new();
    for segment in &snapshot.segments {
        let file = EntriesFile::open(disk.store().open(&segment.key).unwrap()).unwrap();
        let count = rows.len() as u64;
        file.scan(|index, entry| {
            rows.push((index, entry.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!((segment.first, segment.end), (count, rows.len() as u64));
    }
    for batch in &snapshot.hot {
        let indexes = batch.column_by_name(INDEX).unwrap().as_primitive::<Int64Type>();
        let entries = batch.column_by_name(ENTRY).unwrap().as_binary::<i32>();
        let pairs = indexes.values().iter().zip(entries);
        rows.extend(pairs.map(|(index, entry)| (*index as u64, entry.unwrap().to_vec())));
    }
    rows
}

/// Every acknowledged entry is there exactly once, in order. Beside the ledger nothing else is; from outside, at
/// most `more` entries that were written and not acknowledged.
fn check(world: &World, reader: &Reader, more: u64) {
    for (trail, made) in &world.model {
        let snapshot = reader.snapshot(&tenant(trail)).unwrap();
        let rows = rows(&world.disk, &snapshot);
        let expected: Vec<_> = (0..).zip(made.iter().map(|made| made.entry.clone())).collect();
        assert_eq!(rows[..expected.len()], expected, "{trail}");
        assert_eq!(snapshot.size, rows.len() as u64);
        assert!(snapshot.size - expected.len() as u64 <= more);
        // Entry by entry the same, with what is sealed in it; what is not there is left out.
        let indexes: Vec<u64> = (0..expected.len() as u64).rev().chain([1 << 40]).collect();
        let found = reader.entries(&tenant(trail), &indexes).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, (index, made)) in found.iter().rev().zip((0..).zip(made)) {
            assert_eq!((found.index, &found.entry), (index, &made.entry));
            let contents: Vec<_> =
                found.open_parts(&keys()).unwrap().into_iter().map(|part| part.content).collect();
            assert!(contents == made.contents, "entry {index} of {trail}");
        }
        if let Some((index, made)) = (0..).zip(made).last() {
            assert_eq!(reader.find(made.id).unwrap().unwrap().index, index);
        }
        if let Some(made) = made.first() {
            assert_eq!(reader.find_in(&tenant(trail), made.id).unwrap().unwrap().index, 0);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize, u64),
    Fail(usize, u64, usize),
    Rotate,
    Seal(usize, u64, bool),
    Trim,
    Sweep,
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let trail = 0..TRAILS.len();
    prop_oneof![
        4 => (trail.clone(), 1..5u64).prop_map(|(trail, count)| Step::Append(trail, count)),
        1 => (trail.clone(), 1..3u64, prop_oneof![Just(0), 1..400usize])
            .prop_map(|(trail, count, cut)| Step::Fail(trail, count, cut)),
        2 => Just(Step::Rotate),
        2 => (trail, 1..9u64, any::<bool>()).prop_map(|(trail, count, merge)| Step::Seal(trail, count, merge)),
        2 => Just(Step::Trim),
        1 => Just(Step::Sweep),
        3 => Just(Step::Look),
    ]
}

proptest! {
    // A case writes many files.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))]

    #[test]
    fn whatever_is_sealed_and_trimmed_each_snapshot_is_whole(steps in prop::collection::vec(step(), 1..28)) {
        let mut world = World::new();
        let bounded = || Reader::bounded(world.disk.clone(), world.acknowledged.clone());
        let (inside, outside) = (bounded(), Reader::new(world.disk.clone()));
        let mut unacknowledged = 0;
        for step in steps.into_iter().chain([Step::Look]) {
            match step {
                Step::Append(trail, count) => {
                    world.append(TRAILS[trail], count);
                    unacknowledged = 0;
                }
                Step::Fail(trail, count, cut) => {
                    world.fail(TRAILS[trail], count, cut);
                    unacknowledged = 2;
                }
                Step::Rotate => {
                    world.rotate();
                    unacknowledged = 0;
                }
                Step::Seal(trail, count, merge) => world.seal(TRAILS[trail], count, merge),
                Step::Trim => world.trim(),
                Step::Sweep => world.sweep(),
                Step::Look => {
                    check(&world, &inside, 0);
                    check(&world, &outside, unacknowledged);
                }
            }
        }
        check(&world, &Reader::bounded(world.disk.clone(), world.acknowledged.clone()), 0);
        check(&world, &Reader::new(world.disk.clone()), unacknowledged);
    }
}

#[test]
fn a_reader_beside_the_ledger_sees_nothing_that_was_not_acknowledged() {
    let mut world = World::new();
    world.append("acme", 2);
    let inside = Reader::bounded(world.disk.clone(), world.acknowledged.clone());
    let outside = Reader::new(world.disk.clone());
    world.fail("acme", 2, 0);
    let sizes = || [&inside, &outside].map(|reader| reader.snapshot(&tenant("acme")).unwrap().size);
    assert_eq!(sizes(), [2, 4]);
    // The next file disowns what was written: whoever saw it forgets it, and the places are given to others.
    world.append("acme", 1);
    assert_eq!(sizes(), [3, 3]);
    check(&world, &outside, 0);
}

#[test]
fn what_was_disowned_is_forgotten_although_its_file_is_gone() {
    let mut world = World::new();
    let outside = Reader::new(world.disk.clone());
    world.fail("beta", 1, 0);
    assert_eq!(outside.trails().unwrap(), [(tenant("beta"), 1)]);
    world.append("acme", 1);
    world.seal("acme", 1, false);
    world.trim();
    check(&world, &outside, 0);
    assert_eq!(outside.trails().unwrap(), [(tenant("acme"), 1)]);
}

#[test]
fn a_torn_end_is_the_end_until_it_is_whole() {
    let mut world = World::new();
    world.append("acme", 1);
    let outside = Reader::new(world.disk.clone());
    world.fail("acme", 1, 1);
    check(&world, &outside, 0);
    let mut file = world.disk.store().append(&wal::path(1)).unwrap();
    file.write(&[7; 100]).unwrap();
    check(&world, &outside, 0);
    world.append("acme", 1);
    check(&world, &outside, 0);
}

/// What readers say of a log that was damaged by `damage`: one from outside and one beside the ledger that knew
/// it whole, and one from outside that did not.
fn damaged_log(damage: impl Fn(&mut World)) -> String {
    let mut world = World::new();
    world.append("acme", 2);
    let outside = Reader::new(world.disk.clone());
    let inside = Reader::bounded(world.disk.clone(), world.acknowledged.clone());
    check(&world, &outside, 0);
    world.append("acme", 2);
    world.append("acme", 2);
    damage(&mut world);
    let answer = |reader: Reader| match reader.snapshot(&tenant("acme")) {
        Ok(snapshot) => format!("{} entries", snapshot.size),
        Err(error) => {
            error.to_string().replace("0000000000000000000", "…").replace("; run `greffier verify`", "")
        }
    };
    [outside, inside, Reader::new(world.disk.clone())].map(answer).join("\n")
}

/// Flips a bit so many bytes before the end of a file.
fn flip(world: &World, file: u64, from_end: usize) {
    let mut bytes = world.disk.store().read(&wal::path(file), u64::MAX).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    world.disk.replace(&wal::path(file), &bytes).unwrap();
}

#[test]
fn damage_is_said_and_never_passed_over() {
    insta::assert_snapshot!(damaged_log(|_| ()), @r"
    6 entries
    6 entries
    6 entries
    ");
    // In the last group nobody outside can tell it from a write that never ended.
    insta::assert_snapshot!(damaged_log(|world| flip(world, 1, 10)), @r"
    5 entries
    wal/…1.wal, byte 2326: the file ends here or the frame is damaged, and it was acknowledged
    5 entries
    ");
    // Before it, everybody can.
    insta::assert_snapshot!(damaged_log(|world| flip(world, 1, 1_000)), @r"
    wal/…1.wal, byte 1302: the frame is damaged, and whole ones follow at byte 1814
    wal/…1.wal, byte 1302: the file ends here or the frame is damaged, and it was acknowledged
    wal/…1.wal, byte 1302: the frame is damaged, and whole ones follow at byte 1814
    ");
    insta::assert_snapshot!(damaged_log(|world| { flip(world, 1, 10); world.rotate(); }), @r"
    wal/…1.wal, byte 2326: the file ends here or the frame is damaged, and it was acknowledged
    wal/…1.wal, byte 2326: the file ends here or the frame is damaged, and it was acknowledged
    wal/…1.wal, byte 2326: the file ends here or the frame is damaged, and it was acknowledged
    ");
    insta::assert_snapshot!(damaged_log(|world| { world.rotate(); flip(world, 2, 1) }), @r"
    wal/…2.wal, byte 0: the header's checksum is wrong
    wal/…2.wal, byte 0: the header's checksum is wrong
    wal/…2.wal, byte 0: the header's checksum is wrong
    ");
    let remove = |world: &World, file| world.disk.store().remove(&wal::path(file)).unwrap();
    insta::assert_snapshot!(damaged_log(|world| { world.rotate(); remove(world, 1) }), @r"
    wal/…1.wal: the file is missing
    wal/…1.wal: the file is missing
    wal/…1.wal: the file is missing
    ");
    insta::assert_snapshot!(damaged_log(|world| { world.rotate(); world.rotate(); remove(world, 2) }), @r"
    wal/…2.wal: the file is missing
    wal/…2.wal: the file is missing
    wal/…2.wal: the file is missing
    ");
}

#[test]
fn frames_are_read_whole_wherever_a_piece_ends() {
    let mut world = World::new();
    let reader = Reader::bounded(world.disk.clone(), world.acknowledged.clone());
    let outside = Reader::new(world.disk.clone());
    // Longer than a piece, and ones that lie across its end.
    for parts in [6, 1, 3, 2, 5, 1] {
        world.append_long("acme", parts);
        check(&world, &reader, 0);
    }
    check(&world, &outside, 0);
    world.rotate();
    check(&world, &Reader::new(world.disk.clone()), 0);
}

#[test]
fn a_segment_that_is_gone_or_exchanged_is_said() {
    let mut world = World::new();
    world.append("acme", 4);
    world.seal("acme", 2, false);
    world.seal("acme", 2, false);
    let reader = Reader::new(world.disk.clone());
    let paths: Vec<_> = world.holds.segments.iter().map(|segment| segment.entries.path.clone()).collect();
    let other = world.disk.store().read(&paths[1], u64::MAX).unwrap();
    world.disk.replace(&paths[0], &other).unwrap();
    let ask = || reader.entry(&tenant("acme"), 1).unwrap_err().to_string();
    insta::assert_snapshot!(ask(), @"trails/acme/segments/00000000000000000000-00000000000000000002.parquet: the file holds other entries than its name says; run `greffier verify`");
    world.disk.store().remove(&paths[0]).unwrap();
    insta::assert_snapshot!(ask(), @"trails/acme/segments/00000000000000000000-00000000000000000002.parquet: what was written there is missing or damaged; run `greffier verify`");
    // The rest of the trail is still there.
    assert_eq!(reader.entry(&tenant("acme"), 3).unwrap().unwrap().entry, world.model["acme"][3].entry);
}

#[test]
fn a_manifest_that_names_another_trails_file_is_refused() {
    let mut world = World::new();
    world.append("acme", 1);
    world.append("beta", 1);
    world.seal("acme", 1, false);
    let reader = Reader::new(world.disk.clone());
    check(&world, &reader, 0);
    let other = world.holds.segments[0].entries.clone();
    world.seal("beta", 1, false);
    world.holds.segments[1].entries = other;
    world.commit();
    let refused = reader.snapshot(&tenant("beta")).unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"manifests: the files of the entries 0 to 1 of trail `beta` have other names; run `greffier verify`");
}

#[test]
fn batches_are_made_once_and_sliced_where_the_segments_end() {
    let mut world = World::new();
    let reader = Reader::new(world.disk.clone());
    let shape = || {
        let snapshot = reader.snapshot(&tenant("acme")).unwrap();
        (snapshot.hot.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>(), snapshot.size)
    };
    assert_eq!(shape(), (vec![], 0));
    world.append("acme", 1_000);
    assert_eq!(shape(), (vec![1_000], 1_000));
    world.append("acme", 1_100);
    assert_eq!(shape(), (vec![1_024, 1_024, 52], 2_100));
    let columns = |reader: &Reader| {
        let hot = reader.snapshot(&tenant("acme")).unwrap().hot;
        hot.iter().map(|batch| Arc::as_ptr(batch.column(3)).cast::<()>()).collect::<Vec<_>>()
    };
    assert_eq!(columns(&reader), columns(&reader.clone()));
    world.seal("acme", 1_030, false);
    assert_eq!(shape(), (vec![1_018, 52], 2_100));
    check(&world, &reader, 0);
    // A reader that begins here has the same rows in other batches.
    check(&world, &Reader::new(world.disk.clone()), 0);
}

#[test]
fn everything_is_shown_trail_after_trail() {
    let mut world = World::new();
    for trail in ["zeta", "acme", "zeta"] {
        world.append(trail, 2);
    }
    world.seal("zeta", 3, false);
    let reader = Reader::new(world.disk.clone());
    let scan = |most: usize| {
        let mut seen = Vec::new();
        reader
            .scan(|found| {
                seen.push(format!("{} {}", found.tenant, found.index));
                if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .unwrap();
        seen.join(", ")
    };
    insta::assert_snapshot!(scan(100), @"acme 0, acme 1, zeta 0, zeta 1, zeta 2, zeta 3");
    assert_eq!(scan(3), "acme 0, acme 1, zeta 0");
    assert_eq!(reader.trails().unwrap(), [(tenant("acme"), 2), (tenant("zeta"), 4)]);
    assert_eq!(reader.call("req_1").unwrap().len(), 1);
    assert_eq!(reader.call("req_6").unwrap()[0].index, 3);
    assert_eq!(reader.call("req_99").unwrap(), []);
    assert_eq!(reader.find_in(&tenant("acme"), world.model["zeta"][0].id).unwrap(), None);
    assert_eq!(reader.entry(&tenant("acme"), 2).unwrap(), None);
    assert_eq!(reader.snapshot(&tenant("nobody")).unwrap().size, 0);
}

#[test]
fn a_directory_that_is_none_says_so() {
    let place = tempfile::tempdir().unwrap();
    let open = || {
        Reader::open(place.path()).unwrap_err().to_string().replace(place.path().to_str().unwrap(), "data")
    };
    insta::assert_snapshot!(open(), @"`data` is not a greffier data directory");
}
