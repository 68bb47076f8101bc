//! Tables in text: what the head of a column says about the cells below it.
//!
//! A line of labels with separators between them (`name,ssn,dob`, `| Name | SSN |`) is the head of the lines below,
//! as long as they have the separator as well. So is one whose labels are set apart by two blanks or more, of lines
//! that are aligned with it. For rows in SQL see [`crate::tuples`].

use crate::Entity;
use crate::alphabet::{Alphabet, alphabet};
use crate::entity::Class;
use crate::find::person::label::Subject;
use crate::grid::Grid;
use crate::hints::{Hints, Said};
use crate::segments::Segments;
use crate::tuples::Tuples;

/// The longest line that is taken for a head.
const MAX_HEAD: usize = 512;

/// Columns that are remembered.
const MAX_COLUMNS: usize = 32;

/// The longest cell of a head.
const MAX_CELL: usize = 40;

/// A table: how its cells are set apart, and what its columns hold.
#[derive(Clone, Debug)]
struct Table {
    by: By,
    heads: Vec<Hints>,
}

#[derive(Clone, Debug)]
enum By {
    Separator(u8),
    /// Blanks; where each head starts and ends in its line, in characters.
    Blanks(Vec<(usize, usize)>),
}

/// The table that the scan is in, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// The line at hand, as far as it may be a head.
    line: Vec<u8>,
    /// The length of the line at hand.
    length: usize,
    table: Option<Table>,
    /// The head that a line of Markdown is, if a rule follows it.
    proposed: Option<Table>,
    /// The column at hand.
    column: usize,
    /// Borders between cells seen in the line at hand.
    borders: usize,
    /// Characters of the line at hand, and blanks right before.
    offset: usize,
    blanks: usize,
    /// The last byte of the line at hand that is no blank.
    last: u8,
    /// The rows of SQL that the scan is in.
    tuples: Tuples,
    /// The rows of HTML and JSON.
    grid: Grid,
    /// The segments of HL7 and X12.
    segments: Segments,
    /// The columns of the lines to come.
    file: Option<Vec<Hints>>,
    /// A `\` stands right before.
    escaped: bool,
    /// Within quotes, where a separator is none.
    quoted: bool,
    /// Where the cell at hand starts.
    cell: usize,
    /// Up to here the text has been read.
    seen: usize,
    /// Whether the scan is in a table.
    within: bool,
    /// Whether a cell may begin in what was not read.
    passed: bool,
}

/// The bytes behind which a cell may begin.
pub(crate) static BORDERS: Alphabet = alphabet!(b'\n' | b'\\' | b'[' | b'(' | b'*' | b'~' | b'|' | b'>');

