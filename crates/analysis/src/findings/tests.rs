use greffier_event::{Action, Agent, Event, EventType, Resource, Tenant};
use proptest::prelude::*;

use super::*;
use crate::testing::{any_events, events};

fn detect(events: &[Event]) -> Vec<Finding> {
    detector(events).findings()
}

fn detector(events: &[Event]) -> Detector {
    let mut detector = Detector::new();
    (0..).zip(events).for_each(|(index, event)| detector.add(index, event));
    detector
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
        "id": "dae02e61-8682-8dad-a9b5-be64489cf2dd",
        "type": "high_failure_rate",
        "agent_id": "etl",
        "severity": "medium",
        "state": "new",
        "since": "2026-03-06T00:00:00.000000Z",
        "until": "2026-03-06T00:00:11.000000Z",
        "count": 12,
        "total": 12,
        "rate": 1.0,
        "description": "etl failed in 12 of 12 actions that ended, 100.0 %; more than 30 % is unusual.",
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
fn days_are_counted_by_themselves() {
    let three = |day: u32| each(0..3, |n| format!("{} permission.denied", day * 86_400 + n));
    insta::assert_snapshot!(check(&[three(0), three(1)].join("\n")), @"");
    let six = |day: u32| each(0..6, |n| format!("{} permission.denied", day * 86_400 + n));
    insta::assert_snapshot!(check(&[six(0), six(1)].join("\n")), @"
    permission_issues 06T00:00:00.000000Z 06T00:00:05.000000Z crm-assistant was denied 6 times; more than 5 times is unusual.
    permission_issues 07T00:00:00.000000Z 07T00:00:05.000000Z crm-assistant was denied 6 times; more than 5 times is unusual.
    ");
}

#[test]
fn a_rate_that_was_high_stays_found() {
    let lines = [
        each(0..10, |n| format!("{n} action.{}", if n < 4 { "failed" } else { "executed" })),
        each(10..200, |n| format!("{n} action.executed")),
        "200 action.failed".to_owned(),
    ];
    insta::assert_snapshot!(check(&lines.join("\n")), @"high_failure_rate 06T00:00:00.000000Z 06T00:00:03.000000Z crm-assistant failed in 4 of 10 actions that ended, 40.0 %; more than 30 % is unusual.");
}

#[test]
fn what_comes_late_is_put_in_its_place() {
    let lines = each(0..12, |n| format!("7.{:02} tool.call", (n * 5) % 12));
    insta::assert_snapshot!(check(&lines), @"rapid_actions 06T00:00:07.000000Z 06T00:00:07.110000Z crm-assistant took 12 actions within 0.11 s; 10 or more in less than 1 s are unusual.");
    // An import of what happened before is looked at like everything else.
    let burst = |at: u32| each(0..10, |n| format!("{at}.{n} tool.call"));
    insta::assert_snapshot!(check(&[burst(9_000), burst(1_000)].join("\n")), @"
    rapid_actions 06T00:16:40.000000Z 06T00:16:40.900000Z crm-assistant took 10 actions within 0.9 s; 10 or more in less than 1 s are unusual.
    rapid_actions 06T02:30:00.000000Z 06T02:30:00.900000Z crm-assistant took 10 actions within 0.9 s; 10 or more in less than 1 s are unusual.
    ");
}

/// An event of Greffier's own about a finding.
fn about(finding: &Finding, action: &str, number: usize) -> Event {
    let id = EventId(format!("00000000-0000-7000-9000-{number:012}").parse().unwrap());
    let mut event = Event::new(id, EventType::ActionExecuted, Tenant::new("acme").unwrap(), finding.until);
    event.agent = Some(Agent { id: "greffier".to_owned(), ..Agent::default() });
    event.action = Some(Action { name: action.to_owned(), ..Action::default() });
    let uri = Some(format!("audit://acme/{}", place(finding)));
    event.resource = Some(Resource { uri, ..Resource::default() });
    event
}

#[test]
fn words_of_people() {
    let denials = events(&each(0..24, |n| format!("{} permission.denied", n / 6 * 86_400 + n)));
    let six = |day: usize| denials[day * 6..][..6].to_vec();
    let mut trail = [six(0), six(1)].concat();
    let found = detect(&trail);
    let state = |trail: &[Event]| {
        let state = |finding: &Finding| format!("{:?} by {:?}", finding.state, finding.by);
        detect(trail).iter().map(state).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(state(&trail), "New by None, New by None");
    trail.push(about(&found[1], ACKNOWLEDGE, 1));
    assert_eq!(state(&trail), "New by None, Acknowledged by Some(12)");
    trail.push(about(&found[0], MUTE, 2));
    let mut denied = about(&found[1], UNMUTE, 3);
    denied.kind = EventType::PermissionDenied;
    trail.push(denied);
    trail.extend(six(2));
    assert_eq!(state(&trail), "Muted by Some(13), Acknowledged by Some(12), Muted by Some(13)");
    trail.push(about(&found[0], UNMUTE, 4));
    trail.extend(six(3));
    assert_eq!(
        state(&trail),
        "New by Some(21), Acknowledged by Some(12), Muted by Some(13), New by None",
        "the mute of a rule ends for what is found from then on",
    );
    trail.push(about(&found[1], MUTE, 5));
    trail.push(about(&found[1], UNMUTE, 6));
    assert_eq!(
        state(&trail),
        "New by Some(21), Acknowledged by Some(12), Muted by Some(13), New by None",
        "what is unmuted stays acknowledged",
    );
}

/// A random trail: some agents, calls in two channels, some minutes with bursts, over three days, in order of time.
fn any_trail() -> impl Strategy<Value = Vec<Event>> {
    use proptest::sample::select;
    let kind = select(vec![
        "action.approved",
        "action.executed",
        "action.executed",
        "action.failed",
        "action.denied",
        "permission.denied",
        "tool.call",
        "tool.response",
        "agent.start",
        "error",
    ]);
    let gap = select(vec![0_u64, 1, 90, 100, 111, 112, 300, 1_000, 1_001, 5_000, 20_000_000]);
    let one = (gap, kind, 0..40_u8, select(vec!["a", "b", "-"]), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..150).prop_map(|ones| {
        let mut millis = 0;
        let lines = ones.into_iter().map(|(gap, kind, request, agent, joined, claimed)| {
            millis += gap;
            let request = if joined { format!("request=r{request}") } else { String::new() };
            let channel = if claimed { "sdk" } else { "gateway" };
            let (seconds, millis) = (millis / 1_000, millis % 1_000);
            format!("{seconds}.{millis:03} {kind} agent={agent} channel={channel} {request}")
        });
        events(&lines.collect::<Vec<_>>().join("\n"))
    })
}

mod naive;

/// What the three rules of the first document say of a finding.
type Row = (FindingKind, Option<String>, Timestamp, Timestamp, u64, Option<u64>);

fn rows(findings: &[Finding]) -> Vec<Row> {
    let mut rows: Vec<Row> =
        findings.iter().map(|f| (f.kind, f.agent_id.clone(), f.since, f.until, f.count, f.total)).collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn as_a_straightforward_implementation_says(trail in any_trail()) {
        prop_assert_eq!(rows(&detect(&trail)), naive::rows(&trail));
    }
}

proptest! {
    /// A server looks at what comes, records what it finds, and stops at any moment; then history is looked at again.
    #[test]
    fn streaming_and_history_agree(
        trail in any_trail(),
        steps in proptest::collection::vec((0..40_usize, any::<bool>()), 1..12),
    ) {
        let mut coming = trail.into_iter();
        let mut trail: Vec<Event> = Vec::new();
        let mut watch = Detector::new();
        let mut recorded = Vec::new();
        for (events, stops) in steps {
            trail.extend(coming.by_ref().take(events));
            if stops {
                watch = Detector::new();
            }
            // It may read again what it has read.
            let from = usize::try_from(watch.next()).unwrap().saturating_sub(3);
            (0..).zip(&trail).skip(from).for_each(|(index, event)| watch.add(index, event));
            for finding in watch.unrecorded(usize::MAX) {
                trail.push(about(&finding, RAISED, trail.len()));
                recorded.push(finding.id);
            }
        }
        let history = detector(&trail);
        (0..).zip(&trail).for_each(|(index, event)| watch.add(index, event));
        prop_assert_eq!(watch.findings(), history.findings());
        prop_assert_eq!(history.unrecorded(usize::MAX), Vec::new());
        let mut found: Vec<EventId> = history.findings().iter().map(|finding| finding.id).collect();
        found.sort_unstable();
        recorded.sort_unstable();
        prop_assert_eq!(recorded, found, "each comes once");
    }

    /// However the trail is cut into stretches, and whatever people say of findings meanwhile, the same is found as event
    /// by event.
    #[test]
    fn stretches_of_any_length_agree(
        trail in any_trail(),
        words in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_usize), 0..6),
        lengths in proptest::collection::vec(1..60_usize, 1..40),
    ) {
        let mut trail = trail;
        for (place, word) in words {
            let found = detect(&trail);
            let Some(finding) = found.get(place.index(found.len().max(1))) else { continue };
            let number = 1_000 + trail.len();
            let event = about(finding, [RAISED, ACKNOWLEDGE, MUTE, UNMUTE][word], number);
            trail.insert(place.index(trail.len() + 1), event);
        }
        let mut whole = Detector::new();
        let mut from = 0;
        for length in lengths.into_iter().cycle() {
            let mut stretch = Stretch::default();
            let some = trail.iter().enumerate().skip(from).take(length);
            some.for_each(|(index, event)| stretch.add(index as u64, event));
            whole.look(&mut stretch);
            from += length;
            if from >= trail.len() {
                break;
            }
        }
        let single = detector(&trail);
        prop_assert_eq!(whole.findings(), single.findings());
        prop_assert_eq!(whole.unrecorded(usize::MAX), single.unrecorded(usize::MAX));
        prop_assert_eq!(whole.next(), single.next());
    }

    #[test]
    fn any_events_in_any_order_are_taken(
        events in proptest::collection::vec(any_events(), 0..4)
            .prop_map(|lists| renumbered(lists.concat()))
            .prop_shuffle()
    ) {
        let ids = |findings: &[Finding]| findings.iter().map(|finding| finding.id).collect::<Vec<_>>();
        let mut found = ids(&detect(&events));
        found.sort_unstable();
        found.dedup();
        prop_assert_eq!(found.len(), detect(&events).len(), "no two findings share an id");
    }
}

/// The events with ids of their own.
fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    for (number, event) in events.iter_mut().enumerate() {
        event.id = EventId(format!("00000000-0000-7000-8000-{number:012}").parse().unwrap());
    }
    events
}
