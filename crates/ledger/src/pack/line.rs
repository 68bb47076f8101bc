//! The lines of a pack's events: an entry with its parts, a leaf hash that stands for an entry, and behind each run of
//! consecutive entries its proof.
//!
//! ```json
//! {"index":7,"found":true,"entry":"{…}","parts":[{"name":"prompt","salt":"…","content":"…"},{"name":"result","commitment":"…"}]}
//! {"index":8,"leaf":"…"}
//! {"run":[7,9],"proof":["…","…"]}
//! ```
//!
//! Salts and commitments are lowercase hex, contents and hashes of the tree base64, as in proofs. One spelling: a line
//! that is not what would be written for what it says is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_merkle::Hash;
use greffier_merkle::proof::MAX_RUN_HASHES;
use serde::{Deserialize, Serialize};

use crate::erase::Gone;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// An entry in full.
    Entry {
        index: u64,
        /// Whether the search found it; otherwise it is there for the sake of completeness, or explains another.
        found: bool,
        entry: String,
        parts: Vec<PartLine>,
    },
    /// An entry that is withheld.
    Leaf { index: u64, leaf: Hash },
    /// The entries from `first` to before `end` were the last ones, without a gap, and this proves them.
    Run { first: u64, end: u64, proof: Vec<Hash> },
}

/// One part of an entry, in the entry's order.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PartLine {
    /// In full.
    Shown { name: String, salt: Hash, content: Vec<u8> },
    /// By its commitment, where that is known, and by what makes it gone, where it is.
    Closed { name: String, commitment: Option<Hash>, gone: Option<Gone> },
}

impl std::fmt::Debug for PartLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PartLine").field(&self.name()).finish()
    }
}

impl PartLine {
    pub(crate) fn name(&self) -> &str {
        let (PartLine::Shown { name, .. } | PartLine::Closed { name, .. }) = self;
        name
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, PartLine::Closed { gone: Some(_), .. })
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<WirePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<String>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePart {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_by: Option<u64>,
}

impl Line {
    /// The line, with its end.
    pub(crate) fn write(&self) -> Result<String, serde_json::Error> {
        let wire = match self {
            Line::Entry { index, found, entry, parts } => Wire {
                index: Some(*index),
                found: *found,
                entry: Some(entry.clone()),
                parts: parts.iter().map(PartLine::wire).collect(),
                ..Wire::default()
            },
            Line::Leaf { index, leaf } => {
                Wire { index: Some(*index), leaf: Some(STANDARD.encode(leaf)), ..Wire::default() }
            }
            Line::Run { first, end, proof } => Wire {
                run: Some((*first, *end)),
                proof: Some(proof.iter().map(|hash| STANDARD.encode(hash)).collect()),
                ..Wire::default()
            },
        };
        Ok(serde_json::to_string(&wire)? + "\n")
    }

    /// Reads a line without its end.
    pub(crate) fn read(text: &str) -> Option<Line> {
        let line = Line::of(serde_json::from_str(text).ok()?)?;
        (line.write().ok()?.strip_suffix('\n')? == text).then_some(line)
    }

    fn of(wire: Wire) -> Option<Line> {
        match wire {
            Wire {
                index: Some(index),
                found,
                entry: Some(entry),
                parts,
                leaf: None,
                run: None,
                proof: None,
            } => {
                let parts = parts.into_iter().map(PartLine::of).collect::<Option<_>>()?;
                Some(Line::Entry { index, found, entry, parts })
            }
            Wire { index: Some(index), leaf: Some(leaf), entry: None, run: None, proof: None, .. } => {
                Some(Line::Leaf { index, leaf: hash(&leaf)? })
            }
            Wire {
                run: Some((first, end)),
                proof: Some(proof),
                index: None,
                entry: None,
                leaf: None,
                ..
            } if proof.len() <= MAX_RUN_HASHES => {
                let proof = proof.iter().map(|text| hash(text)).collect::<Option<_>>()?;
                Some(Line::Run { first, end, proof })
            }
            _ => None,
        }
    }
}

impl PartLine {
    fn wire(&self) -> WirePart {
        match self {
            PartLine::Shown { name, salt, content } => WirePart {
                name: name.clone(),
                salt: Some(hex::encode(salt)),
                content: Some(STANDARD.encode(content)),
                ..WirePart::default()
            },
            PartLine::Closed { name, commitment, gone } => {
                let (erased_by, expired_by) = match gone {
                    None => (None, None),
                    Some(Gone::Erased { by }) => (Some(*by), None),
                    Some(Gone::Expired { by }) => (None, Some(*by)),
                };
                let (name, commitment) = (name.clone(), commitment.map(hex::encode));
                WirePart { name, commitment, erased_by, expired_by, ..WirePart::default() }
            }
        }
    }

