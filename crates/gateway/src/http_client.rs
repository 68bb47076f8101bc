//! The outgoing HTTP client: one pool for upstreams and identity providers, no redirects, no cookies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::resolve::{Host, Resolver};

/// The client's type, shared by cloning.
pub type HttpClient = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: shorter than the 60 s most servers allow, so that a reused one is alive.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// Whose certificates a destination is believed by, and which one we show it.
#[derive(Clone, Default)]
pub struct TlsTrust {
    /// PEM of the only roots to trust; `None`: Mozilla's, compiled in.
    pub roots: Option<Vec<u8>>,
    /// PEM of our own chain and of its key.
    pub own: Option<(Vec<u8>, zeroize::Zeroizing<Vec<u8>>)>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate in it, or one that cannot be read.
    #[error("expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)")]
    Certificates,
    /// No private key in it, or one that cannot be read.
    #[error("expected a private key in PEM, not encrypted")]
    Key,
    /// They do not go together.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificates of a PEM text, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Certificates)
}

/// The private key of a PEM text.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::Key)
}

/// Builds the client; trusted roots are Mozilla's, compiled in.
pub(crate) fn new() -> HttpClient {
    client_to(Host::Named)
}

/// A client that reaches what upstreams may reach, for what is told to others: the same roots, resolver and timeouts.
pub fn client_to(host: Host) -> HttpClient {
    client(hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots(), host)
}

/// A client of one destination.
pub(crate) fn trusting(trust: &TlsTrust, host: Host) -> Result<HttpClient, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match &trust.roots {
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem)? {
                roots.add(certificate)?;
            }
            config.with_root_certificates(roots)
        }
        None => config.with_webpki_roots(),
    };
    let config = match &trust.own {
        Some((chain, key)) => config.with_client_auth_cert(certificates(chain)?, private_key(key)?)?,
        None => config.with_no_client_auth(),
    };
    Ok(client(hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config), host))
}

fn client(
    tls: hyper_rustls::HttpsConnectorBuilder<hyper_rustls::builderstates::WantsSchemes>,
    host: Host,
) -> HttpClient {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(host));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = tls.https_or_http().enable_http1().enable_http2().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(tls)
}

/// Why a small document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("cannot reach it: {0}")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("it answered {0}")]
    Status(http::StatusCode),
    #[error("its answer broke off or was over {0} bytes")]
    Body(usize),
    #[error("its URL is not valid")]
    Url,
}

/// Fetches a small document (discovery, JWKS): bounded in time and size.
pub(crate) async fn fetch(
    client: &HttpClient,
    url: &str,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, FetchError> {
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(Full::default())
        .map_err(|_| FetchError::Url)?;
    let exchange = async {
        let reply = client.request(request).await?;
        if reply.status() != http::StatusCode::OK {
            return Err(FetchError::Status(reply.status()));
        }
        let body =
            Limited::new(reply.into_body(), limit).collect().await.map_err(|_| FetchError::Body(limit))?;
        Ok(body.to_bytes())
    };
    tokio::time::timeout(timeout, exchange).await.map_err(|_| FetchError::Timeout(timeout))?
}

/// Why a body could not be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Longer than allowed.
    TooLarge,
    /// Silent for too long.
    Idle,
    /// Broke off.
    Broken,
}

/// Reads a body whole, bounded in size and in silence between its frames. What is left of it stays unread.
pub(crate) async fn read_body<B>(body: &mut B, limit: usize, idle: Duration) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    // A declared length is believed when it is too large: nothing of such a body is read.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut whole = Vec::new();
    loop {
        match tokio::time::timeout(idle, body.frame()).await {
            Err(_) => return Err(BodyError::Idle),
            Ok(None) => return Ok(whole.into()),
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(Some(Ok(frame))) => {
                let Some(data) = frame.data_ref() else { continue };
                if whole.len() + data.len() > limit {
                    return Err(BodyError::TooLarge);
                }
                whole.extend_from_slice(data);
            }
        }
    }
}

/// How long a refused body is read on and thrown away.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Reads on what nobody wants, for a while: a caller in the middle of sending would otherwise see its connection
/// reset instead of the refusal. Holds nothing.
pub(crate) async fn drain<B>(mut body: B)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    drop(tokio::time::timeout(DRAIN_TIME, reading).await);
}
