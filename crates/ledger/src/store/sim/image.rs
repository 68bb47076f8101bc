//! What a simulated disk holds: what processes see of it, and what a power cut would leave.
//!
//! Nothing that was not synced is certain. At a power cut each written sector of 512 bytes, each new length and
//! each change of a name is there or is not, in any combination: file systems promise no order without a sync.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::dice::Dice;
use crate::store::{UNFINISHED, parent};

/// What disks write whole.
const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since the last sync. A sync that fails empties it too: kernels drop the pages and call
    /// them clean, so that they read well and reach the disk never.
    dirty: Vec<Range<usize>>,
}

/// A change of a name that no sync of its folder covers yet.
#[derive(Clone, Debug)]
enum Change {
    Put { path: String, node: Node, replaces: bool },
    Removed { path: String, node: Node },
    Renamed { from: String, to: String, node: Node, replaces: bool },
}

impl Change {
    fn path(&self) -> &str {
        match self {
            Change::Put { path, .. } | Change::Removed { path, .. } => path,
            Change::Renamed { to, .. } => to,
        }
    }

    fn apply(self, names: &mut BTreeMap<String, Node>) {
        match self {
            Change::Put { path, node, .. } => drop(names.insert(path, node)),
            Change::Removed { path, node } => {
                names.remove(&path);
                if node == Node::Dir {
                    // With the folder goes whatever was not yet known to be gone from it.
                    names.retain(|name, _| {
                        !name.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
                    });
                }
            }
            Change::Renamed { from, to, node, .. } => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }

    /// What a sync of its folder makes of it, in words.
    fn kind(&self) -> Option<&'static str> {
        match self {
            change if change.path().ends_with(UNFINISHED) => None,
            Change::Put { node: Node::Dir, .. } => Some("new folder"),
            Change::Put { replaces: false, .. } | Change::Renamed { replaces: false, .. } => Some("new file"),
            Change::Put { .. } | Change::Renamed { .. } => Some("other file"),
            // A folder that comes back is empty, and nobody minds.
            Change::Removed { node: Node::Dir, .. } => None,
            Change::Removed { .. } => Some("file gone"),
        }
    }
}

/// Files and names, as seen and as durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    files: Vec<File>,
    pub(super) seen: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<Change>,
}

impl Image {
    /// What a process reads of a file.
    pub(super) fn bytes(&self, file: usize) -> &[u8] {
        &self.files[file].seen
    }

    /// A new folder, or a new file under a name that may have been another's.
    pub(super) fn put_dir(&mut self, path: &str) {
        if !self.seen.contains_key(path) {
            self.change(Change::Put { path: path.to_owned(), node: Node::Dir, replaces: false });
        }
    }

    pub(super) fn put_file(&mut self, path: &str) -> usize {
        let file = self.files.len();
        self.files.push(File::default());
        let replaces = self.seen.contains_key(path);
        self.change(Change::Put { path: path.to_owned(), node: Node::File(file), replaces });
        file
    }

    pub(super) fn remove(&mut self, path: &str) -> bool {
        let Some(&node) = self.seen.get(path) else { return false };
        self.change(Change::Removed { path: path.to_owned(), node });
        true
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(&node) = self.seen.get(from) else { return false };
        let replaces = self.seen.contains_key(to);
        self.change(Change::Renamed { from: from.to_owned(), to: to.to_owned(), node, replaces });
        true
    }

