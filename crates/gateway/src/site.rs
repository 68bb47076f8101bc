//! The door to what the gateway does not govern: the read API and ingest, as a guest on the one listener.
//!
//! The guest says which paths are its own and who may come; the gateway identifies, records refusals, bounds
//! what is read, and waits for answers at a stop. What a caller may do and which read is recorded is the
//! guest's own affair: above this crate nothing is forwarded.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use greffier_event::{Principal, Timestamp};
use greffier_policy::Policies;
use http::request::Parts;
use http::{Method, Response, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::gateway::Gateway;
use crate::refuse::{self, Refused};
use crate::wire::Wire;
use crate::{http_client, read};

/// The protocol's name, as refusals and metrics carry it.
const PROTOCOL: &str = "api";

/// Everything on the listener that is not a governed call.
pub trait Site: Send + Sync + 'static {
    /// Who may come to a path, as it was sent. `HEAD` is asked about, and answered, as `GET`.
    fn access(&self, method: &Method, path: &str) -> Access;

    /// Whether a path takes a body in a content coding, which the site undoes and bounds.
    fn takes_coded(&self, path: &str) -> bool {
        let _ = path;
        false
    }

    /// Whether a path takes its body as it comes ([`Visit::upload`]), and bounds it itself.
    fn takes_upload(&self, method: &Method, path: &str) -> bool {
        let _ = (method, path);
        false
    }

    /// Those whom the site tells of what it finds, for `/metrics` and the warnings of `/readyz`.
    fn receivers(&self) -> Vec<Receiver> {
        Vec::new()
    }

    /// Answers a visit that [`Site::access`] admits. It runs to its end even if the caller goes away, unless it heeds
    /// [`Visit::gone`]; a body that has no end of its own has to end at [`Visit::stop`]. Where the request's body could not
    /// be taken the answer has an [`Unreadable`] among its extensions.
    fn answer(&self, visit: Visit) -> BoxFuture<'static, Response<Body>>;
}

/// Why a body, or what followed of it, could not be taken: too long, cut off, not what it says it is. It goes on its
/// sender's trail as what the gateway itself cannot read does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Machine-readable: `too_large`.
    pub code: &'static str,
    /// For people; free of content and secrets.
    pub message: String,
}

/// Somebody whom the site tells of what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its configured name.
    pub name: String,
    /// What it took since the start.
    pub told: u64,
    /// What it refused, or did not take in time.
    pub given_up: u64,
    /// Why it takes nothing now, if so.
    pub failing: Option<String>,
}

/// Who may come to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: it is no path of the site.
    Unknown,
    /// It is one, for another method.
    WrongMethod,
    /// Anyone, without a body.
    Open,
    /// Whoever a trusted issuer vouches for.
    Caller,
}

/// A body on its way; an error where its caller is gone or fell silent.
pub type Upload = mpsc::Receiver<Result<Bytes, io::Error>>;

/// Pieces of an upload that wait for the site: each is what was read at once, some ten kilobytes.
const WAITING_PIECES: usize = 16;

/// One admitted request.
pub struct Visit {
    /// The request's head, without the token that came with it.
    pub parts: Parts,
    /// The whole body; nothing where it comes as an upload.
    pub body: Bytes,
    /// The body piece by piece, where the site takes it so. It is read from the caller no faster than from here.
    pub upload: Option<Upload>,
    /// Who calls; `None` on an open path.
    pub caller: Option<Principal>,
    /// The policies in force when it came.
    pub policies: Arc<Policies>,
    /// Where it came from.
    pub peer: IpAddr,
    /// When it came.
    pub now: Timestamp,
    /// Its id, which the response carries too.
    pub request_id: String,
    /// Cancelled when the gateway stops, which waits for the answer and for all of its body.
    pub stop: CancellationToken,
    /// Cancelled when the caller goes away before it has its answer.
    pub gone: CancellationToken,
}

/// Answers a request that no entrance of the gateway takes.
pub(crate) async fn offer(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    parts: Parts,
    body: Incoming,
) -> Response<Body> {
    let request_id = gateway.clock.request_id();
    // In a task of its own, like a call: a caller that goes away must not cut a record short. The guard tells the site,
    // which stops what need not end.
    let gone = CancellationToken::new();
    let guard = gone.clone().drop_guard();
    let task =
        gateway.calls.spawn(receive(Arc::clone(&gateway), peer, parts, body, request_id.clone(), gone));
    match task.await {
        Ok(response) => {
            drop(guard.disarm());
            response
        }
        Err(error) => {
            tracing::error!(%error, "a visit's task ended abnormally");
            let refused = Refused::new(500, "internal", "an internal error; the server's log says more");
            gateway.metrics.answered(PROTOCOL, refused.status, refused.code);
            refuse::response(Wire::Plain, &refused, &request_id)
        }
    }
}

