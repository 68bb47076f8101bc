//! Tables in HTML and JSON: what the heads of a row say about the cells at the same places below it.
//!
//! `<tr><th>a</th><th>b</th></tr><tr><td>…</td>…` and `"columns":["a","b"],"rows":[["…","…"]]`. As in
//! [`crate::tuples`], names are read in passing and judged once rows follow.

use crate::columns::{self, Cell};
use crate::hints::Hints;

/// The longest list of names.
const MAX_NAMES: usize = 512;

/// The longest name of an element that is looked at.
const MAX_TAG: usize = 6;

/// Parts the names of a list.
const BORDER: u8 = 0;

/// Where the reading stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// In the name of an element of so many bytes, or in what follows it.
    Tag { length: u8, named: bool },
    /// In a head of a row of HTML.
    Head,
    /// In a cell of HTML.
    Cell,
    /// In a list of JSON.
    List { quoted: bool, escaped: bool },
}

/// The table that the scan is in, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    place: Place,
    /// The name of the element at hand.
    tag: [u8; MAX_TAG],
    /// The names of the row or list at hand.
    names: Vec<u8>,
    /// Those of the list before.
    above: Vec<u8>,
    /// Whether that row has other cells, so that its heads speak for these.
    mixed: bool,
    heads: Vec<Hints>,
    column: usize,
    /// Where the cell at hand starts.
    cell: usize,
    /// The byte before that is no blank: `[[` and `],[` start a row.
    last: u8,
    /// Within a row of JSON.
    row: bool,
    /// Within a list of lists.
    lists: bool,
}

