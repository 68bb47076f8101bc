use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::Limits;
use crate::testing::{SHAPES, Shape, view};

/// The rows of a statement, or the error's code.
async fn check(text: &str) -> String {
    let (view, _dir) = view(Shape::Mixed, &Limits::default());
    match run(&view, text).await {
        Ok(table) => {
            let rows = table.rows().unwrap().into_iter().map(|row| Value::Object(row).to_string());
            rows.collect::<Vec<_>>().join("\n")
        }
        // DataFusion goes on with all names that there are.
        Err(error) => format!("{}: {}", error.code(), error.to_string().lines().next().unwrap()),
    }
}

#[tokio::test]
async fn answers() {
    insta::assert_snapshot!(check("SELECT count(*) > 0 AS some FROM events WHERE EXISTS (SELECT 1 FROM events e WHERE e.type = 'no such')").await, @r#"{"some":false}"#);
    insta::assert_snapshot!(check("SELECT count(*) AS n, count(user_sub) AS users, min(index), max(time) FROM events").await, @r#"{"n":300,"users":240,"min(events.index)":0,"max(events.time)":"2026-03-07T05:30:00.000000Z"}"#);
    insta::assert_snapshot!(check("SELECT decision, count(*) AS n FROM events GROUP BY decision ORDER BY 1").await, @r#"
{"decision":"allow","n":50}
{"decision":"deny","n":50}
{"decision":"redact","n":100}
{"decision":null,"n":100}
"#);
    insta::assert_snapshot!(check("SELECT index, time, user_sub, user_roles, cost_micros, pii_detected FROM events ORDER BY index DESC LIMIT 2").await, @r#"
{"index":299,"time":"2026-03-07T05:30:00.000000Z","user_sub":"a_b","user_roles":["analyst","ops:read"],"cost_micros":null,"pii_detected":null}
{"index":298,"time":"2026-03-07T05:00:00.000000Z","user_sub":"a_b","user_roles":["analyst","ops:admin"],"cost_micros":null,"pii_detected":null}
"#);
    insta::assert_snapshot!(check("SELECT index FROM events WHERE array_has(user_roles, 'auditor') AND time >= '2026-03-06' ORDER BY index LIMIT 3").await, @r#"
{"index":243}
{"index":246}
{"index":249}
"#);
    insta::assert_snapshot!(check("SELECT role, count(*) FROM (SELECT unnest(user_roles) AS role FROM events) GROUP BY role ORDER BY role").await, @r#"
{"role":"analyst","count(*)":240}
{"role":"auditor","count(*)":80}
{"role":"ops:admin","count(*)":80}
{"role":"ops:read","count(*)":80}
"#);
    insta::assert_snapshot!(check("SELECT entry LIKE '{\"action\":{%' AS json, arrow FROM (SELECT index, entry, 1.5 AS arrow FROM events) WHERE index = 1").await, @r#"{"json":true,"arrow":1.5}"#);
    insta::assert_snapshot!(check("WITH d AS (SELECT date_trunc('day', time) AS day, duration_us FROM events) SELECT day, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_us) AS p50 FROM d GROUP BY day ORDER BY day LIMIT 2").await, @r#"
{"day":"2026-03-01T00:00:00.000000Z","p50":271551.5}
{"day":"2026-03-02T00:00:00.000000Z","p50":864255.5}
"#);
    insta::assert_snapshot!(check("SELECT a.index, b.index FROM events a JOIN events b ON a.request_id = b.request_id AND a.index < b.index ORDER BY 1 LIMIT 1").await, @r#"{"index":2,"index_2":3}"#);
    insta::assert_snapshot!(check("SELECT user_sub || ' did ' || action_name AS what, upper(type) AS kind FROM greffier.trail.events WHERE index = 7").await, @r#"{"what":"Ägnes did crm:contacts:delete","kind":"TOOL.RESPONSE"}"#);
    insta::assert_snapshot!(check("SELECT count(*) FROM events, (SELECT avg(cost_micros) AS mean FROM events) WHERE cost_micros > mean").await, @r#"{"count(*)":30}"#);
    insta::assert_snapshot!(check("SELECT count(*) FROM events WHERE cost_micros > (SELECT avg(cost_micros) FROM events)").await, @r#"{"count(*)":30}"#);
    insta::assert_snapshot!(check("SELECT count(*) FROM events WHERE request_id IN (SELECT request_id FROM events WHERE decision = 'deny')").await, @r#"{"count(*)":50}"#);
    insta::assert_snapshot!(check("SELECT count(*) AS n FROM events WHERE time < now() AND time < current_date AND date_trunc('year', time) <= current_timestamp").await, @r#"{"n":300}"#);
    insta::assert_snapshot!(check("SELECT entry ->> '$.usage.model' AS model, entry->'outcome' AS o, json_extract_string(entry, '/user/roles/0') AS role FROM events WHERE entry->>'type' = 'tool.response' AND index = 31").await, @r#"{"model":"o4","o":"{\"attempts\":[{\"code\":200}],\"code\":231,\"duration_us\":382695,\"status\":\"failure\"}","role":"analyst"}"#);
    insta::assert_snapshot!(check("SELECT entry ->> '$.a[' FROM events").await, @"sql_syntax: Error during planning: `$.a[` is no way to a value: write a name, an index, '$.a.b[0]' or '/a/b/0'");
    insta::assert_snapshot!(check("SELECT 1/0").await, @"sql_syntax: Arrow error: Divide by zero error");
    insta::assert_snapshot!(check("SELECT part_names BETWEEN 1 AND 2 FROM events").await, @"sql_syntax: the statement cannot be planned: Failed to coerce types List(Utf8) and Int64 in BETWEEN expression.");
    insta::assert_snapshot!(check("SELECT 1 FROM events ORDER BY round(rule, 1)").await, @"sql_syntax: the statement cannot be planned: Function 'round' failed to match any signature");
    insta::assert_snapshot!(check("SELECT usr FROM events").await, @"sql_syntax: Schema error: No field named usr.");
    insta::assert_snapshot!(check("SELEC 1").await, @r#"sql_syntax: SQL error: ParserError("Expected: an SQL statement, found: SELEC at Line: 1, Column: 1")"#);
    insta::assert_snapshot!(check("").await, @"sql_syntax: a statement must stand here, as in SELECT * FROM events");
}

/// Every shape and setting gives the same answer.
#[tokio::test]
async fn where_events_lie_makes_no_difference() {
    let statements = [
        "SELECT * FROM events WHERE user_sub = 'alice' ORDER BY index",
        "SELECT * FROM events WHERE session_id IN ('session 3', 'session 8') OR code > 300 ORDER BY index DESC LIMIT 7",
        "SELECT index, entry FROM events WHERE NOT (decision = 'deny') AND array_length(user_roles) > 1 ORDER BY time DESC LIMIT 20",
        "SELECT agent_id, sum(cost_micros), count(DISTINCT user_sub) FROM events GROUP BY agent_id ORDER BY 1",
        "SELECT max(index) FROM events WHERE index BETWEEN 60 AND 210 AND type LIKE 'tool%'",
    ];
    for statement in statements {
        let mut answers = Vec::new();
        for shape in SHAPES {
            for pushdown in [true, false] {
                let (view, _dir) = view(shape, &Limits { pushdown, ..Limits::default() });
                let table = run(&view, statement).await.unwrap();
                assert!(!table.truncated);
                answers.push(json!(table.rows().unwrap()));
            }
        }
        assert!(answers[0].as_array().is_some_and(|rows| !rows.is_empty()), "{statement}");
        answers.iter().for_each(|answer| assert_eq!(answer, &answers[0], "{statement}"));
    }
}

#[tokio::test]
async fn refuses_what_is_no_reading() {
    let statements = [
        "COPY events TO '/tmp/x.parquet'",
        "COPY (SELECT * FROM events) TO 's3://bucket/x' STORED AS CSV",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE x AS SELECT * FROM events",
        "CREATE VIEW x AS SELECT 1",
        "CREATE SCHEMA x",
        "CREATE DATABASE x",
        "CREATE FUNCTION f(BIGINT) RETURNS BIGINT RETURN $1",
        "DROP TABLE events",
        "DROP VIEW events",
        "INSERT INTO events SELECT * FROM events",
        "INSERT INTO events VALUES (1)",
        "UPDATE events SET index = 1",
        "DELETE FROM events",
        "TRUNCATE TABLE events",
        "ALTER TABLE events ADD COLUMN x INT",
        "SELECT * INTO x FROM events",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "SHOW ALL",
        "SHOW TABLES",
        "SHOW COLUMNS FROM events",
        "DESCRIBE events",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "USE x",
        "KILL 1",
        "ANALYZE TABLE events",
        "EXPLAIN ANALYZE SELECT * FROM events",
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM events",
        "EXPLAIN (ANALYZE) SELECT * FROM events",
        "EXPLAIN COPY events TO '/tmp/x'",
        "EXPLAIN EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE events",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM 'greffier://segments/trails/zeta/segments/x.parquet'",
        "SELECT * FROM 'https://example.com/x.csv'",
        "SELECT * FROM other.events",
        "SELECT * FROM datafusion.public.events",
        "SELECT * FROM greffier.zeta.events",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM generate_series(1, 1000000000)",
        "SELECT * FROM range(1, 1000000000)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT generate_series(1, 1000000000)",
        "SELECT range(1, 1000000000)",
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000)",
        "SELECT rpad('x', 1000000000, 'y')",
        "SELECT replace(entry, 'a', entry) FROM events",
        "SELECT regexp_replace(entry, '.', entry, 'g') FROM events",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT array_resize([1], 1000000000, 0)",
        "SELECT levenshtein(entry, entry) FROM events",
        "SELECT version()",
        "SELECT uuid()",
        "SELECT input_file_name() FROM events",
        "SELECT arrow_typeof(1)",
        "SELECT array_transform([1], x -> x)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        "SELECT * FROM (WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r)",
        "SELECT count(*) FROM events GROUP BY CUBE (type, decision, status)",
        "SELECT count(*) FROM events GROUP BY ROLLUP (type, decision)",
        "SELECT count(*) FROM events GROUP BY GROUPING SETS ((type), (decision))",
        "SELECT * FROM events FOR UPDATE",
        "SELECT count(*) FROM events a, events b",
        "SELECT count(*) FROM events a CROSS JOIN events b",
        "SELECT count(*) FROM events a JOIN events b ON a.index < b.index",
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.index > a.index)",
        "WITH a AS (SELECT entry || entry x FROM events), b AS (SELECT x || x x FROM a), c AS (SELECT x || x x FROM b), d AS (SELECT x || x x FROM c), e AS (SELECT x || x x FROM d) SELECT x FROM e",
        "SELECT concat(entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry) FROM events",
        "SELECT e.index, a.all FROM events e CROSS JOIN (SELECT string_agg(entry, ',') AS all FROM events) a",
        "SELECT index, (SELECT string_agg(entry, ',') FROM events) FROM events",
        "SELECT string_agg(entry, ',') OVER (ORDER BY index) FROM events",
        "SELECT unnest(l) FROM (SELECT array_agg(index) AS l FROM events)",
        "SELECT x || x FROM (SELECT string_agg(entry, ',') AS x FROM events)",
    ];
    let (view, _dir) = view(Shape::Hot, &Limits::default());
    for statement in statements {
        match run(&view, statement).await {
            Ok(_) => panic!("answered: {statement}"),
            Err(error) => {
                assert!(matches!(error.code(), "sql_refused" | "sql_syntax"), "{statement}: {error}")
            }
        }
    }
}

/// Some are told why; the others learn no more than that there is no such thing.
#[tokio::test]
async fn says_why_it_refuses() {
    insta::assert_snapshot!(check("DROP TABLE events").await, @"sql_refused: only a query is possible here: SELECT … FROM events, or EXPLAIN of one");
    insta::assert_snapshot!(check("SELECT 1; SELECT 2").await, @"sql_refused: one statement at a time");
    insta::assert_snapshot!(check("SELECT * FROM '/etc/passwd'").await, @"sql_syntax: Error during planning: table 'greffier.trail./etc/passwd' not found");
    insta::assert_snapshot!(check("SELECT count(*) FROM events TABLESAMPLE BERNOULLI (10)").await, @"sql_refused: TABLESAMPLE is not possible here");
    insta::assert_snapshot!(check("SELECT * FROM generate_series(1, 2)").await, @"sql_refused: a table function is not possible here");
    insta::assert_snapshot!(check("SELECT repeat('x', 9)").await, @"sql_syntax: Error during planning: Invalid function 'repeat'.");
    insta::assert_snapshot!(check("SELECT count(*) FROM events GROUP BY CUBE (type)").await, @"sql_refused: GROUP BY CUBE or ROLLUP is not possible here");
    insta::assert_snapshot!(check("SELECT count(*) FROM events a, events b").await, @"sql_refused: a join needs an equality, as in a.request_id = b.request_id, or a side with a LIMIT of 1000");
    insta::assert_snapshot!(check("SELECT index, (SELECT string_agg(entry, ',') FROM events) FROM events").await, @"sql_refused: array_agg and string_agg must not stand in a subquery of an expression");
    insta::assert_snapshot!(check(&format!("SELECT {}entry FROM events", "entry || ".repeat(16))).await, @"sql_refused: the statement may make more than 16 times of what it reads: join fewer texts with || and concat");
    insta::assert_snapshot!(check(&format!("SELECT {}1", "1 + ".repeat(600))).await, @"too_large: a statement has 512 operators and keywords at most");
    insta::assert_snapshot!(check(&format!("SELECT [{}1]", "1,".repeat(3_000))).await, @"too_large: a statement has 4096 words and signs at most");
    insta::assert_snapshot!(check(&"x".repeat(70_000)).await, @"too_large: a statement has 65536 bytes at most");
}

/// Nested or chained as deep as it may be, a statement ends with an answer or an error, never with the process.
#[test]
fn deep_statements_do_not_exhaust_the_stack() {
    let deep = [
        format!("SELECT {}1", "1 + ".repeat(500)),
        format!("SELECT {}1 = 1", "1 = 1 AND ".repeat(250)),
        format!("SELECT {}1 FROM events WHERE true", "NOT ".repeat(500)),
        format!("SELECT {}1{}", "(".repeat(1_900), ")".repeat(1_900)),
        format!("SELECT {}", "- ".repeat(500)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(160)),
        format!("SELECT 1 FROM events{}", ", events".repeat(60)),
        format!("SELECT index{} FROM events", "::BIGINT".repeat(250)),
        format!("SELECT {}1{}", "(SELECT ".repeat(400), ")".repeat(400)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(100), " END".repeat(100)),
        format!("SELECT index FROM events WHERE index IN ({}1)", "1,".repeat(2_000)),
        format!("SELECT [{}1]", "1,".repeat(2_000)),
        format!("SELECT x{} FROM events", "[1]".repeat(250)),
    ];
    let (view, _dir) = view(Shape::Hot, &Limits::default());
    // As the engine's threads are.
    let runtime = crate::engine::lane::runtime().unwrap();
    let view = Arc::new(view);
    for statement in deep {
        let (view, text) = (Arc::clone(&view), statement.clone());
        let answer = async move { tokio::time::timeout(Duration::from_secs(60), run(&view, &text)).await };
        let answer = runtime.block_on(runtime.spawn(answer)).unwrap();
        let answer = answer.unwrap_or(Err(QueryError::Busy));
        let code = answer.as_ref().map_or_else(QueryError::code, |_| "answered");
        let is_expected = matches!(code, "answered" | "sql_syntax" | "sql_refused" | "too_large");
        assert!(is_expected, "{code}: {}…", &statement[..60]);
    }
}

#[tokio::test]
async fn an_answer_has_its_limits() {
    let few = Limits { rows: 10, ..Limits::default() };
    let (view_, _dir) = view(Shape::Mixed, &few);
    let table = run(&view_, "SELECT index FROM events").await.unwrap();
    assert_eq!((table.rows().unwrap().len(), table.truncated), (10, true));
    let table = run(&view_, "SELECT index FROM events LIMIT 10").await.unwrap();
    assert_eq!((table.rows().unwrap().len(), table.truncated), (10, false));
    let short = Limits { bytes: 1_000, ..Limits::default() };
    let (view_, _dir) = view(Shape::Mixed, &short);
    let error = run(&view_, "SELECT entry FROM events").await.unwrap_err();
    insta::assert_snapshot!(error, @"the answer has more than 1000 bytes: choose columns, or add a LIMIT");
    let poor = Limits { memory: 10_000, ..Limits::default() };
    let (view_, _dir) = view(Shape::Mixed, &poor);
    let error = run(&view_, "SELECT entry, count(*) FROM events GROUP BY entry").await.unwrap_err();
    assert_eq!(error.code(), "too_large", "{error}");
}

#[tokio::test]
async fn explains_without_saying_where_files_are() {
    let (view, dir) = view(Shape::Mixed, &Limits::default());
    let table = run(&view, "EXPLAIN SELECT index FROM events WHERE user_sub = 'alice'").await.unwrap();
    let text = json!(table.rows().unwrap()).to_string();
    assert!(text.contains("predicate=user_sub") && !text.contains(dir.path().to_str().unwrap()), "{text}");
}

#[tokio::test]
async fn an_arrow_stream_holds_what_the_rows_say() {
    let (view, _dir) = view(Shape::Mixed, &Limits::default());
    let table = run(&view, "SELECT index, user_roles FROM events ORDER BY index").await.unwrap();
    let bytes = table.ipc().unwrap();
    let reader = datafusion::arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().unwrap();
    let read = Table { schema, batches, truncated: false };
    assert_eq!(read.rows().unwrap(), table.rows().unwrap());
    assert_eq!(read.rows().unwrap().len(), 300);
}
