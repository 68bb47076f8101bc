//! Labels: which words say what stands beside them, found by their last word.

mod table;

use std::sync::LazyLock;

use self::table::TABLE;
use crate::Entity;

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// One of these kinds.
    Kinds(&'static [Entity]),
    /// A number of another kind, which is none of ours.
    Other,
    /// Nothing: it stands between a label and its value (`is`, `number`).
    Filler,
}

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Its words.
    pub(crate) phrase: &'static str,
    pub(crate) says: Says,
    /// Whether it speaks for what follows at once only: its words have other uses.
    pub(crate) near: bool,
}

/// Longer labels are not read.
pub(crate) const MAX_WORD: usize = 28;

/// The first bytes of a word in small letters.
pub(crate) fn small_letters(word: &[u8]) -> ([u8; MAX_WORD], usize) {
    let (mut small, mut length) = ([0; MAX_WORD], 0);
    let mut push = |b: u8| {
        if let Some(slot) = small.get_mut(length) {
            *slot = b;
            length += 1;
        }
    };
    match std::str::from_utf8(word) {
        Ok(text) if !text.is_ascii() => {
            for letter in text.chars().flat_map(char::to_lowercase) {
                letter.encode_utf8(&mut [0; 4]).bytes().for_each(&mut push);
            }
        }
        _ => word.iter().map(u8::to_ascii_lowercase).for_each(&mut push),
    }
    (small, length)
}

/// Words that stand for others.
pub(crate) fn canonical(word: &[u8]) -> &[u8] {
    match word {
        b"no" | b"num" | b"nr" | b"nbr" | b"numero" | b"nummer" | b"identifier_number" => b"number",
        b"licence" | b"licenc" | b"lic" => b"license",
        b"driving" => b"driver",
        _ if word.len() > 3 && word.ends_with(b"s") && !word.ends_with(b"ss") => {
            word.get(..word.len() - 1).unwrap_or(word)
        }
        _ => word,
    }
}

/// The labels by their last word.
struct Index {
    /// Per slot, the labels whose last word hashes there.
    slots: Vec<Vec<Entry>>,
    /// Per first letter, the last letters of words that end the label of a secret, as bits: most words are done
    /// with here.
    secret_ends: [u32; 32],
}

impl Index {
    fn may_end_secret(&self, word: &[u8]) -> bool {
        let (Some(&first), Some(&last)) = (word.first(), word.last()) else { return false };
        self.secret_ends.get(usize::from(first & 31)).is_some_and(|ends| ends >> (last & 31) & 1 == 1)
    }
}

struct Entry {
    /// The canonical words, the last first.
    words: Vec<Vec<u8>>,
    label: Label,
}

/// About four times as many as there are last words, so that a word that is none is seldom compared.
const SLOTS: usize = 2048;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots: Vec<Vec<Entry>> = (0..SLOTS).map(|_| Vec::new()).collect();
    for &(says, phrases) in TABLE {
        for &written in phrases {
            let phrase = written.trim_start_matches('!');
            let words: Vec<Vec<u8>> =
                phrase.split(' ').rev().map(|word| canonical(word.as_bytes()).to_vec()).collect();
            let label = Label { phrase, says, near: written.starts_with('!') };
            if let Some(slot) = words.first().and_then(|last| slots.get_mut(slot(last))) {
                slot.push(Entry { words, label });
            }
        }
    }
    // The longest phrase decides.
    for slot in &mut slots {
        slot.sort_by_key(|entry| std::cmp::Reverse(entry.words.len()));
    }
    let mut secret_ends = [0_u32; 32];
    for word in
        slots.iter().flatten().filter(|entry| entry.label.is_secret()).filter_map(|entry| entry.words.first())
    {
        if let (Some(first), Some(last)) = (word.first(), word.last())
            && let Some(ends) = secret_ends.get_mut(usize::from(first & 31))
        {
            // Also in the plural.
            *ends |= 1 << (last & 31) | 1 << (b's' & 31);
        }
    }
    Index { slots, secret_ends }
});

/// Builds the index, so that the first text does not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&INDEX);
}

fn slot(word: &[u8]) -> usize {
    let hash = word.iter().fold(0x811c_9dc5_u32, |hash, &b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    usize::try_from((hash ^ (hash >> 15)) & 2047).unwrap_or_default()
}

/// The longest label that ends with `last`; `before(n)` is the canonical word `n` places before it.
pub(crate) fn ending<'w>(last: &[u8], before: impl Fn(usize) -> Option<&'w [u8]>) -> Option<&'static Label> {
    let entries = INDEX.slots.get(slot(last))?;
    let fits = |entry: &&Entry| {
        entry
            .words
            .iter()
            .enumerate()
            .all(|(n, word)| if n == 0 { word == last } else { before(n) == Some(word) })
    };
    entries.iter().find(fits).map(|entry| &entry.label)
}

/// Whether a label of a secret ends with this word, in whatever case.
pub(crate) fn ends_secret(word: &[u8]) -> bool {
    if !INDEX.may_end_secret(word) {
        return false;
    }
    let (small, length) = small_letters(word);
    let word = canonical(small.get(..length).unwrap_or_default());
    let entries = INDEX.slots.get(slot(word)).map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .any(|entry| entry.label.is_secret() && entry.words.first().is_some_and(|last| last == word))
}

impl Label {
    /// How many words it has.
    pub(crate) fn words(&self) -> usize {
        self.phrase.split(' ').count()
    }

    pub(crate) fn kinds(&self) -> &'static [Entity] {
        match self.says {
            Says::Kinds(kinds) => kinds,
            _ => &[],
        }
    }

    /// Whether it announces what must stay secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.kinds().first().is_some_and(|kind| kind.class() == crate::Class::Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_phrase_says_two_things_and_all_words_fit() {
        let mut seen = std::collections::BTreeMap::new();
        for (says, phrases) in TABLE {
            for phrase in *phrases {
                let phrase = phrase.trim_start_matches('!');
                let words: Vec<_> = phrase.split(' ').map(|w| canonical(w.as_bytes()).to_vec()).collect();
                assert!(words.iter().all(|word| word.len() <= MAX_WORD), "{phrase}");
                let before = seen.insert(words, *says);
                assert!(before.is_none_or(|before| before == *says), "{phrase}");
            }
        }
    }
}
