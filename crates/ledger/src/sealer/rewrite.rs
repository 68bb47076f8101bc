//! Taking parts out of sealed files: a file of parts is written anew without them, a manifest makes the new one
//! count, and the old one goes at once.
//!
//! The files of entries never change. Where all parts of an event go, nothing of them stays; where others stay,
//! the commitment of each one that goes is kept, so that those can still be held against the entry.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use greffier_event::{Event, EventId, Tenant};

use super::{SealError, Sealer, rewritten_path};
use crate::erase::{EntriesCut, Orders};
use crate::keys::KeyRing;
use crate::manifest::{FileRecord, PartsRecord, SegmentRecord};
use crate::seal;
use crate::segment::{EntriesFile, PartsFile, PartsWriter, SegmentError};
use crate::store::{Source, parent};
use crate::wal::frame::SealedPart;

/// Entries whose parts are looked at together before a file is written anew: each has 32 MiB at most.
const AT_ONCE: usize = 8;

/// Which entries an order may be about: those whose parts are looked at.
pub(crate) enum Wanted {
    /// The one with this id.
    Id(EventId),
    /// Those that hold this text.
    Holding(String),
    /// All in segments whose entries were recorded before this time, in microseconds.
    RecordedBefore(i64),
    /// Whole entries: the start of the trail, as this entry orders.
    Prefix(u64, EntriesCut),
}

/// By index: of each part of an entry, whether it goes.
type Going = BTreeMap<u64, Vec<bool>>;

impl Sealer {
    /// Takes out of the files of a trail what its orders say is gone, and says of how many entries. When this
    /// returns, it is gone from the disk for good; after a failure or a crash, doing it again goes on.
    pub(crate) fn rewrite(
        &mut self,
        trail: &Tenant,
        wanted: &Wanted,
        orders: &Orders,
    ) -> Result<u64, SealError> {
        self.settle_doubt()?;
        self.remove_erased()?;
        let segments: Vec<SegmentRecord> = self.holds.segments_of(trail.as_str()).cloned().collect();
        let mut entries = 0;
        for segment in segments.iter().filter(|segment| !segment.parts.is_empty()) {
            entries += self.rewrite_segment(trail, segment, wanted, orders)?;
        }
        // What a crash left was removed at start; that it stays so is made sure of here.
        let dirs = segments.iter().flat_map(|segment| &segment.parts).map(|parts| parent(&parts.file.path));
        if let Some(dir) = dirs.into_iter().next() {
            self.disk.store().sync_dir(dir)?;
        }
        Ok(entries)
    }

    /// Removes files that hold what was erased, for good.
    pub(super) fn remove_erased(&mut self) -> std::io::Result<()> {
        while let Some(path) = self.erased.first().cloned() {
            self.disk.remove(&path)?;
            self.disk.store().sync_dir(parent(&path))?;
            self.erased.remove(&path);
        }
        Ok(())
    }

    fn rewrite_segment(
        &mut self,
        trail: &Tenant,
        segment: &SegmentRecord,
        wanted: &Wanted,
        orders: &Orders,
    ) -> Result<u64, SealError> {
        let entries = EntriesFile::open(self.disk.store().open(&segment.entries.path)?)?;
        let going = going(&self.keys, &entries, segment, wanted, orders)?;
        let mut touched = 0;
        for record in &segment.parts {
            let inside: Vec<u64> = going.range(record.first..record.end).map(|(index, _)| *index).collect();
            let file = PartsFile::open(self.disk.store().open(&record.file.path)?)?;
            if !any_there(&file, &inside, &going)? {
                continue;
            }
            let (bytes, count) = self.without(trail, &file, &entries, &going)?;
            touched += count;
            self.exchange(segment, record, bytes)?;
        }
        Ok(touched)
    }

    /// The file without what goes, and of how many entries something went.
    fn without(
        &self,
        trail: &Tenant,
        file: &PartsFile<Source>,
        entries: &EntriesFile<Source>,
        going: &Going,
    ) -> Result<(Option<Vec<u8>>, u64), SegmentError> {
        let mut writer = PartsWriter::new(trail);
        let mut count = 0;
        file.scan(|index, mut parts| {
            let Some(going) = going.get(&index) else { return writer.push(index, &parts) };
            let goes = |number: usize| going.get(number).copied().unwrap_or(false);
            count += 1;
            if parts.iter().enumerate().all(|(number, part)| goes(number) || part.is_taken_out()) {
                return Ok(());
            }
            let event = entries.get(index)?.and_then(|entry| Event::from_canonical(&entry).ok());
            for (number, part) in parts.iter_mut().enumerate() {
                if goes(number) && !part.is_taken_out() {
                    *part = SealedPart::taken_out(self.commitment(event.as_ref(), number, part));
                }
            }
            writer.push(index, &parts)
        })?;
        Ok((writer.finish()?, count))
    }

