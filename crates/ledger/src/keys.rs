//! The key ring: who signs, who may read parts, and how people are named without naming them.
//!
//! A folder of its own, never inside the data directory, backed up apart from it:
//!
//! ```text
//! signing.key      gives each trail its Ed25519 key: signs checkpoints and the manifest (`keys/signing.rs`)
//! master.key       wraps the holders' keys
//! references.key   turns an identity into a keyed reference
//! users.keys       one line per holder: its reference and its key, wrapped
//! register         what was erased and what is held, so that older copies of the data learn of it
//! ```
//!
//! The first three hold 32 bytes as base64. Destroying a holder's line destroys whatever was sealed for it.
//! Nobody but their owner may read any of them, or they are not used.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_event::Tenant;
use greffier_merkle::hash::hmac_sha256;

use crate::cipher::{CipherError, Secret};
use crate::store::folder;

mod holders;
pub(crate) mod register;
mod signing;

#[cfg(test)]
use holders::HOLDERS;
use holders::Holders;
use signing::{FIRST, Signing};
pub use signing::{Generation, KeyAction, KeyChange, KeyState};

const MASTER: &str = "master.key";
const REFERENCES: &str = "references.key";
/// A key file has 45 bytes; what is much larger is something else.
const MAX_KEY_FILE: u64 = 1024;

/// Why the key ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system refused.
    #[error("cannot use key file `{file}`: {source}")]
    Io {
        /// The file in the keys folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// `create` where keys already are.
    #[error("keys exist already in `{0}`: choose another folder, or use them")]
    Exists(String),
    /// A file does not hold what it should.
    #[error("key file `{file}` {what}")]
    Invalid {
        /// The file, with its line where it has lines.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Others than the owner may read it.
    #[error("others can read the keys in `{path}` (mode {mode:03o}): run `chmod {fix:03o} {path}`")]
    Exposed {
        /// The file or folder.
        path: String,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        fix: u32,
    },
    /// The keys that sign cannot be changed like that, or not now.
    #[error("{0}")]
    Change(String),
    /// Another process writes this key ring.
    #[error("another process writes the key ring: stop it first")]
    Busy,
    /// The system gave no randomness, or the cipher failed.
    #[error("the system's cryptography failed")]
    Cipher,
}

impl From<CipherError> for KeyError {
    fn from(_: CipherError) -> KeyError {
        KeyError::Cipher
    }
}

/// The keys of one installation.
pub struct KeyRing {
    dir: PathBuf,
    signing: Signing,
    master: Secret,
    references: Secret,
    holders: Mutex<Holders>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Makes fresh keys in `dir`, readable by their owner only. Never overwrites a key.
    pub fn create(dir: &Path) -> Result<KeyRing, KeyError> {
        folder::create(dir, 0o700).map_err(io_error("."))?;
        // A folder that was there already becomes as private as one of our own.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(io_error("."))?;
        for name in [FIRST, MASTER, REFERENCES] {
            write_secret(dir, name, &Secret::random()?)?;
        }
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("."))?;
        KeyRing::open(dir)
    }

    /// Opens existing keys. Reads only: several processes may hold one ring open, one may add holders.
    pub fn open(dir: &Path) -> Result<KeyRing, KeyError> {
        check_folder(dir)?;
        let [master, references] = [MASTER, REFERENCES].map(|name| read_secret(dir, name));
        let (signing, master, references) = (Signing::open(dir)?, master?, references?);
        let holders = Mutex::new(Holders::read(dir, &master)?);
        Ok(KeyRing { dir: dir.to_owned(), signing, master, references, holders })
    }

    /// A keyed reference, `ref:` and 32 hex digits: equal for equal values of one tenant and kind, and
    /// meaningless without `references.key`.
    pub fn reference(&self, tenant: &Tenant, kind: &str, value: &str) -> String {
        let tenant = tenant.as_str();
        let framed = |text: &str| (text.len() as u64).to_le_bytes();
        let chunks: [&[u8]; 6] = [
            b"greffier/reference/v1\0",
            &framed(tenant),
            tenant.as_bytes(),
            &framed(kind),
            kind.as_bytes(),
            value.as_bytes(),
        ];
        let tag = hmac_sha256(self.references.bytes(), &chunks);
        format!("ref:{}", hex::encode(tag.get(..16).unwrap_or_default()))
    }

    /// The folder that it lies in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Who holds the parts of an event: its user, and without one the tenant.
    pub(crate) fn holder(&self, tenant: &Tenant, user: Option<&str>) -> String {
        match user {
            Some(sub) => self.reference(tenant, "user", sub),
            None => self.reference(tenant, "tenant", ""),
        }
    }
}

fn write_secret(dir: &Path, name: &str, secret: &Secret) -> Result<(), KeyError> {
    let text = zeroize::Zeroizing::new(format!("{}\n", STANDARD.encode(secret.bytes())));
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(name));
    let mut file = open.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(dir.display().to_string()),
        _ => io_error(name)(error),
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(name))
}

fn read_secret(dir: &Path, name: &str) -> Result<Secret, KeyError> {
    let text = zeroize::Zeroizing::new(read_bounded(dir, name, MAX_KEY_FILE)?);
    let bytes = STANDARD.decode(text.trim_end()).ok().map(zeroize::Zeroizing::new);
    bytes
        .and_then(|bytes| Secret::from_slice(&bytes))
        .ok_or_else(|| KeyError::Invalid { file: name.to_owned(), what: "is not 32 bytes as base64" })
}

fn read_bounded(dir: &Path, name: &str, limit: u64) -> Result<String, KeyError> {
    let mut text = String::new();
    let file = File::open(dir.join(name)).map_err(io_error(name))?;
    check_mode(&dir.join(name), &file.metadata().map_err(io_error(name))?, 0o600)?;
    file.take(limit + 1).read_to_string(&mut text).map_err(io_error(name))?;
    if text.len() as u64 > limit {
        return Err(KeyError::Invalid { file: name.to_owned(), what: "is too large" });
    }
    Ok(text)
}

fn check_folder(dir: &Path) -> Result<(), KeyError> {
    check_mode(dir, &fs::metadata(dir).map_err(io_error("."))?, 0o700)
}

/// A key that others can read is no key.
fn check_mode(path: &Path, metadata: &fs::Metadata, fix: u32) -> Result<(), KeyError> {
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyError::Exposed { path: path.display().to_string(), mode, fix })
}

fn io_error(file: &str) -> impl FnOnce(io::Error) -> KeyError {
    let file = file.to_owned();
    move |source| KeyError::Io { file, source }
}

#[cfg(test)]
mod tests;
