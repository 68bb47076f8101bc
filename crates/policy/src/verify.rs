//! Verify: a token, one issuer, its keys and the time; a principal or the reason why not.

use greffier_event::{Principal, Timestamp};
use serde_json::Value;

use crate::token::Token;
use crate::{Issuer, KeySet, Refusal, claims};

/// How far clocks may differ, in seconds.
const SKEW: i64 = 60;
/// Audiences of one token that are looked at.
const MAX_AUDIENCES: usize = 64;

/// Claims that only ID tokens (`nonce`, hashes of what was handed out beside them) and logout or security event
/// tokens (`events`) have.
const NOT_IN_ACCESS_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// Verifies a token for `issuer`, which the caller chose by [`peek`](crate::peek).
///
/// # What counts as an access token
/// A header `typ` of `at+jwt` says so, and settles it. Under `JWT` or no `typ`, a token is refused as an ID token
/// or the like if it has `nonce`, `at_hash`, `c_hash`, `s_hash` or `events`; if the provider's own mark says so
/// (`token_use` of Cognito, `typ` of Keycloak, when it is not `Bearer`); or if it is made out to nobody but the
/// client itself (`aud` is `azp` or `client_id`), unless Keycloak marks it `Bearer`.
pub fn verify(token: &str, issuer: &Issuer, keys: &KeySet, now: Timestamp) -> Result<Principal, Refusal> {
    let token = Token::parse(token)?;
    keys.check(&token)?;
    // From here on the claims are the issuer's word.
    let claims = Value::Object(token.claims()?);
    if claims.get("iss").and_then(Value::as_str) != Some(issuer.url.as_str()) {
        return Err(Refusal::UnknownIssuer);
    }
    if !token.says_access_token && has_mark_of_another_kind(&claims) {
        return Err(Refusal::IdToken);
    }
    let audiences = audiences(&claims)?;
    if !audiences.contains(&issuer.audience.as_str()) {
        return Err(Refusal::Audience);
    }
    if !token.says_access_token && is_for_the_client_only(&claims, &audiences) {
        return Err(Refusal::IdToken);
    }
    let expires = check_times(&claims, now)?;
    claims::principal(&claims, issuer, expires)
}

fn has_mark_of_another_kind(claims: &Value) -> bool {
    let other = |name: &str, access: &str| {
        claims
            .get(name)
            .is_some_and(|mark| !mark.as_str().is_some_and(|mark| mark.eq_ignore_ascii_case(access)))
    };
    NOT_IN_ACCESS_TOKENS.iter().any(|name| claims.get(name).is_some())
        || other("token_use", "access")
        || other("typ", "Bearer")
}

/// An ID token's audience is the client that asked for it.
fn is_for_the_client_only(claims: &Value, audiences: &[&str]) -> bool {
    let marked_bearer = claims.get("typ").is_some();
    let client = ["azp", "client_id"].iter().find_map(|name| claims.get(name).and_then(Value::as_str));
    !marked_bearer && client.is_some_and(|client| audiences.iter().all(|audience| *audience == client))
}

fn audiences(claims: &Value) -> Result<Vec<&str>, Refusal> {
    match claims.get("aud") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(audience)) => Ok(vec![audience]),
        Some(Value::Array(items)) if items.len() <= MAX_AUDIENCES => {
            items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(Refusal::Malformed)
        }
        Some(_) => Err(Refusal::Malformed),
    }
}

/// `exp` is required; `nbf` and `iat` are held to if they are there. Whole seconds only.
fn check_times(claims: &Value, now: Timestamp) -> Result<Timestamp, Refusal> {
    let seconds = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or(Refusal::Malformed),
    };
    let (expires, not_before, issued) = (seconds("exp")?, seconds("nbf")?, seconds("iat")?);
    let expires = expires.ok_or(Refusal::NoExpiry)?;
    let now = now.as_secs();
    if now >= expires.saturating_add(SKEW) {
        return Err(Refusal::Expired);
    }
    if [not_before, issued].into_iter().flatten().any(|start| start > now.saturating_add(SKEW)) {
        return Err(Refusal::NotYetValid);
    }
    if issued.is_some_and(|issued| issued >= expires) {
        return Err(Refusal::Malformed);
    }
    Ok(Timestamp::from_micros(expires.saturating_mul(1_000_000)))
}

#[cfg(test)]
mod tests;
