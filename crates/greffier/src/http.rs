//! The client of a running server: what is asked, what it answered, and how an error there ends a command here.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::wire;

/// Where the token is looked for first: a command line is seen by every process of the machine.
const TOKEN: &str = "GREFFIER_TOKEN";
/// Largest token: it travels in one header.
const MAX_TOKEN: u64 = 16 * 1024;
/// Largest answer that is held whole: a page of 1,000 events of at most 64 KiB.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the head of an answer: the server gives a query up long before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest silence within an answer. A live tail says that it lives more often than that.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a component of a path or a query may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Connections to wherever a URL points.
pub(crate) type Pool = legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Connections that wait for no handshake for ever. Nothing is opened yet.
pub(crate) fn pool() -> Pool {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(tcp);
    let executor = TokioExecutor::new();
    legacy::Client::builder(executor).pool_timer(TokioTimer::new()).timer(TokioTimer::new()).build(tls)
}

/// A server, and who asks.
pub(crate) struct Client {
    base: String,
    token: Option<HeaderValue>,
    pool: Pool,
}

impl Client {
    /// A client of the server at `base`. Nothing is asked yet.
    pub(crate) fn new(base: &str, token_file: Option<&Path>) -> anyhow::Result<Client> {
        let wrong = |what: &str| {
            Failure::usage(format!("`--server` {what}")).hint("as in --server http://127.0.0.1:4180")
        };
        let uri: Uri = base.parse().map_err(|_| wrong("is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("is no URL"))?;
        // What stands in a command line, or is sent in a URL, is no secret any more.
        if authority.as_str().contains('@') {
            return Err(wrong("must not hold credentials").into());
        }
        if uri.query().is_some() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("must be http:// or https://, without a query").into());
        }
        let token = token(token_file)?;
        if token.is_some() && uri.scheme_str() == Some("http") && !is_loopback(authority.host()) {
            let message = format!("a token does not travel in clear text to `{}`", authority.host());
            return Err(Failure::usage(message).hint("use https://").into());
        }
        Ok(Client { base: base.trim_end_matches('/').to_owned(), token, pool: pool() })
    }

    /// The server, as it was named.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A JSON answer.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let mut reply = self.open(path, query, &[(ACCEPT, "application/json")]).await?;
        let body = self.bytes(&mut reply).await?;
        serde_json::from_slice(&body).with_context(|| format!("{} did not answer in JSON", self.base))
    }

    /// An answer in plain text.
    pub(crate) async fn text(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut reply = self.open(path, query, &[(ACCEPT, "text/plain")]).await?;
        let body = self.bytes(&mut reply).await?;
        String::from_utf8(body).with_context(|| format!("{} did not answer in text", self.base))
    }

    /// A JSON answer to what is sent. What is no error document is an answer whatever its status: an ingest says
    /// with its own what its lines have in common.
    pub(crate) async fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        media: &'static str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Value> {
        let headers = [(ACCEPT, "application/json"), (CONTENT_TYPE, media)];
        let mut reply = self.send(Method::POST, path, query, &headers, body.into()).await?;
        let (status, body) = (reply.0.status(), self.bytes(&mut reply).await?);
        match serde_json::from_slice::<Value>(&body) {
            Ok(answer) if status.is_success() || answer.get("receipts").is_some() => Ok(answer),
            _ => Err(refused(status, &body, self.token.is_some()).into()),
        }
    }

    /// An answer as it came to what is sent as it is.
    pub(crate) async fn exchange(
        &self,
        path: &str,
        media: &'static str,
        body: Vec<u8>,
    ) -> anyhow::Result<Vec<u8>> {
        let headers = [(ACCEPT, "application/json"), (CONTENT_TYPE, media)];
        let mut reply = self.send(Method::POST, path, &[], &headers, body.into()).await?;
        let (status, body) = (reply.0.status(), self.bytes(&mut reply).await?);
        if status.is_success() { Ok(body) } else { Err(refused(status, &body, self.token.is_some()).into()) }
    }

    /// An answer without an end, or one too long to hold.
    pub(crate) async fn open(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(HeaderName, &str)],
    ) -> anyhow::Result<Reply> {
        let mut reply = self.send(Method::GET, path, query, headers, Bytes::new()).await?;
        let status = reply.0.status();
        if status.is_success() {
            return Ok(reply);
        }
        let body = self.bytes(&mut reply).await.unwrap_or_default();
        Err(refused(status, &body, self.token.is_some()).into())
    }

    /// A long answer to what is asked by its parameters alone, and is recorded.
    pub(crate) async fn fetch(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let mut reply = self.send(Method::POST, path, query, &[(ACCEPT, "*/*")], Bytes::new()).await?;
        let status = reply.0.status();
        if status.is_success() {
            return Ok(reply);
        }
        let body = self.bytes(&mut reply).await.unwrap_or_default();
        Err(refused(status, &body, self.token.is_some()).into())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> anyhow::Result<Reply> {
        let mut request =
            Request::builder().method(method).uri(format!("{}{}", self.base, target(path, query)));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let answer = self.pool.request(request.body(Full::new(body))?);
        let timeout = || Failure::new("timeout", format!("{} did not answer in time", self.base));
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| timeout())?;
        Ok(Reply(answer.map_err(|error| self.unreachable(&error))?))
    }

    fn unreachable(&self, error: &legacy::Error) -> Failure {
        // Its own words are about the library; those of the system are below.
        let mut cause: &dyn std::error::Error = error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        let failure = Failure::new("unreachable", format!("cannot reach {}: {cause}", self.base));
        if error.is_connect() {
            failure.hint("start it with `greffier serve`, or read the files themselves with --data DIR")
        } else {
            failure
        }
    }

    async fn bytes(&self, reply: &mut Reply) -> anyhow::Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(bytes) = reply.next().await? {
            if whole.len() + bytes.len() > MAX_ANSWER {
                return Err(Failure::new("too_large", "the answer is too large").into());
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}

/// An answer that is read as it comes.
pub(crate) struct Reply(Response<hyper::body::Incoming>);

impl Reply {
    /// A header of it as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// What came next; `None` at the end. An answer that breaks off is an error: half of the data is not the data.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let frame = tokio::time::timeout(IDLE_TIMEOUT, self.0.body_mut().frame()).await;
            match frame.map_err(|_| Failure::new("timeout", "the server fell silent"))? {
                None => return Ok(None),
                Some(Err(error)) => {
                    let message = format!("the answer broke off: {error}");
                    return Err(Failure::new("broken_off", message).into());
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
            }
        }
    }
}

