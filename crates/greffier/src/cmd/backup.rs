//! `backup`: a copy of the data, or of the keys, each in a folder of its own kind: whoever finds the one cannot open it
//! without the other.
//!
//! ```text
//! DIR/greffier-backup              says what the folder is for: `data` or `keys`
//! DIR/<time>/…                     one copy, whole; it got its name when it was
//! DIR/unfinished-<time>/…          one that was not finished: the next backup removes it
//! ```

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use greffier_event::Timestamp;
use greffier_ledger::backup::{Copied, Step, copy_data, copy_keys};
use serde::Serialize;

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

/// The file that says what a folder is for.
const MARKER: &str = "greffier-backup";
/// What a copy is called until it is whole.
const UNFINISHED: &str = "unfinished-";

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Keys,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Data => "data",
            Kind::Keys => "keys",
        }
    }
}

/// What was copied, and where it lies.
#[derive(Debug, Serialize)]
struct Told {
    what: &'static str,
    copy: String,
    files: u64,
    bytes: u64,
    linked: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    trails: BTreeMap<String, u64>,
}

pub(super) fn run(args: &cli::Backup, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let config = Config::load(named)?;
    let kind = if args.keys { Kind::Keys } else { Kind::Data };
    let set = &args.to;
    apart(set, &config)?;
    prepare(set, kind)?;
    let earlier = copies(set)?;
    let name = stamp()?;
    let unfinished = set.join(format!("{UNFINISHED}{name}"));
    DirBuilder::new().mode(0o700).create(&unfinished).with_context(|| cannot("create", &unfinished))?;
    let copied = match kind {
        Kind::Data => copy_data(&config.data, &unfinished, earlier.last().map(PathBuf::as_path), |step| {
            progress(output, step);
        }),
        Kind::Keys => copy_keys(&config.keys, &unfinished),
    };
    output.progress_done();
    let Copied { files, bytes, linked, trails } = copied?;
    // It counts from here on: its name is the last thing that becomes durable.
    let copy = set.join(name);
    fs::rename(&unfinished, &copy).with_context(|| cannot("rename", &unfinished))?;
    sync(set)?;
    let told = Told { what: kind.word(), copy: copy.display().to_string(), files, bytes, linked, trails };
    match output.format {
        Format::Table => output.line(&format!(
            "{} copied to {}: {files} files, {bytes} bytes written, {linked} files shared with the copy before",
            told.what, told.copy
        ))?,
        Format::Json => output.object(&[], &told)?,
        Format::Jsonl => output.rows(&[], &[told])?,
        Format::Csv => output.rows(&["what", "copy", "files", "bytes", "linked"], &[told])?,
    }
    advise(kind, &copy, &earlier, output);
    Ok(Exit::Ok)
}

fn advise(kind: Kind, copy: &Path, earlier: &[PathBuf], output: Output) {
    match kind {
        Kind::Data => output.note(&format!(
            "check it with `greffier verify {}`; back up the keys after the data, elsewhere, with `greffier backup \
             --keys --to …`",
            copy.display()
        )),
        Kind::Keys if !earlier.is_empty() => output.warn(&format!(
            "earlier copies of the keys still open what was erased since: remove {}",
            earlier.iter().map(|copy| format!("`{}`", copy.display())).collect::<Vec<_>>().join(", ")
        )),
        Kind::Keys => {}
    }
}

pub(super) fn progress(output: Output, step: Step) {
    // Each file of a large directory would be a line of its own.
    if step.files.is_multiple_of(64) {
        output.progress(&format!("{} files, {} MiB written", step.files, step.bytes >> 20));
    }
}

/// A copy inside of what it copies would copy itself, and keys beside data would be lost with it.
fn apart(set: &Path, config: &Config) -> anyhow::Result<()> {
    let set = real(set);
    for (folder, what) in [(&config.data, "data directory"), (&config.keys, "keys folder")] {
        let folder = real(folder);
        if set.starts_with(&folder) || folder.starts_with(&set) {
            let message =
                format!("`{}` and the {what} `{}` lie in each other", set.display(), folder.display());
            return Err(Failure::usage(message).hint("choose a folder of its own, on another disk").into());
        }
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    known.map_or(absolute.clone(), |(parent, real)| {
        real.join(absolute.strip_prefix(parent).unwrap_or(Path::new("")))
    })
}

/// Makes the folder ours, or finds that it is: of the right kind, and nothing of anybody else's in it.
fn prepare(set: &Path, kind: Kind) -> anyhow::Result<()> {
    let marker = set.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(text) if text.trim() == kind.word() => {}
        Ok(text) => {
            let message = format!("`{}` holds copies of the {}", set.display(), text.trim());
            let hint = format!("keep the {} apart: choose another folder", kind.word());
            return Err(Failure::new("wrong_folder", message).hint(hint).into());
        }
        Err(_) => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(set)
                .with_context(|| cannot("create", set))?;
            if fs::read_dir(set).with_context(|| cannot("read", set))?.next().is_some() {
                let message = format!("`{}` is not empty and holds no backup", set.display());
                return Err(Failure::new("exists", message).hint("choose another folder").into());
            }
            let mut file = File::create_new(&marker).with_context(|| cannot("write", &marker))?;
            let written =
                file.write_all(format!("{}\n", kind.word()).as_bytes()).and_then(|()| file.sync_all());
            written.with_context(|| cannot("write", &marker))?;
            sync(set)?;
        }
    }
    // What an interrupted backup left counts for nothing.
    for entry in fs::read_dir(set).with_context(|| cannot("read", set))? {
        let entry = entry.with_context(|| cannot("read", set))?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path()).with_context(|| cannot("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// The whole copies in a folder of backups, the oldest first.
pub(super) fn copies(set: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(set).with_context(|| cannot("read", set))? {
        let entry = entry.with_context(|| cannot("read", set))?;
        let whole = !entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if whole && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The copy that a path means: a folder of backups means its newest, of the kind that is asked for.
pub(super) fn newest(path: &Path, kind: Kind) -> anyhow::Result<PathBuf> {
    let Ok(text) = fs::read_to_string(path.join(MARKER)) else { return Ok(path.to_owned()) };
    if text.trim() != kind.word() {
        let message =
            format!("`{}` holds copies of the {}, not of the {}", path.display(), text.trim(), kind.word());
        return Err(Failure::new("wrong_folder", message).into());
    }
    let missing = || {
        let message = format!("`{}` holds no finished copy", path.display());
        Failure::new("not_found", message).exit(Exit::NotFound)
    };
    Ok(copies(path)?.pop().ok_or_else(missing)?)
}

/// Names sort by time.
fn stamp() -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let now = Timestamp::from_micros(i64::try_from(now.as_micros())?);
    Ok(now.to_string().replace([':', '-'], ""))
}

pub(super) fn sync(dir: &Path) -> anyhow::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| cannot("sync", dir))
}

pub(super) fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} `{}`", path.display())
}
