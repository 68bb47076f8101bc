use greffier_merkle::Checkpoint;
use greffier_merkle::note::{Cosigner, Signer};

use super::*;
use crate::heads::{Require, Terms};

const EVERY: Duration = Duration::from_secs(5);
const REFRESH: Duration = Duration::from_secs(300);
const PACE: Duration = Duration::from_secs(1);

/// A desk of three witnesses, two of whom must agree, and a clock that is set by hand.
struct World {
    desk: Desk,
    heads: Heads,
    now: Instant,
}

impl World {
    fn new() -> World {
        let terms = Terms { witnesses: 3, quorum: 2, stale_after: REFRESH * 2, require: Require::None };
        let (desk, heads) = (Desk::new(3, 2, EVERY, REFRESH, PACE), Heads::new(Some(terms)));
        World { desk, heads, now: Instant::now() }
    }

    fn sign(&self, trail: &str, size: u64) {
        let signer = Signer::new(format!("log/{trail}"), &[1; 32]).unwrap();
        let checkpoint = Checkpoint { origin: format!("log/{trail}"), size, root: [size as u8; 32] };
        self.heads.signed(trail, size, checkpoint.root, &checkpoint.sign(&signer).unwrap(), 0);
    }

    /// What a witness is asked now, as `trail size from old`.
    fn asks(&mut self, witness: usize) -> Vec<Job> {
        self.desk.jobs(witness, &self.heads, self.now)
    }

    fn told(&mut self, witness: usize) -> String {
        let told = |job: &Job| format!("{} {} from {}", job.trail, job.size, job.old);
        self.asks(witness).iter().map(told).collect::<Vec<_>>().join(", ")
    }

    /// A witness cosigns all that it is asked.
    fn cosigns(&mut self, witness: usize, time: u64) {
        for job in self.asks(witness) {
            let text = SignedNote::parse(&job.note).unwrap().text().to_owned();
            let cosigner = Cosigner::new(format!("w{witness}"), &[witness as u8 + 9; 32]).unwrap();
            self.desk.cosigned(witness, &job, cosigner.cosignature(&text, time).unwrap(), time);
        }
    }

