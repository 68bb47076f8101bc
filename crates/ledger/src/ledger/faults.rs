//! Every operation on the disk fails in turn, in every way, and the process or the power goes after it. Whatever
//! happens: what was acknowledged is there at its index, no index is given twice, every checkpoint that was ever
//! visible belongs to the tree that is recovered, and the directory verifies.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use greffier_event::Timestamp;
use greffier_merkle::Hash;
use greffier_merkle::note::SignedNote;
use greffier_merkle::tile::TileBuilder;

use super::*;
use crate::append::seal_entry_for_test;
use crate::commit::Entry;
use crate::publish::checkpoint_path;
use crate::store::sim::{Crash, FAULTS, Fault, Lie, Sim};
use crate::testing::{keys, plain};
use crate::verify::{VerifyOptions, verify_dir};

const TRAILS: [&str; 2] = ["acme", "greffier"];

/// A world with its disk, and what the world outside was promised.
struct Run {
    sim: Sim,
    /// By trail and index: the leaf that was acknowledged.
    acked: BTreeMap<(String, u64), Hash>,
    /// Every checkpoint that could be read at any time: trail, size, root.
    seen: Vec<(String, u64, Hash)>,
    events: u64,
}

/// One process: it tries again whatever fails, until it dies.
struct Process {
    recorder: Recorder,
    publisher: Publisher,
    sealer: Sealer,
}

/// Segments of four entries, and each look seals whatever is signed: full ones, small ones, merged ones.
const SEAL: SealPolicy = SealPolicy { entries: 4, age: Duration::ZERO, wal_bytes: 0 };

/// Later than any entry was recorded.
fn later() -> Timestamp {
    Timestamp::from_micros(4_000_000_000_000_000)
}

impl Run {
    fn new() -> Run {
        Run { sim: Sim::default(), acked: BTreeMap::new(), seen: Vec::new(), events: 0 }
    }

    fn opener(&self) -> Opener {
        let disk = Disk::new(Arc::new(self.sim.clone()));
        Opener {
            disk,
            keys: keys(),
            origin: "test.local".to_owned(),
            seal: SEAL,
            acknowledged: Default::default(),
        }
    }

    /// Starts a process; a fault that passes is survived by trying again.
    fn start(&mut self) -> Option<Process> {
        for _ in 0..3 {
            if let Ok(Running { recorder, publisher, sealer, .. }) = self.opener().open() {
                self.look();
                return Some(Process { recorder, publisher, sealer });
            }
            self.look();
        }
        None
    }

    /// Appends one group of `count` entries to the trails in turn; answers only what is durable.
    fn append(&mut self, process: &mut Process, count: u64) {
        for _ in 0..3 {
            if process.recorder.committer.is_open() || process.recorder.committer.reopen().is_ok() {
                break;
            }
        }
        let group: Vec<Entry> = (0..count)
            .map(|n| {
                self.events += 1;
                seal_entry_for_test(&keys(), plain(TRAILS[(n % 2) as usize], self.events))
            })
            .collect();
        let Ok(places) = process.recorder.committer.commit(&group) else { return };
        let mut leaves = Vec::new();
        for (entry, place) in group.into_iter().zip(places) {
            let index = place.unwrap();
            let reused = self.acked.insert((entry.trail.to_string(), index), entry.leaf);
            assert_eq!(reused, None, "an index was given twice");
            leaves.push((entry.trail, entry.leaf));
        }
        process.publisher.ingest(leaves);
    }

    fn publish(&mut self, process: &mut Process) {
        for _ in 0..3 {
            let result = process.publisher.publish();
            self.look();
            if result.is_ok() {
                break;
            }
        }
    }

    /// Seals two segments; a fault that passes is survived by trying again.
    fn seal(&mut self, process: &mut Process) {
        for _ in 0..3 {
            // Whether there was something to seal, or it failed: neither ends the world.
            let _ = process.sealer.step(later());
        }
    }

    /// Notes the checkpoints that anybody could read now.
    fn look(&mut self) {
        for trail in TRAILS {
            let Ok(note) = crate::store::Store::read(&self.sim, &checkpoint_path(trail), 10_000) else {
                continue;
            };
            let note = String::from_utf8(note).unwrap();
            let text = SignedNote::parse(&note).unwrap().text().to_owned();
            let checkpoint = greffier_merkle::Checkpoint::parse(&text).unwrap();
            self.seen.push((trail.to_owned(), checkpoint.size, checkpoint.root));
        }
        self.seen.dedup();
    }

