//! The public keys of trusted issuers: fetched, cached, refetched when a token names an unknown one.
//!
//! A token never says where keys come from (`jku`, `x5u`, `jwk` are not read): only the configured issuer does,
//! by OIDC discovery. Keys that cannot be refreshed are used for at most an hour, and `/readyz` says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use greffier_policy::KeySet;
use tokio::sync::Mutex;

use crate::http_client::{self, FetchError, HttpClient};
use crate::settings::{KeySource, TrustedIssuer};

/// Keys younger than this are fresh.
const REFRESH: Duration = Duration::from_secs(300);
/// How long keys serve on while the provider is down.
const MAX_STALE: Duration = Duration::from_secs(3_600);
/// After a refetch that did not bring the wanted key, the pause before the next: nobody can make us hammer a
/// provider by inventing key ids.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// Largest discovery document or JWKS.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// Longest wait for one of them.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys as they were at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The keys.
    pub(crate) keys: KeySet,
    /// Counts refreshes that changed the keys: verified tokens are cached with it, and go with it.
    pub(crate) generation: u64,
    document: Vec<u8>,
    fetched: Option<Instant>,
}

/// One issuer's keys.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    url: String,
    source: Source,
    current: ArcSwapOption<Snapshot>,
    refetch: Mutex<Refetch>,
    /// Whether the last fetch failed.
    failing: AtomicBool,
}

#[derive(Debug)]
enum Source {
    Discovery(Box<HttpClient>),
    Fixed,
}

#[derive(Debug, Default)]
struct Refetch {
    fruitless: Option<Instant>,
    generation: u64,
}

/// Why there are no keys to verify with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("the JWKS of issuer `{issuer}` is not usable: {reason}")]
    Parse { issuer: String, reason: String },
    #[error("issuer `{issuer}`: {document}: {source}")]
    Fetch { issuer: String, document: &'static str, source: FetchError },
    #[error("the discovery document of issuer `{issuer}` {reason}")]
    Discovery { issuer: String, reason: &'static str },
}

impl IssuerKeys {
    /// Prepares the keys of `trusted`; fixed keys are parsed now, others fetched on first use or refresh.
    pub(crate) fn new(trusted: &TrustedIssuer, client: HttpClient) -> Result<IssuerKeys, KeysError> {
        let url = trusted.issuer.url.clone();
        let (source, current) = match &trusted.keys {
            KeySource::Discovery => (Source::Discovery(Box::new(client)), None),
            KeySource::Fixed(document) => {
                let keys = KeySet::parse(document)
                    .map_err(|error| KeysError::Parse { issuer: url.clone(), reason: error.to_string() })?;
                let snapshot = Snapshot { keys, generation: 0, document: document.clone(), fetched: None };
                (Source::Fixed, Some(Arc::new(snapshot)))
            }
        };
        Ok(IssuerKeys {
            url,
            source,
            current: ArcSwapOption::new(current),
            refetch: Mutex::default(),
            failing: AtomicBool::new(false),
        })
    }

    /// The keys for a token that names `kid`, or `None` when none may be used (fail closed).
    pub(crate) async fn for_kid(&self, kid: Option<&str>) -> Option<Arc<Snapshot>> {
        let wanted = |snapshot: &Snapshot| kid.is_none_or(|kid| snapshot.keys.contains(kid));
        let held = self.usable();
        if held.as_deref().is_some_and(wanted) || matches!(self.source, Source::Fixed) {
            return held;
        }
        // Single flight: whoever waited here looks first at what the one before brought.
        let mut refetch = self.refetch.lock().await;
        let held = self.usable();
        if held.as_deref().is_some_and(wanted) {
            return held;
        }
        if refetch.fruitless.is_some_and(|at| at.elapsed() < COOL_DOWN) {
            return held;
        }
        self.fetch_into(&mut refetch).await;
        let held = self.usable();
        refetch.fruitless = if held.as_deref().is_some_and(wanted) { None } else { Some(Instant::now()) };
        held
    }

    /// Fetches the keys if they are no longer fresh; called at the node's own pace.
    pub(crate) async fn refresh(&self) {
        let fresh = |snapshot: &Snapshot| snapshot.fetched.is_some_and(|at| at.elapsed() < REFRESH);
        if matches!(self.source, Source::Fixed) || self.current.load().as_deref().is_some_and(fresh) {
            return;
        }
        let mut refetch = self.refetch.lock().await;
        self.fetch_into(&mut refetch).await;
    }

    /// For `/readyz`: whether keys are missing or older than they should be.
    pub(crate) fn trouble(&self) -> Option<String> {
        let snapshot = self.current.load();
        match snapshot.as_deref() {
            None => Some(format!("no keys of issuer {}", self.url)),
            Some(Snapshot { fetched: Some(at), .. }) if self.failing.load(Ordering::Relaxed) => {
                Some(format!(
                    "issuer {} cannot be reached; its keys are {} s old and serve for at most {} s",
                    self.url,
                    at.elapsed().as_secs(),
                    MAX_STALE.as_secs()
                ))
            }
            Some(_) => None,
        }
    }

    fn usable(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full().filter(|snapshot| snapshot.fetched.is_none_or(|at| at.elapsed() < MAX_STALE))
    }

    async fn fetch_into(&self, refetch: &mut Refetch) {
        let Source::Discovery(client) = &self.source else { return };
        let fetched = self.fetch(client, refetch).await;
        self.failing.store(fetched.is_err(), Ordering::Relaxed);
        if let Err(error) = fetched {
            tracing::warn!(issuer = %self.url, %error, "cannot fetch the issuer's keys");
        }
    }

    async fn fetch(&self, client: &HttpClient, refetch: &mut Refetch) -> Result<(), KeysError> {
        let document = discover(client, &self.url).await?;
        let keys = KeySet::parse(&document)
            .map_err(|error| KeysError::Parse { issuer: self.url.clone(), reason: error.to_string() })?;
        let same = self.current.load().as_deref().is_some_and(|old| old.document == document);
        if !same {
            refetch.generation += 1;
        }
        self.current.store(Some(Arc::new(Snapshot {
            keys,
            generation: refetch.generation,
            document: document.to_vec(),
            fetched: Some(Instant::now()),
        })));
        Ok(())
    }
}

async fn discover(client: &HttpClient, issuer: &str) -> Result<Vec<u8>, KeysError> {
    let fetch = async |url: &str, document: &'static str| {
        http_client::fetch(client, url, DOCUMENT_LIMIT, FETCH_TIMEOUT)
            .await
            .map_err(|source| KeysError::Fetch { issuer: issuer.to_owned(), document, source })
    };
    let wrong = |reason| KeysError::Discovery { issuer: issuer.to_owned(), reason };
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let discovery = fetch(&url, "discovery document").await?;
    let discovery: Discovery =
        serde_json::from_slice(&discovery).map_err(|_| wrong("is not what OIDC says"))?;
    // OIDC Discovery 4.3: the document must speak for exactly the issuer that was asked.
    if discovery.issuer != issuer {
        return Err(wrong("names another issuer"));
    }
    if !may_fetch(&discovery.jwks_uri) {
        return Err(wrong("has a jwks_uri that is neither https nor on loopback"));
    }
    Ok(fetch(&discovery.jwks_uri, "JWKS").await?.to_vec())
}

#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Keys travel over TLS, or never leave the machine.
pub(crate) fn may_fetch(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let loopback = uri.host().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback)
}
