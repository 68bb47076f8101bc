//! A simulated file system that fails, tears and forgets.
//!
//! It keeps two images: what a running process sees, and what a power cut would leave. A failed sync drops the
//! dirty bytes as kernels do: they stay visible and are called clean, but never reach the disk.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Append, Listed, Lock, Source, Store, join, parent};

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and did nothing; of a sync: the bytes are lost.
    NotDone,
    /// A write leaves half of its bytes and fails; everything else as `NotDone`.
    Torn,
    /// It fails, but it was done.
    DoneButFailed,
    /// The process dies before it: this and everything after fails and does nothing.
    Dies,
}

pub(crate) const FAULTS: [Fault; 4] = [Fault::NotDone, Fault::Torn, Fault::DoneButFailed, Fault::Dies];

/// A disk that says it synced and did not: stands for a sync that the code forgot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Of what is appended to a file.
    Append,
    /// Of a file that is written whole.
    File,
    /// Of the names in a directory.
    Dir,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process is killed; the system writes everything out.
    Kill,
    /// The power fails: what was not synced is gone, there in part, or there with holes, by the seed.
    Power(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since the last sync.
    dirty: Vec<Range<usize>>,
    /// Ranges whose sync failed: they read well and will never be durable.
    lost: Vec<Range<usize>>,
}

#[derive(Debug, Default)]
struct World {
    files: Vec<File>,
    seen: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    operations: usize,
    plan: Option<(usize, Fault)>,
    lie: Option<Lie>,
}

/// Clones share one world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sim(Arc<Mutex<World>>);

impl File {
    /// What a successful sync makes durable: everything but what an earlier failure lost.
    fn synced(&self) -> Vec<u8> {
        let mut bytes = self.seen.clone();
        for range in &self.lost {
            self.restore(&mut bytes, range.clone());
        }
        bytes
    }

    /// Puts what is durable, or zeros, in place of a range.
    fn restore(&self, bytes: &mut [u8], range: Range<usize>) {
        for at in range {
            bytes[at] = self.durable.get(at).copied().unwrap_or(0);
        }
    }
}

impl World {
    /// Counts an operation and says what goes wrong with it.
    fn fault(&mut self) -> Option<Fault> {
        self.operations += 1;
        match self.plan {
            Some((at, fault)) if at == self.operations => Some(fault),
            Some((at, Fault::Dies)) if at < self.operations => Some(Fault::Dies),
            _ => None,
        }
    }

    /// Runs `effect` as the fault allows.
    fn apply(&mut self, effect: impl FnOnce(&mut World) -> io::Result<()>) -> io::Result<()> {
        match self.fault() {
            None => effect(self),
            Some(Fault::DoneButFailed) => effect(self).and(Err(injected())),
            Some(_) => Err(injected()),
        }
    }

    fn file(&mut self, path: &str) -> io::Result<usize> {
        match self.seen.get(path) {
            Some(Node::File(file)) => Ok(*file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn write(&mut self, file: usize, at: usize, bytes: &[u8]) -> io::Result<()> {
        let written = match self.fault() {
            None | Some(Fault::DoneButFailed) => bytes.len(),
            Some(Fault::Torn) => bytes.len() / 2,
            Some(_) => return Err(injected()),
        };
        let range = at..at + written;
        let file = &mut self.files[file];
        file.seen.resize(file.seen.len().max(range.end), 0);
        file.seen[range.clone()].copy_from_slice(&bytes[..written]);
        file.dirty.push(range);
        let whole = written == bytes.len() && self.plan.is_none_or(|(at, _)| at != self.operations);
        if whole { Ok(()) } else { Err(injected()) }
    }

    fn sync(&mut self, file: usize, kind: Lie) -> io::Result<()> {
        let fault = self.fault();
        if self.lie == Some(kind) {
            return Ok(());
        }
        let file = &mut self.files[file];
        match fault {
            None | Some(Fault::DoneButFailed) => {
                file.durable = file.synced();
                file.dirty.clear();
            }
            Some(Fault::Dies) => {}
            Some(_) => file.lost.append(&mut file.dirty),
        }
        if fault.is_none() { Ok(()) } else { Err(injected()) }
    }
}

fn injected() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "injected fault")
}

impl Sim {
    /// Makes the `at`th operation from now on go wrong.
    pub(crate) fn plan(&self, at: usize, fault: Fault) {
        let mut world = self.0.lock().unwrap();
        world.operations = 0;
        world.plan = Some((at, fault));
    }

    /// From now on one kind of sync does nothing.
    pub(crate) fn lie(&self, lie: Lie) {
        self.0.lock().unwrap().lie = Some(lie);
    }

    /// Operations since the plan was made.
    pub(crate) fn operations(&self) -> usize {
        self.0.lock().unwrap().operations
    }

