//! What a logger has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the logger's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Events that `log` took over.
    pub logged: u64,
    /// Events that the backend has. With a spool also those that an earlier start left.
    pub written: u64,
    /// Events that wait for the backend now.
    pub waiting: u64,
    /// Bytes of them in the spool.
    pub spooled_bytes: u64,
    /// Events that `log` gave back.
    pub refused: u64,
    /// Events that the backend will never take.
    pub rejected: u64,
    /// Attempts to write that failed, each of a batch (of one event, where it is written through).
    pub failed: u64,
    /// Damage that was found in a spool: files, kept beside it.
    pub damaged: u64,
    /// Why the last attempt failed; none once one succeeded.
    pub reason: Option<String>,
}

/// Counts that no lock guards.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) refused: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) failed: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
