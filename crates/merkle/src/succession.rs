//! Key successions: a log's key names the key that follows it.
//!
//! Two signatures of one name on a checkpoint prove nothing about each other: anybody can add a line under the
//! log's name. So a log that changes its key says it in a note of its own, which the old key and the new one sign:
//!
//! ```text
//! key succession v1
//! <origin>
//! <old vkey>
//! <new vkey>
//!
//! — <origin> <signature of the old key>
//! — <origin> <signature of the new key>
//! ```
//!
//! Whoever trusts the old key may go on with the new one ([`crate::TrustPolicy::follow`]). The text is never that of
//! a checkpoint, whose third line is a root. This is a form of our own: C2SP has none for it.

use crate::note::{Algorithm, KeyError, NoteError, NoteSigner, SignedNote, Verifier, sign_all};

/// The first line.
const HEAD: &str = "key succession v1";

/// One key of a log, and the one that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The key that was there.
    pub old: Verifier,
    /// The key that follows it.
    pub new: Verifier,
}

/// Why a note is no succession to go by.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SuccessionError {
    /// The note around it is malformed or not signed by both keys.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not the text of a succession between two keys of one log.
    #[error("malformed key succession: {0}")]
    Malformed(&'static str),
    /// One of the two keys did not sign.
    #[error("the old and the new key must both have signed a key succession")]
    OneSided,
}

impl Succession {
    /// The note in which `old` names `new`, signed by both.
    pub fn sign(old: &dyn NoteSigner, new: &dyn NoteSigner) -> Result<String, SuccessionError> {
        let succession = Succession { old: old.verifier().clone(), new: new.verifier().clone() };
        let text = succession.to_text();
        Succession::parse(&text)?;
        Ok(sign_all(&text, [old, new])?)
    }

    /// Reads a note, and checks both signatures. That the old key is one to trust is the caller's to know.
    pub fn open(note: &str) -> Result<Succession, SuccessionError> {
        let note = SignedNote::parse(note)?;
        let succession = Succession::parse(note.text())?;
        let signed = note.verify([&succession.old, &succession.new])?;
        if signed.len() == 2 { Ok(succession) } else { Err(SuccessionError::OneSided) }
    }

    fn to_text(&self) -> String {
        format!("{HEAD}\n{}\n{}\n{}\n", self.old.name(), self.old, self.new)
    }

    fn parse(text: &str) -> Result<Succession, SuccessionError> {
        let malformed = SuccessionError::Malformed;
        let mut lines = text.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(malformed("the first line is not `key succession v1`"));
        }
        let origin = lines.next().ok_or(malformed("the origin is missing"))?;
        let mut key = || -> Result<Verifier, SuccessionError> {
            let key = Verifier::parse(lines.next().unwrap_or_default())?;
            let ours = key.name() == origin && key.algorithm() == Algorithm::Ed25519;
            if ours { Ok(key) } else { Err(malformed("a key is not a log key named like the origin")) }
        };
        let (old, new) = (key()?, key()?);
        if old == new {
            return Err(malformed("a key cannot follow itself"));
        }
        let succession = Succession { old, new };
        if succession.to_text() == text { Ok(succession) } else { Err(malformed("there are more lines")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::note::Signer;
    use crate::trust::TrustPolicy;
    use crate::{Checkpoint, hash};

    fn key(name: &str, seed: u8) -> Signer {
        Signer::new(name, &[seed; 32]).unwrap()
    }

    /// What a policy that trusts the first key of `log` makes of a note: the keys it then trusts, or why not.
    fn check(note: &str) -> String {
        let mut policy = TrustPolicy::of_log(key("log", 1).verifier().clone()).unwrap();
        match policy.follow(note) {
            Ok(followed) => {
                let known = policy.logs().len();
                format!("{} {known}", if followed { "followed" } else { "passed over" })
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_trusted_key_names_the_next_one_and_nobody_else_does() {
        let [one, two, three] = [1, 2, 3].map(|seed| key("log", seed));
        let handed = Succession::sign(&one, &two).unwrap();
        let text = SignedNote::parse(&handed).unwrap().text().to_owned();
        let notes = [
            handed.clone(),
            Succession::sign(&two, &three).unwrap(),
            // A stranger's hand cannot be the old key's, and the old key alone cannot commit the new one.
            sign_all(&text, [&two as &dyn NoteSigner]).unwrap(),
            sign_all(&text, [&one as &dyn NoteSigner]).unwrap(),
            sign_all(&text, [&three as &dyn NoteSigner]).unwrap(),
            handed.replace("\nlog\n", "\nbeg\n"),
            handed.replace("v1", "v2"),
            Checkpoint { origin: "log".into(), size: 0, root: hash::empty_root() }.sign(&one).unwrap(),
            String::new(),
        ];
        let told: Vec<String> = notes.iter().map(|note| check(note)).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        followed 2
        passed over 1
        the old and the new key must both have signed a key succession
        the old and the new key must both have signed a key succession
        no known key signed the note
        malformed key succession: a key is not a log key named like the origin
        malformed key succession: the first line is not `key succession v1`
        malformed key succession: the first line is not `key succession v1`
        malformed note: no blank line before the signatures
        ");
        assert!(Succession::sign(&one, &key("other", 2)).is_err());
        assert!(Succession::sign(&one, &one).is_err());
    }

    #[test]
    fn trust_follows_step_by_step() {
        let [one, two, three] = [1, 2, 3].map(|seed| key("log", seed));
        let mut policy = TrustPolicy::of_log(one.verifier().clone()).unwrap();
        let [first, second] =
            [(&one, &two), (&two, &three)].map(|(old, new)| Succession::sign(old, new).unwrap());
        assert_eq!((policy.follow(&second), policy.follow(&first)), (Ok(false), Ok(true)));
        assert_eq!((policy.follow(&second), policy.follow(&second)), (Ok(true), Ok(false)));
        let head = Checkpoint { origin: "log".into(), size: 1, root: [7; 32] };
        assert_eq!(policy.verify_checkpoint(&head.sign(&three).unwrap()), Ok(head));
        assert_eq!(TrustPolicy::parse(&policy.to_string()), Ok(policy));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_never_followed(at in 0..1_000usize, flip in 1..128u8) {
            let mut note = Succession::sign(&key("log", 1), &key("log", 2)).unwrap().into_bytes();
            let at = at % note.len();
            note[at] ^= flip;
            if let Ok(note) = String::from_utf8(note) {
                prop_assert!(Succession::open(&note).is_err());
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert!(Succession::open(&text).is_err());
            let headed = format!("{HEAD}\n{text}");
            prop_assert!(Succession::parse(&headed).is_err());
        }
    }
}
