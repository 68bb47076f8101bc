//! Sessions: whose each one is, what is under way in it, and the process behind it.
//!
//! A session id is no credential: it belongs to whoever opened it, and to anybody else it does not exist. Only what was
//! opened through us exists at all, so that after a restart callers open theirs anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use greffier_event::Principal;

use super::process::Process;
use super::rpc::Id;

/// Sessions held. Each has a few hundred bytes, and at most the calls below.
const MAX_SESSIONS: usize = 4_096;
/// Sessions of one caller: past that its oldest ends.
const MAX_OF_ONE: usize = 64;
/// Calls of one session that wait for somebody outside: a client that is asked, a stream that is resumed.
const MAX_WAITING: usize = 64;
/// A session that nobody used for so long ends.
const IDLE: Duration = Duration::from_secs(24 * 3_600);
/// Longest wait for a client's answer, or for a stream that broke off to be resumed: a person may have to decide.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Who a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    tenant: String,
    user: Option<String>,
    agent: String,
}

impl Owner {
    pub(crate) fn of(principal: &Principal) -> Owner {
        Owner {
            tenant: principal.tenant.as_str().to_owned(),
            user: principal.user.clone(),
            agent: principal.client_id.clone().unwrap_or_else(|| principal.agent.clone()),
        }
    }
}

/// Which session: of which server, and by which name. Requests that name none share one per caller and server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) server: String,
    owner: Owner,
    id: Option<String>,
}

impl Key {
    pub(crate) fn new(server: &str, owner: Owner, id: Option<&str>) -> Key {
        Key { server: server.to_owned(), owner, id: id.map(str::to_owned) }
    }

    /// The session's id on the wire.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// Sessions of all servers; `A` is what waits for a client's answer, `S` what waits for its stream to be resumed.
pub(crate) struct Sessions<A, S> {
    held: Mutex<HashMap<Key, Session<A, S>>>,
}

struct Session<A, S> {
    used: Instant,
    process: Option<Arc<Process>>,
    asked: HashMap<Id, (Instant, A)>,
    suspended: HashMap<Id, (Instant, S)>,
}

impl<A, S> Default for Sessions<A, S> {
    fn default() -> Self {
        Sessions { held: Mutex::default() }
    }
}

/// What a session leaves when it ends, or has waited for too long.
pub(crate) struct Left<A, S> {
    pub(crate) asked: Vec<A>,
    pub(crate) suspended: Vec<S>,
    pub(crate) processes: Vec<Arc<Process>>,
}

impl<A, S> Default for Left<A, S> {
    fn default() -> Self {
        Left { asked: Vec::new(), suspended: Vec::new(), processes: Vec::new() }
    }
}

impl<A, S> Left<A, S> {
    fn take(&mut self, session: Session<A, S>) {
        self.asked.extend(session.asked.into_values().map(|(_, asked)| asked));
        self.suspended.extend(session.suspended.into_values().map(|(_, suspended)| suspended));
        self.processes.extend(session.process);
    }
}

impl<A, S> Sessions<A, S> {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Session<A, S>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is a session of ours, and its owner's; it counts as used.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.held().get_mut(key).map(|session| session.used = Instant::now()).is_some()
    }

    /// Opens a session, if it is none yet. What had to end for it is left to the caller.
    pub(crate) fn open(&self, key: &Key) -> Left<A, S> {
        let mut held = self.held();
        let mut left = Left::default();
        if let Some(session) = held.get_mut(key) {
            session.used = Instant::now();
            return left;
        }
        let oldest = |held: &HashMap<Key, Session<A, S>>, whose: Option<&Owner>| {
            let mine = held.iter().filter(|(key, _)| whose.is_none_or(|owner| key.owner == *owner));
            mine.min_by_key(|(_, session)| session.used).map(|(key, _)| key.clone())
        };
        let crowded = held.keys().filter(|other| other.owner == key.owner).count() >= MAX_OF_ONE;
        let ends = match (crowded, held.len() >= MAX_SESSIONS) {
            (true, _) => oldest(&held, Some(&key.owner)),
            (false, true) => oldest(&held, None),
            (false, false) => None,
        };
        if let Some(session) = ends.and_then(|ends| held.remove(&ends)) {
            left.take(session);
        }
        let session =
            Session { used: Instant::now(), process: None, asked: HashMap::new(), suspended: HashMap::new() };
        held.insert(key.clone(), session);
        left
    }

