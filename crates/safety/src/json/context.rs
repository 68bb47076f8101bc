//! What the keys above a value say about it, and how many keys of an object had hits: the same for a whole
//! document and for one that arrives in pieces.

use super::walk::MAX_DEPTH;
use crate::Entity;
use crate::hints::{Hints, KEY_BYTES};

#[derive(Clone, Copy, Debug)]
struct Frame {
    object: bool,
    hints: Hints,
    /// Keys of this object that had hits.
    hit_keys: u32,
}

/// Keys that are remembered: those of a few kinds of records, over and over the same.
const MAX_KNOWN: usize = 32;

/// A key without hits, and what it said.
struct Known {
    key: String,
    above: Hints,
    below: Hints,
}

/// Keys without hits.
#[derive(Default)]
pub(crate) struct KnownKeys {
    known: Vec<Known>,
    /// The one that gives way next.
    oldest: usize,
}

/// The way from the root to a value.
#[derive(Default)]
pub(crate) struct Context {
    /// They are the same in every document.
    pub(crate) keys: KnownKeys,
    frames: Vec<Frame>,
    /// Levels beyond [`MAX_DEPTH`], of which only a stream gets to see any.
    beyond: usize,
    /// What the root is under.
    outside: Hints,
    value: Hints,
}

impl Context {
    /// For a document that itself stands at such a place.
    pub(crate) fn under(outside: Hints) -> Self {
        Self { outside, value: outside, ..Self::default() }
    }

    pub(crate) fn open(&mut self, object: bool) {
        if self.frames.len() == MAX_DEPTH {
            self.beyond = self.beyond.saturating_add(1);
        } else {
            self.frames.push(Frame { object, hints: self.value, hit_keys: 0 });
        }
    }

    pub(crate) fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
        } else {
            self.frames.pop();
        }
        self.value = self.around();
    }

    /// Whether the innermost open thing is an object.
    pub(crate) fn in_object(&self) -> bool {
        self.beyond == 0 && self.frames.last().is_some_and(|frame| frame.object)
    }

    /// A key was read: its value comes next.
    pub(crate) fn key(&mut self, key: &[u8]) {
        self.value = self.around().with_key(key);
    }

    /// A key was read that may have been read before, at a place of which the same is known: then it has no hits, and
    /// its value comes next.
    pub(crate) fn key_again(&mut self, key: &str) -> bool {
        let above = self.around();
        let known = self.keys.known.iter().find(|known| known.key == key && known.above == above);
        if let Some(known) = known {
            self.value = known.below;
        }
        known.is_some()
    }

    /// A key without hits was read, and is remembered: its value comes next.
    pub(crate) fn clean_key(&mut self, key: &str) {
        self.key(key.as_bytes());
        if key.len() > KEY_BYTES {
            return;
        }
        let known = Known { key: key.to_owned(), above: self.around(), below: self.value };
        match self.keys.known.get_mut(self.keys.oldest) {
            Some(slot) => *slot = known,
            None => self.keys.known.push(known),
        }
        self.keys.oldest = (self.keys.oldest + 1) % MAX_KNOWN;
    }

    /// A key with a hit was read. It is data, and says nothing about its value.
    pub(crate) fn hit_key(&mut self) {
        self.key(&[]);
    }

    /// What the next value is under; for a key, what its object is under.
    pub(crate) fn hints(&self) -> Hints {
        self.value
    }

    /// What the innermost open thing is under.
    pub(crate) fn around(&self) -> Hints {
        self.frames.last().map_or(self.outside, |frame| frame.hints)
    }

    /// A key has a hit: its number among those of its object, from 1.
    pub(crate) fn number_hit_key(&mut self) -> u32 {
        self.frames.last_mut().map_or(1, |frame| {
            frame.hit_keys = frame.hit_keys.saturating_add(1);
            frame.hit_keys
        })
    }
}

/// The placeholder in the `number`th key with a hit: the first as everywhere, the others told apart, since an
/// object must not have a key twice.
pub(crate) fn key_placeholder(entity: Entity, number: u32) -> String {
    if number == 1 { crate::placeholder(entity) } else { format!("<{}_{number}>", entity.name()) }
}
