//! Names of people: a shape (one to five words with capitals), and something that vouches for it. That is a label
//! or a key, a form of address, the closing of a letter, or the words themselves, where a list knows them as given
//! and family names. A word that is known as anything else speaks against.

mod brands;
mod cue;
pub(crate) mod label;
mod lexicon;
mod roles;
mod shape;

use self::brands::{BRANDS, NAMED_AFTER};
use self::cue::Cue;
pub(crate) use self::cue::label_before;
use self::label::Subject;
use self::lexicon::Kind;
pub(crate) use self::lexicon::{Fnv, is_everyday, warm_up};
pub(crate) use self::shape::words_within;
use self::shape::{Part, Token, Tokens};
use super::Hit;
use crate::labels::{self, Key};
use crate::{Entity, text::Text};

/// Words of a name that is only known by what stands before it.
const MAX_UNKNOWN: usize = 3;
/// One more than the letters of the longest title.
const MAX_TITLE: usize = 10;

/// The name that starts at `at`, the start of a word with a capital, or of a text under a key.
pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !shape::starts(text, at) {
        return None;
    }
    let first = shape::token(text, at)?;
    // The common case, a word of everyday at the start of a sentence, costs one look-up.
    if first.part == Part::Word && first.kind.is_no_name() && !vouched(text, at) {
        return None;
    }
    let cue = cue::before(text, at);
    if matches!(cue, Cue::None | Cue::Against) && first.part == Part::Word && shape::is_alone(text, first.end)
    {
        return None;
    }
    // `Patient DOB June 3, 1990`
    if first.upper && is_label(text.slice(at, first.end)) {
        return None;
    }
    let tokens = Tokens::read(text, at, Some(first))?;
    let (end, rule) = Name { text, tokens, cue }.judge()?;
    Some(Hit::closed(Entity::Person, end).by(rule))
}

/// Whether the acronym says what stands behind it.
fn is_label(word: &[u8]) -> bool {
    labels::ending(Key::exactly(word), |_| None).is_some_and(|label| !label.kinds().is_empty())
}

/// Whether a label or a title may stand before: then even an everyday word can be a name.
fn vouched(text: &Text<'_>, at: usize) -> bool {
    let back = |n| text.before(at, n);
    let titled = back(1) == Some(b' ')
        && match back(2) {
            Some(b':' | b'=' | b'|') => true,
            Some(b'.') => short_capitalised(text, at, 2),
            Some(b'r' | b's') => short_capitalised(text, at, 1),
            _ => false,
        };
    text.subject(at) != Subject::Nothing
        || titled
        || back(1).is_some_and(|b| matches!(b, b'"' | b'\'' | b':' | b'=' | b'>' | b'|'))
}

/// Whether a word like `Dr` or `Prof` ends `behind` bytes before `at`: after the end of any other sentence nothing
/// need wait.
fn short_capitalised(text: &Text<'_>, at: usize, behind: usize) -> bool {
    let letter = |n: usize| text.before(at, behind + n).filter(u8::is_ascii_alphabetic);
    let length = (1..=MAX_TITLE).take_while(|n| letter(*n).is_some()).count();
    length < MAX_TITLE && letter(length).is_some_and(|first| first.is_ascii_uppercase())
}

/// A candidate: what it looks like, and what stands before it.
struct Name<'a, 't> {
    text: &'a Text<'t>,
    tokens: Tokens,
    cue: Cue,
}

const LABELLED: &str = "a name's label, shape of a name";
const ADDRESSED: &str = "a form of address, shape of a name";
const INTRODUCED: &str = "a cue before it, shape of a name";
const SIGNED: &str = "the closing line of a letter, shape of a name";
const KNOWN: &str = "given and family names of the lists";
const SENDER: &str = "a name before an e-mail address";

