//! A gateway on a free port, an upstream in the same process that keeps what it saw, and a reader of the trail.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a module of one test binary")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use greffier_event::{ActionKind, Draft, Event, EventId, EventType, Tenant, Timestamp};
use greffier_gateway::{
    CancellationToken, Clock, KeySource, Limits, Secret, Settings, Site, Stopped, ToolServer, TrustedIssuer,
    UpstreamKind, prices::Prices,
};
use greffier_ledger::{Appender, KeyRing, Ledger, LedgerConfig, Reader, verify};
use greffier_policy::dev::{Claims, DevIssuer};
use greffier_policy::{Policies, Tenants};
use greffier_safety::{Rulebook, Rules};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://greffier.test";
const POLICY: &str = r#"
@id("analysts may use any model")
permit (principal in Role::"analyst", action == Action::"invoke_model", resource);
@id("nobody shows pictures to the blind model")
forbid (principal, action == Action::"invoke_model", resource == Model::"gpt-blind")
when { context.findings.contains("media:image") };
@id("analysts may use the ehr")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"ehr");
@id("analysts may use their agents' own tools")
permit (principal in Role::"analyst", action == Action::"call_tool", resource)
when { resource in [Server::"claude-code", Server::"codex", Server::"cursor"] };
@id("analysts may use the crm")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource in Server::"crm")
unless { resource == Tool::"crm:method:tasks/result" };
@id("nobody drops a table")
forbid (principal, action == Action::"call_tool", resource == Tool::"crm:drop");
@id("nobody removes everything")
forbid (principal, action == Action::"call_tool", resource)
when { context.source.channel == "hook" && context.parameters.hasTag("command") && context.parameters.getTag("command") like "*rm -rf /*" };
"#;

/// What the upstream answers to everything.
#[derive(Clone)]
pub enum Upstream {
    Json(u16, String),
    Sse(Vec<String>),
    Silent,
    /// Waits for its turn.
    Held(Arc<tokio::sync::Notify>, Box<Upstream>),
}

impl Upstream {
    pub fn json(status: u16, body: &str) -> Upstream {
        Upstream::Json(status, body.to_owned())
    }
    pub fn sse(events: Vec<String>) -> Upstream {
        Upstream::Sse(events)
    }
    pub fn silent() -> Upstream {
        Upstream::Silent
    }
    /// This one, each answer of which waits until somebody lets it go.
    pub fn held(self) -> (Upstream, Arc<tokio::sync::Notify>) {
        let go = Arc::new(tokio::sync::Notify::new());
        (Upstream::Held(Arc::clone(&go), Box::new(self)), go)
    }
}

/// What the upstream saw.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// One request to the gateway.
pub struct Ask {
    method: &'static str,
    path: String,
    body: String,
    role: String,
    /// Instead of one minted for the role; an empty one is not sent.
    token: Option<String>,
    headers: Vec<(String, String)>,
    http2: bool,
}

