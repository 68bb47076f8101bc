//! Entries that expired: of them only hash tiles are left. Their leaves are read from these, so that everything that
//! was ever signed of the trail is held against them as before; and an entry of the trail must have ordered it.

use std::ops::Range;

use greffier_merkle::Hash;
use greffier_merkle::hash;
use greffier_merkle::tile::{TileId, WIDTH};

use super::absent::Absence;
use super::segments::{Done, Piece};
use super::{Report, World, outside};
use crate::manifest::{self, CutRecord, Manifest};
use crate::publish::{read_tile, tile_path};

/// Entries of one job: whole tiles.
const ENTRIES_PER_JOB: u64 = 32_768;

/// Some entries that expired, of one trail.
pub(super) struct Job<'a> {
    cut: &'a CutRecord,
    range: Range<u64>,
}

/// All the work on the entries that a trail lost.
pub(super) fn jobs(cut: &CutRecord) -> impl Iterator<Item = Job<'_>> + Send {
    let ranges = (0..cut.first).step_by(ENTRIES_PER_JOB as usize);
    ranges.map(|from| Job { cut, range: from..cut.first.min(from + ENTRIES_PER_JOB) })
}

/// A trail may begin behind its first entry only where one of its entries ordered it.
pub(super) fn check_orders(manifest: Option<&Manifest>, absence: &Absence<'_>, report: &mut Report) {
    let Some(manifest) = manifest else { return };
    for CutRecord { trail, first, by, .. } in &manifest.holds.cuts {
        let ordered = absence.entries_cut(trail, *by).is_some_and(|order| *first <= order.end);
        if !ordered {
            let what = format!(
                "the entries before {first} of trail {trail} are gone, and no entry of the trail ordered it"
            );
            report.problem(manifest::note_path(manifest.sequence), what);
        }
    }
}

/// Says which entries expired, once all trails are known.
pub(super) fn tell(manifest: Option<&Manifest>, report: &mut Report) {
    let Some(manifest) = manifest else { return };
    for trail in &mut report.trails {
        if let Some(cut) = manifest.holds.cut_of(&trail.name) {
            trail.expired = (cut.first, cut.by);
        }
    }
}

impl<'a> Job<'a> {
    pub(super) fn trail(&self) -> &'a str {
        &self.cut.trail
    }

    pub(super) fn run(&self, world: &World<'_>) -> Done {
        let mut done = Done { entries: self.range.end - self.range.start, ..Done::default() };
        let mut first = self.range.start;
        while first < self.range.end {
            let end = self.range.end.min(first + WIDTH);
            match leaves(world, &self.cut.trail, first..end) {
                Ok(leaves) => done.pieces.push(self.piece(world, first, leaves)),
                Err((place, what)) => {
                    done.report.problem(place, what);
                    done.broken = true;
                    return done;
                }
            }
            first = end;
        }
        for (index, told) in world.outside.leaves(&self.cut.trail, &self.range) {
            if self.leaf(&done, index).is_some_and(|leaf| leaf != told) {
                let place = format!("trail {} entry {index}, which expired", self.cut.trail);
                done.report.problem(place, outside::other_leaf(&told));
            }
        }
        done
    }

    /// Whole tiles go by their root; with their leaves where something is signed for, or promised, in the midst.
    fn piece(&self, world: &World<'_>, first: u64, leaves: Vec<Hash>) -> Piece {
        let end = first + leaves.len() as u64;
        if end - first < WIDTH {
            return Piece::Leaves { first, leaves };
        }
        let trail = &self.cut.trail;
        let within = world.signed.is_due_within(trail, first + 1..end)
            || !world.outside.leaves(trail, &(first..end)).is_empty();
        Piece::Tile { first, root: hash::root(&leaves), leaves: if within { leaves } else { Vec::new() } }
    }

    fn leaf(&self, done: &Done, index: u64) -> Option<Hash> {
        let piece = done.pieces.get(((index - self.range.start) / WIDTH) as usize)?;
        let (Piece::Tile { first, leaves, .. } | Piece::Leaves { first, leaves }) = piece;
        leaves.get(usize::try_from(index.checked_sub(*first)?).ok()?).copied()
    }
}

/// The leaves of entries within one tile.
fn leaves(world: &World<'_>, trail: &str, range: Range<u64>) -> Result<Vec<Hash>, (String, String)> {
    let tile = TileId { level: 0, index: range.start / WIDTH, width: (range.end - range.start) as u16 };
    let place = || tile_path(trail, &tile);
    match read_tile(world.disk, trail, &tile) {
        Ok(Some(bytes)) if bytes.len() == tile.byte_len() => Ok(bytes.as_chunks::<32>().0.to_vec()),
        Ok(Some(_)) => Err((place(), "the tile is cut short".to_owned())),
        Ok(None) => Err((place(), "the tile is missing".to_owned())),
        Err(error) => Err((place(), format!("cannot be read: {error}"))),
    }
}
