use serde_json::json;

use super::*;
use crate::report::assess::tests::frame;
use crate::report::control::Control;
use crate::report::{beats, rules};

fn query() -> Query {
    Query { trail: "acme".to_owned(), sql: "SELECT 1".to_owned() }
}

fn rows(rows: &serde_json::Value) -> Vec<Row> {
    rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
}

/// What is drawn for a control of what its statement gave, mark by mark.
fn check(control: Control, to: &str, answer: serde_json::Value) -> String {
    let Some(chart) = control.draw(&frame(to), &rows(&answer), query()) else { return "nothing".to_owned() };
    let mark = |mark: &Mark| {
        let values: Vec<String> = mark.values.iter().map(|value| chart.unit.shown(*value)).collect();
        format!("{}: {}", mark.label, values.join(" "))
    };
    let marks: Vec<String> = chart.marks.iter().map(mark).collect();
    format!(
        "{} [{}]\n{}\n{}\n{}",
        chart.title,
        chart.series.join(" "),
        marks.join(", "),
        chart.told(),
        chart.note
    )
    .trim_end()
    .to_owned()
}

#[test]
fn every_step_has_a_mark_and_there_is_no_chart_of_one_mark_or_none() {
    let denied = Control::Rule(&rules::DENIED);
    let second = json!([{"step": "2026-03-02T00:00:00.000000Z", "denials": 4}]);
    insta::assert_snapshot!(check(denied, "2026-03-04", second.clone()), @"
    Denials per day (UTC) [denials]
    2026-03-01: 0, 2026-03-02: 4, 2026-03-03: 0
    denials: 4 in all, most 4 (2026-03-02).
    ");
    insta::assert_snapshot!(check(denied, "2026-03-04", json!([])), @"nothing");
    insta::assert_snapshot!(check(denied, "2026-03-02", second), @"nothing");
    // What happened before the period's first step, or is no time, has no mark.
    let odd = json!([{"step": "2026-02-27T00:00:00Z", "denials": 9}, {"step": null, "denials": 9}, {"step": "2026-03-01T02:00:00Z", "denials": 1}]);
    insta::assert_snapshot!(check(denied, "2026-03-03", odd), @"
    Denials per day (UTC) [denials]
    2026-03-01: 1, 2026-03-02: 0
    denials: 1 in all, most 1 (2026-03-01).
    ");
}

#[test]
fn names_are_the_largest_first_and_the_others_are_summed_up() {
    let cost = Control::Rule(&rules::MODELS);
    let of = |name: &str, cost: u64| json!({"name": name, "cost_micros": cost});
    insta::assert_snapshot!(check(cost, "2026-03-08", json!([of("etl", 12_300), of("crm", 1_234_500), of("idle", 0)])), @"
    Cost of models by agent, US dollars, of the whole period [cost_micros]
    crm: $1.2345, etl: $0.0123
    cost: $1.2468 in all, most $1.2345 (crm).
    ");
    insta::assert_snapshot!(check(cost, "2026-03-08", json!([of("crm", 5), of("idle", 0)])), @"nothing");
    let many: Vec<_> = (1..=13).map(|at| of(&format!("agent {at}"), at * 10_000)).collect();
    insta::assert_snapshot!(check(cost, "2026-03-08", many.into()).lines().last().unwrap(), @"Not drawn: 3 more, $0.0600 together.");
    let found = Control::Rule(&rules::MONITORED);
    let rules = json!([{"name": "first_use", "low": 7, "medium": 0, "high": 0}, {"name": "bulk_reads", "low": 0, "medium": 0, "high": 2}]);
    insta::assert_snapshot!(check(found, "2026-03-08", rules), @"
    Findings by rule and severity, of the whole period [low medium high]
    first_use: 7 0 0, bulk_reads: 0 0 2
    low: 7 in all, most 7 (first_use); high: 2 in all, most 2 (bulk_reads).
    ");
}

#[test]
fn missing_minutes_are_seen_where_they_are() {
    let node = Control::Beats(&beats::NODE);
    let day =
        |day: u32, count: u64| json!({"step": format!("2026-03-0{day}T00:00:00Z"), "with_heartbeat": count});
    insta::assert_snapshot!(check(node, "2026-03-04", json!([day(1, 1_440), day(2, 1_000)])), @"
    Minutes with and without a heartbeat, per day (UTC) [with_heartbeat without]
    2026-03-01: 1440 0, 2026-03-02: 1000 440, 2026-03-03: 0 1440
    with heartbeat: 2440 in all, most 1440 (2026-03-01); without: 1880 in all, most 1440 (2026-03-03).
    ");
    // None missing, all missing: a figure says as much.
    insta::assert_snapshot!(check(node, "2026-03-03", json!([day(1, 1_440), day(2, 1_440)])), @"nothing");
    insta::assert_snapshot!(check(node, "2026-03-03", json!([])), @"nothing");
    // Of a day that has not passed nothing is expected yet.
    let hours = Control::Beats(&beats::DETECTORS);
    insta::assert_snapshot!(check(hours, "2026-03-03T12:30:00Z", json!([day(1, 24), day(2, 20)])), @"
    Hours with and without a heartbeat, per day (UTC) [with_heartbeat without]
    2026-03-01: 24 0, 2026-03-02: 20 16
    with heartbeat: 44 in all, most 24 (2026-03-01); without: 16 in all, most 16 (2026-03-02).
    ");
}

#[test]
fn statements_of_charts() {
    let plan = |control: Control| control.plan(&frame("2026-03-08")).chart.unwrap().sql;
    let controls = [&rules::DENIED, &rules::MODELS, &rules::MONITORED].map(Control::Rule);
    let all: Vec<String> = controls.into_iter().chain([Control::Beats(&beats::NODE)]).map(plan).collect();
    insta::assert_snapshot!(all.join("\n\n"), @"
    SELECT date_trunc('day', time) AS step, count(*) AS denials FROM events WHERE index < 100 AND time >= '2026-03-01T00:00:00.000000Z' AND time < '2026-03-08T00:00:00.000000Z' AND (type IN ('action.denied', 'permission.denied')) GROUP BY 1 ORDER BY 1

    SELECT coalesce(agent_id, '(no agent)') AS name, sum(cost_micros) AS cost_micros FROM events WHERE index < 100 AND time >= '2026-03-01T00:00:00.000000Z' AND time < '2026-03-08T00:00:00.000000Z' AND (action_kind = 'llm' AND type = 'action.executed' AND channel = 'gateway') AND (cost_micros > 0) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000

    SELECT split_part(resource_uri, '/', 5) AS name, count(*) FILTER (WHERE split_part(resource_uri, '/', 5) IN ('unusual_hours', 'first_use')) AS low, count(*) FILTER (WHERE split_part(resource_uri, '/', 5) IN ('rapid_actions', 'high_failure_rate', 'unusual_rate', 'unusual_volume', 'unusual_cost', 'unusual_sequence')) AS medium, count(*) FILTER (WHERE split_part(resource_uri, '/', 5) IN ('permission_issues', 'unusual_denials', 'bulk_reads')) AS high FROM events WHERE index < 100 AND time >= '2026-03-01T00:00:00.000000Z' AND time < '2026-03-08T00:00:00.000000Z' AND (agent_id = 'greffier' AND action_name LIKE 'finding:%') AND (action_name = 'finding:raise') GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000

    SELECT date_trunc('day', time) AS step, count(DISTINCT date_trunc('minute', time)) AS with_heartbeat FROM events WHERE index < 50 AND time >= '2026-03-01T00:00:00.000000Z' AND time < '2026-03-08T00:00:00.000000Z' AND action_name = 'node:heartbeat' GROUP BY 1 ORDER BY 1
    ");
    let mut berlin = frame("2026-03-08");
    berlin.steps.zone = "Europe/Berlin".to_owned();
    insta::assert_snapshot!(berlin.steps.sql(), @"date_trunc('day', time AT TIME ZONE 'Europe/Berlin')");
    berlin.steps.step = crate::report::steps::Step::Hour;
    insta::assert_snapshot!(berlin.steps.sql(), @"date_bin(INTERVAL '1 hour', time, TIMESTAMP '2026-03-01T00:00:00.000000Z')");
    berlin.steps.starts.clear();
    assert!(Control::Rule(&rules::DENIED).plan(&berlin).chart.is_none(), "no steps, no chart over them");
}

fn chart(form: Form, series: &[&str], marks: &[(&str, &[u64])]) -> Chart {
    let own = |text: &&str| (*text).to_owned();
    let mark = |(label, values): &(&str, &[u64])| Mark { label: own(label), values: values.to_vec() };
    Chart {
        name: "n".to_owned(),
        title: "t".to_owned(),
        form,
        unit: Unit::Count,
        series: series.iter().map(own).collect(),
        marks: marks.iter().map(mark).collect(),
        note: String::new(),
        query: query(),
    }
}

/// Letters of one width, so that a picture is the same everywhere.
fn measure(text: &str) -> f64 {
    6.0 * text.chars().count() as f64
}

/// A picture, shape by shape, with letters ten high.
fn drawn(chart: &Chart) -> String {
    let drawing = chart.drawing(200.0, 10.0, &measure);
    let shape = |shape: &Shape| match shape {
        Shape::Rect { x, y, width, height, tone, about } => {
            format!("{tone:?} {x:.0},{y:.0} {width:.0}x{height:.0} {about}")
        }
        Shape::Line { x, y, width } => format!("line {x:.0},{y:.0} {width:.0}"),
        Shape::Text { x, y, anchor, text, inverse, .. } => {
            format!("{anchor:?} {x:.0},{y:.0} {text}{}", if *inverse { " (inverse)" } else { "" })
        }
    };
    let shapes: Vec<String> = drawing.shapes.iter().map(|one| shape(one).trim_end().to_owned()).collect();
    format!("{:.0}x{:.0}\n{}", drawing.width, drawing.height, shapes.join("\n"))
}

#[test]
fn pictures() {
    let columns = chart(Form::Time, &["denials"], &[("03-01", &[3]), ("03-02", &[0]), ("03-03", &[12])]);
    insta::assert_snapshot!(drawn(&columns), @"
    200x113
    line 18,95 182
    End 13,98 0
    line 18,67 182
    End 13,70 5
    line 18,38 182
    End 13,42 10
    line 18,10 182
    End 13,14 15
    Middle 26,78 45x17 03-01: denials 3
    Middle 48,76 3
    Middle 147,27 45x68 03-03: denials 12
    Middle 170,24 12
    Middle 48,108 03-01
    Middle 109,108 03-02
    Middle 170,108 03-03
    ");
    let stacked = chart(Form::Time, &["ok", "bad"], &[("1", &[80, 20]), ("2", &[0, 100])]);
    insta::assert_snapshot!(drawn(&stacked), @"
    200x132
    Light 0,2 9x9
    Start 13,10 ok
    Dark 41,2 9x9
    Start 54,10 bad
    line 24,114 176
    End 19,118 0
    line 24,72 176
    End 19,75 50
    line 24,29 176
    End 19,32 100
    Light 46,46 45x68 1: ok 80
    Middle 68,84 80
    Dark 46,29 45x17 1: bad 20
    Middle 68,41 20 (inverse)
    Dark 134,29 45x85 2: bad 100
    Middle 156,75 100 (inverse)
    Middle 68,127 1
    Middle 156,127 2
    ");
    let bars = chart(Form::Names, &["n"], &[("a name that is longer than its room", &[40]), ("b", &[1])]);
    insta::assert_snapshot!(drawn(&bars), @"
    200x38
    Start 0,12 a name tha…
    Middle 76,3 104x12 a name that is longer than its room: n 40
    Start 184,12 40
    Start 0,30 b
    Middle 76,20 3x12 b: n 1
    Start 83,30 1
    ");
}

/// Where a text begins and ends.
fn ends(shape: &Shape) -> Option<(f64, f64)> {
    let Shape::Text { x, anchor, text, .. } = shape else { return None };
    let wide = measure(text);
    Some(match anchor {
        Anchor::Start => (*x, x + wide),
        Anchor::Middle => (x - wide / 2.0, x + wide / 2.0),
        Anchor::End => (x - wide, *x),
    })
}

proptest::proptest! {
    #[test]
    fn nothing_stands_outside_of_the_picture_and_no_label_on_another(
        labels in proptest::collection::vec(".{0,60}", 2..60),
        values in proptest::collection::vec(proptest::collection::vec(0u64..2_000_000, 2), 60),
        names: bool,
        one: bool,
    ) {
        let series: &[&str] = if one { &["only"] } else { &["first_of_them", "second"] };
        let marks: Vec<(&str, &[u64])> = labels.iter().zip(&values)
            .map(|(label, values)| (label.get(..label.len().min(16)).unwrap_or("x"), values.get(..series.len()).unwrap()))
            .collect();
        let drawing = chart(if names { Form::Names } else { Form::Time }, series, &marks).drawing(760.0, 11.0, &measure);
        for shape in &drawing.shapes {
            match shape {
                Shape::Rect { x, y, width, height, .. } => {
                    proptest::prop_assert!(*x >= 0.0 && x + width <= 760.5 && *y >= 0.0 && y + height <= drawing.height + 0.5);
                }
                Shape::Line { x, y, width } => {
                    proptest::prop_assert!(*x >= 0.0 && x + width <= 760.5 && *y >= 0.0 && *y <= drawing.height);
                }
                Shape::Text { y, .. } => {
                    let (start, end) = ends(shape).unwrap();
                    proptest::prop_assert!(start >= -0.5 && end <= 760.5 && *y >= 0.0 && *y <= drawing.height, "{shape:?}");
                }
            }
        }
        // Texts on the same line, from the left, do not touch.
        let mut lines: std::collections::BTreeMap<i64, Vec<(f64, f64)>> = std::collections::BTreeMap::new();
        for shape in &drawing.shapes {
            if let (Shape::Text { y, .. }, Some(ends)) = (shape, ends(shape)) {
                lines.entry((y * 10.0) as i64).or_default().push(ends);
            }
        }
        for ends in lines.values_mut() {
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            proptest::prop_assert!(ends.windows(2).all(|two| two[0].1 <= two[1].0 + 0.5), "{ends:?}");
        }
    }
}
