//! What was signed about a directory, as far as the signatures hold.

use std::collections::BTreeMap;
use std::io;

use greffier_event::Tenant;
use greffier_merkle::hash::sha256;
use greffier_merkle::note::{NoteError, SignedNote, Verifier};
use greffier_merkle::trust::TrustPolicy;
use greffier_merkle::{Checkpoint, Hash, checkpoint};

use super::Report;
use super::outside::Outside;
use crate::manifest::{self, Flaw, Manifest};
use crate::publish::{MAX_CHECKPOINT_BYTES, TRAILS, checkpoint_path, cosigned_path, origin};
use crate::store::Disk;

/// A size and root that somebody signed.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) root: Hash,
    /// Where it is signed.
    pub(super) place: String,
}

/// The manifest and the checkpoints whose signatures hold.
#[derive(Debug, Default)]
pub(super) struct Signed {
    pub(super) manifest: Option<Manifest>,
    pub(super) checkpoints: BTreeMap<String, Head>,
    /// What the manifest says of the trails.
    pub(super) listed: BTreeMap<String, Head>,
    /// The trails at the end of each of their segments.
    pub(super) segments: BTreeMap<String, Vec<Head>>,
    /// The newest checkpoints that meet the quorum of witnesses.
    pub(super) witnessed: BTreeMap<String, Head>,
    /// All of these, and those that somebody kept elsewhere, by trail and size.
    due: BTreeMap<String, BTreeMap<u64, Vec<Head>>>,
    /// The node's origin, where a manifest says it.
    node_origin: Option<String>,
}

/// The signed files as they are on disk, unchecked.
#[derive(Debug)]
pub(super) struct Notes {
    /// The chain of manifests, by number, and the listing of the newest.
    chain: BTreeMap<u64, Vec<u8>>,
    listing: Option<Vec<u8>>,
    /// The file to ask for where there is no listing.
    missing: String,
    /// Of a directory of format 1.
    v1: Option<Vec<u8>>,
    /// By folder; `None` for a folder without a checkpoint.
    checkpoints: BTreeMap<String, Option<Vec<u8>>>,
    /// By folder, where there is one.
    cosigned: BTreeMap<String, Vec<u8>>,
}

impl Notes {
    /// Reads them. A server that runs meanwhile writes trust first, then checkpoints, and the log before both:
    /// so these are read first of all, and whatever they refer to is there when it is read later.
    pub(super) fn read(disk: &Disk, report: &mut Report) -> Notes {
        let sequences = manifest::sequences(disk).unwrap_or_else(|error| {
            report.problem(manifest::DIR, format!("cannot be read: {error}"));
            Vec::new()
        });
        let newest = sequences.last().copied().unwrap_or(0);
        let v1 = if sequences.is_empty() { manifest::v1::read(disk).ok().flatten() } else { None };
        let listing = read(disk, &manifest::list_path(newest), manifest::MAX_LIST_BYTES, report);
        // A listing without its note: it is the note that was removed.
        let later = (newest + 1..newest + 2).find(|n| disk.store().head(&manifest::list_path(*n), 1).is_ok());
        let missing = later.map_or(manifest::list_path(newest), manifest::note_path);
        let note = |sequence| {
            Some((sequence, read(disk, &manifest::note_path(sequence), manifest::MAX_NOTE_BYTES, report)?))
        };
        let chain = sequences.into_iter().filter_map(note).collect();
        let folders = disk.store().list(TRAILS).unwrap_or_else(|error| {
            report.problem(TRAILS, format!("cannot be read: {error}"));
            Vec::new()
        });
        let (mut checkpoints, mut cosigned) = (BTreeMap::new(), BTreeMap::new());
        for folder in folders.into_iter().filter(|listed| listed.is_dir) {
            if let Some(note) = read(disk, &cosigned_path(&folder.name), MAX_CHECKPOINT_BYTES, report) {
                cosigned.insert(folder.name.clone(), note);
            }
            let note = read(disk, &checkpoint_path(&folder.name), MAX_CHECKPOINT_BYTES, report);
            checkpoints.insert(folder.name, note);
        }
        Notes { chain, listing, missing, v1, checkpoints, cosigned }
    }
}

