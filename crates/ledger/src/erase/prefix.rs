//! Which entries a trail need keep no longer: whole segments from its start, as far as nothing speaks against it.
//!
//! What an entry before the cut says must not be needed behind it. Orders that explain missing parts explain those
//! of earlier entries only, which go with them. What reaches further keeps its segment, and with it all that follow:
//! a call that waits for its outcome, an erasure that waits for its decision, a hold that stands, one whose release
//! stays while it goes, and how long things are kept.

use std::ops::ControlFlow;

use greffier_event::{Event, Tenant, Timestamp};

use super::orders::{Act, Orders};
use super::{Held, State};
use crate::keys::KeyRing;
use crate::manifest::{Holds, SegmentRecord};
use crate::sealer::SealError;
use crate::segment::EntriesFile;
use crate::store::Disk;

/// Where a trail could be cut, and why not further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The first entry that there is.
    pub(crate) first: u64,
    /// The first that would stay.
    pub(crate) end: u64,
    /// What keeps the next segment.
    pub(crate) kept: Option<Kept>,
}

/// Why a segment stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// An entry in it is not old enough.
    Young,
    /// It is the trail's newest.
    Newest,
    /// A call that began in it has no outcome.
    Open {
        /// The decision.
        entry: u64,
    },
    /// Legal hold.
    Held {
        /// The hold.
        id: String,
    },
    /// An erasure that was asked for in it is not decided or not done.
    Request {
        /// The erasure.
        id: String,
    },
    /// It says how long entries are kept, and nothing that is old enough says it after it.
    Retention {
        /// The entry.
        entry: u64,
    },
}

/// An entry before the cut that is needed while the cut lies at `until` or before.
struct Needed {
    entry: u64,
    until: u64,
    kept: Kept,
}

/// What a cut is made of.
pub(crate) struct Prefix<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) keys: &'a KeyRing,
    pub(crate) holds: &'a Holds,
    pub(crate) trail: &'a Tenant,
    pub(crate) orders: &'a Orders,
    /// Whether the log is emptied: then the newest segment stays, so that a trail always has one. Before, what is in
    /// the log will make a newer one, the order itself at least.
    pub(crate) drained: bool,
}

impl Prefix<'_> {
    /// Where the trail can be cut so that only segments go whose newest entry was recorded before `before`.
    /// `settled`: how long things are kept counts once it was said before this time.
    pub(crate) fn cut(&self, before: Timestamp, settled: Timestamp) -> Result<Cut, SealError> {
        let segments: Vec<&SegmentRecord> = self.holds.segments_of(self.trail.as_str()).collect();
        let first = segments.first().map_or(0, |segment| segment.first);
        let mut cut = Cut { first, end: first, kept: None };
        let standing = self.orders.holds();
        for (at, segment) in segments.iter().enumerate() {
            if segment.recorded_at.1 >= before.as_micros() {
                cut.kept = Some(Kept::Young);
            } else if self.drained && at + 1 == segments.len() {
                cut.kept = Some(Kept::Newest);
            } else {
                cut.kept = self.held(segment, &standing)?.map(|id| Kept::Held { id });
            }
            if cut.kept.is_some() {
                break;
            }
            cut.end = segment.end;
        }
        let needed = self.needed(settled);
        while let Some(need) =
            needed.iter().find(|need| (first..cut.end).contains(&need.entry) && cut.end <= need.until)
        {
            let holds_it = |segment: &&&SegmentRecord| (segment.first..segment.end).contains(&need.entry);
            cut.end = segments.iter().find(holds_it).map_or(first, |segment| segment.first);
            cut.kept = Some(need.kept.clone());
        }
        Ok(cut)
    }

    fn needed(&self, settled: Timestamp) -> Vec<Needed> {
        // What was open where the log begins. Of orders, their ends are known.
        let open = self.holds.open.iter().filter(|place| place.trail == self.trail.as_str());
        let open = open.filter(|place| !self.orders.has_ended(place.index));
        let open = open.map(|place| (place.index, u64::MAX, Kept::Open { entry: place.index }));
        let requests = self.orders.requests();
        let waiting = requests.into_iter().filter_map(|request| {
            let waits = matches!(request.state, State::Pending | State::Ordered { .. });
            waits.then_some((request.asked, u64::MAX, Kept::Request { id: request.id }))
        });
        let retention = self.orders.settled_retention(settled);
        let retention = retention.map(|entry| (entry, u64::MAX, Kept::Retention { entry }));
        let all = open.chain(waiting).chain(self.hold_spans()).chain(retention);
        all.map(|(entry, until, kept)| Needed { entry, until, kept }).collect()
    }

    /// From each hold to its release, and without one for ever: an expiry between them spared what it held.
    fn hold_spans(&self) -> Vec<(u64, u64, Kept)> {
        let mut spans: Vec<(u64, u64, Kept)> = Vec::new();
        for notice in self.orders.notices() {
            let id = notice.request().to_owned();
            match &notice.act {
                Act::Held(_) => spans.push((notice.index, u64::MAX, Kept::Held { id })),
                Act::Released(_) => {
                    let of_it = |span: &&mut (u64, u64, Kept)| {
                        span.1 == u64::MAX && span.2 == Kept::Held { id: id.clone() }
                    };
                    spans.iter_mut().filter(of_it).for_each(|span| span.1 = notice.index);
                }
                _ => {}
            }
        }
        spans
    }

    /// A standing hold on anything in a segment. Reads every entry, if there is a hold that may be on one.
    fn held(&self, segment: &SegmentRecord, standing: &[Held]) -> Result<Option<String>, SealError> {
        if standing.is_empty() {
            return Ok(None);
        }
        let file = EntriesFile::open(self.disk.store().open(&segment.entries.path)?)?;
        let mut found = None;
        file.scan(|_, entry| {
            // What is no event names nobody: only a hold on everything can be on it.
            let event = Event::from_canonical(entry).ok();
            let holder = event.as_ref().map(|event| {
                let user = event.user.as_ref().map(|user| user.sub.as_str());
                self.keys.holder(&event.tenant, user)
            });
            let on_it = |held: &&Held| match (&event, &holder) {
                (Some(event), Some(holder)) => held.scope.covers(event, holder),
                _ => true,
            };
            found = standing.iter().find(on_it).map(|held| held.id.clone());
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kept::Young => f.write_str("what follows is not old enough"),
            Kept::Newest => f.write_str("the newest segment always stays"),
            Kept::Open { entry } => write!(f, "the call of entry {entry} has no outcome"),
            Kept::Held { id } => write!(f, "legal hold {id} stands on it"),
            Kept::Request { id } => write!(f, "erasure {id} is not decided or not done"),
            Kept::Retention { entry } => {
                write!(f, "entry {entry} says how long entries are kept, until a younger one does")
            }
        }
    }
}
