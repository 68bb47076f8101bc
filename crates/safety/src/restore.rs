//! The way back: tokens in a reply give way to the values that they stood for, on streams too.
//!
//! A value that returns into JSON within a text (a tool's arguments, an answer asked for as JSON) is escaped as
//! often as the string it returns to is nested. A text or string that begins with `{` or `[` counts as JSON.

use std::ops::Range;

use crate::Vault;
use crate::json::{self, strings};
use crate::vault::MAX_TOKEN;

/// Documents in strings of documents; what is deeper counts as text.
const MAX_NESTING: usize = 4;

/// Restores one text that comes in pieces. What comes out is the same however it is cut; held back is only what
/// may be the beginning of a token.
#[derive(Debug)]
pub struct Restorer {
    vault: Vault,
    place: Place,
    /// The beginning of what may be a token.
    held: String,
}

/// What the text at hand comes to.
enum Piece {
    Plain(char),
    /// A token of so many bytes, and its value.
    Value(usize, String),
}

impl Restorer {
    /// A text at its beginning.
    #[must_use]
    pub fn new(vault: Vault) -> Self {
        Self { vault, place: Place::default(), held: String::new() }
    }

    /// Takes the next piece and gives what is certain by now.
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        self.run(piece, &mut |piece| match piece {
            Piece::Plain(c) => out.push(c),
            Piece::Value(_, value) => out.push_str(&value),
        });
        out
    }

    /// The text ends here: gives the rest.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    fn run(&mut self, piece: &str, give: &mut impl FnMut(Piece)) {
        for c in piece.chars() {
            if !self.held.is_empty() {
                if matches!(c, 'A'..='Z' | '0'..='9' | '_') && self.held.len() < MAX_TOKEN {
                    self.held.push(c);
                    continue;
                }
                if c == '>' {
                    self.held.push(c);
                }
                let held = std::mem::take(&mut self.held);
                match self.vault.value(&held) {
                    Some(value) => give(Piece::Value(held.len(), self.place.escape(value))),
                    None => held.chars().for_each(|c| give(Piece::Plain(c))),
                }
                if c == '>' {
                    continue;
                }
            }
            self.place.pass(c);
            if c == '<' {
                self.held.push(c);
            } else {
                give(Piece::Plain(c));
            }
        }
    }

    /// The tokens in a whole text: their places, and what belongs there.
    fn places(&mut self, text: &str) -> Vec<(Range<usize>, String)> {
        let (mut places, mut at) = (Vec::new(), 0);
        self.run(text, &mut |piece| match piece {
            Piece::Plain(c) => at += c.len_utf8(),
            Piece::Value(length, value) => {
                places.push((at..at + length, value));
                at += length;
            }
        });
        places
    }
}

impl Vault {
    /// A whole text with its tokens restored.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        let mut restorer = Restorer::new(self.clone());
        restorer.push(text) + &restorer.finish()
    }

    /// A JSON document with the tokens in its strings and keys restored, every other byte as it came; what is no
    /// JSON is restored as text.
    #[must_use]
    pub fn restore_json(&self, raw: &str) -> String {
        let Ok(strings) = strings(raw) else { return self.restore(raw) };
        let (mut out, mut copied) = (String::with_capacity(raw.len()), 0);
        for string in strings.iter().filter(|string| string.text().contains('<')) {
            for (token, value) in Restorer::new(self.clone()).places(string.text()) {
                out.push_str(raw.get(copied..string.raw(token.start)).unwrap_or_default());
                out.push_str(&json::escaped(&value));
                copied = string.raw(token.end);
            }
        }
        out.push_str(raw.get(copied..).unwrap_or_default());
        out
    }
}

/// Where in JSON within a text the next character stands.
#[derive(Debug)]
struct Place {
    /// Documents around: the text itself, one in a string of it, and so on.
    documents: usize,
    /// Whether it stands in a string of the innermost.
    open: bool,
    /// Whether nothing but space has been seen of this text or string.
    fresh: bool,
    /// Backslashes just before.
    backslashes: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self { documents: 0, open: false, fresh: true, backslashes: 0 }
    }
}

impl Place {
    fn pass(&mut self, c: char) {
        let backslashes = std::mem::take(&mut self.backslashes);
        match c {
            '\\' => {
                self.backslashes = backslashes + 1;
                self.fresh = false;
            }
            '"' => self.quote(backslashes),
            '{' | '[' if self.fresh && self.documents < MAX_NESTING => {
                self.documents += 1;
                (self.open, self.fresh) = (false, false);
            }
            c if c.is_whitespace() => {}
            _ => self.fresh = false,
        }
    }

    /// A quote with so many backslashes before it. At each level of nesting a backslash before a quote makes it a
    /// quote of the level within, and an even number of them stand for themselves.
    fn quote(&mut self, backslashes: usize) {
        let level = usize::try_from(backslashes.trailing_ones()).unwrap_or(usize::MAX);
        self.fresh = false;
        let Some(innermost) = self.documents.checked_sub(1) else { return };
        if level == innermost {
            self.open = !self.open;
            self.fresh = self.open;
        } else if level < innermost {
            // The string that held the innermost documents ends.
            self.documents = level + 1;
            self.open = false;
        }
    }

