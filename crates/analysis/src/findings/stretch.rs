//! Consecutive entries as a detector looks at them: what many of them say is held once, and what is compared is hashed
//! already. Whoever reads columns makes stretches side by side; the detector takes them one after the other.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Deref;

use greffier_event::{Event, EventId, Timestamp};

use super::recent::News;
use super::standing::{Word, word};
use crate::calls::call_of;
use crate::fact::Fact;
use crate::keyed::Key;
use crate::meaning::is_own;

/// A name within one stretch: its place there, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(NonZeroU32);

/// A session of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey(Key);

impl SessionKey {
    /// That of a session, by its id, and of the agent in it.
    pub fn of(agent: Option<&str>, session_id: &str) -> SessionKey {
        SessionKey(Key::of((agent, session_id)))
    }
}

/// The names in one event.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the names are the event's")]
pub struct Coded {
    pub agent: Option<Code>,
    pub user: Option<Code>,
    pub action: Option<Code>,
    /// Where the resource lies; see [`place_of`].
    pub place: Option<Code>,
    pub session: Option<SessionKey>,
}

/// Where a resource lies: its scheme and authority, since what follows names single records.
pub fn place_of(uri: &str) -> &str {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let end = uri.get(authority..).and_then(|rest| rest.find('/')).map(|at| authority + at);
    end.and_then(|end| uri.get(..end)).unwrap_or(uri)
}

/// A name and its key.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) text: Box<str>,
    pub(crate) key: u64,
}

/// One event of somebody, as the rules look at it; Greffier's own are no behaviour. Rows are read in another order than
/// they stand in: 64 bytes, and not one more.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: EventId,
    pub(crate) time: Timestamp,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
    /// Of its entry, behind the stretch's first.
    behind: u32,
    pub(crate) action: Option<Code>,
    pub(crate) place: Option<Code>,
    /// What it says of its call; once the detector has joined calls, what no earlier one said.
    pub(crate) news: News,
}

/// Whose event it is and what it belongs to.
#[derive(Debug)]
pub(crate) struct Whereto {
    pub(crate) agent: Option<Code>,
    pub(crate) user: Option<Code>,
    pub(crate) call: Option<Key>,
    pub(crate) session: Option<SessionKey>,
}

/// What the rules look at of a row.
pub(crate) struct Look<'a> {
    pub(crate) row: &'a Row,
    pub(crate) action: Option<&'a Named>,
    pub(crate) place: Option<&'a Named>,
}

impl<'a> Look<'a> {
    pub(crate) fn of(row: &'a Row, names: &'a [Named]) -> Look<'a> {
        let named = |code: Option<Code>| names.get(code?.at());
        Look { row, action: named(row.action), place: named(row.place) }
    }
}

impl Deref for Look<'_> {
    type Target = Row;

    fn deref(&self) -> &Row {
        self.row
    }
}

/// What Greffier itself says of a finding.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) index: u64,
    pub(crate) id: EventId,
    pub(crate) word: Word,
}

/// Consecutive entries, in order.
#[derive(Debug, Default)]
pub struct Stretch {
    pub(crate) names: Vec<Named>,
    codes: HashMap<Box<str>, Code>,
    first: Option<u64>,
    /// One behind the last entry.
    pub(crate) end: u64,
    pub(crate) rows: Vec<Row>,
    /// Of each row.
    pub(crate) whereto: Vec<Whereto>,
    pub(crate) words: Vec<Said>,
}

impl Stretch {
    /// The code of a name.
    pub fn code(&mut self, name: &str) -> Code {
        if let Some(code) = self.codes.get(name) {
            return *code;
        }
        // A stretch has no more names than can be counted so.
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let code = Code(NonZeroU32::MIN.saturating_add(place));
        self.names.push(Named { text: name.into(), key: Key::of(name).half() });
        self.codes.insert(name.into(), code);
        code
    }

    /// Takes in the next entry.
    pub fn add(&mut self, index: u64, event: &Event) {
        self.add_fact(index, &Fact::of(event));
    }

    /// Takes in the facts of the next entry.
    pub fn add_fact(&mut self, index: u64, fact: &Fact<'_>) {
        let names = Coded {
            agent: fact.agent.map(|name| self.code(name)),
            user: fact.user.map(|name| self.code(name)),
            action: fact.action.map(|name| self.code(name)),
            place: fact.resource.map(|uri| self.code(place_of(uri))),
            session: fact.session_id.map(|session| SessionKey::of(fact.agent, session)),
        };
        self.add_coded(index, fact, names);
    }

    /// Takes in the facts of the next entry, whose names have codes already.
    pub fn add_coded(&mut self, index: u64, fact: &Fact<'_>, names: Coded) {
        let first = *self.first.get_or_insert(index);
        self.end = index.saturating_add(1);
        if is_own(fact) {
            self.words.extend(word(fact).map(|(id, word)| Said { index, id, word }));
            return;
        }
        let Coded { agent, user, action, place, session } = names;
        self.whereto.push(Whereto { agent, user, call: call_of(fact), session });
        self.rows.push(Row {
            id: fact.id,
            time: fact.time,
            tokens: fact.input_tokens.unwrap_or(0).saturating_add(fact.output_tokens.unwrap_or(0)),
            cost: fact.cost_micros.unwrap_or(0),
            behind: u32::try_from(index.saturating_sub(first)).unwrap_or(u32::MAX),
            action,
            place,
            news: News::of(fact),
        });
    }

    /// The entry of a row.
    pub(crate) fn index(&self, row: &Row) -> u64 {
        self.first.unwrap_or(0).saturating_add(row.behind.into())
    }
}

impl Code {
    pub(crate) fn at(self) -> usize {
        usize::try_from(self.0.get() - 1).unwrap_or(usize::MAX)
    }
}

impl SessionKey {
    pub(crate) fn key(self) -> Key {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |uri, expected| assert_eq!(place_of(uri), expected);
        check("crm://contacts/7", "crm://contacts");
        check("crm://contacts", "crm://contacts");
        check("/a/b", "");
        check("plain", "plain");
        check("https://é/x", "https://é");
    }
}