async fn receive(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    parts: Parts,
    mut body: Incoming,
    request_id: String,
    gone: CancellationToken,
) -> Response<Body> {
    match steps(&gateway, peer, parts, &mut body, &request_id, gone).await {
        Ok(mut response) => {
            let code = response.extensions().get::<Unreadable>().map_or("ok", |unreadable| unreadable.code);
            gateway.metrics.answered(PROTOCOL, response.status().as_u16(), code);
            refuse::mark(response.headers_mut(), &request_id, None);
            // Answered before it was read: a caller in the middle of sending would not see the answer.
            if !body.is_end_stream() {
                tokio::spawn(http_client::drain(body));
            }
            response
        }
        Err(refused) => {
            let refused = gateway.malformed.note(refused, PROTOCOL, &request_id, gateway.clock.now()).await;
            gateway.metrics.answered(PROTOCOL, refused.status, refused.code);
            tokio::spawn(http_client::drain(body));
            refuse::response(Wire::Plain, &refused, &request_id)
        }
    }
}

async fn steps(
    gateway: &Gateway,
    peer: IpAddr,
    mut parts: Parts,
    body: &mut Incoming,
    request_id: &str,
    gone: CancellationToken,
) -> Result<Response<Body>, Refused> {
    let now = gateway.clock.now();
    let Some(site) = &gateway.site else { return Err(Refused::unknown_route()) };

    // The listener takes the body off again.
    if parts.method == Method::HEAD {
        parts.method = Method::GET;
    }
    let caller = match site.access(&parts.method, parts.uri.path()) {
        Access::Unknown => return Err(Refused::unknown_route()),
        Access::WrongMethod => return Err(Refused::wrong_method()),
        Access::Open => None,
        Access::Caller => {
            // No read without its record either.
            gateway.ready().map_err(|_| Refused::not_recording())?;
            let (caller, _) = gateway.identify(&parts.headers, peer, PROTOCOL, None, request_id, now).await?;
            // Nothing goes on a trail before what it owes, a read no more than a call.
            gateway.recorder.settle(&caller.tenant).await.map_err(|_| Refused::not_recording())?;
            Some(caller)
        }
    };
    let sent = |refused: Refused| match &caller {
        Some(caller) => refused.sent_by(caller),
        None => refused,
    };
    read::check_headers(&parts.headers).map_err(sent)?;
    if !site.takes_coded(parts.uri.path()) {
        read::check_coding(&parts.headers).map_err(sent)?;
    }

    // A stranger must not make us hold anything.
    let streams = caller.is_some() && site.takes_upload(&parts.method, parts.uri.path());
    let (pieces, upload) = mpsc::channel(WAITING_PIECES);
    let whole = match caller {
        _ if streams => Bytes::new(),
        Some(_) => http_client::read_body(body, gateway.limits.body, gateway.limits.body_idle_timeout)
            .await
            .map_err(|error| sent(error.into()))?,
        None => Bytes::new(),
    };

    let sender = caller.clone();
    // The token has done its work, and goes nowhere.
    parts.headers.remove(header::AUTHORIZATION);
    parts.headers.remove("x-api-key");
    let visit = Visit {
        parts,
        body: whole,
        upload: streams.then_some(upload),
        caller,
        policies: gateway.policies.load_full(),
        peer: peer.to_canonical(),
        now,
        request_id: request_id.to_owned(),
        stop: gateway.stop.clone(),
        gone,
    };
    let answer = site.answer(visit);
    let response = if streams {
        // Both at once, until there is an answer: it may come before the body has.
        let feeding = feed(body, pieces, gateway.limits.body_idle_timeout);
        match select(answer, pin!(feeding)).await {
            Either::Left((response, _)) => response,
            Either::Right(((), answer)) => answer.await,
        }
    } else {
        answer.await
    };
    if let (Some(why), Some(sender)) = (response.extensions().get::<Unreadable>(), &sender) {
        let refused = Refused::new(response.status().as_u16(), why.code, why.message.as_str());
        // A long body may have come for hours: it is refused now.
        let now = gateway.clock.now();
        gateway.malformed.record(sender, &refused, PROTOCOL, request_id, now).await?;
    }
    Ok(response)
}

/// Hands a body on as it comes, as fast as it is taken.
async fn feed(body: &mut Incoming, pieces: mpsc::Sender<Result<Bytes, io::Error>>, idle: Duration) {
    loop {
        let piece = match tokio::time::timeout(idle, body.frame()).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(None) => return,
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(piece) => Ok(piece),
                Err(_trailers) => continue,
            },
        };
        let broken = piece.is_err();
        // Nobody takes it any more: the answer is on its way.
        if pieces.send(piece).await.is_err() || broken {
            return;
        }
    }
}
