//! How texts are seen by grams: letters of both cases as one, and nothing where that is not simple.
//!
//! Whoever searches may ignore case, so a text and whatever matches it in any case must give the same grams. For ASCII
//! that is lower case. Two letters outside it fold into ASCII (the Kelvin sign and the long s), and `lower` makes an
//! `i` of one (İ). All others that have cases end a gram, as do control characters, which stand between the texts of a
//! joined list; what has no case (digits, signs, Arabic, Chinese) is kept byte for byte.

/// Stands where no gram may pass.
pub(super) const BREAK: u8 = 0;

/// Adds what grams are made of, and a [`BREAK`] behind it.
pub(super) fn fold(text: &str, into: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '\0'..='\u{1f}' | '\u{7f}' => into.push(BREAK),
            _ if c.is_ascii() => into.push((c as u8).to_ascii_lowercase()),
            '\u{212a}' => into.push(b'k'),
            '\u{17f}' => into.push(b's'),
            '\u{130}' => into.extend([b'i', BREAK]),
            // What `lower` leaves of the one before.
            '\u{307}' => into.push(BREAK),
            _ if has_case(c) => into.push(BREAK),
            _ => into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    into.push(BREAK);
}

fn has_case(c: char) -> bool {
    let is_itself =
        |mut mapped: Box<dyn Iterator<Item = char>>| mapped.next() == Some(c) && mapped.next().is_none();
    c.is_lowercase()
        || c.is_uppercase()
        || !is_itself(Box::new(c.to_lowercase()))
        || !is_itself(Box::new(c.to_uppercase()))
}

/// The grams of so many bytes, the first byte highest. `digits` takes all digits as one.
pub(super) fn grams(folded: &[u8], width: u32, one_digit: bool) -> impl Iterator<Item = u64> {
    let mask = (1_u64 << (8 * width)) - 1;
    let (mut gram, mut length) = (0_u64, 0);
    folded.iter().filter_map(move |&byte| {
        if byte == BREAK {
            length = 0;
            return None;
        }
        let byte = if one_digit && byte.is_ascii_digit() { b'0' } else { byte };
        gram = (gram << 8 | u64::from(byte)) & mask;
        length += 1;
        (length >= width).then_some(gram)
    })
}
