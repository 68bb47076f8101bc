//! A ledger and its witnesses, which keep to the protocol, lie, or stay away.

mod fake;

use std::fs;

use fake::{Conduct, Village};
use greffier_event::{Tenant, Timestamp};
use greffier_merkle::TrustPolicy;
use greffier_merkle::note::SignedNote;

use super::tests::{FAST, Place};
use super::*;
use crate::AppendError;
use crate::anchoring::Anchoring;
use crate::heads::Level;
use crate::pack::{Pack, PackFile, Packer, ShownParts, Vouching, ZipWriter, check_pack};
use crate::testing::{plain, seal_by_count};
use crate::verify::VerifyOptions;

/// The longest that anything takes here; a test that waits so long fails.
const LONG: Duration = Duration::from_secs(30);

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

fn start(place: &Place, village: &Village, quorum: usize) -> Result<Ledger, LedgerError> {
    start_sealing(place, village, quorum, 65_536)
}

fn start_sealing(
    place: &Place,
    village: &Village,
    quorum: usize,
    entries: u64,
) -> Result<Ledger, LedgerError> {
    let keys = Arc::new(KeyRing::open(&place.keys()).unwrap());
    village.meet(Arc::clone(&keys));
    let disk = Disk::new(Arc::new(Files::new(place.data())));
    let (origin, seal) = ("test.local".to_owned(), seal_by_count(entries));
    let opener =
        Opener { disk, keys, origin, seal, acknowledged: Default::default(), offered: Default::default() };
    let started = Ledger::run_witnessed(opener, "node-1".to_owned(), FAST, Some(village.anchor(quorum)));
    started.map(|(ledger, _)| ledger)
}

/// Appends so many events and waits until the last one is witnessed.
async fn grow(ledger: &Ledger, trail: &str, from: u64, count: u64) {
    let mut last = 0;
    for n in from..from + count {
        last = ledger.appender().append(plain(trail, n)).await.unwrap().index;
    }
    witnessed(ledger, trail, last).await;
}

async fn witnessed(ledger: &Ledger, trail: &str, index: u64) {
    let (trail, heads) = (tenant(trail), ledger.appender().heads().clone());
    let reached = tokio::time::timeout(LONG, heads.reach(&trail, index, Level::Witnessed)).await;
    reached.expect("never witnessed").unwrap();
}

/// What the ledger says once a witness caught it.
async fn caught(ledger: &Ledger) -> String {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        if let Health::NotRecording { reason } = ledger.health() {
            return reason;
        }
        tokio::time::sleep(FAST).await;
    }
    panic!("it goes on recording");
}

fn trust(place: &Place) -> TrustPolicy {
    TrustPolicy::parse(&fs::read_to_string(place.data().join("trust")).unwrap()).unwrap()
}

fn cosigned(place: &Place, trail: &str) -> String {
    fs::read_to_string(place.data().join("trails").join(trail).join("cosigned")).unwrap()
}

