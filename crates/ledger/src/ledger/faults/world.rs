//! A ledger on a simulated disk, and the world outside it, which forgets nothing: every receipt that was given, every
//! checkpoint that was signed. After each start the two are held against each other.
//!
//! The ledger is the real one, its three state machines driven by hand instead of by threads, so that a run is the
//! same each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use greffier_event::{EventId, Timestamp};
use greffier_merkle::Hash;
use greffier_merkle::hash::sha256;
use greffier_merkle::note::SignedNote;
use greffier_merkle::tile::TileBuilder;

use super::super::*;
use crate::append::seal_entry_for_test;
use crate::commit::{Entry, Refusal, Submitted};
use crate::ids::Known;
use crate::manifest::Manifest;
use crate::store::sim::{Crash, Sim, Trouble};
use crate::testing::{draft, event, tighten};
use crate::verify::{Report, VerifyOptions, verify_dir};

pub(super) const TRAILS: [&str; 2] = ["acme", "greffier"];
pub(super) const CONTENT: &[u8] = b"what is on record?";
/// A fault that passes is survived by trying again, as the threads do each second.
const TRIES: usize = 3;

/// Segments of four entries, and each look seals whatever is signed: full ones, small ones, merged ones.
pub(super) const SEAL: SealPolicy = SealPolicy { entries: 4, age: Duration::ZERO, wal_bytes: 0 };

/// Later than any entry was recorded.
fn later() -> Timestamp {
    Timestamp::from_micros(4_000_000_000_000_000)
}

/// Keys that are the same in every run.
pub(super) fn keys() -> Arc<KeyRing> {
    static KEYS: LazyLock<(tempfile::TempDir, Arc<KeyRing>)> = LazyLock::new(|| {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/formats/v2/keys");
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        tighten(dir.path());
        let keys = KeyRing::open(dir.path()).unwrap();
        (dir, Arc::new(keys))
    });
    Arc::clone(&KEYS.1)
}

/// One process.
pub(super) struct Process {
    pub(super) recorder: Recorder,
    pub(super) publisher: Publisher,
    pub(super) sealer: Sealer,
    pub(super) recovered: Recovered,
}

/// An entry that somebody tried to record.
#[derive(Clone)]
struct Tried {
    trail: &'static str,
    id: EventId,
    part: bool,
    submitted: bool,
}

/// What lies outside the crash.
#[derive(Clone, Default)]
pub(super) struct Outside {
    /// By trail and index: the leaf that was acknowledged.
    pub(super) acked: BTreeMap<(String, u64), Hash>,
    /// Every checkpoint that was ever signed: trail, size, root.
    signed: BTreeSet<(String, u64, Hash)>,
    tried: HashMap<Hash, Tried>,
}

pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) outside: Outside,
    pub(super) process: Option<Process>,
    /// How the last process ended; `None` if it failed to say.
    clean: Option<bool>,
    /// A sync that the code is made to forget, in every life.
    forgotten: Option<String>,
    seal: SealPolicy,
    events: u64,
}

impl World {
    pub(super) fn new() -> World {
        World::sealing(SEAL)
    }

    pub(super) fn sealing(seal: SealPolicy) -> World {
        let (sim, outside) = (Sim::default(), Outside::default());
        World { sim, outside, process: None, clean: Some(true), forgotten: None, seal, events: 0 }
    }

    /// Another world, equal to this one now, in which nothing runs.
    pub(super) fn fork(&self) -> World {
        assert!(self.process.is_none());
        let (sim, outside) = (self.sim.fork(), self.outside.clone());
        let World { clean, seal, events, .. } = *self;
        World { sim, outside, process: None, clean, forgotten: None, seal, events }
    }

    /// A world in which this sync does nothing.
    pub(super) fn without(sync: &str) -> World {
        World { forgotten: Some(sync.to_owned()), ..World::new() }
    }

    /// Whether a sync does nothing here.
    pub(super) fn forgets(&self) -> bool {
        self.forgotten.is_some()
    }

    fn opener(&self) -> Opener {
        Opener {
            disk: Disk::new(Arc::new(self.sim.clone())),
            keys: keys(),
            origin: "test.local".to_owned(),
            seal: self.seal,
            acknowledged: Default::default(),
            offered: Default::default(),
        }
    }

