//! Trust that goes on from a key to the one that follows it, where the old key itself says so.

use greffier_merkle::trust::TrustPolicy;

use super::Report;
use crate::publish::{MAX_CHECKPOINT_BYTES, SUCCESSIONS, TRAILS};
use crate::store::{Disk, join};

/// The policy as it came from outside, and with it every key that one of its keys named as the next, step by step.
/// What nobody trusted signed is passed over: it vouches for nothing, and takes nothing away.
pub(super) fn follow(disk: &Disk, trust: &TrustPolicy, report: &mut Report) -> TrustPolicy {
    let mut followed = trust.clone();
    let trails = disk.store().list(TRAILS).unwrap_or_default();
    for trail in trails.into_iter().filter(|listed| listed.is_dir) {
        let dir = join(&join(TRAILS, &trail.name), SUCCESSIONS);
        let mut notes: Vec<(u32, String)> = disk
            .store()
            .list(&dir)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|listed| Some((listed.name.strip_suffix(".note")?.parse().ok()?, listed.name)))
            .collect();
        // In the order in which the keys followed each other.
        notes.sort_unstable();
        for (_, name) in notes {
            let path = join(&dir, &name);
            let Some(note) = super::signed::read(disk, &path, MAX_CHECKPOINT_BYTES, report) else { continue };
            let note = String::from_utf8(note).unwrap_or_default();
            if let Err(error) = followed.follow(&note) {
                report.problem(path, format!("the key succession does not hold: {error}"));
            }
        }
    }
    followed
}
