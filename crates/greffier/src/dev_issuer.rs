//! The development issuer's key, beside the other keys: made by `init`, used by `token` and by `serve` on loopback.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_policy::Tenants;
use greffier_policy::dev::DevIssuer;
use zeroize::Zeroizing;

use greffier_gateway::{KeySource, TrustedIssuer};

use crate::exit::Failure;

const FILE: &str = "dev-issuer.key";
/// What development tokens carry in `aud`.
pub(crate) const AUDIENCE: &str = "greffier";
/// A seed has 45 bytes as text; what is much larger is something else.
const MAX_FILE: u64 = 1024;

/// Makes a fresh key, readable by its owner only. Never overwrites one.
pub(crate) fn create(keys: &Path) -> anyhow::Result<()> {
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(seed.as_mut()).map_err(|_| Failure::new("randomness", "the system gave no randomness"))?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(seed.as_ref())));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(keys.join(FILE))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

/// Opens the key that `init` made.
pub(crate) fn open(keys: &Path) -> anyhow::Result<DevIssuer> {
    let path = keys.join(FILE);
    let place = path.display();
    let mut text = Zeroizing::new(String::new());
    let read = File::open(&path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map_err(|error| {
        let failure = Failure::new(
            "dev_issuer",
            format!("cannot read the development issuer's key `{place}`: {error}"),
        );
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("run `greffier init` first, or name an [[issuer]]"),
            _ => failure,
        }
    })?;
    let invalid = || Failure::new("dev_issuer", format!("`{place}` is not 32 bytes as base64"));
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_end()).map_err(|_| invalid())?);
    let seed: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| invalid())?;
    Ok(DevIssuer::from_seed(seed)?)
}

/// How the gateway trusts it: for any tenant, its identities unverified.
pub(crate) fn trust(dev: &DevIssuer) -> TrustedIssuer {
    let keys = KeySource::Fixed(dev.jwks().into_bytes());
    TrustedIssuer { issuer: dev.issuer(AUDIENCE, Tenants::Any), keys }
}
