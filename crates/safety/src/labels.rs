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

/// The word that a word stands for.
fn canonical(word: &[u8]) -> &[u8] {
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

/// The labels by their words, the last first: a tree, so that a text is compared with all of them at once.
struct Index {
    /// Per slot, the last words that hash there.
    slots: Vec<Vec<Node>>,
    /// By other bits of the hash, as bits, whether any label ends so: most words are done with here.
    ends: [u64; ENDS / 64],
    /// Per first letter, the last letters of words that end the label of a secret, as bits: most words are done
    /// with here.
    secret_ends: [u32; 32],
}

/// A word of labels.
struct Node {
    hash: u32,
    word: Vec<u8>,
    /// The label that starts here.
    label: Option<Label>,
    /// Words that stand before it in longer ones.
    before: Vec<Node>,
}

impl Node {
    /// The node of a word among others, made if it is missing.
    fn among<'n>(nodes: &'n mut Vec<Self>, key: Key<'_>) -> Option<&'n mut Self> {
        let known = nodes.iter().position(|node| node.stands_for(key));
        let place = known.unwrap_or(nodes.len());
        if known.is_none() {
            nodes.push(Self { hash: key.hash, word: key.word.to_vec(), label: None, before: Vec::new() });
        }
        nodes.get_mut(place)
    }

    fn stands_for(&self, key: Key<'_>) -> bool {
        self.hash == key.hash && key.is(&self.word)
    }

    /// Whether any label that ends here is that of a secret.
    fn ends_secret(&self) -> bool {
        self.label.is_some_and(|label| label.is_secret()) || self.before.iter().any(Self::ends_secret)
    }
}

impl Index {
    /// Adds a label; of two with the same words the first stays.
    fn add(&mut self, label: Label) {
        let mut words = label.phrase.split(' ').rev().map(|word| Key::of(word.as_bytes()));
        let Some(last) = words.next() else { return };
        let (place, bit) = end(last.hash);
        if let Some(bits) = self.ends.get_mut(place) {
            *bits |= bit;
        }
        if label.is_secret()
            && let [first, ..] = last.word
            && let Some(letter) = last.word.last()
            && let Some(ends) = self.secret_ends.get_mut(usize::from(first & 31))
        {
            // Also in the plural.
            *ends |= 1 << (letter & 31) | 1 << (b's' & 31);
        }
        let slot = self.slots.get_mut(slot(last.hash)).and_then(|slot| Node::among(slot, last));
        let node = words.fold(slot, |node, word| node.and_then(|node| Node::among(&mut node.before, word)));
        if let Some(node) = node {
            node.label.get_or_insert(label);
        }
    }

    fn may_end_secret(&self, word: &[u8]) -> bool {
        let (Some(&first), Some(&last)) = (word.first(), word.last()) else { return false };
        self.secret_ends.get(usize::from(first & 31)).is_some_and(|ends| ends >> (last & 31) & 1 == 1)
    }

    /// The labels that end with the word.
    fn ending(&self, last: Key<'_>) -> Option<&Node> {
        let (place, bit) = end(last.hash);
        self.ends.get(place).filter(|bits| **bits & bit != 0)?;
        self.slots.get(slot(last.hash))?.iter().find(|node| node.stands_for(last))
    }
}

/// About four times as many as there are last words.
const SLOTS: usize = 2048;

/// Bits that tell most other words from last ones.
const ENDS: usize = 8192;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index =
        Index { slots: (0..SLOTS).map(|_| Vec::new()).collect(), ends: [0; ENDS / 64], secret_ends: [0; 32] };
    for &(says, phrases) in TABLE {
        for &written in phrases {
            let phrase = written.trim_start_matches('!');
            index.add(Label { phrase, says, near: written.starts_with('!') });
        }
    }
    index
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
    let mut node = INDEX.ending(last)?;
    let mut longest = None;
    for n in 1.. {
        longest = node.label.as_ref().or(longest);
        if node.before.is_empty() {
            break;
        }
        let Some(key) = before(n) else { break };
        let Some(next) = node.before.iter().find(|node| node.stands_for(key)) else { break };
        node = next;
    }
    longest
}

/// The words that end the label of a secret, in small letters, in all forms that are read as one of them.
pub(crate) fn words_of_secrets() -> impl Iterator<Item = Vec<u8>> {
    let nodes = INDEX.slots.iter().flatten().filter(|node| node.ends_secret());
    nodes.flat_map(|node| {
        let plural = [&node.word[..], b"s"].concat();
        let short = STAND_FOR.iter().filter(|(_, long)| *long == node.word).map(|(short, _)| short.to_vec());
        [node.word.clone(), plural].into_iter().chain(short)
    })
}

/// Whether a label of a secret ends with this word, in whatever case.
pub(crate) fn ends_secret(word: &[u8]) -> bool {
    INDEX.may_end_secret(word)
        && word.len() <= MAX_WORD
        && INDEX.ending(Key::of(word)).is_some_and(Node::ends_secret)
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
