//! Emptying the log: what lies in its older files is sealed, at whatever size, and the files go.
//!
//! An erasure begins with it: in the log a part cannot be taken out, beside a segment it can.

use super::{SealError, Sealer};
use crate::wal;
use crate::wal::replay::Listing;

impl Sealer {
    /// Seals all that the files before `file` hold, which must be signed for, and removes them. When this
    /// returns, they are gone from the disk for good.
    pub(crate) fn drain(&mut self, file: u64) -> Result<(), SealError> {
        self.settle_doubt()?;
        loop {
            let due = self.backlog().due_before(file, &self.policy);
            match due {
                Ok(Some(due)) => self.seal(&due)?,
                Ok(None) => break,
                Err(trail) => {
                    let what = format!("trail `{trail}` is not signed to its end yet");
                    return Err(std::io::Error::other(what).into());
                }
            }
        }
        if self.holds.floor < file {
            let spent: Vec<u64> = (self.holds.floor..file).collect();
            let mut holds = self.holds.clone();
            let open = self.spend(&mut holds, &spent)?;
            self.chain.commit(&self.disk, &self.keys, &self.node_origin, &holds, false)?;
            self.backlog().forget(holds.floor);
            (self.holds, self.open) = (holds, open);
        }
        // Those too that could not be removed when they were spent.
        let listed = Listing::read(&self.disk)?.sequences;
        for sequence in listed.into_iter().filter(|sequence| *sequence < self.holds.floor) {
            self.disk.remove(&wal::path(sequence))?;
        }
        Ok(self.disk.store().sync_dir(wal::DIR)?)
    }
}
