use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::json;

use super::*;
use crate::dev::{Claims, DevIssuer};
use crate::{ClaimPaths, Pointer, Tenants, peek};

const NOW: i64 = 1_772_807_527;

/// One key pair of each kind, made once, as an issuer's and as an attacker's.
struct Keys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

static OURS: LazyLock<Keys> = LazyLock::new(Keys::new);
static THEIRS: LazyLock<Keys> = LazyLock::new(Keys::new);

impl Keys {
    fn new() -> Keys {
        Keys {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn jwks(&self) -> Vec<Value> {
        let rsa = self.rsa.public_key();
        let point = self.ec.public_key().as_ref();
        vec![
            json!({"kty": "RSA", "kid": "rsa", "use": "sig",
                "n": B64.encode(rsa.modulus().big_endian_without_leading_zero()),
                "e": B64.encode(rsa.exponent().big_endian_without_leading_zero())}),
            json!({"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
                "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..])}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": B64.encode(self.ed.public_key())}),
        ]
    }

    fn sign(&self, algorithm: &str, message: &str) -> Vec<u8> {
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
            signature
        };
        match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "ES256" => self.ec.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            other => panic!("{other}"),
        }
    }
}

fn encode(json: &str) -> String {
    B64.encode(json)
}

/// A good token of each part, to be spoiled in one place.
fn header(algorithm: &str) -> Value {
    let kid = match algorithm {
        "ES256" => "ec",
        "EdDSA" => "ed",
        _ => "rsa",
    };
    json!({"alg": algorithm, "kid": kid, "typ": "at+jwt"})
}

fn claims() -> Value {
    json!({"iss": "https://idp.example", "aud": "https://greffier.example", "sub": "auth0|8f3a", "org": "Acme",
        "iat": NOW, "exp": NOW + 300, "client_id": "crm-assistant"})
}

