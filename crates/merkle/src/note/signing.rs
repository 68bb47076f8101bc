//! Who can sign a note. The private key need not be in this process: a key that lives in a module or a service
//! signs behind the same few lines as one in memory.

use crate::note::{NoteError, Signature, SignedNote, Signer, Verifier};

/// A log's key, wherever it is kept.
///
/// An implementation never shows its secret: not in `Debug`, not in an error.
pub trait NoteSigner: Send + Sync {
    /// The public half, to be trusted by others.
    fn verifier(&self) -> &Verifier;

    /// Signs a text, which must end with a newline: the signature line alone. May block while a service answers;
    /// if it does not, that is [`NoteError::Signer`].
    fn signature(&self, text: &str) -> Result<Signature, NoteError>;
}

impl NoteSigner for Signer {
    fn verifier(&self) -> &Verifier {
        Signer::verifier(self)
    }

    fn signature(&self, text: &str) -> Result<Signature, NoteError> {
        Signer::signature(self, text)
    }
}

/// The note of this text signed by every one of these keys, in their order. While a log's key is replaced, the old
/// and the new one sign side by side: readers pass over the one that they do not know.
pub fn sign_all<'s>(
    text: &str,
    signers: impl IntoIterator<Item = &'s dyn NoteSigner>,
) -> Result<String, NoteError> {
    let signatures: Result<Vec<Signature>, NoteError> =
        signers.into_iter().map(|signer| signer.signature(text)).collect();
    Ok(SignedNote::new(text, signatures?)?.to_string())
}
