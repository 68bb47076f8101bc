use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use greffier_event::{Tenant, Timestamp};
use greffier_merkle::Receipt;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::pack::{PackFile, Packer, ShownParts, ZipWriter};
use crate::testing::{draft, event, seal_by_count};
use crate::{KeyRing, Ledger, LedgerConfig, Reader};

struct Place(TempDir);

impl Place {
    /// Twenty entries of one tenant, some sealed, each with two parts; one of another.
    async fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        KeyRing::create(&place.keys_dir()).unwrap();
        let config = LedgerConfig {
            dir: place.data(),
            keys_dir: place.keys_dir(),
            origin: "test.local".to_owned(),
            node: "node-1".to_owned(),
            seal: seal_by_count(8),
        };
        let (ledger, _) = Ledger::start(config).unwrap();
        let parts: [(&str, &[u8]); 2] = [("prompt", b"what is on record?"), ("result", b"a secret")];
        for n in 0..20 {
            let drafted = draft(event("acme", n, "data.access", &format!("req_{n}")), &parts);
            ledger.appender().append(drafted).await.unwrap();
        }
        ledger.appender().append(draft(event("beta", 99, "data.access", "r"), &[])).await.unwrap();
        ledger.close().unwrap();
        place
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn keys_dir(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn trust(&self) -> TrustPolicy {
        TrustPolicy::parse(&fs::read_to_string(self.data().join("trust")).unwrap()).unwrap()
    }

    fn anchored(&self) -> VerifyOptions {
        VerifyOptions { trust: Some(self.trust()), ..VerifyOptions::default() }
    }

    /// A pack of these entries, or of all of a range.
    fn pack(&self, found: &[u64], parts: ShownParts, range: Option<std::ops::Range<u64>>) -> Vec<PackFile> {
        let (reader, keys) = (Reader::open(&self.data()).unwrap(), KeyRing::open(&self.keys_dir()).unwrap());
        let trail = Tenant::new("acme").unwrap();
        let mut packer = Packer::begin(&reader, &trail, None, parts).unwrap();
        if let Some(range) = &range {
            packer.skip_to(range.start).unwrap();
        }
        for index in found {
            if range.is_some() {
                packer.fill(*index, false, Some(&keys)).unwrap();
            }
            packer.entry(&reader.entry(&trail, *index).unwrap().unwrap(), true, Some(&keys)).unwrap();
        }
        if let Some(range) = &range {
            packer.fill(range.end, true, Some(&keys)).unwrap();
        }
        let made = Timestamp::from_micros(1_772_807_527_891_000);
        packer.finish("user:alice", made, range).unwrap().0
    }
}

fn zip(files: &[PackFile]) -> Vec<u8> {
    let mut zip = ZipWriter::default();
    let mut bytes: Vec<u8> =
        files.iter().flat_map(|file| zip.file(&file.name, &file.content).unwrap()).collect();
    bytes.extend(zip.finish().unwrap());
    bytes
}

fn named(names: &[&str]) -> ShownParts {
    ShownParts::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

/// The report on these bytes, or why there is none.
fn check(dir: &Path, bytes: &[u8], options: &VerifyOptions) -> Result<PackReport, String> {
    let path = dir.join("pack.zip");
    fs::write(&path, bytes).unwrap();
    let mut pack = Pack::open(&path).map_err(|error| error.to_string())?;
    check_pack(&mut pack, options).map_err(|error| error.to_string())
}

/// The same files with their digests made anew, as somebody would who wants to be believed.
fn resealed(mut files: Vec<PackFile>) -> Vec<u8> {
    let sums: BTreeMap<String, String> = files
        .iter()
        .filter(|file| file.name != "SHA256SUMS")
        .map(|file| (file.name.clone(), hex::encode(hash::sha256(&file.content))))
        .collect();
    for file in files.iter_mut().filter(|file| file.name == "SHA256SUMS") {
        file.content = crate::pack::open::write_sums(&sums).into_bytes();
    }
    zip(&files)
}

#[tokio::test]
async fn a_pack_is_valid_and_says_what_it_shows() {
    let place = Place::new().await;
    let files = place.pack(&[2, 3, 9, 17], named(&["prompt"]), None);
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["events/00001.jsonl", "checkpoint", "trust", "pack.json", "README.txt", "SHA256SUMS"]);
    let report = check(place.0.path(), &zip(&files), &place.anchored()).unwrap();
    assert_eq!((report.problems.as_slice(), report.anchored), (&[][..], true));
    insta::assert_debug_snapshot!(report.figures, @r"
    Figures {
        found: 4,
        beside: 0,
        withheld: 0,
        parts_shown: 4,
        parts_withheld: 4,
        parts_gone: 0,
        runs: 3,
    }
    ");
    let mut pack = Pack::open(&place.0.path().join("pack.zip")).unwrap();
    let mut told = Vec::new();
    pack.events(&report, |event| {
        let parts = event.parts.iter().map(|(name, status, content)| {
            format!("{name} {status} {}", String::from_utf8_lossy(content.as_deref().unwrap_or_default()))
        });
        told.push(format!("{} {} {}", event.index, event.status, parts.collect::<Vec<_>>().join(", ")));
    })
    .unwrap();
    assert_eq!(told.len(), 4);
    insta::assert_snapshot!(told[0], @"2 VALID prompt VALID what is on record?, result WITHHELD ");
    // What is withheld is nowhere in it, and no other tenant is named.
    let bytes = zip(&files);
    let held = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(!held(b"a secret") && !held(b"YSBzZWNyZXQ") && !held(b"beta"));
    // Without trust it only agrees with itself; with another's it is not valid.
    let report = check(place.0.path(), &zip(&files), &VerifyOptions::default()).unwrap();
    assert_eq!((report.is_ok(), report.anchored), (true, false));
    let report = check(place.0.path(), &zip(&files), &Place::new().await.anchored()).unwrap();
    assert!(!report.is_ok());
}

#[tokio::test]
async fn a_pack_says_whether_it_is_complete() {
    let place = Place::new().await;
    let files = place.pack(&[4, 6], ShownParts::None, Some(2..11));
    let report = check(place.0.path(), &zip(&files), &place.anchored()).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.about.complete, Some((2, 11)));
    let figures = report.figures;
    assert_eq!((figures.found, figures.withheld, figures.beside, figures.runs), (2, 3, 4, 1));
    // A pack with a gap cannot say so.
    let told = place.pack(&[4, 6], ShownParts::None, None).into_iter().map(|mut file| {
        if file.name == "pack.json" {
            let text = String::from_utf8(file.content).unwrap();
            let (head, tail) = text.rsplit_once("\n  }\n}\n").unwrap();
            assert_eq!(tail, "");
            file.content = format!("{head}\n  }},\n  \"complete\": [\n    4,\n    7\n  ]\n}}\n").into_bytes();
        }
        file
    });
    let report = check(place.0.path(), &resealed(told.collect()), &place.anchored()).unwrap();
    insta::assert_snapshot!(report.problems[0].what, @"the pack is not complete for the range that it names");
}

#[tokio::test]
async fn what_was_kept_elsewhere_is_compared() {
    let place = Place::new().await;
    let bytes = zip(&place.pack(&[5], ShownParts::None, None));
    let reader = Reader::open(&place.data()).unwrap();
    let trail = Tenant::new("acme").unwrap();
    let leaf_hash = reader.entry(&trail, 5).unwrap().unwrap().leaf_hash();
    let check = |options: VerifyOptions| {
        let report = check(place.0.path(), &bytes, &options).unwrap();
        (report.is_ok(), report.anchored)
    };
    let receipt = |index, leaf_hash| VerifyOptions {
        receipts: vec![Receipt { trail: "acme".to_owned(), index, leaf_hash }],
        ..VerifyOptions::default()
    };
    assert_eq!(check(receipt(5, leaf_hash)), (true, true));
    assert_eq!(check(receipt(5, [0; 32])), (false, false));
    assert_eq!(check(receipt(6, [0; 32])), (true, false));
    let from = vec![reader.checkpoint(&trail).unwrap().unwrap()];
    assert_eq!(check(VerifyOptions { from, ..VerifyOptions::default() }), (true, true));
    assert_eq!(check(VerifyOptions { require_witnessed: true, ..place.anchored() }), (false, true));
}

#[tokio::test]
async fn every_flipped_byte_is_found() {
    let place = Place::new().await;
    let good = zip(&place.pack(&[5, 6], named(&["prompt"]), None));
    let options = place.anchored();
    assert!(check(place.0.path(), &good, &options).unwrap().is_ok());
    let valid = |bytes: &[u8]| check(place.0.path(), bytes, &options).is_ok_and(|report| report.is_ok());
    // Every byte of the archive's own is tried with each bit in its own tests.
    for at in (0..good.len()).step_by(5) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!valid(&changed), "byte {at}");
    }
    for at in (0..good.len()).step_by(13) {
        assert!(!valid(&good[..at]), "cut at {at}");
    }
}