/// The token, if there is one. It never stands in an error.
fn token(file: Option<&Path>) -> anyhow::Result<Option<HeaderValue>> {
    let text = match file {
        Some(file) => {
            let bytes = Zeroizing::new(wire::read(file, MAX_TOKEN)?);
            let wrong = || Failure::usage(format!("`{}` is not a token", file.display()));
            Zeroizing::new(std::str::from_utf8(&bytes).map_err(|_| wrong())?.to_owned())
        }
        None => match std::env::var(TOKEN) {
            Ok(text) => Zeroizing::new(text),
            Err(_) => return Ok(None),
        },
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bearer = Zeroizing::new(format!("Bearer {text}"));
    let mut header =
        HeaderValue::from_str(&bearer).map_err(|_| Failure::usage("the token must be one line of ASCII"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A path with its query; what varies is encoded.
fn target(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A value as one component of a path or a query.
pub(crate) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, PLAIN).to_string()
}

#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
    at: Option<usize>,
    hint: Option<String>,
    request_id: Option<String>,
}

/// What the server refused, as this process says it.
fn refused(status: StatusCode, body: &[u8], with_token: bool) -> Failure {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NotAuthorised,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::BAD_REQUEST => Exit::Usage,
        _ => Exit::Error,
    };
    let Ok(Refused { error }) = serde_json::from_slice(body) else {
        let message = format!("the server answered {status}, and not as a greffier does");
        return Failure::new("unexpected_answer", message).exit(exit);
    };
    let mut failure = Failure::new(error.code, error.message).exit(exit).at(error.at);
    failure.hint = error.hint;
    failure.request_id = error.request_id;
    match (status, with_token) {
        (StatusCode::UNAUTHORIZED, false) => failure.hint(format!(
            "put a token into {TOKEN}, or name a file with --token-file; `greffier token` mints"
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_encoded() {
        let query = [("q", "user:a b&c=d/é"), ("limit", "10")];
        assert_eq!(target("/x", &query), "/x?q=user%3Aa%20b%26c%3Dd%2F%C3%A9&limit=10");
        assert_eq!(target("/x", &[]), "/x");
        assert_eq!(encoded("../a?b"), "..%2Fa%3Fb");
    }

    #[test]
    fn answers_become_exit_codes() {
        let check = |status: u16, body: &str| {
            let failure = refused(StatusCode::from_u16(status).unwrap(), body.as_bytes(), false);
            (failure.exit, failure.code.into_owned(), failure.message, failure.hint)
        };
        let body = r#"{"error":{"code":"c","message":"m","hint":"h","request_id":"r"}}"#;
        let said = |exit| (exit, "c".to_owned(), "m".to_owned(), Some("h".to_owned()));
        assert_eq!(check(403, body), said(Exit::NotAuthorised));
        assert_eq!(check(404, body), said(Exit::NotFound));
        assert_eq!(check(400, body), said(Exit::Usage));
        assert_eq!(check(503, body), said(Exit::Error));
        let (exit, _, _, hint) = check(401, body);
        assert_eq!(exit, Exit::NotAuthorised);
        assert!(hint.unwrap().contains(TOKEN));
        assert_eq!(check(502, "<html>").1, "unexpected_answer");
    }

    #[test]
    fn a_token_travels_encrypted_or_nowhere() {
        assert!(is_loopback("localhost") && is_loopback("127.0.0.9") && is_loopback("[::1]"));
        assert!(!is_loopback("example.org") && !is_loopback("10.0.0.1") && !is_loopback("localhost.example"));
        for wrong in ["nowhere", "ftp://x", "http://u:p@127.0.0.1/", "http://127.0.0.1/?a=b"] {
            let error = Client::new(wrong, None).err().unwrap();
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }
}
