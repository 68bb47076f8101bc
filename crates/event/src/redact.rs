//! Key redaction: values that stand under a telling key never reach the record.
//!
//! A key is read as words, split at everything that is not a letter or digit and at the humps of camelCase
//! (`apiKey`, `api-key` and `API_KEY` are the words `api key`). A key is *telling* if one of its words
//!
//! - is `password` (also spelled `passwd` or `passphrase`), `token`, `secret`, `key` or `credential`, or the
//!   plural of one, or
//! - is one of them run together with what it is for (`apikey`, `accesstoken`, `userpassword`). For all but `key`
//!   any beginning counts, as no English word ends in them by chance; for `key` only those listed, so that
//!   `monkey` and `turkey` stay. `password` and `credential` count anywhere in a word (`passwordhash`).
//!
//! Everything under a telling key becomes `"[REDACTED]"`, lists and objects whole, with two exceptions that
//! cannot be a secret: `null` and booleans (`has_password`); and numbers under a *counter*, a key in which
//! every telling word is a plural (`max_tokens`, `inputTokens`) or which also has a counting word
//! (`token_count`, `key_length`).

use serde_json::Value;

use crate::InvalidEvent;
use crate::json::Json;

/// What stands where a redacted value stood.
pub const REDACTED: &str = "[REDACTED]";

const TELLING: [&str; 7] = ["password", "passwd", "passphrase", "token", "secret", "key", "credential"];

/// Telling wherever they stand in a word.
const TELLING_ANYWHERE: [&str; 2] = ["password", "credential"];

/// What `key` is run together with, in keys that are secrets.
const KEY_FOR: [&str; 24] = [
    "access",
    "account",
    "api",
    "app",
    "auth",
    "client",
    "crypt",
    "decryption",
    "encryption",
    "gpg",
    "host",
    "hmac",
    "license",
    "master",
    "pass",
    "pgp",
    "private",
    "public",
    "secret",
    "service",
    "session",
    "shared",
    "signing",
    "ssh",
];

/// What makes a count of the number that follows.
const COUNTING: [&str; 22] = [
    "average",
    "avg",
    "budget",
    "count",
    "counts",
    "length",
    "limit",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "num",
    "number",
    "per",
    "quota",
    "rate",
    "remaining",
    "size",
    "sum",
    "total",
    "usage",
];

/// Redacts by key throughout `value`; returns how many values gave way.
pub fn redact_keys(value: &mut Value) -> u64 {
    match value {
        Value::Object(members) => members
            .iter_mut()
            .map(|(key, value)| {
                let kind = match value {
                    Value::Null | Value::Bool(_) => Shape::Harmless,
                    Value::Number(_) => Shape::Number,
                    Value::String(text) if text == REDACTED => Shape::Harmless,
                    _ => Shape::Other,
                };
                if gives_way(key, kind) {
                    *value = Value::from(REDACTED);
                    1
                } else {
                    redact_keys(value)
                }
            })
            .sum(),
        Value::Array(items) => items.iter_mut().map(redact_keys).sum(),
        _ => 0,
    }
}

/// [`redact_keys`] on JSON text: order, number texts and everything that is not redacted stay as they are; white
/// space goes. Returns the text and how many values gave way.
pub fn redact_keys_text(text: &str) -> Result<(String, u64), InvalidEvent> {
    let mut json = Json::parse(text)?;
    let count = redact_json(&mut json);
    Ok((json.to_string(), count))
}

/// [`redact_keys`] on our own tree.
pub(crate) fn redact_json(json: &mut Json) -> u64 {
    match json {
        Json::Object(members) => members.iter_mut().map(|(key, value)| redact_member(key, value)).sum(),
        Json::Array(items) => items.iter_mut().map(redact_json).sum(),
        _ => 0,
    }
}

/// Redacts one member of an object, or what is inside it.
pub(crate) fn redact_member(key: &str, value: &mut Json) -> u64 {
    let kind = match value {
        Json::Null | Json::Bool(_) => Shape::Harmless,
        Json::Number(_) => Shape::Number,
        Json::String(text) if text == REDACTED => Shape::Harmless,
        _ => Shape::Other,
    };
    if gives_way(key, kind) {
        *value = Json::String(REDACTED.to_owned());
        1
    } else {
        redact_json(value)
    }
}

/// What matters about a value when its key is telling.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Null, a boolean, or redacted before.
    Harmless,
    Number,
    Other,
}

fn gives_way(key: &str, shape: Shape) -> bool {
    if shape == Shape::Harmless {
        return false;
    }
    let words = words(key);
    let telling: Vec<&String> = words.iter().filter(|word| is_telling(word)).collect();
    if telling.is_empty() {
        return false;
    }
    let counter = telling.iter().all(|word| word.ends_with('s'))
        || words.iter().any(|w| COUNTING.contains(&w.as_str()));
    !(shape == Shape::Number && counter)
}

fn is_telling(word: &str) -> bool {
    if TELLING_ANYWHERE.iter().any(|telling| word.contains(telling)) {
        return true;
    }
    let singular = word.strip_suffix('s').unwrap_or(word);
    TELLING.iter().any(|telling| match singular.strip_suffix(telling) {
        Some("") => true,
        Some(before) => *telling != "key" || KEY_FOR.contains(&before),
        None => false,
    })
}

/// The words of a key, in lower case.
fn words(key: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = key.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let after_hump =
            c.is_uppercase() && before.is_uppercase() && chars.peek().is_some_and(|n| n.is_lowercase());
        let hump = c.is_uppercase() && (before.is_lowercase() || before.is_numeric());
        // `token2` and `2token` are about tokens too.
        let digit = c.is_numeric() != before.is_numeric();
        if (!c.is_alphanumeric() || hump || after_hump || digit) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
