//! The folder of a wrapped command: made at its first start, held while it runs.
//!
//! A desktop client may start the same command twice, and one trail has one writer. So the second takes the folder
//! beside, `NAME-2`, and so on: each is a whole installation that every reading command understands.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_ledger::KeyRing;

use crate::dev_issuer;
use crate::exit::Failure;

/// Copies of one command at once.
const MOST: usize = 16;

const CONFIG: &str = "greffier.toml";
const SETTINGS: &str = r#"# Made by `greffier mcp`: how the wrapped server is governed. Every section of `greffier init`'s file works here.

[safety]
default = "redact"
tools = "flag"                         # tool arguments and results pass; the record is redacted all the same
"#;
const POLICY: &str = r#"// Everything the wrapped server offers is permitted, and recorded. Forbid what should not be:
//
// @id("nothing is deleted")
// forbid (principal, action, resource == Tool::"files:delete_file");

@id("whoever started the server may use it")
permit (principal in Tenant::"local", action in [Action::"call_tool", Action::"read_resource"], resource);
"#;

/// A folder, held.
pub(crate) struct Folder {
    path: PathBuf,
    /// Its lock keeps others out.
    _held: File,
}

impl Folder {
    /// The folder at `wanted`, or the first one beside it that nobody holds.
    pub(crate) fn take(wanted: &Path) -> anyhow::Result<Folder> {
        for copy in 1..=MOST {
            let path = if copy == 1 { wanted.to_owned() } else { beside(wanted, copy) };
            if let Some(folder) = Folder::hold(path)? {
                return Ok(folder);
            }
        }
        let failure = Failure::new("busy", format!("{MOST} copies of this server run already"));
        Err(failure.hint("end some of them, or choose another folder with --dir").into())
    }

    fn hold(path: PathBuf) -> anyhow::Result<Option<Folder>> {
        let place = path.display().to_string();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create `{place}`"))?;
        let held = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(".held"))
            .with_context(|| format!("cannot write into `{place}`"))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let folder = Folder { path, _held: held };
        // The configuration last: as long as it is missing, the folder is not set up.
        if !folder.config().exists() {
            folder.set_up().with_context(|| format!("cannot set up `{place}`"))?;
        }
        Ok(Some(folder))
    }

    fn set_up(&self) -> anyhow::Result<()> {
        let keys = self.path.join("greffier-keys");
        if !keys.exists() {
            KeyRing::create(&keys)?;
            dev_issuer::create(&keys)?;
        }
        let policies = self.path.join("policies");
        std::fs::create_dir_all(&policies)?;
        write(&policies.join("mcp.cedar"), POLICY)?;
        write(&self.config(), SETTINGS)
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn beside(path: &Path, copy: usize) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{name}-{copy}"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::wire;

    #[test]
    fn each_copy_has_a_folder_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("files");
        let first = Folder::take(&wanted).unwrap();
        let second = Folder::take(&wanted).unwrap();
        assert_eq!(first.path(), wanted);
        assert_eq!(second.path(), dir.path().join("files-2"));
        drop(first);
        assert_eq!(Folder::take(&wanted).unwrap().path(), wanted);
    }

    #[test]
    fn what_is_set_up_works() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(&dir.path().join("files")).unwrap();
        let config = Config::alone(&folder.config()).unwrap();
        let policies = wire::policies(&config.policy_dir).unwrap();
        assert!(policies.digest().starts_with("sha256:"));
        assert!(wire::settings(config).is_ok());
    }
}
