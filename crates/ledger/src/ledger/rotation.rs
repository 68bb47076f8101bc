//! Keys that change under a running ledger: who trusts which key, before, during and after.

use std::fs;

use greffier_event::{Tenant, Timestamp};
use greffier_merkle::Succession;
use greffier_merkle::note::{SignedNote, Signer};
use greffier_merkle::trust::TrustPolicy;

use super::tests::Place;
use super::*;
use crate::Reader;
use crate::pack::{Pack, Packer, ShownParts, ZipWriter, check_pack};
use crate::testing::{files, plain};
use crate::verify::{VerifyOptions, verify_dir, verify_event};

fn rotate(keys: &KeyRing) {
    keys.stage_rotation().unwrap();
}

fn retire(keys: &KeyRing) {
    keys.stage_retirement(None).unwrap();
}

struct Life {
    place: Place,
    trusts: Vec<(&'static str, TrustPolicy)>,
    events: u64,
}

impl Life {
    /// One run of the ledger, in which the staged change is adopted between two events, as the node would once it is
    /// on record. Then the trust of that time is kept.
    async fn run(&mut self, name: &'static str, stage: impl FnOnce(&KeyRing)) -> String {
        let (ledger, startup) = self.place.start().unwrap();
        startup.recovered.await.unwrap();
        let appender = ledger.appender();
        appender.append(plain("acme", self.events)).await.unwrap();
        stage(appender.keys());
        if let Some(change) = appender.keys().staged().unwrap() {
            appender.keys().adopt(&change).unwrap();
        }
        appender.append(plain("acme", self.events + 1)).await.unwrap();
        self.events += 2;
        drop(appender);
        ledger.close().unwrap();
        self.look(name)
    }

    /// How many keys the directory's own trust lists for one trail, once all is settled.
    fn listed(&self) -> usize {
        let (_, trust) = self.trusts.last().unwrap();
        trust.logs().iter().filter(|log| log.verifier.name().ends_with("/acme")).count()
    }

