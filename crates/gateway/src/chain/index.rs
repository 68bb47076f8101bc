//! What is remembered of the last hour's calls: from a mark to the sessions that left it. In memory only, bounded,
//! apart for each tenant and each user with an agent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use greffier_event::{Principal, Tenant, Timestamp};

/// Marks kept for one tenant: a call leaves some five, so this is an hour of two calls a second, at under 200 bytes
/// each 6 MiB. Past it the oldest go first, and a tenant's flood forgets nothing of others.
const MAX_MARKS: usize = 32_768;
/// Tenants kept apart: more than one node serves within an hour.
const MAX_TENANTS: usize = 1_024;
/// Marks of all tenants together: some 25 MiB.
const MAX_ALL: usize = 131_072;
/// How long a mark links, in microseconds: an hour. Tools answer in seconds, people come back within minutes; what is
/// older is more likely a coincidence.
const MAX_AGE: i64 = 3_600 * 1_000_000;
/// A mark that is met again is young again, but not more often than this: a trace of 1,000 calls is one mark.
const REFRESH: i64 = 60 * 1_000_000;
/// Leads kept of one mark. A mark that so many calls left tells nobody apart.
const MAX_LEADS: usize = 16;

/// Whose calls may be linked with each other: one user's through one agent, or one service's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    issuer: String,
    user: Option<String>,
    agent: String,
}

impl Owner {
    pub(super) fn of(principal: &Principal) -> Owner {
        Owner {
            issuer: principal.issuer.clone(),
            user: principal.user.clone(),
            agent: principal.agent.clone(),
        }
    }
}

/// What a call and a later one may have in common: keyed digests, so that nothing of it can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    pub(super) digest: u64,
}

/// What a mark is a digest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A trace.
    Trace,
    /// A reply, by its id.
    Response,
    /// A tool call that a model asked for, by its id.
    CallId,
    /// A tool call that a model asked for, by what it was to be called with.
    Asked,
    /// A conversation up to and with an answer.
    History,
    /// A conversation up to and without an answer.
    Question,
}

/// Where a mark leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) session: Arc<str>,
    /// Of a tool call that was asked for: digest of its name.
    pub(super) name: u64,
    /// Of a tool call: digest of its id. Of an id: the digest of what it is to be called with.
    pub(super) other: u64,
}

impl Lead {
    pub(super) fn to(session: &Arc<str>) -> Lead {
        Lead { session: Arc::clone(session), name: 0, other: 0 }
    }
}

#[derive(Debug)]
struct Known {
    leads: Vec<Lead>,
    /// More calls left this mark than are kept.
    crowded: bool,
    seen: Timestamp,
}

/// One tenant's marks, and the order in which they are forgotten.
#[derive(Debug, Default)]
struct Book {
    known: HashMap<(Arc<Owner>, Mark), Known>,
    order: VecDeque<(Timestamp, Arc<Owner>, Mark)>,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Index {
    books: HashMap<Tenant, Book>,
    /// Marks of all of them.
    all: usize,
}

impl Index {
    /// Where a mark leads; nowhere if nobody left it, too long ago, or too many.
    pub(super) fn leads(&self, tenant: &Tenant, owner: &Arc<Owner>, mark: Mark, now: Timestamp) -> &[Lead] {
        let book = self.books.get(tenant);
        match book.and_then(|book| book.known.get(&(Arc::clone(owner), mark))) {
            Some(known) if !known.crowded && age(known.seen, now) <= MAX_AGE => &known.leads,
            _ => &[],
        }
    }

    /// The one session that left a mark.
    pub(super) fn session(
        &self,
        tenant: &Tenant,
        owner: &Arc<Owner>,
        mark: Mark,
        now: Timestamp,
    ) -> Option<Arc<str>> {
        only(self.leads(tenant, owner, mark, now).iter())
    }

    /// Remembers that a call of a session left a mark.
    pub(super) fn keep(
        &mut self,
        tenant: &Tenant,
        owner: &Arc<Owner>,
        mark: Mark,
        lead: Lead,
        now: Timestamp,
    ) {
        if !self.books.contains_key(tenant) && self.books.len() >= MAX_TENANTS {
            self.forget_a_tenant();
        }
        let book = self.books.entry(tenant.clone()).or_default();
        let before = book.order.len();
        book.keep(owner, mark, lead, now);
        self.all = (self.all + book.order.len()).saturating_sub(before);
        if self.all > MAX_ALL
            && let Some(largest) = self.books.values_mut().max_by_key(|book| book.order.len())
        {
            largest.forget_oldest();
            self.all = self.all.saturating_sub(1);
        }
    }

    /// A tool call has its result: nothing else will be that call.
    pub(super) fn answered(&mut self, tenant: &Tenant, owner: &Arc<Owner>, call: u64, now: Timestamp) {
        let asked: Vec<(Mark, Arc<str>)> = self
            .leads(tenant, owner, Mark { kind: Kind::CallId, digest: call }, now)
            .iter()
            .map(|lead| (Mark { kind: Kind::Asked, digest: lead.other }, Arc::clone(&lead.session)))
            .collect();
        let Some(book) = self.books.get_mut(tenant) else { return };
        for (mark, session) in asked {
            if let Some(known) = book.known.get_mut(&(Arc::clone(owner), mark)) {
                known.leads.retain(|lead| lead.other != call || lead.session != session);
            }
        }
    }

    /// The tenant nobody called for the longest time.
    fn forget_a_tenant(&mut self) {
        let quietest = self.books.iter().min_by_key(|(_, book)| book.order.back().map(|(seen, ..)| *seen));
        if let Some(tenant) = quietest.map(|(tenant, _)| tenant.clone()) {
            let gone = self.books.remove(&tenant).map_or(0, |book| book.order.len());
            self.all = self.all.saturating_sub(gone);
        }
    }
}

impl Book {
    fn keep(&mut self, owner: &Arc<Owner>, mark: Mark, lead: Lead, now: Timestamp) {
        while self.order.front().is_some_and(|(seen, ..)| age(*seen, now) > MAX_AGE) {
            self.forget_oldest();
        }
        let key = (Arc::clone(owner), mark);
        let fresh = Known { leads: Vec::new(), crowded: false, seen: now };
        let known = self.known.entry(key).or_insert(fresh);
        let is_new = known.leads.is_empty();
        if !known.leads.contains(&lead) {
            if known.leads.len() >= MAX_LEADS {
                known.crowded = true;
            } else {
                known.leads.push(lead);
            }
        }
        if is_new || age(known.seen, now) > REFRESH {
            known.seen = now;
            self.order.push_back((now, Arc::clone(owner), mark));
        }
        while self.order.len() > MAX_MARKS {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest mark, unless it was met again since.
    fn forget_oldest(&mut self) {
        let Some((seen, owner, mark)) = self.order.pop_front() else { return };
        let key = (owner, mark);
        if self.known.get(&key).is_some_and(|known| known.seen == seen) {
            self.known.remove(&key);
        }
    }
}

/// The one session that all these leads lead to.
pub(super) fn only<'a>(leads: impl Iterator<Item = &'a Lead>) -> Option<Arc<str>> {
    let mut one: Option<&Arc<str>> = None;
    for lead in leads {
        match one {
            Some(session) if *session != lead.session => return None,
            _ => one = Some(&lead.session),
        }
    }
    one.cloned()
}

/// Microseconds from then to now; none if the clock was set back.
fn age(then: Timestamp, now: Timestamp) -> i64 {
    now.as_micros().saturating_sub(then.as_micros())
}

#[cfg(test)]
mod tests;
