//! The words in front of a place, read backwards, and what the nearest label among them says.

use super::Said;
use super::gap::{Gap, skip_gap, token_start, whole_label, word_start};
use crate::Entity;
use crate::labels::{self, Key, Label, MAX_WORD, Says};

/// Words that may stand between a label and its value ("SSN on file was last checked 2020: ..."), besides those
/// that say nothing.
const MAX_UNKNOWN: usize = 4;

/// Words that are looked at in all.
pub(super) const MAX_WORDS: usize = 12;

/// What is known about a secret, and may be told: `password_hint`, `token_endpoint`.
const PROPERTIES: [&[u8]; 27] = [
    b"name",
    b"hint",
    b"file",
    b"filename",
    b"path",
    b"url",
    b"uri",
    b"endpoint",
    b"usage",
    b"expire",
    b"expired",
    b"expiry",
    b"expiration",
    b"ttl",
    b"type",
    b"length",
    b"strength",
    b"algorithm",
    b"alg",
    b"label",
    b"description",
    b"ref",
    b"arn",
    b"location",
    b"manager",
    b"provider",
    b"format",
];

/// A word.
#[derive(Clone, Copy, Default)]
struct Word<'t> {
    key: Key<'t>,
    start: usize,
    /// Part of a token with digits in it, or too long: no word of a language.
    strange: bool,
    /// A `/` or `&` stands behind it.
    joined: bool,
    /// The end of a string, of an element or of a line stands behind it.
    crossed: bool,
}

/// The words at the end of a text, the last first, as far as they were asked for.
pub(super) struct Words<'t> {
    text: &'t [u8],
    list: [Word<'t>; MAX_WORDS],
    count: usize,
    /// Where the next word is looked for; nothing once there is none.
    rest: Option<usize>,
}

impl<'t> Words<'t> {
    pub(super) fn behind(text: &'t [u8]) -> Self {
        Self { text, list: [Word::default(); MAX_WORDS], count: 0, rest: Some(text.len()) }
    }

    /// Reads the next word.
    fn next(&mut self) -> Option<Word<'t>> {
        let text = self.text;
        loop {
            let Gap { end, joined, crossed } = skip_gap(text, self.rest?)?;
            let start = whole_label(text, word_start(text, end), end);
            self.rest = Some(start);
            // The `s` of `driver's` is no word.
            if end - start == 1
                && matches!(text.get(..start), Some([.., b, b'\'']) if b.is_ascii_alphabetic())
            {
                continue;
            }
            // A token with digits in it names something, and is one word whatever it is made of.
            let digits =
                text.get(end..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
            let numbered = digits > 0
                && (digits > 1 && end + digits < text.len()
                    || text.get(end + digits).is_some_and(u8::is_ascii_alphabetic));
            // The end of an element says nothing about what follows it.
            let closes = text.get(end) == Some(&b'>')
                && text.get(..token_start(text, start)).is_some_and(|before| before.ends_with(b"</"));
            let strange =
                closes || numbered || text.get(start.wrapping_sub(1)).is_some_and(u8::is_ascii_digit);
            if strange {
                self.rest = Some(token_start(text, start));
            }
            let word = text.get(start..end).unwrap_or_default();
            let strange = strange || word.len() > MAX_WORD;
            let key = if strange { Key::default() } else { Key::of(word) };
            return Some(Word { key, start, strange, joined, crossed });
        }
    }

    /// The word with this number from the end.
    fn get(&mut self, index: usize) -> Option<&Word<'t>> {
        while self.count <= index && index < MAX_WORDS {
            let Some(word) = self.next() else {
                self.rest = None;
                return None;
            };
            *self.list.get_mut(self.count)? = word;
            self.count += 1;
        }
        self.list.get(index)
    }

    /// How many of the words start at or behind a place.
    pub(super) fn count_from(&mut self, start: usize) -> usize {
        (0..MAX_WORDS).take_while(|&index| self.get(index).is_some_and(|word| word.start >= start)).count()
    }

    fn key(&mut self, index: usize) -> Option<Key<'t>> {
        self.get(index).filter(|word| !word.strange).map(|word| word.key)
    }

    /// The label that ends with this word.
    fn label(&mut self, index: usize) -> Option<&'static Label> {
        // No label goes over the end of a string.
        labels::ending(self.key(index)?, |n| {
            self.get(index + n).filter(|word| !word.strange && !word.crossed).map(|word| word.key)
        })
    }

    pub(super) fn are_fillers(&mut self, count: usize) -> bool {
        (0..count).all(|index| self.label(index).is_some_and(|label| label.says == Says::Filler))
    }

    /// What the nearest label among the last `count` words says.
    pub(super) fn said(&mut self, count: usize) -> Said {
        let mut distance = 0;
        let mut crossed = false;
        for index in 0..count {
            let Some(word) = self.get(index) else { break };
            let ends_there = word.crossed;
            crossed |= ends_there;
            match self.label(index) {
                Some(label) if label.says == Says::Filler => {}
                // `mrn_id`: the number of what stands before.
                Some(label) if label.phrase == "id" && self.identifies(index + 1) => {}
                // `api_key_name`, `password hint`: of the secret, and not it.
                Some(label)
                    if distance > 0 && label.is_secret() && !ends_there && self.is_property(index - 1) =>
                {
                    break;
                }
                Some(label) if distance == 0 || !label.near => {
                    let also = self.joined(index + label.words());
                    return Said { label: Some(label), also, distance, crossed, asked: false };
                }
                _ => distance += 1,
            }
            if distance > MAX_UNKNOWN {
                break;
            }
        }
        Said::default()
    }

    /// Whether the word names a number that somebody is known by, so that an `id` behind it adds nothing.
    fn identifies(&mut self, index: usize) -> bool {
        let adjacent = self.get(index).is_some_and(|word| !word.crossed);
        let number = |label: &&Label| {
            !label.near
                && !label.is_secret()
                && label
                    .kinds()
                    .first()
                    .is_some_and(|kind| !matches!(kind, Entity::PhoneNumber | Entity::Age))
        };
        adjacent && self.label(index).filter(number).is_some()
    }

    /// Whether the word names what is known about a secret.
    fn is_property(&mut self, index: usize) -> bool {
        self.key(index).is_some_and(|key| PROPERTIES.iter().any(|known| key.is(known)))
    }

    /// The label in front of another, if `and`, `or` or a `/` joins them.
    fn joined(&mut self, index: usize) -> Option<&'static Label> {
        let joint = self.key(index).is_some_and(|key| key.is(b"and") || key.is(b"or"));
        let index = if joint { index + 1 } else { index };
        let slash = self.get(index).is_some_and(|word| word.joined);
        (joint || slash).then(|| self.label(index)).flatten().filter(|label| !label.kinds().is_empty())
    }
}
