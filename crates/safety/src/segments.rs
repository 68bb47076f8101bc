//! Segments of HL7 v2 and X12, whose values have no labels but their places: `PID|1||17785986^^^MERCY^MR||…`,
//! `NM1*QC*1*LEE*ANNA****MI*W123456789~`, `DMG*D8*19520112*F~`.

use crate::columns::Cell;
use crate::hints::Hints;

/// The longest qualifier that is looked at.
const MAX_QUALIFIER: usize = 3;

/// Fields by number, and what each holds.
type Fields = &'static [(usize, &'static str)];

/// What each field of a segment of HL7 holds, as the label of a column would say it.
const HL7: &[(&[u8; 3], Fields)] = &[
    (
        b"PID",
        &[
            (2, "mrn"),
            (3, "mrn"),
            (4, "mrn"),
            (5, "last_name"),
            (7, "dob"),
            (9, "last_name"),
            (11, "address"),
            (13, "phone"),
            (14, "phone"),
            (19, "ssn"),
            (20, "driver license"),
            (29, "date of death"),
        ],
    ),
    (b"NK1", &[(2, "last_name"), (4, "address"), (5, "phone"), (6, "phone"), (16, "dob")]),
    (
        b"GT1",
        &[(3, "last_name"), (5, "address"), (6, "phone"), (7, "phone"), (8, "dob"), (12, "ssn"), (19, "ssn")],
    ),
    (b"IN1", &[(16, "last_name"), (18, "dob"), (19, "address"), (36, "member id"), (49, "member id")]),
    (b"PV1", &[(44, "admission date"), (45, "discharge date")]),
];

/// What an element of a segment of X12 holds where the one before it, or the first, has this qualifier.
const X12: &[(&[u8; 3], &[u8], &str)] = &[
    (b"NM1", b"XX", "npi"),
    (b"NM1", b"MI", "member id"),
    (b"NM1", b"34", "ssn"),
    (b"NM1", b"MR", "medicaid id"),
    (b"REF", b"SY", "ssn"),
    (b"REF", b"EA", "mrn"),
    (b"REF", b"0F", "subscriber id"),
    (b"REF", b"1W", "member id"),
    (b"REF", b"HPI", "npi"),
    (b"DMG", b"D8", "dob"),
    (b"PER", b"TE", "phone"),
    (b"PER", b"CP", "phone"),
    (b"PER", b"HP", "phone"),
    (b"PER", b"WP", "phone"),
    (b"PER", b"FX", "fax"),
];

/// The segment that the scan is in, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    /// The last four bytes: what starts a segment, and its name.
    tail: [u8; 4],
    /// The name, and what parts its fields.
    segment: Option<([u8; 3], u8)>,
    field: usize,
    /// The start of the field at hand, which may qualify the next.
    qualifier: [u8; MAX_QUALIFIER],
    length: usize,
    /// What the field at hand holds.
    head: Option<Hints>,
    /// Where it, or its repetition, starts.
    cell: usize,
}

