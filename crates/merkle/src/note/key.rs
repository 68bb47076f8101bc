//! Public keys as people exchange them: `name+id+base64`, the id derived from the name and the key.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;

use crate::encode::{base64, parse_base64};
use crate::hash;
use crate::note::Signature;

/// The largest time a cosignature may carry, by the specification.
pub(super) const MAX_TIME: u64 = i64::MAX as u64;

/// What a key signs and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 over the note's text: a log's key (type 0x01).
    Ed25519,
    /// Ed25519 over a time and the note's text: a witness's key (type 0x04, `cosignature/v1`).
    Cosignature,
}

/// What a good signature says; of two by one witness, the later is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// The key signed the text.
    Signed,
    /// The witness found the text consistent with all it saw before.
    Cosigned {
        /// When, in seconds since 1970, by the witness's clock.
        time: u64,
    },
}

/// A public key with its name, as trusted from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    algorithm: Algorithm,
    key: VerifyingKey,
    key_id: u32,
}

/// Why text is no verifier key, or a name cannot name one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// An empty name, or one with spaces, plus signs or control characters.
    #[error("a key name is not empty and holds no space, plus sign or control character")]
    Name,
    /// Not `name+id+base64`.
    #[error("a verifier key reads name+8 hex digits+base64")]
    Form,
    /// The id is not that of this name and key.
    #[error("the key's id does not match its name and bytes: copy the whole key again")]
    Id,
    /// A type of key that is not verified here.
    #[error("key type 0x{0:02x} is not supported: use Ed25519 (0x01) or Ed25519 cosignatures (0x04)")]
    Type(u8),
    /// 32 bytes that are no usable public key.
    #[error("the key bytes are not a usable Ed25519 public key")]
    Key,
}

impl Algorithm {
    /// The signature type identifier of the specification.
    pub fn type_byte(self) -> u8 {
        match self {
            Algorithm::Ed25519 => 0x01,
            Algorithm::Cosignature => 0x04,
        }
    }

    fn from_type_byte(byte: u8) -> Result<Algorithm, KeyError> {
        match byte {
            0x01 => Ok(Algorithm::Ed25519),
            0x04 => Ok(Algorithm::Cosignature),
            other => Err(KeyError::Type(other)),
        }
    }
}

impl Verifier {
    /// A key from its name and bytes. Weak keys, whose signatures bind nothing, are refused.
    pub fn new(name: impl Into<String>, algorithm: Algorithm, key: &[u8; 32]) -> Result<Verifier, KeyError> {
        let name = name.into();
        if !is_name(&name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::Key)?;
        if key.is_weak() {
            return Err(KeyError::Key);
        }
        let named = [name.as_bytes(), b"\n", &[algorithm.type_byte()], key.as_bytes()].concat();
        let [a, b, c, d, ..] = hash::sha256(&named);
        Ok(Verifier { name, algorithm, key, key_id: u32::from_be_bytes([a, b, c, d]) })
    }

    /// Reads a key in its only spelling, as [`fmt::Display`] writes it.
    pub fn parse(vkey: &str) -> Result<Verifier, KeyError> {
        // The name holds no plus sign; the base64 may.
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let key = parse_base64(key).ok_or(KeyError::Form)?;
        let (kind, key) = key.split_first().ok_or(KeyError::Form)?;
        let algorithm = Algorithm::from_type_byte(*kind)?;
        let verifier = Verifier::new(name, algorithm, key.try_into().map_err(|_| KeyError::Key)?)?;
        if verifier.id_text() == id { Ok(verifier) } else { Err(KeyError::Id) }
    }

    /// The key's name: for a log its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The short id of name and key.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The 32 bytes of the public key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// What `signature` says about `text`, if this key made it.
    pub fn check(&self, text: &str, signature: &Signature) -> Option<Statement> {
        if !self.claims(signature) {
            return None;
        }
        match self.algorithm {
            Algorithm::Ed25519 => {
                self.is_good(text.as_bytes(), signature.bytes()).then_some(Statement::Signed)
            }
            Algorithm::Cosignature => {
                let (time, bytes) = signature.bytes().split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                let good = time <= MAX_TIME && self.is_good(cosigned(text, time).as_bytes(), bytes);
                good.then_some(Statement::Cosigned { time })
            }
        }
    }

    /// Whether the signature stands under this key's name and id.
    pub(super) fn claims(&self, signature: &Signature) -> bool {
        self.key_id == signature.key_id() && self.name == signature.name()
    }

    /// Strict: one message has one accepted form of signature, whoever verifies.
    fn is_good(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    fn id_text(&self) -> String {
        format!("{:08x}", self.key_id)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm.type_byte()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id_text(), base64(&key))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

impl FromStr for Verifier {
    type Err = KeyError;
    fn from_str(vkey: &str) -> Result<Verifier, KeyError> {
        Verifier::parse(vkey)
    }
}

/// What a witness signs at `time` for a note of this text.
pub(super) fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Whether this can name a key.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c < ' ' || c == '+')
}
