//! Which files there must be, and that they are those that were signed for.

use std::collections::BTreeSet;
use std::io;

use super::covered::Covered;
use super::signed::Signed;
use super::{Report, VerifyError};
use crate::manifest::{FileRecord, Manifest};
use crate::ngrams;
use crate::store::{Disk, UNFINISHED};
use crate::wal::replay::Listing;
use crate::wal::{self, MAX_FILE_BYTES};

/// Which files of the log there must be.
pub(super) fn check_log_files(listing: &Listing, manifest: Option<&Manifest>, report: &mut Report) {
    let present: BTreeSet<String> = listing.sequences.iter().map(|sequence| wal::path(*sequence)).collect();
    let last = listing.sequences.last().copied().unwrap_or(0);
    let floor = manifest.map_or(1, |manifest| manifest.holds.floor);
    let mut missing: BTreeSet<String> =
        (floor..=last).map(wal::path).filter(|name| !present.contains(name)).collect();
    if let Some(manifest) = manifest {
        let told = &manifest.holds.wal;
        let complete = told.iter().filter(|record| record.sha256.is_some());
        missing.extend(complete.map(|record| record.name.clone()).filter(|name| !present.contains(name)));
        if manifest.clean {
            let known: BTreeSet<&str> = told.iter().map(|record| record.name.as_str()).collect();
            for name in present.iter().filter(|name| !known.contains(name.as_str())) {
                report.problem(name.as_str(), "the file was not there at the clean stop");
            }
        }
    }
    for name in missing {
        report.problem(name, "the file is missing");
    }
}

/// Every other file: those the manifest lists must be as listed, and after a clean stop there are none but those
/// that it covers.
pub(super) fn check_other_files(
    disk: &Disk,
    signed: &Signed,
    listing: &Listing,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let Some(manifest) = &signed.manifest else { return Ok(()) };
    for told in &manifest.holds.files {
        match disk.store().read(&told.path, MAX_FILE_BYTES) {
            Ok(bytes) => compare_records(told, &FileRecord::of(&told.path, &bytes), report),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                report.problem(&told.path, "the file is missing");
            }
            Err(error) => report.problem(&told.path, format!("cannot be read: {error}")),
        }
    }
    if manifest.clean {
        for stranger in &listing.strangers {
            report.problem(stranger.as_str(), "the file was not there at the clean stop");
        }
        let covered = Covered::by(manifest);
        for path in disk.walk("")? {
            let log = path.starts_with("wal/") && !path.ends_with(UNFINISHED);
            // Indexes can be made again at any time; those that are used were held against their entries.
            let index = ngrams::segment_of(&path).is_some();
            if !log && !index && !covered.contains(&path) {
                report.problem(path, "the file was not there at the clean stop");
            }
        }
    }
    Ok(())
}

/// Holds a file's length and digest against what was signed for.
pub(super) fn compare_records(told: &FileRecord, found: &FileRecord, report: &mut Report) {
    if found.bytes != told.bytes {
        let what = format!("the file has {} bytes, {} were signed for", found.bytes, told.bytes);
        report.problem(&told.path, what);
    } else if found.sha256 != told.sha256 {
        report.problem(&told.path, "the file's SHA-256 is not the one that was signed for");
    }
}