impl Segments {
    /// Reads on: `bytes` stand at `start`.
    pub(crate) fn read(&mut self, bytes: &[u8], start: usize) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            // Outside of segments only a border is looked at: most of a text is passed over at once.
            let next = match self.segment {
                None => memchr::memchr2(b'|', b'*', rest).unwrap_or(rest.len()),
                Some(_) => 0,
            };
            self.pass(rest.get(..next).unwrap_or_default());
            let Some(&b) = rest.get(next) else { return };
            at += next;
            match self.segment {
                None => self.open(b, start + at),
                Some((name, border)) => self.byte(b, start + at, name, border),
            }
            self.pass(&[b]);
            at += 1;
        }
    }

    /// Remembers the last bytes.
    fn pass(&mut self, bytes: &[u8]) {
        let kept = self.tail.len();
        let last = bytes.get(bytes.len().saturating_sub(kept)..).unwrap_or_default();
        self.tail.rotate_left(last.len());
        for (slot, &b) in self.tail.iter_mut().skip(kept - last.len()).zip(last) {
            *slot = b;
        }
    }

    /// Whether it is known what the field at hand holds.
    pub(crate) fn in_field(&self) -> bool {
        self.head.is_some()
    }

    /// The field at hand, if it is known what it holds.
    pub(crate) fn cell(&self) -> Option<Cell> {
        self.head.map(|head| Cell { start: self.cell, said: head.said, subject: head.people })
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.cell = self.cell.saturating_sub(count);
    }

    /// A border stands at `at`: behind the name of a segment at its start, a segment begins.
    fn open(&mut self, border: u8, at: usize) {
        let [before, name @ ..] = self.tail;
        let starts = !(before.is_ascii_alphanumeric() || matches!(before, b'|' | b'*' | b'_' | b'-'));
        let known = if border == b'|' {
            HL7.iter().any(|(known, _)| **known == name)
        } else {
            X12.iter().any(|(known, ..)| **known == name)
        };
        if starts && known {
            self.segment = Some((name, border));
            self.field = 0;
            self.length = 0;
            self.next_field(name, border, at);
        }
    }

    fn byte(&mut self, b: u8, at: usize, name: [u8; 3], border: u8) {
        match b {
            b'\n' | b'\r' | b'"' => (self.segment, self.head) = (None, None),
            b'~' if border == b'*' => (self.segment, self.head) = (None, None),
            _ if b == border => self.next_field(name, border, at),
            // Only the first component is the value.
            b'^' if border == b'|' => self.head = None,
            b'~' => {
                self.head = self.held(name, border);
                self.cell = at + 1;
            }
            _ => {
                if let Some(slot) = self.qualifier.get_mut(self.length) {
                    *slot = b;
                }
                self.length += 1;
            }
        }
    }

    fn next_field(&mut self, name: [u8; 3], border: u8, at: usize) {
        self.field += 1;
        self.head = self.held(name, border);
        self.cell = at + 1;
        self.length = 0;
    }

    fn held(&self, name: [u8; 3], border: u8) -> Option<Hints> {
        let label = if border == b'|' {
            let (_, fields) = HL7.iter().find(|(known, _)| **known == name)?;
            fields.iter().find(|(field, _)| *field == self.field)?.1
        } else {
            let qualifier = self.qualifier.get(..self.length)?;
            X12.iter().find(|(known, before, _)| **known == name && *before == qualifier)?.2
        };
        Some(Hints::default().with_key(label.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the end of a text.
    fn check(text: &str) -> &'static str {
        let mut pieces = Segments::default();
        for at in 0..text.len() {
            pieces.read(&text.as_bytes()[at..=at], at);
        }
        let mut whole = Segments::default();
        whole.read(text.as_bytes(), 0);
        assert_eq!(pieces.cell(), whole.cell());
        whole.cell().and_then(|cell| cell.said.label).map_or("", |label| label.phrase)
    }

    #[test]
    fn fields_of_hl7_are_known_by_their_place() {
        assert_eq!(check("MSH|^~\\&|A\rPID|1||"), "mrn");
        assert_eq!(check("PID|1||17785986^^^MERCY^MR"), "");
        assert_eq!(check("PID|1||17785986^^^MERCY^MR~"), "mrn");
        assert_eq!(check("PID|1||1^^^A^MR||LEE^ANNA||"), "dob");
        assert_eq!(check("PID|1||1||LEE^ANNA||19520112|F|||||||||||"), "ssn");
        assert_eq!(check("PID|1||1\n|"), "");
        assert_eq!(check("RAPID|1||"), "");
        assert_eq!(check("| PID | 1 | 2 |"), "");
    }

    #[test]
    fn elements_of_x12_are_known_by_their_qualifier() {
        assert_eq!(check("NM1*QC*1*LEE*ANNA****MI*"), "member id");
        assert_eq!(check("NM1*QC*1*LEE*ANNA****MI*W12~REF*SY*"), "ssn");
        assert_eq!(check("DMG*D8*"), "dob");
        assert_eq!(check("PER*IC*DESK*EM*a@example.com*TE*"), "phone");
        assert_eq!(check("REF*D9*"), "");
        assert_eq!(check("HREF*SY*"), "");
    }
}
