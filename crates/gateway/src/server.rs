//! The listener: connections, entrances, health, and a stop that loses nothing.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use greffier_ledger::Anchoring;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::body::{self, Body};
use crate::clock;
use crate::continues::Class;
use crate::framing::{Ambiguous, Connection};
use crate::gateway::Gateway;
use crate::pipeline::govern;
use crate::read::Head;
use crate::refuse::{self, Refused};
use crate::route::{self, Entrance, Route};
use crate::site;
use crate::tls::Certificate;

/// Most bytes of a request's head; hyper answers 431 beyond.
const MAX_HEAD: usize = 64 * 1024;
/// Pause after a failed `accept` (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Serves until `stop`, then waits for the calls under way, bounded by the configured drain time.
pub(crate) async fn listen(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    tls: Option<Arc<Certificate>>,
    stop: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(gateway.limits.connections));
    let graceful = GracefulShutdown::new();
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.limits.header_timeout)
        .max_buf_size(MAX_HEAD);
    http.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD as u32).max_concurrent_streams(128);
    loop {
        // A permit first: beyond the bound connections wait in the kernel's queue instead of in memory.
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small replies leave at once; a failure here only costs latency.
        drop(stream.set_nodelay(true));
        let visitor = Visitor { gateway: Arc::clone(&gateway), peer: peer.ip(), http: http.clone() };
        let (watcher, tls) = (graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => visitor.serve(stream, watcher).await,
                Some(tls) => match tls.accept(stream, visitor.gateway.limits.header_timeout).await {
                    Ok(stream) => visitor.serve(stream, watcher).await,
                    Err(error) => tracing::debug!(%error, "no TLS connection came about"),
                },
            }
            drop(permit);
        });
    }
    drop(listener);
    gateway.calls.close();
    let drained = async {
        graceful.shutdown().await;
        gateway.calls.wait().await;
    };
    if tokio::time::timeout(gateway.limits.drain, drained).await.is_err() {
        tracing::warn!("some calls were still under way at the stop; the next start closes them");
    }
}

/// One who connected.
struct Visitor {
    gateway: Arc<Gateway>,
    peer: IpAddr,
    http: Builder<TokioExecutor>,
}