/// Whether a cell may begin behind the byte at `at`: of most brackets, what stands before them tells that none does.
pub(crate) fn is_border(bytes: &[u8], at: usize) -> bool {
    let behind = |marks: &[u8]| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        before.is_none_or(|b| b.is_ascii_whitespace() || marks.contains(b))
    };
    match bytes.get(at).filter(|b| BORDERS.has(**b)) {
        Some(b'\\') => bytes.get(at + 1).is_none_or(|b| *b == b'n'),
        // A list within a list.
        Some(b'[') => behind(b"[,"),
        // Behind `VALUES` and between two rows.
        Some(b'(') => behind(b"sS),"),
        border => border.is_some(),
    }
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
            // A line also ends at the escape of a document within a document.
            let breaks = std::mem::take(&mut self.escaped) && rest.first() == Some(&b'n');
            let end = if breaks { Some(0) } else { memchr::memchr2(b'\n', b'\\', rest) };
            let line = rest.get(..end.map_or(rest.len(), |end| end + 1)).unwrap_or_default();
            self.file = self.tuples.read(line, self.seen).or(self.file.take());
            self.grid.read(line, self.seen);
            self.segments.read(line, self.seen);
            self.piece(line.get(..end.unwrap_or(line.len())).unwrap_or_default());
            self.seen += line.len();
            match line.last() {
                Some(b'\\') => self.escaped = true,
                Some(_) if end.is_some() => self.end_line(),
                _ => break,
            }
        }
        self.within =
            self.table.is_some() || self.tuples.in_row() || self.grid.in_cell() || self.segments.in_field();
        self.passed = self.escaped;
    }

    /// Notes that a byte was passed behind which a cell may begin.
    pub(crate) fn pass_border(&mut self) {
        self.passed = true;
    }

    /// Whether a cell may have begun since the last byte that was read.
    pub(crate) fn may_begin(&self) -> bool {
        self.passed
    }

    /// The cell at hand, if this is a table.
    pub(crate) fn cell(&self) -> Option<Cell> {
        if !self.within {
            return None;
        }
        // What brings its own borders goes first.
        let inner = self.tuples.cell().or_else(|| self.grid.cell()).or_else(|| self.segments.cell());
        if inner.is_some() {
            return inner;
        }
        let head = self.table.as_ref()?.heads.get(self.column).copied().unwrap_or_default();
        Some(Cell { start: self.cell, said: head.said, subject: head.people })
    }

    pub(crate) fn in_table(&self) -> bool {
        self.within
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.seen = self.seen.saturating_sub(count);
        self.cell = self.cell.saturating_sub(count);
        self.tuples.forget(count);
        self.grid.forget(count);
        self.segments.forget(count);
    }

    /// A piece of a line.
    fn piece(&mut self, piece: &[u8]) {
        let head = self.begin_value(piece);
        let room = MAX_HEAD.saturating_sub(self.length.min(MAX_HEAD));
        self.line.extend_from_slice(head.get(..room.min(head.len())).unwrap_or_default());
        self.length = self.length.saturating_add(head.len());
        match &self.table {
            Some(Table { by: By::Separator(separator), .. }) => {
                for (place, &b) in piece.iter().enumerate() {
                    self.quoted ^= b == b'"';
                    if b == *separator && !self.quoted {
                        self.column += 1;
                        self.borders += 1;
                        self.cell = self.seen + place + 1;
                    }
                }
            }
            Some(Table { by: By::Blanks(heads), .. }) => {
                for (place, &b) in piece.iter().enumerate() {
                    // The middle of a character.
                    if b & 0xC0 == 0x80 {
                        continue;
                    }
                    self.offset += 1;
                    if b != b' ' {
                        self.borders += usize::from(self.blanks > 1 && self.offset > self.blanks + 1);
                        self.blanks = 0;
                        continue;
                    }
                    self.blanks += 1;
                    if self.blanks > 1 || heads.iter().any(|&(start, _)| start == self.offset) {
                        self.column = column_at(heads, self.offset);
                        self.cell = self.seen + place + 1;
                    }
                }
            }
            None => {}
        }
    }

    /// Where a value starts in a document (`"content":"mrn,dob`), a line starts for what may be a head: the rest of the
    /// piece from there on.
    fn begin_value<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let mut start = 0;
        for quote in memchr::memchr_iter(b'"', piece) {
            let before = piece.get(start..quote).unwrap_or_default().trim_ascii_end();
            if matches!(before.last().copied().unwrap_or(self.last), b':' | b'=') {
                self.line.clear();
                (self.length, start) = (0, quote + 1);
            }
            self.last = b'"';
        }
        let head = piece.get(start..).unwrap_or_default();
        if let Some(last) = piece.trim_ascii_end().last() {
            self.last = *last;
        }
        head
    }

    fn end_line(&mut self) {
        let head = (self.length <= MAX_HEAD).then(|| head(&self.line)).flatten();
        let rule = || self.line.iter().all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'+' | b'=' | b'\r'));
        let proposed = self.proposed.take();
        if let Some(heads) = self.file.take() {
            self.table = Some(Table { by: By::Separator(b'\t'), heads });
        } else if self.line.trim_ascii_start().starts_with(b"|") && (head.is_some() || rule()) {
            // `| Password | … |` may as well be a row.
            match proposed.filter(|_| rule()) {
                Some(table) => self.table = Some(table),
                None => self.proposed = head,
            }
        } else if head.is_some() {
            self.table = head;
        } else if self.length == 0 || self.borders == 0 && !rule() {
            self.table = None;
        }
        self.line.clear();
        self.last = b'\n';
        (self.length, self.column, self.borders, self.offset, self.blanks) = (0, 0, 0, 0, 0);
        (self.quoted, self.cell) = (false, self.seen);
    }
}

/// The column of a cell that starts at a place: that of the head it stands below, or of the next one, towards which it
/// may be aligned.
fn column_at(heads: &[(usize, usize)], start: usize) -> usize {
    let column = heads.iter().take_while(|head| head.0 <= start).count().saturating_sub(1);
    let behind = heads.get(column).is_some_and(|head| start >= head.1);
    if behind && column + 1 < heads.len() { column + 1 } else { column }
}

