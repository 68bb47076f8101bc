//! Tests of ingest, from a body to the trail.

use crate::testing::{World, masked};

const NATIVE: &str = r#"{"id":"00000000-0000-4000-8000-000000000001","time":"2026-03-06T14:30:00Z","type":"tool.call","agent":{"id":"crm"},"action":{"name":"crm:search"},"parts":[{"name":"parameters","json":{"q":"open orders"}}]}"#;
const FLAT: &str = r#"{"event_id":"00000000-0000-4000-8000-000000000002","timestamp":"2026-03-06T14:31:00","event_type":"data.access","agent_id":"etl","action":"read","parameters":{"rows":3}}"#;
const GOVERNED: &str = r#"{"timestamp":"2026-03-06T14:32:00.000Z","requestId":"req_9","user":{"sub":"auth0|1","org":"acme"},"action":{"tool":"crm:search"},"policy":{"decision":"allow","rule":"r","scopes":[]},"outcome":{"status":200,"durationMs":3}}"#;

/// Sends a body and shows the answer.
async fn check(world: &World, media: &str, body: &str) -> String {
    world.post("analyst@acme", "/api/v1/events", media, body).await.shown()
}

fn lines(lines: &[&str]) -> String {
    lines.join("\n")
}

#[tokio::test]
async fn every_form_is_taken_and_stamped() {
    let world = World::new().await;
    insta::assert_snapshot!(check(&world, "application/x-ndjson", &lines(&[NATIVE, FLAT, GOVERNED])).await, @r#"
    200
    {
      "receipts": [
        {
          "line": 1,
          "id": "00000000-0000-4000-8000-000000000001",
          "tenant": "acme",
          "index": 0,
          "leaf": "<leaf>",
          "receipt": "<receipt>",
          "repeated": false
        },
        {
          "line": 2,
          "id": "00000000-0000-4000-8000-000000000002",
          "tenant": "acme",
          "index": 1,
          "leaf": "<leaf>",
          "receipt": "<receipt>",
          "repeated": false
        },
        {
          "line": 3,
          "id": "<id>",
          "tenant": "acme",
          "index": 2,
          "leaf": "<leaf>",
          "receipt": "<receipt>",
          "repeated": false
        }
      ],
      "errors": []
    }
    "#);
    let trail: Vec<_> = world.trail("acme").into_iter().map(masked).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&trail[1]).unwrap(), @r#"
    {
      "action": {
        "name": "read"
      },
      "agent": {
        "id": "etl"
      },
      "id": "00000000-0000-4000-8000-000000000002",
      "parts": [
        {
          "bytes": 10,
          "media": "application/json",
          "name": "parameters"
        },
        {
          "bytes": 334,
          "media": "application/json",
          "name": "metadata"
        }
      ],
      "parts_root": "<parts_root>",
      "recorded_at": "2026-03-06T14:32:07.891000Z",
      "source": {
        "channel": "sdk",
        "digest": "<digest>",
        "node": "gw-1",
        "oauth_client": "console-1",
        "token": "abababababababababababababababababababababababababababababababab"
      },
      "tenant": "acme",
      "time": "2026-03-06T14:31:00.000000Z",
      "type": "data.access",
      "v": 1
    }
    "#);
    assert_eq!(trail.len(), 3);
    assert!(trail.iter().all(|event| event["recorded_at"] == crate::testing::NOW));
    assert!(
        trail.iter().all(|event| event["source"]["channel"] == "sdk" && event["source"]["node"] == "gw-1")
    );
}

