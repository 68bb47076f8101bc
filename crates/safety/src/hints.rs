//! What the surroundings of a value say about it: the JSON keys above it, the words before it.
//!
//! Nine plain digits are a social security number only where something says so, and `1.2.3.4` is a version
//! where something says that. The nearest label decides: what follows `order id` is no social security number,
//! whatever was said before.

mod asked;
mod gap;
pub(crate) mod version;
mod words;

use self::words::{MAX_WORDS, Words};
use crate::find::person::label::Subject;
use crate::labels::{self, Label, Says};

/// How much of a key is read for hints; a key that says what it holds says it early.
pub(crate) const KEY_BYTES: usize = 64;

/// How much of the key above is remembered: enough for `account` in `{"account":{"number":…}}`.
const TAIL_BYTES: usize = 24;

/// What has been said about a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The nearest label.
    pub(crate) label: Option<&'static Label>,
    /// One that is joined to it: `routing and account number`.
    pub(crate) also: Option<&'static Label>,
    /// Words between the label and the value that are no fillers.
    pub(crate) distance: usize,
    /// The end of a string, of an element or of a line stands between them.
    pub(crate) crossed: bool,
    /// It was asked for right before, and this is the answer.
    pub(crate) asked: bool,
}

impl Said {
    /// Whether anything was said at all.
    pub(crate) fn something(&self) -> bool {
        self.label.is_some()
    }

    /// Whether the label names a number of another kind, right in front of it.
    pub(crate) fn other(&self) -> bool {
        self.distance == 0 && self.label.is_some_and(|label| label.says == Says::Other)
    }

    /// Whether the number of somebody may be the one to call, where it is written like that.
    pub(crate) fn may_call(&self) -> bool {
        self.label.is_some_and(|label| label.phrase == "customer number")
    }

    /// The labels, each with the kinds it announces.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'static Label> {
        self.label.into_iter().chain(self.also)
    }

    /// The phrase by which this kind was announced.
    pub(crate) fn announces(&self, entity: crate::Entity) -> Option<&'static str> {
        self.labels().find(|label| label.kinds().contains(&entity)).map(|label| label.phrase)
    }

    /// The label of a secret, also where words stand between it and the value.
    pub(crate) fn secret_at_all(&self) -> Option<&'static Label> {
        self.label.filter(|label| label.is_secret())
    }

    /// The label of a secret right in front.
    pub(crate) fn secret(&self) -> Option<&'static Label> {
        self.label.filter(|label| self.distance == 0 && label.is_secret())
    }
}

/// What is known about the place where a text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// What the keys above say.
    pub(crate) said: Said,
    /// The nearest key says version.
    pub(crate) version: bool,
    /// The end of the nearest key.
    tail: [u8; TAIL_BYTES],
    tail_length: usize,
    /// Whom or what place the nearest key speaks of.
    pub(crate) people: Subject,
}

impl Hints {
    /// The end of the nearest key.
    pub(crate) fn key(&self) -> &[u8] {
        self.tail.get(..self.tail_length).unwrap_or_default()
    }

    /// The hints below a key of an object that has these hints.
    pub(crate) fn with_key(self, key: &[u8]) -> Self {
        let key = key.get(..KEY_BYTES).unwrap_or(key);
        // A placeholder: the key is data that was redacted before, and says nothing.
        let key = if key.contains(&b'<') { &[] } else { key };
        let mut path = [0; TAIL_BYTES + 1 + KEY_BYTES];
        let above = self.tail.get(..self.tail_length).unwrap_or_default();
        let (mut end, start) = (0, above.len() + 1);
        for &b in above.iter().chain(b"_").chain(key) {
            if let Some(slot) = path.get_mut(end) {
                *slot = b;
                end += 1;
            }
        }
        let mut words = Words::behind(path.get(..end).unwrap_or_default());
        let own = words.count_from(start);
        let said = match words.said(own) {
            said if said.something() && (said.distance == 0 || said.secret_at_all().is_none()) => said,
            // `{"password":{"value":…}}`, but not `{"password":{"hint":…}}`.
            _ if self.said.label.is_none_or(|label| label.is_secret()) && !words.are_fillers(own) => {
                Said::default()
            }
            _ => self.said,
        };
        let mut below =
            Self { said, version: version::says_key(key), people: self.people.under(key), ..Self::default() };
        for (slot, &b) in
            below.tail.iter_mut().zip(key.get(key.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default())
        {
            *slot = b;
            below.tail_length += 1;
        }
        below
    }
}

/// What the words at the end of `behind` say about the value that follows.
pub(crate) fn before(behind: &[u8]) -> Said {
    let said = Words::behind(behind).said(MAX_WORDS);
    let near = said.something() && said.distance == 0 && !said.crossed;
    if near && said.secret().is_none() { said } else { asked::before(behind).unwrap_or(said) }
}

/// Whether the word right at the end may end the label of a secret.
pub(crate) fn ends_secret(behind: &[u8]) -> bool {
    let digits = behind.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let end = behind.len() - digits;
    labels::ends_secret(behind.get(gap::word_start(behind, end)..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
