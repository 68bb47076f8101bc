//! The manifest: what the data directory held, signed.
//!
//! Written at start, when it covers all that came before, and at a clean stop, when it covers everything: then
//! a flip or a removal anywhere is found. JSON as the text of a signed note under the node trail's key; it
//! starts with `{`, which no origin does, so that it can never be taken for a checkpoint.

use greffier_merkle::Hash;
use greffier_merkle::hash::sha256;
use greffier_merkle::note::{SignedNote, Signer, Verifier};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::store::Disk;
use crate::wal::MAX_FILE_BYTES;

/// Its place in the data directory.
pub(crate) const PATH: &str = "manifest";
/// Half a million files at 130 bytes each.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;
const VERSION: u8 = 1;

/// What was there, and whether that was all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Version of this form.
    pub(crate) v: u8,
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
    pub(crate) fn new(sequence: u64, clean: bool) -> Manifest {
        Manifest { v: VERSION, sequence, clean, wal: Vec::new(), trails: Vec::new(), files: Vec::new() }
    }

    /// Signs it and puts it in place, durably.
    pub(crate) fn write(&self, disk: &Disk, signer: &Signer) -> Result<(), LedgerError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| LedgerError::Io { doing: "encode the manifest", source: error.into() })?;
        text.push('\n');
        disk.replace(PATH, signer.sign(&text).as_bytes()).map_err(LedgerError::io("write the manifest"))
    }

    /// Reads a signed manifest; the text is parsed only once its signature holds.
    pub(crate) fn open(note: &[u8], verifiers: &[Verifier]) -> Result<Manifest, String> {
        let note = std::str::from_utf8(note).map_err(|_| "the manifest is not text".to_owned())?;
        let note = SignedNote::parse(note).map_err(|error| format!("the manifest is not a signed note: {error}"))?;
        note.verify(verifiers)
            .map_err(|error| format!("the manifest's signature does not hold under the node's key: {error}"))?;
        let manifest: Manifest = serde_json::from_str(note.text())
            .map_err(|error| format!("the manifest is signed but not understood: {error}"))?;
        if manifest.v != VERSION {
            return Err(format!("the manifest has version {}, which this greffier does not know", manifest.v));
        }
        Ok(manifest)
    }

    /// The manifest on disk, if there is one.
    pub(crate) fn read(disk: &Disk, verifiers: &[Verifier]) -> Result<Option<Manifest>, LedgerError> {
        let bytes = match disk.store().read(PATH, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(LedgerError::io("read the manifest"))?,
        };
        Manifest::open(&bytes, verifiers).map(Some).map_err(|what| LedgerError::tampered(PATH, what))
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
