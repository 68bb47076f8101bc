//! Recorded up to a bound per source and minute, and counted beyond it: nobody makes a trail grow at a pace of their
//! own.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use greffier_event::Timestamp;

/// Recorded in full per source and window.
const RECORDED_PER_WINDOW: u32 = 60;
/// The window, in microseconds: one minute.
const WINDOW_MICROS: i64 = 60_000_000;
/// Sources told apart; all beyond share one window. At about 100 bytes each, half a megabyte.
const MAX_SOURCES: usize = 4_096;

/// Windows per source.
pub(crate) struct Windows<K> {
    /// `None`: the sources beyond the bound.
    sources: Mutex<HashMap<Option<K>, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    recorded: u32,
    counted: u64,
}

impl<K> Default for Windows<K> {
    fn default() -> Windows<K> {
        Windows { sources: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone> Windows<K> {
    /// Whether one more of this source may be recorded; otherwise it is counted.
    pub(crate) fn admit(&self, source: &K, now: Timestamp) -> bool {
        let mut sources = self.lock();
        let source = Some(source.clone());
        let known = sources.contains_key(&source) || sources.len() < MAX_SOURCES;
        let window =
            sources.entry(source.filter(|_| known)).or_insert(Window { since: now, recorded: 0, counted: 0 });
        if window.recorded < RECORDED_PER_WINDOW {
            window.recorded += 1;
            true
        } else {
            window.counted += 1;
            false
        }
    }

    /// What was counted, for every window that is over, or for all.
    pub(crate) fn over(&self, now: Timestamp, all: bool) -> Vec<(Option<K>, u64)> {
        let mut over = Vec::new();
        self.lock().retain(|source, window| {
            let live = !all && now.as_micros() - window.since.as_micros() < WINDOW_MICROS;
            if !live && window.counted > 0 {
                over.push((source.clone(), window.counted));
            }
            live
        });
        over
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<K>, Window>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn sixty_a_minute_are_recorded_and_the_rest_is_counted() {
        let windows = Windows::default();
        let admitted = (0..100).filter(|_| windows.admit(&"a", at(0))).count();
        assert_eq!(admitted, 60);
        assert!(windows.admit(&"b", at(59)), "each source has its own");
        assert_eq!(windows.over(at(59), false), []);
        assert_eq!(windows.over(at(60), false), [(Some("a"), 40)]);
        assert!(windows.admit(&"a", at(60)), "and a new one after it");
        assert_eq!(windows.over(at(61), true), []);
    }

    #[test]
    fn sources_beyond_the_bound_share_a_window() {
        let windows = Windows::default();
        let admitted = (0..MAX_SOURCES + 100).filter(|source| windows.admit(source, at(0))).count();
        assert_eq!(admitted, MAX_SOURCES + 60);
        assert_eq!(windows.over(at(0), true), [(None, 40)]);
    }
}
