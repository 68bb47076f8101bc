//! The demo's folder: made fresh each time, and never anybody else's. A marker says that the demo made it, and is
//! held locked while one runs there.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::exit::Failure;

/// Where the demo goes when nobody says where.
const DEFAULT: &str = "greffier-demo";
/// Says that the demo made the folder.
const MARKER: &str = ".made-by-greffier-demo";

pub(super) const CONFIG: &str = "greffier.toml";
pub(super) const DATA: &str = "data";
pub(super) const KEYS: &str = "keys";
pub(super) const POLICIES: &str = "policies";
pub(super) const CREDENTIALS: &str = "credentials";
pub(super) const TOKENS: &str = "tokens";
pub(super) const TRUST: &str = "trust";
pub(super) const CHANGED: &str = "data-changed";
/// All that the demo writes, and so all that it ever removes.
const OWN: [&str; 8] = [CONFIG, DATA, KEYS, POLICIES, CREDENTIALS, TOKENS, TRUST, CHANGED];

/// The folder of one run.
pub(super) struct Folder {
    path: PathBuf,
    /// Whether an earlier demo's was cleared for this one.
    pub(super) renewed: bool,
    /// Gone with the run: nobody asked to keep it.
    pub(super) passing: bool,
    /// Its lock keeps a second demo out.
    _marker: File,
}

impl Folder {
    /// Makes it at `dir`, or where the demo goes by default; a run that ends on its own gets a passing one.
    pub(super) fn make(dir: Option<&Path>, once: bool) -> anyhow::Result<Folder> {
        let passing = once && dir.is_none();
        let path = match dir {
            Some(dir) => dir.to_owned(),
            None if once => std::env::temp_dir().join(format!("{DEFAULT}-{}", uuid::Uuid::now_v7().simple())),
            None => PathBuf::from(DEFAULT),
        };
        let place = path.display();
        // Tokens and keys lie in it: it is its owner's.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create `{place}`"))?;
        let marker = path.join(MARKER);
        let renewed = marker.symlink_metadata().is_ok();
        if !renewed && fs::read_dir(&path)?.next().is_some() {
            let failure = Failure::new("exists", format!("`{place}` is not empty, and no demo made it"));
            return Err(failure.hint("choose another folder with --dir").into());
        }
        let marker = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&marker)
            .with_context(|| format!("cannot write into `{place}`"))?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let failure = Failure::new("busy", format!("a demo runs in `{place}`"));
                return Err(failure.hint("stop it, or choose another folder with --dir").into());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for name in OWN {
            remove(&path.join(name)).with_context(|| format!("cannot clear `{place}`"))?;
        }
        Ok(Folder { path, renewed, passing, _marker: marker })
    }

    /// As commands name it. A passing folder goes by the name of one that stays.
    pub(super) fn shown(&self) -> &Path {
        if self.passing { Path::new(DEFAULT) } else { &self.path }
    }

    /// Something in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder in it.
    pub(super) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(path)
    }

    /// Writes a file in it, that only its owner may read: it may be a token.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.passing {
            // What cannot be removed stays with the system's other temporary files.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// Removes a file or a folder; what is not there is removed. A link is removed, not followed.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demos_own_folder_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("demo");
        let first = Folder::make(Some(&at), false).unwrap();
        assert!(!first.renewed);
        first.write(CONFIG, "x").unwrap();
        fs::create_dir(first.folder(DATA).unwrap().join("below")).unwrap();
        let said = |dir: &Path| Folder::make(Some(dir), false).err().map(|error| error.to_string()).unwrap();
        assert_eq!(said(&at), format!("a demo runs in `{}`", at.display()));
        drop(first);

        fs::write(at.join("mine.txt"), "kept").unwrap();
        let second = Folder::make(Some(&at), false).unwrap();
        assert!(second.renewed);
        assert!(!second.path(CONFIG).exists() && !second.path(DATA).exists());
        assert_eq!(fs::read_to_string(at.join("mine.txt")).unwrap(), "kept");

        let theirs = dir.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join(CONFIG), "theirs").unwrap();
        assert_eq!(said(&theirs), format!("`{}` is not empty, and no demo made it", theirs.display()));
        assert_eq!(fs::read_to_string(theirs.join(CONFIG)).unwrap(), "theirs");
    }

    #[test]
    fn a_passing_folder_goes_with_its_run() {
        let folder = Folder::make(None, true).unwrap();
        let path = folder.path.clone();
        folder.write(CONFIG, "x").unwrap();
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
