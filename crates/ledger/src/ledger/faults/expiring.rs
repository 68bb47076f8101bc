//! Every operation on the disk fails in turn while the start of a trail expires, and the process or the power goes
//! after it. Whatever happens: what was ordered is gone once the directory is open again, whatever was not is there,
//! and everything that was ever signed of the trail still verifies.

use std::ops::ControlFlow;

use super::super::*;
use crate::append::seal_entry_for_test;
use crate::commit::Entry;
use crate::erase::tests::{about, acme, own};
use crate::erase::{EntriesCut, take_out};
use crate::keys::register::{Noted, Register};
use crate::sealer::Wanted;
use crate::store::sim::{Crash, FAULTS, Fault, Sim};
use crate::testing::{files, seal_by_count};
use crate::verify::{VerifyOptions, verify_dir};
use crate::wal::frame::{self, Read};

/// The first entry that stays: two segments go.
const END: u64 = 8;

struct Run {
    sim: Sim,
    keys: Arc<KeyRing>,
    dir: tempfile::TempDir,
    recorded: Vec<u64>,
    /// The order is on record, here and in the register.
    ordered: bool,
    done: bool,
    /// What lies on disk of the parts of what goes.
    needles: Vec<Vec<u8>>,
}

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

impl Run {
    fn new() -> Run {
        let dir = tempfile::tempdir().unwrap();
        let keys = Arc::new(KeyRing::create(dir.path()).unwrap());
        let (sim, recorded, needles) = (Sim::default(), Vec::new(), Vec::new());
        Run { sim, keys, dir, recorded, ordered: false, done: false, needles }
    }

    fn disk(&self) -> Disk {
        Disk::new(Arc::new(self.sim.clone()))
    }

    fn open(&self) -> Result<Running, LedgerError> {
        let opener = Opener {
            disk: self.disk(),
            keys: Arc::clone(&self.keys),
            origin: "test.local".to_owned(),
            seal: seal_by_count(4),
            acknowledged: Default::default(),
            offered: Default::default(),
        };
        opener.open()
    }

    fn append(&mut self, process: &mut Process, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let entry = seal_entry_for_test(&self.keys, about(n, "alice", "ref:patient"));
            let mut bytes = Vec::new();
            entry.frame.place(&mut bytes, 0, 0);
            let Read::Frame(frame, _) = frame::read(&bytes, 0) else { panic!() };
            let parts: Vec<Vec<u8>> = frame.parts.iter().map(|part| part.content.to_vec()).collect();
            if let Some(index) = process.append(entry) {
                self.recorded.push(n);
                if index < END {
                    self.needles.extend(parts);
                }
            }
        }
    }

    /// One life: three segments, some entries in the log, then the start goes.
    fn script(&mut self) {
        let Ok(Running { recorder, publisher, sealer, .. }) = self.open() else { return };
        let mut process = Process { recorder, publisher, sealer };
        self.append(&mut process, 0..13);
        for _ in 0..3 {
            let _ = process.publisher.publish();
            let _ = process.sealer.step(wall_clock());
        }
        let cut = EntriesCut { end: END, before: wall_clock() };
        let order = own(100, greffier_event::EventType::ActionApproved, "expire", cut.uri(&acme()), "expiry");
        let event = order.event.clone();
        let Some(by) = process.append(seal_entry_for_test(&self.keys, order)) else { return };
        let mut register = Register::open(self.dir.path()).unwrap();
        register.note(Noted { trail: "acme".to_owned(), index: by, event }).unwrap();
        self.ordered = true;
        let Ok(orders) = Reader::new(self.disk()).orders(&acme()) else { return };
        let Ok(file) = process.recorder.committer.rotate() else { return };
        if process.publisher.publish().is_err() {
            return;
        }
        self.done = take_out(&mut process.sealer, file, &acme(), &Wanted::Prefix(by, cut), &orders).is_ok();
        // An entry more, whatever happened.
        self.append(&mut process, 20..21);
        let _ = process.publisher.publish();
    }

    /// Whether a file holds any of what goes.
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
            assert!(!self.on_disk(), "{context}: acknowledged");
        }
        let signed = self.sim.take_signed();
        let from = signed.into_iter().filter(|(path, _)| path.starts_with("trails/acme/"));
        let from: Vec<String> = from.map(|(_, note)| String::from_utf8(note).unwrap()).collect();
        let Running { recorder, publisher, sealer, .. } =
            self.open().unwrap_or_else(|error| panic!("{context}: does not open again: {error}"));
        finish(&recorder, &publisher, sealer).unwrap();
        drop(recorder);
        let reader = Reader::new(self.disk());
        let first = reader.first(&acme()).unwrap();
        // A start seals what was not, so that all goes that was ordered to; of a short life there is less.
        let due = if self.ordered { END } else { 0 };
        assert!(first == due || (self.ordered && self.recorded.len() < 9), "{context}: {first}");
        if self.ordered && first == END {
            assert!(!self.on_disk(), "{context}: ordered");
        }
        let mut seen = Vec::new();
        reader
            .scan(|found| {
                assert!(found.index >= first);
                assert!(found.open_parts(&self.keys).is_ok(), "{context}");
                let event = found.event().unwrap();
                let number = event.request_id.as_deref().and_then(|id| id.strip_prefix("req_"));
                seen.extend(number.map(|n| n.parse::<u64>().unwrap()));
                ControlFlow::Continue(())
            })
            .unwrap();
        let kept = self.recorded.iter().skip(first as usize);
        assert!(kept.into_iter().all(|n| seen.contains(n)), "{context}: {seen:?}");
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        let keys_dir = Some(self.dir.path().to_owned());
        let options = VerifyOptions { keys_dir, from, ..VerifyOptions::default() };
        let report = verify_dir(dir.path(), &options, |_| ()).unwrap();
        assert_eq!((report.problems, report.clean), (vec![], true), "{context}");
        let told = report.trails.iter().find(|trail| trail.name == "acme").map_or(0, |acme| acme.expired.0);
        assert_eq!(told, first, "{context}");
        let left = files(dir.path()).into_keys().filter(|path| path.starts_with("trails/acme/segments/"));
        let end =
            |path: &str| path.rsplit(['-', '.']).nth(1).and_then(|end| end.parse::<u64>().ok()).unwrap();
        assert!(left.map(|path| end(&path)).all(|end| end > first), "{context}");
    }
}

#[test]
fn a_start_that_goes_is_gone_or_made_gone_whatever_fails() {
    let mut whole = Run::new();
    whole.sim.plan(usize::MAX, Fault::NotDone);
    whole.script();
    assert!(whole.done && whole.ordered);
    let operations = usize::MAX - whole.sim.rest_of_trouble().at.unwrap().0;
    whole.survive(Crash::Kill, "nothing fails");
    let (mut kinds, mut cut) = ([0; 3], 0);
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
            cut += u64::from(Reader::new(run.disk()).first(&acme()).unwrap() == END);
        }
    }
    assert!(kinds.iter().all(|count| *count > 10) && cut > 20, "{kinds:?} {cut}");
}
