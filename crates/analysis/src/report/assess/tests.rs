use serde_json::json;

use super::*;
use crate::report::frame::{Head, TrailState};
use crate::report::person::Person;
use crate::report::standards::{STANDARDS, standard};
use crate::report::steps::{Step, Steps};
use crate::report::summary::Period;

/// A frame whose charts go by days of UTC, up to 2026-03-08.
pub(crate) fn frame(to: &str) -> Frame {
    let state = |name: &str, size| TrailState {
        name: name.to_owned(),
        head: Head { origin: format!("greffier.test/{name}"), size, root: "cm9vdA==".to_owned() },
    };
    Frame {
        period: Period { start: "2026-03-01".parse().unwrap(), end: to.parse().unwrap() },
        zone: "UTC".to_owned(),
        steps: days(to),
        made: "2026-03-08T00:00:30Z".parse().unwrap(),
        trail: state("acme", 100),
        node: Some(state("greffier", 50)),
        anchored: Ok(()),
        person: None,
    }
}

fn days(to: &str) -> Steps {
    let before = |day: &str| day < to.get(..10).unwrap();
    let days = (1..=8).map(|day| format!("2026-03-0{day}")).filter(|day| before(day));
    let starts = days.map(|day| (day.parse().unwrap(), day)).collect();
    Steps { step: Step::Day, zone: "UTC".to_owned(), starts }
}

/// What one control makes of the answers to its judged statements.
fn check(control: Control, answers: &[serde_json::Value]) -> String {
    let rows = |answer: &Value| {
        answer.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
    };
    let answers: Vec<Vec<Row>> = answers.iter().map(rows).collect();
    let judged = control.judge(&frame("2026-03-08"), &answers);
    let table: Vec<String> = judged.table.iter().map(|row| Value::Object(row.clone()).to_string()).collect();
    format!("{}: {}\n{}", judged.verdict.as_str(), judged.says, table.join("\n")).trim_end().to_owned()
}

