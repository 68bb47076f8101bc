//! Every on-disk form that was ever released opens, verifies and goes on. `testdata/formats/vN` is never changed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;

use std::fs;
use std::path::Path;
use std::time::Duration;

use greffier_event::{Draft, Event, EventId, Part, Tenant, Timestamp};
use greffier_ledger::verify::{VerifyOptions, verify_dir};
use greffier_ledger::{Disclosure, Gone, KeyRing, Ledger, LedgerConfig, ReadError, Reader, Recovered};
use greffier_ledger::{Retention, SealPolicy};
use greffier_merkle::TrustPolicy;

use fixture::{formats, lay};

const ORIGIN: &str = "fixture.local";

/// The `n`th event; those before 10 are in the fixture.
fn draft(tenant: &str, n: u64) -> Draft {
    let event = serde_json::json!({
        "v": 1,
        "id": format!("00000000-0000-7000-8000-{n:012x}"),
        "time": "2026-03-06T14:32:07.891000Z",
        "recorded_at": "2026-03-06T14:32:08.233104Z",
        "type": "data.access",
        "tenant": tenant,
        "request_id": format!("req_{n}"),
        "user": {"sub": "alice"},
    });
    let content = format!("content of event {n}").into_bytes();
    let part = Part { name: "prompt".to_owned(), media: "text/plain".to_owned(), content };
    let event: Event = serde_json::from_value(event).unwrap();
    Draft { event, parts: if n.is_multiple_of(2) { vec![part] } else { vec![] } }
}

fn config(place: &Path) -> LedgerConfig {
    // The events of the fixture are old: they are sealed by count only.
    let age = Duration::from_secs(1_000_000_000);
    let seal = SealPolicy { entries: 2, age, ..SealPolicy::default() };
    LedgerConfig {
        dir: place.join("data"),
        keys_dir: place.join("keys"),
        origin: ORIGIN.to_owned(),
        node: "node-1".to_owned(),
        seal,
    }
}

/// Segments of the trail `acme`.
fn sealed(ledger: &Ledger) -> u64 {
    ledger.reader().snapshot(&Tenant::new("acme").unwrap()).unwrap().segments.len() as u64
}

/// How the fixture of a new version is made: `make(Path::new("testdata/formats/vN"))`, once, by that version.
async fn make(place: &Path) {
    KeyRing::create(&place.join("keys")).unwrap();
    for life in 0..2 {
        let (ledger, _) = Ledger::start(config(place)).unwrap();
        for n in 0..3 {
            let tenant = if n == 1 { "greffier" } else { "acme" };
            ledger.appender().append(draft(tenant, life * 3 + n)).await.unwrap();
        }
        // Two entries of `acme` make a segment.
        while sealed(&ledger) < life + 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ledger.close().unwrap();
    }
}

/// Opens a fixture with today's code, in every way there is.
async fn check(place: &Path) {
    let data = place.join("data");
    let trust = fs::read_to_string(data.join("trust")).unwrap();
    let trust = TrustPolicy::parse(&trust).unwrap();
    let options = || VerifyOptions {
        trust: Some(trust.clone()),
        keys_dir: Some(place.join("keys")),
        ..VerifyOptions::default()
    };
    let report = verify_dir(&data, &options(), |_| ()).unwrap();
    assert_eq!((report.problems, report.clean, report.parts_opened), (vec![], true, 3));

    let keys = KeyRing::open(&place.join("keys")).unwrap();
    let reader = Reader::open(&data).unwrap();
    for n in 0..6 {
        let tenant = if n % 3 == 1 { "greffier" } else { "acme" };
        let expected = draft(tenant, n);
        let found = reader.find(expected.event.id).unwrap().unwrap();
        assert_eq!(
            (found.tenant.as_str(), found.event().unwrap().request_id),
            (tenant, expected.event.request_id)
        );
        let contents: Vec<_> =
            found.open_parts(&keys).unwrap().into_iter().map(|part| part.content).collect();
        assert_eq!(contents, expected.parts.into_iter().map(|part| part.content).collect::<Vec<_>>());
        let proof = reader.prove(&found.tenant, found.index, Some(&keys)).unwrap();
        let proof = greffier_merkle::TlogProof::parse(&proof.to_text()).unwrap();
        let shown = Disclosure::from_bytes(proof.extra.as_deref().unwrap()).unwrap();
        proof.verify(&shown.leaf_hash(), &trust).unwrap();
        shown.check().unwrap();
    }
    assert_eq!(reader.call("req_4").unwrap().len(), 1);

    let (ledger, startup) = Ledger::start(config(place)).unwrap();
    assert_eq!(startup.recovered.await.unwrap(), Recovered::default());
    let receipt = ledger.appender().append(draft("acme", 10)).await.unwrap();
    assert_eq!((receipt.trail.as_str(), receipt.index), ("acme", 4));
    ledger.close().unwrap();
    assert_eq!(verify_dir(&data, &options(), |_| ()).unwrap().problems, vec![]);
    assert!(
        Reader::open(&data)
            .unwrap()
            .checkpoint(&Tenant::new("acme").unwrap())
            .unwrap()
            .unwrap()
            .contains("\n5\n")
    );
}

#[tokio::test]
async fn version_1_opens() {
    let place = tempfile::tempdir().unwrap();
    lay(&formats().join("v1"), place.path());
    check(place.path()).await;
}

