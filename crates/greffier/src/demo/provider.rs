//! The demo's identity provider: OIDC discovery, its public key, and access tokens (RFC 9068) for everybody in the
//! demo. The gateway is configured with its URL and nothing else, so that identities are verified as in production.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greffier_event::Timestamp;
use http::StatusCode;
use serde_json::{Value, json};

use super::loopback::{self, Answer, Host, Request};
use super::people::Caller;

/// What tokens for the demo's gateway carry in `aud`.
pub(super) const AUDIENCE: &str = "greffier-demo";

/// Signs with a key of this run only: no token outlives the demo.
pub(super) struct Provider {
    url: String,
    key: EcdsaKeyPair,
    public: Value,
}

/// The crypto library gave no key or no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the demo's identity provider cannot {0}")]
pub(super) struct ProviderError(&'static str);

impl Provider {
    /// A provider at `url`, with a fresh ES256 key.
    pub(super) fn new(url: &str) -> Result<Provider, ProviderError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| ProviderError("make a key"))?;
        // An uncompressed point: 4, then both coordinates with 32 bytes each.
        let point = key.public_key().as_ref();
        let half = |range| point.get(range).map(|bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes));
        let (Some(x), Some(y)) = (half(1..33), half(33..65)) else {
            return Err(ProviderError("read its public key"));
        };
        // RFC 7638: the thumbprint names the key, so that a new key has a new name.
        let thumbprint = json!({"crv": "P-256", "kty": "EC", "x": x, "y": y}).to_string();
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, thumbprint.as_bytes()));
        let public =
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y});
        Ok(Provider { url: url.to_owned(), key, public })
    }

    /// An access token for a caller, valid from `now` for `ttl` seconds. `id` makes it unique.
    pub(super) fn mint(
        &self,
        caller: Caller,
        session: Option<&str>,
        id: &str,
        now: Timestamp,
        ttl: u32,
    ) -> Result<String, ProviderError> {
        let issued = now.as_secs();
        let mut claims = json!({
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": issued,
            "exp": issued.saturating_add(i64::from(ttl)),
            "jti": id,
        });
        let mut put = |name: &str, value: Value| {
            if let Some(claims) = claims.as_object_mut() {
                claims.insert(name.to_owned(), value);
            }
        };
        put("org_id", json!(caller.tenant()));
        match caller {
            Caller::For(person, agent) => {
                put("sub", json!(person.sub));
                put("email", json!(person.email));
                put("roles", json!([person.role]));
                put("scope", json!(person.scopes));
                put("client_id", json!(agent.id));
                put("act", json!({"sub": agent.id}));
                put("agent_tier", json!(agent.tier));
            }
            Caller::Alone(service) => {
                put("sub", json!(service.id));
                put("client_id", json!(service.id));
                put("roles", json!([service.role]));
                put("agent_tier", json!(service.tier));
            }
        }
        if let Some(session) = session {
            put("sid", json!(session));
        }
        self.sign(&claims)
    }

    fn sign(&self, claims: &Value) -> Result<String, ProviderError> {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": self.public.get("kid")});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| ProviderError("sign a token"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn keys(&self) -> Value {
        json!({"keys": [self.public]})
    }
}

impl Host for Provider {
    fn answer(&self, request: &Request) -> Answer {
        let url = &self.url;
        match request.uri().path() {
            "/.well-known/openid-configuration" => loopback::json(
                StatusCode::OK,
                &json!({
                    "issuer": url,
                    "jwks_uri": format!("{url}/jwks"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }),
            ),
            "/jwks" => loopback::json(StatusCode::OK, &self.keys()),
            _ => loopback::json(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
        }
    }
}

#[cfg(test)]
mod tests {
    use greffier_policy::{ClaimPaths, Issuer, KeySet, Pointer, Tenants, verify};

    use super::*;
    use crate::demo::people::{NIGHT_SUMMARISER, OKAFOR, TENANTS, through_agent};

    fn check(caller: Caller, session: Option<&str>, at: i64) -> String {
        let url = "http://127.0.0.1:9";
        let provider = Provider::new(url).unwrap();
        let claims = ClaimPaths {
            tenant: Pointer::new("/org_id").ok(),
            tier: Pointer::new("/agent_tier").ok(),
            ..ClaimPaths::default()
        };
        let issuer = Issuer {
            url: url.to_owned(),
            audience: AUDIENCE.to_owned(),
            tenants: Tenants::parse(&TENANTS).unwrap(),
            claims,
            verified: true,
        };
        let token =
            provider.mint(caller, session, "t-1", Timestamp::from_micros(1_000_000_000), 600).unwrap();
        let keys = KeySet::parse(provider.keys().to_string().as_bytes()).unwrap();
        match verify(&token, &issuer, &keys, Timestamp::from_micros(at * 1_000_000)) {
            Ok(who) => format!(
                "{} {:?} {:?} {} {:?} {:?} {:?} verified {}",
                who.tenant, who.user, who.email, who.agent, who.tier, who.roles, who.session, who.verified
            ),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn its_tokens_verify_at_the_time_they_carry() {
        insta::assert_snapshot!(check(through_agent(&OKAFOR), Some("s-1"), 1_100), @r#"st-elisabeth Some("okafor") Some("a.okafor@elisabeth.example") ward-assistant Some("interactive") ["physician"] Some("s-1") verified true"#);
        insta::assert_snapshot!(check(Caller::Alone(&NIGHT_SUMMARISER), None, 1_100), @r#"st-elisabeth None None night-summariser Some("background") ["summariser"] None verified true"#);
        insta::assert_snapshot!(check(through_agent(&OKAFOR), None, 1_700), @"the token has expired");
        insta::assert_snapshot!(check(through_agent(&OKAFOR), None, 900), @"the token is not valid yet");
    }
}
