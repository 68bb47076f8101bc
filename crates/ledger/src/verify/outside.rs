//! What somebody kept elsewhere: whom to trust, checkpoints and receipts. Only these can tell that a whole directory
//! was made anew, put back to an earlier day, or lost a trail; everything inside it can be made to agree with itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greffier_event::Tenant;
use greffier_merkle::note::{SignedNote, Verifier};
use greffier_merkle::{Checkpoint, Hash, TrustPolicy, checkpoint};

use super::signed::{Head, Signed};
use super::{Report, VerifyError, VerifyOptions};
use crate::publish::cosigned_path;

/// Checkpoints and receipts that are taken; past this it is another kind of file.
const MAX_KEPT: usize = 100_000;

/// What was kept, read but not yet held against anything.
#[derive(Debug, Default)]
pub(super) struct Outside {
    trust: Option<TrustPolicy>,
    /// Kept checkpoints, each with its note.
    from: Vec<(Checkpoint, SignedNote)>,
    /// Kept receipts by the trail's name or origin, sorted.
    receipts: BTreeMap<String, Vec<(u64, Hash)>>,
    require_witnessed: bool,
    /// Once the node is known: the trails that somebody outside knows of, and how.
    known: BTreeMap<String, BTreeSet<&'static str>>,
}

impl Outside {
    /// Reads what was kept. A checkpoint that nobody trusted signed is no evidence, and nothing is checked by it.
    /// `trust` is that of the options, with the keys that follow its own; `before` those that its own followed.
    pub(super) fn read(
        options: &VerifyOptions,
        trust: Option<TrustPolicy>,
        before: &[Verifier],
    ) -> Result<Outside, VerifyError> {
        if options.from.len() > MAX_KEPT || options.receipts.len() > MAX_KEPT {
            return Err(VerifyError::Kept(format!("more than {MAX_KEPT} checkpoints or receipts")));
        }
        let witnesses = trust.as_ref().is_some_and(TrustPolicy::has_quorum);
        if options.require_witnessed && !witnesses {
            let what =
                "a witnessed trail was asked for, but no trust policy with a quorum of witnesses was given";
            return Err(VerifyError::Kept(what.to_owned()));
        }
        let mut from = Vec::new();
        for note in &options.from {
            let wrong = |error: &dyn std::error::Error| {
                VerifyError::Kept(format!("a checkpoint that was kept does not hold: {error}"))
            };
            let kept = match &trust {
                Some(trust) => {
                    let known = trust.verifiers().chain(before);
                    checkpoint::open(note, known).map_err(|error| wrong(&error))?
                }
                None => {
                    let text = SignedNote::parse(note).map_err(|error| wrong(&error))?;
                    Checkpoint::parse(text.text()).map_err(|error| wrong(&error))?
                }
            };
            from.push((kept, SignedNote::parse(note).map_err(|error| wrong(&error))?));
        }
        let mut receipts: BTreeMap<String, Vec<(u64, Hash)>> = BTreeMap::new();
        for receipt in &options.receipts {
            receipts.entry(receipt.trail.clone()).or_default().push((receipt.index, receipt.leaf_hash));
        }
        receipts.values_mut().for_each(|of_trail| of_trail.sort_unstable());
        let require_witnessed = options.require_witnessed;
        Ok(Outside { trust, from, receipts, require_witnessed, known: BTreeMap::new() })
    }

    /// Whom to trust.
    pub(super) fn trust(&self) -> Option<&TrustPolicy> {
        self.trust.as_ref()
    }

    /// Whether there is anything from outside.
    pub(super) fn is_empty(&self) -> bool {
        self.trust.is_none() && self.from.is_empty() && self.receipts.is_empty()
    }

