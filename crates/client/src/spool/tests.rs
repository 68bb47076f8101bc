use proptest::prelude::*;

use super::*;

fn add(spool: &mut Spool, line: &str) -> bool {
    let mut framed = room();
    framed.extend_from_slice(line.as_bytes());
    spool.add(&mut framed).unwrap()
}

fn open(dir: &Path, producer: &str) -> (Spool, Reader, u64) {
    Spool::open(&SpoolOptions::new(dir), producer).unwrap()
}

/// Everything that can be read, so many lines at a time, each batch taken by the backend.
fn drain(spool: &mut Spool, reader: &mut Reader, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(batch) = reader.next(spool.end(), most).unwrap() {
        assert!(batch.lines().len() <= most);
        lines.extend(batch.lines().into_iter().map(str::to_owned));
        reader.sent(&batch).unwrap();
        spool.sent(batch.bytes);
    }
    lines
}

#[test]
fn what_was_added_is_read_in_order_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, mut reader, left) = open(dir.path(), "p1");
    assert_eq!(left, 0);
    let lines: Vec<String> = (0..50).map(|number| format!("{number}")).collect();
    assert!(lines.iter().all(|line| add(&mut spool, line)));
    assert_eq!(drain(&mut spool, &mut reader, 7), lines);
    assert_eq!(spool.bytes(), 0);
    reader.close(spool.end()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn files_are_removed_once_they_were_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, mut reader, _) = open(dir.path(), "p1");
    // Three lines of 3 MiB: two to a file, and each longer than what is read at one time.
    let line = "x".repeat(3 << 20);
    assert!((0..3).all(|_| add(&mut spool, &line)));
    let files = || fs::read_dir(dir.path().join("p1")).unwrap().count();
    assert_eq!(files(), 2 + 2);
    assert_eq!(drain(&mut spool, &mut reader, 100).len(), 3);
    assert_eq!(files(), 2 + 1);
}

#[test]
fn a_full_spool_takes_nothing_and_takes_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions::new(dir.path()).max_bytes(30);
    let (mut spool, mut reader, _) = Spool::open(&options, "p1").unwrap();
    assert!(add(&mut spool, "1234567890"));
    assert!(!add(&mut spool, "1234567890"));
    assert_eq!(drain(&mut spool, &mut reader, 1), ["1234567890"]);
    assert!(add(&mut spool, "abc"));
    assert_eq!(drain(&mut spool, &mut reader, 1), ["abc"]);
}

#[test]
fn what_others_left_goes_first_and_what_lives_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dead, mut dead_reader, _) = open(dir.path(), "p1");
    let (mut alive, _alive_reader, _) = open(dir.path(), "p2");
    for line in ["a", "b", "c"] {
        assert!(add(&mut dead, line));
    }
    assert!(add(&mut alive, "not yours"));
    // One was sent before it died.
    let batch = dead_reader.next(dead.end(), 1).unwrap().unwrap();
    dead_reader.sent(&batch).unwrap();
    drop((dead, dead_reader));
    let (mut spool, mut reader, left) = open(dir.path(), "p3");
    assert_eq!(left, 2);
    assert!(add(&mut spool, "d"));
    assert_eq!(drain(&mut spool, &mut reader, 10), ["b", "c", "d"]);
    assert!(!dir.path().join("p1").exists() && dir.path().join("p2").exists());
}

#[test]
fn damage_is_kept_for_people_and_the_rest_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader, _) = open(dir.path(), "p1");
    let line = "x".repeat(5 << 20);
    for line in ["a", &line, &line, "z"] {
        assert!(add(&mut spool, line));
    }
    drop((spool, reader));
    let first = dir.path().join("p1").join(format!("{:020}.frames", 0));
    let mut bytes = fs::read(&first).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&first, bytes).unwrap();
    let (mut spool, mut reader, _) = open(dir.path(), "p2");
    let lengths: Vec<usize> = drain(&mut spool, &mut reader, 10).iter().map(String::len).collect();
    assert_eq!(lengths, [1, 5 << 20, 1]);
    assert_eq!(reader.damaged, 1);
    assert!(first.with_extension("damaged").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A spool cut at any byte gives every whole line before the cut, and goes on behind it.
    #[test]
    fn cut_at_any_byte(lines in prop::collection::vec("\\PC{1,30}", 1..12), cut in 0.0..=1.0, most in 1_usize..5) {
        let dir = tempfile::tempdir().unwrap();
        let (mut spool, reader, _) = open(dir.path(), "p1");
        let mut ends = Vec::new();
        for line in &lines {
            add(&mut spool, line);
            ends.push(spool.bytes());
        }
        drop((spool, reader));
        let file = dir.path().join("p1").join(format!("{:020}.frames", 0));
        let bytes = fs::read(&file).unwrap();
        let kept = (bytes.len() as f64 * cut) as usize;
        fs::write(&file, &bytes[..kept]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= kept as u64).count();
        let (mut spool, mut reader, left) = open(dir.path(), "p2");
        prop_assert_eq!(left, whole as u64);
        add(&mut spool, "behind");
        let mut expected = lines[..whole].to_vec();
        expected.push("behind".to_owned());
        prop_assert_eq!(drain(&mut spool, &mut reader, most), expected);
        prop_assert_eq!(reader.damaged, 0);
    }
}