fn with(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

fn sign(keys: &Keys, header: &Value, payload: &str) -> String {
    let signed = format!("{}.{}", encode(&header.to_string()), encode(payload));
    let signature = keys.sign(header["alg"].as_str().unwrap(), &signed);
    format!("{signed}.{}", B64.encode(signature))
}

/// Signed as it should be, with other claims.
fn saying(changes: Value) -> String {
    sign(&OURS, &header("EdDSA"), &with(claims(), changes).to_string())
}

/// The same as a plain `JWT`, where nothing says that it is an access token.
fn plain(changes: Value) -> String {
    sign(&OURS, &with(header("EdDSA"), json!({"typ": "JWT"})), &with(claims(), changes).to_string())
}

fn issuer() -> Issuer {
    Issuer {
        url: "https://idp.example".to_owned(),
        audience: "https://greffier.example".to_owned(),
        tenants: Tenants::parse(&["acme", "globex"]).unwrap(),
        claims: ClaimPaths {
            tenant: Some(Pointer::new("/org").unwrap()),
            tier: Some(Pointer::new("/https:~1~1idp.example~1tier").unwrap()),
            ..ClaimPaths::default()
        },
        verified: true,
    }
}

fn keys(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn outcome(token: &str, issuer: &Issuer, keys: &KeySet, now: Timestamp) -> String {
    match verify(token, issuer, keys, now) {
        Ok(_) => "accepted".to_owned(),
        Err(refusal @ Refusal::Claim(name)) => format!("{} ({name})", refusal.code()),
        Err(refusal) => refusal.code().to_owned(),
    }
}

/// One line per token: its story, and what became of it.
fn check<S: AsRef<str>>(tokens: &[(S, String)]) -> String {
    let set = keys(&OURS.jwks());
    let line = |(story, token): &(S, String)| {
        format!("{:<52} {}\n", story.as_ref(), outcome(token, &issuer(), &set, at(NOW)))
    };
    tokens.iter().map(line).collect()
}

#[test]
fn every_algorithm_and_no_other() {
    let unsigned = |alg: &str| {
        format!("{}.{}.", encode(&json!({"alg": alg}).to_string()), encode(&claims().to_string()))
    };
    let good = ["RS256", "PS256", "ES256", "EdDSA"]
        .map(|alg| (alg, sign(&OURS, &header(alg), &claims().to_string())));
    let bad = ["none", "None", "", "HS256", "HS512", "RS512", "ES384", "Ed25519", "rs256"]
        .map(|alg| (alg, unsigned(alg)));
    insta::assert_snapshot!(check(&[good.as_slice(), bad.as_slice()].concat()), @r#"
        RS256                                                accepted
        PS256                                                accepted
        ES256                                                accepted
        EdDSA                                                accepted
        none                                                 algorithm_refused
        None                                                 algorithm_refused
                                                             algorithm_refused
        HS256                                                algorithm_refused
        HS512                                                algorithm_refused
        RS512                                                algorithm_refused
        ES384                                                algorithm_refused
        Ed25519                                              algorithm_refused
        rs256                                                algorithm_refused
        "#);
}

#[test]
fn an_attackers_token() {
    let payload = claims().to_string();
    let good = saying(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let evil = encode(&with(claims(), json!({"sub": "root"})).to_string());

    // The classic: the public key, which everybody knows, as the secret of an HMAC.
    let confused = {
        let header = json!({"alg": "HS256", "kid": "ed", "typ": "at+jwt"});
        let signed = format!("{}.{}", encode(&header.to_string()), encode(&payload));
        let key = hmac::Key::new(hmac::HMAC_SHA256, OURS.ed.public_key().as_ref());
        format!("{signed}.{}", B64.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let their_jwk = THEIRS.jwks()[2].clone();
    let brings = |name: &str, value: Value| with(header("EdDSA"), json!({ name: value }));
    let mut padded = good.clone();
    padded.push('=');

    insta::assert_snapshot!(check(&[
        ("HS256 keyed with the public key", confused),
        ("signed with another key", sign(&THEIRS, &header("EdDSA"), &payload)),
        ("embedded jwk, signed with it", sign(&THEIRS, &brings("jwk", their_jwk.clone()), &payload)),
        ("embedded jwk without kid", sign(&THEIRS, &without(brings("jwk", their_jwk.clone()), "kid"), &payload)),
        ("jku to the attacker", sign(&THEIRS, &brings("jku", json!("https://evil.example/jwks")), &payload)),
        ("x5u to the attacker", sign(&THEIRS, &brings("x5u", json!("https://evil.example/x5")), &payload)),
        ("foreign jwk and jku, but the issuer's signature", sign(&OURS, &with(brings("jwk", their_jwk), json!({"jku": "https://evil.example"})), &payload)),
        ("signature stripped", format!("{}.{}.", parts[0], parts[1])),
        ("signature cut", good[..good.len() - 5].to_owned()),
        ("payload exchanged", format!("{}.{evil}.{}", parts[0], parts[2])),
        ("header exchanged", format!("{}.{}.{}", encode(&json!({"alg":"EdDSA","kid":"ed"}).to_string()), parts[1], parts[2])),
        ("RS256 signature passed off as PS256", {
            let token = sign(&OURS, &header("RS256"), &payload);
            let signature = token.rsplit_once('.').unwrap().1;
            format!("{}.{}.{signature}", encode(&header("PS256").to_string()), encode(&payload))
        }),
        ("ES256 with r = s = 0", format!("{}.{}.{}", encode(&header("ES256").to_string()), encode(&payload), B64.encode([0; 64]))),
        ("kid of a key of another type", sign(&OURS, &with(header("EdDSA"), json!({"kid": "rsa"})), &payload)),
        ("unknown kid", sign(&OURS, &with(header("EdDSA"), json!({"kid": "../../etc"})), &payload)),
        ("crit", sign(&OURS, &with(header("EdDSA"), json!({"crit": ["exp"]})), &payload)),
        ("empty crit", sign(&OURS, &with(header("EdDSA"), json!({"crit": []})), &payload)),
        ("kid is no string", sign(&OURS, &with(header("EdDSA"), json!({"kid": 1})), &payload)),
        ("claim twice", sign(&OURS, &header("EdDSA"), &payload.replacen('{', r#"{"sub":"root","#, 1))),
        ("claim twice, once escaped", sign(&OURS, &header("EdDSA"), &payload.replacen('{', r#"{"\u0073ub":"root","#, 1))),
        ("header twice", {
            let twice = encode(r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#);
            let signed = format!("{twice}.{}", encode(&payload));
            format!("{signed}.{}", B64.encode(OURS.sign("EdDSA", &signed)))
        }),
        ("claims are a list", sign(&OURS, &header("EdDSA"), "[]")),
        ("claims are not JSON", sign(&OURS, &header("EdDSA"), "sub=root")),
        ("padded base64", padded),
        ("a stray dot", format!("{good}.")),
        ("white space inside", good.replacen('.', " .", 1)),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned()),
        ("nothing", String::new()),
    ]), @r#"
        HS256 keyed with the public key                      algorithm_refused
        signed with another key                              bad_signature
        embedded jwk, signed with it                         bad_signature
        embedded jwk without kid                             bad_signature
        jku to the attacker                                  bad_signature
        x5u to the attacker                                  bad_signature
        foreign jwk and jku, but the issuer's signature      accepted
        signature stripped                                   bad_signature
        signature cut                                        malformed_token
        payload exchanged                                    bad_signature
        header exchanged                                     bad_signature
        RS256 signature passed off as PS256                  bad_signature
        ES256 with r = s = 0                                 bad_signature
        kid of a key of another type                         unknown_key
        unknown kid                                          unknown_key
        crit                                                 critical_header
        empty crit                                           critical_header
        kid is no string                                     malformed_token
        claim twice                                          malformed_token
        claim twice, once escaped                            malformed_token
        header twice                                         malformed_token
        claims are a list                                    malformed_token
        claims are not JSON                                  malformed_token
        padded base64                                        malformed_token
        a stray dot                                          malformed_token
        white space inside                                   malformed_token
        two parts                                            malformed_token
        opaque                                               malformed_token
        nothing                                              missing_token
        "#);
}

#[test]
fn another_kind_of_token() {
    let typed = |typ: &str| sign(&OURS, &with(header("EdDSA"), json!({ "typ": typ })), &claims().to_string());
    let untyped = sign(&OURS, &without(header("EdDSA"), "typ"), &claims().to_string());
    let ours = "https://greffier.example";
    insta::assert_snapshot!(check(&[
        ("at+jwt", typed("at+jwt")),
        ("application/AT+JWT", typed("application/AT+JWT")),
        ("JWT", typed("JWT")),
        ("no typ", untyped),
        ("logout+jwt", typed("logout+jwt")),
        ("dpop+jwt", typed("dpop+jwt")),
        ("id_token+jwt", typed("id_token+jwt")),
        ("typ is no string", sign(&OURS, &with(header("EdDSA"), json!({"typ": 1})), &claims().to_string())),
        ("nonce", plain(json!({"nonce": "n-0S6"}))),
        ("at_hash", plain(json!({"at_hash": "MTIzNDU2"}))),
        ("c_hash", plain(json!({"c_hash": "MTIzNDU2"}))),
        ("events (logout, security event)", plain(json!({"events": {}}))),
        ("Cognito: token_use id", plain(json!({"token_use": "id"}))),
        ("Cognito: token_use access", plain(json!({"token_use": "access"}))),
        ("Keycloak: typ ID", plain(json!({"typ": "ID"}))),
        ("Keycloak: typ Refresh", plain(json!({"typ": "Refresh"}))),
        ("Keycloak: typ Bearer", plain(json!({"typ": "Bearer"}))),
        ("for the client alone (azp)", plain(json!({"azp": ours, "client_id": null}))),
        ("for the client alone (client_id)", plain(json!({"client_id": ours}))),
        ("for the client alone, but at+jwt", saying(json!({"client_id": ours}))),
        ("for the client alone, but Bearer", plain(json!({"client_id": ours, "typ": "Bearer"}))),
        ("for the client and us", plain(json!({"aud": ["crm-assistant", ours]}))),
        ("nonce, but at+jwt", saying(json!({"nonce": "n-0S6"}))),
    ]), @r#"
        at+jwt                                               accepted
        application/AT+JWT                                   accepted
        JWT                                                  accepted
        no typ                                               accepted
        logout+jwt                                           wrong_token_type
        dpop+jwt                                             wrong_token_type
        id_token+jwt                                         wrong_token_type
        typ is no string                                     malformed_token
        nonce                                                id_token
        at_hash                                              id_token
        c_hash                                               id_token
        events (logout, security event)                      id_token
        Cognito: token_use id                                id_token
        Cognito: token_use access                            accepted
        Keycloak: typ ID                                     id_token
        Keycloak: typ Refresh                                id_token
        Keycloak: typ Bearer                                 accepted
        for the client alone (azp)                           id_token
        for the client alone (client_id)                     id_token
        for the client alone, but at+jwt                     accepted
        for the client alone, but Bearer                     accepted
        for the client and us                                accepted
        nonce, but at+jwt                                    accepted
        "#);
}

#[test]
fn issuer_and_audience() {
    insta::assert_snapshot!(check(&[
        ("issuer with a slash more", saying(json!({"iss": "https://idp.example/"}))),
        ("issuer in capitals", saying(json!({"iss": "HTTPS://idp.example"}))),
        ("no issuer", saying(json!({"iss": null}))),
        ("issuer in a list", saying(json!({"iss": ["https://idp.example"]}))),
        ("audience in a list", saying(json!({"aud": ["https://other.example", "https://greffier.example"]}))),
        ("another audience", saying(json!({"aud": "https://other.example"}))),
        ("other audiences", saying(json!({"aud": ["https://other.example", "https://greffier.example/"]}))),
        ("our audience as a part", saying(json!({"aud": "https://greffier.example https://other.example"}))),
        ("no audience", saying(json!({"aud": null}))),
        ("empty list", saying(json!({"aud": []}))),
        ("audience is a number", saying(json!({"aud": 1}))),
        ("a number among audiences", saying(json!({"aud": ["https://greffier.example", 1]}))),
        ("65 audiences", saying(json!({"aud": vec!["https://greffier.example"; 65]}))),
    ]), @r#"
        issuer with a slash more                             unknown_issuer
        issuer in capitals                                   unknown_issuer
        no issuer                                            unknown_issuer
        issuer in a list                                     unknown_issuer
        audience in a list                                   accepted
        another audience                                     wrong_audience
        other audiences                                      wrong_audience
        our audience as a part                               wrong_audience
        no audience                                          wrong_audience
        empty list                                           wrong_audience
        audience is a number                                 malformed_token
        a number among audiences                             malformed_token
        65 audiences                                         malformed_token
        "#);
}

#[test]
fn times() {
    insta::assert_snapshot!(check(&[
        ("no exp", saying(json!({"exp": null}))),
        ("exp 59 s ago", saying(json!({"iat": null, "exp": NOW - 59}))),
        ("exp 60 s ago", saying(json!({"iat": null, "exp": NOW - 60}))),
        ("exp far in the future", saying(json!({"exp": i64::MAX}))),
        ("exp beyond our integers", saying(json!({"exp": u64::MAX}))),
        ("exp far in the past", saying(json!({"iat": null, "exp": i64::MIN}))),
        ("exp as text", saying(json!({"exp": "9999999999"}))),
        ("exp with a fraction", saying(json!({"exp": 9_999_999_999.5}))),
        ("nbf in 60 s", saying(json!({"nbf": NOW + 60}))),
        ("nbf in 61 s", saying(json!({"nbf": NOW + 61}))),
        ("nbf as text", saying(json!({"nbf": "soon"}))),
        ("iat in 60 s", saying(json!({"iat": NOW + 60}))),
        ("iat in 61 s", saying(json!({"iat": NOW + 61}))),
        ("iat at exp", saying(json!({"iat": NOW, "exp": NOW}))),
        ("no iat", saying(json!({"iat": null}))),
    ]), @r#"
        no exp                                               no_expiry
        exp 59 s ago                                         accepted
        exp 60 s ago                                         token_expired
        exp far in the future                                accepted
        exp beyond our integers                              malformed_token
        exp far in the past                                  token_expired
        exp as text                                          malformed_token
        exp with a fraction                                  malformed_token
        nbf in 60 s                                          accepted
        nbf in 61 s                                          token_not_yet_valid
        nbf as text                                          malformed_token
        iat in 60 s                                          accepted
        iat in 61 s                                          token_not_yet_valid
        iat at exp                                           malformed_token
        no iat                                               accepted
        "#);
}

#[test]
fn refused_claims() {
    let long = "a".repeat(257);
    let many: Vec<String> = (0..65).map(|i| format!("r{i}")).collect();
    let chain = (0..200).fold(json!({"sub": "a"}), |inner, _| json!({"sub": "a", "act": inner}));
    insta::assert_snapshot!(check(&[
        ("sub missing", saying(json!({"sub": null}))),
        ("sub empty", saying(json!({"sub": ""}))),
        ("sub blank", saying(json!({"sub": " "}))),
        ("sub too long", saying(json!({"sub": long}))),
        ("sub a number", saying(json!({"sub": 7}))),
        ("sub with a line break", saying(json!({"sub": "alice\nroot"}))),
        ("sub that turns around", saying(json!({"sub": "alice\u{202E}toor"}))),
        ("tenant missing", saying(json!({"org": null}))),
        ("tenant empty", saying(json!({"org": ""}))),
        ("tenant of others", saying(json!({"org": "initech"}))),
        ("tenant reserved", saying(json!({"org": "greffier"}))),
        ("tenant reserved, in capitals", saying(json!({"org": "Greffier"}))),
        ("tenant as a path", saying(json!({"org": "../acme"}))),
        ("tenants in a list", saying(json!({"org": ["acme"]}))),
        ("tenant in other letters", saying(json!({"org": "ACME"}))),
        ("roles a number", saying(json!({"roles": 1}))),
        ("roles with a number", saying(json!({"roles": ["analyst", 1]}))),
        ("role empty", saying(json!({"roles": [""]}))),
        ("role too long", saying(json!({"roles": ["a".repeat(129)]}))),
        ("65 roles", saying(json!({"roles": many}))),
        ("role invisible", saying(json!({"roles": ["anal\u{200B}yst"]}))),
        ("scope with a quote", saying(json!({"scope": "a\"b"}))),
        ("scope with a space in a list", saying(json!({"scope": ["a b"]}))),
        ("129 scopes", saying(json!({"scope": "a ".repeat(129)}))),
        ("email without @", saying(json!({"email": "alice"}))),
        ("email with a space", saying(json!({"email": "a b@example.com"}))),
        ("tier with a space", saying(json!({"https://idp.example/tier": "back ground"}))),
        ("session a number", saying(json!({"sid": 1}))),
        ("client a number", saying(json!({"client_id": 1}))),
        ("client greffier", saying(json!({"client_id": "Greffier"}))),
        ("actor greffier", saying(json!({"act": {"sub": "greffier"}}))),
        ("actor without a name", saying(json!({"act": {}}))),
        ("actor a text", saying(json!({"act": "agent"}))),
        ("earlier actor without a name", saying(json!({"act": {"sub": "a", "act": {"iss": "b"}}}))),
        ("actor's issuer with a query", saying(json!({"act": {"sub": "a", "iss": "https://a.example/?b"}}))),
        ("200 actors inside each other", saying(json!({"act": chain}))),
        ("jti a number", saying(json!({"jti": 1}))),
    ]), @r#"
        sub missing                                          no_subject
        sub empty                                            no_subject
        sub blank                                            claim_refused (sub)
        sub too long                                         claim_refused (sub)
        sub a number                                         claim_refused (sub)
        sub with a line break                                claim_refused (sub)
        sub that turns around                                claim_refused (sub)
        tenant missing                                       tenant_refused
        tenant empty                                         tenant_refused
        tenant of others                                     tenant_refused
        tenant reserved                                      tenant_refused
        tenant reserved, in capitals                         tenant_refused
        tenant as a path                                     tenant_refused
        tenants in a list                                    tenant_refused
        tenant in other letters                              accepted
        roles a number                                       claim_refused (roles)
        roles with a number                                  claim_refused (roles)
        role empty                                           claim_refused (roles)
        role too long                                        claim_refused (roles)
        65 roles                                             claim_refused (roles)
        role invisible                                       claim_refused (roles)
        scope with a quote                                   claim_refused (scopes)
        scope with a space in a list                         claim_refused (scopes)
        129 scopes                                           claim_refused (scopes)
        email without @                                      claim_refused (email)
        email with a space                                   claim_refused (email)
        tier with a space                                    claim_refused (tier)
        session a number                                     claim_refused (session)
        client a number                                      claim_refused (client_id)
        client greffier                                      claim_refused (agent)
        actor greffier                                       claim_refused (agent)
        actor without a name                                 claim_refused (act)
        actor a text                                         claim_refused (act)
        earlier actor without a name                         claim_refused (act)
        actor's issuer with a query                          claim_refused (act)
        200 actors inside each other                         malformed_token
        jti a number                                         claim_refused (jti)
        "#);
}

#[test]
fn length() {
    let set = keys(&OURS.jwks());
    // The longest tokens on either side of the bound.
    let room = |pad: usize| saying(json!({"pad": "x".repeat(pad)}));
    let fits = (11_000..12_300).rev().map(room).find(|token| token.len() <= 16 * 1024).unwrap();
    assert!(fits.len() > 16 * 1024 - 3);
    assert_eq!(outcome(&fits, &issuer(), &set, at(NOW)), "accepted");
    let over = format!("{fits}AAA");
    assert_eq!(outcome(&over, &issuer(), &set, at(NOW)), "token_too_large");
    assert_eq!(peek(&over), Err(Refusal::TooLarge));
}

/// What a principal is made of, one line per field that is there.
fn show(principal: &Principal) -> String {
    let mut out = String::new();
    let Principal { tenant, user, issuer, roles, scopes, email, agent, .. } = principal;
    writeln!(out, "tenant {tenant} issuer {issuer} verified {}", principal.verified).unwrap();
    writeln!(out, "user {user:?} email {email:?} client {:?}", principal.client_id).unwrap();
    writeln!(out, "roles {roles:?} scopes {scopes:?}").unwrap();
    writeln!(out, "agent {agent} tier {:?} session {:?}", principal.tier, principal.session).unwrap();
    for actor in &principal.via {
        writeln!(out, "via {} {:?}", actor.sub, actor.iss).unwrap();
    }
    if principal.via_dropped > 0 {
        writeln!(out, "via_dropped {}", principal.via_dropped).unwrap();
    }
    writeln!(
        out,
        "token {:?} expires {}",
        principal.token.as_ref().map(|hash| &hash[..8]),
        principal.expires
    )
    .unwrap();
    out
}

fn mapped(token: &str, issuer: &Issuer) -> String {
    show(&verify(token, issuer, &keys(&OURS.jwks()), at(NOW)).unwrap())
}

#[test]
fn a_user_through_agents() {
    let token = saying(json!({
        "roles": ["analyst", "on call", "analyst"], "scope": "tool:crm:read  chat", "email": "alice@example.com",
        "act": {"sub": "crm-assistant", "act": {"sub": "planner", "iss": "https://other.example", "act": {"sub": "portal"}}},
        "https://idp.example/tier": "interactive", "sid": "s-1", "jti": "j-1",
    }));
    insta::assert_snapshot!(mapped(&token, &issuer()), @r#"
        tenant acme issuer https://idp.example verified true
        user Some("auth0|8f3a") email Some("alice@example.com") client Some("crm-assistant")
        roles ["analyst", "on call"] scopes ["tool:crm:read", "chat"]
        agent crm-assistant tier Some("interactive") session Some("s-1")
        via planner Some("https://other.example")
        via portal None
        token Some("b4614134") expires 2026-03-06T14:37:07.000000Z
        "#);
}

#[test]
fn more_actors_than_are_kept() {
    let chain = (0..13).rev().fold(json!(null), |inner, i| json!({"sub": format!("a{i}"), "act": inner}));
    insta::assert_snapshot!(mapped(&saying(json!({"act": chain})), &issuer()), @r#"
        tenant acme issuer https://idp.example verified true
        user Some("auth0|8f3a") email None client Some("crm-assistant")
        roles [] scopes []
        agent a0 tier None session None
        via a1 None
        via a2 None
        via a3 None
        via a4 None
        via a5 None
        via a6 None
        via a7 None
        via a8 None
        via a9 None
        via a10 None
        via_dropped 2
        token None expires 2026-03-06T14:37:07.000000Z
        "#);
}

#[test]
fn who_is_a_service_and_which_agent_acts() {
    let paths = ClaimPaths { agent: Some(Pointer::new("/bot/name").unwrap()), ..issuer().claims };
    let named = Issuer { claims: paths, ..issuer() };
    let none = json!({"client_id": null});
    let tokens = [
        ("a client of a user", json!({})),
        ("sub is client_id", json!({"sub": "crm-assistant"})),
        ("sub is azp", json!({"sub": "bot", "azp": "bot", "client_id": null})),
        ("sub is cid (Okta)", json!({"sub": "bot", "cid": "bot", "client_id": null})),
        (
            "gty (Auth0)",
            json!({"sub": "abc@clients", "gty": "client-credentials", "azp": "abc", "client_id": null}),
        ),
        ("idtyp (Entra ID)", json!({"sub": "oid", "idtyp": "app", "client_id": null})),
        ("service that acts through an agent", json!({"sub": "crm-assistant", "act": {"sub": "worker"}})),
        ("mapped agent", json!({"bot": {"name": "Sales Bot"}})),
        ("mapped agent, but act", json!({"bot": {"name": "Sales Bot"}, "act": {"sub": "worker"}})),
        ("no software named", none),
    ];
    let mut out = String::new();
    for (story, changes) in tokens {
        let principal = verify(&saying(changes), &named, &keys(&OURS.jwks()), at(NOW)).unwrap();
        let Principal { user, agent, client_id, .. } = principal;
        writeln!(out, "{story}: user {user:?} agent {agent:?} client {client_id:?}").unwrap();
    }
    insta::assert_snapshot!(out, @r#"
        a client of a user: user Some("auth0|8f3a") agent "crm-assistant" client Some("crm-assistant")
        sub is client_id: user None agent "crm-assistant" client Some("crm-assistant")
        sub is azp: user None agent "bot" client Some("bot")
        sub is cid (Okta): user None agent "bot" client Some("bot")
        gty (Auth0): user None agent "abc" client Some("abc")
        idtyp (Entra ID): user None agent "oid" client Some("oid")
        service that acts through an agent: user None agent "worker" client Some("crm-assistant")
        mapped agent: user Some("auth0|8f3a") agent "Sales Bot" client Some("crm-assistant")
        mapped agent, but act: user Some("auth0|8f3a") agent "worker" client Some("crm-assistant")
        no software named: user Some("auth0|8f3a") agent "unknown" client None
        "#);
}

#[test]
fn tenants() {
    let tenant = |tenants: Tenants, mapped: bool, org: Value| {
        let claims =
            ClaimPaths { tenant: issuer().claims.tenant.filter(|_| mapped), ..ClaimPaths::default() };
        let issuer = Issuer { tenants, claims, ..issuer() };
        match verify(&saying(json!({ "org": org })), &issuer, &keys(&OURS.jwks()), at(NOW)) {
            Ok(principal) => principal.tenant.to_string(),
            Err(refusal) => refusal.code().to_owned(),
        }
    };
    let only = |names: &[&str]| Tenants::parse(names).unwrap();
    let lines = [
        ("the configured spelling counts", tenant(only(&["Org_Acme"]), true, json!("ORG_ACME"))),
        ("any: lower case", tenant(Tenants::Any, true, json!("Org_Acme"))),
        ("any, but not ours", tenant(Tenants::Any, true, json!("GREFFIER"))),
        ("any, without a claim", tenant(Tenants::Any, true, json!(null))),
        ("any, without a pointer", tenant(Tenants::Any, false, json!("acme"))),
        ("single tenant, without a pointer", tenant(only(&["acme"]), false, json!(null))),
        ("single tenant, with a pointer, without a claim", tenant(only(&["acme"]), true, json!(null))),
        ("two tenants, without a pointer", tenant(only(&["acme", "globex"]), false, json!(null))),
        (
            "ours by mistake, single",
            tenant(Tenants::Only(vec![greffier_event::Tenant::node()]), false, json!(null)),
        ),
    ];
    insta::assert_snapshot!(lines.map(|(story, tenant)| format!("{story}: {tenant}")).join("\n"), @r#"
        the configured spelling counts: Org_Acme
        any: lower case: org_acme
        any, but not ours: tenant_refused
        any, without a claim: tenant_refused
        any, without a pointer: tenant_refused
        single tenant, without a pointer: acme
        single tenant, with a pointer, without a claim: tenant_refused
        two tenants, without a pointer: tenant_refused
        ours by mistake, single: tenant_refused
        "#);
    let lists: [&[&str]; 6] = [&[], &["*"], &["*", "acme"], &["acme", "ACME"], &["Greffier"], &["a/b"]];
    insta::assert_snapshot!(lists.map(|list| match Tenants::parse(list) {
        Ok(tenants) => format!("{list:?}: {tenants:?}"),
        Err(error) => format!("{list:?}: {error}"),
    }).join("\n"), @r#"
        []: name at least one tenant, or "*" for any
        ["*"]: Any
        ["*", "acme"]: "*" means any tenant and stands alone
        ["acme", "ACME"]: `ACME` stands twice (tenants are unique ignoring case)
        ["Greffier"]: `greffier` is reserved for the node's own trail
        ["a/b"]: `a/b` is not a tenant: it must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}
        "#);
}

/// Which keys of a set can be used, and by which tokens.
#[test]
fn key_sets() {
    let jwks = OURS.jwks();
    let changed = |index: usize, changes: Value| with(jwks[index].clone(), changes);
    let nameless = |index: usize| without(jwks[index].clone(), "kid");
    let no_kid = |alg: &str| sign(&OURS, &without(header(alg), "kid"), &claims().to_string());
    let plain = |alg: &str| sign(&OURS, &header(alg), &claims().to_string());
    let short = json!({"kty": "RSA", "kid": "rsa", "n": B64.encode([0xC3; 128]), "e": "AQAB"});
    let secret = json!({"kty": "oct", "kid": "ed", "k": B64.encode([7; 32])});
    let cases: Vec<(&str, Vec<Value>, String)> = vec![
        ("no kid, one key fits", jwks.clone(), no_kid("EdDSA")),
        ("no kid, two keys fit", vec![jwks[2].clone(), changed(2, json!({"kid": "ed2"}))], no_kid("EdDSA")),
        ("no kid on either side", vec![nameless(2)], no_kid("EdDSA")),
        ("kid, but nameless key", vec![nameless(2)], plain("EdDSA")),
        ("one kid for two types", vec![changed(0, json!({"kid": "ed"})), jwks[2].clone()], plain("EdDSA")),
        ("one kid for two equal types", vec![jwks[2].clone(), jwks[2].clone()], plain("EdDSA")),
        (
            "same RSA key twice, by alg",
            vec![changed(0, json!({"alg": "RS256"})), changed(0, json!({"alg": "PS256"}))],
            plain("PS256"),
        ),
        ("RSA key for RS256 only, PS256 token", vec![changed(0, json!({"alg": "RS256"}))], plain("PS256")),
        ("EC key that claims RS256", vec![changed(1, json!({"alg": "RS256"}))], plain("ES256")),
        ("alg we do not know", vec![changed(0, json!({"alg": "RSA-OAEP"}))], plain("RS256")),
        ("for encryption", vec![changed(2, json!({"use": "enc"}))], plain("EdDSA")),
        ("key_ops verify", vec![changed(2, json!({"key_ops": ["verify"]}))], plain("EdDSA")),
        ("key_ops sign", vec![changed(2, json!({"key_ops": ["sign"]}))], plain("EdDSA")),
        ("1024 bit RSA", vec![short], plain("RS256")),
        ("a symmetric key", vec![secret], plain("EdDSA")),
        ("another curve", vec![changed(1, json!({"crv": "P-384"}))], plain("ES256")),
        ("x too short", vec![changed(1, json!({"x": "AAAA"}))], plain("ES256")),
        ("a point off the curve", vec![changed(1, json!({"x": B64.encode([1; 32])}))], plain("ES256")),
        (
            "unknown things beside it",
            vec![json!(1), json!({"kty": "AKP"}), changed(2, json!({"x5c": ["?"], "new": {}}))],
            plain("EdDSA"),
        ),
        ("empty set", vec![], plain("EdDSA")),
    ];
    let lines = cases.iter().map(|(story, jwks, token)| {
        format!("{story:<40} {}\n", outcome(token, &issuer(), &keys(jwks), at(NOW)))
    });
    insta::assert_snapshot!(lines.collect::<String>(), @r#"
        no kid, one key fits                     accepted
        no kid, two keys fit                     unknown_key
        no kid on either side                    accepted
        kid, but nameless key                    unknown_key
        one kid for two types                    accepted
        one kid for two equal types              unknown_key
        same RSA key twice, by alg               accepted
        RSA key for RS256 only, PS256 token      unknown_key
        EC key that claims RS256                 unknown_key
        alg we do not know                       unknown_key
        for encryption                           unknown_key
        key_ops verify                           accepted
        key_ops sign                             unknown_key
        1024 bit RSA                             unknown_key
        a symmetric key                          unknown_key
        another curve                            unknown_key
        x too short                              unknown_key
        a point off the curve                    bad_signature
        unknown things beside it                 accepted
        empty set                                unknown_key
        "#);

    let set = keys(&jwks);
    assert!(set.contains("ed") && !set.contains("ed2") && set.len() == 3 && !set.is_empty());
    assert_eq!(format!("{set:?}"), r#"["rsa", "ec", "ed"]"#);
    let parse = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.len());
    assert_eq!(parse("{}"), Err(crate::KeysError::NotJwks));
    assert_eq!(parse("<html>"), Err(crate::KeysError::NotJwks));
    let many = |n: usize| json!({"keys": vec![jwks[2].clone(); n]}).to_string();
    assert_eq!(parse(&many(64)), Ok(64));
    assert_eq!(parse(&many(65)), Err(crate::KeysError::TooMany));
}

#[test]
fn peeking_believes_nothing_but_reads() {
    let show = |token: &str| match peek(token) {
        Ok(peek) => format!("{} {:?}", peek.issuer, peek.kid),
        Err(refusal) => refusal.code().to_owned(),
    };
    let forged =
        format!("{}.{}.AAAA", encode(r#"{"alg":"ES256"}"#), encode(r#"{"iss":"https://evil.example"}"#));
    let anonymous = format!("{}.{}.AAAA", encode(r#"{"alg":"ES256"}"#), encode("{}"));
    let critical = format!("{}.{}.AAAA", encode(r#"{"alg":"ES256","crit":["b64"]}"#), encode("{}"));
    let none = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
    insta::assert_snapshot!([saying(json!({})), forged, anonymous, critical, none, String::new()].map(|token| show(&token)).join("\n"), @r#"
        https://idp.example Some("ed")
        https://evil.example None
        unknown_issuer
        critical_header
        algorithm_refused
        missing_token
        "#);
}

#[test]
fn the_development_issuer() {
    let dev = DevIssuer::from_seed(&[7; 32]).unwrap();
    let issuer = dev.issuer("https://greffier.example", Tenants::Any);
    let keys = KeySet::parse(dev.jwks().as_bytes()).unwrap();
    let claims = Claims {
        sub: "alice".to_owned(),
        tenant: Some(greffier_event::Tenant::new("acme").unwrap()),
        roles: vec!["analyst".to_owned()],
        scopes: vec!["tool:crm:read".to_owned()],
        email: Some("alice@example.com".to_owned()),
        agent: Some("crm-assistant".to_owned()),
        tier: Some("interactive".to_owned()),
        session: Some("s-1".to_owned()),
        client: Some("greffier-cli".to_owned()),
        jti: "j-1".to_owned(),
    };
    let token = dev.mint(&claims, "https://greffier.example", at(NOW), 3_600);
    insta::assert_snapshot!(show(&verify(&token, &issuer, &keys, at(NOW)).unwrap()), @r#"
        tenant acme issuer urn:greffier:development verified false
        user Some("alice") email Some("alice@example.com") client Some("greffier-cli")
        roles ["analyst"] scopes ["tool:crm:read"]
        agent crm-assistant tier Some("interactive") session Some("s-1")
        token Some("b4614134") expires 2026-03-06T15:32:07.000000Z
        "#);
    insta::assert_snapshot!(dev.jwks(), @r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"--6IM5l0OosLj9yWskISYhUA3n_3CURQkmrYMSha_ck","x":"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"}]}"#);

    let service = Claims { client: Some("alice".to_owned()), agent: None, ..claims };
    let token = dev.mint(&service, "https://greffier.example", at(NOW), 3_600);
    insta::assert_snapshot!(show(&verify(&token, &issuer, &keys, at(NOW)).unwrap()), @r#"
        tenant acme issuer urn:greffier:development verified false
        user None email Some("alice@example.com") client Some("alice")
        roles ["analyst"] scopes ["tool:crm:read"]
        agent alice tier Some("interactive") session Some("s-1")
        token Some("b4614134") expires 2026-03-06T15:32:07.000000Z
        "#);

    let late = verify(&token, &issuer, &keys, at(NOW + 3_660));
    assert_eq!(late, Err(Refusal::Expired));
    let other = DevIssuer::from_seed(&[8; 32]).unwrap();
    let other = KeySet::parse(other.jwks().as_bytes()).unwrap();
    assert_eq!(verify(&token, &issuer, &other, at(NOW)), Err(Refusal::UnknownKey));
    let document = OURS.ed.to_pkcs8().unwrap();
    assert_eq!(DevIssuer::from_pkcs8(document.as_ref()).unwrap().url(), dev.url());
    assert!(DevIssuer::from_pkcs8(&[0; 16]).is_err());
}

/// Nothing of a token, not even of a good one, shows in what is written about it.
#[test]
fn refusals_say_nothing_of_the_token() {
    let all = [
        Refusal::MissingToken,
        Refusal::TooLarge,
        Refusal::Malformed,
        Refusal::Algorithm,
        Refusal::Critical,
        Refusal::TokenType,
        Refusal::UnknownIssuer,
        Refusal::UnknownKey,
        Refusal::KeysUnavailable,
        Refusal::Signature,
        Refusal::Audience,
        Refusal::NoExpiry,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::IdToken,
        Refusal::NoSubject,
        Refusal::Tenant,
        Refusal::Claim("roles"),
    ];
    let codes: BTreeMap<&str, String> =
        all.iter().map(|refusal| (refusal.code(), refusal.to_string())).collect();
    assert_eq!(codes.len(), all.len(), "codes are distinct");
    let lines: Vec<String> = codes.iter().map(|(code, text)| format!("{code}: {text}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        algorithm_refused: the token's algorithm is not one of RS256, PS256, ES256, EdDSA
        bad_signature: the token's signature is not valid
        claim_refused: the token's claim for `roles` is not acceptable
        critical_header: the token's header has `crit`, which is not supported
        id_token: this is not an access token but an ID token or the like: send an access token
        keys_unavailable: the issuer's keys are not available at the moment: try again later
        malformed_token: the token is not a well-formed JWT
        missing_token: no token: send an access token as `Authorization: Bearer` or as the API key
        no_expiry: the token has no expiry
        no_subject: the token names no subject
        tenant_refused: the token's tenant is missing, or not one its issuer may speak for
        token_expired: the token has expired
        token_not_yet_valid: the token is not valid yet
        token_too_large: the token is longer than 16 KiB
        unknown_issuer: the token's issuer is not trusted here
        unknown_key: the issuer has no single key that fits the token's `kid` and algorithm
        wrong_audience: the token's audience is not this service
        wrong_token_type: the token's `typ` is neither `at+jwt` nor `JWT`: send an access token
        "#);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    static SET: LazyLock<KeySet> = LazyLock::new(|| keys(&OURS.jwks()));
    static GOOD: LazyLock<String> = LazyLock::new(|| saying(json!({"roles": ["analyst"]})));

    proptest! {
        #[test]
        fn no_text_is_a_token(text in ".{0,200}") {
            prop_assert!(verify(&text, &issuer(), &SET, at(NOW)).is_err());
        }

        #[test]
        fn no_payload_panics(payload in ".{0,200}") {
            let token = sign(&OURS, &header("EdDSA"), &payload);
            let _ = verify(&token, &issuer(), &SET, at(NOW));
        }

        /// One changed character anywhere, and a good token is refused.
        #[test]
        fn every_character_counts(index in 0..GOOD.len(), other in "[A-Za-z0-9_.-]") {
            let mut bytes = GOOD.clone().into_bytes();
            prop_assume!(bytes[index] != other.as_bytes()[0]);
            bytes[index] = other.as_bytes()[0];
            prop_assert!(verify(std::str::from_utf8(&bytes).unwrap(), &issuer(), &SET, at(NOW)).is_err());
        }
    }

    #[test]
    fn the_hash_of_a_jti_is_plain_sha256() {
        let principal = verify(&saying(json!({"jti": "j"})), &issuer(), &SET, at(NOW)).unwrap();
        let expected = hex::encode(digest::digest(&digest::SHA256, b"j").as_ref());
        assert_eq!(principal.token.as_deref(), Some(expected.as_str()));
    }
}
