//! Before the first signature of a run: has anybody seen more of these trails than there is here?
//!
//! A restored backup, or a second node under the same name, would sign another history over one that is out in the
//! world. The data directory cannot know; the witnesses do. Each that can be reached is asked for its newest
//! checkpoint of every trail, and what carries our own signature must be part of the trees here. Where a witness
//! shows none, it is offered the checkpoint that we have, and says itself whether it is past that.

use std::time::{Duration, Instant};

use greffier_event::Tenant;
use greffier_merkle::Hash;
use greffier_merkle::checkpoint::{self, Checkpoint};
use greffier_merkle::note::{SignedNote, Verifier};

use super::ask::{Meaning, read_reply, request, unix_now};
use super::{Anchor, Witness};
use crate::error::LedgerError;
use crate::publish::{MAX_CHECKPOINT_BYTES, checkpoint_path, origin};
use crate::store::Disk;

/// Longest time that a start waits for one witness. Trails beyond it are looked at when they are next cosigned; the
/// node's own, which grows at every start, is always the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Trails that a witness is asked about at the same time.
const MAX_AT_ONCE: usize = 16;
/// How often a checkpoint is offered: as if the witness had it, and then from where it is.
const OFFERS: usize = 2;

/// A checkpoint of ours that a witness holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) witness: String,
    pub(crate) trail: String,
    pub(crate) checkpoint: Checkpoint,
}

/// A trail that may be here.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    origin: String,
    /// The keys that sign it.
    logs: Vec<Verifier>,
    /// The checkpoint on disk.
    stored: Option<String>,
}

/// Asks every witness about every trail, and returns what they hold under our signature. An error says that one is
/// past what is here, without showing it.
pub(crate) fn seen_by_witnesses(
    anchor: &Anchor,
    disk: &Disk,
    trails: &[Tenant],
    node_origin: &str,
    logs: impl Fn(&str) -> Result<Vec<Verifier>, LedgerError>,
) -> Result<Vec<Seen>, LedgerError> {
    let others = trails.iter().map(Tenant::as_str).filter(|name| *name != Tenant::NODE);
    // First of all the node's own trail: an empty directory has it, too.
    let known = std::iter::once(Tenant::NODE).chain(others).map(|name| {
        let stored = disk.store().read(&checkpoint_path(name), MAX_CHECKPOINT_BYTES).ok();
        let stored = stored.and_then(|note| String::from_utf8(note).ok());
        Ok(Known { name: name.to_owned(), origin: origin(node_origin, name), logs: logs(name)?, stored })
    });
    let known: Vec<Known> = known.collect::<Result<_, LedgerError>>()?;
    let answers = std::thread::scope(|scope| {
        let ask = |number| {
            scope.spawn({
                let known = &known;
                move || ask_one(anchor, number, disk, known)
            })
        };
        let threads: Vec<_> = (0..anchor.witnesses.len()).map(ask).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
    });
    let mut seen = Vec::new();
    for answer in answers {
        seen.extend(answer?);
    }
    Ok(seen)
}

/// Asks one witness, until it stops answering.
fn ask_one(anchor: &Anchor, number: usize, disk: &Disk, known: &[Known]) -> Result<Vec<Seen>, LedgerError> {
    let Some(witness) = anchor.witnesses.get(number) else { return Ok(Vec::new()) };
    let until = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    for batch in known.chunks(MAX_AT_ONCE) {
        if Instant::now() >= until {
            tracing::warn!(witness = witness.name, "not asked about all trails: they are too many");
            break;
        }
        let origins = batch.iter().map(|trail| trail.origin.clone()).collect();
        let mut unshown = Vec::new();
        for (trail, reply) in batch.iter().zip(anchor.client.latest(number, origins)) {
            match reply {
                Err(error) => {
                    tracing::warn!(witness = witness.name, %error, "cannot ask this witness before the start");
                    return Ok(seen);
                }
                Ok(reply) => match held(witness, trail, &reply.body).filter(|_| reply.status == 200) {
                    Some(checkpoint) => seen.push(checkpoint),
                    None => unshown.push(trail),
                },
            }
        }
        offer(anchor, number, disk, &unshown)?;
    }
    Ok(seen)
}

/// A checkpoint that we signed. Of anything else nothing follows.
fn held(witness: &Witness, trail: &Known, note: &str) -> Option<Seen> {
    let checkpoint = checkpoint::open(note, &trail.logs).ok()?;
    if checkpoint.origin != trail.origin {
        return None;
    }
    let (witness, trail) = (witness.name.clone(), trail.name.clone());
    Some(Seen { witness, trail, checkpoint })
}

/// A stored checkpoint on its way to a witness.
struct Offer<'t> {
    trail: &'t str,
    note: &'t str,
    text: String,
    size: u64,
    root: Hash,
    /// The size that the witness confirmed last; at first we hope that it is this one.
    old: u64,
}

/// Offers the stored checkpoints as they are, signed as they were: only the answers count. A witness that is behind
/// is offered the way from where it is, and says whether that is one.
fn offer<'t>(anchor: &Anchor, number: usize, disk: &Disk, trails: &[&'t Known]) -> Result<(), LedgerError> {
    let Some(witness) = anchor.witnesses.get(number) else { return Ok(()) };
    let offer = |trail: &&'t Known| {
        let note = trail.stored.as_deref()?;
        let text = SignedNote::parse(note).ok()?.text().to_owned();
        let Checkpoint { size, root, .. } = Checkpoint::parse(&text).ok()?;
        Some(Offer { trail: &trail.name, note, text, size, root, old: size })
    };
    let mut offers: Vec<Offer<'t>> = trails.iter().filter_map(offer).collect();
    for _ in 0..OFFERS {
        let mut behind = Vec::new();
        let mut bodies = Vec::new();
        offers.retain(|offer| {
            let Offer { trail, note, size, root, old, .. } = offer;
            let body = request(disk, trail, *old, *size, root, note);
            bodies.extend(body.clone());
            body.is_some()
        });
        if offers.is_empty() {
            return Ok(());
        }
        let replies = anchor.client.add_checkpoints(number, bodies);
        for (offer, reply) in offers.into_iter().zip(replies) {
            let Ok(reply) = reply else { return Ok(()) };
            match read_reply(&reply, &offer.text, &witness.verifier, unix_now()) {
                Meaning::Conflict(there) if there > offer.size => {
                    return Err(LedgerError::ahead(&witness.name, offer.trail, there, offer.size));
                }
                Meaning::Conflict(there) => behind.push(Offer { old: there, ..offer }),
                Meaning::Inconsistent => return Err(LedgerError::another(&witness.name, offer.trail)),
                // No answer that says anything: the asking goes on when the node runs.
                Meaning::Cosigned(..) | Meaning::Refused(_) => {}
            }
        }
        offers = behind;
    }
    Ok(())
}
