//! Takes events from the agent's threads and sees to it that the backend gets them all, in order, numbered.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::apart::{Apart, apart};
use crate::backend::{AuditBackend, BackendError};
use crate::backlog::{Backlog, Store};
use crate::clock;
use crate::event::{AuditEvent, Origin};
use crate::filter::Filter;
use crate::metrics::{Counters, Metrics, add, read};
use crate::overflow::{NotFlushed, NotLogged, NotWritten, Overflow, Why};
use crate::spool::Spool;
use crate::writer::{self, OnRejected};

/// Events that wait in memory: some 8 MiB of them.
const BUFFER: usize = 8_192;
/// How long the first event of a batch waits for others.
const EVERY: Duration = Duration::from_millis(100);
/// How long the last holder of a logger waits for it to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long an attempt may take that is under way when the time for a shutdown is over.
const LAST_ATTEMPT: Duration = Duration::from_secs(60);

/// Logs events without waiting for where they go. Cheap to clone; when the last clone is dropped it shuts down, five
/// seconds at most. A program that ends by other ways calls [`shutdown`](AuditLogger::shutdown) before.
///
/// ```
/// use std::time::Duration;
/// use greffier_client::{AuditEvent, AuditLogger, EventType, FileBackend, Filter};
///
/// let dir = tempfile::tempdir()?;
/// let logger = AuditLogger::new(FileBackend::open(dir.path().join("audit.jsonl"))?)?;
/// logger.log(AuditEvent::new(EventType::ToolCall).agent("agent-001").action("tool.search"))?;
/// logger.flush(Duration::from_secs(5))?;
/// assert_eq!(logger.query(&Filter::new())?.len(), 1);
/// logger.shutdown(Duration::from_secs(5))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuditLogger(Arc<Handle>);

/// Ends the writer when the last logger is gone.
struct Handle(Arc<Shared>);

/// What the logger and its writer share.
pub(crate) struct Shared {
    pub(crate) backend: Box<dyn AuditBackend>,
    producer: Arc<str>,
    way: Way,
    pub(crate) batch: usize,
    pub(crate) every: Duration,
    pub(crate) counters: Counters,
    pub(crate) damaged: AtomicU64,
    pub(crate) on_rejected: Option<OnRejected>,
}

/// How events reach the backend.
enum Way {
    /// By the writer; after this long without room an event is refused.
    Memory(Backlog, Duration),
    /// By the writer, out of the spool.
    Spool(Backlog),
    /// At once. The number of the next event; none once it is closed.
    Through(Mutex<Option<u64>>, AtomicU64),
}

impl Shared {
    pub(crate) fn backlog(&self) -> Option<&Backlog> {
        match &self.way {
            Way::Memory(backlog, _) | Way::Spool(backlog) => Some(backlog),
            Way::Through(..) => None,
        }
    }
}

/// How a logger works.
pub struct LoggerOptions {
    buffer: usize,
    batch: Option<usize>,
    every: Duration,
    overflow: Overflow,
    producer: Option<String>,
    on_rejected: Option<OnRejected>,
}

impl Default for LoggerOptions {
    /// 8,192 events in memory, written as many at a time as the backend likes, or after 100 ms.
    fn default() -> LoggerOptions {
        LoggerOptions {
            buffer: BUFFER,
            batch: None,
            every: EVERY,
            overflow: Overflow::default(),
            producer: None,
            on_rejected: None,
        }
    }
}

impl LoggerOptions {
    /// So many events may wait in memory.
    pub fn buffer(mut self, events: usize) -> LoggerOptions {
        self.buffer = events;
        self
    }

    /// At most so many events are written together.
    pub fn batch(mut self, events: usize) -> LoggerOptions {
        self.batch = Some(events.max(1));
        self
    }

    /// An event waits at most this long for others to be written with.
    pub fn every(mut self, time: Duration) -> LoggerOptions {
        self.every = time;
        self
    }

    /// Where events wait, and what becomes of one for which there is no room.
    pub fn overflow(mut self, overflow: Overflow) -> LoggerOptions {
        self.overflow = overflow;
        self
    }

    /// Names the producer, which is made up otherwise. It must be another at each start.
    pub fn producer(mut self, name: impl Into<String>) -> LoggerOptions {
        self.producer = Some(name.into());
        self
    }

    /// Is told of each event that the backend will never take: the event in native form, sanitised, and why.
    pub fn on_rejected(mut self, tell: impl Fn(&str, &str) + Send + Sync + 'static) -> LoggerOptions {
        self.on_rejected = Some(Box::new(tell));
        self
    }