/// A manifest with its place and the key that signed it.
type Opened = (String, Manifest, String);

impl Notes {
    /// The newest manifest with its place and the key that signed it; or the file that is at fault, and why.
    fn newest(&self, verifiers: &[Verifier]) -> Result<Option<Opened>, (String, String)> {
        let Some((newest, note)) = self.chain.last_key_value() else {
            let Some(file) = &self.v1 else { return Ok(None) };
            let place = manifest::v1::PATH.to_owned();
            return match manifest::v1::open(file, verifiers) {
                Ok((manifest, signer)) => Ok(Some((place, manifest, signer))),
                Err(what) => Err((place, what)),
            };
        };
        let (place, list) = (manifest::note_path(*newest), manifest::list_path(*newest));
        let listing =
            self.listing.as_ref().ok_or((self.missing.clone(), "the file is missing".to_owned()))?;
        match Manifest::open(note, listing, verifiers) {
            Ok((manifest, signer)) => Ok(Some((place, manifest, signer))),
            Err(Flaw::Note(what)) => Err((place, what)),
            Err(Flaw::Listing(what)) => Err((list, what)),
        }
    }
}

impl Signed {
    /// Keeps what is signed; every signature that does not hold is a problem. Without any trust nothing is, and
    /// the missing trust is a problem already.
    pub(super) fn check(
        notes: Notes,
        outside: &mut Outside,
        own: Option<&TrustPolicy>,
        before: &[Verifier],
        report: &mut Report,
    ) -> Signed {
        let mut signed = Signed::default();
        if notes.chain.is_empty() && notes.v1.is_none() {
            report.problem(manifest::DIR, "the manifest is missing");
        }
        let trust = outside.trust().or(own).cloned();
        let Some(trust) = &trust else { return signed };
        let node_origin = signed.read_manifest(&notes, trust, report);
        for (folder, note) in &notes.checkpoints {
            let path = checkpoint_path(folder);
            let Ok(trail) = Tenant::new(folder.as_str()) else {
                report.problem(path, "the folder's name is no tenant");
                continue;
            };
            let Some(note) = note else { continue };
            let expected = node_origin.as_deref().map(|node| origin(node, trail.as_str()));
            match open_checkpoint(note, trust, expected.as_deref(), trail.as_str()) {
                Ok((size, root)) => {
                    signed.checkpoints.insert(trail.into(), Head { size, root, place: path });
                }
                Err(what) => report.problem(path, what),
            }
        }
        for (name, _) in signed.listed.iter().filter(|(_, head)| head.size > 0) {
            if !notes.checkpoints.get(name).is_some_and(Option::is_some) {
                report.problem(checkpoint_path(name), "the file is missing");
            }
        }
        signed.read_cosigned(&notes, trust, node_origin.as_deref(), report);
        let kept = outside.meet(node_origin.as_deref(), own, before, report);
        signed.collect(kept);
        signed.node_origin = node_origin;
        signed
    }

    /// Checkpoints that were cosigned. What the log alone signed is signed all the same.
    fn read_cosigned(
        &mut self,
        notes: &Notes,
        trust: &TrustPolicy,
        node_origin: Option<&str>,
        report: &mut Report,
    ) {
        for (folder, note) in &notes.cosigned {
            let place = cosigned_path(folder);
            let expected = node_origin.map(|node| origin(node, folder));
            let (size, root) = match open_checkpoint(note, trust, expected.as_deref(), folder) {
                Ok(head) => head,
                Err(what) => {
                    report.problem(place, what);
                    continue;
                }
            };
            let head = Head { size, root, place };
            let met = std::str::from_utf8(note).is_ok_and(|note| trust.verify_checkpoint(note).is_ok());
            if met && trust.has_quorum() {
                self.witnessed.insert(folder.clone(), head.clone());
            }
            self.due.entry(folder.clone()).or_default().entry(size).or_default().push(head);
        }
    }

