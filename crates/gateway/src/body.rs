//! Response bodies: whole, or streamed from the task that watches over the call.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;

/// The body of every response; an error ends the connection, so that a cut stream is seen as cut.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
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
