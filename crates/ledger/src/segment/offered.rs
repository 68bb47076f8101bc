//! Rows that a reader made of entries in the log, offered to whoever seals them: making them is a third of sealing.
//!
//! An offer holds nothing in memory: once its reader has let go of the rows, they are made again. And it proves nothing:
//! whoever takes it compares the entries' bytes with those it holds against the tree.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow_array::{Array, RecordBatch};

use super::columns::schema;
use super::write::ROWS_PER_BATCH;

/// Chunks that are on offer together, half a kilobyte each: those of four full segments. What is beyond is made twice.
const MAX_OFFERS: usize = 256;

/// The rows on offer, by trail and first entry. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered(Arc<Mutex<BTreeMap<String, Chunks>>>);

type Chunks = BTreeMap<u64, Vec<Weak<dyn Array>>>;

impl Offered {
    /// Offers rows: batches that follow each other from entry `first` on. Only full chunks are of use.
    pub(crate) fn offer(&self, trail: &str, mut first: u64, batches: &[RecordBatch]) {
        let mut offers = self.lock();
        for batch in batches {
            let aligned = first.is_multiple_of(ROWS_PER_BATCH as u64);
            if aligned && batch.num_rows() == ROWS_PER_BATCH {
                if offers.values().map(BTreeMap::len).sum::<usize>() >= MAX_OFFERS && !make_room(&mut offers)
                {
                    return;
                }
                let chunks = match offers.get_mut(trail) {
                    Some(chunks) => chunks,
                    None => offers.entry(trail.to_owned()).or_default(),
                };
                chunks.entry(first).or_insert_with(|| batch.columns().iter().map(Arc::downgrade).collect());
            }
            first += batch.num_rows() as u64;
        }
    }

    /// The rows of the chunk that begins with this entry, if they are still there.
    pub(super) fn take(&self, trail: &str, first: u64) -> Option<RecordBatch> {
        let columns = self.lock().get_mut(trail)?.remove(&first)?;
        let columns: Option<Vec<_>> = columns.iter().map(Weak::upgrade).collect();
        RecordBatch::try_new(schema(), columns?).ok()
    }

    /// Withdraws what is offered of entries below `sealed`.
    pub(crate) fn withdraw(&self, trail: &str, sealed: u64) {
        let mut offers = self.lock();
        if let Some(chunks) = offers.get_mut(trail) {
            *chunks = chunks.split_off(&sealed);
            if chunks.is_empty() {
                offers.remove(trail);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Chunks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what nobody has any more; whether that left room.
fn make_room(offers: &mut BTreeMap<String, Chunks>) -> bool {
    offers.retain(|_, chunks| {
        chunks.retain(|_, columns| columns.iter().all(|column| column.strong_count() > 0));
        !chunks.is_empty()
    });
    offers.values().map(BTreeMap::len).sum::<usize>() < MAX_OFFERS
}

#[cfg(test)]
mod tests;
