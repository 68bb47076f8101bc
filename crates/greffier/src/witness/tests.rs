use std::fs;
use std::path::Path;

use greffier_merkle::note::Signer;
use greffier_merkle::{Hash, hash, proof};

use super::*;

const NOW: u64 = 1_700_000_000;

fn log(name: &str) -> Signer {
    Signer::new(name, &[1; 32]).unwrap()
}

/// A fresh folder with a key.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Records::create(dir.path()).unwrap();
    key::create(dir.path(), "w.example").unwrap();
    dir
}

/// The witness of two logs, as the command starts it.
fn start(dir: &Path) -> anyhow::Result<Witness> {
    let key = key::open(dir)?.expect("a key");
    let (records, kept) = Records::open(dir)?;
    let logs = [log("a.example"), log("b.example")].map(|log| log.verifier().clone());
    Witness::new(key, records, kept, logs.to_vec(), NOW)
}

fn leaves(size: u64, fork: bool) -> Vec<Hash> {
    (0..size).map(|n| hash::leaf(format!("{n} {}", fork && n > 0).as_bytes())).collect()
}

/// What the log sends to get from one size to another; forked logs agree on their first leaf only.
fn body(name: &str, old: u64, new: u64, fork: bool) -> String {
    let leaves = leaves(new, fork);
    let head = Checkpoint { origin: name.to_owned(), size: new, root: hash::root(&leaves) };
    let proof = proof::consistency(old, new, &mut proof::leaf_reader(&leaves)).unwrap();
    AddCheckpoint { old, proof, checkpoint: head.sign(&log(name)).unwrap() }.to_text()
}

