//! The register: what was erased and what is held, kept with the keys and apart from the data.
//!
//! Data that is restored from an older copy does not know what was erased since: the register does. It holds the
//! events that ordered it, one JSON line each, synced before anything is erased, and a line once it is done.
//!
//! ```text
//! {"noted":{"trail":"acme","index":7,"event":{…}}}
//! {"done":{"id":"0199…","manifest":31}}
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use greffier_event::{Event, EventId};
use serde::{Deserialize, Serialize};

use crate::erase::Act;
use crate::store::{Append, Disk, Files};

const FILE: &str = "register";
/// A hundred thousand erasures at some 1.5 KiB each, and as much again for what is done.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Expiries whose lines may lie in the file after others took their place: some 16 MiB.
const MAX_STALE: usize = 8_192;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Noted(Box<Noted>),
    Done(Done),
}

/// What was ordered is done, and with which manifest it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    id: EventId,
    manifest: u64,
}

/// An order or a hold, as it stands on its trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noted {
    pub(crate) trail: String,
    pub(crate) index: u64,
    pub(crate) event: Event,
}

/// The register, open for adding to it. One process has it: the one that has the data directory.
pub(crate) struct Register {
    disk: Disk,
    /// Absent before the first line, and after one that failed.
    file: Option<Box<dyn Append>>,
    noted: BTreeMap<EventId, Noted>,
    /// By order: the manifest with which it was done.
    done: BTreeMap<EventId, u64>,
    /// Lines of the file that count no more.
    stale: usize,
}

impl Register {
    /// Reads the register of a keys folder; one that is not there is empty.
    pub(crate) fn open(dir: &Path) -> io::Result<Register> {
        Register::on(Disk::new(Arc::new(Files::new(dir))))
    }