#[tokio::test]
async fn a_folder_is_a_pack_too_and_holds_nothing_else() {
    let place = Place::new().await;
    let dir = place.0.path().join("pack");
    fs::create_dir_all(dir.join("events")).unwrap();
    for file in place.pack(&[5, 6], ShownParts::All, None) {
        fs::write(dir.join(&file.name), &file.content).unwrap();
    }
    assert!(Pack::is_one(&dir) && !Pack::is_one(&place.data()));
    let check = || -> Result<bool, String> {
        let mut pack = Pack::open(&dir).map_err(|error| error.to_string())?;
        Ok(check_pack(&mut pack, &place.anchored()).map_err(|error| error.to_string())?.is_ok())
    };
    assert_eq!(check(), Ok(true));
    fs::write(dir.join("more"), b"").unwrap();
    assert_eq!(check(), Err("`more` does not belong into an evidence pack".to_owned()));
    fs::remove_file(dir.join("more")).unwrap();
    for name in ["README.txt", "trust", "SHA256SUMS", "events/00001.jsonl"] {
        let whole = fs::read(dir.join(name)).unwrap();
        let mut changed = whole.clone();
        changed[20] ^= 1;
        fs::write(dir.join(name), changed).unwrap();
        assert!(check().is_err(), "{name}");
        fs::remove_file(dir.join(name)).unwrap();
        assert!(check().is_err(), "{name}");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/zero", dir.join(name)).unwrap();
            assert!(check().is_err(), "{name}");
            fs::remove_file(dir.join(name)).unwrap();
        }
        fs::write(dir.join(name), whole).unwrap();
    }
    assert_eq!(check(), Ok(true));
}

