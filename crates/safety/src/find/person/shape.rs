//! The shape of a name: words with capitals, initials and particles, one space apart.

use super::lexicon::{Folded, Kind, kind};
use crate::text::Text;

/// Longest word of a name in bytes; hyphened names included.
const MAX_WORD: usize = 40;

/// Words in a row that are looked at; the longest names in use have fewer.
const MAX_TOKENS: usize = 6;

/// What a part of a name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Word,
    /// `J.`, `J`
    Initial,
    /// `van`, `de la`: one of these, before a family name.
    Particle,
}

/// A part of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Token {
    pub(super) end: usize,
    pub(super) part: Part,
    pub(super) kind: Kind,
    /// All of its letters are capitals.
    pub(super) upper: bool,
    pub(super) folded: Folded,
}

/// Parts of a name in a row.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    items: [Token; MAX_TOKENS],
    count: usize,
}

impl Tokens {
    /// Reads from `at` on: the first is a word with a capital, an initial, or a particle, and may have been read.
    pub(super) fn read(text: &Text<'_>, at: usize, mut first: Option<Token>) -> Option<Self> {
        let mut tokens = Self::default();
        let mut start = at;
        for slot in &mut tokens.items {
            let read = || first.take().or_else(|| token(text, start));
            let Some(token) = capital_particle(text, start, start > at).or_else(read) else { break };
            first = None;
            *slot = token;
            tokens.count += 1;
            match space(text, token.end) {
                Some(next) => start = next,
                None => break,
            }
        }
        tokens.drop_loose_ends();
        (tokens.count > 0).then_some(tokens)
    }

    /// Particles and initials are part of a name only before a word.
    fn drop_loose_ends(&mut self) {
        while self.as_slice().last().is_some_and(|token| token.part != Part::Word) {
            self.count -= 1;
        }
    }

    /// Keeps the first `count` parts.
    pub(super) fn keep(&mut self, count: usize) {
        self.count = self.count.min(count);
        self.drop_loose_ends();
    }

    pub(super) fn as_slice(&self) -> &[Token] {
        self.items.get(..self.count).unwrap_or_default()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Token> {
        self.as_slice().get(index)
    }

    pub(super) fn end(&self) -> Option<usize> {
        self.as_slice().last().map(|token| token.end)
    }
}

/// Behind the one space at `at`.
fn space(text: &Text<'_>, at: usize) -> Option<usize> {
    match text.get(at)? {
        b' ' => Some(at + 1),
        0xC2 if text.get(at + 1)? == 0xA0 => Some(at + 2),
        _ => None,
    }
}

pub(super) fn token(text: &Text<'_>, at: usize) -> Option<Token> {
    let first = text.get(at)?;
    if first.is_ascii_lowercase() {
        return particle(text, at).or_else(|| elided(text, at));
    }
    // `St. Clair`
    if text.starts_with(at, b"St. ") {
        return Some(Token { end: at + 3, part: Part::Particle, ..Token::default() });
    }
    if first.is_ascii_uppercase() {
        match text.get(at + 1) {
            Some(b'.') if !text.get(at + 2).is_some_and(|b| b.is_ascii_alphanumeric()) => {
                return Some(Token { end: at + 2, part: Part::Initial, ..Token::default() });
            }
            Some(b' ') => return Some(Token { end: at + 1, part: Part::Initial, ..Token::default() }),
            _ => {}
        }
    }
    word(text, at)
}

/// `Van` of `Anna Van den Berg`: a particle with a capital, within a name before a further capital, and at its
/// start before another particle.
fn capital_particle(text: &Text<'_>, at: usize, within: bool) -> Option<Token> {
    const PARTICLES: [&[u8]; 16] = [
        b"Van", b"Von", b"De", b"Den", b"Der", b"Del", b"Della", b"Di", b"Da", b"Dos", b"Du", b"La", b"Ter",
        b"Al", b"Bin", b"Ibn",
    ];
    /// The longest of them.
    const LONGEST: usize = 5;
    if !text.get(at)?.is_ascii_uppercase() {
        return None;
    }
    let end = text.run(at, LONGEST + 1, |b| b.is_ascii_alphabetic());
    if text.get(end) != Some(b' ') || !PARTICLES.contains(&text.slice(at, end)) {
        return None;
    }
    let goes_on = within && letter(text, end + 1).is_some_and(|(letter, _)| letter.is_uppercase())
        || particle(text, end + 1).is_some();
    goes_on.then(|| Token { end, part: Part::Particle, ..Token::default() })
}

const PARTICLES: [&[u8]; 24] = [
    b"van", b"von", b"vom", b"de", b"der", b"den", b"del", b"della", b"di", b"da", b"das", b"do", b"dos",
    b"du", b"la", b"le", b"zu", b"zum", b"ter", b"ten", b"bin", b"ibn", b"al", b"af",
];

/// The words in small letters that a name may start with; `d'` is short for one.
pub(crate) fn words_within() -> impl Iterator<Item = &'static [u8]> {
    PARTICLES.into_iter().chain([&b"d"[..]])
}

