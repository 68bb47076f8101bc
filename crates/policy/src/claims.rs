//! From verified claims to a principal: who calls, for whom, through whom.

use aws_lc_rs::digest;
use greffier_event::{Actor, Principal, Tenant, Timestamp};
use serde_json::Value;

use crate::grammar::{self, MAX_ROLE, MAX_ROLES, MAX_SCOPES, MAX_TEXT};
use crate::{Issuer, Pointer, Refusal};

/// The agent of a token that names no software at all.
pub const UNKNOWN_AGENT: &str = "unknown";

/// Earlier actors kept; the rest is counted. Real delegations have two or three.
const MAX_VIA: usize = 10;

/// Names that claims give the OAuth client: RFC 9068, OpenID Connect, Okta, Entra ID v1.
const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "cid", "appid"];

/// Maps claims that have been verified, and that belong to `issuer`.
pub(crate) fn principal(claims: &Value, issuer: &Issuer, expires: Timestamp) -> Result<Principal, Refusal> {
    let paths = &issuer.claims;
    let subject = match claims.get("sub") {
        None | Some(Value::Null) => return Err(Refusal::NoSubject),
        Some(Value::String(subject)) if subject.is_empty() => return Err(Refusal::NoSubject),
        Some(subject) => text(subject, "sub")?,
    };
    let tenant = tenant(claims, issuer)?;
    let clients = clients(claims)?;
    let service = is_service(claims, &subject, &clients);
    let actors = actors(claims)?;
    let mapped = |path: &Option<Pointer>| path.as_ref().and_then(|path| path.find(claims));

    let agent = match (actors.first(), mapped(&paths.agent)) {
        (Some(actor), _) => actor.sub.clone(),
        (None, Some(agent)) => text(agent, "agent")?,
        (None, None) => match clients.first() {
            Some(client) => client.clone(),
            None if service => subject.clone(),
            None => UNKNOWN_AGENT.to_owned(),
        },
    };
    // The name under which Greffier records what it does itself.
    if agent.eq_ignore_ascii_case(Tenant::NODE) {
        return Err(Refusal::Claim("agent"));
    }

    let earlier = actors.get(1..).unwrap_or_default();
    let kept = earlier.get(..MAX_VIA).unwrap_or(earlier);
    // A service without a client claim is still known by its subject.
    let client_id = clients.first().cloned().or_else(|| service.then(|| subject.clone()));
    Ok(Principal {
        tenant,
        user: (!service).then_some(subject),
        issuer: issuer.url.clone(),
        roles: names(mapped(&paths.roles), "roles", MAX_ROLES, |role| grammar::is_text(role, MAX_ROLE))?,
        scopes: names(mapped(&paths.scopes), "scopes", MAX_SCOPES, grammar::is_scope)?,
        email: mapped(&paths.email).map(|email| string(email, "email", grammar::is_email)).transpose()?,
        agent,
        tier: mapped(&paths.tier).map(|tier| string(tier, "tier", grammar::is_tier)).transpose()?,
        via: kept.to_vec(),
        via_dropped: u64::try_from(earlier.len().saturating_sub(kept.len())).unwrap_or(u64::MAX),
        session: mapped(&paths.session).map(|session| text(session, "session")).transpose()?,
        client_id,
        token: token_id(claims)?,
        verified: issuer.verified,
        expires,
    })
}

fn tenant(claims: &Value, issuer: &Issuer) -> Result<Tenant, Refusal> {
    match &issuer.claims.tenant {
        None => issuer.tenants.single(),
        Some(path) => {
            path.find(claims).and_then(Value::as_str).and_then(|claim| issuer.tenants.resolve(claim))
        }
    }
    .ok_or(Refusal::Tenant)
}

fn clients(claims: &Value) -> Result<Vec<String>, Refusal> {
    CLIENT_CLAIMS
        .iter()
        .filter_map(|name| claims.get(name).filter(|value| !value.is_null()))
        .map(|value| text(value, "client_id"))
        .collect()
}

/// Whether software calls for itself: the subject is the client (RFC 9068, 2.2), or the provider says so (`gty` of
/// Auth0, `idtyp` of Entra ID). A service account that a provider presents as a user (Keycloak) cannot be told
/// from one.
fn is_service(claims: &Value, subject: &str, clients: &[String]) -> bool {
    let says = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    says("gty", "client-credentials")
        || says("gty", "client_credentials")
        || says("idtyp", "app")
        || clients.iter().any(|client| client == subject)
}

/// The actors of RFC 8693, the present one first. An actor without a name refuses the token: somebody acts, and we
/// could not say who.
fn actors(claims: &Value) -> Result<Vec<Actor>, Refusal> {
    let mut actors = Vec::new();
    let mut level = claims.get("act").filter(|act| !act.is_null());
    // The parser bounds the depth, and so this loop.
    while let Some(act) = level {
        let sub = act.get("sub").ok_or(Refusal::Claim("act"))?;
        let iss = act.get("iss").filter(|iss| !iss.is_null());
        actors.push(Actor {
            iss: iss.map(|iss| string(iss, "act", grammar::is_issuer)).transpose()?,
            sub: text(sub, "act")?,
        });
        level = act.get("act").filter(|act| !act.is_null());
    }
    Ok(actors)
}

/// The `jti` as its hash: enough to find a token's calls, useless to anyone who reads the trail.
fn token_id(claims: &Value) -> Result<Option<String>, Refusal> {
    match claims.get("jti") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(jti)) => {
            Ok(Some(hex::encode(digest::digest(&digest::SHA256, jti.as_bytes()).as_ref())))
        }
        Some(_) => Err(Refusal::Claim("jti")),
    }
}

fn text(value: &Value, name: &'static str) -> Result<String, Refusal> {
    string(value, name, |text| grammar::is_text(text, MAX_TEXT))
}

fn string(value: &Value, name: &'static str, good: impl Fn(&str) -> bool) -> Result<String, Refusal> {
    value.as_str().filter(|text| good(text)).map(str::to_owned).ok_or(Refusal::Claim(name))
}

/// A list of strings, or one string with spaces; repetitions fall out, order stays.
fn names(
    value: Option<&Value>,
    name: &'static str,
    most: usize,
    good: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Refusal> {
    let given: Vec<&str> = match value {
        None => Vec::new(),
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        Some(Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(Refusal::Claim(name))?
        }
        Some(_) => return Err(Refusal::Claim(name)),
    };
    if given.len() > most || !given.iter().all(|text| good(text)) {
        return Err(Refusal::Claim(name));
    }
    let mut names: Vec<String> = Vec::with_capacity(given.len());
    for text in given {
        if !names.iter().any(|known| known == text) {
            names.push(text.to_owned());
        }
    }
    Ok(names)
}
