//! Rebuilding every tree from the log, and holding it against what was signed and what lies in tiles.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::Event;
use greffier_merkle::hash;
use greffier_merkle::tile::{TileBuilder, TileId};

use super::signed::{Head, Signed};
use super::{Report, TrailReport};
use crate::keys::KeyRing;
use crate::publish::{MAX_TILE_BYTES, read_tile, tile_end, tile_path};
use crate::read::open_parts;
use crate::store::Disk;
use crate::wal::frame::Frame;

/// All trails, as far as the log was read.
pub(super) struct Trails<'a> {
    disk: &'a Disk,
    signed: &'a Signed,
    keys: Option<&'a KeyRing>,
    trees: BTreeMap<String, TileBuilder>,
    /// Trails with a segment that cannot be read: what follows it has no place to be held against.
    broken: BTreeSet<String>,
    count: u64,
}

impl<'a> Trails<'a> {
    pub(super) fn new(disk: &'a Disk, signed: &'a Signed, keys: Option<&'a KeyRing>) -> Trails<'a> {
        Trails { disk, signed, keys, trees: BTreeMap::new(), broken: BTreeSet::new(), count: 0 }
    }

    /// Entries since the last call.
    pub(super) fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }

    /// Checks one entry and grows its trail. Returns false where the log cannot be followed any further.
    pub(super) fn entry(&mut self, place: &str, frame: &Frame<'_>, report: &mut Report) -> bool {
        if self.broken.contains(frame.trail) {
            return true;
        }
        let due = self.trees.get(frame.trail).map_or(0, TileBuilder::size);
        let place = format!("{place}, trail {} entry {}", frame.trail, frame.index);
        if frame.index < due && frame.index < self.signed.sealed(frame.trail) {
            self.check_sealed(&place, frame, report);
            return true;
        }
        if frame.index != due {
            report.problem(place, format!("entry {due} is due here"));
            return false;
        }
        self.count += 1;
        match Event::from_canonical(frame.entry) {
            Ok(event) => self.event(&place, &event, frame, report),
            Err(error) => report.problem(&place, format!("the entry is not a valid event: {error}")),
        }
        let tree = self.trees.entry(frame.trail.to_owned()).or_default();
        tree.push(hash::leaf(frame.entry));
        let full = tree.take_full();
        self.check_tiles(frame.trail, &full, report);
        self.check_heads(frame.trail, report);
        true
    }

    /// A segment of this trail cannot be read.
    pub(super) fn give_up(&mut self, trail: &str) {
        self.broken.insert(trail.to_owned());
    }

    /// An entry that is sealed and still in the log: both must be the same one.
    fn check_sealed(&self, place: &str, frame: &Frame<'_>, report: &mut Report) {
        let size = self.trees.get(frame.trail).map_or(0, TileBuilder::size);
        let tile = TileId::in_tree(0, frame.index / 256, size);
        let bytes = tile.and_then(|tile| read_tile(self.disk, frame.trail, &tile).ok().flatten());
        let at = (frame.index % 256) as usize * 32;
        let leaf = bytes.as_ref().and_then(|bytes| bytes.get(at..at + 32));
        if leaf.is_some_and(|leaf| leaf != hash::leaf(frame.entry)) {
            report.problem(place, "the entry is not the one that was sealed");
        }
    }

    fn event(&self, place: &str, event: &Event, frame: &Frame<'_>, report: &mut Report) {
        if event.tenant.as_str() != frame.trail {
            report.problem(place, format!("the event belongs to `{}`", event.tenant));
        }
        if event.parts.len() != frame.parts.len() {
            let what =
                format!("{} parts are stored, the entry binds {}", frame.parts.len(), event.parts.len());
            return report.problem(place, what);
        }
        match self.keys.map(|keys| open_parts(event, &frame.parts, keys)) {
            None => report.parts_unopened += frame.parts.len() as u64,
            Some(Ok(parts)) => report.parts_opened += parts.len() as u64,
            Some(Err(error)) => report.problem(place, error.to_string()),
        }
    }

