//! Which checkpoints have no time stamp yet, and where one goes when it comes.

use std::io;

use greffier_event::Tenant;
use greffier_merkle::Checkpoint;
use greffier_merkle::note::SignedNote;

use super::{Stamp, TimestampError};
use crate::publish::{MAX_CHECKPOINT_BYTES, TIMESTAMPS, TRAILS, checkpoint_path};
use crate::store::{Disk, join};

/// A checkpoint that grew beyond the last one that was stamped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose trail.
    pub trail: Tenant,
    /// How many entries it covers.
    pub size: u64,
    /// The signed note: these bytes are what a stamp is over.
    pub note: Vec<u8>,
}

/// Finds what is due, and keeps what came. Blocks for the disk, never for a network.
#[derive(Clone, Debug)]
pub struct Stamper {
    disk: Disk,
}

/// The folder of a trail's time stamps.
pub(crate) fn folder(trail: &str) -> String {
    format!("{TRAILS}/{trail}/{TIMESTAMPS}")
}

impl Stamper {
    pub(crate) fn new(disk: Disk) -> Stamper {
        Stamper { disk }
    }

    /// The newest checkpoint of every trail that grew since its last stamp.
    pub fn due(&self) -> io::Result<Vec<Due>> {
        let mut due = Vec::new();
        for listed in self.disk.store().list(TRAILS)?.into_iter().filter(|listed| listed.is_dir) {
            let Ok(trail) = Tenant::new(listed.name) else { continue };
            let note = match self.disk.store().read(&checkpoint_path(trail.as_str()), MAX_CHECKPOINT_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            let size =
                size(&note).ok_or_else(|| io::Error::other(format!("checkpoint of `{trail}` is damaged")))?;
            let stamped = self.disk.store().list(&folder(trail.as_str()))?;
            let stamped =
                stamped.iter().filter_map(|listed| listed.name.strip_suffix(".tsr")?.parse::<u64>().ok());
            if stamped.max().is_none_or(|stamped| stamped < size) {
                due.push(Due { trail, size, note });
            }
        }
        Ok(due)
    }

    /// Keeps a response beside the checkpoint that it is of, durably. One that is of anything else is refused.
    pub fn keep(&self, due: &Due, response: &[u8]) -> Result<(), KeepError> {
        Stamp::read(response)?.check(&due.note)?;
        let path = |kind: &str| join(&folder(due.trail.as_str()), &format!("{}.{kind}", due.size));
        // The response last: it never stands without what it is of.
        self.disk.replace(&path("checkpoint"), &due.note)?;
        self.disk.replace(&path("tsr"), response)?;
        Ok(())
    }
}

/// Why a response was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It is no stamp of this checkpoint.
    #[error(transparent)]
    Stamp(#[from] TimestampError),
    /// The disk.
    #[error("cannot keep the time stamp: {0}")]
    Io(#[from] io::Error),
}

fn size(note: &[u8]) -> Option<u64> {
    let note = SignedNote::parse(std::str::from_utf8(note).ok()?).ok()?;
    Checkpoint::parse(note.text()).ok().map(|checkpoint| checkpoint.size)
}