#[tokio::test]
async fn a_bad_line_loses_only_itself() {
    let world = World::new().await;
    let bad = [
        r#"{"time":"2026-03-06T14:30:00Z","#,
        r#"{"time":"yesterday","type":"tool.call"}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","tenant":"globex"}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","recorded_at":"2020-01-01T00:00:00Z"}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","user":{"sub":"a","verified":true}}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","source":{"channel":"gateway"}}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","agent":{"id":"Greffier"}}"#,
        r#"{"time":"2026-03-06T14:30:00Z","type":"tool.call","resource":{"uri":"audit://acme/events"}}"#,
        r#"{"hello":"world"}"#,
    ];
    let mut some = bad.to_vec();
    some.push(NATIVE);
    let answer = world.post("analyst@acme", "/api/v1/events", "application/jsonl", &lines(&some)).await;
    assert_eq!(answer.status, 207);
    let json = answer.json();
    assert_eq!(json["receipts"][0]["line"], 10);
    let errors =
        json["errors"].as_array().unwrap().iter().map(|error| {
            format!("{} {} {}: {}", error["line"], error["code"], error["field"], error["message"])
        });
    insta::assert_snapshot!(errors.collect::<Vec<_>>().join("\n"), @r#"
    1 "invalid_event" "document": "must be JSON: a valid string expected (at byte 31)"
    2 "invalid_event" "time": "must be RFC 3339, as in 2026-03-06T14:32:07.891000Z"
    3 "invalid_event" "tenant": "must be the tenant that the event is recorded for"
    4 "invalid_event" "recorded_at": "is set by Greffier and cannot be given"
    5 "invalid_event" "user.verified": "is set by Greffier and cannot be given"
    6 "invalid_event" "source.channel": "is set by Greffier and cannot be given"
    7 "invalid_event" "agent.id": "is reserved for Greffier's own acts"
    8 "invalid_event" "resource.uri": "has a scheme reserved for Greffier itself"
    9 "invalid_event" "document": "must be an event: `time` and `type`, or `timestamp` and `event_type`, or `timestamp` and `requestId`"
    "#);

    let answer = world.post("analyst@acme", "/api/v1/events", "application/jsonl", &lines(&bad)).await;
    assert_eq!((answer.status, world.trail("acme").len()), (400, 1));
}

#[tokio::test]
async fn sent_twice_recorded_once() {
    let world = World::new().await;
    let first = world.post("analyst@acme", "/api/v1/events", "", NATIVE).await.json();
    // Spelt differently, by another channel: the same event.
    let respelt = NATIVE.replace(',', " ,\n ");
    let again = world.post("analyst@acme", "/api/v1/events?channel=import", "", &respelt).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["receipts"][0]["receipt"], first["receipts"][0]["receipt"]);
    assert_eq!(again.json()["receipts"][0]["repeated"], true);
    assert_eq!(world.trail("acme").len(), 1);

    // Another account under the same id is refused, and that is on record.
    let other = NATIVE.replace("open orders", "all orders");
    insta::assert_snapshot!(check(&world, "", &other).await, @r#"
    409
    {
      "receipts": [],
      "errors": [
        {
          "line": 1,
          "code": "conflict",
          "message": "an event with this id and other content is on the trail, at entry 0"
        }
      ]
    }
    "#);
    let conflict = masked(world.trail("acme").pop().unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&conflict).unwrap(), @r#"
    {
      "action": {
        "effect": "create",
        "kind": "admin",
        "name": "trail:ingest"
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
      "outcome": {
        "error": "conflict",
        "status": "failure"
      },
      "recorded_at": "2026-03-06T14:32:07.891000Z",
      "request_id": "req_1",
      "resource": {
        "uri": "audit://acme/events/00000000-0000-4000-8000-000000000001"
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
      "type": "error",
      "user": {
        "iss": "https://idp.example",
        "roles": [
          "analyst"
        ],
        "sub": "auth0|analyst",
        "verified": true
      },
      "v": 1
    }
    "#);
}

#[tokio::test]
async fn one_id_on_two_trails_is_two_events() {
    let world = World::new().await;
    assert_eq!(world.post("analyst@acme", "/api/v1/events", "", NATIVE).await.status, 200);
    let other = world.post("analyst@globex", "/api/v1/events", "", NATIVE).await;
    assert_eq!((other.status, other.json()["receipts"][0]["repeated"].as_bool()), (200, Some(false)));
}

#[tokio::test]
async fn what_is_sensitive_is_on_no_disk() {
    let world = World::new().await;
    let secrets = ["4111111111111111", "536-90-4399", "carol.jones", "sk-live-deadbeef"];
    let body = r#"[{"time":"2026-03-06T14:30:00Z","type":"tool.call","session_id":"card 4111111111111111",
        "user":{"sub":"carol.jones@example.com"},"action":{"name":"pay 4111111111111111"},
        "resource":{"uri":"ehr://patients/536-90-4399?ssn=536-90-4399","subjects":["carol.jones"]},
        "parts":[{"name":"parameters","json":{"ssn":"536-90-4399","api_key":"sk-live-deadbeef"}},
                 {"name":"result","text":"card 4111111111111111"}]}]"#;
    let answer = world.post("analyst@acme", "/api/v1/events", "application/json", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let leaf = world.trail("acme").pop().unwrap().to_string();
    assert!(secrets.iter().all(|secret| !leaf.contains(secret)), "{leaf}");
    let id = answer.json()["receipts"][0]["id"].as_str().unwrap().to_owned();
    let shown = world.get("analyst@acme", &format!("/api/v1/events/{id}")).await;
    // Who the user is stays as a part, under their own key.
    let parts = shown.json()["parts"].to_string();
    insta::assert_snapshot!(parts, @r#"[{"name":"parameters","media":"application/json","bytes":41,"json":{"ssn":"<US_SSN>","api_key":"[REDACTED]"}},{"name":"result","media":"text/plain","bytes":18,"text":"card <CREDIT_CARD>"},{"name":"metadata","media":"application/json","bytes":226,"json":{"greffier.given":{"form":"native","changes":[{"at":"/time","was":"2026-03-06T14:30:00.000000Z","is":"2026-03-06T14:30:00Z"},{"at":"/resource/uri","was":"ehr://patients/<US_SSN>","is":"ehr://patients/<US_SSN>?ssn=<US_SSN>"}]}}},{"name":"email","media":"text/plain","bytes":23,"text":"carol.jones@example.com"}]"#);
    assert!(secrets.iter().filter(|secret| **secret != "carol.jones").all(|secret| !parts.contains(secret)));
}

#[tokio::test]
async fn without_a_record_nothing_is_taken() {
    let mut world = World::new().await;
    world.stop_recording();
    insta::assert_snapshot!(check(&world, "", NATIVE).await, @r#"
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
async fn too_many_and_too_odd() {
    let world = World::new().await;
    let many = format!("[{}]", vec!["{}"; 10_001].join(","));
    insta::assert_snapshot!(check(&world, "", &many).await, @r#"
    413
    {
      "error": {
        "code": "too_many_events",
        "message": "a request takes at most 10000 events: send several",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "", "[{},").await, @r#"
    400
    {
      "error": {
        "code": "invalid_json",
        "message": "the array is not valid JSON at line 1, column 4",
        "hint": "send one event per line, and a broken line loses only itself",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "", "").await, @r#"
    400
    {
      "error": {
        "code": "no_events",
        "message": "the body holds no event",
        "request_id": "req_1"
      }
    }
    "#);
    let answer = world.post("analyst@acme", "/api/v1/events?channel=gateway", "", NATIVE).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("bad_parameter")));
    assert!(world.trail("acme").is_empty());
}