    /// The world after the process is gone: what the next one finds. Nothing goes wrong any more.
    pub(crate) fn crash(&self, crash: Crash) {
        let mut world = self.0.lock().unwrap();
        world.plan = None;
        world.lie = None;
        let Crash::Power(seed) = crash else { return };
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = move |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below.max(1) as u64) as usize
        };
        for file in &mut world.files {
            let whole = file.synced();
            let base = file.dirty.iter().map(|range| range.start).min().unwrap_or(whole.len());
            let pending = file.dirty.iter().map(|range| range.end).max().unwrap_or(base) - base;
            let mut kept = match next(4) {
                0 => file.durable.clone(),
                1 => whole,
                2 => {
                    // In order, up to a place; where the file was long enough, what was there stays behind it.
                    let cut = base + next(pending + 1);
                    [&whole[..cut], file.durable.get(cut..).unwrap_or_default()].concat()
                }
                _ => {
                    // Pages went out in any order: a hole before bytes that made it.
                    let mut torn = whole;
                    let hole = base + next(pending + 1);
                    let end = hole + next(base + pending - hole + 1);
                    file.restore(&mut torn, hole..end);
                    torn
                }
            };
            // A range whose sync failed was dropped and is in no case there.
            let lost = file.lost.iter().map(|range| range.start).min().unwrap_or(kept.len());
            if next(2) == 0 && lost >= file.durable.len() {
                kept.truncate(lost.max(file.durable.len()));
            }
            *file = File { seen: kept.clone(), durable: kept, ..File::default() };
        }
        // Renames that were not synced are there or not, all together or none.
        if next(2) == 0 {
            world.seen = world.durable.clone();
        } else {
            world.durable = world.seen.clone();
        }
    }

    /// Writes the world as it is seen into a real directory.
    pub(crate) fn dump(&self, dir: &Path) {
        let world = self.0.lock().unwrap();
        for (path, node) in &world.seen {
            match node {
                Node::Dir => std::fs::create_dir_all(dir.join(path)).unwrap(),
                Node::File(file) => std::fs::write(dir.join(path), &world.files[*file].seen).unwrap(),
            }
        }
    }
}

impl Store for Sim {
    fn prepare(&self) -> io::Result<()> {
        self.0.lock().unwrap().apply(|_| Ok(()))
    }

    fn lock(&self) -> io::Result<Lock> {
        Ok(Lock(None))
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.0.lock().unwrap().apply(|world| {
            world.seen.entry(dir.to_owned()).or_insert(Node::Dir);
            Ok(())
        })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        let world = self.0.lock().unwrap();
        let inside = world.seen.iter().filter(|(path, _)| !path.is_empty() && parent(path) == dir);
        let listed = |(path, node): (&String, &Node)| Listed {
            name: path.rsplit('/').next().unwrap().to_owned(),
            is_dir: *node == Node::Dir,
        };
        Ok(inside.map(listed).collect())
    }

    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut world = self.0.lock().unwrap();
        let file = world.file(path)?;
        assert!(world.files[file].seen.len() as u64 <= limit, "{path} is longer than its reader allows");
        Ok(world.files[file].seen.clone())
    }

    fn head(&self, path: &str, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path, u64::MAX)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    fn read_from(&self, path: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read(path, u64::MAX)?;
        Ok(bytes.into_iter().skip(offset as usize).take(limit as usize).collect())
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        Ok(Source::Bytes(self.read(path, u64::MAX)?.into()))
    }

    fn location(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn write_synced(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        assert_eq!(world.seen.get(parent(path)).unwrap_or(&Node::Dir), &Node::Dir);
        assert!(
            parent(path).is_empty() || world.seen.contains_key(parent(path)),
            "{path}: no such directory"
        );
        let file = world.files.len();
        world.files.push(File::default());
        world.seen.insert(path.to_owned(), Node::File(file));
        world.write(file, 0, bytes)?;
        world.sync(file, Lie::File)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.lock().unwrap().apply(|world| {
            let node = world.seen.remove(from).ok_or(io::ErrorKind::NotFound)?;
            world.seen.insert(to.to_owned(), node);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0
            .lock()
            .unwrap()
            .apply(|world| world.seen.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into()))
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        if !self.list(dir)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.remove(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.0.lock().unwrap().apply(|world| {
            if world.lie == Some(Lie::Dir) {
                return Ok(());
            }
            let inside = |path: &str| join(dir, path.rsplit('/').next().unwrap_or_default()) == path;
            world.durable.retain(|path, _| !inside(path));
            let seen: Vec<_> = world
                .seen
                .iter()
                .filter(|(path, _)| inside(path))
                .map(|(path, node)| (path.clone(), *node))
                .collect();
            world.durable.extend(seen);
            Ok(())
        })
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Append>> {
        let mut world = self.0.lock().unwrap();
        let file = world.file(path)?;
        let at = world.files[file].seen.len();
        Ok(Box::new(Open { world: self.clone(), file, at }))
    }

    fn fill(&self, path: &str, len: u64) -> io::Result<()> {
        self.write_synced(path, &vec![0; len as usize])
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn Append>> {
        let file = self.0.lock().unwrap().file(path)?;
        Ok(Box::new(Open { world: self.clone(), file, at: 0 }))
    }
}

struct Open {
    world: Sim,
    file: usize,
    at: usize,
}

impl Append for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.world.0.lock().unwrap().write(self.file, self.at, bytes)?;
        self.at += bytes.len();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.world.0.lock().unwrap().sync(self.file, Lie::Append)
    }
}
