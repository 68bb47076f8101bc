//! What is known of a word that could be part of a name: a given name, a family name, an everyday word, a word
//! of organisations and places. Written down from general knowledge, in five lists of folded words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// Longest word of the lists, and of a name as a whole in bytes once folded.
pub(super) const MAX_FOLDED: usize = 24;

/// What a word is; it can be several things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const GIVEN: Self = Self(1);
    pub(super) const FAMILY: Self = Self(2);
    /// A word of titles and sentences: `Report`, `Account`, `January`.
    pub(super) const COMMON: Self = Self(4);
    /// A word that organisations and places end in: `Bank`, `Hospital`, `Street`.
    pub(super) const ORGANISATION: Self = Self(8);
    /// A name that is a word or a place as well: `Victoria`, `Banks`.
    pub(super) const AMBIGUOUS: Self = Self(16);

    pub(super) fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A given name and hardly anything else.
    pub(super) fn surely_given(self) -> bool {
        self.is(Self::GIVEN) && !self.doubtful()
    }

    /// A family name and hardly anything else.
    pub(super) fn surely_family(self) -> bool {
        self.is(Self::FAMILY) && !self.doubtful()
    }

    /// A family name, and no everyday word.
    pub(super) fn likely_family(self) -> bool {
        self.is(Self::FAMILY) && !self.is(Self::COMMON)
    }

    pub(super) fn is_name(self) -> bool {
        self.is(Self::GIVEN) || self.is(Self::FAMILY)
    }

    /// A word that is known, and not as a name.
    pub(super) fn is_no_name(self) -> bool {
        !self.is_name() && (self.is(Self::COMMON) || self.is(Self::ORGANISATION))
    }

    fn doubtful(self) -> bool {
        self.is(Self::COMMON) || self.is(Self::ORGANISATION) || self.is(Self::AMBIGUOUS)
    }
}

/// FNV-1a: the words are ours, so nobody can make them collide.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

static WORDS: LazyLock<HashMap<&'static [u8], Kind, BuildHasherDefault<Fnv>>> = LazyLock::new(|| {
    let lists = [
        (include_str!("given.txt"), Kind::GIVEN),
        (include_str!("family.txt"), Kind::FAMILY),
        (include_str!("common.txt"), Kind::COMMON),
        (include_str!("organisation.txt"), Kind::ORGANISATION),
        (include_str!("ambiguous.txt"), Kind::AMBIGUOUS),
    ];
    let mut words: HashMap<&'static [u8], Kind, BuildHasherDefault<Fnv>> = HashMap::default();
    for (list, kind) in lists {
        for word in list.split_ascii_whitespace() {
            let entry = words.entry(word.as_bytes()).or_default();
            *entry = entry.with(kind);
        }
    }
    words
});

/// Loads the lists.
pub(crate) fn warm_up() {
    LazyLock::force(&WORDS);
    LazyLock::force(&ENDINGS);
    super::roles::warm_up();
    super::cue::warm_up();
}

/// What is known of a folded word; endings say what a word is that no list has.
pub(super) fn kind(folded: &[u8]) -> Kind {
    // `Mei-Ling` ends as its second half does: the halves are looked up one by one.
    WORDS
        .get(folded)
        .copied()
        .unwrap_or_else(|| if folded.contains(&b'-') { Kind::default() } else { by_ending(folded) })
}

/// Whether a list has the word, and not as a name.
pub(crate) fn is_everyday(word: &[u8]) -> bool {
    let mut folded = Folded::default();
    if word.iter().all(u8::is_ascii_alphabetic) {
        folded.push_small(word);
        folded.bytes.make_ascii_lowercase();
    } else {
        std::str::from_utf8(word).unwrap_or_default().chars().for_each(|c| folded.push(c));
    }
    WORDS.get(folded.as_slice()).is_some_and(|kind| kind.is_no_name())
}

/// Endings of everyday words.
const COMMON_ENDINGS: [&[u8]; 17] = [
    b"ing", b"tion", b"sion", b"ment", b"ness", b"ship", b"ships", b"tions", b"ments", b"ware", b"able",
    b"ility", b"ized", b"ised", b"ology", b"ings", b"soft",
];

/// Of family names, and of nothing else that is written with a capital.
const FAMILY_ENDINGS: [&[u8]; 21] = [
    b"wski", b"wska", b"nski", b"nska", b"cki", b"cka", b"wicz", b"czyk", b"czak", b"ovic", b"evic", b"enko",
    b"chuk", b"sson", b"dottir", b"qvist", b"kvist", b"oglu", b"poulos", b"shvili", b"strom",
];

/// Of family names for the most part.
const LIKELY_ENDINGS: [&[u8]; 23] = [
    b"ski", b"ska", b"sky", b"ova", b"sen", b"nen", b"mann", b"meier", b"meyer", b"maier", b"hofer",
    b"berger", b"gaard", b"gren", b"lund", b"stra", b"sma", b"akis", b"idis", b"elli", b"etti", b"ucci",
    b"ez",
];

