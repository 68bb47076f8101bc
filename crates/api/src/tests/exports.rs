//! Exports that go on where others ended, and calls of which they tell.

use std::collections::BTreeMap;

use greffier_event::{Draft, Event};
use proptest::prelude::*;

use super::*;

/// One half of a call.
fn half(n: usize, channel: &str, kind: &str, request: &str) -> Event {
    let own = match kind {
        "action.approved" => r#""policy":{"decision":"allow","rule":"everybody"}"#,
        "action.failed" => r#""outcome":{"status":"failure","duration_us":7000}"#,
        _ => r#""outcome":{"status":"success","duration_us":1500}"#,
    };
    let text = format!(
        r#"{{"id":"00000000-0000-4000-8000-{n:012}","tenant":"acme","time":"{NOW}","recorded_at":"{NOW}","type":"{kind}","request_id":"{request}","action":{{"name":"shell","kind":"tool"}},"source":{{"channel":"{channel}"}},{own},"v":1}}"#
    );
    serde_json::from_str(&text).unwrap()
}

async fn put(world: &World, event: Event) {
    world.appender().append(Draft { event, parts: Vec::new() }).await.unwrap();
}

/// An export and its cursor.
async fn export(world: &World, query: &str) -> (String, String) {
    let answer = world.get("auditor@acme", &format!("/api/v1/export?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cursor = answer.headers["greffier-export-next"].to_str().unwrap().to_owned();
    (answer.text(), cursor)
}

/// What an export in governed form tells of each line: request, decision, status.
fn told(text: &str) -> String {
    let line = |line: &str| {
        let json: Value = serde_json::from_str(line).unwrap();
        let word = |path: &str| json.pointer(path).map_or("-".to_owned(), |word| word.to_string());
        format!("{} {} {}", word("/requestId"), word("/policy/decision"), word("/outcome/durationMs"))
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The same search as a table: a file that anything reads, over as many pages as it takes.
#[tokio::test]
async fn a_parquet_file_holds_what_was_found() {
    let world = World::new().await;
    for n in 0..1_100 {
        put(&world, half(n, "gateway", "action.approved", &format!("req_{n}"))).await;
    }
    let answer = world.get("auditor@acme", "/api/v1/export?q=tool:shell&format=parquet").await;
    assert_eq!((answer.status, &answer.body[..4]), (200, b"PAR1".as_slice()));
    assert_eq!(answer.headers["content-type"], "application/vnd.apache.parquet");
    assert_eq!(&answer.body[answer.body.len() - 4..], b"PAR1");
    // The number of rows stands in the footer; what the rows are, greffier-query tests.
    let lines = world.get("auditor@acme", "/api/v1/export?q=tool:shell").await;
    assert_eq!(lines.text().lines().count(), 1_100);
    let nothing = world.get("auditor@acme", "/api/v1/export?q=user:nobody&format=parquet").await;
    assert_eq!(&nothing.body[..4], b"PAR1");
}

#[tokio::test]
async fn the_halves_of_a_hook_are_one_entry_and_claims_are_not() {
    let world = World::new().await;
    for (n, (channel, kind, request)) in [
        ("hook", "action.approved", "req_h"),
        ("gateway", "action.approved", "req_g"),
        // Somebody tells of a governed call, and of a hook's, under their ids.
        ("sdk", "action.executed", "req_g"),
        ("import", "action.failed", "req_h"),
        ("hook", "action.executed", "req_h"),
        // A client that tells of the end twice.
        ("hook", "action.failed", "req_h"),
        ("gateway", "action.failed", "req_g"),
        // The hook's word about a governed call is no outcome of it.
        ("gateway", "action.approved", "req_x"),
        ("hook", "action.executed", "req_x"),
    ]
    .into_iter()
    .enumerate()
    {
        put(&world, half(n, channel, kind, request)).await;
    }
    let (text, _) = export(&world, "q=tool:shell&format=governed").await;
    insta::assert_snapshot!(told(&text), @r#"
    "req_h" "allow" 1.5
    "req_g" "allow" 7
    "req_g" - 1.5
    "req_h" - 7
    "req_h" - 7
    "req_x" "allow" -
    "req_x" - 1.5
    "#);
}

#[tokio::test]
async fn a_call_under_way_is_told_once_over_two_exports() {
    let world = World::new().await;
    put(&world, half(0, "gateway", "action.approved", "req_1")).await;
    put(&world, half(1, "gateway", "action.approved", "req_2")).await;
    put(&world, half(2, "gateway", "action.executed", "req_2")).await;
    let (first, cursor) = export(&world, "q=tool:shell&format=governed").await;
    put(&world, half(3, "gateway", "action.executed", "req_1")).await;
    let (second, _) = export(&world, &format!("q=tool:shell&format=governed&after={cursor}")).await;
    insta::assert_snapshot!(format!("{}\n---\n{}", told(&first), told(&second)), @r#"
    "req_1" "allow" -
    "req_2" "allow" 1.5
    ---
    "req_1" - 1.5
    "#);
    // A search that left the decision out did not tell of it.
    let failed = "q=type:action.failed&format=governed";
    put(&world, half(4, "gateway", "action.approved", "req_3")).await;
    let (first, cursor) = export(&world, failed).await;
    put(&world, half(5, "gateway", "action.failed", "req_3")).await;
    let (second, _) = export(&world, &format!("{failed}&after={cursor}")).await;
    assert_eq!((first.as_str(), told(&second).as_str()), ("", r#""req_3" "allow" 7"#));
}

#[tokio::test]
async fn a_cursor_is_for_one_trail_search_and_format() {
    let world = filled("acme").await;
    let (_, cursor) = export(&world, "q=type:tool.call&format=ocsf").await;
    for other in ["q=type:tool.call&format=native", "q=type:error&format=ocsf", "format=ocsf"] {
        let answer = world.get("auditor@acme", &format!("/api/v1/export?{other}&after={cursor}")).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("bad_cursor")));
    }
    // It stands behind entries that are not there: somebody put an older copy back.
    let ahead =
        crate::export_cursor::write(&crate::testing::tenant("acme"), "", crate::ExportFormat::Csv, 1_000);
    let answer = world.get("auditor@acme", &format!("/api/v1/export?format=csv&after={ahead}")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (409, Some("cursor_ahead")));
}

#[tokio::test]
async fn what_is_sealed_in_between_is_told_once() {
    let world = World::sealing(64).await;
    let mut found = Vec::new();
    let mut after = String::new();
    for round in 0..4 {
        for n in 0..50 {
            put(&world, half(round * 50 + n, "gateway", "action.executed", &format!("req_{round}_{n}")))
                .await;
        }
        // The first two exports end in the log; what they ended in is sealed before the next.
        let (text, next) = export(&world, &format!("q=tool:shell&format=ocsf{after}")).await;
        found.extend(text.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
        }));
        after = format!("&after={next}");
        world.wait_for_segments("acme", (round * 50 + 50) / 64).await;
    }
    let expected: Vec<String> = (0..200).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Calls begin and end at any time, and exports are made in between: every event is told exactly once, in each
    /// of the forms.
    #[test]
    fn nothing_is_missed_and_nothing_comes_twice(
        steps in prop::collection::vec((0..4_usize, prop::bool::ANY, prop::bool::weighted(0.2)), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let mut cursors: BTreeMap<&str, String> = BTreeMap::new();
            let mut ids: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            let mut halves = 0;
            for (n, (call, hook, pause)) in steps.iter().chain([&(0, false, true)]).enumerate() {
                let begun = n % 2 == 0;
                let kind = if begun { "action.approved" } else { "action.executed" };
                put(&world, half(n, if *hook { "hook" } else { "gateway" }, kind, &format!("req_{call}_{}", n / 8))).await;
                halves += 1;
                if !pause {
                    continue;
                }
                for format in ["native", "flat", "csv", "ocsf", "cef", "aat"] {
                    let after = cursors.get(format).map_or(String::new(), |cursor| format!("&after={cursor}"));
                    let (text, next) = export(&world, &format!("q=tool:shell&format={format}{after}")).await;
                    cursors.insert(format, next);
                    let found = ids.entry(format).or_default();
                    for line in text.lines() {
                        // A joined line has the decision's id; the outcome's is found missing below.
                        let at = line.find("00000000-0000-4000-8000-");
                        found.extend(at.map(|at| line[at..at + 36].to_owned()));
                    }
                }
            }
            for format in ["native", "csv", "ocsf", "cef", "aat"] {
                let found = &ids[format];
                let unique: std::collections::BTreeSet<&String> = found.iter().collect();
                prop_assert_eq!((unique.len(), found.len()), (halves, halves), "{}", format);
            }
            let flat = &ids["flat"];
            let unique: std::collections::BTreeSet<&String> = flat.iter().collect();
            prop_assert_eq!(unique.len(), flat.len());
            Ok(())
        })?;
    }
}
