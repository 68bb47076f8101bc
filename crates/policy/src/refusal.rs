//! Why a token is not accepted.

/// Why a caller could not be identified. It never holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// No token came with the request.
    #[error("no token: send an access token as `Authorization: Bearer` or as the API key")]
    MissingToken,
    /// Longer than any token we read.
    #[error("the token is longer than 16 KiB")]
    TooLarge,
    /// Not a compact JWS of strict JSON.
    #[error("the token is not a well-formed JWT")]
    Malformed,
    /// `none`, `HS*` or anything else that is not RS256, PS256, ES256 or EdDSA.
    #[error("the token's algorithm is not one of RS256, PS256, ES256, EdDSA")]
    Algorithm,
    /// The header demands something with `crit`.
    #[error("the token's header has `crit`, which is not supported")]
    Critical,
    /// `typ` says that this is another kind of token.
    #[error("the token's `typ` is neither `at+jwt` nor `JWT`: send an access token")]
    TokenType,
    /// Nobody we trust issued it.
    #[error("the token's issuer is not trusted here")]
    UnknownIssuer,
    /// The issuer has no such key, or the token names none and several would fit.
    #[error("the issuer has no single key that fits the token's `kid` and algorithm")]
    UnknownKey,
    /// The issuer's keys cannot be had at the moment.
    #[error("the issuer's keys are not available at the moment: try again later")]
    KeysUnavailable,
    /// The signature does not fit the token.
    #[error("the token's signature is not valid")]
    Signature,
    /// The token is for somebody else.
    #[error("the token's audience is not this service")]
    Audience,
    /// The token says nothing about its end.
    #[error("the token has no expiry")]
    NoExpiry,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// The token's time is yet to come (`nbf`, or an `iat` in the future).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// An ID token says who logged in; it is no permission to call anything.
    #[error("this is not an access token but an ID token or the like: send an access token")]
    IdToken,
    /// No `sub`, or an empty one.
    #[error("the token names no subject")]
    NoSubject,
    /// No tenant, or one that the issuer may not speak for.
    #[error("the token's tenant is missing, or not one its issuer may speak for")]
    Tenant,
    /// A mapped claim is of the wrong type, too long, or holds characters it must not hold.
    #[error("the token's claim for `{0}` is not acceptable")]
    Claim(&'static str),
}

impl Refusal {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::MissingToken => "missing_token",
            Refusal::TooLarge => "token_too_large",
            Refusal::Malformed => "malformed_token",
            Refusal::Algorithm => "algorithm_refused",
            Refusal::Critical => "critical_header",
            Refusal::TokenType => "wrong_token_type",
            Refusal::UnknownIssuer => "unknown_issuer",
            Refusal::UnknownKey => "unknown_key",
            Refusal::KeysUnavailable => "keys_unavailable",
            Refusal::Signature => "bad_signature",
            Refusal::Audience => "wrong_audience",
            Refusal::NoExpiry => "no_expiry",
            Refusal::Expired => "token_expired",
            Refusal::NotYetValid => "token_not_yet_valid",
            Refusal::IdToken => "id_token",
            Refusal::NoSubject => "no_subject",
            Refusal::Tenant => "tenant_refused",
            Refusal::Claim(_) => "claim_refused",
        }
    }
}
