//! A clock that was set: everything on record goes by it, and so do tokens.

use greffier_gateway::Clock;

use crate::harness::{Ask, Harness, Upstream};

const DAY: i64 = 86_400_000_000;

#[tokio::test]
async fn records_and_tokens_follow_the_clock() {
    let (clock, shift) = Clock::shifted();
    let real = clock.now().as_micros();
    shift.set_offset(-3 * DAY);
    let harness = Harness::with(Upstream::json(200, "{}"), |settings| settings.clock = clock).await;
    let ask = || Ask::post("/tools/ehr/patients", "{}");
    let minted_before = harness.token().to_owned();
    let answer = harness.ask(ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    shift.set_offset(2 * DAY);
    assert!(harness.ask(ask().token(&minted_before)).await.body.contains("token_expired"));
    // Minted anew, by the same clock.
    let answer = harness.ask(ask().role("nurse")).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let trail = harness.stop().await;

    // On which day, from today, each event happened, was recorded, and says so by its ids.
    let day = |micros: i64| (micros - real).div_euclid(DAY);
    let id_day = |id: &uuid::Uuid| {
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        // A whole millisecond more, because the rest of it is not in the id.
        day(i64::try_from(seconds * 1_000_000 + u64::from(nanos) / 1_000).unwrap() + 1_000)
    };
    let mut rows: Vec<(&str, String)> = trail
        .events()
        .iter()
        .map(|event| {
            let request = event.request_id.as_deref().map(|id| uuid::Uuid::parse_str(&id[4..]).unwrap());
            let row = format!(
                "{:?} {} {} {} {:?}",
                event.kind,
                day(event.time.as_micros()),
                day(event.recorded_at.unwrap().as_micros()),
                id_day(&event.id.0),
                request.as_ref().map(id_day),
            );
            (event.tenant.as_str(), row)
        })
        .collect();
    // One trail after the other, each in its order.
    rows.sort_by_key(|(tenant, _)| *tenant);
    let rows: Vec<String> = rows.into_iter().map(|(tenant, row)| format!("{tenant} {row}")).collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    acme ActionApproved -3 -3 -3 Some(-3)
    acme ActionExecuted -3 -3 -3 Some(-3)
    acme ActionDenied 2 2 2 Some(2)
    greffier AgentStart -3 -3 -3 None
    greffier DataModify -3 -3 -3 None
    greffier DataModify -3 -3 -3 None
    greffier PermissionDenied 2 2 2 Some(2)
    greffier AgentStop 2 2 2 None
    ");
}
