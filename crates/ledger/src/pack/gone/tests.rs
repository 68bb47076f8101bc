//! What a pack says of parts that are gone: by which entry, and that the entry is there.

use std::ops::Range;
use std::path::PathBuf;

use greffier_event::{EventType, Timestamp};
use greffier_merkle::TrustPolicy;
use greffier_merkle::hash::sha256;
use tempfile::TempDir;

use crate::erase::tests::{about, acme, order, own};
use crate::erase::{Eraser, Target};
use crate::pack::{Pack, PackError, PackFile, PackReport, Packer, ShownParts, ZipWriter, check_pack};
use crate::testing::seal_by_count;
use crate::verify::VerifyOptions;
use crate::{KeyRing, Ledger, LedgerConfig, Reader};

const SUBJECT: &str = "ref:patient/1";

struct Place(TempDir);

impl Place {
    /// Ten events, of alice and bob in turn, each with two parts; then what is erased of them.
    async fn new(targets: impl Fn(&Eraser) -> Vec<Target>) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        KeyRing::create(&place.path("keys")).unwrap();
        let (ledger, _startup) = place.start();
        for n in 0..10 {
            let (user, subject) =
                (if n % 2 == 0 { "alice" } else { "bob" }, if n % 5 == 0 { SUBJECT } else { "ref:other" });
            ledger.appender().append(about(n, user, subject)).await.unwrap();
        }
        let eraser = ledger.eraser();
        for (n, target) in (100..).zip(targets(&eraser)) {
            eraser.erase(order(n, &target)).await.unwrap();
        }
        drop(eraser);
        ledger.close().unwrap();
        place
    }

    fn start(&self) -> (Ledger, crate::Startup) {
        Ledger::start(LedgerConfig {
            dir: self.path("data"),
            keys_dir: self.path("keys"),
            origin: "test.local".to_owned(),
            node: "node-1".to_owned(),
            seal: seal_by_count(4),
        })
        .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A pack of these entries with all their parts, complete for a range if one is given.
    fn pack(&self, found: &[u64], range: Option<Range<u64>>, with_keys: bool) -> Vec<PackFile> {
        let reader = Reader::open(&self.path("data")).unwrap();
        let keys = with_keys.then(|| KeyRing::open(&self.path("keys")).unwrap());
        let mut packer = Packer::begin(&reader, &acme(), None, ShownParts::All).unwrap();
        for index in found {
            if range.is_some() {
                packer.fill(*index, false, keys.as_ref()).unwrap();
            }
            packer.entry(&reader.entry(&acme(), *index).unwrap().unwrap(), true, keys.as_ref()).unwrap();
        }
        if let Some(range) = &range {
            packer.fill(range.end, false, keys.as_ref()).unwrap();
        }
        packer.finish("", Timestamp::from_micros(0), range).unwrap().0
    }

    fn open(&self, files: &[PackFile]) -> Result<(Pack, PackReport), PackError> {
        let mut zip = ZipWriter::default();
        let files = files.iter().map(|file| zip.file(&file.name, &file.content).unwrap());
        let mut archive = files.collect::<Vec<_>>().concat();
        archive.extend(zip.finish().unwrap());
        let trust = std::fs::read_to_string(self.path("data/trust")).unwrap();
        let options =
            VerifyOptions { trust: Some(TrustPolicy::parse(&trust).unwrap()), ..VerifyOptions::default() };
        let mut pack = Pack::from_bytes(archive)?;
        let report = check_pack(&mut pack, &options)?;
        Ok((pack, report))
    }

    fn is_valid(&self, files: &[PackFile]) -> bool {
        self.open(files).is_ok_and(|(_, report)| report.is_ok())
    }

    /// What a check says of each event that is there in full, and of the whole.
    fn check(&self, files: &[PackFile]) -> String {
        let (mut pack, report) = self.open(files).unwrap();
        let mut told = Vec::new();
        pack.events(&report, |event| {
            let parts = event.parts.iter().map(|(name, status, _)| format!(", {name} {status}"));
            if event.entry.is_some() {
                told.push(format!("{} {}{}", event.index, event.status, parts.collect::<String>()));
            }
        })
        .unwrap();
        told.extend(report.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)));
        let figures = report.figures;
        let (shown, withheld, gone) = (figures.parts_shown, figures.parts_withheld, figures.parts_gone);
        told.push(format!("{shown} shown, {withheld} withheld, {gone} gone, {} runs", figures.runs));
        told.join("\n")
    }
}

fn part_of(n: u64, name: &str) -> Target {
    Target::Part(about(n, "", "").event.id, name.to_owned())
}