    /// A value as it has to be written here.
    fn escape(&self, value: String) -> String {
        let times = self.documents.saturating_sub(1) + usize::from(self.open);
        (0..times).fold(value, |value, _| json::escaped(&value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Entity;

    /// `<US_SSN_1>`, `<JWT_1>` and `<JWT_2>`, whose values are awkward.
    fn vault() -> Vault {
        let vault = Vault::default();
        vault.token(Entity::UsSsn, "123-45-6789").unwrap();
        vault.token(Entity::Jwt, "a\"b\\c\nd").unwrap();
        vault.token(Entity::Jwt, "<US_SSN_1>").unwrap();
        vault
    }

    fn check(pieces: &[&str]) -> String {
        let mut restorer = Restorer::new(vault());
        let mut out: Vec<String> = pieces.iter().map(|piece| restorer.push(piece)).collect();
        out.push(restorer.finish());
        format!("[{}]", out.join("]["))
    }

    #[test]
    fn only_what_may_be_a_token_is_held_back() {
        insta::assert_snapshot!(check(&["Her number is <US", "_SSN", "_1>, a < b, <", "b> <US_SSN_9> <<JWT_2", ">", "<U"]), @"[Her number is ][][123-45-6789, a < b, ][<b> <US_SSN_9> <][<US_SSN_1>][][<U]");
    }

    #[test]
    fn values_are_escaped_as_often_as_they_are_nested() {
        assert_eq!(check(&[r#"plain "<JWT_1>""#]), "[plain \"a\"b\\c\nd\"][]");
        insta::assert_snapshot!(check(&[r#" {"a<JWT_1>": "<JWT_1> said \"<JWT_1>\"", "b\\": <US_SSN_1>}"#]), @r#"[ {"aa\"b\\c\nd": "a\"b\\c\nd said \"a\"b\\c\nd\"", "b\\": 123-45-6789}][]"#);
        insta::assert_snapshot!(check(&[r#"["{\"a\":\"<JWT_1>\\\\\", \"b\":[<US_SSN_1>]} ", "<JWT_1>"]"#]), @r#"[["{\"a\":\"a\\\"b\\\\c\\nd\\\\\", \"b\":[123-45-6789]} ", "a\"b\\c\nd"]][]"#);
    }

    #[test]
    fn documents_keep_all_else() {
        let raw = r#"{ "a<US_SSN_1>" : "x \u003cJWT_1>\u0041", "n": 1.50, "args": "{\"q\":\"<JWT_1>\"}" }"#;
        let restored = vault().restore_json(raw);
        insta::assert_snapshot!(restored, @r#"{ "a123-45-6789" : "x a\"b\\c\nd\u0041", "n": 1.50, "args": "{\"q\":\"a\\\"b\\\\c\\nd\"}" }"#);
        let value: serde_json::Value = serde_json::from_str(&restored).unwrap();
        let inner: serde_json::Value = serde_json::from_str(value["args"].as_str().unwrap()).unwrap();
        assert_eq!(inner["q"], "a\"b\\c\nd");
        assert_eq!(vault().restore_json("no json <US_SSN_1>"), "no json 123-45-6789");
    }

    /// A document of strings with tokens, and the same with the values in their places.
    fn documents() -> impl Strategy<Value = (serde_json::Value, serde_json::Value)> {
        use serde_json::{Value, json};
        let text = proptest::collection::vec(
            proptest::sample::select(&["<JWT_1>", "<US_SSN_1>", "<", "\"", "\\", "é", " ", "x", "<JWT_"][..]),
            0..6,
        );
        let leaf = text.prop_map(|pieces| {
            let text = pieces.concat();
            // Written side by side they could be anything; here only whole tokens count.
            let restored = text.replace("<JWT_1>", "a\"b\\c\nd").replace("<US_SSN_1>", "123-45-6789");
            (Value::String(text), Value::String(restored))
        });
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| {
                    let (a, b): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                    (json!(a), json!(b))
                }),
                // A document in a string.
                inner.prop_map(|(a, b)| (
                    json!([json!({"k": a}).to_string()]),
                    json!([json!({"k": b}).to_string()])
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_restored_document_says_the_values((tokens, values) in documents(), sizes in proptest::collection::vec(1usize..8, 1..30)) {
            let (raw, expected) = (json_text(&tokens), json_text(&values));
            let whole = vault().restore(&raw);
            if raw.starts_with('[') {
                prop_assert_eq!(&whole, &expected);
                prop_assert_eq!(&vault().restore_json(&raw), &expected);
            }
            // Cut anyhow, it comes out the same.
            let (mut restorer, mut cut, mut rest) = (Restorer::new(vault()), String::new(), raw.as_str());
            let mut sizes = sizes.into_iter().cycle();
            while !rest.is_empty() {
                let end = rest.ceil_char_boundary(sizes.next().unwrap_or(1).min(rest.len()));
                cut += &restorer.push(&rest[..end]);
                prop_assert!(restorer.held.len() <= MAX_TOKEN);
                rest = &rest[end..];
            }
            cut += &restorer.finish();
            prop_assert_eq!(cut, whole);
        }
    }

    fn json_text(value: &serde_json::Value) -> String {
        value.to_string()
    }
}
