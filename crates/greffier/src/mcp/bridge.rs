//! The bridge: a line of standard input becomes a request at the gateway's entrance, what comes back a line of standard
//! output. It decides nothing: everything is governed behind the entrance. What a client of a command knows nothing of is
//! done for it: a stream that broke off is resumed, and a session that is over is opened anew.

mod session;
mod streams;

use std::io::{BufRead, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use greffier_gateway::CancellationToken;
use greffier_gateway::mcp::era;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::http::{Pool, pool};
use streams::is_stream;

/// Requests under way at once; further lines wait.
const UNDER_WAY: usize = 64;
/// Lines that wait to be written.
const LINES: usize = 256;
/// Between two tries to listen.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest line of standard input: the gateway takes no longer body.
const MAX_LINE: usize = 64 * 1024 * 1024;
/// Longest wait for the gateway to take calls.
const READY: Duration = Duration::from_secs(30);

const SESSION: &str = "mcp-session-id";

/// Who the bridge is to the gateway; it is asked with the client's name for itself.
pub(crate) type Token = Box<dyn Fn(&str) -> Zeroizing<String> + Send + Sync>;

/// A bridge to one entrance.
pub(crate) struct Bridge {
    http: Pool,
    base: String,
    name: String,
    token: Token,
    known: Mutex<Known>,
    /// Held while a session is opened anew: one is enough for all that miss it.
    reopening: tokio::sync::Mutex<()>,
    out: mpsc::Sender<String>,
    stop: CancellationToken,
}

/// What the first messages told.
#[derive(Clone, Default)]
struct Known {
    client: Option<String>,
    session: Option<HeaderValue>,
    version: Option<String>,
    /// The client's own `initialize`, to be said again.
    opening: Option<Vec<u8>>,
}

/// Carries messages until standard input ends.
pub(crate) async fn run(base: &str, name: &str, token: Token) -> anyhow::Result<()> {
    let (out, lines) = mpsc::channel(LINES);
    // Threads of their own: standard input and output only know how to block.
    let writing = tokio::task::spawn_blocking(move || write(lines));
    let (into, mut input) = mpsc::channel(UNDER_WAY);
    std::thread::spawn(move || read(&into));
    let bridge = Arc::new(Bridge {
        http: pool(),
        base: base.trim_end_matches('/').to_owned(),
        name: name.to_owned(),
        token,
        known: Mutex::default(),
        reopening: tokio::sync::Mutex::default(),
        out,
        stop: CancellationToken::new(),
    });
    let (mut tasks, places) = (JoinSet::new(), Arc::new(Semaphore::new(UNDER_WAY)));
    while let Some(line) = input.recv().await {
        let Ok(message) = serde_json::from_slice::<Value>(&line) else {
            // The gateway says what is wrong with it.
            bridge.post(Value::Null, line).await;
            continue;
        };
        bridge.learn(&message);
        let waits = message.get("id").is_some() && message.get("method").is_some();
        let opens = is_opening(&message);
        if waits && !opens {
            let permit = Arc::clone(&places).acquire_owned().await?;
            let bridge = Arc::clone(&bridge);
            tasks.spawn(async move {
                bridge.post(message, line).await;
                drop(permit);
            });
            // Those that are done need no place.
            while tasks.try_join_next().is_some() {}
            continue;
        }
        // What has an order keeps it: nothing overtakes the opening of a session, or a notification.
        bridge.post(message, line).await;
        if opens && bridge.known().session.is_some() {
            tasks.spawn(Arc::clone(&bridge).listen());
        }
    }
    // Standard input is closed: the client is gone, but what it asked is carried to its end.
    let last = tokio::time::timeout(READY, async {
        while places.available_permits() < UNDER_WAY {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    drop(last.await);
    bridge.stop.cancel();
    let rest = tokio::time::timeout(AGAIN, async { while tasks.join_next().await.is_some() {} });
    drop(rest.await);
    // What is not done by now is given up: nobody is there to hear of it.
    tasks.shutdown().await;
    bridge.leave().await;
    drop(bridge);
    writing.await?
}

/// Lines of standard input, until it ends, or until one is longer than anything the gateway takes.
fn read(into: &mpsc::Sender<Vec<u8>>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        if !read.is_ok_and(|read| (1..=MAX_LINE).contains(&read)) || into.blocking_send(line).is_err() {
            return;
        }
    }
}

fn write(mut lines: mpsc::Receiver<String>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    while let Some(mut line) = lines.blocking_recv() {
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

impl Bridge {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a message of the client says about itself.
    fn learn(&self, message: &Value) {
        let named = message.pointer("/params/clientInfo/name").or_else(|| {
            message.get("params")?.get("_meta")?.get("io.modelcontextprotocol/clientInfo")?.get("name")
        });
        if let Some(name) = named.and_then(Value::as_str) {
            let name = name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            self.known.lock().unwrap_or_else(PoisonError::into_inner).client.get_or_insert(name);
        }
    }

    fn request(
        &self,
        method: Method,
        message: &Value,
        body: Vec<u8>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let known = self.known();
        let token = (self.token)(known.client.as_deref().unwrap_or("mcp-client"));
        let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let mut bearer = HeaderValue::from_str(&bearer)?;
        bearer.set_sensitive(true);
        let accept =
            if method == Method::GET { "text/event-stream" } else { "application/json, text/event-stream" };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/mcp/{}", self.base, self.name))
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("greffier-mcp/", env!("CARGO_PKG_VERSION")));
        let meta = |key: &str| message.get("params")?.get("_meta")?.get(key)?.as_str();
        if let Some(version) = meta("io.modelcontextprotocol/protocolVersion") {
            // On the wire such a message repeats in headers what it asks.
            request = request.header(era::VERSION, version);
            if let Some(method) = message.get("method").and_then(Value::as_str) {
                request = request.header(era::METHOD, method);
                let params = message.get("params").map(Value::to_string);
                if let Some(name) = era::name(method, params.as_deref()) {
                    request = request.header(era::NAME, era::encode(&name));
                }
            }
        } else if let Some(version) = &known.version {
            request = request.header(era::VERSION, version);
            if let Some(session) = known.session {
                request = request.header(SESSION, session);
            }
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }

    /// Sends one message, and gives on whatever comes back.
    async fn post(&self, message: Value, body: Vec<u8>) {
        if let Err(error) = self.exchange(&message, body).await {
            self.fail(&message, &format!("{error:#}")).await;
        }
    }

    async fn exchange(&self, message: &Value, body: Vec<u8>) -> anyhow::Result<()> {
        let before = self.known().session;
        let opens = is_opening(message);
        let mut reply = self.ready(message, body.clone()).await?;
        if reply.status() == StatusCode::NOT_FOUND && before.is_some() && !opens {
            self.reopen(before).await?;
            reply = self.ready(message, body.clone()).await?;
        }
        let status = reply.status();
        let session = reply.headers().get(SESSION).cloned();
        let answer = if is_stream(&reply) {
            self.streams(message, reply).await?
        } else {
            let bytes = reply.into_body().collect().await?.to_bytes();
            serde_json::from_slice(&bytes).ok()
        };
        if opens && status.is_success() {
            self.opened(session, answer.as_ref(), body);
        }
        match answer {
            // What is no message has no id, and is answered all the same.
            Some(answer)
                if answer.get("jsonrpc").is_some()
                    && (message.get("id").is_some() || !message.is_object()) =>
            {
                // An error about a message whose id could not be read is still about this one.
                let mut answer = answer;
                if answer.get("id").is_none_or(Value::is_null)
                    && let (Some(members), Some(id)) = (answer.as_object_mut(), message.get("id"))
                {
                    members.insert("id".to_owned(), id.clone());
                }
                drop(self.out.send(answer.to_string()).await);
            }
            _ if !status.is_success() => self.fail(message, &format!("the gateway answered {status}")).await,
            _ => {}
        }
        Ok(())
    }

    /// Sends a request, again while the gateway is only starting.
    async fn ready(&self, message: &Value, body: Vec<u8>) -> anyhow::Result<http::Response<Incoming>> {
        let since = std::time::Instant::now();
        loop {
            let request = self.request(Method::POST, message, body.clone())?;
            let reply = self.http.request(request).await.context("the gateway could not be reached")?;
            // Only before anything was made: it says so itself.
            if reply.status() != StatusCode::SERVICE_UNAVAILABLE || since.elapsed() > READY {
                return Ok(reply);
            }
            drop(reply.into_body().collect().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn fail(&self, message: &Value, text: &str) {
        let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) else { return };
        let error =
            serde_json::json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32603, "message": text } });
        drop(self.out.send(error.to_string()).await);
    }
}

fn is_opening(message: &Value) -> bool {
    message.get("method").and_then(Value::as_str) == Some("initialize")
}
