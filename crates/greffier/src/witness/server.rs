//! The witness over HTTP: `POST /add-checkpoint`, and `GET /<hash of the origin>/checkpoint` for monitors.
//!
//! HTTP/1 and no TLS: it listens on loopback, or behind a proxy that ends TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greffier_gateway::CancellationToken;
use greffier_merkle::witness::{MAX_REQUEST, Refused, SIZE_TYPE, size_text};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{NotSigned, Witness};

/// Open connections, and so requests at one time: a log keeps one, a monitor comes by.
const MAX_CONNECTIONS: usize = 128;
/// Most bytes of a request's head: it has a path and a few headers.
const MAX_HEAD: usize = 16 * 1024;
/// Longest wait for the head of a request, and so of a connection that is kept for the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a whole body: it has some KiB.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait, at a stop, for requests under way: each is one write to the disk.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after a failed `accept` (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// Serves until `stop`, then lets requests under way end.
pub(crate) async fn serve(
    witness: Arc<Witness>,
    clock: fn() -> u64,
    listener: TcpListener,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    loop {
        // A permit first: beyond the bound connections wait in the kernel's queue instead of in memory.
        let next = async { (Arc::clone(&room).acquire_owned().await, listener.accept().await) };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers leave at once; a failure here only costs latency.
        drop(stream.set_nodelay(true));
        let witness = Arc::clone(&witness);
        let service = service_fn(move |request| {
            let witness = Arc::clone(&witness);
            async move { Ok::<_, Infallible>(answer(witness, clock, request).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way at the stop");
    }
}

async fn answer(witness: Arc<Witness>, clock: fn() -> u64, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if path == "/add-checkpoint" {
        return match parts.method {
            Method::POST => add_checkpoint(witness, clock, body).await,
            _ => wrong_method("POST"),
        };
    }
    let Some(origin_hash) = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint")) else {
        return plain(StatusCode::NOT_FOUND, "nothing is served at this path");
    };
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return wrong_method("GET, HEAD");
    }
    match witness.latest(origin_hash) {
        Some(note) => {
            let mut answer = text(StatusCode::OK, TEXT, note);
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=2"));
            answer
        }
        None => plain(StatusCode::NOT_FOUND, "no checkpoint of such a log was cosigned here"),
    }
}

async fn add_checkpoint(witness: Arc<Witness>, clock: fn() -> u64, body: Incoming) -> Answer {
    let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_REQUEST).collect()).await {
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time"),
        Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 128 KiB"),
        Ok(Ok(body)) => body.to_bytes(),
    };
    let Ok(body) = String::from_utf8(body.into()) else {
        return plain(StatusCode::BAD_REQUEST, "the request is not UTF-8");
    };
    // It waits for the disk. Once begun it ends, even if the log has gone.
    let signed = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, clock)).await;
    match signed {
        Ok(Ok(line)) => text(StatusCode::OK, TEXT, line),
        Ok(Err(NotSigned::Refused(Refused::Conflict { size }))) => {
            text(StatusCode::CONFLICT, SIZE_TYPE, size_text(size))
        }
        Ok(Err(NotSigned::Refused(refused))) => {
            let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST);
            plain(status, &refused.to_string())
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "not cosigned");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "not cosigned: the witness's log says why")
        }
        Err(error) => {
            tracing::error!(%error, "a request ended abnormally");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "not cosigned: the witness's log says why")
        }
    }
}

fn wrong_method(allow: &'static str) -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    answer
}

/// One line for people.
fn plain(status: StatusCode, line: &str) -> Answer {
    text(status, TEXT, format!("{line}\n"))
}

fn text(status: StatusCode, media: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
