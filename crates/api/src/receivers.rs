//! How far those who are told of findings have come: written by whoever tells them, read by whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greffier_event::{Tenant, Timestamp};
use greffier_query::Severity;

/// All receivers by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Receivers(Arc<Mutex<BTreeMap<String, Receiver>>>);

/// One of them, since the start of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// What matters less it is not told.
    pub least: Severity,
    /// The entry that comes next, by trail.
    pub next: BTreeMap<Tenant, u64>,
    /// Findings that it took.
    pub told: u64,
    /// Findings that it refused, or did not take in time.
    pub given_up: u64,
    /// Since when it takes none, and why.
    pub failing: Option<(Timestamp, String)>,
}

impl Receivers {
    /// Adds one.
    pub fn add(&self, name: &str, least: Severity) {
        let new = Receiver { least, next: BTreeMap::new(), told: 0, given_up: 0, failing: None };
        self.lock().insert(name.to_owned(), new);
    }

    /// It has come so far on a trail.
    pub fn comes_to(&self, name: &str, trail: &Tenant, next: u64) {
        self.change(name, |receiver| {
            receiver.next.insert(trail.clone(), next);
        });
    }

    /// It took a finding.
    pub fn took(&self, name: &str) {
        self.change(name, |receiver| {
            receiver.told += 1;
            receiver.failing = None;
        });
    }

    /// It is told no more of a finding.
    pub fn gave_up(&self, name: &str) {
        self.change(name, |receiver| receiver.given_up += 1);
    }

    /// It did not take a finding now.
    pub fn fails(&self, name: &str, now: Timestamp, why: &str) {
        self.change(name, |receiver| {
            let since = receiver.failing.as_ref().map_or(now, |(since, _)| *since);
            receiver.failing = Some((since, why.to_owned()));
        });
    }

    /// All of them, as they stand.
    pub fn all(&self) -> BTreeMap<String, Receiver> {
        self.lock().clone()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Receiver)) {
        if let Some(receiver) = self.lock().get_mut(name) {
            change(receiver);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_lasts_until_something_is_taken() {
        let (receivers, at) = (Receivers::default(), Timestamp::from_micros);
        receivers.add("soc", Severity::Low);
        let failing = || receivers.all().remove("soc").unwrap().failing;
        receivers.fails("soc", at(1), "no connection");
        receivers.fails("soc", at(2), "no answer in time");
        receivers.fails("other", at(2), "nobody knows it");
        assert_eq!(failing(), Some((at(1), "no answer in time".to_owned())));
        receivers.gave_up("soc");
        assert!(failing().is_some(), "it still takes none");
        receivers.took("soc");
        let soc = receivers.all().remove("soc").unwrap();
        assert_eq!((soc.told, soc.given_up, soc.failing), (1, 1, None));
    }
}