    /// Starts a logger that writes to a backend.
    ///
    /// # Errors
    /// The spool cannot be opened, or the writer's thread not started.
    pub fn start(self, backend: impl AuditBackend + 'static) -> Result<AuditLogger, BackendError> {
        let producer = self.producer.map_or_else(clock::unique, Into::into);
        let mut reader = None;
        let backlog = |store, left| Backlog::new(Arc::clone(&producer), self.buffer, store, left);
        let memory = || Store::Memory(std::collections::VecDeque::with_capacity(self.buffer.min(BUFFER)));
        let way = match &self.overflow {
            Overflow::Block { at_most } => Way::Memory(backlog(memory(), 0), *at_most),
            Overflow::Refuse => Way::Memory(backlog(memory(), 0), Duration::ZERO),
            Overflow::WriteThrough => Way::Through(Mutex::new(Some(0)), AtomicU64::new(0)),
            Overflow::Spool(options) => {
                let what = format!("opening the spool {}", options.dir.display());
                let (spool, from, left) = Spool::open(options, &producer).map_err(BackendError::io(what))?;
                reader = Some(from);
                Way::Spool(backlog(Store::Spool(spool), left))
            }
        };
        let shared = Arc::new(Shared {
            batch: self.batch.unwrap_or_else(|| backend.usual_batch()).max(1),
            backend: Box::new(backend),
            producer,
            way,
            every: self.every,
            counters: Counters::default(),
            damaged: AtomicU64::new(0),
            on_rejected: self.on_rejected,
        });
        if shared.backlog().is_some() {
            let ours = Arc::clone(&shared);
            let write = move || match reader {
                Some(reader) => writer::write_spool(&ours, reader),
                None => writer::write_memory(&ours),
            };
            thread::Builder::new()
                .name("greffier-audit".to_owned())
                .spawn(write)
                .map_err(BackendError::io("starting the writer's thread"))?;
        }
        Ok(AuditLogger(Arc::new(Handle(shared))))
    }
}

impl AuditLogger {
    /// Starts a logger with the usual options.
    ///
    /// # Errors
    /// The writer's thread cannot be started.
    pub fn new(backend: impl AuditBackend + 'static) -> Result<AuditLogger, BackendError> {
        LoggerOptions::default().start(backend)
    }

    /// How a logger works, to be changed and started.
    pub fn options() -> LoggerOptions {
        LoggerOptions::default()
    }

    /// The name under which it numbers its events.
    pub fn producer(&self) -> &str {
        &self.0.0.producer
    }

    /// Takes an event over. It is numbered, and will be written after those before it. What it waits for, and what a
    /// killed process may lose of it, is [`Overflow`]'s to say.
    ///
    /// # Errors
    /// It was not taken over, and comes back with the reason; it has no number, and leaves no gap.
    pub fn log(&self, event: AuditEvent) -> Result<(), NotLogged> {
        let shared = &*self.0.0;
        let taken = match &shared.way {
            Way::Memory(backlog, patience) => backlog.push(event, *patience),
            Way::Spool(backlog) => backlog.spool(&event).map_err(|why| NotLogged::new(event, why)),
            Way::Through(next, done) => shared.through(next, done, event),
        };
        if taken.is_err() {
            add(&shared.counters.refused, 1);
        }
        taken
    }

    /// [`log`](AuditLogger::log) for who must not wait for room: where there is none the event comes back at once, with
    /// [`Why::Full`], and is not counted as refused. A spool's disk and a backend that is written through are waited
    /// for all the same.
    ///
    /// # Errors
    /// As [`log`](AuditLogger::log).
    pub fn try_log(&self, event: AuditEvent) -> Result<(), NotLogged> {
        match &self.0.0.way {
            Way::Memory(backlog, _) => backlog.push(event, Duration::ZERO).inspect_err(|error| {
                if !matches!(error.why, Why::Full) {
                    add(&self.0.0.counters.refused, 1);
                }
            }),
            Way::Spool(_) | Way::Through(..) => self.log(event),
        }
    }

    /// Waits until all that was logged before is with the backend, and durable there.
    ///
    /// # Errors
    /// The backend failed, or it takes longer than `within`. Nothing is lost by it: what waits is tried again.
    pub fn flush(&self, within: Duration) -> Result<(), NotFlushed> {
        let shared = &*self.0.0;
        let spooled = matches!(shared.way, Way::Spool(_));
        let drained = shared.backlog().map_or(Ok(()), |backlog| backlog.drain(within));
        let flushed = drained.and_then(|()| shared.backend.flush().map_err(|error| error.to_string()));
        flushed.map_err(|reason| {
            let waiting = self.metrics().waiting;
            match shared.sync_spool() {
                Ok(()) => NotFlushed { waiting, spooled, reason },
                Err(error) => NotFlushed { waiting, spooled: false, reason: format!("{reason}; {error}") },
            }
        })
    }

    /// Takes no further event, and waits until all is written and durable, `within` at most; an attempt that is under way
    /// then may take a minute more. What waits in a spool by then is left to the next start.
    ///
    /// # Errors
    /// Not everything was written; what waited in memory comes back.
    pub fn shutdown(&self, within: Duration) -> Result<(), NotWritten> {
        self.0.0.shutdown(within)
    }