    /// Starts a process, in which things may go wrong. What it finds must be what was promised.
    pub(super) fn start(&mut self, trouble: Trouble) -> bool {
        self.sim.trouble(trouble);
        self.sim.forget(self.forgotten.as_deref());
        for _ in 0..TRIES {
            let opened = self.opener().open();
            self.look();
            match opened {
                Ok(Running { recorder, publisher, sealer, recovered }) => {
                    let leaves = self.check();
                    self.check_recovered(&leaves, &publisher, &recovered);
                    self.clean = Some(false);
                    self.process = Some(Process { recorder, publisher, sealer, recovered });
                    return true;
                }
                // A start that did not come to its end may have taken away that the stop was clean.
                Err(LedgerError::Io { .. }) => self.clean = None,
                Err(error) => panic!("does not open: {error}"),
            }
        }
        false
    }

    /// A start in which nothing goes wrong.
    pub(super) fn start_well(&mut self) -> &mut Process {
        assert!(self.start(Trouble::default()), "does not open");
        self.process.as_mut().unwrap()
    }

    /// An entry that nobody has tried before, with a part or without.
    fn entry(&mut self, trail: &'static str, part: bool) -> Entry {
        self.events += 1;
        let n = self.events;
        let event = event(trail, n, "data.access", &format!("req_{n}"));
        let parts: &[(&str, &[u8])] = if part { &[("prompt", CONTENT)] } else { &[] };
        let entry = seal_entry_for_test(&keys(), draft(event, parts));
        let tried = Tried { trail, id: entry.id, part, submitted: false };
        self.outside.tried.insert(entry.leaf, tried);
        entry
    }

    /// Appends one group of `count` entries to the trails in turn; says whether they were acknowledged.
    pub(super) fn append(&mut self, count: u64) -> bool {
        self.append_to(&TRAILS, count)
    }

