//! JSON that loses nothing: the order of members and the text of numbers stay as they came.
//!
//! `serde_json` would keep number texts only by a feature that changes its number type for the whole program.
//! Scalars are read and strings written by `serde_json` all the same; only the structure is walked here.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::IgnoredAny;

use crate::InvalidEvent;
use crate::limits::{DOCUMENT_BYTES, DOCUMENT_DEPTH};

/// One JSON value. Equality is that of tokens: `1.0` is not `1`, and order matters. It is content, so it has no
/// `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The number's text, which follows JSON's grammar.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one document: complete, within the bounds, no name twice in an object.
    pub(crate) fn parse(text: &str) -> Result<Json, InvalidEvent> {
        if text.len() > DOCUMENT_BYTES {
            return Err(InvalidEvent::new("document", format!("must have at most {DOCUMENT_BYTES} bytes")));
        }
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(DOCUMENT_DEPTH)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.wrong("must end after one JSON value")) }
    }

    /// A string.
    pub(crate) fn text(text: impl Into<String>) -> Json {
        Json::String(text.into())
    }

    /// An integer.
    pub(crate) fn integer(number: impl fmt::Display) -> Json {
        Json::Number(number.to_string())
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// The members of an object, to change.
    pub(crate) fn members_mut(&mut self) -> Option<&mut Vec<(String, Json)>> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items of an array; none of anything else.
    pub(crate) fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }

    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The member of that name, to change.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.members_mut()?.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets a member of an object, at its place or at the end.
    pub(crate) fn set(&mut self, name: &str, value: Json) {
        match self.get_mut(name) {
            Some(place) => *place = value,
            None => {
                if let Some(members) = self.members_mut() {
                    members.push((name.to_owned(), value));
                }
            }
        }
    }

    /// Takes a member out of an object.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Json> {
        let members = self.members_mut()?;
        let index = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(index).1)
    }

    /// The string it is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Members by name, for objects of any size.
    pub(crate) fn index(&self) -> HashMap<&str, &Json> {
        self.members().iter().map(|(key, value)| (key.as_str(), value)).collect()
    }
}

