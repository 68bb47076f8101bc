//! Reports over a real trail: every statement is understood, the verdicts follow what is there, and people's word counts.

use serde_json::json;

use super::*;

const PERIOD: &str = "from=2026-03-06&to=2026-03-07";

/// A world whose trails have checkpoints that cover what is on them.
async fn covered(tenant: &str) -> World {
    let world = filled(tenant).await;
    let size = world.trail(tenant).len() as u64;
    world.wait_for_checkpoint(tenant, size).await;
    world
}

/// The verdicts of one report, control by control.
async fn check(world: &World, who: &str, standard: &str) -> String {
    let tenant = who.split_once('@').unwrap().1;
    world.wait_for_checkpoint(tenant, world.trail(tenant).len() as u64).await;
    let answer = world.get(who, &format!("/api/v1/reports/{standard}?{PERIOD}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.json();
    let claims = report["claims"].as_array().unwrap().iter();
    let line = |claim: &Value| {
        let says = claim["says"].as_str().unwrap();
        assert!(!says.contains("not answered"), "{claim:#}");
        format!("{} {}", claim["control"].as_str().unwrap(), claim["verdict"].as_str().unwrap())
    };
    claims.map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_of_every_standard_is_answered() {
    let world = covered("acme").await;
    // So that there is a trail of the node to read, signed, before the first report.
    assert_eq!(world.get("operator@acme", "/api/v1/events?tenant=greffier").await.status, 200);
    world.wait_for_checkpoint("greffier", 1).await;
    let mut lines = Vec::new();
    for standard in greffier_analysis::STANDARDS {
        let verdicts = check(&world, "auditor+operator@acme", standard.name).await;
        lines.push(format!("{}:\n{verdicts}\n", standard.name));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// What a report on the GDPR says of one person: control, verdict, population.
async fn about(world: &World, who: &str, params: &str) -> String {
    let answer = world.get(who, &format!("/api/v1/reports/gdpr?{PERIOD}&{params}")).await;
    if answer.status != 200 {
        return answer.status.to_string();
    }
    let report = answer.json();
    let claims = report["claims"].as_array().unwrap().iter();
    let of_person = claims.filter(|claim| claim["control"].as_str().unwrap().starts_with("person_"));
    let line = |claim: &Value| {
        assert!(!claim["says"].as_str().unwrap().contains("not answered"), "{claim:#}");
        let control = claim["control"].as_str().unwrap();
        format!("{control} {} {}", claim["verdict"].as_str().unwrap(), claim["population"])
    };
    of_person.map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn one_person_and_nobody_else() {
    let world = covered("acme").await;
    let alice = about(&world, "auditor@acme", "user=auth0%7Calice").await;
    insta::assert_snapshot!(alice, @"
    person_events EVIDENCED 2
    person_recipients EVIDENCED 1
    person_kept EVIDENCED 2
    person_copies NOT ASSESSED 0
    person_redacted NOT ASSESSED 0
    person_erasures NOT ASSESSED 0
    ");
    insta::assert_snapshot!(about(&world, "auditor@acme", "user=bob&subject=patient%207").await, @"
    person_events NOT ASSESSED 0
    person_recipients NOT ASSESSED 0
    person_kept NOT ASSESSED 0
    person_copies NOT ASSESSED 0
    person_redacted NOT ASSESSED 0
    person_erasures NOT ASSESSED 0
    ");
    // Nobody hears of another tenant's people, nor of anybody without the right to read.
    assert_eq!(about(&world, "auditor@other", "user=auth0%7Calice").await, "409", "its own trail is empty");
    assert_eq!(about(&world, "intern@acme", "user=auth0%7Calice").await, "403");
    let soc2 = world.get("auditor@acme", &format!("/api/v1/reports/soc2?{PERIOD}&user=x")).await;
    assert_eq!((soc2.status, soc2.text().contains("only the report `gdpr`")), (400, true));
    // Whoever is personal by name is asked about by a reference, and stands in no statement.
    let path = format!("/api/v1/reports/gdpr?{PERIOD}&user=a.okafor%40elisabeth.example");
    let report = world.get("auditor@acme", &path).await;
    assert_eq!(report.status, 200);
    assert!(!report.text().contains("okafor") && report.text().contains("ref:"));
    assert!(!world.trail("acme").iter().any(|event| event.to_string().contains("okafor")));
}

#[tokio::test]
async fn a_claim_is_the_answer_to_its_statement() {
    let world = covered("acme").await;
    let report = world.get("auditor@acme", &format!("/api/v1/reports/soc2?{PERIOD}")).await.json();
    let claims = report["claims"].as_array().unwrap();
    let mut compared = 0;
    for claim in claims.iter().filter(|claim| claim["population"].is_u64()) {
        let sql = claim["queries"][0]["sql"].as_str().unwrap();
        let body = json!({ "query": sql }).to_string();
        let rows = world.post("auditor@acme", "/api/v1/sql", "application/json", &body).await.json();
        let row = rows["rows"][0].as_object().unwrap();
        // Later reads are on the trail by now, and none of them changes an answer.
        for (name, value) in row {
            assert_eq!(claim["figures"].get(name), Some(value), "{}: {name}", claim["control"]);
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
    let size = report["trail"]["head"]["size"].as_u64().unwrap();
    assert!(report["totals"]["last_index"].as_u64().unwrap() < size);
}

#[tokio::test]
async fn peoples_word_counts() {
    let world = covered("acme").await;
    let say = async |who: &str, body: Value| {
        let answer = world.post(who, "/api/v1/attestations", "application/json", &body.to_string()).await;
        (answer.status, answer.json())
    };
    let verdict = async |control: &str| {
        let all = check(&world, "auditor@acme", "soc2").await;
        all.lines().find_map(|line| line.strip_prefix(&format!("{control} "))).unwrap().to_owned()
    };
    assert_eq!(verdict("reviewed").await, "GAP");
    assert_eq!(verdict("access_reviewed").await, "GAP");
    let sign_off = json!({"kind": "sign_off", "standard": "soc2", "from": "2026-02-01", "to": "2026-03-01", "note": "looked at all denials"});
    assert_eq!(say("auditor@acme", sign_off.clone()).await.0, 201);
    assert_eq!(
        say("auditor@acme", json!({"kind": "access_review", "note": "roles as they should be"})).await.0,
        201
    );
    assert_eq!(verdict("reviewed").await, "EVIDENCED");
    assert_eq!(verdict("access_reviewed").await, "EVIDENCED");
    // Who may not attest, and what is not one.
    assert_eq!(say("analyst@acme", sign_off).await.0, 403);
    assert_eq!(say("auditor@acme", json!({"kind": "access_review", "note": " "})).await.0, 400);
    assert_eq!(
        say("auditor@acme", json!({"kind": "policies", "digest": "sha256:x", "note": "n"})).await.0,
        400
    );
    assert_eq!(say("auditor@acme", json!({"kind": "other", "note": "n"})).await.0, 400);
    // Nobody reviews their own emergency.
    let (status, taken) =
        say("operator@acme", json!({"kind": "break_glass", "note": "patient in danger"})).await;
    assert_eq!(status, 201);
    let review = json!({"kind": "break_glass_review", "event": taken["id"], "note": "was needed"});
    assert_eq!(say("operator@acme", review.clone()).await.0, 403);
    assert_eq!(say("auditor@acme", review).await.0, 201);
    let unknown = json!({"kind": "break_glass_review", "event": EVENT, "note": "n"});
    assert_eq!(say("auditor@acme", unknown).await.0, 404);
    let names: Vec<String> = world
        .trail("acme")
        .iter()
        .filter(|event| event["type"] == "action.executed" && event["agent"]["id"] == "greffier")
        .map(|event| {
            let uri = event["resource"]["uri"].as_str().unwrap();
            let uri = taken["id"].as_str().map_or(uri.to_owned(), |id| uri.replace(id, "<id>"));
            format!(
                "{} {uri} by {}",
                event["action"]["name"].as_str().unwrap(),
                event["user"]["sub"].as_str().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(names.join("\n"), @"
    review:report audit://acme/reports/soc2/2026-02-01T00:00:00.000000Z/2026-03-01T00:00:00.000000Z by auth0|auditor
    review:access audit://acme/access by auth0|auditor
    break_glass audit://acme/break-glass by auth0|operator
    review:break_glass audit://acme/break-glass/<id> by auth0|auditor
    ");
}

#[tokio::test]
async fn what_cannot_be_reported_on() {
    let world = covered("acme").await;
    let get = async |path: &str| world.get("auditor@acme", path).await.shown();
    insta::assert_snapshot!(get("/api/v1/reports/soc3?from=2026-03-01&to=2026-04-01").await, @r#"
    404
    {
      "error": {
        "code": "not_found",
        "message": "there is no report `soc3`",
        "hint": "known are soc2, hipaa, gdpr, pci-dss, eu-ai-act, iso-42001, summary",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(get("/api/v1/reports/soc2?from=2026-03-01").await, @r#"
    400
    {
      "error": {
        "code": "bad_parameter",
        "message": "`to` is missing",
        "request_id": "req_1"
      }
    }
    "#);
    insta::assert_snapshot!(get("/api/v1/reports/soc2?from=2026-03-02&to=2026-03-01").await, @r#"
    400
    {
      "error": {
        "code": "bad_parameter",
        "message": "the period ends before it begins: `to` is the first day after it",
        "request_id": "req_1"
      }
    }
    "#);
    let page = world.get("auditor@acme", &format!("/api/v1/reports/soc2?{PERIOD}&format=html")).await;
    assert!(page.status == 200 && page.text().starts_with("<!doctype html>"));
    let summary = world.get("auditor@acme", &format!("/api/v1/reports/summary?{PERIOD}")).await.json();
    assert_eq!(summary["unique_agents"], 1);
}

#[tokio::test]
async fn a_pack_goes_with_its_report_and_is_valid() {
    let world = covered("acme").await;
    let path = format!("/api/v1/evidence?report=soc2&{PERIOD}");
    let answer = world.post("auditor@acme", &path, "", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut pack = greffier_ledger::pack::Pack::from_bytes(answer.body).unwrap();
    let report: Value = serde_json::from_str(&pack.report().unwrap().unwrap()).unwrap();
    let sampled = report["claims"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|claim| claim["samples"].as_array().cloned().unwrap_or_default());
    let mut sampled: Vec<u64> = sampled
        .filter(|sample| sample["trail"] == "acme")
        .map(|sample| sample["index"].as_u64().unwrap())
        .collect();
    sampled.sort_unstable();
    sampled.dedup();
    let checked =
        greffier_ledger::pack::check_pack(&mut pack, &greffier_ledger::verify::VerifyOptions::default())
            .unwrap();
    assert!(checked.is_ok(), "{:?}", checked.problems);
    assert!(!sampled.is_empty());
    assert_eq!(checked.figures.found, sampled.len() as u64);
    let refused = world.post("auditor@acme", &format!("{path}&q=user:alice"), "", "").await;
    assert_eq!(refused.status, 400);
}
