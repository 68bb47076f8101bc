//! Sealed trails at start: their trees come out of the tiles, and out of the segments where a tile is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use greffier_merkle::tile::TileBuilder;
use greffier_merkle::{Hash, hash};
use parquet::file::reader::Length;

use crate::erase::{Notice, Orders};
use crate::error::LedgerError;
use crate::manifest::{CutRecord, FileRecord, Holds, SegmentRecord};
use crate::open_decisions::OpenDecisions;
use crate::peek::Peek;
use crate::publish::{Publisher, TRAILS, Trail, read_tile};
use crate::segment::{EntriesFile, SegmentError};
use crate::store::{Disk, Source};

/// Gives the publisher the trees of all sealed entries, and returns the decisions that were open at the floor of
/// the log. Every file of a segment must be there at its length; that it is the one that was signed is left to
/// [`crate::verify`], which reads it whole.
pub(super) fn restore(
    disk: &Disk,
    holds: &Holds,
    publisher: &mut Publisher,
    repairs: &mut Vec<String>,
) -> Result<OpenDecisions, LedgerError> {
    for file in holds.segment_files() {
        check_length(disk, file)?;
    }
    let trails: BTreeSet<&str> = holds.segments.iter().map(|segment| segment.trail.as_str()).collect();
    for trail in trails {
        let segments: Vec<&SegmentRecord> = holds.segments_of(trail).collect();
        let Some(last) = segments.last() else { continue };
        match resume(disk, trail, last.end).filter(|tree| hex::encode(tree.root()) == last.root) {
            Some(tree) => publisher.trail(trail).resume(tree),
            None => {
                if let Some(cut) = holds.cut_of(trail) {
                    publisher.trail(trail).resume(start(disk, cut)?);
                }
                rebuild(disk, publisher.trail(trail), &segments, repairs)?;
            }
        }
    }
    let mut open = OpenDecisions::default();
    for place in &holds.open {
        let segment = holds.segments_of(&place.trail).find(|s| (s.first..s.end).contains(&place.index));
        let Some(segment) = segment else { continue };
        let file = open_entries(disk, segment)?;
        if let Some(entry) = file.get(place.index).map_err(|error| damaged(segment, &error))?
            && let Some(peek) = Peek::of(&entry)
        {
            open.note(&place.trail, place.index, &entry, &peek);
        }
    }
    Ok(open)
}

/// What sealed entries say about keeping and erasing, from where the manifest says they stand.
pub(super) fn orders(disk: &Disk, holds: &Holds) -> Result<BTreeMap<String, Orders>, LedgerError> {
    let mut orders: BTreeMap<String, Orders> = BTreeMap::new();
    let mut places: BTreeMap<(&str, u64), (&SegmentRecord, Vec<u64>)> = BTreeMap::new();
    for place in &holds.orders {
        let segment = holds.segments_of(&place.trail).find(|s| (s.first..s.end).contains(&place.index));
        let Some(segment) = segment else { continue };
        places.entry((&segment.trail, segment.first)).or_insert((segment, Vec::new())).1.push(place.index);
    }
    for ((trail, _), (segment, indexes)) in places {
        let file = open_entries(disk, segment)?;
        for (index, entry) in file.get_many(&indexes).map_err(|error| damaged(segment, &error))? {
            if let Some(notice) = Notice::read(trail, index, &entry) {
                orders.entry(trail.to_owned()).or_default().note(notice);
            }
        }
    }
    Ok(orders)
}

/// The root that a trail had at a smaller size, from its tiles.
pub(super) fn root_at(disk: &Disk, trail: &str, size: u64) -> Option<Hash> {
    resume(disk, trail, size).map(|tree| tree.root())
}

fn resume(disk: &Disk, trail: &str, size: u64) -> Option<TileBuilder> {
    TileBuilder::resume(size, |tile| read_tile(disk, trail, &tile).ok().flatten())
}

/// The tree before the first entry that there is: only its tiles are left.
fn start(disk: &Disk, cut: &CutRecord) -> Result<TileBuilder, LedgerError> {
    let tree = resume(disk, &cut.trail, cut.first).filter(|tree| hex::encode(tree.root()) == cut.root);
    let what = "a tile of entries that are kept no longer is missing or damaged: restore it from a copy";
    tree.ok_or_else(|| LedgerError::tampered(format!("{TRAILS}/{}/tile", cut.trail), what))
}

/// Makes a tree again from its entries; tiles that are missing or damaged will be published again.
fn rebuild(
    disk: &Disk,
    tree: &mut Trail,
    segments: &[&SegmentRecord],
    repairs: &mut Vec<String>,
) -> Result<(), LedgerError> {
    for segment in segments {
        let file = open_entries(disk, segment)?;
        let mut compared = Ok(());
        let read = file.scan(|_, entry| {
            tree.push(hash::leaf(entry));
            compared = tree.compare_tiles(disk, segment.end, repairs);
            if compared.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        compared.map_err(LedgerError::io("read the tiles"))?;
        read.map_err(|error| damaged(segment, &error))?;
        if hex::encode(tree.root()) != segment.root {
            let what = "its entries do not have the root that was signed";
            return Err(LedgerError::tampered(&segment.entries.path, what));
        }
    }
    Ok(())
}

fn open_entries(disk: &Disk, segment: &SegmentRecord) -> Result<EntriesFile<Source>, LedgerError> {
    let source = disk.store().open(&segment.entries.path).map_err(LedgerError::io("open a segment"))?;
    EntriesFile::open(source).map_err(|error| damaged(segment, &error))
}

fn damaged(segment: &SegmentRecord, error: &SegmentError) -> LedgerError {
    LedgerError::tampered(&segment.entries.path, error.to_string())
}

fn check_length(disk: &Disk, file: &FileRecord) -> Result<(), LedgerError> {
    match disk.store().open(&file.path) {
        Ok(found) if found.len() == file.bytes => Ok(()),
        Ok(found) => {
            let what = format!("the file has {} bytes, {} were signed for", found.len(), file.bytes);
            Err(LedgerError::tampered(&file.path, what))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LedgerError::tampered(&file.path, "the file is missing"))
        }
        Err(error) => Err(LedgerError::io("open a segment")(error)),
    }
}