fn check(witness: &Witness, body: &str) -> String {
    match witness.add_checkpoint(body, || NOW + 5) {
        Ok(line) => {
            let request = AddCheckpoint::parse(body).unwrap();
            let note = SignedNote::parse(&format!("{}{line}", request.checkpoint)).unwrap();
            let said = note.statements([witness.verifier()]).unwrap();
            format!("cosigned {:?}", said[0].1)
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_log_is_followed_and_forks_are_refused_after_a_restart_too() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    let grows = [("a.example", 0, 3), ("a.example", 3, 9), ("b.example", 0, 1), ("a.example", 9, 9)];
    let mut answers = grows.map(|(name, old, new)| check(&witness, &body(name, old, new, false))).to_vec();
    answers.push(check(&witness, &body("c.example", 0, 1, false)));
    // Without a stop: what was signed was durable before.
    drop(witness);
    let witness = start(dir.path()).unwrap();
    answers.push(check(&witness, &body("a.example", 9, 12, true)));
    answers.push(check(&witness, &body("a.example", 9, 9, true)));
    answers.push(check(&witness, &body("a.example", 0, 12, true)));
    answers.push(check(&witness, &body("b.example", 1, 12, true)));
    answers.push(check(&witness, &body("a.example", 9, 12, false)));
    insta::assert_snapshot!(answers.join("\n"), @r#"
    cosigned Cosigned { time: 1700000005 }
    cosigned Cosigned { time: 1700000005 }
    cosigned Cosigned { time: 1700000005 }
    cosigned Cosigned { time: 1700000005 }
    no log of origin c.example is known here
    the new tree is not shown to contain the last one that was cosigned
    the new tree is not shown to contain the last one that was cosigned
    the proof starts from another tree: the last one cosigned has 9 leaves
    cosigned Cosigned { time: 1700000005 }
    cosigned Cosigned { time: 1700000005 }
    "#);
}

#[test]
fn monitors_see_what_was_cosigned() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    let known = origin_hash("a.example");
    assert_eq!(witness.latest(&known), None);
    witness.add_checkpoint(&body("a.example", 0, 3, false), || NOW + 5).unwrap();
    let by_log = AddCheckpoint::parse(&body("a.example", 0, 3, false)).unwrap().checkpoint;
    let line = |witness: &Witness| witness.latest(&known).unwrap().strip_prefix(&by_log).unwrap().to_owned();
    let said = |witness: &Witness| {
        let note = SignedNote::parse(&witness.latest(&known).unwrap()).unwrap();
        note.statements([witness.verifier()]).unwrap()[0].1
    };
    use greffier_merkle::note::Statement::Cosigned;
    assert!(line(&witness).starts_with("\u{2014} w.example "));
    assert_eq!(said(&witness), Cosigned { time: NOW + 5 });
    drop(witness);
    assert_eq!(said(&start(dir.path()).unwrap()), Cosigned { time: NOW });
    assert_eq!(start(dir.path()).unwrap().latest(&origin_hash("b.example")), None);
}

#[test]
fn a_stranger_s_signature_is_neither_kept_nor_shown() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    let stranger = Signer::new("stranger.example", &[7; 32]).unwrap();
    let mut request = AddCheckpoint::parse(&body("a.example", 0, 3, false)).unwrap();
    let note = SignedNote::parse(&request.checkpoint).unwrap();
    request.checkpoint += &format!("{}\n", stranger.signature(note.text()).unwrap());
    witness.add_checkpoint(&request.to_text(), || NOW).unwrap();
    assert!(!witness.latest(&origin_hash("a.example")).unwrap().contains("stranger"));
}

/// A folder in which both logs were cosigned, damaged in one way: the start that follows.
fn start_after(damage: impl FnOnce(&Path)) -> String {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    for name in ["a.example", "b.example"] {
        witness.add_checkpoint(&body(name, 0, 3, false), || NOW).unwrap();
    }
    drop(witness);
    damage(dir.path());
    match start(dir.path()) {
        Ok(witness) => format!(
            "{} logs",
            witness.logs.values().filter(|log| log.latest().unwrap().cosigned.is_some()).count()
        ),
        Err(error) => error.to_string().replace(&dir.path().display().to_string(), "DIR"),
    }
}

#[test]
fn nothing_is_forgotten_silently() {
    let record = format!("checkpoints/{}", origin_hash("a.example"));
    let [a, b] = ["a.example", "b.example"].map(|name| format!("checkpoints/{}", origin_hash(name)));
    let answers = [
        start_after(|_| {}),
        start_after(|dir| fs::write(dir.join("checkpoints/x.tmp"), "half").unwrap()),
        start_after(|dir| fs::remove_file(dir.join(&a)).unwrap()),
        start_after(|dir| fs::remove_dir_all(dir.join("checkpoints")).unwrap()),
        start_after(|dir| fs::remove_file(dir.join("origins")).unwrap()),
        start_after(|dir| assert!(fs::copy(dir.join(&a), dir.join(&b)).is_ok())),
        start_after(|dir| fs::write(dir.join(&a), "").unwrap()),
        // The list alone may be behind: its last write was cut short by a crash.
        start_after(|dir| fs::write(dir.join("origins"), "a.example\n").unwrap()),
    ];
    insta::assert_snapshot!(answers.join("\n"), @r#"
    2 logs
    2 logs
    cannot read `DIR/checkpoints/b8e7453371a024daae06f3164492c0afcde134c7747c155b3d83c20de341e855`, which says what was cosigned: entity not found
    cannot read `DIR/checkpoints`, which says what was cosigned: No such file or directory (os error 2)
    cannot read `DIR/origins`, which says what was cosigned: No such file or directory (os error 2)
    `DIR/checkpoints/e8d39256ad2eb523741a6cecf390d3a0d0048250e14424a1b5cc458de18d49d3` is damaged
    `DIR/checkpoints/b8e7453371a024daae06f3164492c0afcde134c7747c155b3d83c20de341e855` is damaged
    2 logs
    "#);

    // Any single bit.
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    witness.add_checkpoint(&body("a.example", 0, 3, false), || NOW).unwrap();
    drop(witness);
    let good = fs::read(dir.path().join(&record)).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(dir.path().join(&record), bytes).unwrap();
        assert!(start(dir.path()).is_err(), "byte {at} was flipped");
        fs::write(dir.path().join(&record), &good[..at]).unwrap();
        assert!(start(dir.path()).is_err(), "cut at {at}");
    }
    fs::write(dir.path().join(&record), &good).unwrap();
    assert!(start(dir.path()).is_ok());
}

#[test]
fn one_witness_holds_a_folder() {
    let dir = folder();
    let first = start(dir.path()).unwrap();
    let second = start(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert!(second.starts_with("another witness runs on"), "{second}");
    drop(first);
    assert!(start(dir.path()).is_ok());
    assert!(Records::create(dir.path()).is_ok(), "nothing was recorded yet");
}

/// Where the record cannot be written nothing is signed; where it may have been, nothing more until a restart.
#[test]
fn nothing_is_signed_that_is_not_kept() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    assert!(check(&witness, &body("a.example", 0, 3, false)).starts_with("cosigned"));
    let record = dir.path().join("checkpoints").join(origin_hash("a.example"));
    let unfinished = record.with_extension("tmp");
    // A folder is in the way of the new file: the old record stands.
    fs::create_dir(&unfinished).unwrap();
    let refused = check(&witness, &body("a.example", 3, 5, false));
    assert!(refused.starts_with("cannot keep a record"), "{refused}");
    fs::remove_dir(&unfinished).unwrap();
    let shown = witness.latest(&origin_hash("a.example")).unwrap();
    assert!(shown.contains("\n3\n"), "{shown}");
    assert!(check(&witness, &body("a.example", 3, 6, false)).starts_with("cosigned"));
    // A folder is in the way of the name: nobody knows what a crash would leave.
    fs::remove_file(&record).unwrap();
    fs::create_dir_all(record.join("full")).unwrap();
    let refused = check(&witness, &body("a.example", 6, 7, false));
    assert!(refused.starts_with("cannot keep a record"), "{refused}");
    insta::assert_snapshot!(check(&witness, &body("a.example", 6, 8, false)), @"an earlier record could not be kept for certain: start the witness again");
    // The other log has a record of its own.
    assert!(check(&witness, &body("b.example", 0, 2, false)).starts_with("cosigned"));
}

#[test]
fn without_a_time_nothing_is_signed() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    let refused = witness.add_checkpoint(&body("a.example", 0, 3, false), || 0).unwrap_err();
    insta::assert_snapshot!(refused, @"the clock shows no time after 1970");
}

/// Many at once, from the same size: one wins, the others are told where it is.
#[test]
fn requests_do_not_race() {
    let dir = folder();
    let witness = start(dir.path()).unwrap();
    for round in 0..8u64 {
        let old = round * 4;
        let bodies: Vec<String> = (1..=4).map(|more| body("a.example", old, old + more, false)).collect();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                bodies.iter().map(|body| scope.spawn(|| witness.add_checkpoint(body, || NOW))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<_> =
            (1..=4).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(more, _)| old + more).collect();
        let [size] = won.as_slice() else { panic!("{won:?} of round {round} were cosigned") };
        for answer in answers.into_iter().filter_map(Result::err) {
            assert!(
                matches!(answer, NotSigned::Refused(Refused::Conflict { size: told }) if told == *size),
                "{answer}"
            );
        }
        if *size < old + 4 {
            witness.add_checkpoint(&body("a.example", *size, old + 4, false), || NOW).unwrap();
        }
    }
}
