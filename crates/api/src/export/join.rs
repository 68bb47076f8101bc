//! Joining the decision and the outcome of each call, in one pass over the trail.
//!
//! An outcome stands behind its decision, usually on the same page; one that does not, or that the search left
//! out, is looked up. So an entry is written where the first of the two is met, and what has to be remembered
//! is which outcomes further on are already told: as many as calls were under way at one moment.
//!
//! Only what Greffier itself recorded is joined. A producer's events are written one by one, each as it came.

use std::collections::{BTreeSet, HashMap};

use greffier_event::{Event, EventType, Tenant};
use greffier_query::{Engine, Row};

use super::lines::ExportError;

/// Calls under way at one moment of a trail; a node has fewer connections.
const MAX_TOLD: usize = 65_536;

/// An event with its place.
#[derive(Clone, Debug)]
pub(super) struct Half {
    pub(super) index: u64,
    pub(super) event: Event,
}

/// What becomes one line: an event, or the decision of a call with its outcome.
pub(super) struct Item {
    pub(super) half: Half,
    pub(super) outcome: Option<Half>,
}

impl Item {
    pub(super) fn read(row: Row) -> Result<Item, ExportError> {
        half(row).map(Item::from)
    }

    pub(super) fn halves(&self) -> impl Iterator<Item = &Half> {
        std::iter::once(&self.half).chain(&self.outcome)
    }
}

impl From<Half> for Item {
    fn from(half: Half) -> Item {
        Item { half, outcome: None }
    }
}

/// What an event is to its call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Decision,
    Outcome,
}

fn role(event: &Event) -> Option<(Role, &str)> {
    let enforced = event.source.as_ref().is_some_and(|source| source.channel == "gateway");
    let request = event.request_id.as_deref().filter(|_| enforced)?;
    match event.kind {
        EventType::ActionApproved => Some((Role::Decision, request)),
        EventType::ActionExecuted | EventType::ActionFailed => Some((Role::Outcome, request)),
        _ => None,
    }
}

/// Joins page after page.
#[derive(Default)]
pub(super) struct Joiner {
    /// Outcomes further on that an entry has told.
    told: BTreeSet<u64>,
}

impl Joiner {
    pub(super) async fn join(
        &mut self,
        engine: &Engine,
        trail: &Tenant,
        end: u64,
        rows: Vec<Row>,
    ) -> Result<Vec<Item>, ExportError> {
        let mut page: Vec<Half> = rows.into_iter().map(half).collect::<Result<_, _>>()?;
        if let Some(first) = page.first() {
            self.told = self.told.split_off(&first.index);
        }
        let ended: HashMap<String, Half> = page
            .iter()
            .filter_map(|half| match role(&half.event)? {
                (Role::Outcome, request) => Some((request.to_owned(), half.clone())),
                _ => None,
            })
            .collect();
        let mut items = Vec::with_capacity(page.len());
        for half in page.drain(..) {
            let Some((role, request)) = role(&half.event) else {
                items.push(half.into());
                continue;
            };
            if self.told.remove(&half.index) {
                continue;
            }
            let other = match (role, ended.get(request)) {
                (Role::Decision, Some(outcome)) if outcome.index > half.index => Some(outcome.clone()),
                _ => look_up(engine, trail, end, request, role).await?,
            };
            items.push(match (role, other) {
                (_, None) => half.into(),
                (Role::Decision, Some(outcome)) => {
                    if self.told.len() >= MAX_TOLD {
                        return Err(ExportError::TooManyCalls);
                    }
                    self.told.insert(outcome.index);
                    Item { half, outcome: Some(outcome) }
                }
                (Role::Outcome, Some(decision)) => Item { half: decision, outcome: Some(half) },
            });
        }
        Ok(items)
    }
}

/// The other half of a call, as far as the export covers it.
async fn look_up(
    engine: &Engine,
    trail: &Tenant,
    end: u64,
    request: &str,
    known: Role,
) -> Result<Option<Half>, ExportError> {
    for row in engine.call(trail, request).await? {
        let half = half(row)?;
        if half.index < end && role(&half.event).is_some_and(|(role, _)| role != known) {
            return Ok(Some(half));
        }
    }
    Ok(None)
}

fn half(row: Row) -> Result<Half, ExportError> {
    Ok(Half { index: row.index, event: row.event()? })
}
