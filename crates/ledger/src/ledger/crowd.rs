//! Whether many callers record at once, so that a sync is worth waiting for: shared by several it costs each of them a
//! part of it. Whoever is alone never waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many callers within [`MOMENT`] are a crowd; and a group of so many shares its sync well enough to wait for nobody.
pub(super) const CROWD: usize = 4;
/// See [`CROWD`].
const MOMENT: Duration = Duration::from_millis(1);
/// How long a small group waits for others of a crowd: some three syncs of a fast disk. A crowd's calls take longer than
/// that to be read and inspected.
pub(super) const GATHER: Duration = Duration::from_micros(500);

/// The callers of late.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// When the last [`CROWD`] of them came.
    came: VecDeque<Instant>,
}

impl Crowd {
    /// So many callers came.
    pub(super) fn note(&mut self, callers: usize, now: Instant) {
        for _ in 0..callers.min(CROWD) {
            if self.came.len() >= CROWD {
                self.came.pop_front();
            }
            self.came.push_back(now);
        }
    }

    /// Whether they are a crowd.
    pub(super) fn is_there(&self, now: Instant) -> bool {
        let first = self.came.front().filter(|_| self.came.len() >= CROWD);
        first.is_some_and(|first| now.saturating_duration_since(*first) <= MOMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there is a crowd when callers came at these microseconds, one each, and the last of them just now.
    fn check(came: &[u64]) -> bool {
        let (start, mut crowd) = (Instant::now(), Crowd::default());
        let at = |micros: u64| start + Duration::from_micros(micros);
        came.iter().for_each(|micros| crowd.note(1, at(*micros)));
        crowd.is_there(at(*came.last().unwrap()))
    }

    #[test]
    fn a_crowd_is_many_at_once() {
        assert!(check(&[0, 100, 200, 1_000]) && check(&[0, 5_000, 5_000, 5_000, 5_001]));
        assert!(!check(&[0, 400, 800, 1_200]), "one caller who asks again and again");
        assert!(!check(&[0]) && !check(&[0, 1, 2]));
        let (now, mut crowd) = (Instant::now(), Crowd::default());
        crowd.note(2_000, now);
        assert!(crowd.is_there(now) && !crowd.is_there(now + Duration::from_millis(2)));
        assert_eq!(crowd.came.len(), CROWD);
    }
}
