use proptest::prelude::*;

use super::*;
use crate::testing::{at, events};

fn crm() -> Subject {
    Subject::Agent("crm-assistant".to_owned())
}

fn count(events: &[Event], since: Option<Timestamp>, until: Option<Timestamp>) -> Activity {
    count_of(crm(), events, since, until)
}

fn count_of(
    subject: Subject,
    events: &[Event],
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Activity {
    let mut counter = ActivityCounter::new(subject, since, until);
    events.iter().for_each(|event| counter.add(event));
    counter.finish()
}

fn check(lines: &str) -> String {
    serde_json::to_string_pretty(&count(&events(lines), None, None)).unwrap()
}

#[test]
fn summary() {
    insta::assert_snapshot!(check("
        0.0 agent.start      user=alice
        1.0 action.approved  request=a user=alice action=crm:search resource=crm://contacts decision=redact found=US_SSN
        1.5 action.executed  request=a user=alice action=crm:search resource=crm://contacts decision=redact status=success us=500000 tokens=100/20
        2.0 action.denied    request=b user=bob action=crm:delete resource=crm://contacts decision=deny status=denied
        3.0 action.approved  request=c user=bob action=chat decision=allow
        3.1 action.failed    request=c user=bob action=chat decision=allow status=timeout error=upstream_timeout us=100000
        4.0 tool.call        channel=sdk action=local status=success us=1 tokens=7/1
        5.0 tool.call        agent=other action=local"), @r#"
    {
      "agent_id": "crm-assistant",
      "total_events": 7,
      "calls": 4,
      "by_type": {
        "agent.start": 1,
        "action.approved": 2,
        "action.denied": 1,
        "action.executed": 1,
        "action.failed": 1,
        "tool.call": 1
      },
      "decisions": {
        "allow": 1,
        "deny": 1,
        "redact": 1,
        "pending": 0
      },
      "denied": 1,
      "errors": [
        {
          "event_id": "00000000-0000-7000-8000-000000000006",
          "time": "2026-03-06T00:00:03.100000Z",
          "type": "action.failed",
          "action": "chat",
          "status": "timeout",
          "error": "upstream_timeout"
        }
      ],
      "errors_total": 1,
      "avg_duration_ms": 200.0,
      "p50_duration_ms": 100.0,
      "p95_duration_ms": 500.0,
      "max_duration_ms": 500.0,
      "unique_actions": 5,
      "top_actions": [
        {
          "name": "chat",
          "count": 2
        },
        {
          "name": "crm:search",
          "count": 2
        },
        {
          "name": "crm:delete",
          "count": 1
        },
        {
          "name": "local",
          "count": 1
        },
        {
          "name": "search",
          "count": 1
        }
      ],
      "top_resources": [
        {
          "name": "crm://contacts",
          "count": 3
        }
      ],
      "unique_users": 2,
      "users": [
        {
          "name": "alice",
          "count": 3
        },
        {
          "name": "bob",
          "count": 3
        }
      ],
      "unique_agents": 1,
      "agents": [
        {
          "name": "crm-assistant",
          "count": 7
        }
      ],
      "redactions": {
        "US_SSN": 2
      },
      "input_tokens": 107,
      "output_tokens": 21,
      "cost_micros": 20,
      "by_channel": {
        "gateway": {
          "events": 6,
          "calls": 3,
          "input_tokens": 100,
          "output_tokens": 20,
          "cost_micros": 10
        },
        "sdk": {
          "events": 1,
          "calls": 1,
          "input_tokens": 7,
          "output_tokens": 1,
          "cost_micros": 10
        }
      },
      "first_seen": "2026-03-06T00:00:00.000000Z",
      "last_seen": "2026-03-06T00:00:04.000000Z"
    }
    "#);
}

#[test]
fn no_events() {
    insta::assert_snapshot!(check("0 action.executed agent=other"), @r#"
    {
      "agent_id": "crm-assistant",
      "total_events": 0,
      "calls": 0,
      "by_type": {},
      "decisions": {
        "allow": 0,
        "deny": 0,
        "redact": 0,
        "pending": 0
      },
      "denied": 0,
      "errors": [],
      "errors_total": 0,
      "unique_actions": 0,
      "top_actions": [],
      "top_resources": [],
      "unique_users": 0,
      "users": [],
      "unique_agents": 0,
      "agents": [],
      "redactions": {},
      "input_tokens": 0,
      "output_tokens": 0,
      "cost_micros": 0,
      "by_channel": {}
    }
    "#);
}

#[test]
fn zero_is_a_duration_and_absent_is_none() {
    let events = events(
        "
        0 action.executed request=a us=0
        1 action.executed request=b us=3000
        2 action.executed request=c",
    );
    assert_eq!(count(&events, None, None).avg_duration_ms, Some(1.5));
}

#[test]
fn a_period_holds_its_start_and_not_its_end() {
    let events = events(
        "
        0 agent.start
        1 agent.start
        2 agent.start",
    );
    assert_eq!(count(&events, Some(at("1")), Some(at("2"))).total_events, 1);
}

#[test]
fn the_newest_errors_are_kept() {
    let lines: Vec<String> = (0..150).map(|second| format!("{second} error")).collect();
    let activity = count(&events(&lines.join("\n")), None, None);
    assert_eq!((activity.errors.len(), activity.errors_total), (MAX_ERRORS, 150));
    let edges = (activity.errors.first().unwrap().time, activity.errors.last().unwrap().time);
    assert_eq!(edges, (at("149"), at("50")));
}

#[test]
fn of_a_user_a_tool_and_a_tenant() {
    let events = events(
        "
        0 action.approved request=a user=alice action=crm:search
        1 action.executed request=a user=alice action=crm:search us=9
        2 tool.call user=bob action=chat agent=other
        3 tool.call user=bob action=crm:search agent=other",
    );
    let check = |subject: Subject| {
        let activity = count_of(subject, &events, None, None);
        let names = |tops: &[Top]| tops.iter().map(|top| top.name.clone()).collect::<Vec<_>>().join(" ");
        let subject = serde_json::to_string(&activity.subject).unwrap();
        let (users, agents) = (names(&activity.users), names(&activity.agents));
        let actions = names(&activity.top_actions);
        format!("{subject} {} calls by {users} through {agents}: {actions}", activity.calls)
    };
    insta::assert_snapshot!(check(Subject::User("bob".to_owned())), @r#"{"user":"bob"} 2 calls by bob through other: chat crm:search"#);
    insta::assert_snapshot!(check(Subject::Tool("crm:search".to_owned())), @r#"{"tool":"crm:search"} 2 calls by alice bob through crm-assistant other: crm:search"#);
    insta::assert_snapshot!(check(Subject::Tenant("acme".to_owned())), @r#"{"tenant":"acme"} 3 calls by alice bob through crm-assistant other: crm:search chat"#);
}

proptest! {
    #[test]
    fn parts_of_a_trail_merge_into_the_whole(events in crate::testing::any_events(), cut in 0..20_usize) {
        let whole = count(&events, None, None);
        let (left, right) = events.split_at(cut.min(events.len()));
        let counter = |events: &[Event]| {
            let mut counter = ActivityCounter::new(crm(), None, None);
            events.iter().for_each(|event| counter.add(event));
            counter
        };
        let mut merged = counter(left);
        merged.merge(counter(right));
        prop_assert_eq!(merged.finish(), whole);
    }

    #[test]
    fn order_never_matters_and_counts_add_up(events in crate::testing::any_events()
        .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())))
    {
        let activity = count(&events.0, None, None);
        prop_assert_eq!(&activity, &count(&events.1, None, None));
        let total = activity.total_events;
        prop_assert_eq!(activity.by_type.values().sum::<u64>(), total);
        prop_assert_eq!(activity.by_channel.values().map(|channel| channel.events).sum::<u64>(), total);
        prop_assert_eq!(activity.by_channel.values().map(|channel| channel.calls).sum::<u64>(), activity.calls);
        prop_assert_eq!(activity.top_actions.iter().map(|top| top.count).sum::<u64>(), total);
        prop_assert!(activity.calls <= total && activity.denied <= activity.calls);
    }
}