#[tokio::test]
async fn version_2_opens() {
    let place = tempfile::tempdir().unwrap();
    lay(&formats().join("v2"), place.path());
    let segments = Reader::open(&place.path().join("data")).unwrap();
    let segments = segments.snapshot(&Tenant::new("acme").unwrap()).unwrap().segments;
    assert_eq!(
        segments.iter().map(|segment| (segment.first, segment.end)).collect::<Vec<_>>(),
        [(0, 2), (2, 4)]
    );
    check(place.path()).await;
}

#[tokio::test]
async fn what_is_written_today_opens() {
    let place = tempfile::tempdir().unwrap();
    make(place.path()).await;
    check(place.path()).await;
}

/// What a directory of format 3 may hold and none before it: orders, parts that were taken out of their file, and a
/// trail that begins behind entry 0.
async fn make_3(place: &Path) {
    KeyRing::create(&place.join("keys")).unwrap();
    let (ledger, _) = Ledger::start(config(place)).unwrap();
    let (appender, eraser) = (ledger.appender(), ledger.eraser());
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let new_id = |now: Timestamp| -> EventId {
        let text = format!("00000000-0000-7000-9000-{:012x}", now.as_secs());
        serde_json::from_value(text.into()).unwrap()
    };
    let retention = Retention { entries: Some(Duration::from_secs(60 * 86_400)), ..Retention::default() };
    let delay = Duration::from_secs(7 * 86_400);
    for n in [0, 2] {
        appender.append(draft("acme", n)).await.unwrap();
    }
    eraser.expire(&retention, delay, at("2026-03-07T00:00:00Z"), new_id).await.unwrap();
    for n in [4, 6, 8] {
        let mut young = draft("acme", n);
        young.event.recorded_at = Some(at("2026-06-10T00:00:00Z"));
        appender.append(young).await.unwrap();
    }
    while sealed(&ledger) < 3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let order = serde_json::json!({
        "v": 1,
        "id": "00000000-0000-7000-8000-000000000064",
        "time": "2026-06-11T00:00:00.000000Z",
        "recorded_at": "2026-06-11T00:00:00.000000Z",
        "type": "action.approved",
        "tenant": "acme",
        "request_id": "erasure",
        "agent": {"id": "greffier", "verified": true},
        "action": {"name": "erase", "kind": "admin"},
        "resource": {"uri": "audit://acme/events/00000000-0000-7000-8000-000000000006/parts"},
        "policy": {"decision": "allow"},
        "source": {"channel": "gateway"},
    });
    let event: Event = serde_json::from_value(order).unwrap();
    eraser.erase(Draft { event, parts: vec![] }).await.unwrap();
    assert_eq!(eraser.expire(&retention, delay, at("2026-06-20T00:00:00Z"), new_id).await.unwrap(), 1);
    drop(eraser);
    ledger.close().unwrap();
}

async fn check_3(place: &Path) {
    let data = place.join("data");
    let trust = TrustPolicy::parse(&fs::read_to_string(data.join("trust")).unwrap()).unwrap();
    let keys_dir = Some(place.join("keys"));
    let options = VerifyOptions { trust: Some(trust.clone()), keys_dir, ..VerifyOptions::default() };
    let report = verify_dir(&data, &options, |_| ()).unwrap();
    assert_eq!((report.problems, report.clean, report.parts_opened), (vec![], true, 2));
    let why: Vec<(&Gone, &u64)> = report.absent.iter().map(|((_, why), parts)| (why, parts)).collect();
    assert_eq!(why, [(&Gone::Erased { by: 6 }, &1)]);
    let acme = Tenant::new("acme").unwrap();
    let told: Vec<_> = report.trails.iter().map(|trail| (trail.name.as_str(), trail.expired)).collect();
    assert_eq!(told, [("acme", (2, 8))]);
    let parts = fs::read_dir(data.join("trails/acme/parts")).unwrap();
    let mut names: Vec<String> = parts.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.iter().filter(|name| name.matches('.').count() == 2).count(), 1, "{names:?}");

    let keys = KeyRing::open(&place.join("keys")).unwrap();
    let reader = Reader::open(&data).unwrap();
    assert_eq!(reader.first(&acme).unwrap(), 2);
    assert!(matches!(reader.prove(&acme, 1, None), Err(ReadError::Expired { first: 2, .. })));
    for n in [4, 6, 8] {
        let found = reader.find(draft("acme", n).event.id).unwrap().unwrap();
        assert_eq!(found.open_parts(&keys).unwrap().len(), usize::from(n != 6), "event {n}");
        let proof = reader.prove(&acme, found.index, None).unwrap();
        proof.verify(&found.leaf_hash(), &trust).unwrap();
    }
    let (ledger, startup) = Ledger::start(config(place)).unwrap();
    assert_eq!(startup.recovered.await.unwrap(), Recovered::default());
    ledger.appender().append(draft("acme", 10)).await.unwrap();
    ledger.close().unwrap();
    assert_eq!(verify_dir(&data, &options, |_| ()).unwrap().problems, vec![]);
}

#[tokio::test]
async fn version_3_opens() {
    let place = tempfile::tempdir().unwrap();
    lay(&formats().join("v3"), place.path());
    check_3(place.path()).await;
}

#[tokio::test]
async fn a_trail_that_is_cut_today_opens() {
    let place = tempfile::tempdir().unwrap();
    make_3(place.path()).await;
    if let Some(keep) = std::env::var_os("GREFFIER_MAKE_FIXTURE") {
        lay(place.path(), Path::new(&keep));
    }
    check_3(place.path()).await;
}
