//! Proof files: what is read writes back to the same text.
#![no_main]

use greffier_merkle::TlogProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_text(), text);
    }
});
