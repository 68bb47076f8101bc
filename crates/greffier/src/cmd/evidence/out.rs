//! Where a pack goes: one file, or a folder. It has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_ledger::pack::{PackFile, ZipWriter};

use crate::exit::Failure;

pub(super) struct Out {
    path: PathBuf,
    unfinished: PathBuf,
    to: To,
}

impl Drop for Out {
    /// What is not whole is nothing.
    fn drop(&mut self) {
        // Whatever cannot be removed still has a name that says what it is; after the end it has that name no more.
        let _ = match self.to {
            To::File { .. } => fs::remove_file(&self.unfinished),
            To::Folder => fs::remove_dir_all(&self.unfinished),
        };
    }
}

enum To {
    /// Its end is written here, unless the archive comes whole from a server.
    File {
        file: BufWriter<File>,
        zip: Option<ZipWriter>,
    },
    Folder,
}

impl Out {
    pub(super) fn open(path: &Path) -> anyhow::Result<Out> {
        let folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if folder && path.exists() {
            return Err(
                Failure::usage(format!("`{}` exists already: name a new folder", path.display())).into()
            );
        }
        let mut name = path.components().as_path().as_os_str().to_owned();
        name.push(".unfinished");
        let unfinished = PathBuf::from(name);
        let cannot = || format!("cannot write `{}`", unfinished.display());
        // What was asked and answered may be in it: it is for nobody else.
        let to = if folder {
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished).with_context(cannot)?;
            }
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&unfinished).with_context(cannot)?;
            To::Folder
        } else {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
            let file = BufWriter::new(file.with_context(cannot)?);
            To::File { file, zip: Some(ZipWriter::default()) }
        };
        Ok(Out { path: path.components().as_path().to_owned(), unfinished, to })
    }

    /// One file of the pack.
    pub(super) fn file(&mut self, packed: &PackFile) -> anyhow::Result<()> {
        match &mut self.to {
            To::File { file, zip: Some(zip) } => file.write_all(&zip.file(&packed.name, &packed.content)?)?,
            To::File { zip: None, .. } => anyhow::bail!("the archive is another's already"),
            To::Folder => {
                let path = self.unfinished.join(&packed.name);
                if let Some(parent) = path.parent() {
                    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
                }
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let mut file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
                file.write_all(&packed.content)?;
                file.sync_all()?;
            }
        }
        Ok(())
    }

    /// Bytes of an archive that somebody else made.
    pub(super) fn archive(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match &mut self.to {
            To::File { file, zip } => {
                *zip = None;
                Ok(file.write_all(bytes)?)
            }
            To::Folder => {
                Err(Failure::usage("a server sends a file: --out must not end with a slash").into())
            }
        }
    }

    /// All of it is there.
    pub(super) fn done(mut self) -> anyhow::Result<()> {
        if let To::File { file, zip } = &mut self.to {
            if let Some(zip) = zip.take() {
                file.write_all(&zip.finish()?)?;
            }
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        fs::rename(&self.unfinished, &self.path)
            .with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}