#[test]
fn every_standard_has_its_clauses_and_every_control_its_words() {
    let mut lines = Vec::new();
    for standard in STANDARDS {
        let clauses = standard.clauses;
        let mut ids: Vec<&str> = clauses.iter().map(|clause| clause.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), clauses.len(), "{}", standard.name);
        for clause in clauses {
            assert!(
                !clause.controls.is_empty() || !clause.beyond.is_empty(),
                "{} {}",
                standard.name,
                clause.id
            );
            assert!(clause.controls.iter().all(|control| !control.fails_if().is_empty()));
        }
        let controls: usize = clauses.iter().map(|clause| clause.controls.len()).sum();
        let inquiry = Inquiry::new(standard, frame("2026-03-08"));
        lines.push(format!(
            "{}: {} clauses, {controls} controls, {} statements",
            standard.name,
            clauses.len(),
            inquiry.statements().count()
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
    assert!(standard("soc3").is_none());
}

#[test]
fn statements_ask_the_period_and_the_checkpoint_and_nothing_else() {
    for standard in STANDARDS {
        for (_, statement) in Inquiry::new(standard, frame("2026-03-08")).statements() {
            let size = if statement.on == On::Trail { 100 } else { 50 };
            assert!(statement.sql.contains(&format!("index < {size}")), "{}", statement.sql);
        }
    }
    let rule = Control::Rule(&crate::report::rules::RULED);
    let plan = rule.plan(&frame("2026-03-08"));
    let all = [plan.judged.first(), plan.table.as_ref(), plan.samples.as_ref(), plan.exceptions.as_ref()];
    insta::assert_snapshot!(all.map(|statement| statement.unwrap().sql.clone()).join("\n\n"));
}

#[test]
fn a_population_without_exceptions_is_evidence() {
    let rule = Control::Rule(&crate::report::rules::RULED);
    let row =
        |population: u64, exceptions: u64| json!([{"population": population, "exceptions": exceptions}]);
    insta::assert_snapshot!(check(rule, &[row(7, 0)]), @"EVIDENCED: Every permitted call names the rule that permitted it, and the version of the policies.");
    insta::assert_snapshot!(check(rule, &[row(7, 2)]), @"GAP: 2 of 7 are exceptions to this: Every permitted call names the rule that permitted it, and the version of the policies.");
    insta::assert_snapshot!(check(rule, &[row(0, 0)]), @"NOT ASSESSED: There was none of it.");
    let reviewed = Control::Rule(&crate::report::rules::REVIEWED);
    insta::assert_snapshot!(check(reviewed, &[row(0, 0)]), @"GAP: There was none of it.");
}

#[test]
fn missing_minutes_are_a_gap() {
    // 2026-03-01 to 2026-03-08: 10,080 minutes.
    let beats = |minutes: u64, unwell: u64, first: &str, last: &str| json!([{"heartbeats": minutes, "minutes": minutes, "unwell": unwell, "first": first, "last": last}]);
    let node = Control::Beats(&crate::report::beats::NODE);
    let (first, last) = ("2026-03-01T00:00:12.000000Z", "2026-03-07T23:59:12.000000Z");
    insta::assert_snapshot!(check(node, &[beats(10_080, 0, first, last), json!([])]), @"EVIDENCED: The node recorded a heartbeat in each of the 10080 minutes, and none of them reports a failure.");
    insta::assert_snapshot!(check(node, &[beats(10_080, 1, first, last), json!([])]), @"GAP: Of 10080 minutes 0 have no heartbeat, and 1 heartbeats report a failure. What the node did in a minute without one is not evidenced by what is there.");
    let gap = json!([{"since": "2026-03-02T10:00:12.000000Z", "until": "2026-03-02T10:30:12.000000Z"}]);
    insta::assert_snapshot!(check(node, &[beats(10_051, 0, first, last), gap]), @r#"
    GAP: Of 10080 minutes 29 have no heartbeat, and 0 heartbeats report a failure. What the node did in a minute without one is not evidenced by what is there.
    {"no heartbeat since":"2026-03-02T10:00:12.000000Z","until":"2026-03-02T10:30:12.000000Z"}
    "#);
    insta::assert_snapshot!(check(node, &[beats(10, 0, "2026-03-07T23:50:00.000000Z", last), json!([])]), @r#"
    GAP: Of 10080 minutes 10070 have no heartbeat, and 0 heartbeats report a failure. What the node did in a minute without one is not evidenced by what is there.
    {"no heartbeat since":"2026-03-01T00:00:00.000000Z","until":"2026-03-07T23:50:00.000000Z"}
    "#);
    insta::assert_snapshot!(check(node, &[json!([{"heartbeats": 0, "minutes": 0, "unwell": 0, "first": null, "last": null}]), json!([])]), @r#"
    GAP: Of 10080 minutes 10080 have no heartbeat, and 0 heartbeats report a failure. What the node did in a minute without one is not evidenced by what is there.
    {"no heartbeat since":"2026-03-01T00:00:00.000000Z","until":"2026-03-08T00:00:00.000000Z"}
    "#);
}

#[test]
fn an_hour_in_which_nobody_looked_is_a_gap() {
    // 2026-03-01 to 2026-03-08: 168 hours.
    let beats = |hours: u64, unwell: u64, first: &str, last: &str| json!([{"heartbeats": hours, "hours": hours, "unwell": unwell, "first": first, "last": last}]);
    let (first, last) = ("2026-03-01T00:00:01.000000Z", "2026-03-07T23:00:01.000000Z");
    let detecting = Control::Beats(&crate::report::beats::DETECTORS);
    insta::assert_snapshot!(check(detecting, &[beats(168, 0, first, last), json!([])]), @"EVIDENCED: What looks for the unusual recorded a heartbeat in each of the 168 hours, and none of them reports a failure.");
    insta::assert_snapshot!(check(detecting, &[beats(168, 2, first, last), json!([])]), @"GAP: Of 168 hours 0 have no heartbeat, and 2 heartbeats report a failure. That nothing was found in an hour without one does not say that anybody looked.");
    let gap = json!([{"since": "2026-03-02T10:00:01.000000Z", "until": "2026-03-02T13:00:01.000000Z"}]);
    insta::assert_snapshot!(check(detecting, &[beats(166, 0, first, last), gap]), @r#"
    GAP: Of 168 hours 2 have no heartbeat, and 0 heartbeats report a failure. That nothing was found in an hour without one does not say that anybody looked.
    {"no heartbeat since":"2026-03-02T10:00:01.000000Z","until":"2026-03-02T13:00:01.000000Z"}
    "#);
    let none = json!([{"heartbeats": 0, "hours": 0, "unwell": 0, "first": null, "last": null}]);
    insta::assert_snapshot!(check(detecting, &[none, json!([])]), @r#"
    GAP: Of 168 hours 168 have no heartbeat, and 0 heartbeats report a failure. That nothing was found in an hour without one does not say that anybody looked.
    {"no heartbeat since":"2026-03-01T00:00:00.000000Z","until":"2026-03-08T00:00:00.000000Z"}
    "#);
    // Of a period in which no hour is over nothing can be said.
    let young = frame("2026-03-01T00:40:00Z");
    assert_eq!(detecting.judge(&young, &[]).verdict, Verdict::NotAssessed);
}

#[test]
fn changed_policies_want_approval() {
    let in_force = |rows: &[(&str, &str)]| {
        let row = |(at, digest): &(&str, &str)| json!({"index": 1, "id": "x", "time": format!("2026-{at}T00:00:00.000000Z"), "resource_uri": format!("policy://sha256:{digest}")});
        // The newest first, as they are asked for.
        Value::Array(rows.iter().rev().map(row).collect())
    };
    let approved = |digests: &[&str]| {
        let row = |digest: &&str| json!({"resource_uri": format!("audit://acme/policies/sha256:{digest}"), "user_sub": "olga"});
        Value::Array(digests.iter().map(row).collect())
    };
    let policies = Control::PoliciesApproved;
    insta::assert_snapshot!(check(policies, &[in_force(&[("02-01", "a"), ("03-03", "a")]), approved(&[])]), @r#"
    EVIDENCED: The policies did not change in the period; sha256:a were in force.
    {"time":"2026-02-01T00:00:00.000000Z","policies":"sha256:a","what":"in force at the start of the period","approved by":""}
    "#);
    insta::assert_snapshot!(check(policies, &[in_force(&[("02-01", "a"), ("03-03", "b"), ("03-04", "c")]), approved(&["b"])]), @r#"
    GAP: The policies changed 2 times; 1 of the changes nobody approved.
    {"time":"2026-03-03T00:00:00.000000Z","policies":"sha256:b","what":"changed","approved by":"olga"}
    {"time":"2026-03-04T00:00:00.000000Z","policies":"sha256:c","what":"changed","approved by":""}
    {"time":"2026-02-01T00:00:00.000000Z","policies":"sha256:a","what":"in force at the start of the period","approved by":""}
    "#);
    insta::assert_snapshot!(check(policies, &[in_force(&[("02-01", "a"), ("03-03", "b")]), approved(&["b"])]), @r#"
    EVIDENCED: The policies changed 1 times, and each change was approved by somebody.
    {"time":"2026-03-03T00:00:00.000000Z","policies":"sha256:b","what":"changed","approved by":"olga"}
    {"time":"2026-02-01T00:00:00.000000Z","policies":"sha256:a","what":"in force at the start of the period","approved by":""}
    "#);
    insta::assert_snapshot!(check(policies, &[in_force(&[]), approved(&[])]), @"NOT ASSESSED: No policies are on the node's trail.");
}

#[test]
fn roles_that_differ() {
    let row = |roles: &str, call: &str, allowed: u64, denied: u64| json!({"roles": roles, "call": call, "allowed": allowed, "denied": denied, "users": 1});
    let differ = Control::RolesDiffer;
    let verdict = |rows: Value| check(differ, &[rows]).lines().next().unwrap().to_owned();
    insta::assert_snapshot!(verdict(json!([row("clerk", "a", 0, 1), row("doctor", "a", 2, 0)])), @"EVIDENCED: 2 roles were in use and were allowed 2 different sets of calls; 1 calls were denied.");
    insta::assert_snapshot!(verdict(json!([row("clerk", "a", 1, 0), row("doctor", "a", 2, 0)])), @"GAP: All 2 roles in use were allowed exactly the same.");
    insta::assert_snapshot!(verdict(json!([row("clerk", "a", 1, 0)])), @"NOT ASSESSED: Only one role was in use: there is nothing to compare it with.");
    insta::assert_snapshot!(verdict(json!([])), @"NOT ASSESSED: No person's call was decided in the period.");
}

#[test]
fn kept_and_complete() {
    let row = |entries: u64, first: u64, last: u64, oldest: &str| json!([{"entries": entries, "first": first, "last": last, "oldest": oldest}]);
    let (young, old) = ("2026-03-01T00:00:00.000000Z", "2025-03-01T00:00:00.000000Z");
    insta::assert_snapshot!(check(Control::Kept(365), &[row(100, 0, 99, young)]), @"EVIDENCED: Nothing has expired: the trail is there from its first entry on, and the oldest entry is of 2026-03-01T00:00:00.000000Z, 7 days old.");
    insta::assert_snapshot!(check(Control::Kept(365), &[row(90, 10, 99, young)]), @"GAP: Entries from before have expired, although 365 days are not over: the oldest entry is of 2026-03-01T00:00:00.000000Z, 7 days old.");
    insta::assert_snapshot!(check(Control::Kept(365), &[row(90, 10, 99, old)]), @"EVIDENCED: Entries are kept for 365 days and more: the oldest entry is of 2025-03-01T00:00:00.000000Z, 372 days old.");
    let verdict = |row: Value| check(Control::Complete, &[row]).split(':').next().unwrap().to_owned();
    assert_eq!(verdict(row(100, 0, 99, young)).split('.').next(), Some("EVIDENCED"));
    insta::assert_snapshot!(verdict(row(99, 0, 99, young)), @"GAP");
    insta::assert_snapshot!(verdict(row(90, 10, 99, young)), @"EVIDENCED");
}

#[test]
fn one_person() {
    let person = Person {
        users: vec!["okafor".to_owned()],
        subjects: vec!["ref:1".to_owned()],
        targets: vec!["audit://acme/users/ref:2/parts".to_owned()],
    };
    let framed = Frame { person: Some(person), ..frame("2026-03-08") };
    let of_person = standard("gdpr").unwrap().of_person;
    let mut lines = Vec::new();
    for control in of_person.iter().flat_map(|clause| clause.controls) {
        let plan = control.plan(&framed);
        lines.push(format!("{}\n{}", control.name(), plan.judged[0].sql));
        lines.extend(plan.table.map(|table| table.sql));
    }
    insta::assert_snapshot!(lines.join("\n\n"));
    // It is asked only where somebody asks about a person, and only where the standard knows such a right.
    let named = |name: &str, frame: Frame| {
        let report = Inquiry::new(standard(name).unwrap(), frame).assess(Answers::new());
        (report.claim("person_events").is_some(), report.person.is_some())
    };
    assert_eq!(named("gdpr", framed.clone()), (true, true));
    assert_eq!(named("gdpr", frame("2026-03-08")), (false, false));
    assert_eq!(named("soc2", framed), (false, true));
}

#[test]
fn what_is_not_answered_is_not_assessed() {
    let standard = standard("soc2").unwrap();
    let inquiry = Inquiry::new(standard, Frame { node: None, ..frame("2026-03-08") });
    let answers: Answers =
        inquiry.statements().map(|(at, _)| (at, Answer::None("no answer within 30 s".to_owned()))).collect();
    let report = inquiry.assess(answers);
    let said = |name: &str| {
        let claim = report.claim(name).unwrap();
        format!("{}: {}", claim.verdict.as_str(), claim.says)
    };
    insta::assert_snapshot!(said("ruled"), @"NOT ASSESSED: It was not answered: no answer within 30 s.");
    insta::assert_snapshot!(said("heartbeats"), @"NOT ASSESSED: The node's own trail was not read: this reader may not, or it has no checkpoint yet.");
    assert_eq!(report.counts.evidenced, 1, "witnesses need no answer");
    assert!(report.ended);
    assert!(!Inquiry::new(standard, frame("2026-04-01")).assess(Answers::new()).ended);
}

#[test]
fn what_would_make_it_a_gap_is_a_sentence() {
    let report = Inquiry::new(standard("soc2").unwrap(), frame("2026-03-08")).assess(Answers::new());
    let said = |control: &str| report.claim(control).unwrap().a_gap_if();
    insta::assert_snapshot!(said("denied"), @"It would be a gap if a denial is on record without a reason.");
    insta::assert_snapshot!(said("exports"), @"Nothing makes it a gap: it is shown for people to judge.");
    insta::assert_snapshot!(said("monitored"), @"Nothing by itself makes it a gap: findings are shown for people to judge (`greffier findings` computes them anew).");
    assert_eq!(report.clauses_of("enforced"), ["CC6.1", "CC7.3, CC7.4"]);
}

#[test]
fn a_page_for_people() {
    let inquiry = Inquiry::new(standard("soc2").unwrap(), frame("2026-04-01"));
    let hostile = "<script>alert(1)</script>";
    let row = json!({
        "population": 3, "exceptions": 1, "events": 3, "index": 7, "id": "0199", "time": "2026-03-02T00:00:00Z", "step": "2026-03-02T00:00:00Z",
        "action_name": hostile, "rule": "</title><img src=x onerror=alert(1)>", "user_sub": "\u{202e}resu", "denied": 1, "governed": 3, "denials": 1, "with_heartbeat": 9,
    });
    let row = row.as_object().unwrap().clone();
    let named = |name: &str, cost: u64| {
        let mut row = row.clone();
        row.extend([
            ("name".to_owned(), name.into()),
            ("cost_micros".to_owned(), cost.into()),
            ("high".to_owned(), 1.into()),
        ]);
        row
    };
    let rows = vec![named(hostile, 3), named("\u{202e}\u{7}\" onload=alert(1) x=\"", 2)];
    let answers: Answers = inquiry.statements().map(|(at, _)| (at, Answer::Rows(rows.clone()))).collect();
    let report = inquiry.assess(answers);
    let page = crate::report::html(&report);
    assert!(
        page.contains("&lt;script&gt;")
            && !page.contains(hostile)
            && !page.contains("<img")
            && !page.contains('\u{202e}')
    );
    assert!(page.contains("The period has not ended"));
    let drawn: Vec<&str> = report.all_charts().map(|chart| chart.name.as_str()).collect();
    insta::assert_snapshot!(drawn.join(" "), @"events decisions denials cost_by_agent heartbeats_missing findings_by_rule detecting_missing");
    assert_eq!(page.matches("<svg viewBox").count(), drawn.len());
    assert!(!page.contains(" onload=alert(1) x=\""));
    let read: Assessment = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(read, report);
    assert_eq!(report.sampled("acme"), ["0199"]);
}
