//! The text under inspection, as finders see it: byte by byte, ahead without end, behind by a few bytes.
//!
//! A finder asks for bytes ahead with [`Text::get`]. When it asks beyond the end of a text that may still
//! grow, the text notes that the finder *starved*, and the scan waits at that place for more. So a streamed
//! scan decides nothing that a later byte could change, and holds back exactly what a finder asked about.

use std::cell::Cell;

use crate::hints::Hints;

/// How far behind a finder may look; a stream keeps this much of what it has already let go.
pub(crate) const LOOK_BEHIND: usize = 64;

/// The bytes under inspection.
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    /// Whether the end of `bytes` is the end of the text.
    last: bool,
    /// The end of the hit before: no neighbour stands in front of it.
    floor: usize,
    /// What the place of the text (a JSON key) says about it.
    pub(crate) hints: Hints,
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
            hints,
            starved: Cell::new(false),
            #[cfg(test)]
            steps: Cell::new(0),
        }
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

    /// The same without the hit before, or anything in front of it.
    pub(crate) fn near(&self, at: usize) -> &'a [u8] {
        self.slice(at.saturating_sub(LOOK_BEHIND).max(self.floor), at)
    }

    /// Whether these bytes stand at `at`. Asks no further than the first difference.
    pub(crate) fn starts_with(&self, at: usize, prefix: &[u8]) -> bool {
        prefix.iter().enumerate().all(|(i, &want)| self.get(at + i) == Some(want))
    }

    /// Where a run of bytes of a class ends, looking at no more than `limit` of them.
    pub(crate) fn run(&self, at: usize, limit: usize, class: impl Fn(u8) -> bool) -> usize {
        let mut end = at;
        while end - at < limit && self.get(end).is_some_and(&class) {
            end += 1;
        }
        end
    }

    /// Whether a word can start at `at`: no letter or digit stands before it, unless it is the end of an
    /// escape (`\n` in doubly encoded JSON, `%20` in a URL).
    pub(crate) fn word_start(&self, at: usize) -> bool {
        let Some(previous) = self.before(at, 1) else { return true };
        if !previous.is_ascii_alphanumeric() {
            return true;
        }
        let second = self.before(at, 2);
        if matches!(previous, b'n' | b'r' | b't') && second == Some(b'\\') {
            return true;
        }
        previous.is_ascii_hexdigit()
            && second.is_some_and(|b| b.is_ascii_hexdigit())
            && self.before(at, 3) == Some(b'%')
    }

    /// Whether a word can end before `at`: neither letter nor digit follows.
    pub(crate) fn word_end(&self, at: usize) -> bool {
        !self.get(at).is_some_and(|b| b.is_ascii_alphanumeric())
    }

    pub(crate) fn set_floor(&mut self, floor: usize) {
        self.floor = floor;
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
    fn words_start_behind_escapes() {
        let start = |text: &str, at| Text::new(text.as_bytes(), true, Hints::default()).word_start(at);
        assert!(start("4111", 0) && start(" 4111", 1) && start("é4111", 2));
        assert!(start(r"\n4111", 2) && start("%204111", 3));
        assert!(!start("n4111", 1) && !start("204111", 2));
    }
}