    /// How many keys signed what, and what each trust that was kept says to it.
    fn look(&mut self, name: &'static str) -> String {
        let data = self.place.data();
        let read = |path: &str| fs::read_to_string(data.join(path)).unwrap();
        let signatures = |note: String| SignedNote::parse(&note).unwrap().signatures().len();
        let newest =
            files(&data).into_keys().rfind(|path| path.ends_with(".note") && path.starts_with("manifests"));
        let counts = (signatures(read("trails/acme/checkpoint")), signatures(read(&newest.unwrap())));
        self.trusts.push((name, TrustPolicy::parse(&read("trust")).unwrap()));
        let verdicts = self.trusts.iter().map(|(of, trust)| {
            let trust = Some(trust.clone());
            let report =
                verify_dir(&data, &VerifyOptions { trust, ..VerifyOptions::default() }, |_| ()).unwrap();
            let first = report.problems.first().map(|problem| format!("{problem:?}"));
            format!("{of}: {}", first.unwrap_or_else(|| "verified".to_owned()))
        });
        let verdicts: Vec<String> = verdicts.collect();
        format!("{name}: keys on checkpoint and manifest {counts:?}; {}", verdicts.join(", "))
    }
}

#[tokio::test]
async fn trust_of_any_time_follows_the_keys_and_no_other_does() {
    let mut life = Life { place: Place::new(), trusts: Vec::new(), events: 0 };
    let mut told = vec![life.run("first", |_| ()).await];
    told.push(life.run("overlap", rotate).await);
    told.push(life.run("during", |_| ()).await);
    assert_eq!(life.listed(), 2);
    told.push(life.run("retired", retire).await);
    told.push(life.run("after", |_| ()).await);
    assert_eq!(life.listed(), 1);
    // The old key's file may be taken away for good.
    fs::remove_file(life.place.keys().join("signing.1.retired")).unwrap();
    told.push(life.run("removed", |_| ()).await);
    told.push(life.run("again", rotate).await);
    insta::assert_snapshot!(told.join("\n"), @r"
    first: keys on checkpoint and manifest (1, 1); first: verified
    overlap: keys on checkpoint and manifest (2, 2); first: verified, overlap: verified
    during: keys on checkpoint and manifest (2, 2); first: verified, overlap: verified, during: verified
    retired: keys on checkpoint and manifest (1, 1); first: verified, overlap: verified, during: verified, retired: verified
    after: keys on checkpoint and manifest (1, 1); first: verified, overlap: verified, during: verified, retired: verified, after: verified
    removed: keys on checkpoint and manifest (1, 1); first: verified, overlap: verified, during: verified, retired: verified, after: verified, removed: verified
    again: keys on checkpoint and manifest (2, 2); first: verified, overlap: verified, during: verified, retired: verified, after: verified, removed: verified, again: verified
    ");

    // The whole directory signed by keys of another: whoever trusts ours follows nothing.
    let mut other = Life { place: Place::new(), trusts: life.trusts, events: 0 };
    let told = other.run("stranger", rotate).await;
    assert_eq!(told.matches("no known key signed the note").count(), 7, "{told}");
}

#[tokio::test]
async fn a_directory_opens_with_keys_that_moved_on_meanwhile() {
    let mut life = Life { place: Place::new(), trusts: Vec::new(), events: 0 };
    life.run("first", |_| ()).await;
    let copy = life.place.dir.path().join("copy");
    crate::testing::copy(&life.place.data(), &copy);
    life.run("overlap", rotate).await;
    life.run("retired", retire).await;
    // A copy from before the rotation: what it holds was signed by the retired key alone.
    fs::remove_dir_all(life.place.data()).unwrap();
    fs::rename(&copy, life.place.data()).unwrap();
    life.trusts.clear();
    insta::assert_snapshot!(life.run("restored", |_| ()).await, @"restored: keys on checkpoint and manifest (1, 1); restored: verified");
    insta::assert_snapshot!(life.run("settled", |_| ()).await, @"settled: keys on checkpoint and manifest (1, 1); restored: verified, settled: verified");
    assert_eq!(life.listed(), 1);
}

#[tokio::test]
async fn a_changed_succession_is_found() {
    let mut life = Life { place: Place::new(), trusts: Vec::new(), events: 0 };
    life.run("first", |_| ()).await;
    life.run("overlap", rotate).await;
    let path = life.place.data().join("trails/acme/successions/2.note");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        let report = life.place.verify();
        let named = report.problems.iter().any(|problem| problem.place.contains("successions/2.note"));
        assert!(named, "flip at {at}: {:?}", report.problems);
    }
    fs::remove_file(&path).unwrap();
    assert!(!life.place.verify().is_ok());
}

/// What a pack of the first entry says to a trust policy.
fn packed(data: &std::path::Path, trust: &TrustPolicy) -> String {
    let (reader, acme) = (Reader::open(data).unwrap(), Tenant::new("acme").unwrap());
    let mut packer = Packer::begin(&reader, &acme, None, ShownParts::None).unwrap();
    packer.fill(1, true, None).unwrap();
    let mut zip = ZipWriter::default();
    let files = packer.finish("", Timestamp::from_micros(0), None).unwrap().0;
    let files = files.iter().map(|file| zip.file(&file.name, &file.content).unwrap());
    let mut archive = files.collect::<Vec<_>>().concat();
    archive.extend(zip.finish().unwrap());
    let options = VerifyOptions { trust: Some(trust.clone()), ..VerifyOptions::default() };
    let report = check_pack(&mut Pack::from_bytes(archive).unwrap(), &options).unwrap();
    let first = report.problems.first().map(|problem| format!("{}: {}", problem.place, problem.what));
    first.unwrap_or_else(|| format!("verified, anchored {}", report.anchored))
}

#[tokio::test]
async fn what_was_kept_before_a_rotation_speaks_for_trail_event_and_pack() {
    let mut life = Life { place: Place::new(), trusts: Vec::new(), events: 0 };
    life.run("first", |_| ()).await;
    let data = life.place.data();
    let kept = fs::read_to_string(data.join("trails/acme/checkpoint")).unwrap();
    life.run("overlap", rotate).await;
    life.run("retired", retire).await;
    life.run("after", |_| ()).await;
    let (first, last) = (life.trusts[0].1.clone(), life.trusts[3].1.clone());
    let directory = |trust: Option<&TrustPolicy>| {
        let (trust, from) = (trust.cloned(), vec![kept.clone()]);
        let report = verify_dir(&data, &VerifyOptions { trust, from, ..VerifyOptions::default() }, |_| ());
        let first = report.map(|report| report.problems.into_iter().next());
        format!("{first:?}")
    };
    let event = |trust: &TrustPolicy| {
        let options = VerifyOptions { trust: Some(trust.clone()), ..VerifyOptions::default() };
        let report = verify_event(&data, &options, plain("acme", 0).event.id).unwrap().unwrap();
        format!("{}, anchored {}", report.status, report.anchored)
    };
    for trust in [&first, &last] {
        assert_eq!(directory(Some(trust)), "Ok(None)");
        assert_eq!(event(trust), "VALID, anchored true");
        assert_eq!(packed(&data, trust), "verified, anchored true");
    }
    assert_eq!(directory(None), "Ok(None)");

    // A succession that the old key did not sign leads nowhere, and neither does one that is not there.
    let path = data.join("trails/acme/successions/2.note");
    let real = fs::read_to_string(&path).unwrap();
    let key = |seed: u8| Signer::new("test.local/acme", &[seed; 32]).unwrap();
    let new = Succession::open(&real).unwrap().new;
    let foreign = Succession::sign(&key(1), &key(2)).unwrap();
    let onesided = real.lines().take(6).map(|line| format!("{line}\n")).collect::<String>();
    assert!(onesided.contains(&new.to_string()));
    let mut told = Vec::new();
    for succession in [Some(foreign), Some(onesided), None] {
        match succession {
            Some(note) => fs::write(&path, note).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        told.push(format!("{}\n{}\n{}", directory(None), event(&first), packed(&data, &first)));
    }
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    Ok(Some(Problem { place: "checkpoint of size 2 that was kept of test.local/acme", what: "no key of this directory signed it: the trail was signed anew with another key" }))
    INVALID: no known key signed the note, anchored true
    checkpoint: the checkpoint does not hold: no known key signed the note

    Ok(Some(Problem { place: "checkpoint of size 2 that was kept of test.local/acme", what: "no key of this directory signed it: the trail was signed anew with another key" }))
    INVALID: no known key signed the note, anchored true
    successions: a key succession does not hold: the old and the new key must both have signed a key succession

    Ok(Some(Problem { place: "checkpoint of size 2 that was kept of test.local/acme", what: "no key of this directory signed it: the trail was signed anew with another key" }))
    INVALID: no known key signed the note, anchored true
    checkpoint: the checkpoint does not hold: no known key signed the note
    "#);
}
