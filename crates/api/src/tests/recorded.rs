//! Every read is an event before it is answered; a denial is one, too; and without a record nothing is read.

use super::*;

/// One request for each row of the table that takes a caller, but for ingest, which records itself.
const READS: [(&str, &str); 19] = [
    ("GET", "/api/v1/events?q=user:alice"),
    ("GET", "/api/v1/facets?by=user"),
    ("GET", "/api/v1/export?format=csv"),
    ("POST", "/api/v1/evidence?q=user:alice"),
    ("GET", "/api/v1/events/00000000-0000-4000-8000-000000000001"),
    ("GET", "/api/v1/calls/req_7"),
    ("GET", "/api/v1/sessions/chat-1"),
    ("POST", "/api/v1/sql"),
    ("GET", "/api/v1/activity?agent=crm-assistant"),
    ("GET", "/api/v1/findings"),
    ("GET", "/api/v1/producers"),
    ("GET", "/api/v1/reports/soc2?from=2026-03-01&to=2026-04-01"),
    ("GET", "/api/v1/proofs/00000000-0000-4000-8000-000000000001"),
    ("GET", "/api/v1/tail"),
    ("GET", "/api/v1/trails"),
    ("GET", "/api/v1/erasures"),
    ("GET", "/api/v1/holds"),
    ("GET", "/api/v1/subjects?subject=x"),
    ("GET", "/trails/acme/tile/entries/000.p/1"),
];

async fn send(world: &World, who: &str, (method, path): (&str, &str)) -> u16 {
    let mut visit = world.visit(Some(principal(who)), method.parse().unwrap(), path);
    visit.body = r#"{"query":"SELECT 1"}"#.into();
    // What streams is left at once: only whether it was let in counts.
    world.api.answer(visit).await.status().as_u16()
}

/// What a read leaves behind: type, name and place of its event.
fn trace(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    // References differ from world to world.
    let mut uri = text("/resource/uri");
    if let Some(at) = uri.find("ref:") {
        uri.replace_range(at..at + 36, "<ref>");
    }
    format!(
        "{} {} {} by {} ({})",
        text("/type"),
        text("/action/name"),
        uri,
        text("/user/sub"),
        text("/policy/decision")
    )
}

#[test]
fn no_row_is_forgotten() {
    for route in ROUTES.iter().filter(|route| matches!(route.who, Who::May(_))) {
        let asked = READS.iter().any(|(method, path)| {
            let path = path.split('?').next().unwrap();
            let found = crate::route::find(&method.parse().unwrap(), path).ok().unwrap();
            found.route.endpoint == route.endpoint
        });
        // Those that act record themselves; what is read of one erasure is read of all.
        let acts = route.method == http::Method::POST || route.endpoint == crate::route::Endpoint::Erasure;
        assert!(asked || acts, "{}", route.path);
    }
}

#[tokio::test]
async fn every_read_is_on_the_trail() {
    let world = filled("acme").await;
    world.wait_for_checkpoint("acme", 1).await;
    let mut traces = Vec::new();
    for read in READS {
        let before = world.trail("acme").len();
        assert_eq!(send(&world, "auditor@acme", read).await, 200, "{read:?}");
        let trail = world.trail("acme");
        assert_eq!(trail.len(), before + 1, "{read:?}");
        traces.push(trace(trail.last().unwrap()));
    }
    insta::assert_snapshot!(traces.join("\n"), @"
    data.access trail:search audit://acme/events by auth0|auditor (allow)
    data.access trail:facets audit://acme/facets by auth0|auditor (allow)
    data.access trail:export audit://acme/events by auth0|auditor (allow)
    data.access trail:evidence audit://acme/events by auth0|auditor (allow)
    data.access trail:event audit://acme/events/00000000-0000-4000-8000-000000000001 by auth0|auditor (allow)
    data.access trail:call audit://acme/calls/req_7 by auth0|auditor (allow)
    data.access trail:session audit://acme/sessions/chat-1 by auth0|auditor (allow)
    data.access trail:sql audit://acme/sql by auth0|auditor (allow)
    data.access trail:activity audit://acme/activity/crm-assistant by auth0|auditor (allow)
    data.access trail:findings audit://acme/findings by auth0|auditor (allow)
    data.access trail:producers audit://acme/producers by auth0|auditor (allow)
    data.access trail:report audit://acme/reports/soc2 by auth0|auditor (allow)
    data.access trail:proof audit://acme/proofs/00000000-0000-4000-8000-000000000001 by auth0|auditor (allow)
    data.access trail:tail audit://acme/events by auth0|auditor (allow)
    data.access trail:list audit://acme/trails by auth0|auditor (allow)
    data.access erase:list audit://acme/erasures by auth0|auditor (allow)
    data.access hold:list audit://acme/holds by auth0|auditor (allow)
    data.access subject:access audit://acme/subjects/<ref>/parts by auth0|auditor (allow)
    data.access trail:entries audit://acme/tile/entries/000.p/1 by auth0|auditor (allow)
    ");
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&masked(world.trail("acme")[3].clone())).unwrap(), @r#"
    {
      "action": {
        "effect": "read",
        "kind": "admin",
        "name": "trail:search"
      },
      "agent": {
        "id": "greffier",
        "verified": true,
        "via": [
          {
            "iss": "https://idp.example",
            "sub": "console"
          }
        ]
      },
      "id": "<id>",
      "parts": [
        {
          "bytes": 18,
          "media": "application/json",
          "name": "parameters"
        }
      ],
      "parts_root": "<parts_root>",
      "policy": {
        "decision": "allow",
        "rule": "role:auditor may read and export the trail of its tenant",
        "version": "<version>"
      },
      "recorded_at": "2026-03-06T14:32:07.891000Z",
      "request_id": "req_1",
      "resource": {
        "uri": "audit://acme/events"
      },
      "source": {
        "channel": "gateway",
        "ip": "192.0.2.7",
        "node": "gw-1",
        "oauth_client": "console-1",
        "protocol": "api",
        "token": "abababababababababababababababababababababababababababababababab"
      },
      "tenant": "acme",
      "time": "2026-03-06T14:32:07.891000Z",
      "type": "data.access",
      "user": {
        "iss": "https://idp.example",
        "roles": [
          "auditor"
        ],
        "sub": "auth0|auditor",
        "verified": true
      },
      "v": 1
    }
    "#);
}

