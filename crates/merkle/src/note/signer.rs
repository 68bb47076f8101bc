//! Private keys: a log's and a witness's. Two types, because one key must never do both.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::note::key::{Algorithm, KeyError, MAX_TIME, Verifier, cosigned};
use crate::note::{NoteError, Signature, SignedNote, check_text};

/// A log's signing key. Its secret is wiped from memory on drop and shown nowhere.
pub struct Signer {
    key: SigningKey,
    verifier: Verifier,
}

/// A witness's signing key.
pub struct Cosigner {
    key: SigningKey,
    verifier: Verifier,
}

impl Signer {
    /// The key of this name from its 32 secret bytes.
    pub fn new(name: impl Into<String>, seed: &[u8; 32]) -> Result<Signer, KeyError> {
        let (key, verifier) = key_pair(name, Algorithm::Ed25519, seed)?;
        Ok(Signer { key, verifier })
    }

    /// The public half, to be trusted by others.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a text, which must end with a newline: the signature line alone.
    pub fn signature(&self, text: &str) -> Result<Signature, NoteError> {
        check_text(text)?;
        Ok(line(&self.verifier, self.key.sign(text.as_bytes()).to_bytes().to_vec()))
    }

    /// Signs a text, which must end with a newline: the whole note.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        Ok(SignedNote::new(text, vec![self.signature(text)?])?.to_string())
    }
}

impl Cosigner {
    /// The key of this name from its 32 secret bytes.
    pub fn new(name: impl Into<String>, seed: &[u8; 32]) -> Result<Cosigner, KeyError> {
        let (key, verifier) = key_pair(name, Algorithm::Cosignature, seed)?;
        Ok(Cosigner { key, verifier })
    }

    /// The public half, to be trusted by others.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Cosigns a checkpoint's text at `time`, in seconds since 1970. The caller has checked that the
    /// checkpoint is consistent with all it cosigned before, and has stored it.
    pub fn cosignature(&self, text: &str, time: u64) -> Result<Signature, NoteError> {
        check_text(text)?;
        if time > MAX_TIME {
            return Err(NoteError::Time(time));
        }
        let signature = self.key.sign(cosigned(text, time).as_bytes()).to_bytes();
        Ok(line(&self.verifier, [time.to_be_bytes().as_slice(), &signature].concat()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.verifier)
    }
}

fn key_pair(
    name: impl Into<String>,
    algorithm: Algorithm,
    seed: &[u8; 32],
) -> Result<(SigningKey, Verifier), KeyError> {
    let key = SigningKey::from_bytes(seed);
    let verifier = Verifier::new(name, algorithm, key.verifying_key().as_bytes())?;
    Ok((key, verifier))
}

fn line(verifier: &Verifier, bytes: Vec<u8>) -> Signature {
    Signature { name: verifier.name().to_owned(), key_id: verifier.key_id(), bytes }
}