    /// Sorts what was signed by where it is due.
    fn collect(&mut self, kept: Vec<(String, Head)>) {
        let single =
            self.checkpoints.iter().chain(&self.listed).map(|(trail, head)| (trail.clone(), head.clone()));
        let segments = self.segments.iter();
        let segments =
            segments.flat_map(|(trail, heads)| heads.iter().map(|head| (trail.clone(), head.clone())));
        for (trail, head) in single.chain(segments).chain(kept) {
            self.due.entry(trail).or_default().entry(head.size).or_default().push(head);
        }
    }

    /// The trails of which anything was signed.
    pub(super) fn trails(&self) -> impl Iterator<Item = &str> {
        self.due.keys().map(String::as_str)
    }

    /// What was signed of a trail at this size.
    pub(super) fn heads_at(&self, trail: &str, size: u64) -> &[Head] {
        self.due.get(trail).and_then(|due| due.get(&size)).map_or(&[], Vec::as_slice)
    }

    /// What was signed of a trail beyond this size.
    pub(super) fn heads_beyond(&self, trail: &str, size: u64) -> impl Iterator<Item = &Head> {
        let due = self.due.get(trail).into_iter();
        due.flat_map(move |due| due.range(size.saturating_add(1)..)).flat_map(|(_, heads)| heads)
    }

    /// Whether anything was signed of a trail at one of these sizes.
    pub(super) fn is_due_within(&self, trail: &str, sizes: std::ops::Range<u64>) -> bool {
        self.due.get(trail).is_some_and(|due| due.range(sizes).next().is_some())
    }

    /// How many entries of a trail its checkpoint covers.
    pub(super) fn covered(&self, trail: &str) -> Option<u64> {
        self.checkpoints.get(trail).map(|head| head.size)
    }

    /// How many entries there are to check at least: those that were signed for.
    pub(super) fn entries(&self) -> u64 {
        let newest = |due: &BTreeMap<u64, Vec<Head>>| due.last_key_value().map_or(0, |(size, _)| *size);
        self.due.values().map(newest).fold(0, u64::saturating_add)
    }

    /// Takes note of a checkpoint that was stamped with a time: it must be one of this trail at this size. Its key
    /// may have been replaced since and be known to nobody any more; the tree must have had its root all the same.
    pub(super) fn stamp(
        &mut self,
        note: &[u8],
        trust: Option<&TrustPolicy>,
        trail: &str,
        named: &str,
        place: &str,
    ) -> Result<(), String> {
        let text = std::str::from_utf8(note).map_err(|_| "the checkpoint is not text".to_owned())?;
        let does_not_hold = |error: &dyn std::fmt::Display| format!("the checkpoint does not hold: {error}");
        let signed = SignedNote::parse(text).map_err(|error| does_not_hold(&error))?;
        let known = trust.into_iter().flat_map(|trust| trust.logs()).map(|log| &log.verifier);
        match signed.verify(known) {
            Ok(_) | Err(NoteError::Unsigned) => {}
            Err(error) => return Err(does_not_hold(&error)),
        }
        let Checkpoint { origin: of, size, root } =
            Checkpoint::parse(signed.text()).map_err(|error| does_not_hold(&error))?;
        let expected = self.node_origin.as_deref().map(|node| origin(node, trail));
        if size.to_string() != named || expected.is_some_and(|expected| of != expected) {
            return Err(format!("the checkpoint is that of `{of}` at {size} entries"));
        }
        let head = Head { size, root, place: place.to_owned() };
        self.due.entry(trail.to_owned()).or_default().entry(size).or_default().push(head);
        Ok(())
    }

    /// How many entries of a trail are sealed.
    pub(super) fn sealed(&self, trail: &str) -> u64 {
        self.segments.get(trail).and_then(|heads| heads.last()).map_or(0, |head| head.size)
    }

