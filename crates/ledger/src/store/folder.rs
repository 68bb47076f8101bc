//! A folder on the real file system whose name survives a power cut, with all folders above it that were missing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Creates `dir` and what is missing above it, the folders' permissions being `mode`, and makes every new name
/// durable. One that is there already is made durable again: a process that was killed may have left it so.
pub(crate) fn create(dir: &Path, mode: u32) -> io::Result<()> {
    create_with(dir, mode, &mut sync)
}

fn create_with(dir: &Path, mode: u32, sync: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let above = match dir.parent() {
        Some(above) if above != Path::new("") => above,
        Some(_) => Path::new("."),
        // The root of everything.
        None => return Ok(()),
    };
    if !above.is_dir() {
        create_with(above, mode, sync)?;
    }
    let made = match fs::DirBuilder::new().mode(mode).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => false,
        result => result.map(|()| true)?,
    };
    match sync(above) {
        // Somebody else made it, where we may not look.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !made => Ok(()),
        result => result,
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_name_is_made_durable_from_the_top() {
        let root = tempfile::tempdir().unwrap();
        let told = |dir: &str| {
            let mut synced = Vec::new();
            let mut sync = |dir: &Path| {
                synced.push(dir.strip_prefix(root.path()).unwrap().display().to_string());
                sync(dir)
            };
            create_with(&root.path().join(dir), 0o700, &mut sync).unwrap();
            assert!(root.path().join(dir).is_dir());
            synced
        };
        assert_eq!(told("a/b/c"), ["", "a", "a/b"]);
        assert_eq!(told("a/b/c"), ["a/b"]);
        assert_eq!(told("d"), [""]);
    }

    #[test]
    fn a_sync_that_fails_is_no_folder_to_rely_on() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("keys");
        let failing = |kind: io::ErrorKind| create_with(&dir, 0o700, &mut |_| Err(kind.into()));
        assert_eq!(
            failing(io::ErrorKind::PermissionDenied).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        // It is there now; the next try still owes the sync.
        assert_eq!(failing(io::ErrorKind::Other).unwrap_err().kind(), io::ErrorKind::Other);
        assert!(failing(io::ErrorKind::PermissionDenied).is_ok());
        std::fs::write(root.path().join("file"), b"").unwrap();
        assert!(create(&root.path().join("file"), 0o700).is_err());
    }
}
