//! Consecutive entries as a detector looks at them: what many of them say is held once, and what is compared is hashed
//! already. Whoever reads columns makes stretches side by side; the detector takes them one after the other.

use std::collections::HashMap;

use greffier_event::{Event, EventId, Timestamp};

use super::recent::News;
use super::standing::{Word, word};
use crate::calls::call_of;
use crate::fact::Fact;
use crate::keyed::Key;
use crate::meaning::is_own;

/// A name within one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u32);

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

/// One event of somebody; Greffier's own are no behaviour.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) index: u64,
    pub(crate) id: EventId,
    pub(crate) time: Timestamp,
    pub(crate) call: Option<Key>,
    /// What it says of its call.
    pub(crate) news: News,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
    pub(crate) names: Coded,
}

/// What the rules look at of a row.
pub(crate) struct Look<'a> {
    pub(crate) index: u64,
    pub(crate) id: EventId,
    pub(crate) time: Timestamp,
    /// What it says of its call that no earlier one said.
    pub(crate) news: News,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
    pub(crate) action: Option<&'a Named>,
    pub(crate) place: Option<&'a Named>,
}

impl<'a> Look<'a> {
    pub(crate) fn of(stretch: &'a Stretch, row: &Row, news: News) -> Look<'a> {
        let Row { index, id, time, tokens, cost, names, .. } = *row;
        let named = |code: Option<Code>| code.and_then(|code| stretch.named(code));
        Look { index, id, time, news, tokens, cost, action: named(names.action), place: named(names.place) }
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
    names: Vec<Named>,
    codes: HashMap<Box<str>, Code>,
    pub(crate) rows: Vec<Row>,
    pub(crate) words: Vec<Said>,
    /// One behind the last entry.
    pub(crate) end: u64,
}

impl Stretch {
    /// The code of a name.
    pub fn code(&mut self, name: &str) -> Code {
        if let Some(code) = self.codes.get(name) {
            return *code;
        }
        // A stretch has fewer names than rows can be counted.
        let code = Code(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
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
        self.end = index.saturating_add(1);
        if is_own(fact) {
            self.words.extend(word(fact).map(|(id, word)| Said { index, id, word }));
            return;
        }
        self.rows.push(Row {
            index,
            id: fact.id,
            time: fact.time,
            call: call_of(fact),
            news: News::of(fact),
            tokens: fact.input_tokens.unwrap_or(0).saturating_add(fact.output_tokens.unwrap_or(0)),
            cost: fact.cost_micros.unwrap_or(0),
            names,
        });
    }

    pub(crate) fn named(&self, code: Code) -> Option<&Named> {
        self.names.get(code.at())
    }

    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }
}

impl Code {
    pub(crate) fn at(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
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
