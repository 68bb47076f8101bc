//! How far each trail has come: durable, signed by us, cosigned by witnesses; and whoever waits for that.
//!
//! One table, filled by the publisher (what it signed) and by the witnesses' threads (what enough of them cosigned),
//! read by everyone. It never blocks on anything but its own short lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greffier_event::Tenant;
use greffier_merkle::Hash;
use tokio::sync::watch;

use crate::anchoring::{Anchoring, Standing};

/// What a receipt is worth. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The entry is on disk.
    Durable,
    /// A checkpoint that we signed covers it.
    Integrated,
    /// A checkpoint that enough witnesses cosigned covers it.
    Witnessed,
}

impl Level {
    /// All of them, lowest first.
    pub const ALL: [Level; 3] = [Level::Durable, Level::Integrated, Level::Witnessed];

    /// Its name, as interfaces write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Durable => "durable",
            Level::Integrated => "integrated",
            Level::Witnessed => "witnessed",
        }
    }

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Of which trails only what witnesses cosigned is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// Of none: where there is no cosigned checkpoint, the one that we signed is shown.
    #[default]
    None,
    /// Of these.
    Trails(BTreeSet<String>),
    /// Of all.
    All,
}

impl Require {
    /// Whether a trail is one of them.
    pub fn covers(&self, trail: &Tenant) -> bool {
        match self {
            Require::None => false,
            Require::Trails(trails) => trails.contains(trail.as_str()),
            Require::All => true,
        }
    }
}

/// A tree head that we signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The trail.
    pub trail: String,
    /// How many entries it covers.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

/// What waits for witnesses when there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no witness is configured, so nothing is ever witnessed: add a [[witness]]")]
pub struct NoWitnesses;

/// What a running ledger asks of its witnesses, as far as others need to know.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) witnesses: usize,
    pub(crate) quorum: usize,
    pub(crate) stale_after: Duration,
    pub(crate) require: Require,
}

/// One trail.
#[derive(Clone, Debug, Default)]
struct Trail {
    signed: Option<Signed>,
    cosigned: Option<Cosigned>,
    /// When an entry was first signed that no cosigned checkpoint covers yet, in seconds since 1970.
    waiting_since: Option<u64>,
}

#[derive(Clone, Debug)]
struct Signed {
    size: u64,
    root: Hash,
    note: Arc<str>,
}

#[derive(Clone, Copy, Debug)]
struct Cosigned {
    size: u64,
    time: u64,
}

/// The table. Clones share it.
#[derive(Clone, Debug)]
pub struct Heads(Arc<Table>);

#[derive(Debug)]
struct Table {
    terms: Option<Terms>,
    trails: Mutex<BTreeMap<String, Trail>>,
    changed: watch::Sender<u64>,
}

impl Heads {
    /// An empty table; without terms there are no witnesses.
    pub(crate) fn new(terms: Option<Terms>) -> Heads {
        Heads(Arc::new(Table { terms, trails: Mutex::default(), changed: watch::Sender::new(0) }))
    }

    /// What is known of an entry that is on its trail.
    pub fn level(&self, trail: &Tenant, index: u64) -> Level {
        let trails = self.lock();
        let Some(trail) = trails.get(trail.as_str()) else { return Level::Durable };
        if trail.cosigned.is_some_and(|cosigned| index < cosigned.size) {
            Level::Witnessed
        } else if trail.signed.as_ref().is_some_and(|signed| index < signed.size) {
            Level::Integrated
        } else {
            Level::Durable
        }
    }

    /// Waits until an entry has reached a level. It may take for ever: bound it with a timeout.
    pub async fn reach(&self, trail: &Tenant, index: u64, level: Level) -> Result<(), NoWitnesses> {
        if level == Level::Witnessed && self.0.terms.is_none() {
            return Err(NoWitnesses);
        }
        let mut changed = self.0.changed.subscribe();
        while self.level(trail, index) < level {
            // The sender lives as long as this table does: it never closes while we wait.
            if changed.changed().await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Whether witnesses are configured.
    pub fn is_witnessed(&self) -> bool {
        self.0.terms.is_some()
    }

    /// Whether of this trail only what witnesses cosigned may be shown.
    pub fn requires_witnesses(&self, trail: &Tenant) -> bool {
        self.0.terms.as_ref().is_some_and(|terms| terms.require.covers(trail))
    }

    /// The newest head of each trail that we signed.
    pub fn signed_heads(&self) -> Vec<SignedHead> {
        let head = |(name, trail): (&String, &Trail)| {
            let Signed { size, root, .. } = trail.signed.as_ref()?;
            Some(SignedHead { trail: name.clone(), size: *size, root: *root })
        };
        self.lock().iter().filter_map(head).collect()
    }

    /// Whether the trails are vouched for at `now`, in seconds since 1970.
    pub fn anchoring(&self, now: u64) -> Anchoring {
        let Some(Terms { witnesses, quorum, stale_after, .. }) = &self.0.terms else {
            return Standing { asked: None, node: None, waiting: 0 }.judge(now, Duration::ZERO);
        };
        let trails = self.lock();
        let waits = |trail: &&Trail| {
            trail.waiting_since.is_some_and(|since| now.saturating_sub(since) > stale_after.as_secs())
        };
        let standing = Standing {
            asked: Some(format!("{quorum} of {witnesses} witnesses")),
            node: trails.get(Tenant::NODE).and_then(|trail| trail.cosigned).map(|cosigned| cosigned.time),
            waiting: trails.values().filter(waits).count(),
        };
        standing.judge(now, *stale_after)
    }

    /// The publisher signed a checkpoint, and it is durable.
    pub(crate) fn signed(&self, trail: &str, size: u64, root: Hash, note: &str, now: u64) {
        let mut trails = self.lock();
        let trail = trails.entry(trail.to_owned()).or_default();
        trail.signed = Some(Signed { size, root, note: note.into() });
        if trail.cosigned.is_none_or(|cosigned| cosigned.size < size) {
            trail.waiting_since.get_or_insert(now);
        }
        drop(trails);
        self.tell();
    }

    /// Enough witnesses cosigned a checkpoint at `time`, in seconds since 1970, and that is durable.
    pub(crate) fn cosigned(&self, trail: &str, size: u64, time: u64, now: u64) {
        let mut trails = self.lock();
        let trail = trails.entry(trail.to_owned()).or_default();
        trail.cosigned = Some(Cosigned { size, time });
        let behind = trail.signed.as_ref().is_some_and(|signed| signed.size > size);
        trail.waiting_since = behind.then_some(now);
        drop(trails);
        self.tell();
    }

    /// The newest signed checkpoint of a trail: its size, root and note.
    pub(crate) fn newest(&self, trail: &str) -> Option<(u64, Hash, Arc<str>)> {
        let trails = self.lock();
        let Signed { size, root, note } = trails.get(trail)?.signed.as_ref()?;
        Some((*size, *root, Arc::clone(note)))
    }

    /// How many entries of a trail a cosigned checkpoint covers.
    pub(crate) fn cosigned_size(&self, trail: &str) -> Option<u64> {
        Some(self.lock().get(trail)?.cosigned?.size)
    }

    /// Size of the newest signed checkpoint of every trail.
    pub(crate) fn sizes(&self) -> Vec<(String, u64)> {
        let size = |(name, trail): (&String, &Trail)| Some((name.clone(), trail.signed.as_ref()?.size));
        self.lock().iter().filter_map(size).collect()
    }

    fn tell(&self) {
        self.0.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Trail>> {
        self.0.trails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