    /// At a size that was signed, the root must be the one that was signed; at the checkpoint's size its tiles
    /// must be there.
    fn check_heads(&self, trail: &str, report: &mut Report) {
        let Some(tree) = self.trees.get(trail) else { return };
        for head in self.heads(trail).filter(|head| head.size == tree.size()) {
            if head.root != tree.root() {
                let what = format!("the root of trail {trail} at size {} is another one", head.size);
                report.problem(&head.place, what);
            }
        }
        if self.covered(trail) == Some(tree.size()) {
            for (tile, bytes) in tree.right_edge() {
                let path = tile_path(trail, &tile);
                // A running server may have put a wider tile in its place since.
                let found = if report.clean {
                    self.disk.store().read(&path, MAX_TILE_BYTES).ok()
                } else {
                    read_tile(self.disk, trail, &tile).ok().flatten()
                };
                compare(&path, found.as_deref(), &bytes, report);
            }
        }
    }

    /// A tile that the log says is full: where a checkpoint covers it, it must be there; partial tiles of it may
    /// be left, and must be its beginning.
    fn check_tiles(&self, trail: &str, full: &[(TileId, Vec<u8>)], report: &mut Report) {
        for (tile, bytes) in full {
            let path = tile_path(trail, tile);
            let found = self.disk.store().read(&path, MAX_TILE_BYTES).ok();
            if found.is_some() || self.covered(trail).is_some_and(|size| tile_end(tile) <= size) {
                compare(&path, found.as_deref(), bytes, report);
            }
            self.check_partials(trail, tile, bytes, report);
        }
    }

    /// Partial tiles that are on disk: none may say anything else than the tile.
    fn check_partials(&self, trail: &str, tile: &TileId, bytes: &[u8], report: &mut Report) {
        let full = TileId { width: 256, ..*tile };
        let dir = format!("{}.p", tile_path(trail, &full));
        for listed in self.disk.store().list(&dir).unwrap_or_default() {
            let width = listed.name.parse::<u16>().ok().filter(|width| (1..256).contains(width));
            let Some(width) = width else { continue };
            // Wider than the tree as we read it: a running server was quicker.
            let Some(expected) = bytes.get(..TileId { width, ..*tile }.byte_len()) else { continue };
            let path = format!("{dir}/{}", listed.name);
            // It may be removed at any moment, once its tile is full.
            if let Ok(found) = self.disk.store().read(&path, MAX_TILE_BYTES) {
                compare(&path, Some(&found), expected, report);
            }
        }
    }

    /// Ends the check: the trees must reach everything that was signed.
    pub(super) fn finish(self, intact: bool, report: &mut Report) {
        if intact && self.broken.is_empty() {
            let names = self.signed.checkpoints.keys().chain(self.signed.listed.keys());
            for name in names {
                let size = self.trees.get(name).map_or(0, TileBuilder::size);
                for head in self.heads(name).filter(|head| head.size > size) {
                    let what = format!("trail {name} has {size} entries, {} were signed for", head.size);
                    report.problem(&head.place, what);
                }
            }
            for (name, tree) in &self.trees {
                for (tile, bytes) in tree.right_edge() {
                    self.check_partials(name, &tile, &bytes, report);
                }
                if report.clean && self.signed.listed.get(name).is_none_or(|head| head.size != tree.size()) {
                    report.problem(
                        super::wal::DIR,
                        format!("trail {name} has entries that the clean stop did not sign"),
                    );
                }
            }
        }
        report.trails = self
            .trees
            .iter()
            .map(|(name, tree)| TrailReport {
                name: name.clone(),
                entries: tree.size(),
                covered: self.covered(name),
                root: tree.root(),
            })
            .collect();
    }

    fn heads(&self, trail: &str) -> impl Iterator<Item = &'a Head> {
        let signed = self.signed;
        let sealed = signed.segments.get(trail).into_iter().flatten();
        let stamped = signed.stamped.get(trail).into_iter().flatten();
        signed.checkpoints.get(trail).into_iter().chain(signed.listed.get(trail)).chain(sealed).chain(stamped)
    }

    fn covered(&self, trail: &str) -> Option<u64> {
        self.signed.checkpoints.get(trail).map(|head| head.size)
    }
}

/// Names the first byte of a tile that differs.
fn compare(path: &str, found: Option<&[u8]>, expected: &[u8], report: &mut Report) {
    let Some(found) = found else {
        return report.problem(path, "the tile is missing");
    };
    if found.len() != expected.len() {
        report.problem(path, format!("the tile has {} bytes, {} are due", found.len(), expected.len()));
    } else if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        report.problem(format!("{path}, byte {at}"), "the tile is not the one that the log gives");
    }
}