impl Name<'_, '_> {
    /// Where the name ends and what decided that it is one.
    fn judge(mut self) -> Option<(usize, &'static str)> {
        let whole = self.tokens.as_slice().len();
        self.cut_at_everyday_words();
        let cut = self.tokens.as_slice().len() < whole;
        let known = self.known();
        let (end, rule) = match self.cue {
            Cue::Label(said) => self.labelled(said, cut).map(|end| (end, LABELLED)),
            Cue::Title => self.first(MAX_UNKNOWN).map(|end| (end, ADDRESSED)),
            Cue::Greeting => self.greeted().map(|end| (end, ADDRESSED)),
            Cue::Signature => self.signed(cut).map(|end| (end, SIGNED)),
            Cue::Firm => self.firm().map(|end| (end, INTRODUCED)),
            // `Anna Lee, DOB May 2`
            Cue::List if self.starts_with_acronym() => None,
            Cue::List => self.listed().or_else(|| self.soft()).map(|end| (end, INTRODUCED)),
            Cue::Soft => self.soft().map(|end| (end, INTRODUCED)),
            Cue::Against | Cue::None => None,
        }
        .or_else(|| self.sender().map(|end| (end, SENDER)))
        .or_else(|| known.map(|end| (end, KNOWN)))?;
        // A cue vouches for the first words of a name; the lists may know more of it.
        Some((known.map_or(end, |known| end.max(known)), rule))
    }

    fn words(&self) -> impl Iterator<Item = &Token> {
        self.tokens.as_slice().iter().filter(|token| token.part == Part::Word)
    }

    /// Leaves out the first word that is none of names, and all behind it. Behind a label and a title the first
    /// word may be anything.
    fn cut_at_everyday_words(&mut self) {
        let first = usize::from(matches!(self.cue, Cue::Title | Cue::Label(Subject::NamePart)));
        let upper = self.tokens.get(0).is_some_and(|token| token.upper);
        // `Martin Luther King Day`, although there are people of that name.
        let day = |token: &Token| NAMED_AFTER.contains(&token.folded.as_slice());
        if matches!(self.cue, Cue::None | Cue::Against) && self.tokens.as_slice().iter().skip(2).any(day) {
            self.tokens.keep(0);
            return;
        }
        let stop = self.tokens.as_slice().iter().enumerate().position(|(i, token)| {
            let everyday = i >= first && token.part == Part::Word && token.kind.is_no_name();
            // `Anna Lee CEO`, but not `ANNA LEE`.
            everyday || (token.part == Part::Word && token.upper && !upper)
        });
        if let Some(stop) = stop {
            let organisation = self.tokens.get(stop).is_some_and(|token| {
                token.kind.is(Kind::ORGANISATION) || NAMED_AFTER.contains(&token.folded.as_slice())
            });
            self.tokens.keep(if organisation && stop > 0 && !matches!(self.cue, Cue::Title) {
                0
            } else {
                stop
            });
        }
    }

    /// The end of the first parts that hold so many words.
    fn first(&self, words: usize) -> Option<usize> {
        let mut left = words;
        let mut end = None;
        for token in self.tokens.as_slice() {
            if token.part == Part::Word {
                left = left.checked_sub(1)?;
                end = Some(token.end);
                if left == 0 {
                    break;
                }
            }
        }
        end
    }

    fn labelled(&self, said: Subject, cut: bool) -> Option<usize> {
        let end = self.tokens.end()?;
        let count = self.words().count();
        let alone = !cut && ends_value(self.text, end);
        let named = self.words().any(|token| token.kind.is_name());
        let fits = match said {
            Subject::NamePart => alone && count <= 3,
            Subject::FullName => {
                let whole =
                    count >= 2 || alone && (self.has_initial() || self.tokens.get(0)?.kind.surely_given());
                whole && !(cut && self.is_brand()) || self.is_reversed(end)
            }
            Subject::Name | Subject::Role => {
                alone && (named || self.has_initial()) && count >= 2 && !self.is_brand()
                    || self.is_reversed(end)
            }
            Subject::Nothing | Subject::Address => false,
        };
        if fits && self.is_reversed(end) {
            return self.reversed_end(end);
        }
        fits.then_some(end)
    }

    fn starts_with_acronym(&self) -> bool {
        self.words().next().is_some_and(|first| first.upper) && self.words().any(|token| !token.upper)
    }

