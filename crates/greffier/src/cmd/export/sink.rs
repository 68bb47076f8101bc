//! Where an export goes: stdout, or a file that has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::output::{Output, text};

/// Longest line that is held back to be made harmless for a terminal: an entry with its parts.
const MAX_LINE: usize = 64 * 1024 * 1024;

pub(super) struct Sink {
    to: To,
    output: Output,
    lines: u64,
}

enum To {
    Stdout(io::Stdout),
    /// What has come of a line: a terminal gets whole ones.
    Terminal(Vec<u8>),
    File {
        file: BufWriter<File>,
        unfinished: PathBuf,
        path: PathBuf,
    },
}

impl Sink {
    pub(super) fn open(path: Option<&Path>, output: Output) -> anyhow::Result<Sink> {
        let to = match path {
            Some(path) => {
                let mut unfinished = path.as_os_str().to_owned();
                unfinished.push(".unfinished");
                let unfinished = PathBuf::from(unfinished);
                // What was asked and answered may be in it: it is for nobody else.
                let open =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
                let file = open.with_context(|| format!("cannot write `{}`", unfinished.display()))?;
                To::File { file: BufWriter::new(file), unfinished, path: path.to_owned() }
            }
            None if output.on_terminal() => To::Terminal(Vec::new()),
            None => To::Stdout(io::stdout()),
        };
        Ok(Sink { to, output, lines: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        match &mut self.to {
            To::Stdout(out) => out.write_all(bytes)?,
            To::File { file, unfinished, .. } => {
                file.write_all(bytes).with_context(|| format!("cannot write `{}`", unfinished.display()))?;
                self.output.progress(&format!("{} lines", self.lines));
            }
            To::Terminal(held) => {
                held.extend_from_slice(bytes);
                let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let rest = if held.len() > MAX_LINE { Vec::new() } else { held.split_off(whole) };
                let lines = std::mem::replace(held, rest);
                self.output.raw(&text::json(&String::from_utf8_lossy(&lines).replace('\r', "")))?;
            }
        }
        Ok(())
    }

    /// All of it came.
    pub(super) fn done(self) -> anyhow::Result<()> {
        let Sink { to, output, lines } = self;
        match to {
            To::Stdout(mut out) => out.flush()?,
            To::Terminal(held) => output.raw(&text::json(&String::from_utf8_lossy(&held)))?,
            To::File { file, unfinished, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                fs::rename(&unfinished, &path)
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
                output.progress_done();
                output.note(&format!("{lines} lines in {}", path.display()));
            }
        }
        Ok(())
    }
}
