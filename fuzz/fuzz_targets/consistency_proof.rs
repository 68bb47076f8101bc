//! Consistency proofs: what is read writes back to the same text.
#![no_main]

use greffier_merkle::ConsistencyProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(proof) = ConsistencyProof::parse(text) {
        assert_eq!(proof.to_text(), text);
    }
});