    /// Checks the manifest and returns the node's origin: the name of the key that signed it, without the
    /// node's trail.
    fn read_manifest(&mut self, notes: &Notes, trust: &TrustPolicy, report: &mut Report) -> Option<String> {
        let logs = trust.logs().iter().map(|log| &log.verifier);
        let node_logs: Vec<Verifier> = logs.filter(|log| node_of(log.name()).is_some()).cloned().collect();
        check_chain(&notes.chain, &node_logs, report);
        let (place, manifest, signer) = match notes.newest(&node_logs) {
            Ok(opened) => opened?,
            Err((place, what)) => {
                report.problem(place, what);
                return None;
            }
        };
        for record in &manifest.holds.trails {
            match hex::decode(&record.root).ok().and_then(|root| root.try_into().ok()) {
                Some(root) => {
                    let head = Head { size: record.size, root, place: place.clone() };
                    self.listed.insert(record.name.clone(), head);
                }
                None => report.problem(&place, "a root is not a hash"),
            }
        }
        for cut in &manifest.holds.cuts {
            match hex::decode(&cut.root).ok().and_then(|root| root.try_into().ok()) {
                Some(root) => {
                    let head = Head { size: cut.first, root, place: place.clone() };
                    self.segments.entry(cut.trail.clone()).or_default().push(head);
                }
                None => report.problem(&place, "a root is not a hash"),
            }
        }
        for segment in &manifest.holds.segments {
            match hex::decode(&segment.root).ok().and_then(|root| root.try_into().ok()) {
                Some(root) => {
                    let head = Head { size: segment.end, root, place: segment.entries.path.clone() };
                    self.segments.entry(segment.trail.clone()).or_default().push(head);
                }
                None => report.problem(&place, "a root is not a hash"),
            }
        }
        self.manifest = Some(manifest);
        node_of(&signer).map(str::to_owned)
    }
}

/// Each manifest must be there, be signed, and name the one before it.
fn check_chain(chain: &BTreeMap<u64, Vec<u8>>, verifiers: &[Verifier], report: &mut Report) {
    let newest = chain.last_key_value().map_or(0, |(newest, _)| *newest);
    let mut before: Option<&Vec<u8>> = None;
    let mut before_signed = true;
    for sequence in 1..=newest {
        let place = manifest::note_path(sequence);
        let Some(note) = chain.get(&sequence) else {
            report.problem(place, "the file is missing");
            before = None;
            continue;
        };
        match manifest::check_note(note, verifiers, sequence < newest) {
            Err(what) => report.problem(place, what),
            Ok(link) if link.sequence != sequence => {
                report.problem(place, format!("it says that it is number {}", link.sequence))
            }
            Ok(link) => {
                let due = before.map(|note| hex::encode(sha256(note)));
                if link.previous != due && (due.is_some() || sequence == 1) {
                    report.problem(place, "it names another manifest than the one before it");
                    if !before_signed {
                        let what = "no known key signed it, and the next one names another";
                        report.problem(manifest::note_path(sequence - 1), what);
                    }
                }
                before_signed = link.signed;
            }
        }
        before = Some(note);
    }
}

/// The node's origin of its own trail's origin.
fn node_of(origin: &str) -> Option<&str> {
    origin.strip_suffix(Tenant::NODE)?.strip_suffix('/')
}

/// A checkpoint must be signed by a trusted log, witnessed or not, and be that of this trail and no other.
fn open_checkpoint(
    note: &[u8],
    trust: &TrustPolicy,
    expected: Option<&str>,
    trail: &str,
) -> Result<(u64, Hash), String> {
    let note = std::str::from_utf8(note).map_err(|_| "the checkpoint is not text".to_owned())?;
    let checkpoint = checkpoint::open(note, trust.verifiers());
    let checkpoint = checkpoint.map_err(|error| format!("the checkpoint does not hold: {error}"))?;
    let ours = match expected {
        Some(expected) => checkpoint.origin == expected,
        None => checkpoint.origin.strip_suffix(trail).is_some_and(|node| node.ends_with('/')),
    };
    if !ours {
        return Err(format!("the checkpoint is that of `{}`", checkpoint.origin));
    }
    Ok((checkpoint.size, checkpoint.root))
}

/// A file that may be absent; one that is there and cannot be read is a problem.
pub(super) fn read(disk: &Disk, path: &str, limit: u64, report: &mut Report) -> Option<Vec<u8>> {
    match disk.store().read(path, limit) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            report.problem(path, format!("cannot be read: {error}"));
            None
        }
    }
}
