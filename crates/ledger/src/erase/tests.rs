//! What is erased is in no file any more, what is not is there as before, and every proof holds.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use greffier_event::{PolicyRecord, User};
use greffier_merkle::{TlogProof, TrustPolicy};
use tempfile::TempDir;

use super::orders::{ERASE, HOLD, RELEASE};
use super::*;
use crate::keys::KeyRing;
use crate::read::PartState;
use crate::testing::{draft, event, files, seal_by_count, tighten};
use crate::verify::{Report, VerifyOptions, verify_dir};
use crate::{Disclosure, Ledger, LedgerConfig, Startup};

mod entries;
mod searched;

pub(crate) fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// The `n`th event: of `user`, about `subject`, with two parts.
pub(crate) fn about(n: u64, user: &str, subject: &str) -> Draft {
    let mut event = event("acme", n, "data.access", &format!("req_{n}"));
    event.user = Some(User { sub: user.to_owned(), ..User::default() });
    event.resource = Some(Resource { subjects: vec![subject.to_owned()], ..Resource::default() });
    let contents = [format!("prompt of {n}"), format!("completion of {n}")];
    draft(event, &[("prompt", contents[0].as_bytes()), ("completion", contents[1].as_bytes())])
}

/// An act of Greffier itself.
pub(crate) fn own(n: u64, kind: EventType, action: &str, uri: String, request: &str) -> Draft {
    let mut event = event("acme", n, "data.modify", request);
    event.kind = kind;
    event.user = Some(User { sub: "officer".to_owned(), ..User::default() });
    event.agent = Some(Agent { id: "greffier".to_owned(), verified: true, ..Agent::default() });
    event.action =
        Some(Action { kind: Some(ActionKind::Admin), name: action.to_owned(), ..Action::default() });
    event.resource = Some(Resource { uri: Some(uri), ..Resource::default() });
    event.source = Some(Source { channel: "gateway".to_owned(), ..Source::default() });
    let decision = match kind {
        EventType::ActionRequest => greffier_event::DecisionKind::Pending,
        _ => greffier_event::DecisionKind::Allow,
    };
    event.policy =
        Some(PolicyRecord { decision, reason: None, rule: None, scopes: Vec::new(), version: None });
    Draft { event, parts: Vec::new() }
}

