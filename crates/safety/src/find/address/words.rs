//! The words of an address: how one is read, and which are known.

mod lists;

use std::sync::LazyLock;

pub(super) use self::lists::{COUNTRIES, ENDINGS, GERMANIC, STATE_NAMES, WEAK_ENDINGS};
use crate::sieve::Words;
use crate::text::Text;

/// Longest word of an address in bytes.
const MAX_WORD: usize = 32;

/// A word of letters: where it ends, and whether it starts with a capital.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) capital: bool,
}

/// Reads the word at `at`: letters, hyphens and apostrophes within.
pub(super) fn word(text: &Text<'_>, at: usize) -> Option<Word> {
    let first = text.get(at)?;
    if !is_letter(first) {
        return None;
    }
    let end = text.run(at, MAX_WORD + 1, |b| is_letter(b) || matches!(b, b'\'' | b'-'));
    let trimmed = text.slice(at, end).iter().rposition(|&b| is_letter(b)).map_or(at, |last| at + last + 1);
    let capital = first.is_ascii_uppercase() || first == 0xC3 && text.get(at + 1).is_some_and(|b| b < 0x9F);
    (end - at <= MAX_WORD).then_some(Word { start: at, end: trimmed, capital })
}

/// A byte of a Latin letter.
fn is_letter(b: u8) -> bool {
    b.is_ascii_alphabetic() || b >= 0x80 && !matches!(b, 0xE0..)
}

/// Whether the word is one of a list, whatever its case in ASCII.
pub(super) fn is_one_of(text: &Text<'_>, word: Word, list: &[&str]) -> bool {
    let found = text.slice(word.start, word.end);
    list.iter().any(|known| found.eq_ignore_ascii_case(known.as_bytes()))
}

/// Behind a full stop that ends an abbreviation.
pub(super) fn skip_stop(text: &Text<'_>, at: usize) -> usize {
    if text.get(at) == Some(b'.') { at + 1 } else { at }
}

/// Behind the one space at `at`.
pub(super) fn space(text: &Text<'_>, at: usize) -> Option<usize> {
    match text.get(at)? {
        b' ' => Some(at + 1),
        0xC2 if text.get(at + 1)? == 0xA0 => Some(at + 2),
        _ => None,
    }
}

/// Behind what separates the lines of an address: a comma, a line break, also one that is written out.
pub(super) fn gap(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut end = at;
    if text.get(end) == Some(b',') {
        end += 1;
    }
    let line = match text.get(end) {
        Some(b'\n') => 1,
        Some(b'\r') if text.get(end + 1) == Some(b'\n') => 2,
        Some(b'\\') if text.get(end + 1) == Some(b'n') => 2,
        _ => 0,
    };
    end += line;
    if let Some(behind) = space(text, end) {
        end = behind;
    }
    (end > at).then_some(end)
}

/// Whether neither letter nor digit stands at `at`.
pub(super) fn ends(text: &Text<'_>, at: usize) -> bool {
    !text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || (0xC3..=0xDF).contains(&b))
}

/// The digits at `at`, between `least` and `most` of them: where they end.
pub(super) fn digits(text: &Text<'_>, at: usize, least: usize, most: usize) -> Option<usize> {
    let end = text.run(at, most + 1, |b| b.is_ascii_digit());
    (least..=most).contains(&(end - at)).then_some(end)
}

/// What a word is in addresses; it can be several things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind(u16);

impl Kind {
    /// `N`, `SW`, `East`.
    pub(super) const DIRECTION: Self = Self(1 << 0);
    /// What ends the name of a street and hardly anything else.
    pub(super) const STREET: Self = Self(1 << 1);
    /// What ends the name of a street, and of much else.
    pub(super) const PLACE: Self = Self(1 << 2);
    /// French kinds of streets, which stand before the name.
    pub(super) const RUE: Self = Self(1 << 3);
    /// Spanish, Italian, Portuguese and Polish kinds of streets.
    pub(super) const CALLE: Self = Self(1 << 4);
    /// The same, where the word means other things as well.
    pub(super) const VIA: Self = Self(1 << 5);
    /// Small words within names of streets and cities.
    pub(super) const SMALL: Self = Self(1 << 6);
    /// `Am Rosengarten`.
    pub(super) const PREPOSITION: Self = Self(1 << 7);
    /// Flats and floors.
    pub(super) const UNIT: Self = Self(1 << 8);
    /// States of the USA, provinces of Canada, states of Australia, by their letters.
    pub(super) const STATE: Self = Self(1 << 9);
    /// Small words that can follow an address in a sentence.
    pub(super) const FOLLOWER: Self = Self(1 << 10);
    /// Words after which a number is none of a house.
    pub(super) const COUNTED: Self = Self(1 << 11);

