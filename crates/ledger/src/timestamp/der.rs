//! As much of DER as a time stamp needs: tag, length, content. Strict: one value has one accepted spelling, and every
//! length is checked against what is there before anything is read.

use super::TimestampError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]` around another value.
pub(super) const EXPLICIT_0: u8 = 0xa0;

/// What is left to read of a value's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The bytes that are left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next value, whatever it is: its tag and content.
    pub(super) fn any(&mut self) -> Result<(u8, Reader<'a>), TimestampError> {
        let cut = || TimestampError::Malformed("a value is cut off");
        let (&tag, rest) = self.0.split_first().ok_or_else(cut)?;
        if tag & 0x1f == 0x1f {
            return Err(TimestampError::Malformed("a tag has more than one byte"));
        }
        let (&first, mut rest) = rest.split_first().ok_or_else(cut)?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or_else(cut)?;
                rest = after;
                let length = digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit));
                if digits.first() == Some(&0) || length < 0x80 {
                    return Err(TimestampError::Malformed("a length is longer than it need be"));
                }
                length
            }
            _ => {
                return Err(TimestampError::Malformed(
                    "a length is not a definite one of at most four bytes",
                ));
            }
        };
        let (content, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok((tag, Reader(content)))
    }

    /// The next value, which must have this tag.
    pub(super) fn take(&mut self, tag: u8, what: &'static str) -> Result<Reader<'a>, TimestampError> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(TimestampError::Malformed(what)),
        }
    }

    /// The next value if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Reader<'a>>, TimestampError> {
        if self.0.first() == Some(&tag) { self.any().map(|(_, content)| Some(content)) } else { Ok(None) }
    }

    /// A whole number in its shortest form, as its bytes.
    pub(super) fn integer(&mut self, what: &'static str) -> Result<&'a [u8], TimestampError> {
        let bytes = self.take(INTEGER, what)?.0;
        let shortest = match bytes {
            [] => false,
            [0, next, ..] => next & 0x80 != 0,
            [0xff, next, ..] => next & 0x80 == 0,
            _ => true,
        };
        if shortest {
            Ok(bytes)
        } else {
            Err(TimestampError::Malformed("a number is not in its shortest form"))
        }
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), TimestampError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(TimestampError::Malformed("there is more than there should be"))
        }
    }
}

/// A value: tag, length, and the contents one after the other.
pub(super) fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|content| content.len()).sum();
    let mut bytes = vec![tag];
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let digits = length.to_be_bytes();
        let significant = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
        let digits = digits.get(significant..).unwrap_or_default();
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend_from_slice(digits);
    }
    contents.iter().for_each(|content| bytes.extend_from_slice(content));
    bytes
}
