use proptest::prelude::*;

use super::*;
use crate::testing::{any_events, at, events};

fn count(events: &[Event], since: &str, until: &str) -> Report {
    let mut counter = ReportCounter::new(at(since), at(until));
    events.iter().for_each(|event| counter.add(event));
    counter.finish()
}

fn check(lines: &str) -> String {
    serde_json::to_string_pretty(&count(&events(lines), "0", "86400")).unwrap()
}

#[test]
fn report() {
    insta::assert_snapshot!(check("
        0 action.approved   request=a user=alice action=crm:search resource=crm://contacts decision=allow found=US_SSN
        1 action.executed   request=a user=alice action=crm:search resource=crm://contacts decision=allow status=success
        2 action.denied     request=b user=bob action=crm:delete resource=crm://contacts decision=deny status=denied
        3 permission.denied agent=greffier channel=gateway action=identify
        4 data.access       agent=etl channel=sdk action=read resource=db://t recorded=3604
        5 data.modify       agent=etl channel=import action=write resource=db://t recorded=3605.000001
        6 error             agent=- channel=- action=chat
        86400 error"), @r#"
    {
      "period": {
        "start": "2026-03-06T00:00:00.000000Z",
        "end": "2026-03-07T00:00:00.000000Z"
      },
      "total_events": 7,
      "calls": 4,
      "unique_agents": 2,
      "unique_users": 2,
      "data_access_events": 2,
      "security_events": 2,
      "errors": 1,
      "late": 1,
      "by_type": {
        "action.approved": 1,
        "action.denied": 1,
        "action.executed": 1,
        "data.access": 1,
        "data.modify": 1,
        "permission.denied": 1,
        "error": 1
      },
      "top_agents": [
        {
          "name": "crm-assistant",
          "count": 3
        },
        {
          "name": "etl",
          "count": 2
        }
      ],
      "top_actions": [
        {
          "name": "crm:search",
          "count": 2
        },
        {
          "name": "chat",
          "count": 1
        },
        {
          "name": "crm:delete",
          "count": 1
        },
        {
          "name": "identify",
          "count": 1
        },
        {
          "name": "read",
          "count": 1
        },
        {
          "name": "write",
          "count": 1
        }
      ],
      "top_resources": [
        {
          "name": "crm://contacts",
          "count": 3
        },
        {
          "name": "db://t",
          "count": 2
        }
      ],
      "by_decision": {
        "allow": 1,
        "deny": 1,
        "redact": 0,
        "pending": 0
      },
      "by_channel": {
        "gateway": {
          "events": 4,
          "calls": 2,
          "input_tokens": 0,
          "output_tokens": 0,
          "cost_micros": 0
        },
        "import": {
          "events": 1,
          "calls": 1,
          "input_tokens": 0,
          "output_tokens": 0,
          "cost_micros": 0
        },
        "none": {
          "events": 1,
          "calls": 0,
          "input_tokens": 0,
          "output_tokens": 0,
          "cost_micros": 0
        },
        "sdk": {
          "events": 1,
          "calls": 1,
          "input_tokens": 0,
          "output_tokens": 0,
          "cost_micros": 0
        }
      },
      "redactions": {
        "US_SSN": 2
      }
    }
    "#);
}

#[test]
fn no_events() {
    insta::assert_snapshot!(check(""), @r#"
    {
      "period": {
        "start": "2026-03-06T00:00:00.000000Z",
        "end": "2026-03-07T00:00:00.000000Z"
      },
      "total_events": 0,
      "calls": 0,
      "unique_agents": 0,
      "unique_users": 0,
      "data_access_events": 0,
      "security_events": 0,
      "errors": 0,
      "late": 0,
      "by_type": {},
      "top_agents": [],
      "top_actions": [],
      "top_resources": [],
      "by_decision": {
        "allow": 0,
        "deny": 0,
        "redact": 0,
        "pending": 0
      },
      "by_channel": {},
      "redactions": {}
    }
    "#);
}

#[test]
fn periods_that_touch_share_no_event() {
    let events = events(
        "
        0 agent.start
        1 agent.start
        2 agent.start",
    );
    let totals = [count(&events, "0", "1"), count(&events, "1", "3")].map(|report| report.total_events);
    assert_eq!(totals, [1, 2]);
}

proptest! {
    #[test]
    fn order_never_matters_and_periods_add_up(
        events in any_events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        cut in 0..5_u32,
    ) {
        let whole = count(&events.0, "0", "9");
        prop_assert_eq!(&whole, &count(&events.1, "0", "9"));
        prop_assert_eq!(whole.by_channel.values().map(|channel| channel.events).sum::<u64>(), whole.total_events);
        let cut = cut.to_string();
        let parts = [count(&events.0, "0", &cut), count(&events.0, &cut, "9")];
        let sum = |of: fn(&Report) -> u64| parts.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|report| report.total_events), whole.total_events);
        prop_assert_eq!(sum(|report| report.security_events), whole.security_events);
        prop_assert_eq!(sum(|report| report.errors), whole.errors);
        prop_assert!(sum(|report| report.calls) >= whole.calls);
    }
}
