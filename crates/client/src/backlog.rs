//! What was logged and is not written yet: numbered, bounded, in order.
//!
//! Callers add at one end under a lock that is held for a push, or for one write to a spool's file; the writer thread
//! takes batches from the other. It is woken for a full batch, for the first event after a rest, and by whoever
//! flushes; not for each event, which would cost its caller a system call.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::BackendError;
use crate::event::{AuditEvent, Origin};
use crate::overflow::{NotLogged, Why};
use crate::spool::{self, Spool};

/// Events that wait for the writer.
#[derive(Debug)]
pub(crate) struct Backlog {
    producer: Arc<str>,
    capacity: u64,
    state: Mutex<State>,
    /// The writer waits here.
    filled: Condvar,
    /// Callers wait here: for room, or for what they logged to be written.
    moved: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    /// The number of the next event of this producer.
    next: u64,
    /// Lines that an earlier process left in the spool.
    left: u64,
    /// Of these and of this producer's, how many the backend has, or will never have.
    pub(crate) done: u64,
    /// The writer sleeps until so many wait; 0 if it is awake.
    wake_at: u64,
    /// Somebody waits until so many are done.
    wanted: u64,
    /// Nobody is let in any more.
    closing: bool,
    /// What is not written now will not be.
    giving_up: bool,
    /// The writer is gone.
    pub(crate) ended: bool,
    /// Attempts that failed, and why the last one did; none once one succeeded.
    failures: u64,
    pub(crate) reason: Option<String>,
}

/// Where events wait.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(VecDeque<AuditEvent>),
    Spool(Spool),
}

impl State {
    pub(crate) fn waiting(&self) -> u64 {
        self.left + self.next - self.done
    }

    pub(crate) fn logged(&self) -> u64 {
        self.next
    }

    /// Lines and events so far.
    pub(crate) fn all(&self) -> u64 {
        self.left + self.next
    }

    fn is_urgent(&self) -> bool {
        self.done < self.wanted
    }
}

impl Backlog {
    pub(crate) fn new(producer: Arc<str>, capacity: usize, store: Store, left: u64) -> Backlog {
        Backlog {
            producer,
            capacity: capacity.max(1) as u64,
            state: Mutex::new(State {
                store,
                next: 0,
                left,
                done: 0,
                wake_at: 0,
                wanted: 0,
                closing: false,
                giving_up: false,
                ended: false,
                failures: 0,
                reason: None,
            }),
            filled: Condvar::new(),
            moved: Condvar::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that waits in memory; after `patience` without room it is given back.
    pub(crate) fn push(&self, mut event: AuditEvent, patience: Duration) -> Result<(), NotLogged> {
        let mut state = self.state();
        if !state.closing && state.waiting() >= self.capacity && !patience.is_zero() {
            let full = |state: &mut State| !state.closing && state.waiting() >= self.capacity;
            let waited = self.moved.wait_timeout_while(state, patience, full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closing {
            return Err(NotLogged::new(event, Why::Closed));
        }
        if state.waiting() >= self.capacity {
            return Err(NotLogged::new(event, Why::Full));
        }
        let sequence = state.next;
        if let Store::Memory(events) = &mut state.store {
            event.origin = Some(Origin { producer: Arc::clone(&self.producer), sequence });
            events.push_back(event);
        }
        self.added(state);
        Ok(())
    }

    /// Adds an event to the spool: the system has it when this returns.
    pub(crate) fn spool(&self, event: &AuditEvent) -> Result<(), Why> {
        // Encoded before the lock is taken; its number, which only the lock knows, is the last of the line.
        let mut line = spool::room();
        event.write_numbered(&mut line, &self.producer);
        let mut state = self.state();
        if state.closing {
            return Err(Why::Closed);
        }
        AuditEvent::finish_numbered(&mut line, state.next);
        if let Store::Spool(spool) = &mut state.store {
            let added = spool.add(&mut line).map_err(BackendError::io("writing to the spool"))?;
            if !added {
                return Err(Why::Full);
            }
        }
        self.added(state);
        Ok(())
    }

    fn added(&self, mut state: MutexGuard<'_, State>) {
        state.next += 1;
        let wake = state.wake_at > 0 && state.waiting() >= state.wake_at;
        if wake {
            state.wake_at = 0;
        }
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Waits until there is something to write: a batch, or what came in since the first event of one was added.
    /// `false` once everything is written and nothing more will come.
    pub(crate) fn wait(&self, batch: u64, every: Duration) -> bool {
        let batch = batch.min(self.capacity);
        let mut state = self.state();
        state.wake_at = 1;
        let idle = |state: &mut State| state.waiting() == 0 && !state.closing;
        state = self.filled.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        state.wake_at = batch;
        let few = |state: &mut State| state.waiting() < batch && !state.closing && !state.is_urgent();
        let waited = self.filled.wait_timeout_while(state, every, few);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.wake_at = 0;
        state.waiting() > 0
    }

    /// So many events are done with.
    pub(crate) fn done(&self, events: u64) {
        let done = self.state().done + events;
        self.done_up_to(done);
    }

    /// All events up to this one are done with.
    pub(crate) fn done_up_to(&self, events: u64) {
        let mut state = self.state();
        state.done = state.done.max(events);
        state.reason = None;
        drop(state);
        self.moved.notify_all();
    }

    /// An attempt failed. Waits before the next one, unless somebody flushes or closes meanwhile; `false` if there is to
    /// be none.
    pub(crate) fn failed(&self, reason: String, pause: Duration) -> bool {
        let mut state = self.state();
        state.failures += 1;
        state.reason = Some(reason);
        state.wanted = 0;
        self.moved.notify_all();
        let closing = state.closing;
        let patient = |state: &mut State| !state.is_urgent() && state.closing == closing && !state.giving_up;
        let waited = self.filled.wait_timeout_while(state, pause, patient);
        !waited.unwrap_or_else(PoisonError::into_inner).0.giving_up
    }

    /// Waits until everything that was logged so far is written, or until it was tried without success.
    pub(crate) fn drain(&self, within: Duration) -> Result<(), String> {
        let end = Instant::now().checked_add(within);
        let mut state = self.state();
        let (target, failures) = (state.all(), state.failures);
        state.wanted = state.wanted.max(target);
        self.filled.notify_one();
        loop {
            if state.done >= target {
                return Ok(());
            }
            let failed = state.failures > failures || state.ended;
            if let Some(reason) = state.reason.clone().filter(|_| failed) {
                return Err(reason);
            }
            let left = end.map_or(within, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() || state.ended {
                return Err("it takes longer than was waited for".to_owned());
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets nobody in any more, and the writer end when all is written.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        drop(state);
        self.filled.notify_all();
        self.moved.notify_all();
    }

    /// Lets the writer end after the attempt at hand.
    pub(crate) fn give_up(&self) {
        self.state().giving_up = true;
        self.filled.notify_all();
    }

    /// The writer is gone.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.moved.notify_all();
    }

    /// Waits until the writer is gone.
    pub(crate) fn ended(&self, within: Duration) -> bool {
        let state = self.state();
        let running = |state: &mut State| !state.ended;
        let waited = self.moved.wait_timeout_while(state, within, running);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}
