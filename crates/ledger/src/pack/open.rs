//! A pack on disk, as one file or as a folder: the same files either way.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use greffier_merkle::hash::sha256;

use super::about::About;
use super::layout::{
    ABOUT, CHECKPOINT, EVENTS, MAX_CHUNK_BYTES, MAX_FILES, MAX_SMALL_BYTES, README, REPORT, SUCCESSIONS,
    SUMS, TRUST, chunk_name, chunk_number, is_name, succession_name, succession_number,
};
use super::zip::{ZipError, ZipReader};

/// Why a pack cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The archive is not one of ours.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// The operating system refused.
    #[error("cannot read the pack: {0}")]
    Io(#[from] io::Error),
    /// The folder holds something else.
    #[error("`{0}` does not belong into an evidence pack")]
    Stranger(String),
    /// Something is missing.
    #[error("the pack has no `{0}`")]
    Missing(String),
    /// A file is not the one that was packed.
    #[error("`{0}` was changed: its digest is another than in SHA256SUMS")]
    Changed(String),
    /// A file says what no pack says.
    #[error("`{0}` is not what greffier writes there")]
    Malformed(String),
    /// A file is longer than any that is written.
    #[error("`{0}` is larger than a pack's file can be")]
    TooLong(String),
}

/// A pack, open for reading. Every file is held against the pack's own digests as it is read.
#[derive(Debug)]
pub struct Pack {
    form: Form,
    sums: BTreeMap<String, String>,
    about: About,
}

#[derive(Debug)]
enum Form {
    File(ZipReader<File>),
    Bytes(ZipReader<Cursor<Vec<u8>>>),
    Folder(PathBuf),
}

impl Pack {
    /// Whether this file or folder means to be a pack.
    pub fn is_one(path: &Path) -> bool {
        if path.is_dir() {
            return path.join(SUMS).is_file() && path.join(ABOUT).is_file();
        }
        if path.extension().is_some_and(|extension| extension == "zip") {
            return true;
        }
        let mut head = [0; 4];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"PK\x03\x04"
    }

    /// Opens a pack: reads which files it has, and what it says about itself.
    pub fn open(path: &Path) -> Result<Pack, PackError> {
        Pack::of(if path.is_dir() {
            Form::Folder(path.to_owned())
        } else {
            Form::File(ZipReader::open(File::open(path)?)?)
        })
    }

    /// Opens a pack whose archive is in memory.
    pub fn from_bytes(archive: Vec<u8>) -> Result<Pack, PackError> {
        Pack::of(Form::Bytes(ZipReader::open(Cursor::new(archive))?))
    }

    fn of(mut form: Form) -> Result<Pack, PackError> {
        let names = form.names()?;
        let chunks = names.iter().filter_map(|name| chunk_number(name)).count();
        let due = (1..=chunks).map(chunk_name);
        let due = due.chain([CHECKPOINT, TRUST, ABOUT, README, SUMS].map(str::to_owned));
        if let Some(missing) = due.into_iter().find(|name| !names.contains(name)) {
            return Err(PackError::Missing(missing));
        }
        let sums = form.read(SUMS, MAX_SMALL_BYTES)?;
        let sums = read_sums(&sums).ok_or(PackError::Malformed(SUMS.to_owned()))?;
        if sums.len() + 1 != names.len() {
            return Err(PackError::Malformed(SUMS.to_owned()));
        }
        let mut pack = Pack { form, sums, about: placeholder() };
        pack.about = About::read(&pack.read(ABOUT)?).ok_or(PackError::Malformed(ABOUT.to_owned()))?;
        Ok(pack)
    }

    /// What it says about itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The signed checkpoint in it.
    pub fn checkpoint(&mut self) -> Result<String, PackError> {
        self.text(CHECKPOINT)
    }

    /// The trust policy in it: the packer's word, not yet yours.
    pub fn trust(&mut self) -> Result<String, PackError> {
        self.text(TRUST)
    }

