//! The text under inspection, as finders see it: byte by byte, ahead without end, behind by a few bytes.
//!
//! A finder asks for bytes ahead with [`Text::get`]. When it asks beyond the end of a text that may still
//! grow, the text notes that the finder *starved*, and the scan waits at that place for more. So a streamed
//! scan decides nothing that a later byte could change, and holds back exactly what a finder asked about.

use std::cell::Cell;

use crate::Entity;
use crate::columns;
use crate::custom::Customs;
use crate::find::person::label::Subject;
use crate::hints::{self, Hints, Said};

/// How far behind a finder may look; a stream keeps this much of what it has already let go.
pub(crate) const LOOK_BEHIND: usize = 96;

/// Between a card and its expiry or code.
const CARD_DISTANCE: usize = 24;

/// Spaces and quotes between the start of a cell and its value.
const MAX_INDENT: usize = 16;

/// The longest label that runs into its value.
const MAX_GLUED: usize = 12;

/// The hit before: its kind, and what had been said about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) entity: Entity,
    pub(crate) told: Told,
}

/// What had been said about a hit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Known(Said),
    /// Nobody asked; it is read here when somebody does.
    Unread(Place),
}

/// Where a value stands: at a place, behind the hit before it, in a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    at: usize,
    floor: usize,
    cell: Option<columns::Cell>,
}

/// Whether nothing but commas and the like stands between two values of a list.
fn is_list_gap(between: &[u8]) -> bool {
    const WORDS: [&[u8]; 3] = [b"and", b"or", b""];
    // Behind a string that ends, another list goes on.
    let whole = || between.iter().filter(|b| **b == b'"').count() % 2 == 0;
    between.len() <= 8
        && whole()
        && between.split(|b| b" ,/&|\"'".contains(b)).all(|word| WORDS.contains(&word))
}

/// The bytes under inspection.
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    /// Whether the end of `bytes` is the end of the text.
    last: bool,
    /// The end of the hit before: no neighbour stands in front of it.
    floor: usize,
    /// What that hit was.
    hit: Option<Last>,
    /// What the place of the text (a JSON key) says about it.
    pub(crate) hints: Hints,
    /// The cell at hand, in a table.
    column: Cell<Option<columns::Cell>>,
    /// What was said about the place that was asked about last: several finders ask.
    said: Cell<Option<(usize, Said)>>,
    /// Kinds that the installation defines.
    pub(crate) customs: Option<&'a Customs>,
    starved: Cell<bool>,
    #[cfg(test)]
    steps: Cell<u64>,
}

impl<'a> Text<'a> {
    pub(crate) fn new(bytes: &'a [u8], last: bool, hints: Hints) -> Self {
        Self {
            bytes,
            last,
            floor: 0,
            hit: None,
            hints,
            column: Cell::new(None),
            said: Cell::new(None),
            customs: None,
            starved: Cell::new(false),
            #[cfg(test)]
            steps: Cell::new(0),
        }
    }

    /// The same where the installation defines kinds of its own.
    pub(crate) fn knowing(mut self, customs: Option<&'a Customs>) -> Self {
        self.customs = customs;
        self
    }

