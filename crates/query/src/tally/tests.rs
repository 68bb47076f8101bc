use std::sync::LazyLock;

use datafusion::sql::parser::DFParser;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::Limits;
use crate::sql;
use crate::testing::{SHAPES, Shape, block_on, view};

/// How many groupings of a statement are answered here, of how many there are.
async fn check(text: &str) -> String {
    let (view, _dir) = view(Shape::Mixed, &Limits::default());

    let state = sql::with_table(&view).unwrap();
    let statement = DFParser::parse_sql(text).unwrap().pop_front().unwrap();
    let plan = state.optimize(&state.statement_to_plan(statement).await.unwrap()).unwrap();
    let groupings = |plan: &LogicalPlan| {
        let mut count = 0;
        plan.apply(|node| {
            count += usize::from(matches!(node, LogicalPlan::Aggregate(_)));
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        count
    };
    let all = groupings(&plan);
    let left = groupings(&fill(&view, &state, plan).await.ok().unwrap());
    format!("{} of {all}", all - left)
}

#[tokio::test]
async fn what_is_answered_from_codes() {
    insta::assert_snapshot!(check("SELECT type, count(*) FROM events GROUP BY type").await, @"1 of 1");
    insta::assert_snapshot!(check("SELECT agent_id, count(DISTINCT user_sub) FROM events GROUP BY agent_id").await, @"1 of 2");
    insta::assert_snapshot!(check("SELECT date_trunc('week', time) AS w, sum(cost_micros) FROM events e WHERE lower(user_sub) LIKE 'a%' GROUP BY w HAVING count(*) > 1").await, @"1 of 1");
    insta::assert_snapshot!(check("SELECT upper(type), avg(duration_us), approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_us) FROM events GROUP BY 1").await, @"1 of 1");
    insta::assert_snapshot!(check("WITH d AS (SELECT user_sub AS u, cost_micros AS c FROM events WHERE code > 200) SELECT u, max(c) FROM d GROUP BY u").await, @"1 of 1");
    // Left to the engine.
    insta::assert_snapshot!(check("SELECT count(*) FROM events").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT request_id, count(*) FROM events GROUP BY request_id").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT type, string_agg(user_sub, ',') FROM events GROUP BY type").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT user_sub || agent_id AS both, count(*) FROM events GROUP BY both").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT user_sub, count(*) FROM events WHERE entry LIKE '%a%' GROUP BY user_sub").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT type, count(*) FROM (SELECT type FROM events LIMIT 5) GROUP BY type").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT a.type, count(*) FROM events a JOIN events b ON a.request_id = b.request_id GROUP BY a.type").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT type, sum(cost_micros / 1e6) FROM events GROUP BY type").await, @"0 of 1");
    // Tried, and left to the engine after all: the third user's name is no number.
    insta::assert_snapshot!(check("SELECT CAST(user_sub AS BIGINT) AS n, count(*) FROM events GROUP BY n").await, @"0 of 1");
    insta::assert_snapshot!(check("SELECT type, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY 0 - duration_us) FROM events GROUP BY type").await, @"0 of 1");
}

#[tokio::test]
async fn a_plan_is_shown_as_it_is() {
    let (view, _dir) = view(Shape::Hot, &Limits::default());
    let table = sql::run(&view, "EXPLAIN SELECT type, count(*) FROM events GROUP BY type").await.unwrap();
    assert!(json!(table.rows().unwrap()).to_string().contains("Aggregate"));
}

const KEYS: &[&str] = &[
    "type",
    "user_sub",
    "agent_id",
    "decision",
    "session_id",
    "status",
    "lower(agent_id)",
    "coalesce(user_sub, 'nobody')",
    "decision = 'deny'",
    "user_verified",
    "code",
    "date_trunc('day', time)",
    "date_trunc('week', time)",
    "date_trunc('month', recorded_at)",
    "extract(hour FROM time)",
    "cost_micros > 1000",
    "length(action_name)",
];

const MEASURES: &[&str] = &[
    "count(*)",
    "count(user_sub)",
    "count(duration_us)",
    "count(decision = 'deny')",
    "sum(cost_micros)",
    "sum(length(error))",
    "sum(CASE WHEN status = 'failure' THEN 1 ELSE 0 END)",
    "avg(duration_us)",
    "min(time)",
    "max(time)",
    "min(cost_micros)",
    "max(code)",
    "count(*) FILTER (WHERE decision = 'deny')",
    "sum(input_tokens) FILTER (WHERE user_verified AND cost_micros > 777)",
    "min(index - 150)",
    "max(0 - index)",
];

const FILTERS: &[&str] = &[
    "decision = 'deny'",
    "decision <> 'deny'",
    "user_sub IN ('alice', 'a_b')",
    "user_sub NOT LIKE 'a%'",
    "status IS NULL",
    "session_id IS NOT NULL",
    "time >= '2026-03-03' AND time < '2026-03-05T12:00:00Z'",
    "cost_micros > 10000 OR code = 207",
    "pii_detected",
    "NOT user_verified",
    "index % 7 = 3",
    "type LIKE 'tool%' OR type = 'error'",
    "action_name = 'no such'",
];

/// One shape of the common trail, answered from codes and by the engine, and where its segments lie.
type Both = (Arc<View>, Arc<View>, [TempDir; 2]);

static VIEWS: LazyLock<Vec<Both>> = LazyLock::new(|| {
    let shape = |shape: &Shape| {
        let (codes, one) = view(*shape, &Limits::default());
        let (engine, other) = view(*shape, &Limits { pushdown: false, ..Limits::default() });
        (codes, engine, [one, other])
    };
    SHAPES.iter().map(shape).collect()
});

fn rows(view: &Arc<View>, text: &str) -> Value {
    let answer = block_on(async { sql::run(view, text).await.map(|table| table.rows().unwrap()) });
    json!(answer.map_err(|error| error.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Statements that are answered from codes have the answers of the engine.
    #[test]
    fn codes_and_the_engine_agree(
        keys in prop::sample::subsequence(KEYS, 0..=3),
        measures in prop::sample::subsequence(MEASURES, 1..=4),
        filters in prop::sample::subsequence(FILTERS, 0..=2),
    ) {
        let keys: Vec<String> = keys.iter().enumerate().map(|(at, key)| format!("{key} AS k{at}")).collect();
        let names: Vec<String> = (0..keys.len()).map(|at| format!("k{at}")).collect();
        let measures: Vec<String> = measures.iter().enumerate().map(|(at, of)| format!("{of} AS m{at}")).collect();
        let mut text = format!("SELECT {} FROM events", [keys.clone(), measures].concat().join(", "));
        if !filters.is_empty() {
            text += &format!(" WHERE ({})", filters.join(") AND ("));
        }
        if !keys.is_empty() {
            text += &format!(" GROUP BY {0} ORDER BY {0}", names.join(", "));
        }
        for (codes, engine, _) in VIEWS.iter() {
            prop_assert_eq!(rows(codes, &text), rows(engine, &text), "{}", text);
        }
    }
}

/// Where there are few values, those between them count in proportion.
#[test]
fn percentiles() {
    let text = "SELECT count(*) AS n, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY index) AS p FROM events WHERE index < 101";
    for (codes, _, _) in VIEWS.iter() {
        insta::allow_duplicates! {
            insta::assert_snapshot!(rows(codes, text), @r#"{"Ok":[{"n":101,"p":50.0}]}"#);
        }
    }
}
