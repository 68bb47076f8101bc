//! What witnesses are asked and answer: what is read writes back to the same text, and nobody unknown is believed.
#![no_main]

use greffier_merkle::note::Signer;
use greffier_merkle::witness::{AddCheckpoint, consider, parse_cosignatures, parse_size, size_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(request) = AddCheckpoint::parse(text) {
        assert_eq!(request.to_text(), text);
        // A log of this name, whose key signed nothing.
        let log = Signer::new(request.origin(), &[7; 32]);
        let keys = log.iter().map(Signer::verifier);
        assert!(consider(keys, None, &request).is_err());
    }
    if let Ok(lines) = parse_cosignatures(text) {
        let again: String = lines.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(again, text);
    }
    if let Some(size) = parse_size(text) {
        assert_eq!(size_text(size), text);
    }
});
