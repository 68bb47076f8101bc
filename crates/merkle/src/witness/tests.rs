use proptest::prelude::*;

use super::*;
use crate::note::{Cosigner, Signer};

/// The log, its second key, a log of another origin, and a witness.
fn log() -> Signer {
    Signer::new("log.example/a", &[1; 32]).unwrap()
}

fn next_key() -> Signer {
    Signer::new("log.example/a", &[2; 32]).unwrap()
}

fn other_log() -> Signer {
    Signer::new("log.example/b", &[3; 32]).unwrap()
}

fn cosigner(n: u8) -> Cosigner {
    Cosigner::new(format!("w{n}.example"), &[n; 32]).unwrap()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|n| hash::leaf(&n.to_be_bytes())).collect()
}

/// The log's tree at this size; what is called fork differs from its first leaf on.
fn head(size: u64, fork: bool) -> Checkpoint {
    let mut leaves = leaves(size);
    if let (true, Some(first)) = (fork, leaves.first_mut()) {
        *first = hash::leaf(b"another");
    }
    Checkpoint { origin: "log.example/a".into(), size, root: hash::root(&leaves) }
}

fn proof_between(old: u64, new: u64) -> Vec<Hash> {
    proof::consistency(old, new, &mut proof::leaf_reader(&leaves(new))).unwrap()
}

fn request(old: u64, new: u64) -> AddCheckpoint {
    AddCheckpoint { old, proof: proof_between(old, new), checkpoint: head(new, false).sign(&log()).unwrap() }
}

/// The answer of a witness that knows both logs and cosigned a tree of `latest` leaves last.
fn check(latest: Option<u64>, request: &AddCheckpoint) -> String {
    let (log, next, other) = (log(), next_key(), other_log());
    let keys = [log.verifier(), next.verifier(), other.verifier()];
    let latest = latest.map(|size| head(size, false));
    let parsed = match AddCheckpoint::parse(&request.to_text()) {
        Ok(parsed) => parsed,
        Err(refused) => return format!("{} {refused}", refused.status()),
    };
    assert_eq!(&parsed, request);
    match consider(keys, latest.as_ref(), &parsed) {
        Ok(accepted) => format!("200 {} {}", accepted.origin, accepted.size),
        Err(refused) => format!("{} {refused}", refused.status()),
    }
}

