//! The simulation must be able to fail: whichever sync the code leaves out, some seed breaks a promise.
//!
//! A sync is known by what it makes durable, so that one line of code that serves several ends is each of them.

use std::collections::BTreeMap;

use super::seeds::{SEALING, failure, live};
use super::world::World;

/// Seeds that are searched for the syncs there are: every eighth of them seals.
const SEARCHED: u64 = 160;
/// Seeds that are tried for each, and of those that seal so many more for one that few lives come to.
const TRIED: usize = 60;
const RARE: u64 = 8_000;

/// The log, its beginnings and its end; tiles, checkpoints, segments, and the manifest that makes them count.
const KNOWN: [&str; 12] = [
    "bytes of wal/#.wal",
    "new file in wal/",
    "file gone in wal/",
    "bytes of trails/*/tile/0/#.p/#",
    "new file in trails/*/tile/0/#.p/",
    "new folder in trails/*/tile/#/",
    "bytes of trails/*/checkpoint",
    "other file in trails/*/",
    "bytes of trails/*/segments/#-#.parquet",
    "new file in trails/*/segments/",
    "bytes of manifests/#.list",
    "new file in manifests/",
];

#[test]
fn no_sync_can_be_left_out() {
    let mut syncs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seed in 0..SEARCHED {
        let mut world = World::new();
        live(&mut world, seed);
        for sync in world.sim.syncs() {
            syncs.entry(sync).or_default().push(seed);
        }
    }
    let broken = |sync: &str, seeds: &[u64]| {
        let rare = (SEARCHED..RARE).step_by(SEALING as usize);
        seeds.iter().copied().take(TRIED).chain(rare).find_map(|seed| failure(seed, World::without(sync)))
    };
    let missed: Vec<&String> =
        syncs.iter().filter(|(sync, seeds)| broken(sync, seeds).is_none()).map(|(sync, _)| sync).collect();
    assert_eq!(missed, Vec::<&String>::new(), "nothing notices when these are left out");
    // The list itself is not frozen, but a simulation that never came to these tested nothing.
    for known in KNOWN {
        assert!(syncs.contains_key(known), "{known}: {:?}", syncs.keys());
    }
}
