//! Every operation on the disk fails in turn while parts are erased, and the process or the power goes after it.
//! Whatever happens: what was ordered is erased once the directory is open again, whatever was not is there, and
//! the directory verifies.

use std::ops::ControlFlow;

use super::*;
use crate::append::seal_entry_for_test;
use crate::commit::Entry;
use crate::erase::tests::{about, acme, order};
use crate::erase::{Target, take_out};
use crate::store::sim::{Crash, FAULTS, Fault, Sim};
use crate::testing::files;
use crate::verify::{VerifyOptions, verify_dir};
use crate::wal::frame::{self, Read};

const SUBJECT: &str = "ref:patient";

struct Run {
    sim: Sim,
    keys: Arc<KeyRing>,
    dir: tempfile::TempDir,
    /// What was acknowledged as recorded, by number.
    recorded: Vec<u64>,
    /// The order, once it was acknowledged as recorded.
    ordered: bool,
    /// Once it was acknowledged as carried out.
    done: bool,
    /// What lies on disk of every part that the order takes.
    needles: Vec<Vec<u8>>,
}

/// One process.
struct Process {
    recorder: Recorder,
    publisher: Publisher,
    sealer: Sealer,
}

impl Process {
    fn append(&mut self, entry: Entry) -> Option<u64> {
        let committer = &mut self.recorder.committer;
        if !committer.is_open() {
            committer.reopen().ok()?;
        }
        let (trail, leaf) = (entry.trail.clone(), entry.leaf);
        let index = committer.commit(&[entry]).ok()?.pop()?.ok()?;
        self.publisher.ingest(vec![(trail, leaf)]);
        Some(index)
    }
}

fn policy() -> SealPolicy {
    SealPolicy { entries: 4, age: Duration::from_secs(1_000_000_000), ..SealPolicy::default() }
}

impl Run {
    fn new() -> Run {
        let dir = tempfile::tempdir().unwrap();
        let keys = Arc::new(KeyRing::create(dir.path()).unwrap());
        Run {
            sim: Sim::default(),
            keys,
            dir,
            recorded: Vec::new(),
            ordered: false,
            done: false,
            needles: Vec::new(),
        }
    }

    fn disk(&self) -> Disk {
        Disk::new(Arc::new(self.sim.clone()))
    }

    fn open(&self) -> Result<Running, LedgerError> {
        let opener = Opener {
            disk: self.disk(),
            keys: Arc::clone(&self.keys),
            origin: "test.local".to_owned(),
            seal: policy(),
            acknowledged: Default::default(),
            offered: Default::default(),
        };
        opener.open()
    }

