//! The answer about one event, or about one of its parts.

use std::fmt;

use crate::erase::Gone;

/// What a check says of an event or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is what was signed.
    Valid,
    /// It is there, bound to its entry, and was not shown.
    Withheld,
    /// Its erasure was ordered by an entry of the trail.
    Erased {
        /// The entry.
        by: u64,
    },
    /// It was kept as long as it was to be kept, as an entry of the trail says.
    Expired {
        /// The entry.
        by: u64,
    },
    /// It is not what was signed, or missing for no reason that the trail gives.
    Invalid {
        /// What is wrong.
        what: String,
    },
}

impl From<Gone> for Status {
    fn from(why: Gone) -> Status {
        match why {
            Gone::Erased { by } => Status::Erased { by },
            Gone::Expired { by } => Status::Expired { by },
        }
    }
}

impl Status {
    /// Whether somebody must have tampered.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Status::Invalid { .. })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Valid => f.write_str("VALID"),
            Status::Withheld => f.write_str("WITHHELD"),
            Status::Erased { by } => write!(f, "ERASED (by entry {by})"),
            Status::Expired { by } => write!(f, "EXPIRED (by entry {by})"),
            Status::Invalid { what } => write!(f, "INVALID: {what}"),
        }
    }
}
