//! Ingest in depth: bodies in codings and in pieces, clocks, ids of several producers, and numbers that show a loss.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::ingest::coding_tests::encoded;
use crate::testing::Answer;

/// Any id of a producer's event, by number.
fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// An event of a producer.
fn event(n: usize, source: &str, name: &str) -> String {
    format!(
        r#"{{"id":"{}","time":"2026-03-06T14:30:00Z","type":"tool.call","action":{{"name":"{name}"}},"source":{{{source}}}}}"#,
        id(n)
    )
}

fn numbered(producer: &str, sequence: usize) -> String {
    let salt = producer.len() * 1_000;
    event(salt + sequence, &format!(r#""producer":"{producer}","sequence":{sequence}"#), "work")
}

/// Sends pieces as they would arrive.
async fn send(
    world: &World,
    headers: &[(&'static str, &str)],
    pieces: Vec<std::io::Result<Bytes>>,
) -> Answer {
    let mut visit = world.visit(Some(principal("analyst@acme")), Method::POST, "/api/v1/events");
    visit.parts.headers.insert("content-type", "application/x-ndjson".parse().unwrap());
    for (name, value) in headers {
        visit.parts.headers.insert(*name, value.parse().unwrap());
    }
    let (sender, upload) = mpsc::channel(1);
    visit.upload = Some(upload);
    let sending = async {
        for piece in pieces {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    tokio::join!(world.send(visit), sending).0
}

fn cut(bytes: &[u8], size: usize) -> Vec<std::io::Result<Bytes>> {
    bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

#[tokio::test]
async fn a_body_in_pieces_and_a_coding() {
    let world = World::new().await;
    let lines: Vec<String> = (0..400).map(|n| event(n, "", "work")).collect();
    let body = lines.join("\n");
    for (coding, repeated) in [("zstd", false), ("gzip", true), ("identity", true)] {
        let answer =
            send(&world, &[("content-encoding", coding)], cut(&encoded(coding, body.as_bytes()), 1_000))
                .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let receipts = answer.json()["receipts"].as_array().unwrap().clone();
        assert_eq!(receipts.len(), 400);
        for (at, receipt) in receipts.iter().enumerate() {
            assert_eq!(
                (receipt["line"].as_u64(), receipt["index"].as_u64()),
                (Some(at as u64 + 1), Some(at as u64))
            );
            assert_eq!(
                (receipt["id"].as_str(), receipt["repeated"].as_bool()),
                (Some(id(at).as_str()), Some(repeated))
            );
        }
    }
    // A whole document, too.
    let one = encoded("zstd", event(5_000, "", "work").as_bytes());
    let answer =
        send(&world, &[("content-encoding", "zstd"), ("content-type", "application/json")], cut(&one, 9))
            .await;
    assert_eq!((answer.status, world.trail("acme").len()), (200, 401));
}

#[tokio::test]
async fn what_breaks_off_names_what_is_on_record() {
    let world = World::new().await;
    let lines: Vec<String> = (0..800).map(|n| event(n, "", "work")).collect();
    let body = encoded("gzip", lines.join("\n").as_bytes());
    let half = cut(&body[..body.len() * 3 / 4], 500);
    let answer = send(&world, &[("content-encoding", "gzip")], half).await;
    let json = answer.json();
    let taken = json["receipts"].as_array().unwrap().len();
    assert_eq!(answer.status, 207);
    assert!(taken > 0 && taken < 800);
    assert_eq!(json["errors"][0]["code"], "invalid_encoding");
    assert_eq!(json["errors"][0]["line"], taken + 1);
    assert_eq!(world.trail("acme").len(), taken);
    // Sent again it is each event once.
    let answer = send(&world, &[("content-encoding", "gzip")], cut(&body, 500)).await;
    assert_eq!((answer.status, world.trail("acme").len()), (200, 800));

    for (name, value, body, expected) in [
        ("content-encoding", "gzip", &b"hello"[..], "400 invalid_encoding"),
        ("content-encoding", "br", b"{}", "415 unsupported_encoding"),
        ("content-encoding", "gzip, zstd", b"{}", "415 unsupported_encoding"),
        ("greffier-sent-at", "yesterday", b"{}", "400 bad_parameter"),
        ("content-type", "application/x-ndjson", b"\n\n", "400 no_events"),
    ] {
        let answer = send(&world, &[(name, value)], cut(body, 3)).await;
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert_eq!(format!("{} {code}", answer.status), expected);
    }
    // A sender that is gone before its first line's end.
    let gone = vec![Ok(Bytes::from("{\"id\"")), Err(std::io::Error::other("gone"))];
    assert_eq!(send(&world, &[], gone).await.status, 408);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_faster_than_it_is_recorded() {
    let world = World::new().await;
    let mut visit = world.visit(Some(principal("analyst@acme")), Method::POST, "/api/v1/events");
    visit.parts.headers.insert("content-type", "application/x-ndjson".parse().unwrap());
    let (sender, upload) = mpsc::channel(1);
    visit.upload = Some(upload);
    // More lines than a request may have; the rest finds nobody who takes it.
    let filler = "x".repeat(800);
    let sending = async {
        let mut sent = 0;
        loop {
            let lines: String = (0..1_000).map(|_| format!("{{\"no\":\"{filler}\"}}\n")).collect();
            if sender.send(Ok(Bytes::from(lines))).await.is_err() {
                return sent;
            }
            sent += 1_000;
        }
    };
    let (answer, sent) = tokio::join!(world.send(visit), sending);
    assert_eq!(answer.status, 400);
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let last = errors.last().unwrap();
    assert_eq!((last["line"].as_u64(), last["code"].as_str()), (Some(100_001), Some("too_many_events")));
    assert!((100_000..110_000).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_senders_clock_is_on_record() {
    let world = World::new().await;
    let sent = |at: &'static str, n| {
        let world = &world;
        async move { send(world, &[("greffier-sent-at", at)], cut(event(n, "", "work").as_bytes(), 50)).await }
    };
    // 1.5 s before it came; and by a clock that is a minute ahead.
    assert_eq!(sent("2026-03-06T14:32:06.391Z", 1).await.status, 200);
    assert_eq!(sent("2026-03-06T15:33:07.891+01:00", 2).await.status, 200);
    let skews: Vec<i64> =
        world.trail("acme").iter().map(|event| event["source"]["skew_us"].as_i64().unwrap()).collect();
    assert_eq!(skews, [1_500_000, -60_000_000]);
    // It is our word: a producer cannot give it, and it makes no other event of one that is sent again.
    let given = send(&world, &[], cut(event(3, r#""skew_us":0"#, "work").as_bytes(), 50)).await;
    assert_eq!(given.json()["errors"][0]["field"], "source.skew_us");
    let again = sent("2026-03-06T14:32:07.891Z", 1).await;
    assert_eq!(again.json()["receipts"][0]["repeated"], true);
}

#[tokio::test]
async fn an_id_is_its_producers() {
    let world = World::new().await;
    let of = |producer: &str, name: &str| event(7, &format!(r#""producer":"{producer}","sequence":0"#), name);
    let post = |body: String| {
        let world = &world;
        async move { world.post("analyst@acme", "/api/v1/events", "application/x-ndjson", &body).await }
    };
    // In one body, and each again.
    let first = post(format!("{}\n{}", of("a", "one"), of("b", "two"))).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let receipt = |answer: &Answer, at: usize| answer.json()["receipts"][at].clone();
    let (a, b) = (receipt(&first, 0), receipt(&first, 1));
    assert_eq!((a["id"].as_str(), a["given"].as_str()), (Some(id(7).as_str()), None));
    assert_eq!(b["given"].as_str(), Some(id(7).as_str()));
    assert_ne!(b["id"], a["id"]);
    for (body, before) in [(of("a", "one"), &a), (of("b", "two"), &b)] {
        let again = receipt(&post(body).await, 0);
        assert_eq!((&again["receipt"], again["repeated"].as_bool()), (&before["receipt"], Some(true)));
    }
    assert_eq!(world.trail("acme").len(), 2);
    // Two accounts of one producer stay a contradiction.
    for producer in ["a", "b"] {
        let answer = post(of(producer, "three")).await;
        assert_eq!((answer.status, answer.json()["errors"][0]["code"].as_str()), (409, Some("conflict")));
    }
    // What came comes back as it came.
    let path = "/api/v1/export?q=tool:two&format=native&parts=true";
    let export: Value = world.get("auditor@acme", path).await.json();
    assert_eq!(export["id"].as_str(), Some(id(7).as_str()));
    // In the first document's form, too.
    let flat = format!(
        r#"{{"event_id":"{}","timestamp":"2026-03-01T09:00:00Z","event_type":"tool.call","action":"flat","source":{{"producer":"c","sequence":0}}}}"#,
        id(7)
    );
    assert_eq!(post(flat.clone()).await.status, 200);
    let path = "/api/v1/export?q=tool:flat&format=flat&parts=true";
    assert_eq!(world.get("auditor@acme", path).await.text().trim_end(), flat);
}

#[tokio::test]
async fn numbers_show_what_is_missing() {
    let world = World::new().await;
    let send = |numbers: &'static [(&'static str, usize)]| {
        let body: Vec<String> = numbers.iter().map(|(producer, n)| numbered(producer, *n)).collect();
        let world = &world;
        async move {
            let answer =
                world.post("analyst@acme", "/api/v1/events", "application/x-ndjson", &body.join("\n")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["producers"].to_string()
        }
    };
    insta::assert_snapshot!(send(&[("a", 0), ("a", 1), ("bb", 0)]).await, @r#"[{"producer":"a","last":1,"gaps":[],"repeated":0,"known_from":0},{"producer":"bb","last":0,"gaps":[],"repeated":0,"known_from":0}]"#);
    insta::assert_snapshot!(send(&[("a", 4), ("bb", 2)]).await, @r#"[{"producer":"a","last":4,"gaps":[{"first":2,"last":3}],"repeated":0,"known_from":0},{"producer":"bb","last":2,"gaps":[{"first":1,"last":1}],"repeated":0,"known_from":0}]"#);
    // What is sent again is no second event of its number.
    insta::assert_snapshot!(send(&[("a", 4), ("a", 2)]).await, @r#"[{"producer":"a","last":4,"gaps":[{"first":3,"last":3}],"repeated":0,"known_from":0}]"#);
    // Another event under a number that is taken.
    let other = event(99, r#""producer":"a","sequence":4"#, "other");
    let answer = world.post("analyst@acme", "/api/v1/events", "", &other).await;
    insta::assert_snapshot!(answer.json()["producers"].to_string(), @r#"[{"producer":"a","last":4,"gaps":[{"first":3,"last":3}],"repeated":1,"known_from":0}]"#);
    // A claim without numbers says nothing.
    let plain = event(100, "", "plain");
    assert!(world.post("analyst@acme", "/api/v1/events", "", &plain).await.json().get("producers").is_none());

    // The trail says so for good.
    let told = world.get("auditor@acme", "/api/v1/producers").await;
    insta::assert_snapshot!(told.json()["producers"].to_string(), @r#"[{"producer":"a","events":5,"since":"2026-03-06T14:32:07.891000Z","until":"2026-03-06T14:32:07.891000Z","last":4,"missing":1,"gaps":[{"first":3,"last":3}],"repeated":1,"known_from":0},{"producer":"bb","events":2,"since":"2026-03-06T14:32:07.891000Z","until":"2026-03-06T14:32:07.891000Z","last":2,"missing":1,"gaps":[{"first":1,"last":1}],"repeated":0,"known_from":0}]"#);
}

#[tokio::test]
async fn a_claim_about_a_governed_call_is_marked() {
    let world = filled("acme").await;
    let claim = r#"{"time":"2026-03-06T14:30:00Z","type":"action.failed","request_id":"req_7","user":{"sub":"auth0|alice"},"agent":{"id":"crm-assistant"},"action":{"name":"crm:contacts:search"}}"#;
    assert_eq!(world.post("analyst@acme", "/api/v1/events", "", claim).await.status, 200);
    let call = world.get("auditor@acme", "/api/v1/calls/req_7").await.json();
    let calls: Vec<String> = call["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| format!("{} {}", call["channel"], call["status"]))
        .collect();
    insta::assert_snapshot!(calls.join("\n"), @r#"
    "gateway" "success"
    "sdk" null
    "#);
    let standing: Vec<String> = call["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["standing"], entry["event"]["source"]["channel"], entry["event"]["user"]["verified"]
            )
        })
        .collect();
    insta::assert_snapshot!(standing.join("\n"), @r#"
    "enforced" "gateway" true
    "enforced" "gateway" true
    "claim" "sdk" null
    "#);
}

#[tokio::test]
async fn keys_alone_are_redacted_where_that_is_chosen() {
    let mut world = World::new().await;
    world.api = world.api.clone().inspecting(crate::Inspection::Keys);
    let body = format!(
        r#"{{"id":"{}","time":"2026-03-06T14:30:00Z","type":"tool.call","session_id":"card 4111111111111111","parts":[{{"name":"parameters","json":{{"ssn":"536-90-4399","api_key":"sk-live-deadbeef"}}}}]}}"#,
        id(1)
    );
    assert_eq!(world.post("analyst@acme", "/api/v1/events", "", &body).await.status, 200);
    assert_eq!(world.trail("acme")[0]["session_id"], "card <CREDIT_CARD>", "a leaf is for ever");
    let shown = world.get("analyst@acme", &format!("/api/v1/events/{}", id(1))).await;
    let contents = shown.json()["parts"][0]["json"].to_string();
    assert_eq!(contents, r#"{"ssn":"536-90-4399","api_key":"[REDACTED]"}"#);
}

/// Whoever let the sender in puts it on the sender's trail: what is handed up is the code and the reason, no content.
#[tokio::test]
async fn a_body_that_cannot_be_taken_says_so_beside_its_answer() {
    let world = World::new().await;
    let sound = format!(r#"{{"id":"{}","time":"2026-03-06T14:30:00Z","type":"tool.call"}}"#, id(1));
    let spaces = encoded("gzip", &vec![b' '; greffier_event::limits::DOCUMENT_BYTES + 1]);
    let cut_off = encoded("gzip", format!("{}\n", event(2, "", "work")).repeat(400).as_bytes());
    let whole = ("content-type", "application/json");
    let gzip = ("content-encoding", "gzip");
    let mut rows = Vec::new();
    for (headers, body) in [
        (vec![], sound.as_bytes().to_vec()),
        (vec![gzip], spaces.clone()),
        (vec![gzip, whole], spaces),
        (vec![gzip], cut_off[..cut_off.len() - 9].to_vec()),
        (vec![("content-encoding", "br")], b"{}".to_vec()),
        (vec![whole], b"[{},".to_vec()),
        (vec![whole], format!("[{}]", vec!["{}"; 10_001].join(",")).into_bytes()),
        (vec![whole], br#"{"type":"nothing of ours"}"#.to_vec()),
    ] {
        let answer = send(&world, &headers, cut(&body, 4_000)).await;
        let said = answer.unreadable.map(|unreadable| format!("{}: {}", unreadable.code, unreadable.message));
        rows.push(format!("{} {}", answer.status, said.as_deref().unwrap_or("-")));
    }
    insta::assert_snapshot!(rows.join("\n"), @"
    200 -
    413 too_large: a document has at most 32 MiB
    413 too_large: a document has at most 32 MiB
    207 invalid_encoding: the body is not what its content-encoding says
    415 unsupported_encoding: this content-encoding is not taken
    400 -
    413 too_many_events: a request takes at most 10000 events: send several
    400 -
    ");
}