impl Visitor {
    async fn serve<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Visitor { gateway, peer, http } = self;
        let (stream, ambiguous) = Connection::new(stream);
        let service = service_fn(move |request| {
            let (gateway, ambiguous) = (Arc::clone(&gateway), ambiguous.clone());
            async move { Ok::<_, Infallible>(enter(gateway, peer, &ambiguous, request).await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

async fn enter(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    ambiguous: &Ambiguous,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = if ambiguous.is_set() {
        refuse_framing(gateway, parts).await
    } else {
        answer(gateway, peer, parts, body).await
    };
    if chunked || ambiguous.is_set() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A request with two framings: nobody can tell where it ends, so it is not looked at. Its sender is on record.
async fn refuse_framing(gateway: Arc<Gateway>, parts: http::request::Parts) -> Response<Body> {
    let (wire, request_id) = (route::wire(parts.uri.path()), gateway.clock.request_id());
    let refused = Refused::bad_request("the request's framing is ambiguous: send one content-length");
    let noting = {
        let (gateway, refused, request_id) = (Arc::clone(&gateway), refused.clone(), request_id.clone());
        async move {
            let refused = match gateway.sender(&parts.headers).await {
                Some(sender) => refused.sent_by(&sender),
                None => refused,
            };
            gateway.malformed.note(refused, "http", &request_id, gateway.clock.now()).await
        }
    };
    // In a task of its own: a caller that goes away must not cut a record short.
    let refused = gateway.calls.spawn(noting).await.unwrap_or(refused);
    gateway.metrics.answered("http", refused.status, refused.code);
    refuse::response(wire, &refused, &request_id)
}

async fn answer(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    parts: http::request::Parts,
    body: Incoming,
) -> Response<Body> {
    let head_only = parts.method == Method::HEAD;
    let response = match route::entrance(&parts.method, parts.uri.path(), &parts.headers) {
        // A tool answers `HEAD` itself, and its reply is watched to its end.
        Entrance::Governed(route) => return call(gateway, peer, route, parts, body).await,
        Entrance::Health => text("text/plain", "ok\n".to_owned()),
        Entrance::Ready => ready(&gateway),
        Entrance::Metrics => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            gateway.metrics.resting(gateway.reaches());
            gateway.metrics.receivers(&gateway.receivers());
            gateway.metrics.anchored(matches!(anchoring(&gateway), Anchoring::Anchored { .. }));
            let (recording, owed) = (gateway.ready().is_ok(), gateway.recorder.account.totals());
            text(kind, gateway.metrics.text(recording, gateway.is_continuing(), owed))
        }
        Entrance::ResourceMetadata(server) if gateway.mcp.has(&server) => {
            text("application/json", gateway.mcp.door.metadata(&server, &parts.headers))
        }
        Entrance::ResourceMetadata(_) => {
            refuse::response(route::wire(""), &Refused::unknown_route(), &gateway.clock.request_id())
        }
        Entrance::WrongMethod(wire) => {
            refuse::response(wire, &Refused::wrong_method(), &gateway.clock.request_id())
        }
        Entrance::Unknown => site::offer(gateway, peer, parts, body).await,
    };
    if head_only { body::head_only(response) } else { response }
}

/// Has one call governed.
async fn call(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    route: Route,
    parts: http::request::Parts,
    body: Incoming,
) -> Response<Body> {
    let wire = route.wire();
    let head = Head {
        route,
        method: parts.method,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        peer,
    };
    // The call runs in a task of its own: if the caller goes away, hyper drops this future and with it the
    // guard; the task notices, stops the upstream, and still writes the outcome.
    let gone = CancellationToken::new();
    let guard = gone.clone().drop_guard();
    let task = gateway.calls.spawn(govern(Arc::clone(&gateway), head, body, gone));
    let response = match task.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a call's task ended abnormally");
            let refused =
                Refused::new(500, "internal", "an internal error; the call's record says what is known");
            refuse::response(wire, &refused, &gateway.clock.request_id())
        }
    };
    // The response is there: from here on a stream watches for the caller itself.
    drop(guard.disarm());
    response
}

fn text(media: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(body::whole(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// Whether witnesses vouch for the trails. Their clocks are the world's, so ours is the system's here.
fn anchoring(gateway: &Gateway) -> Anchoring {
    let now = clock::system_now().as_micros() / 1_000_000;
    gateway.recorder.heads().anchoring(u64::try_from(now).unwrap_or(0))
}

/// Ready means: an event can be recorded now. Trouble that does not stop calls is said, too.
fn ready(gateway: &Gateway) -> Response<Body> {
    let recording = gateway.ready();
    let ready = recording.is_ok();
    let failing =
        |receiver: site::Receiver| Some(format!("webhook `{}`: {}", receiver.name, receiver.failing?));
    let failing: Vec<String> = gateway.receivers().into_iter().filter_map(failing).collect();
    let warnings = [gateway.identities.troubles(), gateway.resting(), failing].concat();
    let mut document = serde_json::json!({
        "ready": ready,
        "recording": match recording { Ok(()) => "ok".to_owned(), Err(reason) => reason },
        "warnings": warnings,
        "anchoring": anchoring(gateway),
    });
    if !gateway.recorder.continues.is_empty() {
        let owed = gateway.recorder.account.totals();
        let unrecorded = serde_json::json!({
            "continuing": gateway.is_continuing(),
            "classes": gateway.recorder.continues.classes().map(Class::name).collect::<Vec<_>>(),
            "accounted": owed.accounted,
            "counted": owed.counted,
            "late": owed.late,
        });
        if let Some(document) = document.as_object_mut() {
            document.insert("unrecorded".to_owned(), unrecorded);
        }
    }
    let mut response = text("application/json", format!("{document}\n"));
    if !ready {
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
