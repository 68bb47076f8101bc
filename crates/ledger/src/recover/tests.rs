//! Every prefix of a log, and every flipped bit of it: recovery finds all that was acknowledged before the damage,
//! or refuses; it never goes on from less than was signed, and never from something else.

use super::*;
use crate::append::seal_entry_for_test;
use crate::commit::Committer;
use crate::store::Store;
use crate::store::sim::Sim;
use crate::testing::{event, keys, plain};

const ORIGIN: &str = "test.local";

/// A log of groups of so many entries, nothing of it published; and where each group ends.
fn log(groups: &[u64]) -> (Sim, Vec<usize>) {
    let sim = Sim::default();
    let disk = Disk::new(Arc::new(sim.clone()));
    let holds = Holds::default();
    Chain::behind(None).commit(&disk, &keys(), ORIGIN, &holds, false).unwrap();
    let ids = Arc::new(Ids::new(disk.clone(), &holds));
    let mut committer =
        Committer::new(disk, End::default(), std::iter::empty(), Arc::default(), ids, Default::default());
    committer.reopen().unwrap();
    let mut ends = Vec::new();
    let mut n = 0;
    for entries in groups {
        let numbers = n..n + entries;
        let group: Vec<_> = numbers.map(|n| seal_entry_for_test(&keys(), plain("acme", n))).collect();
        n += entries;
        committer.commit(&group).unwrap();
        ends.push(committer.end().len as usize);
    }
    (sim, ends)
}

/// Puts `bytes` in place of the log and recovers; returns the trail's size.
fn recover(sim: &Sim, bytes: &[u8]) -> Result<(u64, Vec<String>), LedgerError> {
    sim.write_synced(&wal::path(1), bytes).unwrap();
    let mut opened = open(&Disk::new(Arc::new(sim.clone())), &keys(), ORIGIN)?;
    assert!(opened.recovered.unclean);
    Ok((opened.publisher.trail("acme").size(), opened.recovered.repairs))
}

/// The acknowledged bytes of the log, where its frames end, and where each of its groups does.
struct Whole {
    sim: Sim,
    /// Everything on file; behind what was acknowledged there may be room for more.
    bytes: Vec<u8>,
    /// Where the first frame begins and each one ends.
    frames: Vec<usize>,
    groups: Vec<usize>,
}

impl Whole {
    fn of(groups: &[u64]) -> Whole {
        let (sim, groups) = log(groups);
        let bytes = sim.read(&wal::path(1), u64::MAX).unwrap();
        let mut frames: Vec<usize> = file(&bytes).frames().map(|frame| frame.unwrap().0 as usize).collect();
        frames.push(*groups.last().unwrap());
        Whole { sim, bytes, frames, groups }
    }

    /// Entries whose frames end at `len` or before.
    fn entries(&self, len: usize) -> usize {
        self.frames[1..].iter().filter(|end| **end <= len).count()
    }

    fn end(&self) -> usize {
        *self.groups.last().unwrap()
    }
}

fn file(bytes: &[u8]) -> LogFile {
    LogFile { sequence: 1, name: wal::path(1), bytes: bytes.to_vec(), accepted: None }
}

#[test]
fn every_prefix_recovers_to_the_entries_that_it_holds() {
    let whole = Whole::of(&[1, 1, 2, 1]);
    assert_eq!((whole.frames.len(), whole.groups.len()), (6, 4));
    // Cut off; or never written, in a file that was made longer before.
    let cut = |len: usize| whole.bytes[..len].to_vec();
    let zeroed = |len: usize| {
        let mut bytes = whole.bytes.clone();
        bytes[len..].fill(0);
        bytes
    };
    // What is zero anyway is not missed.
    let reach = |len: usize| len + whole.bytes[len..].iter().take_while(|byte| **byte == 0).count();
    for len in whole.frames[0]..=whole.end() {
        for (bytes, len) in [(cut(len), len), (zeroed(len), reach(len).min(whole.end()))] {
            let (size, repairs) = recover(&whole.sim, &bytes).unwrap();
            let expected = whole.entries(len);
            assert_eq!(size, expected as u64, "cut at {len}");
            // A torn frame is told of.
            assert!(!repairs.is_empty() || whole.frames.contains(&len), "cut at {len}");
            // What recovery left begins with what counts, and recovers to the same.
            let kept = whole.sim.read(&wal::path(1), u64::MAX).unwrap();
            assert_eq!(kept[..whole.frames[expected]], whole.bytes[..whole.frames[expected]]);
            assert_eq!(recover(&whole.sim, &kept).unwrap(), (size, vec![]));
        }
    }
    // A header is never torn: the file takes its name only when it is durable.
    for len in 0..whole.frames[0] {
        let result = recover(&whole.sim, &cut(len));
        assert!(matches!(result, Err(LedgerError::Corrupt { .. })), "cut at {len}");
    }
}

