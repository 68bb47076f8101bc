//! A simulated file system that fails, tears and forgets.
//!
//! It keeps what a running process sees and what a power cut would leave of it ([`image`]), and makes operations
//! go wrong: one that is named, or any of them by chance. Chance comes from a seed ([`dice`]), so that whatever
//! happened once can be made to happen again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Append, Listed, Lock, Source, Store, UNFINISHED, parent};

pub(crate) mod dice;
mod image;

use dice::Dice;
use image::{Image, Node};

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and did nothing; of a sync: the bytes are lost.
    NotDone,
    /// A write leaves some of its bytes and fails, a sync some sectors; everything else as `NotDone`.
    Torn,
    /// It fails, but it was done.
    DoneButFailed,
    /// The process dies before it: this and everything after fails and does nothing.
    Dies,
}

pub(crate) const FAULTS: [Fault; 4] = [Fault::NotDone, Fault::Torn, Fault::DoneButFailed, Fault::Dies];

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process is killed; what it wrote stays to be read, and is no more durable than before.
    Kill,
    /// The power fails: what was not synced is gone, there in part, or there with holes, by the seed.
    Power(u64),
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// One operation, counted from 1, and how.
    pub(crate) at: Option<(usize, Fault)>,
    /// Any operation, once in so many, by this seed. Reads then fail too, more rarely.
    pub(crate) chance: Option<(u64, usize)>,
}

#[derive(Clone, Debug, Default)]
struct World {
    image: Image,
    operations: usize,
    reads: usize,
    trouble: Trouble,
    /// Every checkpoint that was signed, by path: the world outside may have it, whatever the disk keeps.
    signed: Vec<(String, Vec<u8>)>,
    /// Every sync that made something durable, by what it did.
    syncs: BTreeSet<String>,
    /// Every operation, in words, once somebody asked for it.
    told: Option<Vec<String>>,
    /// A sync that says it was done and was not: stands for one that the code forgot.
    forgotten: Option<String>,
}

/// Clones share one world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sim(Arc<Mutex<World>>);

impl World {
    /// Counts an operation and says what goes wrong with it.
    fn fault(&mut self, what: &str, path: &str) -> Option<Fault> {
        self.operations += 1;
        if let Some(told) = &mut self.told {
            told.push(format!("{what} {}", pattern(path)).trim_end().to_owned());
        }
        match self.trouble.at {
            Some((at, fault)) if at == self.operations => return Some(fault),
            Some((at, Fault::Dies)) if at < self.operations => return Some(Fault::Dies),
            _ => {}
        }
        let (seed, times) = self.trouble.chance?;
        let mut dice = Dice::of(seed, self.operations);
        dice.one_in(times).then(|| *dice.pick(&[Fault::NotDone, Fault::Torn, Fault::DoneButFailed]))
    }

    /// The error of a fault: mostly a full disk, by chance a broken one.
    fn error(&self) -> io::Error {
        let broken = self.trouble.chance.is_some_and(|(seed, _)| Dice::of(!seed, self.operations).one_in(2));
        let kind = if broken { io::ErrorKind::Other } else { io::ErrorKind::StorageFull };
        io::Error::new(kind, "injected fault")
    }

    /// Chance of the moment, for what a fault leaves.
    fn dice(&self) -> Dice {
        Dice::of(self.trouble.chance.map_or(1, |(seed, _)| seed.rotate_left(17)), self.operations)
    }

    /// Runs `effect` as the fault allows.
    fn apply(
        &mut self,
        what: &str,
        path: &str,
        effect: impl FnOnce(&mut World) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.fault(what, path) {
            None => effect(self),
            Some(Fault::DoneButFailed) => effect(self).and(Err(self.error())),
            Some(_) => Err(self.error()),
        }
    }

