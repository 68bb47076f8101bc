//! Tables in text: what the head of a column says about the cells below it.
//!
//! A line of labels with separators between them (`name,ssn,dob`, `| Name | SSN |`) is the head of the lines below,
//! as long as they have the separator as well.

use crate::Entity;
use crate::entity::Class;
use crate::find::person::label::Subject;
use crate::hints::{Hints, Said};

/// The longest line that is taken for a head.
const MAX_HEAD: usize = 512;

/// Columns that are remembered.
const MAX_COLUMNS: usize = 32;

/// The longest cell of a head.
const MAX_CELL: usize = 40;

/// The table that the scan is in, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// The line at hand, as far as it may be a head.
    line: Vec<u8>,
    /// The length of the line at hand.
    length: usize,
    /// The separator of the table, and what its columns hold.
    table: Option<(u8, Vec<Hints>)>,
    /// Separators seen in the line at hand.
    column: usize,
    /// Within quotes, where a separator is none.
    quoted: bool,
    /// Where the cell at hand starts.
    cell: usize,
    /// Up to here the text has been read.
    seen: usize,
}

/// The cell that the scan is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) start: usize,
    /// What the head of its column says.
    pub(crate) said: Said,
    /// Of whom or what place it speaks.
    pub(crate) subject: Subject,
}

impl Columns {
    /// Reads on up to `to`.
    pub(crate) fn read(&mut self, bytes: &[u8], to: usize) {
        while self.seen < to {
            let rest = bytes.get(self.seen..to).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest);
            self.piece(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            self.seen += end.unwrap_or(rest.len());
            if end.is_none() {
                return;
            }
            self.seen += 1;
            self.end_line();
        }
    }

    /// The cell at hand, if this is a table.
    pub(crate) fn cell(&self) -> Option<Cell> {
        let (_, heads) = self.table.as_ref()?;
        let head = heads.get(self.column).copied().unwrap_or_default();
        Some(Cell { start: self.cell, said: head.said, subject: head.people })
    }

    pub(crate) fn in_table(&self) -> bool {
        self.table.is_some()
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.seen = self.seen.saturating_sub(count);
        self.cell = self.cell.saturating_sub(count);
    }

    /// A piece of a line.
    fn piece(&mut self, piece: &[u8]) {
        let room = MAX_HEAD.saturating_sub(self.length.min(MAX_HEAD));
        self.line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        self.length = self.length.saturating_add(piece.len());
        if let Some((separator, _)) = &self.table {
            for (place, &b) in piece.iter().enumerate() {
                self.quoted ^= b == b'"';
                if b == *separator && !self.quoted {
                    self.column += 1;
                    self.cell = self.seen + place + 1;
                }
            }
        }
    }

    fn end_line(&mut self) {
        let head = (self.length <= MAX_HEAD).then(|| head(&self.line)).flatten();
        let rule = self.line.iter().all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'+' | b'=' | b'\r'));
        if head.is_some() {
            self.table = head;
        } else if self.column == 0 || rule && self.length == 0 {
            self.table = None;
        }
        self.line.clear();
        (self.length, self.column, self.quoted, self.cell) = (0, 0, false, self.seen);
    }
}

/// The separator and the labels of a line, if it is the head of a table: two cells or more, short, without values,
/// and one at least that says something.
fn head(line: &[u8]) -> Option<(u8, Vec<Hints>)> {
    let separator = *[b'\t', b'|', b';', b','].iter().find(|separator| line.contains(separator))?;
    let cells = line.split(|&b| b == separator);
    let mut heads = Vec::new();
    for cell in cells.take(MAX_COLUMNS) {
        let words = cell.trim_ascii();
        let letters = words.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let digits = words.iter().filter(|b| b.is_ascii_digit()).count();
        let sentence = words.split(|b| *b == b' ').count() > 4 || words.ends_with(b".");
        let named =
            words.iter().all(|b| b.is_ascii_alphanumeric() || b" _-.#/()\"'".contains(b) || *b >= 0x80);
        if words.len() > MAX_CELL || digits > letters || sentence || !named {
            return None;
        }
        heads.push(Hints::default().with_key(words));
    }
    // A name beside a telephone number or a day of birth is a person's.
    let personal = |head: &Hints| {
        let personal = |kind: &Entity| matches!(kind.class(), Class::Personal | Class::Health);
        head.said.label.is_some_and(|label| label.kinds().iter().any(personal))
    };
    if heads.iter().any(personal) {
        for head in heads.iter_mut().filter(|head| head.people == Subject::Name) {
            head.people = Subject::FullName;
        }
    }
    // `Thanks, Manager` is prose; the heads of a file have no space behind the comma.
    let prose = separator == b',' && memchr::memmem::find(line, b", ").is_some();
    let announces = |head: &&Hints| {
        (head.people != Subject::Nothing && !prose)
            || head.said.label.is_some_and(|label| !label.kinds().is_empty())
    };
    let labels = heads.iter().filter(announces).count();
    let filled = line.split(|&b| b == separator).filter(|cell| !cell.trim_ascii().is_empty()).count();
    (filled > 1 && labels > 0).then_some((separator, heads))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the end of a text.
    fn check(text: &str) -> &'static str {
        let mut columns = Columns::default();
        for at in 0..=text.len() {
            columns.read(text.as_bytes(), at);
        }
        let mut whole = Columns::default();
        whole.read(text.as_bytes(), text.len());
        assert_eq!(columns.cell(), whole.cell());
        columns.cell().and_then(|cell| cell.said.label).map_or("", |label| label.phrase)
    }

    #[test]
    fn heads_speak_for_their_columns() {
        assert_eq!(check("name,ssn,dob\nbob,"), "ssn");
        assert_eq!(check("name,ssn,dob\nbob,x,y\n\"a, b\",z,"), "dob");
        assert_eq!(check("name,ssn,dob\nbob,x,y\nbob"), "");
        assert_eq!(check("| Name | SSN |\n|------|-----|\n| Bob | "), "ssn");
        assert_eq!(check("id\tmrn\n1\t"), "mrn");
        assert_eq!(check("name,ssn\nbob,x\n\nbob,"), "");
        assert_eq!(check("We need name, ssn and dob of the person.\nbob,"), "");
        assert_eq!(check("1,ssn\n2,"), "");
        assert_eq!(check("\"ssn\": \"x\",\n\"order\": \"y\","), "");
    }
}
