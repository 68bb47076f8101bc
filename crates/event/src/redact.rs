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
//! every telling word ends in `tokens` or `keys` (`max_tokens`, `inputTokens`) or which also has a counting word
//! (`token_count`, `key_length`). A *breakdown* under a counter stays too (`prompt_tokens_details`): an object of counts,
//! or a list of such objects, in which nothing but a `modality` is a text.

mod glance;
mod straight;

use serde_json::Value;

pub use glance::may_hold_secrets;
pub(crate) use straight::redact_into;

use crate::InvalidEvent;
use crate::json::Json;
use crate::limits::DOCUMENT_DEPTH;

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

/// What is counted often enough that its plural alone makes a counter.
const COUNTED: [&str; 2] = ["tokens", "keys"];

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
                if is_redacted(key, value) {
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

/// Whether [`redact_keys`] puts [`REDACTED`] in the place of `value`, which stands under `key`: for those who write
/// without a copy to redact.
pub fn is_redacted(key: &str, value: &Value) -> bool {
    let shape = match value {
        Value::Null | Value::Bool(_) => Shape::Harmless,
        Value::Number(_) => Shape::Number,
        Value::String(text) if text == REDACTED => Shape::Harmless,
        _ => Shape::Other,
    };
    gives_way(key, shape, || breaks_down(value))
}

/// [`redact_keys`] on JSON text: order, number texts and everything that is not redacted stay as they are; white
/// space goes. Returns the text and how many values gave way.
pub fn redact_keys_text(text: &str) -> Result<(String, u64), InvalidEvent> {
    let mut out = String::with_capacity(text.len());
    if let Some(count) = redact_into(&mut out, text, DOCUMENT_DEPTH) {
        return Ok((out, count));
    }
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
    let shape = match value {
        Json::Null | Json::Bool(_) => Shape::Harmless,
        Json::Number(_) => Shape::Number,
        Json::String(text) if text == REDACTED => Shape::Harmless,
        _ => Shape::Other,
    };
    if gives_way(key, shape, || json_breaks_down(value)) {
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

fn gives_way(key: &str, shape: Shape, breaks_down: impl FnOnce() -> bool) -> bool {
    if shape == Shape::Harmless || cannot_tell(key) {
        return false;
    }
    let words = words(key);
    let telling: Vec<&String> = words.iter().filter(|word| is_telling(word)).collect();
    if telling.is_empty() {
        return false;
    }
    let plural = telling.iter().all(|word| COUNTED.iter().any(|counted| word.ends_with(counted)));
    let counter = plural || words.iter().any(|word| COUNTING.contains(&word.as_str()));
    !(counter && (shape == Shape::Number || breaks_down()))
}

/// What a breakdown says of each count in words: `TEXT`, `AUDIO`.
const MODALITY: &str = "modality";

/// Whether an object, or a list of objects, holds counts and nothing else. What was redacted in it before counts for
/// one, so that redacting again changes nothing.
fn breaks_down(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(key, value)| match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => key == MODALITY || text == REDACTED,
            Value::Array(_) | Value::Object(_) => breaks_down(value),
        }),
        Value::Array(items) => items.iter().all(|item| item.is_object() && breaks_down(item)),
        _ => false,
    }
}

/// [`breaks_down`] on our own tree.
fn json_breaks_down(json: &Json) -> bool {
    match json {
        Json::Object(members) => members.iter().all(|(key, value)| match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => true,
            Json::String(text) => key == MODALITY || text == REDACTED,
            Json::Array(_) | Json::Object(_) => json_breaks_down(value),
        }),
        Json::Array(items) => {
            items.iter().all(|item| matches!(item, Json::Object(_)) && json_breaks_down(item))
        }
        _ => false,
    }
}

/// Whether no word of the key can be telling, as nearly always: no beginning of one stands in it. Takes no memory; a
/// key that is not ASCII is left to the words.
fn cannot_tell(key: &str) -> bool {
    key.is_ascii() && !has_stem(key.as_bytes())
}

