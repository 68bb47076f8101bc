//! Checking a data directory from outside: nothing here trusts the directory, or the process that wrote it.
//!
//! After a clean stop the signed manifest covers every file, and any flip or removal is found. After a kill,
//! or while a server runs, everything that a checkpoint covers is checked the same, and what lies behind the
//! last checkpoint may end in a torn tail. That the whole directory was not rolled back or made anew, only trust
//! and checkpoints kept elsewhere can say: without them a report is self-consistent, not anchored.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greffier_merkle::trust::TrustPolicy;

use crate::keys::{KeyError, KeyRing};
use crate::manifest::{self, FileRecord, Manifest};
use crate::publish::{MAX_TRUST_BYTES, TRAILS, TRUST};
use crate::store::{Disk, Files, UNFINISHED};
use crate::wal::replay::{Corruption, Listing, LogFile};
use crate::wal::{self, MAX_FILE_BYTES};

mod covered;
mod rotation;
mod segments;
mod signed;
mod timestamps;
mod trails;

use signed::{Notes, Signed};
use trails::Trails;

/// Problems that are listed; a ruined directory would have one for every entry.
pub const MAX_PROBLEMS: usize = 1_000;
/// A server that starts or stops meanwhile changes what a correct directory is: then the check is made again.
const MAX_TRIES: usize = 3;

/// What to check against.
#[derive(Debug, Default)]
pub struct VerifyOptions {
    /// Whom to trust, obtained elsewhere. Without it the directory's own `trust` file stands in.
    pub trust: Option<TrustPolicy>,
    /// The key ring, to decrypt every part and hold it against its entry.
    pub keys_dir: Option<PathBuf>,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Segments and files of the log that were checked.
    pub files: u64,
    /// How many there are.
    pub of: u64,
    /// Entries so far.
    pub entries: u64,
}

/// Something that is not as it was signed, or as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File, with byte or entry where that is known.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// One trail as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailReport {
    /// Its name.
    pub name: String,
    /// Entries in the log.
    pub entries: u64,
    /// Entries that its checkpoint covers; `None` without a checkpoint.
    pub covered: Option<u64>,
    /// Root over all its entries.
    pub root: greffier_merkle::Hash,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the directory was left by a clean stop.
    pub clean: bool,
    /// Whether trust came from outside; otherwise the directory only agrees with itself.
    pub anchored: bool,
    /// The trails.
    pub trails: Vec<TrailReport>,
    /// Parts that were decrypted and held against their entry.
    pub parts_opened: u64,
    /// Parts that were not, because no keys were given.
    pub parts_unopened: u64,
    /// Time stamps that are of the checkpoint beside them; who signed them is not checked here.
    pub timestamps: u64,
    /// What is wrong: empty means verified.
    pub problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    pub more_problems: u64,
    /// Bytes behind the last acknowledged group of a log that was not closed: expected after a kill.
    pub torn_tails: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { place: place.into(), what: what.into() });
        } else {
            self.more_problems += 1;
        }
    }
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
        let report = check(&disk, options.trust.as_ref(), keys.as_ref(), &mut progress)?;
        if report.is_ok() || before == manifest::sequences(&disk)? {
            return Ok(report);
        }
    }
    check(&disk, options.trust.as_ref(), keys.as_ref(), &mut progress)
}

