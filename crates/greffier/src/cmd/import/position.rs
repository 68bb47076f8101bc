//! How far an import has come, in a file: a run that follows a killed one goes on there.
//!
//! It is written when a batch is on record, so that nothing before it is missing; what comes after it is sent again,
//! and recorded once, because the same line is the same event. It counts only for the same input and the same trail.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_merkle::hash;
use serde::{Deserialize, Serialize};

use super::split::Place;
use crate::exit::Failure;

/// Bytes of the input that tell it from another one: a log grows at its end.
const HEAD: usize = 4 * 1024;
/// Longest file of ours.
const MAX_BYTES: u64 = 64 * 1024;

/// A position that is kept.
pub(super) struct Position {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Digest of the input's first bytes.
    input: String,
    /// How many these are.
    head: usize,
    /// Where it goes.
    target: String,
    place: Place,
}

impl Position {
    /// For an input whose first bytes these are. A position of another input or target is an error: to go on there
    /// would miss events.
    pub(super) fn open(path: &Path, input: &File, target: &str) -> anyhow::Result<Position> {
        let target = target.to_owned();
        let kept = match read(path)? {
            Some(kept) => {
                if digest(input, kept.head)?.0 != kept.input || kept.target != target {
                    let message = format!("`{}` is the position of another import", path.display());
                    return Err(Failure::usage(message)
                        .hint("name another file, or remove it to begin anew: nothing is recorded twice")
                        .into());
                }
                kept
            }
            None => {
                let (input, head) = digest(input, HEAD)?;
                Kept { input, head, target, place: Place::default() }
            }
        };
        Ok(Position { path: path.to_owned(), kept })
    }

    /// Where to go on.
    pub(super) fn place(&self) -> Place {
        self.kept.place
    }

    /// Everything before this place is on record, or kept aside.
    pub(super) fn reached(&mut self, place: Place) -> anyhow::Result<()> {
        self.kept.place = place;
        let mut unfinished = self.path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let write = || {
            let mut file = File::create(&unfinished)?;
            serde_json::to_writer(&mut file, &self.kept)?;
            file.write_all(b"\n")?;
            file.sync_data()?;
            fs::rename(&unfinished, &self.path)
        };
        write().with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Kept>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("cannot open `{}`", path.display()))?,
    };
    let kept = serde_json::from_reader(file.take(MAX_BYTES));
    kept.map(Some).with_context(|| format!("`{}` is no position of an import", path.display()))
}

/// The digest of the first bytes, at most so many, and how many there are.
fn digest(input: &File, most: usize) -> anyhow::Result<(String, usize)> {
    use std::os::unix::fs::FileExt;
    let mut head = vec![0; most.min(HEAD)];
    let mut filled = 0;
    while let Some(room) = head.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read_at(room, filled as u64).context("cannot read the events")? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    head.truncate(filled);
    Ok((hex::encode(hash::sha256(&head)), filled))
}