    fn has_initial(&self) -> bool {
        self.tokens.as_slice().iter().any(|token| token.part == Part::Initial)
    }

    /// `Quillon L. Vantree`
    fn has_dotted_initial(&self) -> bool {
        let parts = self.tokens.as_slice();
        parts.len() == 3
            && parts.get(1).is_some_and(|token| {
                token.part == Part::Initial && self.text.slice(token.end - 1, token.end) == b"."
            })
    }

    /// `Lee, Anna`, where the name behind the comma is a given one.
    fn is_reversed(&self, end: usize) -> bool {
        self.reversed_end(end).is_some()
    }

    /// The end of a given name, and hardly anything else, behind a family name and a comma.
    fn given_behind_comma(&self) -> Option<usize> {
        let family = self.words().next()?.kind;
        let end = self.tokens.end().filter(|&end| self.text.starts_with(end, b", "))?;
        let behind = shape::token(self.text, end + 2)?;
        let given = behind.kind.surely_given() || behind.kind == Kind::default() && family.surely_family();
        let reversed = !family.surely_given() && behind.part == Part::Word && given;
        reversed.then_some(behind.end)
    }

    fn reversed_end(&self, end: usize) -> Option<usize> {
        let comma = self.text.get(end)? == b',' && self.text.get(end + 1)? == b' ';
        if !comma || self.words().count() > 2 {
            return None;
        }
        let behind = Tokens::read(self.text, end + 2, None)?;
        let behind_it = behind.get(0)?.kind;
        let family = self.words().next()?.kind;
        let given = behind_it.is(Kind::GIVEN) || behind_it == Kind::default() && family.surely_family();
        let last = behind.end()?;
        (given && behind.as_slice().len() <= 2 && ends_value(self.text, last)).then_some(last)
    }

    /// `Dear Anna Lee,`, `Hi Anna`: one word must be known as a name, or end the greeting.
    fn greeted(&self) -> Option<usize> {
        let end = self.first(MAX_UNKNOWN)?;
        let only = self.words().count() == 1;
        let known = self.tokens.get(0)?.kind.surely_given();
        let ends = matches!(self.text.get(end), None | Some(b',' | b'!' | b'\n' | b'\\' | b':' | b'.'));
        (known || ends && !(only && self.tokens.get(0)?.upper)).then_some(end)
    }

    /// A line of its own below the closing.
    fn signed(&self, cut: bool) -> Option<usize> {
        let end = self.tokens.end()?;
        let line_ends = match self.text.get(end) {
            None | Some(b'\n' | b'\r' | b'\\' | b',' | b'"' | b'\'' | b'<' | b'(' | b'|') => true,
            // A picture.
            Some(b' ') => self.text.get(end + 1).is_some_and(|b| b >= 0xE2),
            _ => false,
        };
        (!cut && line_ends && !self.is_brand() && !self.tokens.get(0)?.upper).then_some(end)
    }

    /// `My name is Anna`, `patient Anna Lee`.
    fn firm(&self) -> Option<usize> {
        let first = self.tokens.get(0)?;
        // `AUTHORS BE LIABLE`
        if first.upper && !self.words().any(|token| token.kind.is_name()) {
            return None;
        }
        if self.is_brand() || self.followed_by_more_of_a_name() {
            return None;
        }
        if self.words().count() >= 2 {
            return self.first(MAX_UNKNOWN);
        }
        // `patient Thompson, Thabo was seen`
        if let Some(given) = self.given_behind_comma() {
            return Some(given);
        }
        (first.kind.is(Kind::GIVEN) || first.part != Part::Word).then(|| self.tokens.end())?
    }

    /// The next of several names.
    fn listed(&self) -> Option<usize> {
        self.firm().filter(|&end| self.words().count() >= 2 && ends_value(self.text, end))
    }

    /// `met with Anna`, `assigned to Jordan Banks`: a word must be known as a name.
    fn soft(&self) -> Option<usize> {
        let first = self.tokens.get(0)?;
        if self.is_brand() || self.followed_by_more_of_a_name() {
            return None;
        }
        if self.words().count() == 1 {
            return first.kind.surely_given().then(|| self.tokens.end())?;
        }
        self.words().any(|token| token.kind.is_name()).then(|| self.first(MAX_UNKNOWN))?
    }

