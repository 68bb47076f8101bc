//! Whether Thrift's compact form holds what it announces. Parquet's reader reserves memory for as many items as
//! a list claims to have, and follows schemas as deep as they go, before it sees whether they are there.

/// Longest list of any footer or index: row groups, pages of a column, elements of a schema. A schema of so many
/// levels still fits on a thread's stack; one of a thousand does not.
pub(super) const MAX_ITEMS: u64 = 256;
/// Deepest nesting: a page's statistics lie six structs deep.
const MAX_DEPTH: usize = 16;

/// Whether one struct fits into these bytes, with all that is in it.
pub(super) fn fits(bytes: &[u8]) -> bool {
    Input(bytes).structure(MAX_DEPTH).is_some()
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn structure(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            // The upper half is the distance to the last field's number; without one the number follows.
            if head >> 4 == 0 {
                self.varint()?;
            }
            match head & 0x0f {
                // A flag's value is its type.
                1 | 2 => {}
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => self.list(depth.checked_sub(1)?),
            12 => self.structure(depth),
            // Parquet has no maps.
            _ => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let head = self.byte()?;
        let items = match head >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        if items > MAX_ITEMS {
            return None;
        }
        (0..items).try_for_each(|_| self.value(head & 0x0f, depth))
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn skip(&mut self, length: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_struct_must_hold_what_it_announces() {
        let check = |bytes: &[u8]| fits(bytes);
        assert!(check(&[0]), "nothing is in it");
        assert!(check(&[0x15, 2, 0]), "a number");
        assert!(!check(&[0x15, 0x80, 0]), "a number without an end");
        assert!(check(&[0x18, 2, b'h', b'i', 0]), "two bytes");
        assert!(!check(&[0x18, 9, b'h', b'i', 0]), "two of nine bytes");
        assert!(check(&[0x19, 0x25, 2, 4, 0]), "two numbers");
        assert!(!check(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0]), "two hundred million numbers");
        assert!(check(&[&[0x1c; 15][..], &[0; 16]].concat()), "fifteen structs within one");
        assert!(!check(&[&[0x1c; 16][..], &[0; 17]].concat()), "one more");
    }

    proptest! {
        #[test]
        fn reads_no_further_than_it_is_given(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            // Whatever fits, fits with anything behind it, and its beginning alone does not.
            if fits(&bytes) {
                let longer = [&bytes[..], &[0xff; 8]].concat();
                prop_assert!(fits(&longer));
            }
        }
    }
}
