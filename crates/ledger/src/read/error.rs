//! What can keep a reader from reading, in words that say what to do.

use std::io;

use greffier_event::InvalidEvent;

use crate::wal::replay::Corruption;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no ledger.
    #[error("`{0}` is not a greffier data directory")]
    NotALedger(String),
    /// The operating system refused.
    #[error("cannot read `{place}`: {source}")]
    Io {
        /// What was read.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log or a segment is damaged.
    #[error("{place}: {what}; run `greffier verify`")]
    Damaged {
        /// File and byte.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// An entry is not an event.
    #[error("the entry is not a valid event: {0}")]
    Event(#[from] InvalidEvent),
    /// The trail has no checkpoint, or it does not reach the entry yet.
    #[error("no checkpoint covers entry {index} of trail `{trail}` yet: one is signed each second")]
    NotCovered {
        /// The trail.
        trail: String,
        /// The entry.
        index: u64,
    },
    /// There is no such entry.
    #[error("trail `{trail}` has no entry {index}")]
    NoEntry {
        /// The trail.
        trail: String,
        /// The entry.
        index: u64,
    },
    /// The entry is kept no longer.
    #[error("entry {index} of trail `{trail}` expired: the trail is kept from entry {first} on")]
    Expired {
        /// The trail.
        trail: String,
        /// The entry.
        index: u64,
        /// The first entry that there is.
        first: u64,
    },
    /// A part's holder has no key.
    #[error("part `{0}` cannot be opened: its holder has no key here")]
    NoKey(String),
    /// A part does not open, or is not the one that the entry binds.
    #[error("part `{0}` is damaged or was exchanged; run `greffier verify`")]
    Part(String),
}

pub(super) fn io_error(place: &str) -> impl FnOnce(io::Error) -> ReadError {
    let place = place.to_owned();
    move |source| ReadError::Io { place, source }
}

pub(crate) fn damaged(place: &str, what: &str) -> ReadError {
    ReadError::Damaged { place: place.to_owned(), what: what.to_owned() }
}

pub(super) fn corrupt(corruption: Corruption) -> ReadError {
    let place = format!("{}, byte {}", corruption.file, corruption.offset);
    ReadError::Damaged { place, what: corruption.what }
}
