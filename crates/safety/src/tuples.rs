//! Rows in SQL: what the list of columns says about the values at the same places below it.
//!
//! `INSERT INTO t (a, b) VALUES ('…', '…'), ('…', '…')`: the i-th name is the only label of every i-th value.
//! The names come long before their values, so they are read in passing and remembered.

use crate::columns::{self, Cell};
use crate::hints::Hints;

/// The longest list of names.
const MAX_LIST: usize = 512;

/// The longest gap between a list and its rows: `VALUES`, and blanks.
const MAX_GAP: usize = 24;

/// Where the reading stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Outside all that.
    #[default]
    Outside,
    /// In what may be a list of names.
    List,
    /// Behind one.
    Behind,
    /// In a row.
    Row { quoted: bool, escaped: bool, depth: u8 },
    /// Between two rows.
    Between,
}

/// The rows that the scan is in, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuples {
    place: Place,
    /// The list of names, which are judged once rows follow: most brackets hold something else.
    names: Vec<u8>,
    /// What stands behind it.
    gap: Vec<u8>,
    heads: Vec<Hints>,
    column: usize,
    /// Where the value at hand starts.
    cell: usize,
}

impl Tuples {
    /// Reads on: `bytes` stand at `start`. Says whether rows of a file follow, separated by tabs: `COPY t (a, b) FROM
    /// stdin;`.
    pub(crate) fn read(&mut self, bytes: &[u8], start: usize) -> Option<Vec<Hints>> {
        let mut file = None;
        let mut at = 0;
        while let Some(&b) = bytes.get(at) {
            if self.place == Place::Outside {
                let Some(open) = memchr::memchr(b'(', bytes.get(at..).unwrap_or_default()) else { break };
                at += open;
            }
            file = self.byte(*bytes.get(at).unwrap_or(&b), start + at).or(file);
            at += 1;
        }
        file
    }

    /// Whether this is a row.
    pub(crate) fn in_row(&self) -> bool {
        matches!(self.place, Place::Row { .. })
    }

    /// The value at hand, if this is a row.
    pub(crate) fn cell(&self) -> Option<Cell> {
        self.in_row().then(|| {
            let head = self.heads.get(self.column).copied().unwrap_or_default();
            Cell { start: self.cell, said: head.said, subject: head.people }
        })
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.cell = self.cell.saturating_sub(count);
    }

    fn byte(&mut self, b: u8, at: usize) -> Option<Vec<Hints>> {
        match self.place {
            Place::Outside if b == b'(' => self.open_list(),
            Place::Outside => {}
            Place::List => match b {
                b')' => {
                    self.gap.clear();
                    self.place = Place::Behind;
                }
                b'(' => self.open_list(),
                _ if is_part_of_name(b) && self.names.len() < MAX_LIST => {
                    // Names may be quoted, in several ways.
                    let mark = matches!(b, b'"' | b'`' | b'[' | b']' | b'\\');
                    self.names.push(if mark || is_blank(b) { b' ' } else { b });
                }
                _ => self.place = Place::Outside,
            },
            Place::Behind => match b {
                b'(' if self.says(b"values") && self.judge() => self.open_row(at),
                b'(' => self.open_list(),
                b';' if self.says(b"from stdin") && self.judge() => {
                    self.place = Place::Outside;
                    return Some(std::mem::take(&mut self.heads));
                }
                _ if self.gap.len() < MAX_GAP && (b.is_ascii_alphabetic() || is_blank(b)) => {
                    self.gap.push(if is_blank(b) { b' ' } else { b });
                }
                _ => self.place = Place::Outside,
            },
            Place::Row { quoted, escaped, depth } => {
                self.place = match b {
                    _ if escaped => Place::Row { quoted, escaped: false, depth },
                    b'\\' => Place::Row { quoted, escaped: true, depth },
                    b'\'' => Place::Row { quoted: !quoted, escaped, depth },
                    b'(' if !quoted && depth < u8::MAX => Place::Row { quoted, escaped, depth: depth + 1 },
                    b')' if !quoted && depth > 0 => Place::Row { quoted, escaped, depth: depth - 1 },
                    b')' if !quoted => Place::Between,
                    b';' if !quoted => Place::Outside,
                    b',' if !quoted && depth == 0 => {
                        self.column += 1;
                        self.cell = at + 1;
                        self.place
                    }
                    _ => self.place,
                }
            }
            Place::Between => match b {
                b'(' => self.open_row(at),
                b',' => {}
                _ if is_blank(b) => {}
                _ => self.place = Place::Outside,
            },
        }
        None
    }

    fn open_list(&mut self) {
        self.place = Place::List;
        self.names.clear();
    }

    /// What the names say; whether they are names.
    fn judge(&mut self) -> bool {
        self.heads = columns::heads(self.names.split(|b| *b == b',')).unwrap_or_default();
        !self.heads.is_empty()
    }

    fn open_row(&mut self, at: usize) {
        self.place = Place::Row { quoted: false, escaped: false, depth: 0 };
        (self.column, self.cell) = (0, at + 1);
    }

    /// Whether these words stand behind the list, and nothing else.
    fn says(&self, words: &[u8]) -> bool {
        self.gap.trim_ascii().eq_ignore_ascii_case(words)
    }
}

fn is_part_of_name(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || is_blank(b)
        || matches!(b, b'_' | b',' | b'.' | b'"' | b'`' | b'[' | b']' | b'-')
}

fn is_blank(b: u8) -> bool {
    b.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the end of a text.
    fn check(text: &str) -> &'static str {
        let mut pieces = Tuples::default();
        for at in 0..text.len() {
            pieces.read(&text.as_bytes()[at..=at], at);
        }
        let mut whole = Tuples::default();
        whole.read(text.as_bytes(), 0);
        assert_eq!(pieces.cell(), whole.cell());
        whole.cell().map_or("none", |cell| cell.said.label.map_or("", |label| label.phrase))
    }

    #[test]
    fn names_speak_for_the_values_at_their_place() {
        assert_eq!(check("INSERT INTO t (note, ssn) VALUES ("), "");
        assert_eq!(check("INSERT INTO t (name, ssn) VALUES ('a, (b)', "), "ssn");
        assert_eq!(check("insert into t (`name`, \"ssn\")\nvalues ('it''s', 'x'),\n ('b', '"), "ssn");
        assert_eq!(check("INSERT INTO t (name, ssn) VALUES (lower('a, b'), "), "ssn");
        assert_eq!(check("INSERT INTO t (name, ssn) VALUES ('a', 'b', 'c"), "");
        assert_eq!(check("INSERT INTO t (name, ssn) VALUES ('a', 'b') RETURNING ("), "none");
        assert_eq!(check("INSERT INTO t (name, ssn) VALUES ('a', 'b'); ("), "none");
        assert_eq!(check("we asked (name, ssn) for values of ("), "none");
        assert_eq!(check("f(name, ssn)("), "none");
    }

    #[test]
    fn files_follow_a_copy() {
        let heads = Tuples::default().read(b"COPY t (id, ssn) FROM stdin;", 0).unwrap();
        assert_eq!(heads.len(), 2);
        assert!(Tuples::default().read(b"COPY t (id, ssn) FROM '/file';", 0).is_none());
    }
}