/// Whether the beginning of a telling word stands in it.
fn has_stem(key: &[u8]) -> bool {
    let begins = |at: usize, stem: &[u8]| {
        key.get(at..at + stem.len()).is_some_and(|there| there.eq_ignore_ascii_case(stem))
    };
    key.iter().enumerate().any(|(at, byte)| match byte.to_ascii_lowercase() {
        b'p' => begins(at, b"pass"),
        b't' => begins(at, b"token"),
        b's' => begins(at, b"secret"),
        b'k' => begins(at, b"key"),
        b'c' => begins(at, b"credential"),
        _ => false,
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Which of these keys are redacted over a text, and which over a number.
    fn check(keys: &str) -> String {
        let over = |value: Value| {
            let telling = |key: &&str| redact_keys(&mut json!({ *key: value })) == 1;
            keys.split_whitespace().filter(telling).collect::<Vec<_>>().join(" ")
        };
        format!("text: {}\nnumber: {}", over(json!("x")), over(json!(1)))
    }

    #[test]
    fn every_telling_word_has_a_stem() {
        for word in TELLING.into_iter().chain(TELLING_ANYWHERE) {
            assert!(has_stem(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn a_breakdown_with_a_secret_stays_what_it_became() {
        let mut value = json!({ "max_tokens": { "apiKey": 5, "text": 3 } });
        assert_eq!(redact_keys(&mut value), 1);
        let once = value.clone();
        assert_eq!((redact_keys(&mut value), &value), (0, &once));
        assert_eq!(redact_keys_text(&once.to_string()).unwrap(), (once.to_string(), 0));
        insta::assert_snapshot!(once, @r#"{"max_tokens":{"apiKey":"[REDACTED]","text":3}}"#);
    }

    #[test]
    fn telling_keys() {
        let keys =
            "password passwords userPassword user_password PASSWORD passwordHash dbpassword passwd Passphrase
            token accessToken access-token access_token accesstoken TOKEN csrf.token idToken2 oauth2Token
            secret clientSecret client_secret secretValue clientsecret AWSSecretAccessKey
            key apiKey api_key apikey APIKey API_KEY x-api-key apikeys privateKey keyId sshkey
            credential credentials awsCredentials mycredentials";
        insta::assert_snapshot!(check(keys), @"
    text: password passwords userPassword user_password PASSWORD passwordHash dbpassword passwd Passphrase token accessToken access-token access_token accesstoken TOKEN csrf.token idToken2 oauth2Token secret clientSecret client_secret secretValue clientsecret AWSSecretAccessKey key apiKey api_key apikey APIKey API_KEY x-api-key apikeys privateKey keyId sshkey credential credentials awsCredentials mycredentials
    number: password passwords userPassword user_password PASSWORD passwordHash dbpassword passwd Passphrase token accessToken access-token access_token accesstoken TOKEN csrf.token idToken2 oauth2Token secret clientSecret client_secret secretValue clientsecret AWSSecretAccessKey key apiKey api_key apikey APIKey API_KEY x-api-key privateKey keyId sshkey credential credentials awsCredentials mycredentials
    ");
    }

    #[test]
    fn counters_keep_their_numbers() {
        let keys = "max_tokens maxTokens input_tokens inputTokens token_count tokenCount total_token num_keys
            key_length tokens keys password_count";
        insta::assert_snapshot!(check(keys), @"
    text: max_tokens maxTokens input_tokens inputTokens token_count tokenCount total_token num_keys key_length tokens keys password_count
    number:
    ");
    }

    #[test]
    fn breakdowns_of_counters_stay() {
        let check = |text: &str| {
            let (redacted, count) = redact_keys_text(text).unwrap();
            let mut value: Value = serde_json::from_str(text).unwrap();
            assert_eq!((redact_keys(&mut value), value.to_string()), (count, redacted.clone()));
            redacted
        };
        let openai = r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4,"audio":{"total":0}}}"#;
        assert_eq!(check(openai), openai);
        let gemini = r#"{"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]}"#;
        assert_eq!(check(gemini), gemini);
        // A text among them may be a secret, and so may a list of numbers; a telling key within stays telling.
        insta::assert_snapshot!(check(r#"{"tokens":{"access":"x","count":1}}"#), @r#"{"tokens":"[REDACTED]"}"#);
        insta::assert_snapshot!(check(r#"{"tokens_details":[1,2]}"#), @r#"{"tokens_details":"[REDACTED]"}"#);
        insta::assert_snapshot!(check(r#"{"tokens_details":{"pin_key":7}}"#), @r#"{"tokens_details":{"pin_key":"[REDACTED]"}}"#);
        insta::assert_snapshot!(check(r#"{"token":{"count":1},"secret_details":{"n":1}}"#), @r#"{"token":"[REDACTED]","secret_details":"[REDACTED]"}"#);
    }

    #[test]
    fn other_keys_stay() {
        let keys = "monkey monkeys donkey turkey keyboard keynote keyword tokenizer secretary hockey_team ssn
            author name passage passport compass";
        insta::assert_snapshot!(check(keys), @"
    text: 
    number:
    ");
    }

    #[test]
    fn everything_under_a_telling_key_goes() {
        let text = r#"{"a":[{"token":["x",1]},[{"secret":{"deep":true}}]],"has_password":true,"token":null,
            "key":1.50,"price":1.50,"credentials":{},"note":"password: hunter2"}"#;
        let (redacted, count) = redact_keys_text(text).unwrap();
        insta::assert_snapshot!(format!("{count} {redacted}"), @r#"4 {"a":[{"token":"[REDACTED]"},[{"secret":"[REDACTED]"}]],"has_password":true,"token":null,"key":"[REDACTED]","price":1.50,"credentials":"[REDACTED]","note":"password: hunter2"}"#);
    }

    proptest! {
        /// What is passed over at once has no telling word.
        #[test]
        fn nothing_telling_is_passed_over(
            key in "([a-zA-Z0-9_.-]|key|Tokens?|SECRET|passw(or)?d|passphrase|[cC]redential|\u{212a}ey){0,6}",
        ) {
            let telling = words(&key).iter().any(|word| is_telling(word));
            prop_assert!(!(telling && cannot_tell(&key)));
        }

        /// Both walkers agree, and a second pass finds nothing.
        #[test]
        fn once_is_enough(key in "[a-zA-Z_-]{0,4}(key|Token|SECRET|passwords|s_count)?[a-zA-Z0-9_]{0,3}", number: i64) {
            let mut value = json!({ "list": [{ key.as_str(): "x" }, { key.as_str(): number }] });
            let (text, count) = redact_keys_text(&value.to_string()).unwrap();
            prop_assert_eq!(redact_keys(&mut value), count);
            prop_assert_eq!(value.to_string(), text);
            prop_assert_eq!(redact_keys(&mut value), 0);
        }
    }
}
