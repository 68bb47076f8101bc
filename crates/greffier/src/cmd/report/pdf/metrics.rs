//! How wide text is in the fonts that every PDF reader has, and how it is encoded for them.

/// Widths of Helvetica from space to tilde, in thousandths of the size: Adobe's font metrics, as every reader has them.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
/// What is taken for characters beyond: none of Latin-1's letters is wider but a few capitals.
const OTHER: u16 = 611;
/// Bold letters are at most this much wider.
const BOLD: f32 = 1.09;
/// Every character of Courier.
const COURIER: u16 = 600;

/// A line's width in points.
pub(super) fn width(bytes: &[u8], size: f32, mono: bool, bold: bool) -> f32 {
    let one = |byte: &u8| {
        if mono {
            return u32::from(COURIER);
        }
        u32::from(
            byte.checked_sub(b' ').and_then(|at| HELVETICA.get(usize::from(at)).copied()).unwrap_or(OTHER),
        )
    };
    let thousandths: u32 = bytes.iter().map(one).sum();
    thousandths as f32 / 1000.0 * size * if bold { BOLD } else { 1.0 }
}

/// Text in Windows-1252, as far as it has Latin-1's characters; others by their number, and none that steers anything.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (c, u8::try_from(u32::from(c))) {
            (_, Ok(byte)) if (b' '..=b'~').contains(&byte) || byte >= 0xa1 => bytes.push(byte),
            ('\u{a0}', _) => bytes.push(b' '),
            ('\u{2013}' | '\u{2014}', _) => bytes.push(b'-'),
            ('\u{2018}' | '\u{2019}', _) => bytes.push(b'\''),
            ('\u{2026}', _) => bytes.extend(b"..."),
            (c, _) => bytes.extend(format!("\\u{{{:x}}}", u32::from(c)).bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fonts_lack_is_shown_by_its_number() {
        assert_eq!(encoded("a\u{7}é\u{4e16}\u{202e}"), b"a\\u{7}\xe9\\u{4e16}\\u{202e}");
        assert!((width(b"ab", 10.0, false, false) - 11.12).abs() < 0.01);
        assert!((width(b"ab", 10.0, true, false) - 12.0).abs() < 0.01);
    }
}
