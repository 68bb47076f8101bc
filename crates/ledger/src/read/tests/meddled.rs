//! A store in which something happens between two looks of a reader.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::store::sim::Sim;
use crate::store::{Append, Listed, Lock, Source, Store};

type Meddle = Box<dyn FnOnce() + Send>;

/// What happens before the reads to come, by their number.
#[derive(Clone, Default)]
pub(super) struct Meddled {
    sim: Sim,
    waiting: Arc<Mutex<Vec<(usize, Meddle)>>>,
}

impl Meddled {
    /// The store without what happens: for the writer.
    pub(super) fn beneath(&self) -> Arc<dyn Store> {
        Arc::new(self.sim.clone())
    }

    /// Lets `meddle` happen when `reads` more reads were made.
    pub(super) fn after(&self, reads: usize, meddle: impl FnOnce() + Send + 'static) {
        self.waiting.lock().unwrap().push((reads, Box::new(meddle)));
    }

    /// Whether all has happened.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.lock().unwrap().is_empty()
    }

    fn reading(&self) -> &Sim {
        let due = {
            let mut waiting = self.waiting.lock().unwrap();
            let due: Vec<_> = waiting.extract_if(.., |(reads, _)| *reads == 0).collect();
            waiting.iter_mut().for_each(|(reads, _)| *reads -= 1);
            due
        };
        due.into_iter().for_each(|(_, meddle)| meddle());
        &self.sim
    }
}

impl Store for Meddled {
    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        self.reading().list(dir)
    }

    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.reading().read(path, limit)
    }

    fn head(&self, path: &str, len: usize) -> io::Result<Vec<u8>> {
        self.reading().head(path, len)
    }

    fn read_from(&self, path: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        self.reading().read_from(path, offset, limit)
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        self.reading().open(path)
    }

    fn location(&self, path: &str) -> Option<PathBuf> {
        self.sim.location(path)
    }

    fn prepare(&self) -> io::Result<()> {
        self.sim.prepare()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.sim.lock()
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.sim.make_dir(dir)
    }

    fn write_synced(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.sim.write_synced(path, bytes)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.sim.rename(from, to)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.sim.rename_new(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.sim.remove(path)
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        self.sim.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.sim.sync_dir(dir)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Append>> {
        self.sim.append(path)
    }

    fn fill(&self, path: &str, len: u64) -> io::Result<()> {
        self.sim.fill(path, len)
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn Append>> {
        self.sim.overwrite(path)
    }
}
