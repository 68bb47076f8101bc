//! Who calls: the bearer token of a request, verified against the trusted issuers.
//!
//! The token travels where an SDK puts its API key, so that any client works by base URL alone. It never goes
//! upstream, and nothing here keeps it: the cache of verified tokens knows only its hash.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_lc_rs::digest;
use greffier_event::{Principal, Timestamp};
use greffier_policy::{Issuer, Refusal, peek, verify};
use http::{HeaderMap, HeaderValue};

use crate::http_client::HttpClient;
use crate::issuer_keys::{IssuerKeys, KeysError};
use crate::refuse::Refused;
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
    kid: Option<String>,
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
        let hash = hash(token, also);
        if let Some(principal) = self.known(&hash, now).await {
            return Ok(principal);
        }
        let claimed = peek(token)?;
        let found =
            self.issuers.iter().enumerate().find(|(_, (trusted, _))| trusted.issuer.url == claimed.issuer);
        let (index, (trusted, keys)) = found.ok_or(Refusal::UnknownIssuer)?;
        let snapshot = keys.for_kid(claimed.kid.as_deref()).await.ok_or(Refusal::KeysUnavailable)?;
        let principal = match (verify(token, &trusted.issuer, &snapshot.keys, now), also) {
            (Err(Refusal::Audience), Some(also)) => {
                let issuer = Issuer { audience: also.to_owned(), ..trusted.issuer.clone() };
                verify(token, &issuer, &snapshot.keys, now)?
            }
            (verified, _) => verified?,
        };
        let until = Timestamp::from_micros(now.as_micros() + CACHE_MICROS).min(principal.expires);
        let verified = Verified {
            principal: principal.clone(),
            issuer: index,
            kid: claimed.kid,
            generation: snapshot.generation,
            until,
        };
        self.remember(hash, verified, now);
        Ok(principal)
    }

    /// Whom a token that was verified lately is of, as long as the keys that it was verified with are in force.
    async fn known(&self, hash: &[u8; 32], now: Timestamp) -> Option<Principal> {
        let (issuer, kid) = self.cached(hash, |held| (held.issuer, held.kid.clone()))?;
        let (_, keys) = self.issuers.get(issuer)?;
        let generation = keys.for_kid(kid.as_deref()).await?.generation;
        self.cached(hash, |held| {
            let good = held.generation == generation && now < held.until;
            good.then(|| held.principal.clone())
        })?
    }

    fn cached<T>(&self, hash: &[u8; 32], look: impl FnOnce(&Verified) -> T) -> Option<T> {
        self.verified.lock().ok()?.get(hash).map(look)
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

/// Puts a token that travels as Gemini's clients send their key where [`bearer`] looks for it, and out of the query.
///
/// A query ends up in many logs, so a token there is taken only from a caller that sends no other.
pub(crate) fn lift_gemini_key(headers: &mut HeaderMap, query: &mut Option<String>) -> Result<(), Refused> {
    let keys: Vec<HeaderValue> = headers.get_all("x-goog-api-key").iter().cloned().collect();
    for mut key in keys {
        key.set_sensitive(true);
        headers.append("x-api-key", key);
    }
    let Some(text) = query.take() else { return Ok(()) };
    let name = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
    };
    let (given, rest): (Vec<&str>, Vec<&str>) = text
        .split('&')
        .partition(|pair| matches!(name(pair).as_str(), "key" | "access_token" | "oauth_token"));
    *query = (!rest.is_empty()).then(|| rest.join("&"));
    let elsewhere = ["authorization", "x-api-key"].iter().any(|name| headers.contains_key(*name));
    match given.as_slice() {
        [] => Ok(()),
        [pair] if !elsewhere && name(pair) == "key" => {
            let token = pair.split_once('=').map(|(_, value)| value).unwrap_or_default();
            let token = percent_encoding::percent_decode_str(token).decode_utf8_lossy();
            let mut value = HeaderValue::from_str(&token)
                .map_err(|_| Refused::bad_request("`key` in the query is no token"))?;
            value.set_sensitive(true);
            headers.append("x-api-key", value);
            Ok(())
        }
        _ => Err(Refused::new(
            400,
            "token_in_query",
            "leave the token out of the query: send it once, as `x-goog-api-key` or `Authorization: Bearer …`",
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: &[(&'static str, &str)], query: &str) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        let mut query = (!query.is_empty()).then(|| query.to_owned());
        match lift_gemini_key(&mut headers, &mut query) {
            Err(refused) => refused.code.to_owned(),
            Ok(()) => {
                let token = bearer(&headers).map(|token| token.expose().to_owned());
                format!("{token:?} {query:?}")
            }
        }
    }

    #[test]
    fn a_gemini_key_is_a_token_and_leaves_the_query() {
        let key = ("x-goog-api-key", "t1");
        assert_eq!(check(&[key], "alt=sse"), r#"Ok("t1") Some("alt=sse")"#);
        assert_eq!(check(&[], "alt=sse&key=t1&x=1"), r#"Ok("t1") Some("alt=sse&x=1")"#);
        assert_eq!(check(&[], "key=t%31"), r#"Ok("t1") None"#);
        assert_eq!(check(&[], "k%65y=t1"), r#"Ok("t1") None"#);
        assert_eq!(check(&[("authorization", "Bearer t1")], ""), r#"Ok("t1") None"#);
        // Twice, or where it does not belong.
        assert_eq!(check(&[key], "key=t1"), "token_in_query");
        assert_eq!(check(&[], "key=t1&key=t2"), "token_in_query");
        assert_eq!(check(&[], "access_token=t1"), "token_in_query");
        assert_eq!(check(&[key, ("authorization", "Bearer t2")], ""), "Err(Malformed) None");
    }
}