fn check(
    disk: &Disk,
    trust: Option<&TrustPolicy>,
    keys: Option<&KeyRing>,
    progress: &mut impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let mut report = Report { anchored: trust.is_some(), ..Report::default() };
    // What was signed is read before the log, so that a log which grows meanwhile covers it.
    let notes = Notes::read(disk, &mut report);
    let own_trust = read_trust(disk, &mut report);
    let trust = trust.or(own_trust.as_ref()).map(|trust| rotation::follow(disk, trust, &mut report));
    let mut signed = Signed::check(notes, trust.as_ref(), &mut report);
    timestamps::check(disk, trust.as_ref(), &mut signed, &mut report);
    report.clean = signed.manifest.as_ref().is_some_and(|manifest| manifest.clean);
    let listing = Listing::read(disk).unwrap_or_else(|error| {
        report.problem(wal::DIR, format!("cannot be read: {error}"));
        Listing::default()
    });
    check_log_files(&listing, signed.manifest.as_ref(), &mut report);
    let mut trails = Trails::new(disk, &signed, keys);
    let mut entries = 0;
    let mut intact = true;
    let floor = signed.manifest.as_ref().map_or(1, |manifest| manifest.holds.floor);
    // What lies before the floor is sealed; a crash kept it.
    let listing =
        Listing { sequences: listing.sequences.into_iter().filter(|n| *n >= floor).collect(), ..listing };
    let segments = signed.manifest.iter().flat_map(|manifest| &manifest.holds.segments);
    let of = (listing.sequences.len() + segments.clone().count()) as u64;
    let mut files = 0;
    for segment in segments {
        if !segments::check(disk, segment, &mut trails, &mut report) {
            trails.give_up(&segment.trail);
        }
        files += 1;
        entries += trails.take_count();
        progress(Progress { files, of, entries });
    }
    for &sequence in &listing.sequences {
        files += 1;
        let followed = listing.sequences.contains(&(sequence + 1));
        match LogFile::read(disk, sequence, followed) {
            Ok(Ok(file)) => {
                check_hash(&file.name, &file.bytes, signed.manifest.as_ref(), &mut report);
                // Behind damage the indexes are unknown: the files are still compared with the manifest.
                if intact {
                    intact = check_frames(&file, &mut trails, &mut report);
                }
            }
            Ok(Err(corruption)) => {
                report_corruption(&corruption, &mut report);
                intact = false;
            }
            Err(error) => {
                report.problem(wal::path(sequence), format!("cannot be read: {error}"));
                intact = false;
            }
        }
        entries += trails.take_count();
        progress(Progress { files, of, entries });
    }
    trails.finish(intact && listing.missing(floor).is_none(), &mut report);
    check_other_files(disk, &signed, &listing, &mut report)?;
    report.problems.sort();
    report.problems.dedup();
    Ok(report)
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

/// Which files of the log there must be.
fn check_log_files(listing: &Listing, manifest: Option<&Manifest>, report: &mut Report) {
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

/// Holds one file of the log against the manifest.
fn check_hash(name: &str, bytes: &[u8], manifest: Option<&Manifest>, report: &mut Report) {
    let told = manifest.and_then(|manifest| manifest.holds.wal.iter().find(|record| record.name == name));
    let Some((length, hash)) = told.and_then(|told| Some((told.bytes?, told.sha256.clone()?))) else {
        return;
    };
    compare(&FileRecord { path: name.to_owned(), bytes: length, sha256: hash }, bytes, report);
}

fn compare(told: &FileRecord, bytes: &[u8], report: &mut Report) {
    if bytes.len() as u64 != told.bytes {
        let what = format!("the file has {} bytes, {} were signed for", bytes.len(), told.bytes);
        report.problem(&told.path, what);
    } else if FileRecord::of(&told.path, bytes).sha256 != told.sha256 {
        report.problem(&told.path, "the file's SHA-256 is not the one that was signed for");
    }
}

/// Reads one file's frames into the trails; says whether all that counts could be read.
fn check_frames(file: &LogFile, trails: &mut Trails<'_>, report: &mut Report) -> bool {
    let mut frames = file.frames();
    for frame in frames.by_ref() {
        match frame {
            Ok((offset, frame)) => {
                if !trails.entry(&format!("{}, byte {offset}", file.name), &frame, report) {
                    return false;
                }
            }
            Err(corruption) => {
                report_corruption(&corruption, report);
                return false;
            }
        }
    }
    match frames.torn() {
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

fn report_corruption(corruption: &Corruption, report: &mut Report) {
    report.problem(format!("{}, byte {}", corruption.file, corruption.offset), corruption.what.as_str());
}

/// Every other file: those the manifest lists must be as listed, and after a clean stop there are none but those
/// that it covers.
fn check_other_files(
    disk: &Disk,
    signed: &Signed,
    listing: &Listing,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let Some(manifest) = &signed.manifest else { return Ok(()) };
    for told in &manifest.holds.files {
        match disk.store().read(&told.path, MAX_FILE_BYTES) {
            Ok(bytes) => compare(told, &bytes, report),
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
        let covered = covered::Covered::by(manifest);
        for path in disk.walk("")? {
            let log = path.starts_with("wal/") && !path.ends_with(UNFINISHED);
            if !log && !covered.contains(&path) {
                report.problem(path, "the file was not there at the clean stop");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
