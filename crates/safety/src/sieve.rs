//! Lists of words, and a sieve in front of them: a few letters of a word tell that no list has it, which most words are
//! done with.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::find::person::Fnv;

/// Letters by their lowest five bits, which their case is none of.
const LETTERS: usize = 32;

/// The longest word whose length is told apart.
const MAX_WORD: usize = 31;

/// What the words of a list have in common: per first and last letter, their lengths, as bits.
pub(crate) struct Sieve([u32; LETTERS * LETTERS]);

impl Default for Sieve {
    fn default() -> Self {
        Self([0; LETTERS * LETTERS])
    }
}

impl Sieve {
    pub(crate) fn add(&mut self, word: &[u8]) {
        if let Some(lengths) = place(word).and_then(|place| self.0.get_mut(place)) {
            *lengths |= 1 << word.len().min(MAX_WORD);
        }
    }

    /// Whether the list may have the word, in whatever case of ASCII; never `false` of one that it has.
    pub(crate) fn may_have(&self, word: &[u8]) -> bool {
        let lengths = place(word).and_then(|place| self.0.get(place));
        lengths.is_some_and(|lengths| lengths >> word.len().min(MAX_WORD) & 1 == 1)
    }
}

fn place(word: &[u8]) -> Option<usize> {
    let (first, last) = (word.first()?, word.last()?);
    Some(pair(*first, *last))
}

/// The number of two letters.
pub(crate) fn pair(a: u8, b: u8) -> usize {
    usize::from(a & 31) * LETTERS + usize::from(b & 31)
}

/// What is known of words, which may be several things at once.
pub(crate) struct Words<Known> {
    known: HashMap<&'static [u8], Known, BuildHasherDefault<Fnv>>,
    sieve: Sieve,
}

impl<Known: Copy + Default> Words<Known> {
    /// Words in small letters, blanks between them, by what is known of them.
    pub(crate) fn of(lists: &[(Known, &'static str)], with: fn(Known, Known) -> Known) -> Self {
        let mut words = Self { known: HashMap::default(), sieve: Sieve::default() };
        for &(known, list) in lists {
            for word in list.split_ascii_whitespace() {
                let all = words.known.entry(word.as_bytes()).or_default();
                *all = with(*all, known);
                words.sieve.add(word.as_bytes());
            }
        }
        words
    }

    /// What is known of a word in small letters.
    pub(crate) fn get(&self, word: &[u8]) -> Known {
        if !self.sieve.may_have(word) {
            return Known::default();
        }
        self.known.get(word).copied().unwrap_or_default()
    }

    /// The same whatever its case in ASCII. No word of the lists may be longer than `LONGEST`.
    pub(crate) fn get_in_any_case<const LONGEST: usize>(&self, word: &[u8]) -> Known {
        let mut small = [0; LONGEST];
        let Some(small) = small.get_mut(..word.len()).filter(|_| self.sieve.may_have(word)) else {
            return Known::default();
        };
        small.copy_from_slice(word);
        small.make_ascii_lowercase();
        self.known.get(&*small).copied().unwrap_or_default()
    }

    /// All words, and what is known of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static [u8], Known)> {
        self.known.iter().map(|(word, known)| (*word, *known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_others_are_not() {
        let words = Words::of(&[(1, "street way"), (2, "way née")], |a: u8, b| a | b);
        assert_eq!((words.get(b"way"), words.get(b"Way"), words.get(b"why")), (3, 0, 0));
        assert_eq!((words.get("née".as_bytes()), words.get(b"")), (2, 0));
        assert_eq!((words.get_in_any_case::<8>(b"WaY"), words.get_in_any_case::<8>(b"streetways")), (3, 0));
    }
}
