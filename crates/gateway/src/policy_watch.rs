//! Policies change live: the folder is read again when it changes, and a bad set leaves the old in force.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greffier_policy::Policies;

/// Policy files in a folder: past this it is the wrong folder.
const MAX_FILES: usize = 256;
/// Largest policy file in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What a look at the folder found.
pub(crate) enum Change {
    /// Nothing new.
    None,
    /// A new set, valid.
    Good(Arc<Policies>),
    /// A new set that cannot be used, said once.
    Bad(String),
}

/// A folder of policies and what was last seen in it.
pub(crate) struct Watched {
    dir: PathBuf,
    seen: Result<Vec<(String, String)>, String>,
}

impl Watched {
    pub(crate) fn new(dir: PathBuf, in_force: &Policies) -> Watched {
        Watched { dir, seen: Ok(in_force.texts().to_vec()) }
    }

    /// Reads the folder and compares the texts themselves: time stamps can lie, and the files are small.
    pub(crate) async fn look(&mut self) -> Change {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || read_dir(&dir)).await;
        let texts = match read {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => return Change::None,
        };
        if texts == self.seen {
            return Change::None;
        }
        self.seen = texts.clone();
        match texts.map(Policies::load) {
            Ok(Ok(policies)) => Change::Good(Arc::new(policies)),
            Ok(Err(errors)) => Change::Bad(errors.to_string()),
            Err(unreadable) => Change::Bad(unreadable),
        }
    }
}

/// The `*.cedar` files of a folder, by name.
///
/// # Errors
/// When the folder or a file cannot be read, or is beyond the bounds of a policy folder.
pub fn read_dir(dir: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".cedar") {
            continue;
        }
        if files.len() == MAX_FILES {
            return Err(io::Error::other(format!("more than {MAX_FILES} policy files")));
        }
        if std::fs::metadata(entry.path())?.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("`{name}` is over {MAX_FILE_BYTES} bytes")));
        }
        files.push((name, std::fs::read_to_string(entry.path())?));
    }
    files.sort();
    Ok(files)
}
