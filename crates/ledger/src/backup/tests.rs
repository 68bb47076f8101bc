use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::ledger::tests::Place;
use crate::read::Reader;
use crate::testing::{files, plain, seal_by_count};
use crate::verify::{VerifyOptions, verify_dir};

/// Copies, and checks that the copy verifies by itself and against what the source is trusted for.
fn check(place: &Place, to: &Path, earlier: Option<&Path>) -> Copied {
    fs::create_dir(to).unwrap();
    let copied = copy_data(&place.data(), to, earlier, |_| ()).unwrap();
    assert_eq!(copied.files, files(to).len() as u64);
    let options = VerifyOptions { keys_dir: Some(place.keys()), ..VerifyOptions::default() };
    let report = verify_dir(to, &options, |_| ()).unwrap();
    assert_eq!(report.problems, vec![]);
    copied
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_taken_while_writers_write_hold_all_that_was_acknowledged() {
    let place = Place::new();
    // Segments of eight: sealing, merging and the removal of log files go on all the time.
    let (ledger, startup) = place.start_with(seal_by_count(8)).unwrap();
    startup.recovered.await.unwrap();
    ledger.appender().append(plain("acme", 0)).await.unwrap();
    let acknowledged = std::sync::Arc::new(AtomicU64::new(1));
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (appender, acknowledged, stop) = (ledger.appender(), acknowledged.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                let n = acknowledged.load(Ordering::Relaxed);
                appender.append(plain("acme", n)).await.unwrap();
                acknowledged.store(n + 1, Ordering::Release);
            }
        }
    });
    let mut earlier = None;
    for round in 0..12 {
        let before = acknowledged.load(Ordering::Acquire);
        let to = place.dir.path().join(format!("copy-{round}"));
        let copied = tokio::task::block_in_place(|| check(&place, &to, earlier.as_deref()));
        let reader = Reader::open(&to).unwrap();
        let mut ids = Vec::new();
        let all = reader.scan(|found| {
            assert_eq!(found.index, ids.len() as u64);
            ids.push(found.event().unwrap().id);
            std::ops::ControlFlow::Continue(())
        });
        all.unwrap();
        let acknowledged: Vec<_> = (0..before).map(|n| plain("acme", n).event.id).collect();
        assert_eq!(ids.get(..before as usize), Some(acknowledged.as_slice()));
        assert_eq!(copied.linked > 0, round > 0, "round {round}: {copied:?}");
        earlier = Some(to);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    ledger.close().unwrap();
    // The last copy goes on where it stands.
    fs::remove_dir_all(place.data()).unwrap();
    let to = place.data();
    fs::create_dir(&to).unwrap();
    restore_data(earlier.as_deref().unwrap(), &to, |_| ()).unwrap();
    let (ledger, startup) = place.start_with(seal_by_count(8)).unwrap();
    assert!(startup.recovered.await.unwrap().unclean);
    ledger.appender().append(plain("acme", 1_000_000)).await.unwrap();
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
}

/// A stopped ledger with segments and a key that moved on.
async fn stopped() -> Place {
    let place = Place::new();
    let (ledger, startup) = place.start_with(seal_by_count(4)).unwrap();
    startup.recovered.await.unwrap();
    for n in 0..300 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    let keys = ledger.appender();
    keys.keys().stage_rotation().unwrap();
    keys.keys().adopt(&keys.keys().staged().unwrap().unwrap()).unwrap();
    ledger.appender().append(plain("acme", 300)).await.unwrap();
    ledger.close().unwrap();
    place
}

#[tokio::test]
async fn a_copy_of_a_clean_stop_is_the_same_and_shares_what_never_changes() {
    let place = stopped().await;
    let [one, two, three] = ["one", "two", "three"].map(|name| place.dir.path().join(name));
    assert_eq!(check(&place, &one, None).linked, 0);
    assert_eq!(files(&one), files(&place.data()));
    let linked = check(&place, &two, Some(&one)).linked;
    assert_eq!(files(&two), files(&place.data()));
    let shared = files(&one).into_keys().filter(|path| fs::metadata(two.join(path)).unwrap().nlink() == 2);
    assert_eq!(shared.count() as u64, linked);
    // The copy's own files change later without the earlier copy's: nothing was written through a link.
    fs::create_dir(&three).unwrap();
    restore_data(&two, &three, |_| ()).unwrap();
    assert_eq!(files(&three), files(&one));
    assert!(files(&three).keys().all(|path| fs::metadata(three.join(path)).unwrap().nlink() == 1));
}

#[tokio::test]
async fn a_source_that_is_not_whole_gives_no_copy() {
    let place = stopped().await;
    let whole = files(&place.data());
    let to = place.dir.path().join("copy");
    let mut told = Vec::new();
    let segment = whole.keys().find(|path| path.contains("/segments/")).unwrap();
    for path in [segment.as_str(), "trails/acme/tile/0/000", "trails/acme/checkpoint"] {
        let file = place.data().join(path);
        let mut flipped = whole[path].clone();
        flipped[10] ^= 1;
        flipped.truncate(if path.contains("/tile/") { 10 } else { flipped.len() });
        fs::write(&file, flipped).unwrap();
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).unwrap();
        told.push(copy_data(&place.data(), &to, None, |_| ()).map(|_| ()).map_err(|error| error.to_string()));
        fs::write(&file, &whole[path]).unwrap();
    }
    told.push(
        copy_data(&to.join("nothing"), &to, None, |_| ()).map(|_| ()).map_err(|_| "refused".to_owned()),
    );
    insta::assert_debug_snapshot!(told, @r##"
    [
        Err(
            "`trails/acme/segments/00000000000000000000-00000000000000000004.parquet` is damaged: it is not the file that was signed; run `greffier verify`",
        ),
        Err(
            "`trails/acme/tile/0/000` is missing; run `greffier verify`",
        ),
        Ok(
            (),
        ),
        Err(
            "refused",
        ),
    ]
    "##);
}

#[test]
fn keys_are_copied_for_their_owner_and_only_if_they_open() {
    let dir = tempfile::tempdir().unwrap();
    let [keys, to, again] = ["keys", "to", "again"].map(|name| dir.path().join(name));
    let ring = KeyRing::create(&keys).unwrap();
    ring.ensure_holder_key("ref:a").unwrap();
    ring.stage_rotation().unwrap();
    for to in [&to, &again] {
        fs::create_dir(to).unwrap();
    }
    copy_keys(&keys, &to).unwrap();
    assert_eq!(files(&to), files(&keys));
    assert!(files(&to).keys().all(|path| fs::metadata(to.join(path)).unwrap().mode() & 0o777 == 0o600));
    fs::write(keys.join("master.key"), "no key").unwrap();
    assert!(copy_keys(&keys, &again).is_err());
    assert!(files(&again).is_empty());
}
