//! A small HTTP server on a free port of the loopback: what the demo's identity provider, models and tools listen
//! with. It holds a request whole and answers at once; nothing of the demo needs more.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Largest request: what the agents of the demo send has a few KiB.
const MAX_BODY: usize = 256 * 1024;
/// Open connections: the gateway's pool needs a few dozen at most.
const MAX_CONNECTIONS: usize = 256;

/// Before a connection is taken again after one could not be.
const RETRY: Duration = Duration::from_millis(20);

/// A request with its whole body.
pub(super) type Request = http::Request<Bytes>;
/// An answer, whole or streamed.
pub(super) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Whoever answers on a port.
pub(super) trait Host: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: &Request) -> Answer;
}

/// A port, taken but not yet served: its URL has to be known first.
pub(super) struct Port {
    listener: TcpListener,
    url: String,
}

impl Port {
    /// Takes a free port.
    pub(super) async fn take() -> io::Result<Port> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Port { listener, url })
    }

    /// `http://127.0.0.1:…`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Serves until the runtime ends.
    pub(super) fn serve(self, host: Arc<dyn Host>) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        tokio::spawn(async move {
            while let Ok(place) = Arc::clone(&room).acquire_owned().await {
                let Ok((stream, _)) = self.listener.accept().await else {
                    // Out of file descriptors, perhaps: there will be some again.
                    tokio::time::sleep(RETRY).await;
                    continue;
                };
                let host = Arc::clone(&host);
                tokio::spawn(async move {
                    let service = service_fn(move |request| respond(Arc::clone(&host), request));
                    // A connection that breaks off concerns its caller, who notices it too.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                    drop(place);
                });
            }
        });
    }
}

async fn respond(host: Arc<dyn Host>, request: http::Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    Ok(match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => host.answer(&Request::from_parts(head, body.to_bytes())),
        Err(_) => json(StatusCode::PAYLOAD_TOO_LARGE, &serde_json::json!({"error": "too large"})),
    })
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, document: &serde_json::Value) -> Answer {
    answer(status, "application/json", Full::from(document.to_string()).boxed())
}

/// A streamed answer: server-sent events, each as it stands on the wire.
pub(super) fn events(events: Vec<String>) -> Answer {
    let frames = events.into_iter().map(|event| Ok(Frame::data(Bytes::from(event))));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    answer(StatusCode::OK, "text/event-stream", BodyExt::boxed(body))
}

fn answer(status: StatusCode, media: &'static str, body: BoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(media));
    answer
}
