//! Approved decisions that wait for their outcome, as a log is read from its beginning.

use std::collections::HashMap;
use std::sync::LazyLock;

use greffier_event::{Event, EventType};
use memchr::memmem::Finder;

use crate::error::LedgerError;
use crate::peek::Peek;

/// Calls without an outcome that are handed over at start; a node with more in flight than this when it was
/// killed is told how many remain.
pub const MAX_OPEN_DECISIONS: usize = 65_536;

/// The decisions that are open at one place of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenDecisions {
    /// By trail and request.
    waiting: HashMap<(String, String), Waiting>,
    read: u64,
    dropped: u64,
}

#[derive(Clone, Debug)]
struct Waiting {
    /// How many were read before it.
    order: u64,
    index: u64,
    entry: Vec<u8>,
}

/// In the canonical bytes of every event of an approval, and of no text in one: there its quotes are escaped.
static APPROVED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""type":"action.approved""#));

impl OpenDecisions {
    /// Whether an entry may change what is open: where nothing is, only an approval does, and the others need not
    /// be parsed.
    pub(crate) fn may_change(&self, entry: &[u8]) -> bool {
        !self.waiting.is_empty() || APPROVED.find(entry).is_some()
    }

    /// Takes in the next entry of the log.
    pub(crate) fn note(&mut self, trail: &str, index: u64, entry: &[u8], peek: &Peek) {
        let Some(request) = &peek.request_id else { return };
        let call = (trail.to_owned(), request.clone());
        match peek.kind {
            EventType::ActionApproved if self.waiting.len() >= MAX_OPEN_DECISIONS => self.dropped += 1,
            EventType::ActionApproved => {
                self.read += 1;
                self.waiting.insert(call, Waiting { order: self.read, index, entry: entry.to_vec() });
            }
            EventType::ActionExecuted | EventType::ActionFailed => {
                self.waiting.remove(&call);
            }
            _ => {}
        }
    }

    /// Where they stand, oldest first.
    pub(crate) fn places(&self) -> Vec<(String, u64)> {
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_unstable_by_key(|(_, waiting)| waiting.order);
        waiting.into_iter().map(|((trail, _), waiting)| (trail.clone(), waiting.index)).collect()
    }

    /// The decisions, oldest first, and how many were too many to keep.
    pub(crate) fn into_events(self) -> Result<(Vec<Event>, u64), LedgerError> {
        let mut waiting: Vec<_> = self.waiting.into_iter().collect();
        waiting.sort_unstable_by_key(|(_, waiting)| waiting.order);
        let event = |((trail, _), waiting): ((String, String), Waiting)| {
            Event::from_canonical(&waiting.entry)
                .map_err(|error| LedgerError::tampered(format!("trail `{trail}`"), error.to_string()))
        };
        Ok((waiting.into_iter().map(event).collect::<Result<_, _>>()?, self.dropped))
    }
}
