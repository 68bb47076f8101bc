//! `on_record_failure = "continue"`: who goes on while nothing can be recorded, and what the trail says of it later.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use greffier_event::{Event, EventType, OutcomeStatus};
use greffier_gateway::{Class, Continues, Settings, Stopped};

use crate::harness::{Answer, Ask, Harness, Trail, Upstream};

const SSN: &str = "536-90-4399";
const REPLY: &str = r#"{"id":"chatcmpl-1","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop",
"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;

fn chat(members: &str) -> Ask {
    let body =
        format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"hello"}}]{members}}}"#);
    Ask::post("/v1/chat/completions", &body)
}

fn get(path: &str) -> Ask {
    Ask::new("GET", path, "")
}

/// Every class goes on, callers are vouched for, and the tool's data is not classified.
fn goes_on(settings: &mut Settings) {
    settings.continues = Class::ALL.into_iter().collect();
    settings.issuers[0].issuer.verified = true;
    settings.tools[0].classification.clear();
}

/// What a caller sees.
fn seen(answer: &Answer) -> String {
    let receipt = answer.headers.get("greffier-receipt").map_or("no receipt", String::as_str);
    let receipt = if receipt.starts_with("acme ") { "a receipt" } else { receipt };
    format!("{} {receipt}", answer.status)
}

/// The gaps on a trail: what their leaves say, and the events that their accounts tell.
fn gaps(trail: &Trail) -> Vec<(Event, serde_json::Value, Vec<Event>)> {
    let gap = |event: &&Event| event.action.as_ref().is_some_and(|action| action.name == "gap");
    let told = |event: &Event| {
        let parts = trail.parts(event.id);
        let account = parts.get("account").map(String::as_str).unwrap_or_default();
        let events = account.lines().map(|line| Event::from_canonical(line.as_bytes()).unwrap());
        (event.clone(), serde_json::from_str(&parts["metadata"]).unwrap(), events.collect())
    };
    trail.events().iter().filter(gap).map(told).collect()
}

