//! A JSON document on its way. What is no JSON passes as it is, inspected as text.

use std::borrow::Cow;

use greffier_event::RedactionAction;

use super::Sink;
use super::lane::Lane;
use crate::hints::KEY_BYTES;
use crate::json::context::{Context, key_placeholder};
use crate::json::escape::{self, Escape};
use crate::json::pointer::Path;

/// Where in the document the next character stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Key,
    Value,
}

/// A document of which a beginning has been seen.
#[derive(Default)]
pub(super) struct Fragment {
    context: Context,
    place: Place,
    /// Whether a string here is a key.
    key_next: bool,
    /// The text since the last quote or structural character.
    lane: Lane,
    /// The beginning of an escape.
    escape: String,
    /// The beginning of the key being read, as far as it is read for hints.
    key: Vec<u8>,
    /// The number of that key, once it has a hit.
    key_number: Option<u32>,
    /// Where it stands, and the way from there, if rules tell fields apart.
    under: Option<(String, Path)>,
}

impl Fragment {
    /// Follows the way to each value from here on, for rules that tell fields apart.
    pub(super) fn stand_under(&mut self, field: &str) {
        self.under = Some((field.to_owned(), Path::default()));
    }

    /// The field at hand. A key that is being read is not known yet.
    fn field(&self) -> Option<String> {
        let (base, path) = self.under.as_ref()?;
        let end = if self.place == Place::Key { "/…" } else { "" };
        Some(format!("{base}{}{end}", path.pointer()))
    }

    pub(super) fn push(&mut self, piece: &str, out: &mut Sink<'_>) {
        let joined;
        let mut rest = piece;
        if !self.escape.is_empty() {
            joined = std::mem::take(&mut self.escape) + piece;
            rest = &joined;
        }
        while !rest.is_empty() && !out.is_blocked() {
            let taken = match self.place {
                Place::Outside => self.outside(rest, out),
                Place::Key | Place::Value => self.inside(rest, out),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !out.is_blocked() {
            self.drain(false, out);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Sink<'_>) {
        let escape = std::mem::take(&mut self.escape);
        self.lane.feed(&escape);
        self.drain(true, out);
    }

    pub(super) fn held(&self) -> usize {
        self.lane.held() + self.escape.len()
    }

    /// Takes text outside of strings, up to and including the next structural character.
    fn outside(&mut self, rest: &str, out: &mut Sink<'_>) -> usize {
        let Some(at) = rest.find(['"', '{', '}', '[', ']', ',', ':']) else {
            self.lane.feed(rest);
            return rest.len();
        };
        self.lane.feed(rest.get(..at).unwrap_or_default());
        match rest.as_bytes().get(at) {
            Some(b'"') => {
                let key = self.key_next && self.context.in_object();
                self.turn(if key { Place::Key } else { Place::Value }, '"', out);
            }
            Some(&b) => {
                // A number ends where it stands, before what follows changes that.
                self.drain(true, out);
                self.structure(b);
                self.turn(Place::Outside, char::from(b), out);
            }
            None => {}
        }
        at + 1
    }

    fn structure(&mut self, b: u8) {
        match b {
            b'{' | b'[' => self.context.open(b == b'{'),
            b'}' | b']' => self.context.close(),
            _ => {}
        }
        if let Some((_, path)) = &mut self.under {
            match b {
                b'{' | b'[' => path.open(b == b'{'),
                b'}' | b']' => path.end(),
                b',' => path.value_done(),
                _ => {}
            }
        }
        self.key_next = matches!(b, b'{' | b',');
    }

    /// Takes text inside a string: a plain run, an escape, or the closing quote.
    fn inside(&mut self, rest: &str, out: &mut Sink<'_>) -> usize {
        let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
        if plain > 0 {
            self.feed(rest.get(..plain).unwrap_or_default());
            return plain;
        }
        if rest.starts_with('"') {
            let key = self.place == Place::Key;
            self.turn(Place::Outside, '"', out);
            if key {
                let hit = self.key_number.take().is_some();
                let shown = if hit { Cow::Borrowed("<>") } else { String::from_utf8_lossy(&self.key) };
                if let Some((_, path)) = &mut self.under {
                    path.key(&shown);
                }
                match hit {
                    true => self.context.hit_key(),
                    false => self.context.key(&self.key),
                }
                self.key.clear();
                self.key_next = false;
            }
            return 1;
        }
        match escape::read(rest.as_bytes()) {
            Escape::Character(character, length) => self.feed_escape(character, rest, length),
            Escape::Half => self.feed_escape(char::REPLACEMENT_CHARACTER, rest, 6),
            Escape::Bad => {
                self.feed("\\");
                1
            }
            Escape::Incomplete => {
                rest.clone_into(&mut self.escape);
                rest.len()
            }
        }
    }

    fn feed(&mut self, plain: &str) {
        self.read_key(plain.as_bytes());
        self.lane.feed(plain);
    }

    fn feed_escape(&mut self, character: char, rest: &str, length: usize) -> usize {
        self.read_key(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.lane.feed_escape(character, rest.get(..length).unwrap_or_default());
        length
    }

    fn read_key(&mut self, bytes: &[u8]) {
        if self.place == Place::Key {
            let room = KEY_BYTES - self.key.len();
            self.key.extend(bytes.iter().take(room));
        }
    }

    /// Ends the text at hand at a structural character and begins the next.
    fn turn(&mut self, place: Place, character: char, out: &mut Sink<'_>) {
        self.drain(true, out);
        if out.is_blocked() {
            return;
        }
        out.release.text.push(character);
        self.place = place;
        let hints = if place == Place::Key { self.context.around() } else { self.context.hints() };
        self.lane = Lane::new(hints);
    }

    fn drain(&mut self, last: bool, out: &mut Sink<'_>) {
        out.field = self.field();
        let Self { context, place, lane, key_number, .. } = self;
        lane.drain(last, out, |entity, action, mark| match place {
            // A number stays one.
            Place::Outside => "0".to_owned(),
            Place::Value => mark().unwrap_or_else(|| crate::placeholder(entity)),
            Place::Key => {
                let number = *key_number.get_or_insert_with(|| context.number_hit_key());
                // Two keys must not become the same.
                let mark = if action == RedactionAction::Mask { None } else { mark() };
                mark.unwrap_or_else(|| key_placeholder(entity, number))
            }
        });
    }
}
