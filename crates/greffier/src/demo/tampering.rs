//! Checks the trails as an outsider would, then changes one byte of a copy and checks that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_event::EventId;
use greffier_ledger::verify::{Report, VerifyOptions, verify_dir};
use greffier_merkle::TrustPolicy;
use serde::Serialize;

use super::folder::{CHANGED, DATA, Folder, KEYS, TRUST};
use crate::exit::Failure;

/// Folders within each other in a data directory; what lies deeper is none of the ledger's.
const MAX_DEPTH: usize = 16;
/// Faults that are told of one changed byte.
const MOST_TOLD: usize = 3;

/// One changed byte, and how it was found.
#[derive(Debug, Serialize)]
pub(super) struct Tampered {
    pub(super) file: String,
    pub(super) byte: usize,
    /// Place and fault, each in one line.
    pub(super) found: Vec<String>,
}

/// One byte that was changed.
struct Flipped {
    /// The file, within the data directory.
    file: String,
    /// The byte's place in it.
    at: usize,
}

/// Takes the trails' public keys out of the data directory, as an auditor would, to keep them elsewhere: what
/// happens to the directory from now on is held against them.
pub(super) fn keep_trust(folder: &Folder) -> anyhow::Result<()> {
    let text = fs::read_to_string(folder.path(DATA).join(TRUST)).context("cannot read the trust policy")?;
    folder.write(TRUST, &text)
}

/// Checks the data directory, or the changed copy of it, against the trust kept apart, parts included.
pub(super) fn check(folder: &Folder, changed: bool) -> anyhow::Result<Report> {
    let trust = TrustPolicy::parse(&fs::read_to_string(folder.path(TRUST))?)?;
    let options =
        VerifyOptions { trust: Some(trust), keys_dir: Some(folder.path(KEYS)), ..VerifyOptions::default() };
    let data = folder.path(if changed { CHANGED } else { DATA });
    Ok(verify_dir(&data, &options, |_| {})?)
}

/// Changes a copy, and lets the check find it: a changed byte that is not found is an error.
pub(super) fn change_and_check(folder: &Folder, event: EventId, trail: &str) -> anyhow::Result<Tampered> {
    let Flipped { file, at } = change_a_copy(folder, event, trail)?;
    let report = check(folder, true)?;
    if report.is_ok() {
        return Err(Failure::new("demo", format!("a changed byte in {file} was not found")).into());
    }
    let told = report.problems.iter().take(MOST_TOLD);
    let found = told.map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
    Ok(Tampered { file, byte: at, found })
}

/// Copies the data directory, and changes one byte of the copy: in the record of this event, wherever a file holds
/// it in clear text, or else in the middle of the trail's largest file.
fn change_a_copy(folder: &Folder, event: EventId, trail: &str) -> anyhow::Result<Flipped> {
    let copy = folder.path(CHANGED);
    copy_dir(&folder.path(DATA), &copy, MAX_DEPTH).context("cannot copy the data directory")?;
    let files = files(&copy, MAX_DEPTH)?;
    let needle = event.to_string();
    for path in &files {
        let bytes = fs::read(path)?;
        if let Some(at) = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()) {
            return flip(&copy, path, bytes, at);
        }
    }
    let of_trail = files.iter().filter(|path| path.components().any(|part| part.as_os_str() == trail));
    let largest = of_trail.max_by_key(|path| path.metadata().map_or(0, |metadata| metadata.len()));
    let path = largest.context("the trail has no file")?;
    let bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    flip(&copy, path, bytes, middle)
}

fn flip(copy: &Path, path: &Path, mut bytes: Vec<u8>, at: usize) -> anyhow::Result<Flipped> {
    let byte = bytes.get_mut(at).context("the file is empty")?;
    *byte ^= 1;
    fs::write(path, &bytes)?;
    let file = path.strip_prefix(copy).unwrap_or(path).display().to_string();
    Ok(Flipped { file, at })
}

fn copy_dir(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("folders within folders without end"));
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to, depth - 1)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// All files, in an order that does not depend on the file system.
fn files(dir: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    if depth == 0 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path(), depth - 1)?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