    /// The notes in which the log's keys name each other, in order.
    pub fn successions(&mut self) -> Result<Vec<String>, PackError> {
        let mut numbers: Vec<u32> = self.sums.keys().filter_map(|name| succession_number(name)).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.text(&succession_name(number))).collect()
    }

    /// The data of the report in it, if it goes with one: the packer's word, like `pack.json`.
    pub fn report(&mut self) -> Result<Option<String>, PackError> {
        if self.sums.contains_key(REPORT) { self.text(REPORT).map(Some) } else { Ok(None) }
    }

    /// The plain words in it.
    pub fn readme(&mut self) -> Result<String, PackError> {
        self.text(README)
    }

    /// How many files of events it has.
    pub(super) fn chunks(&self) -> usize {
        self.sums.keys().filter(|name| chunk_number(name).is_some()).count()
    }

    /// One file of events.
    pub(super) fn chunk(&mut self, number: usize) -> Result<String, PackError> {
        self.text(&chunk_name(number))
    }

    fn text(&mut self, name: &str) -> Result<String, PackError> {
        String::from_utf8(self.read(name)?).map_err(|_| PackError::Malformed(name.to_owned()))
    }

    /// A file whose digest is the listed one.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, PackError> {
        let limit = if chunk_number(name).is_some() { MAX_CHUNK_BYTES } else { MAX_SMALL_BYTES };
        let bytes = self.form.read(name, limit)?;
        if self.sums.get(name) == Some(&hex::encode(sha256(&bytes))) {
            Ok(bytes)
        } else {
            Err(PackError::Changed(name.to_owned()))
        }
    }
}

/// Until the pack's own word is read.
fn placeholder() -> About {
    About {
        format: String::new(),
        made: greffier_event::Timestamp::from_micros(0),
        made_by: String::new(),
        trail: String::new(),
        origin: String::new(),
        size: 0,
        search: String::new(),
        parts: String::new(),
        figures: super::Figures::default(),
        complete: None,
    }
}

impl Form {
    fn names(&self) -> Result<Vec<String>, PackError> {
        let dir = match self {
            Form::File(zip) => return Ok(zip.files().map(|(name, _)| name.to_owned()).collect()),
            Form::Bytes(zip) => return Ok(zip.files().map(|(name, _)| name.to_owned()).collect()),
            Form::Folder(dir) => dir,
        };
        let mut names = Vec::new();
        let folders = [EVENTS, SUCCESSIONS].map(|name| (dir.join(name), format!("{name}/")));
        for (inside, prefix) in [(dir.clone(), String::new())].into_iter().chain(folders) {
            let entries = match fs::read_dir(&inside) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !prefix.is_empty() => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                // Of the entry itself: what a link points at is not in the pack.
                let kind = entry.file_type()?;
                match (
                    kind.is_file() && is_name(&name),
                    kind.is_dir() && [EVENTS, SUCCESSIONS].contains(&name.as_str()),
                ) {
                    (true, _) => names.push(name),
                    (_, true) => {}
                    _ => return Err(PackError::Stranger(name)),
                }
                if names.len() > MAX_FILES {
                    return Err(PackError::Stranger(EVENTS.to_owned()));
                }
            }
        }
        Ok(names)
    }

    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, PackError> {
        let missing = || PackError::Missing(name.to_owned());
        let dir = match self {
            Form::File(zip) => return zip.read(name, limit)?.ok_or_else(missing),
            Form::Bytes(zip) => return zip.read(name, limit)?.ok_or_else(missing),
            Form::Folder(dir) => dir,
        };
        let file = File::open(dir.join(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => error.into(),
        })?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(PackError::TooLong(name.to_owned())) } else { Ok(bytes) }
    }
}

/// The lines of `sha256sum`, in one spelling: sorted by name, each name once.
pub(super) fn write_sums(sums: &BTreeMap<String, String>) -> String {
    sums.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
}

fn read_sums(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.lines().map(|line| {
        let (digest, name) = line.split_once("  ")?;
        (is_name(name) && digest.len() == 64).then(|| (name.to_owned(), digest.to_owned()))
    });
    let sums: BTreeMap<String, String> = lines.collect::<Option<_>>()?;
    (write_sums(&sums) == text).then_some(sums)
}
