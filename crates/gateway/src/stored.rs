//! Responses that a provider keeps: whose they are, and what they cost.
//!
//! All callers share the upstream's key, so to the provider every stored response is everybody's. This table remembers
//! who asked for each: to anybody else it is not there. What the table does not know (it came before a restart, or
//! through another node) is left to the policies and to the provider's ids, which nobody can guess.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use greffier_event::Principal;
use http::Method;

/// Responses remembered: a day of a busy team, at some 300 bytes each 20 MiB.
const MAX_KEPT: usize = 65_536;
/// Longest id taken; `OpenAI`'s have some 50 characters.
const MAX_ID: usize = 128;

/// What is asked of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Delete,
    Cancel,
    InputItems,
}

/// A stored response, as a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) verb: Verb,
}

impl Stored {
    /// Reads `/v1/responses/{id}…`; the flag says whether the path takes that method.
    pub(crate) fn parse(method: &Method, path: &str) -> Option<(Stored, bool)> {
        let rest = path.strip_prefix("/v1/responses/")?;
        let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if !(1..=MAX_ID).contains(&id.len()) || !id.bytes().all(plain) {
            return None;
        }
        let (verb, taken) = match tail {
            "" if *method == Method::DELETE => (Verb::Delete, true),
            "" => (Verb::Get, *method == Method::GET),
            "cancel" => (Verb::Cancel, *method == Method::POST),
            "input_items" => (Verb::InputItems, *method == Method::GET),
            _ => return None,
        };
        Some((Stored { id: id.to_owned(), verb }, taken))
    }

    /// The path upstream, below the base URL.
    pub(crate) fn path(&self) -> String {
        let tail = match self.verb {
            Verb::Get | Verb::Delete => "",
            Verb::Cancel => "/cancel",
            Verb::InputItems => "/input_items",
        };
        format!("/responses/{}{tail}", self.id)
    }
}

/// Whose a response is: one user's, or one service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    tenant: String,
    issuer: String,
    user: Option<String>,
    /// Of a service, which has no user.
    agent: Option<String>,
}

impl Owner {
    pub(crate) fn of(principal: &Principal) -> Owner {
        Owner {
            tenant: principal.tenant.as_str().to_owned(),
            issuer: principal.issuer.clone(),
            user: principal.user.clone(),
            agent: principal.user.is_none().then(|| principal.agent.clone()),
        }
    }
}

/// A response on its way through its life.
struct Known {
    owner: Owner,
    model: String,
    /// Whether its tokens are on record: a background response has none before it is done.
    counted: bool,
}

/// That response belongs to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotYours;

/// What is remembered of stored responses, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct StoredResponses(Mutex<Table>);

#[derive(Default)]
struct Table {
    known: HashMap<String, Known>,
    order: VecDeque<String>,
}

impl StoredResponses {
    /// Remembers a response that was asked for, and whether its tokens are counted already.
    pub(crate) fn keep(&self, id: &str, owner: Owner, model: &str, counted: bool) {
        let Ok(mut table) = self.0.lock() else { return };
        if id.len() > MAX_ID || table.known.contains_key(id) {
            return;
        }
        if table.order.len() >= MAX_KEPT
            && let Some(oldest) = table.order.pop_front()
        {
            table.known.remove(&oldest);
        }
        table.order.push_back(id.to_owned());
        table.known.insert(id.to_owned(), Known { owner, model: model.to_owned(), counted });
    }

    /// The model behind a response of this caller's; `None` if it is not known here.
    pub(crate) fn model(&self, id: &str, caller: &Owner) -> Result<Option<String>, NotYours> {
        let Ok(table) = self.0.lock() else { return Err(NotYours) };
        match table.known.get(id) {
            None => Ok(None),
            Some(known) if known.owner == *caller => Ok(Some(known.model.clone())),
            Some(_) => Err(NotYours),
        }
    }

    /// Whether the tokens of a response are to be recorded now: once, however often it is looked at.
    pub(crate) fn count_once(&self, id: &str) -> bool {
        let Ok(mut table) = self.0.lock() else { return false };
        table.known.get_mut(id).is_some_and(|known| !std::mem::replace(&mut known.counted, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str) -> Owner {
        Owner { tenant: "acme".to_owned(), issuer: "i".to_owned(), user: Some(user.to_owned()), agent: None }
    }

    #[test]
    fn paths() {
        let check = |method: &Method, path: &str| {
            Stored::parse(method, path).map(|(stored, taken)| (stored.path(), stored.verb, taken))
        };
        insta::assert_debug_snapshot!([
            check(&Method::GET, "/v1/responses/resp_1"),
            check(&Method::DELETE, "/v1/responses/resp_1"),
            check(&Method::POST, "/v1/responses/resp_1"),
            check(&Method::POST, "/v1/responses/resp_1/cancel"),
            check(&Method::GET, "/v1/responses/resp_1/input_items"),
            check(&Method::GET, "/v1/responses/resp_1/other"),
            check(&Method::GET, "/v1/responses/../models"),
            check(&Method::GET, "/v1/responses/"),
        ]);
    }

    #[test]
    fn a_response_is_its_owners_and_counted_once() {
        let stored = StoredResponses::default();
        stored.keep("resp_1", owner("alice"), "gpt-5", false);
        stored.keep("resp_1", owner("bob"), "gpt-5", false);
        assert_eq!(stored.model("resp_1", &owner("alice")), Ok(Some("gpt-5".to_owned())));
        assert_eq!(stored.model("resp_1", &owner("bob")), Err(NotYours));
        assert_eq!(stored.model("resp_2", &owner("bob")), Ok(None));
        assert_eq!([stored.count_once("resp_1"), stored.count_once("resp_1")], [true, false]);
        assert!(!stored.count_once("resp_2"));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let stored = StoredResponses::default();
        for number in 0..=MAX_KEPT {
            stored.keep(&format!("resp_{number}"), owner("alice"), "m", true);
        }
        assert_eq!(stored.model("resp_0", &owner("bob")), Ok(None));
        assert_eq!(stored.model("resp_1", &owner("bob")), Err(NotYours));
    }
}
