//! The thread that hands what was logged to the backend, batch by batch, and never gives up before it is told to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::backend::{BackendError, Rejected};
use crate::backlog::Store;
use crate::event::AuditEvent;
use crate::logger::Shared;
use crate::metrics::add;
use crate::spool::Reader;

/// The pause after a first failure; it doubles with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause: what is back is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Failures in a row.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    fn next(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.0.min(16)).min(LONGEST_PAUSE);
        self.0 += 1;
        pause
    }
}

/// Says that the writer is gone, however it went.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if let Some(backlog) = self.0.backlog() {
            backlog.end();
        }
    }
}

/// Writes what waits in memory until all is written and nothing more will come, or until it is told to give up:
/// what is left then is in the store again.
pub(crate) fn write_memory(shared: &Shared) {
    let Some(backlog) = shared.backlog() else { return };
    let _ending = Ending(shared);
    let mut pause = Pause::default();
    let mut batch: Vec<AuditEvent> = Vec::with_capacity(shared.batch);
    while backlog.wait(shared.batch as u64, shared.every) {
        if let Store::Memory(events) = &mut backlog.state().store {
            let most = events.len().min(shared.batch);
            batch.extend(events.drain(..most));
        }
        loop {
            match attempt(|| shared.backend.write(&batch)) {
                Ok(rejected) => {
                    pause = Pause::default();
                    shared.rejected(&rejected, |index| batch.get(index).map(AuditEvent::to_native));
                    backlog.done(batch.len() as u64);
                    batch.clear();
                    break;
                }
                Err(error) => {
                    add(&shared.counters.failed, 1);
                    if !backlog.failed(error.to_string(), pause.next()) {
                        if let Store::Memory(events) = &mut backlog.state().store {
                            batch.drain(..).rev().for_each(|event| events.push_front(event));
                        }
                        return;
                    }
                }
            }
        }
    }
}

/// Writes what waits in the spool.
pub(crate) fn write_spool(shared: &Shared, mut reader: Reader) {
    let Some(backlog) = shared.backlog() else { return };
    let _ending = Ending(shared);
    let mut pause = Pause::default();
    while backlog.wait(shared.batch as u64, shared.every) {
        let (end, all) = {
            let state = backlog.state();
            let Store::Spool(spool) = &state.store else { return };
            (spool.end(), state.all())
        };
        let sent =
            reader.next(end, shared.batch).map_err(BackendError::io("reading the spool")).and_then(|batch| {
                let Some(batch) = batch else { return Ok(None) };
                let lines = batch.lines();
                let rejected = attempt(|| shared.backend.write_lines(&lines))?;
                reader.sent(&batch).map_err(BackendError::io("noting what of the spool was sent"))?;
                shared.rejected(&rejected, |index| lines.get(index).map(|line| (*line).to_owned()));
                Ok(Some((lines.len() as u64, batch.bytes)))
            });
        shared.damaged.store(reader.damaged, Ordering::Relaxed);
        match sent {
            Ok(Some((lines, bytes))) => {
                pause = Pause::default();
                if let Store::Spool(spool) = &mut backlog.state().store {
                    spool.sent(bytes);
                }
                backlog.done(lines);
            }
            // What was counted and is no more was damaged; it is kept beside the spool.
            Ok(None) => backlog.done_up_to(all),
            Err(error) => {
                add(&shared.counters.failed, 1);
                if !backlog.failed(error.to_string(), pause.next()) {
                    return;
                }
            }
        }
    }
    if let Store::Spool(spool) = &backlog.state().store {
        // What cannot be removed is found empty by the next start.
        let _ = reader.close(spool.end());
    }
}

/// A backend that panics has failed; the thread lives on.
fn attempt<T>(write: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    catch_unwind(AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(BackendError::Unavailable("the backend panicked".to_owned())))
}

/// What is told of an event that a backend will never take: the event in native form, and why.
pub(crate) type OnRejected = Box<dyn Fn(&str, &str) + Send + Sync>;

impl Shared {
    fn rejected(&self, rejected: &[Rejected], line: impl Fn(usize) -> Option<String>) {
        add(&self.counters.rejected, rejected.len() as u64);
        let Some(tell) = &self.on_rejected else { return };
        for one in rejected {
            let line = line(one.index).unwrap_or_default();
            // Somebody else's code, on our thread.
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&line, &one.reason)));
        }
    }
}
