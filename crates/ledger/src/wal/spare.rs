//! Space for the next file of the log, made before it is needed.
//!
//! A sync of bytes that make a file longer also waits for the file system's own journal; where the file is long
//! enough already it waits for the bytes alone, which is faster and far steadier. So the next file is filled with
//! zeros under a name that counts for nothing, and takes its place in the log when its header is durable. Space is
//! never used twice: what was in a file of the log, encrypted parts too, is gone with it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DIR;
use crate::store::{Append, Disk, UNFINISHED};

/// Where the space waits.
fn path() -> String {
    format!("{DIR}/spare{UNFINISHED}")
}

/// Whether space is ready, and how much. Clones share it: one fills, the other takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spare(Arc<AtomicU64>);

impl Spare {
    /// Makes `space` bytes ready. Blocks until they are durable.
    pub(crate) fn fill(&self, disk: &Disk, space: u64) -> io::Result<()> {
        disk.ensure_dir(DIR)?;
        disk.store().fill(&path(), space)?;
        self.0.store(space, Ordering::Release);
        Ok(())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// Takes what is ready. It is there for one try.
    pub(super) fn take(&self) -> Option<u64> {
        Some(self.0.swap(0, Ordering::AcqRel)).filter(|space| *space > 0)
    }

    /// Leaves nothing behind that a clean stop would have to explain.
    pub(crate) fn remove(&self, disk: &Disk) -> io::Result<()> {
        self.take();
        match disk.store().remove(&path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.and_then(|()| disk.store().sync_dir(DIR)),
        }
    }
}

/// Makes the space the file of the log at `to`, which begins with `header`.
pub(super) fn begin(disk: &Disk, to: &str, header: &[u8]) -> io::Result<Box<dyn Append>> {
    let mut file = disk.store().overwrite(&path())?;
    // As with every file: whole and durable under its old name, then the real name, then that durable too.
    file.write(header)?;
    file.sync()?;
    disk.store().rename(&path(), to)?;
    disk.store().sync_dir(DIR)?;
    Ok(file)
}