/// An ending, and what it says.
type Ending = (&'static [u8], Kind);

/// All endings by their last letter; the surest first.
static ENDINGS: LazyLock<[Vec<Ending>; 32]> = LazyLock::new(|| {
    let mut endings = [const { Vec::new() }; 32];
    let lists: [(&[&'static [u8]], Kind); 3] = [
        (&FAMILY_ENDINGS, Kind::FAMILY),
        (&COMMON_ENDINGS, Kind::COMMON),
        (&LIKELY_ENDINGS, Kind::FAMILY.with(Kind::AMBIGUOUS)),
    ];
    for (list, kind) in lists {
        for ending in list {
            if let Some(alike) = endings.get_mut(last_letter(ending)) {
                alike.push((*ending, kind));
            }
        }
    }
    endings
});

fn last_letter(word: &[u8]) -> usize {
    usize::from(word.last().copied().unwrap_or_default() & 31)
}

/// What the ending of a word says that is in no list: `Scheduling` is no name whatever the word, `Wawrzyniewski` is one.
fn by_ending(folded: &[u8]) -> Kind {
    /// Shorter words with such an ending can be anything: `Ming`, `Clement`, `Cortez`.
    const LEAST: usize = 7;
    if folded.len() < LEAST {
        return Kind::default();
    }
    let alike = ENDINGS.get(last_letter(folded)).map(Vec::as_slice).unwrap_or_default();
    alike.iter().find(|(ending, _)| folded.ends_with(ending)).map(|(_, kind)| *kind).unwrap_or_default()
}

/// A word in small letters without accents, as the lists have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    bytes: [u8; MAX_FOLDED],
    len: usize,
}

impl Folded {
    /// Adds a letter; what does not fit is left out, so that a word too long is in no list.
    pub(super) fn push(&mut self, letter: char) {
        if letter.is_ascii_alphabetic()
            && let Some(slot) = self.bytes.get_mut(self.len)
        {
            // An ASCII letter is one byte.
            *slot = letter.to_ascii_lowercase() as u8;
            self.len += 1;
            return;
        }
        let mut one = [0; 4];
        let text = match letter {
            'a'..='z' | '-' => letter.encode_utf8(&mut one),
            'A'..='Z' => letter.to_ascii_lowercase().encode_utf8(&mut one),
            _ => plain(letter),
        };
        for &byte in text.as_bytes() {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
    }

    /// Adds small letters of ASCII.
    pub(super) fn push_small(&mut self, small: &[u8]) {
        for (slot, b) in self.bytes.iter_mut().skip(self.len).zip(small) {
            *slot = *b;
        }
        self.len = MAX_FOLDED.min(self.len + small.len());
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A Latin letter without its accent; nothing for others.
fn plain(letter: char) -> &'static str {
    match letter {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ð' | 'ð' | 'Ď'..='đ' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ' | 'ķ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'ß' => "ss",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'Þ' | 'þ' => "th",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> Kind {
        let mut folded = Folded::default();
        word.chars().for_each(|c| folded.push(c));
        kind(folded.as_slice())
    }

    #[test]
    fn words_are_folded_before_they_are_looked_up() {
        for given in ["Jürgen", "ÉTIENNE", "Øyvind", "Ayşe", "Min-jun", "Zbigniew"] {
            assert!(of(given).surely_given(), "{given}");
        }
        assert!(of("Wiśniewski").surely_family() && of("Weiß") == of("weiss"));
        assert!(of("Report").is_no_name() && of("Scheduling").is_no_name() && of("Bank").is_no_name());
        assert!(of("Victoria").is_name() && !of("Victoria").surely_given());
        assert!(of("Wawrzyniewski").surely_family() && of("Hörnkvist").surely_family());
        assert!(of("Pennastra").likely_family() && !of("Pennastra").surely_family());
        assert_eq!(of("Xyzzyq"), Kind::default());
    }

    #[test]
    fn the_lists_hold_folded_words_only_and_each_once() {
        let lists = [include_str!("given.txt"), include_str!("family.txt"), include_str!("ambiguous.txt")];
        for list in lists.into_iter().chain([include_str!("common.txt"), include_str!("organisation.txt")]) {
            let words: Vec<&str> = list.split_ascii_whitespace().collect();
            assert!(words.windows(2).all(|pair| pair[0] < pair[1]), "sorted, each once");
            for word in words {
                assert!(
                    word.len() <= MAX_FOLDED && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                    "{word}"
                );
            }
        }
        for word in include_str!("ambiguous.txt").split_ascii_whitespace() {
            assert!(of(word).is_name(), "{word} is no name");
        }
    }
}
