//! Another tenant's trail cannot be reached: not by name, id, cursor or header.

use super::*;

/// Two tenants on one node: what acme has is globex's wish.
async fn two() -> World {
    let world = filled("acme").await;
    let answer = world
        .post(
            "analyst@globex",
            "/api/v1/events",
            "",
            r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","session_id":"chat-1"}"#,
        )
        .await;
    assert_eq!(answer.status, 200);
    world
}

#[tokio::test]
async fn ids_of_another_tenant_name_nothing() {
    let world = two().await;
    for path in [
        format!("/api/v1/events/{EVENT}"),
        format!("/api/v1/proofs/{EVENT}"),
        "/api/v1/calls/req_7".to_owned(),
    ] {
        assert_eq!(world.get("auditor@globex", &path).await.status, 404, "{path}");
    }
    // The same session id, each with its own events.
    let own = world.get("auditor@globex", "/api/v1/sessions/chat-1").await.json();
    assert_eq!(own["events"].as_array().unwrap().len(), 1);
    let page = world.get("auditor@globex", "/api/v1/events?q=agent:crm-assistant").await.json();
    assert_eq!(page["events"], serde_json::json!([]));
}

#[tokio::test]
async fn naming_another_tenant_is_denied_and_recorded_at_home() {
    let world = two().await;
    for (path, role) in [
        ("/api/v1/events?tenant=acme", "auditor"),
        ("/api/v1/facets?tenant=acme&by=user", "auditor"),
        ("/api/v1/export?tenant=acme", "auditor"),
        ("/api/v1/tail?tenant=acme", "operator"),
        ("/trails/acme/tile/entries/000.p/1", "auditor"),
        ("/trails/ACME/tile/entries/000.p/1", "auditor"),
    ] {
        let (acme, globex) = (world.trail("acme").len(), world.trail("globex").len());
        let answer = world.get(&format!("{role}@globex"), path).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        assert_eq!((world.trail("acme").len(), world.trail("globex").len()), (acme, globex + 1), "{path}");
    }
    let denial = world.trail("globex").pop().unwrap();
    assert_eq!((&denial["type"], &denial["tenant"]), (&"permission.denied".into(), &"globex".into()));
    assert_eq!(denial["resource"]["uri"], "audit://ACME/tile/entries/000.p/1");
}

#[tokio::test]
async fn no_header_names_a_tenant() {
    let world = two().await;
    let mut visit =
        world.visit(Some(principal("auditor@globex")), Method::GET, "/api/v1/events?q=session:chat-1");
    for name in ["x-tenant", "x-tenant-id", "x-org-id", "greffier-tenant"] {
        visit.parts.headers.insert(name, "acme".parse().unwrap());
    }
    let page = world.send(visit).await.json();
    assert!(page["events"].as_array().unwrap().iter().all(|event| event["tenant"] == "globex"));
}

#[tokio::test]
async fn a_cursor_serves_its_trail_and_search_only() {
    let world = two().await;
    let page = world.get("auditor@acme", "/api/v1/events?limit=1").await.json();
    let cursor = page["next"].as_str().unwrap();
    let ask = |who: &'static str, query: String| {
        let world = &world;
        async move { world.get(who, &format!("/api/v1/events?{query}")).await.status }
    };
    assert_eq!(ask("auditor@acme", format!("cursor={cursor}")).await, 200);
    assert_eq!(ask("auditor@acme", format!("cursor={cursor}&q=other")).await, 400);
    assert_eq!(ask("auditor@globex", format!("cursor={cursor}")).await, 400);
}

#[tokio::test]
async fn the_node_is_for_those_whom_policy_lets() {
    let world = two().await;
    assert_eq!(world.get("auditor@acme", "/api/v1/events?tenant=greffier").await.status, 403);
    let node = world.get("operator@acme", "/api/v1/events?tenant=greffier").await;
    assert_eq!(node.status, 200);
    // Who reads the node's trail is on it.
    let read = world.trail("greffier").pop().unwrap();
    assert_eq!((&read["type"], &read["user"]["sub"]), (&"data.access".into(), &"auth0|operator".into()));
    let id = read["id"].as_str().unwrap();
    let shown = world.get("operator@acme", &format!("/api/v1/events/{id}?tenant=greffier")).await.json();
    assert_eq!(shown["parts"][0]["json"]["reader_tenant"], "acme");
    // Nobody writes to it from outside.
    let named = r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","tenant":"greffier"}"#;
    assert_eq!(world.post("operator@acme", "/api/v1/events", "", named).await.status, 400);
    assert_eq!(world.post("operator@acme", "/api/v1/events?tenant=greffier", "", named).await.status, 400);
}
