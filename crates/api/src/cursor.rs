//! Cursors: where the next page starts, bound to the trail and the search they were given for.
//!
//! A cursor opens nothing, the search is authorised each time; the seal keeps a page from being continued under
//! another search, where it would silently leave out events.

use greffier_event::Tenant;
use greffier_ledger::KeyRing;

/// What the seal of a cursor is made for, among the other references of the key ring.
const KIND: &str = "cursor";

/// The cursor of the page before `index`.
pub(crate) fn write(keys: &KeyRing, trail: &Tenant, query: &str, index: u64) -> String {
    format!("{index:x}-{}", seal(keys, trail, query, index))
}

/// The index that a cursor of this trail and search names.
pub(crate) fn read(keys: &KeyRing, trail: &Tenant, query: &str, cursor: &str) -> Option<u64> {
    let (index, _) = cursor.split_once('-')?;
    let index = u64::from_str_radix(index, 16).ok()?;
    (write(keys, trail, query, index) == cursor).then_some(index)
}

fn seal(keys: &KeyRing, trail: &Tenant, query: &str, index: u64) -> String {
    let reference = keys.reference(trail, KIND, &format!("{index}\n{query}"));
    reference.strip_prefix("ref:").unwrap_or(&reference).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::keys;

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).unwrap()
    }

    proptest! {
        #[test]
        fn cursors_come_back(index: u64, query: String) {
            let cursor = write(&keys(), &tenant("acme"), &query, index);
            prop_assert_eq!(read(&keys(), &tenant("acme"), &query, &cursor), Some(index));
            prop_assert_eq!(read(&keys(), &tenant("globex"), &query, &cursor), None);
            prop_assert_eq!(read(&keys(), &tenant("acme"), &format!("{query} "), &cursor), None);
        }

        #[test]
        fn what_reads_was_written(index: u64, at in 0..34usize, byte in "[0-9a-fA-F+-]") {
            let cursor = write(&keys(), &tenant("acme"), "", index);
            let mut changed = cursor.clone();
            changed.replace_range(at..=at, &byte);
            prop_assert_eq!(read(&keys(), &tenant("acme"), "", &changed).is_some(), changed == cursor);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(read(&keys(), &tenant("acme"), "", &text), None);
        }
    }
}
