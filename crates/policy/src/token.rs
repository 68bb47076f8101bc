//! The outer form of a token: a compact JWS whose header we are willing to read.
//!
//! `jku`, `x5u`, `jwk` and `x5c` may stand in a header and mean nothing: keys come from the issuer we configured.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::{Refusal, strict_json};

/// Longest token read. The largest real ones (group lists of Entra ID) stay below 8 KiB.
const MAX_TOKEN: usize = 16 * 1024;
/// Longest `kid` and `iss` looked at.
const MAX_NAME: usize = 1_024;

/// What a token claims about itself before anything is verified: enough to choose whose keys to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The claimed issuer.
    pub issuer: String,
    /// The claimed key.
    pub kid: Option<String>,
}

/// Reads issuer and key id of a token, unverified.
pub fn peek(token: &str) -> Result<Peek, Refusal> {
    let token = Token::parse(token)?;
    let claims = token.claims()?;
    let issuer = claims.get("iss").and_then(Value::as_str).filter(|name| name.len() <= MAX_NAME);
    Ok(Peek { issuer: issuer.ok_or(Refusal::UnknownIssuer)?.to_owned(), kid: token.kid })
}

/// The algorithms accepted: asymmetric, one per key type and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "PS256" => Some(Algorithm::Ps256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

/// A token taken apart; its claims are not to be believed before the signature is checked.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// The header calls it an access token (`at+jwt`, RFC 9068), so it cannot be an ID token.
    pub(crate) says_access_token: bool,
    /// What the signature covers: header and payload as they came.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Token<'a>, Refusal> {
        match token.len() {
            0 => return Err(Refusal::MissingToken),
            length if length > MAX_TOKEN => return Err(Refusal::TooLarge),
            _ => {}
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let header = strict_json::object(&decode(header)?).ok_or(Refusal::Malformed)?;
        // The algorithm first: an unsigned token is refused for what it is, whatever else is wrong with it.
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Refusal::Malformed)?;
        let algorithm = Algorithm::parse(algorithm).ok_or(Refusal::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        Ok(Token {
            algorithm,
            kid: kid(&header)?,
            says_access_token: says_access_token(&header)?,
            signed,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    pub(crate) fn claims(&self) -> Result<Map<String, Value>, Refusal> {
        strict_json::object(&self.payload).ok_or(Refusal::Malformed)
    }
}

/// Strict base64url: no padding, no stray bits, so that one token has one form.
fn decode(segment: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refusal::Malformed)
}

fn kid(header: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= MAX_NAME => Ok(Some(kid.clone())),
        Some(_) => Err(Refusal::Malformed),
    }
}

/// `typ` may be absent, `JWT` or `at+jwt`, in any case and with or without `application/` (RFC 7515, 4.1.9).
/// Everything else (`logout+jwt`, `dpop+jwt`, `secevent+jwt`) is a token for another purpose (RFC 8725, 3.11).
fn says_access_token(header: &Map<String, Value>) -> Result<bool, Refusal> {
    let Some(typ) = header.get("typ") else { return Ok(false) };
    let typ = typ.as_str().ok_or(Refusal::Malformed)?.to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "at+jwt" => Ok(true),
        "jwt" => Ok(false),
        _ => Err(Refusal::TokenType),
    }
}
