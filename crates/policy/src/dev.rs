//! The development issuer: tokens for a loopback listener, made by whoever has the data directory.
//!
//! Its identities are never verified ([`Issuer::verified`] is false), and a listener beyond loopback refuses it.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greffier_event::{Tenant, Timestamp};
use serde_json::{Map, Value, json};

use crate::{ClaimPaths, Issuer, Pointer, Tenants};

/// The `iss` of development tokens: a name, no address.
pub const DEV_ISSUER: &str = "urn:greffier:development";

/// Signs tokens with an Ed25519 key of its own.
pub struct DevIssuer {
    key: Ed25519KeyPair,
    kid: String,
}

/// Bytes that are no Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an Ed25519 private key, as PKCS#8")]
pub struct InvalidKey;

/// What a development token says. A `client` equal to `sub` makes a service.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "they are the claims of the same name")]
pub struct Claims {
    pub sub: String,
    pub tenant: Option<Tenant>,
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    pub email: Option<String>,
    pub agent: Option<String>,
    pub tier: Option<String>,
    pub session: Option<String>,
    pub client: Option<String>,
    pub jti: String,
}

impl DevIssuer {
    /// From a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<DevIssuer, InvalidKey> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(DevIssuer::new).map_err(|_| InvalidKey)
    }

    /// From a PKCS#8 document.
    pub fn from_pkcs8(document: &[u8]) -> Result<DevIssuer, InvalidKey> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map(DevIssuer::new).map_err(|_| InvalidKey)
    }

    fn new(key: Ed25519KeyPair) -> DevIssuer {
        // The key's thumbprint (RFC 7638) names it, so that a new key has a new name.
        let x = URL_SAFE_NO_PAD.encode(key.public_key());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        DevIssuer { key, kid }
    }

    /// Its `iss`.
    pub fn url(&self) -> &'static str {
        DEV_ISSUER
    }

    /// How to trust it: any claims it makes, for these tenants, as unverified.
    pub fn issuer(&self, audience: &str, tenants: Tenants) -> Issuer {
        let claims = ClaimPaths {
            tenant: Pointer::new("/tenant").ok(),
            tier: Pointer::new("/tier").ok(),
            ..ClaimPaths::default()
        };
        Issuer { url: DEV_ISSUER.to_owned(), audience: audience.to_owned(), tenants, claims, verified: false }
    }

    /// Its public key, as a JWKS.
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x}]})
            .to_string()
    }

    /// A token for `audience`, valid from `now` for `ttl` seconds.
    pub fn mint(&self, claims: &Claims, audience: &str, now: Timestamp, ttl: u32) -> String {
        let header = json!({"typ": "at+jwt", "alg": "EdDSA", "kid": self.kid});
        let issued = now.as_secs();
        let mut payload = Map::new();
        let mut put = |name: &str, value: Value| {
            payload.insert(name.to_owned(), value);
        };
        put("iss", json!(DEV_ISSUER));
        put("aud", json!(audience));
        put("sub", json!(claims.sub));
        put("iat", json!(issued));
        put("exp", json!(issued.saturating_add(i64::from(ttl))));
        put("jti", json!(claims.jti));
        put("roles", json!(claims.roles));
        put("scope", json!(claims.scopes.join(" ")));
        let optional = [
            ("tenant", claims.tenant.as_ref().map(|tenant| json!(tenant.as_str()))),
            ("email", claims.email.as_ref().map(|email| json!(email))),
            ("act", claims.agent.as_ref().map(|agent| json!({"sub": agent}))),
            ("tier", claims.tier.as_ref().map(|tier| json!(tier))),
            ("sid", claims.session.as_ref().map(|session| json!(session))),
            ("client_id", claims.client.as_ref().map(|client| json!(client))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                put(name, value);
            }
        }
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(Value::Object(payload).to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

impl fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevIssuer").field("kid", &self.kid).finish_non_exhaustive()
    }
}
