//! Ask it: search, SQL and look-ups over one snapshot of sealed segments and the hot tail.
//!
//! An [`Engine`] reads trails through the ledger's [`Reader`](greffier_ledger::Reader) and never writes. Each
//! question takes one snapshot, so that nothing is missed or doubled while events are appended and sealed. People
//! ask in the search language ([`Search`]), programs in SQL; both are bounded in time, rows, bytes and memory
//! ([`Limits`]) and run on threads of their own. Only this crate knows DataFusion.
//!
//! ```text
//! search/ -> predicate -+
//! sql/    -> plan ------+-> table/ (snapshot: segments, hot batches) -> view -> find (sift, single) | facet | tally | analyse (piece, facts) | output
//! ```
//!
//! Not here: who may ask, and the record that somebody did. Above stand the API and the binary.

mod analyse;
mod engine;
mod error;
mod facet;
mod facts;
mod find;
mod mask;
mod need;
mod output;
mod parquet;
mod piece;
mod search;
mod share;
mod sift;
mod single;
mod source;
mod sql;
mod table;
mod tally;
#[cfg(test)]
mod testing;
mod view;
mod watch;

pub use engine::{Engine, Limits, MAX_SESSION_EVENTS};
pub use error::{QueryError, SearchError};
pub use facet::{Count, CountBy, Counts, Facet, FacetField, Per};
pub use greffier_analysis::{Finding, FindingKind, Numbers, Run, Severity, State, Subject, findings};
use greffier_event::{Event, InvalidEvent};
pub use output::Table;
pub use parquet::ParquetFile;
pub use search::Search;
pub use search::when::{Zone, read_time};
pub use sift::OpenContents;
pub use watch::{Asked, Looked, Watch};

/// One entry as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place on the trail.
    pub index: u64,
    /// The exact bytes that the leaf hash covers.
    pub entry: Vec<u8>,
}

impl Row {
    /// The event.
    pub fn event(&self) -> Result<Event, InvalidEvent> {
        Event::from_canonical(&self.entry)
    }
}

/// One page of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Matches, in the order that was asked for.
    pub rows: Vec<Row>,
    /// Where the next page begins, if there is more: pass it as `before` (newest) or `after` (oldest).
    pub next: Option<u64>,
    /// Entries on the trail when it was read: without `next`, every entry below has been looked at.
    pub size: u64,
}
