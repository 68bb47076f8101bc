//! Trust that goes on from a key to the one that follows it, where the old key itself says so.

use greffier_merkle::note::Verifier;
use greffier_merkle::succession::Succession;
use greffier_merkle::trust::TrustPolicy;

use super::Report;
use crate::publish::{MAX_CHECKPOINT_BYTES, SUCCESSIONS, TRAILS};
use crate::store::{Disk, join};

/// The policy as it came from outside, and with it every key that one of its keys named as the next, step by step.
/// What nobody trusted signed is passed over: it vouches for nothing, and takes nothing away.
pub(super) fn follow(disk: &Disk, trust: &TrustPolicy, report: &mut Report) -> TrustPolicy {
    let mut followed = trust.clone();
    for trail in trails(disk) {
        follow_trail(disk, &trail, &mut followed, report);
    }
    followed
}

/// [`follow`], for the keys of one trail.
pub(super) fn follow_trail(disk: &Disk, trail: &str, followed: &mut TrustPolicy, report: &mut Report) {
    for (path, note) in notes(disk, trail, report) {
        if let Err(error) = followed.follow(&note) {
            report.problem(path, format!("the key succession does not hold: {error}"));
        }
    }
}

/// The keys whose succession led to one of a policy's: what they signed in their time was signed by the same log.
/// A note that does not hold names none; [`follow`] reports it.
pub(super) fn before(disk: &Disk, trust: &TrustPolicy) -> Vec<Verifier> {
    let mut known: Vec<Verifier> = trust.logs().iter().map(|log| log.verifier.clone()).collect();
    let own = known.len();
    for trail in trails(disk) {
        for (_, note) in notes(disk, &trail, &mut Report::default()).into_iter().rev() {
            if let Ok(Succession { old, new }) = Succession::open(&note)
                && known.contains(&new)
                && !known.contains(&old)
            {
                known.push(old);
            }
        }
    }
    known.split_off(own)
}

fn trails(disk: &Disk) -> Vec<String> {
    let listed = disk.store().list(TRAILS).unwrap_or_default().into_iter();
    listed.filter(|listed| listed.is_dir).map(|listed| listed.name).collect()
}

/// The succession notes of a trail with their places, in the order in which the keys followed each other.
fn notes(disk: &Disk, trail: &str, report: &mut Report) -> Vec<(String, String)> {
    let dir = join(&join(TRAILS, trail), SUCCESSIONS);
    let listed = disk.store().list(&dir).unwrap_or_default().into_iter();
    let number = |name: &str| name.strip_suffix(".note")?.parse::<u32>().ok();
    let mut names: Vec<(u32, String)> =
        listed.filter_map(|listed| Some((number(&listed.name)?, listed.name))).collect();
    names.sort_unstable();
    let mut notes = Vec::new();
    for (_, name) in names {
        let path = join(&dir, &name);
        if let Some(note) = super::signed::read(disk, &path, MAX_CHECKPOINT_BYTES, report) {
            notes.push((path, String::from_utf8(note).unwrap_or_default()));
        }
    }
    notes
}
