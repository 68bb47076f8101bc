//! One kind of question: who may come in, who may run, and on which threads.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use crate::table::READ_AT_ONCE;

/// Threads of a lane: the rest of the machine belongs to recording.
const THREADS: usize = READ_AT_ONCE;
/// Threads that wait for the disk.
const BLOCKING_THREADS: usize = 8;
/// Plans and expressions are trees that are walked by recursion; what a statement may hold is bounded in
/// `sql/statement.rs` so that this is enough. Only what is touched takes memory.
const STACK: usize = 64 << 20;
/// Questions that may wait for their turn, for each that runs: enough to smooth a burst of a console's page.
pub(super) const WAITING: usize = 8;

pub(super) struct Lane {
    /// Who may come in at all.
    pub(super) admitted: Semaphore,
    /// Who may run.
    pub(super) running: Semaphore,
    handle: Handle,
    /// `Some` until it is dropped.
    runtime: Option<Runtime>,
}

impl Lane {
    pub(super) fn new(concurrent: usize) -> io::Result<Lane> {
        let (runtime, concurrent) = (runtime()?, concurrent.max(1));
        Ok(Lane {
            admitted: Semaphore::new(concurrent.saturating_mul(1 + WAITING).min(Semaphore::MAX_PERMITS)),
            running: Semaphore::new(concurrent.min(Semaphore::MAX_PERMITS)),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Waiting for a running question here would block whoever dropped the engine.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Threads for queries.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .thread_name("greffier-query")
        .enable_time()
        .build()
}
