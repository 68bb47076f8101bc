//! A directory written by hand, step by step as the ledger would, and a model of what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use greffier_event::{EventId, Tenant};

use crate::manifest::{Chain, FileRecord, Holds, PartsRecord, SegmentRecord};
use crate::read::Acknowledged;
use crate::seal;
use crate::segment::{EntriesWriter, PartsWriter};
use crate::store::sim::Sim;
use crate::store::{Disk, Store};
use crate::testing::{draft, event, keys};
use crate::wal::frame::{SealedPart, Unplaced};
use crate::wal::{self, End, Spare, Writer};

pub(super) const TRAILS: [&str; 3] = ["acme", "beta", "zeta"];

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) id: EventId,
    pub(super) entry: Vec<u8>,
    parts: Vec<SealedPart<'static>>,
    /// What its parts say.
    pub(super) contents: Vec<Vec<u8>>,
}

impl Made {
    fn new(trail: &str, n: u64, contents: Vec<Vec<u8>>) -> Made {
        let names: Vec<String> = (0..contents.len()).map(|part| format!("part_{part}")).collect();
        let parts: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(contents.iter().map(Vec::as_slice)).collect();
        let drafted = draft(event(trail, n, "data.access", &format!("req_{n}")), &parts);
        let mut event = drafted.event;
        let holder = keys().holder(&event.tenant, Some("alice"));
        let key = keys().ensure_holder_key(&holder).unwrap();
        let parts = seal::seal(
            &mut event,
            drafted.parts,
            &holder,
            &key.wrapping().unwrap(),
            &mut crate::cipher::Random::default(),
        )
        .unwrap();
        Made { id: event.id, entry: event.canonical().unwrap(), parts, contents }
    }
}

/// The directory, its writer and its sealer.
pub(super) struct World {
    pub(super) disk: Disk,
    pub(super) acknowledged: Acknowledged,
    /// By trail: every entry that was acknowledged.
    pub(super) model: BTreeMap<&'static str, Vec<Made>>,
    pub(super) holds: Holds,
    /// Absent after a write that failed.
    writer: Option<Writer>,
    end: End,
    chain: Chain,
    /// By file of the log: how far each trail's entries reach in it.
    files: BTreeMap<u64, BTreeMap<&'static str, u64>>,
    superseded: Vec<String>,
    made: u64,
}

impl World {
    pub(super) fn new() -> World {
        World::on(Arc::new(Sim::default()))
    }

    pub(super) fn on(store: Arc<dyn Store>) -> World {
        let mut world = World {
            disk: Disk::new(store),
            acknowledged: Acknowledged::default(),
            model: TRAILS.map(|trail| (trail, Vec::new())).into(),
            holds: Holds { floor: 1, ..Holds::default() },
            writer: None,
            end: End::default(),
            chain: Chain::behind(None),
            files: BTreeMap::new(),
            superseded: Vec::new(),
            made: 0,
        };
        world.commit();
        world.rotate();
        world
    }

    fn make(&mut self, trail: &str) -> Made {
        self.made += 1;
        // Two of three have a part.
        let content = (!self.made.is_multiple_of(3)).then(|| format!("content {}", self.made).into_bytes());
        Made::new(trail, self.made, content.into_iter().collect())
    }

    fn place(made: &Made, trail: &str, bytes: &mut Vec<u8>, group: u64, index: u64) {
        Unplaced::encode(trail, &made.entry, &made.parts).unwrap().place(bytes, group, index);
    }

    /// Writes and acknowledges one group.
    pub(super) fn append(&mut self, trail: &'static str, count: u64) {
        let made = (0..count).map(|_| self.make(trail)).collect();
        self.append_all(trail, made);
    }

    /// Writes and acknowledges one entry with so many parts of 1 MiB.
    pub(super) fn append_long(&mut self, trail: &'static str, parts: usize) {
        self.made += 1;
        self.append_all(trail, vec![Made::new(trail, self.made, vec![vec![b'x'; 1024 * 1024]; parts])]);
    }

    fn append_all(&mut self, trail: &'static str, group: Vec<Made>) {
        if self.writer.is_none() {
            self.rotate();
        }
        let mut bytes = Vec::new();
        for made in group {
            let entries = self.model.get_mut(trail).unwrap();
            World::place(&made, trail, &mut bytes, self.end.len, entries.len() as u64);
            entries.push(made);
        }
        self.writer = Some(self.writer.take().unwrap().commit(&bytes).unwrap());
        self.end.len += bytes.len() as u64;
        let end = self.model[trail].len() as u64;
        self.files.get_mut(&self.end.sequence).unwrap().insert(trail, end);
        self.acknowledged.set(self.end);
    }