    /// Ends a session.
    pub(crate) fn close(&self, key: &Key) -> Left<A, S> {
        let mut left = Left::default();
        if let Some(session) = self.held().remove(key) {
            left.take(session);
        }
        left
    }

    /// The process behind a session.
    pub(crate) fn process(&self, key: &Key) -> Option<Arc<Process>> {
        self.held().get(key).and_then(|session| session.process.clone()).filter(|process| !process.is_over())
    }

    /// Puts a process behind a session.
    pub(crate) fn attach(&self, key: &Key, process: Arc<Process>) {
        if let Some(session) = self.held().get_mut(key) {
            session.process = Some(process);
        }
    }

    /// How many processes of a server there are.
    pub(crate) fn processes(&self, server: &str) -> usize {
        let held = self.held();
        let running =
            |session: &Session<A, S>| session.process.as_ref().is_some_and(|process| !process.is_over());
        held.iter().filter(|(key, session)| key.server == server && running(session)).count()
    }

    /// Something the client was asked; given back if too much waits already. A stream that is resumed brings a question
    /// again: what waited under its id no longer does, and is left to the caller.
    pub(crate) fn ask(&self, key: &Key, id: Id, asked: A) -> Result<Option<A>, A> {
        let mut held = self.held();
        let waiting = held.get_mut(key).map(|session| &mut session.asked);
        let before = waiting.and_then(|waiting| waiting.remove(&id)).map(|(_, before)| before);
        wait(held.get_mut(key).map(|session| &mut session.asked), id, asked).map(|()| before)
    }

    /// Whether no further question can wait for the client.
    pub(crate) fn is_full(&self, key: &Key) -> bool {
        self.held().get(key).is_none_or(|session| session.asked.len() >= MAX_WAITING)
    }

    /// What the client answers.
    pub(crate) fn answered(&self, key: &Key, id: &Id) -> Option<A> {
        self.held().get_mut(key)?.asked.remove(id).map(|(_, asked)| asked)
    }

    /// A call whose stream broke off before its result; given back if too much waits already.
    pub(crate) fn suspend(&self, key: &Key, id: Id, suspended: S) -> Result<(), S> {
        wait(self.held().get_mut(key).map(|session| &mut session.suspended), id, suspended)
    }

    /// The call whose result has come.
    pub(crate) fn resumed(&self, key: &Key, id: &Id) -> Option<S> {
        self.held().get_mut(key)?.suspended.remove(id).map(|(_, suspended)| suspended)
    }

    /// What has waited for too long, of sessions that go on, and all of those that end; `all` ends them all.
    pub(crate) fn settle(&self, now: Instant, all: bool) -> Left<A, S> {
        let mut left = Left::default();
        let mut held = self.held();
        let over = |since: Instant, time: Duration| now.saturating_duration_since(since) > time;
        let ended: Vec<Key> = held
            .iter()
            .filter(|(_, session)| all || over(session.used, IDLE))
            .map(|(key, _)| key.clone())
            .collect();
        for key in ended {
            if let Some(session) = held.remove(&key) {
                left.take(session);
            }
        }
        for session in held.values_mut() {
            let late = |waiting: &(Instant, _)| over(waiting.0, PATIENCE);
            left.asked.extend(
                session.asked.extract_if(|_, (since, _)| over(*since, PATIENCE)).map(|(_, (_, asked))| asked),
            );
            let suspended = session.suspended.extract_if(|_, waiting| late(waiting));
            left.suspended.extend(suspended.map(|(_, (_, suspended))| suspended));
            if let Some(process) =
                session.process.take_if(|process| process.is_over() || process.is_idle(now))
            {
                left.processes.push(process);
            }
        }
        left
    }
}

fn wait<T>(waiting: Option<&mut HashMap<Id, (Instant, T)>>, id: Id, what: T) -> Result<(), T> {
    match waiting {
        Some(waiting) if waiting.len() < MAX_WAITING && !waiting.contains_key(&id) => {
            waiting.insert(id, (Instant::now(), what));
            Ok(())
        }
        _ => Err(what),
    }
}
