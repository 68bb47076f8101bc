//! Checkpoints (C2SP tlog-checkpoint): a tree's origin, size and root, as the text of a signed note.

use crate::encode::{base64, parse_decimal, parse_hash};
use crate::note::{Algorithm, NoteError, NoteSigner, SignedNote, Signer, Verifier, sign_all};
use crate::{Hash, hash};

/// A tree head. It is believed only as far as [`open`] or a [`crate::TrustPolicy`] has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a unique name, by custom a URL without its scheme.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
}

/// Why a checkpoint cannot be read, made or believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the text of a checkpoint.
    #[error("malformed checkpoint: {0}")]
    Malformed(&'static str),
    /// Signed by known keys, none of them the log's.
    #[error("no known log key named like the origin {0} signed the checkpoint")]
    NotTheLog(String),
}

impl Checkpoint {
    /// The note text: three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64(&self.root))
    }

    /// Reads a note's text. Extension lines are allowed, checked for their form and dropped: auditors cannot
    /// check what they say, and our logs write none.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::read(text)?;
        if checkpoint.size == 0 && checkpoint.root != hash::empty_root() {
            return Err(CheckpointError::Malformed("the root of an empty tree is not that of no leaves"));
        }
        Ok(checkpoint)
    }

    /// [`Checkpoint::parse`] without a look at the root of an empty tree: a witness has an answer of its own for
    /// a log that gets it wrong.
    pub(crate) fn read(text: &str) -> Result<Checkpoint, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Malformed("the last line has no end"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty());
        let origin = origin.ok_or(CheckpointError::Malformed("the origin is empty"))?.to_owned();
        let size = lines.next().and_then(parse_decimal);
        let size = size.ok_or(CheckpointError::Malformed("the size is not a plain decimal"))?;
        let root = lines.next().and_then(parse_hash);
        let root = root.ok_or(CheckpointError::Malformed("the root is not 32 bytes of base64"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Malformed("an extension line is empty"));
        }
        Ok(Checkpoint { origin, size, root })
    }

    /// The signed note of this checkpoint. The key must be named like the origin, so that others can open it.
    pub fn sign(&self, signer: &Signer) -> Result<String, CheckpointError> {
        self.sign_all([signer as &dyn NoteSigner])
    }

    /// [`Checkpoint::sign`] by each of a log's keys, as while one is replaced by the next.
    pub fn sign_all<'s>(
        &self,
        signers: impl IntoIterator<Item = &'s dyn NoteSigner>,
    ) -> Result<String, CheckpointError> {
        let signers: Vec<&dyn NoteSigner> = signers.into_iter().collect();
        if signers.iter().any(|signer| signer.verifier().name() != self.origin) {
            return Err(CheckpointError::NotTheLog(self.origin.clone()));
        }
        let text = self.to_text();
        Checkpoint::parse(&text)?;
        Ok(sign_all(&text, signers)?)
    }
}

/// Reads a signed checkpoint that a known log key, named like its origin, signed. A witness's signature alone
/// does not make a checkpoint, and a bad signature of any known key refuses it.
pub fn open<'v>(
    note: &str,
    known: impl IntoIterator<Item = &'v Verifier>,
) -> Result<Checkpoint, CheckpointError> {
    open_signed(note, known).map(|(checkpoint, _)| checkpoint)
}

