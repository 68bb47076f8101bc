//! Every operation on the disk fails in turn while a time stamp is kept, and the process or the power goes after it.
//! Whatever happens: a stamp that was kept is there beside its checkpoint, one that was not is asked for again, and
//! the directory verifies.

use super::super::*;
use super::world::World;
use crate::store::sim::{Crash, FAULTS, Fault, Trouble};
use crate::timestamp::Stamper;
use crate::timestamp::tests::unsigned_response;

/// Stamps whatever is due; says for how many trails that was promised.
fn stamp(world: &World) -> u64 {
    let stamper = Stamper::new(Disk::new(Arc::new(world.sim.clone())));
    let due = stamper.due().unwrap();
    due.iter().filter(|due| stamper.keep(due, &unsigned_response(&due.note)).is_ok()).count() as u64
}

#[test]
fn a_stamp_that_was_kept_is_there_whatever_fails() {
    let mut before = World::new();
    before.start_well();
    before.append(3);
    before.publish();
    assert!(before.stop());
    let begin = |trouble: Trouble| {
        let mut world = before.fork();
        world.start_well();
        world.sim.trouble(trouble);
        let kept = stamp(&world);
        (world, kept)
    };
    let (whole, kept) = begin(Trouble { at: Some((usize::MAX, Fault::NotDone)), chance: None });
    assert_eq!(kept, 2);
    let operations = usize::MAX - whole.sim.rest_of_trouble().at.unwrap().0;
    assert!(operations > 20, "{operations}");
    for fault in FAULTS {
        for at in 1..=operations {
            for crash in [Crash::Kill, Crash::Power(at as u64)] {
                let context = format!("operation {at} {fault:?}, then {crash:?}");
                let (mut world, kept) = begin(Trouble { at: Some((at, fault)), chance: None });
                world.crash(crash);
                world.start_well();
                let again = stamp(&world);
                assert!(kept + again <= 2, "{context}: a stamp was kept and is not there");
                assert!(world.stop(), "{context}");
                let report = world.verify();
                assert_eq!(
                    (report.problems, report.clean, report.timestamps),
                    (vec![], true, 2),
                    "{context}"
                );
            }
        }
    }
}