#[test]
fn a_log_that_grows_is_followed() {
    let answers = [
        check(None, &request(0, 1)),
        check(None, &request(0, 0)),
        check(Some(0), &request(0, 300)),
        check(Some(1), &request(1, 300)),
        check(Some(256), &request(256, 300)),
        check(Some(300), &request(300, 300)),
    ];
    insta::assert_snapshot!(answers.join("\n"), @r#"
    200 log.example/a 1
    200 log.example/a 0
    200 log.example/a 300
    200 log.example/a 300
    200 log.example/a 300
    200 log.example/a 300
    "#);
}

/// The reason for which each bad request is refused, where several would do: the specification's order.
#[test]
fn what_is_wrong_has_its_own_answer() {
    let good = request(5, 9);
    let signed = |signer: &Signer, head: Checkpoint| signer.sign(&head.to_text()).unwrap();
    let with = |checkpoint: String| AddCheckpoint { checkpoint, ..good.clone() };
    let mut unrooted = head(0, false);
    unrooted.root = [7; 32];
    let elsewhere = Checkpoint { origin: "log.example/c".into(), ..head(9, false) };
    let forged = good.checkpoint.replace("\n9\n", "\n10\n");
    let requests: Vec<(Option<u64>, AddCheckpoint)> = vec![
        (Some(5), with(signed(&other_log(), head(9, false)))),
        (Some(5), with(signed(&log(), elsewhere))),
        (Some(5), with(forged)),
        (Some(5), AddCheckpoint { old: 10, ..good.clone() }),
        (Some(4), good.clone()),
        (Some(9), good.clone()),
        (None, good.clone()),
        (Some(5), AddCheckpoint { old: 0, ..good.clone() }),
        (Some(9), request(5, 7)),
        (Some(5), with(signed(&log(), head(9, true)))),
        (Some(5), AddCheckpoint { proof: Vec::new(), ..good.clone() }),
        (Some(5), AddCheckpoint { proof: [good.proof.clone(), vec![[0; 32]]].concat(), ..good.clone() }),
        (None, AddCheckpoint { proof: vec![[0; 32]], ..request(0, 9) }),
        (Some(9), AddCheckpoint { proof: vec![[0; 32]], ..request(9, 9) }),
        (Some(9), AddCheckpoint { checkpoint: signed(&log(), head(9, true)), ..request(9, 9) }),
        (None, AddCheckpoint { checkpoint: signed(&log(), unrooted), ..request(0, 0) }),
        (Some(5), AddCheckpoint { proof: vec![[0; 32]; 64], ..good.clone() }),
        (Some(5), with("log.example/a\n9\n".into())),
        (Some(5), with(signed(&log(), head(9, false)).replace("\n9\n", "\n09\n"))),
    ];
    let answers: Vec<String> = requests.iter().map(|(latest, request)| check(*latest, request)).collect();
    insta::assert_snapshot!(answers.join("\n"), @r#"
    403 not signed by the log log.example/a
    404 no log of origin log.example/c is known here
    403 not signed by the log log.example/a
    400 malformed request: the old tree is larger than the new one
    409 the proof starts from another tree: the last one cosigned has 4 leaves
    409 the proof starts from another tree: the last one cosigned has 9 leaves
    409 the proof starts from another tree: the last one cosigned has 0 leaves
    409 the proof starts from another tree: the last one cosigned has 5 leaves
    409 the proof starts from another tree: the last one cosigned has 9 leaves
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    422 the new tree is not shown to contain the last one that was cosigned
    400 malformed request: more than 63 hashes
    400 malformed checkpoint in the request: malformed note: no blank line before the signatures
    400 malformed checkpoint in the request: malformed checkpoint: the size is not a plain decimal
    "#);
}

#[test]
fn other_keys_do_not_speak_for_a_log() {
    let (log, next, stranger) = (log(), next_key(), Signer::new("log.example/a", &[9; 32]).unwrap());
    let text = head(9, false).to_text();
    let note = |signatures: Vec<Signature>| SignedNote::new(&text, signatures).unwrap().to_string();
    let forged = {
        let line = log.signature("another text\n").unwrap().to_string();
        Signature::parse(&line).unwrap()
    };
    let [by_log, by_next, by_stranger] = [&log, &next, &stranger].map(|key| key.signature(&text).unwrap());
    let witnessed = cosigner(8).cosignature(&text, 1).unwrap();
    let by_other_log = other_log().signature("another text\n").unwrap();
    let notes = [
        // The log's next key alone is as good, and a stranger's line is passed over.
        note(vec![by_next.clone()]),
        note(vec![by_stranger.clone(), by_log.clone(), witnessed.clone()]),
        // Another log's key is a stranger here, whatever it signed.
        note(vec![by_other_log, by_log.clone()]),
        note(vec![by_stranger, witnessed]),
        note(vec![by_next, forged]),
    ];
    let answers = notes.map(|checkpoint| check(Some(5), &AddCheckpoint { checkpoint, ..request(5, 9) }));
    insta::assert_snapshot!(answers.join("\n"), @r#"
    200 log.example/a 9
    200 log.example/a 9
    200 log.example/a 9
    403 not signed by the log log.example/a
    403 not signed by the log log.example/a
    "#);
    // A witness's key in the list of logs speaks for nobody.
    let witness = Cosigner::new("log.example/a", &[8; 32]).unwrap();
    let cosigned = SignedNote::new(&text, vec![witness.cosignature(&text, 1).unwrap()]).unwrap();
    let by_witness = AddCheckpoint { checkpoint: cosigned.to_string(), ..request(5, 9) };
    let unknown = consider([witness.verifier()], Some(&head(5, false)), &by_witness);
    assert_eq!(unknown, Err(Refused::UnknownLog("log.example/a".into())));
    // Nor does another log's latest checkpoint say anything of this one: it is not as if there were none.
    let elsewhere = Checkpoint { origin: "log.example/b".into(), ..head(0, false) };
    let confused = consider([log.verifier()], Some(&elsewhere), &request(0, 9));
    assert_eq!(confused, Err(Refused::UnknownLog("log.example/a".into())));
}

/// The example of the specification: its form, and its way back.
#[test]
fn bodies() {
    let good = request(5, 9).to_text();
    let bodies = [
        good.clone(),
        good.replacen("old 5", "old 05", 1),
        good.replacen("old 5", "old  5", 1),
        good.replacen("old 5", "old +5", 1),
        good.replacen("old 5", "Old 5", 1),
        good.replacen("old 5\n", "", 1),
        good.replacen("old 5\n", "old 5\n\n", 1),
        good.replacen("old 5\n", "old 5\r\n", 1),
        good.replacen("=\n", "\n", 1),
        good.replacen("\n\n", "\n", 1),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        "x".repeat(MAX_REQUEST + 1),
        String::new(),
    ];
    let answers = bodies.map(|body| match AddCheckpoint::parse(&body) {
        Ok(request) => {
            assert_eq!(request.to_text(), body);
            format!("old {} of {}", request.old, request.origin())
        }
        Err(refused) => refused.to_string(),
    });
    insta::assert_snapshot!(answers.join("\n"), @r#"
    old 5 of log.example/a
    malformed request: the first line is not "old" and a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed checkpoint in the request: malformed checkpoint: the size is not a plain decimal
    malformed request: the first line is not "old" and a plain decimal
    malformed request: a hash is not 32 bytes of base64
    malformed request: a hash is not 32 bytes of base64
    malformed checkpoint in the request: malformed note: the last line has no end
    malformed checkpoint in the request: malformed note: the last line has no end
    malformed request: larger than 128 KiB
    malformed request: no blank line before the checkpoint
    "#);
}

#[test]
fn answers() {
    let text = head(9, false).to_text();
    let [first, second] = [1, 2].map(|n| cosigner(n).cosignature(&text, 1_700_000_000).unwrap());
    let body = format!("{first}\n{second}\n");
    assert_eq!(parse_cosignatures(&body), Ok(vec![first.clone(), second.clone()]));
    for bad in ["", "\n", body.trim_end(), &format!("{body}\n"), &body.repeat(33)] {
        assert!(parse_cosignatures(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_size(&size_text(u64::MAX)), Some(u64::MAX));
    for bad in ["", "5", "05\n", "5\n\n", " 5\n", "-5\n", "18446744073709551616\n"] {
        assert_eq!(parse_size(bad), None, "{bad}");
    }
    // SHA-256 of the origin, as `sha256sum` prints it.
    assert_eq!(
        origin_hash("example.com/behind-the-sofa"),
        "5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4"
    );
}

/// What a log does with an answer: good lines of its witnesses join the checkpoint, once.
#[test]
fn cosignatures_are_gathered() {
    let (log, one, two) = (log(), cosigner(1), cosigner(2));
    let text = head(9, false).to_text();
    let note = SignedNote::new(&text, vec![log.signature(&text).unwrap()]).unwrap();
    let at = |witness: &Cosigner, time| witness.cosignature(&text, time).unwrap();
    let known = [log.verifier(), one.verifier(), two.verifier()];
    let more = [at(&cosigner(7), 9), at(&two, 5), at(&one, 3), at(&one, 4), at(&one, 3)];
    let gathered = note.gather(&more, known).unwrap();
    assert_eq!(gathered.signatures(), [log.signature(&text).unwrap(), at(&one, 4), at(&two, 5)]);
    // Again, with a later word of one of them, and with nothing new.
    let gathered = gathered.gather(&[at(&two, 8)], known).unwrap();
    let said: Vec<_> = gathered.statements(known).unwrap().into_iter().map(|(_, said)| said).collect();
    use crate::note::Statement::{Cosigned, Signed};
    assert_eq!(said, [Signed, Cosigned { time: 4 }, Cosigned { time: 8 }]);
    assert_eq!(gathered.gather(&[], known).as_ref(), Ok(&gathered));
    assert_eq!(note.gather(&more, [log.verifier(), log.verifier()]).as_ref(), Ok(&note));
    // A cosignature of another text under a known name spoils the answer; strangers alone make no note.
    let bad = one.cosignature("another\n", 4).unwrap();
    assert_eq!(note.gather(&[bad], known), Err(NoteError::BadSignature("w1.example".into())));
    assert_eq!(note.gather(&more, [cosigner(6).verifier()]), Err(NoteError::Unsigned));
}

proptest! {
    /// Whatever a witness signs in a row, each tree contains the one before it.
    #[test]
    fn no_sequence_of_requests_makes_a_fork(steps in prop::collection::vec((0..12u64, 0..12u64, any::<bool>(), 0..4u8), 1..24)) {
        let log = log();
        let mut latest: Option<Checkpoint> = None;
        for (old, new, fork, damage) in steps {
            let mut proof = proof::consistency(old, new, &mut proof::leaf_reader(&leaves(new))).unwrap_or_default();
            match (damage, proof.first_mut()) {
                (1, Some(first)) => first[0] ^= 1,
                (2, _) => proof.push([0; 32]),
                _ => {}
            }
            let request = AddCheckpoint { old, proof, checkpoint: head(new, fork).sign(&log).unwrap() };
            if let Ok(accepted) = consider([log.verifier()], latest.as_ref(), &request) {
                // Forked and straight trees have no tree in common but the empty one.
                let before = latest.as_ref().map_or(0, |latest| latest.size);
                prop_assert!(accepted.size >= before && request.old == before);
                if let Some(latest) = latest.filter(|latest| latest.size > 0) {
                    let was_fork = latest == head(latest.size, true) && latest != head(latest.size, false);
                    prop_assert_eq!(was_fork, accepted == head(new, true) && accepted != head(new, false));
                }
                latest = Some(accepted);
            }
        }
    }

    #[test]
    fn what_parses_formats_back(old in "(old|ol) [0-9+]{1,3}", hashes in prop::collection::vec("[AE]{42}[A-D]=?", 0..3), gap in "\n{1,3}") {
        let text = format!("{old}\n{}{gap}{}", hashes.iter().map(|hash| format!("{hash}\n")).collect::<String>(), request(0, 3).checkpoint);
        if let Ok(request) = AddCheckpoint::parse(&text) {
            prop_assert_eq!(request.to_text(), text);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        prop_assert!(AddCheckpoint::parse(&text).is_err());
        prop_assert!(parse_cosignatures(&text).is_err());
        prop_assert!(parse_size(&text).is_none());
    }
}
