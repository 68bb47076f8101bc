//! What comes in, and what goes out: requests as values. This crate never sees a socket.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use greffier_event::{EventId, Principal, Timestamp};
use greffier_policy::Policies;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The body of every answer; an error ends the connection, so that a cut stream is seen as cut.
pub type Body = BoxBody<Bytes, io::Error>;

/// Pieces of a streamed answer that wait for a slow caller: each is a page at most.
const WAITING_PIECES: usize = 4;

/// What a path of this crate asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is served here.
    Unknown,
    /// The path is served, with another method.
    WrongMethod,
    /// Anyone may ask.
    Open,
    /// Only a caller with a verified token.
    Caller,
}

/// A body that comes piece by piece; an error where its sender is gone.
pub type Upload = mpsc::Receiver<Result<Bytes, io::Error>>;

/// One request.
pub struct Visit {
    /// Method, path, query and headers, as sent.
    pub parts: http::request::Parts,
    /// The body, or what has come of it.
    pub body: Bytes,
    /// What still comes of it, where the route takes it so: see [`crate::Api::takes_upload`].
    pub upload: Option<Upload>,
    /// Who asks; none where anyone may.
    pub caller: Option<Principal>,
    /// The policies in force.
    pub policies: Arc<Policies>,
    /// The caller's address.
    pub peer: IpAddr,
    /// When it came in.
    pub now: Timestamp,
    /// Joins the answer with its record.
    pub request_id: String,
    /// Cancelled when the listener stops: an answer without an end of its own ends then.
    pub stop: CancellationToken,
    /// Cancelled when the caller goes away before it has its answer.
    pub gone: CancellationToken,
}

impl Visit {
    /// The peer, an IPv4 address in IPv6 clothes undressed.
    pub(crate) fn ip(&self) -> String {
        self.peer.to_canonical().to_string()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: http::HeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}

/// A new event id (UUIDv7) of this moment.
pub(crate) fn event_id(now: Timestamp) -> EventId {
    let micros = u64::try_from(now.as_micros()).unwrap_or_default();
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or_default();
    EventId(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos)))
}

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// Where a streamed answer is written; it fails once the caller is gone.
pub(crate) type Pieces = mpsc::Sender<Result<Bytes, io::Error>>;

/// A body that is written piece by piece.
pub(crate) fn streamed() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (sender, BodyExt::boxed(StreamBody::new(pieces.map(|piece| piece.map(Frame::data)))))
}
