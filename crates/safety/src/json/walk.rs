//! The strict walk over a document: token by token, without recursion.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::escape::{self, Escape};
use super::{JsonError, JsonFault};
use crate::shifts::Shifts;

/// Objects and arrays within each other; more is no data but an attack on readers that recurse.
pub const MAX_DEPTH: usize = 128;

/// A piece of a document.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// An object (or else an array) begins.
    Open { object: bool },
    /// It ends. While this token is the last, its keys can still be asked for.
    Close,
    /// A key of an object.
    Key(Text<'a>),
    /// A string that is a value.
    Text(Text<'a>),
    /// A number that is a value.
    Number(Range<usize>),
    /// `true`, `false`, `null`.
    Literal,
}

/// A string, decoded, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// The raw place behind the opening quote.
    start: usize,
    shifts: Shifts,
}

impl Text<'_> {
    /// The string, decoded.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where a place in the decoded string stands in the document.
    pub(crate) fn raw(&self, place: usize) -> usize {
        self.start + self.shifts.raw(place)
    }
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Value,
    /// Right behind `[`: a value, or the end.
    FirstValue,
    /// Right behind `{`: a key, or the end.
    FirstKey,
    /// Behind a value: a comma, or the end.
    More,
}

struct Frame<'a> {
    object: bool,
    keys: BTreeSet<Cow<'a, str>>,
}

pub(super) struct Walker<'a> {
    raw: &'a str,
    at: usize,
    next: Next,
    frames: Vec<Frame<'a>>,
    /// The frame closed by the last token.
    closed: Option<Frame<'a>>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self { raw, at: 0, next: Next::Value, frames: Vec::new(), closed: None }
    }

    /// Whether the object that has just ended has this key.
    pub(super) fn had_key(&self, key: &str) -> bool {
        self.closed.as_ref().is_some_and(|frame| frame.keys.contains(key))
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, JsonError> {
        self.closed = None;
        self.space();
        let object = self.frames.last().map(|frame| frame.object);
        match (self.next, object, self.peek()) {
            (Next::More, None, None) => Ok(None),
            (Next::More, None, Some(_)) => Err(self.fault(JsonFault::Trailing)),
            (_, _, None) => Err(self.fault(JsonFault::UnexpectedEnd)),
            (Next::More | Next::FirstKey, Some(true), Some(b'}'))
            | (Next::More | Next::FirstValue, Some(false), Some(b']')) => {
                self.at += 1;
                self.closed = self.frames.pop();
                self.next = Next::More;
                Ok(Some(Token::Close))
            }
            (Next::More, Some(object), Some(b',')) => {
                self.at += 1;
                self.space();
                if object { self.key().map(Some) } else { self.value().map(Some) }
            }
            (Next::More, ..) => Err(self.fault(JsonFault::Unexpected)),
            (Next::FirstKey, ..) => self.key().map(Some),
            (Next::Value | Next::FirstValue, ..) => self.value().map(Some),
        }
    }

    fn key(&mut self) -> Result<Token<'a>, JsonError> {
        let start = self.at;
        let key = self.string()?;
        if !self.frames.last_mut().is_some_and(|frame| frame.keys.insert(key.text.clone())) {
            self.at = start;
            return Err(self.fault(JsonFault::DuplicateKey));
        }
        self.space();
        self.expect(b':')?;
        self.next = Next::Value;
        Ok(Token::Key(key))
    }

    fn value(&mut self) -> Result<Token<'a>, JsonError> {
        let token = match self.peek() {
            Some(b @ (b'{' | b'[')) => return self.open(b == b'{'),
            Some(b'"') => Token::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Token::Number(self.number()?),
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(_) => return Err(self.fault(JsonFault::Unexpected)),
            None => return Err(self.fault(JsonFault::UnexpectedEnd)),
        };
        self.next = Next::More;
        Ok(token)
    }

    fn open(&mut self, object: bool) -> Result<Token<'a>, JsonError> {
        if self.frames.len() == MAX_DEPTH {
            return Err(self.fault(JsonFault::TooDeep));
        }
        self.at += 1;
        self.frames.push(Frame { object, keys: BTreeSet::new() });
        self.next = if object { Next::FirstKey } else { Next::FirstValue };
        Ok(Token::Open { object })
    }

    fn literal(&mut self, word: &[u8]) -> Result<Token<'a>, JsonError> {
        word.iter().try_for_each(|&b| self.expect(b))?;
        Ok(Token::Literal)
    }

    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut text = Cow::Borrowed("");
        let mut shifts = Shifts::default();
        loop {
            let plain = self.at;
            while self.peek().is_some_and(|b| b >= b' ' && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            // Borrows as long as there is only one plain piece.
            text += self.raw.get(plain..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let (character, length) = self.escape()?;
                    self.at += length;
                    text.to_mut().push(character);
                    shifts.note(text.len(), self.at - start);
                }
                Some(_) => return Err(self.fault(JsonFault::ControlCharacter)),
                None => return Err(self.fault(JsonFault::UnexpectedEnd)),
            }
        }
        self.at += 1;
        Ok(Text { text, start, shifts })
    }

    fn escape(&self) -> Result<(char, usize), JsonError> {
        match escape::read(self.rest()) {
            Escape::Character(character, length) => Ok((character, length)),
            Escape::Half | Escape::Bad => Err(self.fault(JsonFault::BadEscape)),
            Escape::Incomplete => Err(self.fault(JsonFault::UnexpectedEnd)),
        }
    }

    fn number(&mut self) -> Result<Range<usize>, JsonError> {
        let start = self.at;
        self.skip(|b| b == b'-', 1);
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(self.fault(JsonFault::BadNumber));
        }
        if self.skip(|b| b == b'.', 1) == 1 {
            self.digits()?;
        }
        if self.skip(|b| matches!(b, b'e' | b'E'), 1) == 1 {
            self.skip(|b| matches!(b, b'+' | b'-'), 1);
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn digits(&mut self) -> Result<usize, JsonError> {
        match self.skip(|b| b.is_ascii_digit(), usize::MAX) {
            0 => Err(self.fault(JsonFault::BadNumber)),
            count => Ok(count),
        }
    }

    fn space(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'), usize::MAX);
    }

    fn skip(&mut self, class: impl Fn(u8) -> bool, most: usize) -> usize {
        let count = self.rest().iter().take(most).take_while(|&&b| class(b)).count();
        self.at += count;
        count
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        match self.peek() {
            Some(b) if b == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.fault(JsonFault::Unexpected)),
            None => Err(self.fault(JsonFault::UnexpectedEnd)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.raw.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.raw.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn fault(&self, fault: JsonFault) -> JsonError {
        JsonError::new(fault, self.raw.as_bytes().get(..self.at).unwrap_or_default())
    }
}