    fn of(wire: WirePart) -> Option<PartLine> {
        let from_hex = |text: String| -> Option<Hash> { hex::decode(text).ok()?.try_into().ok() };
        let gone = match (wire.erased_by, wire.expired_by) {
            (None, None) => None,
            (Some(by), None) => Some(Gone::Erased { by }),
            (None, Some(by)) => Some(Gone::Expired { by }),
            _ => return None,
        };
        match (wire.salt, wire.content, wire.commitment, gone) {
            (Some(salt), Some(content), None, None) => {
                let content = STANDARD.decode(content).ok()?;
                Some(PartLine::Shown { name: wire.name, salt: from_hex(salt)?, content })
            }
            (None, None, commitment, gone) => {
                let commitment = commitment.map(|text| from_hex(text).ok_or(())).transpose().ok()?;
                Some(PartLine::Closed { name: wire.name, commitment, gone })
            }
            _ => None,
        }
    }
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = PartLine> {
        let shown = (any::<String>(), any::<Hash>(), any::<Vec<u8>>());
        let gone = prop_oneof![
            any::<u64>().prop_map(|by| Gone::Erased { by }),
            any::<u64>().prop_map(|by| Gone::Expired { by }),
        ];
        let closed = (any::<String>(), any::<Option<Hash>>(), proptest::option::of(gone));
        prop_oneof![
            shown.prop_map(|(name, salt, content)| PartLine::Shown { name, salt, content }),
            closed.prop_map(|(name, commitment, gone)| PartLine::Closed { name, commitment, gone }),
        ]
    }

    fn line() -> impl Strategy<Value = Line> {
        let parts = proptest::collection::vec(part(), 0..3);
        let hashes = proptest::collection::vec(any::<Hash>(), 0..4);
        prop_oneof![
            (any::<u64>(), any::<bool>(), any::<String>(), parts)
                .prop_map(|(index, found, entry, parts)| Line::Entry { index, found, entry, parts }),
            any::<(u64, Hash)>().prop_map(|(index, leaf)| Line::Leaf { index, leaf }),
            (any::<(u64, u64)>(), hashes).prop_map(|((first, end), proof)| Line::Run { first, end, proof }),
        ]
    }

    proptest! {
        #[test]
        fn lines_come_back(line in line()) {
            let text = line.write().unwrap();
            let text = text.strip_suffix('\n').unwrap();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(Line::read(text), Some(line));
        }

        #[test]
        fn what_is_read_writes_back(line in line(), at: usize, byte: u8) {
            let mut text = line.write().unwrap().into_bytes();
            text.pop();
            let at = at % text.len();
            text[at] = byte;
            if let Ok(text) = std::str::from_utf8(&text) && let Some(line) = Line::read(text) {
                prop_assert_eq!(line.write().unwrap(), format!("{text}\n"));
            }
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"index":1}"#,
            r#"{"index":1,"entry":"a","leaf":"b"}"#,
            r#"{"index":1, "entry":"a"}"#,
            r#"{"index":1,"entry":"a","more":1}"#,
            r#"{"index":1,"entry":"a","parts":[{"name":"p","salt":"00"}]}"#,
            r#"{"index":1,"entry":"a","parts":[{"name":"p","erased_by":1,"expired_by":2}]}"#,
            r#"{"run":[1,2]}"#,
        ] {
            assert_eq!(Line::read(text), None, "{text}");
        }
        insta::assert_snapshot!(
            Line::Run { first: 7, end: 9, proof: vec![[0; 32]] }.write().unwrap(),
            @r#"{"run":[7,9],"proof":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}"#
        );
    }
}
