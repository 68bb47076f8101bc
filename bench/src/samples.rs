//! One of each: an event, a token, a policy set, a text, an open ledger, a running gateway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greffier_event::{
    Action, Agent, Decision, DecisionKind, Draft, Event, EventId, EventType, Outcome, OutcomeStatus, Part,
    PolicyRecord, Principal, RedactionAction, Resource, Source, Target, Tenant, Timestamp, Usage, User,
};
use greffier_gateway::{
    CancellationToken, Clock, KeySource, Limits, Secret, Settings, TrustedIssuer, Upstream, UpstreamKind,
    prices::Prices,
};
use greffier_ledger::{Appender, KeyRing, Ledger, LedgerConfig, Startup};
use greffier_policy::dev::{Claims, DevIssuer};
use greffier_policy::{Issuer, KeySet, Policies, Question, Tenants};
use greffier_safety::{Rulebook, Rules, Scanner};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const AUDIENCE: &str = "https://greffier.bench";
const NOW: i64 = 1_772_807_527_891_000;

/// An outcome event of about the size of the second document's entry.
pub fn event() -> Event {
    let tenant = Tenant::new("org_acme_corp").unwrap();
    let time = Timestamp::from_micros(NOW);
    let mut event = Event::new(EventId(uuid::Uuid::now_v7()), EventType::ActionExecuted, tenant, time);
    event.recorded_at = Some(time);
    event.request_id = Some("req_7f8a9b0c".to_owned());
    event.user = Some(User {
        iss: Some("https://idp.example".to_owned()),
        roles: vec!["analyst".to_owned()],
        sub: "auth0|8f3a2b1c9d4e5f6a".to_owned(),
        verified: true,
    });
    event.agent = Some(Agent { id: "crm-assistant".to_owned(), verified: true, ..Agent::default() });
    event.action = Some(Action { name: "crm:contacts:search".to_owned(), ..Action::default() });
    event.resource = Some(Resource { uri: Some("crm://contacts".to_owned()), ..Resource::default() });
    event.policy = Some(PolicyRecord {
        decision: DecisionKind::Allow,
        reason: None,
        rule: Some("role:analyst grants tool:crm:read".to_owned()),
        scopes: vec!["tool:crm:read".to_owned()],
        version: None,
    });
    event.usage = Some(Usage { input_tokens: Some(1_240), output_tokens: Some(380), ..Usage::default() });
    event.outcome = Some(Outcome {
        attempts: Vec::new(),
        code: Some(200),
        duration_us: Some(342_000),
        error: None,
        status: OutcomeStatus::Success,
    });
    event.source =
        Some(Source { channel: "gateway".to_owned(), node: Some("gw-1".to_owned()), ..Source::default() });
    event
}

/// Agent traffic: prose with a card and a phone number in each kilobyte.
pub fn text(bytes: usize) -> String {
    let piece =
        "The pipeline for this quarter holds 42 deals; order 100234 ships on 2026-03-06 to the depot. ";
    let hit = "Card 4111 1111 1111 1111, call +1 415 555 2671. ";
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(if text.len() % 1_024 < 60 && bytes > 100 { hit } else { piece });
    }
    text.truncate(bytes);
    text
}

/// A chat request of about so many bytes.
pub fn chat(bytes: usize) -> String {
    serde_json::json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text(bytes)}]})
        .to_string()
}

/// A token and what verifies it.
pub struct Identity {
    token: String,
    issuer: Issuer,
    keys: KeySet,
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new()
    }
}

impl Identity {
    pub fn new() -> Identity {
        let dev = DevIssuer::from_seed(&[7; 32]).unwrap();
        let token = mint(&dev, Timestamp::from_micros(NOW));
        let keys = KeySet::parse(dev.jwks().as_bytes()).unwrap();
        Identity { token, issuer: dev.issuer(AUDIENCE, Tenants::Any), keys }
    }

    pub fn verify(&self) -> Principal {
        greffier_policy::verify(&self.token, &self.issuer, &self.keys, Timestamp::from_micros(NOW)).unwrap()
    }
}

fn mint(dev: &DevIssuer, now: Timestamp) -> String {
    let claims = Claims {
        sub: "alice".to_owned(),
        tenant: Some(Tenant::new("acme").unwrap()),
        roles: vec!["analyst".to_owned()],
        agent: Some("crm-assistant".to_owned()),
        jti: "bench".to_owned(),
        ..Claims::default()
    };
    dev.mint(&claims, AUDIENCE, now, 3_600)
}

fn policies(count: usize) -> Policies {
    let mut text = String::from(
        "@id(\"analysts may use any model\")\npermit (principal in Role::\"analyst\", action == Action::\"invoke_model\", resource);\n",
    );
    for n in 1..count {
        text.push_str(&format!(
            "@id(\"role {n} may use server {n}\")\npermit (principal in Role::\"r{n}\", action == Action::\"call_tool\", resource in Server::\"s{n}\");\n"
        ));
    }
    Policies::load(vec![("bench.cedar".to_owned(), text)]).unwrap()
}

/// A policy set, a principal and a question.
pub struct Authorisation {
    policies: Policies,
    principal: Principal,
    target: Target,
}

impl Authorisation {
    pub fn new(count: usize) -> Authorisation {
        let target = Target::Model { name: "gpt-4o-mini".to_owned() };
        Authorisation { policies: policies(count), principal: Identity::new().verify(), target }
    }

    pub fn decide(&self) -> Decision {
        let now = Timestamp::from_micros(NOW);
        let question = Question {
            target: &self.target,
            findings: &[],
            parameters: None,
            ip: None,
            channel: "gateway",
            now,
        };
        self.policies.authorise(&self.principal, &question)
    }
}

