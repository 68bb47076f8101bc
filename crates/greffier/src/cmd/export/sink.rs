//! Where an export goes: stdout, or a file that has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::output::{Output, text};

/// Longest line that is held back to be made harmless for a terminal: an entry with its parts.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// Bytes between two looks at the progress: a terminal need not be told more often.
const PACE: u64 = 256 * 1024;
/// Cells of the progress bar.
const BAR: u64 = 30;

pub(super) struct Sink {
    to: To,
    output: Output,
    /// Whether what comes has no lines.
    is_binary: bool,
    lines: u64,
    bytes: u64,
    told: u64,
    /// The lines that are to come, where that is known.
    expected: Option<u64>,
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
    pub(super) fn open(path: Option<&Path>, is_binary: bool, output: Output) -> anyhow::Result<Sink> {
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
            None if output.on_terminal() && !is_binary => To::Terminal(Vec::new()),
            None => To::Stdout(io::stdout()),
        };
        Ok(Sink { to, output, is_binary, lines: 0, bytes: 0, told: 0, expected: None })
    }

    /// Whether a person sees how far it is.
    pub(super) fn shows_progress(&self) -> bool {
        matches!(self.to, To::File { .. }) && self.output.shows_progress()
    }

    /// How many lines are to come.
    pub(super) fn expects(&mut self, lines: Option<u64>) {
        self.expected = lines.filter(|lines| *lines > 0);
    }

    fn progress(&mut self) {
        if self.bytes < self.told + PACE {
            return;
        }
        self.told = self.bytes;
        let line = match self.expected {
            _ if self.is_binary => format!("{} KiB", self.bytes / 1024),
            None => format!("{} lines", self.lines),
            Some(all) => {
                let share = |of: u64| self.lines.saturating_mul(of) / all;
                let done = usize::try_from(share(BAR).min(BAR)).unwrap_or_default();
                let left = usize::try_from(BAR).unwrap_or_default().saturating_sub(done);
                let (full, empty) = ("█".repeat(done), "░".repeat(left));
                format!("{full}{empty} {}% {} of {all}", share(100).min(100), self.lines)
            }
        };
        self.output.progress(&line);
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.bytes += bytes.len() as u64;
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        match &mut self.to {
            To::Stdout(out) => out.write_all(bytes)?,
            To::File { file, unfinished, .. } => {
                file.write_all(bytes).with_context(|| format!("cannot write `{}`", unfinished.display()))?;
                self.progress();
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
        let Sink { to, output, is_binary, lines, bytes, .. } = self;
        match to {
            To::Stdout(mut out) => out.flush()?,
            To::Terminal(held) => output.raw(&text::json(&String::from_utf8_lossy(&held)))?,
            To::File { file, unfinished, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                fs::rename(&unfinished, &path)
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
                output.progress_done();
                match is_binary {
                    true => output.note(&format!("{bytes} bytes in {}", path.display())),
                    false => output.note(&format!("{lines} lines in {}", path.display())),
                }
            }
        }
        Ok(())
    }
}