    fn on(disk: Disk) -> io::Result<Register> {
        let mut register =
            Register { disk, file: None, noted: BTreeMap::new(), done: BTreeMap::new(), stale: 0 };
        let bytes = match register.disk.store().read(FILE, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(register),
            bytes => bytes?,
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut lines =
            bytes.get(..whole).unwrap_or_default().split_inclusive(|b| *b == b'\n').enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            match serde_json::from_slice(line) {
                Ok(line) => register.take(line),
                // A power cut may keep the end of a line without its middle: it was never acknowledged.
                Err(_) if lines.peek().is_none() => break,
                Err(error) => {
                    let what =
                        format!("line {} of the register in the keys folder is damaged: {error}", at + 1);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
            }
        }
        Ok(register)
    }

    /// What is noted, by the event's id.
    pub(crate) fn noted(&self) -> impl Iterator<Item = &Noted> {
        self.noted.values()
    }

    /// Whether anything is noted under an id.
    pub(crate) fn knows(&self, id: &EventId) -> bool {
        self.noted.contains_key(id)
    }

    /// What is noted under an id.
    #[cfg(test)]
    pub(crate) fn get(&self, id: &EventId) -> Option<&Noted> {
        self.noted.get(id)
    }

    /// Whether what was ordered is done in a directory whose newest manifest is this one: an older copy may hold
    /// what was erased.
    pub(crate) fn is_done(&self, id: &EventId, manifest: u64) -> bool {
        self.done.get(id).is_some_and(|done| *done <= manifest)
    }

    /// Notes an order or a hold, durably. One that is noted already at the same place is fine.
    pub(crate) fn note(&mut self, noted: Noted) -> io::Result<()> {
        if self.noted.get(&noted.event.id) == Some(&noted) {
            return Ok(());
        }
        self.add(Line::Noted(Box::new(noted)))
    }

    /// Notes that what was ordered is done since a manifest, durably.
    pub(crate) fn done(&mut self, id: EventId, manifest: u64) -> io::Result<()> {
        if self.done.get(&id) == Some(&manifest) {
            return Ok(());
        }
        self.add(Line::Done(Done { id, manifest }))
    }

    fn add(&mut self, line: Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        // A failure leaves the file closed: what it then ends in is unknown, and the next line writes it anew.
        file.write(&text)?;
        file.sync()?;
        self.file = Some(file);
        self.take(line);
        Ok(())
    }

    /// Writes anew what counts, and opens it for appending.
    fn reopen(&self) -> io::Result<Box<dyn Append>> {
        let mut text = Vec::new();
        let noted = self.noted.values().cloned().map(Box::new).map(Line::Noted);
        let done = self.done.iter().map(|(&id, &manifest)| Line::Done(Done { id, manifest }));
        for line in noted.chain(done) {
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        self.disk.replace(FILE, &text)?;
        self.disk.store().append(FILE)
    }

    /// An expiry takes the place of those that it goes beyond: there is one a day for each trail.
    fn supersede(&mut self, noted: &Noted) {
        let Some(act) = Act::of(&noted.event) else { return };
        let beyond = |older: &Noted| {
            older.trail == noted.trail && Act::of(&older.event).is_some_and(|older| act.goes_beyond(&older))
        };
        let older: Vec<EventId> =
            self.noted.values().filter(|older| beyond(older)).map(|older| older.event.id).collect();
        for id in older.into_iter().filter(|id| *id != noted.event.id) {
            self.noted.remove(&id);
            self.done.remove(&id);
            self.stale += 1;
        }
        if self.stale >= MAX_STALE {
            // The next line writes it anew.
            (self.file, self.stale) = (None, 0);
        }
    }

    fn take(&mut self, line: Line) {
        if let Line::Noted(noted) = &line {
            self.supersede(noted);
        }
        match line {
            Line::Noted(noted) => drop(self.noted.insert(noted.event.id, *noted)),
            Line::Done(Done { id, manifest }) => drop(self.done.insert(id, manifest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::sim::{Crash, FAULTS, Sim};
    use crate::testing::event;

    fn noted(n: u64) -> Noted {
        Noted { trail: "acme".to_owned(), index: n, event: event("acme", n, "data.modify", "req") }
    }

    fn open(sim: &Sim) -> Register {
        Register::on(Disk::new(Arc::new(sim.clone()))).unwrap()
    }

    #[test]
    fn what_was_noted_is_there_whatever_fails() {
        for fault in FAULTS {
            for at in 1..=24 {
                let sim = Sim::default();
                sim.plan(at, fault);
                let mut promised = Vec::new();
                let mut register = open(&sim);
                for n in 0..4 {
                    if register.note(noted(n)).is_ok() {
                        promised.push((n, register.done(noted(n).event.id, 3).is_ok()));
                    }
                }
                sim.crash(if at % 2 == 0 { Crash::Kill } else { Crash::Power(at as u64) });
                let mut register = open(&sim);
                for (n, done) in &promised {
                    let id = noted(*n).event.id;
                    assert_eq!(register.get(&id), Some(&noted(*n)), "operation {at} {fault:?}");
                    assert!(register.is_done(&id, 3) || !done, "operation {at} {fault:?}");
                }
                register.note(noted(9)).unwrap();
                assert_eq!(open(&sim).noted().count(), register.noted().count());
            }
        }
    }

    #[test]
    fn a_torn_end_is_dropped_and_a_damaged_line_refused() {
        let sim = Sim::default();
        let mut register = open(&sim);
        register.note(noted(1)).unwrap();
        register.done(noted(1).event.id, 3).unwrap();
        let whole = sim.read(FILE, MAX_BYTES).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for len in first..whole.len() {
            let torn = Sim::default();
            torn.write_synced(FILE, &whole[..len]).unwrap();
            let register = open(&torn);
            assert_eq!((register.noted().count(), register.is_done(&noted(1).event.id, 3)), (1, false));
        }
        let damaged = Sim::default();
        damaged.write_synced(FILE, &[b"{}\n", whole.as_slice()].concat()).unwrap();
        assert!(Register::on(Disk::new(Arc::new(damaged))).is_err());
    }
}
