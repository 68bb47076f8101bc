//! The demo of the built binary, from start to end: it says what the script did, and it would fail if the trail
//! did not show it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn demo(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greffier"));
    command.current_dir(dir).env_clear().env("TMPDIR", dir).arg("demo").args(args);
    // Meant for another installation: the demo must not follow it.
    command.env("GREFFIER__DATA", "elsewhere").env("GREFFIER__LISTEN", "127.0.0.1:1");
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    output
}

fn column<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    answer["rows"].as_array().unwrap().iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn it_answers_what_the_script_did_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let output = demo(dir.path(), &["--once", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answers = &told["answers"];

    // Tuesday: both physicians at their rounds; the clerk, who was refused, is not among them.
    assert_eq!(
        column(&answers[0], "employee"),
        ["n.lindqvist@elisabeth.example", "n.lindqvist@elisabeth.example", "a.okafor@elisabeth.example"]
    );
    assert_eq!(
        column(&answers[0], "allowed by"),
        ["physicians may add notes", "physicians may open records", "physicians may open records"]
    );

    // The week: what the ward's assistant touched, the broken archive included, and nothing of the sales team.
    let accessed = column(&answers[1], "resource");
    for resource in ["ehr://patients", "ehr://imaging", "model://claude-sonnet-4-5"] {
        assert!(accessed.contains(&resource), "{resource} in {accessed:?}");
    }
    assert!(!accessed.iter().any(|resource| resource.starts_with("crm://")), "{accessed:?}");

    // The same request of two people.
    assert_eq!(column(&answers[2], "employee"), ["okafor", "moreau"]);
    assert_eq!(column(&answers[2], "decision"), ["allow", "deny"]);
    assert_eq!(column(&answers[2], "because")[1], "billing clerks may not open records");

    // The clerk who kept trying is a finding, and that is on the trail.
    let findings = answers[3]["rows"].as_array().unwrap();
    let found = findings.iter().find(|row| row["finding"] == "permission_issues").unwrap();
    assert_eq!((&found["who"], &found["count"]), (&"billing-assistant".into(), &6.into()));
    assert!(findings.iter().all(|row| row["on record"].as_str().unwrap().starts_with("entry ")));

    // Twelve calls in their order.
    let chain = column(&answers[4], "call").join(" ");
    insta::assert_snapshot!(chain, @"chat ehr:patients ehr:notes ehr:labs ehr:medications chat ehr:imaging ehr:allergies chat chat ehr:notes chat");
    assert_eq!(column(&answers[4], "outcome")[6], "failure 503");
    assert_eq!(column(&answers[4], "redacted")[5], "PERSON, US_SSN");

    // Who asked over HTTP is on the trail.
    assert_eq!(column(&answers[5], "reader"), ["vance"]);

    assert!(told["model_saw"].as_str().unwrap().contains("SSN <US_SSN>"), "{told}");
    assert_eq!(told["claims"].as_u64(), Some(6));
    let found = told["tampered"]["found"][0].as_str().unwrap();
    assert!(found.starts_with(told["tampered"]["file"].as_str().unwrap()), "{found}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a passing folder goes with its run");
}

#[test]
fn it_speaks_within_a_hundred_columns_and_its_folder_stays() {
    let dir = tempfile::tempdir().unwrap();
    let output = demo(dir.path(), &["--once", "--dir", "here"]);
    let said = String::from_utf8(output.stdout).unwrap();
    for line in said.lines().chain(String::from_utf8_lossy(&output.stderr).lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(said.contains("TAMPERING FOUND"), "{said}");
    // The number that the physician sent is neither told nor, in clear text, anywhere in the data.
    assert!(!said.contains("536-90-4399"), "{said}");
    assert!(dir.path().join("here/data/trust").exists());
    assert!(!dir.path().join("elsewhere").exists());
}
