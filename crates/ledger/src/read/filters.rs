//! The filters of segments: which ids a segment surely does not have, without reading it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::segment::IdFilter;

/// Filters in memory, 256 KiB each at most: those of 64 million entries.
const MAX_FILTERS: usize = 1_024;

/// Filters by the file of their segment.
#[derive(Default)]
pub(super) struct Filters(Mutex<HashMap<String, Arc<IdFilter>>>);

impl Filters {
    /// The filter of a file, which `load` reads where it is not known yet.
    pub(super) fn get<E>(
        &self,
        file: &str,
        load: impl FnOnce() -> Result<IdFilter, E>,
    ) -> Result<Arc<IdFilter>, E> {
        if let Some(filter) = self.lock().get(file) {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(load()?);
        let mut filters = self.lock();
        if filters.len() >= MAX_FILTERS {
            // Any: who searches more segments than these in turn would find none of a least recent order.
            let any = filters.keys().next().cloned();
            any.and_then(|file| filters.remove(&file));
        }
        filters.insert(file.to_owned(), Arc::clone(&filter));
        Ok(filter)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<IdFilter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