impl Ask {
    pub fn post(path: &str, body: &str) -> Ask {
        Ask::new("POST", path, body)
    }
    pub fn new(method: &'static str, path: &str, body: &str) -> Ask {
        Ask {
            method,
            path: path.to_owned(),
            body: body.to_owned(),
            role: "analyst".to_owned(),
            token: None,
            headers: Vec::new(),
            http2: false,
        }
    }
    pub fn http2(mut self) -> Ask {
        self.http2 = true;
        self
    }
    pub fn role(mut self, role: &str) -> Ask {
        self.role = role.to_owned();
        self
    }
    pub fn token(mut self, token: &str) -> Ask {
        self.token = Some(token.to_owned());
        self
    }
    pub fn header(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

pub struct Harness {
    dir: tempfile::TempDir,
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    upstream: Arc<Mutex<Upstream>>,
    reached: Arc<tokio::sync::Notify>,
    issuer: DevIssuer,
    clock: Clock,
    token: String,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<Stopped>,
    ledger: Option<Ledger>,
}

impl Harness {
    pub async fn start(upstream: Upstream) -> Harness {
        Harness::with(upstream, |_| {}).await
    }

    pub async fn with(upstream: Upstream, change: impl FnOnce(&mut Settings)) -> Harness {
        Harness::begin(upstream, change, |_| None).await
    }

    /// With a guest, who may append to the trails.
    pub async fn hosting<S: Site>(guest: impl FnOnce(Appender) -> Arc<S>) -> Harness {
        let change = |settings: &mut Settings| settings.limits.body = 1_000;
        Harness::begin(Upstream::json(200, "{}"), change, |appender| Some(guest(appender))).await
    }

    async fn begin(
        upstream: Upstream,
        change: impl FnOnce(&mut Settings),
        site: impl FnOnce(Appender) -> Option<Arc<dyn Site>>,
    ) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let policy_dir = dir.path().join("policies");
        std::fs::create_dir(&policy_dir).unwrap();
        std::fs::write(policy_dir.join("test.cedar"), POLICY).unwrap();
        let policies = Policies::load(greffier_gateway::read_policies(&policy_dir).unwrap()).unwrap();
        KeyRing::create(&dir.path().join("keys")).unwrap();
        let (ledger, startup) = Ledger::start(LedgerConfig {
            dir: dir.path().join("data"),
            keys_dir: dir.path().join("keys"),
            origin: "greffier.test".to_owned(),
            node: "test".to_owned(),
            seal: greffier_ledger::SealPolicy::default(),
        })
        .unwrap();

        let (seen, reached) = (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
        let upstream = Arc::new(Mutex::new(upstream));
        let base = serve_upstream(Arc::clone(&upstream), Arc::clone(&seen), Arc::clone(&reached)).await;
        let issuer = DevIssuer::from_seed(&[7; 32]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings {
            listen: address,
            node: "test".to_owned(),
            tls: None,
            issuers: vec![TrustedIssuer {
                issuer: issuer.issuer(AUDIENCE, Tenants::Any),
                keys: KeySource::Fixed(issuer.jwks().into_bytes()),
            }],
            upstreams: vec![greffier_gateway::Upstream {
                name: "openai".to_owned(),
                kind: UpstreamKind::OpenAi,
                base_url: format!("{base}/v1").parse().unwrap(),
                api_key: Some(Secret::new("sk-upstream".to_owned())),
                models: vec!["gpt-*".to_owned()],
                timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(10),
                reach: greffier_gateway::Reach::default(),
            }],
            tools: vec![ToolServer {
                name: "ehr".to_owned(),
                base_url: base.parse().unwrap(),
                resource: Some("ehr://{path}".to_owned()),
                subject: Some("/patient_id".to_owned()),
                classification: vec!["phi".to_owned()],
                credential: None,
                timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(10),
                kind: ActionKind::Tool,
                reach: greffier_gateway::Reach::default(),
                api: Arc::default(),
            }],
            mcp: greffier_gateway::McpSettings::default(),
            policy_dir,
            scanner: Arc::new(greffier_safety::Scanner::new()),
            rules: Rulebook {
                models: Rules::new(greffier_event::RedactionAction::Redact),
                tools: Rules::new(greffier_event::RedactionAction::Flag),
                rules: Vec::new(),
            },
            remote: None,
            prices: Prices::builtin().unwrap(),
            continues: greffier_gateway::Continues::default(),
            limits: Limits::default(),
            clock: Clock::system(),
            config_text: String::new(),
        };
        change(&mut settings);
        let (clock, stop) = (settings.clock.clone(), CancellationToken::new());
        let site = site(ledger.appender());
        let serving = tokio::spawn({
            let (appender, stop) = (ledger.appender(), stop.clone());
            async move {
                greffier_gateway::serve(settings, policies, appender, startup, listener, stop, site)
                    .await
                    .unwrap()
            }
        });
        until_ready(address).await;
        let token = mint(&issuer, "analyst", clock.now());
        Harness {
            dir,
            address,
            seen,
            upstream,
            reached,
            issuer,
            clock,
            token,
            stop,
            serving,
            ledger: Some(ledger),
        }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// A token of somebody else who is an analyst.
    pub fn token_of(&self, who: &str) -> String {
        mint_for(&self.issuer, who, "analyst", self.clock.now())
    }

    /// From now on the upstream answers this.
    pub fn answer_with(&self, upstream: Upstream) {
        *self.upstream.lock().unwrap() = upstream;
    }

    fn request(&self, ask: Ask) -> http::Request<Full<Bytes>> {
        let token = match (ask.token, ask.role.as_str()) {
            (Some(token), _) => token,
            (None, "analyst") => self.token.clone(),
            (None, role) => mint(&self.issuer, role, self.clock.now()),
        };
        let mut request = http::Request::builder()
            .method(ask.method)
            .uri(format!("http://{}{}", self.address, ask.path))
            .header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(ask.body)).unwrap()
    }

    pub async fn ask(&self, ask: Ask) -> Answer {
        let client = Client::builder(TokioExecutor::new()).http2_only(ask.http2).build_http();
        let response = client.request(self.request(ask)).await.unwrap();
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let (mut body, mut complete, mut stream) = (Vec::new(), true, response.into_body());
        while let Some(frame) = stream.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    complete = false;
                    break;
                }
            }
        }
        Answer { status, headers, body: String::from_utf8(body).unwrap(), complete }
    }

