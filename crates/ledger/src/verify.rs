//! Checking a data directory from outside: nothing here trusts the directory, or the process that wrote it.
//!
//! After a clean stop the signed manifest covers every file, and any flip or removal is found. After a kill,
//! or while a server runs, everything that a checkpoint covers is checked the same, and what lies behind the
//! last checkpoint may end in a torn tail. That the whole directory was not rolled back or made anew, only trust
//! and checkpoints kept elsewhere can say ([`outside`]): without them a report is self-consistent, not anchored.
//!
//! Files are read on all cores ([`crew`]), each in pieces, and what they hold is put together in order ([`trails`]):
//! memory does not grow with the trail.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greffier_merkle::Receipt;
use greffier_merkle::trust::TrustPolicy;

use crate::keys::{KeyError, KeyRing};
use crate::manifest::{self, CutRecord, FileRecord, SegmentRecord};
use crate::publish::{MAX_TRUST_BYTES, TRAILS, TRUST};
use crate::read::ReadError;
use crate::store::{Disk, Files};
use crate::wal;
use crate::wal::replay::{Corruption, Listing};

mod absent;
mod covered;
mod crew;
mod event;
mod expired;
mod files;
mod heads;
mod log;
mod outside;
mod report;
mod rotation;
mod segments;
mod signed;
mod status;
mod tiles;
mod timestamps;
mod trails;
mod tree;

use absent::Absence;
pub use absent::Absent;
pub use event::{EventReport, verify_event};
use files::{check_log_files, check_other_files, compare_records};
use log::Scanned;
use outside::Outside;
pub use report::{MAX_PROBLEMS, Problem, Progress, Report, TrailReport};
use signed::{Notes, Signed};
pub use status::Status;
use trails::Trails;

/// A server that starts or stops meanwhile changes what a correct directory is: then the check is made again.
const MAX_TRIES: usize = 3;

/// What to check against.
#[derive(Debug, Default)]
pub struct VerifyOptions {
    /// Whom to trust, obtained elsewhere. Without it the directory's own `trust` file stands in.
    pub trust: Option<TrustPolicy>,
    /// The key ring, to decrypt every part and hold it against its entry.
    pub keys_dir: Option<PathBuf>,
    /// Signed checkpoints that somebody kept: the trails must be what they say, or have grown from it.
    pub from: Vec<String>,
    /// Receipts that somebody kept: each entry must be where it was promised.
    pub receipts: Vec<Receipt>,
    /// Every trail must have a checkpoint that meets the quorum of `trust`.
    pub require_witnessed: bool,
    /// Makes the typed columns of every sealed entry again, instead of relying on the file's signed digest.
    pub deep: bool,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing of a ledger.
    #[error("`{0}` is not a greffier data directory")]
    NotALedger(String),
    /// The operating system refused.
    #[error("cannot read the data directory: {0}")]
    Io(#[from] io::Error),
    /// The key ring does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// An event cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was kept elsewhere is no evidence.
    #[error("{0}")]
    Kept(String),
}

/// Checks everything in `dir`. Safe beside a running server.
pub fn verify_dir(
    dir: &Path,
    options: &VerifyOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let disk = Disk::new(Arc::new(Files::new(dir)));
    let names: BTreeSet<String> = disk.store().list("")?.into_iter().map(|listed| listed.name).collect();
    if ![manifest::DIR, manifest::v1::PATH, TRUST, TRAILS, wal::DIR].iter().any(|name| names.contains(*name))
    {
        return Err(VerifyError::NotALedger(dir.display().to_string()));
    }
    let keys = options.keys_dir.as_deref().map(KeyRing::open).transpose()?;
    for _ in 1..MAX_TRIES {
        let before = manifest::sequences(&disk)?;
        let report = check(&disk, options, keys.as_ref(), &mut progress)?;
        if report.is_ok() || before == manifest::sequences(&disk)? {
            return Ok(report);
        }
    }
    check(&disk, options, keys.as_ref(), &mut progress)
}

/// What every piece of the work looks at.
struct World<'a> {
    disk: &'a Disk,
    signed: &'a Signed,
    outside: &'a Outside,
    absence: &'a Absence<'a>,
    keys: Option<&'a KeyRing>,
    clean: bool,
    deep: bool,
}

