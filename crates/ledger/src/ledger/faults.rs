//! Every operation on the disk fails in turn, in every way, and the process or the power goes after it. Whatever
//! happens: what was acknowledged is there at its index, no index is given twice, every checkpoint that was ever
//! signed belongs to the tree that is recovered, and the directory verifies.

mod expiring;
mod rotating;
mod seeds;
mod stamping;
mod syncs;
mod table;
mod world;

use crate::store::sim::{Crash, FAULTS, Fault, Trouble};
use world::World;

/// Two lives with appends, publishing, a clean stop between them and one after.
fn script(world: &mut World, at: usize, fault: Fault) {
    let mut trouble = Trouble { at: Some((at, fault)), chance: None };
    for life in 0..2 {
        if !world.start(trouble) {
            return;
        }
        world.append(3);
        world.append(1);
        world.publish();
        if life == 1 {
            world.seal();
        }
        world.append(4);
        world.make_space();
        // A new file of the log, so that the one before it may become spent.
        world.rotate();
        world.append(2);
        world.publish();
        if life == 1 {
            world.seal();
        }
        world.append(1);
        world.stop();
        trouble = world.sim.rest_of_trouble();
    }
}

/// A clean stop says which files there are. Partial tiles, merged segments and spent logs that went before must not
/// come back.
#[test]
fn a_power_cut_after_a_clean_stop_takes_nothing_back() {
    for seed in 0..10 {
        let mut world = World::new();
        script(&mut world, usize::MAX, Fault::NotDone);
        world.crash(Crash::Power(seed));
        let report = world.verify();
        assert_eq!((report.problems, report.clean), (vec![], true), "{seed}");
        assert!(!world.start_well().recovered.unclean);
    }
}

/// The next process after a crash: it must come up, keep every promise, go on, and stop cleanly.
fn survive(world: &mut World, crash: Crash) {
    world.crash(crash);
    world.start_well();
    world.append(2);
    world.publish();
    world.seal();
    // Even a second crash loses nothing.
    world.crash(Crash::Power(7));
    world.start_well();
    assert!(world.stop());
    let report = world.verify();
    assert_eq!((report.problems, report.clean), (vec![], true));
}

#[test]
fn every_operation_may_fail_in_every_way() {
    let mut whole = World::new();
    script(&mut whole, usize::MAX, Fault::NotDone);
    let operations = usize::MAX - whole.sim.rest_of_trouble().at.unwrap().0;
    assert!(operations > 100, "{operations}");
    assert_eq!(whole.outside.acked.len(), 22);
    for (turn, fault) in FAULTS.into_iter().enumerate() {
        for at in 1..=operations {
            // Each operation fails in one of the four ways, with a kill or a power cut in turn: chance does the
            // rest (see `seeds`), and all of them together would take minutes.
            if at % FAULTS.len() != turn {
                continue;
            }
            let crash = if at / 4 % 2 == 0 { Crash::Kill } else { Crash::Power(at as u64) };
            let broken = std::panic::catch_unwind(|| {
                let mut world = World::new();
                script(&mut world, at, fault);
                survive(&mut world, crash);
            });
            assert!(broken.is_ok(), "operation {at} {fault:?}, then {crash:?}");
        }
    }
}
