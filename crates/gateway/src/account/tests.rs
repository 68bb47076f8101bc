use greffier_event::{Action, EventId, EventType, Outcome, OutcomeStatus, PolicyRecord};
use proptest::prelude::*;

use super::*;

const SMALL: Bounds = Bounds { calls: 3, bytes: 4_000, actions: 2 };

fn trail(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// The decision of the `n`th call.
fn decision(tenant: &str, n: u64, action: &str) -> Event {
    let id = EventId(uuid::Uuid::from_u128(u128::from(n)));
    let time = Timestamp::from_micros(i64::try_from(n).unwrap() * 1_000_000);
    let mut event = Event::new(id, EventType::ActionApproved, trail(tenant), time);
    event.request_id = Some(format!("req_{n}"));
    event.action = Some(Action { name: action.to_owned(), ..Action::default() });
    event.policy = Some(PolicyRecord {
        decision: greffier_event::DecisionKind::Allow,
        reason: None,
        rule: None,
        scopes: Vec::new(),
        version: None,
    });
    event
}

fn outcome(decision: &Event) -> Event {
    let mut event = decision.clone();
    event.kind = EventType::ActionExecuted;
    event.outcome = Some(Outcome {
        attempts: Vec::new(),
        code: Some(200),
        duration_us: Some(7),
        error: None,
        status: OutcomeStatus::Success,
    });
    event
}

fn account(bounds: Bounds) -> Account {
    Account::new(Gaps::default(), bounds)
}

/// A page as a line: its calls with `+` where they ended, and what was counted.
fn shown(page: &Page) -> String {
    let lines = String::from_utf8(page.lines.clone()).unwrap();
    let events: Vec<Event> =
        lines.lines().map(|line| Event::from_canonical(line.as_bytes()).unwrap()).collect();
    let told: Vec<String> = events
        .iter()
        .map(|event| match event.kind {
            EventType::ActionApproved => event.request_id.clone().unwrap(),
            _ => "+".to_owned(),
        })
        .collect();
    format!(
        "{} to {}: {} [{}] counted {:?} and {} others, {} outcomes, {} late{}",
        page.first.as_micros() / 1_000_000,
        page.last.as_micros() / 1_000_000,
        page.calls,
        told.join(" "),
        page.counted.calls,
        page.counted.other_calls,
        page.counted.outcomes,
        page.counted.late,
        if page.more { ", more" } else { "" },
    )
}

#[test]
fn what_was_entered_is_owed_until_it_is_told() {
    let account = account(SMALL);
    let (first, second) = (decision("acme", 1, "chat"), decision("acme", 2, "chat"));
    let ticket = account.enter(&first, "disk full").unwrap();
    account.enter(&second, "another reason").unwrap();
    account.enter(&decision("beta", 3, "chat"), "disk full").unwrap();
    assert!(account.end(&ticket, &outcome(&first)).unwrap());
    assert!(account.owes(&trail("acme")) && account.owes(&trail("ACME")) && !account.owes(&trail("acme2")));
    assert_eq!(account.totals(), Totals { accounted: 3, ..Totals::default() });

    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    assert_eq!(page.reason, "disk full");
    insta::assert_snapshot!(shown(&page), @"1 to 2: 2 [req_1 + req_2] counted {} and 0 others, 0 outcomes, 0 late");
    // Looking takes nothing away: only what is durable leaves.
    assert_eq!(shown(&account.page(&trail("acme"), 1_000_000).unwrap()), shown(&page));
    account.told(&trail("acme"), &page);
    assert!(!account.owes(&trail("acme")) && account.owes(&trail("beta")));
    assert_eq!(account.totals(), Totals { accounted: 1, ..Totals::default() });
    assert!(account.page(&trail("acme"), 1_000_000).is_none());
}

#[test]
fn past_the_bound_calls_are_counted() {
    let account = account(SMALL);
    let tickets: Vec<Ticket> = (1..=9)
        .map(|n| account.enter(&decision("acme", n, &format!("action:{}", n % 4)), "full").unwrap())
        .collect();
    let only_counted: Vec<bool> = tickets.iter().map(Ticket::is_only_counted).collect();
    assert_eq!(only_counted, [[false; 3].as_slice(), &[true; 6]].concat());
    assert_eq!(account.totals(), Totals { accounted: 3, counted: 6, late: 0 });
    assert!(!account.end(&tickets[8], &outcome(&decision("acme", 9, "x"))).unwrap());
    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    insta::assert_snapshot!(shown(&page), @r#"1 to 9: 3 [req_1 req_2 req_3] counted {"action:0": 2, "action:1": 2} and 2 others, 0 outcomes, 0 late"#);
    // What comes while a page is written is not lost with it. Of when it came only the bounds are known.
    account.enter(&decision("acme", 10, "action:1"), "full").unwrap();
    account.told(&trail("acme"), &page);
    assert!(account.owes(&trail("acme")));
    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    insta::assert_snapshot!(shown(&page), @r#"4 to 10: 0 [] counted {"action:1": 1} and 0 others, 0 outcomes, 0 late"#);
    account.told(&trail("acme"), &page);
    assert!(!account.owes(&trail("acme")));
    // And there is room again.
    assert!(!account.enter(&decision("acme", 11, "a"), "full").unwrap().is_only_counted());
}

#[test]
fn bytes_are_bounded_too_and_an_outcome_that_does_not_fit_is_counted() {
    let long = "x".repeat(200);
    let bounds =
        Bounds { calls: 100, bytes: decision("acme", 1, &long).canonical().unwrap().len() + 10, actions: 9 };
    let account = account(bounds);
    let first = decision("acme", 1, &long);
    let ticket = account.enter(&first, "full").unwrap();
    assert!(account.enter(&decision("acme", 2, "short"), "full").unwrap().is_only_counted());
    assert!(account.end(&ticket, &outcome(&first)).unwrap(), "it stands there");
    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    insta::assert_snapshot!(shown(&page), @r#"1 to 2: 1 [req_1] counted {"short": 1} and 0 others, 1 outcomes, 0 late"#);
    account.told(&trail("acme"), &page);
    assert!(!account.owes(&trail("acme")));
    assert_eq!(account.lock().bytes, 0);
}

#[test]
fn an_outcome_that_comes_while_its_page_is_written_follows_the_gap() {
    let account = account(SMALL);
    let first = decision("acme", 1, "chat");
    let ticket = account.enter(&first, "full").unwrap();
    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    assert!(account.end(&ticket, &outcome(&first)).unwrap());
    account.told(&trail("acme"), &page);
    assert!(account.owes(&trail("acme")), "its outcome is still owed");
    assert_eq!(account.totals(), Totals { late: 1, ..Totals::default() });
    assert!(account.page(&trail("acme"), 1_000_000).is_none(), "and the gap needs no second page for it");
    let late = account.late(&trail("acme")).unwrap().unwrap();
    assert_eq!(late.event, outcome(&first));
    account.late_told(&trail("acme"), &late);
    assert!(!account.owes(&trail("acme")));
    assert_eq!((account.totals(), account.lock().bytes), (Totals::default(), 0));
    // From now on its outcome is an entry like any other.
    assert!(!account.end(&ticket, &outcome(&first)).unwrap());
}

#[test]
fn the_outcome_of_a_recorded_decision_is_announced_by_a_gap() {
    let account = account(SMALL);
    let ended = outcome(&decision("acme", 5, "chat"));
    for _ in 0..3 {
        assert!(account.keep_late(&ended, "full").unwrap());
    }
    assert!(!account.keep_late(&ended, "full").unwrap(), "there is no room for a fourth");
    let page = account.page(&trail("acme"), 1_000_000).unwrap();
    insta::assert_snapshot!(shown(&page), @"5 to 5: 0 [] counted {} and 0 others, 0 outcomes, 3 late");
    account.told(&trail("acme"), &page);
    assert!(account.page(&trail("acme"), 1_000_000).is_none());
    while let Some(late) = account.late(&trail("acme")) {
        account.late_told(&trail("acme"), &late.unwrap());
    }
    assert!(!account.owes(&trail("acme")));
}

#[test]
fn what_could_not_be_an_entry_is_not_entered() {
    let account = account(SMALL);
    assert!(account.enter(&decision("acme", 1, "two\nlines"), "full").is_err());
    assert!(account.enter(&decision("acme", 1, &"x".repeat(10_000)), "full").is_err());
    assert!(!account.owes(&trail("acme")));
    assert_eq!(account.totals(), Totals::default());
}

/// What may happen to an account.
#[derive(Clone, Debug)]
enum Step {
    /// A call of this trail begins.
    Enter(u8),
    /// The call of that place ends.
    End(usize),
    /// A page of this trail is taken, and said to be durable once this many more steps were made.
    Page(u8, usize),
    /// Whatever follows this trail's gap is written.
    Late(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u8).prop_map(Step::Enter),
        3 => (0..40usize).prop_map(Step::End),
        2 => ((0..3u8), (0..4usize)).prop_map(|(trail, after)| Step::Page(trail, after)),
        1 => (0..3u8).prop_map(Step::Late),
    ]
}

proptest! {
    /// Whatever comes in between: each call is told once or counted once, each outcome kept is told once, and in the
    /// end nothing is left but room.
    #[test]
    fn nothing_is_told_twice_and_nothing_is_lost(steps in prop::collection::vec(step(), 0..80)) {
        let account = account(Bounds { calls: 6, bytes: 4_000, actions: 2 });
        let name = |trail: u8| trail_of(trail);
        let (mut calls, mut told, mut counted) = (Vec::new(), Vec::new(), 0);
        let (mut ended, mut ends_told, mut ends_lost) = (Vec::<String>::new(), Vec::<String>::new(), 0);
        let mut taken: Vec<(usize, Tenant, Page)> = Vec::new();
        let read = |page: &Page, told: &mut Vec<String>, ends: &mut Vec<String>| {
            for line in String::from_utf8(page.lines.clone()).unwrap().lines() {
                let event = Event::from_canonical(line.as_bytes()).unwrap();
                let list = if event.kind == EventType::ActionApproved { &mut *told } else { &mut *ends };
                list.push(event.request_id.unwrap());
            }
        };
        let all = steps.into_iter().map(Some).chain([None, None, None, None, None]);
        for (at, step) in all.enumerate() {
            // At most one page of a trail is under way, as `settle` sees to.
            for (_, trail, page) in taken.extract_if(.., |(due, ..)| *due <= at) {
                read(&page, &mut told, &mut ends_told);
                counted += page.counted.total();
                ends_lost += page.counted.outcomes;
                account.told(&trail, &page);
            }
            match step {
                Some(Step::Enter(trail)) => {
                    let n = calls.len() as u64 + 1;
                    let event = decision(name(trail).as_str(), n, &format!("a{}", n % 3));
                    calls.push((account.enter(&event, "full").unwrap(), event, false));
                }
                Some(Step::End(call)) => {
                    if let Some((ticket, event, done @ false)) = calls.get_mut(call) {
                        *done = true;
                        if account.end(ticket, &outcome(event)).unwrap() {
                            ended.push(event.request_id.clone().unwrap());
                        }
                    }
                }
                Some(Step::Page(trail, after)) if !taken.iter().any(|(_, of, _)| *of == name(trail)) => {
                    taken.extend(account.page(&name(trail), 600).map(|page| (at + 1 + after, name(trail), page)));
                }
                Some(Step::Page(..)) | None => {}
                Some(Step::Late(trail)) => {
                    while let Some(late) = account.late(&name(trail)) {
                        let late = late.unwrap();
                        ends_told.push(late.event.request_id.clone().unwrap());
                        account.late_told(&name(trail), &late);
                    }
                }
            }
        }
        for trail in account.trails() {
            while let Some(page) = account.page(&trail, 600) {
                read(&page, &mut told, &mut ends_told);
                counted += page.counted.total();
                ends_lost += page.counted.outcomes;
                account.told(&trail, &page);
            }
            while let Some(late) = account.late(&trail) {
                let late = late.unwrap();
                ends_told.push(late.event.request_id.clone().unwrap());
                account.late_told(&trail, &late);
            }
        }
        prop_assert_eq!(told.len() as u64 + counted, calls.len() as u64);
        prop_assert_eq!(ends_told.len() as u64 + ends_lost, ended.len() as u64);
        let distinct = |list: &[String]| list.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(distinct(&told), told.len());
        prop_assert_eq!(distinct(&ends_told), ends_told.len());
        prop_assert!(account.trails().is_empty());
        let state = account.lock();
        prop_assert_eq!((state.kept, state.bytes), (0, 0));
    }
}

fn trail_of(number: u8) -> Tenant {
    trail(&format!("trail{number}"))
}
