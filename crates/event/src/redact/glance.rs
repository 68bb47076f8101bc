//! Whether a text has anything to hide under its keys, seen without reading it into a tree: most texts have not.

use super::{REDACTED, Shape, gives_way};

/// Whether a JSON text may hold what [`super::redact_keys_text`] takes out. `false` is certain for every text that is
/// JSON, and what is none has no keys.
pub fn may_hold_secrets(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = memchr::memchr(b'"', rest.as_bytes()) {
        let Some((string, behind)) = string(rest.get(start + 1..).unwrap_or_default()) else { return false };
        rest = behind;
        let Some(value) = behind.trim_ascii_start().strip_prefix(':') else { continue };
        // What is not plain is read with care, elsewhere.
        let plain = string.bytes().all(|byte| byte.is_ascii() && byte != b'\\');
        if !plain || gives_way(string, shape(value.trim_ascii_start()), || false) {
            return true;
        }
    }
    false
}

/// A string behind its opening quote, as it is written, and what comes behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let mut end = 0;
    loop {
        end += memchr::memchr2(b'"', b'\\', text.as_bytes().get(end..)?)?;
        if text.as_bytes().get(end) == Some(&b'"') {
            return Some((text.get(..end)?, text.get(end + 1..)?));
        }
        end += 2;
    }
}

/// What matters of the value that begins here.
fn shape(value: &str) -> Shape {
    let redacted = || value.strip_prefix('"')?.strip_prefix(REDACTED)?.strip_prefix('"');
    match value.bytes().next() {
        Some(b'n' | b't' | b'f') => Shape::Harmless,
        Some(b'-' | b'0'..=b'9') => Shape::Number,
        Some(b'"') if redacted().is_some() => Shape::Harmless,
        _ => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::redact_keys_text;
    use super::*;

    #[test]
    fn counts_and_empty_values_hide_nothing() {
        let check = |text: &str| may_hold_secrets(text);
        assert!(!check(
            r#"{"max_tokens": 4096, "usage": {"total_tokens" :7}, "token": null, "a": ["token", "key:"]}"#
        ));
        assert!(!check(r#"{"a": "\"token\": 1", "api_key": "[REDACTED]", "has_password" : true}"#));
        assert!(
            check(r#"{"a": {"api_key": "x"}}"#)
                && check(r#"{"\u0061pi_key": 1}"#)
                && check("{\"\u{212A}ey\": 1}")
        );
    }

    proptest! {
        /// Whatever is taken out was seen to be there.
        #[test]
        fn nothing_is_overlooked(
            key in "[a-zA-Z_ -]{0,4}(key|Tok[eE]n|SECRET|passwords|credential|s_count)?[a-zA-Z0-9_\u{212A}\u{017F}\"\\\\]{0,3}",
            string in r#"[a-z"\\:{}\[\], ]{0,8}"#,
            number: i64,
        ) {
            let value = serde_json::json!({
                string.as_str(): [{ key.as_str(): string.as_str() }, { key.as_str(): number }, { "a": { key.as_str(): null } }],
            });
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let (_, count) = redact_keys_text(&text).unwrap();
                prop_assert!(count == 0 || may_hold_secrets(&text), "{text}");
            }
        }
    }
}