    /// Appends one group of `count` entries to these trails in turn; every third has a part.
    pub(super) fn append_to(&mut self, trails: &[&'static str], count: u64) -> bool {
        let trail = |n| trails[n as usize % trails.len()];
        let group: Vec<Entry> = (0..count).map(|n| self.entry(trail(n), self.events % 3 == 2)).collect();
        let places = self.commit(&group);
        let done = !places.is_empty();
        for (entry, place) in group.iter().zip(places) {
            self.promise(entry.trail.as_str(), place.unwrap(), entry.leaf);
        }
        done
    }

    /// Submits an event from outside, which may have come before, `copies` times in one group.
    pub(super) fn submit(&mut self, trail: &'static str, n: u64, copies: usize) {
        let digest = sha256(&n.to_be_bytes());
        let mut event = event(trail, 1_000_000 + n, "tool.call", &format!("sent_{n}"));
        event.source = Some(greffier_event::Source {
            channel: "sdk".to_owned(),
            digest: Some(hex::encode(digest)),
            ..greffier_event::Source::default()
        });
        for _ in 0..TRIES {
            let Some(process) = &self.process else { return };
            let Ok((known, seen)) = process.recorder.ids.look_up(trail, event.id) else { return };
            if let Some(known) = known {
                return self.known(trail, event.id, digest, &known);
            }
            let entry = || Entry {
                submitted: Some(Submitted { digest, seen, ..Submitted::default() }),
                ..seal_entry_for_test(&keys(), draft(event.clone(), &[]))
            };
            let group: Vec<Entry> = (0..copies).map(|_| entry()).collect();
            let tried = Tried { trail, id: event.id, part: false, submitted: true };
            self.outside.tried.insert(group[0].leaf, tried);
            let places = self.commit(&group);
            for place in places.iter().skip(1) {
                assert!(matches!(place, Err(Refusal::Known(_) | Refusal::Again)), "{place:?}");
            }
            match places.into_iter().next() {
                None => return,
                Some(Ok(index)) => return self.promise(trail, index, group[0].leaf),
                Some(Err(Refusal::Known(known))) => return self.known(trail, event.id, digest, &known),
                Some(Err(Refusal::Again)) => {}
                Some(Err(refusal)) => panic!("{refusal:?}"),
            }
        }
    }

    /// An old receipt is as good as a new one.
    fn known(&mut self, trail: &str, id: EventId, digest: Hash, known: &Known) {
        assert_eq!(known.digest, Some(digest));
        let tried = &self.outside.tried[&known.leaf];
        assert_eq!((tried.trail, tried.id), (trail, id));
        let earlier = self.outside.acked.insert((trail.to_owned(), known.index), known.leaf);
        assert!(earlier.is_none_or(|leaf| leaf == known.leaf), "an index was given twice");
    }

    /// Makes a group durable, or nothing of it is promised.
    fn commit(&mut self, group: &[Entry]) -> Vec<Result<u64, Refusal>> {
        let Some(process) = self.process.as_mut() else { return Vec::new() };
        let committer = &mut process.recorder.committer;
        for _ in 0..TRIES {
            if committer.is_open() || committer.reopen().is_ok() {
                break;
            }
        }
        let Ok(places) = committer.commit(group) else { return Vec::new() };
        let taken = group.iter().zip(&places).filter(|(_, place)| place.is_ok());
        process.publisher.ingest(taken.map(|(entry, _)| (entry.trail.clone(), entry.leaf)).collect());
        places
    }

    fn promise(&mut self, trail: &str, index: u64, leaf: Hash) {
        let earlier = self.outside.acked.insert((trail.to_owned(), index), leaf);
        assert_eq!(earlier, None, "an index was given twice");
    }

    /// Goes on in a new file of the log, so that the one before it may become spent.
    pub(super) fn rotate(&mut self) {
        if let Some(process) = self.process.as_mut() {
            let _ = process.recorder.committer.reopen();
        }
    }

    /// Makes space for the next file of the log: two groups go into it, and then it grows.
    pub(super) fn make_space(&mut self) {
        if let Some(process) = self.process.as_mut() {
            let _ = process.recorder.committer.spare().fill(&process.recorder.disk, 2_200);
        }
    }

    pub(super) fn publish(&mut self) {
        for _ in 0..TRIES {
            if self.publish_once() {
                break;
            }
        }
    }

    pub(super) fn publish_once(&mut self) -> bool {
        let Some(process) = self.process.as_mut() else { return false };
        let done = process.publisher.publish().is_ok();
        self.look();
        done
    }

    /// Seals a segment; a fault that passes is survived by trying again.
    pub(super) fn seal(&mut self) {
        for _ in 0..2 {
            if self.seal_once() {
                break;
            }
        }
    }

    /// Whether a segment was sealed and everything put in order after it. Then what nobody needs any more comes back
    /// in no crash: what it held may have been erased.
    pub(super) fn seal_once(&mut self) -> bool {
        let before = self.floor();
        let Some(process) = self.process.as_mut() else { return false };
        let sealed = process.sealer.step(later()).is_ok_and(|sealed| sealed);
        if sealed {
            for spent in (before..self.floor()).map(wal::path) {
                assert!(!self.sim.is_durable(&spent), "{spent} may come back");
            }
        }
        sealed
    }

    /// The first file of the log that counts.
    fn floor(&self) -> u64 {
        Manifest::newer(&self.calm(), 0).unwrap().map_or(1, |manifest| manifest.holds.floor)
    }

    /// A clean stop, and whether it was one.
    pub(super) fn stop(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        self.clean = None;
        let committer = &mut process.recorder.committer;
        if !committer.is_open() && committer.reopen().is_err() {
            return false;
        }
        let stopped = process.publisher.publish().is_ok()
            && finish(&process.recorder, &process.publisher, process.sealer).is_ok();
        self.look();
        if stopped {
            self.clean = Some(true);
        }
        stopped
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        self.process = None;
        self.sim.crash(crash);
    }

    /// Notes the checkpoints that were signed, whether or not they came to the disk.
    fn look(&mut self) {
        for (path, note) in self.sim.take_signed() {
            let note = String::from_utf8(note).unwrap();
            let text = SignedNote::parse(&note).unwrap().text().to_owned();
            let checkpoint = greffier_merkle::Checkpoint::parse(&text).unwrap();
            let trail = path.split('/').nth(1).unwrap().to_owned();
            self.outside.signed.insert((trail, checkpoint.size, checkpoint.root));
        }
    }

    /// The world as it is, to be read without anything going wrong.
    fn calm(&self) -> Disk {
        let fork = self.sim.fork();
        fork.trouble(Trouble::default());
        Disk::new(Arc::new(fork))
    }

    /// Reads what is on disk and holds it against every promise. Returns the leaves of each trail.
    pub(super) fn check(&self) -> BTreeMap<String, Vec<Hash>> {
        let mut leaves: BTreeMap<String, Vec<Hash>> = BTreeMap::new();
        let mut submitted = BTreeSet::new();
        let read = Reader::new(self.calm()).scan(|found| {
            let trail = found.tenant.as_str();
            let leaf = found.leaf_hash();
            let leaves = leaves.entry(trail.to_owned()).or_default();
            assert_eq!(found.index, leaves.len() as u64, "{trail} leaves indexes out");
            leaves.push(leaf);
            let tried = self.outside.tried.get(&leaf);
            let tried = tried.unwrap_or_else(|| panic!("{trail} {}: nobody tried that", found.index));
            assert_eq!(tried.trail, trail);
            assert!(
                !tried.submitted || submitted.insert((tried.trail, tried.id)),
                "{trail} {}: a submission is there twice",
                found.index
            );
            let parts = found.open_parts(&keys()).unwrap();
            let contents: Vec<&[u8]> = parts.iter().map(|part| part.content.as_slice()).collect();
            assert_eq!(contents, if tried.part { vec![CONTENT] } else { vec![] }, "{trail} {}", found.index);
            ControlFlow::Continue(())
        });
        read.unwrap();
        for ((trail, index), leaf) in &self.outside.acked {
            let found = leaves.get(trail).and_then(|leaves| leaves.get(*index as usize));
            assert_eq!(found, Some(leaf), "{trail} {index} was acknowledged");
        }
        for (trail, leaves) in &leaves {
            let mut tree = TileBuilder::new();
            let mut roots = vec![tree.root()];
            for leaf in leaves {
                tree.push(*leaf);
                roots.push(tree.root());
            }
            assert_eq!(tree.root(), mth(leaves), "{trail}");
            for (_, size, root) in self.outside.signed.iter().filter(|(signed, ..)| signed == trail) {
                assert_eq!(roots.get(*size as usize), Some(root), "checkpoint {trail} {size}");
            }
        }
        let unknown = self.outside.signed.iter().find(|(trail, ..)| !leaves.contains_key(trail));
        assert_eq!(unknown, None, "the trail of a checkpoint is gone");
        leaves
    }

    /// Holds what a start says against what came before it.
    fn check_recovered(
        &self,
        leaves: &BTreeMap<String, Vec<Hash>>,
        publisher: &Publisher,
        recovered: &Recovered,
    ) {
        for (name, trail) in publisher.trails() {
            let leaves = leaves.get(name).map_or(&[] as &[Hash], Vec::as_slice);
            assert_eq!((trail.size(), trail.root()), (leaves.len() as u64, mth(leaves)), "{name}");
        }
        if let Some(clean) = self.clean {
            assert_eq!(recovered.unclean, !clean, "whether the stop was clean");
        }
        // Only what was never acknowledged may need repair.
        let unexplained = recovered.repairs.iter().find(|repair| !repair.contains("torn tail"));
        assert_eq!(unexplained, None);
        assert_eq!(recovered.open_decisions, []);
    }

    /// Whether there is a ledger yet: the first start may have died before there was one.
    pub(super) fn has_begun(&self) -> bool {
        manifest::sequences(&self.calm()).unwrap().last().is_some()
    }

    /// `greffier verify` of the world as it is.
    pub(super) fn verify(&self) -> Report {
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        verify_dir(dir.path(), &VerifyOptions::default(), |_| ()).unwrap()
    }
}

/// RFC 6962, section 2.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            sha256(&[&[1], mth(left).as_slice(), mth(right).as_slice()].concat())
        }
    }
}
