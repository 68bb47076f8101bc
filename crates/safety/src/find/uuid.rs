//! UUIDs, which machines give to things by the thousand: nothing is looked for within one.

use crate::text::Text;

/// Where a hyphen stands in one.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const LENGTH: usize = 36;

/// Where the UUID that starts at `at` ends. Asks no further than the first byte that is none of one.
pub(crate) fn end(text: &Text<'_>, at: usize) -> Option<usize> {
    // What is there already shows of most words that they are none.
    if text.bytes().get(at + HYPHENS[0]).is_some_and(|b| *b != b'-') {
        return None;
    }
    let fits = (0..LENGTH).all(|i| {
        text.get(at + i).is_some_and(|b| if HYPHENS.contains(&i) { b == b'-' } else { b.is_ascii_hexdigit() })
    });
    let end = at + LENGTH;
    let whole = fits && text.word_end(end) && !matches!(text.get(end), Some(b'-' | b'_'));
    whole.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Hints;

    #[test]
    fn one_ends_where_its_last_group_does() {
        let check = |text: &str| end(&Text::new(text.as_bytes(), true, Hints::default()), 0);
        assert_eq!(check("3f2504e0-4f89-11d3-9a0c-0305e82c3301"), Some(36));
        assert_eq!(check("3F2504E0-4F89-11D3-9A0C-0305E82C3301."), Some(36));
        for other in ["3f2504e0-4f89-11d3-9a0c-0305e82c33012", "3f2504e0-4f89-11d3-9a0c-0305e82c3301-7"] {
            assert_eq!(check(other), None);
        }
        assert_eq!(check("3f2504e0-4f89-11d3-9a0c-0305e82c330"), None);
        assert_eq!(check("3f2504e04-f89-11d3-9a0c-0305e82c3301"), None);
    }
}
