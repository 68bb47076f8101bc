//! Every operation on the disk fails in turn while the keys that sign give way to the next ones, and the process or
//! the power goes after it. Whatever happens: whoever finds a checkpoint finds its key in the trust file beside it,
//! and trust that somebody took away at any time follows the keys.

use greffier_event::Tenant;
use greffier_merkle::checkpoint;
use greffier_merkle::trust::TrustPolicy;

use super::super::*;
use crate::append::seal_entry_for_test;
use crate::publish::{MAX_CHECKPOINT_BYTES, MAX_TRUST_BYTES, TRUST, checkpoint_path};
use crate::store::Store;
use crate::store::sim::{Crash, FAULTS, Fault, Sim};
use crate::testing::{plain, seal_by_count};
use crate::verify::{VerifyOptions, verify_dir};

struct Run {
    sim: Sim,
    keys: Arc<KeyRing>,
    dir: tempfile::TempDir,
    /// The trust file, whenever it was published and knew the trail.
    kept: Vec<TrustPolicy>,
    recorded: u64,
}

impl Run {
    fn new() -> Run {
        let dir = tempfile::tempdir().unwrap();
        let keys = Arc::new(KeyRing::create(dir.path()).unwrap());
        Run { sim: Sim::default(), keys, dir, kept: Vec::new(), recorded: 0 }
    }

    fn open(&self) -> Result<Running, LedgerError> {
        let opener = Opener {
            disk: Disk::new(Arc::new(self.sim.clone())),
            keys: Arc::clone(&self.keys),
            origin: "test.local".to_owned(),
            seal: seal_by_count(4),
            acknowledged: Default::default(),
            offered: Default::default(),
        };
        opener.open()
    }

    /// One turn of the ledger: entries, checkpoints, segments and manifests. A fault that passes is survived by the
    /// next turn.
    fn turn(&mut self, running: &mut Running) {
        let Running { recorder, publisher, sealer, .. } = running;
        let committer = &mut recorder.committer;
        for n in 0..2 {
            let entry = seal_entry_for_test(&self.keys, plain("acme", 10 * self.recorded + n));
            let leaf = entry.leaf;
            if (committer.is_open() || committer.reopen().is_ok())
                && let Ok(places) = committer.commit(&[entry])
            {
                self.recorded += places.len() as u64;
                publisher.ingest(vec![(Tenant::new("acme").unwrap(), leaf)]);
            }
        }
        for _ in 0..2 {
            if publisher.publish().is_ok() {
                self.kept.extend(self.trust().filter(knows_the_trail));
            }
            let _ = sealer.step(wall_clock());
        }
    }

    fn script(&mut self) {
        let Ok(mut running) = self.open() else { return };
        self.turn(&mut running);
        self.keys.stage_rotation().unwrap();
        self.keys.adopt(&self.keys.staged().unwrap().unwrap()).unwrap();
        self.turn(&mut running);
        self.keys.stage_retirement(None).unwrap();
        self.keys.adopt(&self.keys.staged().unwrap().unwrap()).unwrap();
        self.turn(&mut running);
    }

    fn trust(&self) -> Option<TrustPolicy> {
        let text = self.sim.read(TRUST, MAX_TRUST_BYTES).ok()?;
        Some(TrustPolicy::parse(std::str::from_utf8(&text).unwrap()).unwrap())
    }

    fn survive(&self, crash: Crash, context: &str) {
        self.sim.crash(crash);
        let note = self.sim.read(&checkpoint_path("acme"), MAX_CHECKPOINT_BYTES).ok();
        if let Some(note) = note {
            let trust = self.trust().unwrap_or_else(|| panic!("{context}: no trust file"));
            let signed = checkpoint::open(std::str::from_utf8(&note).unwrap(), trust.verifiers());
            assert!(signed.is_ok(), "{context}: {signed:?}");
        }
        let Running { recorder, publisher, sealer, .. } =
            self.open().unwrap_or_else(|error| panic!("{context}: does not open again: {error}"));
        finish(&recorder, &publisher, sealer).unwrap();
        let dir = tempfile::tempdir().unwrap();
        self.sim.dump(dir.path());
        for trust in [None].into_iter().chain(self.kept.iter().cloned().map(Some)) {
            let keys_dir = Some(self.dir.path().to_owned());
            let options = VerifyOptions { trust, keys_dir, ..VerifyOptions::default() };
            let report = verify_dir(dir.path(), &options, |_| ()).unwrap();
            assert_eq!((report.problems, report.clean), (vec![], true), "{context}");
            let found =
                report.trails.iter().find(|trail| trail.name == "acme").map_or(0, |acme| acme.entries);
            assert!(found >= self.recorded, "{context}");
        }
    }
}

fn knows_the_trail(trust: &TrustPolicy) -> bool {
    trust.logs().iter().any(|log| log.verifier.name() == "test.local/acme")
}

#[test]
fn keys_that_give_way_are_followed_whatever_fails() {
    let mut whole = Run::new();
    whole.sim.plan(usize::MAX, Fault::NotDone);
    whole.script();
    let operations = usize::MAX - whole.sim.rest_of_trouble().at.unwrap().0;
    assert_eq!((whole.recorded, whole.kept.len()), (6, 6));
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
            run.survive(crash, &format!("operation {at} {fault:?}, then {crash:?}"));
        }
    }
}

/// A sync that failed is owed until it is done, also where the file itself is as it should be.
#[test]
fn a_trust_file_whose_sync_failed_is_made_durable_by_the_next_try() {
    let told = {
        let run = Run::new();
        let mut running = run.open().unwrap();
        run.sim.take_told();
        running.publisher.trail("acme");
        running.publisher.publish().unwrap();
        run.sim.take_told()
    };
    let syncs = told.iter().zip(1..).filter(|(what, _)| what.as_str() == "sync names in");
    let at: Vec<usize> = syncs.map(|(_, at)| at).collect();
    assert_eq!(at.len(), 1, "{told:?}");
    let run = Run::new();
    let mut running = run.open().unwrap();
    running.publisher.trail("acme");
    run.sim.plan(at[0], Fault::NotDone);
    running.publisher.publish().unwrap_err();
    running.publisher.publish().unwrap();
    let due = run.trust().unwrap().logs().len();
    for seed in 0..20 {
        let after = run.sim.fork();
        after.crash(Crash::Power(seed));
        let text = after.read(TRUST, MAX_TRUST_BYTES).unwrap();
        let kept = TrustPolicy::parse(std::str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(kept.logs().len(), due, "seed {seed}");
    }
}
