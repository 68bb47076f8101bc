//! The file that holds a cursor from one export to the next: one line, replaced as a whole.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::Context;

/// Longest cursor that is read: ours have some 30 characters.
const MAX_BYTES: u64 = 1_024;

/// The cursor that the file holds; none if there is no file yet.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(cannot)?,
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).with_context(cannot)?;
    Ok(Some(text.trim().to_owned()))
}

/// Replaces what the file holds: after a crash it is the old cursor or the new one.
pub(super) fn write(path: &Path, cursor: &str) -> anyhow::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let put = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(format!("{cursor}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    put().with_context(|| format!("cannot write `{}`", path.display()))
}
