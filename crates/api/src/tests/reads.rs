//! What each route answers.

use std::io::Read;

use super::*;

#[tokio::test]
async fn search_pages_newest_first() {
    let world = filled("acme").await;
    // An event comes back as it was recorded, byte for byte.
    let page = world.get("auditor@acme", "/api/v1/events?limit=2&q=tool:crm:*").await;
    assert_eq!(page.status, 200);
    let json = page.json();
    let ids: Vec<_> = json["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(ids, ["action.executed", "action.approved"]);
    assert!(page.text().contains(&serde_json::to_string(&world.trail("acme")[0]).unwrap()));

    let mut path = "/api/v1/events?limit=1&q=session:chat-1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get("auditor@acme", &path).await.json();
        seen.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/events?limit=1&q=session:chat-1&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

/// Events of a hundred kilobytes each: however many are asked for, every one comes, with what it holds.
#[tokio::test]
async fn a_search_with_contents_ends_its_pages_early() {
    let world = World::new().await;
    let text = "x y ".repeat(250_000);
    for n in 0..20 {
        let id = format!("00000000-0000-4000-8000-{n:012}");
        let event = serde_json::json!({
            "id": id, "time": "2026-03-06T14:30:00Z", "type": "tool.call", "session_id": "long",
            "parts": [{"name": "result", "text": text}, {"name": "metadata", "json": {"n": n}}],
        });
        assert_eq!(world.post("analyst@acme", "/api/v1/events", "", &event.to_string()).await.status, 200);
    }
    let (mut seen, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/events?q=session:long&parts=true&limit=1000{cursor}");
        let page = world.get("auditor@acme", &path).await.json();
        let events = page["events"].as_array().unwrap();
        pages.push(events.len());
        for event in events {
            assert_eq!(event["parts"][0]["text"].as_str().map(str::len), Some(text.len()));
            seen.push(event["parts"][1]["json"]["n"].as_u64().unwrap());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, [8, 8, 4]);
    assert!(seen.into_iter().eq((0..20).rev()));
    // Another form has its contents where that form has them, and what was read is on record.
    let flat =
        world.get("auditor@acme", "/api/v1/events?q=session:long&parts=true&limit=1&format=flat").await;
    assert_eq!((&flat.json()["events"][0]["metadata"]["n"], flat.status), (&19.into(), 200));
    let bare = world.get("auditor@acme", "/api/v1/events?q=session:long&limit=1").await.json();
    assert_eq!(bare["events"][0]["parts"][0].get("text"), None);
}

#[tokio::test]
async fn search_in_other_forms_and_with_receipts() {
    let world = filled("acme").await;
    insta::assert_snapshot!(check(&world, "/api/v1/events?q=agent:legacy&format=flat&receipts=true").await, @r#"
    200
    {
      "events": [
        {
          "event_id": "00000000-0000-4000-8000-000000000003",
          "timestamp": "2026-03-01T09:00:00.000000Z",
          "event_type": "tool.call",
          "agent_id": "legacy",
          "session_id": "chat-1",
          "user_id": null,
          "action": "lookup",
          "resource": null,
          "parameters": {},
          "result": null,
          "error": null,
          "duration_ms": null,
          "metadata": {}
        }
      ],
      "receipts": [
        {
          "index": 2,
          "leaf": "<leaf>",
          "receipt": "<receipt>"
        }
      ]
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/events?q=type:action.executed&format=governed").await, @r#"
    200
    {
      "events": [
        {
          "timestamp": "2026-03-06T14:32:07.891Z",
          "requestId": "req_7",
          "user": {
            "sub": "auth0|alice",
            "org": "acme",
            "role": "analyst"
          },
          "action": {
            "tool": "crm:contacts:search"
          },
          "outcome": {
            "status": 200,
            "durationMs": 1.5
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn counts_by_fields_and_time() {
    let world = filled("acme").await;
    let path = "/api/v1/facets?q=session:chat-1&by=agent,decision&limit=1&per=day";
    insta::assert_snapshot!(check(&world, path).await);
    let code = async |path: &str| {
        let json = world.get("auditor@acme", path).await.json();
        format!("{}: {}", json["error"]["code"].as_str().unwrap(), json["error"]["message"].as_str().unwrap())
    };
    insta::assert_snapshot!(code("/api/v1/facets?by=usr").await, @"bad_parameter: `by`: there is no field `usr`, did you mean `user`?");
    insta::assert_snapshot!(code("/api/v1/facets?per=fortnight").await, @"bad_parameter: `per` is no step of a histogram");
    insta::assert_snapshot!(code("/api/v1/facets?limit=0").await, @"bad_parameter: `limit` must be between 1 and 10000");
    insta::assert_snapshot!(code("/api/v1/facets?q=usr:x").await, @"search_syntax: there is no field `usr`, did you mean `user`? In quotes the term is looked for as text");
}

/// What a relative time meant on the first page, it means on all: the day may end between two of them.
#[tokio::test]
async fn pages_mean_what_the_first_one_meant() {
    let world = filled("acme").await;
    let path = "/api/v1/events?limit=1&q=on:today+session:chat-1";
    let first = world.get("auditor@acme", path).await.json();
    let next = format!("{path}&cursor={}", first["next"].as_str().unwrap());
    let mut visit = world.visit(Some(principal("auditor@acme")), Method::GET, &next);
    visit.now = greffier_event::Timestamp::from_micros(visit.now.as_micros() + 3 * 86_400_000_000);
    let second = world.send(visit).await.json();
    assert_eq!(second["events"].as_array().unwrap().len(), 1);
    assert_ne!(first["events"][0]["id"], second["events"][0]["id"]);
}

/// Contents are looked into for whoever may see them, and page by page nothing is missed or doubled.
#[tokio::test]
async fn contents_are_searched() {
    let world = filled("acme").await;
    let found = async |query: &str| {
        let answer = world.get("auditor@acme", &format!("/api/v1/events?q={query}")).await.json();
        let events = answer["events"].as_array().unwrap();
        let ids = events.iter().map(|event| event["id"].as_str().unwrap()[35..].to_owned());
        ids.collect::<String>()
    };
    assert_eq!(found("session:chat-1+content:%22Open+Orders%22").await, "1");
    assert_eq!(found("session:chat-1+content:open*").await, "1");
    assert_eq!(found("session:chat-1+content:rows,orders").await, "21");
    assert_eq!(found("session:chat-1+content:rows+content:orders").await, "21");
    assert_eq!(found("session:chat-1+-content:orders+type:action.*").await, "2");
    assert_eq!(found("session:chat-1+content:nowhere").await, "");
    let all = "/api/v1/events?limit=1&q=session:chat-1+content:row*+content:orders";
    let mut path = all.to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get("auditor@acme", &path).await.json();
        seen.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => path = format!("{all}&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 2);
    let counts = world.get("auditor@acme", "/api/v1/facets?q=session:chat-1+content:orders").await.json();
    assert_eq!(counts["total"]["events"], 1);
    // Words are looked for in them, too, and say so; `text:` leaves them closed.
    assert_eq!(found("%22Open+Orders%22").await, "1", "and in no question that asked for it before");
    assert_eq!(found("session:chat-1+rows+-orders").await, "2");
    assert_eq!(found("text:%22Open+Orders%22").await, "");
    assert_ne!(
        found("content:%22Open+Orders%22+tool:trail:*").await,
        "",
        "who asks for questions finds them"
    );
    let looked = async |path: &str| world.get("auditor@acme", path).await.json()["contents_searched"].clone();
    for route in ["events", "facets"] {
        assert_eq!(looked(&format!("/api/v1/{route}?q=orders")).await, true);
        assert!(looked(&format!("/api/v1/{route}?q=text:orders")).await.is_null());
    }
    let counts = world.get("auditor@acme", "/api/v1/facets?q=%22open+orders%22&by=type&per=day").await.json();
    assert_eq!((&counts["total"]["events"], &counts["histogram"][0]["events"]), (&1.into(), &1.into()));
    let exported = world.get("auditor@acme", "/api/v1/export?q=%22open+orders%22&format=csv").await;
    assert_eq!(exported.text().lines().count(), 2);
    // What was erased holds nothing.
    let world = world.without_holders().await;
    for query in ["session:chat-1+content:orders", "%22open+orders%22"] {
        let gone = world.get("auditor@acme", &format!("/api/v1/events?q={query}")).await.json();
        assert_eq!(gone["events"].as_array().unwrap().len(), 0);
    }
}

/// Who is on the trail under a reference is found by name, and so is whom data is about.
#[tokio::test]
async fn people_and_subjects_are_found_by_name() {
    let world = World::new().await;
    let events = concat!(
        r#"{"id":"00000000-0000-4000-8000-000000000001","time":"2026-03-01T09:00:00Z","type":"tool.call","user":{"sub":"carol@example.com"},"agent":{"id":"bot@example.com"}}"#,
        "\n",
        r#"{"id":"00000000-0000-4000-8000-000000000002","time":"2026-03-01T09:00:00Z","type":"tool.call","resource":{"uri":"ehr://x","subjects":["P-1047"]}}"#,
    );
    let answer = world.post("analyst@acme", "/api/v1/events", "application/x-ndjson", events).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!world.trail("acme").iter().any(|event| serde_json::to_string(event).unwrap().contains("carol")));
    let found = async |query: &str| {
        let page = world.get("auditor@acme", &format!("/api/v1/events?q=channel:sdk+{query}")).await.json();
        let counts = world.get("auditor@acme", &format!("/api/v1/facets?q=channel:sdk+{query}")).await.json();
        let lines = world.get("auditor@acme", &format!("/api/v1/export?q=channel:sdk+{query}")).await.text();
        let mut ids: Vec<&str> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| &event["id"].as_str().unwrap()[35..])
            .collect();
        assert_eq!(counts["total"]["events"], ids.len(), "{query}");
        assert_eq!(lines.lines().count(), ids.len(), "{query}");
        ids.sort_unstable();
        ids.concat()
    };
    assert_eq!(found("user:carol@example.com").await, "1");
    assert_eq!(found("-user:carol@example.com").await, "2");
    assert_eq!(found("agent:bot@example.com").await, "1");
    let activity = world.get("auditor@acme", "/api/v1/activity?agent=bot@example.com").await.json();
    assert_eq!(activity["total_events"], 1);
    assert_eq!(found("subject:P-1047").await, "2");
    assert_eq!(found("subject:P-1047,P-1").await, "2");
    assert_eq!(found("user:P-1047").await, "");
}

/// A session comes as a tree, with what it comes to.
#[tokio::test]
async fn a_session_is_a_tree() {
    let world = filled("acme").await;
    let mut session = masked(world.get("auditor@acme", "/api/v1/sessions/chat-1").await.json());
    session.as_object_mut().unwrap().remove("events").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&session).unwrap());
}

/// What is claimed may be recorded in any order; a session is told in that of time.
#[tokio::test]
async fn a_session_is_in_order_of_time() {
    let world = World::new().await;
    let event = |n: u32, kind: &str, request: &str, more: &str| {
        format!(
            r#"{{"id":"00000000-0000-4000-8000-00000000000{n}","time":"2026-03-01T09:00:0{n}.000000Z","type":"{kind}","session_id":"s","request_id":"{request}","agent":{{"id":"crm"}},"action":{{"name":"{request}"}},{more}}}"#
        )
    };
    let (decided, ended) = (r#""policy":{"decision":"allow"}"#, r#""outcome":{"status":"success"}"#);
    let events = [
        event(4, "action.executed", "b", ended),
        event(2, "action.executed", "a", ended),
        event(3, "action.approved", "b", decided),
        event(1, "action.approved", "a", decided),
    ];
    let answer =
        world.post("analyst@acme", "/api/v1/events", "application/x-ndjson", &events.join("\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = world.get("auditor@acme", "/api/v1/sessions/s").await.json();
    let calls: Vec<String> = told["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| format!("{} {} {} {}", call["step"], call["time"], call["indexes"], call["types"]))
        .collect();
    insta::assert_snapshot!(calls.join(" | "), @r#"1 "2026-03-01T09:00:01.000000Z" [3,1] ["action.approved","action.executed"] | 2 "2026-03-01T09:00:03.000000Z" [2,0] ["action.approved","action.executed"]"#);
    let ids = |told: &Value| {
        let events = told["events"].as_array().unwrap().iter();
        events.map(|event| event["event"]["id"].as_str().unwrap()[35..].to_owned()).collect::<String>()
    };
    assert_eq!(ids(&told), "1234");
    // A claim says of itself when it was: it must not come before what is enforced.
    assert_eq!(ids(&world.get("auditor@acme", "/api/v1/calls/b").await.json()), "43");
}

/// A question whose caller is gone is dropped, and its read is on record all the same.
#[tokio::test]
async fn a_caller_that_goes_away_stops_its_question() {
    let world = filled("acme").await;
    let visit = world.visit(Some(principal("auditor@acme")), Method::GET, "/api/v1/events?q=user:*");
    visit.gone.cancel();
    let before = world.trail("acme").len();
    let answer = world.send(visit).await;
    // Which of the two comes first is open only where the answer is there at once.
    assert!(matches!(answer.status, 499 | 200), "{}", answer.text());
    assert_eq!(world.trail("acme").len(), before + 1);
}

#[tokio::test]
async fn searches_that_cannot_be() {
    let world = filled("acme").await;
    insta::assert_snapshot!(check(&world, "/api/v1/events?q=nope:1").await, @r#"
    400
    {
      "error": {
        "code": "search_syntax",
        "message": "there is no field `nope`, did you mean `node`? In quotes the term is looked for as text",
        "at": 0,
        "hint": "as in `user:alice tool:crm:* decision:deny since:7d -has:error`",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/events?limit=0").await, @r#"
    400
    {
      "error": {
        "code": "bad_parameter",
        "message": "`limit` must be between 1 and 1000",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/events?format=xml").await, @r#"
    400
    {
      "error": {
        "code": "bad_parameter",
        "message": "`format` must be native, flat or governed",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/events?cursor=1-00000000000000000000000000000000").await, @r#"
    400
    {
      "error": {
        "code": "bad_cursor",
        "message": "the cursor is not one of this search and trail",
        "hint": "start again without it",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/elsewhere").await, @r#"
    404
    {
      "error": {
        "code": "unknown_route",
        "message": "nothing is served at this path",
        "request_id": "req_1"
      }
    }
    "#);
}

#[tokio::test]
async fn one_event() {
    let world = filled("acme").await;
    insta::assert_snapshot!(check(&world, &format!("/api/v1/events/{EVENT}")).await, @r#"
    200
    {
      "index": 0,
      "leaf": "<leaf>",
      "receipt": "<receipt>",
      "standing": "enforced",
      "event": {
        "action": {
          "kind": "tool",
          "name": "crm:contacts:search"
        },
        "agent": {
          "id": "crm-assistant",
          "verified": true
        },
        "id": "00000000-0000-4000-8000-000000000001",
        "parts": [
          {
            "bytes": 19,
            "media": "application/json",
            "name": "parameters"
          }
        ],
        "parts_root": "<parts_root>",
        "policy": {
          "decision": "allow",
          "rule": "role:analyst grants crm"
        },
        "recorded_at": "2026-03-06T14:32:07.891000Z",
        "request_id": "req_7",
        "session_id": "chat-1",
        "source": {
          "channel": "gateway",
          "node": "gw-1"
        },
        "tenant": "acme",
        "time": "2026-03-06T14:32:07.891000Z",
        "type": "action.approved",
        "user": {
          "roles": [
            "analyst"
          ],
          "sub": "auth0|alice",
          "verified": true
        },
        "v": 1
      },
      "parts": [
        {
          "name": "parameters",
          "media": "application/json",
          "bytes": 19,
          "json": {
            "q": "open orders"
          }
        }
      ]
    }
    "#);
    let bare = world.get("auditor@acme", &format!("/api/v1/events/{EVENT}?parts=false")).await.json();
    assert_eq!(bare.get("parts"), None);
    insta::assert_snapshot!(check(&world, "/api/v1/events/00000000-0000-4000-8000-00000000dead").await, @r#"
    404
    {
      "error": {
        "code": "not_found",
        "message": "no event of this trail has this id",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(check(&world, "/api/v1/events/7").await, @r#"
    400
    {
      "error": {
        "code": "bad_parameter",
        "message": "an event's id is a UUID",
        "request_id": "req_1"
      }
    }
    "#);
}

#[tokio::test]
async fn one_call_and_one_session() {
    let world = filled("acme").await;
    let call = world.get("auditor@acme", "/api/v1/calls/req_7").await.json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&call["calls"]).unwrap(), @r#"
    [
      {
        "request_id": "req_7",
        "indexes": [
          0,
          1
        ],
        "time": "2026-03-06T14:32:07.891000Z",
        "channel": "gateway",
        "types": [
          "action.approved",
          "action.executed"
        ],
        "user": "auth0|alice",
        "agent": "crm-assistant",
        "action": "crm:contacts:search",
        "kind": "tool",
        "decision": "allow",
        "rule": "role:analyst grants crm",
        "status": "success",
        "code": 200,
        "duration_us": 1500,
        "redactions": 0
      }
    ]
    "#);
    assert_eq!(call["events"].as_array().unwrap().len(), 2);
    assert_eq!(call["events"][1]["parts"][0]["json"]["rows"], 3);
    let session = world.get("auditor@acme", "/api/v1/sessions/chat-1?parts=false").await.json();
    assert_eq!(session["inferred"], 0);
    let chain = session["calls"].as_array().unwrap().iter();
    let chain: Vec<_> = chain.map(|call| format!("{} {}", call["action"], call["channel"])).collect();
    // Imported later, it happened before.
    assert_eq!(chain, [r#""lookup" "import""#, r#""crm:contacts:search" "gateway""#]);
    assert_eq!(world.get("auditor@acme", "/api/v1/calls/nope").await.status, 404);
    assert_eq!(world.get("auditor@acme", "/api/v1/sessions/nope").await.status, 404);
}

#[tokio::test]
async fn a_part_without_its_key_is_said_to_be_so() {
    let world = filled("acme").await.without_holders().await;
    let event = world.get("auditor@acme", &format!("/api/v1/events/{EVENT}")).await;
    assert_eq!(event.status, 200);
    insta::assert_snapshot!(event.json()["parts"].to_string(), @r#"[{"name":"parameters","media":"application/json","bytes":19,"unreadable":"its key is gone: it was erased, or these are not the keys it was written with"}]"#);
}

#[tokio::test]
async fn trails_and_tiles() {
    let world = filled("acme").await;
    world.wait_for_checkpoint("acme", 3).await;
    let trails = world.get("auditor@acme", "/api/v1/trails").await.json();
    let names: Vec<_> = trails["trails"].as_array().unwrap().iter().map(|trail| &trail["name"]).collect();
    assert_eq!(names, ["acme"]);
    assert_eq!(trails["trails"][0]["checkpoint"]["origin"], "greffier.test/acme");
    let both = world.get("operator@acme", "/api/v1/trails").await.json();
    assert_eq!(both["trails"][1]["name"], "greffier");

    let anyone = |path: &str| world.send(world.visit(None, Method::GET, path));
    let note = anyone("/trails/acme/checkpoint").await;
    assert_eq!(
        (note.status, note.headers["content-type"].to_str().unwrap()),
        (200, "text/plain; charset=utf-8")
    );
    let size: u64 = note.text().lines().nth(1).unwrap().parse().unwrap();
    let tile = anyone(&format!("/trails/acme/tile/0/000.p/{size}")).await;
    assert_eq!((tile.status, tile.body.len() as u64), (200, 32 * size));
    assert_eq!(tile.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(tile.headers["content-type"], "application/octet-stream");
    assert_eq!(note.headers["cache-control"], "public, max-age=2");

    // The bundle's entries are the leaves of the tile.
    let path = format!("/trails/acme/tile/entries/000.p/{size}");
    let bundle = world.get("auditor@acme", &path).await;
    let entries = greffier_merkle::bundle::entries(&bundle.body).unwrap();
    let leaves: Vec<u8> = entries.iter().flat_map(|entry| greffier_merkle::hash::leaf(entry)).collect();
    assert_eq!(leaves, tile.body);
    assert_eq!(bundle.headers["content-type"], "application/octet-stream");
    assert_eq!(bundle.headers["cache-control"], "private, max-age=31536000, immutable");

    // Smaller for whoever takes that, and the same.
    let packed = |coding: &'static str| {
        let mut visit = world.visit(Some(principal("auditor@acme")), Method::GET, &path);
        visit.parts.headers.insert("accept-encoding", coding.parse().unwrap());
        world.send(visit)
    };
    for (coding, gzipped) in [("deflate, GZIP;q=0.5", true), ("gzip;q=0.0, br", false), ("identity", false)] {
        let answer = packed(coding).await;
        assert_eq!(answer.headers["vary"], "accept-encoding");
        assert_eq!(answer.headers.get("content-encoding").is_some(), gzipped, "{coding}");
        let mut plain = answer.body.clone();
        if gzipped {
            assert_eq!(answer.headers["content-encoding"], "gzip");
            plain.clear();
            flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut plain).unwrap();
        }
        assert_eq!(plain, bundle.body, "{coding}");
    }

    // A bundle is that of a signed tree. Each of these reads is recorded behind it, and waits for its checkpoint; at
    // worst that comes while we ask, now and then.
    let mut unsigned = Vec::new();
    for _ in 0..20 {
        let note = anyone("/trails/acme/checkpoint").await.text();
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        let beyond = format!("/trails/acme/tile/entries/000.p/{}", size + 1);
        unsigned.push(world.get("auditor@acme", &beyond).await.status);
    }
    assert!(unsigned.contains(&404), "{unsigned:?}");

    for missing in [
        "/trails/acme/tile/0/001",
        "/trails/acme/tile/0/0",
        "/trails/acme/tile/9/000",
        "/trails/nobody/checkpoint",
        "/trails/.hidden/checkpoint",
        "/trails/%2e%2e/checkpoint",
        "/trails/acme/tile/0/../../checkpoint",
    ] {
        assert_eq!(anyone(missing).await.status, 404, "{missing}");
    }
    assert_eq!(world.get("auditor@acme", "/trails/acme/tile/entries/000").await.status, 404);
    assert_eq!(anyone(&path).await.status, 401);
}

#[tokio::test]
async fn a_proof_can_be_checked_offline() {
    let world = filled("acme").await;
    world.wait_for_checkpoint("acme", 1).await;
    let proof = world.get("auditor@acme", &format!("/api/v1/proofs/{EVENT}?parts=true")).await;
    assert_eq!(proof.headers["content-type"], "text/plain; charset=utf-8");
    let proof = greffier_merkle::TlogProof::parse(&proof.text()).unwrap();
    let shown = greffier_ledger::Disclosure::from_bytes(proof.extra.as_deref().unwrap()).unwrap();
    assert_eq!(shown.check().unwrap().id.to_string(), EVENT);
    assert_eq!(format!("{:?}", shown.parts), "[Shown]");
    let bare = world.get("auditor@acme", &format!("/api/v1/proofs/{EVENT}")).await;
    let bare = greffier_merkle::TlogProof::parse(&bare.text()).unwrap();
    let shown = greffier_ledger::Disclosure::from_bytes(bare.extra.as_deref().unwrap()).unwrap();
    assert!(shown.parts.is_empty());
}

#[tokio::test]
async fn sql_and_analysis() {
    let world = filled("acme").await;
    let ask =
        |media: &'static str, body: &'static str| world.post("auditor@acme", "/api/v1/sql", media, body);
    let count = "SELECT count(*) AS n FROM events WHERE session_id = 'chat-1'";
    let json = ask(
        "application/json",
        r#"{"query":"SELECT count(*) AS n FROM events WHERE session_id = 'chat-1'"}"#,
    )
    .await;
    insta::assert_snapshot!(json.shown(), @r#"
    200
    {
      "columns": [
        "n"
      ],
      "rows": [
        {
          "n": 3
        }
      ],
      "truncated": false
    }
    "#);
    assert_eq!(ask("application/sql", count).await.json(), json.json());
    // What curl says when nobody tells it.
    let wrapped = r#"{"query":"SELECT count(*) AS n FROM events WHERE session_id = 'chat-1'"}"#;
    assert_eq!(ask("application/x-www-form-urlencoded", wrapped).await.json(), json.json());
    for (media, body) in
        [("application/json", count), ("text/plain", " "), ("application/json", r#"{"sql":""}"#)]
    {
        assert_eq!(ask(media, body).await.status, 400, "{body}");
    }
    let activity = world.get("auditor@acme", "/api/v1/activity?agent=crm-assistant").await;
    assert_eq!((activity.status, &activity.json()["agent_id"]), (200, &Value::from("crm-assistant")));
    let whole = world.get("auditor@acme", "/api/v1/activity").await;
    assert_eq!((whole.status, &whole.json()["tenant"]), (200, &Value::from("acme")));
    let user = world.get("auditor@acme", "/api/v1/activity?user=auth0%7Calice").await.json();
    assert_eq!((&user["user"], &user["calls"]), (&"auth0|alice".into(), &1.into()));
    let tool = world.get("auditor@acme", "/api/v1/activity?tool=lookup").await.json();
    assert_eq!((&tool["tool"], &tool["agents"][0]["name"]), (&"lookup".into(), &"legacy".into()));
    assert_eq!(world.get("auditor@acme", "/api/v1/activity?agent=a&tool=b").await.status, 400);
    let findings = world.get("auditor@acme", "/api/v1/findings?since=7d").await;
    assert!(findings.json()["findings"].is_array());
}

#[tokio::test]
async fn the_interface_is_described() {
    let world = World::new().await;
    let document = world.send(world.visit(None, Method::GET, "/openapi.json")).await;
    assert_eq!((document.status, &document.json()["openapi"]), (200, &Value::from("3.1.0")));
}
