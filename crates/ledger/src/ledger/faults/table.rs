//! One table: each operation on the store fails once, and was done or was not, while a trail grows over a boundary
//! at which tiles become full and a segment is sealed. What was acknowledged, signed and sealed at the first try;
//! and that nothing is fatal: the second try succeeds, and after a power cut all of it is there and verifies.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use greffier_event::Tenant;
use greffier_merkle::hash::sha256;
use greffier_merkle::tile::TileBuilder;

use super::super::Publisher;
use super::world::{World, keys};
use crate::publish::{checkpoint_path, read_tile};
use crate::store::sim::{Crash, Fault, Sim, Trouble};
use crate::store::{Disk, Store};
use crate::testing::seal_by_count;

const ACME: [&str; 1] = ["acme"];

/// The first and the last time that each operation is done, by number.
fn first_and_last(told: &[String]) -> Vec<(usize, &str)> {
    let mut first = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (at, what) in (1..).zip(told) {
        first.entry(what).or_insert(at);
        last.insert(what, at);
    }
    let numbered = (1..).zip(told).filter(|(at, what)| first[what] == *at || last[what] == *at);
    numbered.map(|(at, what)| (at, what.as_str())).collect()
}

/// Whether an operation that failed was done all the same.
struct Row(Fault);

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(if self.0 == Fault::DoneButFailed { "done" } else { "not" })
    }
}

fn yes(done: bool) -> &'static str {
    if done { "yes" } else { "no" }
}

/// A ledger one group before its 256th entry: a full tile, and a full segment.
#[test]
fn over_256_entries_each_operation_fails_done_or_not() {
    let mut before = World::sealing(seal_by_count(256));
    before.start_well();
    before.append_to(&ACME, 254);
    before.publish();
    assert!(before.stop());
    let run = |trouble: Trouble| {
        let mut world = before.fork();
        world.start_well();
        world.sim.trouble(trouble);
        world.sim.take_told();
        let acked = world.append_to(&ACME, 4);
        let signed = world.publish_once();
        world.rotate();
        let sealed = world.seal_once();
        (world, acked, signed, sealed)
    };
    let (whole, ..) = run(Trouble::default());
    let mut table = String::new();
    for (at, what) in first_and_last(&whole.sim.take_told()) {
        for fault in [Fault::NotDone, Fault::DoneButFailed] {
            let (mut world, acked, signed, sealed) = run(Trouble { at: Some((at, fault)), chance: None });
            let fault = Row(fault);
            writeln!(table, "{what:<44} {fault:<4} {:<6} {:<6} {}", yes(acked), yes(signed), yes(sealed))
                .unwrap();
            println!("{what} {fault}");
            // Again, and nothing goes wrong.
            world.sim.trouble(Trouble::default());
            assert!(acked || world.append_to(&ACME, 4), "{what} {fault}");
            assert!(world.publish_once(), "{what} {fault}");
            world.rotate();
            world.seal();
            world.crash(Crash::Power(at as u64));
            assert_eq!(world.verify().problems, vec![], "{what} {fault}");
            world.start_well();
            assert_eq!(world.verify().trails.iter().map(|trail| trail.entries).max(), Some(258));
            assert!(world.stop());
            assert_eq!(world.verify().problems, vec![], "{what} {fault}");
        }
    }
    insta::assert_snapshot!(table, @"");
}

/// A trail one group before its 65,536th entry: a full tile of the second level. The leaves are made up, so that
/// each row costs milliseconds; what is checked is the tree that readers see.
#[test]
fn over_65536_entries_each_operation_fails_done_or_not() {
    const BEFORE: u64 = 65_534;
    let trail = Tenant::new("acme").unwrap();
    let leaf = |n: u64| sha256(&n.to_be_bytes());
    let publisher = |sim: &Sim| Publisher::new(Disk::new(Arc::new(sim.clone())), keys(), "test.local");
    let before = Sim::default();
    let mut first = publisher(&before);
    first.ingest((0..BEFORE).map(|n| (trail.clone(), leaf(n))).collect());
    first.publish().unwrap();
    let resume = |sim: &Sim, size: u64| {
        let disk = Disk::new(Arc::new(sim.clone()));
        TileBuilder::resume(size, |tile| read_tile(&disk, "acme", &tile).ok().flatten())
    };
    let expected = {
        let mut tree = resume(&before, BEFORE).unwrap();
        (BEFORE..BEFORE + 4).for_each(|n| tree.push(leaf(n)));
        tree.root()
    };
    let run = |trouble: Trouble| {
        let sim = before.fork();
        let mut publisher = publisher(&sim);
        publisher.trail("acme").resume(resume(&sim, BEFORE).unwrap());
        publisher.ingest((BEFORE..BEFORE + 4).map(|n| (trail.clone(), leaf(n))).collect());
        sim.trouble(trouble);
        sim.take_told();
        let signed = publisher.publish().is_ok();
        (sim, publisher, signed)
    };
    // What a reader finds: the checkpoint's size, if all its tiles are there.
    let found = |sim: &Sim| {
        let note = sim.read(&checkpoint_path("acme"), 10_000).unwrap();
        let size: u64 = String::from_utf8(note).unwrap().lines().nth(1).unwrap().parse().unwrap();
        resume(sim, size).map(|tree| (size, tree.root()))
    };
    let (whole, ..) = run(Trouble::default());
    let mut table = String::new();
    for (at, what) in first_and_last(&whole.take_told()) {
        for fault in [Fault::NotDone, Fault::DoneButFailed] {
            let (sim, mut publisher, signed) = run(Trouble { at: Some((at, fault)), chance: None });
            let cut = sim.fork();
            cut.crash(Crash::Power(at as u64));
            let (size, _) = found(&cut).expect("a checkpoint has its tiles");
            let fault = Row(fault);
            writeln!(table, "{what:<44} {fault:<4} {:<6} {size}", yes(signed)).unwrap();
            sim.trouble(Trouble::default());
            publisher.publish().unwrap();
            sim.crash(Crash::Power(at as u64));
            assert_eq!(found(&sim), Some((BEFORE + 4, expected)), "{what} {fault}");
        }
    }
    insta::assert_snapshot!(table, @"");
}
