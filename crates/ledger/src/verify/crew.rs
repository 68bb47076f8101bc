//! Work on all cores, its results in order: what takes them need not know that anything ran at once.
//!
//! Jobs are drawn one by one and never run far ahead of what was taken, so that memory does not grow with them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Threads at most: past this the disk is the limit.
const MAX_THREADS: usize = 64;
/// Jobs of each thread that are drawn and not taken yet: enough to ride out one slow job.
const AHEAD: u64 = 2;

struct Line<J, R> {
    jobs: J,
    /// The number of the next job, and of the next result to be taken.
    next: u64,
    taken: u64,
    done: BTreeMap<u64, R>,
    ended: bool,
    /// Somebody panicked: nobody waits for anybody any more.
    broken: bool,
}

struct Crew<J, R> {
    line: Mutex<Line<J, R>>,
    changed: Condvar,
    window: u64,
}

/// Runs `work` on every job, and shows `take` each result in the order of the jobs.
pub(super) fn in_order<J: Send, R: Send>(
    jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R),
) {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let line = Line { jobs, next: 0, taken: 0, done: BTreeMap::new(), ended: false, broken: false };
    let crew = Crew { line: Mutex::new(line), changed: Condvar::new(), window: AHEAD * threads as u64 };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| crew.work(&work));
        }
        crew.take_all(&mut take);
    });
}

impl<J: Iterator, R> Crew<J, R> {
    fn work(&self, work: impl Fn(J::Item) -> R) {
        let _alarm = Alarm(self);
        while let Some((number, job)) = self.draw() {
            let result = work(job);
            self.lock().done.insert(number, result);
            self.changed.notify_all();
        }
    }

    fn draw(&self) -> Option<(u64, J::Item)> {
        let mut line = self.lock();
        while !line.broken && !line.ended && line.next >= line.taken + self.window {
            line = self.wait(line);
        }
        let job = if line.broken || line.ended { None } else { line.jobs.next() };
        match job {
            Some(job) => {
                line.next += 1;
                Some((line.next - 1, job))
            }
            None => {
                line.ended = true;
                self.changed.notify_all();
                None
            }
        }
    }

    fn take_all(&self, take: &mut impl FnMut(R)) {
        let _alarm = Alarm(self);
        let mut line = self.lock();
        loop {
            let due = line.taken;
            if let Some(result) = line.done.remove(&due) {
                line.taken += 1;
                self.changed.notify_all();
                drop(line);
                take(result);
                line = self.lock();
            } else if line.broken || (line.ended && line.taken == line.next) {
                return;
            } else {
                line = self.wait(line);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line<J, R>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, line: MutexGuard<'a, Line<J, R>>) -> MutexGuard<'a, Line<J, R>> {
        self.changed.wait(line).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the others when its thread panics, so that the panic comes out instead of a standstill.
struct Alarm<'a, J: Iterator, R>(&'a Crew<J, R>);

impl<J: Iterator, R> Drop for Alarm<'_, J, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().broken = true;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_jobs_never_run_far_ahead() {
        let (drawn, mut seen) = (AtomicU64::new(0), Vec::new());
        let jobs = (0..1_000u64).inspect(|_| {
            drawn.fetch_add(1, Ordering::Relaxed);
        });
        // Some jobs take longer than others.
        let work = |job: u64| (0..(job % 7) * 1_000).fold(job, |sum, n| std::hint::black_box(sum ^ n ^ n));
        in_order(jobs, work, |result| {
            seen.push(result);
            let ahead = drawn.load(Ordering::Relaxed) - seen.len() as u64;
            assert!(ahead <= AHEAD * MAX_THREADS as u64 + 1, "{ahead}");
        });
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
        in_order(std::iter::empty::<u64>(), |job| job, |_| panic!("there is nothing"));
    }

    #[test]
    fn a_panic_comes_out() {
        for at in ["work", "take"] {
            let run = std::panic::catch_unwind(|| {
                in_order(
                    0..1_000u64,
                    |job| assert!(at != "work" || job != 500, "in work"),
                    |()| assert!(at != "take", "in take"),
                );
            });
            assert!(run.is_err(), "{at}");
        }
    }
}
