use proptest::prelude::*;

use super::*;
use crate::note::{Cosigner, SignedNote, Signer};

/// The log's key, and the witnesses w0, w1, ...
fn log() -> Signer {
    Signer::new("log.example", &[9; 32]).unwrap()
}

fn witness(n: u8) -> Cosigner {
    Cosigner::new(format!("w{n}.example"), &[n; 32]).unwrap()
}

/// A policy of the log, five witnesses and these further lines.
fn policy(lines: &str) -> TrustPolicy {
    let witnesses: String = (0..5).map(|n| format!("witness w{n} {}\n", witness(n).verifier())).collect();
    TrustPolicy::parse(&format!("log {}\n{witnesses}{lines}", log().verifier())).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "log.example".into(), size: 3, root: [3; 32] }
}

/// The checkpoint signed by the log and cosigned by these witnesses.
fn note(witnesses: &[u8]) -> String {
    let text = checkpoint().to_text();
    let mut signatures = vec![log().signature(&text).unwrap()];
    signatures.extend(witnesses.iter().map(|n| witness(*n).cosignature(&text, 1_700_000_000).unwrap()));
    SignedNote::new(text, signatures).unwrap().to_string()
}

/// Which of the sets of witnesses meet the policy.
fn check(lines: &str, sets: &[&[u8]]) -> String {
    let policy = policy(lines);
    assert_eq!(TrustPolicy::parse(&policy.to_string()).as_ref(), Ok(&policy));
    let answer = |set: &&[u8]| match policy.verify_checkpoint(&note(set)) {
        Ok(found) => {
            assert_eq!(found, checkpoint());
            format!("{set:?} accepted")
        }
        Err(error) => format!("{set:?} {error}"),
    };
    sets.iter().map(answer).collect::<Vec<_>>().join("\n")
}

