//! The protobuf wire format, as far as OTLP uses it: a message as its fields, in their order, without a copy.
//!
//! Read by hand, because what reads whole messages into structs makes thirty bytes of memory of each byte of a
//! hostile body before anybody can count; here the reader of each message counts as it goes.

use super::Malformed;

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A string, bytes or a message: only who reads it knows.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed("a field has another type than OTLP gives it")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a string is not UTF-8"))
    }

    /// A number of any width.
    pub(super) fn number(self) -> Result<u64, Malformed> {
        match self {
            Field::Varint(number) | Field::Fixed64(number) => Ok(number),
            Field::Fixed32(number) => Ok(u64::from(number)),
            Field::Bytes(_) => Err(Malformed("a field has another type than OTLP gives it")),
        }
    }
}

/// The fields of a message, each with its number.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            // Behind a broken field nothing can be told apart.
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Field<'a>), Malformed> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(Malformed("a field has a type that protobuf does not know")),
        };
        match tag >> 3 {
            0 => Err(Malformed("a field has the number 0")),
            number => Ok((number, value)),
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is over 64 bits"))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(head)
    }
}

const CUT: Malformed = Malformed("a message ends in the middle of a field");

/// Appends a number as a field, unless it has the value that is left out.
pub(super) fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    if number != 0 {
        put_varint(out, u64::from(field) << 3);
        put_varint(out, number);
    }
}

/// Appends a string or a message as a field, unless it is empty.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_varint(out, u64::from(field) << 3 | 2);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &[u8]) -> String {
        let shown = fields(message).map(|field| match field {
            Ok((number, field)) => format!("{number} {field:?}"),
            Err(error) => error.to_string(),
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn fields_of_every_type() {
        insta::assert_snapshot!(
            check(b"\x08\x96\x01\x12\x02hi\x1d\x01\0\0\0\x21\x02\0\0\0\0\0\0\0\x28\0"), @"
        1 Varint(150)
        2 Bytes([104, 105])
        3 Fixed32(1)
        4 Fixed64(2)
        5 Varint(0)
        ");
        insta::assert_snapshot!(check(b"\x0a\x05hi"), @"a message ends in the middle of a field");
        insta::assert_snapshot!(check(b"\x0b"), @"a field has a type that protobuf does not know");
        insta::assert_snapshot!(check(b"\x00\x01"), @"a field has the number 0");
        insta::assert_snapshot!(check(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), @"1 Varint(18446744073709551615)");
        insta::assert_snapshot!(check(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), @"a number is over 64 bits");
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(number in 1_u64.., bytes in prop::collection::vec(any::<u8>(), 1..300), field in 1_u8..=255) {
            let mut out = Vec::new();
            put_number(&mut out, field, number);
            put_bytes(&mut out, field, &bytes);
            let read: Vec<_> = fields(&out).collect::<Result<_, _>>().unwrap();
            let field = u64::from(field);
            prop_assert_eq!(read, [(field, Field::Varint(number)), (field, Field::Bytes(&bytes))]);
        }

        #[test]
        fn any_bytes_come_to_an_end(message: Vec<u8>) {
            prop_assert!(fields(&message).count() <= message.len());
        }
    }
}
