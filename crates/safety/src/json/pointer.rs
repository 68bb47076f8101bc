//! Where in a document a hit stands, as a JSON pointer (RFC 6901) without values.

use std::fmt::Write as _;

/// Bytes of a pointer; what is longer keeps its beginning and ends in `…`.
pub const MAX_POINTER: usize = 256;

/// Characters of one key in a pointer.
const MAX_KEY: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// An object, before its first key.
    Object,
    Key(String),
    /// An array: the index of the next element.
    Index(u64),
}

/// The path to the token at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    parts: Vec<Part>,
}

impl Path {
    pub(crate) fn open(&mut self, object: bool) {
        self.parts.push(if object { Part::Object } else { Part::Index(0) });
    }

    pub(super) fn close(&mut self) {
        self.parts.pop();
        self.value_done();
    }

    /// What was opened last ends; what is behind it is not yet begun.
    pub(crate) fn end(&mut self) {
        self.parts.pop();
    }

    /// The key in force from now on, already free of hits.
    pub(crate) fn key(&mut self, key: &str) {
        if let Some(part) = self.parts.last_mut() {
            *part =
                Part::Key(key.chars().take(MAX_KEY).map(|c| if c.is_control() { '?' } else { c }).collect());
        }
    }

    pub(crate) fn value_done(&mut self) {
        if let Some(Part::Index(index)) = self.parts.last_mut() {
            *index += 1;
        }
    }

    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for part in &self.parts {
            match part {
                Part::Object => {}
                Part::Key(key) => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Part::Index(index) => {
                    let _ = write!(pointer, "/{index}");
                }
            }
            if pointer.len() > MAX_POINTER {
                pointer.truncate(pointer.floor_char_boundary(MAX_POINTER - '…'.len_utf8()));
                pointer.push('…');
                break;
            }
        }
        pointer
    }
}
