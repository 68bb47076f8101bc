//! What a reader knows of a directory: the newest manifest, and the log behind what it seals.
//!
//! The manifest is read before the log. Whatever it does not seal is in the log then, or has been sealed by a
//! newer manifest since; that one is read when a file of the log turns out to be gone. So nothing falls between
//! the two, and nothing is in both: hot entries begin where the segments end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hot::Hot;
use super::orders::TrailOrders;
use super::sealed::{Sealed, Segments};
use super::tail::{Acknowledged, Stop, Tail};
use super::{ReadError, Whereabouts, damaged, io_error};
use crate::manifest::{self, Manifest, SegmentRecord};
use crate::store::Disk;

/// How often reading starts again because files went away under it: a segment is sealed in much more time than a
/// reader needs to see it.
pub(super) const TRIES: usize = 8;

/// All trails as they stood when the view last caught up.
#[derive(Debug)]
pub(super) struct View {
    disk: Disk,
    /// How far the log counts; without it, as far as there are whole frames.
    acknowledged: Option<Acknowledged>,
    /// Sequence of the manifest that is known; 0 for none.
    manifest: u64,
    tail: Tail,
    trails: BTreeMap<String, Trail>,
}

/// One trail: its segments from entry 0 on, and behind them what is in the log.
#[derive(Debug, Default)]
pub(super) struct Trail {
    pub(super) sealed: Segments,
    pub(super) hot: Hot,
    pub(super) orders: TrailOrders,
}

impl Trail {
    /// The first entry that there is.
    pub(super) fn first(&self) -> u64 {
        self.sealed.first().map_or(0, |sealed| sealed.segment().first)
    }

    /// Where an entry is, if it is on the trail and has not expired.
    pub(super) fn locate(&self, index: u64) -> Option<Whereabouts> {
        if index >= self.hot.start() {
            return self.hot.get(index).map(Whereabouts::Hot);
        }
        let at = self.sealed.partition_point(|sealed| sealed.segment().end <= index);
        let sealed = self.sealed.get(at).filter(|sealed| sealed.segment().first <= index);
        sealed.map(Arc::clone).map(Whereabouts::Sealed)
    }
}

impl View {
    /// Of a directory that nothing is known of yet.
    pub(super) fn new(disk: Disk, acknowledged: Option<Acknowledged>) -> View {
        View { disk, acknowledged, manifest: 0, tail: Tail::before(1), trails: BTreeMap::new() }
    }

    /// Takes in what was sealed and written since the last time. Afterwards every entry that was acknowledged
    /// before the call is here.
    pub(super) fn catch_up(&mut self) -> Result<(), ReadError> {
        let mut contradicted = false;
        let mut gone = String::new();
        for _ in 0..TRIES {
            self.read_manifest()?;
            match self.read_log()? {
                Stop::End => return Ok(()),
                // Sealed meanwhile: then a newer manifest says so.
                Stop::Vanished(file) => {
                    self.manifest = 0;
                    gone = file;
                }
                // Frames from outside the ledger may be disowned: what is there now decides.
                Stop::Contradiction { .. } if !contradicted => {
                    contradicted = true;
                    self.forget();
                }
                Stop::Contradiction { place, what } => {
                    self.forget();
                    return Err(damaged(&place, &what));
                }
            }
        }
        Err(damaged(&gone, "the file is missing"))
    }

    /// The trails that have entries, by name.
    pub(super) fn trails(&self) -> impl Iterator<Item = (&str, &Trail)> {
        let trails = self.trails.iter().filter(|(_, trail)| trail.hot.end() > 0);
        trails.map(|(name, trail)| (name.as_str(), trail))
    }

    /// The same, to look for entries.
    pub(super) fn trails_mut(&mut self) -> impl Iterator<Item = (&str, &mut Trail)> {
        let trails = self.trails.iter_mut().filter(|(_, trail)| trail.hot.end() > 0);
        trails.map(|(name, trail)| (name.as_str(), trail))
    }

    /// One trail.
    pub(super) fn trail(&self, name: &str) -> Option<&Trail> {
        self.trails.get(name)
    }

    /// One trail, to make its batches.
    pub(super) fn trail_mut(&mut self, name: &str) -> Option<&mut Trail> {
        self.trails.get_mut(name)
    }

    /// Starts again: the next manifest that is read is the newest, and the log is read from its floor.
    fn forget(&mut self) {
        *self = View::new(self.disk.clone(), self.acknowledged.clone());
    }

    fn read_manifest(&mut self) -> Result<(), ReadError> {
        let newer = Manifest::newer(&self.disk, self.manifest).map_err(io_error(manifest::DIR))?;
        let Some(Manifest { sequence, holds, .. }) = newer else { return Ok(()) };
        let mut segments: BTreeMap<String, Vec<SegmentRecord>> = BTreeMap::new();
        for segment in holds.segments {
            segments.entry(segment.trail.clone()).or_default().push(segment);
        }
        let end = |segments: &Vec<SegmentRecord>| segments.last().map_or(0, |segment| segment.end);
        let unsealed =
            |(name, trail): (&String, &Trail)| segments.get(name).map_or(0, end) < trail.hot.start();
        if self.trails.iter().any(unsealed) {
            // A manifest whose commit failed was seen, and another took its place.
            self.forget();
        }
        for (name, segments) in segments {
            let end = end(&segments);
            let sealed = segments.into_iter().map(|record| Sealed::of(&self.disk, record));
            let sealed = sealed.collect::<Result<_, _>>()?;
            let trail = self.trails.entry(name).or_default();
            trail.sealed = sealed;
            trail.hot.seal(end);
            let first = trail.first();
            trail.orders.forget_before(first);
        }
        for place in holds.orders {
            self.trails.entry(place.trail).or_default().orders.stand_at(place.index);
        }
        // What counts before the floor is sealed, and its files may be gone: with them the word that some of what
        // was read there was disowned.
        let floor = holds.floor.max(1);
        if self.tail.file() < floor {
            self.tail = Tail::before(floor);
            self.trails.values_mut().for_each(|trail| trail.hot.clear());
        }
        self.manifest = sequence;
        Ok(())
    }

    fn read_log(&mut self) -> Result<Stop, ReadError> {
        let View { disk, acknowledged, tail, trails, .. } = self;
        // Asked after the manifest was read: whatever that one seals was acknowledged before.
        let acknowledged = acknowledged.as_ref().map(Acknowledged::end);
        tail.follow(disk, acknowledged, |place, frame| {
            let parts = (!frame.parts.is_empty()).then_some(place);
            let trail = match trails.get_mut(frame.trail) {
                Some(trail) => trail,
                None => trails.entry(frame.trail.to_owned()).or_default(),
            };
            trail.orders.note(frame.trail, frame.index, frame.entry);
            trail.hot.push(frame.index, frame.entry, parts)
        })
    }
}
