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

/// A word by which labels are looked up, in whatever case: without the `s` of a plural, an abbreviation in full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key<'t> {
    word: &'t [u8],
    hash: u32,
}

impl<'t> Key<'t> {
    pub(crate) fn of(word: &'t [u8]) -> Self {
        Self::exactly(canonical(word))
    }

    /// The word as it stands.
    pub(crate) fn exactly(word: &'t [u8]) -> Self {
        // FNV-1a: the words are ours, so nobody can make them collide.
        let mut hash = 0x811c_9dc5_u32;
        small_letters(word, |b| hash = (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        Self { word, hash: hash ^ (hash >> 15) }
    }

    /// Whether it is this word of a label, in small letters.
    pub(crate) fn is(&self, known: &[u8]) -> bool {
        if self.word.is_ascii() || known.is_ascii() {
            return self.word.eq_ignore_ascii_case(known);
        }
        let mut rest = Some(known);
        small_letters(self.word, |b| rest = rest.and_then(|rest| rest.strip_prefix(&[b])));
        rest.is_some_and(<[u8]>::is_empty)
    }
}

/// The bytes of a word in small letters, `É` as `é`.
fn small_letters(word: &[u8], mut each: impl FnMut(u8)) {
    // Most words are; only the others are read as letters.
    let text = if word.is_ascii() { None } else { std::str::from_utf8(word).ok() };
    let Some(text) = text else { return word.iter().for_each(|b| each(b.to_ascii_lowercase())) };
    for letter in text.chars().flat_map(char::to_lowercase) {
        letter.encode_utf8(&mut [0; 4]).bytes().for_each(&mut each);
    }
}

/// Words that stand for others.
fn canonical(word: &[u8]) -> &[u8] {
    const STAND_FOR: [(&[u8], &[u8]); 10] = [
        (b"no", b"number"),
        (b"num", b"number"),
        (b"nr", b"number"),
        (b"nbr", b"number"),
        (b"numero", b"number"),
        (b"nummer", b"number"),
        (b"licence", b"license"),
        (b"licenc", b"license"),
        (b"lic", b"license"),
        (b"driving", b"driver"),
    ];
    let other = match word {
        [b'n' | b'N' | b'l' | b'L' | b'd' | b'D', ..] if word.len() <= 7 => {
            STAND_FOR.iter().find(|(short, _)| word.eq_ignore_ascii_case(short))
        }
        _ => None,
    };
    match (other, word) {
        (Some((_, long)), _) => long,
        (None, [first @ .., before, b's' | b'S']) if first.len() > 1 && !matches!(before, b's' | b'S') => {
            word.get(..word.len() - 1).unwrap_or(word)
        }
        _ => word,
    }
}

/// The labels by their last word.
struct Index {
    /// Per slot, the labels whose last word hashes there.
    slots: Vec<Vec<Entry>>,
    /// By other bits of the hash, as bits, whether any label ends so: most words are done with here.
    ends: [u64; ENDS / 64],
    /// Per first letter, the last letters of words that end the label of a secret, as bits: most words are done
    /// with here.
    secret_ends: [u32; 32],
}

impl Index {
    fn may_end_secret(&self, word: &[u8]) -> bool {
        let (Some(&first), Some(&last)) = (word.first(), word.last()) else { return false };
        self.secret_ends.get(usize::from(first & 31)).is_some_and(|ends| ends >> (last & 31) & 1 == 1)
    }

    /// The labels that may end with the word.
    fn entries(&self, last: Key<'_>) -> impl Iterator<Item = &Entry> {
        let (place, bit) = end(last.hash);
        let known = self.ends.get(place).is_some_and(|bits| bits & bit != 0);
        let entries = known.then(|| self.slots.get(slot(last.hash))).flatten().map(Vec::as_slice);
        entries
            .unwrap_or_default()
            .iter()
            .filter(move |entry| entry.last == last.hash && entry.words.first().is_some_and(|w| last.is(w)))
    }
}

struct Entry {
    /// The hash of the last word.
    last: u32,
    /// The canonical words, the last first.
    words: Vec<Vec<u8>>,
    label: Label,
}

/// About four times as many as there are last words.
const SLOTS: usize = 2048;

/// Bits that tell most other words from last ones.
const ENDS: usize = 8192;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots: Vec<Vec<Entry>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let (mut ends, mut secret_ends) = ([0_u64; ENDS / 64], [0_u32; 32]);
    for &(says, phrases) in TABLE {
        for &written in phrases {
            let phrase = written.trim_start_matches('!');
            let label = Label { phrase, says, near: written.starts_with('!') };
            let words: Vec<Key<'_>> = phrase.split(' ').rev().map(|word| Key::of(word.as_bytes())).collect();
            let Some(last) = words.first() else { continue };
            let (place, bit) = end(last.hash);
            if let Some(bits) = ends.get_mut(place) {
                *bits |= bit;
            }
            if label.is_secret()
                && let [first, ..] = last.word
                && let Some(letter) = last.word.last()
                && let Some(ends) = secret_ends.get_mut(usize::from(first & 31))
            {
                // Also in the plural.
                *ends |= 1 << (letter & 31) | 1 << (b's' & 31);
            }
            let (hash, words) = (last.hash, words.iter().map(|key| key.word.to_vec()).collect());
            if let Some(slot) = slots.get_mut(slot(hash)) {
                slot.push(Entry { last: hash, words, label });
            }
        }
    }
    // The longest phrase decides.
    for slot in &mut slots {
        slot.sort_by_key(|entry| std::cmp::Reverse(entry.words.len()));
    }
    Index { slots, ends, secret_ends }
});

/// Builds the index, so that the first text does not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&INDEX);
}

fn slot(hash: u32) -> usize {
    usize::try_from(hash).unwrap_or_default() % SLOTS
}

/// The bit of a hash among those that say whether a label ends so: its number, and the bit in it.
fn end(hash: u32) -> (usize, u64) {
    let bit = usize::try_from(hash >> 8).unwrap_or_default() % ENDS;
    (bit / 64, 1 << (bit % 64))
}

/// The longest label that ends with `last`; `before(n)` is the word `n` places before it.
pub(crate) fn ending<'w>(
    last: Key<'_>,
    mut before: impl FnMut(usize) -> Option<Key<'w>>,
) -> Option<&'static Label> {
    let mut entries = INDEX.entries(last);
    let fits = |entry: &&Entry| {
        entry.words.iter().enumerate().skip(1).all(|(n, word)| before(n).is_some_and(|key| key.is(word)))
    };
    entries.find(fits).map(|entry| &entry.label)
}

/// Whether a label of a secret ends with this word, in whatever case.
pub(crate) fn ends_secret(word: &[u8]) -> bool {
    INDEX.may_end_secret(word)
        && word.len() <= MAX_WORD
        && INDEX.entries(Key::of(word)).any(|entry| entry.label.is_secret())
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
                let words: Vec<_> = phrase.split(' ').map(|w| canonical(w.as_bytes())).collect();
                assert!(words.iter().all(|word| word.len() <= MAX_WORD), "{phrase}");
                let before = seen.insert(words, *says);
                assert!(before.is_none_or(|before| before == *says), "{phrase}");
            }
        }
    }
}