/// The files with one of them changed, and its digest made anew.
fn forged(files: &[PackFile], name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<PackFile> {
    let mut files = files.to_vec();
    let mut sums = std::collections::BTreeMap::new();
    for file in &mut files {
        if file.name == name {
            change(&mut file.content);
        }
        if file.name == "SHA256SUMS" {
            file.content = crate::pack::open::write_sums(&sums).into_bytes();
        }
        sums.insert(file.name.clone(), hex::encode(sha256(&file.content)));
    }
    files
}

#[tokio::test]
async fn what_was_erased_is_told_with_the_entry_that_ordered_it() {
    let id = about(5, "", "").event.id;
    let place = Place::new(|_| vec![part_of(3, "prompt"), Target::Event(id)]).await;
    insta::assert_snapshot!(place.check(&place.pack(&[2, 3, 5], None, true)), @r"
    2 VALID, prompt VALID, completion VALID
    3 VALID, prompt ERASED (by entry 10), completion VALID
    5 VALID, prompt ERASED (by entry 12), completion ERASED (by entry 12)
    10 VALID
    12 VALID
    3 shown, 0 withheld, 3 gone, 4 runs
    ");
    // Without keys nothing is shown; what the trail says is told all the same.
    insta::assert_snapshot!(place.check(&place.pack(&[2, 3, 5], None, false)), @r"
    2 VALID
    3 VALID, prompt ERASED (by entry 10), completion WITHHELD
    5 VALID, prompt ERASED (by entry 12), completion ERASED (by entry 12)
    10 VALID
    12 VALID
    0 shown, 1 withheld, 3 gone, 4 runs
    ");
    // Nothing is left out of a range, and the orders in it are there in full.
    insta::assert_snapshot!(place.check(&place.pack(&[3], Some(0..12), true)), @r"
    3 VALID, prompt ERASED (by entry 10), completion VALID
    10 VALID
    1 shown, 0 withheld, 1 gone, 1 runs
    ");
    insta::assert_snapshot!(place.check(&place.pack(&[5], Some(0..8), true)), @r"
    5 VALID, prompt ERASED (by entry 12), completion ERASED (by entry 12)
    12 VALID
    0 shown, 0 withheld, 2 gone, 2 runs
    ");
}

#[tokio::test]
async fn people_and_subjects_are_gone_by_their_orders() {
    let place = Place::new(|eraser| {
        vec![Target::Subject(SUBJECT.to_owned()), Target::User(eraser.user(&acme(), "bob"))]
    })
    .await;
    insta::assert_snapshot!(place.check(&place.pack(&[0, 1, 2, 5], None, true)), @r"
    0 VALID, prompt ERASED (by entry 10), completion ERASED (by entry 10)
    1 VALID, prompt ERASED (by entry 12), completion ERASED (by entry 12)
    2 VALID, prompt VALID, completion VALID
    5 VALID, prompt ERASED (by entry 10), completion ERASED (by entry 10)
    10 VALID
    12 VALID
    2 shown, 0 withheld, 6 gone, 4 runs
    ");
    insta::assert_snapshot!(place.check(&place.pack(&[0, 1, 2, 5], None, false)), @r"
    0 VALID, prompt ERASED (by entry 10), completion ERASED (by entry 10)
    1 VALID, prompt ERASED (by entry 12), completion ERASED (by entry 12)
    2 VALID
    5 VALID, prompt ERASED (by entry 10), completion ERASED (by entry 10)
    10 VALID
    12 VALID
    0 shown, 0 withheld, 6 gone, 4 runs
    ");
}

#[tokio::test]
async fn what_expired_is_told_with_the_entry_that_says_so() {
    let place = Place::new(|_| Vec::new()).await;
    let (ledger, _startup) = place.start();
    let uri = format!("audit://acme/parts/before/{}", 2_000_000_000_000_000u64);
    ledger.appender().append(own(200, EventType::ActionApproved, "expire", uri, "expiry")).await.unwrap();
    ledger.close().unwrap();
    insta::assert_snapshot!(place.check(&place.pack(&[4], None, true)), @r"
    4 VALID, prompt EXPIRED (by entry 10), completion EXPIRED (by entry 10)
    10 VALID
    0 shown, 0 withheld, 2 gone, 2 runs
    ");
}

#[tokio::test]
async fn an_order_since_the_checkpoint_proves_nothing_yet() {
    let place = Place::new(|_| Vec::new()).await;
    let before = std::fs::read(place.path("data/trails/acme/checkpoint")).unwrap();
    let (ledger, _startup) = place.start();
    ledger.eraser().erase(order(100, &part_of(3, "prompt"))).await.unwrap();
    ledger.close().unwrap();
    std::fs::write(place.path("data/trails/acme/checkpoint"), before).unwrap();
    insta::assert_snapshot!(place.check(&place.pack(&[3], None, true)), @r"
    3 VALID, prompt WITHHELD, completion VALID
    1 shown, 1 withheld, 0 gone, 1 runs
    ");
}

#[tokio::test]
async fn nothing_is_gone_by_the_packers_word() {
    let place = Place::new(|_| vec![part_of(3, "prompt"), part_of(4, "completion")]).await;
    let files = place.pack(&[3, 4, 6], None, true);
    let events = |said: &str, instead: &str| {
        let change = |file: &mut Vec<u8>| {
            let text = String::from_utf8(std::mem::take(file)).unwrap();
            *file = text.replacen(said, instead, 1).into_bytes();
        };
        place.check(&forged(&files, "events/00001.jsonl", change))
    };
    // By an order of something else, by an entry that orders nothing, for another reason, and by one left out.
    insta::assert_snapshot!(events("\"erased_by\":10", "\"erased_by\":11"), @r"
    3 INVALID: see the problems, prompt INVALID: see the problems, completion INVALID: see the problems
    4 VALID, prompt VALID, completion ERASED (by entry 12)
    6 VALID, prompt VALID, completion VALID
    10 VALID
    12 VALID
    entry 3: part `prompt` is not erased by entry 11: that is not here, or does not say so
    4 shown, 0 withheld, 2 gone, 4 runs
    ");
    insta::assert_snapshot!(events("\"erased_by\":10", "\"erased_by\":6"), @r"
    3 INVALID: see the problems, prompt INVALID: see the problems, completion INVALID: see the problems
    4 VALID, prompt VALID, completion ERASED (by entry 12)
    6 VALID, prompt VALID, completion VALID
    10 VALID
    12 VALID
    entry 3: part `prompt` is not erased by entry 6: that is not here, or does not say so
    4 shown, 0 withheld, 2 gone, 4 runs
    ");
    insta::assert_snapshot!(events("\"erased_by\":10", "\"expired_by\":10"), @r"
    3 INVALID: see the problems, prompt INVALID: see the problems, completion INVALID: see the problems
    4 VALID, prompt VALID, completion ERASED (by entry 12)
    6 VALID, prompt VALID, completion VALID
    10 VALID
    12 VALID
    entry 3: part `prompt` is not expired by entry 10: that is not here, or does not say so
    4 shown, 0 withheld, 2 gone, 4 runs
    ");
    insta::assert_snapshot!(events("\"erased_by\":10", "\"erased_by\":99"), @r"
    3 INVALID: see the problems, prompt INVALID: see the problems, completion INVALID: see the problems
    4 VALID, prompt VALID, completion ERASED (by entry 12)
    6 VALID, prompt VALID, completion VALID
    10 VALID
    12 VALID
    entry 3: part `prompt` is not erased by entry 99: that is not here, or does not say so
    4 shown, 0 withheld, 2 gone, 4 runs
    ");
}

/// Whoever changes a byte may make all digests anew, and still nothing that the checkpoint binds passes.
#[tokio::test]
async fn no_changed_byte_passes_with_digests_made_anew() {
    let place = Place::new(|_| vec![part_of(3, "prompt")]).await;
    let files = place.pack(&[3], None, true);
    let told = place.check(&files);
    assert!(told.starts_with("3 VALID"), "{told}");
    for name in ["events/00001.jsonl", "checkpoint"] {
        let length = files.iter().find(|file| file.name == name).unwrap().content.len();
        for at in 0..length {
            let changed = forged(&files, name, |file| file[at] ^= 1 << (at % 8));
            assert!(!place.is_valid(&changed), "{name}, byte {at}");
        }
    }
}

#[tokio::test]
async fn no_changed_byte_of_any_file_passes() {
    let place = Place::new(|_| vec![part_of(3, "prompt")]).await;
    let files = place.pack(&[3], None, true);
    assert!(place.is_valid(&files));
    for (number, file) in files.iter().enumerate() {
        // Of the long text for people, which its digest alone covers, some.
        let step = if file.name == "README.txt" { 41 } else { 1 };
        for at in (0..file.content.len()).step_by(step) {
            let mut changed = files.clone();
            changed[number].content[at] ^= 1 << (at % 8);
            assert!(!place.is_valid(&changed), "{}, byte {at}", file.name);
        }
        let mut cut = files.clone();
        cut[number].content.pop();
        assert!(!place.is_valid(&cut), "{}, cut", file.name);
    }
}
