//! The witness's key: one file, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_merkle::note::{Algorithm, Cosigner};
use zeroize::Zeroizing;

use crate::exit::Failure;

/// Its name in the witness's folder.
pub(crate) const FILE: &str = "witness.key";
/// What a line with a private key begins with, where notes are signed.
const PREFIX: &str = "PRIVATE+KEY+";
/// A name, an id and 44 characters; what is much larger is something else.
const MAX_FILE: u64 = 4096;

/// Makes a fresh key of this name. Never overwrites one.
pub(crate) fn create(dir: &Path, name: &str) -> anyhow::Result<Cosigner> {
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(seed.as_mut()).map_err(|_| Failure::new("randomness", "the system gave no randomness"))?;
    let key = Cosigner::new(name, &seed).map_err(|error| Failure::usage(format!("--name: {error}")))?;
    let path = dir.join(FILE);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text(&key, &seed).as_bytes())?;
        file.sync_all()?;
        File::open(dir)?.sync_all()
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(key)
}

/// Opens the key; none if there is no file.
pub(crate) fn open(dir: &Path) -> anyhow::Result<Option<Cosigner>> {
    let path = dir.join(FILE);
    let place = path.display();
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("cannot open `{place}`"))?,
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        let failure = Failure::new("key_mode", format!("`{place}` can be read by others than its owner"));
        return Err(failure.hint(format!("chmod 600 {place}")).into());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE).read_to_string(&mut text).with_context(|| format!("cannot read `{place}`"))?;
    let key = parse(&text).ok_or_else(|| {
        Failure::new("key", format!("`{place}` is not a witness's key, or is damaged"))
            .hint("restore it from a backup: another key is another witness")
    })?;
    Ok(Some(key))
}

/// `PRIVATE+KEY+<name>+<id>+<base64 of the type and the seed>`, the form of other tools that sign notes.
fn text(key: &Cosigner, seed: &[u8; 32]) -> Zeroizing<String> {
    let secret = Zeroizing::new([&[Algorithm::Cosignature.type_byte()], seed.as_slice()].concat());
    let (name, id) = (key.verifier().name(), key.verifier().key_id());
    Zeroizing::new(format!("{PREFIX}{name}+{id:08x}+{}\n", STANDARD.encode(secret.as_slice())))
}

fn parse(given: &str) -> Option<Cosigner> {
    let (name, rest) = given.strip_prefix(PREFIX)?.split_once('+')?;
    let (_, secret) = rest.strip_suffix('\n')?.split_once('+')?;
    let secret = Zeroizing::new(STANDARD.decode(secret).ok()?);
    let seed: &[u8; 32] = secret.get(1..)?.try_into().ok()?;
    let key = Cosigner::new(name, seed).ok()?;
    // One spelling: the type and the id must be those of this name and seed.
    (text(&key, seed).as_str() == given).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).unwrap().is_none());
        let made = create(dir.path(), "w.example/1").unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(open(dir.path()).unwrap().unwrap().verifier(), made.verifier());
        assert!(create(dir.path(), "w.example/1").is_err(), "it was overwritten");

        let good = std::fs::read_to_string(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(String::from_utf8(bytes).is_ok_and(|text| parse(&text).is_none()), "byte {at}");
            assert!(parse(&good[..at]).is_none(), "cut at {at}");
        }
        assert!(create(dir.path(), "two words").is_err());
    }

    #[test]
    fn others_must_not_read_it() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "w.example").unwrap();
        let path = dir.path().join(FILE);
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = open(dir.path()).unwrap_err().to_string();
            assert!(refused.ends_with("can be read by others than its owner"), "{refused}");
        }
    }
}
