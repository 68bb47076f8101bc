//! The manifest of directories of format 1: one file, a note and its listing behind a blank line. Read only; the
//! first manifest that is written takes its place.

use std::io;

use greffier_merkle::note::{SignedNote, Verifier};
use serde::Deserialize;

use super::{Digest, FileRecord, Holds, LogRecord, Manifest, TrailRecord};
use crate::store::Disk;

/// Its place in the data directory.
pub(crate) const PATH: &str = "manifest";
/// Half a million files at 130 bytes each.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const VERSION: u8 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    v: u8,
    #[serde(rename = "sequence")]
    _sequence: u64,
    clean: bool,
    listing: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    wal: Vec<LogRecord>,
    trails: Vec<TrailRecord>,
    files: Vec<FileRecord>,
}

/// The bytes of the file, if there is one.
pub(crate) fn read(disk: &Disk) -> io::Result<Option<Vec<u8>>> {
    match disk.store().read(PATH, MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Reads a manifest and names the key that signed it. It counts as number 0: the chain begins behind it.
pub(crate) fn open(file: &[u8], verifiers: &[Verifier]) -> Result<(Manifest, String), String> {
    let (note, listing) = split(file).ok_or("the manifest is not a note and a listing")?;
    let note =
        SignedNote::parse(note).map_err(|error| format!("the manifest is not a signed note: {error}"))?;
    let signers = note
        .verify(verifiers)
        .map_err(|error| format!("the manifest's signature does not hold under the node's key: {error}"))?;
    let signer = signers.first().map(|signer| signer.name().to_owned()).unwrap_or_default();
    let head: Head = serde_json::from_str(note.text())
        .map_err(|error| format!("the manifest is signed but not understood: {error}"))?;
    if head.v != VERSION {
        return Err(format!("the manifest has version {}, which this greffier does not know", head.v));
    }
    let found = FileRecord::of(PATH, listing);
    if (found.bytes, &found.sha256) != (head.listing.bytes, &head.listing.sha256) {
        return Err("the manifest's listing is not the one that was signed".to_owned());
    }
    let Listing { wal, trails, files } = serde_json::from_slice(listing)
        .map_err(|error| format!("the manifest is signed but not understood: {error}"))?;
    let holds = Holds { floor: 1, wal, trails, files, ..Holds::default() };
    Ok((Manifest { sequence: 0, previous: None, clean: head.clean, holds }, signer))
}

/// The note up to the end of its signature line, and what follows the blank line behind it.
fn split(file: &[u8]) -> Option<(&str, &[u8])> {
    // The note's first line is its text; then a blank line and the signature's line.
    let mut ends = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let end = ends.nth(2)?;
    let (note, rest) = file.split_at_checked(end)?;
    Some((std::str::from_utf8(note).ok()?, rest.strip_prefix(b"\n")?))
}
