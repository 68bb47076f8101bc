//! Entry bundles: what is read writes back to the same bytes.
#![no_main]

use greffier_merkle::bundle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(entries) = bundle::entries(data) {
        let mut again = Vec::new();
        for entry in entries {
            bundle::append(&mut again, entry).expect("it was read from a bundle");
        }
        assert_eq!(again, data);
    }
});