    fn append(&mut self, process: &mut Process, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let subject = if n.is_multiple_of(3) { SUBJECT } else { "ref:other" };
            let entry = seal_entry_for_test(&self.keys, about(n, "alice", subject));
            if n.is_multiple_of(3) && n < 9 {
                let mut bytes = Vec::new();
                entry.frame.place(&mut bytes, 0, 0);
                let Read::Frame(frame, _) = frame::read(&bytes, 0) else { panic!() };
                let parts = frame.parts.iter();
                self.needles
                    .extend(parts.flat_map(|part| [part.wrapped_key.to_vec(), part.content.to_vec()]));
            }
            if process.append(entry).is_some() {
                self.recorded.push(n);
            }
        }
    }

    fn target(&self) -> Target {
        Target::Subject(SUBJECT.to_owned())
    }

    /// One life: some entries sealed, some in the log, then an erasure of all about one subject.
    fn script(&mut self) {
        let Ok(Running { recorder, publisher, sealer, .. }) = self.open() else { return };
        let mut process = Process { recorder, publisher, sealer };
        self.append(&mut process, 0..6);
        let _ = process.publisher.publish();
        let _ = process.sealer.step(wall_clock());
        self.append(&mut process, 6..9);
        let _ = process.publisher.publish();
        let order = seal_entry_for_test(&self.keys, order(100, &self.target()));
        let Some(by) = process.append(order) else { return };
        self.ordered = true;
        self.append(&mut process, 9..11);
        let reader = Reader::new(self.disk());
        let Ok(orders) = reader.orders(&acme()) else { return };
        assert!(orders.knows(by));
        let Ok(file) = process.recorder.committer.rotate() else { return };
        if process.publisher.publish().is_err() {
            return;
        }
        let wanted = self.target().wanted().unwrap();
        self.done = take_out(&mut process.sealer, file, &acme(), &wanted, &orders).is_ok();
    }

    /// Whether a file holds any of what the order takes.
    fn on_disk(&self) -> bool {
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        // As text of one character a byte: the standard library searches it quickly.
        let text = |bytes: &Vec<u8>| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        let needles: Vec<String> = self.needles.iter().map(text).collect();
        files(dir.path()).values().map(text).any(|file| needles.iter().any(|needle| file.contains(needle)))
    }

    fn survive(&mut self, crash: Crash, context: &str) {
        self.sim.crash(crash);
        if self.done {
            // Acknowledged: then it is gone before anybody opens the directory again.
            assert!(!self.on_disk(), "{context}: acknowledged");
        }
        let Running { recorder, publisher, sealer, .. } =
            self.open().unwrap_or_else(|error| panic!("{context}: does not open again: {error}"));
        finish(&recorder, &publisher, sealer).unwrap();
        drop(recorder);
        if self.ordered {
            assert!(!self.on_disk(), "{context}: ordered");
        }
        let mut seen = Vec::new();
        Reader::new(self.disk())
            .scan(|found| {
                let event = found.event().unwrap();
                let opened = found.open_parts(&self.keys).unwrap();
                if let Some(n) = event.request_id.as_deref().and_then(|id| id.strip_prefix("req_")) {
                    let n: u64 = n.parse().unwrap();
                    let erased = self.ordered && n.is_multiple_of(3) && n < 9;
                    assert!(opened.len() == 2 || erased || !self.ordered, "{context}: event {n}");
                    assert!(opened.is_empty() || !erased, "{context}: event {n}");
                    seen.push(n);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(self.recorded.iter().all(|n| seen.contains(n)), "{context}");
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        let options =
            VerifyOptions { keys_dir: Some(self.dir.path().to_owned()), ..VerifyOptions::default() };
        let report = verify_dir(dir.path(), &options, |_| ()).unwrap();
        assert_eq!((report.problems, report.clean), (vec![], true), "{context}");
        let erased = seen.iter().filter(|n| n.is_multiple_of(3) && **n < 9).count() as u64;
        let told = report.absent.values().sum::<u64>();
        assert!(!self.ordered || told == 2 * erased, "{context}: {:?}", report.absent);
    }
}

#[test]
fn an_erasure_is_whole_or_made_whole_whatever_fails() {
    let mut whole = Run::new();
    whole.sim.plan(usize::MAX, Fault::NotDone);
    whole.script();
    assert!(whole.done && whole.ordered);
    let operations = usize::MAX - whole.sim.rest_of_trouble().at.unwrap().0;
    let mut kinds = [0; 3];
    for (turn, fault) in FAULTS.into_iter().enumerate() {
        for at in 1..=operations {
            // Each operation fails in one of the four ways: all of them together would take minutes.
            if (at + turn) % 4 != 0 {
                continue;
            }
            let crash = if at / 4 % 2 == 0 { Crash::Kill } else { Crash::Power(at as u64) };
            let mut run = Run::new();
            run.sim.plan(at, fault);
            run.script();
            kinds[usize::from(run.ordered) + usize::from(run.done)] += 1;
            run.survive(crash, &format!("operation {at} {fault:?}, then {crash:?}"));
        }
    }
    assert!(kinds.iter().all(|count| *count > 10), "{kinds:?}");
}