    /// [`flush`](AuditLogger::flush) for who must not wait: on a thread of its own.
    pub fn flush_async(&self, within: Duration) -> Apart<Result<(), NotFlushed>> {
        let logger = self.clone();
        apart(move || logger.flush(within))
    }

    /// [`shutdown`](AuditLogger::shutdown) for who must not wait: on a thread of its own.
    pub fn shutdown_async(&self, within: Duration) -> Apart<Result<(), NotWritten>> {
        let logger = self.clone();
        apart(move || logger.shutdown(within))
    }

    /// What it has done so far.
    pub fn metrics(&self) -> Metrics {
        let shared = &*self.0.0;
        let counters = &shared.counters;
        let (refused, rejected) = (read(&counters.refused), read(&counters.rejected));
        let (failed, damaged) = (read(&counters.failed), read(&shared.damaged));
        let mut metrics = Metrics { refused, rejected, failed, damaged, ..Metrics::default() };
        match &shared.way {
            Way::Through(_, done) => {
                metrics.logged = read(done);
                metrics.written = metrics.logged;
            }
            Way::Memory(backlog, _) | Way::Spool(backlog) => {
                let state = backlog.state();
                metrics.logged = state.logged();
                metrics.written = state.done.saturating_sub(rejected);
                metrics.waiting = state.waiting();
                metrics.reason = state.reason.clone();
                if let Store::Spool(spool) = &state.store {
                    metrics.spooled_bytes = spool.bytes();
                }
            }
        }
        metrics
    }

    /// Asks the backend. What still waits is not found: [`flush`](AuditLogger::flush) first.
    ///
    /// # Errors
    /// As [`AuditBackend::query`].
    pub fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        self.0.0.backend.query(filter)
    }
}

impl Shared {
    /// Hands an event to the backend, and waits for it. One at a time, so that numbers are in order.
    fn through(
        &self,
        next: &Mutex<Option<u64>>,
        done: &AtomicU64,
        mut event: AuditEvent,
    ) -> Result<(), NotLogged> {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sequence) = *next else { return Err(NotLogged::new(event, Why::Closed)) };
        event.origin = Some(Origin { producer: Arc::clone(&self.producer), sequence });
        let why = match self.backend.write(std::slice::from_ref(&event)) {
            Ok(rejected) => match rejected.into_iter().next() {
                None => {
                    *next = Some(sequence + 1);
                    add(done, 1);
                    return Ok(());
                }
                Some(one) => {
                    add(&self.counters.rejected, 1);
                    Why::Rejected(one.reason)
                }
            },
            Err(error) => {
                add(&self.counters.failed, 1);
                Why::Backend(error)
            }
        };
        // Its number is the next one's: the caller has it back, and no gap is left.
        event.origin = None;
        Err(NotLogged::new(event, why))
    }

    /// Makes what waits in the spool durable.
    fn sync_spool(&self) -> std::io::Result<()> {
        let state = self.backlog().map(Backlog::state);
        match state.as_ref().map(|state| &state.store) {
            Some(Store::Spool(spool)) => spool.sync(),
            _ => Ok(()),
        }
    }

    fn shutdown(&self, within: Duration) -> Result<(), NotWritten> {
        let backlog = match &self.way {
            Way::Through(next, _) => {
                *next.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return self.farewell(Vec::new());
            }
            Way::Memory(backlog, _) | Way::Spool(backlog) => backlog,
        };
        backlog.close();
        if !backlog.ended(within) {
            backlog.give_up();
            backlog.ended(LAST_ATTEMPT);
        }
        let events = match &mut backlog.state().store {
            Store::Memory(events) => events.drain(..).collect(),
            Store::Spool(_) => Vec::new(),
        };
        self.farewell(events)
    }

    /// Makes all durable that can be; what is left in memory is given back.
    fn farewell(&self, events: Vec<AuditEvent>) -> Result<(), NotWritten> {
        let flushed = self.backend.flush().map_err(|error| error.to_string());
        let (left, said) = match self.backlog().map(Backlog::state) {
            Some(state) => (state.waiting(), state.reason.clone()),
            None => (0, None),
        };
        let spooled = matches!(self.way, Way::Spool(_));
        let reason = said.unwrap_or_else(|| "it takes longer than was waited for".to_owned());
        if spooled && left > 0 {
            // It is on the disk, whatever became of the backend.
            let synced = self.sync_spool();
            return synced.map_err(|error| NotWritten { events, reason: format!("{reason}; {error}") });
        }
        if left > 0 {
            return Err(NotWritten { events, reason });
        }
        flushed.map_err(|reason| NotWritten { events, reason })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever wants to know what became of it calls `shutdown`.
        let _ = self.0.shutdown(FAREWELL);
    }
}

impl fmt::Debug for AuditLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLogger")
            .field("producer", &self.producer())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
