//! Work shared among threads, as many as the engine has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec;

use datafusion::common::runtime::SpawnedTask;

use crate::QueryError;
use crate::table::READ_AT_ONCE;

/// Shares jobs among threads, in no order: each thread makes something more of what it made of its jobs before. Ends
/// early, with nothing, where one makes nothing of a job.
pub(crate) async fn share<J, T>(
    jobs: Vec<J>,
    make: impl Fn(Option<T>, J) -> Result<Option<T>, QueryError> + Clone + Send + 'static,
) -> Result<Option<Vec<T>>, QueryError>
where
    J: Send + 'static,
    T: Send + 'static,
{
    let threads = READ_AT_ONCE.min(jobs.len());
    let left = Arc::new(Mutex::new(jobs.into_iter()));
    // Emptied where nobody waits any more: each thread ends with its job at the latest.
    let _emptied = Emptied(Arc::clone(&left));
    let thread = || {
        let (left, make) = (Arc::clone(&left), make.clone());
        SpawnedTask::spawn_blocking(move || -> Result<Option<Option<T>>, QueryError> {
            let mut made = None;
            loop {
                let Some(job) = lock(&left).next() else { return Ok(Some(made)) };
                match make(made, job) {
                    Ok(Some(more)) => made = Some(more),
                    ended => {
                        *lock(&left) = Vec::new().into_iter();
                        return ended.map(|_| None);
                    }
                }
            }
        })
    };
    let threads: Vec<_> = (0..threads).map(|_| thread()).collect();
    let mut all = Some(Vec::new());
    for thread in threads {
        let made = thread.join().await;
        let made = made.map_err(|error| QueryError::Internal(format!("a look ended early: {error}")))??;
        all = all.zip(made).map(|(mut all, made)| {
            all.extend(made);
            all
        });
    }
    Ok(all)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Emptied<J>(Arc<Mutex<vec::IntoIter<J>>>);

impl<J> Drop for Emptied<J> {
    fn drop(&mut self) {
        *lock(&self.0) = Vec::new().into_iter();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;

    #[test]
    fn every_job_is_done_once() {
        let sum = |made: Option<u64>, job: u64| Ok(Some(made.unwrap_or(0) + job));
        let sums = block_on(share((0..=100).collect(), sum)).unwrap().unwrap();
        assert_eq!(sums.into_iter().sum::<u64>(), 5_050);
        assert_eq!(block_on(share(Vec::new(), sum)).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn one_that_ends_ends_all() {
        let until = |made: Option<u64>, job: u64| Ok((job < 50).then_some(made.unwrap_or(0) + job));
        assert_eq!(block_on(share((0..=100).collect(), until)).unwrap(), None);
        let fails = |_: Option<u64>, job: u64| match job {
            7 => Err(QueryError::Busy),
            job => Ok(Some(job)),
        };
        assert!(matches!(block_on(share((0..=100).collect(), fails)), Err(QueryError::Busy)));
    }
}
