//! Ten thousand lives of a ledger on a disk that fails, tears and forgets by chance: groups and repeated submissions,
//! checkpoints, seals and merges, clean stops, kills and power cuts, in the middle of a start too.
//!
//! ```text
//! GREFFIER_SEEDS=1000000 cargo test -p greffier-ledger --lib seeds      more of them
//! GREFFIER_SEED=4711 cargo test -p greffier-ledger --lib seeds          one again
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::world::{TRAILS, World};
use crate::store::sim::dice::Dice;
use crate::store::sim::{Crash, Fault, Trouble};

const SEEDS: u64 = 10_000;
/// Sealing costs more than everything else together: one seed in so many seals.
pub(super) const SEALING: u64 = 8;
/// One in so many is given to `verify` as a power cut left it, and as it is in the end.
const VERIFIED: u64 = 32;
/// Submissions come from so few producers that they often come twice.
const SUBMISSIONS: usize = 6;
/// A seed that fails is worth reading; a hundred are not.
const MAX_FAILURES: usize = 5;

/// What goes wrong in one life.
fn trouble(dice: &mut Dice) -> Trouble {
    let chance = |dice: &mut Dice, times| Trouble { at: None, chance: Some((dice.next(), times)) };
    match dice.below(6) {
        0 => Trouble::default(),
        1 => chance(dice, 30),
        2 => chance(dice, 8),
        // In the middle of a start ...
        3 => Trouble { at: Some((1 + dice.below(30), Fault::Dies)), chance: None },
        // ... or of anything else.
        _ => Trouble { at: Some((1 + dice.below(150), Fault::Dies)), chance: None },
    }
}

fn crash(dice: &mut Dice) -> Crash {
    if dice.one_in(3) { Crash::Kill } else { Crash::Power(dice.next()) }
}

/// One of the things that a ledger does.
fn act(world: &mut World, dice: &mut Dice, seals: bool) {
    match dice.below(if seals { 10 } else { 8 }) {
        0..3 => drop(world.append(1 + dice.below(4) as u64)),
        3 | 4 => {
            let (trail, n) = (*dice.pick(&TRAILS), dice.below(SUBMISSIONS) as u64);
            world.submit(trail, n, 1 + dice.below(2));
        }
        5 => {
            if dice.one_in(2) {
                world.make_space();
            }
            world.rotate();
        }
        6 | 7 => world.publish(),
        _ => world.seal(),
    }
}

/// One world from its beginning to its end.
pub(super) fn live(world: &mut World, seed: u64) {
    let mut dice = Dice::new(seed);
    let seals = seed.is_multiple_of(SEALING);
    // Where a sync is left out, `verify` may be the only one to notice.
    let verified = seed.is_multiple_of(VERIFIED) || world.forgets();
    for _ in 0..2 + dice.below(2) {
        if world.start(trouble(&mut dice)) {
            for _ in 0..2 + dice.below(9) {
                act(world, &mut dice, seals);
            }
            if dice.one_in(3) {
                world.stop();
            }
        }
        world.crash(crash(&mut dice));
        if verified && world.has_begun() {
            assert_eq!(world.verify().problems, vec![], "after a crash");
        }
    }
    // It comes up, goes on, and a second crash finds nothing left to mend.
    world.start_well();
    world.append(2);
    world.publish();
    if seals {
        world.seal();
    }
    world.crash(Crash::Kill);
    let repairs = &world.start_well().recovered.repairs;
    assert_eq!(*repairs, Vec::<String>::new(), "recovery is done once");
    assert!(world.stop());
    // Even a power cut takes nothing back from a clean stop.
    world.crash(crash(&mut dice));
    if verified {
        let report = world.verify();
        assert_eq!((report.problems, report.clean), (vec![], true), "after a clean stop");
    }
    world.start_well();
}

/// Runs seeds on all processors; returns those that failed, with what they say.
fn failures(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().unwrap().len() >= MAX_FAILURES {
                        break;
                    }
                    if let Some(what) = failure(seed, World::new()) {
                        failed.lock().unwrap().push((seed, what));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

/// Runs one seed; says what it broke.
pub(super) fn failure(seed: u64, mut world: World) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| live(&mut world, seed))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap())
}

#[test]
fn ten_thousand_seeds_break_no_promise() {
    if let Some(seed) = number("GREFFIER_SEED") {
        return live(&mut World::new(), seed);
    }
    let failed = failures(0..number("GREFFIER_SEEDS").unwrap_or(SEEDS));
    let again: Vec<String> = failed
        .iter()
        .map(|(seed, what)| {
            format!("{what}\n  again: GREFFIER_SEED={seed} cargo test -p greffier-ledger --lib seeds\n")
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", again.concat());
}
