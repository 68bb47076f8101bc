//! The manifest: what the data directory held, signed.
//!
//! Written at start, when it covers all that came before, and at a clean stop, when it covers everything: then
//! a flip or a removal anywhere is found. The file is a signed note under the node trail's key, a blank line,
//! and the listing whose hash the note holds: notes are bounded at 1 MiB, the number of files is not. The note
//! starts with `{`, which no origin does, so that it can never be taken for a checkpoint.

use greffier_event::Tenant;
use greffier_merkle::Hash;
use greffier_merkle::hash::sha256;
use greffier_merkle::note::{SignedNote, Verifier};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::keys::KeyRing;
use crate::publish::origin;
use crate::store::Disk;
use crate::wal::MAX_FILE_BYTES;

/// Its place in the data directory.
pub(crate) const PATH: &str = "manifest";
/// Half a million files at 130 bytes each.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;
const VERSION: u8 = 1;

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    v: u8,
    sequence: u64,
    clean: bool,
    listing: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    bytes: u64,
    sha256: String,
}

/// What the signed hash covers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    wal: Vec<LogRecord>,
    trails: Vec<TrailRecord>,
    files: Vec<FileRecord>,
}

/// What was there, and whether that was all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Counts the manifests of this directory.
    pub(crate) sequence: u64,
    /// Whether it was written by a clean stop: then it covers every file but itself.
    pub(crate) clean: bool,
    /// The log's files; the one being written has a name only.
    pub(crate) wal: Vec<LogRecord>,
    /// The trails, as far as they were signed.
    pub(crate) trails: Vec<TrailRecord>,
    /// All other files.
    pub(crate) files: Vec<FileRecord>,
}

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRecord {
    pub(crate) name: String,
    /// Length of the whole file; absent while it is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Lowercase hex; absent while it is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// One trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrailRecord {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Lowercase hex.
    pub(crate) root: String,
}

/// One other file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRecord {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Lowercase hex.
    pub(crate) sha256: String,
}

impl LogRecord {
    /// A file that grows no more.
    pub(crate) fn sealed(name: &str, bytes: &[u8]) -> LogRecord {
        let FileRecord { path, bytes, sha256 } = FileRecord::of(name, bytes);
        LogRecord { name: path, bytes: Some(bytes), sha256: Some(sha256) }
    }

    /// The file that is being written.
    pub(crate) fn growing(name: String) -> LogRecord {
        LogRecord { name, bytes: None, sha256: None }
    }
}

impl FileRecord {
    pub(crate) fn of(path: &str, bytes: &[u8]) -> FileRecord {
        FileRecord { path: path.to_owned(), bytes: bytes.len() as u64, sha256: hex::encode(sha256(bytes)) }
    }
}

impl TrailRecord {
    pub(crate) fn new(name: &str, size: u64, root: &Hash) -> TrailRecord {
        TrailRecord { name: name.to_owned(), size, root: hex::encode(root) }
    }
}

impl Manifest {
    /// Signs it and puts it in place, durably.
    pub(crate) fn write(self, disk: &Disk, keys: &KeyRing, node_origin: &str) -> Result<(), LedgerError> {
        let bytes = self.sign(keys, node_origin).map_err(LedgerError::io("sign the manifest"))?;
        disk.replace(PATH, &bytes).map_err(LedgerError::io("write the manifest"))
    }

    fn sign(self, keys: &KeyRing, node_origin: &str) -> std::io::Result<Vec<u8>> {
        let Manifest { sequence, clean, wal, trails, files } = self;
        let mut listing = serde_json::to_vec_pretty(&Listing { wal, trails, files })?;
        listing.push(b'\n');
        let FileRecord { bytes, sha256, .. } = FileRecord::of(PATH, &listing);
        let head = Head { v: VERSION, sequence, clean, listing: Digest { bytes, sha256 } };
        let text = serde_json::to_string(&head)? + "\n";
        let signer = keys.signer(&origin(node_origin, Tenant::NODE)).map_err(std::io::Error::other)?;
        let note = signer.sign(&text).map_err(std::io::Error::other)?;
        Ok([note.as_bytes(), b"\n", &listing].concat())
    }

    /// Reads a manifest and names the key that signed it. Nothing is parsed before its signature, or the hash
    /// that is signed, holds.
    pub(crate) fn open(file: &[u8], verifiers: &[Verifier]) -> Result<(Manifest, String), String> {
        let (note, listing) = split(file).ok_or("the manifest is not a note and a listing")?;
        let note =
            SignedNote::parse(note).map_err(|error| format!("the manifest is not a signed note: {error}"))?;
        let signers = note.verify(verifiers).map_err(|error| {
            format!("the manifest's signature does not hold under the node's key: {error}")
        })?;
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
        Ok((Manifest { sequence: head.sequence, clean: head.clean, wal, trails, files }, signer))
    }

    /// The manifest on disk, if there is one.
    pub(crate) fn read(disk: &Disk, verifiers: &[Verifier]) -> Result<Option<Manifest>, LedgerError> {
        let bytes = match disk.store().read(PATH, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(LedgerError::io("read the manifest"))?,
        };
        let opened = Manifest::open(&bytes, verifiers).map_err(|what| LedgerError::tampered(PATH, what))?;
        Ok(Some(opened.0))
    }

    /// Lists every file below the data directory but the log and the manifest itself.
    pub(crate) fn list_files(&mut self, disk: &Disk) -> Result<(), LedgerError> {
        let reading = "hash the files for the manifest";
        for path in disk.walk("").map_err(LedgerError::io(reading))? {
            if path == PATH || path.starts_with("wal/") {
                continue;
            }
            let bytes = disk.store().read(&path, MAX_FILE_BYTES).map_err(LedgerError::io(reading))?;
            self.files.push(FileRecord::of(&path, &bytes));
        }
        Ok(())
    }
}

/// The note up to the end of its signature line, and what follows the blank line behind it.
fn split(file: &[u8]) -> Option<(&str, &[u8])> {
    // The note's first line is its text; then a blank line and the signature's line.
    let mut ends = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let end = ends.nth(2)?;
    let (note, rest) = file.split_at_checked(end)?;
    Some((std::str::from_utf8(note).ok()?, rest.strip_prefix(b"\n")?))
}
