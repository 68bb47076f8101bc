use proptest::prelude::*;

use super::*;
use crate::testing::{any_events, events};

fn detect(events: &[Event]) -> Vec<Finding> {
    let mut detector = FindingsDetector::new();
    events.iter().for_each(|event| detector.add(event));
    detector.finish()
}

/// The findings' sentences, with their spans.
fn check(lines: &str) -> String {
    let told = |finding: &Finding| {
        let (since, until) = (finding.since.to_string(), finding.until.to_string());
        let time = |text: &str| text.get(8..).unwrap_or_default().to_owned();
        format!("{} {} {} {}", finding.kind.as_str(), time(&since), time(&until), finding.description)
    };
    detect(&events(lines)).iter().map(told).collect::<Vec<_>>().join("\n")
}

/// One line for each number.
fn each(numbers: std::ops::Range<u32>, line: impl Fn(u32) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_finding_in_full() {
    let lines = each(0..12, |n| {
        format!(
            "{n} action.failed request=r{n} agent=etl status={}",
            if n < 9 { "failure" } else { "cancelled" }
        )
    });
    let lines =
        format!("{lines}\n{}", each(0..8, |n| format!("{n}.5 action.executed request=s{n} agent=etl")));
    insta::assert_snapshot!(serde_json::to_string_pretty(&detect(&events(&lines))).unwrap(), @r#"
    [
      {
        "type": "high_failure_rate",
        "agent_id": "etl",
        "severity": "medium",
        "since": "2026-03-06T00:00:00.000000Z",
        "until": "2026-03-06T00:00:11.000000Z",
        "count": 12,
        "total": 20,
        "rate": 0.6,
        "description": "etl failed in 12 of 20 actions that ended, 60.0 %; more than 30 % is unusual.",
        "threshold": {
          "percent": 30,
          "actions": 10
        },
        "event_ids": [
          "00000000-0000-7000-8000-000000000001",
          "00000000-0000-7000-8000-000000000002",
          "00000000-0000-7000-8000-000000000003",
          "00000000-0000-7000-8000-000000000004",
          "00000000-0000-7000-8000-000000000005",
          "00000000-0000-7000-8000-000000000006",
          "00000000-0000-7000-8000-000000000007",
          "00000000-0000-7000-8000-000000000008",
          "00000000-0000-7000-8000-000000000009",
          "00000000-0000-7000-8000-000000000010",
          "00000000-0000-7000-8000-000000000011",
          "00000000-0000-7000-8000-000000000012"
        ]
      }
    ]
    "#);
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(detect(&[]), []);
}

#[test]
fn exactly_ten_actions_and_none_after_them() {
    let nine = each(0..9, |n| format!("5.{n} tool.call"));
    insta::assert_snapshot!(check(&nine), @"");
    insta::assert_snapshot!(check(&format!("{nine}\n5.999999 tool.call")), @"rapid_actions 06T00:00:05.000000Z 06T00:00:05.999999Z crm-assistant took 10 actions within 0.999999 s; 10 or more in less than 1 s are unusual.");
    insta::assert_snapshot!(check(&format!("{nine}\n6 tool.call")), @"");
}

#[test]
fn days_apart_are_not_rapid() {
    insta::assert_snapshot!(check(&each(0..20, |n| format!("{} tool.call", n * 86_400))), @"");
}

#[test]
fn one_burst_is_one_finding() {
    let long = each(0..40, |n| format!("{}.{:02} tool.call", n * 5 / 100, n * 5 % 100));
    let later = each(0..10, |n| format!("60.{n} tool.call"));
    insta::assert_snapshot!(check(&format!("{long}\n{later}")), @"
    rapid_actions 06T00:00:00.000000Z 06T00:00:01.950000Z crm-assistant took 40 actions within 1.95 s; 10 or more in less than 1 s are unusual.
    rapid_actions 06T00:01:00.000000Z 06T00:01:00.900000Z crm-assistant took 10 actions within 0.9 s; 10 or more in less than 1 s are unusual.
    ");
}

#[test]
fn a_call_is_one_action() {
    let calls =
        each(0..9, |n| format!("0.{n} action.approved request=r{n}\n0.{n}5 action.executed request=r{n}"));
    insta::assert_snapshot!(check(&calls), @"");
    insta::assert_snapshot!(check(&format!("{calls}\n0.95 tool.call")), @"rapid_actions 06T00:00:00.000000Z 06T00:00:00.950000Z crm-assistant took 10 actions within 0.95 s; 10 or more in less than 1 s are unusual.");
}

#[test]
fn agents_are_told_apart() {
    let two = each(0..18, |n| format!("0.{n:02} tool.call agent={}", if n % 2 == 0 { "a" } else { "b" }));
    insta::assert_snapshot!(check(&two), @"");
    insta::assert_snapshot!(check(&each(0..10, |n| format!("0.{n} tool.call agent=-"))), @"rapid_actions 06T00:00:00.000000Z 06T00:00:00.900000Z What names no agent took 10 actions within 0.9 s; 10 or more in less than 1 s are unusual.");
    insta::assert_snapshot!(check(&each(0..10, |n| format!("0.{n} data.access agent=greffier"))), @"");
}

#[test]
fn few_actions_have_no_failure_rate() {
    insta::assert_snapshot!(check("0 action.failed"), @"");
    insta::assert_snapshot!(check(&each(0..9, |n| format!("{n} error"))), @"");
    insta::assert_snapshot!(check(&each(0..10, |n| format!("{n} error"))), @"high_failure_rate 06T00:00:00.000000Z 06T00:00:09.000000Z crm-assistant failed in 10 of 10 actions that ended, 100.0 %; more than 30 % is unusual.");
}

#[test]
fn thirty_per_cent_is_not_above_thirty_per_cent() {
    let ten = |failed: u32| {
        each(0..10, |n| format!("{n} action.{} request=r{n}", if n < failed { "failed" } else { "executed" }))
    };
    insta::assert_snapshot!(check(&ten(3)), @"");
    insta::assert_snapshot!(check(&ten(4)), @"high_failure_rate 06T00:00:00.000000Z 06T00:00:03.000000Z crm-assistant failed in 4 of 10 actions that ended, 40.0 %; more than 30 % is unusual.");
}

#[test]
fn what_was_denied_or_waits_neither_fails_nor_ends() {
    let ended = each(0..10, |n| format!("{n} action.executed request=r{n}"));
    let denied = each(0..5, |n| format!("{n}.1 action.denied request=d{n} status=denied"));
    let waits = each(0..9, |n| format!("{n}.2 action.request request=w{n} status=pending"));
    let blocked = each(0..9, |n| format!("{n}.3 action.failed request=b{n} status=denied"));
    insta::assert_snapshot!(check(&[ended, denied, waits, blocked].join("\n")), @"");
}

#[test]
fn more_than_five_denials() {
    let five = each(0..5, |n| format!("{n} permission.denied"));
    insta::assert_snapshot!(check(&five), @"");
    insta::assert_snapshot!(check(&format!("{five}\n9 action.denied request=d")), @"permission_issues 06T00:00:00.000000Z 06T00:00:09.000000Z crm-assistant was denied 6 times; more than 5 times is unusual.");
}

#[test]
fn past_the_bound_it_says_so() {
    let mut detector = FindingsDetector::new();
    detector.free = 2;
    let lines = "
        0 action.approved request=a
        1 action.approved request=b
        2 action.approved request=c
        3 action.executed request=a";
    events(lines).iter().for_each(|event| detector.add(event));
    assert_eq!(detector.dropped(), 1);
}

proptest! {
    #[test]
    fn order_never_matters(
        events in proptest::collection::vec(any_events(), 0..4)
            .prop_map(|lists| renumbered(lists.concat()))
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    ) {
        prop_assert_eq!(detect(&events.0), detect(&events.1));
    }
}

/// The events with ids of their own.
fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    for (number, event) in events.iter_mut().enumerate() {
        event.id = EventId(format!("00000000-0000-7000-8000-{number:012}").parse().unwrap());
    }
    events
}
