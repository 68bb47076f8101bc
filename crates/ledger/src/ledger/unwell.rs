//! A disk that is absent, full or broken: nobody gets a receipt, and recording comes back without a restart.

use std::fs;

use super::tests::{FAST, Place};
use super::*;
use crate::AppendError;
use crate::store::sim::{Crash, Fault, Sim};
use crate::testing::plain;
use crate::verify::{VerifyOptions, verify_dir};

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_waited_for() {
    let place = Place::new();
    // A link to nowhere: neither a directory, nor can one be made under that name until its target's parent is.
    let away = place.dir.path().join("away");
    std::os::unix::fs::symlink(away.join("data"), place.data()).unwrap();
    let started = place.start();
    let (ledger, startup) = match started {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    };
    let appender = ledger.appender();
    assert!(matches!(ledger.health(), Health::NotRecording { .. }));
    let error = appender.append(plain("acme", 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::NotRecording(_)) && error.is_unavailable());
    fs::create_dir_all(away.join("data")).unwrap();
    startup.recovered.await.unwrap();
    assert_eq!(ledger.health(), Health::Recording);
    appender.append(plain("acme", 1)).await.unwrap();
    ledger.close().unwrap();
    assert!(matches!(
        appender.append(plain("acme", 2)).await,
        Err(AppendError::NotRecording(_) | AppendError::Closed)
    ));
    assert!(place.verify().is_ok());
}

/// A ledger on a simulated disk, and its appender once it records.
fn simulated(sim: &Sim) -> (Ledger, Startup) {
    let disk = Disk::new(Arc::new(sim.clone()));
    let opener = Opener {
        disk,
        keys: crate::testing::keys(),
        origin: "test.local".to_owned(),
        seal: crate::testing::seal_by_count(4),
        acknowledged: Default::default(),
        offered: Default::default(),
    };
    Ledger::run(opener, "node-1".to_owned(), FAST).unwrap()
}

async fn until_recording(appender: &Appender) {
    while appender.is_recording().is_err() {
        tokio::time::sleep(FAST).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_then_records_again_without_a_restart() {
    let sim = Sim::default();
    let (ledger, _startup) = simulated(&sim);
    let appender = ledger.appender();
    assert_eq!(appender.append(plain("acme", 0)).await.unwrap().index, 0);
    let mut index = 1;
    for round in 1..6 {
        // From now on nothing can be written any more: the log, checkpoints, new files.
        sim.plan(1, Fault::Dies);
        let error = appender.append(plain("acme", round * 10)).await.unwrap_err();
        assert!(matches!(error, AppendError::NotRecording(_)), "{error}");
        assert!(matches!(ledger.health(), Health::NotRecording { .. }));
        tokio::time::sleep(FAST * 10).await;
        assert!(appender.is_recording().is_err());
        // There is room again.
        sim.crash(Crash::Kill);
        until_recording(&appender).await;
        assert_eq!(appender.append(plain("acme", round * 10 + 1)).await.unwrap().index, index);
        index += 1;
    }
    ledger.close().unwrap();
    let dir = tempfile::tempdir().unwrap();
    sim.dump(dir.path());
    let report = verify_dir(dir.path(), &VerifyOptions::default(), |_| ()).unwrap();
    assert_eq!((report.problems, report.clean, report.trails[0].covered), (vec![], true, Some(index)));
}

#[tokio::test]
async fn a_disk_that_is_full_at_start_is_waited_for() {
    let sim = Sim::default();
    sim.plan(1, Fault::Dies);
    let (ledger, startup) = simulated(&sim);
    let appender = ledger.appender();
    assert!(matches!(appender.append(plain("acme", 0)).await, Err(AppendError::NotRecording(_))));
    // At every step of opening.
    for at in 2..30 {
        sim.plan(at, Fault::Dies);
        tokio::time::sleep(FAST).await;
    }
    sim.crash(Crash::Kill);
    startup.recovered.await.unwrap();
    until_recording(&appender).await;
    assert_eq!(appender.append(plain("acme", 1)).await.unwrap().index, 0);
    ledger.close().unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_stops_recording() {
    let sim = Sim::default();
    let (ledger, _startup) = simulated(&sim);
    let appender = ledger.appender();
    // The group is written and synced; what comes after, fails.
    sim.plan(3, Fault::Dies);
    appender.append(plain("acme", 0)).await.unwrap();
    let reason = loop {
        match appender.is_recording() {
            Ok(()) => tokio::time::sleep(FAST).await,
            Err(reason) => break reason,
        }
    };
    assert!(reason.starts_with("checkpoints cannot be written"), "{reason}");
    sim.crash(Crash::Kill);
    until_recording(&appender).await;
    assert_eq!(appender.append(plain("acme", 1)).await.unwrap().index, 1);
    ledger.close().unwrap();
}
