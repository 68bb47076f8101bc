//! Sealed files: the bytes that were signed for, columns that say what their entries say, and all their parts.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::trails::Trails;
use super::{Report, compare};
use crate::manifest::{FileRecord, SegmentRecord};
use crate::sealer::MAX_SEGMENT_BYTES;
use crate::segment::{EntriesFile, PartsFile};
use crate::store::Disk;
use crate::wal::frame::{Frame, SealedPart};

/// Entries whose parts are read together.
const AT_ONCE: usize = 1_024;

/// Checks one segment and grows its trail by it. Returns false where the trail cannot be followed any further.
pub(super) fn check(
    disk: &Disk,
    segment: &SegmentRecord,
    trails: &mut Trails<'_>,
    report: &mut Report,
) -> bool {
    let mut parts = Vec::new();
    for record in &segment.parts {
        let Some(bytes) = read(disk, &record.file, report) else { continue };
        match PartsFile::open(Bytes::from(bytes)) {
            Ok(file) => parts.push((record.first..record.end, file)),
            Err(error) => report.problem(&record.file.path, error.to_string()),
        }
    }
    let path = &segment.entries.path;
    let Some(bytes) = read(disk, &segment.entries, report) else { return false };
    let file = match EntriesFile::open(Bytes::from(bytes)) {
        Ok(file) => file,
        Err(error) => {
            report.problem(path, error.to_string());
            return false;
        }
    };
    if (file.trail().as_str(), file.first(), file.end()) != (&*segment.trail, segment.first, segment.end) {
        report.problem(path, "the file says that it holds other entries than were signed for");
        return false;
    }
    let mut whole = true;
    let mut waiting: Vec<(u64, Vec<u8>)> = Vec::with_capacity(AT_ONCE);
    let mut take = |waiting: &mut Vec<(u64, Vec<u8>)>, report: &mut Report| {
        let indexes: Vec<u64> = waiting.iter().map(|(index, _)| *index).collect();
        let mut found: BTreeMap<u64, Vec<SealedPart<'static>>> = BTreeMap::new();
        for (range, file) in &parts {
            let wanted: Vec<u64> = indexes.iter().copied().filter(|index| range.contains(index)).collect();
            match file.get_many(&wanted) {
                Ok(read) => found.extend(read),
                Err(error) => report.problem(path, format!("its parts cannot be read: {error}")),
            }
        }
        for (index, entry) in waiting.drain(..) {
            let parts = found.remove(&index).unwrap_or_default();
            let frame = Frame { group: 0, index, trail: &segment.trail, entry: &entry, parts };
            whole &= trails.entry(path, &frame, report);
        }
    };
    let next = Cell::new(segment.first);
    let mut keep = |index: u64, entry: &[u8]| {
        waiting.push((index, entry.to_vec()));
        next.set(index + 1);
        if waiting.len() >= AT_ONCE {
            take(&mut waiting, report);
        }
    };
    let checked = file.check(&mut keep);
    // Columns that lie are named, and the entries are held against the tree all the same.
    let read = match &checked {
        Ok(()) => Ok(()),
        Err(_) => {
            let seen = next.get();
            file.scan(|index, entry| {
                if index >= seen {
                    keep(index, entry);
                }
                ControlFlow::Continue(())
            })
        }
    };
    let complete = next.get() == segment.end;
    take(&mut waiting, report);
    for error in [checked.err(), read.err()].into_iter().flatten() {
        report.problem(path, error.to_string());
    }
    whole && complete
}

/// Reads a file and holds it against what was signed for.
fn read(disk: &Disk, told: &FileRecord, report: &mut Report) -> Option<Vec<u8>> {
    match disk.store().read(&told.path, MAX_SEGMENT_BYTES) {
        Ok(bytes) => {
            compare(told, &bytes, report);
            Some(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.problem(&told.path, "the file is missing");
            None
        }
        Err(error) => {
            report.problem(&told.path, format!("cannot be read: {error}"));
            None
        }
    }
}
