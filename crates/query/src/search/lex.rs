//! The text of a search as terms: what is negated, named and quoted, and where.

use crate::SearchError;

/// One term as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawTerm {
    pub(crate) at: usize,
    pub(crate) negated: bool,
    /// What stands before the first `:`.
    pub(crate) name: Option<String>,
    /// One for free text.
    pub(crate) values: Vec<RawValue>,
}

/// One value as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawValue {
    pub(crate) at: usize,
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

pub(crate) fn fail<T>(at: usize, message: impl Into<String>) -> Result<T, SearchError> {
    Err(SearchError { at, message: message.into() })
}

/// Splits a text into terms.
pub(crate) fn terms(text: &str) -> Result<Vec<RawTerm>, SearchError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut terms = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        if lexer.peek().is_none() {
            return Ok(terms);
        }
        terms.push(lexer.term()?);
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or("")
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn term(&mut self) -> Result<RawTerm, SearchError> {
        let at = self.at;
        let negated = self.skip('-');
        if negated && self.peek().is_none_or(char::is_whitespace) {
            return fail(
                at,
                "`-` negates the term behind it: write it without a space, or quote it as \"-\"",
            );
        }
        let name = self.name()?;
        let mut values = vec![self.value(name.is_some())?];
        while name.is_some() && self.skip(',') {
            values.push(self.value(true)?);
        }
        if self.peek().is_some_and(|c| !c.is_whitespace()) {
            return fail(self.at, "a space must stand between two terms");
        }
        Ok(RawTerm { at, negated, name, values })
    }

    /// What stands before the first `:` of this word.
    fn name(&mut self) -> Result<Option<String>, SearchError> {
        let (rest, at) = (self.rest(), self.at);
        let end = rest.find(|c: char| c == ':' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
        match rest.get(end..).and_then(|behind| behind.chars().next()) {
            Some(':') if end == 0 => {
                fail(at, "the name of a field must stand before `:`, as in `tool:search`")
            }
            Some(':') => {
                self.at += end + 1;
                Ok(rest.get(..end).map(str::to_owned))
            }
            _ => Ok(None),
        }
    }

    fn value(&mut self, of_field: bool) -> Result<RawValue, SearchError> {
        let at = self.at;
        if self.skip('"') {
            return Ok(RawValue { at, text: self.quoted(at)?, quoted: true });
        }
        let text = self.take_while(|c| !c.is_whitespace() && c != '"' && !(of_field && c == ','));
        if self.peek() == Some('"') {
            return fail(self.at, "quotes must enclose a whole value, as in `tool:\"a b\"`");
        }
        match text.chars().find(|c| c.is_control()) {
            Some(_) => fail(at, "control characters are in no event"),
            // Half of `'alice smith'` would be looked for, and the other half beside it.
            None if text.starts_with('\'') => {
                fail(at, "quotes are double here, as in `user:\"alice smith\"`")
            }
            None if text.is_empty() => fail(at, "a value must stand here; the empty text is \"\""),
            None => Ok(RawValue { at, text: text.to_owned(), quoted: false }),
        }
    }

    /// Behind the opening quote; `\"` and `\\` are a quote and a backslash.
    fn quoted(&mut self, at: usize) -> Result<String, SearchError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    _ => return fail(self.at + offset, "in quotes, `\\` stands before `\"` or `\\` only"),
                },
                c if c.is_control() => return fail(self.at + offset, "control characters are in no event"),
                c => text.push(c),
            }
        }
        fail(at, "the closing quote is missing")
    }
}