impl fmt::Display for Json {
    /// Compact: no white space, strings with JSON's short escapes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let string = |f: &mut fmt::Formatter<'_>, text: &str| {
            f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
        };
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(truth) => write!(f, "{truth}"),
            Json::Number(text) => f.write_str(text),
            Json::String(text) => string(f, text),
            Json::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (index, (key, value)) in members.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    string(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, InvalidEvent> {
        let Some(inside) = depth.checked_sub(1) else {
            return Err(self.wrong(&format!("must be nested at most {DOCUMENT_DEPTH} deep")));
        };
        self.space();
        match self.peek() {
            Some(b'{') => self.object(inside),
            Some(b'[') => self.array(inside),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, InvalidEvent> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = HashSet::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return Err(self.wrong("must not have a name twice in one object"));
            }
            if !self.eat(b':') {
                return Err(self.wrong("must be JSON: `:` expected"));
            }
            members.push((name, self.value(depth)?));
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.wrong("must be JSON: `,` or `}` expected"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, InvalidEvent> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.wrong("must be JSON: `,` or `]` expected"));
            }
        }
    }

    fn string(&mut self) -> Result<String, InvalidEvent> {
        let mut escaped = false;
        let end = self.rest().bytes().enumerate().skip(1).find(|(_, byte)| {
            let close = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            close
        });
        let token = end.and_then(|(end, _)| self.rest().get(..=end)).unwrap_or_default();
        match serde_json::from_str(token) {
            Ok(text) => {
                self.at += token.len();
                Ok(text)
            }
            Err(_) => Err(self.wrong("must be JSON: a valid string expected")),
        }
    }

    fn number(&mut self) -> Result<Json, InvalidEvent> {
        let token = self.token(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        match serde_json::from_str::<IgnoredAny>(token) {
            Ok(_) => {
                self.at += token.len();
                Ok(Json::Number(token.to_owned()))
            }
            Err(_) => Err(self.wrong("must be JSON: a valid number expected")),
        }
    }

    fn word(&mut self) -> Result<Json, InvalidEvent> {
        let token = self.token(|b| b.is_ascii_alphanumeric());
        let value = match token {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => return Err(self.wrong("must be JSON: a value expected")),
        };
        self.at += token.len();
        Ok(value)
    }

    fn token(&self, of: fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.bytes().position(|b| !of(b)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        self.at += self.token(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, problem: &str) -> InvalidEvent {
        InvalidEvent::new("document", format!("{problem} (at byte {})", self.at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn check(text: &str) -> String {
        Json::parse(text).map_or_else(|error| error.to_string(), |json| json.to_string())
    }

    #[test]
    fn keeps_what_it_reads() {
        let text = r#" {"b" : [ 1.0, -0e+1, 123456789012345678901234567890 ], "a":"\u0041\n\ud83d\ude00\/", "":null } "#;
        insta::assert_snapshot!(check(text), @r#"{"b":[1.0,-0e+1,123456789012345678901234567890],"a":"A\n😀/","":null}"#);
    }

    #[test]
    fn refuses_what_is_not_json() {
        insta::assert_snapshot!(check(""), @"document: must be JSON: a value expected (at byte 0)");
        insta::assert_snapshot!(check("{} {}"), @"document: must end after one JSON value (at byte 3)");
        insta::assert_snapshot!(check("[1,]"), @"document: must be JSON: a value expected (at byte 3)");
        insta::assert_snapshot!(check("{\"a\":1,}"), @"document: must be JSON: a valid string expected (at byte 7)");
        insta::assert_snapshot!(check("{\"a\":1,\"a\":1}"), @"document: must not have a name twice in one object (at byte 10)");
        insta::assert_snapshot!(check("{\"a\":1,\"\\u0061\":1}"), @"document: must not have a name twice in one object (at byte 15)");
        insta::assert_snapshot!(check("01"), @"document: must be JSON: a valid number expected (at byte 0)");
        insta::assert_snapshot!(check("1."), @"document: must be JSON: a valid number expected (at byte 0)");
        insta::assert_snapshot!(check("\"open"), @"document: must be JSON: a valid string expected (at byte 0)");
        insta::assert_snapshot!(check("\"open\\\""), @"document: must be JSON: a valid string expected (at byte 0)");
        insta::assert_snapshot!(check("\"\\ud800\""), @"document: must be JSON: a valid string expected (at byte 0)");
        insta::assert_snapshot!(check("\"\u{1}\""), @"document: must be JSON: a valid string expected (at byte 0)");
        insta::assert_snapshot!(check("nullnull"), @"document: must be JSON: a value expected (at byte 0)");
        insta::assert_snapshot!(check("NaN"), @"document: must be JSON: a value expected (at byte 0)");
        insta::assert_snapshot!(check(&format!("{}1{}", "[".repeat(127), "]".repeat(127))).replace(['[', ']'], ""), @"1");
        insta::assert_snapshot!(check(&format!("{}1{}", "[".repeat(128), "]".repeat(128))), @"document: must be nested at most 128 deep (at byte 128)");
    }

    proptest! {
        /// An independent parser takes the same texts, and reads the same from what we write.
        #[test]
        fn agrees_with_serde_json(text in r#"([\[\]{},:"0-9eE.+-]|true|null|"a"|\\u00e9|\\n| ){0,12}"#) {
            let theirs = serde_json::from_str::<Value>(&text);
            match Json::parse(&text) {
                Ok(json) => {
                    // Numbers too large for a double are JSON all the same; their text is kept.
                    let out_of_range = |error: &serde_json::Error| error.to_string().starts_with("number out of range");
                    match theirs {
                        Ok(theirs) => prop_assert_eq!(serde_json::from_str::<Value>(&json.to_string()).unwrap(), theirs),
                        Err(error) => prop_assert!(out_of_range(&error), "{}", error),
                    }
                }
                Err(error) => prop_assert!(theirs.is_err() || error.to_string().contains("twice"), "{}", error),
            }
        }
    }
}
