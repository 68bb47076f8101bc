//! Whether witnesses vouch for the trails, as far as their files show it.

use std::io;
use std::time::Duration;

use greffier_event::Tenant;
use greffier_merkle::Checkpoint;
use greffier_merkle::note::SignedNote;
use greffier_merkle::trust::TrustPolicy;

use super::{ReadError, Reader, damaged, io_error};
use crate::anchoring::{Anchoring, Standing};
use crate::publish::{TRAILS, checkpoint_path, cosigned_path};

impl Reader {
    /// Whether the trails are vouched for at `now`, in seconds since 1970, as far as the files show it: by the
    /// witnesses of `trust`, or of the directory's own policy. Since when an entry has waited they do not show: one
    /// that the last cosignatures do not cover has waited as long as these are old.
    pub fn anchoring(
        &self,
        trust: Option<&TrustPolicy>,
        now: u64,
        stale_after: Duration,
    ) -> Result<Anchoring, ReadError> {
        let own = match trust {
            Some(_) => None,
            None => TrustPolicy::parse(&self.trust()?).ok(),
        };
        let trust = trust.or(own.as_ref()).filter(|trust| trust.has_quorum());
        let mut standing = Standing { asked: None, node: None, waiting: 0 };
        let Some(trust) = trust else { return Ok(standing.judge(now, stale_after)) };
        standing.asked = Some("as many witnesses as the policy asks for".to_owned());
        let folders = match self.disk.store().list(TRAILS) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            folders => folders.map_err(io_error(TRAILS))?,
        };
        for folder in folders.into_iter().filter(|folder| folder.is_dir) {
            let Some((signed, _)) = self.head(&checkpoint_path(&folder.name), &folder.name)? else {
                continue;
            };
            let cosigned = self.head(&cosigned_path(&folder.name), &folder.name)?;
            let cosigned = cosigned.and_then(|(head, note)| Some((head.size, trust.cosigned_at(&note)?)));
            if folder.name == Tenant::NODE {
                standing.node = cosigned.map(|(_, time)| time);
            }
            let recent = |time: u64| now.saturating_sub(time) <= stale_after.as_secs();
            let waits = !cosigned.is_some_and(|(size, time)| size >= signed.size || recent(time));
            standing.waiting += usize::from(waits);
        }
        Ok(standing.judge(now, stale_after))
    }

    /// A checkpoint of a trail; whose signatures hold is another question.
    fn head(&self, place: &str, trail: &str) -> Result<Option<(Checkpoint, SignedNote)>, ReadError> {
        let Some(text) = self.note(place)? else { return Ok(None) };
        let note = SignedNote::parse(&text).map_err(|error| damaged(place, &error.to_string()))?;
        let head = Checkpoint::parse(note.text()).map_err(|error| damaged(place, &error.to_string()))?;
        if head.origin.rsplit('/').next() == Some(trail) {
            Ok(Some((head, note)))
        } else {
            Err(damaged(place, "the checkpoint is that of another trail"))
        }
    }
}
