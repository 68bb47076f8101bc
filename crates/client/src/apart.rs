//! Work that waits, for callers that must not: on a thread of its own, with a future for what comes of it. No runtime
//! is needed, and any will do.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

/// What comes of work on another thread. The work goes on if this is dropped.
#[derive(Debug)]
#[must_use = "what comes of it is known only to who waits"]
pub struct Apart<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
enum State<T> {
    Working(Option<Waker>),
    Done(Result<T, Box<dyn Any + Send>>),
    Taken,
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins some work.
pub(crate) fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Apart<T> {
    let state = Arc::new(Mutex::new(State::Working(None)));
    let theirs = Arc::clone(&state);
    thread::spawn(move || {
        let done = State::Done(catch_unwind(AssertUnwindSafe(work)));
        let before = std::mem::replace(&mut *lock(&theirs), done);
        if let State::Working(Some(waker)) = before {
            waker.wake();
        }
    });
    Apart(state)
}

impl<T> Future for Apart<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Done(Ok(result)) => Poll::Ready(result),
            // Here, where somebody waits for it, as if it had been done here.
            State::Done(Err(panic)) => {
                drop(state);
                resume_unwind(panic)
            }
            State::Working(_) => {
                *state = State::Working(Some(task.waker().clone()));
                Poll::Pending
            }
            State::Taken => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_apart_comes_back() {
        let here = thread::current().id();
        let there = apart(|| thread::current().id()).await;
        assert_ne!(here, there);
        let panicked = tokio::spawn(apart(|| resume_unwind(Box::new(())))).await;
        assert!(panicked.unwrap_err().is_panic());
    }
}