#[test]
fn quorums() {
    insta::assert_snapshot!(check("quorum none", &[&[], &[0]]), @r#"
    [] accepted
    [0] accepted
    "#);
    insta::assert_snapshot!(check("quorum w1", &[&[], &[0], &[1], &[0, 1]]), @r#"
    [] too few witnesses cosigned the checkpoint: the quorum w1 is not met
    [0] too few witnesses cosigned the checkpoint: the quorum w1 is not met
    [1] accepted
    [0, 1] accepted
    "#);
    insta::assert_snapshot!(
        check("group g 2 w0 w1 w2\nquorum g", &[&[0], &[0, 0], &[0, 3], &[0, 2], &[2, 1, 0]]),
        @r#"
        [0] too few witnesses cosigned the checkpoint: the quorum g is not met
        [0, 0] too few witnesses cosigned the checkpoint: the quorum g is not met
        [0, 3] too few witnesses cosigned the checkpoint: the quorum g is not met
        [0, 2] accepted
        [2, 1, 0] accepted
        "#
    );
    let nested = "group x 2 w0 w1 w2\ngroup y any w3 w4\ngroup both all x y\nquorum both";
    insta::assert_snapshot!(check(nested, &[&[0, 1], &[3, 4], &[0, 3], &[0, 2, 4], &[0, 1, 2, 3, 4]]), @r#"
    [0, 1] too few witnesses cosigned the checkpoint: the quorum both is not met
    [3, 4] too few witnesses cosigned the checkpoint: the quorum both is not met
    [0, 3] too few witnesses cosigned the checkpoint: the quorum both is not met
    [0, 2, 4] accepted
    [0, 1, 2, 3, 4] accepted
    "#);
}

#[test]
fn who_signed_decides() {
    let policy = policy("quorum none");
    let refused = |note: &str| policy.verify_checkpoint(note).unwrap_err().to_string();
    let text = checkpoint().to_text();
    let cosigned = SignedNote::new(&text, vec![witness(0).cosignature(&text, 1).unwrap()]).unwrap();
    let stranger = Signer::new("log.example", &[8; 32]).unwrap().sign(&text).unwrap();
    let forged = note(&[0]).replace("\n3\n", "\n4\n");
    let answers = [refused(&cosigned.to_string()), refused(&stranger), refused(&forged), refused("")];
    insta::assert_snapshot!(answers.join("\n"), @r#"
    no known log key named like the origin log.example signed the checkpoint
    no known key signed the note
    bad signature of the known key log.example: the note was changed or forged
    malformed note: no blank line before the signatures
    "#);
    // A listed log signs for itself only.
    let other = Signer::new("other.example", &[7; 32]).unwrap();
    let policy = TrustPolicy::of_log(other.verifier().clone()).unwrap();
    insta::assert_snapshot!(policy.verify_checkpoint(&other.sign(&text).unwrap()).unwrap_err(), @"no known log key named like the origin log.example signed the checkpoint");
    insta::assert_snapshot!(policy, @r#"
    log other.example+ec10703e+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
    quorum none
    "#);
    assert!(TrustPolicy::of_log(witness(0).verifier().clone()).is_err());
}

#[test]
fn files() {
    let (log, w0, w1) = (log(), witness(0), witness(1));
    let (log, w0, w1) = (log.verifier(), w0.verifier(), w1.verifier());
    let same_key = Cosigner::new("elsewhere", &[0; 32]).unwrap();
    let same_key = same_key.verifier();
    let files = [
        format!("\t# comment\n\n  log\t{log}  https://log.example/ \nquorum none"),
        format!("witness w0 {w0}\nquorum w0\nwitness w1 {w1}\ngroup g any w0\n"),
        "quorum none\n".to_owned(),
        String::new(),
        "quorum none\nquorum none\n".to_owned(),
        "quorum a\n".to_owned(),
        "quorum\n".to_owned(),
        "quorum none # comment\n".to_owned(),
        "quorum none\r\n".to_owned(),
        "Quorum none\n".to_owned(),
        format!("log {w0}\nquorum none\n"),
        format!("witness w0 {log}\nquorum none\n"),
        format!("log {log}\nlog {log}\nquorum none\n"),
        format!("witness w0 {w0}\nwitness w1 {same_key}\nquorum none\n"),
        format!("witness w0 {w0}\nwitness w0 {w1}\nquorum none\n"),
        format!("witness none {w0}\nquorum none\n"),
        format!("group g any w0\nwitness w0 {w0}\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g any g w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g any\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g any none\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g 2 w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g 0 w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g 01 w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g any w0 w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup g any w0\ngroup h any w0\nquorum g\n"),
        format!("witness w0 {w0}\ngroup w0 any w0\nquorum w0\n"),
        format!("log {}\nquorum none\n", log.to_string().replace("log.", "lag.")),
        " ".repeat(MAX_POLICY + 1),
    ];
    let answers = files.map(|file| match TrustPolicy::parse(&file) {
        Ok(policy) => format!("{} logs, {} witnesses", policy.logs().len(), policy.witnesses().len()),
        Err(error) => error.to_string(),
    });
    insta::assert_snapshot!(answers.join("\n"), @r#"
    1 logs, 0 witnesses
    0 logs, 2 witnesses
    0 logs, 0 witnesses
    trust policy has no quorum line: add "quorum none" to ask for no witnesses
    trust policy, line 2: there is already a quorum line
    trust policy, line 1: the name a is not defined above
    trust policy, line 1: expected "log <vkey> [url]", "witness <name> <vkey> [url]", "group <name> all|any|<k> <member>..." or "quorum <name>|none"
    trust policy, line 1: expected "log <vkey> [url]", "witness <name> <vkey> [url]", "group <name> all|any|<k> <member>..." or "quorum <name>|none"
    trust policy, line 1: control characters other than tab are not allowed: end lines with a plain newline
    trust policy, line 1: expected "log <vkey> [url]", "witness <name> <vkey> [url]", "group <name> all|any|<k> <member>..." or "quorum <name>|none"
    trust policy, line 1: a log needs a key of type 0x01, a witness one of type 0x04
    trust policy, line 1: a log needs a key of type 0x01, a witness one of type 0x04
    trust policy, line 2: this key is already listed
    trust policy, line 2: this key is already listed
    trust policy, line 2: the name w0 is already taken
    trust policy, line 1: the name none is already taken
    trust policy, line 1: the name w0 is not defined above
    trust policy, line 2: the name g is not defined above
    trust policy, line 2: expected "log <vkey> [url]", "witness <name> <vkey> [url]", "group <name> all|any|<k> <member>..." or "quorum <name>|none"
    trust policy, line 2: the name none is not defined above
    trust policy, line 2: the threshold is all, any or a number from 1 to that of the members
    trust policy, line 2: the threshold is all, any or a number from 1 to that of the members
    trust policy, line 2: the threshold is all, any or a number from 1 to that of the members
    trust policy, line 2: w0 is already a member of a group
    trust policy, line 3: w0 is already a member of a group
    trust policy, line 2: the name w0 is already taken
    trust policy, line 1: the key's id does not match its name and bytes: copy the whole key again
    trust policy is larger than 2 MiB
    "#);
}

#[test]
fn names_are_not_folded() {
    // A Kelvin sign is no K, and a Unicode space is no white space.
    let (w0, w1) = (witness(0), witness(1));
    let text = format!(
        "witness K {}\nwitness \u{212a}\u{2003}x {}\nquorum \u{212a}\u{2003}x\n",
        w0.verifier(),
        w1.verifier()
    );
    let policy = TrustPolicy::parse(&text).unwrap();
    assert_eq!(policy.to_string(), text);
    assert_eq!(policy.quorum, Some(Member::Witness(1)));
}

proptest! {
    #[test]
    fn a_threshold_counts_distinct_members(k in 1..=5usize, signed in prop::collection::vec(0..5u8, 0..12)) {
        let policy = policy(&format!("group g {k} w0 w1 w2 w3 w4\nquorum g\n"));
        let distinct: std::collections::BTreeSet<u8> = signed.iter().copied().collect();
        prop_assert_eq!(policy.verify_checkpoint(&note(&signed)).is_ok(), distinct.len() >= k);
    }

    #[test]
    fn what_parses_formats_and_parses_again(lines in prop::collection::vec(
        "(group [a-c]|quorum|witness) (all|any|[0-3]|[a-c]|none)( [a-c]){0,3}[ \t#]?", 0..6,
    )) {
        let (a, b) = (witness(0), witness(1));
        let text = format!("witness a {}\nwitness b {}\n{}\nquorum none\n", a.verifier(), b.verifier(), lines.join("\n"));
        for text in [&text, &text.replace("\nquorum none\n", "\nquorum a\n")] {
            if let Ok(policy) = TrustPolicy::parse(text) {
                prop_assert_eq!(TrustPolicy::parse(&policy.to_string()), Ok(policy));
            }
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        prop_assert!(TrustPolicy::parse(&text).is_err());
    }
}

#[test]
fn a_quorum_has_vouched_since_the_last_cosignature_that_it_needed() {
    let at = |lines: &str, times: &[(u8, u64)]| {
        let text = checkpoint().to_text();
        let mut signatures = vec![log().signature(&text).unwrap()];
        signatures.extend(times.iter().map(|(n, time)| witness(*n).cosignature(&text, *time).unwrap()));
        policy(lines).cosigned_at(&SignedNote::new(text, signatures).unwrap())
    };
    let two = "group g 2 w0 w1 w2\nquorum g";
    assert_eq!(at(two, &[(0, 30), (1, 10), (2, 20)]), Some(20));
    assert_eq!(at(two, &[(0, 30), (1, 10)]), Some(10));
    // One that asks again counts with its newest word, and one that nobody asks for does not.
    assert_eq!(at(two, &[(0, 30), (1, 10), (1, 25), (4, 99)]), Some(25));
    assert_eq!(at(two, &[(0, 30), (0, 31), (4, 30)]), None);
    assert_eq!(at("quorum none", &[(0, 30)]), None);
    assert_eq!(at("quorum w3", &[(3, 7)]), Some(7));
    let nested = "group x 2 w0 w1 w2\ngroup y any w3 w4\ngroup both all x y\nquorum both";
    assert_eq!(at(nested, &[(0, 5), (1, 6), (3, 1), (4, 9)]), Some(5));
}
