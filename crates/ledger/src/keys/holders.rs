//! The holders' keys: made on first use, kept in `users.keys`, and destroyed.
//!
//! The file is appended to, and written anew without a line that is destroyed. One process writes it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, KeyRing, io_error, read_bounded};
use crate::cipher::{CipherError, Secret};

pub(super) const HOLDERS: &str = "users.keys";
/// What is being written and was never finished: it counts for nothing.
const UNFINISHED: &str = "users.keys.tmp";
/// Ten million holders at 120 bytes a line.
const MAX_HOLDERS_FILE: u64 = 1_200_000_000;

pub(super) struct Holders {
    keys: HashMap<String, Secret>,
    /// Held from the first write on: one process writes a key ring.
    lock: Option<File>,
    /// Open from the first write on; `None` again after a failed one.
    file: Option<File>,
    /// Whether the file may end in bytes that were never acknowledged: it is then written anew.
    unsure: bool,
}

impl Holders {
    pub(super) fn read(dir: &Path, master: &Secret) -> Result<Holders, KeyError> {
        let (keys, unsure) = read_holders(dir, master)?;
        Ok(Holders { keys, lock: None, file: None, unsure })
    }
}

impl KeyRing {
    /// The key of a holder, if there is one.
    pub(crate) fn holder_key(&self, holder: &str) -> Option<Secret> {
        self.lock().keys.get(holder).cloned()
    }

    /// The key of a holder, made on first use. It is durable before it is returned: nothing may ever be sealed
    /// under a key that a crash could lose. Blocks for a sync when the holder is new.
    pub(crate) fn ensure_holder_key(&self, holder: &str) -> Result<Secret, KeyError> {
        let mut holders = self.lock();
        if !holders.keys.contains_key(holder) {
            self.open_for_writing(&mut holders)?;
        }
        // Looked up after opening: another process may have made the key before it stopped.
        if let Some(key) = holders.keys.get(holder) {
            return Ok(key.clone());
        }
        let key = Secret::random()?;
        let line = holder_line(&self.master, holder, &key)?;
        let file = holders.file.as_mut().ok_or(KeyError::Busy)?;
        if let Err(error) = file.write_all(line.as_bytes()).and_then(|()| file.sync_data()) {
            // What the file now ends in is unknown: never sync it again, write it anew next time.
            holders.file = None;
            holders.unsure = true;
            return Err(io_error(HOLDERS)(error));
        }
        holders.keys.insert(holder.to_owned(), key.clone());
        Ok(key)
    }

    /// Destroys the key of a holder, in memory and on disk; one that is gone already is fine. When this returns,
    /// nothing that was sealed under it can be opened. When it fails, the key is out of use, and may still be on
    /// disk: it must be destroyed again.
    pub(crate) fn destroy_holder_key(&self, holder: &str) -> Result<(), KeyError> {
        let mut holders = self.lock();
        self.open_for_writing(&mut holders)?;
        let known = holders.keys.remove(holder).is_some();
        if known || holders.unsure {
            // The open file is about to lose its name: what is appended to it would be lost.
            holders.file = None;
            holders.unsure = true;
            self.rewrite(&holders.keys)?;
            holders.unsure = false;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the holders' file for appending behind its last acknowledged line.
    fn open_for_writing(&self, holders: &mut Holders) -> Result<(), KeyError> {
        if holders.lock.is_none() {
            let folder = File::open(&self.dir).map_err(io_error("."))?;
            folder.try_lock().map_err(|error| match error {
                fs::TryLockError::WouldBlock => KeyError::Busy,
                fs::TryLockError::Error(error) => io_error(".")(error),
            })?;
            holders.lock = Some(folder);
            // Only now does nobody else write: what is on file is what counts.
            (holders.keys, holders.unsure) = read_holders(&self.dir, &self.master)?;
            self.remove_unfinished()?;
        }
        if holders.unsure {
            self.rewrite(&holders.keys)?;
            holders.unsure = false;
        }
        if holders.file.is_none() {
            let path = self.dir.join(HOLDERS);
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            let file = file.map_err(io_error(HOLDERS))?;
            // The file's own name must be durable before its first line can be.
            File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io_error("."))?;
            holders.file = Some(file);
        }
        Ok(())
    }

    /// A crash may have left one: it holds keys, among them some that were destroyed since.
    fn remove_unfinished(&self) -> Result<(), KeyError> {
        match fs::remove_file(self.dir.join(UNFINISHED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| File::open(&self.dir)?.sync_all()).map_err(io_error(UNFINISHED)),
        }
    }

    /// Replaces the holders' file by what is known to be acknowledged.
    fn rewrite(&self, keys: &HashMap<String, Secret>) -> Result<(), KeyError> {
        let mut text = String::new();
        for (holder, key) in keys {
            text.push_str(&holder_line(&self.master, holder, key)?);
        }
        let unfinished = self.dir.join(UNFINISHED);
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, self.dir.join(HOLDERS))?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(io_error(HOLDERS))
    }
}

