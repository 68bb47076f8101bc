use std::fs;

use greffier_event::Tenant;
use tempfile::TempDir;

use super::*;
use crate::read::Reader;
use crate::testing::{draft, event, files, plain, seal_by_count};
use crate::verify::{VerifyOptions, verify_dir};

pub(crate) const FAST: Duration = Duration::from_millis(5);

/// A data directory and a keys folder beside it.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        KeyRing::create(&place.keys()).unwrap();
        place
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    pub(crate) fn start(&self) -> Result<(Ledger, Startup), LedgerError> {
        self.start_at(&self.data(), seal_by_count(65_536))
    }

    pub(crate) fn start_with(&self, seal: SealPolicy) -> Result<(Ledger, Startup), LedgerError> {
        self.start_at(&self.data(), seal)
    }

    fn start_at(&self, data: &Path, seal: SealPolicy) -> Result<(Ledger, Startup), LedgerError> {
        check_separate(data, &self.keys())?;
        let keys = Arc::new(KeyRing::open(&self.keys())?);
        let disk = Disk::new(Arc::new(Files::new(data)));
        Ledger::run(
            Opener {
                disk,
                keys,
                origin: "test.local".to_owned(),
                seal,
                acknowledged: Default::default(),
                offered: Default::default(),
            },
            "node-1".to_owned(),
            FAST,
        )
    }

    pub(crate) fn verify(&self) -> crate::verify::Report {
        let options = VerifyOptions { trust: None, keys_dir: Some(self.keys()), ..VerifyOptions::default() };
        verify_dir(&self.data(), &options, |_| ()).unwrap()
    }
}

#[tokio::test]
async fn a_receipt_names_the_entry_at_its_index_after_a_restart() {
    let place = Place::new();
    let (ledger, startup) = place.start().unwrap();
    assert_eq!(startup.recovered.await.unwrap(), Recovered::default());
    let appender = ledger.appender();
    let mut receipts = Vec::new();
    for n in 0..20 {
        receipts.push(appender.append(plain(if n % 3 == 0 { "acme" } else { "zeta" }, n)).await.unwrap());
    }
    drop(ledger);
    let (ledger, startup) = place.start().unwrap();
    let recovered = startup.recovered.await.unwrap();
    assert!(recovered.unclean);
    assert_eq!(recovered.repairs, Vec::<String>::new());
    let reader = Reader::open(&place.data()).unwrap();
    for (n, receipt) in (0..).zip(&receipts) {
        let found = reader.find(plain("acme", n).event.id).unwrap().unwrap();
        assert_eq!((found.tenant.as_str(), found.index), (receipt.trail.as_str(), receipt.index));
        assert_eq!(found.leaf_hash(), receipt.leaf_hash);
        let parts = found.open_parts(&KeyRing::open(&place.keys()).unwrap()).unwrap();
        assert_eq!(parts[0].content, b"what is on record?");
    }
    let next = ledger.appender().append(plain("acme", 100)).await.unwrap();
    assert_eq!(next.index, 7);
    ledger.close().unwrap();
    let report = place.verify();
    assert_eq!((report.problems, report.clean, report.parts_opened), (vec![], true, 21));
}

#[tokio::test]
async fn many_producers_share_groups_and_nobody_shares_an_index() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..600 {
        let appender = ledger.appender();
        tasks.spawn(async move { appender.append(plain("acme", n)).await.unwrap().index });
    }
    let mut indexes = tasks.join_all().await;
    indexes.sort_unstable();
    assert_eq!(indexes, (0..600).collect::<Vec<u64>>());
    ledger.close().unwrap();
    let report = place.verify();
    assert_eq!((report.problems, report.trails[0].covered), (vec![], Some(600)));
    let names: Vec<_> = files(&place.data()).into_keys().filter(|name| name.contains("/tile/")).collect();
    insta::assert_debug_snapshot!(names.iter().filter(|name| !name.contains(".p/")).collect::<Vec<_>>(), @r##"
[
    "trails/acme/tile/0/000",
    "trails/acme/tile/0/001",
]
"##);
    // Partials of full tiles are gone; those of this size are there.
    assert!(names.iter().all(|name| !name.contains("/0/000.p/") && !name.contains("/0/001.p/")));
    assert!(names.contains(&"trails/acme/tile/0/002.p/88".to_owned()));
}

