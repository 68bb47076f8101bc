//! Paths of tiles and bundles, and receipts: one spelling each.
#![no_main]

use greffier_merkle::Receipt;
use greffier_merkle::tile::{TileId, entries_path, parse_entries_path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(tile) = TileId::parse(text) {
        assert_eq!(tile.path(), text);
    }
    if let Ok((index, width)) = parse_entries_path(text) {
        assert_eq!(entries_path(index, width), text);
    }
    if let Ok(receipt) = text.parse::<Receipt>() {
        assert_eq!(receipt.to_string(), text);
    }
});