#[tokio::test]
async fn every_denial_is_on_the_trail() {
    let world = filled("acme").await;
    let mut traces = Vec::new();
    for read in READS.into_iter().chain([("POST", "/api/v1/events")]) {
        let before = world.trail("acme").len();
        assert_eq!(send(&world, "intern@acme", read).await, 403, "{read:?}");
        let trail = world.trail("acme");
        assert_eq!(trail.len(), before + 1, "{read:?}");
        traces.push(trace(trail.last().unwrap()));
    }
    insta::assert_snapshot!(traces.join("\n"), @"
    permission.denied trail:search audit://acme/events by auth0|intern (deny)
    permission.denied trail:facets audit://acme/facets by auth0|intern (deny)
    permission.denied trail:export audit://acme/events by auth0|intern (deny)
    permission.denied trail:evidence audit://acme/events by auth0|intern (deny)
    permission.denied trail:event audit://acme/events/00000000-0000-4000-8000-000000000001 by auth0|intern (deny)
    permission.denied trail:call audit://acme/calls/req_7 by auth0|intern (deny)
    permission.denied trail:session audit://acme/sessions/chat-1 by auth0|intern (deny)
    permission.denied trail:sql audit://acme/sql by auth0|intern (deny)
    permission.denied trail:activity audit://acme/activity/crm-assistant by auth0|intern (deny)
    permission.denied trail:findings audit://acme/findings by auth0|intern (deny)
    permission.denied trail:producers audit://acme/producers by auth0|intern (deny)
    permission.denied trail:report audit://acme/reports/soc2 by auth0|intern (deny)
    permission.denied trail:proof audit://acme/proofs/00000000-0000-4000-8000-000000000001 by auth0|intern (deny)
    permission.denied trail:tail audit://acme/events by auth0|intern (deny)
    permission.denied trail:list audit://acme/trails by auth0|intern (deny)
    permission.denied erase:list audit://acme/erasures by auth0|intern (deny)
    permission.denied hold:list audit://acme/holds by auth0|intern (deny)
    permission.denied subject:access audit://acme/subjects/<ref>/parts by auth0|intern (deny)
    permission.denied trail:entries audit://acme/tile/entries/000.p/1 by auth0|intern (deny)
    permission.denied trail:ingest audit://acme/events by auth0|intern (deny)
    ");
    insta::assert_snapshot!(world.get("intern@acme", "/api/v1/events").await.shown(), @r#"
    403
    {
      "error": {
        "code": "denied_by_policy",
        "message": "not permitted: no policy permits a user with role intern to read the trail acme",
        "request_id": "req_1"
      }
    }
    "#);
    // Who may read may not take everything away.
    assert_eq!(send(&world, "analyst@acme", ("GET", "/api/v1/export")).await, 403);
}

#[tokio::test]
async fn without_a_record_nothing_is_read() {
    let mut world = filled("acme").await;
    world.stop_recording();
    for read in READS {
        for who in ["auditor@acme", "intern@acme"] {
            assert_eq!(send(&world, who, read).await, 503, "{read:?} by {who}");
        }
    }
    insta::assert_snapshot!(check(&world, "/api/v1/events").await, @r#"
    503
    {
      "error": {
        "code": "not_recording",
        "message": "this cannot be recorded, so it was not done",
        "hint": "try again when `/readyz` answers 200",
        "request_id": "req_1"
      }
    }
    "#);
}

#[tokio::test]
async fn what_was_asked_is_a_part_without_what_is_sensitive() {
    let world = filled("acme").await;
    world.get("auditor@acme", "/api/v1/events?q=4111111111111111").await;
    let id = world.trail("acme").pop().unwrap()["id"].as_str().unwrap().to_owned();
    let event = world.get("auditor@acme", &format!("/api/v1/events/{id}")).await.json();
    assert_eq!(event["parts"][0]["json"]["q"], "<CREDIT_CARD>");
    world.get("auditor@acme", "/api/v1/sessions/card%204111111111111111").await;
    assert_eq!(
        world.trail("acme").pop().unwrap()["resource"]["uri"],
        "audit://acme/sessions/card_<CREDIT_CARD>"
    );
}

#[tokio::test]
async fn answers_name_their_record() {
    let world = filled("acme").await;
    for path in ["/api/v1/events", "/api/v1/trails", "/api/v1/calls/nope"] {
        let answer = world.get("auditor@acme", path).await;
        assert_eq!(answer.headers["greffier-request-id"], "req_1");
        let receipt = answer.headers["greffier-receipt"].to_str().unwrap().to_owned();
        assert_eq!(receipt.split(' ').nth(1).unwrap(), (world.trail("acme").len() - 1).to_string());
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}