/// A trail in short: one word an entry.
fn shape(trail: &Trail) -> String {
    let of_acme = trail.events().iter().filter(|event| event.tenant.as_str() == "acme");
    let word = |event: &Event| match (event.kind, event.action.as_ref().map(|action| action.name.as_str())) {
        (EventType::Error, Some("gap")) => "gap",
        (EventType::ActionApproved, _) => "decision",
        (EventType::ActionExecuted, _) => "outcome",
        _ => "other",
    };
    of_acme.map(word).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn only_what_can_do_no_harm_goes_on() {
    let harness = Harness::with(Upstream::json(200, REPLY), goes_on).await;
    harness.break_disk().await;
    let mut rows = Vec::new();
    for (what, ask) in [
        ("a chat", chat("")),
        ("a streamed chat, answered whole", chat(r#","stream":true"#)),
        ("a chat with tools", chat(r#","tools":[]"#)),
        ("a chat that is kept", chat(r#","store":true"#)),
        ("a chat with a finding", chat(&format!(r#","user":"{SSN}""#))),
        ("a list of models", get("/v1/models")),
        ("a read", get("/tools/ehr/patients")),
        ("a read by HEAD", Ask::new("HEAD", "/tools/ehr/patients", "")),
        ("a read with a finding", get(&format!("/tools/ehr/patients/{SSN}"))),
        ("a read with a finding in its query", get(&format!("/tools/ehr/patients?q={SSN}"))),
        ("a read with a finding in a header", get("/tools/ehr/patients").header("x-note", SSN)),
        ("a read about somebody", get("/tools/ehr/patients?patient_id=p-77")),
        ("a POST", Ask::post("/tools/ehr/patients", "{}")),
        ("a PUT", Ask::new("PUT", "/tools/ehr/patients", "{}")),
        ("a PATCH", Ask::new("PATCH", "/tools/ehr/patients", "{}")),
        ("a DELETE", Ask::new("DELETE", "/tools/ehr/patients", "")),
        ("what is denied", get("/tools/ehr/patients").role("visitor")),
        ("a tool that is not there", get("/tools/nothing/patients")),
        ("no call at all", Ask::post("/v1/chat/completions", "{")),
        ("a stranger", get("/tools/ehr/patients").token("not-a-token")),
    ] {
        rows.push(format!("{what}: {}", seen(&harness.ask(ask).await)));
    }
    let reached = harness.upstream_saw().len();
    insta::assert_snapshot!(rows.join("\n"), @"
    a chat: 200 unrecorded
    a streamed chat, answered whole: 200 unrecorded
    a chat with tools: 503 no receipt
    a chat that is kept: 503 no receipt
    a chat with a finding: 503 no receipt
    a list of models: 200 unrecorded
    a read: 200 unrecorded
    a read by HEAD: 200 unrecorded
    a read with a finding: 503 no receipt
    a read with a finding in its query: 503 no receipt
    a read with a finding in a header: 503 no receipt
    a read about somebody: 503 no receipt
    a POST: 503 no receipt
    a PUT: 503 no receipt
    a PATCH: 503 no receipt
    a DELETE: 503 no receipt
    what is denied: 503 no receipt
    a tool that is not there: 503 no receipt
    no call at all: 503 no receipt
    a stranger: 503 no receipt
    ");
    assert_eq!(reached, rows.iter().filter(|row| row.contains(" unrecorded")).count());
    harness.mend_disk().await;
    harness.stop().await;
}

/// How a read and a chat fare under these settings while nothing can be recorded.
async fn check(change: impl FnOnce(&mut Settings)) -> String {
    let change = |settings: &mut Settings| {
        goes_on(settings);
        change(settings);
    };
    let harness = Harness::with(Upstream::json(200, REPLY), change).await;
    harness.break_disk().await;
    let read = harness.ask(get("/tools/ehr/patients")).await;
    let chat = harness.ask(chat("")).await;
    harness.mend_disk().await;
    harness.stop().await;
    format!("read {}, chat {}", seen(&read), seen(&chat))
}

#[tokio::test]
async fn classes_callers_and_data_are_told_apart() {
    insta::assert_snapshot!(check(|_| ()).await, @"read 200 unrecorded, chat 200 unrecorded");
    let refuse = |settings: &mut Settings| settings.continues = Continues::default();
    insta::assert_snapshot!(check(refuse).await, @"read 503 no receipt, chat 503 no receipt");
    let models = |settings: &mut Settings| settings.continues = [Class::InvokeModel].into_iter().collect();
    insta::assert_snapshot!(check(models).await, @"read 503 no receipt, chat 200 unrecorded");
    let tools = |settings: &mut Settings| settings.continues = [Class::CallTool].into_iter().collect();
    insta::assert_snapshot!(check(tools).await, @"read 200 unrecorded, chat 503 no receipt");
    let unverified = |settings: &mut Settings| settings.issuers[0].issuer.verified = false;
    insta::assert_snapshot!(check(unverified).await, @"read 503 no receipt, chat 503 no receipt");
    let classified = |settings: &mut Settings| settings.tools[0].classification = vec!["phi".to_owned()];
    insta::assert_snapshot!(check(classified).await, @"read 503 no receipt, chat 200 unrecorded");
}

#[tokio::test]
async fn the_gap_comes_before_anything_else_and_tells_every_call() {
    let harness = Harness::with(Upstream::json(200, REPLY), goes_on).await;
    harness.ask(chat("")).await;
    harness.break_disk().await;
    let chatted = harness.ask(chat("")).await;
    let read =
        harness.ask(get("/tools/ehr/patients").header("greffier-session-id", &format!("s {SSN}"))).await;
    let ready = harness.ask(get("/readyz").token("")).await;
    insta::assert_snapshot!(ready.body, @r#"{"ready":false,"recording":"checkpoints cannot be written: Not a directory (os error 20)","warnings":[],"anchoring":{"state":"UNANCHORED","reason":"no witness is configured"},"unrecorded":{"continuing":true,"classes":["invoke_model","call_tool"],"accounted":2,"counted":0,"late":0}}"#);
    let metrics = harness.ask(get("/metrics").token("")).await.body;
    let mut ours: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("greffier_") && (line.contains("ontinu") || line.contains("unrec")))
        .collect();
    ours.sort_unstable();
    insta::assert_snapshot!(ours.join("\n"), @r#"
    greffier_continued_total{class="call_tool"} 1
    greffier_continued_total{class="invoke_model"} 1
    greffier_continuing 1
    greffier_unrecorded_accounted 2
    greffier_unrecorded_counted 0
    greffier_unrecorded_late 0
    "#);

    harness.mend_disk().await;
    // The very next call, before the gateway's own pace comes to it.
    let next = harness.ask(chat("")).await;
    assert_eq!(seen(&next), "200 a receipt");
    harness.until_ready_says(r#""accounted":0"#).await;
    let trail = harness.stop().await;
    insta::assert_snapshot!(shape(&trail), @"decision outcome gap decision outcome");
    trail.verifies();

    let gaps = gaps(&trail);
    let (gap, metadata, account) = &gaps[0];
    assert_eq!(gap.resource.as_ref().unwrap().uri.as_deref(), Some("audit://acme/gap"));
    let agent = gap.agent.as_ref().unwrap();
    assert_eq!((agent.id.as_str(), agent.verified), ("greffier", true));
    let told: Vec<(EventType, Option<&str>)> =
        account.iter().map(|event| (event.kind, event.request_id.as_deref())).collect();
    let of = |answer: &Answer| answer.headers["greffier-request-id"].clone();
    let (chatted, read) = (of(&chatted), of(&read));
    assert_eq!(
        told,
        [
            (EventType::ActionApproved, Some(chatted.as_str())),
            (EventType::ActionExecuted, Some(chatted.as_str())),
            (EventType::ActionApproved, Some(read.as_str())),
            (EventType::ActionExecuted, Some(read.as_str())),
        ]
    );
    // Who, what, decided how: as their entries would have said, and as clean.
    let decision = &account[2];
    assert_eq!(decision.user.as_ref().unwrap().sub, gap_user(&trail), "a keyed reference");
    assert_eq!(decision.session_id.as_deref(), Some("s <US_SSN>"));
    assert_eq!(decision.policy.as_ref().unwrap().rule.as_deref(), Some("analysts may use the ehr"));
    assert_eq!(decision.recorded_at, None, "it was not recorded");
    assert_eq!(account[1].usage.as_ref().unwrap().input_tokens, Some(10));
    assert!(!trail.contains_anywhere(&[SSN]) && !trail.any_part_contains(&[SSN, trail.token()]));
    // How long, in the leaf: parts may be gone one day.
    assert_eq!(
        (account[0].time, metadata["first"].as_str()),
        (gap.time, Some(gap.time.to_string().as_str()))
    );
    let duration = account[2].time.as_micros() - account[0].time.as_micros();
    assert_eq!(gap.outcome.as_ref().unwrap().duration_us, Some(u64::try_from(duration).unwrap()));
    let words = gap.policy.as_ref().unwrap().reason.clone().unwrap();
    assert!(words.ends_with(": 2 calls were made unrecorded and are told in the account"), "{words}");
    assert_eq!((metadata["accounted"].as_u64(), metadata["counted"].as_u64()), (Some(2), Some(0)));
    assert!(metadata["reason"].as_str().unwrap().contains("checkpoints cannot be written"), "{metadata}");
}

/// The caller as recorded calls name it.
fn gap_user(trail: &Trail) -> String {
    let recorded = trail.of_type(EventType::ActionApproved);
    recorded[0].user.as_ref().unwrap().sub.clone()
}

#[tokio::test]
async fn a_gap_is_written_without_anybody_asking() {
    let harness = Harness::with(Upstream::json(200, REPLY), goes_on).await;
    harness.break_disk().await;
    assert_eq!(seen(&harness.ask(chat("")).await), "200 unrecorded");
    harness.mend_disk().await;
    harness.until_ready_says(r#""accounted":0"#).await;
    let trail = harness.stop().await;
    insta::assert_snapshot!(shape(&trail), @"gap");
}

#[tokio::test]
async fn a_call_that_ends_after_its_gap_leaves_its_outcome() {
    let (upstream, go) = Upstream::json(200, REPLY).held();
    let harness = Harness::with(upstream, goes_on).await;
    harness.break_disk().await;
    let during = async {
        harness.until_reached().await;
        harness.mend_disk().await;
        harness.until_ready_says(r#""accounted":0"#).await;
        go.notify_one();
    };
    let (answer, ()) = tokio::join!(harness.ask(chat("")), during);
    assert_eq!(seen(&answer), "200 unrecorded");
    let trail = harness.stop().await;
    insta::assert_snapshot!(shape(&trail), @"gap outcome");
    let (gap, outcome) = (&gaps(&trail)[0], &trail.of_type(EventType::ActionExecuted)[0]);
    assert_eq!(gap.2.len(), 1, "its decision");
    assert_eq!(gap.2[0].request_id, outcome.request_id);
    trail.verifies();
}

/// A call whose decision is on record, and whose outcome cannot be.
async fn check_outcome(upstream: Upstream, ask: Ask, change: impl FnOnce(&mut Settings)) -> (Answer, Trail) {
    let (upstream, go) = upstream.held();
    let change = |settings: &mut Settings| {
        goes_on(settings);
        change(settings);
    };
    let harness = Harness::with(upstream, change).await;
    let during = async {
        harness.until_reached().await;
        harness.break_disk().await;
        go.notify_one();
    };
    let (answer, ()) = tokio::join!(harness.ask(ask), during);
    harness.mend_disk().await;
    harness.until_ready_says(r#""late":0"#).await;
    (answer, harness.stop().await)
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_follows_the_gap() {
    let (answer, trail) = check_outcome(Upstream::json(200, REPLY), chat(""), |_| ()).await;
    assert_eq!(seen(&answer), "200 a receipt");
    insta::assert_snapshot!(shape(&trail), @"decision gap outcome");
    let events = trail.call(&answer.headers["greffier-request-id"]);
    assert_eq!(events[1].outcome.as_ref().unwrap().status, OutcomeStatus::Success);
    assert_eq!(gaps(&trail)[0].1["outcomes_late"], 1);
    trail.verifies();
}

#[tokio::test]
async fn a_stream_whose_outcome_cannot_be_recorded_ends_well() {
    let data = r#"data: {"id":"c1","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}"#;
    let events = [data, "data: [DONE]"].map(|event| format!("{event}\n\n")).to_vec();
    let (answer, trail) = check_outcome(Upstream::sse(events), chat(r#","stream":true"#), |_| ()).await;
    assert!(answer.complete && answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
    insta::assert_snapshot!(shape(&trail), @"decision gap outcome");
}

#[tokio::test]
async fn where_nothing_goes_on_its_reply_is_withheld() {
    let refuse = |settings: &mut Settings| settings.continues = Continues::default();
    let (upstream, go) = Upstream::json(200, REPLY).held();
    let harness = Harness::with(upstream, refuse).await;
    let during = async {
        harness.until_reached().await;
        harness.break_disk().await;
        go.notify_one();
    };
    let (answer, ()) = tokio::join!(harness.ask(chat("")), during);
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("outcome_unrecorded"), "{}", answer.body);
    harness.mend_disk().await;
    let trail = harness.stop().await;
    insta::assert_snapshot!(shape(&trail), @"decision");
}

#[tokio::test]
async fn a_stop_says_what_it_takes_with_it() {
    let harness = Harness::with(Upstream::json(200, REPLY), goes_on).await;
    harness.break_disk().await;
    harness.ask(chat("")).await;
    harness.ask(get("/tools/ehr/patients")).await;
    let stopped = harness.stop_broken().await;
    assert_eq!(stopped, Stopped { unaccounted: 2, outcomes: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_while_the_disk_comes_and_goes() {
    const CALLERS: usize = 8;
    let harness = Harness::with(Upstream::json(200, REPLY), goes_on).await;
    let over = std::sync::atomic::AtomicBool::new(false);
    let caller = async |_: usize| {
        let mut answers = Vec::new();
        while !over.load(std::sync::atomic::Ordering::Acquire) {
            answers.push(harness.ask(chat("")).await);
        }
        answers
    };
    let disk = async {
        for _ in 0..2 {
            harness.break_disk().await;
            harness.until_ready_says(r#""continuing":true"#).await;
            harness.mend_disk().await;
            harness.until_ready_says(r#""accounted":0"#).await;
        }
        over.store(true, std::sync::atomic::Ordering::Release);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all((0..CALLERS).map(caller)), disk);
    let answers: Vec<Answer> = answers.into_iter().flatten().collect();
    let trail = harness.stop().await;
    trail.verifies();

    let told: Vec<Event> = gaps(&trail).into_iter().flat_map(|(_, _, account)| account).collect();
    let mut unrecorded = 0;
    for answer in &answers {
        let id = &answer.headers["greffier-request-id"];
        let of_call = |event: &&Event| event.request_id.as_ref() == Some(id);
        let on_trail: Vec<EventType> = trail.call(id).iter().map(|event| event.kind).collect();
        let in_account: Vec<EventType> = told.iter().filter(of_call).map(|event| event.kind).collect();
        // Each event of each call is somewhere, once; and a receipt was given for those on the trail only.
        let all = [in_account.as_slice(), &on_trail].concat();
        assert_eq!(all, [EventType::ActionApproved, EventType::ActionExecuted], "{}", answer.status);
        let recorded = on_trail.contains(&EventType::ActionApproved);
        assert_eq!(seen(answer), if recorded { "200 a receipt" } else { "200 unrecorded" });
        unrecorded += usize::from(!recorded);
    }
    assert!(unrecorded > 0 && unrecorded < answers.len());
}
