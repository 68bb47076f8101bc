use greffier_merkle::note::Cosigner;
use proptest::prelude::*;

use super::*;

const TEXT: &str = "log.example/acme\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const NOW: u64 = 1_800_000_000;

fn cosigner(seed: u8) -> Cosigner {
    Cosigner::new("witness.example/w", &[seed; 32]).unwrap()
}

fn line(by: &Cosigner, text: &str, time: u64) -> String {
    by.cosignature(text, time).unwrap().to_string() + "\n"
}

fn check(status: u16, body: &str) -> String {
    let reply = Reply { status, body: body.to_owned() };
    match read_reply(&reply, TEXT, cosigner(1).verifier(), NOW) {
        Meaning::Cosigned(_, time) => format!("cosigned at {time}"),
        Meaning::Conflict(size) => format!("conflict {size}"),
        Meaning::Inconsistent => "inconsistent".to_owned(),
        Meaning::Refused(reason) => reason,
    }
}

#[test]
fn only_the_configured_key_cosigns_and_only_in_time() {
    let (ours, other) = (cosigner(1), cosigner(2));
    let lines = |lines: &[String]| check(200, &lines.concat());
    let said = [
        lines(&[line(&ours, TEXT, NOW)]),
        lines(&[line(&other, TEXT, NOW), line(&ours, TEXT, NOW - 5), line(&ours, TEXT, NOW - 9)]),
        lines(&[line(&ours, TEXT, NOW + MAX_AHEAD)]),
        lines(&[line(&ours, TEXT, NOW + MAX_AHEAD + 1)]),
        lines(&[line(&other, TEXT, NOW)]),
        lines(&[line(&ours, "another text\n", NOW)]),
        lines(&[line(&ours, TEXT, NOW), line(&ours, "another text\n", NOW)]),
        lines(&[]),
        check(200, "<html>"),
        check(409, "12\n"),
        check(409, "12"),
        check(409, "+12\n"),
        check(422, "never mind"),
        check(404, ""),
        check(403, ""),
        check(500, ""),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    cosigned at 1800000000
    cosigned at 1799999995
    cosigned at 1800000300
    its time 1800000301 lies in the future
    its answer has no signature of its configured key
    its signature does not hold under its configured key
    its signature does not hold under its configured key
    its answer is not signature lines
    its answer is not signature lines
    conflict 12
    its 409 names no size
    its 409 names no size
    inconsistent
    it does not know this log: give it the log's key
    it has another key for this log
    it answered 500
    ");
}

proptest! {
    #[test]
    fn whatever_comes_back_is_read_without_panic(status in 0u16..600, body: String) {
        let reply = Reply { status, body };
        let meaning = read_reply(&reply, TEXT, cosigner(1).verifier(), NOW);
        prop_assert!(!matches!(meaning, Meaning::Cosigned(..)));
    }
}
