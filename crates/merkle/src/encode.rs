//! The two encodings every format shares, strict: one spelling per value, so that what parses formats back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Hash;

/// Standard base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Refuses missing padding and set trailing bits.
pub(crate) fn parse_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Exactly 32 bytes of base64.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    // 44 characters, checked first: a long line is refused before anything is allocated for it.
    if text.len() != 44 {
        return None;
    }
    parse_base64(text)?.try_into().ok()
}

/// Digits only, no leading zero, no sign.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if canonical && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(decimal: &str, hash: &str) -> (Option<u64>, bool) {
        (parse_decimal(decimal), parse_hash(hash).is_some())
    }

    #[test]
    fn one_spelling_per_value() {
        let good = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(check("0", good), (Some(0), true));
        assert_eq!(check("18446744073709551615", good), (Some(u64::MAX), true));
        // Same bytes with the two spare bits set; without padding; url-safe; with a space.
        for hash in [
            &good.replace("FU=", "FV="),
            &good.replace('=', ""),
            &good.replace('+', "-"),
            &format!("{good} "),
        ] {
            assert_eq!(check("18446744073709551616", hash), (None, false), "{hash}");
        }
        for decimal in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "٣"] {
            assert_eq!(parse_decimal(decimal), None, "{decimal}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_formats_back(decimal in "[0-9+ ]{0,21}", text in "[A-Za-z0-9+/=]{0,12}") {
            if let Some(n) = parse_decimal(&decimal) {
                prop_assert_eq!(n.to_string(), decimal);
            }
            if let Some(bytes) = parse_base64(&text) {
                prop_assert_eq!(base64(&bytes), text);
            }
        }
    }
}