/// The table whose head a line is: two cells or more, short, without values, and one at least that says something.
fn head(line: &[u8]) -> Option<Table> {
    let Some(&separator) = [b'\t', b'|', b';', b','].iter().find(|separator| line.contains(separator)) else {
        return aligned(line);
    };
    let line = match line.strip_prefix(b"<") {
        Some(tag) => memchr::memchr(b'>', tag).and_then(|close| tag.get(close + 1..)).unwrap_or(line),
        None => line,
    };
    // `agent: mrn,dob`, but not `Send us: name, ssn`.
    let line = match memchr::memmem::find(line, b": ") {
        Some(colon) if separator != b'|' && memchr::memmem::find(line, b", ").is_none() => {
            line.get(colon + 2..).unwrap_or_default()
        }
        _ => line.strip_prefix(b"- ").or(line.strip_prefix(b"> ")).unwrap_or(line),
    };
    let cells = line.split(|&b| b == separator);
    if cells.clone().filter(|cell| !cell.trim_ascii().is_empty()).take(2).count() < 2 {
        return None;
    }
    let heads = heads(cells)?;
    // `Thanks, Manager` is prose; the heads of a file have no space behind the comma.
    let prose = separator == b',' && memchr::memmem::find(line, b", ").is_some();
    let announces = heads.iter().any(|head| announces(head) || head.people != Subject::Nothing && !prose);
    announces.then_some(Table { by: By::Separator(separator), heads })
}

/// The same where two blanks or more set the cells apart.
fn aligned(line: &[u8]) -> Option<Table> {
    if !line.trim_ascii().windows(2).any(|pair| pair == b"  ") {
        return None;
    }
    let (mut places, mut cells): (Vec<(usize, usize)>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.trim_ascii().is_empty()) {
        let start = at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = line.get(start..).unwrap_or_default();
        let end = start + memchr::memmem::find(rest, b"  ").unwrap_or(rest.trim_ascii_end().len());
        let characters = |from: usize, to: usize| {
            line.get(from..to).map_or(0, |part| part.iter().filter(|b| **b & 0xC0 != 0x80).count())
        };
        let first = places.last().map_or(0, |last| last.1) + characters(at, start);
        places.push((first, first + characters(start, end)));
        cells.push(line.get(start..end).unwrap_or_default());
        at = end;
        if cells.len() > MAX_COLUMNS {
            return None;
        }
    }
    let heads = heads(cells.iter().copied())?;
    (heads.len() > 1 && heads.iter().any(announces)).then_some(Table { by: By::Blanks(places), heads })
}

/// Whether a head says what its column holds.
pub(crate) fn announces(head: &Hints) -> bool {
    head.said.label.is_some_and(|label| !label.kinds().is_empty())
}

/// What the cells of a head say; nothing if they are none.
pub(crate) fn heads<'l>(cells: impl Iterator<Item = &'l [u8]> + Clone) -> Option<Vec<Hints>> {
    // Most lines are none, and nothing is made of their words.
    if !cells.clone().take(MAX_COLUMNS).all(is_head) {
        return None;
    }
    let mut heads: Vec<Hints> =
        cells.take(MAX_COLUMNS).map(|cell| Hints::default().with_key(cell.trim_ascii())).collect();
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
    Some(heads)
}

/// Whether a cell may be the head of a column: a few words, and no value.
fn is_head(cell: &[u8]) -> bool {
    let words = cell.trim_ascii();
    let letters = || words.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let digits = || words.iter().filter(|b| b.is_ascii_digit()).count();
    let sentence = || {
        let count = words.split(|b| *b == b' ').count();
        count > 4 || count > 2 && words.ends_with(b".")
    };
    words.len() <= MAX_CELL
        && words.iter().all(|b| b.is_ascii_alphanumeric() || b" _-.#/()\"'".contains(b) || *b >= 0x80)
        && digits() <= letters()
        && !sentence()
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
        assert_eq!(check("name   ssn          dob\nbob    x            "), "dob");
        assert_eq!(check("name   ssn          dob\nbob    "), "ssn");
        assert_eq!(check("name           ssn    dob\nbob    "), "ssn");
        assert_eq!(check("name   ssn          dob\n----   ---          ---\nbób    x            "), "dob");
        assert_eq!(check("name   ssn\nbob\nann    "), "");
        assert_eq!(check("It was here.  Then ssn\nbob    "), "");
        assert_eq!(check("COPY t (id, ssn) FROM stdin;\n1\t"), "ssn");
        assert_eq!(check("\"ssn\": \"x\",\n\"order\": \"y\","), "");
        assert_eq!(check("{\"role\": \"tool\", \"content\":\"id,ssn\n1,"), "ssn");
        assert_eq!(check("agent: id,ssn\n1,"), "ssn");
        assert_eq!(check("Send us: name, ssn\nbob,"), "");
        assert_eq!(check("| Password | velvet |\n| Status | "), "");
        assert_eq!(check("| Name | Password |\n|---|---|\n| Bob | "), "password");
        assert_eq!(check("| id | Tel. |\n|---|---|\n| 7 | "), "tel");
    }
}