#[test]
fn a_flipped_bit_is_corruption_unless_it_is_in_the_last_group() {
    let whole = Whole::of(&[1, 1, 2]);
    let last_group = whole.groups[1];
    for at in 0..whole.end() {
        let mut flipped = whole.bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let result = recover(&whole.sim, &flipped);
        if at < last_group {
            assert!(matches!(result, Err(LedgerError::Corrupt { .. })), "flip at {at}: {result:?}");
            // A refusal changes nothing.
            assert_eq!(whole.sim.read(&wal::path(1), u64::MAX).unwrap(), flipped);
        } else {
            let (size, repairs) = result.unwrap();
            assert_eq!((size, repairs.len()), (whole.entries(at) as u64, 1), "flip at {at}");
        }
    }
}

/// The same for every single bit, without the rest of a start.
#[test]
fn no_flipped_bit_is_read_over() {
    let whole = Whole::of(&[2, 1, 2]);
    let last_group = whole.groups[1];
    for (at, bit) in (0..whole.end()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = whole.bytes.clone();
        flipped[at] ^= 1 << bit;
        let flipped = file(&flipped);
        let mut frames = flipped.frames();
        let (mut whole_frames, mut corrupt) = (0, false);
        for frame in frames.by_ref() {
            match frame {
                Ok((offset, _)) => {
                    assert!((offset as usize) < at, "a flipped frame was read: byte {at}, bit {bit}");
                    whole_frames += 1;
                }
                Err(_) => corrupt = true,
            }
        }
        assert_eq!(whole_frames, whole.entries(at), "byte {at}, bit {bit}");
        assert_eq!(corrupt, at < last_group, "byte {at}, bit {bit}");
        assert_eq!(frames.torn().is_some(), !corrupt, "byte {at}, bit {bit}");
    }
}

#[test]
fn zeros_behind_the_end_are_space_that_nothing_was_written_to() {
    let (sim, _) = log(&[2]);
    let whole = sim.read(&wal::path(1), u64::MAX).unwrap();
    assert_eq!(recover(&sim, &[whole.as_slice(), &[0; 5_000]].concat()).unwrap(), (2, vec![]));
    // Recovery leaves none of it.
    assert_eq!(sim.read(&wal::path(1), u64::MAX).unwrap(), whole);
}

/// What a crash leaves of a group in a file with space, at every cut and with a hole at every place: all of it,
/// the entries before the damage, or none; and what was acknowledged before it in any case.
#[test]
fn a_group_that_is_torn_in_its_space_is_a_torn_tail() {
    let (sim, ends) = log(&[1, 2]);
    let mut whole = sim.read(&wal::path(1), u64::MAX).unwrap();
    let end = whole.len();
    whole.resize(end + 3_000, 0);
    for cut in ends[0]..end {
        let mut torn = whole.clone();
        torn[cut..end].fill(0);
        let (size, repairs) = recover(&sim, &torn).unwrap();
        // A cut before bytes that are zero themselves takes nothing away.
        let same = torn == whole;
        assert!(if same { size == 3 } else { (1..3).contains(&size) }, "cut at {cut}: {size}");
        assert!(repairs.len() <= 1, "cut at {cut}: {repairs:?}");
        let mut holed = whole.clone();
        holed[ends[0]..cut].fill(0);
        let (size, repairs) = recover(&sim, &holed).unwrap();
        assert_eq!((size, repairs.len()), if holed == whole { (3, 0) } else { (1, 1) }, "hole to {cut}");
    }
}

/// A hole in front of a later group was synced once: that it is all zeros is no excuse.
#[test]
fn zeros_in_place_of_an_acknowledged_group_are_corruption() {
    let (sim, ends) = log(&[1, 2, 1]);
    let mut whole = sim.read(&wal::path(1), u64::MAX).unwrap();
    whole.resize(whole.len() + 3_000, 0);
    whole[ends[0]..ends[1]].fill(0);
    let error = recover(&sim, &whole).unwrap_err();
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    // And where the next file says how much counts, not even the last group may be zeros.
    let (sim, ends) = log(&[1, 2]);
    let mut followed = sim.read(&wal::path(1), u64::MAX).unwrap();
    followed[ends[0]..].fill(0);
    let accepted = Some(ends[1] as u64);
    let file = LogFile { sequence: 1, name: wal::path(1), bytes: followed, accepted };
    assert_eq!(file.frames().filter(Result::is_err).count(), 1);
}

#[test]
fn open_decisions_are_bounded_and_in_order() {
    let mut open = OpenDecisions::default();
    let mut note = |trail, n: u64, kind| {
        let entry = event("acme", n, kind, &format!("req_{n}")).canonical().unwrap();
        open.note(trail, n, &entry, &Peek::of(&entry).unwrap());
    };
    for n in 0..5 {
        note("acme", n, "action.approved");
    }
    note("acme", 3, "action.failed");
    note("zeta", 4, "action.executed");
    note("acme", 9, "action.denied");
    assert_eq!(open.places().first(), Some(&("acme".to_owned(), 0)));
    let (events, dropped) = open.into_events().unwrap();
    let requests: Vec<_> = events.iter().map(|event| event.request_id.as_deref().unwrap()).collect();
    assert_eq!((requests, dropped), (vec!["req_0", "req_1", "req_2", "req_4"], 0));
}
