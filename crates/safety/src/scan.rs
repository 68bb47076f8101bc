//! The scan: one pass over the text, a finder's turn wherever something can start.
//!
//! The same machine scans a whole text and a text that arrives in pieces, so both give the same hits by
//! construction: see [`crate::text`] for how it waits. Everything a finder asks about is bounded by constants,
//! and places are never visited twice but for those bounds, so time grows with the length of the text only.

use crate::find::database_url::UserInfo;
use crate::find::{
    Hit, Swallowed, Tail, card, crypto, database_url, email, groups, iban, ip, jwt, pem, phone,
};
use crate::find::{address, person, secret, ssn};
use crate::hints::Hints;
use crate::text::Text;
use crate::{Entity, Span};

/// Finds sensitive values in text. Make one and share it.
#[derive(Clone, Copy, Debug)]
pub struct Scanner {
    _made_by_new: (),
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Loads what finders need.
    #[must_use]
    pub fn new() -> Self {
        phone::warm_up();
        person::warm_up();
        Self { _made_by_new: () }
    }

    /// All hits, in order and without overlap.
    #[must_use]
    pub fn scan(&self, text: &str) -> Vec<Span> {
        self.scan_bytes(text.as_bytes(), Hints::default())
    }

    /// The hits in a text that stands under a name (a header, a form field), which may say what it holds.
    #[must_use]
    pub fn scan_named(&self, name: &str, text: &str) -> Vec<Span> {
        self.scan_bytes(text.as_bytes(), Hints::default().with_key(name.as_bytes()))
    }

    /// Whether there is any hit; stops at the first.
    #[must_use]
    pub fn has_hit(&self, text: &str) -> bool {
        let mut text = Text::new(text.as_bytes(), true, Hints::default());
        matches!(Machine::default().advance(&mut text), Step::Found { .. })
    }

    pub(crate) fn scan_bytes(&self, bytes: &[u8], hints: Hints) -> Vec<Span> {
        let mut text = Text::new(bytes, true, hints);
        spans(&mut text)
    }
}

fn spans(text: &mut Text<'_>) -> Vec<Span> {
    let mut machine = Machine::default();
    let mut spans = Vec::new();
    let mut found = None;
    loop {
        match machine.advance(text) {
            Step::Found { entity, start, rule, label } => {
                found = Some(Span { entity, start, end: start, score: entity.score(), rule, label });
            }
            Step::Ended(end) => spans.extend(found.take().map(|span| Span { end, ..span })),
            Step::Waiting(_) => return spans,
        }
    }
}

/// What the machine came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A hit starts here.
    Found { entity: Entity, start: usize, rule: &'static str, label: Option<&'static str> },
    /// The hit found last ends here.
    Ended(usize),
    /// All before this place is decided; at the end of a text that is everything.
    Waiting(usize),
}

/// The scan between two steps. Places count from the start of the bytes that it is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// All before is decided.
    at: usize,
    /// The end of the last hit.
    floor: usize,
    /// A hit that has begun: what more belongs to it, or nothing.
    open: Option<Option<Tail>>,
    /// The user part of the URL that the scan is in.
    user_info: Option<UserInfo>,
}

impl Machine {
    /// Scans on until something is to be told.
    pub(crate) fn advance(&mut self, text: &mut Text<'_>) -> Step {
        text.set_floor(self.floor);
        if let Some(tail) = self.open {
            return self.close(text, tail);
        }
        let _ = text.take_starved();
        while self.at < text.len() {
            let found = self.find(text);
            if text.take_starved() {
                break;
            }
            if let Some(hit) = found {
                let start = self.at;
                self.at = hit.end;
                self.open = Some(hit.tail);
                return Step::Found { entity: hit.entity, start, rule: hit.rule, label: hit.label };
            }
            self.at += 1;
        }
        Step::Waiting(self.at)
    }

    fn close(&mut self, text: &Text<'_>, tail: Option<Tail>) -> Step {
        match tail.map_or(Swallowed::Ends(self.at), |tail| tail.swallow(text, self.at)) {
            Swallowed::Ends(end) => {
                self.open = None;
                (self.at, self.floor) = (end, end);
                Step::Ended(end)
            }
            Swallowed::GoesOn(at) => {
                self.at = at;
                Step::Waiting(at)
            }
        }
    }

    /// The hit that starts at this place.
    fn find(&mut self, text: &Text<'_>) -> Option<Hit> {
        let at = self.at;
        if let Some((start, end)) = self.user_info.and_then(|info| info.password)
            && (start..end).contains(&at)
        {
            return Some(Hit::closed(Entity::DatabaseUrlPassword, end));
        }
        match text.get(at)? {
            b'-' => pem::find(text, at),
            b'+' | b'(' => phone::find(text, at),
            b':' => ip::find(text, at),
            b'0'..=b'9' if text.word_start(at) => self.number(text, at),
            b'A'..=b'Z' | b'a'..=b'z' if text.word_start(at) => self.word(text, at),
            lead if email::is_latin_lead(lead) => {
                self.email(text, at).or_else(|| address::find(text, at)).or_else(|| person::find(text, at))
            }
            _ => None,
        }
    }

    fn number(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let other = crypto::find(text, at).or_else(|| self.email(text, at)).or_else(|| ip::find(text, at));
        other.or_else(|| {
            let groups = groups::Groups::read(text, at);
            card::find(text, at, &groups)
                .or_else(|| ssn::find(text, at, &groups))
                .or_else(|| phone::find(text, at))
                .or_else(|| address::find(text, at))
        })
    }

    fn word(&mut self, text: &Text<'_>, at: usize) -> Option<Hit> {
        if text.before(at, 1) == Some(b'\\') && matches!(text.get(at), Some(b'n' | b'r' | b't')) {
            return None; // A written-out line break, whose letter belongs to no word.
        }
        if self.user_info.is_none_or(|info| at > info.at_sign)
            && let Some(info) = database_url::read(text, at)
            && !text.is_starved()
        {
            self.user_info = Some(info);
        }
        secret::find(text, at)
            .or_else(|| jwt::find(text, at))
            .or_else(|| iban::find(text, at))
            .or_else(|| crypto::find(text, at))
            .or_else(|| self.email(text, at))
            .or_else(|| ip::find(text, at))
            .or_else(|| self.people(text, at))
    }

    /// A name or an address, which start with a capital wherever no key says that one stands here.
    fn people(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let valued = match text.before(at, 1) {
            None | Some(b'"' | b'\'' | b'>') => true,
            // `Mr. van Dijk`
            before => before == Some(b' ') && text.before(at, 2) == Some(b'.'),
        };
        let may_start = valued || text.get(at).is_some_and(|b| b.is_ascii_uppercase());
        may_start.then(|| address::find(text, at).or_else(|| person::find(text, at)))?
    }

    /// An address, unless its `@` ends the user part of a URL.
    fn email(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let hit = email::find(text, at)?;
        let in_url = self.user_info.is_some_and(|info| info.at_sign == email::at_sign(text, at));
        (!in_url).then_some(hit)
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.at -= count;
        self.floor = self.floor.saturating_sub(count);
        self.user_info = self.user_info.and_then(|info| info.forget(count));
    }
}

#[cfg(test)]
mod tests;
