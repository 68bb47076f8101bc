//! Time stamps that lie beside a trail: each must be of the checkpoint beside it, and that one a checkpoint of this
//! trail. Whether to believe who stamped it is asked elsewhere, with their certificates.

use greffier_merkle::trust::TrustPolicy;

use super::Report;
use super::signed::{Signed, read};
use crate::publish::{MAX_CHECKPOINT_BYTES, TRAILS};
use crate::store::{Disk, UNFINISHED, join};
use crate::timestamp::{MAX_RESPONSE, Stamp, folder};

/// Checks all of them, and adds the stamped checkpoints to what was signed: the tree must have had their roots.
pub(super) fn check(disk: &Disk, trust: Option<&TrustPolicy>, signed: &mut Signed, report: &mut Report) {
    let trails = disk.store().list(TRAILS).unwrap_or_default();
    for trail in trails.into_iter().filter(|listed| listed.is_dir) {
        let dir = folder(&trail.name);
        for listed in disk.store().list(&dir).unwrap_or_default() {
            if listed.name.ends_with(UNFINISHED) {
                continue;
            }
            let Some(size) = listed.name.strip_suffix(".tsr") else { continue };
            let (path, note_path) = (join(&dir, &listed.name), join(&dir, &format!("{size}.checkpoint")));
            let Some(response) = read(disk, &path, MAX_RESPONSE as u64, report) else { continue };
            let Some(note) = read(disk, &note_path, MAX_CHECKPOINT_BYTES, report) else {
                report.problem(note_path, "the checkpoint of a time stamp is missing");
                continue;
            };
            match Stamp::read(&response).and_then(|stamp| stamp.check(&note)) {
                Ok(()) => report.timestamps += 1,
                Err(error) => report.problem(path, error.to_string()),
            }
            if let Err(what) = signed.stamp(&note, trust, &trail.name, size, &note_path) {
                report.problem(note_path, what);
            }
        }
    }
}
