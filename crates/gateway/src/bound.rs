//! How many calls are under way to a destination at once, and how many may wait for a place, for how long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places at a destination, and those who wait for one.
pub(crate) struct Bound {
    places: Arc<Semaphore>,
    line: Semaphore,
    patience: Duration,
}

/// A place taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// No place was free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Bound {
    pub(crate) fn new(places: usize, line: usize, patience: Duration) -> Bound {
        Bound { places: Arc::new(Semaphore::new(places)), line: Semaphore::new(line), patience }
    }

    /// Takes a place, or waits for one where the line is not too long.
    pub(crate) async fn enter(&self) -> Result<Place, Busy> {
        let places = Arc::clone(&self.places);
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Ok(Place { _permit: permit });
        }
        let _waiting = self.line.try_acquire().map_err(|_| Busy)?;
        match tokio::time::timeout(self.patience, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            _ => Err(Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn the_line_is_bounded_and_moves_up() {
        let bound = Bound::new(1, 1, Duration::from_secs(3_600));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let first = bound.enter().await.unwrap();
            let mut second = Box::pin(bound.enter());
            assert!((&mut second).now_or_never().is_none());
            assert_eq!(bound.enter().await.unwrap_err(), Busy);
            drop(first);
            second.await.unwrap();
        });
    }

    #[test]
    fn patience_ends() {
        let bound = Bound::new(1, 1, Duration::ZERO);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let _place = bound.enter().await.unwrap();
            assert_eq!(bound.enter().await.unwrap_err(), Busy);
        });
    }
}
