//! Who calls: the bearer token of a request, verified against the trusted issuers.
//!
//! The token travels where an SDK puts its API key, so that any client works by base URL alone. It never goes
//! upstream, and nothing here keeps it: the cache of verified tokens knows only its hash.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_lc_rs::digest;
use greffier_event::{Principal, Timestamp};
use greffier_policy::{Issuer, Refusal, peek, verify};
use http::HeaderMap;

use crate::http_client::HttpClient;
use crate::issuer_keys::{IssuerKeys, KeysError};
use crate::settings::{Secret, TrustedIssuer};

/// A verified token is trusted without verifying again for at most this long, in microseconds.
const CACHE_MICROS: i64 = 300 * 1_000_000;
/// Verified tokens held: at about 1 KiB each, 8 MiB.
const CACHE_ENTRIES: usize = 8_192;

/// Trusted issuers and what they have verified lately.
#[derive(Debug)]
pub(crate) struct Identities {
    issuers: Vec<(TrustedIssuer, IssuerKeys)>,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

#[derive(Debug)]
struct Verified {
    principal: Principal,
    issuer: usize,
    generation: u64,
    until: Timestamp,
}

impl Identities {
    /// Prepares the issuers' keys; those behind a URL are fetched by [`Identities::refresh`].
    pub(crate) fn new(issuers: Vec<TrustedIssuer>, client: &HttpClient) -> Result<Identities, KeysError> {
        let issuers = issuers
            .into_iter()
            .map(|trusted| IssuerKeys::new(&trusted, client.clone()).map(|keys| (trusted, keys)))
            .collect::<Result<_, _>>()?;
        Ok(Identities { issuers, verified: Mutex::default() })
    }

    /// Refreshes keys that are no longer fresh.
    pub(crate) async fn refresh(&self) {
        for (_, keys) in &self.issuers {
            keys.refresh().await;
        }
    }

    /// What `/readyz` should say about the issuers.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.issuers.iter().filter_map(|(_, keys)| keys.trouble()).collect()
    }

    /// Verifies a token: signature, issuer, audience, times, tenant. `also` is an audience that does as well as the
    /// issuer's own: a token made out to one entrance opens that entrance only.
    pub(crate) async fn identify(
        &self,
        token: &Secret,
        also: Option<&str>,
        now: Timestamp,
    ) -> Result<Principal, Refusal> {
        let token = token.expose();
        let claimed = peek(token)?;
        let found =
            self.issuers.iter().enumerate().find(|(_, (trusted, _))| trusted.issuer.url == claimed.issuer);
        let (index, (trusted, keys)) = found.ok_or(Refusal::UnknownIssuer)?;
        let snapshot = keys.for_kid(claimed.kid.as_deref()).await.ok_or(Refusal::KeysUnavailable)?;
        let hash = hash(token, also);
        if let Some(principal) = self.cached(&hash, index, snapshot.generation, now) {
            return Ok(principal);
        }
        let principal = match (verify(token, &trusted.issuer, &snapshot.keys, now), also) {
            (Err(Refusal::Audience), Some(also)) => {
                let issuer = Issuer { audience: also.to_owned(), ..trusted.issuer.clone() };
                verify(token, &issuer, &snapshot.keys, now)?
            }
            (verified, _) => verified?,
        };
        let until = Timestamp::from_micros(now.as_micros() + CACHE_MICROS).min(principal.expires);
        let verified =
            Verified { principal: principal.clone(), issuer: index, generation: snapshot.generation, until };
        self.remember(hash, verified, now);
        Ok(principal)
    }

    fn cached(&self, hash: &[u8; 32], issuer: usize, generation: u64, now: Timestamp) -> Option<Principal> {
        let cache = self.verified.lock().ok()?;
        let hit = cache.get(hash)?;
        let good = hit.issuer == issuer && hit.generation == generation && now < hit.until;
        good.then(|| hit.principal.clone())
    }

    fn remember(&self, hash: [u8; 32], verified: Verified, now: Timestamp) {
        let Ok(mut cache) = self.verified.lock() else { return };
        if cache.len() >= CACHE_ENTRIES {
            cache.retain(|_, held| now < held.until);
        }
        // Still full of live tokens: starting over costs one verification each and keeps the bound simple.
        if cache.len() >= CACHE_ENTRIES {
            cache.clear();
        }
        cache.insert(hash, verified);
    }
}

/// A token, and what it was verified for.
fn hash(token: &str, also: Option<&str>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(token.as_bytes());
    // No token has a zero byte in it.
    context.update(b"\0");
    context.update(also.unwrap_or_default().as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Takes the token out of `Authorization: Bearer` or `x-api-key`.
///
/// Two tokens that differ are refused: which of them a proxy in front had looked at would be anybody's guess.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Secret, Refusal> {
    let mut found: Option<String> = None;
    for value in headers.get_all(http::header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| Refusal::Malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Malformed);
        }
        take(&mut found, token.trim())?;
    }
    for value in headers.get_all("x-api-key") {
        take(&mut found, value.to_str().map_err(|_| Refusal::Malformed)?.trim())?;
    }
    found.map(Secret::new).ok_or(Refusal::MissingToken)
}

fn take(found: &mut Option<String>, token: &str) -> Result<(), Refusal> {
    match found {
        _ if token.is_empty() => Err(Refusal::MissingToken),
        Some(other) if other != token => Err(Refusal::Malformed),
        _ => {
            *found = Some(token.to_owned());
            Ok(())
        }
    }
}