    /// Sends bytes as they are, and reads the head of what comes back.
    pub async fn raw(&self, bytes: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"}") && stream.read_buf(&mut said).await.unwrap() > 0 {}
        String::from_utf8(said).unwrap()
    }

    /// Sends a request, waits until the upstream has it, and closes the connection.
    pub async fn ask_and_leave(&self, ask: Ask) {
        self.leave_at(ask, &self.reached).await;
    }

    /// Sends a request and closes the connection as soon as somebody says it came.
    pub async fn leave_at(&self, ask: Ask, came: &tokio::sync::Notify) {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = self.request(ask);
        tokio::select! {
            _ = client.request(request) => panic!("nobody was to wait for an answer"),
            () = came.notified() => {}
        }
    }

    pub fn upstream_saw(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Begins the stop, and does not wait for its end.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// From now on nothing can be recorded.
    pub async fn stop_recording(&mut self) {
        let ledger = self.ledger.take().unwrap();
        tokio::task::spawn_blocking(move || ledger.close().unwrap()).await.unwrap();
    }

    /// From now on nothing can be recorded: checkpoints have no place to go. Returns when everybody knows.
    pub async fn break_disk(&self) {
        let (trails, away) = (self.dir.path().join("data/trails"), self.dir.path().join("away"));
        // At first there is no such folder, and at any time it may be made.
        while std::fs::File::create_new(&trails).is_err() {
            drop(std::fs::rename(&trails, &away));
        }
        // Something to sign.
        let appender = self.ledger.as_ref().unwrap().appender();
        let (id, now) = (EventId(uuid::Uuid::now_v7()), self.clock.now());
        let mut event = Event::new(id, EventType::AgentStart, Tenant::node(), now);
        event.recorded_at = Some(now);
        appender.append(Draft { event, parts: Vec::new() }).await.unwrap();
        until(async || appender.is_recording().is_err()).await;
    }

    /// The disk works again. Returns when everybody knows.
    pub async fn mend_disk(&self) {
        let trails = self.dir.path().join("data/trails");
        std::fs::remove_file(&trails).unwrap();
        let back = std::fs::rename(self.dir.path().join("away"), &trails);
        back.or_else(|_| std::fs::create_dir(&trails)).unwrap();
        let appender = self.ledger.as_ref().unwrap().appender();
        until(async || appender.is_recording().is_ok()).await;
    }

    /// Waits until `/readyz` says something.
    pub async fn until_ready_says(&self, what: &str) {
        until(async || self.ask(Ask::new("GET", "/readyz", "").token("")).await.body.contains(what)).await;
    }

    /// Waits until a call has come to the upstream.
    pub async fn until_reached(&self) {
        self.reached.notified().await;
    }

    /// Stops the gateway; the ledger cannot be closed cleanly.
    pub async fn stop_broken(self) -> Stopped {
        self.stop.cancel();
        self.serving.await.unwrap()
    }

    /// Stops the gateway and the ledger cleanly and opens the trail for reading.
    pub async fn stop(self) -> Trail {
        self.stop.cancel();
        let _stopped = self.serving.await.unwrap();
        if let Some(ledger) = self.ledger {
            tokio::task::spawn_blocking(move || ledger.close().unwrap()).await.unwrap();
        }
        let mut events = Vec::new();
        let reader = Reader::open(&self.dir.path().join("data")).unwrap();
        reader
            .scan(|found| {
                events.push(found.event().unwrap());
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        Trail { dir: self.dir, events, token: self.token }
    }
}

/// A trail after a clean stop.
pub struct Trail {
    dir: tempfile::TempDir,
    events: Vec<Event>,
    token: String,
}

impl Trail {
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The events of one call, in the order of the trail.
    pub fn call(&self, request_id: &str) -> Vec<Event> {
        self.events.iter().filter(|event| event.request_id.as_deref() == Some(request_id)).cloned().collect()
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The parts of an event, by name.
    pub fn parts(&self, id: EventId) -> BTreeMap<String, String> {
        let keys = KeyRing::open(&self.dir.path().join("keys")).unwrap();
        let reader = Reader::open(&self.dir.path().join("data")).unwrap();
        let mut parts = BTreeMap::new();
        reader
            .scan(|found| {
                if found.event().unwrap().id == id {
                    let opened = found.open_parts(&keys).unwrap();
                    let text = |content: Vec<u8>| String::from_utf8(content).unwrap();
                    parts.extend(opened.into_iter().map(|part| (part.name, text(part.content))));
                }
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        parts
    }

    pub fn of_type(&self, kind: EventType) -> Vec<Event> {
        self.events.iter().filter(|event| event.kind == kind).cloned().collect()
    }

    /// Whether any file of the data directory holds one of the values.
    pub fn contains_anywhere(&self, values: &[&str]) -> bool {
        fn walk(dir: &Path, values: &[&str]) -> bool {
            std::fs::read_dir(dir).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return walk(&path, values);
                }
                let bytes = std::fs::read(&path).unwrap();
                values.iter().any(|value| memchr::memmem::find(&bytes, value.as_bytes()).is_some())
            })
        }
        walk(&self.dir.path().join("data"), values)
    }

    /// Whether any part, opened with the keys, holds one of the values: what encryption hides from a look at files.
    pub fn any_part_contains(&self, values: &[&str]) -> bool {
        let keys = KeyRing::open(&self.dir.path().join("keys")).unwrap();
        let reader = Reader::open(&self.dir.path().join("data")).unwrap();
        let mut found_one = false;
        reader
            .scan(|found| {
                let parts = found.open_parts(&keys).unwrap();
                let holds = |value: &&str| {
                    parts.iter().any(|part| memchr::memmem::find(&part.content, value.as_bytes()).is_some())
                };
                found_one |= values.iter().any(holds);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        found_one
    }

    pub fn verifies(&self) {
        let options = verify::VerifyOptions {
            keys_dir: Some(self.dir.path().join("keys")),
            ..verify::VerifyOptions::default()
        };
        let report = verify::verify_dir(&self.dir.path().join("data"), &options, &mut |_| {}).unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    }
}

/// Polls until it is so.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the node's start is on record.
async fn until_ready(address: std::net::SocketAddr) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    loop {
        let answer = client.get(format!("http://{address}/readyz").parse().unwrap()).await.unwrap();
        if answer.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn mint(issuer: &DevIssuer, role: &str, now: Timestamp) -> String {
    mint_for(issuer, "alice", role, now)
}

fn mint_for(issuer: &DevIssuer, who: &str, role: &str, now: Timestamp) -> String {
    let claims = Claims {
        sub: format!("{who}@acme.example"),
        tenant: Some("acme".to_owned().try_into().unwrap()),
        roles: vec![role.to_owned()],
        agent: Some("crm-assistant".to_owned()),
        jti: format!("test-{role}"),
        ..Claims::default()
    };
    issuer.mint(&claims, AUDIENCE, now, 600)
}

async fn serve_upstream(
    upstream: Arc<Mutex<Upstream>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    reached: Arc<tokio::sync::Notify>,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (upstream, seen, reached) = (Arc::clone(&upstream), Arc::clone(&seen), Arc::clone(&reached));
            let service = service_fn(move |request| {
                let upstream = upstream.lock().unwrap().clone();
                answer(request, upstream, Arc::clone(&seen), Arc::clone(&reached))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    base
}

type UpstreamBody = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(
    request: http::Request<hyper::body::Incoming>,
    upstream: Upstream,
    seen: Arc<Mutex<Vec<Seen>>>,
    reached: Arc<tokio::sync::Notify>,
) -> Result<http::Response<UpstreamBody>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    seen.lock().unwrap().push(Seen {
        path: head.uri.to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    reached.notify_one();
    let upstream = match upstream {
        Upstream::Held(go, upstream) => {
            go.notified().await;
            *upstream
        }
        upstream => upstream,
    };
    let (status, media, body) = match upstream {
        Upstream::Held(..) => unreachable!("held once"),
        Upstream::Json(status, body) => (status, "application/json", Full::from(body).boxed()),
        Upstream::Sse(events) => {
            let frames = futures_util::stream::iter(events)
                .map(|event| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(event))));
            (200, "text/event-stream", BodyExt::boxed(StreamBody::new(frames)))
        }
        Upstream::Silent => std::future::pending().await,
    };
    Ok(http::Response::builder().status(status).header("content-type", media).body(body).unwrap())
}
