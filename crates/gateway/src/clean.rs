//! Names in which nothing was found: roles, agents, models, clients come again with each call, and need not be searched
//! each time. What anything was found in is never kept.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names kept: more than the callers of an hour bring. With the longest ones half a megabyte.
const MAX_NAMES: usize = 4_096;
/// Bytes of a name that is kept; what is longer is no name.
const MAX_NAME: usize = 128;

/// The clean names of late.
#[derive(Debug, Default)]
pub(crate) struct CleanNames(Mutex<HashSet<Box<str>>>);

impl CleanNames {
    /// Whether a name is clean: known to be, or found to be now.
    pub(crate) fn has(&self, name: &str, is_clean: impl FnOnce(&str) -> bool) -> bool {
        if name.len() > MAX_NAME {
            return is_clean(name);
        }
        if self.names().contains(name) {
            return true;
        }
        let clean = is_clean(name);
        if clean {
            let mut names = self.names();
            // Starting over costs one search of each, and keeps the bound simple.
            if names.len() >= MAX_NAMES {
                names.clear();
            }
            names.insert(name.into());
        }
        clean
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_names_are_searched_once_and_others_each_time() {
        let names = CleanNames::default();
        let searched = std::cell::RefCell::new(Vec::new());
        let check = |name: &str| {
            names.has(name, |name| {
                searched.borrow_mut().push(name.len());
                !name.contains('@')
            })
        };
        let long = "x".repeat(MAX_NAME + 1);
        for _ in 0..2 {
            assert!(check("analyst") && !check("a@example.com") && check(&long));
        }
        assert_eq!(
            searched.take(),
            ["analyst".len(), "a@example.com".len(), 129, "a@example.com".len(), 129]
        );
        for number in 0..MAX_NAMES {
            check(&number.to_string());
        }
        assert!(names.names().len() <= MAX_NAMES);
    }
}
