//! Joining the decision and the outcome of each call, in one pass over the trail.
//!
//! An outcome stands behind its decision, usually on the same page; those that do not, or that the search left
//! out, are looked up together. So an entry is written where the first of the two is met, and what has to be remembered
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

use super::lines::{ExportError, patiently};

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
        let known = self.look_up(engine, trail, end, &page, &ended).await?;
        let mut items = Vec::with_capacity(page.len());
        for half in page.drain(..) {
            let Some((role, call)) = role(&half.event) else {
                items.push(half.into());
                continue;
            };
            if self.told.remove(&half.index) {
                continue;
            }
            let pair = known.pairs.get(&call);
            let other = match (role, ended.get(&call)) {
                (Role::Decision, Some(outcome)) if outcome.index > half.index => Some(outcome.clone()),
                (Role::Decision, _) => pair
                    .filter(|(decision, _)| decision.index == half.index)
                    .map(|(_, outcome)| outcome.clone()),
                (Role::Outcome, _) => {
                    let decision = pair.filter(|(_, outcome)| outcome.index == half.index);
                    let decision = decision.map(|(decision, _)| decision);
                    decision.filter(|decision| !known.told.contains(&decision.index)).cloned()
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

    /// What this page does not say of its calls, all at once.
    async fn look_up(
        &self,
        engine: &Engine,
        trail: &Tenant,
        end: u64,
        page: &[Half],
        ended: &HashMap<CallKey, Half>,
    ) -> Result<Known, ExportError> {
        let mut told: BTreeSet<u64> = self.told.clone();
        let mut unknown: BTreeSet<CallKey> = BTreeSet::new();
        for half in page {
            match role(&half.event).map(|(role, call)| (role, ended.get(&call), call)) {
                Some((Role::Decision, Some(outcome), _)) if outcome.index > half.index => {
                    told.insert(outcome.index);
                }
                Some((Role::Outcome, _, _)) if told.contains(&half.index) => {}
                // Its decision, had there been one, was met before it and told it.
                Some((Role::Outcome, _, _)) if self.start == 0 && self.search.is_everything() => {}
                Some((_, _, call)) => {
                    unknown.insert(call);
                }
                None => {}
            }
        }
        let pairs = pairs(engine, trail, end, &unknown).await?;
        // The export before has told a decision if it lies before this one, and the search finds it.
        let before = pairs.values().map(|(decision, _)| decision.index).filter(|index| *index < self.start);
        let before: Vec<u64> = before.collect();
        let told = if before.is_empty() {
            BTreeSet::new()
        } else {
            let told = patiently(|| engine.matching(trail, &self.search, &before)).await?;
            told.into_iter().collect()
        };
        Ok(Known { pairs, told })
    }
}

/// What was looked up for a page.
struct Known {
    pairs: HashMap<CallKey, (Half, Half)>,
    /// Decisions that the export before has told.
    told: BTreeSet<u64>,
}

/// The first decision of each call and the first outcome behind it, as far as the export covers them. A hook may be
/// told of one end twice.
async fn pairs(
    engine: &Engine,
    trail: &Tenant,
    end: u64,
    calls: &BTreeSet<CallKey>,
) -> Result<HashMap<CallKey, (Half, Half)>, ExportError> {
    let mut ids: Vec<String> = calls.iter().map(|(_, id)| id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let (mut decisions, mut pairs) = (HashMap::new(), HashMap::new());
    for row in patiently(|| engine.calls(trail, &ids)).await? {
        let half = half(row)?;
        let Some((role, call)) = role(&half.event).filter(|(_, call)| calls.contains(call)) else { continue };
        if half.index >= end || pairs.contains_key(&call) {
            continue;
        }
        match role {
            Role::Decision => {
                decisions.entry(call).or_insert(half);
            }
            Role::Outcome => {
                if let Some(decision) = decisions.remove(&call) {
                    pairs.insert(call, (decision, half));
                }
            }
        }
    }
    Ok(pairs)
}

fn half(row: Row) -> Result<Half, ExportError> {
    Ok(Half { index: row.index, event: row.event()? })
}
