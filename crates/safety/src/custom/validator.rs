//! Checksums that a kind of an installation may have.

/// A checksum over the digits, or digits and letters, of a value; what separates them does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// Luhn, modulo 10: cards, device numbers.
    Luhn,
    /// ISO 7064 modulo 97-10 over digits and letters: creditor references, LEI.
    Mod97,
    /// The same behind the first four characters moved to the end, as account numbers have it.
    Iban,
    /// ISO 7064 modulo 11-2, whose check character may be X: ORCID, ISNI.
    Mod11,
    /// Verhoeff.
    Verhoeff,
}

impl Validator {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Luhn, Self::Mod97, Self::Iban, Self::Mod11, Self::Verhoeff];

    /// Its name in configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Luhn => "luhn",
            Self::Mod97 => "mod97",
            Self::Iban => "iban",
            Self::Mod11 => "mod11",
            Self::Verhoeff => "verhoeff",
        }
    }

    /// What it decides, for people who ask why.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Luhn => "own pattern, Luhn",
            Self::Mod97 => "own pattern, modulo 97",
            Self::Iban => "own pattern, modulo 97 as of account numbers",
            Self::Mod11 => "own pattern, modulo 11",
            Self::Verhoeff => "own pattern, Verhoeff",
        }
    }

    /// Whether a value keeps it.
    pub(super) fn accepts(self, value: &[u8]) -> bool {
        let characters: Vec<u32> = value.iter().filter_map(|&b| char::from(b).to_digit(36)).collect();
        let digits: Vec<u32> = value.iter().filter_map(|&b| char::from(b).to_digit(10)).collect();
        match self {
            Self::Luhn => digits.len() > 1 && luhn(&digits),
            Self::Mod97 => characters.len() > 2 && mod97(characters.iter().copied()),
            Self::Iban => match characters.split_at_checked(4) {
                Some((first, rest)) => !rest.is_empty() && mod97(rest.iter().chain(first).copied()),
                None => false,
            },
            Self::Mod11 => mod11(value),
            Self::Verhoeff => digits.len() > 1 && verhoeff(&digits),
        }
    }
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Letters count from 10 on, as two digits.
fn mod97(characters: impl Iterator<Item = u32>) -> bool {
    characters.fold(0, |sum, c| if c < 10 { (sum * 10 + c) % 97 } else { (sum * 100 + c) % 97 }) == 1
}

fn mod11(value: &[u8]) -> bool {
    let mut characters: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let last = match characters.pop() {
        Some(b'X' | b'x') => 10,
        Some(b @ b'0'..=b'9') => u32::from(b - b'0'),
        _ => return false,
    };
    let digits: Vec<u32> = characters.iter().filter_map(|&b| char::from(b).to_digit(10)).collect();
    // Only the check character may be a letter; prefixes of letters are no part of the number.
    let sum = digits.iter().fold(0, |sum, digit| (sum + digit) * 2 % 11);
    !digits.is_empty() && (sum + last) % 11 == 1
}

fn verhoeff(digits: &[u32]) -> bool {
    /// The dihedral group of order ten.
    fn times(a: u32, b: u32) -> u32 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b) % 5 + 5,
            (false, true) => (a + 5 - b) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    const TURN: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let turned = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| {
            usize::try_from(digit).ok().and_then(|at| TURN.get(at)).copied().unwrap_or(digit)
        })
    };
    digits.iter().rev().enumerate().fold(0, |sum, (at, digit)| times(sum, turned(*digit, at))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_accepts_its_own() {
        let good = [
            (Validator::Luhn, "7992-7398 713"),
            (Validator::Mod97, "5493001KJTIIGC8Y1R12"),
            (Validator::Iban, "GB82 WEST 1234 5698 7654 32"),
            (Validator::Mod11, "0000-0002-1825-0097"),
            (Validator::Mod11, "0000-0002-1694-233X"),
            (Validator::Verhoeff, "2363"),
        ];
        for (validator, text) in good {
            assert!(validator.accepts(text.as_bytes()), "{validator:?} {text}");
            // Each of them finds any single wrong digit.
            for (at, digit) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                let wrong = if digit == '9' { '0' } else { char::from(digit as u8 + 1) };
                let text = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
                assert!(!validator.accepts(text.as_bytes()), "{validator:?} {text}");
            }
        }
        for validator in Validator::ALL {
            assert!(!validator.accepts(b"") && !validator.accepts(b"-"), "{validator:?}");
        }
    }
}