    /// The commitment of a part that can still be opened.
    fn commitment(
        &self,
        event: Option<&Event>,
        number: usize,
        part: &SealedPart<'_>,
    ) -> Option<greffier_merkle::Hash> {
        let event = event?;
        let key = self.keys.holder_key(&part.holder)?;
        let opened = seal::open(&event.id, event.parts.get(number)?, part, &key).ok()?;
        Some(opened.commitment(&event.id))
    }

    /// Puts the new file in place of the old one, or none where nothing is left.
    fn exchange(
        &mut self,
        segment: &SegmentRecord,
        old: &PartsRecord,
        bytes: Option<Vec<u8>>,
    ) -> Result<(), SealError> {
        let path = rewritten_path(&segment.trail, old.first, old.end, self.chain.newest() + 1);
        let record = bytes.as_ref().map(|bytes| {
            let file = FileRecord::of(&path, bytes);
            PartsRecord { first: old.first, end: old.end, file }
        });
        if let Some(bytes) = &bytes {
            self.unsure.insert(path.clone());
            self.disk.replace(&path, bytes)?;
            if self.disk.store().read(&path, super::MAX_SEGMENT_BYTES)? != *bytes {
                return Err(std::io::Error::other(format!("`{path}` is not what was written")).into());
            }
        }
        let mut holds = self.holds.clone();
        let ours = |found: &&mut SegmentRecord| found.trail == segment.trail && found.first == segment.first;
        if let Some(found) = holds.segments.iter_mut().find(ours) {
            found.parts = std::mem::take(&mut found.parts)
                .into_iter()
                .filter_map(|parts| if parts == *old { record.clone() } else { Some(parts) })
                .collect();
        }
        // The new file counts from here on, and the old one no more.
        self.unsure.insert(path.clone());
        self.chain.commit(&self.disk, &self.keys, &self.node_origin, &holds, false)?;
        self.unsure.clear();
        self.holds = holds;
        self.erased.insert(old.file.path.clone());
        // Not after the time that other superseded files stay: a reader who has it open starts again.
        Ok(self.remove_erased()?)
    }
}

/// Which parts of which entries go.
fn going(
    keys: &KeyRing,
    entries: &EntriesFile<Source>,
    segment: &SegmentRecord,
    wanted: &Wanted,
    orders: &Orders,
) -> Result<Going, SegmentError> {
    let mut going = Going::new();
    let mut look = |index: u64, entry: &[u8]| {
        let Ok(event) = Event::from_canonical(entry) else { return };
        let holder = keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
        let goes = |part: &greffier_event::PartRef| {
            orders.explain(index, &event, &part.name, Some(&holder)).is_some()
        };
        let parts: Vec<bool> = event.parts.iter().map(goes).collect();
        if parts.contains(&true) {
            going.insert(index, parts);
        }
    };
    match wanted {
        Wanted::Id(id) => {
            if let Some(index) = entries.find_id(id)?
                && let Some(entry) = entries.get(index)?
            {
                look(index, &entry);
            }
        }
        Wanted::Holding(text) => entries.scan(|index, entry| {
            if entry.windows(text.len()).any(|window| window == text.as_bytes()) {
                look(index, entry);
            }
            ControlFlow::Continue(())
        })?,
        Wanted::RecordedBefore(time) if segment.recorded_at.0 < *time => entries.scan(|index, entry| {
            look(index, entry);
            ControlFlow::Continue(())
        })?,
        Wanted::RecordedBefore(_) | Wanted::Prefix(..) => {}
    }
    Ok(going)
}

/// Whether any part that goes is still there.
fn any_there(file: &PartsFile<Source>, indexes: &[u64], going: &Going) -> Result<bool, SegmentError> {
    for some in indexes.chunks(AT_ONCE) {
        for (index, parts) in file.get_many(some)? {
            let goes = going.get(&index).map(Vec::as_slice).unwrap_or_default();
            if parts.iter().zip(goes).any(|(part, goes)| *goes && !part.is_taken_out()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