/// The wrapped key is bound to its holder, so that lines cannot be exchanged.
fn holder_aad(holder: &str) -> Vec<u8> {
    [b"greffier/holder/v1\0", holder.as_bytes()].concat()
}

fn holder_line(master: &Secret, holder: &str, key: &Secret) -> Result<String, CipherError> {
    Ok(format!("{holder} {}\n", STANDARD.encode(master.wrap(&holder_aad(holder), key)?)))
}

/// The holders on file, and whether the last line was torn by a crash: it was never used, and is dropped.
fn read_holders(dir: &Path, master: &Secret) -> Result<(HashMap<String, Secret>, bool), KeyError> {
    let text = match read_bounded(dir, HOLDERS, MAX_HOLDERS_FILE) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => String::new(),
        result => result?,
    };
    let mut keys = HashMap::new();
    let mut torn = false;
    let mut lines = text.split_inclusive('\n').enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let invalid = |what| KeyError::Invalid { file: format!("{HOLDERS}, line {}", at + 1), what };
        let whole = line.strip_suffix('\n').and_then(|line| line.split_once(' '));
        let whole = whole.and_then(|(holder, wrapped)| Some((holder, STANDARD.decode(wrapped).ok()?)));
        let (holder, wrapped) = match whole {
            Some(whole) => whole,
            // A crash may keep a piece of the last line: it was never used. One that is whole but does not open is
            // another matter.
            None if lines.peek().is_none() => {
                torn = true;
                break;
            }
            None => return Err(invalid("is damaged")),
        };
        let key = master.unwrap(&holder_aad(holder), &wrapped).map_err(|_| {
            invalid("does not open with master.key: the key is another, or the line is damaged")
        })?;
        keys.insert(holder.to_owned(), key);
    }
    Ok((keys, torn))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file of a keys folder, as text.
    fn on_disk(dir: &Path) -> String {
        let files = fs::read_dir(dir).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn a_destroyed_key_is_nowhere_and_the_next_one_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyRing::create(dir.path()).unwrap();
        let first = *keys.ensure_holder_key("ref:a").unwrap().bytes();
        let other = *keys.ensure_holder_key("ref:b").unwrap().bytes();
        let line = on_disk(dir.path()).lines().find(|line| line.starts_with("ref:a ")).unwrap().to_owned();
        keys.destroy_holder_key("ref:a").unwrap();
        assert!(keys.holder_key("ref:a").is_none());
        assert!(!on_disk(dir.path()).contains(&line) && !on_disk(dir.path()).contains("ref:a"));
        // Gone already, and never there: both are fine.
        keys.destroy_holder_key("ref:a").unwrap();
        keys.destroy_holder_key("ref:none").unwrap();
        let second = *keys.ensure_holder_key("ref:a").unwrap().bytes();
        assert_ne!(first, second);
        drop(keys);
        let keys = KeyRing::open(dir.path()).unwrap();
        assert_eq!(*keys.holder_key("ref:a").unwrap().bytes(), second);
        assert_eq!(*keys.holder_key("ref:b").unwrap().bytes(), other);
    }

    #[test]
    fn what_a_crash_left_unfinished_goes_with_the_next_write() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyRing::create(dir.path()).unwrap();
        keys.ensure_holder_key("ref:a").unwrap();
        drop(keys);
        let old = fs::read(dir.path().join(HOLDERS)).unwrap();
        fs::write(dir.path().join(UNFINISHED), &old).unwrap();
        let keys = KeyRing::open(dir.path()).unwrap();
        keys.destroy_holder_key("ref:a").unwrap();
        assert!(!dir.path().join(UNFINISHED).exists());
        assert!(!on_disk(dir.path()).contains("ref:a"));
    }
}