/// What somebody may do who makes all digests anew: none of it passes for what the trail says.
#[tokio::test]
async fn a_forger_without_the_key_gets_nowhere() {
    let place = Place::new().await;
    let files = place.pack(&[5, 6, 9], named(&["prompt"]), None);
    let options = place.anchored();
    let said = |name: &str, change: &dyn Fn(String) -> String| {
        let changed = files.iter().cloned().map(|mut file| {
            if file.name == name {
                let text = String::from_utf8(file.content.clone()).unwrap();
                file.content = change(text).into_bytes();
            }
            file
        });
        match check(place.0.path(), &resealed(changed.collect()), &options) {
            Ok(report) => report.problems.first().map(|p| format!("{}: {}", p.place, p.what)),
            Err(error) => Some(error),
        }
    };
    let events = "events/00001.jsonl";
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let tell = |change: &dyn Fn(String) -> String| said(events, change).unwrap_or_else(|| "VALID".to_owned());
    let shown = [
        tell(&|text| text.replacen("alice", "mallo", 1)),
        tell(&|text| text.replacen("d2hhdCBpcyBvbiByZWNvcmQ/", "d2hhdCBpcyBvbiByZWNvcmRz", 1)),
        tell(&|text| lines(&text)[1..].join("\n") + "\n"),
        tell(&|text| lines(&text)[..4].join("\n") + "\n"),
        tell(&|text| text.replacen("\"index\":9", "\"index\":8", 1).replacen("[9,10]", "[8,9]", 1)),
        tell(&|text| text.replacen("\"name\":\"result\"", "\"name\":\"other\"", 1)),
        tell(&|text| text.replacen("\"found\":true,", "", 1)),
        tell(&|_| String::new()),
        said("pack.json", &|text| text.replace("\"found\": 3", "\"found\": 4")).unwrap_or_default(),
        said("checkpoint", &|text| text.replacen("\n20\n", "\n21\n", 1)).unwrap_or_default(),
    ];
    insta::assert_debug_snapshot!(shown, @r#"
    [
        "entries 5 to 6: the entries are not shown to be on the trail: the proof does not lead to the root",
        "entry 5: its parts are not those that the entry binds",
        "entries 5 to 6: the proof is not that of the entries above it",
        "entries 9 to 9: their proof is missing",
        "entries 8 to 8: the entries are not shown to be on the trail: the proof does not lead to the root",
        "entry 5: its parts are not those that the entry names",
        "pack.json: its figures are not what is in the pack",
        "`events/00001.jsonl` is not what greffier writes there",
        "pack.json: its figures are not what is in the pack",
        "checkpoint: the checkpoint does not hold: bad signature of the known key test.local/acme: the note was changed or forged",
    ]
    "#);
    // The packer's words are bound by nothing, and the documentation says so.
    assert_eq!(said("README.txt", &|text| text.replace("EVIDENCE", "OTHER")), None);
    assert_eq!(said("pack.json", &|text| text.replace("user:alice", "user:bob")), None);
}

#[tokio::test]
async fn a_part_is_gone_only_by_an_entry_that_says_so() {
    let place = Place::new().await;
    let files = place.pack(&[5, 6], ShownParts::None, None);
    let gone = files.into_iter().map(|mut file| {
        let text = String::from_utf8(file.content).unwrap();
        let text = text.replacen("\"commitment\":", "\"erased_by\":6,\"commitment\":", 1);
        let text = text.replace("\"parts_withheld\": 4", "\"parts_withheld\": 3");
        let text = text.replace("\"parts_gone\": 0", "\"parts_gone\": 1");
        // One spelling: the reason stands behind the commitment.
        file.content = regroup(&text).into_bytes();
        file
    });
    let report = check(place.0.path(), &resealed(gone.collect()), &place.anchored()).unwrap();
    insta::assert_snapshot!(report.problems[0].what, @"part `prompt` is not erased by entry 6: that is not here, or does not say so");
}

fn regroup(text: &str) -> String {
    let Some((head, tail)) = text.split_once("\"erased_by\":6,") else { return text.to_owned() };
    let (commitment, rest) = tail.split_once('}').unwrap();
    format!("{head}{commitment},\"erased_by\":6}}{rest}")
}

proptest! {
    #[test]
    fn any_files_are_read_without_panic(events in "[ -~\\n]{0,80}", about in "[ -~]{0,40}", note: String) {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| PackFile { name: name.to_owned(), content: content.into() };
        let files = [
            ("events/00001.jsonl", events.as_str()), ("checkpoint", &note), ("trust", ""), ("pack.json", &about),
            ("README.txt", ""), ("SHA256SUMS", ""),
        ];
        let files = files.map(|(name, content)| file(name, content));
        prop_assert!(check(dir.path(), &resealed(files.to_vec()), &VerifyOptions::default()).is_err());
    }
}

#[test]
fn what_is_no_pack_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, b"hello").unwrap();
    assert!(!Pack::is_one(&path));
    assert!(matches!(Pack::open(&path), Err(PackError::Zip(_))));
    let missing = Pack::open(&dir.path().join("nowhere"));
    assert!(matches!(missing, Err(PackError::Io(error)) if error.kind() == io::ErrorKind::NotFound));
}