    pub(super) fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// All of them in small letters.
const WORDS: [(Kind, &str); 12] = [
    (Kind::DIRECTION, "e east n ne north northeast northwest nw s se south southeast southwest sw w west"),
    (
        Kind::STREET,
        "av ave avenue blvd boulevard byway causeway court cres crescent ct dr drive expressway \
         expy freeway highway hwy lane ln parkway pkwy rd road st street ter terrace tpke turnpike",
    ),
    (
        Kind::PLACE,
        "alley broadway cir circle close cove crossing esplanade gardens gate gdns green grove \
         heights hill hollow landing loop meadow mews mount orchard parade park pass path pde pl \
         place plaza point quay ridge rise row run sq square trail trl vale view villas walk way \
         wharf yard",
    ),
    (
        Kind::RUE,
        "allee allée av avenue bd boulevard chemin cours impasse passage place quai route rue \
         square",
    ),
    (
        Kind::CALLE,
        "al alameda aleja avda avenida borgo calle callejón carrer carretera contrada corso estrada \
         glorieta ladeira lungomare pasaje paseo piazza piazzale piazzetta praça rambla rodovia \
         ronda rua salita travessa travesía ul ulica viale vicolo viela",
    ),
    (Kind::VIA, "av camino largo os pl plaza rue strada via"),
    (
        Kind::SMALL,
        "am an d da das de degli dei del della delle den der des di do dos du e en im l la las le \
         les los of on sous sur the upon van von y",
    ),
    (Kind::PREPOSITION, "am an auf im in zum zur"),
    (
        Kind::UNIT,
        "apartment apt bldg box building dept fl flat floor int level lot rm room ste suite trailer \
         unit whg",
    ),
    (
        Kind::STATE,
        "aa ab act ae ak al ap ar az bc ca co ct dc de fl ga gu hi ia id il in ks ky la ma mb md me \
         mi mn mo ms mt nb nc nd ne nh nj nl nm ns nsw nt nu nv ny oh ok on or pa pe pr qc qld ri \
         sa sc sd sk tas tn tx ut va vi vic vt wa wi wv wy yt",
    ),
    (
        Kind::FOLLOWER,
        "about after again and as at because before but by for from had has in is near on or please \
         since that the this to today tomorrow until was with",
    ),
    (
        Kind::COUNTED,
        "act apollo appendix area article channel chapter class day episode error exit figure form \
         gate highway interstate issue item level line lot model number order page part phase route \
         rule scene season section series server sprint step table task ticket tier top version \
         week windows zone",
    ),
];

static TABLE: LazyLock<Words<Kind>> = LazyLock::new(|| Words::of(&WORDS, Kind::with));

/// The words in small letters that a street may start with.
pub(crate) fn words_of_streets() -> impl Iterator<Item = &'static [u8]> {
    let streets = Kind::RUE.with(Kind::CALLE).with(Kind::VIA);
    TABLE.iter().filter(move |(_, kind)| kind.is(streets)).map(|(word, _)| word)
}

/// Loads the table.
pub(crate) fn warm_up() {
    LazyLock::force(&TABLE);
}

/// What the word is, whatever its case in ASCII.
pub(super) fn kind(text: &Text<'_>, word: Word) -> Kind {
    of(text.slice(word.start, word.end))
}

/// The same for a word at hand.
pub(super) fn of(word: &[u8]) -> Kind {
    /// Longest word of the table.
    const LONGEST: usize = 12;
    TABLE.get_in_any_case::<LONGEST>(word)
}
