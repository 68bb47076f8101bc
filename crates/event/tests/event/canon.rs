//! Canonical bytes against frozen vectors and an independent writer.

use std::path::Path;

use greffier_event::{Event, EventType, SessionLink};
use proptest::prelude::*;

use crate::{jcs, samples, strategies};

/// The frozen files are the promise: a change of any byte breaks every trail written before.
fn check(name: &str, event: &Event) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors").join(format!("{name}.json"));
    let frozen = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(&event.canonical().unwrap()), String::from_utf8_lossy(&frozen));
    assert!(Event::from_canonical(&frozen).unwrap() == *event, "{name} reads back as another event");
}

#[test]
fn vectors() {
    for kind in EventType::ALL {
        check(kind.as_str(), &samples::of(kind));
    }
    check("submitted", &samples::full());
    // Frozen before submissions had a digest.
    let mut full = samples::full();
    full.source.as_mut().unwrap().digest = None;
    check("full", &full);
    // Since it is said how an event found its session.
    let mut linked = samples::of(EventType::ActionApproved);
    linked.session_id = Some("ses_7".to_owned());
    linked.session_link = Some(SessionLink::History);
    check("linked", &linked);
    // Since producers number their events.
    check("numbered", &samples::numbered());
}

#[test]
fn no_vector_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), EventType::ALL.len() + 4);
}

#[test]
fn only_canonical_bytes_are_read() {
    let good = String::from_utf8(samples::full().canonical().unwrap()).unwrap();
    let check = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        match Event::from_canonical(good.replacen(from, to, 1).as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(check("{\"action\"", "{ \"action\""), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("\"v\":1}", "\"v\":1,\"w\":1}"), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("\"v\":1}", "\"v\":1}\n"), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("\"v\":1}", "\"v\":1.0}"), @"event: is not an event in native form (near byte 2151)");
    insta::assert_snapshot!(check("\"v\":1}", "\"v\":2}"), @"v: must be 1");
    insta::assert_snapshot!(check("\"v\":1}", ""), @"event: is not an event in native form (near byte 2144)");
    insta::assert_snapshot!(check("\"via\":[{", "\"via\":[{\"x\":1,"), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("07.891000Z", "07.891Z"), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("01957000-", "01957000"), @"event: is not an event in native form (near byte 458)");
    insta::assert_snapshot!(check("\"POST\"", "\"P\\u004fST\""), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("\"method\":\"POST\",", "\"method\":null,"), @"event: is not in canonical form (RFC 8785)");
    insta::assert_snapshot!(check("\"method\":\"POST\",", "\"method\":\"POST\",\"method\":\"POST\","), @"event: is not an event in native form (near byte 90)");
    insta::assert_snapshot!(check("\"POST\"", "\"\""), @"action.method: must not be empty; leave it out instead");
    insta::assert_snapshot!(check("\"id\":\"crm-assistant\"", "\"id\":17"), @"event: is not an event in native form (near byte 128)");
}

#[test]
fn an_entry_has_a_bound() {
    let mut event = samples::full();
    let user = event.user.as_mut().unwrap();
    user.roles = (0..300).map(|number| format!("{number:0>250}")).collect();
    let error = event.canonical().unwrap_err();
    insta::assert_snapshot!(error, @"event: has 78030 bytes and an entry at most 65535: shorten its lists");
}

proptest! {
    #[test]
    fn round_trip(event in strategies::event()) {
        let bytes = event.canonical().unwrap();
        let mut expected = String::new();
        jcs::write(&serde_json::to_value(&event).unwrap(), &mut expected);
        prop_assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
        prop_assert!(Event::from_canonical(&bytes).unwrap() == event);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..1_400) {
        let _ = Event::from_canonical(&bytes);
        let mut mutated = samples::full().canonical().unwrap();
        let end = (at + bytes.len()).min(mutated.len());
        if at < end {
            mutated.splice(at..end, bytes.iter().copied());
            let _ = Event::from_canonical(&mutated);
        }
    }
}