    /// The byte at `at`; `None` behind the end.
    pub(crate) fn get(&self, at: usize) -> Option<u8> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        let byte = self.bytes.get(at).copied();
        if byte.is_none() && !self.last {
            self.starved.set(true);
        }
        byte
    }

    /// The byte `back` places before `at`; `None` at the start of the text and at the hit before.
    pub(crate) fn before(&self, at: usize, back: usize) -> Option<u8> {
        at.checked_sub(back).filter(|&i| i >= self.floor).and_then(|i| self.bytes.get(i)).copied()
    }

    /// The bytes from `start` to `end`, which a finder has already seen.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// All bytes in front of `at` that may be looked at for words, at most [`LOOK_BEHIND`].
    pub(crate) fn behind(&self, at: usize) -> &'a [u8] {
        self.slice(at.saturating_sub(LOOK_BEHIND), at)
    }

    /// Whether `at` goes on with a list whose last item was of this kind.
    pub(crate) fn continues_list(&self, at: usize, entity: Entity) -> bool {
        self.hit.is_some_and(|last| last.entity == entity)
            && self.floor > 0
            && at > self.floor
            && is_list_gap(self.near(at))
    }

    /// What the key above, or the head of the column at hand, says of people and places: of a value that starts
    /// here.
    pub(crate) fn subject(&self, at: usize) -> Subject {
        let starts = |cell: &columns::Cell| {
            let gap = self.slice(cell.start, at);
            cell.start <= at && gap.len() <= MAX_INDENT && gap.iter().all(|b| matches!(b, b' ' | b'"' | b'*'))
        };
        match self.column.get().filter(starts) {
            Some(cell) => cell.subject,
            None if at == 0 => self.hints.people,
            None => Subject::Nothing,
        }
    }

    /// The same without the hit before, or anything in front of it.
    pub(crate) fn near(&self, at: usize) -> &'a [u8] {
        self.slice(at.saturating_sub(LOOK_BEHIND).max(self.floor), at)
    }

    /// Whether a cell of a table starts at `at`.
    pub(crate) fn in_cell(&self, at: usize) -> bool {
        self.column.get().is_some_and(|cell| cell.start == at)
    }

    /// What the words in front of `at`, or else the place of the text, say about a value there.
    pub(crate) fn said(&self, at: usize) -> Said {
        if let Some((place, said)) = self.said.get()
            && place == at
        {
            return said;
        }
        let said = self.read_said(at);
        self.said.set(Some((at, said)));
        said
    }

    /// What is to be remembered of the value that starts at `at`. Of most hits nobody asks what was said about them.
    pub(crate) fn told(&self, at: usize) -> Told {
        let place = self.place(at);
        let known = self.said.get().is_some_and(|(known, _)| known == at);
        // What may be forgotten is read now, and so is what the hit before says.
        if known || !self.last || self.listed(place).is_some() {
            return Told::Known(self.said(at));
        }
        Told::Unread(place)
    }

    fn read_said(&self, at: usize) -> Said {
        let place = self.place(at);
        self.said_at(place).unwrap_or_else(|| match self.listed(place).map(|last| last.told) {
            // In a list, what was said of the first is said of all.
            Some(Told::Known(said)) => said,
            Some(Told::Unread(first)) => self.said_at(first).unwrap_or(self.hints.said),
            None => self.hints.said,
        })
    }

    fn place(&self, at: usize) -> Place {
        Place { at, floor: self.floor, cell: self.column.get() }
    }

    /// What the words in front of a value or the head of its column say.
    fn said_at(&self, place: Place) -> Option<Said> {
        let said = hints::before(self.in_front(place));
        if said.something() {
            return Some(said);
        }
        place.cell.map(|cell| cell.said).filter(Said::something)
    }

    /// The hit before, if nothing but the gap of a list stands behind it.
    fn listed(&self, place: Place) -> Option<Last> {
        self.hit.filter(|_| self.floor > 0 && place.cell.is_none() && is_list_gap(self.in_front(place)))
    }

    /// The bytes in which something may be said about a value.
    fn in_front(&self, Place { at, floor, cell }: Place) -> &'a [u8] {
        let cell = cell.map_or(0, |cell| cell.start.min(at));
        self.slice(floor.max(cell).max(at.saturating_sub(LOOK_BEHIND)), at)
    }

    /// Whether these bytes stand at `at`. Asks no further than the first difference.
    pub(crate) fn starts_with(&self, at: usize, prefix: &[u8]) -> bool {
        prefix.iter().enumerate().all(|(i, &want)| self.get(at + i) == Some(want))
    }

    /// Where a run of bytes of a class ends, looking at no more than `limit` of them.
    pub(crate) fn run(&self, at: usize, limit: usize, class: impl Fn(u8) -> bool) -> usize {
        let ahead = self.bytes.get(at..).unwrap_or_default();
        let seen = ahead.get(..limit).unwrap_or(ahead);
        let length = seen.iter().position(|&b| !class(b)).unwrap_or(seen.len());
        if length == ahead.len() && length < limit && !self.last {
            self.starved.set(true);
        }
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1 + u64::try_from(length).unwrap_or(u64::MAX));
        at + length
    }

    /// Whether a word can start at `at`: no letter or digit stands before it.
    pub(crate) fn word_start(&self, at: usize) -> bool {
        match self.before(at, 1) {
            // Behind a line break of a document within a document.
            Some(b'n' | b'r' | b't') if self.before(at, 2) == Some(b'\\') => true,
            before => !before.is_some_and(|b| b.is_ascii_alphanumeric()),
        }
    }

    /// Whether a word can end before `at`: neither letter nor digit follows.
    pub(crate) fn word_end(&self, at: usize) -> bool {
        !self.get(at).is_some_and(|b| b.is_ascii_alphanumeric())
    }

    pub(crate) fn set_floor(&mut self, floor: usize, hit: Option<Last>) {
        (self.floor, self.hit) = (floor, hit);
        self.said.set(None);
    }

    pub(crate) fn set_cell(&self, cell: Option<columns::Cell>) {
        self.column.set(cell);
        self.said.set(None);
    }

    /// All bytes that are there.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the hit before was a card, or what is told with one, and stands close by.
    pub(crate) fn follows_card(&self, at: usize) -> bool {
        let card = |last: Last| matches!(last.entity, Entity::CreditCard | Entity::CardExpiry | Entity::Cvv);
        self.hit.is_some_and(card) && at - self.floor.min(at) <= CARD_DISTANCE
    }

    /// Whether nothing but a space or comma stands between a card and `at`.
    pub(crate) fn right_behind_card(&self, at: usize) -> bool {
        self.follows_card(at) && is_list_gap(self.slice(self.floor, at))
    }

    /// Whether a number may start at `at` although a letter stands before it: a label does, `ssn536904399`.
    pub(crate) fn glued(&self, at: usize) -> bool {
        let letter = |back| self.before(at, back).is_some_and(|b| b.is_ascii_alphabetic());
        let length = (1..=MAX_GLUED + 1).take_while(|&back| letter(back)).count();
        (2..=MAX_GLUED).contains(&length)
            && self.before(at, length + 1).is_none_or(|b| !b.is_ascii_alphanumeric())
            && hints::before(self.slice(at - length, at))
                .label
                .is_some_and(|label| !label.kinds().is_empty() && !label.is_secret())
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_last(&self) -> bool {
        self.last
    }

    /// Whether a finder asked beyond the end.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.get()
    }

    /// Whether a finder asked beyond the end since the last call.
    pub(crate) fn take_starved(&self) -> bool {
        self.starved.replace(false)
    }

    #[cfg(test)]
    pub(crate) fn steps(&self) -> u64 {
        self.steps.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finder_starves_only_where_more_may_come() {
        let open = Text::new(b"ab", false, Hints::default());
        assert!(open.starts_with(0, b"ab") && !open.take_starved());
        assert!(!open.starts_with(0, b"axy") && !open.take_starved());
        assert!(!open.starts_with(0, b"abc") && open.take_starved());
        let closed = Text::new(b"ab", true, Hints::default());
        assert!(!closed.starts_with(0, b"abc") && !closed.take_starved());
    }

    #[test]
    fn words_start_behind_neither_letter_nor_digit() {
        let start = |text: &str, at| Text::new(text.as_bytes(), true, Hints::default()).word_start(at);
        assert!(start("4111", 0) && start(" 4111", 1) && start("é4111", 2));
        assert!(!start("n4111", 1) && !start("204111", 2));
    }
}