/// [`open`], with all the known keys that signed.
pub(crate) fn open_signed<'v>(
    note: &str,
    known: impl IntoIterator<Item = &'v Verifier>,
) -> Result<(Checkpoint, Vec<&'v Verifier>), CheckpointError> {
    let note = SignedNote::parse(note)?;
    let signed = note.verify(known)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    let by_log = |key: &&Verifier| key.algorithm() == Algorithm::Ed25519 && key.name() == checkpoint.origin;
    if signed.iter().any(by_log) {
        Ok((checkpoint, signed))
    } else {
        Err(CheckpointError::NotTheLog(checkpoint.origin))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::note::Cosigner;

    fn signer(name: &str) -> Signer {
        Signer::new(name, &[7; 32]).unwrap()
    }

    fn head(origin: &str, size: u64) -> Checkpoint {
        Checkpoint { origin: origin.into(), size, root: if size == 0 { hash::empty_root() } else { [9; 32] } }
    }

    /// The checkpoint read from the text, or the reason it is none.
    fn check(text: &str) -> String {
        match Checkpoint::parse(text) {
            Ok(checkpoint) => {
                assert!(text.starts_with(&checkpoint.to_text()));
                format!("{} {}", checkpoint.origin, checkpoint.size)
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn texts() {
        let root = base64(&[9; 32]);
        let texts = [
            format!("log\n5\n{root}\n"),
            format!("a log with spaces\n5\n{root}\nextension\n"),
            format!("log\n0\n{}\n", base64(&hash::empty_root())),
            format!("log\n0\n{root}\n"),
            format!("\n5\n{root}\n"),
            format!("log\n05\n{root}\n"),
            format!("log\n18446744073709551616\n{root}\n"),
            format!("log\n5\n{root}"),
            format!("log\n5\n{root} \n"),
            format!("log\n5\n{root}\n\n"),
            format!("log\n5\n{root}\n\nextension\n"),
            "log\n5\n".to_owned(),
            String::new(),
        ];
        insta::assert_snapshot!(texts.map(|text| check(&text)).join("\n"), @r#"
        log 5
        a log with spaces 5
        log 0
        malformed checkpoint: the root of an empty tree is not that of no leaves
        malformed checkpoint: the origin is empty
        malformed checkpoint: the size is not a plain decimal
        malformed checkpoint: the size is not a plain decimal
        malformed checkpoint: the last line has no end
        malformed checkpoint: the root is not 32 bytes of base64
        malformed checkpoint: an extension line is empty
        malformed checkpoint: an extension line is empty
        malformed checkpoint: the root is not 32 bytes of base64
        malformed checkpoint: the last line has no end
        "#);
    }

    #[test]
    fn only_the_log_makes_a_checkpoint() {
        let (log, other) = (signer("log"), signer("other"));
        let witness = Cosigner::new("log", &[8; 32]).unwrap();
        let note = head("log", 5).sign(&log).unwrap();
        assert_eq!(open(&note, [log.verifier()]), Ok(head("log", 5)));
        assert_eq!(open(&note, [other.verifier()]), Err(NoteError::Unsigned.into()));
        assert_eq!(head("log", 5).sign(&other), Err(CheckpointError::NotTheLog("log".into())));

        // A key we know, but of another log; a witness of the same name.
        let text = head("log", 5).to_text();
        let forged = other.sign(&text).unwrap();
        assert_eq!(open(&forged, [other.verifier()]), Err(CheckpointError::NotTheLog("log".into())));
        let cosigned = SignedNote::new(&text, vec![witness.cosignature(&text, 1).unwrap()]).unwrap();
        assert_eq!(
            open(&cosigned.to_string(), [witness.verifier()]),
            Err(CheckpointError::NotTheLog("log".into()))
        );
    }

    #[test]
    fn a_checkpoint_that_could_not_be_read_is_not_signed() {
        let mut bad = head("log", 5);
        bad.size = 0;
        assert!(bad.sign(&signer("log")).is_err());
    }

    proptest! {
        #[test]
        fn checkpoints_come_back(origin in "[^\n]{1,20}", size in 1..u64::MAX, root: Hash) {
            let head = Checkpoint { origin, size, root };
            prop_assert_eq!(Checkpoint::parse(&head.to_text()), Ok(head));
        }

        #[test]
        fn what_parses_formats_back(
            origin in "[a\n]{0,2}", size in "[0-9+ ]{1,3}", root in "[AE]{42}[A-D]=?", extension in "[a\n]{0,3}",
        ) {
            check(&format!("{origin}\n{size}\n{root}\n{extension}"));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert!(Checkpoint::parse(&text).is_err());
            prop_assert!(open(&text, &[]).is_err());
        }
    }
}
