//! Gaps: what was done unrecorded is said on its trail before anything else goes on it.
//!
//! A caller of the ledger may choose to go on while nothing can be recorded, and keeps account of what it did. From
//! the first such act on its trail owes a gap, and takes no other event, whoever appends it, until it is paid.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greffier_event::{Draft, Tenant};
use greffier_merkle::Receipt;

use crate::append::Appender;
use crate::error::AppendError;

/// Which trails owe a gap. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Gaps(Arc<Owed>);

#[derive(Debug, Default)]
struct Owed {
    /// By lowercase name, as trails are told apart.
    trails: Mutex<BTreeSet<String>>,
    /// How many: read by every append, so that the list is locked only while there is one.
    count: AtomicUsize,
}

impl Gaps {
    /// From now on the trail takes nothing but its gap.
    pub fn owe(&self, trail: &Tenant) {
        self.change(|trails| trails.insert(trail.as_str().to_ascii_lowercase()));
    }

    /// Its gap is on the trail, whole.
    pub fn paid(&self, trail: &Tenant) {
        self.change(|trails| trails.remove(&trail.as_str().to_ascii_lowercase()));
    }

    /// Whether the trail owes a gap.
    pub fn owes(&self, trail: &Tenant) -> bool {
        self.0.count.load(Ordering::Acquire) > 0 && self.lock().contains(&trail.as_str().to_ascii_lowercase())
    }

    /// What an append other than the gap's own has to pass.
    pub(crate) fn check(&self, trail: &Tenant) -> Result<(), AppendError> {
        if self.owes(trail) {
            return Err(AppendError::NotRecording("the trail's gap has to be recorded first".to_owned()));
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>) -> bool) {
        let mut trails = self.lock();
        change(&mut trails);
        self.0.count.store(trails.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.trails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appender {
    /// Which trails owe a gap.
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// Records an event of a trail's gap: the only kind that an owing trail takes. As [`Appender::append`] otherwise.
    pub async fn append_gap(&self, draft: Draft) -> Result<Receipt, AppendError> {
        self.record(draft).await
    }
}

#[cfg(test)]
mod tests;
