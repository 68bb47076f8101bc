//! Asking a running server: the same answers as from its files, and an exit code for each refusal.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::installation::{EVENTS, Installation};

#[test]
fn a_server_answers_as_its_files_do() {
    let there = Installation::recorded();
    let server = there.serve();
    let roles = ["auditor", "privacy", "analyst", "operator"];
    // The reads themselves are on the trail: only what the agents did is compared.
    let asked: [&[&str]; 15] = [
        &["search", "agent:crm-assistant", "--per", "hour", "-o", "csv"],
        &["search", "agent:crm-assistant content:ann", "--keys", "greffier-keys", "-o", "json"],
        &["search", "agent:crm-assistant ann", "--keys", "greffier-keys", "-o", "json"],
        &["session", "sess-1", "--timeline"],
        &["search", "agent:crm-assistant", "-o", "json"],
        &["search", "agent:crm-assistant"],
        &["search", "agent:crm-assistant", "--by", "tool", "-o", "csv"],
        &[
            "search",
            "agent:crm-assistant",
            "--until",
            "2026-03-03T10:00:01Z",
            "--fields",
            "id,index",
            "-o",
            "jsonl",
        ],
        &[
            "sql",
            "SELECT id, time, decision FROM events WHERE agent_id = 'crm-assistant' ORDER BY id",
            "-o",
            "json",
        ],
        &["session", "sess-1", "--keys", "greffier-keys", "-o", "json"],
        &["session", "sess-1", "--keys", "greffier-keys"],
        &["activity", "--agent", "crm-assistant", "-o", "json"],
        &["findings", "--agent", "crm-assistant", "-o", "json"],
        &["export", "agent:crm-assistant", "--parts"],
        &["export", "agent:crm-assistant", "--format", "csv"],
    ];
    for args in asked {
        let files = there.run(args).ok();
        let without_keys: Vec<&str> = args.iter().copied().filter(|arg| !arg.contains("keys")).collect();
        assert_eq!(there.ask(&server, &roles, &without_keys).ok(), files, "{args:?}");
        assert!(!files.is_empty());
    }
}

#[test]
fn refusals_have_exit_codes() {
    let there = Installation::recorded();
    let server = there.serve();
    let check = |roles: &[&str], args: &[&str]| {
        let done = there.ask(&server, roles, args);
        assert_eq!(done.stdout, "", "{args:?}");
        (done.code, done.stderr)
    };
    let (code, said) = check(&[], &["search"]);
    assert_eq!(code, 4, "{said}");
    let (code, said) = check(&["auditor"], &["search", "usr:bob"]);
    assert!(code == 2 && said.contains("  usr:bob\n  ^\n"), "{code} {said}");
    assert_eq!(check(&["auditor"], &["session", "nowhere"]).0, 3);
    assert_eq!(check(&["auditor"], &["sql", "DROP TABLE events"]).0, 2);
    assert_eq!(check(&["auditor"], &["search", "--tenant", "beta"]).0, 4);
    let no_token = there.run(&["search", "--server", &server.url, "-o", "json"]);
    let error: Value = serde_json::from_str(&no_token.stderr).unwrap();
    assert!(error["error"]["hint"].as_str().unwrap().contains("GREFFIER_TOKEN"), "{error}");
    assert!(error["error"]["request_id"].is_string(), "{error}");
    drop(server);

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = there.run(&["search", "--server", &format!("http://127.0.0.1:{port}")]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (1, ""));
    assert!(nobody.stderr.contains("greffier serve"), "{}", nobody.stderr);
    let mut far = there.command(&["search", "--server", "http://example.org"]);
    let far = far.env("GREFFIER_TOKEN", "s3cret-t0ken").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(far.stderr).unwrap();
    assert!(far.status.code() == Some(2) && said.contains("https") && !said.contains("s3cret"), "{said}");
}

#[test]
fn import_and_tail_over_a_server() {
    let there = Installation::empty();
    let mut server = there.serve();
    let roles = ["auditor", "privacy", "analyst", "operator"];
    std::fs::write(there.path().join("events.jsonl"), EVENTS).unwrap();
    let token = there.run(&["token", "--sub", "olivia", "--tenant", "acme", "--role", "auditor"]).ok();
    std::fs::write(there.path().join("token"), token).unwrap();
    let mut tail = there
        .command(&[
            "tail",
            "agent:crm-assistant",
            "-o",
            "jsonl",
            "--server",
            &server.url,
            "--token-file",
            "token",
        ])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(tail.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("following"));

    let imported = there.ask(&server, &roles, &["import", "events.jsonl", "-o", "json"]).json();
    assert_eq!(imported, serde_json::json!({"recorded": 6, "repeated": 0, "refused": 0, "passed_over": 0}));
    let shown = BufReader::new(tail.stdout.take().unwrap()).lines().take(3);
    let ids: Vec<String> = shown
        .map(|line| {
            serde_json::from_str::<Value>(&line.unwrap()).unwrap()["id"].as_str().unwrap()[35..].to_owned()
        })
        .collect();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(ids, ["1", "2", "3"]);

    let busy = there.run(&["import", "events.jsonl", "--tenant", "acme"]);
    assert_eq!((busy.code, busy.stdout.as_str()), (1, ""));
    assert!(busy.stderr.contains("--server"), "{}", busy.stderr);
    server.stop();
    let again = there.run(&["import", "events.jsonl", "--tenant", "acme", "-o", "json"]).json();
    assert_eq!(again["repeated"], 6, "{again}");
}
