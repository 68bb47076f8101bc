//! Tokens: nothing that is not signed by a known key passes.
#![no_main]

use std::sync::LazyLock;

use greffier_event::Timestamp;
use greffier_policy::{ClaimPaths, Issuer, KeySet, Tenants, peek, verify};
use libfuzzer_sys::fuzz_target;

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer {
    url: "https://idp.example".to_owned(),
    audience: "https://greffier.example".to_owned(),
    tenants: Tenants::Any,
    claims: ClaimPaths::default(),
    verified: true,
});
static KEYS: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::parse(include_bytes!("../seeds/jwks/one-ec.json")).expect("a sound key set"));

fuzz_target!(|token: &str| {
    let _ = peek(token);
    assert!(verify(token, &ISSUER, &KEYS, Timestamp::from_micros(1_800_000_000_000_000)).is_err());
});
