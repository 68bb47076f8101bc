//! The gateway's time, asked nowhere else in this crate: every time stamp, and the ids that begin with one.
//!
//! It is the system's time, or keeps a distance from it that somebody sets: a simulated week runs so. How long
//! something took is another question, and always the steady clock's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::{EventId, Timestamp};
use uuid::{ContextV7, Uuid};

/// Tells the time. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hands>);

/// Sets the distance of one clock from the system's.
#[derive(Debug)]
pub struct Shift(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// Distance from the system's time, in microseconds.
    offset: AtomicI64,
    /// Keeps ids of the same millisecond apart and in order.
    ids: Mutex<ContextV7>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock::shifted().0
    }

    /// A clock that can be set. At first it tells the system's time.
    pub fn shifted() -> (Clock, Shift) {
        let hands = Arc::new(Hands { offset: AtomicI64::new(0), ids: Mutex::new(ContextV7::new()) });
        (Clock(Arc::clone(&hands)), Shift(hands))
    }

    /// What time it is, in microseconds.
    pub fn now(&self) -> Timestamp {
        let offset = self.0.offset.load(Ordering::Acquire);
        Timestamp::from_micros(system_now().as_micros().saturating_add(offset))
    }

    /// A new event id (UUIDv7): later ones are greater, until the clock is set.
    pub(crate) fn event_id(&self) -> EventId {
        EventId(self.uuid())
    }

    /// A new request id: joins decision and outcome, and is given to the caller.
    pub(crate) fn request_id(&self) -> String {
        format!("req_{}", self.uuid().simple())
    }

    /// A new session's name, where nobody gave it one.
    pub(crate) fn session_id(&self) -> String {
        format!("ses_{}", self.uuid().simple())
    }

    fn uuid(&self) -> Uuid {
        // Asked with the lock held, so that no id of before comes after the clock was set.
        let ids = self.0.ids();
        // Ids know no time before 1970.
        let micros = u64::try_from(self.now().as_micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*ids, micros / 1_000_000, nanos))
    }
}

impl Shift {
    /// From now on the clock is this many microseconds ahead of the system's, or behind it.
    pub fn set_offset(&self, micros: i64) {
        // Ids never go back behind the last one: a clock set back begins anew.
        let mut ids = self.0.ids();
        *ids = ContextV7::new();
        self.0.offset.store(micros, Ordering::Release);
    }
}

impl Hands {
    fn ids(&self) -> MutexGuard<'_, ContextV7> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's time, however the gateway's clock is set.
pub(crate) fn system_now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn millis(id: EventId) -> i64 {
        let (seconds, nanos) = id.0.get_timestamp().unwrap().to_unix();
        i64::try_from(seconds * 1_000 + u64::from(nanos) / 1_000_000).unwrap()
    }

    /// The clock's time and an id of it, as far from the system's as set; at most a minute passes in between.
    fn check(clock: &Clock, offset: i64) {
        let near = |micros: i64| (0..60_000_000).contains(&micros);
        let before = system_now().as_micros() + offset;
        let id = millis(clock.event_id()) * 1_000;
        assert!(near(clock.now().as_micros() - before));
        // An id holds whole milliseconds.
        assert!(near(id + 1_000 - before), "{id} {before}");
    }

    #[test]
    fn times_and_ids_follow_the_shift_both_ways() {
        let (clock, shift) = Clock::shifted();
        let clone = clock.clone();
        check(&clock, 0);
        for offset in [7 * DAY, -7 * DAY, 0] {
            shift.set_offset(offset);
            check(&clock, offset);
            check(&clone, offset);
        }
        check(&Clock::system(), 0);
    }

    #[test]
    fn ids_of_one_clock_rise_and_differ_across_threads() {
        let clock = Clock::system();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let clock = clock.clone();
                std::thread::spawn(move || (0..2_000).map(|_| clock.event_id()).collect::<Vec<_>>())
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let ids = thread.join().unwrap();
            assert!(ids.is_sorted_by(|a, b| a.0 < b.0));
            all.extend(ids.into_iter().map(|id| id.0));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8_000);
    }

    #[test]
    fn no_time_is_too_early_or_too_late_for_an_id() {
        let (clock, shift) = Clock::shifted();
        for offset in [i64::MIN, i64::MAX] {
            shift.set_offset(offset);
            assert_ne!(clock.event_id(), clock.event_id());
        }
    }
}
