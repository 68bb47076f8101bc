//! Receipts: what an append answers with, and what a later proof is held against.

use std::fmt;
use std::str::FromStr;

use crate::Hash;
use crate::encode::{base64, parse_decimal, parse_hash};

/// The longest trail name in a receipt: an origin of a host (253 characters) and a tenant (64) fits.
const MAX_TRAIL: usize = 512;

/// The promise that a leaf is durably at this place of this trail. Written `<trail> <index> <base64 leaf
/// hash>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The trail's name.
    pub trail: String,
    /// The leaf's index in the trail.
    pub index: u64,
    /// The leaf hash.
    pub leaf_hash: Hash,
}

/// Text that is no receipt.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a receipt reads \"trail index base64-leaf-hash\": copy the whole line again")]
pub struct ReceiptError;

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.trail, self.index, base64(&self.leaf_hash))
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Receipt, ReceiptError> {
        let read = || {
            let (trail, rest) = text.split_once(' ')?;
            let (index, leaf_hash) = rest.split_once(' ')?;
            let named = (1..=MAX_TRAIL).contains(&trail.len())
                && !trail.chars().any(|c| c.is_whitespace() || c.is_control());
            let receipt = Receipt {
                trail: trail.to_owned(),
                index: parse_decimal(index)?,
                leaf_hash: parse_hash(leaf_hash)?,
            };
            named.then_some(receipt)
        };
        read().ok_or(ReceiptError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn receipts_come_back(trail in "[!-~]{1,40}", index: u64, leaf_hash: Hash) {
            let receipt = Receipt { trail, index, leaf_hash };
            prop_assert_eq!(receipt.to_string().parse(), Ok(receipt));
        }

        #[test]
        fn what_parses_formats_back(trail in "[a-z \t]{0,4}", index in "[0-9 +]{0,4}", last in "[AE]{42}[A-D]=?") {
            let text = format!("{trail} {index} {last}");
            if let Ok(receipt) = text.parse::<Receipt>() {
                prop_assert_eq!(receipt.to_string(), text);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(text.parse::<Receipt>(), Err(ReceiptError));
        }
    }

    #[test]
    fn one_spelling() {
        let hash = base64(&[0xab; 32]);
        insta::assert_snapshot!(format!("acme 7 {hash}").parse::<Receipt>().unwrap(), @"acme 7 q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=");
        for bad in [
            format!("acme  7 {hash}"),
            format!("acme 07 {hash}"),
            format!(" 7 {hash}"),
            format!("acme 7 {hash}\n"),
            format!("{} 7 {hash}", "a".repeat(MAX_TRAIL + 1)),
            "acme 7 ".to_owned(),
        ] {
            assert_eq!(bad.parse::<Receipt>(), Err(ReceiptError), "{bad}");
        }
    }
}
