//! The filters of segments: which ids, calls, sessions and traces a segment surely does not have, without reading it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::segment::IdFilter;

/// Filters in memory, 256 KiB each at most: those of one column of 64 million entries.
const MAX_FILTERS: usize = 1_024;

/// Filters by the file of their segment and the column.
#[derive(Default)]
pub(super) struct Filters(Mutex<HashMap<String, Arc<IdFilter>>>);

impl Filters {
    /// The filter of a file's column, which `load` reads where it is not known yet.
    pub(super) fn get<E>(
        &self,
        file: &str,
        column: &str,
        load: impl FnOnce() -> Result<IdFilter, E>,
    ) -> Result<Arc<IdFilter>, E> {
        let file = format!("{file} {column}");
        if let Some(filter) = self.lock().get(&file) {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(load()?);
        let mut filters = self.lock();
        if filters.len() >= MAX_FILTERS {
            // Any: who searches more segments than these in turn would find none of a least recent order.
            let any = filters.keys().next().cloned();
            any.and_then(|file| filters.remove(&file));
        }
        filters.insert(file, Arc::clone(&filter));
        Ok(filter)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<IdFilter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
