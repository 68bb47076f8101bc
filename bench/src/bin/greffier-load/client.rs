//! The caller: so many connections, each with one request under way, for so long.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Failure, texts};

pub(crate) struct Load {
    pub(crate) url: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) model: String,
    pub(crate) connections: usize,
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
    pub(crate) stream: bool,
}

/// Times of one connection, in microseconds: of whole replies, and until the first content of a stream.
#[derive(Default)]
struct Times {
    whole: Vec<u64>,
    first: Vec<u64>,
    errors: u64,
    /// What the first of them said.
    error: Option<String>,
}

/// Runs the load; what it showed, as a JSON object.
pub(crate) fn run(load: Load) -> Result<serde_json::Value, Failure> {
    let body = Bytes::from(texts::request(&load.model, load.bytes, load.stream));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut callers = Vec::new();
        for _ in 0..load.connections {
            callers.push(connect(&load.url).await?);
        }
        let started = Instant::now();
        let end = started + load.time;
        let load = std::sync::Arc::new(load);
        let tasks: Vec<_> = callers
            .into_iter()
            .map(|caller| tokio::spawn(call_until(end, caller, std::sync::Arc::clone(&load), body.clone())))
            .collect();
        let mut times = Times::default();
        for task in tasks {
            let one = task.await??;
            times.whole.extend(one.whole);
            times.first.extend(one.first);
            times.errors += one.errors;
            times.error = times.error.or(one.error);
        }
        let seconds = started.elapsed().as_secs_f64();
        times.whole.sort_unstable();
        times.first.sort_unstable();
        Ok(serde_json::json!({
            "requests": times.whole.len(),
            "errors": times.errors,
            "error": times.error,
            "seconds": seconds,
            "p50_us": quantile(&times.whole, 50),
            "p99_us": quantile(&times.whole, 99),
            "first_p50_us": quantile(&times.first, 50),
            "first_p99_us": quantile(&times.first, 99),
        }))
    })
}

fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

async fn connect(url: &Uri) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let authority = url.authority().ok_or("the URL names no host")?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn call_until(
    end: Instant,
    mut caller: SendRequest<Full<Bytes>>,
    load: std::sync::Arc<Load>,
    body: Bytes,
) -> Result<Times, Failure> {
    let mut times = Times::default();
    while Instant::now() < end {
        if caller.ready().await.is_err() {
            caller = connect(&load.url).await?;
        }
        let mut request = Request::post(load.url.path())
            .header(header::HOST, load.url.authority().map_or("", |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &load.headers {
            request = request.header(name, value);
        }
        let sent = Instant::now();
        let reply = caller.send_request(request.body(Full::new(body.clone()))?).await?;
        let good = reply.status().is_success();
        let mut body = reply.into_body();
        let (mut first, mut bytes) = (None, Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if first.is_none() {
                bytes.extend_from_slice(&data);
                first = has_content(&bytes).then(|| micros(sent));
            }
        }
        if !good {
            times.errors += 1;
            times.error.get_or_insert_with(|| String::from_utf8_lossy(&bytes).chars().take(500).collect());
            continue;
        }
        times.whole.push(micros(sent));
        times.first.extend(first.filter(|_| load.stream));
    }
    Ok(times)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Whether some text has come: a `content` that is not empty.
fn has_content(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    [r#""content":""#, r#""content": ""#]
        .iter()
        .any(|key| text.split(key).skip(1).any(|rest| !rest.starts_with('"') && !rest.is_empty()))
}
