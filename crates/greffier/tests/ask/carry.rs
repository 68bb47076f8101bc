//! Carrying events in and out, and watching them come.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::installation::{EVENTS, Installation};

#[test]
fn import_again_is_harmless() {
    let there = Installation::empty();
    let import = |stdin: &str| there.run_with(&["import", "-", "--tenant", "acme", "-o", "json"], stdin);
    assert_eq!(import(EVENTS).json(), json!({"recorded": 6, "repeated": 0, "refused": 0, "passed_over": 0}));
    // The governed form has no id: an import knows its lines all the same.
    assert_eq!(import(EVENTS).json(), json!({"recorded": 0, "repeated": 6, "refused": 0, "passed_over": 0}));
    let lines: Vec<&str> = EVENTS.lines().filter(|line| !line.is_empty()).collect();
    let array = format!("[{}]", lines.join(",\n"));
    assert_eq!(import(&array).json(), json!({"recorded": 0, "repeated": 6, "refused": 0, "passed_over": 0}));
    assert_eq!(there.run(&["verify"]).code, 0);
}

#[test]
fn a_refused_line_loses_only_itself() {
    let there = Installation::empty();
    let event = |id: &str, more: &str| {
        format!(
            "{{\"id\":\"00000000-0000-7000-8000-00000000000{id}\",\"time\":\"2026-03-03T10:00:00Z\",\"type\":\"agent.start\"{more}}}\n"
        )
    };
    let lines = [
        event("1", ""),
        "not json 536-90-4399\n".to_owned(),
        "\n".to_owned(),
        event("2", ",\"recorded_at\":\"2026-03-03T10:00:00Z\""),
        event("3", ",\"agent\":{\"id\":\"greffier\"}"),
        event("1", ",\"agent\":{\"id\":\"other\"}"),
        event("4", ""),
    ];
    let done = there.run_with(&["import", "-", "--tenant", "acme", "-o", "json"], &lines.concat());
    assert_eq!(done.code, 1, "{}", done.stderr);
    let tally: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(tally, json!({"recorded": 2, "repeated": 0, "refused": 4, "passed_over": 0}));
    for line in ["line 2: ", "line 4: recorded_at ", "line 5: agent.id ", "line 6: "] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    assert!(!done.stderr.contains("4399"), "{}", done.stderr);
    let other_form = there.run_with(&["import", "-", "--tenant", "acme", "--form", "flat"], &lines[6]);
    assert_eq!(other_form.code, 1);
    assert_eq!(there.run(&["import", "nowhere.jsonl", "--tenant", "acme"]).code, 1);
}

#[test]
fn exports_come_back() {
    let there = Installation::recorded();
    let export = |args: &[&str]| there.run(&[&["export"], args].concat()).ok();
    let native = export(&["--parts"]);
    assert_eq!(native.lines().count(), 6);
    assert_eq!(export(&["user:alice"]).lines().count(), 3);
    assert!(!export(&[]).contains("month") && native.contains("month"));
    let flat = export(&["agent:night-batch", "--format", "flat", "--parts"]);
    let given: Value = serde_json::from_str(EVENTS.lines().nth(4).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&flat).unwrap(), given);
    let governed = export(&["user:bob", "--format", "governed", "--parts"]);
    let given: Value = serde_json::from_str(EVENTS.lines().nth(5).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&governed).unwrap(), given);
    let csv = export(&["--format", "csv"]);
    assert_eq!(csv.matches("\r\n").count(), 7, "{csv}");
    assert!(csv.contains("\"a, \"\"quoted\"\" action\""), "{csv}");

    let done = there.run(&["export", "--out", "all.jsonl"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(there.path().join("all.jsonl")).unwrap(), export(&[]));
    for (form, beginning, each) in
        [("ocsf", "{", "\"class_uid\""), ("cef", "CEF:0|Greffier|", "CEF:0"), ("aat", "{", "\"trail_index\"")]
    {
        let lines = export(&["--format", form]);
        // An audit trail of the draft begins each of its chains with a record of its own.
        assert_eq!(lines.matches(each).count(), 6, "{lines}");
        assert!(lines.lines().all(|line| line.starts_with(beginning)), "{lines}");
    }
}

#[test]
fn tail_shows_what_comes() {
    let there = Installation::recorded();
    let mut tail =
        there.command(&["tail", "type:agent.start", "-o", "jsonl"]).stdin(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(tail.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("following"));
    let event = "{\"id\":\"00000000-0000-7000-8000-000000000009\",\"time\":\"2026-03-03T10:00:00Z\",\"type\":\"agent.start\"}\n";
    there.run_with(&["import", "-", "--tenant", "acme"], event).ok();
    let mut shown = BufReader::new(tail.stdout.take().unwrap()).lines();
    let shown: Value = serde_json::from_str(&shown.next().unwrap().unwrap()).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(shown["id"], "00000000-0000-7000-8000-000000000009");
}
