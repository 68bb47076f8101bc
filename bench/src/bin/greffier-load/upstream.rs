//! The model provider: answers at once, with as many bytes as it was asked with, or streams a piece each 2 ms.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::{Failure, texts};

/// Between two events of a stream: a quick model's pace.
const PACE: Duration = Duration::from_millis(2);
/// A request of more bytes than this gets the large reply.
const SMALL: usize = 8 * 1024;

struct Replies {
    small: Bytes,
    large: Bytes,
    stream: Vec<Bytes>,
}

pub(crate) fn run(port: u16) -> Result<(), Failure> {
    let replies = Arc::new(Replies {
        small: texts::reply(1024).into(),
        large: texts::reply(16 * 1024).into(),
        stream: texts::stream().into_iter().map(Bytes::from).collect(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (connection, _) = listener.accept().await?;
            connection.set_nodelay(true)?;
            let replies = Arc::clone(&replies);
            let service = service_fn(move |request| answer(Arc::clone(&replies), request));
            tokio::spawn(async move {
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service)
                        .await,
                );
            });
        }
    })
}

async fn answer(
    replies: Arc<Replies>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Failure> {
    let asked = request.into_body().collect().await?.to_bytes();
    if !contains(&asked, b"\"stream\":true") && !contains(&asked, b"\"stream\": true") {
        let reply = if asked.len() > SMALL { replies.large.clone() } else { replies.small.clone() };
        return Ok(Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(reply).boxed())?);
    }
    let (sender, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        for event in &replies.stream {
            if sender.send(event.clone()).await.is_err() {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    });
    Ok(Response::builder().header("content-type", "text/event-stream").body(Pieces(pieces).boxed())?)
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// A body whose pieces come when they are ready.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(ready!(self.0.poll_recv(context)).map(|piece| Ok(Frame::data(piece))))
    }
}