/// A piece of the work, and what became of it.
enum Job<'a> {
    Expired(expired::Job<'a>),
    Segment(segments::Job<'a>),
    Log { sequence: u64, followed: bool },
}

enum Done<'a> {
    Expired(&'a str, segments::Done),
    Segment(segments::Job<'a>, segments::Done),
    Log(Scanned),
}

fn check(
    disk: &Disk,
    options: &VerifyOptions,
    keys: Option<&KeyRing>,
    progress: &mut impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let trust = options.trust.as_ref().map(|trust| rotation::follow(disk, trust, &mut report));
    let before = trust.as_ref().map(|trust| rotation::before(disk, trust)).unwrap_or_default();
    let mut outside = Outside::read(options, trust, &before)?;
    // What was signed is read before the log, so that a log which grows meanwhile covers it.
    let notes = Notes::read(disk, &mut report);
    let own_trust = read_trust(disk, &mut report);
    let own_trust = own_trust.map(|trust| rotation::follow(disk, &trust, &mut report));
    let before = own_trust.as_ref().map(|trust| rotation::before(disk, trust)).unwrap_or_default();
    let mut signed = Signed::check(notes, &mut outside, own_trust.as_ref(), &before, &mut report);
    timestamps::check(disk, outside.trust().or(own_trust.as_ref()), &mut signed, &mut report);
    report.clean = signed.manifest.as_ref().is_some_and(|manifest| manifest.clean);
    let listing = Listing::read(disk).unwrap_or_else(|error| {
        report.problem(wal::DIR, format!("cannot be read: {error}"));
        Listing::default()
    });
    check_log_files(&listing, signed.manifest.as_ref(), &mut report);
    let absence = Absence::gather(disk, signed.manifest.as_ref().map(|manifest| &manifest.holds), &listing);
    let floor = signed.manifest.as_ref().map_or(1, |manifest| manifest.holds.floor);
    // What lies before the floor is sealed; a crash kept it.
    let listing =
        Listing { sequences: listing.sequences.into_iter().filter(|n| *n >= floor).collect(), ..listing };
    expired::check_orders(signed.manifest.as_ref(), &absence, &mut report);
    let (clean, deep) = (report.clean, options.deep);
    let world = World { disk, signed: &signed, outside: &outside, absence: &absence, keys, clean, deep };
    let (trails, intact) = check_entries(&world, &listing, &mut report, progress);
    trails.finish(intact && listing.missing(floor).is_none(), &mut report);
    expired::tell(signed.manifest.as_ref(), &mut report);
    let anchored = report.trails.iter().all(|trail| !trail.anchored.is_empty());
    report.anchored = anchored && !outside.is_empty();
    check_other_files(disk, &signed, &listing, &mut report)?;
    report.problems.sort();
    report.problems.dedup();
    Ok(report)
}

/// Reads segments and log, and grows the trails by what they hold; says whether all of the log could be read.
fn check_entries<'a>(
    world: &'a World<'a>,
    listing: &Listing,
    report: &mut Report,
    progress: &mut impl FnMut(Progress),
) -> (Trails<'a>, bool) {
    let segments: &[SegmentRecord] =
        world.signed.manifest.as_ref().map_or(&[], |manifest| &manifest.holds.segments);
    let log = &listing.sequences;
    let of = (log.len() + segments.len()) as u64;
    let (mut files, mut intact, mut trails) = (0, true, Trails::new(world));
    let cuts: &[CutRecord] = world.signed.manifest.as_ref().map_or(&[], |manifest| &manifest.holds.cuts);
    let of_expired = cuts.iter().flat_map(expired::jobs).map(Job::Expired);
    let of_segments = segments.iter().flat_map(segments::jobs).map(Job::Segment);
    let of_log = log.iter().map(|&sequence| Job::Log { sequence, followed: log.contains(&(sequence + 1)) });
    let work = |job| match job {
        Job::Expired(job) => Done::Expired(job.trail(), job.run(world)),
        Job::Segment(job) => {
            let done = job.run(world);
            Done::Segment(job, done)
        }
        Job::Log { sequence, followed } => Done::Log(log::scan(world, sequence, followed)),
    };
    crew::in_order(of_expired.chain(of_segments).chain(of_log), work, |done| {
        match done {
            Done::Expired(trail, done) => trails.sealed(trail, done, report),
            Done::Segment(job, done) => {
                files += u64::from(job.is_last());
                trails.sealed(&job.segment().trail, done, report);
            }
            Done::Log(scanned) => {
                files += 1;
                // Behind damage the indexes are unknown: the files are still compared with the manifest.
                intact &= check_log_file(&scanned, world, intact.then_some(&mut trails), report);
            }
        }
        let (entries, of_entries) = (trails.count(), world.signed.entries().max(trails.count()));
        progress(Progress { files, of, entries, of_entries });
    });
    (trails, intact)
}

/// The directory's own trust file. It is part of what a clean stop signs, whether or not trust comes from outside.
fn read_trust(disk: &Disk, report: &mut Report) -> Option<TrustPolicy> {
    let Some(text) = signed::read(disk, TRUST, MAX_TRUST_BYTES, report) else {
        report.problem(TRUST, "the file is missing");
        return None;
    };
    let policy = String::from_utf8(text).ok().and_then(|text| TrustPolicy::parse(&text).ok());
    if policy.is_none() {
        report.problem(TRUST, "the file is not a trust policy");
    }
    policy
}

/// Holds one file of the log against the manifest, and grows the trails by its entries; says whether all that counts
/// could be read.
fn check_log_file(
    scanned: &Scanned,
    world: &World<'_>,
    trails: Option<&mut Trails<'_>>,
    report: &mut Report,
) -> bool {
    if let Some(found) = &scanned.file {
        let holds = world.signed.manifest.as_ref().map(|manifest| &manifest.holds);
        let told = holds.and_then(|holds| holds.wal.iter().find(|record| record.name == scanned.name));
        if let Some((bytes, sha256)) = told.and_then(|told| Some((told.bytes?, told.sha256.clone()?))) {
            compare_records(&FileRecord { path: scanned.name.clone(), bytes, sha256 }, found, report);
        }
    }
    if let Some(what) = &scanned.unreadable {
        report.problem(&scanned.name, what);
        return false;
    }
    // Of a file that could be read, damage behind damage says nothing new.
    if scanned.file.is_some() && !trails.is_some_and(|trails| trails.logged(scanned, report)) {
        return false;
    }
    if let Some(corruption) = &scanned.corruption {
        report_corruption(corruption, report);
        return false;
    }
    match &scanned.torn {
        Some(torn) if report.clean => {
            report.problem(format!("{}, byte {}", torn.file, torn.offset), "the frame is damaged");
            false
        }
        Some(torn) => {
            report.torn_tails.push(torn.to_string());
            true
        }
        None => true,
    }
}

/// Of an entry that binds more or fewer parts than are stored.
fn other_count(stored: usize, bound: usize) -> String {
    format!("{stored} parts are stored, the entry binds {bound}")
}

fn report_corruption(corruption: &Corruption, report: &mut Report) {
    report.problem(format!("{}, byte {}", corruption.file, corruption.offset), corruption.what.as_str());
}

#[cfg(test)]
mod tests;
