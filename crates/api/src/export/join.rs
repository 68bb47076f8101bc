//! Joining the decision and the outcome of each call, in one pass over the trail.
//!
//! An outcome stands behind its decision, usually on the same page; one that does not, or that the search left
//! out, is looked up. So an entry is written where the first of the two is met, and what has to be remembered
//! is which outcomes further on are already told: as many as calls were under way at one moment.
//!
//! Only what Greffier itself recorded of a call is joined, through the gateway or by a hook, and never across the
//! two: a producer's events are written one by one, each as it came, whatever request they name.
//!
//! Every event is in one line, over all exports that go on where the last one ended: a decision that an export told
//! while its call was under way is not told again with the outcome, which then stands alone.

use std::collections::{BTreeSet, HashMap};

use greffier_event::{Event, EventType, Tenant};
use greffier_query::{Engine, Row, Search};

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

/// A call, by the channel that Greffier recorded it from and its request id.
type CallKey = (&'static str, String);

fn role(event: &Event) -> Option<(Role, CallKey)> {
    let role = match event.kind {
        EventType::ActionApproved => Role::Decision,
        EventType::ActionExecuted | EventType::ActionFailed => Role::Outcome,
        _ => return None,
    };
    let channel = event.source.as_ref()?.channel.as_str();
    let channel = ["gateway", "hook"].into_iter().find(|own| *own == channel)?;
    Some((role, (channel, event.request_id.clone()?)))
}

/// Joins page after page.
pub(super) struct Joiner {
    search: Search,
    /// The first entry of this export.
    start: u64,
    /// Outcomes further on that an entry has told.
    told: BTreeSet<u64>,
}

impl Joiner {
    /// For what `search` finds from `start` on.
    pub(super) fn new(search: Search, start: u64) -> Joiner {
        Joiner { search, start, told: BTreeSet::new() }
    }

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
        let mut ended: HashMap<CallKey, Half> = HashMap::new();
        for half in &page {
            if let Some((Role::Outcome, call)) = role(&half.event) {
                ended.entry(call).or_insert_with(|| half.clone());
            }
        }
        let mut items = Vec::with_capacity(page.len());
        for half in page.drain(..) {
            let Some((role, call)) = role(&half.event) else {
                items.push(half.into());
                continue;
            };
            if self.told.remove(&half.index) {
                continue;
            }
            let other = match (role, ended.get(&call)) {
                (Role::Decision, Some(outcome)) if outcome.index > half.index => Some(outcome.clone()),
                (Role::Decision, _) => pair(engine, trail, end, &call)
                    .await?
                    .filter(|(decision, _)| decision.index == half.index)
                    .map(|(_, outcome)| outcome),
                // Its decision, had there been one, was met before it and told it.
                (Role::Outcome, _) if self.start == 0 && self.search.is_everything() => None,
                (Role::Outcome, _) => {
                    let pair = pair(engine, trail, end, &call).await?;
                    let decision =
                        pair.filter(|(_, outcome)| outcome.index == half.index).map(|(decision, _)| decision);
                    match decision {
                        Some(decision) if self.was_told(engine, trail, decision.index).await? => None,
                        decision => decision,
                    }
                }
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

    /// Whether the export before has told a decision: it lies before this one, and the search finds it.
    async fn was_told(&self, engine: &Engine, trail: &Tenant, index: u64) -> Result<bool, ExportError> {
        if index >= self.start {
            return Ok(false);
        }
        let page = engine.oldest(trail, &self.search, index.checked_sub(1), 1).await?;
        Ok(page.rows.first().is_some_and(|row| row.index == index))
    }
}

/// The first decision of a call and the first outcome behind it, as far as the export covers them. A hook may be
/// told of one end twice.
async fn pair(
    engine: &Engine,
    trail: &Tenant,
    end: u64,
    call: &CallKey,
) -> Result<Option<(Half, Half)>, ExportError> {
    let mut decision = None;
    for row in engine.call(trail, &call.1).await? {
        let half = half(row)?;
        match role(&half.event).filter(|(_, other)| other == call && half.index < end) {
            Some((Role::Decision, _)) if decision.is_none() => decision = Some(half),
            Some((Role::Outcome, _)) => {
                if let Some(decision) = decision.take() {
                    return Ok(Some((decision, half)));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

fn half(row: Row) -> Result<Half, ExportError> {
    Ok(Half { index: row.index, event: row.event()? })
}
