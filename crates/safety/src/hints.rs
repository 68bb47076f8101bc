//! What the surroundings of a value say about it: the JSON keys above it, the words before it.
//!
//! Nine plain digits are a social security number only where something says so, and `1.2.3.4` is a version
//! where something says that.

use crate::find::person::label::Said;

/// How much of a key is read for hints; a key that says what it holds says it early.
pub(crate) const KEY_BYTES: usize = 64;

/// Words between the label and the number it speaks of ("SSN on file is ...").
const LABEL_DISTANCE: usize = 5;

/// What is known about the place where a text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// A key above says social security number.
    pub(crate) ssn: bool,
    /// The nearest key says version.
    pub(crate) version: bool,
    /// What the nearest key says of people and where they live.
    pub(crate) people: Said,
}

impl Hints {
    /// The hints below a key of an object that has these hints.
    pub(crate) fn with_key(self, key: &[u8]) -> Self {
        let key = key.get(..KEY_BYTES).unwrap_or(key);
        // A placeholder: the key is data that was redacted before, and says nothing.
        let key = if key.contains(&b'<') { &[] } else { key };
        let (mut ssn, mut version, mut social) = (self.ssn, false, false);
        for (_, word) in words(key) {
            ssn |= says_ssn(word) || (social && starts_with(word, b"sec"));
            // `socialsecuritynumber`, written without a hump.
            ssn |= starts_with(word, b"socialsec");
            social = word.eq_ignore_ascii_case(b"social");
            version |= says_version(word);
        }
        Self { ssn, version, people: self.people.under(key) }
    }
}

/// Whether the words behind say that a social security number follows.
pub(crate) fn announces_ssn(behind: &[u8]) -> bool {
    let mut since: Option<usize> = None;
    let mut social = false;
    for (at, word) in words(behind) {
        let announced = says_ssn(word) && !follows_placeholder_start(behind, at)
            || (social && starts_with(word, b"sec"))
            || starts_with(word, b"socialsec");
        social = word.eq_ignore_ascii_case(b"social");
        since = match since {
            _ if announced => Some(0),
            Some(n) if n < LABEL_DISTANCE && !says_other_id(word) => Some(n + 1),
            _ => None,
        };
    }
    since.is_some()
}

/// Whether one of the two words behind says that a version or another dotted number follows.
pub(crate) fn announces_version(behind: &[u8]) -> bool {
    // Whole words only: in the middle of a random token, any letter would do.
    let words = behind.split(|b| !b.is_ascii_alphanumeric()).rev().filter(|word| !word.is_empty());
    words.take(2).any(says_version)
}

/// `<US_SSN>`, which an earlier redaction left, announces nothing.
fn follows_placeholder_start(text: &[u8], at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.ends_with(b"<US_"))
}

fn says_ssn(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"ssn") || word.eq_ignore_ascii_case(b"ssns")
}

fn says_version(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 18] = [
        b"version",
        b"versions",
        b"ver",
        b"v",
        b"release",
        b"build",
        b"firmware",
        b"oid",
        b"section",
        b"sec",
        b"chapter",
        b"clause",
        b"revision",
        b"rev",
        b"patch",
        b"upgrade",
        b"driver",
        b"sdk",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Labels of other numbers: what follows them is theirs.
fn says_other_id(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"order",
        b"invoice",
        b"id",
        b"ticket",
        b"case",
        b"account",
        b"routing",
        b"phone",
        b"zip",
        b"ein",
        b"ref",
        b"reference",
        b"tracking",
        b"claim",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn starts_with(word: &[u8], prefix: &[u8]) -> bool {
    word.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Words of letters with their places, split at humps (`customerSsn`) as well.
fn words(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let together = |a: &u8, b: &u8| {
        a.is_ascii_alphabetic() == b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    text.chunk_by(together)
        .scan(0, |at, word| {
            let start = *at;
            *at += word.len();
            Some((start, word))
        })
        .filter(|(_, word)| word.first().is_some_and(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_by_words() {
        let ssn = |key: &str| Hints::default().with_key(key.as_bytes()).ssn;
        for key in ["ssn", "SSN", "patient_ssn", "customerSsn", "ssnNumber", "social_security_number"] {
            assert!(ssn(key), "{key}");
        }
        for key in ["socialSecurityNumber", "socialsecurity", "Social Security #"] {
            assert!(ssn(key), "{key}");
        }
        for key in ["className", "classname", "sessn", "social", "security", "ssn <US_SSN>", ""] {
            assert!(!ssn(key), "{key}");
        }
    }

    #[test]
    fn a_key_above_speaks_for_all_below_but_a_version_only_for_its_own() {
        let below = Hints::default().with_key(b"ssn").with_key(b"value");
        assert!(below.ssn);
        assert!(!Hints::default().with_key(b"version").with_key(b"host").version);
    }

    #[test]
    fn words_before_announce_what_follows() {
        for text in ["SSN: ", "my social security number is ", "ssn=", "SSN (last checked) "] {
            assert!(announces_ssn(text.as_bytes()), "{text}");
        }
        for text in ["order ", "SSN verified, order id ", "<US_SSN> ", "ssn one two three four five six "] {
            assert!(!announces_ssn(text.as_bytes()), "{text}");
        }
        assert!(announces_version(b"version: ") && announces_version(b"release is "));
        assert!(!announces_version(b"version of the host at ") && !announces_version(b"x9vW "));
    }
}