#[tokio::test]
async fn decisions_without_an_outcome_are_handed_over() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    let appender = ledger.appender();
    let events = [
        ("acme", "action.approved", "closed"),
        ("acme", "action.approved", "open"),
        ("acme", "action.executed", "closed"),
        ("zeta", "action.executed", "open"),
        ("acme", "action.approved", "failed"),
        ("acme", "action.failed", "failed"),
        ("zeta", "action.approved", "also open"),
    ];
    for (n, (tenant, kind, request)) in (0..).zip(events) {
        appender.append(draft(event(tenant, n, kind, request), &[])).await.unwrap();
    }
    drop(ledger);
    let (ledger, startup) = place.start().unwrap();
    let open: Vec<_> = startup.recovered.await.unwrap().open_decisions;
    let open: Vec<_> =
        open.iter().map(|event| (event.tenant.as_str(), event.request_id.as_deref().unwrap())).collect();
    assert_eq!(open, [("acme", "open"), ("zeta", "also open")]);
    drop(ledger);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_said() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    ledger.appender().append(plain("acme", 1)).await.unwrap();
    drop(ledger);
    let path = place.data().join(wal::path(1));
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[7; 100]);
    fs::write(&path, &bytes).unwrap();
    let report = place.verify();
    assert!(report.is_ok() && !report.clean);
    insta::assert_debug_snapshot!(report.torn_tails.len(), @"1");
    let (ledger, startup) = place.start().unwrap();
    let repairs = startup.recovered.await.unwrap().repairs;
    assert_eq!(repairs.len(), 1);
    assert!(repairs[0].contains("torn tail of 100 bytes"), "{repairs:?}");
    drop(ledger);
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len() - 100);
}