    /// Writes a group that is never acknowledged, and `cut` bytes less than all of it.
    pub(super) fn fail(&mut self, trail: &'static str, count: u64, cut: usize) {
        if self.writer.take().is_none() {
            return;
        }
        let mut bytes = Vec::new();
        for index in 0..count {
            let made = self.make(trail);
            let index = self.model[trail].len() as u64 + index;
            World::place(&made, trail, &mut bytes, self.end.len, index);
        }
        // Behind what is acknowledged, over the space that may be there.
        let path = wal::path(self.end.sequence);
        let mut whole = self.disk.store().read(&path, u64::MAX).unwrap();
        whole.truncate(self.end.len as usize);
        whole.extend_from_slice(&bytes[..bytes.len() - cut.min(bytes.len())]);
        self.disk.store().overwrite(&path).unwrap().write(&whole).unwrap();
    }

    /// Opens the next file of the log, which disowns what a failed write left. Some files have space ahead, enough
    /// for a few entries.
    pub(super) fn rotate(&mut self) {
        let spare = Spare::default();
        if self.made % 2 == 1 {
            spare.fill(&self.disk, 3_000).unwrap();
        }
        let writer = Writer::create(&self.disk, self.end, &spare).unwrap();
        self.end = writer.end();
        self.writer = Some(writer);
        self.files.insert(self.end.sequence, BTreeMap::new());
        self.acknowledged.set(self.end);
    }

    /// Seals up to `count` more entries of a trail, together with the segment before them or not. The log's
    /// files stay until [`World::trim`].
    pub(super) fn seal(&mut self, trail: &'static str, count: u64, merge: bool) {
        let entries = &self.model[trail];
        let sealed = self.holds.sealed(trail);
        let end = (sealed + count).min(entries.len() as u64);
        if end == sealed {
            return;
        }
        let mut parts = Vec::new();
        let mut first = sealed;
        if let Some(last) = self.holds.segments.iter().rposition(|segment| segment.trail == trail && merge) {
            let last = self.holds.segments.remove(last);
            first = last.first;
            parts = last.parts;
            self.superseded.push(last.entries.path);
        }
        let tenant = Tenant::new(trail).unwrap();
        let mut writer = EntriesWriter::new(&tenant, first).unwrap();
        let mut parts_writer = PartsWriter::new(&tenant);
        for index in first..end {
            let made = &entries[index as usize];
            writer.push(index, &made.entry).unwrap();
            if index >= sealed {
                parts_writer.push(index, &made.parts).unwrap();
            }
        }
        if let Some(bytes) = parts_writer.finish().unwrap() {
            let path = format!("trails/{trail}/parts/{sealed:020}-{end:020}.parquet");
            self.disk.replace(&path, &bytes).unwrap();
            parts.push(PartsRecord { first: sealed, end, file: FileRecord::of(&path, &bytes) });
        }
        let written = writer.finish().unwrap();
        let path = format!("trails/{trail}/segments/{first:020}-{end:020}.parquet");
        self.disk.replace(&path, &written.bytes).unwrap();
        self.holds.segments.push(SegmentRecord {
            trail: trail.to_owned(),
            first,
            end,
            root: String::new(),
            time: (written.time.0.as_micros(), written.time.1.as_micros()),
            recorded_at: (written.recorded_at.0.as_micros(), written.recorded_at.1.as_micros()),
            entries: FileRecord::of(&path, &written.bytes),
            parts,
        });
        self.holds.segments.sort_by(|a, b| (&a.trail, a.first).cmp(&(&b.trail, b.first)));
        let holds = &self.holds;
        let spent = |runs: &BTreeMap<&str, u64>| runs.iter().all(|(trail, end)| *end <= holds.sealed(trail));
        let needed = self.files.iter().find(|(file, runs)| **file == self.end.sequence || !spent(runs));
        self.holds.floor = *needed.unwrap().0;
        self.commit();
    }

    /// Removes the files of the log before the floor.
    pub(super) fn trim(&mut self) {
        let kept = self.files.split_off(&self.holds.floor);
        for file in std::mem::replace(&mut self.files, kept).into_keys() {
            self.disk.store().remove(&wal::path(file)).unwrap();
        }
    }

    /// Removes the segments that others took the place of.
    pub(super) fn sweep(&mut self) {
        for path in std::mem::take(&mut self.superseded) {
            self.disk.store().remove(&path).unwrap();
        }
    }

    pub(super) fn commit(&mut self) {
        self.chain.commit(&self.disk, &keys(), "test.local", &self.holds, false).unwrap();
    }
}
