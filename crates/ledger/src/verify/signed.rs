//! What was signed about a directory, as far as the signatures hold.

use std::collections::BTreeMap;
use std::io;

use greffier_event::Tenant;
use greffier_merkle::Hash;
use greffier_merkle::note::Verifier;
use greffier_merkle::trust::TrustPolicy;

use super::Report;
use crate::manifest::{self, Manifest};
use crate::publish::{MAX_CHECKPOINT_BYTES, TRAILS, checkpoint_path, origin};
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
}

/// The signed files as they are on disk, unchecked.
#[derive(Debug)]
pub(super) struct Notes {
    manifest: Option<Vec<u8>>,
    /// By folder; `None` for a folder without a checkpoint.
    checkpoints: BTreeMap<String, Option<Vec<u8>>>,
}

impl Notes {
    /// Reads them. A server that runs meanwhile writes trust first, then checkpoints, and the log before both:
    /// so these are read first of all, and whatever they refer to is there when it is read later.
    pub(super) fn read(disk: &Disk, report: &mut Report) -> Notes {
        let manifest = read(disk, manifest::PATH, manifest::MAX_BYTES, report);
        let folders = disk.store().list(TRAILS).unwrap_or_else(|error| {
            report.problem(TRAILS, format!("cannot be read: {error}"));
            Vec::new()
        });
        let mut checkpoints = BTreeMap::new();
        for folder in folders.into_iter().filter(|listed| listed.is_dir) {
            let note = read(disk, &checkpoint_path(&folder.name), MAX_CHECKPOINT_BYTES, report);
            checkpoints.insert(folder.name, note);
        }
        Notes { manifest, checkpoints }
    }
}

impl Signed {
    /// Keeps what is signed; every signature that does not hold is a problem. Without any trust nothing is, and
    /// the missing trust is a problem already.
    pub(super) fn check(notes: Notes, trust: Option<&TrustPolicy>, report: &mut Report) -> Signed {
        let mut signed = Signed::default();
        if notes.manifest.is_none() {
            report.problem(manifest::PATH, "the file is missing");
        }
        let Some(trust) = trust else { return signed };
        let node_origin = notes.manifest.and_then(|note| signed.read_manifest(&note, trust, report));
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
        signed
    }

    /// Checks the manifest and returns the node's origin: the name of the key that signed it, without the
    /// node's trail.
    fn read_manifest(&mut self, note: &[u8], trust: &TrustPolicy, report: &mut Report) -> Option<String> {
        let logs = trust.logs().iter().map(|log| &log.verifier);
        let node_logs: Vec<Verifier> = logs.filter(|log| node_of(log.name()).is_some()).cloned().collect();
        let (manifest, signer) = match Manifest::open(note, &node_logs) {
            Ok(opened) => opened,
            Err(what) => {
                report.problem(manifest::PATH, what);
                return None;
            }
        };
        for record in &manifest.trails {
            match hex::decode(&record.root).ok().and_then(|root| root.try_into().ok()) {
                Some(root) => {
                    let head = Head { size: record.size, root, place: manifest::PATH.to_owned() };
                    self.listed.insert(record.name.clone(), head);
                }
                None => report.problem(manifest::PATH, "a root is not a hash"),
            }
        }
        self.manifest = Some(manifest);
        node_of(&signer).map(str::to_owned)
    }
}

/// The node's origin of its own trail's origin.
fn node_of(origin: &str) -> Option<&str> {
    origin.strip_suffix(Tenant::NODE)?.strip_suffix('/')
}

/// A checkpoint must be signed by a trusted log, and be that of this trail and no other.
fn open_checkpoint(
    note: &[u8],
    trust: &TrustPolicy,
    expected: Option<&str>,
    trail: &str,
) -> Result<(u64, Hash), String> {
    let note = std::str::from_utf8(note).map_err(|_| "the checkpoint is not text".to_owned())?;
    let checkpoint =
        trust.verify_checkpoint(note).map_err(|error| format!("the checkpoint does not hold: {error}"))?;
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
