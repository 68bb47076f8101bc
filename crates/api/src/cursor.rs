//! Cursors: where the next page starts, bound to the trail and the search they were given for, and to the moment of the
//! first page: `since:7d` and `on:today` mean the same on all pages.
//!
//! A cursor opens nothing, the search is authorised each time; the seal keeps a page from being continued under
//! another search, where it would silently leave out events.

use greffier_event::{Tenant, Timestamp};
use greffier_ledger::KeyRing;

/// What the seal of a cursor is made for, among the other references of the key ring.
const KIND: &str = "cursor";

/// Where a page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The page holds what lies before this entry.
    pub(crate) index: u64,
    /// When the first page was asked for.
    pub(crate) now: Timestamp,
}

/// The cursor of a page.
pub(crate) fn write(keys: &KeyRing, trail: &Tenant, query: &str, place: Place) -> String {
    let Place { index, now } = place;
    let micros = u64::try_from(now.as_micros()).unwrap_or_default();
    let reference = keys.reference(trail, KIND, &format!("{index} {micros}\n{query}"));
    let seal = reference.strip_prefix("ref:").unwrap_or(&reference);
    format!("{index:x}-{micros:x}-{seal}")
}

/// The place that a cursor of this trail and search names.
pub(crate) fn read(keys: &KeyRing, trail: &Tenant, query: &str, cursor: &str) -> Option<Place> {
    let mut numbers = cursor.split('-').map(|number| u64::from_str_radix(number, 16).ok());
    let (index, micros) = (numbers.next()??, numbers.next()??);
    let place = Place { index, now: Timestamp::from_micros(i64::try_from(micros).ok()?) };
    (write(keys, trail, query, place) == cursor).then_some(place)
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
        fn cursors_come_back(index: u64, micros in 0..=(1_i64 << 53), query: String) {
            let place = Place { index, now: Timestamp::from_micros(micros) };
            let cursor = write(&keys(), &tenant("acme"), &query, place);
            prop_assert_eq!(read(&keys(), &tenant("acme"), &query, &cursor), Some(place));
            prop_assert_eq!(read(&keys(), &tenant("globex"), &query, &cursor), None);
            prop_assert_eq!(read(&keys(), &tenant("acme"), &format!("{query} "), &cursor), None);
        }

        #[test]
        fn what_reads_was_written(index: u64, micros in 0..=(1_i64 << 53), at in 0..34usize, byte in "[0-9a-fA-F+-]") {
            let cursor = write(&keys(), &tenant("acme"), "", Place { index, now: Timestamp::from_micros(micros) });
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
