//! Erasures and holds as the trail tells them: who asked, who approved, how it ended, what still stands.

use std::collections::BTreeMap;

use greffier_event::{Tenant, Timestamp};

use super::orders::{Act, Notice, Orders};
use super::{EraseError, Eraser, Scope, Target};
use greffier_event::Event;

/// Where an erasure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a second person.
    Pending,
    /// A second person said no.
    Denied,
    /// Entry `by` ordered it, and it is under way.
    Ordered {
        /// The entry.
        by: u64,
    },
    /// Entry `by` ordered it, and it is done.
    Done {
        /// The entry.
        by: u64,
    },
    /// It ended without being done.
    Failed,
}

/// An erasure that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Joins its entries.
    pub id: String,
    /// Whose or which parts.
    pub target: Target,
    /// The entry that asks for it.
    pub asked: u64,
    /// Who asked, as the entry names them.
    pub asked_by: Option<String>,
    /// Who approved or denied it.
    pub decided_by: Option<String>,
    /// When it was asked for.
    pub time: Timestamp,
    /// How far it is.
    pub state: State,
}

/// A legal hold that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Joins it with its release.
    pub id: String,
    /// What it protects.
    pub scope: Scope,
    /// The entry that says so.
    pub index: u64,
    /// Who placed it, as the entry names them.
    pub by: Option<String>,
    /// Since when.
    pub time: Timestamp,
}

impl Orders {
    /// The holds that stand, oldest first.
    pub(crate) fn holds(&self) -> Vec<Held> {
        let mut standing: BTreeMap<u64, Held> = BTreeMap::new();
        for notice in self.notices() {
            match &notice.act {
                Act::Held(scope) => {
                    let (id, index, by) = (notice.request().to_owned(), notice.index, who(&notice.event));
                    let held = Held { id, scope: scope.clone(), index, by, time: notice.event.time };
                    standing.insert(index, held);
                }
                Act::Released(_) => standing.retain(|_, held| held.id != notice.request()),
                _ => {}
            }
        }
        standing.into_values().collect()
    }

    /// Every erasure that was asked for or ordered, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let mut all: Vec<Request> = Vec::new();
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        for notice in self.notices() {
            let Some((target, state)) = stage(notice) else { continue };
            let known = at.get(notice.request()).and_then(|at| all.get_mut(*at));
            match known {
                None => {
                    at.insert(notice.request().to_owned(), all.len());
                    all.push(Request {
                        id: notice.request().to_owned(),
                        target: target.clone(),
                        asked: notice.index,
                        asked_by: who(&notice.event),
                        decided_by: None,
                        time: notice.event.time,
                        state,
                    });
                }
                Some(request) if request.target == *target => request.advance(notice, state),
                Some(_) => {}
            }
        }
        all
    }
}

/// What one entry says of its erasure; that it is done, the order's number says, which is filled in later.
fn stage(notice: &Notice) -> Option<(&Target, State)> {
    Some(match &notice.act {
        Act::Asked(target) => (target, State::Pending),
        Act::Denied(target) => (target, State::Denied),
        Act::Ordered(target) => (target, State::Ordered { by: notice.index }),
        Act::Done(target) => (target, State::Done { by: notice.index }),
        Act::Failed(target) => (target, State::Failed),
        _ => return None,
    })
}

impl Request {
    fn advance(&mut self, notice: &Notice, state: State) {
        self.state = match (self.state, state) {
            (State::Ordered { by }, State::Done { .. }) | (State::Done { by }, _) => State::Done { by },
            (State::Pending | State::Ordered { .. }, state) => state,
            // After the end only an order can follow: one that was made again on data from an older copy.
            (ended, State::Ordered { by }) if ended != State::Denied => State::Ordered { by },
            (ended, _) => ended,
        };
        if matches!(state, State::Denied | State::Ordered { .. }) {
            self.decided_by = who(&notice.event);
        }
    }
}

fn who(event: &Event) -> Option<String> {
    event.user.as_ref().map(|user| user.sub.clone())
}

impl Eraser {
    /// Every erasure of a tenant, oldest first. Blocks.
    pub fn requests(&self, tenant: &Tenant) -> Result<Vec<Request>, EraseError> {
        Ok(self.0.reader.orders(tenant)?.requests())
    }

    /// The legal holds of a tenant that stand, oldest first. Blocks.
    pub fn holds(&self, tenant: &Tenant) -> Result<Vec<Held>, EraseError> {
        Ok(self.0.reader.orders(tenant)?.holds())
    }

    /// Orders of all trails that are not done.
    pub(super) fn unfinished(&self) -> Result<Vec<(Event, u64, Target)>, EraseError> {
        let mut open = Vec::new();
        for (trail, _) in self.0.reader.trails()? {
            let orders = self.0.reader.orders(&trail)?;
            for request in orders.requests() {
                let State::Ordered { by } = request.state else { continue };
                let order = orders.notices().find(|notice| notice.index == by);
                open.extend(order.map(|order| (order.event.clone(), by, request.target)));
            }
        }
        Ok(open)
    }
}
