//! One file of the log: its bytes, its frames, and in them every event, its leaf and its parts.

use greffier_event::Event;
use greffier_merkle::{Hash, hash};

use super::World;
use super::absent::PartsFound;
use crate::manifest::FileRecord;
use crate::wal;
use crate::wal::frame::Frame;
use crate::wal::replay::{Corruption, LogFile, TornTail};

/// One entry as it was found.
pub(super) struct Seen {
    pub(super) offset: u64,
    /// Its trail, by its place in [`Scanned::trails`].
    pub(super) trail: usize,
    pub(super) index: u64,
    pub(super) leaf: Hash,
    pub(super) parts: PartsFound,
    /// What is wrong with it.
    pub(super) wrong: Vec<String>,
}

/// What a file holds. A file has at most 40 MiB, so all this is bounded.
#[derive(Default)]
pub(super) struct Scanned {
    pub(super) name: String,
    pub(super) file: Option<FileRecord>,
    pub(super) trails: Vec<String>,
    pub(super) seen: Vec<Seen>,
    pub(super) corruption: Option<Corruption>,
    pub(super) torn: Option<TornTail>,
    pub(super) unreadable: Option<String>,
}

/// Reads file `sequence`; `followed` says whether there is a next one.
pub(super) fn scan(world: &World<'_>, sequence: u64, followed: bool) -> Scanned {
    let mut scanned = Scanned { name: wal::path(sequence), ..Scanned::default() };
    let file = match LogFile::read(world.disk, sequence, followed) {
        Ok(Ok(file)) => file,
        Ok(Err(corruption)) => {
            scanned.corruption = Some(corruption);
            return scanned;
        }
        Err(error) => {
            scanned.unreadable = Some(format!("cannot be read: {error}"));
            return scanned;
        }
    };
    scanned.file = Some(FileRecord::of(&file.name, &file.bytes));
    let mut frames = file.frames();
    for frame in frames.by_ref() {
        match frame {
            Ok((offset, frame)) => scanned.add(world, offset, &frame),
            Err(corruption) => {
                scanned.corruption = Some(corruption);
                break;
            }
        }
    }
    scanned.torn = frames.torn().cloned();
    scanned
}

impl Scanned {
    fn add(&mut self, world: &World<'_>, offset: u64, frame: &Frame<'_>) {
        let known = self.trails.iter().position(|name| name == frame.trail);
        let trail = known.unwrap_or_else(|| {
            self.trails.push(frame.trail.to_owned());
            self.trails.len() - 1
        });
        let (index, leaf) = (frame.index, hash::leaf(frame.entry));
        let mut seen = Seen { offset, trail, index, leaf, parts: PartsFound::default(), wrong: Vec::new() };
        // Of an entry that is sealed too, only that it is the same one is asked here: the rest is asked there.
        if index >= world.signed.sealed(frame.trail) {
            match Event::from_canonical(frame.entry) {
                Ok(event) => seen.event(world, &event, frame),
                Err(error) => seen.wrong.push(format!("the entry is not a valid event: {error}")),
            }
        }
        self.seen.push(seen);
    }
}

impl Seen {
    fn event(&mut self, world: &World<'_>, event: &Event, frame: &Frame<'_>) {
        if event.tenant.as_str() != frame.trail {
            self.wrong.push(format!("the event belongs to `{}`", event.tenant));
        }
        match world.absence.check(frame.trail, frame.index, event, &frame.parts, world.keys) {
            Ok(found) => self.parts = found,
            Err(what) => self.wrong.push(what),
        }
    }
}
