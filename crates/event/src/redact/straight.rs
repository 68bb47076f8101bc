//! Key redaction of JSON text in one pass, for text in which nothing is unusual: what is read is written at once.
//!
//! It says exactly what the tree says ([`super::redact_json`]), or nothing at all, and then the tree is asked.

use super::{REDACTED, Shape, cannot_tell, gives_way, json_breaks_down};
use crate::json::Json;
use crate::limits::DOCUMENT_BYTES;

/// Names of one object that are held against each other one by one.
const MAX_NAMES: usize = 32;

/// Appends one JSON value to `out`, compact and redacted, and says how many values gave way. `depth` bounds how deep it
/// may be nested. `None` where the text is no JSON, or has what is left to the tree: an escape in a name, many names in
/// one object, too much depth. What was appended by then is of no use.
pub(crate) fn redact_into(out: &mut String, text: &str, depth: usize) -> Option<u64> {
    (text.len() <= DOCUMENT_BYTES).then_some(())?;
    let mut walk = Walk { text, at: 0, out, names: Vec::new(), hidden: 0 };
    walk.space();
    walk.value(depth)?;
    walk.space();
    (walk.at == text.len()).then_some(walk.hidden)
}

struct Walk<'a, 'o> {
    text: &'a str,
    at: usize,
    out: &'o mut String,
    /// Names of the objects that are open.
    names: Vec<&'a str>,
    hidden: u64,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        let inside = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(inside),
            b'[' => self.array(inside),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => ["null", "true", "false"].into_iter().find_map(|word| self.word(word)),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.open('{');
        let first = self.names.len();
        if !self.closed(b'}') {
            loop {
                let name = self.name(first)?;
                self.member(name, depth)?;
                if self.closed(b'}') {
                    break;
                }
                self.comma()?;
            }
        }
        self.names.truncate(first);
        Some(())
    }

    /// A name, and the colon behind it.
    fn name(&mut self, first: usize) -> Option<&'a str> {
        let start = self.at;
        (self.peek() == Some(b'"')).then_some(())?;
        let (end, plain) = self.quoted()?;
        let token = self.text.get(start..end).filter(|_| plain)?;
        let name = token.get(1..token.len() - 1)?;
        let others = self.names.get(first..)?;
        if others.len() == MAX_NAMES || others.contains(&name) {
            return None;
        }
        self.names.push(name);
        self.out.push_str(token);
        self.at = end;
        self.space();
        (self.peek() == Some(b':')).then_some(())?;
        self.open(':');
        Some(name)
    }

    /// What stands under a name, or what stands for it.
    fn member(&mut self, name: &str, depth: usize) -> Option<()> {
        let (start, written, hidden) = (self.at, self.out.len(), self.hidden);
        self.value(depth)?;
        if cannot_tell(name) {
            return Some(());
        }
        let value = self.text.get(start..self.at)?;
        let shape = match value.as_bytes().first()? {
            b'n' | b't' | b'f' => Shape::Harmless,
            b'-' | b'0'..=b'9' => Shape::Number,
            b'"' if self.is_redacted(written) => Shape::Harmless,
            _ => Shape::Other,
        };
        if gives_way(name, shape, || Json::parse(value).is_ok_and(|json| json_breaks_down(&json))) {
            self.out.truncate(written);
            self.out.extend(["\"", REDACTED, "\""]);
            self.hidden = hidden + 1;
        }
        Some(())
    }

    /// Whether the string that was written there says that it was redacted before.
    fn is_redacted(&self, written: usize) -> bool {
        let inside = self.out.get(written..).and_then(|token| token.strip_prefix('"')?.strip_suffix('"'));
        inside == Some(REDACTED)
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.open('[');
        if self.closed(b']') {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.closed(b']') {
                return Some(());
            }
            self.comma()?;
        }
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        let (end, plain) = self.quoted()?;
        let token = self.text.get(start..end)?;
        if plain {
            self.out.push_str(token);
        } else {
            let text: String = serde_json::from_str(token).ok()?;
            self.out.push_str(&serde_json::to_string(&text).ok()?);
        }
        self.at = end;
        Some(())
    }

    /// Where the string here ends, and whether it is plain: without escapes, so that it is written as it stands.
    fn quoted(&self) -> Option<(usize, bool)> {
        let inside = self.text.as_bytes().get(self.at + 1..)?;
        let mut plain = true;
        let mut bytes = inside.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => return Some((self.at + at + 2, plain)),
                b'\\' => {
                    plain = false;
                    bytes.next();
                }
                0..b' ' => return None,
                _ => {}
            }
        }
        None
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.skip(|byte| byte == b'-', 1);
        let zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if zero && whole > 1 {
            return None;
        }
        if self.skip(|byte| byte == b'.', 1) == 1 {
            self.digits()?;
        }
        if self.skip(|byte| matches!(byte, b'e' | b'E'), 1) == 1 {
            self.skip(|byte| matches!(byte, b'+' | b'-'), 1);
            self.digits()?;
        }
        self.out.push_str(self.text.get(start..self.at)?);
        Some(())
    }

    fn digits(&mut self) -> Option<usize> {
        Some(self.skip(|byte| byte.is_ascii_digit(), usize::MAX)).filter(|&count| count > 0)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then_some(())?;
        self.out.push_str(word);
        self.at += word.len();
        Some(())
    }

    /// Takes a sign that something stands behind.
    fn open(&mut self, sign: char) {
        self.out.push(sign);
        self.at += 1;
        self.space();
    }

    fn comma(&mut self) -> Option<()> {
        (self.peek() == Some(b',')).then(|| self.open(','))
    }

    /// Takes the end of an object or array, if it is here.
    fn closed(&mut self, sign: u8) -> bool {
        self.space();
        let ends = self.peek() == Some(sign);
        if ends {
            self.out.push(char::from(sign));
            self.at += 1;
        }
        ends
    }

    fn space(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'), usize::MAX);
    }

    fn skip(&mut self, of: impl Fn(u8) -> bool, most: usize) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take(most).take_while(|&&byte| of(byte)).count();
        self.at += count;
        count
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::DOCUMENT_DEPTH;
    use crate::redact::redact_json;

    fn straight(text: &str) -> Option<(String, u64)> {
        let mut out = String::new();
        let hidden = redact_into(&mut out, text, DOCUMENT_DEPTH)?;
        Some((out, hidden))
    }

    fn by_tree(text: &str) -> Option<(String, u64)> {
        let mut json = Json::parse(text).ok()?;
        let hidden = redact_json(&mut json);
        Some((json.to_string(), hidden))
    }

    /// What usual contents look like is read straight, and says what the tree says.
    fn check(text: &str) {
        assert_eq!(straight(text), by_tree(text), "{text}");
        assert!(straight(text).is_some(), "{text}");
    }

    #[test]
    fn usual_contents() {
        check(
            r#" {"q" : "open orders", "limit":20,"max_tokens": 4096 ,"api_key":"sk-1", "a":[1, -0.5e+3,[],{}]} "#,
        );
        check(
            r#"{"note":"two\nlines, \"é\" \u00e9 \/ \ud83d\ude00","password":{"deep":["x"]},"token":null,"key":true}"#,
        );
        check(
            r#"{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}},"tokens":{"access":"x"}}"#,
        );
        check(
            r#"{"max_tokens":{"apiKey":5,"n":3},"secret":"[REDACTED]","key":"\u005bREDACTED]","credentials":[{"token":1}]}"#,
        );
        check(r#""text""#);
        check("\"\u{7f}\u{2028}\"");
        check(&format!("{}1{}", "[".repeat(127), "]".repeat(127)));
    }

    #[test]
    fn what_is_left_to_the_tree() {
        let many: Vec<String> = (0..=MAX_NAMES).map(|n| format!("\"n{n}\":1")).collect();
        let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        for text in
            [&*format!("{{{}}}", many.join(",")), r#"{"\u0061":1}"#, r#"{"a":1,"a":1}"#, &deep, "", "{} {}"]
        {
            assert_eq!(straight(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is read straight says what the tree says, and hostile text never passes.
        #[test]
        fn never_says_anything_else(
            text in r#"([\[\]{},:"0-9eE.+-]|true|null|"a"|"token"|"maxTokens"|"key":|\\u00e9|\\n|\\| |\x01|é){0,14}"#,
        ) {
            if let Some(said) = straight(&text) {
                prop_assert_eq!(Some(said), by_tree(&text), "{}", text);
            }
        }

        /// The same for text that is JSON.
        #[test]
        fn says_what_the_tree_says(
            key in "[a-z_]{0,3}(key|Token|SECRET|passwords|max_tokens)?[a-z0-9\u{e9}\"]{0,2}", string: String, number: f64,
            pretty: bool,
        ) {
            let value = serde_json::json!({
                "list": [{ key.as_str(): string.as_str() }, { key.as_str(): number }, { key.as_str(): { "n": 1 } }, null],
                key.as_str(): [string.as_str(), number, { key.as_str(): { key.as_str(): string.as_str() } }],
            });
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            match straight(&text) {
                Some(said) => prop_assert_eq!(Some(said), by_tree(&text)),
                None => prop_assert!(key.contains('"') || key == "list", "{}", text),
            }
        }
    }
}