    fn file(&mut self, path: &str) -> io::Result<usize> {
        self.reads += 1;
        if let Some((seed, times)) = self.trouble.chance
            && Dice::of(seed.rotate_left(31), self.reads).one_in(times * 20)
        {
            return Err(io::Error::other("injected fault"));
        }
        match self.image.seen.get(path) {
            Some(Node::File(file)) => Ok(*file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn write(&mut self, file: usize, path: &str, at: usize, bytes: &[u8]) -> io::Result<()> {
        let fault = self.fault("write", path);
        let written = match fault {
            None | Some(Fault::DoneButFailed) => bytes.len(),
            Some(Fault::Torn) => self.dice().below(bytes.len() + 1),
            Some(_) => 0,
        };
        if written > 0 {
            self.image.write(file, at, &bytes[..written]);
        }
        if fault.is_none() { Ok(()) } else { Err(self.error()) }
    }

    fn sync(&mut self, file: usize, path: &str) -> io::Result<()> {
        let fault = self.fault("sync", path);
        if self.forgets(format!("bytes of {}", pattern(path))) {
            return Ok(());
        }
        let mut dice = self.dice();
        match fault {
            None | Some(Fault::DoneButFailed) => self.image.sync(file),
            Some(Fault::Dies) => {}
            Some(Fault::NotDone) => self.image.fail_sync(file, None),
            Some(Fault::Torn) => self.image.fail_sync(file, Some(&mut dice)),
        }
        if fault.is_none() { Ok(()) } else { Err(self.error()) }
    }

    /// Takes note of a sync, and says whether it is the forgotten one.
    fn forgets(&mut self, what: String) -> bool {
        let forgotten = self.forgotten.as_ref() == Some(&what);
        self.syncs.insert(what);
        forgotten
    }
}

/// The kind of file that a path is: trails and numbers do not matter, but for the level of a tile.
fn pattern(path: &str) -> String {
    let path = path.strip_suffix(UNFINISHED).unwrap_or(path);
    let mut kind = String::new();
    for (at, name) in path.split('/').enumerate() {
        let of_a_trail = at == 1 && kind == "trails";
        let separator = if at == 0 { "" } else { "/" };
        kind = kind + separator + if of_a_trail { "*" } else { name };
    }
    let (level, rest) = match kind.split_once("/tile/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => kind.split_at(kind.len() - rest.len()),
        None => ("", kind.as_str()),
    };
    let mut digits = false;
    let plain = |c: char| {
        let repeated = digits && c.is_ascii_digit();
        digits = c.is_ascii_digit();
        (!repeated).then_some(if digits { '#' } else { c })
    };
    level.chars().chain(rest.chars().filter_map(plain)).collect()
}

impl Sim {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Makes the `at`th operation from now on go wrong.
    pub(crate) fn plan(&self, at: usize, fault: Fault) {
        self.trouble(Trouble { at: Some((at, fault)), chance: None });
    }

    /// What goes wrong from now on, operations counted from here; returns what went wrong before.
    pub(crate) fn trouble(&self, trouble: Trouble) -> Trouble {
        let mut world = self.world();
        world.operations = 0;
        std::mem::replace(&mut world.trouble, trouble)
    }

    /// From now on this sync does nothing and says that it was done.
    pub(crate) fn forget(&self, sync: Option<&str>) {
        self.world().forgotten = sync.map(str::to_owned);
    }

    /// Every kind of sync so far, by what it made durable.
    pub(crate) fn syncs(&self) -> BTreeSet<String> {
        self.world().syncs.clone()
    }

    /// Every operation since this was last asked, in words.
    pub(crate) fn take_told(&self) -> Vec<String> {
        self.world().told.replace(Vec::new()).unwrap_or_default()
    }

    /// Every checkpoint that was signed since this was last asked, by path.
    pub(crate) fn take_signed(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.world().signed)
    }

    /// What is left of the trouble, counted from here: a plan may reach into the next life.
    pub(crate) fn rest_of_trouble(&self) -> Trouble {
        let world = self.world();
        let at = world.trouble.at.map(|(at, fault)| (at.saturating_sub(world.operations), fault));
        Trouble { at, ..world.trouble.clone() }
    }

    /// Whether a power cut could no longer take back that the name is there.
    pub(crate) fn is_durable(&self, path: &str) -> bool {
        self.world().image.is_durable(path)
    }

    /// Another world, equal to this one now.
    pub(crate) fn fork(&self) -> Sim {
        Sim(Arc::new(Mutex::new(self.world().clone())))
    }

    /// The world after the process is gone: what the next one finds. Nothing goes wrong any more.
    pub(crate) fn crash(&self, crash: Crash) {
        let mut world = self.world();
        world.trouble = Trouble::default();
        world.forgotten = None;
        if let Crash::Power(seed) = crash {
            world.image.power_cut(&mut Dice::new(seed));
        }
    }

    /// Writes the world as it is seen into a real directory.
    pub(crate) fn dump(&self, dir: &Path) {
        let world = self.world();
        for (path, node) in &world.image.seen {
            match node {
                Node::Dir => std::fs::create_dir_all(dir.join(path)).unwrap(),
                Node::File(file) => std::fs::write(dir.join(path), world.image.bytes(*file)).unwrap(),
            }
        }
    }
}

impl Store for Sim {
    fn prepare(&self) -> io::Result<()> {
        self.world().apply("prepare", "", |_| Ok(()))
    }

    fn lock(&self) -> io::Result<Lock> {
        Ok(Lock(None))
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.world().apply("make folder", dir, |world| {
            world.image.put_dir(dir);
            Ok(())
        })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        let world = self.world();
        let inside = world.image.seen.iter().filter(|(path, _)| !path.is_empty() && parent(path) == dir);
        let listed = |(path, node): (&String, &Node)| Listed {
            name: path.rsplit('/').next().unwrap().to_owned(),
            is_dir: *node == Node::Dir,
        };
        Ok(inside.map(listed).collect())
    }

    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        let file = world.file(path)?;
        let bytes = world.image.bytes(file);
        assert!(bytes.len() as u64 <= limit, "{path} is longer than its reader allows");
        Ok(bytes.to_vec())
    }

    fn head(&self, path: &str, len: usize) -> io::Result<Vec<u8>> {
        self.read_from(path, 0, len as u64)
    }

    fn read_from(&self, path: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        let file = world.file(path)?;
        let bytes = world.image.bytes(file);
        Ok(bytes.iter().skip(offset as usize).take(limit as usize).copied().collect())
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        Ok(Source::Bytes(self.read(path, u64::MAX)?.into()))
    }

    fn location(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn write_synced(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let folder = parent(path);
        assert!(folder.is_empty() || world.image.seen.get(folder) == Some(&Node::Dir), "{path}: no folder");
        if path.ends_with(&format!("/checkpoint{UNFINISHED}")) {
            world.signed.push((path.to_owned(), bytes.to_owned()));
        }
        let file = world.image.put_file(path);
        world.write(file, path, 0, bytes)?;
        world.sync(file, path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.world().apply("rename to", to, |world| {
            if world.image.rename(from, to) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        })
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.world().apply("name anew", to, |world| {
            if world.image.seen.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if world.image.link(from, to) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        })?;
        self.remove(from)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.world().apply("remove", path, |world| {
            if world.image.remove(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        })
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        if !self.list(dir)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.remove(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.world().apply("sync names in", dir, |world| {
            let changes = world.image.unsynced(dir);
            // A sync that covers several kinds of change is each of them.
            let mut forgotten = false;
            for change in changes {
                forgotten |= world.forgets(format!("{change} in {}/", pattern(dir)));
            }
            if !forgotten {
                world.image.sync_dir(dir);
            }
            Ok(())
        })
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Append>> {
        let mut world = self.world();
        let file = world.file(path)?;
        let end = world.image.bytes(file).len();
        drop(world);
        Ok(Box::new(Open { world: self.clone(), path: path.to_owned(), file, end }))
    }

    fn fill(&self, path: &str, len: u64) -> io::Result<()> {
        self.write_synced(path, &vec![0; len as usize])
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn Append>> {
        let file = self.world().file(path)?;
        Ok(Box::new(Open { world: self.clone(), path: path.to_owned(), file, end: 0 }))
    }
}

struct Open {
    world: Sim,
    path: String,
    file: usize,
    end: usize,
}

impl Append for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.world.world().write(self.file, &self.path, self.end, bytes)?;
        self.end += bytes.len();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.world.world().sync(self.file, &self.path)
    }
}