#[tokio::test]
async fn enough_witnesses_make_an_entry_witnessed() {
    let (place, village) = (Place::new(), Village::of(3));
    let ledger = start(&place, &village, 2).unwrap();
    for round in 0..5 {
        grow(&ledger, "acme", round * 300, 300).await;
        grow(&ledger, "zeta", 5_000 + round, 1).await;
    }
    ledger.close().unwrap();
    let policy = trust(&place);
    for (trail, size) in [("acme", 1_500), ("zeta", 5)] {
        // The last checkpoint of a clean stop is cosigned, too, and whoever has the trust policy accepts it.
        assert_eq!(policy.verify_checkpoint(&cosigned(&place, trail)).unwrap().size, size);
        let signed = fs::read_to_string(place.data().join("trails").join(trail).join("checkpoint")).unwrap();
        assert!(policy.verify_checkpoint(&signed).is_err());
    }
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    assert_eq!(village.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_witness_that_is_away_or_lies_is_done_without() {
    for conduct in [Conduct::Away, Conduct::Garbage, Conduct::Forges, Conduct::FarAhead, Conduct::Forgets] {
        let (place, village) = (Place::new(), Village::of(3));
        village.conduct(0, conduct);
        let ledger = start(&place, &village, 2).unwrap();
        for round in 0..3 {
            grow(&ledger, "acme", round * 10, 10).await;
        }
        assert_eq!(ledger.health(), Health::Recording, "{conduct:?}");
        ledger.close().unwrap();
        trust(&place).verify_checkpoint(&cosigned(&place, "acme")).unwrap();
        assert_eq!(place.verify().problems, vec![], "{conduct:?}");
    }
}

#[tokio::test]
async fn too_few_witnesses_delay_no_receipt_and_no_checkpoint() {
    let (place, village) = (Place::new(), Village::of(3));
    village.conduct(0, Conduct::Away);
    village.conduct(1, Conduct::Forges);
    let ledger = start(&place, &village, 2).unwrap();
    let (acme, heads) = (tenant("acme"), ledger.appender().heads().clone());
    for n in 0..50 {
        let receipt = ledger.appender().append(plain("acme", n)).await.unwrap();
        assert_eq!(receipt.index, n);
    }
    heads.reach(&acme, 49, Level::Integrated).await.unwrap();
    assert_eq!(heads.level(&acme, 0), Level::Integrated);
    assert!(matches!(heads.anchoring(0), Anchoring::Unanchored { .. }));
    // One comes back, and the whole trail is witnessed.
    village.conduct(0, Conduct::Honest);
    witnessed(&ledger, "acme", 49).await;
    ledger.close().unwrap();
}

#[tokio::test]
async fn a_silent_witness_holds_up_neither_the_others_nor_the_stop() {
    let (place, village) = (Place::new(), Village::of(3));
    village.conduct(0, Conduct::Silent);
    let ledger = start(&place, &village, 2).unwrap();
    grow(&ledger, "acme", 0, 10).await;
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
    village.conduct(0, Conduct::Honest);
}

#[tokio::test]
async fn what_was_witnessed_is_known_after_a_crash_and_witnesses_say_where_they_were() {
    let (place, village) = (Place::new(), Village::of(2));
    let ledger = start_sealing(&place, &village, 2, 16).unwrap();
    grow(&ledger, "acme", 0, 40).await;
    drop(ledger);
    village.conduct(0, Conduct::Away);
    village.conduct(1, Conduct::Away);
    let ledger = start_sealing(&place, &village, 2, 16).unwrap();
    assert_eq!(ledger.appender().heads().level(&tenant("acme"), 39), Level::Witnessed);
    for n in 40..80 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    village.conduct(0, Conduct::Honest);
    village.conduct(1, Conduct::Honest);
    witnessed(&ledger, "acme", 79).await;
    ledger.close().unwrap();
    assert_eq!(place.verify().problems, vec![]);
}

#[tokio::test]
async fn more_trails_than_are_asked_at_once_all_get_their_turn() {
    let (place, village) = (Place::new(), Village::of(2));
    let ledger = start(&place, &village, 2).unwrap();
    let names: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    for (n, name) in (0..).zip(&names) {
        ledger.appender().append(plain(name, n)).await.unwrap();
    }
    for name in &names {
        witnessed(&ledger, name, 0).await;
    }
    assert!(village.most_at_once() <= 16);
    ledger.close().unwrap();
}

/// A copy of the data folder, as a backup would be.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    for (name, bytes) in crate::testing::files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Puts yesterday's copy in place of today's data, while the witnesses are as they are.
async fn restored(village: &Village, entries: u64) -> Place {
    let place = Place::new();
    let ledger = start(&place, village, 2).unwrap();
    grow(&ledger, "acme", 0, 10).await;
    ledger.close().unwrap();
    let backup = place.dir.path().join("backup");
    copy(&place.data(), &backup);
    let ledger = start_sealing(&place, village, 2, entries).unwrap();
    grow(&ledger, "acme", 10, 10).await;
    ledger.close().unwrap();
    fs::remove_dir_all(place.data()).unwrap();
    copy(&backup, &place.data());
    place
}

#[tokio::test]
async fn a_restored_backup_is_refused_before_it_signs() {
    for (monitoring, entries) in [(true, 65_536), (false, 65_536), (true, 8)] {
        let village = Village::of(2);
        village.serves_monitoring(monitoring);
        let place = restored(&village, entries).await;
        let before = crate::testing::files(&place.data());
        let error = start(&place, &village, 2).unwrap_err();
        assert!(matches!(error, LedgerError::Forked { .. }), "{error}");
        // Nothing was signed, and nothing else was changed.
        assert_eq!(crate::testing::files(&place.data()), before);
        if monitoring && entries == 8 {
            insta::assert_snapshot!(error, @"witness `w0` has cosigned 20 entries of trail `acme`, and here are 10: this data is a restored backup, or another node signs under this origin; nothing was signed. Stop the other node, or bring back the newest copy of the data; to go on from this one, give the node a new `origin`");
        }
    }
}

#[tokio::test]
async fn an_emptied_directory_is_refused() {
    let village = Village::of(1);
    let place = Place::new();
    let ledger = start(&place, &village, 1).unwrap();
    grow(&ledger, Tenant::NODE, 0, 1).await;
    ledger.close().unwrap();
    fs::remove_dir_all(place.data()).unwrap();
    let error = start(&place, &village, 1).unwrap_err().to_string();
    assert!(
        error.starts_with("witness `w0` has cosigned 1 entries of trail `greffier`, and here are 0"),
        "{error}"
    );
}

#[tokio::test]
async fn another_history_of_the_same_length_is_refused() {
    for monitoring in [true, false] {
        let village = Village::of(2);
        village.serves_monitoring(monitoring);
        let place = restored(&village, 65_536).await;
        // Without its witnesses it starts, and grows to where it was, with other entries.
        village.conduct(0, Conduct::Away);
        village.conduct(1, Conduct::Away);
        let ledger = start(&place, &village, 2).unwrap();
        for n in 100..115 {
            ledger.appender().append(plain("acme", n)).await.unwrap();
        }
        ledger.close().unwrap();
        village.conduct(1, Conduct::Honest);
        let error = start(&place, &village, 2).map(drop).unwrap_err();
        assert!(error.to_string().contains("`w1` has cosigned another history of trail `acme`"), "{error}");
    }
}

#[tokio::test]
async fn a_witness_that_comes_back_and_is_ahead_stops_the_node() {
    for more in [1, 15] {
        let village = Village::of(2);
        let place = restored(&village, 65_536).await;
        village.conduct(0, Conduct::Away);
        village.conduct(1, Conduct::Away);
        let ledger = start(&place, &village, 2).unwrap();
        for n in 100..100 + more {
            ledger.appender().append(plain("acme", n)).await.unwrap();
        }
        let heads = ledger.appender().heads().clone();
        heads.reach(&tenant("acme"), 9 + more, Level::Integrated).await.unwrap();
        village.conduct(1, Conduct::Honest);
        let reason = caught(&ledger).await;
        assert!(reason.starts_with("witness `w1` has cosigned"), "{reason}");
        let refused = ledger.appender().append(plain("acme", 200)).await;
        assert!(matches!(refused, Err(AppendError::NotRecording(_))));
        // Nothing is signed any more, not even at the stop.
        let before = fs::read(place.data().join("trails/acme/checkpoint")).unwrap();
        assert!(matches!(ledger.close(), Err(LedgerError::NotClean(_))));
        assert_eq!(fs::read(place.data().join("trails/acme/checkpoint")).unwrap(), before);
    }
}

#[tokio::test]
async fn a_cosigned_checkpoint_that_is_not_ours_makes_way() {
    let (place, village) = (Place::new(), Village::of(1));
    let ledger = start(&place, &village, 1).unwrap();
    grow(&ledger, "acme", 0, 3).await;
    ledger.close().unwrap();
    let path = place.data().join("trails/acme/cosigned");
    let good = fs::read(&path).unwrap();
    fs::write(&path, "nonsense").unwrap();
    assert!(!place.verify().is_ok());
    let ledger = start(&place, &village, 1).unwrap();
    witnessed(&ledger, "acme", 2).await;
    ledger.close().unwrap();
    assert_ne!(fs::read(&path).unwrap(), b"nonsense");
    // Every flip in it is found after a clean stop.
    let clean = fs::read(&path).unwrap();
    assert_eq!(clean.len(), good.len());
    for at in 0..clean.len() {
        let mut bytes = clean.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(!place.verify().is_ok(), "byte {at}");
    }
    fs::remove_file(&path).unwrap();
    assert!(!place.verify().is_ok());
}

#[tokio::test]
async fn a_proof_is_made_against_what_was_witnessed() {
    let (place, village) = (Place::new(), Village::of(2));
    let ledger = start(&place, &village, 2).unwrap();
    grow(&ledger, "acme", 0, 300).await;
    village.conduct(0, Conduct::Away);
    for n in 300..600 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    let heads = ledger.appender().heads().clone();
    heads.reach(&tenant("acme"), 599, Level::Integrated).await.unwrap();
    drop(ledger);
    let (reader, policy) = (Reader::open(&place.data()).unwrap(), trust(&place));
    let leaf = |proof: &greffier_merkle::TlogProof| {
        crate::Disclosure::from_bytes(proof.extra.as_deref().unwrap()).unwrap().leaf_hash()
    };
    let proof = reader.prove(&tenant("acme"), 299, None).unwrap();
    assert_eq!(proof.verify(&leaf(&proof), &policy).unwrap().size, 300);
    // Later entries are signed for, and no witness says so.
    let proof = reader.prove(&tenant("acme"), 300, None).unwrap();
    assert!(proof.verify(&leaf(&proof), &policy).is_err());
    assert!(reader.prove_at(&tenant("acme"), 300, None, Level::Witnessed).is_err());
    let proof = reader.prove_at(&tenant("acme"), 299, None, Level::Integrated).unwrap();
    assert!(proof.checkpoint.contains("\n600\n"));
}

#[test]
fn a_quorum_must_be_possible() {
    for (count, quorum) in [(0, 0), (0, 1), (2, 0), (2, 3), (33, 1)] {
        let error = start(&Place::new(), &Village::of(count), quorum).unwrap_err();
        assert!(matches!(error, LedgerError::Quorum { .. }), "{error}");
    }
}

/// What the files say to whoever has nothing else, and what a pack of them says.
#[tokio::test]
async fn files_and_packs_say_whether_anybody_independent_speaks_for_them() {
    let (place, village) = (Place::new(), Village::of(3));
    village.conduct(2, Conduct::Away);
    let ledger = start(&place, &village, 2).unwrap();
    grow(&ledger, "acme", 0, 10).await;
    grow(&ledger, Tenant::NODE, 100, 1).await;
    ledger.close().unwrap();
    let (policy, reader) = (trust(&place), crate::Reader::open(&place.data()).unwrap());
    let three =
        TrustPolicy::parse(&policy.to_string().replace("quorum-of-witnesses 2", "quorum-of-witnesses 3"));
    let (three, nobody) = (three.unwrap(), TrustPolicy::of_log(policy.logs()[0].verifier.clone()).unwrap());
    let now = crate::anchor::unix_now();
    let long = Duration::from_secs(600);
    let files = |trust, now| reader.anchoring(trust, now, long).unwrap();
    for trust in [None, Some(&policy)] {
        assert!(matches!(files(trust, now), Anchoring::Anchored { age } if age <= LONG.as_secs()));
        let Anchoring::Unanchored { reason } = files(trust, now + 10_000) else { panic!() };
        assert!(reason.starts_with("the newest cosignatures are 10"), "{reason}");
    }
    let told = [files(Some(&three), now), files(Some(&nobody), now)].map(|told| told.to_string());
    insta::assert_snapshot!(told.join("\n"), @r"
    UNANCHORED: as many witnesses as the policy asks for have not cosigned yet
    UNANCHORED: no witness is configured
    ");
    // A trail that outgrew its cosignatures waits, whatever the node's own trail has.
    fs::remove_file(place.data().join("trails/acme/cosigned")).unwrap();
    insta::assert_snapshot!(files(None, now), @"UNANCHORED: 1 trails wait for cosignatures for more than 600 s");

    let mut packer = Packer::begin(&reader, &tenant("acme"), None, ShownParts::None).unwrap();
    packer.fill(3, true, None).unwrap();
    let bare = packer.finish("", Timestamp::from_micros(0), None).unwrap().0;
    let mut packer = Packer::begin(&reader, &Tenant::node(), None, ShownParts::None).unwrap();
    packer.fill(1, true, None).unwrap();
    let cosigned = packer.finish("", Timestamp::from_micros(0), None).unwrap().0;
    let check = |files: &[PackFile], trust: Option<&TrustPolicy>, require_witnessed| {
        let options = VerifyOptions { trust: trust.cloned(), require_witnessed, ..VerifyOptions::default() };
        let mut zip = ZipWriter::default();
        let files = files.iter().map(|file| zip.file(&file.name, &file.content).unwrap());
        let mut archive = files.collect::<Vec<_>>().concat();
        archive.extend(zip.finish().unwrap());
        let report = check_pack(&mut Pack::from_bytes(archive).unwrap(), &options).unwrap();
        let who = match &report.vouching {
            Vouching::Cosigned(time) => format!("cosigned {}", *time <= now),
            Vouching::Unanchored(reason) => reason.clone(),
        };
        let problem =
            report.problems.first().map(|problem| format!("; {}", problem.what)).unwrap_or_default();
        format!("anchored {}, {who}{problem}", report.anchored)
    };
    insta::assert_snapshot!([
        check(&cosigned, Some(&policy), true),
        check(&cosigned, None, true),
        check(&cosigned, Some(&three), false),
        check(&cosigned, Some(&three), true),
        check(&bare, Some(&policy), false),
        check(&bare, Some(&policy), true),
        check(&bare, Some(&nobody), false),
        check(&bare, Some(&nobody), true),
    ].join("\n"), @r"
    anchored true, cosigned true
    anchored false, cosigned true
    anchored false, fewer witnesses cosigned it than the trust policy asks for
    anchored false, fewer witnesses cosigned it than the trust policy asks for; the checkpoint is not witnessed: fewer witnesses cosigned it than the trust policy asks for
    anchored false, fewer witnesses cosigned it than the trust policy asks for
    anchored false, fewer witnesses cosigned it than the trust policy asks for; the checkpoint is not witnessed: fewer witnesses cosigned it than the trust policy asks for
    anchored true, the trust policy asks for no witnesses
    anchored true, the trust policy asks for no witnesses; the checkpoint is not witnessed: the trust policy asks for no witnesses
    ");
}

#[tokio::test]
async fn a_checkpoint_that_is_signed_anew_is_known_to_whoever_asks_witnesses() {
    let (place, village) = (Place::new(), Village::of(1));
    let ledger = start(&place, &village, 1).unwrap();
    grow(&ledger, "acme", 0, 3).await;
    let appender = ledger.appender();
    appender.keys().stage_rotation().unwrap();
    let change = appender.keys().staged().unwrap().unwrap();
    appender.keys().adopt(&change).unwrap();
    // The other trail grows: with its checkpoint all are signed by both keys.
    let index = appender.append(plain("zeta", 50)).await.unwrap().index;
    appender.heads().reach(&tenant("zeta"), index, Level::Integrated).await.unwrap();
    let (size, _, note) = appender.heads().newest("acme").unwrap();
    let on_disk = fs::read_to_string(place.data().join("trails/acme/checkpoint")).unwrap();
    assert_eq!((size, &*note), (3, on_disk.as_str()));
    assert_eq!(SignedNote::parse(&note).unwrap().signatures().len(), 2);
    drop(appender);
    ledger.close().unwrap();
}