    /// A second name for a file.
    pub(super) fn link(&mut self, from: &str, to: &str) -> bool {
        let Some(&node) = self.seen.get(from) else { return false };
        self.change(Change::Put { path: to.to_owned(), node, replaces: false });
        true
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.seen);
        self.pending.push(change);
    }

    /// Writes at a place in a file, which grows to hold it.
    pub(super) fn write(&mut self, file: usize, at: usize, bytes: &[u8]) {
        let file = &mut self.files[file];
        let end = at + bytes.len();
        if end > file.seen.len() {
            file.seen.resize(end, 0);
        }
        file.seen[at..end].copy_from_slice(bytes);
        file.dirty.push(at..end);
    }

    /// Makes what was written to a file durable.
    pub(super) fn sync(&mut self, file: usize) {
        let file = &mut self.files[file];
        file.durable.resize(file.seen.len(), 0);
        for range in file.dirty.drain(..) {
            file.durable[range.clone()].copy_from_slice(&file.seen[range]);
        }
    }

    /// A sync that fails: what was written stays to be read, and is durable in part or not at all.
    pub(super) fn fail_sync(&mut self, file: usize, some: Option<&mut Dice>) {
        let file = &mut self.files[file];
        match some {
            Some(dice) => file.persist_some(dice),
            None => file.dirty.clear(),
        }
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_dir(&mut self, dir: &str) {
        let changes = std::mem::take(&mut self.pending);
        let (here, elsewhere) = changes.into_iter().partition(|change| parent(change.path()) == dir);
        self.pending = elsewhere;
        let here: Vec<Change> = here;
        here.into_iter().for_each(|change| change.apply(&mut self.durable));
    }

    /// What a sync of a folder would make durable, in words: new files, other files, files gone.
    pub(super) fn unsynced(&self, dir: &str) -> BTreeSet<&'static str> {
        self.pending.iter().filter(|change| parent(change.path()) == dir).filter_map(Change::kind).collect()
    }

    /// Whether a name is durable, whatever becomes of its file.
    pub(super) fn is_durable(&self, path: &str) -> bool {
        self.durable.contains_key(path)
    }

    /// The power fails: what was not synced is there or not, as the dice fall.
    pub(super) fn power_cut(&mut self, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.pending);
        let keep = dice.below(4);
        let prefix = dice.below(changes.len() + 1);
        for (at, change) in changes.into_iter().enumerate() {
            let kept = match keep {
                0 => false,
                1 => true,
                2 => at < prefix,
                _ => dice.one_in(2),
            };
            if kept {
                change.apply(&mut self.durable);
            }
        }
        // A file whose folder is not there cannot be found.
        let mut found = BTreeMap::new();
        for (path, node) in std::mem::take(&mut self.durable) {
            // In order of paths a folder comes before what is in it.
            if parent(&path).is_empty() || found.contains_key(parent(&path)) {
                found.insert(path, node);
            }
        }
        self.seen = found.clone();
        self.durable = found;
        for file in &mut self.files {
            match dice.below(3) {
                0 => file.dirty.clear(),
                1 => file.persist_prefix(dice),
                _ => file.persist_some(dice),
            }
            file.seen.clone_from(&file.durable);
        }
    }
}

impl File {
    /// Any of the sectors that were written since the last sync reach the disk, and any length.
    fn persist_some(&mut self, dice: &mut Dice) {
        for range in std::mem::take(&mut self.dirty) {
            let mut start = range.start;
            while start < range.end {
                let end = (start / SECTOR + 1) * SECTOR;
                let end = end.min(range.end);
                if dice.one_in(2) {
                    self.persist(start..end);
                } else if dice.one_in(4) {
                    // The length alone: zeros, or what lay there before.
                    self.lengthen(end, if dice.one_in(4) { 0xA5 } else { 0 });
                }
                start = end;
            }
        }
    }

    /// What was written reaches the disk in order, up to some byte.
    fn persist_prefix(&mut self, dice: &mut Dice) {
        for range in std::mem::take(&mut self.dirty) {
            let len = dice.below(range.len() + 1);
            self.persist(range.start..range.start + len);
            if len < range.len() {
                break;
            }
        }
    }

    fn persist(&mut self, range: Range<usize>) {
        self.lengthen(range.end, 0);
        self.durable[range.clone()].copy_from_slice(&self.seen[range]);
    }

    fn lengthen(&mut self, len: usize, with: u8) {
        if len > self.durable.len() {
            self.durable.resize(len, with);
        }
    }
}
