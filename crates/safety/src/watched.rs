//! The words in small letters that some finder asks about. All others, most of any text, are told from them by a few
//! letters and passed over.

use std::sync::LazyLock;

use crate::find::{address, date, person};
use crate::labels;

/// Longer words are not asked about here.
const MAX_WORD: usize = 15;

/// Letters by their lowest five bits.
const LETTERS: usize = 32;

/// What the words have in common that are asked about.
pub(crate) struct Watched {
    /// Per first and last letter, the lengths of words, as bits.
    whole: [u16; LETTERS * LETTERS],
    /// Per first and second letter, the third letters of beginnings, as bits.
    begun: [u32; LETTERS * LETTERS],
}

static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
    let mut watched = Watched { whole: [0; LETTERS * LETTERS], begun: [0; LETTERS * LETTERS] };
    labels::words_of_secrets().for_each(|word| watched.watch(&word));
    address::words_of_streets().for_each(|word| watched.watch(word));
    person::words_within().for_each(|word| watched.watch(word));
    date::whole_months().for_each(|word| watched.watch(&word));
    date::beginnings_of_months().for_each(|beginning| watched.watch_beginning(&beginning));
    watched
});

/// All words that any finder asks about.
pub(crate) fn all() -> &'static Watched {
    &WATCHED
}

impl Watched {
    fn watch(&mut self, word: &[u8]) {
        if let [first, .., last] | [first @ last] = word
            && word.len() <= MAX_WORD
            && let Some(lengths) = self.whole.get_mut(pair(*first, *last))
        {
            *lengths |= 1 << word.len();
        }
    }

    fn watch_beginning(&mut self, [first, second, third]: &[u8; 3]) {
        if let Some(thirds) = self.begun.get_mut(pair(*first, *second)) {
            *thirds |= 1 << (third & 31);
        }
    }

    /// Whether a word may be one of them; a word in small letters that is none has `false` for the most part.
    pub(crate) fn has(&self, word: &[u8]) -> bool {
        let whole = match word {
            [first, .., last] | [first @ last] => self.whole.get(pair(*first, *last)),
            [] => None,
        };
        let begun = match word {
            [first, second, third, ..] => {
                self.begun.get(pair(*first, *second)).map(|thirds| thirds >> (third & 31) & 1 == 1)
            }
            _ => None,
        };
        word.len() > MAX_WORD
            || whole.is_some_and(|lengths| lengths >> word.len() & 1 == 1)
            || begun == Some(true)
    }
}

fn pair(a: u8, b: u8) -> usize {
    usize::from(a & 31) * LETTERS + usize::from(b & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_finders_know_are_watched_and_others_are_not() {
        let watched = |words: &[&str]| {
            words.iter().copied().filter(|word| all().has(word.as_bytes())).collect::<Vec<_>>().join(" ")
        };
        let known =
            ["password", "passwords", "tokens", "rue", "ul", "van", "d", "january", "lutego", "elokuuta"];
        assert_eq!(watched(&known), known.join(" "));
        assert_eq!(watched(&["pipeline", "holds", "delivery", "hash", "entry", "the", "nothing"]), "");
    }
}