    /// Files what is ready: `trail size, lines, time`.
    fn file(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for trail in self.desk.to_file() {
            let filing = self.desk.filing(&trail).unwrap();
            let note = SignedNote::parse(&filing.note).unwrap();
            assert_eq!(note.signatures().len(), filing.lines + 1);
            self.desk.filed(&trail, &filing);
            told.push(format!("{trail} {}, {} lines, {}", filing.size, filing.lines, filing.time));
        }
        told
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn all_witnesses_cosign_one_checkpoint_however_fast_the_trail_grows() {
    let mut world = World::new();
    world.sign("acme", 3);
    world.cosigns(0, 100);
    world.sign("acme", 5);
    assert_eq!(world.file(), Vec::<String>::new());
    // The second is asked for what the first has cosigned.
    assert_eq!(world.told(1), "acme 3 from 0");
    world.cosigns(1, 90);
    // Since 90 there have been two.
    assert_eq!(world.file(), ["acme 3, 2 lines, 90"]);
    // The third may still add its line, and then all have had their say.
    world.cosigns(2, 95);
    assert_eq!(world.file(), ["acme 3, 3 lines, 95"]);
    assert_eq!([0, 1, 2].map(|witness| world.told(witness)), ["", "", ""]);
    // After the pause it is the newest checkpoint's turn.
    world.pass(EVERY);
    world.sign("acme", 9);
    assert_eq!([0, 1, 2].map(|witness| world.told(witness)), ["acme 9 from 3"; 3].map(str::to_owned));
}

#[test]
fn a_slow_witness_is_waited_for_and_a_checkpoint_nobody_wants_makes_way() {
    let mut world = World::new();
    world.sign("acme", 3);
    let asked = world.asks(0);
    world.pass(PATIENCE - PACE);
    world.sign("acme", 5);
    assert_eq!(world.told(1), "acme 3 from 0");
    world.pass(PACE);
    assert_eq!(world.told(1), "acme 5 from 0");
    // An answer to the old one comes too late to count, but says where the witness is.
    let cosigner = Cosigner::new("w0", &[9; 32]).unwrap();
    let text = SignedNote::parse(&asked[0].note).unwrap().text().to_owned();
    world.desk.cosigned(0, &asked[0], cosigner.cosignature(&text, 1).unwrap(), 1);
    assert_eq!(world.told(0), "acme 5 from 3");
}

#[test]
fn failures_double_the_pause_and_a_success_ends_it() {
    let mut world = World::new();
    world.sign("acme", 3);
    world.sign("zeta", 3);
    let job = world.asks(0).remove(0);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        world.desk.unreachable(0, world.now);
        let mut waited = 0;
        while world.asks(0).is_empty() {
            world.pass(PACE);
            waited += 1;
        }
        pauses.push(waited);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    // The others were not concerned; a refusal concerns one trail.
    world.desk.refused(1, &job, world.now);
    assert_eq!(world.told(1), "zeta 3 from 0");
    world.cosigns(0, 1);
    world.desk.unreachable(0, world.now);
    world.pass(PACE);
    world.sign("beta", 1);
    assert_eq!(world.told(0), "beta 1 from 0");
}

#[test]
fn a_witness_says_where_it_is() {
    let mut world = World::new();
    world.sign("acme", 8);
    let job = world.asks(0).remove(0);
    world.desk.confirmed(0, &job, 6);
    assert_eq!(world.told(0), "acme 8 from 6");
    // One that is past what it is asked for gets the newest.
    world.sign("acme", 12);
    world.desk.confirmed(0, &job, 10);
    assert_eq!([0, 1].map(|witness| world.told(witness)), ["acme 12 from 10", "acme 12 from 0"]);
}

#[test]
fn no_trail_is_left_out_and_nobody_is_asked_too_much_at_once() {
    let mut world = World::new();
    let count = MAX_AT_ONCE * 3 + 1;
    for n in 0..count {
        world.sign(&format!("t{n:03}"), 1);
    }
    let mut asked = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let jobs = world.asks(0);
        assert!(jobs.len() <= MAX_AT_ONCE);
        // Nothing is ever answered, and still the others get their turn.
        asked.extend(jobs.into_iter().map(|job| job.trail));
    }
    assert_eq!(asked.len(), count);
}

#[test]
fn the_nodes_trail_is_offered_again_though_it_did_not_grow() {
    let mut world = World::new();
    world.sign(Tenant::NODE, 4);
    world.sign("acme", 4);
    for witness in [0, 1, 2] {
        world.cosigns(witness, 100);
    }
    assert_eq!(world.file(), ["acme 4, 3 lines, 100", "greffier 4, 3 lines, 100"]);
    world.pass(REFRESH - PACE);
    assert_eq!(world.told(0), "");
    world.pass(PACE);
    assert_eq!(world.told(0), "greffier 4 from 4");
    world.cosigns(0, 400);
    world.cosigns(1, 400);
    assert_eq!(world.file(), ["greffier 4, 2 lines, 400"]);
}

#[test]
fn a_stop_waits_for_what_can_be_had() {
    let mut world = World::new();
    world.sign("acme", 3);
    world.cosigns(0, 1);
    world.cosigns(1, 1);
    assert_eq!(world.file().len(), 1);
    world.sign("acme", 4);
    assert!(!world.desk.is_settled(&world.heads.sizes()));
    world.desk.hurry();
    world.cosigns(0, 2);
    world.cosigns(1, 2);
    assert!(!world.desk.is_settled(&world.heads.sizes()));
    assert_eq!(world.file(), ["acme 4, 2 lines, 2"]);
    assert!(world.desk.is_settled(&world.heads.sizes()));
    // Where too few answer there is nothing to wait for.
    world.sign("acme", 5);
    world.desk.unreachable(0, world.now);
    assert!(!world.desk.is_settled(&world.heads.sizes()));
    world.desk.unreachable(1, world.now);
    assert!(world.desk.is_settled(&world.heads.sizes()));
}
