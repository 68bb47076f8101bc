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
            // Again, and nothing goes wrong.
            world.sim.trouble(Trouble::default());
            assert!(acked || world.append_to(&ACME, 4), "{what} {fault}");
            assert!(world.publish_once(), "{what} {fault}");
            world.rotate();
            world.seal();
            world.crash(Crash::Power(at as u64));
            world.start_well();
            assert!(world.stop());
            let report = world.verify();
            assert_eq!((report.problems, report.trails[0].entries), (vec![], 258), "{what} {fault}");
        }
    }
    insta::assert_snapshot!(table, @r"
    write wal/#.wal                              not  no     yes    yes
    write wal/#.wal                              done no     yes    yes
    sync wal/#.wal                               not  no     yes    yes
    sync wal/#.wal                               done no     yes    yes
    make folder trails                           not  yes    no     yes
    make folder trails                           done yes    no     yes
    sync names in                                not  yes    no     yes
    sync names in                                done yes    no     yes
    make folder trails/*                         not  yes    no     yes
    make folder trails/*                         done yes    no     yes
    sync names in trails                         not  yes    no     yes
    sync names in trails                         done yes    no     yes
    make folder trails/*/tile                    not  yes    no     yes
    make folder trails/*/tile                    done yes    no     yes
    sync names in trails/*                       not  yes    no     yes
    sync names in trails/*                       done yes    no     yes
    make folder trails/*/tile/#                  not  yes    no     yes
    make folder trails/*/tile/#                  done yes    no     yes
    sync names in trails/*/tile                  not  yes    no     yes
    sync names in trails/*/tile                  done yes    no     yes
    write trails/*/tile/0/#                      not  yes    no     yes
    write trails/*/tile/0/#                      done yes    no     yes
    sync trails/*/tile/0/#                       not  yes    no     yes
    sync trails/*/tile/0/#                       done yes    no     yes
    rename to trails/*/tile/0/#                  not  yes    no     yes
    rename to trails/*/tile/0/#                  done yes    no     yes
    sync names in trails/*/tile/#                not  yes    no     yes
    sync names in trails/*/tile/#                done yes    no     yes
    make folder trails/*/tile/0/#.p              not  yes    no     yes
    make folder trails/*/tile/0/#.p              done yes    no     yes
    write trails/*/tile/0/#.p/#                  not  yes    no     yes
    write trails/*/tile/0/#.p/#                  done yes    no     yes
    sync trails/*/tile/0/#.p/#                   not  yes    no     yes
    sync trails/*/tile/0/#.p/#                   done yes    no     yes
    rename to trails/*/tile/0/#.p/#              not  yes    no     yes
    rename to trails/*/tile/0/#.p/#              done yes    no     yes
    make folder trails/*/tile/#                  not  yes    no     yes
    make folder trails/*/tile/#                  done yes    no     yes
    sync names in trails/*/tile                  not  yes    no     yes
    sync names in trails/*/tile                  done yes    no     yes
    make folder trails/*/tile/1/#.p              not  yes    no     yes
    make folder trails/*/tile/1/#.p              done yes    no     yes
    sync names in trails/*/tile/#                not  yes    no     yes
    sync names in trails/*/tile/#                done yes    no     yes
    write trails/*/tile/1/#.p/#                  not  yes    no     yes
    write trails/*/tile/1/#.p/#                  done yes    no     yes
    sync trails/*/tile/1/#.p/#                   not  yes    no     yes
    sync trails/*/tile/1/#.p/#                   done yes    no     yes
    rename to trails/*/tile/1/#.p/#              not  yes    no     yes
    rename to trails/*/tile/1/#.p/#              done yes    no     yes
    sync names in trails/*/tile/0/#.p            not  yes    no     yes
    sync names in trails/*/tile/0/#.p            done yes    no     yes
    sync names in trails/*/tile/1/#.p            not  yes    no     yes
    sync names in trails/*/tile/1/#.p            done yes    no     yes
    write trails/*/checkpoint                    not  yes    no     yes
    write trails/*/checkpoint                    done yes    no     yes
    sync trails/*/checkpoint                     not  yes    no     yes
    sync trails/*/checkpoint                     done yes    no     yes
    rename to trails/*/checkpoint                not  yes    no     yes
    rename to trails/*/checkpoint                done yes    no     yes
    remove trails/*/tile/0/#.p/#                 not  yes    no     yes
    remove trails/*/tile/0/#.p/#                 done yes    no     yes
    remove trails/*/tile/0/#.p                   not  yes    yes    yes
    remove trails/*/tile/0/#.p                   done yes    yes    yes
    write wal/#.wal                              not  yes    yes    yes
    write wal/#.wal                              done yes    yes    yes
    sync wal/#.wal                               not  yes    yes    yes
    sync wal/#.wal                               done yes    yes    yes
    rename to wal/#.wal                          not  yes    yes    yes
    rename to wal/#.wal                          done yes    yes    yes
    sync names in wal                            not  yes    yes    yes
    sync names in wal                            done yes    yes    yes
    make folder trails/*/segments                not  yes    yes    no
    make folder trails/*/segments                done yes    yes    no
    write trails/*/segments/#-#.parquet          not  yes    yes    no
    write trails/*/segments/#-#.parquet          done yes    yes    no
    sync trails/*/segments/#-#.parquet           not  yes    yes    no
    sync trails/*/segments/#-#.parquet           done yes    yes    no
    rename to trails/*/segments/#-#.parquet      not  yes    yes    no
    rename to trails/*/segments/#-#.parquet      done yes    yes    no
    make folder trails/*/parts                   not  yes    yes    no
    make folder trails/*/parts                   done yes    yes    no
    sync names in trails/*                       not  yes    yes    no
    sync names in trails/*                       done yes    yes    no
    write trails/*/parts/#-#.parquet             not  yes    yes    no
    write trails/*/parts/#-#.parquet             done yes    yes    no
    sync trails/*/parts/#-#.parquet              not  yes    yes    no
    sync trails/*/parts/#-#.parquet              done yes    yes    no
    rename to trails/*/parts/#-#.parquet         not  yes    yes    no
    rename to trails/*/parts/#-#.parquet         done yes    yes    no
    sync names in trails/*/parts                 not  yes    yes    no
    sync names in trails/*/parts                 done yes    yes    no
    sync names in trails/*/segments              not  yes    yes    no
    sync names in trails/*/segments              done yes    yes    no
    write manifests/#.list                       not  yes    yes    no
    write manifests/#.list                       done yes    yes    no
    sync manifests/#.list                        not  yes    yes    no
    sync manifests/#.list                        done yes    yes    no
    rename to manifests/#.list                   not  yes    yes    no
    rename to manifests/#.list                   done yes    yes    no
    sync names in manifests                      not  yes    yes    no
    sync names in manifests                      done yes    yes    no
    write manifests/#.note                       not  yes    yes    no
    write manifests/#.note                       done yes    yes    no
    sync manifests/#.note                        not  yes    yes    no
    sync manifests/#.note                        done yes    yes    no
    name anew manifests/#.note                   not  yes    yes    no
    name anew manifests/#.note                   done yes    yes    no
    remove manifests/#.note                      not  yes    yes    no
    remove manifests/#.note                      done yes    yes    no
    sync names in manifests                      not  yes    yes    no
    sync names in manifests                      done yes    yes    no
    remove manifests/#.list                      not  yes    yes    yes
    remove manifests/#.list                      done yes    yes    yes
    remove wal/#.wal                             not  yes    yes    no
    remove wal/#.wal                             done yes    yes    no
    sync names in wal                            not  yes    yes    no
    sync names in wal                            done yes    yes    no
    ");
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
    insta::assert_snapshot!(table, @r"
    make folder trails                           not  no     65534
    make folder trails                           done no     65534
    sync names in                                not  no     65534
    sync names in                                done no     65534
    make folder trails/*                         not  no     65534
    make folder trails/*                         done no     65534
    sync names in trails                         not  no     65534
    sync names in trails                         done no     65534
    make folder trails/*/tile                    not  no     65534
    make folder trails/*/tile                    done no     65534
    sync names in trails/*                       not  no     65534
    sync names in trails/*                       done no     65534
    make folder trails/*/tile/#                  not  no     65534
    make folder trails/*/tile/#                  done no     65534
    sync names in trails/*/tile                  not  no     65534
    sync names in trails/*/tile                  done no     65534
    write trails/*/tile/0/#                      not  no     65534
    write trails/*/tile/0/#                      done no     65534
    sync trails/*/tile/0/#                       not  no     65534
    sync trails/*/tile/0/#                       done no     65534
    rename to trails/*/tile/0/#                  not  no     65534
    rename to trails/*/tile/0/#                  done no     65534
    write trails/*/tile/1/#                      not  no     65534
    write trails/*/tile/1/#                      done no     65534
    sync trails/*/tile/1/#                       not  no     65534
    sync trails/*/tile/1/#                       done no     65534
    rename to trails/*/tile/1/#                  not  no     65534
    rename to trails/*/tile/1/#                  done no     65534
    sync names in trails/*/tile/#                not  no     65534
    sync names in trails/*/tile/#                done no     65534
    make folder trails/*/tile/0/#.p              not  no     65534
    make folder trails/*/tile/0/#.p              done no     65534
    write trails/*/tile/0/#.p/#                  not  no     65534
    write trails/*/tile/0/#.p/#                  done no     65534
    sync trails/*/tile/0/#.p/#                   not  no     65534
    sync trails/*/tile/0/#.p/#                   done no     65534
    rename to trails/*/tile/0/#.p/#              not  no     65534
    rename to trails/*/tile/0/#.p/#              done no     65534
    make folder trails/*/tile/#                  not  no     65534
    make folder trails/*/tile/#                  done no     65534
    sync names in trails/*/tile                  not  no     65534
    sync names in trails/*/tile                  done no     65534
    make folder trails/*/tile/2/#.p              not  no     65534
    make folder trails/*/tile/2/#.p              done no     65534
    sync names in trails/*/tile/#                not  no     65534
    sync names in trails/*/tile/#                done no     65534
    write trails/*/tile/2/#.p/#                  not  no     65534
    write trails/*/tile/2/#.p/#                  done no     65534
    sync trails/*/tile/2/#.p/#                   not  no     65534
    sync trails/*/tile/2/#.p/#                   done no     65534
    rename to trails/*/tile/2/#.p/#              not  no     65534
    rename to trails/*/tile/2/#.p/#              done no     65534
    sync names in trails/*/tile/0/#.p            not  no     65534
    sync names in trails/*/tile/0/#.p            done no     65534
    sync names in trails/*/tile/2/#.p            not  no     65534
    sync names in trails/*/tile/2/#.p            done no     65534
    write trails/*/checkpoint                    not  no     65534
    write trails/*/checkpoint                    done no     65534
    sync trails/*/checkpoint                     not  no     65534
    sync trails/*/checkpoint                     done no     65534
    rename to trails/*/checkpoint                not  no     65534
    rename to trails/*/checkpoint                done no     65534
    sync names in trails/*                       not  no     65538
    sync names in trails/*                       done no     65538
    ");
}
