//! What can go wrong, in words that say what to do.

use std::io;

use greffier_event::Timestamp;

use crate::keys::KeyError;
use crate::wal::replay::Corruption;

/// Why a ledger cannot be opened, or was not closed cleanly.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The keys would be copied, served and lost together with the data they protect.
    #[error("the keys folder must not lie inside the data directory: move it out")]
    KeysInsideData,
    /// The key ring does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The origin is not a name that checkpoints can carry.
    #[error(
        "origin `{0}` must be a name of at most 100 characters without spaces and `+`, as in `audit.example.com`"
    )]
    Origin(String),
    /// Another process owns the directory.
    #[error("another greffier uses this data directory: stop it first")]
    Busy,
    /// Damage that no crash explains.
    #[error("the log is corrupt at {place}: {what}; nothing was changed, restore it from a copy")]
    Corrupt {
        /// File and byte.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// The data contradicts what was signed.
    #[error("{place}: {what}; nothing was changed, run `greffier verify`")]
    Tampered {
        /// File or trail.
        place: String,
        /// The contradiction.
        what: String,
    },
    /// A witness has seen what is not here: a restored backup, or a second node under this name.
    #[error(
        "witness `{witness}` {what}: this data is a restored backup, or another node signs under this origin; \
         nothing was signed. Stop the other node, or bring back the newest copy of the data; to go on from this \
         one, give the node a new `origin`"
    )]
    Forked {
        /// The witness's configured name.
        witness: String,
        /// What it holds, and what is here.
        what: String,
    },
    /// More cosignatures are asked for than there are witnesses, or there are too many of them.
    #[error(
        "a quorum of {quorum} of {witnesses} witnesses cannot be: name 1 to 32 witnesses, and a quorum of at most as many"
    )]
    Quorum {
        /// How many must cosign.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Everything acknowledged is safe, but the stop was not a clean one.
    #[error("the stop is not clean: {0}; everything acknowledged is in the log")]
    NotClean(String),
}

impl LedgerError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> LedgerError {
        move |source| LedgerError::Io { doing, source }
    }

    pub(crate) fn tampered(place: impl Into<String>, what: impl Into<String>) -> LedgerError {
        LedgerError::Tampered { place: place.into(), what: what.into() }
    }

    /// A witness is past what is here.
    pub(crate) fn ahead(witness: &str, trail: &str, there: u64, here: u64) -> LedgerError {
        let what = format!("has cosigned {there} entries of trail `{trail}`, and here are {here}");
        LedgerError::Forked { witness: witness.to_owned(), what }
    }

    /// A witness holds something else than what is here.
    pub(crate) fn another(witness: &str, trail: &str) -> LedgerError {
        let what = format!("has cosigned another history of trail `{trail}` than the one here");
        LedgerError::Forked { witness: witness.to_owned(), what }
    }

    /// Whether waiting may help: the directory is absent, read-only, forbidden or full. Then greffier starts,
    /// records nothing, lets nobody act, and tries again.
    pub(crate) fn may_pass(&self) -> bool {
        use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let LedgerError::Io { source, .. } = self else { return false };
        matches!(
            source.kind(),
            NotFound | PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
        )
    }
}

impl From<Corruption> for LedgerError {
    fn from(corruption: Corruption) -> LedgerError {
        let place = format!("{}, byte {}", corruption.file, corruption.offset);
        LedgerError::Corrupt { place, what: corruption.what }
    }
}

/// Why an event was not recorded. Nothing may be done on the strength of it.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The id is on the trail already, with other content.
    #[error("an event with this id and other content is on the trail, at entry {index}")]
    Conflict {
        /// Where the first one stands.
        index: u64,
    },
    /// Recording fails at the moment; it is tried again by itself.
    #[error("recording is not possible: {0}")]
    NotRecording(String),
    /// The ledger is closing.
    #[error("the ledger is closed")]
    Closed,
    /// The event is not valid.
    #[error(transparent)]
    Invalid(#[from] greffier_event::InvalidEvent),
    /// `recorded_at` is the recorder's to set.
    #[error("`recorded_at` must be set before an event is recorded")]
    Unstamped,
    /// `parts` and `parts_root` are the ledger's to set.
    #[error("`parts` and `parts_root` must be empty before an event is recorded")]
    Prefilled,
    /// More than a frame holds.
    #[error("the event is too large: at most 65,535 bytes and 32 parts")]
    TooLarge,
    /// The key ring could not make the holder's key durable.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The system gave no randomness, or the cipher failed.
    #[error("the system's cryptography failed")]
    Cipher,
    /// Names of trails are directories and are unique ignoring case.
    #[error("a trail named `{0}` exists already: tenants differ by more than case")]
    TenantCase(String),
    /// The node holds as many trails as it can.
    #[error("this node holds its most trails already")]
    TooManyTrails,
}

impl AppendError {
    /// Whether the recorder is at fault, not the event: the same event may be recorded later.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            AppendError::NotRecording(_) | AppendError::Closed | AppendError::Keys(_) | AppendError::Cipher
        )
    }
}

/// Absent until a recorder stamps it.
pub(crate) fn stamped(recorded_at: Option<Timestamp>) -> Result<Timestamp, AppendError> {
    recorded_at.ok_or(AppendError::Unstamped)
}
