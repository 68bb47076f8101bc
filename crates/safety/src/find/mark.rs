//! What a redaction left, `<US_SSN>`, `<US_SSN_1>` or `<US_SSN:9f2c51d0a8b3e477>`: nothing is found in it again.

use crate::Entity;
use crate::marks::HASH;
use crate::tags;
use crate::text::Text;

/// Bytes of a name; kinds have shorter ones.
const MAX_NAME: usize = 48;
/// Digits of a token's number.
const MAX_NUMBER: usize = 10;

/// Where the mark that starts at `at` ends. A hash has a letter, so that no number can hide as one.
pub(crate) fn end(text: &Text<'_>, at: usize) -> Option<usize> {
    if text.get(at) != Some(b'<') {
        return None;
    }
    let name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let behind = text.run(at + 1, MAX_NAME, name);
    let written = std::str::from_utf8(text.slice(at + 1, behind)).ok()?;
    let close = match text.get(behind)? {
        b'>' => behind,
        b':' => {
            let end = text.run(behind + 1, HASH, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            let hash = text.slice(behind + 1, end);
            if hash.len() < HASH || hash.iter().all(u8::is_ascii_digit) || text.get(end) != Some(b'>') {
                return None;
            }
            end
        }
        _ => return None,
    };
    let known = is_name(written) || numbered(written);
    // `<CVV>123</CVV>`
    let next = text.get(close + 1);
    let element = next.is_some_and(|next| tags::names_element(written.as_bytes(), &[next]));
    (known && !element).then_some(close + 1)
}

/// Whether the bytes between `<` and `>` are those of a mark.
pub(crate) fn is_inside(tag: &[u8]) -> bool {
    let Ok(tag) = std::str::from_utf8(tag) else { return false };
    let (name, hash) = tag.split_once(':').unwrap_or((tag, ""));
    let capital = name.starts_with(|c: char| c.is_ascii_uppercase());
    capital && (is_name(name) || hash.is_empty() && numbered(name))
}

fn numbered(written: &str) -> bool {
    let Some((name, number)) = written.rsplit_once('_') else { return false };
    let digits = (1..=MAX_NUMBER).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    digits && is_name(name)
}

fn is_name(written: &str) -> bool {
    Entity::parse(written).is_some() || crate::custom::is_known(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Hints;

    #[test]
    fn a_mark_that_touches_its_content_is_an_element() {
        let end = |text: &str| super::end(&Text::new(text.as_bytes(), true, Hints::default()), 0);
        assert_eq!(end("<CVV>123</CVV>"), None);
        assert_eq!(end("<CVV> 123"), Some(5));
        assert_eq!(end("<JWT>abc"), Some(5));
        assert!(is_inside(b"US_SSN") && is_inside(b"US_SSN_1") && is_inside(b"JWT:9f2c51d0a8b3e477"));
        assert!(!is_inside(b"SSN") && !is_inside(b"") && !is_inside(b"/US_SSN"));
    }

    #[test]
    fn marks_are_known_by_their_form() {
        let end = |text: &str| super::end(&Text::new(text.as_bytes(), true, Hints::default()), 0);
        for mark in ["<US_SSN>", "<US_SSN_12>", "<JWT:9f2c51d0a8b3e477>"] {
            assert_eq!(end(mark), Some(mark.len()), "{mark}");
        }
        for other in [
            "<ssn>",
            "<NAME>",
            "<US_SSN",
            "<US_SSN_>",
            "<JWT:9f2c51d0a8b3e47>",
            "<JWT:4111111111111111>",
            "JWT",
        ] {
            assert_eq!(end(other), None, "{other}");
        }
    }
}
