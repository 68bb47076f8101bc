use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;

/// A response of `openssl ts -reply` to [`request`] of these bytes with a nonce of sevens.
const STAMPED: &[u8] = b"a checkpoint\n";
const NONCE: [u8; NONCE_BYTES] = [7; NONCE_BYTES];

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/timestamps").join(name)).unwrap()
}

/// What is said of a response to our request.
fn check(response: &[u8]) -> String {
    let read = Stamp::read(response).and_then(|stamp| {
        stamp.check(STAMPED)?;
        stamp.check_nonce(NONCE)?;
        Ok(stamp.time)
    });
    read.map_or_else(|error| error.to_string(), |time| time.to_string())
}

#[test]
fn a_request_is_what_others_read() {
    insta::assert_snapshot!(hex::encode(request(STAMPED, NONCE)), @r"
    30430201013031300d060960864801650304020105000420af3f21181622d05eb6375ebb30e62bbe98f8541c778ae2ecedd0af333c43a504020847070707070707070101ff
    ");
    assert_eq!(request(STAMPED, NONCE), golden("request.tsq"));
    // Whatever the nonce, it is a positive number in its shortest form.
    for first in [0, 0x80, 0xff] {
        assert_eq!(request(STAMPED, [first; NONCE_BYTES]).len(), request(STAMPED, NONCE).len());
    }
}

#[test]
fn responses() {
    let granted = golden("granted.tsr");
    let said = [
        ("granted", check(&granted)),
        ("rejected", check(&golden("rejected.tsr"))),
        ("of something else", Stamp::read(&granted).unwrap().check(b"another").unwrap_err().to_string()),
        ("to another request", Stamp::read(&granted).unwrap().check_nonce([8; 8]).unwrap_err().to_string()),
        ("the request", check(&golden("request.tsq"))),
        ("nothing", check(b"")),
        ("too large", check(&vec![0x30; MAX_RESPONSE + 1])),
        ("more behind it", check(&[granted.as_slice(), &[0]].concat())),
        (
            "granted without a token",
            check(&value(SEQUENCE, &[&value(SEQUENCE, &[&value(INTEGER, &[&[0]])])])),
        ),
        ("an unknown status", check(&value(SEQUENCE, &[&value(SEQUENCE, &[&value(INTEGER, &[&[1, 0]])])]))),
        ("an endless length", check(&[0x30, 0x80, 0, 0])),
        ("a long length", check(&[&[0x30, 0x84, 0, 0, 0, 3], &[2, 1, 0][..]].concat())),
        ("a length beyond the end", check(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff])),
    ];
    let said: Vec<String> = said.iter().map(|(what, said)| format!("{what}: {said}")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    granted: 2026-11-21T11:48:37.000000Z
    rejected: the time stamping authority refused (status 2): Message digest algorithm is not supported.
    of something else: the time stamp is of something else: its imprint is not SHA-256 of the checkpoint
    to another request: the time stamp answers another request: its nonce is another
    the request: malformed time stamp: it has no status
    nothing: malformed time stamp: a value is cut off
    too large: the time stamp is larger than 64 KiB
    more behind it: malformed time stamp: there is more than there should be
    granted without a token: malformed time stamp: a value is cut off
    an unknown status: malformed time stamp: the status is no number that there is
    an endless length: malformed time stamp: a length is not a definite one of at most four bytes
    a long length: malformed time stamp: a length is longer than it need be
    a length beyond the end: malformed time stamp: a value is cut off
    ");
}

#[test]
fn times() {
    let texts = [
        "20261121105205Z",
        "20261121105205.5Z",
        "20261121105205.123456789Z",
        "20261121105205.50Z",
        "20261121105205.Z",
        "20261121105205",
        "202611211052Z",
        "20261321105205Z",
        "20261121105205+0100",
        "2026112110520éZ",
        "Z",
    ];
    let said = texts.map(|text| match time(text.as_bytes()) {
        Ok(time) => format!("{text} {time}"),
        Err(_) => format!("{text} refused"),
    });
    insta::assert_snapshot!(said.join("\n"), @r"
    20261121105205Z 2026-11-21T10:52:05.000000Z
    20261121105205.5Z 2026-11-21T10:52:05.500000Z
    20261121105205.123456789Z 2026-11-21T10:52:05.123456Z
    20261121105205.50Z refused
    20261121105205.Z refused
    20261121105205 refused
    202611211052Z refused
    20261321105205Z refused
    20261121105205+0100 refused
    2026112110520éZ refused
    Z refused
    ");
}

/// The reader that everybody has agrees, where it is installed.
#[test]
fn openssl_reads_our_request() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("request.tsq");
    std::fs::write(&path, request(STAMPED, NONCE)).unwrap();
    let Ok(done) = Command::new("openssl").args(["ts", "-query", "-text", "-in"]).arg(&path).output() else {
        return;
    };
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && text.contains("Hash Algorithm: sha256"), "{text}");
    assert!(
        text.contains("Certificate required: yes") && text.contains("Nonce: 0x4707070707070707"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn lengths_come_back(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
        let bytes = value(OCTETS, &[&content]);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.take(OCTETS, "").unwrap().rest(), content.as_slice());
        prop_assert!(reader.end().is_ok());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Stamp::read(&bytes).is_err());
    }

    /// Up to the nonce every byte counts: whatever is changed there is refused, or says another time.
    #[test]
    fn a_changed_response_is_another(at: proptest::sample::Index, flip in 1..=255u8) {
        let whole = golden("granted.tsr");
        let mut changed = whole.clone();
        let at = at.index(whole.len());
        changed[at] ^= flip;
        let stamp = Stamp::read(&whole).unwrap();
        if let Ok(read) = Stamp::read(&changed) {
            let digest = sha256(STAMPED);
            let start = whole.windows(32).position(|bytes| bytes == digest).unwrap();
            prop_assert_eq!(read.imprint != stamp.imprint, (start..start + 32).contains(&at));
        }
    }
}

/// A response that grants a stamp of these bytes, signed by nobody.
pub(crate) fn unsigned_response(stamped: &[u8]) -> Vec<u8> {
    let imprint = value(
        SEQUENCE,
        &[
            &value(SEQUENCE, &[&value(OID, &[SHA256]), &value(NULL, &[])]),
            &value(OCTETS, &[&sha256(stamped)]),
        ],
    );
    let version = value(INTEGER, &[&[1]]);
    let time = value(TIME, &[b"20261121105205Z"]);
    let info = value(SEQUENCE, &[&version, &value(OID, &[&[0x2a, 3]]), &imprint, &version, &time]);
    let content = value(EXPLICIT_0, &[&value(OCTETS, &[&info])]);
    let content = value(SEQUENCE, &[&value(OID, &[TST_INFO]), &content]);
    let signed = value(SEQUENCE, &[&value(INTEGER, &[&[3]]), &value(SET, &[]), &content]);
    let token = value(SEQUENCE, &[&value(OID, &[SIGNED_DATA]), &value(EXPLICIT_0, &[&signed])]);
    value(SEQUENCE, &[&value(SEQUENCE, &[&value(INTEGER, &[&[0]])]), &token])
}