/// Changes a crashed directory and says what the next start makes of it.
async fn refused(change: impl FnOnce(&Place)) -> String {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    for n in 0..3 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    tokio::time::sleep(FAST * 20).await;
    drop(ledger);
    let (ledger, _startup) = place.start().unwrap();
    drop(ledger);
    change(&place);
    match place.start() {
        Ok(_) => "started".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_no_crash_explains_is_refused() {
    let wal = |place: &Place, sequence| place.data().join(wal::path(sequence));
    let mut said = vec![refused(|_| ()).await];
    said.push(refused(|place| flip(&wal(place, 1), 100)).await);
    said.push(refused(|place| flip(&wal(place, 2), 20)).await);
    said.push(refused(|place| fs::remove_file(wal(place, 1)).unwrap()).await);
    said.push(refused(|place| fs::remove_dir_all(place.data().join("manifests")).unwrap()).await);
    said.push(refused(|place| fs::remove_file(place.data().join("trails/acme/checkpoint")).unwrap()).await);
    said.push(refused(|place| fs::remove_dir_all(place.data().join("wal")).unwrap()).await);
    said.push(
        refused(|place| {
            fs::remove_dir_all(place.keys()).unwrap();
            KeyRing::create(&place.keys()).unwrap();
        })
        .await,
    );
    insta::assert_debug_snapshot!(said, @r##"
[
    "started",
    "the log is corrupt at wal/00000000000000000001.wal, byte 32: the frame is damaged, and it was acknowledged; nothing was changed, restore it from a copy",
    "the log is corrupt at wal/00000000000000000002.wal, byte 0: the header's checksum is wrong; nothing was changed, restore it from a copy",
    "wal/00000000000000000001.wal: the file is missing; nothing was changed, run `greffier verify`",
    "manifests: the manifest is missing, but there is data; nothing was changed, run `greffier verify`",
    "trails/acme/checkpoint: the checkpoint is missing; nothing was changed, run `greffier verify`",
    "wal/00000000000000000001.wal: the file is missing; nothing was changed, run `greffier verify`",
    "manifests/00000000000000000002.note: the manifest's signature does not hold under the node's key: no known key signed the note; nothing was changed, run `greffier verify`",
]
"##);
}

#[tokio::test]
async fn a_damaged_tile_is_made_again() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    for n in 0..3 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    ledger.close().unwrap();
    let tile = place.data().join("trails/acme/tile/0/000.p/3");
    let before = fs::read(&tile).unwrap();
    flip(&tile, 5);
    let (ledger, startup) = place.start().unwrap();
    insta::assert_debug_snapshot!(startup.recovered.await.unwrap().repairs, @r##"
[
    "trails/acme/tile/0/000.p/3: the tile was damaged and was made again from the log",
]
"##);
    assert_eq!(fs::read(&tile).unwrap(), before);
    ledger.close().unwrap();
    assert!(place.verify().is_ok());
}

#[tokio::test]
async fn one_process_owns_the_directory() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    assert!(matches!(place.start(), Err(LedgerError::Busy)));
    drop(ledger);
    place.start().unwrap();
}

#[test]
fn keys_stay_outside_the_data() {
    let place = Place::new();
    for data in [place.keys(), place.dir.path().to_owned()] {
        assert!(matches!(place.start_at(&data, seal_by_count(65_536)), Err(LedgerError::KeysInsideData)));
    }
    // Below the keys is odd, but harmless; so is a folder that only starts with the same letters.
    for data in [place.keys().join("data"), place.dir.path().join("key")] {
        place.start_at(&data, seal_by_count(65_536)).unwrap();
    }
}

#[tokio::test]
async fn what_is_not_an_entry_is_refused_and_the_rest_goes_on() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    let appender = ledger.appender();
    appender.append(plain("acme", 1)).await.unwrap();
    let mut unstamped = plain("acme", 2);
    unstamped.event.recorded_at = None;
    let mut invalid = plain("acme", 2);
    invalid.event.v = 2;
    let mut said = Vec::new();
    for wrong in [plain("ACME", 2), plain("Greffier", 2), unstamped, invalid] {
        said.push(appender.append(wrong).await.unwrap_err().to_string());
    }
    insta::assert_debug_snapshot!(said, @r##"
[
    "a trail named `acme` exists already: tenants differ by more than case",
    "a trail named `greffier` exists already: tenants differ by more than case",
    "`recorded_at` must be set before an event is recorded",
    "v: must be 1",
]
"##);
    assert_eq!(appender.append(plain("acme", 2)).await.unwrap().index, 1);
    ledger.close().unwrap();
    assert!(place.verify().is_ok());
}

#[tokio::test]
async fn a_proof_holds_offline_and_shows_what_it_should() {
    let place = Place::new();
    let (ledger, _startup) = place.start().unwrap();
    for n in 0..300 {
        ledger.appender().append(plain("acme", n)).await.unwrap();
    }
    ledger.close().unwrap();
    let reader = Reader::open(&place.data()).unwrap();
    let keys = KeyRing::open(&place.keys()).unwrap();
    let trust = fs::read_to_string(place.data().join("trust")).unwrap();
    let trust = greffier_merkle::TrustPolicy::parse(&trust).unwrap();
    for index in [0, 255, 256, 299] {
        let proof = reader.prove(&Tenant::new("acme").unwrap(), index, Some(&keys)).unwrap();
        let mut shown = crate::Disclosure::from_bytes(proof.extra.as_deref().unwrap()).unwrap();
        assert_eq!(proof.verify(&shown.leaf_hash(), &trust).unwrap().size, 300);
        assert_eq!(shown.check().unwrap().id, plain("acme", index).event.id);
        shown.withhold(|_| false).unwrap();
        let withheld = crate::Disclosure::from_bytes(&shown.to_bytes()).unwrap();
        assert_eq!(withheld, shown);
        withheld.check().unwrap();
        assert!(!String::from_utf8(shown.to_bytes()).unwrap().contains("content"));
        let crate::DisclosedPart::Withheld { commitment } = &mut shown.parts[0] else { panic!() };
        commitment[0] ^= 1;
        assert_eq!(shown.check(), Err(crate::DisclosureError::Parts));
    }
    let missing = reader.prove(&Tenant::new("acme").unwrap(), 300, None).unwrap_err();
    insta::assert_snapshot!(missing, @"trail `acme` has no entry 300");
}
