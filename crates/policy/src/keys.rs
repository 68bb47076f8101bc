//! The public keys of one issuer, read from its JWKS.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm as JwtAlgorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::Refusal;
use crate::token::{Algorithm, Token};

/// Keys of one issuer. Providers publish two or three; an unusually large federation a few dozen.
const MAX_KEYS: usize = 64;
/// Longest key id.
const MAX_KID: usize = 1_024;
/// RSA moduli accepted, in bytes: 2,048 to 8,192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// The usable keys of one issuer.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why a document is no JWKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not `{"keys": […]}`.
    #[error("expected a JWKS: a JSON object with a list `keys`")]
    NotJwks,
    /// More keys than an issuer can sensibly have.
    #[error("the JWKS has more than {MAX_KEYS} keys")]
    TooMany,
}

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    accepts: Accepts,
    public: DecodingKey,
}

/// What a key may verify: fixed by its type and curve, narrowed by its `alg`.
#[derive(Clone, Copy)]
enum Accepts {
    One(Algorithm),
    AnyRsa,
}

impl Accepts {
    fn includes(self, algorithm: Algorithm) -> bool {
        match self {
            Accepts::One(only) => only == algorithm,
            Accepts::AnyRsa => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
        }
    }
}

impl KeySet {
    /// Reads a JWKS. Keys that we cannot use (another type or curve, for encryption, too short) are passed over,
    /// as RFC 7517 asks; a set without a usable key verifies nothing.
    pub fn parse(jwks: &[u8]) -> Result<KeySet, KeysError> {
        let document: Value = serde_json::from_slice(jwks).map_err(|_| KeysError::NotJwks)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(KeysError::NotJwks)?;
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        Ok(KeySet { keys: keys.iter().filter_map(Value::as_object).filter_map(Key::parse).collect() })
    }

    /// Whether there is a usable key of this name.
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// How many keys are usable.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks a token's signature with the one key that fits its `kid` and algorithm. Without a `kid` the issuer
    /// must have a single key for the algorithm: a verifier that tries one after another cannot say which signed.
    pub(crate) fn check(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let named = |key: &&Key| token.kid.is_none() || key.kid == token.kid;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.accepts.includes(token.algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => key.check(token),
            _ => Err(Refusal::UnknownKey),
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.kid.as_deref().unwrap_or("(no kid)"))).finish()
    }
}

impl Key {
    fn parse(jwk: &Map<String, Value>) -> Option<Key> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return None,
        };
        if jwk.contains_key("use") && text("use") != Some("sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops")
            && !operations.as_array()?.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let (accepts, public) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                RSA_BYTES.contains(&n.len()).then_some(())?;
                (Accepts::AnyRsa, DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                (x.len() == 32 && y.len() == 32).then_some(())?;
                let point = [&[4_u8], x.as_slice(), y.as_slice()].concat();
                (Accepts::One(Algorithm::Es256), DecodingKey::from_ec_der(&point))
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x").filter(|x| x.len() == 32)?;
                (Accepts::One(Algorithm::EdDsa), DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        let accepts = match jwk.get("alg") {
            None => accepts,
            Some(name) => {
                let algorithm = Algorithm::parse(name.as_str()?)?;
                accepts.includes(algorithm).then_some(Accepts::One(algorithm))?
            }
        };
        Some(Key { kid, accepts, public })
    }

    fn check(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let algorithm = match token.algorithm {
            Algorithm::Rs256 => JwtAlgorithm::RS256,
            Algorithm::Ps256 => JwtAlgorithm::PS256,
            Algorithm::Es256 => JwtAlgorithm::ES256,
            Algorithm::EdDsa => JwtAlgorithm::EdDSA,
        };
        // The provider by name, not the process-wide default: no other crate's features can change who verifies.
        let verifier =
            (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &self.public).map_err(|_| Refusal::Signature)?;
        verifier.verify(token.signed.as_bytes(), &token.signature).map_err(|_| Refusal::Signature)
    }
}