    /// `Anna Lee <anna@…>`.
    fn sender(&self) -> Option<usize> {
        /// RFC 5321, 4.5.3.1.
        const MAX_LOCAL: usize = 64;
        let end = self.tokens.end()?;
        let quote = usize::from(matches!(self.text.get(end), Some(b'"' | b'\'')));
        if !self.text.starts_with(end + quote, b" <") || self.is_brand() {
            return None;
        }
        let local = end + quote + 2;
        let at_sign = self
            .text
            .run(local, MAX_LOCAL, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'));
        let mailed = at_sign > local && self.text.get(at_sign) == Some(b'@');
        (mailed && (self.words().count() >= 2 || self.tokens.get(0)?.kind.surely_given())).then_some(end)
    }

    /// The words vouch for themselves.
    fn known(&self) -> Option<usize> {
        if self.cue == Cue::Against || self.is_brand() || self.followed_by_more_of_a_name() {
            return None;
        }
        let parts = self.tokens.as_slice();
        let first = parts.first().filter(|first| first.part != Part::Particle)?;
        let (index, second) = parts.iter().enumerate().skip(1).find(|(_, token)| token.part == Part::Word)?;
        let between = parts.get(1..index)?;
        let upper = first.upper || second.upper;
        let last = self.words().last()?;
        let holds = if first.part == Part::Initial {
            second.kind.likely_family() && self.words().count() == 1
        } else if upper {
            first.kind.surely_given() && last.kind.likely_family()
        } else if first.kind.surely_given() {
            !second.kind.is_no_name()
        } else if first.kind.is(Kind::GIVEN) {
            last.kind.likely_family() || second.kind.likely_family()
        } else if first.kind.surely_family() {
            second.kind.surely_given() || (second.kind.surely_family() && between.is_empty())
        } else {
            let unknown = first.kind == Kind::default();
            unknown
                && (last.kind.surely_family() || last.kind == Kind::default() && self.has_dotted_initial())
        };
        holds.then(|| self.known_end(index))?
    }

    /// Behind the second word, and behind further ones that are known as names.
    fn known_end(&self, second: usize) -> Option<usize> {
        let parts = self.tokens.as_slice();
        let mut last = second;
        let mut open = parts.get(second)?.kind.is(Kind::GIVEN) && !parts.get(second)?.kind.is(Kind::FAMILY);
        for (i, token) in parts.iter().enumerate().skip(second + 1) {
            match token.part {
                Part::Word if token.kind.is_name() || open => {
                    open = false;
                    last = i;
                }
                Part::Word => break,
                Part::Initial | Part::Particle => open = true,
            }
        }
        parts.get(last).map(|token| token.end)
    }

    /// `Anna Lee & Sons`: a firm.
    fn followed_by_more_of_a_name(&self) -> bool {
        self.tokens.end().is_some_and(|end| self.text.starts_with(end, b" &"))
    }

    /// Firms that bear a person's name.
    fn is_brand(&self) -> bool {
        let (Some(first), Some(second)) = (self.tokens.get(0), self.tokens.get(1)) else { return false };
        BRANDS.iter().any(|(a, b)| first.folded.as_slice() == *a && second.folded.as_slice() == *b)
    }
}

/// Whether a value ends at `at`: a quote, a line, a cell, a field.
fn ends_value(text: &Text<'_>, at: usize) -> bool {
    match text.get(at) {
        None => true,
        Some(
            b'"' | b'\'' | b'`' | b'\\' | b'\n' | b'\r' | b'\t' | b',' | b';' | b'|' | b'<' | b'&' | b')'
            | b']' | b'}' | b'*' | b'.' | b':',
        ) => true,
        Some(b' ') => {
            matches!(text.get(at + 1), None | Some(b'|' | b'(' | b'<' | b'-' | b' ' | b'/' | b'\n' | b'&'))
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
