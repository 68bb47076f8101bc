//! How far one webhook has come on each trail: a small file, replaced as a whole and synced, so that it is always the
//! one from before or the one from after a delivery.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_event::Tenant;

/// One behind the last entry that was told, by trail.
pub(super) struct Positions {
    path: PathBuf,
    /// `None` until there is a file.
    next: Option<BTreeMap<String, u64>>,
}

impl Positions {
    pub(super) fn open(folder: &Path, name: &str) -> anyhow::Result<Positions> {
        let path = folder.join(format!("{name}.json"));
        let next = match fs::read(&path) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).with_context(|| {
                format!("`{}` is damaged: remove it, and the webhook begins with what comes", path.display())
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        Ok(Positions { path, next })
    }

    /// Whether nothing was ever told.
    pub(super) fn is_new(&self) -> bool {
        self.next.is_none()
    }

    /// Begins at these places.
    pub(super) async fn begin(&mut self, ends: BTreeMap<String, u64>) -> anyhow::Result<()> {
        self.keep(ends).await
    }

    /// The entry that comes next on a trail. One that is new is told from its start.
    pub(super) fn of(&self, trail: &Tenant) -> u64 {
        self.next.as_ref().and_then(|next| next.get(trail.as_str())).copied().unwrap_or(0)
    }

    /// Remembers it, durably.
    pub(super) async fn set(&mut self, trail: &Tenant, next: u64) -> anyhow::Result<()> {
        let mut all = self.next.clone().unwrap_or_default();
        all.insert(trail.to_string(), next);
        self.keep(all).await
    }

    async fn keep(&mut self, next: BTreeMap<String, u64>) -> anyhow::Result<()> {
        let (path, text) = (self.path.clone(), serde_json::to_vec(&next)?);
        tokio::task::spawn_blocking(move || replace(&path, &text)).await??;
        self.next = Some(next);
        Ok(())
    }
}

fn replace(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(failed)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new).with_context(failed)?;
    file.write_all(text).and_then(|()| file.sync_all()).with_context(failed)?;
    fs::rename(&new, path).with_context(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_told_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let acme = Tenant::new("acme").unwrap();
        let folder = dir.path().join("webhooks");
        let mut positions = Positions::open(&folder, "soc").unwrap();
        assert!(positions.is_new());
        positions.begin(BTreeMap::from([("acme".to_owned(), 7)])).await.unwrap();
        positions.set(&acme, 9).await.unwrap();
        let again = Positions::open(&folder, "soc").unwrap();
        assert_eq!((again.is_new(), again.of(&acme), again.of(&Tenant::node())), (false, 9, 0));
        fs::write(folder.join("soc.json"), "{").unwrap();
        assert!(Positions::open(&folder, "soc").is_err());
    }
}