pub(crate) fn order(n: u64, target: &Target) -> Draft {
    own(n, EventType::ActionApproved, ERASE, target.uri(&acme()), &format!("erasure_{n}"))
}

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        KeyRing::create(&place.keys()).unwrap();
        place
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn start(&self) -> (Ledger, Startup) {
        Ledger::start(LedgerConfig {
            dir: self.data(),
            keys_dir: self.keys(),
            origin: "test.local".to_owned(),
            node: "node-1".to_owned(),
            seal: seal_by_count(8),
        })
        .unwrap()
    }

    fn verify(&self) -> Report {
        let options = VerifyOptions { keys_dir: Some(self.keys()), ..VerifyOptions::default() };
        verify_dir(&self.data(), &options, |_| ()).unwrap()
    }

    /// Which contents can still be read, by whoever has data and keys.
    fn readable(&self) -> Vec<String> {
        let reader = Reader::open(&self.data()).unwrap();
        let keys = KeyRing::open(&self.keys()).unwrap();
        let mut all = Vec::new();
        reader
            .scan(|found| {
                let parts = found.open_parts(&keys).unwrap();
                all.extend(parts.into_iter().map(|part| String::from_utf8(part.content).unwrap()));
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    }

    /// The bytes that lie on disk of each part of an event.
    fn sealed(&self, n: u64) -> Vec<Vec<u8>> {
        let reader = Reader::open(&self.data()).unwrap();
        let found = reader.find(about(n, "", "").event.id).unwrap().unwrap();
        found.stored_parts().iter().flat_map(|part| [part.0.clone(), part.1.clone()]).collect()
    }

    fn holds_any(&self, needles: &[Vec<u8>]) -> bool {
        files(self.0.path()).values().any(|bytes| {
            needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
        })
    }

    fn copy_to(&self, name: &str, to: &str) {
        copy(&self.0.path().join(name), &self.0.path().join(to));
    }

    fn replace(&self, name: &str, by: &str) {
        std::fs::remove_dir_all(self.0.path().join(name)).unwrap();
        self.copy_to(by, name);
        if name == "keys" {
            tighten(&self.keys());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const SUBJECT: &str = "ref:patient/1";

/// Twenty events: even ones of alice, every fifth about the subject; eight to a segment.
async fn fill(ledger: &Ledger) {
    for n in 0..20 {
        let user = if n % 2 == 0 { "alice" } else { "bob" };
        let subject = if n % 5 == 0 { SUBJECT } else { "ref:other" };
        ledger.appender().append(about(n, user, subject)).await.unwrap();
    }
}

/// Fills a ledger, erases one target, and says what is left of it and what `verify` says.
async fn check(target: impl Fn(&Eraser) -> Target, gone: impl Fn(u64) -> bool, whole: bool) -> Plan {
    let place = Place::new();
    let (ledger, startup) = place.start();
    startup.recovered.await.unwrap();
    fill(&ledger).await;
    let eraser = ledger.eraser();
    let target = target(&eraser);
    let needles: Vec<Vec<u8>> = (0..20).filter(|n| gone(*n)).flat_map(|n| place.sealed(n)).collect();
    assert!(place.holds_any(&needles));
    let planned = eraser.plan(&acme(), &target).unwrap();
    assert_eq!(place.readable().len(), 40, "a dry run changes nothing");
    let erased = eraser.erase(order(100, &target)).await.unwrap();
    assert_eq!((erased.plan.events, erased.plan.parts), (planned.events, planned.parts));
    // At once, not only after the stop.
    if whole && !matches!(target, Target::User(_)) {
        assert!(!place.holds_any(&needles));
    }
    let left: Vec<String> = (0..20)
        .flat_map(|n| [("prompt", n), ("completion", n)])
        .filter(|(part, n)| !gone(*n) || (!whole && *part != "prompt"))
        .map(|(part, n)| format!("{part} of {n}"))
        .collect();
    assert_eq!(place.readable(), left);
    // Whoever acts again is recorded again.
    ledger.appender().append(about(200, "alice", SUBJECT)).await.unwrap();
    let again = eraser.plan(&acme(), &target).unwrap();
    assert_eq!(again.events, u64::from(matches!(target, Target::User(_) | Target::Subject(_))));
    ledger.close().unwrap();
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    assert_eq!(report.parts_opened, left.len() as u64 + 2);
    let by = Gone::Erased { by: erased.order.index };
    assert_eq!(report.absent, [(("acme".to_owned(), by), 40 - left.len() as u64)].into());
    // Nothing is left to be done.
    let (ledger, startup) = place.start();
    let recovered = startup.recovered.await.unwrap();
    assert_eq!((recovered.repairs, recovered.open_decisions), (vec![], vec![]));
    ledger.close().unwrap();
    assert_eq!(place.readable().len(), left.len() + 2);
    erased.plan
}

#[tokio::test]
async fn a_user_is_erased() {
    let plan = check(|eraser| Target::User(eraser.user(&acme(), "alice")), |n| n % 2 == 0, true).await;
    assert_eq!((plan.events, plan.parts), (10, 20));
}

#[tokio::test]
async fn a_subject_is_erased() {
    let plan = check(|_| Target::Subject(SUBJECT.to_owned()), |n| n % 5 == 0, true).await;
    assert_eq!((plan.events, plan.parts), (4, 8));
}

#[tokio::test]
async fn events_are_erased_in_segments_and_in_the_log() {
    for n in [3, 19] {
        let plan = check(|_| Target::Event(about(n, "", "").event.id), |m| m == n, true).await;
        assert_eq!((plan.events, plan.parts), (1, 2));
    }
}

#[tokio::test]
async fn a_part_is_erased_and_the_other_still_held_against_the_entry() {
    let id = about(3, "", "").event.id;
    let plan = check(|_| Target::Part(id, "prompt".to_owned()), |n| n == 3, false).await;
    assert_eq!((plan.events, plan.parts, plan.bytes), (1, 1, 11));
}

#[tokio::test]
async fn proofs_hold_before_and_after() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger).await;
    ledger.close().unwrap();
    let (ledger, _startup) = place.start();
    let reader = ledger.reader();
    let keys = KeyRing::open(&place.keys()).unwrap();
    let before = reader.prove(&acme(), 3, Some(&keys)).unwrap().to_text();
    let target = Target::Part(about(3, "", "").event.id, "prompt".to_owned());
    let erased = ledger.eraser().erase(order(100, &target)).await.unwrap();
    let after = reader.prove(&acme(), 3, Some(&keys)).unwrap().to_text();
    let trust = std::fs::read_to_string(place.data().join("trust")).unwrap();
    let trust = TrustPolicy::parse(&trust).unwrap();
    let mut shown = Vec::new();
    for proof in [before, after] {
        let proof = TlogProof::parse(&proof).unwrap();
        let disclosure = Disclosure::from_bytes(proof.extra.as_deref().unwrap()).unwrap();
        proof.verify(&disclosure.leaf_hash(), &trust).unwrap();
        disclosure.check().unwrap();
        shown.push(format!("{:?}", disclosure.parts));
    }
    assert_eq!(shown, ["[Shown, Shown]", "[Withheld, Shown]"]);
    let found = reader.entry(&acme(), 3).unwrap().unwrap();
    let states = found.parts(&keys).unwrap();
    let by = erased.order.index;
    assert!(matches!(&states[0], PartState::Gone { why: Gone::Erased { by: n }, .. } if *n == by));
    assert!(matches!(&states[1], PartState::Open(part) if part.content == b"completion of 3"));
    ledger.close().unwrap();
}

#[tokio::test]
async fn a_hold_refuses_until_it_is_released() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger).await;
    let eraser = ledger.eraser();
    let alice = Target::User(eraser.user(&acme(), "alice"));
    let scopes = [
        Scope::Tenant,
        Scope::User(eraser.user(&acme(), "alice")),
        Scope::Subject(SUBJECT.to_owned()),
        Scope::Event(about(4, "", "").event.id),
        Scope::Recorded { from: None, until: Some(crate::ledger::wall_clock()) },
    ];
    for (n, scope) in (300..).zip(&scopes) {
        let id = format!("hold_{n}");
        let act = |n, name| own(n, EventType::DataModify, name, scope.uri(&acme()), &id);
        eraser.hold(act(n, HOLD)).await.unwrap();
        assert_eq!(eraser.plan(&acme(), &alice).unwrap().held, std::slice::from_ref(&id));
        let refused = eraser.erase(order(n + 100, &alice)).await.unwrap_err();
        assert!(matches!(refused, EraseError::Held(ids) if ids == [id.clone()]), "{scope:?}");
        assert_eq!(eraser.holds(&acme()).unwrap().len(), 1);
        eraser.hold(act(n + 50, RELEASE)).await.unwrap();
    }
    // Holds on others stand in nobody's way.
    for (n, scope) in (700..).zip([
        Scope::User(eraser.user(&acme(), "bob")),
        Scope::Event(about(3, "", "").event.id),
        Scope::Recorded { from: Some(crate::ledger::wall_clock()), until: None },
    ]) {
        let draft = own(n, EventType::DataModify, HOLD, scope.uri(&acme()), &format!("hold_{n}"));
        eraser.hold(draft).await.unwrap();
    }
    assert_eq!(place.readable().len(), 40);
    eraser.erase(order(500, &alice)).await.unwrap();
    ledger.close().unwrap();
    assert_eq!(place.readable().len(), 20);
    // Holds outlive the process.
    let (ledger, _startup) = place.start();
    assert_eq!(ledger.eraser().holds(&acme()).unwrap().len(), 3);
    ledger.close().unwrap();
}

