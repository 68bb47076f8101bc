//! Response bodies: whole, or streamed from the task that watches over the call.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::mpsc;

/// The body of every response; an error ends the connection, so that a cut stream is seen as cut.
pub type Body = BoxBody<Bytes, io::Error>;

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// The answer to `HEAD`: what `GET` would say, without its body. HTTP/1 drops the body by itself, HTTP/2 does not.
pub(crate) fn head_only(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(parts, Empty::new().map_err(|never: Infallible| match never {}).boxed())
}

/// Pieces of a streamed reply on their way to the caller. Sixteen pieces may wait: a slow caller then slows the
/// upstream down instead of filling memory.
pub(crate) fn channel() -> (mpsc::Sender<Result<Bytes, io::Error>>, Body) {
    let (sender, receiver) = mpsc::channel(16);
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (sender, BodyExt::boxed(StreamBody::new(frames.map(|piece| piece.map(Frame::data)))))
}
