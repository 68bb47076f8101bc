//! Sets of bytes: one look tells whether a byte is in one.

/// A set of bytes.
pub(crate) struct Alphabet(pub(crate) [bool; 256]);

impl Alphabet {
    pub(crate) fn has(&self, b: u8) -> bool {
        self.0.get(usize::from(b)).copied().unwrap_or_default()
    }
}

/// The bytes that a pattern takes.
macro_rules! alphabet {
    ($pattern:pat) => {{
        let mut bytes = [false; 256];
        let mut b = 0_u8;
        let mut rest: &mut [bool] = &mut bytes;
        while let [first, behind @ ..] = rest {
            *first = matches!(b, $pattern);
            b = b.wrapping_add(1);
            rest = behind;
        }
        $crate::alphabet::Alphabet(bytes)
    }};
}

pub(crate) use alphabet;