#[tokio::test]
async fn only_greffier_orders() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger).await;
    let target = Target::Event(about(3, "", "").event.id);
    let mut imported = order(100, &target);
    imported.event.source = Some(Source { channel: "import".to_owned(), ..Source::default() });
    assert!(matches!(ledger.eraser().erase(imported.clone()).await, Err(EraseError::NotAnOrder)));
    ledger.appender().append(imported).await.unwrap();
    ledger.close().unwrap();
    assert_eq!(place.readable().len(), 40);
    assert_eq!(ledger_requests(&place), vec![]);
}

fn ledger_requests(place: &Place) -> Vec<Request> {
    Reader::open(&place.data()).unwrap().orders(&acme()).unwrap().requests()
}

#[tokio::test]
async fn older_copies_of_data_and_of_keys_learn_what_was_erased() {
    let id = about(3, "", "").event.id;
    for restored in ["data", "keys"] {
        let place = Place::new();
        let (ledger, _startup) = place.start();
        fill(&ledger).await;
        ledger.close().unwrap();
        place.copy_to("data", "old-data");
        place.copy_to("keys", "old-keys");
        let needles = place.sealed(3);
        let (ledger, _startup) = place.start();
        let eraser = ledger.eraser();
        let alice = Target::User(eraser.user(&acme(), "alice"));
        eraser.erase(order(100, &alice)).await.unwrap();
        eraser.erase(order(101, &Target::Event(id))).await.unwrap();
        let held = own(102, EventType::DataModify, HOLD, Scope::Tenant.uri(&acme()), "hold");
        eraser.hold(held).await.unwrap();
        drop(eraser);
        ledger.close().unwrap();
        let left = place.readable();
        place.replace(restored, &format!("old-{restored}"));
        std::fs::remove_dir_all(place.0.path().join("old-data")).unwrap();
        let (ledger, startup) = place.start();
        let recovered = startup.recovered.await.unwrap();
        assert_eq!(recovered.open_decisions, vec![], "{restored}");
        assert_eq!(recovered.repairs.len(), if restored == "data" { 3 } else { 0 }, "{restored}");
        assert_eq!(ledger.eraser().holds(&acme()).unwrap().len(), 1, "{restored}");
        ledger.close().unwrap();
        assert_eq!(place.readable(), left, "{restored}");
        assert!(!place.holds_any(&needles), "{restored}");
        let users = std::fs::read_to_string(place.keys().join("users.keys")).unwrap();
        let Target::User(holder) = &alice else { panic!() };
        assert!(!users.contains(holder.as_str()), "{restored}");
        assert_eq!(place.verify().problems, vec![], "{restored}");
        let states: Vec<State> = ledger_requests(&place).iter().map(|request| request.state).collect();
        assert!(states.iter().all(|state| matches!(state, State::Done { .. })), "{restored} {states:?}");
    }
}