fn particle(text: &Text<'_>, at: usize) -> Option<Token> {
    /// The longest of them.
    const LONGEST: usize = 5;
    let end = text.run(at, LONGEST + 1, |b| b.is_ascii_lowercase());
    let known = text.get(end) == Some(b' ') && PARTICLES.contains(&text.slice(at, end));
    known.then(|| Token { end, part: Part::Particle, ..Token::default() })
}

/// `d'Estrées`
fn elided(text: &Text<'_>, at: usize) -> Option<Token> {
    text.starts_with(at, b"d'").then(|| word(text, at + 2))?
}

/// A word with a capital, `O'Neil`, `Jean-Luc` and `McAllister` among them. Where it touches what no name
/// touches (a digit, an underscore, a dot before a letter), it is a piece of code or of an address.
fn word(text: &Text<'_>, at: usize) -> Option<Token> {
    let mut folded = Folded::default();
    let mut piece = Piece::default();
    let mut kinds = Kind::default();
    let (mut end, mut upper, mut letters) = (at, true, 0_usize);
    if !letter(text, at)?.0.is_uppercase() {
        return None;
    }
    loop {
        if end - at > MAX_WORD {
            return None;
        }
        // Small letters, most of any name, are taken at once.
        let small = text.run(end, MAX_WORD + 1 - (end - at), |b| b.is_ascii_lowercase());
        if small > end && piece.takes_small(text.slice(end, small)) {
            folded.push_small(text.slice(end, small));
            upper = false;
            letters += small - end;
            end = small;
            continue;
        }
        if let Some((letter, length)) = letter(text, end) {
            if !piece.takes(letter) {
                return None;
            }
            upper &= letter.is_uppercase();
            folded.push(letter);
            letters += 1;
            end += length;
            continue;
        }
        let Some(joint) = joint(text, end, &piece, letters) else { break };
        if joint.hyphen {
            kinds = kinds.with(piece.kind());
            folded.push('-');
        }
        piece =
            Piece { folded: if joint.hyphen { Folded::default() } else { piece.folded }, ..Piece::default() };
        end += joint.length;
    }
    if letters < 2 || !ends_cleanly(text, end) {
        return None;
    }
    let whole = kind(folded.as_slice());
    let last = || if piece.folded == folded { whole } else { piece.kind() };
    let kinds = if whole == Kind::default() { kinds.with(last()) } else { whole };
    Some(Token { end, part: Part::Word, kind: kinds, upper: upper && letters > 1, folded })
}

/// Whether what is there already shows that neither a further part of a name nor an address of mail follows the word
/// that ends here.
pub(super) fn is_alone(text: &Text<'_>, end: usize) -> bool {
    match text.slice(end, end + 2) {
        // Particles begin with other letters, and an address of mail stands in brackets.
        [b' ', next] => !(next.is_ascii_uppercase() || b"abdiltvz<\"'".contains(next)) && next.is_ascii(),
        [next, _] => !matches!(next, b'"' | b'\'' | 0xC2),
        _ => false,
    }
}

/// A word between hyphens and apostrophes.
#[derive(Default)]
struct Piece {
    folded: Folded,
    letters: usize,
    /// Capitals so far, all of them at its start.
    capitals: usize,
}

