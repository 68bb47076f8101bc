//! What a witness must never forget: the newest checkpoint that it cosigned of each log.
//!
//! ```text
//! checkpoints/<hash of the origin>   a line with the digest of the rest, then the checkpoint as the log signed it
//! origins                            every origin that has such a file, one a line
//! ```
//!
//! A record is replaced whole and made durable before anything is signed. A record that is damaged, or that
//! `origins` names and that is not there, stops the start: a witness that forgot would sign a fork.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use greffier_merkle::note::SignedNote;
use greffier_merkle::witness::{MAX_REQUEST, origin_hash};
use greffier_merkle::{Checkpoint, hash};

use crate::exit::Failure;

const CHECKPOINTS: &str = "checkpoints";
const ORIGINS: &str = "origins";
/// What a record's first line begins with.
const HEAD: &str = "greffier witness record v1 ";
/// Suffix of files that are being written; they count for nothing.
const UNFINISHED: &str = ".tmp";
/// A record is part of a request, behind a line of 100 bytes.
const MAX_RECORD: u64 = MAX_REQUEST as u64 + 1024;
/// The list of origins: thousands of logs with the longest of names.
const MAX_ORIGINS: u64 = 16 * 1024 * 1024;

/// The folder of records, held by this process alone.
pub(crate) struct Records {
    dir: PathBuf,
    /// The origins on the list.
    origins: Mutex<BTreeSet<String>>,
    /// Released by the kernel with the process.
    _lock: File,
}

/// Why a record was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unkept {
    /// The one before it stands.
    #[error("{0}")]
    Untouched(io::Error),
    /// After a crash it may be either.
    #[error("{0}")]
    Unsure(io::Error),
}

impl Records {
    /// Makes an empty folder of records; one in which nothing was ever recorded will do.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<()> {
        let make = || {
            DirBuilder::new().recursive(true).mode(0o700).create(dir.join(CHECKPOINTS))?;
            if fs::read_dir(dir.join(CHECKPOINTS))?.next().is_some() {
                return Err(io::Error::other("records of an earlier witness are in it"));
            }
            replace(&dir.join(ORIGINS), b"").map_err(io::Error::from)?;
            // The folder's own name, as far as it is known where that stands.
            dir.parent().filter(|parent| *parent != Path::new("")).map_or(Ok(()), sync_dir)
        };
        make().with_context(|| format!("cannot set up `{}`", dir.display()))
    }

    /// Takes the folder for this process, and reads every record, by the hash of its origin.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<(Records, BTreeMap<String, SignedNote>)> {
        let lock = File::open(dir).with_context(|| format!("cannot open `{}`", dir.display()))?;
        lock.try_lock().map_err(|_| {
            Failure::new("busy", format!("another witness runs on `{}`", dir.display())).hint("stop it first")
        })?;
        let mut kept = BTreeMap::new();
        for entry in
            fs::read_dir(dir.join(CHECKPOINTS)).map_err(|error| forgotten(dir, CHECKPOINTS, &error))?
        {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            if name.to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
                continue;
            }
            let damaged = || {
                Failure::new("damaged_record", format!("`{}` is damaged", path.display()))
                    .hint("restore the newest copy of it: a witness that forgot would sign a fork")
            };
            let text =
                read(&path, MAX_RECORD).with_context(|| format!("cannot read `{}`", path.display()))?;
            let (note, checkpoint) = parse(&text).ok_or_else(damaged)?;
            let hash = origin_hash(&checkpoint.origin);
            if name.to_str() != Some(&hash) {
                return Err(damaged().into());
            }
            kept.insert(hash, note);
        }
        let listed =
            read(&dir.join(ORIGINS), MAX_ORIGINS).map_err(|error| forgotten(dir, ORIGINS, &error))?;
        let listed = String::from_utf8(listed).with_context(|| format!("`{ORIGINS}` is damaged"))?;
        let origins: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
        if let Some(origin) = origins.iter().find(|origin| !kept.contains_key(&origin_hash(origin))) {
            let name = format!("{CHECKPOINTS}/{}", origin_hash(origin));
            return Err(forgotten(dir, &name, &io::ErrorKind::NotFound.into()).into());
        }
        Ok((Records { dir: dir.to_owned(), origins: Mutex::new(origins), _lock: lock }, kept))
    }

    /// Makes a record the newest of its origin, durably. The caller holds the lock of that origin.
    pub(crate) fn keep(&self, origin: &str, note: &SignedNote) -> Result<(), Unkept> {
        let path = self.dir.join(CHECKPOINTS).join(origin_hash(origin));
        replace(&path, text(note).as_bytes())?;
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.contains(origin) {
            return Ok(());
        }
        // The list comes second: an origin without a record would stop the next start for nothing.
        let list: String =
            origins.iter().map(String::as_str).chain([origin]).map(|name| format!("{name}\n")).collect();
        replace(&self.dir.join(ORIGINS), list.as_bytes())
            .map_err(|(Unkept::Untouched(error) | Unkept::Unsure(error))| Unkept::Unsure(error))?;
        origins.insert(origin.to_owned());
        Ok(())
    }
}

impl From<Unkept> for io::Error {
    fn from(unkept: Unkept) -> io::Error {
        match unkept {
            Unkept::Untouched(error) | Unkept::Unsure(error) => error,
        }
    }
}

fn forgotten(dir: &Path, name: &str, error: &io::Error) -> Failure {
    let message =
        format!("cannot read `{}`, which says what was cosigned: {error}", dir.join(name).display());
    Failure::new("forgotten", message).hint(
        "restore the newest copy of it; a witness that forgot must not sign again: if it is lost, set up another \
         with a new key",
    )
}

fn text(note: &SignedNote) -> String {
    let note = note.to_string();
    format!("{HEAD}{}\n{note}", digest(&note))
}

fn parse(text: &[u8]) -> Option<(SignedNote, Checkpoint)> {
    let (head, note) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    if head.strip_prefix(HEAD)? != digest(note) {
        return None;
    }
    let note = SignedNote::parse(note).ok()?;
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    Some((note, checkpoint))
}

fn digest(note: &str) -> String {
    hash::sha256(note.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts bytes at a path so that after a crash the file is the old one or the new one, whole; durable when this
/// returns.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Unkept> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(Unkept::Untouched)?;
    let name = || {
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), sync_dir)
    };
    name().map_err(Unkept::Unsure)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
