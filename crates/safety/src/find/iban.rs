//! International bank account numbers: a country's length and the mod-97 checksum.

use super::Hit;
use crate::{Entity, text::Text};

/// Lengths by country, from the registry of ISO 13616.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let country = [text.get(at)?.to_ascii_uppercase(), text.get(at + 1)?.to_ascii_uppercase()];
    let head = country.iter().all(u8::is_ascii_uppercase)
        && [2, 3].iter().all(|&i| text.get(at + i).is_some_and(|b| b.is_ascii_digit()));
    // The standard makes check digits from 02 to 98.
    let made = !matches!(text.slice(at + 2, at + 4), b"00" | b"01" | b"99");
    if !head || !made {
        return None;
    }
    let &(_, length) = LENGTHS.iter().find(|(code, _)| **code == country)?;
    let mut checksum = Checksum::default();
    let mut end = at;
    for count in 0..length {
        // Printed in groups of four, by spaces or dashes.
        if count > 0 && count.is_multiple_of(4) && matches!(text.get(end)?, b' ' | b'-') {
            end += 1;
        }
        checksum.push(text.get(end)?)?;
        end += 1;
    }
    (text.word_end(end) && checksum.holds()).then(|| Hit::closed(Entity::IbanCode, end))
}

/// The account modulo 97, with the first four characters moved to the end as the standard asks.
#[derive(Default)]
struct Checksum {
    head: u32,
    /// Power of ten behind the head, modulo 97.
    shift: u32,
    body: u32,
    count: usize,
}

impl Checksum {
    fn push(&mut self, byte: u8) -> Option<()> {
        let value = char::from(byte).to_digit(36)?;
        let factor = if value > 9 { 100 } else { 10 };
        if self.count < 4 {
            self.head = (self.head * factor + value) % 97;
            self.shift = if self.count == 0 { factor } else { self.shift * factor } % 97;
        } else {
            self.body = (self.body * factor + value) % 97;
        }
        self.count += 1;
        Some(())
    }

    fn holds(&self) -> bool {
        (self.body * self.shift + self.head) % 97 == 1
    }
}
