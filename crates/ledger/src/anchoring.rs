//! Whether somebody independent has vouched for the trails of late: one judgement, for the running node from what it
//! knows, and for whoever has nothing but the files from what lies there.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Age of cosignatures beyond which a trail counts as UNANCHORED, where nothing else is configured.
pub const STALE_AFTER: Duration = Duration::from_secs(10 * 60);

/// Whether somebody independent has vouched for the trails of late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchoring {
    /// Enough witnesses have, this many seconds ago at most.
    Anchored {
        /// Age of the newest cosignatures of the node's own trail, which lists the heads of the others.
        age: u64,
    },
    /// UNANCHORED.
    Unanchored {
        /// Why, for people.
        reason: String,
    },
}

/// What is judged.
pub(crate) struct Standing {
    /// Who is asked, for people; nobody where no witness is configured.
    pub(crate) asked: Option<String>,
    /// Since when enough of them have vouched for the node's own trail, in seconds since 1970.
    pub(crate) node: Option<u64>,
    /// Trails whose entries have waited for cosignatures for too long.
    pub(crate) waiting: usize,
}

impl Standing {
    /// Two things must hold at `now`: the node's own trail, which lists the heads of the others, has recent
    /// cosignatures; and no trail has entries that have waited for theirs for too long.
    pub(crate) fn judge(self, now: u64, stale_after: Duration) -> Anchoring {
        let stale = stale_after.as_secs();
        let reason = match (self.asked, self.node.map(|node| now.saturating_sub(node))) {
            (None, _) => "no witness is configured".to_owned(),
            (Some(asked), None) => format!("{asked} have not cosigned yet"),
            (_, Some(age)) if age > stale => format!("the newest cosignatures are {age} s old"),
            (_, Some(age)) if self.waiting == 0 => return Anchoring::Anchored { age },
            _ => format!("{} trails wait for cosignatures for more than {stale} s", self.waiting),
        };
        Anchoring::Unanchored { reason }
    }
}

/// For people.
impl fmt::Display for Anchoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchoring::Anchored { age } => {
                write!(f, "ANCHORED: cosigned by a quorum of witnesses {age} s ago")
            }
            Anchoring::Unanchored { reason } => write!(f, "UNANCHORED: {reason}"),
        }
    }
}

/// `{"state": "ANCHORED", "age_seconds": 3}` or `{"state": "UNANCHORED", "reason": "…"}`.
impl Serialize for Anchoring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(2))?;
        match self {
            Anchoring::Anchored { age } => {
                fields.serialize_entry("state", "ANCHORED")?;
                fields.serialize_entry("age_seconds", age)?;
            }
            Anchoring::Unanchored { reason } => {
                fields.serialize_entry("state", "UNANCHORED")?;
                fields.serialize_entry("reason", reason)?;
            }
        }
        fields.end()
    }
}