#[tokio::test]
async fn a_part_that_is_missing_without_an_order_is_tampering() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger).await;
    let id = about(3, "", "").event.id;
    ledger.eraser().erase(order(100, &Target::Event(id))).await.unwrap();
    ledger.close().unwrap();
    // The key of a user whose erasure nobody ordered.
    let keys = KeyRing::open(&place.keys()).unwrap();
    keys.destroy_holder_key(&keys.holder(&acme(), Some("alice"))).unwrap();
    drop(keys);
    let report = place.verify();
    assert_eq!(report.problems.len(), 10);
    insta::assert_snapshot!(report.problems[0].what, @"part `prompt` cannot be opened: its holder has no key here");
}

/// A new id of a moment, as the node above mints them.
fn new_id(now: Timestamp) -> EventId {
    let text = format!(
        "{:08x}-0000-7000-8000-{:012x}",
        now.as_secs() & 0xffff_ffff,
        now.as_micros() & 0xffff_ffff_ffff
    );
    serde_json::from_value(text.into()).unwrap()
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

fn after(days: i64) -> Timestamp {
    // The events of tests were recorded on 6 March.
    let recorded: Timestamp = "2026-03-06T14:32:08.233104Z".parse().unwrap();
    Timestamp::from_micros(recorded.as_micros() + days * 86_400_000_000)
}

#[tokio::test]
async fn parts_expire_by_class_and_holds_keep_them() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    for n in 0..20 {
        let mut draft = about(n, if n % 2 == 0 { "alice" } else { "bob" }, SUBJECT);
        let classes: &[&str] = if n % 4 == 3 { &["pii", "phi"] } else { &["pii"] };
        draft.event.resource.as_mut().unwrap().classification = classes.iter().map(|c| (*c).into()).collect();
        ledger.appender().append(draft).await.unwrap();
    }
    let eraser = ledger.eraser();
    let hold = Scope::User(eraser.user(&acme(), "alice")).uri(&acme());
    eraser.hold(own(300, EventType::DataModify, HOLD, hold.clone(), "hold")).await.unwrap();
    let retention =
        Retention { entries: None, parts: Some(days(180)), classes: [("phi".to_owned(), days(400))].into() };
    // Configured today, it takes effect in a week; and nothing goes before its time.
    let pass = |now| eraser.expire(&retention, days(7), now, new_id);
    assert_eq!(pass(after(100)).await.unwrap(), 0);
    assert_eq!(pass(after(106)).await.unwrap(), 0);
    assert_eq!(pass(after(179)).await.unwrap(), 0);
    assert_eq!(place.readable().len(), 40);
    // Bob's go, but for those of the class that is kept longer; alice's are held.
    let needles = place.sealed(1);
    assert_eq!(pass(after(182)).await.unwrap(), 1);
    assert_eq!(pass(after(182)).await.unwrap(), 0, "once a day");
    assert_eq!(place.readable().len(), 30);
    assert!(!place.holds_any(&needles));
    eraser.hold(own(301, EventType::DataModify, RELEASE, hold, "hold")).await.unwrap();
    assert_eq!(pass(after(182)).await.unwrap(), 1);
    assert_eq!(place.readable().len(), 10);
    // Shortened: the longer time holds for a week more.
    let shorter = Retention { classes: [("phi".to_owned(), days(10))].into(), ..retention.clone() };
    assert_eq!(eraser.expire(&shorter, days(7), after(190), new_id).await.unwrap(), 0);
    assert_eq!(place.readable().len(), 10);
    assert_eq!(eraser.expire(&shorter, days(7), after(198), new_id).await.unwrap(), 1);
    assert_eq!(place.readable().len(), 0);
    drop(eraser);
    ledger.close().unwrap();
    let report = place.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
    let told: Vec<(bool, u64)> =
        report.absent.iter().map(|((_, why), parts)| (matches!(why, Gone::Expired { .. }), *parts)).collect();
    assert_eq!(told, [(true, 10), (true, 20), (true, 10)]);
    let (ledger, startup) = place.start();
    assert_eq!(startup.recovered.await.unwrap().open_decisions, vec![]);
    ledger.close().unwrap();
}

proptest::proptest! {
    #[test]
    fn every_retention_comes_back(
        entries in proptest::option::of(0u64..1_000_000_000),
        parts in proptest::option::of(0u64..1_000_000_000),
        classes in proptest::collection::btree_map("[a-z0-9._-]{1,8}", 0u64..1_000_000_000, 0..4),
    ) {
        let [entries, parts] = [entries, parts].map(|time| time.map(Duration::from_secs));
        let classes = classes.into_iter().map(|(class, time)| (class, Duration::from_secs(time))).collect();
        let retention = Retention { entries, parts, classes };
        proptest::prop_assert_eq!(Retention::parse(&acme(), &retention.uri(&acme())), Some(retention));
    }
}
