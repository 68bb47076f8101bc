use super::*;

const POLICY: SealPolicy = SealPolicy { entries: 4, age: Duration::from_secs(60), wal_bytes: 1_000 };

fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

/// Entries of a trail in a file, ten bytes each, recorded one a second from the second of their index on.
fn commit(backlog: &mut Backlog, file: u64, trail: &str, indexes: std::ops::Range<u64>) {
    for index in indexes {
        backlog.committed(file, trail, index..index + 1, 10, at(index as i64));
    }
}

fn due(backlog: &Backlog, now: i64) -> Option<(String, u64, u64, Vec<u64>)> {
    backlog.due(at(now), &POLICY).map(|due| (due.trail, due.first, due.end, due.files))
}

#[test]
fn a_full_block_is_due_once_it_is_signed_for() {
    let mut backlog = Backlog::default();
    commit(&mut backlog, 1, "acme", 0..3);
    commit(&mut backlog, 2, "acme", 3..9);
    assert_eq!(due(&backlog, 9), None);
    backlog.signed("acme", 3);
    assert_eq!(due(&backlog, 9), None);
    backlog.signed("acme", 9);
    assert_eq!(due(&backlog, 9), Some(("acme".to_owned(), 0, 4, vec![1, 2])));
    backlog.sealed("acme", 4, at(3));
    assert_eq!(due(&backlog, 9), Some(("acme".to_owned(), 4, 8, vec![2])));
    backlog.sealed("acme", 8, at(7));
    assert_eq!(due(&backlog, 9), None);
}

#[test]
fn an_old_entry_takes_all_that_is_signed_with_it() {
    let mut backlog = Backlog::default();
    commit(&mut backlog, 1, "acme", 0..2);
    backlog.signed("acme", 2);
    assert_eq!(due(&backlog, 59), None);
    assert_eq!(due(&backlog, 60), Some(("acme".to_owned(), 0, 2, vec![1])));
    // What is recorded after a seal has its own age, although the file is the same.
    backlog.sealed("acme", 2, at(1));
    backlog.committed(1, "acme", 2..3, 10, at(100));
    backlog.signed("acme", 3);
    assert_eq!(due(&backlog, 159), None);
    assert_eq!(due(&backlog, 160), Some(("acme".to_owned(), 2, 3, vec![1])));
}

#[test]
fn a_large_log_gives_up_its_oldest_trail() {
    let mut backlog = Backlog::default();
    backlog.committed(1, "old", 0..1, 400, at(5));
    backlog.committed(1, "young", 0..1, 400, at(9));
    backlog.signed("old", 1);
    backlog.signed("young", 1);
    assert_eq!(due(&backlog, 10), None);
    backlog.committed(2, "young", 1..2, 400, at(10));
    assert_eq!(due(&backlog, 10), Some(("old".to_owned(), 0, 1, vec![1])));
    backlog.sealed("old", 1, at(5));
    // The file stays as long as anybody has entries in it, and so does the pressure.
    assert_eq!(due(&backlog, 10), Some(("young".to_owned(), 0, 1, vec![1])));
}

#[test]
fn files_are_spent_in_order_and_never_the_newest() {
    let mut backlog = Backlog::default();
    commit(&mut backlog, 1, "acme", 0..4);
    commit(&mut backlog, 2, "zeta", 0..1);
    commit(&mut backlog, 3, "acme", 4..8);
    commit(&mut backlog, 5, "acme", 8..9);
    assert_eq!(backlog.spent_with("acme", 3), Vec::<u64>::new());
    assert_eq!(backlog.spent_with("acme", 4), [1]);
    assert_eq!(backlog.spent_with("acme", 9), [1]);
    backlog.sealed("zeta", 1, at(0));
    assert_eq!(backlog.spent_with("acme", 9), [1, 2, 3]);
    backlog.forget(4);
    assert_eq!(backlog.log_bytes(), 10);
}
