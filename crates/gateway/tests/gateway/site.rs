//! The door: who gets through to the guest, with what, and what a stop waits for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy.toml exempts only inside test functions"
)]

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use greffier_event::{Agent, Draft, Event, EventId, EventType};
use greffier_gateway::{Access, Body, Site, Unreadable, Visit};
use greffier_ledger::Appender;
use http::{Method, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::Notify;

use crate::harness::{Ask, Harness};

/// Its answers to those who come in tell what it was given.
struct Guest {
    appender: Appender,
    came: Notify,
}

impl Guest {
    fn new(appender: Appender) -> Arc<Guest> {
        Arc::new(Guest { appender, came: Notify::new() })
    }
}

/// Entries of the answer that a stop has to wait for: while they are written one after the other, a stop that does
/// not wait gets its own in between.
const LATE_ENTRIES: usize = 10;

impl Site for Guest {
    fn access(&self, method: &Method, path: &str) -> Access {
        match (path, method.as_str()) {
            ("/open", "GET") => Access::Open,
            ("/told" | "/late" | "/tail", "GET") | ("/told" | "/panics" | "/long", "POST") => Access::Caller,
            ("/open" | "/told" | "/late" | "/tail" | "/panics" | "/long", _) => Access::WrongMethod,
            _ => Access::Unknown,
        }
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Response<Body>> {
        self.came.notify_one();
        let path = visit.parts.uri.path().to_owned();
        let appender = self.appender.clone();
        async move {
            match path.as_str() {
                "/panics" => panic!("a guest that breaks things"),
                "/late" => late(&visit, &appender).await,
                "/tail" => tail(visit),
                "/long" => long(&visit),
                _ => told(&visit),
            }
        }
        .boxed()
    }
}

fn told(visit: &Visit) -> Response<Body> {
    let credentials = ["authorization", "x-api-key"].map(|name| visit.parts.headers.contains_key(name));
    let caller = visit.caller.as_ref().map(|caller| (caller.tenant.as_str(), caller.user.as_deref()));
    let text = format!(
        "{} {} {caller:?} from {} with {:?}, credentials {credentials:?}, {} policies",
        visit.parts.method,
        visit.parts.uri,
        visit.peer,
        visit.body,
        visit.policies.texts().len(),
    );
    Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed())
}

/// Says that the body was too long for it.
fn long(visit: &Visit) -> Response<Body> {
    let mut response = told(visit);
    *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
    let message = "a document has at most 32 MiB".to_owned();
    response.extensions_mut().insert(Unreadable { code: "too_large", message });
    response
}

/// An answer that has much to write down when the stop has begun.
async fn late(visit: &Visit, appender: &Appender) -> Response<Body> {
    visit.stop.cancelled().await;
    for _ in 0..LATE_ENTRIES {
        let tenant = visit.caller.as_ref().unwrap().tenant.clone();
        let mut event = Event::new(EventId(uuid::Uuid::now_v7()), EventType::AgentStop, tenant, visit.now);
        event.agent = Some(Agent { id: "guest".to_owned(), ..Agent::default() });
        event.recorded_at = Some(visit.now);
        appender.append(Draft { event, parts: Vec::new() }).await.unwrap();
    }
    told(visit)
}

/// A body that ends when the gateway stops, and not before.
fn tail(visit: Visit) -> Response<Body> {
    let stop = visit.stop;
    let frames = futures_util::stream::unfold(0, move |sent| {
        let stop = stop.clone();
        async move {
            if sent == 1 {
                stop.cancelled().await;
            }
            let text = *["begun\n", "ended\n"].get(sent)?;
            Some((Ok::<_, io::Error>(Frame::data(Bytes::from(text))), sent + 1))
        }
    });
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// What the answer says, without what differs from run to run.
async fn check(harness: &Harness, ask: Ask) -> String {
    let answer = harness.ask(ask).await;
    let id = &answer.headers["greffier-request-id"];
    assert!(id.starts_with("req_"), "{id}");
    format!("{} {}", answer.status, answer.body.replace(id.as_str(), "req_…"))
}

fn get(path: &str) -> Ask {
    Ask::new("GET", path, "")
}

fn anonymous(ask: Ask) -> Ask {
    ask.token("")
}

#[tokio::test]
async fn whoever_may_come_in_is_told_apart() {
    let harness = Harness::hosting(Guest::new).await;
    let mut rows = Vec::new();
    for ask in [
        get("/told?a=b%20c"),
        Ask::post("/told", "{}").header("x-api-key", harness.token()),
        anonymous(get("/open")),
        // Nothing that a stranger sends is held.
        anonymous(Ask::new("GET", "/open", "a body")),
        get("/open").token("not looked at"),
        anonymous(get("/told")),
        anonymous(get("/nowhere")),
        get("/v1/nothing"),
        Ask::new("DELETE", "/told", ""),
        Ask::post("/told", &"x".repeat(1_001)),
        Ask::post("/told", "gzip?").header("content-encoding", "gzip"),
    ] {
        rows.push(check(&harness, ask).await);
    }
    insta::assert_snapshot!(rows.join("\n"), @r#"
    200 GET /told?a=b%20c Some(("acme", Some("alice@acme.example"))) from 127.0.0.1 with b"", credentials [false, false], 1 policies
    200 POST /told Some(("acme", Some("alice@acme.example"))) from 127.0.0.1 with b"{}", credentials [false, false], 1 policies
    200 GET /open None from 127.0.0.1 with b"", credentials [false, false], 1 policies
    200 GET /open None from 127.0.0.1 with b"", credentials [false, false], 1 policies
    200 GET /open None from 127.0.0.1 with b"", credentials [false, false], 1 policies
    401 {"error":{"code":"missing_token","message":"no token: send an access token as `Authorization: Bearer` or as the API key","hint":"send your OAuth access token as `Authorization: Bearer …` or `x-api-key`","request_id":"req_…"}}
    404 {"error":{"code":"unknown_route","message":"nothing is served at this path","request_id":"req_…"}}
    404 {"error":{"code":"unknown_route","message":"nothing is served at this path","request_id":"req_…"}}
    405 {"error":{"code":"method_not_allowed","message":"this route does not take that method","request_id":"req_…"}}
    413 {"error":{"code":"body_too_large","message":"the body is over the limit","request_id":"req_…"}}
    415 {"error":{"code":"unsupported_encoding","message":"send the body without content-encoding","request_id":"req_…"}}
    "#);
    harness.stop().await;
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let harness = Harness::hosting(Guest::new).await;
    for version in [|ask: Ask| ask, Ask::http2] {
        let whole = harness.ask(version(get("/told"))).await;
        let answer = harness.ask(version(Ask::new("HEAD", "/told", ""))).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.complete), (200, "", true));
        assert_eq!(answer.headers["content-length"], whole.body.len().to_string());
    }
    harness.stop().await;
}

#[tokio::test]
async fn strangers_are_recorded_on_the_nodes_trail() {
    let harness = Harness::hosting(Guest::new).await;
    for ask in [anonymous(get("/told")), get("/told").token("not-a-token"), anonymous(get("/nowhere"))] {
        harness.ask(ask).await;
    }
    let metrics = harness.ask(get("/metrics")).await.body;
    let trail = harness.stop().await;
    let mut rows: Vec<String> = trail
        .of_type(EventType::PermissionDenied)
        .into_iter()
        .map(|event| {
            let (source, resource) = (event.source.unwrap(), event.resource.unwrap());
            let reason = event.policy.unwrap().reason.unwrap();
            format!("{} {:?} {:?}: {reason}", event.tenant, resource.uri, source.protocol)
        })
        .chain(metrics.lines().filter(|line| line.contains("\"api\"")).map(str::to_owned))
        .collect();
    rows.sort();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    greffier Some("audit://identity/api") Some("api"): malformed_token: the token is not a well-formed JWT
    greffier Some("audit://identity/api") Some("api"): missing_token: no token: send an access token as `Authorization: Bearer` or as the API key
    greffier_answers_total{protocol="api",status="401",code="malformed_token"} 1
    greffier_answers_total{protocol="api",status="401",code="missing_token"} 1
    greffier_answers_total{protocol="api",status="404",code="unknown_route"} 1
    "#);
}

#[tokio::test]
async fn a_body_that_the_guest_cannot_take_is_on_its_senders_trail() {
    let harness = Harness::hosting(Guest::new).await;
    let answer = harness.ask(Ask::post("/long", "{}")).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.starts_with("POST /long"), "the guest's own answer: {}", answer.body);
    let id = answer.headers["greffier-request-id"].clone();
    let metrics = harness.ask(get("/metrics")).await.body;
    assert!(metrics.contains(r#"greffier_answers_total{protocol="api",status="413",code="too_large"} 1"#));
    let trail = harness.stop().await;
    let [event] = trail.call(&id).try_into().unwrap();
    assert_eq!((event.kind, event.tenant.as_str()), (EventType::Error, "acme"));
    assert_eq!(event.action.unwrap().name, "malformed");
    let outcome = event.outcome.unwrap();
    assert_eq!((outcome.code, outcome.error.as_deref()), (Some(413), Some("too_large")));
    assert_eq!(trail.parts(event.id)["error"], "a document has at most 32 MiB");
}

#[tokio::test]
async fn while_nothing_is_recorded_only_open_paths_answer() {
    let mut harness = Harness::hosting(Guest::new).await;
    harness.stop_recording().await;
    assert!(check(&harness, get("/told")).await.starts_with("503 {\"error\":{\"code\":\"not_recording\""));
    assert!(check(&harness, anonymous(get("/open"))).await.starts_with("200 "));
    harness.stop().await;
}

#[tokio::test]
async fn a_guest_that_panics_is_an_internal_error() {
    let harness = Harness::hosting(Guest::new).await;
    insta::assert_snapshot!(check(&harness, Ask::post("/panics", "{}")).await, @r#"500 {"error":{"code":"internal","message":"an internal error; the server's log says more","request_id":"req_…"}}"#);
    assert!(check(&harness, get("/told")).await.starts_with("200 "), "and the listener lives on");
    harness.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_being_answered() {
    let mut guest = None;
    let harness = Harness::hosting(|appender| Arc::clone(guest.insert(Guest::new(appender)))).await;
    let guest = guest.unwrap();
    // Its caller does not wait: no connection is left for the stop to wait for.
    harness.leave_at(get("/late"), &guest.came).await;
    let trail = harness.stop().await;
    let events = trail.events();
    assert_eq!(events.iter().filter(|event| event.tenant.as_str() == "acme").count(), LATE_ENTRIES);
    trail.verifies();
}

#[tokio::test]
async fn a_body_without_end_ends_at_the_stop() {
    let mut guest = None;
    let harness = Harness::hosting(|appender| Arc::clone(guest.insert(Guest::new(appender)))).await;
    let guest = guest.unwrap();
    let stopping = async {
        guest.came.notified().await;
        harness.begin_stop();
    };
    let (answer, ()) = tokio::join!(harness.ask(get("/tail")), stopping);
    assert!(answer.complete);
    assert_eq!(answer.body, "begun\nended\n");
    harness.stop().await;
}