impl Piece {
    /// Takes a letter, unless its case is that of an identifier (`HttpClient`).
    fn takes(&mut self, letter: char) -> bool {
        if letter.is_uppercase() {
            let prefix = matches!(
                self.folded.as_slice(),
                b"mc" | b"mac" | b"fitz" | b"de" | b"di" | b"la" | b"le" | b"van"
            );
            if self.letters > self.capitals && !prefix {
                return false;
            }
            self.capitals += if prefix { 0 } else { 1 };
        } else if self.capitals > 1 {
            return false;
        }
        self.letters += 1;
        self.folded.push(letter);
        true
    }

    /// Takes small letters, unless the case is that of an identifier.
    fn takes_small(&mut self, small: &[u8]) -> bool {
        if self.capitals > 1 {
            return false;
        }
        self.letters += small.len();
        self.folded.push_small(small);
        true
    }

    fn kind(&self) -> Kind {
        kind(self.folded.as_slice())
    }
}

struct Joint {
    length: usize,
    hyphen: bool,
}

/// What joins the pieces of a name: the hyphen of `Jean-Luc`, the apostrophe of `O'Neil` (but not of `Ann's`).
fn joint(text: &Text<'_>, at: usize, piece: &Piece, letters: usize) -> Option<Joint> {
    let (length, hyphen) = match text.get(at)? {
        b'-' => (1, true),
        b'\'' => (1, false),
        0xE2 if text.get(at + 1)? == 0x80 && text.get(at + 2)? == 0x99 => (3, false),
        _ => return None,
    };
    let (next, _) = letter(text, at + length)?;
    let joins = if hyphen { letters > 0 } else { piece.letters <= 2 && next.is_uppercase() };
    joins.then_some(Joint { length, hyphen })
}

/// The Latin letter at `at` and its length.
fn letter(text: &Text<'_>, at: usize) -> Option<(char, usize)> {
    let lead = text.get(at)?;
    if lead.is_ascii_alphabetic() {
        return Some((char::from(lead), 1));
    }
    // U+00C0 to U+024F, two bytes each.
    if !(0xC3..=0xC9).contains(&lead) {
        return None;
    }
    let tail = text.get(at + 1).filter(|tail| (0x80..=0xBF).contains(tail))?;
    let code = u32::from(lead & 0x1F) << 6 | u32::from(tail & 0x3F);
    char::from_u32(code).filter(|c| c.is_alphabetic()).map(|c| (c, 2))
}

/// Whether what stands at `at` can follow a word of prose.
fn ends_cleanly(text: &Text<'_>, at: usize) -> bool {
    let next = |ahead: usize| text.get(at + ahead);
    match next(0) {
        None => true,
        Some(b'.' | b'-' | b'/' | b':') => {
            !next(1).is_some_and(|b| b.is_ascii_alphanumeric() || b == b':' || b == b'_')
        }
        Some(b'\\') => next(1).is_none_or(|b| matches!(b, b'n' | b'r' | b't' | b'"' | b'u' | b'\\')),
        Some(b) if b.is_ascii_alphanumeric() => false,
        Some(b'_' | b'@' | b'(' | b'[' | b'=' | b'$' | b'%' | b'+' | b'#') => false,
        // Letters that no list knows would make this a part of a longer word.
        Some(0xCC..=0xDF) => false,
        Some(_) => true,
    }
}

/// Whether a word starts at `at`, and not in the middle of another or of an identifier.
pub(super) fn starts(text: &Text<'_>, at: usize) -> bool {
    let before = |back: usize| text.before(at, back);
    match before(1) {
        None => true,
        Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
        Some(b) if b.is_ascii_alphanumeric() => false,
        Some(b'_' | b'@' | b'/' | b'.' | b'-' | b'$' | b'#' | b'\'' | b'&' | b'%' | b'~') => {
            // A quoted value: `'Anna Lee'`.
            before(1) == Some(b'\'') && !before(2).is_some_and(|b| b.is_ascii_alphanumeric())
        }
        Some(0x80..=0xBF) => !before(2).is_some_and(|lead| (0xC3..=0xDF).contains(&lead)),
        Some(_) => true,
    }
}
