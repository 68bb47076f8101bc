//! The words in small letters that some finder asks about. All others, most of any text, are told from them by a few
//! letters and passed over.

use std::sync::LazyLock;

use crate::find::{address, date, person};
use crate::labels;
use crate::sieve::{Sieve, pair};

/// What the words have in common that are asked about.
pub(crate) struct Watched {
    whole: Sieve,
    /// Per first and second letter, the third letters of beginnings, as bits.
    begun: [u32; 1024],
}

static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
    let mut watched = Watched { whole: Sieve::default(), begun: [0; 1024] };
    labels::words_of_secrets().for_each(|word| watched.whole.add(&word));
    address::words_of_streets().for_each(|word| watched.whole.add(word));
    person::words_within().for_each(|word| watched.whole.add(word));
    date::whole_months().for_each(|word| watched.whole.add(&word));
    for [first, second, third] in date::beginnings_of_months() {
        if let Some(thirds) = watched.begun.get_mut(pair(first, second)) {
            *thirds |= 1 << (third & 31);
        }
    }
    watched
});

/// All words that any finder asks about.
pub(crate) fn all() -> &'static Watched {
    &WATCHED
}

impl Watched {
    /// Whether a word may be one of them; never `false` of one that is.
    pub(crate) fn has(&self, word: &[u8]) -> bool {
        let begun = match word {
            [first, second, third, ..] => {
                self.begun.get(pair(*first, *second)).is_some_and(|thirds| thirds >> (third & 31) & 1 == 1)
            }
            _ => false,
        };
        begun || self.whole.may_have(word)
    }
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
        assert_eq!(watched(&["holds", "hash", "entry", "nothing", "window", "quarterly"]), "");
    }
}
