//! Exports and tails.

use std::time::Duration;

use http_body_util::BodyExt;

use super::*;

async fn export(world: &World, query: &str) -> String {
    let answer = world.get("auditor@acme", &format!("/api/v1/export?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[tokio::test]
async fn native_lines_are_the_entries() {
    let world = filled("acme").await;
    let text = export(&world, "").await;
    let entries: String = world.trail("acme").iter().map(|event| format!("{event}\n")).collect();
    assert_eq!(text, entries);
    let answer = world.get("auditor@acme", "/api/v1/export?after=2").await;
    assert_eq!(answer.headers["greffier-export-last"], "4");
    assert_eq!(answer.text().lines().count(), 2, "its own read, and that of the export before");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"acme.jsonl\"");
}

#[tokio::test]
async fn a_call_is_one_entry_in_the_founding_forms() {
    let world = filled("acme").await;
    insta::assert_snapshot!(export(&world, "format=governed&parts=true&q=request:req_7").await, @r#"{"timestamp":"2026-03-06T14:32:07.891Z","requestId":"req_7","user":{"sub":"auth0|alice","org":"acme","role":"analyst"},"action":{"tool":"crm:contacts:search","parameters":{"q":"open orders"}},"policy":{"decision":"allow","rule":"role:analyst grants crm","scopes":[]},"outcome":{"status":200,"durationMs":1.5,"result":{"rows":3}}}"#);
    insta::assert_snapshot!(export(&world, "format=flat&parts=true&q=request:req_7").await, @r#"{"event_id":"00000000-0000-4000-8000-000000000001","timestamp":"2026-03-06T14:32:07.891000Z","event_type":"action.executed","agent_id":"crm-assistant","session_id":"chat-1","user_id":"auth0|alice","action":"crm:contacts:search","resource":null,"parameters":{"q":"open orders"},"result":{"rows":3},"error":null,"duration_ms":1.5,"metadata":{}}"#);
    // A search that finds one half tells the whole call, once.
    for half in ["type:action.approved", "type:action.executed", "request:req_7"] {
        let text = export(&world, &format!("format=governed&q={half}")).await;
        assert_eq!(text.lines().count(), 1, "{half}: {text}");
        assert!(text.contains(r#""durationMs":1.5"#) && text.contains("role:analyst grants crm"), "{text}");
    }
    // What a producer sent comes back as it was sent.
    let import = export(&world, "format=flat&parts=true&q=agent:legacy").await;
    assert_eq!(
        import.trim_end(),
        r#"{"event_id":"00000000-0000-4000-8000-000000000003","timestamp":"2026-03-01T09:00:00Z","event_type":"tool.call","agent_id":"legacy","session_id":"chat-1","action":"lookup","parameters":{"n":1.50}}"#
    );
}

#[tokio::test]
async fn rows_for_spreadsheets() {
    let world = filled("acme").await;
    insta::assert_snapshot!(export(&world, "format=csv&q=request:req_7").await, @"
    index,time,recorded_at,type,id,tenant,request_id,session_id,user,roles,user_verified,agent,action,kind,effect,resource,decision,rule,reason,status,code,error,duration_us,provider,model,input_tokens,output_tokens,cost_micros,pii_detected,findings,channel,ip
    0,2026-03-06T14:32:07.891000Z,2026-03-06T14:32:07.891000Z,action.approved,00000000-0000-4000-8000-000000000001,acme,req_7,chat-1,auth0|alice,analyst,true,crm-assistant,crm:contacts:search,tool,,,allow,role:analyst grants crm,,,,,,,,,,,,,gateway,
    1,2026-03-06T14:32:07.891000Z,2026-03-06T14:32:07.891000Z,action.executed,00000000-0000-4000-8000-000000000002,acme,req_7,chat-1,auth0|alice,analyst,true,crm-assistant,crm:contacts:search,tool,,,,,,success,200,,1500,,,,,,,,gateway,
    ");
}

#[tokio::test]
async fn many_pages_miss_and_double_nothing() {
    let world = World::new().await;
    let event = |n: usize| {
        format!(
            r#"{{"id":"00000000-0000-4000-8000-{n:012}","time":"2026-03-06T14:30:00Z","type":"tool.call"}}"#
        )
    };
    let body: Vec<String> = (0..1_203).map(event).collect();
    let answer = world.post("analyst@acme", "/api/v1/events", "application/jsonl", &body.join("\n")).await;
    assert_eq!(answer.status, 200);
    for format in ["native", "flat", "csv"] {
        let text = export(&world, &format!("q=type:tool.call&format={format}")).await;
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.find("00000000-0000-4000-8000-").map(|at| &line[at + 24..at + 36]))
            .collect();
        assert_eq!(found.len(), 1_203, "{format}");
        assert!(found.iter().enumerate().all(|(at, id)| id.parse() == Ok(at)), "{format}");
    }
}

/// Reads a tail until it has said so much.
async fn listen(body: &mut crate::Body, events: usize) -> String {
    let mut text = String::new();
    let read = async {
        while text.matches("event: event").count() < events {
            let frame = body.frame().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
    text
}

#[tokio::test]
async fn a_tail_tells_what_comes_and_goes_on_where_it_was() {
    let world = filled("acme").await;
    let visit = world.visit(Some(principal("auditor@acme")), Method::GET, "/api/v1/tail?q=type:tool.call");
    let mut body = world.api.answer(visit).await.into_body();
    for n in 4..6 {
        let event = format!(
            r#"{{"id":"00000000-0000-4000-8000-{n:012}","time":"2026-03-06T14:30:00Z","type":"tool.call"}}"#
        );
        assert_eq!(world.post("analyst@acme", "/api/v1/events", "", &event).await.status, 200);
    }
    let text = listen(&mut body, 2).await;
    assert!(text.starts_with(": greffier\n\nid: 4\nevent: event\ndata: {"), "{text}");
    assert_eq!(text.matches("id: ").count(), 2, "{text}");

    let mut visit =
        world.visit(Some(principal("auditor@acme")), Method::GET, "/api/v1/tail?q=type:tool.call");
    visit.parts.headers.insert("last-event-id", "4".parse().unwrap());
    let stop = visit.stop.clone();
    let mut body = world.api.answer(visit).await.into_body();
    assert!(listen(&mut body, 1).await.contains("id: 5\n"));
    // The node stops, and so does the tail.
    stop.cancel();
    let rest = tokio::time::timeout(Duration::from_secs(20), body.collect()).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&rest.to_bytes()).contains("id: "));
}

#[tokio::test]
async fn a_caller_that_goes_gives_its_place_back() {
    let world = filled("acme").await;
    let free = world.api.tails.available_permits();
    let visit = world.visit(Some(principal("auditor@acme")), Method::GET, "/api/v1/tail");
    let response = world.api.answer(visit).await;
    assert_eq!(world.api.tails.available_permits(), free - 1);
    drop(response);
    let all = u32::try_from(free).unwrap();
    let back = tokio::time::timeout(Duration::from_secs(20), world.api.tails.acquire_many(all)).await;
    assert!(back.unwrap().is_ok());
    // Taken: whoever comes now is told to come again.
    let _all = world.api.tails.acquire_many(all).await.unwrap();
    assert_eq!(world.get("auditor@acme", "/api/v1/tail").await.status, 503);
}
