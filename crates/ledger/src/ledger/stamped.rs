//! Checkpoints with time stamps: which are due, what is kept, and what a check of the directory says to it.

use std::fs;

use super::tests::Place;
use super::*;
use crate::testing::plain;
use crate::timestamp::{KeepError, tests::unsigned_response};

/// Every trail that is due gets a stamp.
fn stamp(ledger: &Ledger) -> Vec<String> {
    let stamper = ledger.stamper();
    let due = stamper.due().unwrap();
    due.iter()
        .map(|due| {
            stamper.keep(due, &unsigned_response(&due.note)).unwrap();
            format!("{} {}", due.trail, due.size)
        })
        .collect()
}

#[tokio::test]
async fn a_trail_that_grew_is_stamped_and_every_stamp_is_checked() {
    let place = Place::new();
    let mut stamped = Vec::new();
    for n in 0..3 {
        // The checkpoint of the run before is there at once.
        let (ledger, startup) = place.start().unwrap();
        startup.recovered.await.unwrap();
        stamped.push(stamp(&ledger));
        assert_eq!(stamp(&ledger), Vec::<String>::new(), "nothing grew since");
        if n < 2 {
            ledger.appender().append(plain("acme", n)).await.unwrap();
        }
        // The keys move on; what was stamped before stays what it is.
        if n == 1 {
            let appender = ledger.appender();
            appender.keys().stage_rotation().unwrap();
            appender.keys().adopt(&appender.keys().staged().unwrap().unwrap()).unwrap();
        }
        ledger.close().unwrap();
    }
    insta::assert_debug_snapshot!(stamped, @r##"
    [
        [],
        [
            "acme 1",
        ],
        [
            "acme 2",
        ],
    ]
    "##);
    let report = place.verify();
    assert_eq!((report.problems, report.clean, report.timestamps), (vec![], true, 2));

    let folder = place.data().join("trails/acme/timestamps");
    let path = |name: &str| folder.join(name);
    let note = fs::read(path("1.checkpoint")).unwrap();
    let of_another = unsigned_response(&fs::read(path("2.checkpoint")).unwrap());
    for (file, bytes) in [
        ("1.tsr", of_another),
        ("1.checkpoint", note.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect()),
        ("2.checkpoint", note.clone()),
        ("2.tsr", vec![0; 7]),
    ] {
        let whole = fs::read(path(file)).unwrap();
        fs::write(path(file), bytes).unwrap();
        let report = place.verify();
        let named: Vec<_> =
            report.problems.iter().filter(|problem| problem.place.contains("/timestamps/")).collect();
        // By the manifest, and by what it says.
        assert!(named.len() >= 2, "{file}: {:?}", report.problems);
        fs::write(path(file), whole).unwrap();
    }
    fs::remove_file(path("1.checkpoint")).unwrap();
    assert!(!place.verify().is_ok());
}

#[tokio::test]
async fn a_stamp_of_anything_else_is_not_kept() {
    let place = Place::new();
    for n in 0..2 {
        let (ledger, startup) = place.start().unwrap();
        startup.recovered.await.unwrap();
        if n == 1 {
            let stamper = ledger.stamper();
            let due = stamper.due().unwrap();
            let error = stamper.keep(&due[0], &unsigned_response(b"another")).unwrap_err();
            assert!(matches!(error, KeepError::Stamp(_)), "{error}");
            assert_eq!(stamper.due().unwrap(), due);
        }
        ledger.appender().append(plain("acme", n)).await.unwrap();
        ledger.close().unwrap();
    }
    assert_eq!(place.verify().timestamps, 0);
}
