//! Every trail's tree, grown by what was read of it, and held against what was signed.

use std::collections::{BTreeMap, BTreeSet};

use greffier_merkle::Hash;
use greffier_merkle::tile::TileId;

use super::log::{Scanned, Seen};
use super::segments::{Done, Piece};
use super::tree::{Tile, Tree};
use super::{Report, TrailReport, World, tiles};
use crate::publish::read_tile;

/// All trails, as far as they were read.
pub(super) struct Trails<'a> {
    world: &'a World<'a>,
    trees: BTreeMap<String, Tree>,
    /// Trails with a segment that cannot be read: what follows it has no place to be held against.
    broken: BTreeSet<String>,
    count: u64,
}

impl<'a> Trails<'a> {
    pub(super) fn new(world: &'a World<'a>) -> Trails<'a> {
        Trails { world, trees: BTreeMap::new(), broken: BTreeSet::new(), count: 0 }
    }

    /// Entries so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Grows a trail by what was read of one of its segments.
    pub(super) fn sealed(&mut self, trail: &str, done: Done, report: &mut Report) {
        report.add(done.report);
        if self.broken.contains(trail) {
            return;
        }
        self.count += done.entries;
        for piece in done.pieces {
            let tree = self.trees.entry(trail.to_owned()).or_default();
            let (Piece::Tile { first, .. } | Piece::Leaves { first, .. }) = &piece;
            if *first != tree.size() {
                self.broken.insert(trail.to_owned());
                let due = tree.size();
                let what = format!("entry {first} of trail {trail} stands where entry {due} is due");
                return report.problem(super::manifest::DIR, what);
            }
            match piece {
                Piece::Tile { root, leaves, .. } if leaves.is_empty() => {
                    let full = tree.push_tile(root);
                    self.check_tiles(trail, &full, report);
                    self.check_heads(trail, report);
                }
                Piece::Tile { leaves, .. } | Piece::Leaves { leaves, .. } => {
                    leaves.into_iter().for_each(|leaf| self.push(trail, leaf, report));
                }
            }
        }
        if done.broken {
            self.broken.insert(trail.to_owned());
        }
    }

    /// Grows the trails by the entries of a file of the log. Returns false where it cannot be followed any further.
    pub(super) fn logged(&mut self, scanned: &Scanned, report: &mut Report) -> bool {
        scanned.seen.iter().all(|seen| {
            let trail = scanned.trails.get(seen.trail).map_or("", String::as_str);
            self.entry(&scanned.name, trail, seen, report)
        })
    }

    fn entry(&mut self, file: &str, trail: &str, seen: &Seen, report: &mut Report) -> bool {
        if self.broken.contains(trail) {
            return true;
        }
        let due = self.trees.get(trail).map_or(0, Tree::size);
        let place = || format!("{file}, byte {}, trail {trail} entry {}", seen.offset, seen.index);
        if seen.index < due && seen.index < self.world.signed.sealed(trail) {
            self.check_sealed(&place(), trail, seen, report);
            return true;
        }
        if seen.index != due {
            report.problem(place(), format!("entry {due} is due here"));
            return false;
        }
        self.count += 1;
        report.parts(trail, &seen.parts);
        seen.wrong.iter().for_each(|what| report.problem(place(), what));
        for (_, told) in self.world.outside.leaves(trail, &(seen.index..seen.index + 1)) {
            if told != seen.leaf {
                report.problem(place(), super::outside::other_leaf(&told));
            }
        }
        self.push(trail, seen.leaf, report);
        true
    }

    /// An entry that is sealed and still in the log: both must be the same one.
    fn check_sealed(&self, place: &str, trail: &str, seen: &Seen, report: &mut Report) {
        let size = self.trees.get(trail).map_or(0, Tree::size);
        let tile = TileId::in_tree(0, seen.index / 256, size);
        let bytes = tile.and_then(|tile| read_tile(self.world.disk, trail, &tile).ok().flatten());
        let at = (seen.index % 256) as usize * 32;
        let leaf = bytes.as_ref().and_then(|bytes| bytes.get(at..at + 32));
        if leaf.is_some_and(|leaf| leaf != seen.leaf) {
            report.problem(place, "the entry is not the one that was sealed");
        }
    }

    fn push(&mut self, trail: &str, leaf: Hash, report: &mut Report) {
        let full = self.trees.entry(trail.to_owned()).or_default().push(leaf);
        self.check_tiles(trail, &full, report);
        self.check_heads(trail, report);
    }

    fn check_tiles(&self, trail: &str, full: &[Tile], report: &mut Report) {
        let covered = self.world.signed.covered(trail);
        for (tile, bytes) in full {
            tiles::check_full(self.world.disk, trail, covered, tile, bytes, report);
        }
    }

    /// At a size that was signed, the root must be the one that was signed; at the checkpoint's size its tiles
    /// must be there.
    fn check_heads(&self, trail: &str, report: &mut Report) {
        let Some(tree) = self.trees.get(trail) else { return };
        let heads = self.world.signed.heads_at(trail, tree.size());
        if heads.is_empty() {
            return;
        }
        let root = tree.root();
        for head in heads.iter().filter(|head| head.root != root) {
            let what = format!("the root of trail {trail} at size {} is another one", head.size);
            report.problem(&head.place, what);
        }
        if self.world.signed.covered(trail) == Some(tree.size()) {
            for (tile, bytes) in tree.right_edge() {
                tiles::check_edge(self.world.disk, trail, self.world.clean, &tile, &bytes, report);
            }
        }
    }

    /// Ends the check: the trees must reach everything that was signed.
    pub(super) fn finish(self, intact: bool, report: &mut Report) {
        let signed = self.world.signed;
        if intact && self.broken.is_empty() {
            for name in signed.trails() {
                let size = self.trees.get(name).map_or(0, Tree::size);
                for head in signed.heads_beyond(name, size) {
                    let what = format!("trail {name} has {size} entries, {} were signed for", head.size);
                    report.problem(&head.place, what);
                }
            }
            for (name, tree) in &self.trees {
                for (tile, bytes) in tree.right_edge() {
                    tiles::check_partials(self.world.disk, name, &tile, &bytes, report);
                }
                if report.clean && signed.listed.get(name).is_none_or(|head| head.size != tree.size()) {
                    report.problem(
                        super::wal::DIR,
                        format!("trail {name} has entries that the clean stop did not sign"),
                    );
                }
            }
        }
        let size = |name: &str| self.trees.get(name).map_or(0, Tree::size);
        self.world.outside.finish(signed, size, report);
        let told = |(name, tree): (&String, &Tree)| TrailReport {
            name: name.clone(),
            entries: tree.size(),
            expired: (0, 0),
            covered: signed.covered(name),
            witnessed: signed.witnessed.get(name).map(|head| head.size),
            anchored: self.world.outside.anchors(signed, name),
            root: tree.root(),
        };
        report.trails = self.trees.iter().map(told).collect();
    }
}
