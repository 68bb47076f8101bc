//! A Greffier server over HTTP: requests from any thread, whether or not it belongs to an async runtime.
//!
//! One thread drives all connections; callers hand it a request and wait. So nothing here needs a runtime, and none
//! is blocked by its own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::mpsc as jobs;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::backend::BackendError;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: shorter than most servers allow, so that a reused one is alive.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Longest wait for a whole answer, unless another is set: receipts take as long as the server's disk.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer: a page of a thousand events at most, or the receipts of one request.
const MAX_ANSWER: usize = 64 << 20;
/// Longer than the request itself may take: the thread always answers.
const MARGIN: Duration = Duration::from_secs(5);

type Pool = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Where the token comes from. It is asked for with each request, so that a renewed one is used.
#[derive(Clone)]
pub enum Token {
    /// None: for a server that asks for none.
    None,
    /// This one.
    Text(String),
    /// What stands in a file.
    File(PathBuf),
    /// Whatever this gives.
    From(Arc<dyn Fn() -> io::Result<String> + Send + Sync>),
}

impl Token {
    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Token::None => return Ok(None),
            Token::Text(text) => Ok(text.clone()),
            Token::File(path) => std::fs::read_to_string(path),
            Token::From(give) => give(),
        };
        let text = text.map_err(|error| format!("the token cannot be read: {error}"))?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| "the token has characters that no token has".to_owned())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A server, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    base: String,
    token: Token,
    timeout: Duration,
    ca_file: Option<PathBuf>,
}

impl ServerOptions {
    /// The server at this URL, as in `http://127.0.0.1:4180`; without a token. A token goes over `https://`, or to
    /// loopback.
    pub fn new(url: impl Into<String>) -> ServerOptions {
        ServerOptions { base: url.into(), token: Token::None, timeout: TIMEOUT, ca_file: None }
    }

    /// With this token.
    pub fn token(mut self, token: Token) -> ServerOptions {
        self.token = token;
        self
    }

    /// Waits this long for an answer; 30 seconds otherwise.
    pub fn timeout(mut self, timeout: Duration) -> ServerOptions {
        self.timeout = timeout;
        self
    }

    /// Trusts the authorities of this PEM file and no others; Mozilla's, compiled in, otherwise. It is read once, when
    /// the server is opened.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> ServerOptions {
        self.ca_file = Some(path.into());
        self
    }

    pub(crate) fn open(self) -> Result<Server, BackendError> {
        let wrong = |what: &str| BackendError::Settings(format!("the server's URL {what}"));
        let uri: Uri = self.base.parse().map_err(|_| wrong("is none"))?;
        let authority = uri.authority().ok_or_else(|| wrong("is none"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("must hold neither credentials nor a query"));
        }
        let clear = match uri.scheme_str() {
            Some("http") => true,
            Some("https") => false,
            _ => return Err(wrong("must be http:// or https://")),
        };
        let host = authority.host().trim_matches(['[', ']']);
        let loopback = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        if clear && !loopback && !matches!(self.token, Token::None) {
            return Err(wrong("must be https://: a token does not travel in clear text"));
        }
        let base = self.base.trim_end_matches('/').to_owned();
        let pool = pool(self.ca_file.as_deref())?;
        let (jobs, inbox) = jobs::unbounded_channel();
        thread::Builder::new()
            .name("greffier-http".to_owned())
            .spawn(move || drive(&pool, inbox))
            .map_err(BackendError::io("starting the thread that speaks HTTP"))?;
        Ok(Server { base, token: self.token, timeout: self.timeout, jobs })
    }
}

/// An open server. The thread ends with the last of it.
#[derive(Debug)]
pub(crate) struct Server {
    base: String,
    token: Token,
    timeout: Duration,
    /// Without a bound of its own: each caller waits for its answer.
    jobs: jobs::UnboundedSender<Job>,
}

#[derive(Debug)]
struct Job {
    request: Request<Full<Bytes>>,
    timeout: Duration,
    answer: mpsc::SyncSender<Result<Answer, String>>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// What the server says of an error, for people: its own words, if it is one of ours.
    pub(crate) fn said(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Document {
            error: Said,
        }
        #[derive(serde::Deserialize)]
        struct Said {
            message: String,
        }
        match serde_json::from_slice::<Document>(&self.body) {
            Ok(document) => format!("{}: {}", self.status, document.error.message),
            Err(_) => self.status.to_string(),
        }
    }
}

impl Server {
    /// Sends a request and waits for its whole answer. An error says, for people, why there is none.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        request = request.header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(token) = self.token.header()? {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|error| format!("no request: {error}"))?;
        let (answer, wait) = mpsc::sync_channel(1);
        let gone = || "the thread that speaks HTTP is gone".to_owned();
        self.jobs.send(Job { request, timeout: self.timeout, answer }).map_err(|_| gone())?;
        wait.recv_timeout(self.timeout + MARGIN).map_err(|_| gone())?
    }
}

/// Drives connections until nobody asks any more.
fn drive(pool: &Pool, mut inbox: jobs::UnboundedReceiver<Job>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        while let Some(Job { request, timeout, answer }) = inbox.recv().await {
            let pool = pool.clone();
            tokio::spawn(async move {
                let exchanged = tokio::time::timeout(timeout, exchange(&pool, request)).await;
                let result = exchanged.unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")));
                // Who does not wait any more is not told.
                let _ = answer.send(result);
            });
        }
    });
}

async fn exchange(pool: &Pool, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let reply = pool.request(request).await.map_err(|error| {
        let chain = std::iter::successors(std::error::Error::source(&error), |&error| error.source());
        chain.fold(error.to_string(), |said, error| format!("{said}: {error}"))
    })?;
    let (parts, body) = reply.into_parts();
    let read = Limited::new(body, MAX_ANSWER).collect().await;
    let body = read.map_err(|_| "the answer broke off, or was over 64 MiB".to_owned())?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// Connections to wherever a URL points; trusted roots are those of a file, or Mozilla's, compiled in.
fn pool(ca_file: Option<&Path>) -> Result<Pool, BackendError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BackendError::Settings(format!("TLS cannot be set up: {error}")))?;
    let config = match ca_file {
        Some(path) => config.with_root_certificates(roots(path)?),
        None => config.with_webpki_roots(),
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(tls))
}

/// The authorities of a PEM file, at least one.
fn roots(path: &Path) -> Result<RootCertStore, BackendError> {
    let reading = format!("reading the authorities in {}", path.display());
    let pem = std::fs::read(path).map_err(BackendError::io(reading))?;
    let unusable = || {
        let expected = "expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)";
        BackendError::Settings(format!("{}: {expected}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(unusable)?;
    }
    if roots.is_empty() { Err(unusable()) } else { Ok(roots) }
}
