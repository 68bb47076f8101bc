//! What is sealed and removed between any two looks that a reader takes.

use super::meddled::Meddled;
use super::*;

/// A world in which a reader knows an old state: something sealed, something in the log.
fn aged(store: &Meddled) -> (World, Reader) {
    let mut world = World::on(store.beneath());
    let reader = Reader::bounded(Disk::new(Arc::new(store.clone())), world.acknowledged.clone());
    world.append("acme", 3);
    world.seal("acme", 2, false);
    world.rotate();
    world.append("beta", 2);
    world.append("acme", 2);
    check(&world, &reader, 0);
    (world, reader)
}

/// Lets `meddle` happen before each of the reads that `look` makes, one after the other.
fn between_all_reads(
    meddle: [fn(&mut World); 2],
    look: impl Fn(&Reader) -> Vec<(u64, Vec<u8>)>,
    expected: impl Fn(&World) -> Vec<(u64, Vec<u8>)>,
) {
    let mut runs = 0;
    'first: for first in 0.. {
        for second in first.. {
            let store = Meddled::default();
            let (world, reader) = aged(&store);
            let before = expected(&world);
            let world = Arc::new(Mutex::new(world));
            for (reads, meddle) in [first, second].into_iter().zip(meddle) {
                let world = Arc::clone(&world);
                store.after(reads, move || meddle(&mut world.lock().unwrap()));
            }
            let found = look(&reader);
            let world = world.lock().unwrap();
            let after = expected(&world);
            // Nothing that was acknowledged before is missing, nothing is there twice, and nothing else is.
            assert!(found.starts_with(&before) && after.starts_with(&found), "{first} {second}: {found:?}");
            runs += 1;
            if !store.is_over() {
                if second == first {
                    break 'first;
                }
                break;
            }
        }
    }
    assert!(runs >= 15, "{runs}");
}

fn acme(world: &World) -> Vec<(u64, Vec<u8>)> {
    (0..).zip(world.model["acme"].iter().map(|made| made.entry.clone())).collect()
}

/// Seals all, and goes on in a new file.
fn seal_all(world: &mut World) {
    world.rotate();
    TRAILS.into_iter().for_each(|trail| world.seal(trail, 100, trail == "acme"));
    world.append("acme", 1);
}

fn trim_and_sweep(world: &mut World) {
    world.trim();
    world.sweep();
    world.append("acme", 1);
}

#[test]
fn a_snapshot_is_whole_when_files_are_sealed_and_trimmed_between_any_two_reads() {
    between_all_reads(
        [seal_all, trim_and_sweep],
        |reader| {
            let snapshot = reader.snapshot(&tenant("acme")).unwrap();
            // A file that the snapshot names is there for a while; here it may be gone, so only hot rows count.
            let sealed = snapshot.segments.last().map_or(0, |segment| segment.end);
            let hot = rows(&reader.disk, &Snapshot { segments: Vec::new(), ..snapshot });
            let sealed = reader.entries(&tenant("acme"), &(0..sealed).collect::<Vec<_>>()).unwrap();
            sealed.into_iter().map(|found| (found.index, found.entry)).chain(hot).collect()
        },
        acme,
    );
}

#[test]
fn parts_open_when_files_are_sealed_and_trimmed_between_any_two_reads() {
    between_all_reads(
        [seal_all, trim_and_sweep],
        |reader| {
            let found = reader.entries(&tenant("acme"), &(0..5).collect::<Vec<_>>()).unwrap();
            let parts = |found: &Found| {
                found.open_parts(&keys()).unwrap().len() == found.event().unwrap().parts.len()
            };
            assert!(found.iter().all(parts));
            found.into_iter().map(|found| (found.index, found.entry)).collect()
        },
        acme,
    );
}
