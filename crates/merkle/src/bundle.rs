//! Entry bundles (C2SP tlog-tiles): up to 256 entries in a row, each behind its length.

use crate::tile::WIDTH;

/// The longest entry: its length is written in two bytes.
pub const MAX_ENTRY: usize = 65_535;

/// Why bytes are no bundle, or an entry fits in none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BundleError {
    /// The entry is too long to be framed.
    #[error("entry of {0} bytes: at most 65535 fit in a bundle")]
    EntryTooLarge(usize),
    /// The bytes end within an entry.
    #[error("bundle ends within an entry")]
    Truncated,
    /// More entries than a full bundle has.
    #[error("bundle holds more than 256 entries")]
    TooMany,
}

/// Appends an entry to a bundle's bytes.
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLarge(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, in order.
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() as u64 == WIDTH {
            return Err(BundleError::TooMany);
        }
        let (length, after) = rest.split_first_chunk().ok_or(BundleError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bundle(all: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in all {
            append(&mut bytes, entry.as_ref()).unwrap();
        }
        bytes
    }

    #[test]
    fn bounds() {
        assert_eq!(append(&mut Vec::new(), &vec![0; 65_536]), Err(BundleError::EntryTooLarge(65_536)));
        assert_eq!(entries(&bundle(&[vec![7; 65_535]])), Ok(vec![[7; 65_535].as_slice()]));
        assert_eq!(entries(&bundle(&[""; 256])).map(|all| all.len()), Ok(256));
        assert_eq!(entries(&bundle(&[""; 257])), Err(BundleError::TooMany));
        assert_eq!(entries(&[0, 1]), Err(BundleError::Truncated));
        assert_eq!(entries(&[0]), Err(BundleError::Truncated));
    }

    proptest! {
        #[test]
        fn entries_come_back(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40)) {
            let bytes = bundle(&all);
            let back: Vec<Vec<u8>> = entries(&bytes).unwrap().iter().map(|entry| entry.to_vec()).collect();
            prop_assert_eq!(back, all);
        }

        #[test]
        fn what_parses_formats_back(bytes in prop::collection::vec(0..4u8, 0..64)) {
            if let Ok(all) = entries(&bytes) {
                prop_assert_eq!(bundle(&all), bytes);
            }
        }
    }
}
