//! The way to the witnesses: C2SP tlog-witness over HTTP.
//!
//! The ledger's threads call it and wait; what is under way runs on a small runtime of its own, so that neither
//! witnesses nor callers ever hold each other up. Requests and answers are bounded in time and size, redirects are
//! not followed, and nothing that is answered is believed here.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use greffier_ledger::{Anchor, Reply, Unreachable, Witnesses};
use greffier_merkle::witness::origin_hash;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Builder, Runtime};

use crate::config::AnchorConfig;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a whole answer: a witness signs once its record is synced.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: a checkpoint with its signatures.
const MAX_ANSWER: usize = 64 * 1024;

type Pool = Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The configured witnesses, reached over HTTP.
struct Http {
    /// Where each takes checkpoints, in the configured order.
    urls: Vec<String>,
    pool: Pool,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

/// Whom the ledger asks, if anybody.
pub(crate) fn anchor(config: Option<AnchorConfig>) -> anyhow::Result<Option<Anchor>> {
    let Some(AnchorConfig { witnesses, quorum, every, stale_after, require }) = config else {
        return Ok(None);
    };
    let urls = witnesses.iter().map(|witness| witness.url.clone()).collect();
    let client = Arc::new(Http::new(urls)?);
    Ok(Some(Anchor { witnesses, quorum, every, stale_after, require, client }))
}

impl Http {
    fn new(urls: Vec<String>) -> anyhow::Result<Http> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(tls);
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("greffier-asks").enable_all().build();
        Ok(Http { urls, pool, runtime: Some(runtime.context("cannot start the witnesses' client")?) })
    }

    /// Sends all requests at once, and waits for all answers.
    fn send(&self, requests: Vec<Option<Request<Full<Bytes>>>>) -> Vec<Result<Reply, Unreachable>> {
        let Some(runtime) = &self.runtime else { return Vec::new() };
        let exchange = |request: Option<Request<Full<Bytes>>>| async {
            let request = request.ok_or_else(|| Unreachable("its URL is not valid".to_owned()))?;
            let late = |_| Unreachable(format!("no answer within {ANSWER_TIMEOUT:?}"));
            tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request)).await.map_err(late)?
        };
        runtime.block_on(futures_util::future::join_all(requests.into_iter().map(exchange)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, Unreachable> {
        let reply = self.pool.request(request).await.map_err(|error| Unreachable(told(&error)))?;
        let status = reply.status().as_u16();
        // An overloaded witness, or what stands in front of it: it said nothing about the checkpoint.
        if reply.status().is_server_error() || status == 429 {
            return Err(Unreachable(format!("it answered {status}")));
        }
        let body = Limited::new(reply.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|_| Unreachable("its answer broke off or is too long".to_owned()))?;
        let body = String::from_utf8(body.to_bytes().to_vec());
        Ok(Reply { status, body: body.map_err(|_| Unreachable("its answer is not text".to_owned()))? })
    }

    fn uri(&self, witness: usize, path: &str) -> Option<Uri> {
        format!("{}/{path}", self.urls.get(witness)?).parse().ok()
    }
}

impl Witnesses for Http {
    fn add_checkpoints(&self, witness: usize, bodies: Vec<String>) -> Vec<Result<Reply, Unreachable>> {
        let uri = self.uri(witness, "add-checkpoint");
        let request = |body: String| Request::post(uri.clone()?).body(Full::from(body)).ok();
        self.send(bodies.into_iter().map(request).collect())
    }

    fn latest(&self, witness: usize, origins: Vec<String>) -> Vec<Result<Reply, Unreachable>> {
        let request = |origin: &String| {
            let uri = self.uri(witness, &format!("{}/checkpoint", origin_hash(origin)))?;
            Request::get(uri).body(Full::default()).ok()
        };
        self.send(origins.iter().map(request).collect())
    }
}

impl Drop for Http {
    /// It may be dropped where waiting is not allowed; what is still under way is given up.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The error with its cause: the outer one says only that the exchange failed.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