    /// Learns which node this is, and gives the kept checkpoints of its trails. `own` is the directory's trust file,
    /// `before` the keys that its own followed.
    pub(super) fn meet(
        &mut self,
        node_origin: Option<&str>,
        own: Option<&TrustPolicy>,
        before: &[Verifier],
        report: &mut Report,
    ) -> Vec<(String, Head)> {
        let trail_of = |origin: &str| match node_origin {
            Some(node) => origin.strip_prefix(node)?.strip_prefix('/').map(str::to_owned),
            None => origin.rsplit('/').next().map(str::to_owned),
        };
        // Without a manifest that holds nobody knows which of the logs are this node's.
        let logs = self.trust.iter().filter(|_| node_origin.is_some()).flat_map(TrustPolicy::logs);
        for trail in logs.filter_map(|log| trail_of(log.verifier.name())) {
            self.known.entry(trail).or_default().insert("the trust policy");
        }
        let receipts = std::mem::take(&mut self.receipts);
        for (name, mut kept) in receipts {
            let trail = node_origin.and_then(|_| trail_of(&name)).unwrap_or(name);
            self.known.entry(trail.clone()).or_default().insert("a receipt");
            let of_trail = self.receipts.entry(trail).or_default();
            of_trail.append(&mut kept);
            of_trail.sort_unstable();
        }
        let mut heads = Vec::new();
        for (kept, note) in &self.from {
            let place = format!("checkpoint of size {} that was kept of {}", kept.size, kept.origin);
            let Some(trail) = trail_of(&kept.origin) else {
                let node = node_origin.unwrap_or_default();
                report.problem(place, format!("it is of another node: this is {node}"));
                continue;
            };
            let logs = own.into_iter().flat_map(TrustPolicy::logs).map(|log| &log.verifier);
            let mut ours = logs.chain(before).filter(|key| key.name() == kept.origin);
            let signed = ours.any(|key| note.verify([key]).is_ok());
            if own.is_some() && !signed {
                let what = "no key of this directory signed it: the trail was signed anew with another key";
                report.problem(&place, what);
            }
            self.known.entry(trail.clone()).or_default().insert("a checkpoint that was kept");
            heads.push((trail, Head { size: kept.size, root: kept.root, place }));
        }
        heads
    }

    /// The leaves within a range that receipts promise.
    pub(super) fn leaves(&self, trail: &str, range: &Range<u64>) -> Vec<(u64, Hash)> {
        let Some(kept) = self.receipts.get(trail) else { return Vec::new() };
        let from = kept.partition_point(|(index, _)| *index < range.start);
        kept.iter().skip(from).take_while(|(index, _)| *index < range.end).copied().collect()
    }

    /// What anchors a trail.
    pub(super) fn anchors(&self, signed: &Signed, trail: &str) -> Vec<String> {
        let by_trust = self.trust.is_some() && signed.covered(trail).is_some();
        let known = self.known.get(trail).into_iter().flatten();
        known.filter(|how| **how != "the trust policy" || by_trust).map(|how| (*how).to_owned()).collect()
    }

    /// What must be there and is not: trails that somebody knows of, entries that receipts promise, cosignatures.
    pub(super) fn finish(&self, signed: &Signed, size: impl Fn(&str) -> u64, report: &mut Report) {
        for (trail, how) in &self.known {
            if size(trail) == 0 && trail != Tenant::NODE {
                let how = how.iter().copied().collect::<Vec<_>>().join(", ");
                report.problem(format!("trail {trail}"), format!("the trail is missing: {how} speaks of it"));
            }
        }
        for (trail, kept) in &self.receipts {
            let end = size(trail);
            for (index, _) in kept.iter().filter(|(index, _)| *index >= end && end > 0) {
                let what = format!("the tail was cut: the trail has {end} entries");
                report.problem(format!("receipt of trail {trail} entry {index}"), what);
            }
        }
        if self.require_witnessed {
            for trail in signed.trails().filter(|trail| size(trail) > 0) {
                if !signed.witnessed.contains_key(trail) {
                    let what = "no checkpoint of this trail meets the quorum of witnesses";
                    report.problem(cosigned_path(trail), what);
                }
            }
        }
    }
}

/// Of an entry that is not the one that was promised.
pub(super) fn other_leaf(told: &Hash) -> String {
    format!("the entry is another one than the receipt's {}", hex::encode(told))
}
