//! Signed notes (C2SP signed-note): text, a blank line, one line per signature.

mod key;
mod signer;
mod signing;

use std::fmt;

pub use key::{Algorithm, KeyError, Statement, Verifier};
pub use signer::{Cosigner, Signer};
pub use signing::{NoteSigner, sign_all};

use crate::encode::{base64, parse_base64};

/// The longest note, text and signatures: the bound that other readers of notes have too.
pub const MAX_NOTE: usize = 1024 * 1024;

/// The most signatures a note can carry: the specification asks for 16, the log and 63 witnesses are 64.
pub const MAX_SIGNATURES: usize = 64;

/// What a signature line starts with: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// A note whose form is right. Its text means nothing until [`SignedNote::verify`] says who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line, by a key known only by its name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

/// Why a note cannot be read, made or believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`].
    #[error("note is larger than 1 MiB")]
    TooLarge,
    /// Not the form of a note.
    #[error("malformed note: {0}")]
    Malformed(&'static str),
    /// A time that a cosignature cannot carry.
    #[error("cosignature time {0} is past the largest allowed, 2^63 - 1")]
    Time(u64),
    /// The key is kept elsewhere, and no signature came from there. Says nothing secret.
    #[error("no signature by the key {name}: {why}")]
    Signer {
        /// The key.
        name: String,
        /// Why, for people.
        why: String,
    },
    /// A signature under the name and id of a known key that this key did not make.
    #[error("bad signature of the known key {0}: the note was changed or forged")]
    BadSignature(String),
    /// No signature by a known key.
    #[error("no known key signed the note")]
    Unsigned,
}

impl SignedNote {
    /// A note of this text with these signatures, which are not checked.
    pub fn new(text: impl Into<String>, signatures: Vec<Signature>) -> Result<SignedNote, NoteError> {
        let note = SignedNote { text: text.into(), signatures };
        check_text(&note.text)?;
        if !(1..=MAX_SIGNATURES).contains(&note.signatures.len()) {
            return Err(NoteError::Malformed("a note carries 1 to 64 signatures"));
        }
        if note.to_string().len() > MAX_NOTE {
            return Err(NoteError::TooLarge);
        }
        Ok(note)
    }

    /// Reads a note; what it reads, [`fmt::Display`] writes back byte for byte.
    pub fn parse(note: &str) -> Result<SignedNote, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::TooLarge);
        }
        // The text can hold empty lines: the last one ends it.
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let (text, lines) = note.split_at(end + 1);
        check_text(text)?;
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("the last line has no end"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::Malformed("more than 64 signatures"));
            }
            signatures.push(Signature::parse(line)?);
        }
        Ok(SignedNote { text: text.to_owned(), signatures })
    }

    /// The text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in order, known or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The known keys that signed this note, each once, in the order of their first signature.
    ///
    /// Signatures of unknown keys are passed over. One bad signature under a known key's name and id refuses
    /// the whole note, and so does the lack of any good one.
    pub fn verify<'v>(
        &self,
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<Vec<&'v Verifier>, NoteError> {
        let stated = self.statements(known)?;
        Ok(stated.into_iter().map(|(verifier, _)| verifier).collect())
    }

    /// [`SignedNote::verify`], with what each key said; of a witness that cosigned more than once, its last word.
    pub fn statements<'v>(
        &self,
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<Vec<(&'v Verifier, Statement)>, NoteError> {
        let known: Vec<&Verifier> = known.into_iter().collect();
        let mut stated: Vec<(&Verifier, Statement)> = Vec::new();
        for signature in &self.signatures {
            for verifier in known.iter().filter(|verifier| verifier.claims(signature)) {
                let statement = self.checked(verifier, signature)?;
                match stated.iter_mut().find(|(other, _)| other == verifier) {
                    Some((_, said)) => *said = statement.max(*said),
                    None => stated.push((verifier, statement)),
                }
            }
        }
        if stated.is_empty() { Err(NoteError::Unsigned) } else { Ok(stated) }
    }

    /// This note with the signatures of these keys and no others, one each, taken from its own and from `more`;
    /// of a witness's cosignatures the newest. As when verifying, one bad signature under a known key's name and
    /// id refuses all.
    pub fn gather<'v>(
        &self,
        more: &[Signature],
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<SignedNote, NoteError> {
        let mut kept: Vec<Signature> = Vec::new();
        for verifier in known {
            let mut newest: Option<(Statement, &Signature)> = None;
            for signature in self.signatures.iter().chain(more).filter(|line| verifier.claims(line)) {
                let statement = self.checked(verifier, signature)?;
                if newest.is_none_or(|(said, _)| statement > said) {
                    newest = Some((statement, signature));
                }
            }
            kept.extend(newest.map(|(_, line)| line.clone()).filter(|line| !kept.contains(line)));
        }
        if kept.is_empty() { Err(NoteError::Unsigned) } else { SignedNote::new(self.text.clone(), kept) }
    }

    /// What a known key says by a signature under its name and id.
    fn checked(&self, verifier: &Verifier, signature: &Signature) -> Result<Statement, NoteError> {
        let bad = || NoteError::BadSignature(verifier.name().to_owned());
        verifier.check(&self.text, signature).ok_or_else(bad)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl Signature {
    /// Reads one line, without its end: as witnesses answer with.
    pub fn parse(line: &str) -> Result<Signature, NoteError> {
        let read = || {
            let (name, blob) = line.strip_prefix(MARK)?.split_once(' ')?;
            let blob = parse_base64(blob)?;
            let (key_id, bytes) = blob.split_first_chunk()?;
            let whole = key::is_name(name) && !bytes.is_empty();
            whole.then(|| Signature {
                name: name.to_owned(),
                key_id: u32::from_be_bytes(*key_id),
                bytes: bytes.to_vec(),
            })
        };
        read().ok_or(NoteError::Malformed("a signature line is not \"\u{2014} name base64\""))
    }

    /// The name of the key that claims to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The short id of that key: a lookup hint, not proof.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// What follows the key id: the signature, for a cosignature its time and signature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.key_id.to_be_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{MARK}{} {}", self.name, base64(&blob))
    }
}

/// Whether this can be the text of a note.
fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE {
        Err(NoteError::TooLarge)
    } else if !text.ends_with('\n') {
        Err(NoteError::Malformed("the text does not end with a newline"))
    } else if text.bytes().any(|b| b < b' ' && b != b'\n') {
        Err(NoteError::Malformed("control characters other than newline"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