    /// Two lives with appends, publishing, a clean stop between them and one after.
    fn script(&mut self) {
        for life in 0..2 {
            let Some(mut process) = self.start() else { return };
            self.append(&mut process, 3);
            self.append(&mut process, 1);
            self.publish(&mut process);
            if life == 1 {
                self.seal(&mut process);
            }
            self.append(&mut process, 4);
            // Space for two groups: the next file is written into it, and then beyond.
            let committer = &process.recorder.committer;
            let _ = committer.spare().fill(&process.recorder.disk, 2_200);
            // A new file of the log, so that the one before it may become spent.
            let _ = process.recorder.committer.reopen();
            self.append(&mut process, 2);
            self.publish(&mut process);
            if life == 1 {
                self.seal(&mut process);
            }
            self.append(&mut process, 1);
            if !process.recorder.committer.is_open() && process.recorder.committer.reopen().is_err() {
                continue;
            }
            if process.publisher.publish().is_ok() {
                let _ = finish(&process.recorder, &process.publisher, process.sealer);
            }
            self.look();
        }
    }

    /// Reads what is on disk and holds it against every promise.
    fn check(&self, context: &str) {
        let disk = Disk::new(Arc::new(self.sim.clone()));
        let mut trees: BTreeMap<String, (TileBuilder, Vec<Hash>)> = BTreeMap::new();
        let mut heads: BTreeMap<(String, u64), Hash> = BTreeMap::new();
        Reader::new(disk)
            .scan(|found| {
                let trail = found.tenant.as_str().to_owned();
                let (tree, leaves) = trees.entry(trail.clone()).or_default();
                assert_eq!(found.index, leaves.len() as u64, "{context}");
                leaves.push(found.leaf_hash());
                tree.push(found.leaf_hash());
                heads.insert((trail, tree.size()), tree.root());
                ControlFlow::Continue(())
            })
            .unwrap();
        for ((trail, index), leaf) in &self.acked {
            let found = trees.get(trail).and_then(|(_, leaves)| leaves.get(*index as usize));
            assert_eq!(found, Some(leaf), "{context}: {trail} {index} was acknowledged");
        }
        for (trail, size, root) in &self.seen {
            assert_eq!(
                heads.get(&(trail.clone(), *size)),
                Some(root),
                "{context}: checkpoint {trail} {size}"
            );
        }
    }

    /// The next process after a crash: it must come up, keep every promise, go on, and stop cleanly.
    fn survive(&mut self, crash: Crash, context: &str) {
        self.sim.crash(crash);
        let Running { recorder, publisher, sealer, .. } =
            self.opener().open().unwrap_or_else(|error| panic!("{context}: does not open again: {error}"));
        self.look();
        self.check(context);
        let mut process = Process { recorder, publisher, sealer };
        self.append(&mut process, 2);
        self.publish(&mut process);
        self.seal(&mut process);
        self.check(context);
        // Even a second crash loses nothing.
        self.sim.crash(Crash::Power(7));
        let Running { recorder, publisher, sealer, recovered } =
            self.opener().open().unwrap_or_else(|error| panic!("{context}: second crash: {error}"));
        assert!(recovered.unclean, "{context}");
        self.check(context);
        finish(&recorder, &publisher, sealer).unwrap();
        self.check(context);
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        let report = verify_dir(dir.path(), &VerifyOptions::default(), |_| ()).unwrap();
        assert_eq!((report.problems, report.clean), (vec![], true), "{context}");
    }
}

#[test]
fn every_operation_may_fail_in_every_way() {
    let mut whole = Run::new();
    whole.sim.plan(usize::MAX, Fault::NotDone);
    whole.script();
    let operations = whole.sim.operations();
    assert!(operations > 100, "{operations}");
    assert_eq!(whole.acked.len(), 22);
    for (turn, fault) in FAULTS.into_iter().enumerate() {
        for at in 1..=operations {
            // Each operation fails in two of the four ways, with a kill or a power cut in turn: all of them
            // together would take minutes.
            if (at + turn) % 2 == 0 {
                continue;
            }
            let crash = if (at / 2 + turn) % 2 == 0 { Crash::Kill } else { Crash::Power(at as u64) };
            let mut run = Run::new();
            run.sim.plan(at, fault);
            run.script();
            run.survive(crash, &format!("operation {at} {fault:?}, then {crash:?}"));
        }
    }
}

/// The test above must be able to fail: with any one kind of sync left out, a power cut breaks a promise.
#[test]
fn every_kind_of_sync_is_missed_when_it_is_left_out() {
    for lie in [Lie::Append, Lie::File, Lie::Dir] {
        let broken = (0..20).filter(|seed| {
            let attempt = std::panic::catch_unwind(|| {
                let mut run = Run::new();
                run.sim.plan(60, Fault::Dies);
                run.sim.lie(lie);
                run.script();
                run.survive(Crash::Power(*seed), "a sync was left out");
            });
            attempt.is_err()
        });
        assert!(broken.count() > 0, "{lie:?}");
    }
}
