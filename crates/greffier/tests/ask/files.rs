//! Asking a data directory.

use serde_json::{Value, json};

use crate::installation::Installation;

const OUTPUTS: [&str; 4] = ["table", "json", "jsonl", "csv"];

/// The ids of a JSON answer, by their last digit.
fn ids(answer: &Value) -> Vec<&str> {
    answer.as_array().unwrap().iter().map(|event| &event["id"].as_str().unwrap()[35..]).collect()
}

#[test]
fn search_finds_the_newest_first() {
    let there = Installation::recorded();
    let check = |args: &[&str]| {
        let args = [&["search", "-o", "json"], args].concat();
        ids(&there.run(&args).json()).concat()
    };
    let alice = check(&["user:alice"]);
    assert_eq!(alice, "321");
    assert_eq!(check(&["user:alice -decision:deny"]), "21");
    assert_eq!(check(&["-agent:crm-assistant", "--limit", "1"]), "6");
    assert_eq!(check(&["user:alice", "--limit", "2"]), "32");
    assert_eq!(check(&["agent:night-batch", "--since", "2026-03-04", "--until", "2026-03-05"]), "4");
    assert_eq!(check(&["agent:night-batch", "--until", "2026-03-04"]), "");
    assert_eq!(there.run(&["search", "user:nobody", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn search_in_every_form() {
    let there = Installation::recorded();
    let shown = |form: &str| there.run(&["search", "user:alice", "-o", form]).ok();
    insta::assert_snapshot!(shown("table"), @r#"
        TIME                         USER   AGENT          ACTION               RESOURCE        DECISION  STATUS   INDEX  ID
        2026-03-03T10:00:01.000000Z  alice  crm-assistant  crm:contacts:delete  crm://contacts  deny      denied   2      00000000-0000-7000-8000-000000000003
        2026-03-03T10:00:00.342010Z  alice  crm-assistant  crm:contacts:search  crm://contacts  allow     success  1      00000000-0000-7000-8000-000000000002
        2026-03-03T10:00:00.000000Z  alice  crm-assistant  crm:contacts:search  crm://contacts  allow              0      00000000-0000-7000-8000-000000000001
        "#);
    insta::assert_snapshot!(shown("csv").replace('\r', ""), @r#"
        time,user,agent,action,resource,decision,status,index,id
        2026-03-03T10:00:01.000000Z,alice,crm-assistant,crm:contacts:delete,crm://contacts,deny,denied,2,00000000-0000-7000-8000-000000000003
        2026-03-03T10:00:00.342010Z,alice,crm-assistant,crm:contacts:search,crm://contacts,allow,success,1,00000000-0000-7000-8000-000000000002
        2026-03-03T10:00:00.000000Z,alice,crm-assistant,crm:contacts:search,crm://contacts,allow,,0,00000000-0000-7000-8000-000000000001
        "#);
    assert_eq!(shown("jsonl").lines().count(), 3);
    let jsonl: Vec<Value> = shown("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(serde_json::from_str::<Value>(&shown("json")).unwrap(), Value::Array(jsonl));
    let chosen = there.run(&["search", "user:alice", "--fields", "index,decision,user", "-o", "jsonl"]).ok();
    assert_eq!(chosen.lines().next().unwrap(), r#"{"index":2,"decision":"deny","user":"alice"}"#);
}

#[test]
fn search_counts_by_a_field() {
    let there = Installation::recorded();
    insta::assert_snapshot!(there.run(&["search", "--by", "user"]).ok(), @r#"
        USER   EVENTS  DENIED  FIRST                        LAST
        alice  3       1       2026-03-03T10:00:00.000000Z  2026-03-03T10:00:01.000000Z
               1       0       2026-03-04T09:00:00.000000Z  2026-03-04T09:00:00.000000Z
        bob    1       0       2026-03-05T08:30:00.123000Z  2026-03-05T08:30:00.123000Z
        carol  1       0       2026-03-06T09:00:00.000000Z  2026-03-06T09:00:00.000000Z
        "#);
    let tools = there.run(&["search", "user:alice", "--by", "tool", "-o", "json"]).json();
    assert_eq!(tools[0]["tool"], "crm:contacts:search");
    assert_eq!((&tools[0]["events"], &tools[1]["denied"]), (&json!(2), &json!(1)));
    insta::assert_snapshot!(there.run(&["search", "--per", "day"]).ok());
    let steps = there.run(&["search", "user:alice", "--per", "hour", "-o", "jsonl"]).ok();
    assert_eq!(steps, "{\"time\":\"2026-03-03T10:00:00.000000Z\",\"events\":3,\"denied\":1}\n");
    assert_eq!(there.run(&["search", "--per", "fortnight"]).code, 2);
    let unknown = there.run(&["search", "--by", "usr"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("user"), "{}", unknown.stderr);
}

/// What the contents say is found by whoever holds the keys.
#[test]
fn search_looks_into_contents() {
    let there = Installation::recorded();
    let found = there.run(&["search", "content:ann", "--keys", "greffier-keys", "-o", "json"]).json();
    assert_eq!(ids(&found).concat(), "1");
    let without = there.run(&["search", "content:ann"]);
    assert_eq!((without.code, without.stdout.as_str()), (2, ""), "{}", without.stderr);
    assert!(without.stderr.contains("keys"), "{}", without.stderr);
    // A word is looked for there, too; without the keys the command says that it was not.
    let keys = ["--keys", "greffier-keys"];
    let run = |args: &[&str], keys: &[&str]| there.run(&[args, keys].concat());
    assert_eq!(ids(&run(&["search", "ann", "-o", "json"], &keys).json()).concat(), "1");
    assert_eq!(run(&["search", "ann", "--by", "user", "-o", "json"], &keys).json()[0]["events"], 1);
    assert_eq!(run(&["export", "ann"], &keys).ok().lines().count(), 1);
    for (args, is_said) in
        [(["search", "ann"], true), (["export", "ann"], true), (["search", "text:ann"], false)]
    {
        let closed = run(&args, &[]);
        assert_eq!(
            (closed.code, closed.stderr.contains("--keys")),
            (0, is_said),
            "{args:?}: {}",
            closed.stderr
        );
    }
}

/// All that a search finds, in the form that the file's name says.
#[test]
fn search_writes_files() {
    let there = Installation::recorded();
    let write = |name: &str| {
        there.run(&["search", "user:alice", "--to", name]).ok();
        std::fs::read(there.path().join(name)).unwrap()
    };
    assert_eq!(write("a.jsonl").iter().filter(|byte| **byte == b'\n').count(), 3);
    assert_eq!(write("a.csv").iter().filter(|byte| **byte == b'\n').count(), 4);
    assert!(write("a.parquet").starts_with(b"PAR1"));
    let unknown = there.run(&["search", "user:alice", "--to", "a.xls"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
}

#[test]
fn a_question_that_makes_no_sense_is_pointed_at() {
    let there = Installation::recorded();
    let done = there.run(&["search", "user:alice usr:bob"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("  user:alice usr:bob\n             ^\n"), "{}", done.stderr);
    let done = there.run(&["search", "user:alice usr:bob", "-o", "json"]);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["at"]), (&json!("search_syntax"), &json!(11)));
    for statement in ["SELEC 1", "DROP TABLE events", "SELECT nothing FROM events"] {
        let done = there.run(&["sql", statement]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{statement}: {}", done.stderr);
    }
    assert_eq!(there.run(&["search", "--since", "yesteday"]).code, 2);
    assert_eq!(there.run(&["search", "--since", "yesterday", "--until", "today"]).code, 0);
    let done = there.run(&["search", "on:last-tusday"]);
    assert!(done.stderr.contains("did you mean `last-tuesday`?"), "{}", done.stderr);
    assert_eq!(there.run(&["search", "--limit", "0"]).code, 2);
}

#[test]
fn sql_by_argument_stdin_and_file() {
    let there = Installation::recorded();
    let statement = "SELECT user_sub, count(*) AS n FROM events GROUP BY 1 ORDER BY 1 NULLS LAST";
    let csv = there.run(&["sql", statement, "-o", "csv"]).ok();
    assert_eq!(csv, "user_sub,n\r\nalice,3\r\nbob,1\r\ncarol,1\r\n,1\r\n");
    assert_eq!(there.run_with(&["sql", "-", "-o", "csv"], statement).ok(), csv);
    std::fs::write(there.path().join("q.sql"), statement).unwrap();
    assert_eq!(there.run(&["sql", "--file", "q.sql", "-o", "csv"]).ok(), csv);
    let table = there.run(&["sql", statement]).ok();
    assert!(table.starts_with("USER_SUB  N\nalice     3\n"), "{table}");
    assert_eq!(there.run(&["sql", "SELECT id FROM events WHERE id = ''", "-o", "json"]).ok(), "[]\n");
    assert_eq!(there.run(&["sql"]).code, 2);
}

#[test]
fn a_session_is_a_chain() {
    let there = Installation::recorded();
    insta::assert_snapshot!(there.run(&["session", "sess-1", "--keys", "greffier-keys"]).ok(), @r#"
        session sess-1: 2 steps, 2026-03-03T10:00:00.000000Z to 2026-03-03T10:00:01.000000Z
          for alice, by crm-assistant, 1 denied
        1  2026-03-03T10:00:00.000000Z  alice via crm-assistant  crm:contacts:search  crm://contacts  (claimed by import)
           decision   allow: analysts read the crm
           outcome    success 200 in 342.010 ms
           parameters {"query":"Ann\u001b[2J"}
        2  2026-03-03T10:00:01.000000Z  alice via crm-assistant  crm:contacts:delete  crm://contacts  (claimed by import)
           decision   deny: analysts do not delete
           outcome    denied
        "#);
    let without = there.run(&["session", "sess-1"]).ok();
    assert!(!without.contains("Ann"), "{without}");
    insta::assert_snapshot!(there.run(&["session", "sess-1", "--timeline"]).ok());
    let document = there.run(&["session", "sess-1", "-o", "json", "--keys", "greffier-keys"]).json();
    let events = &document["events"];
    assert_eq!(ids(events).concat(), "123");
    assert_eq!((&document["totals"]["denied"], &document["calls"][1]["step"]), (&json!(1), &json!(2)));
    let lines = there.run(&["session", "sess-1", "-o", "jsonl"]).ok();
    assert_eq!(lines.lines().count(), 3);
    assert_eq!(events[0]["parts"][0]["json"]["query"], "Ann\u{1b}[2J");
    let csv = there.run(&["session", "sess-1", "-o", "csv"]).ok();
    assert_eq!(csv.lines().count(), 3, "a call is one row: {csv}");
    let missing = there.run(&["session", "sess-9"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""), "{}", missing.stderr);
}

#[test]
fn activity_and_findings() {
    let there = Installation::recorded();
    let activity = there.run(&["activity", "--agent", "crm-assistant", "-o", "json"]).json();
    assert_eq!((&activity["total_events"], &activity["denied"]), (&json!(3), &json!(1)));
    let none =
        there.run(&["activity", "--agent", "crm-assistant", "--until", "2026-03-01", "-o", "json"]).json();
    assert_eq!(none["total_events"], 0);
    let table = there.run(&["activity", "--agent", "crm-assistant"]).ok();
    assert!(table.contains("top_actions") && table.contains("crm:contacts:search 2"), "{table}");

    assert_eq!(there.run(&["findings", "-o", "json", "--fail-on", "any"]).ok(), "[]\n");
    let denied: String = (10..16)
        .map(|at| {
            format!(
                "{{\"time\":\"2026-03-07T10:{at}:00.000000Z\",\"type\":\"permission.denied\",\"agent\":{{\"id\":\"prober\"}},\
                 \"id\":\"00000000-0000-7000-8000-0000000000{at}\"}}\n"
            )
        })
        .collect();
    there.run_with(&["import", "-", "--tenant", "acme"], &denied).ok();
    let found = there.run(&["findings", "-o", "json"]).json();
    assert_eq!((&found[0]["type"], &found[0]["agent_id"]), (&json!("permission_issues"), &json!("prober")));
    for (fail_on, code) in [("any", 6), ("permission_issues", 6), ("rapid_actions", 0), ("nonsense", 2)] {
        assert_eq!(there.run(&["findings", "--fail-on", fail_on]).code, code, "{fail_on}");
    }
    assert_eq!(there.run(&["findings", "--agent", "crm-assistant", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn nothing_recorded_is_an_empty_answer() {
    let there = Installation::empty();
    let missing = there.run(&["search", "-o", "json"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    assert!(missing.stderr.contains("greffier serve"), "{}", missing.stderr);
    there.run_with(&["import", "-", "--tenant", "acme"], "").ok();
    for form in OUTPUTS {
        for args in [&["search"][..], &["findings"], &["search", "--by", "user"], &["export"]] {
            let done = there.run(&[args, &["-o", form]].concat());
            let expected = if form == "csv" || args == ["export"] {
                None
            } else if form == "jsonl" {
                Some("")
            } else if form == "table" && args == ["findings"] {
                // Nobody outside vouches for what nothing was found in.
                Some("[]\nUNANCHORED: no witness is configured\n")
            } else {
                Some("[]\n")
            };
            let said = done.ok();
            assert!(expected.is_none_or(|expected| expected == said), "{args:?} -o {form}: {said}");
        }
    }
}

#[test]
fn hostile_names_cannot_steer_a_terminal() {
    let there = Installation::recorded();
    for args in [
        &["search"][..],
        &["search", "--by", "agent"],
        &["session", "sess-1", "--keys", "greffier-keys"],
        &["session", "sess-3"],
    ] {
        for form in ["table", "json", "jsonl"] {
            let said = there.run(&[args, &["-o", form]].concat()).ok();
            let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!said.contains(steers), "{args:?} -o {form}: {said:?}");
        }
    }
    let agents = there.run(&["search", "user:carol", "-o", "json"]).json();
    assert_eq!(agents[0]["agent"]["id"], "evil\u{202e}gnp.exe");
}

#[test]
fn several_tenants_are_asked_for_by_name() {
    let there = Installation::recorded();
    let one = "{\"time\":\"2026-03-07T10:00:00Z\",\"type\":\"agent.start\",\"agent\":{\"id\":\"x\"}}\n";
    there.run_with(&["import", "-", "--tenant", "beta"], one).ok();
    let done = there.run(&["search"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("acme, beta"), "{}", done.stderr);
    assert_eq!(there.run(&["search", "--tenant", "beta", "-o", "json"]).json().as_array().unwrap().len(), 1);
    assert_eq!(there.run(&["search", "--tenant", "gamma"]).code, 3);
    assert_eq!(there.run(&["search", "--tenant", "../acme"]).code, 2);
}