fn open(dir: &std::path::Path) -> (Ledger, Startup) {
    KeyRing::create(&dir.join("keys")).unwrap();
    Ledger::start(LedgerConfig {
        dir: dir.join("data"),
        keys_dir: dir.join("keys"),
        origin: "greffier.bench".to_owned(),
        node: "bench".to_owned(),
        seal: greffier_ledger::SealPolicy::default(),
    })
    .unwrap()
}

/// A ledger in a temporary folder.
pub struct OpenLedger {
    runtime: Runtime,
    ledger: Ledger,
    dir: tempfile::TempDir,
}

impl Default for OpenLedger {
    fn default() -> OpenLedger {
        OpenLedger::new()
    }
}

impl OpenLedger {
    pub fn new() -> OpenLedger {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, startup) = open(dir.path());
        let runtime = Runtime::new().unwrap();
        runtime.block_on(startup.recovered).unwrap();
        OpenLedger { runtime, ledger, dir }
    }

    /// Records on this ledger.
    pub fn appender(&self) -> Appender {
        self.ledger.appender()
    }

    /// What runs its callers.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Stops it and returns its directory, which goes with the value.
    pub fn stop(self) -> tempfile::TempDir {
        self.dir
    }

    /// Its data directory.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Appends `count` events with a prompt each, all at once, and waits for the receipts.
    pub fn append(&self, count: usize) {
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..count)
                .map(|_| {
                    let appender = self.ledger.appender();
                    tokio::spawn(async move {
                        let content = vec![b'x'; 400];
                        let part =
                            Part { name: "prompt".to_owned(), media: "text/plain".to_owned(), content };
                        appender.append(Draft { event: event(), parts: vec![part] }).await.unwrap();
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// A gateway and an upstream in this process.
pub struct RunningGateway {
    runtime: Runtime,
    client: HttpClient,
    gateway: String,
    upstream: String,
    token: String,
    _ledger: Ledger,
    _dir: tempfile::TempDir,
}

impl Default for RunningGateway {
    fn default() -> RunningGateway {
        RunningGateway::new()
    }
}

impl RunningGateway {
    pub fn new() -> RunningGateway {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, startup) = open(dir.path());
        let runtime = Runtime::new().unwrap();
        let upstream = runtime.block_on(serve_upstream());
        let dev = DevIssuer::from_seed(&[7; 32]).unwrap();
        let micros = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
        let token = mint(&dev, Timestamp::from_micros(i64::try_from(micros).unwrap()));
        let policy_dir = dir.path().join("policies");
        std::fs::create_dir(&policy_dir).unwrap();
        let policies = policies(5);
        for (name, text) in policies.texts() {
            std::fs::write(policy_dir.join(name), text).unwrap();
        }
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            listen: address,
            node: "bench".to_owned(),
            tls: None,
            issuers: vec![TrustedIssuer {
                issuer: dev.issuer(AUDIENCE, Tenants::Any),
                keys: KeySource::Fixed(dev.jwks().into_bytes()),
            }],
            upstreams: vec![Upstream {
                name: "openai".to_owned(),
                kind: UpstreamKind::OpenAi,
                base_url: format!("{upstream}/v1").parse().unwrap(),
                api_key: Some(Secret::new("sk-bench".to_owned())),
                models: vec!["*".to_owned()],
                timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(10),
                reach: greffier_gateway::Reach::default(),
            }],
            tools: Vec::new(),
            mcp: greffier_gateway::McpSettings::default(),
            policy_dir,
            scanner: Arc::new(Scanner::new()),
            rules: Rulebook {
                models: Rules::new(RedactionAction::Redact),
                tools: Rules::new(RedactionAction::Flag),
                rules: Vec::new(),
            },
            remote: None,
            prices: Prices::builtin().unwrap(),
            continues: greffier_gateway::Continues::default(),
            limits: Limits::default(),
            clock: Clock::system(),
            config_text: String::new(),
        };
        let (appender, stop) = (ledger.appender(), CancellationToken::new());
        runtime.spawn(async move {
            let _stopped =
                greffier_gateway::serve(settings, policies, appender, startup, listener, stop, None)
                    .await
                    .unwrap();
        });
        let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
        let ready: http::Uri = format!("http://{address}/readyz").parse().unwrap();
        while runtime.block_on(client.get(ready.clone())).unwrap().status() != 200 {
            std::thread::yield_now();
        }
        RunningGateway {
            client,
            gateway: format!("http://{address}"),
            upstream,
            token,
            runtime,
            _ledger: ledger,
            _dir: dir,
        }
    }

    pub fn ask(&self) {
        self.send(&self.gateway);
    }

    pub fn ask_directly(&self) {
        self.send(&self.upstream);
    }

    fn send(&self, base: &str) {
        self.runtime.block_on(async {
            let request = http::Request::post(format!("{base}/v1/chat/completions"))
                .header("authorization", format!("Bearer {}", self.token))
                .header("content-type", "application/json")
                .body(Full::from(chat(1_024)))
                .unwrap();
            let response = self.client.request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        });
    }
}

async fn serve_upstream() -> String {
    const REPLY: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Done."}}],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let service =
                hyper::service::service_fn(async |request: http::Request<hyper::body::Incoming>| {
                    request.into_body().collect().await?;
                    let reply = http::Response::builder().header("content-type", "application/json");
                    Ok::<_, hyper::Error>(reply.body(Full::<Bytes>::from(REPLY)).unwrap())
                });
            let http = Arc::new(hyper::server::conn::http1::Builder::new());
            tokio::spawn(async move { http.serve_connection(TokioIo::new(stream), service).await });
        }
    });
    base
}
