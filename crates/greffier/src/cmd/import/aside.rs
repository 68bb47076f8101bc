//! Lines that were not taken, kept aside as they were, so that they can be mended and imported.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

/// The file of them; there is none as long as every line is taken.
pub(super) struct Aside {
    path: PathBuf,
    file: Option<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    line: u64,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// What is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Aside {
    pub(super) fn new(path: PathBuf) -> Aside {
        Aside { path, file: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a line. It may come twice, where an import was killed and run again.
    pub(super) fn keep(&mut self, line: u64, reason: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let cannot = || format!("cannot keep refused lines in `{}`", self.path.display());
        if self.file.is_none() {
            // What it holds may be personal.
            let open = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
            self.file = Some(open.with_context(cannot)?);
        }
        let text = std::str::from_utf8(bytes).ok();
        let base64 = text.is_none().then(|| BASE64_STANDARD.encode(bytes));
        let mut kept = serde_json::to_vec(&Line { line, reason, text, base64 })?;
        kept.push(b'\n');
        match &mut self.file {
            Some(file) => file.write_all(&kept).with_context(cannot),
            None => Ok(()),
        }
    }

    /// Makes what was kept durable, before the import's position passes it.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        match &self.file {
            Some(file) => Ok(file.sync_data()?),
            None => Ok(()),
        }
    }
}