impl Grid {
    /// Reads on: `bytes` stand at `start`.
    pub(crate) fn read(&mut self, bytes: &[u8], start: usize) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            // Outside of tables only what may begin one is looked at: most of a text is passed over at once.
            let next = match self.place {
                Place::Outside => memchr::memchr3(b'<', b'[', b'}', rest).unwrap_or(rest.len()),
                Place::Cell => memchr::memchr(b'<', rest).unwrap_or(rest.len()),
                _ => 0,
            };
            self.pass(rest.get(..next).unwrap_or_default());
            let Some(&b) = rest.get(next) else { return };
            at += next;
            self.byte(b, start + at);
            self.pass(&[b]);
            at += 1;
        }
    }

    /// Remembers the last byte that is no blank.
    fn pass(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.iter().rfind(|b| !b.is_ascii_whitespace()) {
            self.last = last;
        }
    }

    /// Whether this is a cell below heads.
    pub(crate) fn in_cell(&self) -> bool {
        let within = match self.place {
            Place::Cell => true,
            Place::List { .. } => self.row,
            _ => false,
        };
        within && self.column < self.heads.len()
    }

    /// The cell at hand, if heads stand above it.
    pub(crate) fn cell(&self) -> Option<Cell> {
        let head = self.heads.get(self.column).filter(|_| self.in_cell())?;
        Some(Cell { start: self.cell, said: head.said, subject: head.people })
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.cell = self.cell.saturating_sub(count);
    }

    fn byte(&mut self, b: u8, at: usize) {
        match self.place {
            Place::List { quoted, escaped } => self.list(b, at, quoted, escaped),
            _ if b == b'<' => {
                self.tag = [0; MAX_TAG];
                self.place = Place::Tag { length: 0, named: false };
            }
            Place::Tag { length, named } => self.tag(b, at, length, named),
            Place::Head => self.push(b),
            Place::Outside if b == b'[' => self.open(at),
            Place::Outside if b == b'}' => self.lists = false,
            Place::Outside | Place::Cell => {}
        }
    }

    fn push(&mut self, b: u8) {
        if self.names.len() < MAX_NAMES {
            self.names.push(b);
        }
    }

    fn tag(&mut self, b: u8, at: usize, length: u8, named: bool) {
        self.place = match b {
            b'>' => return self.element(at),
            _ if !named && (b.is_ascii_alphanumeric() || b == b'/') => {
                if let Some(slot) = self.tag.get_mut(usize::from(length)) {
                    *slot = b.to_ascii_lowercase();
                }
                Place::Tag { length: length.saturating_add(1), named }
            }
            // What is no element ends at the line.
            b'\n' => Place::Outside,
            _ => Place::Tag { length, named: true },
        };
    }

    /// The element at hand ends at `at`.
    fn element(&mut self, at: usize) {
        let end = self.tag.iter().position(|&b| b == 0).unwrap_or(MAX_TAG);
        self.place = match self.tag.get(..end).unwrap_or_default() {
            b"tr" => {
                self.end_row();
                Place::Outside
            }
            b"th" => {
                if !self.names.is_empty() {
                    self.push(BORDER);
                }
                Place::Head
            }
            b"td" => {
                self.mixed = true;
                self.cell = at + 1;
                Place::Cell
            }
            b"/td" => {
                self.column += 1;
                Place::Outside
            }
            b"/tr" => {
                self.end_row();
                Place::Outside
            }
            b"table" | b"/table" => {
                self.names.clear();
                self.heads.clear();
                Place::Outside
            }
            b"/th" => Place::Outside,
            // Elements within a head or a cell.
            _ if self.mixed => Place::Cell,
            _ if !self.names.is_empty() => Place::Head,
            _ => Place::Outside,
        };
    }

    /// A row of nothing but heads speaks for the rows below.
    fn end_row(&mut self) {
        if !self.mixed && !self.names.is_empty() {
            self.judge();
        }
        self.names.clear();
        (self.mixed, self.column) = (false, 0);
    }

    fn judge(&mut self) {
        let heads = columns::heads(self.names.split(|b| *b == BORDER)).unwrap_or_default();
        let announces = heads.len() > 1 && heads.iter().any(columns::announces);
        self.heads = if announces { heads } else { Vec::new() };
    }

    /// A list of JSON starts.
    fn open(&mut self, at: usize) {
        let inner = self.last == b'[' || self.lists && self.last == b',';
        // The list before a list of lists names its columns; or else its first list does.
        if !inner {
            self.heads.clear();
            std::mem::swap(&mut self.above, &mut self.names);
        } else if self.last == b'[' {
            std::mem::swap(&mut self.above, &mut self.names);
            self.judge();
        } else if self.heads.is_empty() {
            self.judge();
        }
        self.lists = inner;
        self.row = inner && !self.heads.is_empty();
        self.names.clear();
        self.place = Place::List { quoted: false, escaped: false };
        (self.column, self.cell) = (0, at + 1);
    }

    fn list(&mut self, b: u8, at: usize, quoted: bool, escaped: bool) {
        let next = |quoted, escaped| Place::List { quoted, escaped };
        self.place = match b {
            _ if escaped => next(quoted, false),
            b'\\' => next(quoted, true),
            b'"' => next(!quoted, false),
            b']' if !quoted => {
                self.row = false;
                Place::Outside
            }
            // A list of lists.
            b'[' if !quoted => {
                self.place = Place::Outside;
                return self.open(at);
            }
            b'{' if !quoted => {
                self.names.clear();
                self.lists = false;
                self.row = false;
                Place::Outside
            }
            b',' if !quoted => {
                self.column += 1;
                self.cell = at + 1;
                if !self.row {
                    self.push(BORDER);
                }
                next(false, false)
            }
            _ => {
                if !self.row && quoted {
                    self.push(b);
                }
                next(quoted, false)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the end of a text.
    fn check(text: &str) -> &'static str {
        let mut pieces = Grid::default();
        for at in 0..text.len() {
            pieces.read(&text.as_bytes()[at..=at], at);
        }
        let mut whole = Grid::default();
        whole.read(text.as_bytes(), 0);
        assert_eq!(pieces.cell(), whole.cell());
        whole.cell().map_or("none", |cell| cell.said.label.map_or("", |label| label.phrase))
    }

    #[test]
    fn heads_of_html_speak_for_the_cells_below() {
        let head = "<table><thead><tr><th>mrn</th><th scope=\"col\"><b>SSN</b></th></tr></thead>";
        assert_eq!(check(&format!("{head}<tr><td>")), "mrn");
        assert_eq!(check(&format!("{head}<tr><td>1</td><td class=x>")), "ssn");
        assert_eq!(check(&format!("{head}\n<tr>\n<td>1</td>\n<td>2</td></tr><tr><td><b>3</b>")), "mrn");
        assert_eq!(check(&format!("{head}<tr><td>1</td><td>2</td><td>")), "none");
        assert_eq!(check(&format!("{head}</table><tr><td>")), "none");
        assert_eq!(check("<tr><th>ssn</th><td>"), "none");
        assert_eq!(check("<tr><th>size</th><th>price</th></tr><tr><td>"), "none");
    }

    #[test]
    fn lists_of_json_speak_for_the_lists_below() {
        assert_eq!(check("{\"columns\":[\"mrn\",\"ssn\"],\"rows\":[[\"1\", \""), "ssn");
        assert_eq!(check("{\"columns\":[\"mrn\",\"ssn\"],\"rows\":[[\"1\",\"2\"],[\""), "mrn");
        assert_eq!(check("{\"values\":[[\"mrn\",\"ssn\"],[1,"), "ssn");
        assert_eq!(check("{\"columns\":[\"mrn\",\"ssn\"],\"rows\":[{\"a\":\""), "none");
        assert_eq!(check("{\"a\":[\"mrn\",\"ssn\"],\"b\":[\"x\",\""), "none");
        assert_eq!(check("{\"a\":[[1,2],[3,"), "none");
    }
}
